//! Tokens through a pool's OAuth endpoints: for machines by their secret, for people by the pool's sign-in pages.

mod form;

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::OffsetDateTime;
use url::{Url, form_urlencoded};

use super::api;
use super::tokens::claims;
use super::users::{Error as UsersError, Pool, PoolClient};

/// How long an endpoint may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer that is read, in bytes.
const LARGEST: usize = 1_000_000;

/// The OAuth endpoints of a deployed pool.
#[derive(Debug, Clone)]
pub struct Pages {
    base: String,
    http: reqwest::Client,
}

/// What an application was granted.
#[derive(Clone, Serialize, Deserialize)]
pub struct Granted {
    /// What may be done.
    pub access: String,
    /// Who the user is, where `openid` was asked for.
    pub id: Option<String>,
    /// Renews the other two.
    pub refresh: Option<String>,
    /// When the access token ends, in seconds of Unix time.
    pub expires: i64,
}

/// A sign-in on its way through the pages.
#[derive(Clone)]
pub struct Attempt {
    /// Where the browser goes.
    pub url: String,
    /// Where it comes back.
    pub redirect_uri: String,
    state: String,
    verifier: String,
}

/// Why there is no token.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The pool has no pages.
    #[error("user pool `{pool}` has no domain, so it has no OAuth endpoints")]
    #[diagnostic(
        code(stackgen::oauth::domain),
        help("add `domain: {{ prefix: ... }}` to the user pool and deploy again")
    )]
    NoDomain { pool: String },
    /// The client may not do that.
    #[error("client `{client}` does not have the OAuth flow `{flow}`")]
    #[diagnostic(code(stackgen::oauth::flow), help("add it to the client's `allowedOAuthFlows` and deploy again"))]
    NoFlow { client: String, flow: &'static str },
    /// No browser can come back here.
    #[error("client `{client}` has no callback URL on this machine")]
    #[diagnostic(
        code(stackgen::oauth::callback),
        help("add `http://localhost:8976/callback` to the client's `callbackUrls` and deploy again")
    )]
    NoCallback { client: String },
    /// The endpoint says no.
    #[error("the sign-in pages refuse: {error}")]
    #[diagnostic(
        code(stackgen::oauth::refused),
        help("check that the client is allowed these scopes in `allowedOAuthScopes`")
    )]
    Refused { error: String },
    /// The browser came back with something else.
    #[error("what came back is not the answer to this sign-in")]
    #[diagnostic(code(stackgen::oauth::state), help("close other sign-in pages of this pool and try again"))]
    Foreign,
    /// A page has no form that we know.
    #[error("the sign-in pages ask for more than a password")]
    #[diagnostic(code(stackgen::oauth::page), help("sign in with a browser: leave out the password"))]
    MoreThanPassword,
    /// Nobody answers.
    #[error("`{base}` cannot be reached: {cause}")]
    #[diagnostic(
        code(stackgen::oauth::network),
        help("check the network; a new domain takes a minute until it is known")
    )]
    Unreachable { base: String, cause: String },
    /// The answer makes no sense.
    #[error("the answer of `{base}` makes no sense")]
    #[diagnostic(code(stackgen::oauth::protocol), help("is this really the domain of a Cognito user pool?"))]
    Protocol { base: String },
    /// The pool could not be asked.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Users(#[from] UsersError),
}

/// What the token endpoint answers.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    id_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<i64>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Pages {
    /// The endpoints of a pool.
    ///
    /// # Errors
    /// When the pool has none, or cannot be asked.
    pub async fn of(pool: &Pool) -> Result<Self, Error> {
        let base = pool.pages().await?.ok_or_else(|| Error::NoDomain { pool: pool.id.clone() })?;
        let address = Url::parse(&base).map_err(|_| Error::Protocol { base: base.clone() })?;
        let http = api::client(&address, PATIENCE);
        let http = http.map_err(|error| Error::Unreachable { base: base.clone(), cause: error.to_string() })?;
        Ok(Self { base, http })
    }

    /// A token for a client that signs in as itself.
    ///
    /// # Errors
    /// When the client may not, or a scope is not allowed.
    pub async fn as_itself(&self, client: &PoolClient, scopes: &[String]) -> Result<Granted, Error> {
        let scopes = scopes.join(" ");
        let scope = Some(("scope", scopes.as_str())).filter(|_| !scopes.is_empty());
        self.token(client, [("grant_type", "client_credentials")].into_iter().chain(scope)).await
    }

    /// New tokens for old.
    ///
    /// # Errors
    /// When the pool wants a new sign-in.
    pub async fn refresh(&self, client: &PoolClient, refresh: &str) -> Result<Granted, Error> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        let mut granted = self.token(client, form.into_iter()).await?;
        granted.refresh.get_or_insert_with(|| refresh.to_owned());
        Ok(granted)
    }

    /// Begins a sign-in with a code and PKCE, which comes back to `redirect_uri`.
    #[must_use]
    pub fn attempt(&self, client: &PoolClient, redirect_uri: &str, scopes: &[String]) -> Attempt {
        let (state, verifier) = (secret(), secret());
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let scopes = scopes.join(" ");
        let pairs = [
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", redirect_uri),
            ("scope", &scopes),
            ("state", &state),
            ("code_challenge_method", "S256"),
            ("code_challenge", &challenge),
        ];
        let url = format!("{}/oauth2/authorize?{}", self.base, encoded(pairs.into_iter()));
        Attempt { url, redirect_uri: redirect_uri.to_owned(), state, verifier }
    }

    /// Exchanges what the browser came back with for tokens.
    ///
    /// # Errors
    /// When it is not the answer to this attempt, or the pool refuses.
    pub async fn exchange(&self, client: &PoolClient, attempt: &Attempt, query: &str) -> Result<Granted, Error> {
        let code = attempt.code(query)?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &attempt.redirect_uri),
            ("code_verifier", &attempt.verifier),
        ];
        self.token(client, form.into_iter()).await
    }

    /// Signs a user in on the pages, as a browser without scripts would; the query that comes back.
    ///
    /// # Errors
    /// When the pages refuse, or ask for more than a password.
    pub async fn sign_in(&self, attempt: &Attempt, name: &str, password: &str) -> Result<String, Error> {
        form::sign_in(self, attempt, name, password).await
    }

    async fn token<'a>(
        &self,
        client: &'a PoolClient,
        form: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Granted, Error> {
        let form = encoded(form.chain([("client_id", client.id.as_str())]));
        let request = self.http.post(format!("{}/oauth2/token", self.base)).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = match client.secret() {
            Some(secret) => request.basic_auth(&client.id, Some(secret)),
            None => request,
        };
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let body = self.body(response).await?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| self.strange())?;
        if let Some(error) = answer.error {
            let more = answer.error_description.map(|words| format!(" ({words})")).unwrap_or_default();
            return Err(Error::Refused { error: plain(&format!("{error}{more}")) });
        }
        let expires = OffsetDateTime::now_utc().unix_timestamp() + answer.expires_in.unwrap_or_default();
        let access = answer.access_token.ok_or_else(|| self.strange())?;
        Ok(Granted { access, id: answer.id_token, refresh: answer.refresh_token, expires })
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(self.strange());
            }
        }
        Ok(body)
    }

    fn unreachable(&self, error: reqwest::Error) -> Error {
        Error::Unreachable { base: self.base.clone(), cause: error.without_url().to_string() }
    }

    fn strange(&self) -> Error {
        Error::Protocol { base: self.base.clone() }
    }
}

impl Attempt {
    /// Whether a query answers this attempt. Any page can make a browser come here with another one.
    #[must_use]
    pub fn is_answered_by(&self, query: &str) -> bool {
        field(query, "state").as_deref() == Some(self.state.as_str())
    }

    /// The code in a query that answers this attempt.
    fn code(&self, query: &str) -> Result<String, Error> {
        if !self.is_answered_by(query) {
            return Err(Error::Foreign);
        }
        let field = |name: &str| field(query, name);
        if let Some(error) = field("error") {
            let more = field("error_description").map(|words| format!(" ({words})")).unwrap_or_default();
            return Err(Error::Refused { error: plain(&format!("{error}{more}")) });
        }
        field("code").ok_or(Error::Foreign)
    }
}

fn field(query: &str, wanted: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
}

impl Granted {
    /// Whether the access token carries the scope. Nobody trusts the answer: the API verifies the token itself.
    #[must_use]
    pub fn carries(&self, scope: &str) -> bool {
        carries(&self.access, scope)
    }
}

/// Whether an access token says that it carries a scope.
#[must_use]
pub fn carries(token: &str, scope: &str) -> bool {
    let claims = claims(token).unwrap_or_default();
    claims.get("scope").and_then(Value::as_str).is_some_and(|scopes| scopes.split(' ').any(|one| one == scope))
}

/// Something that nobody can guess, long enough for a verifier of PKCE.
fn secret() -> String {
    let mut random = [0_u8; 32];
    rand::fill(&mut random);
    BASE64_URL_SAFE_NO_PAD.encode(random)
}

fn encoded<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Words of a server, without what could steer a terminal.
fn plain(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt() -> Attempt {
        let (state, verifier) = ("s".to_owned(), secret());
        Attempt { url: String::new(), redirect_uri: "http://localhost:1/cb".to_owned(), state, verifier }
    }

    #[test]
    fn only_the_answer_to_this_attempt_has_a_code() {
        assert_eq!(attempt().code("code=c&state=s").ok().as_deref(), Some("c"));
        for query in ["", "code=c", "code=c&state=t", "state=s"] {
            assert!(matches!(attempt().code(query), Err(Error::Foreign)), "{query}");
        }
        let refused = attempt().code("error=access_denied&error_description=no%1b&state=s").map_err(|e| e.to_string());
        assert_eq!(refused, Err("the sign-in pages refuse: access_denied (no)".to_owned()));
    }

    #[test]
    fn scopes_are_read_from_the_token() {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"scope":"notes/read openid"}"#);
        let token = format!("header.{claims}.signature");
        assert!(carries(&token, "notes/read"));
        assert!(!carries(&token, "notes"));
        assert!(!carries("rubbish", "openid"));
    }
}
