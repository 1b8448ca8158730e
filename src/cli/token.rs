//! `stackgen token`: tokens of a user, kept until they end.

use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stackgen::deploy::users::{Error as UsersError, Pool, PoolClient, Tokens};
use thiserror::Error;

use super::pool::{Reached, Which, known_password, token_file};
use super::target::write_private;
use super::{Failure, Outcome, Session, block_on};

/// Arguments of `stackgen token`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the user.
    name: String,
    /// The ID token: who the user is. This is the default.
    #[arg(long, conflicts_with = "access")]
    id: bool,
    /// The access token: what the user may do.
    #[arg(long)]
    access: bool,
    /// A scope that the access token must carry; refused when it does not.
    #[arg(long = "scope", value_name = "SCOPE", conflicts_with = "id")]
    scopes: Vec<String>,
    #[command(flatten)]
    sign_in: SignIn,
    #[command(flatten)]
    which: Which,
}

/// How a user signs in.
#[derive(Debug, Clone, Args)]
pub(crate) struct SignIn {
    /// File with the password on its first line; else STACKGEN_PASSWORD, or a prompt.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Id of the client in the stack file; the only one when absent.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
}

/// Which of the tokens is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Access,
}

/// Why a token is not what was asked for.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// It lacks a scope.
    #[error("the access token of `{name}` does not carry scope `{scope}`")]
    #[diagnostic(
        code(stackgen::token::scope),
        help(
            "a sign-in with a password carries `aws.cognito.signin.user.admin` alone; scopes of a resource server \
             come through the pool's OAuth pages"
        )
    )]
    NoScope { name: String, scope: String },
}

/// Tokens on disk, with what they belong to.
#[derive(Serialize, Deserialize)]
struct Kept {
    pool: String,
    client: String,
    tokens: Tokens,
}

impl Arguments {
    /// Prints the token.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        block_on(async {
            let reached = Reached::stack(session, self.which.stack.as_deref(), &self.which.target).await?;
            let kind = if self.access || !self.scopes.is_empty() { Kind::Access } else { Kind::Id };
            let pool = self.which.pool.as_deref();
            let tokens = tokens(session, &reached, pool, &self.name, &self.sign_in).await?;
            let token = pick(&tokens, kind);
            if let Some(scope) = self.scopes.iter().find(|scope| !carries(token, scope)) {
                let lack = Error::NoScope { name: self.name.clone(), scope: scope.clone() };
                return Err(Failure::refused(lack));
            }
            let document = json!({ "user": self.name, "token": token, "expires": tokens.expires });
            session.screen.answer(&document, || token.to_owned());
            Ok(())
        })
    }
}

/// The token that is wanted.
pub(crate) fn pick(tokens: &Tokens, kind: Kind) -> &str {
    match kind {
        Kind::Id => &tokens.id,
        Kind::Access => &tokens.access,
    }
}

/// Tokens of a user: those that are kept, renewed ones, or those of a new sign-in.
pub(crate) async fn tokens(
    session: &Session,
    reached: &Reached,
    pool: Option<&str>,
    name: &str,
    sign_in: &SignIn,
) -> Outcome<Tokens> {
    let (id, pool) = reached.pool(pool)?;
    let client = reached.client(&id, &pool, sign_in.client.as_deref()).await?;
    let file = token_file(reached, name);
    let fresh = match kept(&file, &pool, &client) {
        Some(tokens) if tokens.expires > now() + SOON => return Ok(tokens),
        Some(tokens) => renewed(&pool, &client, name, &tokens).await?,
        None => None,
    };
    let fresh = match fresh {
        Some(fresh) => fresh,
        None => {
            let password = known_password(session, reached, name, sign_in.password_file.as_deref())?;
            pool.sign_in(&client, name, &password).await?
        }
    };
    let kept = Kept { pool: pool.id.clone(), client: client.id.clone(), tokens: fresh };
    write_private(&file, &serde_json::to_vec(&kept).expect("texts and numbers can be written as JSON"))?;
    Ok(kept.tokens)
}

/// Seconds before its end in which a token is renewed already.
const SOON: i64 = 30;

fn kept(file: &Path, pool: &Pool, client: &PoolClient) -> Option<Tokens> {
    let kept: Kept = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    (kept.pool == pool.id && kept.client == client.id).then_some(kept.tokens)
}

/// New tokens for old; nothing when the pool wants a new sign-in.
async fn renewed(pool: &Pool, client: &PoolClient, name: &str, old: &Tokens) -> Outcome<Option<Tokens>> {
    let Some(refresh) = &old.refresh else { return Ok(None) };
    match pool.refresh(client, name, refresh).await {
        Ok(tokens) => Ok(Some(tokens)),
        Err(UsersError::Aws(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

/// Whether the access token carries the scope. Nobody trusts the answer: the API verifies the token itself.
fn carries(token: &str, scope: &str) -> bool {
    use base64::Engine as _;
    let claims = token.split('.').nth(1).and_then(|part| base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Value = claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default();
    claims.get("scope").and_then(Value::as_str).is_some_and(|scopes| scopes.split(' ').any(|one| one == scope))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::carries;

    #[test]
    fn scopes_are_read_from_the_token() {
        let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(r#"{"scope":"notes/read openid"}"#);
        let token = format!("header.{claims}.signature");
        assert!(carries(&token, "notes/read"));
        assert!(!carries(&token, "notes"));
        assert!(!carries("rubbish", "openid"));
    }
}
