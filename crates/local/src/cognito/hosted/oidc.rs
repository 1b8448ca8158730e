//! An OpenID Connect provider on this machine, spoken to as Cognito speaks to one anywhere.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

use jsonwebtoken::jwk::{JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq;
use url::Url;

use crate::cognito::federation::Claims;
use crate::cognito::hosted::shelf::Trip;
use crate::cognito::moment::Moment;
use crate::cognito::provider::{Kind, Provider};

/// How long Cognito waits for a provider.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer that is read, in bytes.
const LARGEST: usize = 150_000;
/// Seconds by which two clocks may differ.
const LEEWAY: i64 = 60;

static CLIENT: LazyLock<Option<Client>> =
    LazyLock::new(|| Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy().build().ok());

/// What a discovery document says.
#[derive(Debug, Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
}

/// Where a provider is asked.
#[derive(Debug)]
struct Places {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
}

/// What a provider answers to a code.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

/// The issuer of a provider that is really spoken to: one on this machine.
pub(super) fn issuer(provider: &Provider) -> Option<Url> {
    let issuer = Url::parse(provider.detail("oidc_issuer")?).ok()?;
    (provider.kind == Kind::Oidc && is_this_machine(&issuer)).then_some(issuer)
}

fn is_this_machine(address: &Url) -> bool {
    let host = address.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let near = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    near && matches!(address.scheme(), "http" | "https")
}

/// The address at which people sign in.
pub(super) async fn location(provider: &Provider, issuer: &Url, trip: &Trip, state: &str) -> Result<String, String> {
    let mut location = Places::of(provider, issuer).await?.authorization_endpoint;
    location.query_pairs_mut().extend_pairs([
        ("client_id", provider.detail("client_id").unwrap_or_default()),
        ("redirect_uri", &trip.callback),
        ("response_type", "code"),
        ("scope", &provider.scopes().collect::<Vec<_>>().join(" ")),
        ("state", state),
        ("nonce", &trip.nonce),
    ]);
    Ok(location.into())
}

/// What the provider says of the person who came back with this code.
pub(super) async fn claims(
    provider: &Provider,
    issuer: &Url,
    trip: &Trip,
    code: &str,
    now: Moment,
) -> Result<Claims, String> {
    let places = Places::of(provider, issuer).await?;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &trip.callback),
        ("client_id", provider.detail("client_id").unwrap_or_default()),
        ("client_secret", provider.detail("client_secret").unwrap_or_default()),
    ];
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = client()?.post(places.token_endpoint.clone()).body(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let tokens: Tokens = document(request, "token endpoint").await?;
    let keys: JwkSet = document(client()?.get(places.jwks_uri.clone()), "key set").await?;
    let expected = Expected {
        issuer: &places.issuer,
        audience: provider.detail("client_id").unwrap_or_default(),
        nonce: &trip.nonce,
        now,
    };
    let mut claims = expected.verified(&tokens.id_token, &keys)?;
    if let (Some(place), Some(token)) = (places.userinfo_endpoint, tokens.access_token) {
        let request = match provider.detail("attributes_request_method") {
            Some("POST") => client()?.post(place),
            _ => client()?.get(place),
        };
        let more: Claims = document(request.bearer_auth(token), "attributes endpoint").await?;
        if more.get("sub") != claims.get("sub") {
            return Err("Bad attributes: they are of another subject".to_owned());
        }
        claims.extend(more);
    }
    Ok(claims)
}

impl Places {
    /// What is declared of the provider, else what its discovery document says. Each must be on this machine too.
    async fn of(provider: &Provider, issuer: &Url) -> Result<Self, String> {
        let declared = |name: &str| provider.detail(name).and_then(|address| Url::parse(address).ok());
        let stated = (declared("authorize_url"), declared("token_url"), declared("jwks_uri"));
        let places = if let (Some(authorization_endpoint), Some(token_endpoint), Some(jwks_uri)) = stated {
            let issuer = provider.detail("oidc_issuer").unwrap_or_default().to_owned();
            let userinfo_endpoint = declared("attributes_url");
            Self { issuer, authorization_endpoint, token_endpoint, jwks_uri, userinfo_endpoint }
        } else {
            let place = format!("{}/.well-known/openid-configuration", issuer.as_str().trim_end_matches('/'));
            let found: Discovered = document(client()?.get(place), "discovery document").await?;
            let address =
                |text: &str| Url::parse(text).map_err(|_| format!("Bad discovery document: {text} is no address"));
            Self {
                authorization_endpoint: address(&found.authorization_endpoint)?,
                token_endpoint: address(&found.token_endpoint)?,
                jwks_uri: address(&found.jwks_uri)?,
                userinfo_endpoint: found.userinfo_endpoint.as_deref().map(address).transpose()?,
                issuer: found.issuer,
            }
        };
        let stated = provider.detail("oidc_issuer").unwrap_or_default();
        if places.issuer.trim_end_matches('/') != stated.trim_end_matches('/') {
            return Err("Bad discovery document: it is of another issuer".to_owned());
        }
        let required = [&places.authorization_endpoint, &places.token_endpoint, &places.jwks_uri];
        if let Some(place) = required.into_iter().chain(&places.userinfo_endpoint).find(|place| !is_this_machine(place))
        {
            return Err(format!("{place} is not on this machine, and nothing else is asked from here"));
        }
        Ok(places)
    }
}

fn client() -> Result<&'static Client, String> {
    CLIENT.as_ref().ok_or_else(|| "The system gives no connections".to_owned())
}

async fn document<T: for<'de> Deserialize<'de>>(request: RequestBuilder, what: &str) -> Result<T, String> {
    let failed = |error: reqwest::Error| format!("Bad {what}: {}", error.without_url());
    let mut response = request.send().await.map_err(failed)?.error_for_status().map_err(failed)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err(format!("Bad {what}: it is too long"));
        }
    }
    serde_json::from_slice(&body).map_err(|error| format!("Bad {what}: {error}"))
}

/// What an identity token must say.
struct Expected<'a> {
    issuer: &'a str,
    audience: &'a str,
    nonce: &'a str,
    now: Moment,
}

impl Expected<'_> {
    /// The claims of a token that the provider has signed for this client and this sign-in.
    fn verified(&self, token: &str, keys: &JwkSet) -> Result<Claims, String> {
        let bad = |what: &str| format!("Bad id_token {what}");
        let header = jsonwebtoken::decode_header(token).map_err(|_| bad("form"))?;
        if header.alg != Algorithm::RS256 {
            return Err(bad("algorithm"));
        }
        let named = |kid: &String| keys.keys.iter().find(|key| key.common.key_id.as_ref() == Some(kid));
        let key = match (&header.kid, keys.keys.as_slice()) {
            (Some(kid), _) => named(kid),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let fits = |algorithm: &Option<KeyAlgorithm>| algorithm.is_none_or(|known| known == KeyAlgorithm::RS256);
        let key = key.filter(|key| fits(&key.common.key_algorithm)).ok_or_else(|| bad("key"))?;
        let key = DecodingKey::from_jwk(key).map_err(|_| bad("key"))?;
        // Time is the cloud's, not this machine's, so it is checked below.
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|_| bad("signature"))?.claims;
        self.check(&claims).map_err(bad)?;
        Ok(claims)
    }

    fn check(&self, claims: &Claims) -> Result<(), &'static str> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(self.issuer) {
            return Err("issuer");
        }
        let is_ours = |value: &Value| value.as_str() == Some(self.audience);
        let (meant, several) = match claims.get("aud") {
            Some(Value::Array(all)) => (all.iter().any(is_ours), all.len() > 1),
            Some(one) => (is_ours(one), false),
            None => (false, false),
        };
        let party = text("azp");
        if !meant || (several && party.is_none()) || party.is_some_and(|party| party != self.audience) {
            return Err("audience");
        }
        let nonce = text("nonce").unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err("nonce");
        }
        let time = |name: &str| claims.get(name).and_then(Value::as_f64);
        let now = f64::from(i32::try_from(self.now.seconds()).unwrap_or(i32::MAX));
        let leeway = f64::from(i32::try_from(LEEWAY).unwrap_or_default());
        let over = time("exp").is_none_or(|until| now >= until + leeway);
        let early = |name: &str| time(name).is_some_and(|from| from > now + leeway);
        if over || early("nbf") || early("iat") { Err("time") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn check(change: Value) -> Result<(), &'static str> {
        let mut claims =
            json!({ "iss": "http://localhost:1", "aud": "c", "nonce": "n", "sub": "1", "exp": 1100, "iat": 1000 });
        if let (Value::Object(claims), Value::Object(change)) = (&mut claims, change) {
            claims.extend(change);
        }
        let now = Moment::default().after(1000);
        let expected = Expected { issuer: "http://localhost:1", audience: "c", nonce: "n", now };
        expected.check(claims.as_object().unwrap_or(&Claims::new()))
    }

    #[test]
    fn an_identity_token_is_from_there_for_us_for_now() {
        assert_eq!(check(json!({})), Ok(()));
        assert_eq!(check(json!({ "aud": ["c", "d"], "azp": "c" })), Ok(()));
        let refused = [
            (json!({ "iss": "http://localhost:2" }), "issuer"),
            (json!({ "iss": null }), "issuer"),
            (json!({ "aud": "d" }), "audience"),
            (json!({ "aud": [] }), "audience"),
            (json!({ "aud": ["c", "d"] }), "audience"),
            (json!({ "azp": "d" }), "audience"),
            (json!({ "nonce": "m" }), "nonce"),
            (json!({ "nonce": null }), "nonce"),
            (json!({ "exp": 900 }), "time"),
            (json!({ "exp": "soon" }), "time"),
            (json!({ "nbf": 1100 }), "time"),
            (json!({ "iat": 2000 }), "time"),
        ];
        for (change, what) in refused {
            assert_eq!(check(change.clone()), Err(what), "{change}");
        }
    }

    #[test]
    fn only_this_machine_is_asked() {
        let provider = |issuer: &str| Provider {
            details: BTreeMap::from([("oidc_issuer".to_owned(), issuer.to_owned())]).into(),
            ..Provider::default()
        };
        for (address, near) in [
            ("http://localhost:8080", true),
            ("http://127.0.0.1/x", true),
            ("http://[::1]:1", true),
            ("https://accounts.google.com", false),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1@example.com", false),
            ("file://localhost/etc", false),
        ] {
            assert_eq!(issuer(&provider(address)).is_some(), near, "{address}");
        }
    }
}
