//! The connections that are open, and how to reach them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http::header::USER_AGENT;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::event::Identity;
use crate::cloud::Account;
use crate::gateway::Destination;
use crate::gateway::http_api::{addressed, request_id};
use crate::gateway::request::{domain, epoch_milliseconds, header};
use crate::wire::Request;

/// Bytes of an id before they are written in base64, of connections as of requests.
const ID: usize = 11;

/// A stage of a WebSocket API: where connections are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) api: String,
    pub(super) stage: String,
}

impl Place {
    /// The stage that a destination means, and the path below it; `None` when there is no such stage.
    pub(super) fn find(account: &Account, destination: &Destination) -> Option<(Self, String)> {
        let (api, stage, path) = addressed(&account.apigatewayv2, destination)?;
        let place = Self { api: api.to_owned(), stage: stage.to_owned() };
        place.stands(account).then(|| (place, path.to_owned()))
    }

    /// Whether the stage is still there.
    pub(super) fn stands(&self, account: &Account) -> bool {
        account.apigatewayv2.api(&self.api).is_ok_and(|api| api.stages.contains_key(&self.stage))
    }
}

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) connected: OffsetDateTime,
    /// Milliseconds since 1970 of the last message in either direction.
    active: AtomicI64,
    /// The request that asked for the connection.
    pub(super) request: Request,
    pub(super) domain: String,
    pub(super) identity: Identity,
}

impl Client {
    /// A client that asks for a connection.
    pub(super) fn new(request: Request, place: &Place, region: &str, now: OffsetDateTime) -> Self {
        Self {
            id: request_id(),
            connected: now,
            active: AtomicI64::new(epoch_milliseconds(now)),
            domain: domain(&request.headers, &place.api, region),
            request,
            identity: Identity::Unknown,
        }
    }

    /// The same client, once it is known who it is.
    pub(super) fn identified(&self, identity: Identity) -> Self {
        Self {
            id: self.id.clone(),
            connected: self.connected,
            active: AtomicI64::new(self.last_active()),
            request: self.request.clone(),
            domain: self.domain.clone(),
            identity,
        }
    }

    pub(super) fn user_agent(&self) -> Option<String> {
        header(&self.request.headers, &USER_AGENT).filter(|agent| !agent.is_empty())
    }

    /// Notes that a message has passed.
    pub(super) fn touch(&self, now: OffsetDateTime) {
        self.active.store(epoch_milliseconds(now), Ordering::Relaxed);
    }

    /// When the last message passed, in milliseconds since 1970.
    pub(super) fn last_active(&self) -> i64 {
        self.active.load(Ordering::Relaxed)
    }
}

/// What others ask of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// To send a message.
    Send(String),
    /// To end.
    Close,
}

/// A connection as others see it.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) client: Arc<Client>,
    pub(super) orders: mpsc::Sender<Order>,
}

/// Every open connection, by its stage and its id.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Connections(Mutex<BTreeMap<(Place, String), Open>>);

impl Connections {
    fn held(&self) -> MutexGuard<'_, BTreeMap<(Place, String), Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, place: &Place, open: Open) {
        self.held().insert((place.clone(), open.client.id.clone()), open);
    }

    pub(super) fn get(&self, place: &Place, id: &str) -> Option<Open> {
        self.held().get(&(place.clone(), id.to_owned())).cloned()
    }

    pub(super) fn remove(&self, place: &Place, id: &str) {
        self.held().remove(&(place.clone(), id.to_owned()));
    }
}

/// Whether a text could be the id of a connection.
pub(super) fn is_id(text: &str) -> bool {
    URL_SAFE.decode(text).is_ok_and(|bytes| bytes.len() == ID)
}

#[cfg(test)]
mod tests {
    use super::is_id;
    use crate::gateway::http_api::request_id;

    #[test]
    fn an_id_is_known_by_its_form() {
        let id = request_id();
        assert_eq!((id.len(), id.ends_with('=')), (16, true), "{id}");
        assert!(is_id(&id) && is_id("L0SM9cOFvHcCIhw="));
        for other in ["", "abc", "L0SM9cOFvHcCIhw", "L0SM9cOFvHcCIhw=x", "../../../../../.", "L0SM9cOFvHcCIhwA"] {
            assert!(!is_id(other), "{other}");
        }
        assert_ne!(id, request_id());
    }
}
