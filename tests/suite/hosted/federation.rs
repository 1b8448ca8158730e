//! Sign-in with other identity providers: a stand-in for those elsewhere, and one on this machine that is really spoken to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use aws_sdk_cognitoidentityprovider::error::ProvideErrorMetadata;
use aws_sdk_cognitoidentityprovider::types::{
    IdentityProviderTypeType, OAuthFlowType, ProviderUserIdentifierType, UserStatusType,
};
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::form_urlencoded;

use super::visitor::Visitor;
use super::{CALLBACK, PASSWORD, Seen, World};

/// Gives the pool a provider, and the application the right to use it.
async fn add_provider(world: &World, name: &str, kind: IdentityProviderTypeType, details: &[(&str, &str)]) {
    let mut request =
        world.client.create_identity_provider().user_pool_id(&world.pool).provider_name(name).provider_type(kind);
    for (name, value) in details {
        request = request.provider_details(*name, *value);
    }
    let request = request.attribute_mapping("email", "email").attribute_mapping("email_verified", "email_verified");
    request.send().await.expect("a provider");
    offer(world, &["COGNITO", name]).await;
}

async fn offer(world: &World, providers: &[&str]) {
    let change = world.client.update_user_pool_client().user_pool_id(&world.pool).client_id(&world.web);
    let change = change
        .callback_urls(CALLBACK)
        .allowed_o_auth_flows(OAuthFlowType::Code)
        .allowed_o_auth_flows_user_pool_client(true);
    let scopes = ["openid", "email", "orders/read", "aws.cognito.signin.user.admin"];
    let change = change.set_allowed_o_auth_scopes(Some(scopes.map(str::to_owned).to_vec()));
    let providers = providers.iter().map(|name| (*name).to_owned()).collect();
    change.set_supported_identity_providers(Some(providers)).send().await.expect("it is changed");
}

const GOOGLE: [(&str, &str); 3] = [("client_id", "c"), ("client_secret", "s"), ("authorize_scopes", "openid email")];

/// Signs in with a stand-in; what leads back to the application.
async fn stand_in(world: &World, visitor: &mut Visitor, fields: &[(&str, &str)]) -> Seen {
    let page = visitor.follow(&world.authorize(&[("identity_provider", "Google")])).await;
    assert!(page.html.contains("This page stands for Google."), "{}", page.html);
    let back = visitor.submit(&page, fields).await;
    let location = back.location().unwrap_or_else(|| panic!("{}", back.html));
    visitor.follow(&location).await
}

#[tokio::test]
async fn a_stand_in_signs_people_in_as_google_would() {
    let world = World::start().await;
    add_provider(&world, "Google", IdentityProviderTypeType::Google, &GOOGLE).await;
    let mut visitor = Visitor::new();
    let sign_in = visitor.follow(&world.authorize(&[])).await;
    assert!(sign_in.link("Continue with Google").contains("identity_provider=Google"));
    let fields = [("claim.sub", "12345"), ("claim.email", "gina@example.com"), ("claim.email_verified", "true")];
    let back = stand_in(&world, &mut visitor, &fields).await;
    assert_eq!(back.brings("state").as_deref(), Some("s t&te"), "{:?}", back.location());
    let tokens = world.exchange(&back.brings("code").expect("a code"), &[]).await.expect("tokens");
    let id = world.verified(&tokens["id_token"], Some(&world.web)).await;
    assert_eq!(
        (&id["cognito:username"], &id["email"], &id["email_verified"]),
        (&json!("Google_12345"), &json!("gina@example.com"), &json!(true))
    );
    assert_eq!(id["cognito:groups"], json!([format!("{}_Google", world.pool)]));
    let identity = &id["identities"][0];
    assert_eq!(
        (&identity["userId"], &identity["providerName"], &identity["primary"]),
        (&json!("12345"), &json!("Google"), &json!("true"))
    );
    assert_ne!(id["sub"], "12345");

    let user =
        world.client.admin_get_user().user_pool_id(&world.pool).username("Google_12345").send().await.expect("a user");
    assert_eq!(user.user_status(), Some(&UserStatusType::ExternalProvider));
    let identities = user.user_attributes().iter().find(|attribute| attribute.name() == "identities");
    assert!(identities.and_then(|found| found.value()).is_some_and(|text| text.contains("\"primary\":true")));
    let password = world.sign_in(&mut Visitor::new(), &world.authorize(&[]), "gina@example.com", PASSWORD).await;
    assert_eq!(password.status, 400, "who comes from elsewhere has no password here");
    let set =
        world.client.admin_set_user_password().user_pool_id(&world.pool).username("Google_12345").password(PASSWORD);
    assert!(set.permanent(true).send().await.is_err());

    // The same person again, with another address: found on the page, known by the `sub`.
    let mut visitor = Visitor::new();
    let page = visitor.follow(&world.authorize(&[("identity_provider", "Google")])).await;
    assert!(page.html.contains("Sign in as gina@example.com"), "{}", page.html);
    let known = visitor.submit(&page, &[]).await;
    let back = visitor.follow(&known.location().expect("it leads back")).await;
    let again = world.exchange(&back.brings("code").expect("a code"), &[]).await.expect("tokens");
    assert_eq!(world.verified(&again["id_token"], Some(&world.web)).await["sub"], id["sub"]);
    let moved = [("claim.sub", "12345"), ("claim.email", "new@example.com")];
    let back = stand_in(&world, &mut Visitor::new(), &moved).await;
    let moved = world.exchange(&back.brings("code").expect("a code"), &[]).await.expect("tokens");
    let moved = world.verified(&moved["id_token"], Some(&world.web)).await;
    assert_eq!(
        (&moved["sub"], &moved["email"], &moved["email_verified"]),
        (&id["sub"], &json!("new@example.com"), &json!(false))
    );
}

#[tokio::test]
async fn whoever_comes_back_must_be_the_one_who_left() {
    let world = World::start().await;
    add_provider(&world, "Google", IdentityProviderTypeType::Google, &GOOGLE).await;
    let fields = [("claim.sub", "1"), ("claim.email", "m@example.com")];
    let mut attacker = Visitor::new();
    let page = attacker.follow(&world.authorize(&[("identity_provider", "Google")])).await;
    let location = attacker.submit(&page, &fields).await.location().expect("it leads back");
    let victim = Visitor::new().get(&location).await;
    assert_eq!((victim.status, victim.location()), (400, None));
    assert_eq!(attacker.get(&location).await.status, 400, "a trip ends once");

    let mut visitor = Visitor::new();
    let page = visitor.follow(&world.authorize(&[("identity_provider", "Google")])).await;
    assert_eq!(visitor.submit_from(&page, &fields, "https://evil.example").await.status, 403);
    let denied = visitor.submit(&page, &[("decision", "deny")]).await;
    let back = visitor.follow(&denied.location().expect("it leads back")).await;
    assert_eq!(back.brings("error").as_deref(), Some("access_denied"));
    let stranger = visitor.get(&format!("{}/_aws/stand-in/Google/authorize?state=guess", world.cloud.endpoint)).await;
    assert_eq!(stranger.status, 400);
    let forged = visitor.get(&format!("{}/oauth2/idpresponse?state=guess&code=guess", world.base)).await;
    assert_eq!((forged.status, forged.location()), (400, None));
}

#[tokio::test]
async fn a_client_takes_the_providers_that_it_supports() {
    let world = World::start().await;
    let unknown = world.client.update_user_pool_client().user_pool_id(&world.pool).client_id(&world.web);
    let refused = unknown.supported_identity_providers("Google").send().await.expect_err("there is none");
    assert!(refused.message().is_some_and(|message| message.contains("The provider Google does not exist")));
    add_provider(&world, "Google", IdentityProviderTypeType::Google, &GOOGLE).await;
    let mut visitor = Visitor::new();
    stand_in(&world, &mut visitor, &[("claim.sub", "1"), ("claim.email", "g@example.com")]).await;
    assert!(visitor.get(&world.authorize(&[])).await.brings("code").is_some());
    offer(&world, &["COGNITO"]).await;
    assert_eq!(
        visitor.follow(&world.authorize(&[])).await.title(),
        "Sign in",
        "who came from Google does not count here"
    );
    let google = visitor.get(&world.authorize(&[("identity_provider", "Google")])).await;
    assert_eq!(google.brings("error").as_deref(), Some("invalid_request"));
    offer(&world, &["Google"]).await;
    let only = Visitor::new().follow(&world.authorize(&[])).await;
    assert!(only.html.contains("This page stands for Google."), "the only way is taken at once: {}", only.html);
}

#[tokio::test]
async fn an_administrator_links_a_user_to_a_provider() {
    let world = World::start().await;
    add_provider(&world, "Google", IdentityProviderTypeType::Google, &GOOGLE).await;
    let sub = world.add_user("alice@example.com").await;
    let named = |provider: &str, attribute: Option<&str>, value: &str| {
        let user = ProviderUserIdentifierType::builder().provider_name(provider).provider_attribute_value(value);
        user.set_provider_attribute_name(attribute.map(str::to_owned)).build()
    };
    let google = named("Google", Some("Cognito_Subject"), "77");
    let link = world.client.admin_link_provider_for_user().user_pool_id(&world.pool);
    link.destination_user(named("Cognito", None, &sub))
        .source_user(google.clone())
        .send()
        .await
        .expect("they are linked");
    let fields = [("claim.sub", "77"), ("claim.email", "alice@example.com"), ("claim.email_verified", "true")];
    let back = stand_in(&world, &mut Visitor::new(), &fields).await;
    let tokens = world.exchange(&back.brings("code").expect("a code"), &[]).await.expect("tokens");
    let id = world.verified(&tokens["id_token"], Some(&world.web)).await;
    assert_eq!((&id["sub"], &id["identities"][0]["primary"]), (&json!(sub), &json!("false")));
    assert!(
        world
            .sign_in(&mut Visitor::new(), &world.authorize(&[]), "alice@example.com", PASSWORD)
            .await
            .brings("code")
            .is_some()
    );
    let unlink = world.client.admin_disable_provider_for_user().user_pool_id(&world.pool).user(google);
    unlink.send().await.expect("they are not linked");
    let back = stand_in(&world, &mut Visitor::new(), &fields).await;
    let tokens = world.exchange(&back.brings("code").expect("a code"), &[]).await.expect("tokens");
    assert_eq!(world.verified(&tokens["id_token"], Some(&world.web)).await["cognito:username"], "Google_77");
}

#[tokio::test]
async fn providers_are_kept_as_their_owner_makes_them() {
    let world = World::start().await;
    add_provider(&world, "Google", IdentityProviderTypeType::Google, &GOOGLE).await;
    let saml = world.client.create_identity_provider().user_pool_id(&world.pool).provider_name("Corp");
    let saml = saml.provider_type(IdentityProviderTypeType::Saml).idp_identifiers("corp.example");
    let saml = saml.provider_details("MetadataURL", "https://corp.example/metadata").attribute_mapping("email", "mail");
    saml.send().await.expect("a provider");
    let listed = world.client.list_identity_providers().user_pool_id(&world.pool).send().await.expect("a list");
    let names: Vec<_> = listed.providers().iter().filter_map(|provider| provider.provider_name()).collect();
    assert_eq!(names, ["Corp", "Google"]);
    let found =
        world.client.get_identity_provider_by_identifier().user_pool_id(&world.pool).idp_identifier("corp.example");
    let found = found.send().await.expect("it is found").identity_provider.expect("it is found");
    assert_eq!(found.provider_name(), Some("Corp"));
    let change = world.client.update_identity_provider().user_pool_id(&world.pool).provider_name("Corp");
    change.attribute_mapping("email", "EMail").send().await.expect("it is changed");
    let known = world.client.describe_identity_provider().user_pool_id(&world.pool).provider_name("Corp");
    let known = known.send().await.expect("it is there").identity_provider.expect("it is there");
    assert_eq!(known.attribute_mapping().and_then(|mapping| mapping.get("email")).map(String::as_str), Some("EMail"));
    assert_eq!(known.idp_identifiers(), ["corp.example"]);

    offer(&world, &["COGNITO", "Corp"]).await;
    let mut visitor = Visitor::new();
    let page = visitor.follow(&world.authorize(&[("idp_identifier", "corp.example")])).await;
    assert!(page.html.contains("claim.NameID") && page.html.contains("claim.EMail"), "{}", page.html);
    let back = visitor.submit(&page, &[("claim.NameID", "u1"), ("claim.EMail", "u1@corp.example")]).await;
    let location = back.location().expect("it leads back");
    assert!(location.contains("/saml2/idpresponse?"), "{location}");
    let back = visitor.follow(&location).await;
    let tokens = world.exchange(&back.brings("code").expect("a code"), &[]).await.expect("tokens");
    let id = world.verified(&tokens["id_token"], Some(&world.web)).await;
    assert_eq!((&id["cognito:username"], &id["email"]), (&json!("Corp_u1"), &json!("u1@corp.example")));

    let delete = world.client.delete_identity_provider().user_pool_id(&world.pool).provider_name("Corp");
    delete.send().await.expect("it is gone");
    let gone = world.client.describe_identity_provider().user_pool_id(&world.pool).provider_name("Corp");
    assert_eq!(gone.send().await.expect_err("it is gone").code(), Some("ResourceNotFoundException"));
}

/// An OpenID Connect provider of a test, which says whatever it is told to.
struct Issuer {
    issuer: String,
    lies: Arc<Mutex<Lies>>,
}

/// What a provider does otherwise than it should.
#[derive(Default)]
struct Lies {
    claims: BTreeMap<&'static str, Value>,
    user_info: Value,
    other_key: bool,
    hmac: bool,
    nonce: String,
    asked: Vec<(String, String)>,
}

#[derive(Clone)]
struct Signing {
    issuer: String,
    own: Arc<KeyPair>,
    other: Arc<KeyPair>,
    lies: Arc<Mutex<Lies>>,
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("it listens"));
        let pair = || Arc::new(KeyPair::generate(KeySize::Rsa2048).expect("a key"));
        let lies = Arc::new(Mutex::new(Lies::default()));
        let signing = Signing { issuer: issuer.clone(), own: pair(), other: pair(), lies: Arc::clone(&lies) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/me", get(me))
            .with_state(signing);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, lies }
    }

    fn lie(&self, change: impl FnOnce(&mut Lies)) {
        let mut lies = self.lies.lock().expect("no test panicked with it");
        *lies = Lies { user_info: json!({ "sub": "o-1" }), ..Lies::default() };
        change(&mut lies);
    }
}

async fn discovery(State(Signing { issuer, .. }): State<Signing>) -> Json<Value> {
    Json(json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"), "userinfo_endpoint": format!("{issuer}/me"),
    }))
}

async fn keys(State(Signing { own, .. }): State<Signing>) -> Json<Value> {
    let key = own.public_key();
    let (n, e) = (key.modulus().big_endian_without_leading_zero(), key.exponent().big_endian_without_leading_zero());
    Json(json!({ "keys": [{
        "kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig", "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e),
    }] }))
}

async fn token(State(signing): State<Signing>, form: Bytes) -> Json<Value> {
    let mut lies = signing.lies.lock().expect("no test panicked with it");
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let mut claims = json!({
        "iss": signing.issuer, "aud": "our-client", "sub": "o-1", "nonce": lies.nonce, "iat": now, "exp": now + 300,
        "email": "olga@example.com",
    });
    for (name, value) in &lies.claims {
        claims[*name] = value.clone();
    }
    lies.asked = form_urlencoded::parse(&form).into_owned().collect();
    let pair = if lies.other_key { &signing.other } else { &signing.own };
    let id_token = signed(pair, &claims, lies.hmac);
    Json(json!({ "id_token": id_token, "access_token": "opaque", "token_type": "Bearer" }))
}

/// A token, signed with the key or, as a forger would, with its public half as a password.
fn signed(pair: &KeyPair, claims: &Value, with_password: bool) -> String {
    let algorithm = if with_password { "HS256" } else { "RS256" };
    let header = json!({ "alg": algorithm, "kid": "k", "typ": "JWT" });
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = if with_password {
        let key = hmac::Key::new(hmac::HMAC_SHA256, pair.public_key().as_ref());
        hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
    } else {
        let mut signature = vec![0; pair.public_modulus_len()];
        let random = SystemRandom::new();
        pair.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).expect("a signature");
        signature
    };
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn me(State(signing): State<Signing>, request: Request) -> Json<Value> {
    assert_eq!(request.headers()["authorization"], "Bearer opaque");
    Json(signing.lies.lock().expect("no test panicked with it").user_info.clone())
}

/// Leaves for the provider and comes back from it with a code; what leads back to the application.
async fn through(world: &World, issuer: &Issuer, lie: impl FnOnce(&mut Lies)) -> Seen {
    let mut visitor = Visitor::new();
    let away = visitor.get(&world.authorize(&[("identity_provider", "Own")])).await;
    assert!(
        away.location().is_some_and(|to| to.starts_with(&format!("{}/authorize?", issuer.issuer))),
        "{:?}",
        away.location()
    );
    let nonce = away.brings("nonce").expect("a nonce");
    assert_eq!(
        (away.brings("client_id").as_deref(), away.brings("scope").as_deref()),
        (Some("our-client"), Some("openid email"))
    );
    issuer.lie(|lies| {
        lies.nonce = nonce;
        lie(lies);
    });
    let (callback, state) = (away.brings("redirect_uri").expect("a way back"), away.brings("state").expect("a state"));
    visitor.get(&format!("{callback}?code=c-1&state={state}")).await
}

#[tokio::test]
async fn a_provider_on_this_machine_is_really_asked() {
    let (world, issuer) = (World::start().await, Issuer::start().await);
    let details = [
        ("client_id", "our-client"),
        ("client_secret", "our-secret"),
        ("authorize_scopes", "openid email"),
        ("attributes_request_method", "GET"),
        ("oidc_issuer", issuer.issuer.as_str()),
    ];
    add_provider(&world, "Own", IdentityProviderTypeType::Oidc, &details).await;
    let back = through(&world, &issuer, |lies| lies.user_info["email_verified"] = json!(true)).await;
    let tokens = world.exchange(&back.brings("code").unwrap_or_else(|| panic!("{:?}", back.location())), &[]).await;
    let id = world.verified(&tokens.expect("tokens")["id_token"], Some(&world.web)).await;
    assert_eq!(
        (&id["cognito:username"], &id["email"], &id["email_verified"]),
        (&json!("Own_o-1"), &json!("olga@example.com"), &json!(true))
    );
    let asked: BTreeMap<_, _> = issuer.lies.lock().expect("no test panicked with it").asked.iter().cloned().collect();
    assert_eq!((asked["code"].as_str(), asked["client_secret"].as_str()), ("c-1", "our-secret"));

    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    for (name, value, what) in [
        ("iss", json!("http://127.0.0.1:1"), "issuer"),
        ("aud", json!("somebody-else"), "audience"),
        ("nonce", json!("another"), "nonce"),
        ("exp", json!(now - 120), "time"),
    ] {
        let back = through(&world, &issuer, |lies| drop(lies.claims.insert(name, value))).await;
        assert_eq!(back.brings("error_description"), Some(format!("Bad id_token {what}")), "{name}");
    }
    let back = through(&world, &issuer, |lies| lies.other_key = true).await;
    assert_eq!(back.brings("error_description").as_deref(), Some("Bad id_token signature"));
    let back = through(&world, &issuer, |lies| lies.hmac = true).await;
    assert_eq!(back.brings("error_description").as_deref(), Some("Bad id_token algorithm"));
    let back = through(&world, &issuer, |lies| lies.user_info = json!({ "sub": "o-2" })).await;
    assert!(back.brings("error_description").is_some_and(|words| words.contains("another subject")));
}
