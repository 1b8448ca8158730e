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

use crate::local::cloud::Cloud;
use crate::local::wire::{Request, Response};
use crate::local::{apigateway, apigatewayv2};

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
    /// Id of the API.
    pub api: String,
    /// Path as the client meant it: what follows the host on AWS, still percent-encoded. A named stage comes first in
    /// it; the `$default` stage has no segment.
    pub path: String,
}

/// Answers one request to a deployed API. The request is not signed, or not for us to verify: routes decide.
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
