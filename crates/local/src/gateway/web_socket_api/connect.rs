//! How a connection opens.

use std::sync::Arc;

use http::HeaderValue;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use hyper::upgrade::OnUpgrade;
use tokio::sync::mpsc;

use super::access_log::{self, Notes};
use super::authorizer::authorize;
use super::connections::{Client, Open, Place};
use super::refusal::Refusal;
use super::turn::{Kind, Turn};
use super::{connection, handshake};
use crate::cloud::Cloud;
use crate::wire::{Request, Response};

/// Messages that may wait for a client that does not read them.
const WAITING: usize = 64;

/// Answers the request for a connection: after `$connect` has had its say, the connection is open.
pub(super) async fn answer(cloud: Cloud, place: Place, request: Request, upgrade: Option<OnUpgrade>) -> Response {
    let accept = match handshake::read(&request) {
        Ok(accept) => accept,
        Err(refused) => return *refused,
    };
    let region = cloud.read(|account| account.region.clone());
    let client = Arc::new(Client::new(request, &place, &region, cloud.now()));
    let Some(mut turn) = Turn::new(&cloud, &place, &client, Kind::Connect) else {
        return Refusal::Forbidden.response(None);
    };
    let mut notes = Notes::default();
    let outcome = open(&cloud, &mut turn, &mut notes).await;
    let status = outcome.as_ref().map_or_else(|refusal| refusal.status().as_u16(), |_| 200);
    notes.error = outcome.as_ref().err().map(|refusal| refusal.message());
    access_log::write(&cloud, &turn, &notes, status);
    match (outcome, upgrade) {
        (Err(refusal), _) => refusal.response(Some(turn.addressee())),
        // Nothing but HTTP/1.1 has such upgrades.
        (Ok(_), None) => Refusal::InternalServerError.response(Some(turn.addressee())),
        (Ok(protocol), Some(upgrade)) => {
            let client = Arc::clone(&turn.client);
            let response = accept.response(&client.request, protocol.as_ref());
            let (orders, taken) = mpsc::channel(WAITING);
            // Before the client is told: a function may have an answer for it already.
            cloud.gateway().connections.add(&place, Open { client: Arc::clone(&client), orders });
            let serving = connection::serve(cloud.clone(), place, client, taken, upgrade);
            cloud.tasks().spawn(serving);
            response
        }
    }
}

/// The order in which API Gateway asks its questions. The answer is the subprotocol that the function chooses.
async fn open(cloud: &Cloud, turn: &mut Turn, notes: &mut Notes) -> Result<Option<HeaderValue>, Refusal> {
    let Some(routed) = turn.bound.route.clone() else { return Ok(None) };
    if !turn.is_within_limits(cloud) {
        return Err(Refusal::TooManyRequests);
    }
    let identity = authorize(cloud, turn, &routed, notes).await?;
    turn.client = Arc::new(turn.client.identified(identity));
    match turn.invoke(cloud, notes).await? {
        Some(answer) if !answer.status.is_success() => Err(Refusal::Function(answer.status)),
        Some(mut answer) => Ok(answer.headers.remove(SEC_WEBSOCKET_PROTOCOL)),
        None => Ok(None),
    }
}
