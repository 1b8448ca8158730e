//! The tokens that a signed-in user gets.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::cognito::UserPools;
use crate::cognito::fault::not_authorized;
use crate::cognito::federation::Identity;
use crate::cognito::keys::SigningKeys;
use crate::cognito::moment::Moment;
use crate::cognito::pool::{Client, UserPool};
use crate::cognito::user::User;
use crate::wire::Fault;

/// What an application was allowed: `openid`, `orders/read` and so on.
pub(crate) type Scopes = BTreeSet<String>;

/// The scope with which users manage their own account.
pub(crate) const SELF_SERVICE: &str = "aws.cognito.signin.user.admin";

/// One sign-in: what a refresh token stands for. All its tokens are void once it is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SignIn {
    pub(crate) username: String,
    pub(crate) client: String,
    pub(crate) auth_time: Moment,
    pub(crate) expires: Moment,
    /// What was asked for through the pages; a sign-in through the API asks for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scopes: Option<Scopes>,
    /// Hashes of the refresh tokens that stand for it: one, or with rotation the replaced ones too, until when.
    tokens: Vec<Accepted>,
}

/// A refresh token that is accepted, by its hash.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Accepted {
    hash: String,
    until: Option<Moment>,
}

/// A refresh token: where to look, and a secret.
#[derive(Clone)]
pub(crate) struct RefreshToken {
    /// Names the sign-in.
    pub(crate) origin: Uuid,
    text: String,
}

impl RefreshToken {
    fn new(origin: Uuid) -> Self {
        let secret: [u8; 48] = rand::random();
        Self { origin, text: URL_SAFE_NO_PAD.encode([origin.as_bytes().as_slice(), &secret].concat()) }
    }

    /// Reads what a client sends.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let origin = Uuid::from_slice(bytes.get(..16)?).ok()?;
        Some(Self { origin, text: text.to_owned() })
    }

    /// What the client gets.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn hash(&self) -> String {
        hex::encode(Sha256::digest(&self.text))
    }
}

impl SignIn {
    /// A new sign-in with its refresh token.
    pub(crate) fn begin(username: &str, client: &Client, now: Moment) -> (RefreshToken, Self) {
        Self::begin_as(Uuid::new_v4(), username, client, now)
    }

    /// See [`SignIn::begin`]; under a name that is known before.
    pub(crate) fn begin_as(origin: Uuid, username: &str, client: &Client, now: Moment) -> (RefreshToken, Self) {
        let token = RefreshToken::new(origin);
        let expires = now.after(client.settings.validity().refresh);
        let tokens = vec![Accepted { hash: token.hash(), until: None }];
        let (username, client) = (username.to_owned(), client.id.clone());
        (token, Self { username, client, auth_time: now, expires, scopes: None, tokens })
    }

    /// Whether this refresh token stands for the sign-in.
    pub(crate) fn accepts(&self, token: &RefreshToken, now: Moment) -> bool {
        let hash = token.hash();
        let is = |known: &Accepted| {
            known.until.is_none_or(|until| now < until) && bool::from(known.hash.as_bytes().ct_eq(hash.as_bytes()))
        };
        self.tokens.iter().any(is)
    }

    /// Replaces the refresh token. The old ones still work for a while, since the answer may be lost.
    pub(crate) fn rotate(&mut self, origin: Uuid, grace: i64, now: Moment) -> RefreshToken {
        self.tokens.retain(|known| known.until.is_none_or(|until| now < until));
        for known in &mut self.tokens {
            known.until.get_or_insert(now.after(grace));
        }
        let token = RefreshToken::new(origin);
        self.tokens.push(Accepted { hash: token.hash(), until: None });
        token
    }
}

/// What a trigger changes about tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Overrides {
    id: ClaimChanges,
    access: ClaimChanges,
    groups: Option<Vec<String>>,
    roles: Option<Vec<String>>,
    preferred_role: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClaimChanges {
    #[serde(deserialize_with = "or_default")]
    claims_to_add_or_override: Map<String, Value>,
    #[serde(deserialize_with = "or_default")]
    claims_to_suppress: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    scopes_to_add: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    scopes_to_suppress: Vec<String>,
}

fn or_default<'de, T: Default + Deserialize<'de>, D: serde::Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

/// Claims that no trigger may touch.
const PROTECTED: [&str; 22] = [
    "acr",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "client_id",
    "device_key",
    "event_id",
    "exp",
    "iat",
    "identities",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "origin_jti",
    "scope",
    "sub",
    "token_use",
    "username",
    "version",
];

impl Overrides {
    /// Reads a trigger's response. Version 1 of the event changes identity tokens only.
    pub(crate) fn read(version: &str, response: &Map<String, Value>) -> Self {
        let changes =
            |value: Option<&Value>| value.and_then(|value| ClaimChanges::deserialize(value).ok()).unwrap_or_default();
        let details = if version == "1" { "claimsOverrideDetails" } else { "claimsAndScopeOverrideDetails" };
        let details = response.get(details);
        let member = |name: &str| details.and_then(|details| details.get(name));
        let groups = member("groupOverrideDetails");
        let list = |name: &str| groups.and_then(|g| g.get(name)).and_then(|list| Vec::deserialize(list).ok());
        let (id, access) = if version == "1" {
            (changes(details), ClaimChanges::default())
        } else {
            (changes(member("idTokenGeneration")), changes(member("accessTokenGeneration")))
        };
        let preferred_role = groups.and_then(|g| g.get("preferredRole")).and_then(Value::as_str).map(ToOwned::to_owned);
        Self { id, access, groups: list("groupsToOverride"), roles: list("iamRolesToOverride"), preferred_role }
    }
}

impl ClaimChanges {
    fn apply(&self, claims: &mut Map<String, Value>) {
        let free = |name: &str| !PROTECTED.contains(&name) && !name.starts_with("cognito:");
        for name in self.claims_to_suppress.iter().filter(|name| free(name)) {
            claims.remove(name);
        }
        for (name, value) in self.claims_to_add_or_override.iter().filter(|(name, _)| free(name)) {
            claims.insert(name.clone(), value.clone());
        }
    }
}

/// All that tokens are made of.
#[derive(Debug)]
pub(crate) struct Grant<'a> {
    pub(crate) pool: &'a UserPool,
    pub(crate) client: &'a Client,
    pub(crate) user: &'a User,
    pub(crate) origin: Uuid,
    pub(crate) auth_time: Moment,
    pub(crate) now: Moment,
    pub(crate) overrides: &'a Overrides,
    /// What was asked for through the pages; `None` for a sign-in through the API.
    pub(crate) scopes: Option<&'a Scopes>,
    /// What the application wants to find again in the identity token.
    pub(crate) nonce: Option<&'a str>,
}

/// A pair of tokens before it is signed.
#[derive(Debug)]
pub(crate) struct Claims {
    /// Nothing for an application that did not ask for `openid`.
    id: Option<Value>,
    access: Value,
    expires_in: i64,
    /// Whether the identity token vouches for the access token.
    bound: bool,
}

impl Grant<'_> {
    /// The claims of both tokens.
    pub(crate) fn claims(&self) -> Claims {
        let validity = self.client.settings.validity();
        let event = Uuid::new_v4().to_string();
        let identifies = self.scopes.is_none_or(|scopes| scopes.contains("openid"));
        Claims {
            id: identifies.then(|| Value::Object(self.id_claims(&event, validity.id))),
            access: Value::Object(self.access_claims(&event, validity.access)),
            expires_in: validity.access,
            bound: self.scopes.is_some(),
        }
    }

    fn shows(&self, attribute: &str) -> bool {
        self.client.settings.reads(attribute) && self.scopes.is_none_or(|scopes| is_visible(scopes, attribute))
    }

    fn common(&self, event: &str, kind: &str, validity: i64) -> Map<String, Value> {
        let claims = json!({
            "sub": self.user.sub,
            "iss": self.pool.issuer(),
            "event_id": event,
            "token_use": kind,
            "auth_time": self.auth_time.seconds(),
            "iat": self.now.seconds(),
            "exp": self.now.after(validity).seconds(),
            "jti": Uuid::new_v4().to_string(),
        });
        let mut claims = if let Value::Object(claims) = claims { claims } else { Map::new() };
        if self.client.settings.revocation() {
            claims.insert("origin_jti".to_owned(), json!(self.origin.to_string()));
        }
        let groups = self.groups();
        if !groups.is_empty() {
            claims.insert("cognito:groups".to_owned(), json!(groups));
        }
        claims
    }

    fn groups(&self) -> Vec<String> {
        let own = || self.pool.groups_of(self.user).into_iter().map(|group| group.group_name.clone()).collect();
        self.overrides.groups.clone().unwrap_or_else(own)
    }

    fn id_claims(&self, event: &str, validity: i64) -> Map<String, Value> {
        let mut claims = self.common(event, "id", validity);
        claims.insert("aud".to_owned(), json!(self.client.id));
        claims.insert("cognito:username".to_owned(), json!(self.user.username));
        for (name, value) in self.user.attributes.iter().filter(|(name, _)| self.shows(name)) {
            // What the pool says of the user is not for an attribute to say otherwise.
            claims.entry(name.clone()).or_insert_with(|| claim(name, value));
        }
        if !self.user.identities.is_empty() {
            claims.insert("identities".to_owned(), self.user.identities.iter().map(Identity::claim).collect());
        }
        if let Some(nonce) = self.nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        self.insert_roles(&mut claims);
        self.overrides.id.apply(&mut claims);
        claims
    }

    fn insert_roles(&self, claims: &mut Map<String, Value>) {
        let groups = self.pool.groups_of(self.user);
        let own: Vec<String> = groups.iter().filter_map(|group| group.role_arn.clone()).collect();
        let preferred = self.overrides.preferred_role.clone().or_else(|| preferred_role(&groups));
        let roles = self.overrides.roles.clone().unwrap_or(own);
        if !roles.is_empty() {
            claims.insert("cognito:roles".to_owned(), json!(roles));
        }
        if let Some(role) = preferred {
            claims.insert("cognito:preferred_role".to_owned(), json!(role));
        }
    }

    fn access_claims(&self, event: &str, validity: i64) -> Map<String, Value> {
        let mut claims = self.common(event, "access", validity);
        claims.insert("client_id".to_owned(), json!(self.client.id));
        claims.insert("username".to_owned(), json!(self.user.username));
        let changes = &self.overrides.access;
        let asked = self.scopes.map(|asked| asked.iter().map(String::as_str).collect());
        let mut scopes: BTreeSet<&str> = asked.unwrap_or_else(|| BTreeSet::from([SELF_SERVICE]));
        if self.scopes.is_some() {
            claims.insert("version".to_owned(), json!(2));
        }
        scopes.extend(changes.scopes_to_add.iter().map(String::as_str));
        scopes.retain(|scope| !changes.scopes_to_suppress.iter().any(|gone| gone == scope));
        claims.insert("scope".to_owned(), json!(scopes.into_iter().collect::<Vec<_>>().join(" ")));
        changes.apply(&mut claims);
        claims
    }
}

/// Whether an application that was allowed these scopes sees an attribute. `openid` alone shows all that the client may read;
/// `email` and `phone` narrow that down to their own, and `profile` widens it again.
pub(crate) fn is_visible(scopes: &Scopes, attribute: &str) -> bool {
    let has = |scope: &str| scopes.contains(scope);
    if has("profile") || !(has("email") || has("phone")) {
        return true;
    }
    match attribute {
        "email" | "email_verified" => has("email"),
        "phone_number" | "phone_number_verified" => has("phone"),
        _ => false,
    }
}

/// The access token of an application that signs in as itself.
pub(crate) fn machine_token(
    pool: &UserPool,
    client: &Client,
    scopes: &Scopes,
    now: Moment,
    keys: &SigningKeys,
) -> Result<Value, Fault> {
    let validity = client.settings.validity().access;
    let access = json!({
        "sub": client.id, "client_id": client.id, "token_use": "access", "iss": pool.issuer(), "version": 2,
        "scope": joined(scopes), "auth_time": now.seconds(), "iat": now.seconds(),
        "exp": now.after(validity).seconds(), "jti": Uuid::new_v4().to_string(),
    });
    Claims { id: None, access, expires_in: validity, bound: false }.signed(keys, None)
}

/// Scopes as a token and a request write them.
pub(crate) fn joined(scopes: &Scopes) -> String {
    scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// What an identity token says of the access token beside it: the left half of its hash.
fn half_hash(access: &str) -> String {
    let hash = Sha256::digest(access);
    URL_SAFE_NO_PAD.encode(hash.iter().take(16).copied().collect::<Vec<u8>>())
}

/// The role of the group that counts most, unless another group counts as much.
fn preferred_role(groups: &[&super::pool::Group]) -> Option<String> {
    let best = groups.first()?;
    let precedence = best.precedence?;
    let rivals = groups.iter().filter(|group| group.precedence == Some(precedence) && group.role_arn != best.role_arn);
    (rivals.count() == 0).then(|| best.role_arn.clone()).flatten()
}

/// An attribute as a claim: verified flags are booleans, the update time a number, the address an object.
fn claim(name: &str, value: &str) -> Value {
    match name {
        "email_verified" | "phone_number_verified" => json!(value == "true"),
        "updated_at" => value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number)),
        "address" => json!({ "formatted": value }),
        _ => json!(value),
    }
}

impl Claims {
    /// Those of the identity token; none where `openid` was not asked for.
    pub(crate) fn identity(self) -> Option<Value> {
        self.id
    }

    /// Those of the access token.
    pub(crate) fn access(self) -> Value {
        self.access
    }

    /// The `AuthenticationResult` of an answer.
    pub(crate) fn signed(&self, keys: &SigningKeys, refresh: Option<&RefreshToken>) -> Result<Value, Fault> {
        let access = keys.access.sign(&self.access)?;
        let mut result = json!({ "ExpiresIn": self.expires_in, "TokenType": "Bearer" });
        if let Some(id) = &self.id {
            let mut id = id.clone();
            if self.bound {
                id["at_hash"] = json!(half_hash(&access));
            }
            result["IdToken"] = json!(keys.id.sign(&id)?);
        }
        result["AccessToken"] = json!(access);
        if let Some(refresh) = refresh {
            result["RefreshToken"] = json!(refresh.text());
        }
        Ok(result)
    }
}

/// What an access token that holds says.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub(crate) pool: String,
    pub(crate) client: String,
    pub(crate) username: String,
    pub(crate) scopes: Scopes,
}

/// The claims that an access token must have.
#[derive(Debug, Deserialize)]
struct AccessClaims {
    iss: String,
    token_use: String,
    client_id: String,
    username: String,
    exp: i64,
    iat: i64,
    origin_jti: Option<String>,
    #[serde(default)]
    scope: String,
}

impl UserPools {
    /// Checks an access token that a user sends to manage the own account.
    pub(crate) fn bearer(&self, token: &str, now: Moment) -> Result<Bearer, Fault> {
        let bearer = self.holder(token, now)?;
        if bearer.scopes.contains(SELF_SERVICE) {
            return Ok(bearer);
        }
        Err(not_authorized("Access Token does not have required scopes"))
    }

    /// Checks an access token, whatever it allows.
    pub(crate) fn holder(&self, token: &str, now: Moment) -> Result<Bearer, Fault> {
        let invalid = || not_authorized("Invalid Access Token");
        let (pool, claims) = self.verified(token).ok_or_else(invalid)?;
        if now.seconds() >= claims.exp {
            return Err(not_authorized("Access Token has expired"));
        }
        let user = pool.users.get(&claims.username);
        if user.is_none() || !pool.clients.contains_key(&claims.client_id) || !pool.honours(&claims) {
            return Err(not_authorized("Access Token has been revoked"));
        }
        if user.is_some_and(|user| !user.enabled) {
            return Err(super::fault::disabled());
        }
        let scopes = claims.scope.split(' ').filter(|scope| !scope.is_empty()).map(ToOwned::to_owned).collect();
        Ok(Bearer { pool: pool.id.clone(), client: claims.client_id, username: claims.username, scopes })
    }

    fn verified(&self, token: &str) -> Option<(&UserPool, AccessClaims)> {
        let pool = self.issuer_of(token)?;
        let set = pool.keys.as_ref()?.public();
        let header = jsonwebtoken::decode_header(token).ok()?;
        let key = DecodingKey::from_jwk(set.find(&header.kid?)?).ok()?;
        // Time is the cloud's, not this machine's, so it is checked elsewhere.
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let claims = jsonwebtoken::decode::<AccessClaims>(token, &key, &validation).ok()?.claims;
        (claims.token_use == "access" && claims.iss == pool.issuer()).then_some((pool, claims))
    }

    /// The pool that a token says it is from.
    fn issuer_of(&self, token: &str) -> Option<&UserPool> {
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        let (_, pool) = claims.get("iss")?.as_str()?.rsplit_once('/')?;
        self.pool(pool).ok()
    }
}

impl UserPool {
    /// Whether the sign-in behind an access token still stands.
    fn honours(&self, claims: &AccessClaims) -> bool {
        match &claims.origin_jti {
            Some(origin) => self.sign_ins.contains_key(origin),
            None => {
                let signed_out = self.users.get(&claims.username).and_then(|user| user.signed_out);
                signed_out.is_none_or(|at| claims.iat > at.seconds())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cognito::pool::Group;
    use crate::cognito::pool::tests::pool;

    fn asked(overrides: &Overrides, client: Value, scopes: Option<&Scopes>) -> Claims {
        let mut pool = pool(json!({}));
        for (name, precedence) in [("admins", 1), ("writers", 2)] {
            let role_arn = Some(format!("arn:aws:iam::000000000000:role/{name}"));
            let group =
                Group { group_name: name.to_owned(), precedence: Some(precedence), role_arn, ..Group::default() };
            pool.groups.insert(name.to_owned(), group);
        }
        let attributes =
            [("email", "a@example.com"), ("email_verified", "true"), ("custom:tenant", "t1"), ("sub", "another")];
        let user = User {
            username: "alice".to_owned(),
            sub: "3f1c".to_owned(),
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            groups: ["writers", "admins"].map(ToOwned::to_owned).into(),
            ..User::default()
        };
        let settings = serde_json::from_value(client).expect("a client's settings");
        let client = Client { id: "client1".to_owned(), settings, ..Client::default() };
        let now = Moment::default().after(1_700_000_000);
        let auth_time = Moment::default().after(1_600_000_000);
        let (pool, client, user, origin) = (&pool, &client, &user, Uuid::nil());
        Grant {
            pool,
            client,
            user,
            origin,
            auth_time,
            now,
            overrides,
            scopes,
            nonce: Some("n").filter(|_| scopes.is_some()),
        }
        .claims()
    }

    fn claims(overrides: &Overrides, client: Value) -> Claims {
        asked(overrides, client, None)
    }

    #[test]
    fn tokens_say_what_cognitos_say() {
        let Claims { id, mut access, expires_in, .. } =
            claims(&Overrides::default(), json!({ "AccessTokenValidity": 2 }));
        let mut id = id.expect("the API always says who it is");
        for token in [&mut id, &mut access] {
            for random in ["jti", "event_id"] {
                assert!(token.as_object_mut().and_then(|claims| claims.remove(random)).is_some());
            }
        }
        assert_eq!(expires_in, 7200);
        let common = json!({
            "sub": "3f1c", "iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEfGhI",
            "cognito:groups": ["admins", "writers"], "origin_jti": Uuid::nil().to_string(),
            "auth_time": 1_600_000_000, "iat": 1_700_000_000,
        });
        let with = |more: Value| {
            let mut all = common.clone();
            if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
                all.extend(more);
            }
            all
        };
        assert_eq!(
            id,
            with(json!({
                "token_use": "id", "aud": "client1", "cognito:username": "alice", "exp": 1_700_003_600,
                "email": "a@example.com", "email_verified": true, "custom:tenant": "t1",
                "cognito:roles": ["arn:aws:iam::000000000000:role/admins", "arn:aws:iam::000000000000:role/writers"],
                "cognito:preferred_role": "arn:aws:iam::000000000000:role/admins",
            }))
        );
        assert_eq!(
            access,
            with(json!({
                "token_use": "access", "client_id": "client1", "username": "alice", "exp": 1_700_007_200,
                "scope": "aws.cognito.signin.user.admin",
            }))
        );
    }

    /// The attribute `sub` of the user of these tests is somebody else's.
    #[test]
    fn no_attribute_makes_a_user_another() {
        let id = claims(&Overrides::default(), json!({})).id.expect("an identity");
        assert_eq!(id["sub"], "3f1c");
    }

    #[test]
    fn a_client_sees_what_it_may_read() {
        let id = claims(&Overrides::default(), json!({ "ReadAttributes": ["email"] })).id.expect("an identity");
        assert_eq!(id["email"], "a@example.com");
        assert!(id.get("custom:tenant").is_none() && id.get("email_verified").is_none());
    }

    #[test]
    fn an_application_learns_what_its_scopes_say() {
        let of = |scopes: &[&str]| {
            let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            asked(&Overrides::default(), json!({}), Some(&scopes))
        };
        let alone = of(&["openid", "notes/read"]);
        assert_eq!(alone.access["scope"], "notes/read openid");
        let id = alone.id.expect("`openid` asks for it");
        assert_eq!((&id["custom:tenant"], &id["nonce"]), (&json!("t1"), &json!("n")));
        let narrowed = of(&["openid", "email"]).id.expect("`openid` asks for it");
        assert!(narrowed["email_verified"] == true && narrowed.get("custom:tenant").is_none());
        assert!(of(&["notes/read"]).id.is_none());
    }

    #[test]
    fn the_half_hash_is_that_of_openid_connect() {
        // OpenID Connect Core 1.0, appendix A.3.
        assert_eq!(half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn a_trigger_changes_what_it_may() {
        let response = json!({ "claimsAndScopeOverrideDetails": {
            "idTokenGeneration": { "claimsToAddOrOverride": { "plan": "pro", "sub": "evil", "iss": "evil" }, "claimsToSuppress": ["email"] },
            "accessTokenGeneration": { "claimsToAddOrOverride": { "plan": "pro", "username": "evil" },
                "scopesToAdd": ["notes/read"], "scopesToSuppress": null },
            "groupOverrideDetails": { "groupsToOverride": ["guests"] },
        } });
        let overrides = Overrides::read("2", response.as_object().expect("an object"));
        let Claims { id, access, .. } = claims(&overrides, json!({}));
        let id = id.expect("an identity");
        assert_eq!(
            (&id["plan"], &id["sub"], &id["cognito:groups"]),
            (&json!("pro"), &json!("3f1c"), &json!(["guests"]))
        );
        assert!(id.get("email").is_none());
        assert_eq!(access["scope"], "aws.cognito.signin.user.admin notes/read");
        assert_eq!((&access["plan"], &access["username"]), (&json!("pro"), &json!("alice")));
    }

    #[test]
    fn version_one_leaves_access_tokens_alone() {
        let response = json!({ "claimsOverrideDetails": { "claimsToAddOrOverride": { "plan": "pro" } } });
        let overrides = Overrides::read("1", response.as_object().expect("an object"));
        let Claims { id, access, .. } = claims(&overrides, json!({}));
        assert_eq!(id.expect("an identity")["plan"], "pro");
        assert!(access.get("plan").is_none());
    }

    #[test]
    fn a_refresh_token_is_a_secret() {
        let now = Moment::default();
        let (token, mut sign_in) = SignIn::begin("alice", &Client::default(), now);
        assert!(sign_in.accepts(&token, now));
        assert!(!sign_in.accepts(&RefreshToken::new(token.origin), now));
        assert!(RefreshToken::parse("").is_none() && RefreshToken::parse("AAAA").is_none());
        let next = sign_in.rotate(token.origin, 10, now);
        assert!(sign_in.accepts(&next, now) && sign_in.accepts(&token, now));
        assert!(sign_in.accepts(&next, now.after(11)) && !sign_in.accepts(&token, now.after(11)));
    }
}
