//! `@connections`: how functions reach the clients.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>.

use axum::body::Body;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc::error::TrySendError;

use super::connection::LARGEST_MESSAGE;
use super::connections::{Open, Order, Place, is_id};
use crate::cloud::{Account, Cloud};
use crate::gateway::request::SOURCE_IP;
use crate::gateway::signer;
use crate::iam::authorize::{Deed, Session};
use crate::signature::Dialect;
use crate::wire::{Caller, Fault, Request, Response, rest_json_answer};

/// What a caller of `@connections` does.
const ACTION: &str = "execute-api:ManageConnections";

/// The connection that a path below a stage is about.
pub(super) fn connection(path: &str) -> Option<String> {
    let path = percent_decode_str(path).decode_utf8_lossy();
    path.strip_prefix("/@connections/").map(str::to_owned)
}

/// Answers a request about one connection.
pub(super) fn answer(cloud: &Cloud, place: &Place, connection: &str, request: &Request) -> Response {
    match treat(cloud, place, connection, request) {
        Ok(response) => response,
        Err(fault) if fault.status == StatusCode::GONE => gone(fault),
        Err(fault) => fault.into_rest_json(),
    }
}

/// That a client is gone is said by the status and a header alone.
fn gone(fault: Fault) -> Response {
    let mut response = fault.into_rest_json();
    *response.body_mut() = Body::empty();
    response
}

fn treat(cloud: &Cloud, place: &Place, connection: &str, request: &Request) -> Result<Response, Fault> {
    let now = cloud.now();
    let signed = signer::signed(cloud, request, now).map_err(|problem| problem.fault(Dialect::RestJson))?;
    cloud.read(|account| authorize(account, place, &signed.caller, &request.method, now))?;
    if !is_id(connection) {
        return Err(Fault::new("BadRequestException", format!("Invalid connectionId: {connection}")));
    }
    let open = cloud.gateway().connections.get(place, connection).ok_or_else(nobody)?;
    match request.method {
        Method::POST => post(&open, request),
        Method::GET => Ok(described(&open)),
        Method::DELETE => {
            order(&open, Order::Close)?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Fault::new("ForbiddenException", "Forbidden").with_status(StatusCode::FORBIDDEN)),
    }
}

/// Lets the account itself do everything, and a user or a role's session what the policies of it allow. The ARN that API Gateway
/// asks about is that of the route, not that of one connection.
fn authorize(
    account: &Account,
    place: &Place,
    caller: &Caller,
    method: &Method,
    now: OffsetDateTime,
) -> Result<(), Fault> {
    let Place { api, stage } = place;
    let resource = format!(
        "arn:aws:execute-api:{}:{}:{api}/{stage}/{method}/@connections/{{connectionId}}",
        account.region, account.id
    );
    let allows = |session: Session<'_>| session.may(&Deed::new(ACTION, &resource)).is_ok();
    if *caller == Caller::Root || Session::of(account, caller, now).is_some_and(allows) {
        return Ok(());
    }
    let arn = signer::arn(account, caller).unwrap_or_else(|| "anonymous".to_owned());
    let message = format!("User: {arn} is not authorized to perform: {ACTION} on resource: {resource}");
    Err(Fault::new("AccessDeniedException", message).with_status(StatusCode::FORBIDDEN))
}

fn post(open: &Open, request: &Request) -> Result<Response, Fault> {
    if request.body.len() > LARGEST_MESSAGE {
        let fault = Fault::new("PayloadTooLargeException", "Message too long");
        return Err(fault.with_status(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let message = String::from_utf8(request.body.to_vec())
        .map_err(|_| Fault::new("BadRequestException", "the local cloud sends text only"))?;
    order(open, Order::Send(message))?;
    Ok(empty(StatusCode::OK))
}

fn order(open: &Open, order: Order) -> Result<(), Fault> {
    open.orders.try_send(order).map_err(|error| match error {
        TrySendError::Closed(_) => nobody(),
        TrySendError::Full(_) => {
            let message = "the client does not read its messages";
            Fault::new("LimitExceededException", message).with_status(StatusCode::TOO_MANY_REQUESTS)
        }
    })
}

fn described(open: &Open) -> Response {
    let stamp = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_default();
    let client = &open.client;
    let active = OffsetDateTime::from_unix_timestamp_nanos(i128::from(client.last_active()) * 1_000_000);
    rest_json_answer(Ok(json!({
        "connectedAt": stamp(client.connected),
        "identity": { "sourceIp": SOURCE_IP, "userAgent": client.user_agent() },
        "lastActiveAt": stamp(active.unwrap_or(client.connected)),
    })))
}

fn nobody() -> Fault {
    Fault::new("GoneException", "Gone").with_status(StatusCode::GONE)
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
