//! How WebSocket APIs execute: a connection opens through `$connect`, its messages go to the routes that they select,
//! and functions reach it through `@connections`.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html>.

mod access_log;
mod authorizer;
mod connect;
mod connection;
mod connections;
mod event;
mod handshake;
mod manage;
mod refusal;
mod selection;
mod turn;

use hyper::upgrade::OnUpgrade;

use self::connections::Place;
use self::refusal::Refusal;
use super::Destination;
use super::request::{LARGEST_HEAD, head_size};
use crate::apigatewayv2::Api;
use crate::cloud::{Account, Cloud};
use crate::wire::{Request, Response};

pub(super) use self::connections::Connections;
pub(crate) use self::selection::Selection;

/// Whether a destination is a WebSocket API.
pub(super) fn is_meant(account: &Account, destination: &Destination) -> bool {
    let id = match account.apigatewayv2.mapped(&destination.api, &destination.path) {
        Some((mapping, _)) => &mapping.api_id,
        None => &destination.api,
    };
    account.apigatewayv2.api(id).is_ok_and(Api::is_web_socket)
}

/// Answers one request to a WebSocket API: one that opens a connection, or one that is about a connection.
pub(super) async fn handle(
    cloud: Cloud,
    destination: Destination,
    request: Request,
    upgrade: Option<OnUpgrade>,
) -> Response {
    let Some((place, path)) = cloud.read(|account| Place::find(account, &destination)) else {
        return Refusal::Forbidden.response(None);
    };
    if head_size(&request, &destination.path) > LARGEST_HEAD {
        return Refusal::HeadersTooLarge.response(None);
    }
    match manage::connection(&path) {
        Some(connection) => manage::answer(&cloud, &place, &connection, &request),
        // API Gateway offers connections at the stage itself, and nothing below it.
        None if !matches!(path.as_str(), "" | "/") => Refusal::Forbidden.response(None),
        None => connect::answer(cloud, place, request, upgrade).await,
    }
}
