//! The pages on which people sign in, and the OAuth 2.0 endpoints behind them.
//!
//! [`asked`] reads an application's request, [`visit`] signs people in, [`account`] lets them sign up and recover,
//! [`federate`] sends them to other identity providers and takes them back, [`tokens`] answers applications. Pages know no
//! more than their address says: each form repeats the application's request, and each answer checks it again.

mod account;
mod asked;
mod call;
mod federate;
mod oidc;
mod page;
mod shelf;
mod tokens;
mod visit;

use http::{Method, StatusCode};

use crate::cloud::Cloud;
use crate::cognito::stand_in;
use crate::wire::{Request, Response};

use self::asked::Refusal;
use self::call::{Call, Site};

pub(crate) use self::call::Fields;
pub(crate) use self::page::{Page, hardened, redirect};
pub(crate) use self::shelf::{Arrival, Pages, TRIP, Trip};

/// The largest form, in bytes.
const LARGEST_FORM: usize = 65_536;
/// The longest query, in bytes: it comes back in the address of every page.
const LONGEST_QUERY: usize = 8_192;

/// What a request to the pages is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The pages of a pool.
    Domain {
        /// The prefix, or the whole name of a custom domain.
        domain: String,
        /// What comes before the path of each page.
        base: String,
        /// The path as AWS has it.
        path: String,
    },
    /// What stands for an identity provider.
    StandIn {
        /// The provider's name, percent-encoded.
        provider: String,
    },
}

/// Reads `{prefix}.auth.{region}.amazoncognito.localhost`, `/_aws/cognito-domain/{domain}/...` and
/// `/_aws/stand-in/{provider}/authorize`.
pub(crate) fn place(host: &str, path: &str) -> Option<Place> {
    if let Some(rest) = path.strip_prefix("/_aws/stand-in/") {
        let provider = rest.strip_suffix("/authorize").filter(|provider| !provider.contains('/'))?;
        return Some(Place::StandIn { provider: provider.to_owned() });
    }
    if let Some(rest) = path.strip_prefix("/_aws/cognito-domain/") {
        let (domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // It becomes part of cookies' paths.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let base = format!("/_aws/cognito-domain/{domain}");
        return domain.chars().all(plain).then(|| Place::Domain {
            domain: domain.to_owned(),
            base,
            path: path.to_owned(),
        });
    }
    let (domain, rest) = host.split_once(".auth.")?;
    let region = rest.strip_suffix(".amazoncognito.localhost")?;
    let is_name = !domain.is_empty() && !domain.contains('.') && !region.is_empty() && !region.contains('.');
    is_name.then(|| Place::Domain { domain: domain.to_owned(), base: String::new(), path: path.to_owned() })
}

/// The base of a domain's addresses.
pub(crate) fn address(endpoint: &str, domain: &str) -> String {
    format!("{endpoint}/_aws/cognito-domain/{domain}")
}

/// Answers one request.
pub(crate) async fn handle(cloud: &Cloud, place: Place, request: Request) -> Response {
    if request.query.len() > LONGEST_QUERY || request.body.len() > LARGEST_FORM {
        let words = "This request is longer than any that the pages make.";
        return hardened(Page::message(StatusCode::PAYLOAD_TOO_LARGE, "Too long", words).html());
    }
    let response = match place {
        Place::StandIn { provider } => stand_in::handle(cloud, &provider, &request),
        Place::Domain { domain, base, path } => match Site::find(cloud, &domain, base, &request) {
            Some(site) => answer(&Call::new(cloud, site, &request), &path).await,
            None => {
                let words = "No user pool has this domain.";
                Page::message(StatusCode::NOT_FOUND, "Nothing here", words).html()
            }
        },
    };
    hardened(response)
}

async fn answer(call: &Call<'_>, path: &str) -> Response {
    if matches!(path, "/oauth2/token" | "/oauth2/userInfo" | "/oauth2/revoke") {
        return tokens::answer(call, path).await;
    }
    page(call, path).await.unwrap_or_else(Refusal::into_response)
}

async fn page(call: &Call<'_>, path: &str) -> Result<Response, Refusal> {
    let posts = call.method == Method::POST;
    if !posts && call.method != Method::GET && call.method != Method::HEAD {
        return Err(Refusal::page(
            StatusCode::METHOD_NOT_ALLOWED,
            "Nothing here",
            "Pages are read, and forms are posted.",
        ));
    }
    // What comes back from a provider carries a secret of its own.
    if posts && !path.ends_with("/idpresponse") {
        call.check_form()?;
    }
    match (path, posts) {
        ("/oauth2/authorize", false) => visit::authorize(call).await,
        ("/oauth2/idpresponse" | "/saml2/idpresponse", _) => federate::back(call).await,
        ("/login", false) => visit::sign_in_page(call),
        ("/login", true) => visit::sign_in(call).await,
        ("/challenge", true) => visit::challenge(call).await,
        ("/consent", false) => visit::consent_page(call),
        ("/consent", true) => visit::consent(call).await,
        ("/logout", false) => visit::sign_out(call),
        ("/signup", false) => account::sign_up_page(call),
        ("/signup", true) => account::sign_up(call).await,
        ("/confirmUser", false) => account::confirm_by_link(call).await,
        ("/confirmUser", true) => account::confirm(call).await,
        ("/resendcode", true) => account::resend(call).await,
        ("/forgotPassword", false) => account::forgot_page(call),
        ("/forgotPassword", true) => account::forgot(call).await,
        ("/confirmForgotPassword", true) => account::reset(call).await,
        _ => Err(Refusal::page(StatusCode::NOT_FOUND, "Nothing here", "There is no such page.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_domain_are_read() {
        let of = |host: &str, path: &str| match place(host, path) {
            Some(Place::Domain { domain, base, path }) => Some((domain, base, path)),
            _ => None,
        };
        let found = |domain: &str, base: &str, path: &str| Some((domain.to_owned(), base.to_owned(), path.to_owned()));
        assert_eq!(of("notes.auth.us-east-1.amazoncognito.localhost", "/login"), found("notes", "", "/login"));
        let base = "/_aws/cognito-domain/notes";
        assert_eq!(of("localhost", "/_aws/cognito-domain/notes/oauth2/token"), found("notes", base, "/oauth2/token"));
        assert_eq!(of("localhost", base), found("notes", base, ""));
        assert_eq!(of("localhost", "/_aws/cognito-domain/a;b/login"), None);
        assert_eq!(of("a.b.auth.us-east-1.amazoncognito.localhost", "/login"), None);
        assert_eq!(of("localhost", "/login"), None);
    }

    #[test]
    fn a_stand_in_is_told_from_a_domain() {
        let expected = Place::StandIn { provider: "Google".to_owned() };
        assert_eq!(place("localhost", "/_aws/stand-in/Google/authorize"), Some(expected));
        assert_eq!(place("localhost", "/_aws/stand-in/a/b/authorize"), None);
    }
}
