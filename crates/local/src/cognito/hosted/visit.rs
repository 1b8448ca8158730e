//! Signing in through the pages, and out again.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cognito::challenge::{self, Answer};
use crate::cognito::fault;
use crate::cognito::hosted::account::Login;
use crate::cognito::hosted::asked::{Asked, Refusal};
use crate::cognito::hosted::call::Call;
use crate::cognito::hosted::federate;
use crate::cognito::hosted::page::{Page, redirect};
use crate::cognito::hosted::shelf::{self, Code};
use crate::cognito::mfa;
use crate::cognito::moment::HOUR;
use crate::cognito::pool::Visit;
use crate::cognito::provider::Provider;
use crate::cognito::sign_in::{Door, Handing, Parameters, by_password, hand_out};
use crate::cognito::sign_up::login;
use crate::cognito::token::SignIn;
use crate::wire::{Fault, Response};

/// How long a browser stays signed in to the pages.
const STAY: i64 = HOUR;

/// The pool's own users, as a client's settings name them.
const OWN: &str = "COGNITO";

/// `/oauth2/authorize`: sends the browser to wherever it must go next.
pub(super) async fn authorize(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    if let Some(visit) = visit(call, &asked).filter(|_| !asked.prompt.login) {
        return match asked.prompt.consent {
            true => Ok(to(call, &asked, "consent", Vec::new())),
            false => complete(call, &asked, &visit, Vec::new()).await,
        };
    }
    if asked.prompt.none {
        return Err(asked.refused("login_required", "Nobody is signed in"));
    }
    match elsewhere(call, &asked)? {
        Some(provider) => federate::leave(call, &asked, &provider).await,
        None => Ok(to(call, &asked, "login", Vec::new())),
    }
}

/// The identity provider to which everybody is sent: the one that is asked for, or the only one that the client has.
fn elsewhere(call: &Call<'_>, asked: &Asked) -> Result<Option<Provider>, Refusal> {
    let only = match asked.client.settings.supported_identity_providers.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    let name = asked.provider.as_ref().or(only).filter(|name| *name != OWN);
    call.read(|pool| Ok(name.and_then(|name| pool.providers.get(name)).cloned()))
}

/// Who is signed in, if the application takes people who signed in that way.
fn visit(call: &Call<'_>, asked: &Asked) -> Option<Visit> {
    let meant = |visit: &Visit| asked.provider.as_ref().is_none_or(|provider| *provider == visit.provider);
    call.visit().filter(|visit| asked.client.settings.supports(&visit.provider) && meant(visit))
}

fn to(call: &Call<'_>, asked: &Asked, page: &str, cookies: Vec<String>) -> Response {
    redirect(&format!("{}/{page}?{}", call.site.base, asked.query), cookies)
}

/// `GET /login`.
pub(super) fn sign_in_page(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    let notice = match call.query.get("notice") {
        Some("confirmed") => Some("Your account is confirmed. You can sign in now."),
        Some("password") => Some("Your new password is set. You can sign in with it now."),
        _ => None,
    };
    let username = asked.login_hint.clone().unwrap_or_default();
    Ok(sign_in_form(call, &asked, &username)?.notice(notice).html())
}

fn sign_in_form(call: &Call<'_>, asked: &Asked, username: &str) -> Result<Page, Refusal> {
    let settings = &asked.client.settings;
    let data = call.read(|pool| {
        let offered = pool.providers.values().filter(|provider| settings.supports(&provider.name));
        let button = |provider: &Provider| {
            let mut query = form_urlencoded::Serializer::new(without_provider(&asked.query));
            let query = query.append_pair("identity_provider", &provider.name).finish();
            json!({ "label": label(provider), "query": query })
        };
        Ok(json!({
            "providers": offered.map(button).collect::<Value>(),
            "local": settings.supports(OWN),
            "sign_up": !pool.settings.admin_create_user_config.allow_admin_create_user_only,
            "login": Login::of(pool).field(),
            "username": username,
        }))
    })?;
    Ok(call.page("sign_in", "Sign in", asked, data).lead(&format!("to go on to {}", settings.client_name)))
}

/// The request, whichever provider it asked for.
fn without_provider(query: &str) -> String {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let pairs = pairs.filter(|(name, _)| !matches!(name.as_ref(), "identity_provider" | "idp_identifier"));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What people call a provider.
pub(super) fn label(provider: &Provider) -> &str {
    match provider.name.as_str() {
        "LoginWithAmazon" => "Amazon",
        "SignInWithApple" => "Apple",
        name => name,
    }
}

/// `POST /login`: name and password.
pub(super) async fn sign_in(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    check_own(&asked)?;
    let (name, password) =
        (call.form.get("username").unwrap_or_default(), call.form.get("password").unwrap_or_default());
    let door = Door::of_pages(&call.site.pool, &asked.client);
    match by_password(call.cloud, &door, name, password).await {
        Ok(outcome) => next(call, &asked, name, &outcome).await,
        Err(fault) if fault.code == "UserNotConfirmedException" => {
            Ok(super::account::confirm_form(call, &asked, name).lead("Enter the code that we sent you.").html())
        }
        Err(fault) => Ok(sign_in_form(call, &asked, name)?.error(&told(&asked, fault)).html()),
    }
}

/// Refuses passwords of a client whose people sign in elsewhere.
pub(super) fn check_own(asked: &Asked) -> Result<(), Refusal> {
    if asked.client.settings.supports(OWN) {
        return Ok(());
    }
    let words = "People sign in to this application with an identity provider.";
    Err(Refusal::page(StatusCode::FORBIDDEN, "That did not work", words))
}

/// What went wrong, in words that do not tell a stranger who is a user.
fn told(asked: &Asked, fault: Fault) -> String {
    let telling = matches!(fault.code.as_str(), "NotAuthorizedException" | "PasswordResetRequiredException");
    if !(telling && asked.client.settings.hides_users()) {
        return fault.message;
    }
    let more = "If you tried several times, wait a while. If you forgot your password, you can set a new one.";
    format!("{} {more}", fault::incorrect().message)
}

/// What comes after a password or a challenge: another challenge, or the end.
async fn next(call: &Call<'_>, asked: &Asked, name: &str, outcome: &Value) -> Result<Response, Refusal> {
    let text = |pointer: &str| outcome.pointer(pointer).and_then(Value::as_str);
    match (text("/Username"), text("/ChallengeName"), text("/Session")) {
        (Some(username), _, _) => enter(call, asked, username, OWN).await,
        (None, Some(challenge), Some(session)) => {
            let posed = Posed { challenge, session: session.to_owned(), name };
            Ok(posed.begun(call)?.page(call, asked)?.html())
        }
        _ => Err(fault::internal().into()),
    }
}

/// A challenge on its way to a page.
struct Posed<'a> {
    challenge: &'a str,
    session: String,
    name: &'a str,
}

/// A challenge with what its page shows besides.
struct Begun<'a> {
    posed: Posed<'a>,
    /// The key for an authenticator app.
    secret: Option<String>,
}

impl<'a> Posed<'a> {
    /// An authenticator app needs its key before it can show a code.
    fn begun(self, call: &Call<'_>) -> Result<Begun<'a>, Refusal> {
        if self.challenge != "MFA_SETUP" {
            return Ok(Begun { posed: self, secret: None });
        }
        let request = serde_json::from_value(json!({ "Session": self.session })).map_err(|_| fault::internal())?;
        let made = mfa::associate(call.cloud, request)?;
        let text = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Begun { posed: Self { session: text("Session"), ..self }, secret: Some(text("SecretCode")) })
    }
}

impl Begun<'_> {
    fn page(&self, call: &Call<'_>, asked: &Asked) -> Result<Page, Refusal> {
        let Posed { challenge, session, name } = &self.posed;
        let code = json!([{
            "name": "code", "label": "Code", "kind": "text", "autocomplete": "one-time-code",
            "hint": "Six digits, which your authenticator app shows.",
        }]);
        let (title, fields) = match *challenge {
            "NEW_PASSWORD_REQUIRED" => ("Choose a password", self.new_password(call)?),
            "SOFTWARE_TOKEN_MFA" => ("Enter a code", code),
            "MFA_SETUP" => ("Set up an authenticator app", code),
            _ => return Err(fault::internal().into()),
        };
        let app = self.secret.as_ref().map(|secret| {
            let encode =
                |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
            let issuer = encode(&asked.client.settings.client_name);
            format!("otpauth://totp/{issuer}:{}?secret={secret}&issuer={issuer}", encode(name))
        });
        let data = json!({
            "challenge": challenge, "session": session, "username": name, "fields": fields, "secret": self.secret, "app": app,
        });
        Ok(call.page("challenge", title, asked, data))
    }

    fn new_password(&self, call: &Call<'_>) -> Result<Value, Refusal> {
        call.read(|pool| {
            let user = pool.known_user(self.posed.name)?;
            let schema = pool.settings.attributes();
            let absent = schema.required().filter(|name| !user.attributes.contains_key(*name));
            let password = json!({
                "name": "password", "label": "New password", "kind": "password", "autocomplete": "new-password",
                "hint": super::account::policy(pool),
            });
            Ok(std::iter::once(password).chain(absent.map(super::account::attribute_field)).collect())
        })
    }
}

/// `POST /challenge`: the answer to what came after the password.
pub(super) async fn challenge(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    check_own(&asked)?;
    let field = |name: &str| call.form.get(name).unwrap_or_default().to_owned();
    let (name, kind) = (field("username"), field("challenge"));
    match answered(call, &asked, &name, &kind).await {
        Ok(outcome) => next(call, &asked, &name, &outcome).await,
        Err(fault) if is_over(&fault) => {
            let words = "That took too long, or the page was used before. Sign in again.";
            Ok(sign_in_form(call, &asked, "")?.error(words).html())
        }
        Err(fault) if kind == "MFA_SETUP" => {
            // A wrong code uses the key up.
            let words = format!("{}. Sign in again to get a new key.", fault.message);
            Ok(sign_in_form(call, &asked, "")?.error(&words).html())
        }
        Err(fault) => {
            let posed = Posed { challenge: &kind, session: field("session"), name: &name };
            Ok(Begun { posed, secret: None }.page(call, &asked)?.error(&fault.message).html())
        }
    }
}

/// Whether a challenge cannot be answered any more.
fn is_over(fault: &Fault) -> bool {
    fault.code == "NotAuthorizedException"
}

async fn answered(call: &Call<'_>, asked: &Asked, name: &str, kind: &str) -> Result<Value, Fault> {
    let door = Door::of_pages(&call.site.pool, &asked.client);
    let field = |name: &str| call.form.get(name).unwrap_or_default().to_owned();
    let mut responses = Parameters::from([("USERNAME".to_owned(), name.to_owned())]);
    let mut session = field("session");
    match kind {
        "NEW_PASSWORD_REQUIRED" => {
            responses.insert("NEW_PASSWORD".to_owned(), field("password"));
            let given = call.form.iter().filter_map(|(name, value)| Some((name.strip_prefix("attribute.")?, value)));
            responses.extend(given.map(|(name, value)| (format!("userAttributes.{name}"), value.to_owned())));
            challenge::new_password(call.cloud, &door, &Answer { session: Some(session), responses }).await
        }
        "SOFTWARE_TOKEN_MFA" => {
            responses.insert("SOFTWARE_TOKEN_MFA_CODE".to_owned(), field("code"));
            mfa::respond(call.cloud, &door, &Answer { session: Some(session), responses }).await
        }
        "MFA_SETUP" => {
            let request = json!({ "Session": session, "UserCode": field("code") });
            let verified = mfa::verify(call.cloud, serde_json::from_value(request).map_err(|_| fault::internal())?)?;
            session = verified.get("Session").and_then(Value::as_str).unwrap_or_default().to_owned();
            mfa::respond_set_up(call.cloud, &door, &Answer { session: Some(session), responses }).await
        }
        _ => Err(fault::no_session()),
    }
}

/// Somebody has shown who he is: the browser stays signed in, and the application learns of it.
pub(super) async fn enter(call: &Call<'_>, asked: &Asked, username: &str, provider: &str) -> Result<Response, Refusal> {
    let now = call.now();
    let (username, provider) = (username.to_owned(), provider.to_owned());
    let visit = Visit { username, provider, began: now, expires: now.after(STAY) };
    let cookies = vec![call.begin_visit(visit.clone())?];
    if asked.prompt.consent {
        return Ok(to(call, asked, "consent", cookies));
    }
    complete(call, asked, &visit, cookies).await
}

/// Sends the browser back to the application, with a code or with tokens.
async fn complete(call: &Call<'_>, asked: &Asked, visit: &Visit, cookies: Vec<String>) -> Result<Response, Refusal> {
    let location = if asked.implicit {
        let tokens =
            tokens(call, asked, visit).await.map_err(|fault| asked.refused("invalid_request", &fault.message))?;
        let pairs: Vec<(&str, &str)> = tokens.iter().map(|(name, value)| (*name, value.as_str())).collect();
        asked.location(&pairs)
    } else {
        asked.location(&[("code", &code(call, asked, visit))])
    };
    Ok(redirect(&location, cookies))
}

fn code(call: &Call<'_>, asked: &Asked, visit: &Visit) -> String {
    let code = Code {
        pool: call.site.pool.clone(),
        client: asked.client.id.clone(),
        username: visit.username.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        scopes: asked.scopes.clone(),
        nonce: asked.nonce.clone(),
        challenge: asked.challenge.clone(),
        auth_time: visit.began,
        spent: None,
    };
    call.cloud.pages().codes.keep(code, shelf::CODE, call.now())
}

/// Tokens at once. There is no refresh token among them: an address bar is no place for it.
async fn tokens(call: &Call<'_>, asked: &Asked, visit: &Visit) -> Result<Vec<(&'static str, String)>, Fault> {
    let door = Door::of_pages(&call.site.pool, &asked.client);
    let (token, mut sign_in) = SignIn::begin_as(Uuid::new_v4(), &visit.username, &asked.client, call.now());
    (sign_in.scopes, sign_in.auth_time) = (Some(asked.scopes.clone()), visit.began);
    let handing = Handing { source: "TokenGeneration_HostedAuth", nonce: asked.nonce.as_deref() };
    let made = hand_out(call.cloud, &door, (token, sign_in), handing).await?;
    let names = [("id_token", "IdToken"), ("access_token", "AccessToken"), ("expires_in", "ExpiresIn")];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let pairs = names.into_iter().filter_map(|(name, member)| Some((name, text(made.get(member)?))));
    Ok(pairs.chain([("token_type", "Bearer".to_owned())]).collect())
}

/// `GET /consent`: as whom somebody goes on, and what the application may do.
pub(super) fn consent_page(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    let Some(visit) = visit(call, &asked) else { return Ok(to(call, &asked, "login", Vec::new())) };
    let data = call.read(|pool| {
        let user = pool.known_user(&visit.username)?;
        let name = user.attributes.get("email").cloned().unwrap_or_else(|| login(pool, user));
        let described = asked.scopes.iter().map(|scope| meaning(pool, scope));
        Ok(json!({
            "name": name, "client": asked.client.settings.client_name, "scopes": described.collect::<Value>(),
        }))
    })?;
    Ok(call.page("consent", "Go on?", &asked, data).html())
}

/// A scope in words: those of its resource server, where it has one.
fn meaning(pool: &crate::cognito::pool::UserPool, scope: &str) -> String {
    let words = match scope {
        "openid" => "know who you are",
        "email" => "see your email address",
        "phone" => "see your phone number",
        "profile" => "see your profile",
        super::super::token::SELF_SERVICE => "manage your account",
        _ => "",
    };
    let described = || {
        let (server, name) = scope.rsplit_once('/')?;
        let known = pool.resource_servers.get(server)?.scopes.iter().find(|known| known.scope_name == name)?;
        Some(format!("{} ({scope})", known.scope_description))
    };
    if words.is_empty() { described().unwrap_or_else(|| scope.to_owned()) } else { words.to_owned() }
}

/// `POST /consent`.
pub(super) async fn consent(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    if call.form.get("decision") != Some("allow") {
        return Err(asked.refused("access_denied", "The user did not agree"));
    }
    match visit(call, &asked) {
        Some(visit) => complete(call, &asked, &visit, Vec::new()).await,
        None => Ok(to(call, &asked, "login", Vec::new())),
    }
}

/// `GET /logout`: signs the browser out, and sends it to an address that the client has registered for that, or to sign in
/// again.
pub(super) fn sign_out(call: &Call<'_>) -> Result<Response, Refusal> {
    if let Some(asked) = call.query.get("logout_uri") {
        let client = call.query.get("client_id").unwrap_or_default();
        call.read(|pool| {
            let known = pool
                .clients
                .get(client)
                .is_some_and(|client| client.settings.logout_urls.iter().any(|known| known == asked));
            let words = "It leads to an address that the application has not registered for this (logout_uri).";
            let refused = || Refusal::page(StatusCode::BAD_REQUEST, "Something is wrong with this link", words);
            if known { Ok(()) } else { Err(refused()) }
        })?;
        return Ok(redirect(asked, vec![call.end_visit()?]));
    }
    let asked = call.asked()?;
    Ok(to(call, &asked, "login", vec![call.end_visit()?]))
}
