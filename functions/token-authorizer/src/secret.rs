//! The token that callers have to know.

use std::time::SystemTime;

use authorizer::{Error, Lost, Remembered};
use aws_lc_rs::constant_time;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;

use crate::LIMITS;

/// What Secrets Manager says when asking again will not help.
const GONE: [&str; 4] =
    ["AccessDeniedException", "DecryptionFailure", "InvalidRequestException", "ResourceNotFoundException"];

/// A secret of Secrets Manager, of which nothing but its fingerprint is remembered.
pub struct Secret {
    client: Client,
    id: String,
    remembered: Remembered<Fingerprint>,
}

impl Secret {
    /// The secret with this name or ARN.
    pub fn new(client: Client, id: impl Into<String>) -> Self {
        Self { client, id: id.into(), remembered: Remembered::new(LIMITS) }
    }

    /// Whether this token is the secret. A token that is not the one that is remembered may be a newer one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the secret is not known.
    pub async fn is(&self, token: &str, now: SystemTime) -> Result<bool, Error> {
        let presented = Fingerprint::of(token);
        if self.remembered.fresh(now).is_some_and(|secret| secret.is(&presented)) {
            return Ok(true);
        }
        self.remembered.refresh(now, self.ask()).await;
        self.remembered.usable(now).map(|secret| secret.is(&presented)).ok_or(Error::Unavailable)
    }

    async fn ask(&self) -> Result<Fingerprint, Lost> {
        let answer = self.client.get_secret_value().secret_id(&self.id).send().await;
        let value = answer.map_err(|error| lost(&error))?;
        // What is filled in by hand often ends in a line break, which no header can carry.
        match value.secret_string().map(str::trim) {
            Some(text) if !text.is_empty() => Ok(Fingerprint::of(text)),
            _ => {
                eprintln!("the secret holds no text: nobody can pass");
                Err(Lost::Gone)
            }
        }
    }
}

fn lost(error: &SdkError<GetSecretValueError>) -> Lost {
    eprintln!("the secret cannot be read: {}", DisplayErrorContext(error));
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    if GONE.contains(&code) { Lost::Gone } else { Lost::Unreachable }
}

/// A digest of a token: as long as that of any other, and of no use to whom it may leak.
struct Fingerprint(Digest);

impl Fingerprint {
    fn of(token: &str) -> Self {
        Self(digest(&SHA256, token.as_bytes()))
    }

    /// Compares in a time that does not depend on where they differ.
    fn is(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(self.0.as_ref(), other.0.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;

    #[test]
    fn fingerprints_tell_tokens_apart() {
        let is = |one: &str, other: &str| Fingerprint::of(one).is(&Fingerprint::of(other));
        assert!(is("abc123", "abc123"));
        for other in ["", "abc12", "abc1234", "abc124", "Abc123", "abc123 "] {
            assert!(!is("abc123", other), "{other}");
        }
    }
}
