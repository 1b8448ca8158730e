//! An open connection: what comes in, what goes out, and how it ends.

use std::sync::Arc;
use std::time::Duration as Wait;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::connections::{Client, Order, Place};
use super::turn::{self, Kind, Turn};
use crate::cloud::Cloud;
use crate::gateway::request::epoch_milliseconds;

/// The largest message, in bytes.
pub(super) const LARGEST_MESSAGE: usize = 128 << 10;
/// The largest frame, in bytes; a larger message comes in several.
const LARGEST_FRAME: usize = 32 << 10;
/// How long a connection may stay without a message.
const IDLE: Duration = Duration::minutes(10);
/// How long a connection may live.
const LIFE: Duration = Duration::hours(2);
/// How often these are looked at.
const TICK: Wait = Wait::from_millis(200);
/// Messages of one client that are under way at the same time; further ones are read when one of them is done.
const UNDER_WAY: usize = 100;
/// How long a client may take to read a message.
const PATIENCE: Wait = Wait::from_secs(5);
/// How long it may take to say farewell; less than the cloud waits when it stops.
const FAREWELL: Wait = Wait::from_secs(2);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    code: u16,
    reason: String,
    /// Whether the client is told, rather than telling.
    is_ours: bool,
}

impl End {
    fn ours(code: CloseCode, reason: &str) -> Self {
        Self { code: code.into(), reason: reason.to_owned(), is_ours: true }
    }

    fn going_away() -> Self {
        Self::ours(CloseCode::Away, "Going away")
    }

    /// The client has gone without a word.
    fn broken() -> Self {
        Self { code: CloseCode::Abnormal.into(), reason: String::new(), is_ours: false }
    }

    /// The client has said farewell.
    fn theirs(frame: Option<CloseFrame>) -> Self {
        match frame {
            Some(CloseFrame { code, reason }) => {
                Self { code: code.into(), reason: reason.as_str().to_owned(), is_ours: false }
            }
            None => {
                let reason = "Client-side close frame status not set".to_owned();
                Self { code: CloseCode::Status.into(), reason, is_ours: false }
            }
        }
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::ours(CloseCode::Size, ""),
            Error::Utf8(_) => Self::ours(CloseCode::Invalid, ""),
            Error::Protocol(problem) if *problem != RESET => Self::ours(CloseCode::Protocol, ""),
            _ => Self::broken(),
        }
    }

    fn frame(&self) -> Option<CloseFrame> {
        self.is_ours.then(|| CloseFrame { code: self.code.into(), reason: self.reason.as_str().into() })
    }
}

/// The client's end of the connection was cut.
const RESET: tokio_tungstenite::tungstenite::error::ProtocolError =
    tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;

/// Serves a connection until it ends, and tells `$disconnect`.
pub(super) async fn serve(
    cloud: Cloud,
    place: Place,
    client: Arc<Client>,
    orders: Receiver<Order>,
    upgrade: OnUpgrade,
) {
    let end = match tokio::time::timeout(PATIENCE, upgrade).await {
        Ok(Ok(upgraded)) => {
            let config =
                WebSocketConfig::default().max_message_size(Some(LARGEST_MESSAGE)).max_frame_size(Some(LARGEST_FRAME));
            let socket = Socket::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
            let mut connection = Connection { cloud: &cloud, place: &place, client: &client, socket };
            let end = connection.run(orders).await;
            connection.close(&end).await;
            end
        }
        _ => End::broken(),
    };
    cloud.gateway().connections.remove(&place, &client.id);
    if cloud.stopping().is_cancelled() {
        return;
    }
    let kind = Kind::Disconnect { code: end.code, reason: end.reason };
    if let Some(last) = Turn::new(&cloud, &place, &client, kind) {
        turn::part(&cloud, last).await;
    }
}

struct Connection<'a> {
    cloud: &'a Cloud,
    place: &'a Place,
    client: &'a Arc<Client>,
    socket: Socket,
}

impl Connection<'_> {
    async fn run(&mut self, mut orders: Receiver<Order>) -> End {
        let mut turns = JoinSet::new();
        let mut ticks = tokio::time::interval(TICK);
        let stop = self.cloud.stopping().clone();
        let end = loop {
            let step = tokio::select! {
                () = stop.cancelled() => Err(End::going_away()),
                Some(order) = orders.recv() => self.obey(order).await,
                incoming = self.socket.next(), if turns.len() < UNDER_WAY => self.take(incoming, &mut turns),
                Some(reply) = turns.join_next() => match reply.ok().flatten() {
                    Some(reply) => self.send(reply).await,
                    None => Ok(()),
                },
                _ = ticks.tick() => self.look_at_the_clock(),
            };
            if let Err(end) = step {
                break end;
            }
        };
        // What is under way goes on: its functions run anyway.
        turns.detach_all();
        end
    }

    async fn obey(&mut self, order: Order) -> Result<(), End> {
        match order {
            Order::Send(message) => self.send(message).await,
            Order::Close => Err(End::ours(CloseCode::Normal, "Connection Closed Normally")),
        }
    }

    async fn send(&mut self, message: String) -> Result<(), End> {
        self.client.touch(self.cloud.now());
        let sent = tokio::time::timeout(PATIENCE, self.socket.send(Message::text(message))).await;
        if matches!(sent, Ok(Ok(()))) { Ok(()) } else { Err(End::broken()) }
    }

    fn take(&self, incoming: Option<Result<Message, Error>>, turns: &mut JoinSet<Option<String>>) -> Result<(), End> {
        self.client.touch(self.cloud.now());
        match incoming {
            Some(Ok(Message::Text(text))) => {
                let kind = Kind::message(text.as_str().to_owned());
                let turn = Turn::new(self.cloud, self.place, self.client, kind).ok_or_else(End::going_away)?;
                turns.spawn(turn::take(self.cloud.clone(), turn));
                Ok(())
            }
            Some(Ok(Message::Binary(_))) => Err(End::ours(CloseCode::Unsupported, "")),
            Some(Ok(Message::Close(frame))) => Err(End::theirs(frame)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
            Some(Err(error)) => Err(End::of(&error)),
            None => Err(End::broken()),
        }
    }

    /// Ends a connection that has lived or waited too long, or whose stage is gone.
    fn look_at_the_clock(&self) -> Result<(), End> {
        let now = self.cloud.now();
        let waited = Duration::milliseconds(epoch_milliseconds(now) - self.client.last_active());
        let stands = self.cloud.read(|account| self.place.stands(account));
        let may_stay = waited < IDLE && now - self.client.connected < LIFE && stands;
        may_stay.then_some(()).ok_or_else(End::going_away)
    }

    /// Says farewell, and reads what the client has still sent: a connection that is closed over unread data is reset,
    /// and the client might never see why.
    async fn close(self, end: &End) {
        let Self { mut socket, .. } = self;
        let farewell = async {
            match end.frame() {
                Some(frame) => socket.close(Some(frame)).await.ok(),
                // The answer to the client's own farewell is waiting to be sent.
                None => socket.flush().await.ok(),
            };
            let mut raw = socket.into_inner();
            raw.shutdown().await.ok();
            let mut unread = [0; 8192];
            while raw.read(&mut unread).await.is_ok_and(|read| read > 0) {}
        };
        tokio::time::timeout(FAREWELL, farewell).await.ok();
    }
}
