//! What must not show up where nobody means to tell it.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

/// A secret: kept and sent as it is, and silent in debugging output, which ends in logs.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden<T = String>(T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("hidden")
    }
}

impl<T> From<T> for Hidden<T> {
    fn from(secret: T) -> Self {
        Self(secret)
    }
}

impl<T> Deref for Hidden<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Hidden<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::cloud::Account;

    /// What each secret of the account is.
    const SECRET: &str = "hush";
    /// One of bytes.
    const SECRET_BYTES: [u8; 32] = *b"hush hush hush hush hush hush hu";
    const WHEN: &str = "2026-01-01T00:00:00Z";

    /// A parameter that was these before.
    fn parameter(former: Value) -> Value {
        json!({
            "value": SECRET, "kind": "SecureString", "version": 1, "description": null, "allowed_pattern": null,
            "data_type": "text", "tier": "Standard", "tags": {}, "modified": WHEN, "former": former,
        })
    }

    fn function() -> Value {
        json!({
            "latest": {
                "settings": { "Environment": { "Variables": { "V": SECRET } } },
                "code": { "sha256": "", "size": 0 }, "revision": "r", "modified": WHEN,
            },
        })
    }

    /// An account as it is saved, with a secret wherever there may be one.
    fn saved() -> Value {
        let key = json!({ "id": "AKIA", "secret": SECRET });
        let signing = json!({ "kid": "k", "pkcs8": SECRET, "modulus": "m", "exponent": "e" });
        let user = json!({
            "id": "AIDA", "name": "u", "path": "/", "boundary": null, "inline": {}, "attached": [],
            "keys": [{ "key": key, "active": true, "created": WHEN }], "tags": {}, "created": WHEN,
        });
        let member = json!({
            "credential": { "salt": "s", "value": SECRET },
            "codes": { "SignUp": { "digits": SECRET, "expires": 0, "wrong": 0, "proves": "email" } },
            "totp": { "secret": SECRET.as_bytes() },
        });
        let pool = json!({
            "pepper": SECRET_BYTES,
            "clients": { "c": { "secret": SECRET } },
            "users": { "u": member },
            "providers": { "p": { "ProviderDetails": { "client_secret": SECRET } } },
            "keys": { "id": signing, "access": signing },
        });
        let version = |value: Value| json!({ "value": value, "stages": [], "created": WHEN });
        json!({
            "iam": { "root": key, "session_seed": SECRET, "users": { "u": user } },
            "cognito": { "pools": { "p": pool } },
            "lambda": { "f": function() },
            "apigateway": { "api_keys": { "k": { "value": SECRET } } },
            "ssm": { "parameters": { "p": parameter(json!([parameter(json!([]))])) } },
            "secretsmanager": { "secrets": { "s": {
                "suffix": "abcdef", "description": null, "kms_key_id": null, "policy": null, "tags": {},
                "versions": { "t": version(json!({ "Text": SECRET })), "b": version(json!({ "Binary": SECRET })) },
                "created": WHEN, "changed": WHEN, "removal": null,
            } } },
            "ses": { "identities": { "a@b.c": { "pending": SECRET } } },
            "mail": { "messages": [{
                "to": "a@b.c", "subject": "s", "body": SECRET, "kind": "SignUp", "html": SECRET, "time": WHEN,
            }] },
        })
    }

    #[test]
    fn an_account_shows_none_of_its_secrets() {
        let account: Account = serde_json::from_value(saved()).expect("it is read as it was saved before");
        let shown = format!("{account:?}");
        let bytes = [format!("{:?}", SECRET.as_bytes()), format!("{SECRET_BYTES:?}")];
        assert!(!shown.contains(SECRET) && !bytes.iter().any(|bytes| shown.contains(bytes)), "{shown}");
        let kept = serde_json::to_string(&account).expect("it is saved");
        let secrets = |text: &str| text.matches(SECRET).count();
        assert_eq!(secrets(&kept), secrets(&saved().to_string()), "each is kept as it was: {kept}");
    }
}
