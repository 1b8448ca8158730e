//! Sign-in through a pool's pages, and its OAuth 2.0 endpoints.

mod browser;
mod cases;
mod federation;
pub(crate) mod visitor;

use std::collections::BTreeMap;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::{
    MessageActionType, OAuthFlowType, PreventUserExistenceErrorTypes, ResourceServerScopeType, UserPoolMfaType,
    UsernameAttributeType, VerifiedAttributeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::Duration;
use url::{Url, form_urlencoded};

use self::visitor::{Seen, Visitor};
use crate::support::TestCloud;

const PASSWORD: &str = "Correct-horse1";
const CALLBACK: &str = "http://localhost:8976/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A pool with pages, whose users sign in by email.
struct World {
    cloud: TestCloud,
    client: Client,
    pool: String,
    /// An application without a secret.
    web: String,
    base: String,
}

impl World {
    async fn start() -> Self {
        let cloud = TestCloud::start().await;
        let client = Client::new(&cloud.config());
        let made = client
            .create_user_pool()
            .pool_name("users")
            .username_attributes(UsernameAttributeType::Email)
            .auto_verified_attributes(VerifiedAttributeType::Email);
        let made = made.send().await.expect("a pool");
        let pool = made.user_pool().and_then(|pool| pool.id()).expect("an id").to_owned();
        client.create_user_pool_domain().domain("notes").user_pool_id(&pool).send().await.expect("a domain");
        let scope = |name: &str, words: &str| {
            ResourceServerScopeType::builder().scope_name(name).scope_description(words).build().expect("it is whole")
        };
        let server = client.create_resource_server().user_pool_id(&pool).identifier("orders").name("Orders");
        let server = server.scopes(scope("read", "read orders")).scopes(scope("write", "change orders"));
        server.send().await.expect("a resource server");
        let base = format!("{}/_aws/cognito-domain/notes", cloud.endpoint);
        let mut world = Self { cloud, client, pool, web: String::new(), base };
        world.web = world.application(&[OAuthFlowType::Code], false).await.0;
        world
    }

    /// An application that may use these flows; its id, and its secret where it has one.
    async fn application(&self, flows: &[OAuthFlowType], has_secret: bool) -> (String, String) {
        let is_machine = flows.contains(&OAuthFlowType::ClientCredentials);
        let scopes = if is_machine {
            vec!["orders/read"]
        } else {
            vec!["openid", "email", "orders/read", "aws.cognito.signin.user.admin"]
        };
        self.registered(flows, has_secret, &scopes).await
    }

    async fn registered(&self, flows: &[OAuthFlowType], has_secret: bool, scopes: &[&str]) -> (String, String) {
        let made = self
            .client
            .create_user_pool_client()
            .user_pool_id(&self.pool)
            .client_name("Notes")
            .generate_secret(has_secret)
            .supported_identity_providers("COGNITO")
            .callback_urls(CALLBACK)
            .logout_urls("http://localhost:8976/bye")
            .allowed_o_auth_flows_user_pool_client(true)
            .set_allowed_o_auth_flows(Some(flows.to_vec()))
            .set_allowed_o_auth_scopes(Some(scopes.iter().map(|scope| (*scope).to_owned()).collect()))
            .prevent_user_existence_errors(PreventUserExistenceErrorTypes::Enabled);
        let made = made.send().await.expect("a client");
        let made = made.user_pool_client().expect("a client");
        (made.client_id().expect("an id").to_owned(), made.client_secret().unwrap_or_default().to_owned())
    }

    /// The address at which a sign-in with PKCE begins, with more or other parameters.
    fn authorize(&self, more: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let usual = [
            ("response_type", "code"),
            ("client_id", self.web.as_str()),
            ("redirect_uri", CALLBACK),
            ("scope", "openid email orders/read"),
            ("state", "s t&te"),
            ("nonce", "n-0"),
            ("code_challenge_method", "S256"),
            ("code_challenge", &challenge),
        ];
        let usual = usual.iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
        let pairs = usual.chain(more).filter(|(_, value)| !value.is_empty());
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs.map(|(n, v)| (*n, *v))).finish();
        format!("{}/oauth2/authorize?{query}", self.base)
    }

    /// A user who may sign in; the `sub`.
    async fn add_user(&self, email: &str) -> String {
        let made = self.client.admin_create_user().user_pool_id(&self.pool).username(email);
        let made = made.message_action(MessageActionType::Suppress).send().await.expect("a user");
        let set = self.client.admin_set_user_password().user_pool_id(&self.pool).username(email);
        set.password(PASSWORD).permanent(true).send().await.expect("a password");
        made.user().and_then(|user| user.username()).expect("a name").to_owned()
    }

    /// Signs in; what leads back to the application.
    async fn sign_in(&self, visitor: &mut Visitor, url: &str, email: &str, password: &str) -> Seen {
        let page = visitor.follow(url).await;
        assert_eq!((page.status, page.title()), (200, "Sign in"), "{}", page.html);
        visitor.submit(&page, &[("username", email), ("password", password)]).await
    }

    /// A code for the application.
    async fn code(&self, email: &str, more: &[(&str, &str)]) -> String {
        let back = self.sign_in(&mut Visitor::new(), &self.authorize(more), email, PASSWORD).await;
        back.brings("code").unwrap_or_else(|| panic!("{:?}\n{}", back.location(), back.html))
    }

    async fn post(&self, path: &str, form: &[(&str, &str)], basic: Option<(&str, &str)>) -> (StatusCode, Value) {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = reqwest::Client::new().post(format!("{}{path}", self.base)).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = match basic {
            Some((id, secret)) => request.basic_auth(id, Some(secret)),
            None => request,
        };
        let response = request.send().await.expect("the cloud answers");
        assert_eq!(response.headers()["cache-control"], "no-store");
        (response.status(), response.json().await.unwrap_or_default())
    }

    /// The exchange of a code, with other fields where they are named, and without those that are empty.
    async fn exchange(&self, code: &str, more: &[(&str, &str)]) -> Result<Value, String> {
        let usual = [
            ("grant_type", "authorization_code"),
            ("client_id", self.web.as_str()),
            ("redirect_uri", CALLBACK),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        let usual = usual.iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
        let form: Vec<(&str, &str)> = usual.chain(more).copied().filter(|(_, value)| !value.is_empty()).collect();
        outcome(self.post("/oauth2/token", &form, None).await)
    }

    async fn user_info(&self, token: &Value) -> Result<Value, String> {
        let request = reqwest::Client::new().get(format!("{}/oauth2/userInfo", self.base));
        let response = request.bearer_auth(token.as_str().expect("a token")).send().await.expect("the cloud answers");
        outcome((response.status(), response.json().await.expect("JSON")))
    }

    /// The claims of a token, verified as anybody would.
    async fn verified(&self, token: &Value, audience: Option<&str>) -> Value {
        let token = token.as_str().expect("a token");
        let place = format!("{}/{}/.well-known/jwks.json", self.cloud.endpoint, self.pool);
        let keys: JwkSet = reqwest::get(place).await.expect("the cloud answers").json().await.expect("a key set");
        let kid = jsonwebtoken::decode_header(token).expect("a header").kid.expect("a key");
        let mut validation = Validation::new(Algorithm::RS256);
        match audience {
            Some(audience) => validation.set_audience(&[audience]),
            None => validation.validate_aud = false,
        }
        let key = DecodingKey::from_jwk(keys.find(&kid).expect("a known key")).expect("a key");
        jsonwebtoken::decode::<Value>(token, &key, &validation).expect("it is genuine").claims
    }

    /// The digits in the newest message.
    fn mailed_code(&self) -> String {
        let body = self.cloud.cloud.read(|account| account.mail.messages().last().map(|message| message.body.clone()));
        body.expect("a message").chars().filter(char::is_ascii_digit).collect()
    }
}

/// An answer of an endpoint, or its error with what describes it.
fn outcome((status, body): (StatusCode, Value)) -> Result<Value, String> {
    if status.is_success() {
        return Ok(body);
    }
    let words = body["error_description"].as_str().map(|words| format!(": {words}")).unwrap_or_default();
    Err(format!("{} {}{words}", status.as_u16(), body["error"].as_str().unwrap_or_default()))
}

#[tokio::test]
async fn somebody_signs_up_on_the_pages_and_the_application_gets_tokens() {
    let world = World::start().await;
    let mut visitor = Visitor::new();
    let sign_in = visitor.follow(&world.authorize(&[])).await;
    let sign_up = visitor.get(&sign_in.link("Create an account")).await;
    assert!(
        sign_up.html.contains("At least 8 characters, with a small letter, a capital letter, a digit and a symbol.")
    );
    let weak = visitor.submit(&sign_up, &[("username", "alice@example.com"), ("password", "password")]).await;
    assert!(weak.alert().contains("uppercase") && weak.html.contains("alice@example.com"), "{}", weak.html);
    let confirm = visitor.submit(&weak, &[("username", "alice@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(confirm.title(), "Confirm your account");
    assert!(confirm.html.contains("a***@e***"), "{}", confirm.html);
    let wrong = visitor.submit(&confirm, &[("code", "nonsense")]).await;
    assert!(wrong.alert().contains("request a code again"), "{}", wrong.html);
    let done = visitor.submit(&wrong, &[("code", &format!(" {} ", world.mailed_code()))]).await;
    let page =
        visitor.follow(done.url.join(&done.location().expect("it leads on")).expect("an address").as_str()).await;
    assert!(page.html.contains("Your account is confirmed."), "{}", page.html);

    let before = world.cloud.cloud.now().unix_timestamp();
    let back = visitor.submit(&page, &[("username", "alice@example.com"), ("password", PASSWORD)]).await;
    assert!(back.location().is_some_and(|to| to.starts_with(&format!("{CALLBACK}?code="))), "{:?}", back.location());
    assert_eq!(back.brings("state").as_deref(), Some("s t&te"));
    let tokens = world.exchange(&back.brings("code").expect("a code"), &[]).await.expect("tokens");
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));

    let id = world.verified(&tokens["id_token"], Some(&world.web)).await;
    assert_eq!(
        (&id["email"], &id["email_verified"], &id["nonce"]),
        (&json!("alice@example.com"), &json!(true), &json!("n-0"))
    );
    let half = &Sha256::digest(tokens["access_token"].as_str().expect("a token"))[..16];
    assert_eq!(id["at_hash"], URL_SAFE_NO_PAD.encode(half));
    assert!(id["auth_time"].as_i64().is_some_and(|at| at >= before), "{id}");
    let access = world.verified(&tokens["access_token"], None).await;
    assert_eq!((&access["scope"], &access["version"]), (&json!("email openid orders/read"), &json!(2)));
    assert_eq!((&access["client_id"], &access["username"]), (&json!(world.web), &id["cognito:username"]));

    let known = world.user_info(&tokens["access_token"]).await.expect("a user");
    let expected =
        json!({ "sub": id["sub"], "email": "alice@example.com", "email_verified": "true", "username": id["sub"] });
    assert_eq!(known, expected);
    let own = world.client.get_user().access_token(tokens["access_token"].as_str().expect("a token")).send().await;
    assert!(own.is_err(), "the scope to manage the account was not asked for");
}

#[tokio::test]
async fn a_refresh_token_keeps_its_scopes_until_it_is_revoked() {
    let world = World::start().await;
    world.add_user("alice@example.com").await;
    let tokens = world.exchange(&world.code("alice@example.com", &[]).await, &[]).await.expect("tokens");
    let refresh = tokens["refresh_token"].as_str().expect("one");
    let form = [("grant_type", "refresh_token"), ("client_id", &world.web), ("refresh_token", refresh)];
    let renewed = outcome(world.post("/oauth2/token", &form, None).await).expect("tokens");
    assert!(renewed.get("refresh_token").is_none());
    assert_eq!(world.verified(&renewed["access_token"], None).await["scope"], "email openid orders/read");
    assert!(renewed["id_token"].is_string());
    let other = world.application(&[OAuthFlowType::Code], false).await.0;
    let stolen = [("grant_type", "refresh_token"), ("client_id", &other), ("refresh_token", refresh)];
    assert_eq!(outcome(world.post("/oauth2/token", &stolen, None).await), Err("400 invalid_grant".to_owned()));
    let revoke = [("token", refresh), ("client_id", &world.web)];
    assert_eq!(world.post("/oauth2/revoke", &revoke, None).await.0, 200);
    assert_eq!(outcome(world.post("/oauth2/token", &form, None).await), Err("400 invalid_grant".to_owned()));
    let void = world.user_info(&renewed["access_token"]).await;
    assert!(void.is_err_and(|error| error.starts_with("401 invalid_token")));
}

#[tokio::test]
async fn nobody_leaves_for_an_address_that_is_not_registered() {
    let world = World::start().await;
    let mut visitor = Visitor::new();
    for (name, value) in [
        ("redirect_uri", "http://localhost:8976/callback/"),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", ""),
        ("client_id", "nobody"),
        ("client_id", ""),
    ] {
        let seen = visitor.get(&world.authorize(&[(name, value)])).await;
        assert_eq!((seen.status, seen.location()), (400, None), "{name}={value}");
        assert_eq!(seen.title(), "Something is wrong with this link");
    }
    let scope = visitor.get(&world.authorize(&[("scope", "openid orders/write")])).await;
    assert_eq!(scope.brings("error_description").as_deref(), Some("invalid_scope"));
    assert_eq!(scope.brings("state").as_deref(), Some("s t&te"));
    let plain = visitor.get(&world.authorize(&[("code_challenge_method", "plain")])).await;
    assert_eq!(plain.brings("error").as_deref(), Some("invalid_request"));
    let implicit = visitor.get(&world.authorize(&[("response_type", "token")])).await;
    assert_eq!(implicit.brings("error").as_deref(), Some("unauthorized_client"));
    let google = visitor.get(&world.authorize(&[("identity_provider", "Google")])).await;
    assert_eq!(google.brings("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_code_is_for_one_client_one_address_one_verifier_and_one_use() {
    let world = World::start().await;
    world.add_user("alice@example.com").await;
    let refused = || Err("400 invalid_grant".to_owned());
    let fresh = async || world.code("alice@example.com", &[]).await;
    let other_verifier = "a".repeat(43);
    for (name, value) in [
        ("code_verifier", ""),
        ("code_verifier", other_verifier.as_str()),
        ("redirect_uri", "http://localhost:8976/other"),
        ("redirect_uri", ""),
        ("code", "00000000-0000-4000-8000-000000000000"),
    ] {
        let code = fresh().await;
        assert_eq!(world.exchange(&code, &[(name, value)]).await, refused(), "{name}={value}");
        // Whoever guesses has one guess.
        assert!(name == "code" || world.exchange(&code, &[]).await.is_err(), "{name}={value}");
    }
    let other = world.application(&[OAuthFlowType::Code], false).await.0;
    assert_eq!(world.exchange(&fresh().await, &[("client_id", &other)]).await, refused());
    let plain = world.code("alice@example.com", &[("code_challenge", ""), ("code_challenge_method", "")]).await;
    assert_eq!(world.exchange(&plain, &[]).await, refused(), "a verifier without a challenge");

    let code = fresh().await;
    let tokens = world.exchange(&code, &[]).await.expect("tokens");
    assert!(world.user_info(&tokens["access_token"]).await.is_ok());
    assert_eq!(world.exchange(&code, &[]).await, refused());
    let void = world.user_info(&tokens["access_token"]).await;
    assert!(void.is_err(), "what a code that is used twice was good for is void");

    let late = fresh().await;
    world.cloud.cloud.shift_clock(Duration::minutes(5));
    assert_eq!(world.exchange(&late, &[]).await, refused());
}

#[tokio::test]
async fn a_client_shows_its_secret() {
    let world = World::start().await;
    world.add_user("alice@example.com").await;
    let (id, secret) = world.application(&[OAuthFlowType::Code], true).await;
    let code = world.code("alice@example.com", &[("client_id", &id)]).await;
    let with = async |secret: &str| world.exchange(&code, &[("client_id", &id), ("client_secret", secret)]).await;
    assert_eq!(with("").await, Err("400 invalid_client: invalid_client_secret".to_owned()));
    assert_eq!(with("wrong").await, Err("400 invalid_client: invalid_client_secret".to_owned()));
    assert!(with(&secret).await.is_ok(), "a wrong secret does not use the code up");
    let unknown = world.exchange(&code, &[("client_id", "nobody")]).await;
    assert_eq!(unknown, Err("400 invalid_client".to_owned()));
    let public = world.exchange(&code, &[("client_secret", "one")]).await;
    assert_eq!(
        public,
        Err("400 invalid_client: invalid_client_secret".to_owned()),
        "a client without a secret has none"
    );
}

#[tokio::test]
async fn a_machine_signs_in_as_itself() {
    let world = World::start().await;
    let (id, secret) = world.application(&[OAuthFlowType::ClientCredentials], true).await;
    let ask = async |form: &[(&str, &str)], basic: Option<(&str, &str)>| {
        let form: Vec<_> = form.iter().copied().chain([("grant_type", "client_credentials")]).collect();
        outcome(world.post("/oauth2/token", &form, basic).await)
    };
    let tokens = ask(&[("scope", "orders/read")], Some((&id, &secret))).await.expect("a token");
    assert!(tokens.get("id_token").is_none() && tokens.get("refresh_token").is_none(), "{tokens}");
    let claims = world.verified(&tokens["access_token"], None).await;
    assert_eq!(
        (&claims["sub"], &claims["client_id"], &claims["scope"]),
        (&json!(id), &json!(id), &json!("orders/read"))
    );
    assert!(claims.get("username").is_none());
    let all = ask(&[("client_id", &id), ("client_secret", &secret)], None).await.expect("a token");
    assert_eq!(world.verified(&all["access_token"], None).await["scope"], "orders/read");
    assert_eq!(ask(&[("scope", "orders/write")], Some((&id, &secret))).await, Err("400 invalid_scope".to_owned()));
    assert_eq!(ask(&[("scope", "openid")], Some((&id, &secret))).await, Err("400 invalid_scope".to_owned()));
    let wrong = ask(&[], Some((&id, "wrong"))).await;
    assert_eq!(wrong, Err("400 invalid_client: invalid_client_secret".to_owned()));
    assert_eq!(ask(&[("client_id", &world.web)], None).await, Err("400 unauthorized_client".to_owned()));
    let password =
        outcome(world.post("/oauth2/token", &[("grant_type", "password"), ("client_id", &world.web)], None).await);
    assert_eq!(password, Err("400 unsupported_grant_type".to_owned()));
    let info = world.user_info(&tokens["access_token"]).await;
    assert!(info.is_err(), "a machine is no user");
    let get = reqwest::get(format!("{}/oauth2/token", world.base)).await.expect("the cloud answers");
    assert_eq!(get.status(), 405);
}

#[tokio::test]
async fn a_form_comes_from_the_page_that_this_browser_was_given() {
    let world = World::start().await;
    world.add_user("alice@example.com").await;
    let fields = [("username", "alice@example.com"), ("password", PASSWORD)];
    let mut visitor = Visitor::new();
    let page = visitor.follow(&world.authorize(&[])).await;
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("cache-control"), "no-store");
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.contains("form-action 'self' http://localhost:8976;") && !policy.contains("unsafe"), "{policy}");

    for origin in ["https://evil.example", "null"] {
        let foreign = visitor.submit_from(&page, &fields, origin).await;
        assert_eq!((foreign.status, foreign.location()), (403, None), "{origin}");
    }
    let mut tampered = visitor.follow(&world.authorize(&[])).await;
    let seal = tampered.hidden()[0].1.clone();
    let other = if seal.starts_with('0') { "1" } else { "0" };
    tampered.html = tampered.html.replace(&seal, &format!("{other}{}", &seal[1..]));
    assert_eq!(visitor.submit(&tampered, &fields).await.status, 403);
    tampered.html = tampered.html.replace("_csrf", "other");
    assert_eq!(visitor.submit(&tampered, &fields).await.status, 403);

    let mut other = Visitor::new();
    other.follow(&world.authorize(&[])).await;
    assert_eq!(other.submit(&page, &fields).await.status, 403, "the form of another browser");
    assert_eq!(Visitor::new().submit(&page, &fields).await.status, 403, "a browser without the cookie");
    assert_eq!(visitor.submit(&page, &fields).await.status, 302);
}

#[tokio::test]
async fn the_pages_do_not_tell_who_is_a_user() {
    let world = World::start().await;
    world.add_user("alice@example.com").await;
    let mut visitor = Visitor::new();
    let mut shown = BTreeMap::new();
    for email in ["alice@example.com", "nobody@example.com"] {
        let wrong = world.sign_in(&mut visitor, &world.authorize(&[]), email, "Wrong-horse1").await;
        assert!(wrong.alert().starts_with("Incorrect username or password."), "{}", wrong.html);
        let page = visitor.follow(&world.authorize(&[])).await;
        let forgot = visitor.get(&page.link("Forgot your password?")).await;
        let reset = visitor.submit(&forgot, &[("username", email)]).await;
        let refused = visitor.submit(&reset, &[("code", "000000"), ("password", "Another-horse1")]).await;
        let page = visitor.follow(&world.authorize(&[])).await;
        let sign_up = visitor.get(&page.link("Create an account")).await;
        let confirm = visitor.submit(&sign_up, &[("username", email), ("password", PASSWORD)]).await;
        let unconfirmed = visitor.submit(&confirm, &[("code", "000000")]).await;
        let pages = [wrong, reset, refused, confirm, unconfirmed]
            .map(|page| (page.status, page.html.replace(email, "").replace("n***@e***", "a***@e***")));
        shown.insert(email, pages);
    }
    assert_eq!(shown["alice@example.com"], shown["nobody@example.com"]);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced() {
    let world = World::start().await;
    world.add_user("alice@example.com").await;
    let verified = world.client.admin_update_user_attributes().user_pool_id(&world.pool).username("alice@example.com");
    let attribute =
        aws_sdk_cognitoidentityprovider::types::AttributeType::builder().name("email_verified").value("true");
    verified.user_attributes(attribute.build().expect("it is whole")).send().await.expect("it is changed");
    let mut visitor = Visitor::new();
    world.sign_in(&mut visitor, &world.authorize(&[]), "alice@example.com", PASSWORD).await;
    let page = visitor.follow(&world.authorize(&[("prompt", "login")])).await;
    let forgot = visitor.get(&page.link("Forgot your password?")).await;
    let reset = visitor.submit(&forgot, &[("username", "alice@example.com")]).await;
    let weak = visitor.submit(&reset, &[("code", &world.mailed_code()), ("password", "short")]).await;
    assert!(weak.alert().contains("not long enough"), "{}", weak.html);
    let done = visitor.submit(&weak, &[("code", &world.mailed_code()), ("password", "Another-horse1")]).await;
    assert!(done.location().is_some_and(|to| to.contains("notice=password")), "{}", done.html);
    let page = visitor.follow(&world.authorize(&[])).await;
    assert_eq!(page.title(), "Sign in", "whoever was signed in with the old password is out");
    let wrong = visitor.submit(&page, &[("username", "alice@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(wrong.status, 400);
    let back = visitor.submit(&wrong, &[("username", "alice@example.com"), ("password", "Another-horse1")]).await;
    assert!(back.brings("code").is_some());
}

#[tokio::test]
async fn who_is_signed_in_goes_through_until_signing_out() {
    let world = World::start().await;
    world.add_user("alice@example.com").await;
    let mut visitor = Visitor::new();
    let none = visitor.get(&world.authorize(&[("prompt", "none")])).await;
    assert_eq!(none.brings("error").as_deref(), Some("login_required"));
    let first = world.sign_in(&mut visitor, &world.authorize(&[]), "alice@example.com", PASSWORD).await;
    let first = world.exchange(&first.brings("code").expect("a code"), &[]).await.expect("tokens");
    world.cloud.cloud.shift_clock(Duration::minutes(1));
    let again = visitor.get(&world.authorize(&[("prompt", "none")])).await;
    let again = world.exchange(&again.brings("code").expect("a code"), &[]).await.expect("tokens");
    let (first, again) = (world.verified(&first["id_token"], Some(&world.web)).await, claims(&again["id_token"]));
    assert_eq!(first["auth_time"], again["auth_time"], "nobody signed in again");
    assert_ne!(first["iat"], again["iat"]);
    assert_eq!(visitor.follow(&world.authorize(&[("prompt", "login")])).await.title(), "Sign in");

    let consent = visitor.follow(&world.authorize(&[("prompt", "consent")])).await;
    assert!(
        consent.html.contains("alice@example.com") && consent.html.contains("read orders (orders/read)"),
        "{}",
        consent.html
    );
    let denied = visitor.submit(&consent, &[("decision", "deny")]).await;
    assert_eq!(denied.brings("error").as_deref(), Some("access_denied"));
    let allowed = visitor.submit(&consent, &[("decision", "allow")]).await;
    assert!(allowed.brings("code").is_some());

    let out = |uri: &str| format!("{}/logout?client_id={}&logout_uri={uri}", world.base, world.web);
    let wrong = visitor.get(&out("http://localhost:8976/bye/")).await;
    assert_eq!((wrong.status, wrong.location()), (400, None));
    assert!(visitor.get(&world.authorize(&[])).await.brings("code").is_some(), "a wrong address signs nobody out");
    let kept = visitor.cookies.clone();
    let bye = visitor.get(&out("http://localhost:8976/bye")).await;
    assert_eq!(bye.location().as_deref(), Some("http://localhost:8976/bye"));
    visitor.cookies = kept;
    assert_eq!(visitor.follow(&world.authorize(&[])).await.title(), "Sign in", "the old cookie is void");

    world.sign_in(&mut visitor, &world.authorize(&[]), "alice@example.com", PASSWORD).await;
    world.cloud.cloud.shift_clock(Duration::hours(1));
    assert_eq!(visitor.follow(&world.authorize(&[])).await.title(), "Sign in", "an hour is over");
    // The cloud does not take signatures of an hour ago.
    world.cloud.cloud.shift_clock(-Duration::minutes(61));
    let mut visitor = Visitor::new();
    world.sign_in(&mut visitor, &world.authorize(&[]), "alice@example.com", PASSWORD).await;
    let disable = world.client.admin_disable_user().user_pool_id(&world.pool).username("alice@example.com");
    disable.send().await.expect("it is disabled");
    assert_eq!(visitor.follow(&world.authorize(&[])).await.title(), "Sign in", "the user is disabled");
}

/// The claims of a token that nobody verifies here.
fn claims(token: &Value) -> Value {
    let payload = token.as_str().and_then(|token| token.split('.').nth(1)).expect("a token");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("claims")
}

#[tokio::test]
async fn tokens_at_once_come_in_the_fragment_and_cannot_be_renewed() {
    let world = World::start().await;
    world.add_user("alice@example.com").await;
    let id = world.application(&[OAuthFlowType::Implicit], false).await.0;
    let pkce = [("code_challenge", ""), ("code_challenge_method", "")];
    let url = world.authorize(&[&[("client_id", id.as_str()), ("response_type", "token")][..], &pkce].concat());
    let back = world.sign_in(&mut Visitor::new(), &url, "alice@example.com", PASSWORD).await;
    assert!(back.location().is_some_and(|to| to.starts_with(&format!("{CALLBACK}#id_token="))));
    let token = |name: &str| json!(back.brings(name).expect("it is there"));
    let claims = world.verified(&token("id_token"), Some(&id)).await;
    assert_eq!((&claims["nonce"], back.brings("state").as_deref()), (&json!("n-0"), Some("s t&te")));
    assert_eq!(
        (back.brings("token_type").as_deref(), back.brings("expires_in").as_deref()),
        (Some("Bearer"), Some("3600"))
    );
    assert!(back.brings("refresh_token").is_none());
    assert!(world.user_info(&token("access_token")).await.is_ok());
}

#[tokio::test]
async fn a_temporary_password_is_replaced_before_anything_else() {
    let world = World::start().await;
    let made = world.client.admin_create_user().user_pool_id(&world.pool).username("bob@example.com");
    let made = made.temporary_password("Temporary-1").message_action(MessageActionType::Suppress);
    made.send().await.expect("a user");
    let mut visitor = Visitor::new();
    let choose = world.sign_in(&mut visitor, &world.authorize(&[]), "bob@example.com", "Temporary-1").await;
    assert_eq!((choose.status, choose.title()), (200, "Choose a password"), "{}", choose.html);
    assert!(visitor.get(&world.authorize(&[])).await.brings("code").is_none(), "half a sign-in is none");
    let weak = visitor.submit(&choose, &[("password", "weak")]).await;
    assert!(weak.alert().contains("not long enough"), "{}", weak.html);
    let back = visitor.submit(&weak, &[("password", PASSWORD)]).await;
    assert!(world.exchange(&back.brings("code").expect("a code"), &[]).await.is_ok());
    let again = visitor.submit(&weak, &[("password", PASSWORD)]).await;
    assert_eq!((again.status, again.title()), (400, "Sign in"), "a challenge is answered once");
}

#[tokio::test]
async fn a_second_factor_is_set_up_and_asked_for() {
    let world = World::start().await;
    world.add_user("alice@example.com").await;
    let totp = aws_sdk_cognitoidentityprovider::types::SoftwareTokenMfaConfigType::builder().enabled(true).build();
    let set = world.client.set_user_pool_mfa_config().user_pool_id(&world.pool).mfa_configuration(UserPoolMfaType::On);
    set.software_token_mfa_configuration(totp).send().await.expect("it is set");
    let mut visitor = Visitor::new();
    let set_up = world.sign_in(&mut visitor, &world.authorize(&[]), "alice@example.com", PASSWORD).await;
    assert_eq!(set_up.title(), "Set up an authenticator app", "{}", set_up.html);
    let key = visitor::between(&set_up.html, "id=\"secret\">", "<").expect("a key").to_owned();
    assert!(set_up.html.contains(&format!("secret&#x3D;{key}")), "{}", set_up.html);
    let now = || world.cloud.cloud.now().unix_timestamp();
    let back = visitor.submit(&set_up, &[("code", &totp_code(&key, now()))]).await;
    assert!(back.brings("code").is_some(), "{}", back.html);

    world.cloud.cloud.shift_clock(Duration::minutes(2));
    let mut visitor = Visitor::new();
    let ask = world.sign_in(&mut visitor, &world.authorize(&[]), "alice@example.com", PASSWORD).await;
    assert_eq!(ask.title(), "Enter a code", "{}", ask.html);
    let wrong = visitor.submit(&ask, &[("code", "nonsense")]).await;
    assert_eq!((wrong.status, wrong.title()), (400, "Enter a code"), "{}", wrong.html);
    let back = visitor.submit(&wrong, &[("code", &totp_code(&key, now()))]).await;
    assert!(world.exchange(&back.brings("code").expect("a code"), &[]).await.is_ok());
}

/// What an authenticator app with this key shows.
fn totp_code(key: &str, now: i64) -> String {
    let value = |letter: u8| if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
    let bits: Vec<u8> = key.bytes().flat_map(|b| (0..5).rev().map(move |bit| (value(b) >> bit) & 1)).collect();
    let key: Vec<u8> = bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte * 2 + bit)).collect();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let digest = aws_lc_rs::hmac::sign(&key, &(now / 30).to_be_bytes());
    let bytes = digest.as_ref();
    let offset = usize::from(bytes[bytes.len() - 1] & 0xf);
    let number = bytes[offset..offset + 4].iter().fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

#[tokio::test]
async fn a_domain_is_a_host_too_and_the_documents_name_its_endpoints() {
    let world = World::start().await;
    world.add_user("alice@example.com").await;
    let place = format!("{}/{}/.well-known/openid-configuration", world.cloud.endpoint, world.pool);
    let response = reqwest::get(place).await.expect("the cloud answers");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let document: Value = response.json().await.expect("a document");
    assert_eq!(document["authorization_endpoint"], format!("{}/oauth2/authorize", world.base));
    assert_eq!(document["token_endpoint"], format!("{}/oauth2/token", world.base));
    let port = Url::parse(&world.cloud.endpoint).ok().and_then(|url| url.port()).expect("a port");
    let host = format!("notes.auth.us-east-1.amazoncognito.localhost:{port}");
    let ask = |path: &str| reqwest::Client::new().get(format!("{}{path}", world.cloud.endpoint)).header("host", &host);
    let path = world.authorize(&[]).replace(&world.base, "").replace("/oauth2/authorize", "/login");
    let page = ask(&path).send().await.expect("the cloud answers");
    assert_eq!(page.status(), 200);
    let cookie = page.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert!(cookie.contains("; Path=/;"), "{cookie}");
    let html = page.text().await.expect("text");
    assert!(html.contains("action=\"/login?"), "{html}");
    let unknown = reqwest::get(world.base.replace("notes", "other")).await.expect("the cloud answers");
    assert_eq!(unknown.status(), 404);
    let long = reqwest::get(format!("{}/login?x={}", world.base, "a".repeat(9_000))).await.expect("the cloud answers");
    assert_eq!(long.status(), 413);
}
