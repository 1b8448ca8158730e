//! What applications ask without a person: tokens for codes, for refresh tokens and for themselves; who a token is about; an
//! end to a refresh token.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, AUTHORIZATION,
    CONTENT_TYPE, WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::cognito::hosted::call::Call;
use crate::cognito::hosted::shelf::{Code, Redeemed};
use crate::cognito::keys;
use crate::cognito::pool::Client;
use crate::cognito::sign_in::{self, Door, Handing, check_secret, hand_out, renewed};
use crate::cognito::token::{Scopes, SignIn, is_visible, machine_token};
use crate::wire::{Fault, Response, header_value, text};

/// Why an application gets no token.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    error: &'static str,
    description: Option<String>,
}

impl Refused {
    fn new(error: &'static str) -> Self {
        Self { error, description: None }
    }

    fn because(error: &'static str, words: impl Into<String>) -> Self {
        Self { error, description: Some(words.into()) }
    }

    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.error });
        if let Some(words) = self.description {
            body["error_description"] = json!(words);
        }
        text(StatusCode::BAD_REQUEST, "application/json", body.to_string())
    }
}

/// Answers `/oauth2/token`, `/oauth2/userInfo` and `/oauth2/revoke`, to pages of any origin: what counts is in the request, no
/// cookie.
pub(super) async fn answer(call: &Call<'_>, path: &str) -> Response {
    let mut response = match (path, call.method) {
        (_, &Method::OPTIONS) => text(StatusCode::NO_CONTENT, "text/plain; charset=utf-8", ""),
        ("/oauth2/userInfo", &Method::GET | &Method::POST) => user_info(call),
        ("/oauth2/token", &Method::POST) => match token(call).await {
            Ok(tokens) => text(StatusCode::OK, "application/json", tokens.to_string()),
            Err(refused) => refused.into_response(),
        },
        ("/oauth2/revoke", &Method::POST) => match revoke(call) {
            Ok(()) => text(StatusCode::OK, "application/json", ""),
            Err(refused) => refused.into_response(),
        },
        _ => {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "application/json", "");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
    response
}

async fn token(call: &Call<'_>) -> Result<Value, Refused> {
    check_is_form(call)?;
    let client = client(call)?;
    match call.form.get("grant_type") {
        Some("authorization_code") => by_code(call, client).await,
        Some("refresh_token") => by_refresh_token(call, client).await,
        Some("client_credentials") => as_itself(call, &client).await,
        Some(_) => Err(Refused::new("unsupported_grant_type")),
        None => Err(Refused::because("invalid_request", "The grant_type is missing")),
    }
}

fn check_is_form(call: &Call<'_>) -> Result<(), Refused> {
    let kind = call.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_form = kind.split(';').next().is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded");
    let once =
        ["grant_type", "client_id", "client_secret", "code", "redirect_uri", "code_verifier", "refresh_token", "scope"];
    if is_form && !call.form.repeats(&once) {
        return Ok(());
    }
    Err(Refused::because("invalid_request", "The request is no form, or it repeats a field"))
}

/// The client that asks, once it has shown that it knows its secret.
fn client(call: &Call<'_>) -> Result<Client, Refused> {
    let basic = basic(call)?;
    let (id, secret) = match (&basic, call.form.get("client_id")) {
        (Some((id, _)), Some(named)) if id != named => return Err(Refused::new("invalid_request")),
        (Some((id, secret)), _) => (id.as_str(), Some(secret.as_str())),
        (None, Some(id)) => (id, call.form.get("client_secret")),
        (None, None) => return Err(Refused::because("invalid_request", "The client_id is missing")),
    };
    let known = call.cloud.read(|account| {
        let pool = account.cognito.pool(&call.site.pool).ok()?;
        pool.clients.get(id).cloned()
    });
    let client = known.ok_or_else(|| Refused::new("invalid_client"))?;
    check_secret(&client, secret.filter(|secret| !secret.is_empty()))
        .map_err(|_| Refused::because("invalid_client", "invalid_client_secret"))?;
    Ok(client)
}

/// Name and secret of a client in the header that is meant for them.
fn basic(call: &Call<'_>) -> Result<Option<(String, String)>, Refused> {
    let Some(header) = call.headers.get(AUTHORIZATION) else { return Ok(None) };
    let read = || {
        let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (id, secret) = decoded.split_once(':')?;
        scheme.eq_ignore_ascii_case("basic").then(|| (id.to_owned(), secret.to_owned()))
    };
    read().map(Some).ok_or_else(|| Refused::new("invalid_request"))
}

fn check_granted(client: &Client, grant: &str) -> Result<(), Refused> {
    let settings = &client.settings;
    let granted = settings.allowed_o_auth_flows.iter().any(|flow| flow == grant);
    if settings.allowed_o_auth_flows_user_pool_client && granted {
        return Ok(());
    }
    Err(Refused::new("unauthorized_client"))
}

async fn by_code(call: &Call<'_>, client: Client) -> Result<Value, Refused> {
    check_granted(&client, "code")?;
    let name = call.form.get("code").ok_or_else(|| Refused::because("invalid_request", "The code is missing"))?;
    let origin = Uuid::new_v4();
    let code = match call.cloud.pages().codes.redeem(name, origin, call.now()) {
        Redeemed::Fresh(code) => code,
        Redeemed::Again(owner, first) => {
            // Either use may have been the thief's, so nobody keeps what the first one got.
            if owner == client.id {
                forget(call, first);
            }
            return Err(Refused::new("invalid_grant"));
        }
        Redeemed::Never => return Err(Refused::new("invalid_grant")),
    };
    check_code(call, &client, &code)?;
    let door = Door::of_pages(&call.site.pool, &client);
    let (token, mut sign_in) = SignIn::begin_as(origin, &code.username, &client, call.now());
    (sign_in.scopes, sign_in.auth_time) = (Some(code.scopes), code.auth_time);
    let handing = Handing { source: "TokenGeneration_HostedAuth", nonce: code.nonce.as_deref() };
    hand_out(call.cloud, &door, (token, sign_in), handing).await.map(answered).map_err(ungranted)
}

/// Voids the sign-in that a code began. That it cannot be saved is no reason to answer otherwise.
fn forget(call: &Call<'_>, origin: Uuid) {
    let forgotten = call.cloud.write(|account| {
        account.cognito.pool_mut(&call.site.pool)?.sign_ins.remove(&origin.to_string());
        Ok::<_, Fault>(())
    });
    if let Err(fault) = forgotten {
        tracing::error!(%fault, "the sign-in of a stolen code is not void");
    }
}

fn check_code(call: &Call<'_>, client: &Client, code: &Code) -> Result<(), Refused> {
    let same_client = code.client == client.id && code.pool == call.site.pool;
    let same_address = call.form.get("redirect_uri") == Some(code.redirect_uri.as_str());
    let proven = match (&code.challenge, call.form.get("code_verifier")) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => meets(challenge, verifier),
        // A verifier without a challenge means that somebody took the challenge out on the way.
        _ => false,
    };
    if same_client && same_address && proven { Ok(()) } else { Err(Refused::new("invalid_grant")) }
}

/// Whether a verifier of PKCE is the one that the challenge was made of.
fn meets(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let plausible = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    plausible && bool::from(hash.as_bytes().ct_eq(challenge.as_bytes()))
}

async fn by_refresh_token(call: &Call<'_>, client: Client) -> Result<Value, Refused> {
    let missing = || Refused::because("invalid_request", "The refresh_token is missing");
    let token = call.form.get("refresh_token").ok_or_else(missing)?;
    let door = Door::of_pages(&call.site.pool, &client);
    renewed(call.cloud, &door, token, |_, _| Ok(())).await.map(answered).map_err(ungranted)
}

/// What a trigger or the state of the user refuses.
fn ungranted(fault: Fault) -> Refused {
    match fault.code.as_str() {
        "UserLambdaValidationException" | "UnexpectedLambdaException" | "InvalidLambdaResponseException" => {
            Refused::because("invalid_grant", fault.message)
        }
        _ => Refused::new("invalid_grant"),
    }
}

async fn as_itself(call: &Call<'_>, client: &Client) -> Result<Value, Refused> {
    check_granted(client, "client_credentials")?;
    let allowed: Scopes = client.settings.allowed_o_auth_scopes.iter().cloned().collect();
    let asked: Scopes = match call.form.get("scope") {
        Some(scopes) => scopes.split(' ').filter(|scope| !scope.is_empty()).map(ToOwned::to_owned).collect(),
        None => allowed.iter().filter(|scope| scope.contains('/')).cloned().collect(),
    };
    // Standard scopes are about people.
    if asked.is_empty() || !asked.is_subset(&allowed) || !asked.iter().all(|scope| scope.contains('/')) {
        return Err(Refused::new("invalid_scope"));
    }
    let internal = |_: Fault| Refused::new("server_error");
    let keys = keys::of_pool(call.cloud, &call.site.pool).await.map_err(internal)?;
    let made = call
        .cloud
        .read(|account| machine_token(account.cognito.pool(&call.site.pool)?, client, &asked, call.now(), &keys));
    made.map(answered).map_err(internal)
}

/// Tokens as OAuth names them.
fn answered(result: Value) -> Value {
    let names = [
        ("IdToken", "id_token"),
        ("AccessToken", "access_token"),
        ("RefreshToken", "refresh_token"),
        ("ExpiresIn", "expires_in"),
        ("TokenType", "token_type"),
    ];
    let member = |(member, name): (&str, &str)| Some((name.to_owned(), result.get(member)?.clone()));
    Value::Object(names.into_iter().filter_map(member).collect())
}

fn user_info(call: &Call<'_>) -> Response {
    let header =
        call.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok()).and_then(|h| h.split_once(' '));
    let Some((_, token)) = header.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        return challenged(StatusCode::BAD_REQUEST, "invalid_request", "Bad OAuth2 request at UserInfo Endpoint");
    };
    match described(call, token.trim()) {
        Ok(claims) => text(StatusCode::OK, "application/json", Value::Object(claims).to_string()),
        Err(words) => challenged(StatusCode::UNAUTHORIZED, "invalid_token", words),
    }
}

fn described(call: &Call<'_>, token: &str) -> Result<Map<String, Value>, &'static str> {
    const VOID: &str = "Access token is expired, disabled, or deleted, or the user has globally signed out.";
    call.cloud.read(|account| {
        let bearer = account.cognito.holder(token, call.now()).map_err(|_| VOID)?;
        if bearer.pool != call.site.pool {
            return Err(VOID);
        }
        if !bearer.scopes.contains("openid") {
            return Err("Access token does not contain openid scope");
        }
        let pool = account.cognito.pool(&bearer.pool).map_err(|_| VOID)?;
        let (client, user) =
            (pool.client(&bearer.client).map_err(|_| VOID)?, pool.known_user(&bearer.username).map_err(|_| VOID)?);
        let shown = |name: &str| name == "sub" || client.settings.reads(name) && is_visible(&bearer.scopes, name);
        let attributes = user.all_attributes().into_iter().filter(|(name, _)| shown(name));
        let mut claims: Map<String, Value> = attributes.map(|(name, value)| (name, Value::String(value))).collect();
        claims.insert("username".to_owned(), json!(user.username));
        Ok(claims)
    })
}

fn challenged(status: StatusCode, error: &str, description: &str) -> Response {
    let body = json!({ "error": error, "error_description": description });
    let mut response = text(status, "application/json", body.to_string());
    let challenge = header_value(&format!("Bearer error=\"{error}\", error_description=\"{description}\""));
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

fn revoke(call: &Call<'_>) -> Result<(), Refused> {
    check_is_form(call)?;
    let client = client(call)?;
    let token = call.form.get("token").ok_or_else(|| Refused::because("invalid_request", "The token is missing"))?;
    let body = json!({ "Token": token, "ClientId": client.id, "ClientSecret": client.secret });
    let request = serde_json::from_value(body).map_err(|_| Refused::new("invalid_request"))?;
    let revoked = call.cloud.write(|account| sign_in::revoke(&mut account.cognito, request, call.now()));
    revoked.map(|_| ()).map_err(|fault| match fault.code.as_str() {
        "UnsupportedTokenTypeException" => Refused::new("unsupported_token_type"),
        "UnsupportedOperationException" => Refused::because("invalid_request", fault.message),
        _ => Refused::new("unauthorized_client"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_the_one_that_the_challenge_was_made_of() {
        // RFC 7636, appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(meets(challenge, verifier));
        assert!(!meets(challenge, challenge));
        assert!(!meets(challenge, ""));
        let short = "a".repeat(42);
        assert!(!meets(&URL_SAFE_NO_PAD.encode(Sha256::digest(&short)), &short));
    }

    #[test]
    fn tokens_have_the_names_of_oauth() {
        let answer = answered(json!({ "AccessToken": "a", "ExpiresIn": 3600, "TokenType": "Bearer" }));
        assert_eq!(answer, json!({ "access_token": "a", "expires_in": 3600, "token_type": "Bearer" }));
    }
}
