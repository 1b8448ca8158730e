//! Tokens with which a project tries its own doors: good ones with any scopes, and deliberately bad ones.
//!
//! Only stackgen's own local cloud makes them, and only for who holds the account's key. Nobody's password is needed, and
//! nothing is remembered of them.

pub mod forge;

use miette::Diagnostic;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::api::{self, Call, Error as ApiError};
use super::aws::{Account, refusal};
use super::users::{Error as UsersError, Flags};
use crate::access::flaw::Flaw;

pub use crate::access::probe::TokenKind as Kind;
pub use forge::claims;

/// The good token that is wanted, or that a bad one differs from.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Id of the pool.
    pub pool: &'a str,
    /// Id of the client.
    pub client: &'a str,
    /// Name of the user, who must be able to sign in.
    pub user: &'a str,
    /// Which one.
    pub kind: Kind,
    /// Scopes of an access token, whether or not the client may ask for them; when none are named, those of a sign-in with
    /// a password.
    pub scopes: &'a [String],
}

/// Where the tokens are made.
#[derive(Debug, Clone)]
pub struct Mint {
    account: Account,
    endpoint: String,
}

/// Why there is no token.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The target is AWS, or something else that speaks as AWS does.
    #[error("only the local cloud makes such tokens, and this is {title}")]
    #[diagnostic(
        code(stackgen::token::local_only),
        help("deploy with `--local`, and repeat the command with `--local`; nobody else signs what is wrong")
    )]
    NotLocal { title: String },
    /// ID tokens and scopes have nothing to do with each other.
    #[error("an ID token has no scopes")]
    #[diagnostic(code(stackgen::token::no_scopes), help("leave out the scopes, or ask for an access token"))]
    NoScopes,
    /// Something went wrong with the key, or the answer is none.
    #[error("what the local cloud answers makes no sense")]
    #[diagnostic(code(stackgen::token::protocol), help("stop it with `stackgen local stop`, and try again"))]
    Protocol,
    /// The user has no token.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Users(#[from] UsersError),
    /// Nobody answers.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Api(#[from] ApiError),
}

impl Mint {
    /// The mint of an account, where it is one of the local cloud.
    ///
    /// # Errors
    /// [`Error::NotLocal`] for every other account.
    pub async fn of(account: &Account) -> Result<Self, Error> {
        let not_local = || Error::NotLocal { title: account.title() };
        let endpoint = account.endpoint.as_deref().filter(|_| account.is_local()).ok_or_else(not_local)?;
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        // Emulators are on this machine too.
        let health = get(&format!("{endpoint}/_stackgen/health")).await?;
        health.get("key").and_then(Value::as_str).ok_or_else(not_local)?;
        Ok(Self { account: account.clone(), endpoint })
    }

    /// A good token.
    ///
    /// # Errors
    /// When there is no such user, or a scope that the pool does not have.
    pub async fn good(&self, wanted: &Wanted<'_>) -> Result<String, Error> {
        self.minted(wanted, None).await
    }

    /// A token that differs from the good one in one thing.
    ///
    /// # Errors
    /// As of [`Mint::good`]; and when an ID token is to lack scopes.
    pub async fn flawed(&self, wanted: &Wanted<'_>, flaw: Flaw) -> Result<String, Error> {
        match flaw {
            Flaw::Expired
            | Flaw::NotYetValid
            | Flaw::OtherIssuer
            | Flaw::OtherAudience
            | Flaw::NoKid
            | Flaw::MissingScope => self.minted(wanted, Some(flaw)).await,
            Flaw::Id => self.good(&Wanted { kind: Kind::Id, scopes: &[], ..*wanted }).await,
            Flaw::WrongKey => self.forged(wanted, forge::with_strange_signature).await,
            Flaw::AlgNone => self.forged(wanted, forge::without_signature).await,
            Flaw::Tampered => self.forged(wanted, forge::with_other_subject).await,
            Flaw::AlgHs256 => {
                let keys = get(&format!("{}/{}/.well-known/jwks.json", self.endpoint, wanted.pool)).await?;
                self.forged(wanted, |token| forge::with_public_secret(token, &keys)).await
            }
        }
    }

    /// What becomes of the good token.
    async fn forged(&self, wanted: &Wanted<'_>, forge: impl FnOnce(&str) -> Option<String>) -> Result<String, Error> {
        forge(&self.good(wanted).await?).ok_or(Error::Protocol)
    }

    /// A token that only the pool can sign. There is no SDK client for this one question.
    async fn minted(&self, wanted: &Wanted<'_>, flaw: Option<Flaw>) -> Result<String, Error> {
        let Wanted { pool, client, user, kind, scopes } = wanted;
        if *kind == Kind::Id && (!scopes.is_empty() || flaw == Some(Flaw::MissingScope)) {
            return Err(Error::NoScopes);
        }
        let asked = json!({
            "UserPoolId": pool, "ClientId": client, "Username": user, "Scopes": scopes,
            "TokenUse": if *kind == Kind::Id { "id" } else { "access" },
            "Deviation": flaw.map(Flaw::name),
        });
        let target = ("x-amz-target".to_owned(), "StackgenLocal.MintToken".to_owned());
        let content = ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned());
        let mut call = Call {
            method: "POST".to_owned(),
            path: String::new(),
            headers: vec![content, target],
            body: Some(asked.to_string().into_bytes()),
        };
        let url = format!("{}/", self.endpoint);
        let signed = api::signature(&self.account, "stackgen", &url, &call).await?;
        call.headers.extend(signed);
        let answer = api::send(&url, &call).await?;
        let answered: Value = serde_json::from_slice(&answer.body).map_err(|_| Error::Protocol)?;
        let text = |name: &str| answered.get(name).and_then(Value::as_str);
        if answer.status != 200 {
            let refused =
                refusal("stackgen:MintToken", text("__type").unwrap_or_default(), text("message").unwrap_or_default());
            return Err(UsersError::of(refused, user, &Flags::default()).into());
        }
        text("Token").map(str::to_owned).ok_or(Error::Protocol)
    }
}

/// What is to be had without credentials.
async fn get(url: &str) -> Result<Value, Error> {
    let call = Call { method: "GET".to_owned(), path: String::new(), headers: Vec::new(), body: None };
    let answer = api::send(url, &call).await?;
    Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// When a token ends, in seconds of Unix time, as it says itself.
#[must_use]
pub fn expires(token: &str) -> Option<i64> {
    claims(token).as_ref().and_then(|claims: &Map<String, Value>| claims.get("exp")).and_then(Value::as_i64)
}
