//! What an application asks for when it sends somebody to the pages, and how it is told no.

use std::fmt::Write as _;

use http::StatusCode;
use url::Url;

use crate::cognito::hosted::call::Fields;
use crate::cognito::hosted::page::{Page, redirect};
use crate::cognito::pool::{Client, UserPool};
use crate::cognito::token::Scopes;
use crate::wire::{Fault, Response};

/// Why a page is not shown.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no application that may be told: the person is.
    Page(Box<Page>),
    /// The application is told, at its own address.
    Application {
        /// The address with the error in it.
        location: String,
    },
}

impl Refusal {
    /// Told to the person.
    pub(super) fn page(status: StatusCode, title: &str, words: &str) -> Self {
        Self::Page(Box::new(Page::message(status, title, words)))
    }

    /// The answer.
    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Page(page) => page.html(),
            Self::Application { location } => redirect(&location, Vec::new()),
        }
    }
}

/// What the service refuses where no page expects it.
impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::page(fault.status, "That did not work", &fault.message)
    }
}

/// What people are asked although they are signed in; nothing where nothing is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    /// Nobody is asked anything: whoever is not signed in is turned away.
    pub(super) none: bool,
    /// Everybody signs in again.
    pub(super) login: bool,
    /// Everybody sees as whom he goes on, and what the application may do.
    pub(super) consent: bool,
}

/// An application's request, checked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) client: Client,
    pub(super) redirect_uri: String,
    /// Whether tokens are asked for at once, without a code between.
    pub(super) implicit: bool,
    pub(super) scopes: Scopes,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    /// The S256 challenge of PKCE.
    pub(super) challenge: Option<String>,
    pub(super) prompt: Prompt,
    /// The identity provider to go to at once.
    pub(super) provider: Option<String>,
    pub(super) login_hint: Option<String>,
    /// The request again, for the addresses of the pages.
    pub(super) query: String,
}

/// What makes up a request. Each comes at most once.
const PARAMETERS: [&str; 13] = [
    "client_id",
    "response_type",
    "scope",
    "redirect_uri",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "identity_provider",
    "idp_identifier",
    "login_hint",
    "prompt",
    "lang",
];

/// Scopes that mean something only to those who ask who somebody is.
const OF_IDENTITY: [&str; 3] = ["email", "phone", "profile"];

impl Asked {
    /// Reads a request. Until client and address are known to belong together, nobody is sent anywhere.
    pub(super) fn read(pool: &UserPool, query: &Fields) -> Result<Self, Refusal> {
        let client = known_client(pool, query)?;
        let redirect_uri = known_address(&client, query)?;
        let mut asked = Self {
            client,
            redirect_uri,
            implicit: query.get("response_type") == Some("token"),
            scopes: Scopes::new(),
            state: query.get("state").map(ToOwned::to_owned),
            nonce: query.get("nonce").map(ToOwned::to_owned),
            challenge: None,
            prompt: Prompt::default(),
            provider: None,
            login_hint: query.get("login_hint").map(ToOwned::to_owned),
            query: repeated(query),
        };
        if query.repeats(&PARAMETERS) {
            return Err(asked.refused("invalid_request", "A parameter is repeated"));
        }
        asked.check_grant(query)?;
        asked.challenge = asked.read_challenge(query)?;
        asked.scopes = asked.read_scopes(query)?;
        asked.prompt = asked.read_prompt(query)?;
        asked.provider = asked.read_provider(pool, query)?;
        Ok(asked)
    }

    fn check_grant(&self, query: &Fields) -> Result<(), Refusal> {
        let grant = match query.get("response_type") {
            Some("code") => "code",
            Some("token") => "implicit",
            Some(_) => return Err(self.refused("unsupported_response_type", "The response_type is not code or token")),
            None => return Err(self.refused("invalid_request", "The response_type is missing")),
        };
        let settings = &self.client.settings;
        let granted = settings.allowed_o_auth_flows.iter().any(|flow| flow == grant);
        if settings.allowed_o_auth_flows_user_pool_client && granted {
            return Ok(());
        }
        Err(self.refused("unauthorized_client", &format!("The client may not use the {grant} flow")))
    }

    fn read_challenge(&self, query: &Fields) -> Result<Option<String>, Refusal> {
        match (query.get("code_challenge"), query.get("code_challenge_method")) {
            (None, None) => Ok(None),
            (Some(challenge), Some("S256")) if is_hash(challenge) => Ok(Some(challenge.to_owned())),
            (Some(_), Some("S256")) => Err(self.refused("invalid_request", "The code_challenge is no S256 hash")),
            _ => Err(self.refused("invalid_request", "A code_challenge goes with the code_challenge_method S256")),
        }
    }

    /// All scopes of the client, where none are asked for.
    fn read_scopes(&self, query: &Fields) -> Result<Scopes, Refusal> {
        let allowed: Scopes = self.client.settings.allowed_o_auth_scopes.iter().cloned().collect();
        let Some(asked) = query.get("scope") else { return Ok(allowed) };
        let asked: Scopes = asked.split(' ').filter(|scope| !scope.is_empty()).map(ToOwned::to_owned).collect();
        let of_identity = |scope: &String| OF_IDENTITY.contains(&scope.as_str());
        let nobody = !asked.contains("openid") && asked.iter().any(of_identity);
        if asked.is_empty() || nobody || !asked.is_subset(&allowed) {
            // Cognito names this mistake in the description.
            return Err(self.refused("invalid_request", "invalid_scope"));
        }
        Ok(asked)
    }

    fn read_prompt(&self, query: &Fields) -> Result<Prompt, Refusal> {
        let mut prompt = Prompt::default();
        let words: Vec<&str> = query.get("prompt").unwrap_or_default().split_whitespace().collect();
        for word in &words {
            match *word {
                "none" if words.len() == 1 => prompt.none = true,
                "login" => prompt.login = true,
                "consent" | "select_account" => prompt.consent = true,
                _ => return Err(self.refused("invalid_request", "The prompt makes no sense")),
            }
        }
        Ok(prompt)
    }

    fn read_provider(&self, pool: &UserPool, query: &Fields) -> Result<Option<String>, Refusal> {
        let named = query.get("identity_provider").map(ToOwned::to_owned);
        let identified = query.get("idp_identifier").map(|identifier| {
            let mut providers = pool.providers.values();
            let found = providers.find(|provider| provider.idp_identifiers.iter().any(|known| known == identifier));
            found.map(|provider| provider.name.clone()).unwrap_or_default()
        });
        let Some(provider) = named.or(identified) else { return Ok(None) };
        let exists = provider == "COGNITO" || pool.providers.contains_key(&provider);
        if exists && self.client.settings.supports(&provider) {
            return Ok(Some(provider));
        }
        Err(self.refused("invalid_request", "The identity provider is not enabled for the client"))
    }

    /// Where errors and codes go: in the query, tokens in the fragment.
    pub(super) fn location(&self, parameters: &[(&str, &str)]) -> String {
        let state = self.state.as_deref().map(|state| ("state", state));
        let pairs = parameters.iter().copied().chain(state);
        let pairs = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mark = match (self.implicit, self.redirect_uri.contains('?')) {
            (true, _) => '#',
            (false, true) => '&',
            (false, false) => '?',
        };
        let mut location = self.redirect_uri.clone();
        // Writing to a text cannot fail.
        let _ = write!(location, "{mark}{pairs}");
        location
    }

    /// Told to the application.
    pub(super) fn refused(&self, error: &str, description: &str) -> Refusal {
        let description = Some(("error_description", description)).filter(|(_, words)| !words.is_empty());
        let parameters: Vec<(&str, &str)> = description.into_iter().chain([("error", error)]).collect();
        Refusal::Application { location: self.location(&parameters) }
    }

    /// The application's origin, as a source in a content security policy.
    pub(super) fn origin(&self) -> String {
        match Url::parse(&self.redirect_uri) {
            Ok(address) if matches!(address.scheme(), "http" | "https") => address.origin().ascii_serialization(),
            Ok(address) => format!("{}:", address.scheme()),
            Err(_) => String::new(),
        }
    }
}

fn known_client(pool: &UserPool, query: &Fields) -> Result<Client, Refusal> {
    let refused = |words: &str| Refusal::page(StatusCode::BAD_REQUEST, "Something is wrong with this link", words);
    let id = query.get("client_id").filter(|_| !query.repeats(&["client_id"]));
    let id = id.ok_or_else(|| refused("It names no application (client_id)."))?;
    let client = pool
        .clients
        .get(id)
        .ok_or_else(|| refused("It is for an application that this user pool does not know (client_id)."))?;
    let settings = &client.settings;
    let serves = |name: &String| name == "COGNITO" || pool.providers.contains_key(name);
    if !settings.supported_identity_providers.iter().any(serves) {
        return Err(refused("Nobody can sign in to this application: its client supports no identity provider."));
    }
    Ok(client.clone())
}

/// The address to go back to, which the client must have registered letter for letter.
fn known_address(client: &Client, query: &Fields) -> Result<String, Refusal> {
    let settings = &client.settings;
    let alone = settings.supported_identity_providers.len() == 1;
    let fallback = settings.default_redirect_uri.as_deref().filter(|_| alone);
    let asked = query.get("redirect_uri").filter(|_| !query.repeats(&["redirect_uri"])).or(fallback);
    let known = |uri: &&str| settings.callback_urls.iter().any(|known| known == uri) && !uri.contains('#');
    let words = "It leads back to an address that the application has not registered (redirect_mismatch).";
    let refused = || Refusal::page(StatusCode::BAD_REQUEST, "Something is wrong with this link", words);
    asked.filter(known).map(ToOwned::to_owned).ok_or_else(refused)
}

fn repeated(query: &Fields) -> String {
    let known = query.iter().filter(|(name, value)| PARAMETERS.contains(name) && !value.is_empty());
    form_urlencoded::Serializer::new(String::new()).extend_pairs(known).finish()
}

/// Whether a text is a SHA-256 hash as PKCE writes it.
fn is_hash(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cognito::pool::tests::pool;

    const HASH: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn world() -> UserPool {
        let mut pool = pool(json!({}));
        let settings = serde_json::from_value(json!({
            "AllowedOAuthFlows": ["code"], "AllowedOAuthFlowsUserPoolClient": true,
            "AllowedOAuthScopes": ["openid", "email", "orders/read"], "SupportedIdentityProviders": ["COGNITO"],
            "CallbackURLs": ["https://app.example/cb", "https://app.example/q?a=b", "myapp://cb"],
        }));
        let client = Client { id: "c".to_owned(), settings: settings.expect("settings"), ..Client::default() };
        pool.clients.insert("c".to_owned(), client);
        pool
    }

    fn read(query: &str) -> Result<Asked, Refusal> {
        Asked::read(&world(), &Fields::read(query.as_bytes()))
    }

    /// Where the application is told no; `None` where the person is.
    fn told(query: &str) -> Option<String> {
        match read(query) {
            Err(Refusal::Application { location }) => Some(location),
            Err(Refusal::Page(_)) => None,
            Ok(_) => Some("allowed".to_owned()),
        }
    }

    const BASE: &str = "client_id=c&response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb";

    #[test]
    fn nobody_is_sent_to_an_address_that_is_not_registered() {
        let to = |uri: &str| told(&format!("client_id=c&response_type=code&redirect_uri={uri}"));
        for uri in [
            "https://app.example/cb/",
            "https://app.example/cb?x",
            "https://app.example/CB",
            "http://app.example/cb",
            "https://app.example/cb%23x",
            "https://app.example.evil.example/cb",
            "https://app.example@evil.example/cb",
            "//evil.example",
            "",
        ] {
            assert_eq!(to(uri), None, "{uri}");
        }
        assert_eq!(to("https://app.example/cb").as_deref(), Some("allowed"));
        assert_eq!(told(&format!("{BASE}&redirect_uri=https://evil.example")), None);
        assert_eq!(told(&BASE.replace("=c&", "=d&")), None);
        assert_eq!(told(&format!("{BASE}&client_id=c")), None);
    }

    #[test]
    fn an_application_is_told_what_it_did_wrong() {
        let with = |more: &str| told(&format!("{BASE}&state=s%20t{more}")).unwrap_or_default();
        let error = |description: &str, error: &str| {
            format!("https://app.example/cb?error_description={description}&error={error}&state=s+t")
        };
        assert_eq!(with("&scope=openid+orders%2Fwrite"), error("invalid_scope", "invalid_request"));
        assert_eq!(with("&scope=email"), error("invalid_scope", "invalid_request"));
        for wrong in [
            format!("&code_challenge={HASH}"),
            format!("&code_challenge={HASH}&code_challenge_method=plain"),
            "&code_challenge=short&code_challenge_method=S256".to_owned(),
            "&code_challenge_method=S256".to_owned(),
            "&prompt=none+login".to_owned(),
            "&prompt=maybe".to_owned(),
            "&identity_provider=Google".to_owned(),
            "&scope=openid&scope=openid".to_owned(),
        ] {
            assert!(with(&wrong).contains("&error=invalid_request&state=s+t"), "{wrong}");
        }
        assert_eq!(with(""), "allowed");
        let location = told(&format!("{}&state=s", BASE.replace("=code", "=token")));
        assert!(location.is_some_and(|to| to.starts_with("https://app.example/cb#") && to.contains("error=unauthorized_client")));
        let location = told(&BASE.replace("response_type=code&", ""));
        assert!(location.is_some_and(|to| to.contains("error=invalid_request")));
    }

    #[test]
    fn a_request_is_read_as_it_was_meant() {
        let asked = read(&format!(
            "{BASE}&code_challenge={HASH}&code_challenge_method=S256&nonce=n&evil=x&prompt=select_account"
        ));
        let asked = asked.expect("it is allowed");
        assert_eq!((asked.challenge.as_deref(), asked.nonce.as_deref()), (Some(HASH), Some("n")));
        assert_eq!(asked.scopes.len(), 3);
        assert_eq!((asked.prompt.consent, asked.origin().as_str()), (true, "https://app.example"));
        assert!(!asked.query.contains("evil"));
        assert_eq!(asked.location(&[("code", "1 2")]), "https://app.example/cb?code=1+2");
        let asked = read("client_id=c&response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fq%3Fa%3Db")
            .expect("it is allowed");
        assert_eq!(asked.location(&[("code", "1")]), "https://app.example/q?a=b&code=1");
        let asked = read("client_id=c&response_type=code&redirect_uri=myapp://cb").expect("it is allowed");
        assert_eq!(asked.origin(), "myapp:");
    }
}
