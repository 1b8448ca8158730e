//! One event of a connection: that it opens, that a message comes in, that it ends.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use super::access_log::{self, Notes};
use super::connections::{Client, Place};
use super::event;
use super::refusal::{Addressee, Refusal};
use super::selection::Selection;
use crate::apigatewayv2::{Api, Authorizer, Configuration, Integration, Route, Stage};
use crate::cloud::{Account, Cloud};
use crate::gateway::answer::{Answer, Malformed, body_text, decoded, is_base64, single_headers, status};
use crate::gateway::function::{self, Problem, Wanted, with_stage_variables};
use crate::gateway::http_api::request_id;
use crate::gateway::throttle::Limit;

/// The route of whatever no other route takes.
const DEFAULT: &str = "$default";

/// What happens on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// It opens.
    Connect,
    /// The client sends a message.
    Message { id: String, body: String },
    /// It has ended, with this code of RFC 6455.
    Disconnect { code: u16, reason: String },
}

impl Kind {
    /// A message that has just come in.
    pub(super) fn message(body: String) -> Self {
        Self::Message { id: request_id(), body }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Message { .. } => "MESSAGE",
            Self::Disconnect { .. } => "DISCONNECT",
        }
    }

    /// The key of the route that it means, among those that there are. No message selects a route that is about
    /// connections.
    fn route_key(&self, api: &Api, served: &Configuration) -> String {
        let body = match self {
            Self::Connect => return "$connect".to_owned(),
            Self::Disconnect { .. } => return "$disconnect".to_owned(),
            Self::Message { body, .. } => body,
        };
        let expression = api.settings.route_selection_expression.as_deref().unwrap_or_default();
        let selected = Selection::parse(expression).and_then(|selection| selection.key(body));
        let known = |key: &String| !key.starts_with('$') && served.routes.values().any(|it| it.route_key == *key);
        selected.filter(known).unwrap_or_else(|| DEFAULT.to_owned())
    }
}

/// What an event meets: a stage as it stands, and the route that takes it.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) place: Place,
    pub(super) stage: Stage,
    /// The route that takes it, if any does.
    pub(super) route: Option<Routed>,
}

/// A route that takes an event, and what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Routed {
    pub(super) route: Route,
    integration: Option<Integration>,
    pub(super) authorizer: Option<(String, Authorizer)>,
    /// Whether what the function answers goes back to the client.
    is_answered: bool,
}

impl Bound {
    fn find(account: &Account, place: &Place, kind: &Kind) -> Option<Self> {
        let api = account.apigatewayv2.api(&place.api).ok()?;
        let stage = api.stages.get(&place.stage)?;
        let served = api.served_at(stage)?;
        let key = kind.route_key(api, served);
        let route = served.routes.iter().find(|(_, route)| route.route_key == key);
        Some(Self {
            account: account.id.clone(),
            region: account.region.clone(),
            place: place.clone(),
            stage: stage.clone(),
            route: route.map(|(id, route)| Routed::of(served, id, route)),
        })
    }

    /// The route's key; `-` stands for none, as in access logs.
    pub(super) fn route_key(&self) -> &str {
        self.route.as_ref().map_or("-", |routed| routed.route.route_key.as_str())
    }

    /// The ARN of what is below this API.
    pub(super) fn arn(&self, below: &str) -> String {
        let Self { account, region, place: Place { api, .. }, .. } = self;
        format!("arn:aws:execute-api:{region}:{account}:{api}/{below}")
    }

    /// The ARN of the route, which policies name and a function's policy must let in.
    pub(super) fn route_arn(&self) -> String {
        self.arn(&format!("{}/{}", self.stage.stage_name, self.route_key()))
    }
}

impl Routed {
    fn of(served: &Configuration, id: &str, route: &Route) -> Self {
        let integration = route.target.as_deref().and_then(|target| target.strip_prefix("integrations/"));
        let decides = |id: &String| served.authorizers.get(id).map(|authorizer| (id.clone(), authorizer.clone()));
        Self {
            route: route.clone(),
            integration: integration.and_then(|id| served.integrations.get(id).cloned()),
            authorizer: route.authorizer_id.as_ref().and_then(decides),
            is_answered: route.route_response_selection_expression.is_some()
                && served.route_responses.values().any(|response| response.route_id == id),
        }
    }
}

/// One event of a connection.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) id: String,
    pub(super) time: OffsetDateTime,
    pub(super) bound: Bound,
    pub(super) client: Arc<Client>,
    pub(super) kind: Kind,
}

impl Turn {
    /// An event with a fresh id; `None` when the stage is gone.
    pub(super) fn new(cloud: &Cloud, place: &Place, client: &Arc<Client>, kind: Kind) -> Option<Self> {
        let bound = cloud.read(|account| Bound::find(account, place, &kind))?;
        Some(Self { id: request_id(), time: cloud.now(), bound, client: Arc::clone(client), kind })
    }

    pub(super) fn addressee(&self) -> Addressee<'_> {
        Addressee { connection: &self.client.id, request: &self.id }
    }

    /// Whether the limits of the route let one more event pass.
    pub(super) fn is_within_limits(&self, cloud: &Cloud) -> bool {
        let (stage, route) = (&self.bound.stage, self.bound.route_key());
        let Some(limit) = Limit::of_route(stage, route) else { return true };
        let key = vec![self.bound.place.api.clone(), stage.stage_name.clone(), route.to_owned()];
        cloud.gateway().throttles.admit(key, limit, self.time)
    }

    /// Lets the function behind the route have the event. A route without an integration answers for itself.
    pub(super) async fn invoke(&self, cloud: &Cloud, notes: &mut Notes) -> Result<Option<Answer>, Refusal> {
        let Some(integration) = self.bound.route.as_ref().and_then(|routed| routed.integration.as_ref()) else {
            return Ok(None);
        };
        notes.integration_began = Some(cloud.now());
        let answer = self.ask(cloud, integration).await.map_err(|problem| {
            notes.integration_error = Some(problem.logged());
            refusal(&problem)
        });
        notes.integration_ended = Some(cloud.now());
        let answer = read(&answer?).map_err(|Malformed| {
            notes.integration_error = Some("the function gave an answer that is not of the form".to_owned());
            Refusal::BadGateway
        })?;
        notes.integration_status = Some(answer.status.as_u16());
        Ok(Some(answer))
    }

    async fn ask(&self, cloud: &Cloud, integration: &Integration) -> Result<bytes::Bytes, Problem> {
        let uri = integration.integration_uri.as_deref().unwrap_or_default();
        let uri = with_stage_variables(uri, &self.bound.stage.stage_variables);
        let timeout = Duration::from_millis(integration.timeout_in_millis.unwrap_or(29_000));
        let (caller, event) = (self.bound.route_arn(), event::of_integration(self));
        function::invoke(cloud, Wanted { uri: &uri, caller: &caller, event: &event, timeout }).await
    }
}

fn refusal(problem: &Problem) -> Refusal {
    match problem {
        Problem::Raised(_) => Refusal::BadGateway,
        Problem::TimedOut => Refusal::TimedOut,
        Problem::Failed(_) | Problem::Throttled | Problem::EventTooLarge => Refusal::InternalServerError,
    }
}

/// A function must answer with a status code, in the form of a proxy integration.
fn read(payload: &[u8]) -> Result<Answer, Malformed> {
    let Ok(Value::Object(result)) = serde_json::from_slice(payload) else { return Err(Malformed) };
    let text = body_text(&result)?;
    Ok(Answer {
        status: status(result.get("statusCode").unwrap_or(&Value::Null))?,
        headers: single_headers(result.get("headers"))?,
        body: if is_base64(&result)? { decoded(text)? } else { text.to_owned().into() },
    })
}

/// Takes a message, and returns what goes back to the client, if anything does.
pub(super) async fn take(cloud: Cloud, turn: Turn) -> Option<String> {
    let mut notes = Notes::default();
    let outcome = treat(&cloud, &turn, &mut notes).await;
    let (status, back) = match outcome {
        Ok(answer) => (answer.as_ref().map_or(200, |answer| answer.status.as_u16()), reply(&turn, answer)),
        Err(refusal) => {
            notes.error = Some(refusal.message());
            (refusal.status().as_u16(), Some(refusal.frame(turn.addressee())))
        }
    };
    access_log::write(&cloud, &turn, &notes, status);
    back
}

async fn treat(cloud: &Cloud, turn: &Turn, notes: &mut Notes) -> Result<Option<Answer>, Refusal> {
    if turn.bound.route.is_none() {
        return Err(Refusal::Forbidden);
    }
    if !turn.is_within_limits(cloud) {
        return Err(Refusal::TooManyRequests);
    }
    turn.invoke(cloud, notes).await
}

fn reply(turn: &Turn, answer: Option<Answer>) -> Option<String> {
    let is_answered = turn.bound.route.as_ref().is_some_and(|routed| routed.is_answered);
    let body = answer.filter(|_| is_answered)?.body;
    let text = String::from_utf8(body.into()).ok()?;
    (!text.is_empty()).then_some(text)
}

/// Tells the function behind `$disconnect`, if there is one, that a connection has ended. It is not told again if it
/// fails, as on AWS.
pub(super) async fn part(cloud: &Cloud, turn: Turn) {
    let mut notes = Notes::default();
    if turn.bound.route.is_none() {
        return;
    }
    let outcome = turn.invoke(cloud, &mut notes).await;
    let status = match outcome {
        Ok(answer) => answer.map_or(200, |answer| answer.status.as_u16()),
        Err(refusal) => {
            notes.error = Some(refusal.message());
            refusal.status().as_u16()
        }
    };
    access_log::write(cloud, &turn, &notes, status);
}
