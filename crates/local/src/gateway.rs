//! The data plane of API Gateway: requests to deployed APIs.
//!
//! [`http_api`] executes HTTP APIs, `rest_api` REST APIs, `web_socket_api` WebSocket APIs. What is beside them is for
//! every kind of API: who signed a request, whether a token is genuine, what functions and endpoints answer, what a limit
//! still lets pass.

mod access_log;
mod answer;
mod decisions;
mod endpoint;
mod function;
pub mod http_api;
mod invoked;
mod keys;
mod request;
pub(crate) mod rest_api;
mod signer;
mod store;
mod throttle;
mod token;
mod web_socket_api;

use hyper::upgrade::OnUpgrade;

use crate::apigatewayv2::serving;
use crate::cloud::{Account, Cloud};
use crate::wire::{Request, Response};
use crate::{apigateway, apigatewayv2};

pub(crate) use request::LARGEST_BODY;
pub(crate) use web_socket_api::Selection;

/// What the data plane keeps in memory: throttle buckets, key sets, cached decisions and answers, connections. All of it is
/// lost in a restart, as on AWS when a host is replaced.
#[derive(Debug, Default)]
pub struct Gateway {
    throttles: throttle::Throttles,
    keys: keys::KeySets,
    http_decisions: decisions::Decisions<apigatewayv2::Authorizer, http_api::Decision>,
    rest_decisions: decisions::Decisions<apigateway::Authorizer, rest_api::Decision>,
    rest_answers: rest_api::Caches,
    endpoints: endpoint::Endpoints,
    connections: web_socket_api::Connections,
}

/// Which API a request is for, taken from its host or from `/_aws/execute-api/{api}/...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Id of the API, or a domain of one's own.
    pub api: String,
    /// Path as the client meant it: what follows the host on AWS, still percent-encoded. A named stage comes first in
    /// it; the `$default` stage has no segment.
    pub path: String,
}

impl Destination {
    /// What a path of this API means; an empty one is that of the root.
    pub(crate) fn new(api: &str, path: &str) -> Self {
        let path = if path.is_empty() { "/" } else { path };
        Self { api: api.to_owned(), path: path.to_owned() }
    }

    /// The same, with the domain that serves it in the place of the name that was called. It is chosen among those of
    /// all generations of APIs: a wildcard of the one does not go before the very name of the other.
    #[must_use]
    pub(crate) fn settled(self, account: &Account) -> Self {
        let (older, newer) = (account.apigateway.domain_names(), account.apigatewayv2.domain_names());
        let domain = serving(&self.api, |name| older.contains_key(name) || newer.contains_key(name));
        Self { api: domain.unwrap_or(self.api), ..self }
    }
}

/// Answers one request to a deployed API, whose destination is settled. The request is not signed, or not for us to verify: routes decide.
///
/// `upgrade` gives the connection itself, once the answer has switched protocols.
pub(crate) async fn handle(
    cloud: Cloud,
    destination: Destination,
    request: Request,
    upgrade: Option<OnUpgrade>,
) -> Response {
    if cloud.read(|account| web_socket_api::is_meant(account, &destination)) {
        return web_socket_api::handle(cloud, destination, request, upgrade).await;
    }
    match cloud.read(|account| account.apigateway.serves(&destination)) {
        true => rest_api::handle(cloud, destination, request).await,
        false => http_api::handle(cloud, destination, request).await,
    }
}

/// Answers one request to the URL of a function; the destination has its id in the place of an API's.
pub(crate) async fn handle_function_url(cloud: Cloud, destination: Destination, request: Request) -> Response {
    http_api::function_url::handle(cloud, destination, request).await
}

impl Gateway {
    /// Forgets what the authorizers of a stage of a REST API decided.
    pub(crate) fn flush_authorizers(&self, api: &str, stage: &str) {
        self.rest_decisions.forget(&[api.to_owned(), stage.to_owned()]);
    }

    /// Forgets what a stage of a REST API keeps of its answers.
    pub(crate) fn flush_answers(&self, api: &str, stage: &str) {
        self.rest_answers.forget(&[api.to_owned(), stage.to_owned()]);
    }
}

#[cfg(test)]
mod tests {
    use super::Destination;
    use crate::cloud::Account;
    use crate::{apigateway, apigatewayv2};

    fn account(older: &str, newer: &str) -> Account {
        let mut account = Account::default();
        let domain = apigateway::DomainName { domain_name: older.to_owned(), ..Default::default() };
        account.apigateway.create_domain_name(domain).expect("it is a domain");
        let domain = apigatewayv2::DomainName { domain_name: newer.to_owned(), ..Default::default() };
        account.apigatewayv2.create_domain_name(domain).expect("it is a domain");
        account
    }

    #[test]
    fn the_very_name_goes_before_a_wildcard_of_either_generation() {
        let (wildcard, exact) = ("*.example.com", "api.example.com");
        for account in [account(wildcard, exact), account(exact, wildcard)] {
            for (called, expected) in [(exact, exact), ("other.example.com", wildcard), ("abc", "abc")] {
                assert_eq!(Destination::new(called, "/x").settled(&account), Destination::new(expected, "/x"));
            }
        }
    }
}
