//! Calls that show whether a deployment keeps what its stack file says: which must pass, which must not, and how an answer
//! tells one from the other.
//!
//! What must come of a call is read out of the access matrix of the **file**; the call goes to what is **deployed**. So a
//! door that stands wider open than it was written is found, whoever opened it.
//!
//! A call that must be refused proves nothing by a number: functions answer 401, 403 and 404 too. What counts is whether the
//! gateway answered or what lies behind it, see [`answer`]. Path tricks go without credentials, so that it does not matter
//! which route a gateway takes for them: none that is guarded may let them through.

pub mod answer;
mod guard;
mod origin;
mod path;

use std::collections::BTreeSet;
use std::fmt;

use super::flaw::Flaw;
use super::matrix::{Api, Behind, Function, FunctionUrl, Guard, Kind, Matrix, Route, Setting, readable};
use super::routing;

/// A call, and what must come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What it is about.
    pub door: Door,
    /// Who answers there.
    pub gateway: Gateway,
    /// What is sent, without credentials.
    pub request: Request,
    /// What the caller shows.
    pub credential: Credential,
    /// Where the caller shows it.
    pub carrier: Carrier,
    /// Which API key is sent with it.
    pub api_key: ApiKey,
    /// What must come of it.
    pub must: Must,
    /// What is tried, such as `no token`: the calls of one door differ in this.
    pub what: String,
    /// Why that must come of it, in one sentence.
    pub why: String,
}

impl Probe {
    /// Whether something may be changed by it when all is as it should be.
    #[must_use]
    pub fn may_change_data(&self) -> bool {
        self.must == Must::Pass && self.request.may_change_data()
    }
}

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// A route of an API at one of its stages.
    Route {
        /// Logical id of the API.
        api: String,
        /// Name of the stage.
        stage: String,
        /// Key of the route.
        key: String,
    },
    /// What pages of other origins may do with an API.
    Cors {
        /// Logical id of the API.
        api: String,
        /// Name of the stage.
        stage: String,
        /// Path, or `/*` for all of them.
        path: String,
    },
    /// The address that API Gateway gives an API which answers at its own domain names only.
    Endpoint {
        /// Logical id of the API.
        api: String,
        /// Name of the stage.
        stage: String,
    },
    /// The address of a function, or of an alias of it.
    Url {
        /// Logical id of the function.
        function: String,
        /// Name of the alias, where it is one's.
        alias: Option<String>,
    },
    /// A part of the stack whose doors are not known.
    Part {
        /// Its logical id, or the expression that names it.
        id: String,
    },
}

impl Door {
    /// Logical id of the API, where it is one.
    #[must_use]
    pub fn api(&self) -> Option<(&str, &str)> {
        match self {
            Self::Route { api, stage, .. } | Self::Cors { api, stage, .. } | Self::Endpoint { api, stage } => {
                Some((api, stage))
            }
            Self::Url { .. } | Self::Part { .. } => None,
        }
    }

    /// Its name within the API, by which it can be chosen: `GET /notes`, `cors`, `endpoint`, `url`; or that of a part.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Route { key, .. } => key,
            Self::Cors { .. } => "cors",
            Self::Endpoint { .. } => "endpoint",
            Self::Url { .. } => "url",
            Self::Part { id } => id,
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route { api, key, .. } => write!(formatter, "{key} of {api}")?,
            Self::Cors { api, path, .. } if path == "/*" => write!(formatter, "CORS of {api}")?,
            Self::Cors { api, path, .. } => write!(formatter, "CORS of {path} of {api}")?,
            Self::Endpoint { api, .. } => write!(formatter, "address of {api}")?,
            Self::Url { function, alias: None } => write!(formatter, "address of function {function}")?,
            Self::Url { function, alias: Some(alias) } => {
                write!(formatter, "address of alias {} of function {function}", readable(alias))?;
            }
            Self::Part { id } => write!(formatter, "{}", readable(id))?,
        }
        match self.api() {
            Some((_, stage)) if stage != "$default" => write!(formatter, " at {stage}"),
            _ => Ok(()),
        }
    }
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gateway {
    /// An HTTP API.
    Http,
    /// A REST API.
    Rest,
    /// A WebSocket API, asked to open a connection.
    WebSocket,
    /// A function's own address.
    Url,
}

impl Gateway {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Http => Self::Http,
            Kind::Rest => Self::Rest,
            Kind::WebSocket => Self::WebSocket,
        }
    }
}

/// A request, without credentials and body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: String,
    /// Path below the stage, exactly as it is sent.
    pub path: String,
    /// Parameters of the query, each `name=value`.
    pub query: Vec<String>,
    /// Headers.
    pub headers: Vec<(String, String)>,
}

impl Request {
    fn may_change_data(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// What stands where a path has a parameter: nobody calls a thing so.
pub const PLACEHOLDER: &str = "stackgen-verify";

/// What a caller shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credential {
    /// Nothing.
    Nothing,
    /// A text that is no token.
    Garbage,
    /// A good token.
    Token(Token),
    /// A token that is good but for one thing.
    Flawed(Token, Flaw),
    /// What only callers know whom the function behind an authorizer lets pass.
    Shared {
        /// Logical id of the API.
        api: String,
        /// Name of the authorizer.
        authorizer: String,
        /// The secret of the stack that holds it, as an expression, where that is known.
        secret: Option<String>,
    },
    /// A signature.
    Signature(Signature),
}

impl Credential {
    /// Whether it can be had only where bad tokens are made on purpose, and any scopes are given: in the local cloud.
    #[must_use]
    pub fn needs_mint(&self) -> bool {
        match self {
            Self::Nothing | Self::Garbage | Self::Shared { .. } | Self::Signature(_) => false,
            Self::Token(token) => !token.scopes.iter().all(|scope| scope == SELF_SERVICE),
            Self::Flawed(_, Flaw::Id) => false,
            // The token of a sign-in with a password has one scope, which is none of those that are asked for.
            Self::Flawed(token, Flaw::MissingScope) => token.scopes.iter().any(|scope| scope == SELF_SERVICE),
            Self::Flawed(..) => true,
        }
    }
}

/// The scope of tokens of a sign-in with a password; all others come through the pool's pages.
pub const SELF_SERVICE: &str = "aws.cognito.signin.user.admin";

/// A token of a user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    /// Logical id of the pool.
    pub pool: String,
    /// Logical id of the client.
    pub client: String,
    /// Which of the two.
    pub kind: TokenKind,
    /// Scopes of an access token; none means those of a sign-in with a password.
    pub scopes: Vec<String>,
    /// Groups that the user is in.
    pub groups: Vec<String>,
    /// Groups that the user must not be in.
    pub outside: Vec<String>,
}

/// Which of a user's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenKind {
    /// Who the user is.
    Id,
    /// What the user may do.
    Access,
}

/// A signature by the caller's own AWS key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signature {
    /// As it should be.
    Good,
    /// With another secret.
    OtherSecret,
    /// Made an hour ago.
    Stale,
    /// For another service.
    OtherService,
}

/// Where credentials are carried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Carrier {
    /// In a header.
    Header(String),
    /// In the query.
    Query(String),
}

impl Default for Carrier {
    fn default() -> Self {
        Self::Header("Authorization".to_owned())
    }
}

/// Which API key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiKey {
    /// None, and none is asked for.
    NotAsked,
    /// One that opens the stage.
    Good,
    /// None, though one is asked for.
    Missing,
    /// One that nobody was given.
    Wrong,
}

/// What must come of a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Must {
    /// It reaches what lies behind the door.
    Pass,
    /// The guard of the route refuses it.
    BeRefused(Asked),
    /// It reaches nothing: it is refused, or no route takes it.
    ReachNothing,
    /// Nobody answers there, not even a guard.
    BeClosed,
    /// Browsers are told that this origin may, as far as the file says.
    Share(Shared),
    /// Browsers are not told that this origin may.
    NotShare(String),
}

/// By what a guard knows its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// A token that the gateway checks.
    Token,
    /// Whatever a function checks.
    Decision,
    /// A signature.
    Signature,
    /// An API key.
    ApiKey,
}

/// What pages of an origin may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shared {
    /// The origin.
    pub origin: String,
    /// Whether everybody may, and so nobody is named.
    pub with_everybody: bool,
    /// Whether browsers may send cookies; nothing where only the deployment knows.
    pub credentials: Option<bool>,
    /// Methods beside those that every page may use; `*` is all of them.
    pub methods: BTreeSet<String>,
    /// Headers beside those that every page may send, in lower case; `*` is all of them but `authorization`.
    pub headers: BTreeSet<String>,
    /// Whether what answers is asked about a thing that is not there, and may say so.
    pub of_nothing: bool,
}

/// Something that is not tried, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// What it is about.
    pub door: Door,
    /// What is not tried.
    pub what: String,
    /// Why, in words.
    pub why: String,
}

/// All that is to be tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The calls, door by door.
    pub probes: Vec<Probe>,
    /// What cannot be tried, as far as the file tells.
    pub left_out: Vec<LeftOut>,
}

impl Plan {
    /// What shows whether a deployment keeps what a matrix says.
    #[must_use]
    pub fn of(matrix: &Matrix) -> Self {
        let mut plan = Self::default();
        for (id, api) in &matrix.apis {
            plan.whole(id, api);
            // The parts of an API of another stack are that stack's to prove.
            for stage in api.stages.keys().filter(|stage| !id.contains("${") && !stage.contains("${")) {
                plan.api(&Place { matrix, id, api, stage });
            }
        }
        for (id, unseen) in &matrix.unseen {
            let part = Door::Part { id: id.clone() };
            plan.leave_out(part, "everything", format!("the template does not show what it holds ({})", unseen.kind));
        }
        for (id, function) in &matrix.functions {
            plan.function(matrix, id, function);
        }
        plan
    }

    /// What of an API is not tried at any stage.
    fn whole(&mut self, id: &str, api: &Api) {
        let part = || Door::Part { id: id.to_owned() };
        if id.contains("${") {
            return self.leave_out(part(), "everything", "the API is another stack's, which has its own proof");
        }
        if api.document.is_some() {
            self.leave_out(part(), "the routes of its OpenAPI document", "the document is not read");
        }
        if api.stages.is_empty() {
            self.leave_out(part(), "everything", "the API has no stage, so that nobody can call it");
        }
        for stage in api.stages.keys().filter(|stage| stage.contains("${")) {
            let what = format!("everything at {}", readable(stage));
            self.leave_out(part(), what, "what the stage is called, only the deployment knows");
        }
    }

    fn api(&mut self, place: &Place<'_>) {
        let endpoint = Door::Endpoint { api: place.id.to_owned(), stage: place.stage.to_owned() };
        if place.api.private != Setting::Known(false) {
            self.leave_out(
                endpoint,
                "everything",
                "the API can be reached only from within VPCs, or that is not known",
            );
            return;
        }
        if place.api.execute_api_endpoint != Setting::Known(true) {
            self.closed_endpoint(place, endpoint);
            return;
        }
        for (key, route) in place.api.routes.iter().filter(|(key, route)| !route.is_preflight(key)) {
            self.route(place, key, route);
        }
        origin::probes(self, place);
    }

    /// An API that answers at its own domain names must not answer elsewhere. Those names are not called: where they lead
    /// is not the template's to say.
    fn closed_endpoint(&mut self, place: &Place<'_>, door: Door) {
        self.leave_out(
            door.clone(),
            "its routes",
            "the API answers only at domain names of its own, which are not called",
        );
        let what = "the address that API Gateway gives".to_owned();
        let Some(request) = place.telling() else {
            let why = "no call would tell an open address from a closed one without changing data";
            return self.leave_out(door, what, why);
        };
        self.probes.push(Probe {
            door,
            gateway: Gateway::of(place.api.kind),
            request,
            credential: Credential::Nothing,
            carrier: Carrier::default(),
            api_key: ApiKey::NotAsked,
            must: Must::BeClosed,
            what,
            why: "the file turns it off".to_owned(),
        });
    }

    fn route(&mut self, place: &Place<'_>, key: &str, route: &Route) {
        let door = Door::Route { api: place.id.to_owned(), stage: place.stage.to_owned(), key: key.to_owned() };
        if let Some(condition) = &route.only_if {
            self.leave_out(door, "the route", format!("it is there only if {condition}, which the file does not tell"));
            return;
        }
        if route.guard == Guard::Connected {
            self.leave_out(door, "the route", "messages are guarded by `$connect`, which is tried");
            return;
        }
        let Some(request) = place.request(key) else {
            self.leave_out(door, "the route", "no request is known that this route takes and no other");
            return;
        };
        if route.guard == Guard::Public && route.behind == Behind::Nothing && key == "$connect" {
            self.leave_out(door, "the route", "everybody may connect, and nothing answers");
            return;
        }
        let at = At { place, door, route, request };
        guard::probes(self, &at);
        if route.guard != Guard::Public && place.api.kind != Kind::WebSocket {
            path::probes(self, &at);
        }
    }

    /// The addresses of a function and of its aliases.
    fn function(&mut self, matrix: &Matrix, id: &str, function: &Function) {
        let own = function.url.iter().map(|url| (None, url));
        let of_aliases = function.aliases.iter().map(|(alias, url)| (Some(alias.clone()), url));
        for (alias, url) in own.chain(of_aliases) {
            let is_known = alias.as_ref().is_none_or(|alias| !alias.contains("${"));
            let door = Door::Url { function: id.to_owned(), alias };
            if !matrix.ids.contains(id) {
                let part = Door::Part { id: id.to_owned() };
                self.leave_out(part, "the address of the function", "the function is none of this stack's");
            } else if is_known {
                self.address(matrix, &door, url);
            } else {
                self.leave_out(door, "everything", "what the alias is called, only the deployment knows");
            }
        }
    }

    fn address(&mut self, matrix: &Matrix, door: &Door, url: &FunctionUrl) {
        let request = Request { method: "GET".to_owned(), path: "/".to_owned(), ..Request::default() };
        guard::url(self, matrix, door.clone(), request, &url.guard);
        origin::of_url(self, door, url);
    }

    fn leave_out(&mut self, door: Door, what: impl Into<String>, why: impl Into<String>) {
        self.left_out.push(LeftOut { door, what: what.into(), why: why.into() });
    }
}

/// A stage of an API.
#[derive(Clone, Copy)]
struct Place<'a> {
    matrix: &'a Matrix,
    id: &'a str,
    api: &'a Api,
    stage: &'a str,
}

impl Place<'_> {
    /// The key of the route that takes a request, as far as the file tells.
    fn taker(&self, method: &str, path: &str) -> Option<&str> {
        let routes = routing::Routes::new(self.api.kind, self.api.routes.keys().map(String::as_str));
        routes.taker(&routing::Request::of(self.api.kind, method, path))
    }

    /// A request to which an address that is open answers otherwise than one that is closed, and that changes nothing. A
    /// guard says most plainly that it is there.
    fn telling(&self) -> Option<Request> {
        if self.api.kind == Kind::WebSocket {
            return Some(handshake());
        }
        let is_there = |route: &&Route| route.only_if.is_none() && route.guard != Guard::Connected;
        let all = || self.api.routes.iter().filter(|(_, route)| is_there(route));
        let guarded = all().filter(|(_, route)| !matches!(route.guard, Guard::Public | Guard::Unknown { .. }));
        // Without its key an open route of a REST API answers as if nobody were there.
        let open = all().filter(|(_, route)| route.guard == Guard::Public && route.api_key == Setting::Known(false));
        let guarded: Vec<Request> = guarded.filter_map(|(key, _)| self.request(key)).collect();
        let harmless = open.filter_map(|(key, _)| self.request(key)).filter(|request| !request.may_change_data());
        let mildest = guarded.iter().find(|request| !request.may_change_data()).or(guarded.first()).cloned();
        mildest.or_else(|| harmless.into_iter().next())
    }

    /// A request that a route takes and no other.
    fn request(&self, key: &str) -> Option<Request> {
        if key == "$connect" {
            return Some(handshake());
        }
        let pattern = if key == "$default" { "/{stackgen}" } else { key.split_once(' ')?.1 };
        let path = path::filled(pattern);
        let methods = match key.split_once(' ') {
            Some((method, _)) if method != "ANY" => vec![method],
            _ => path::METHODS.to_vec(),
        };
        let method = methods.into_iter().find(|method| self.taker(method, &path) == Some(key))?;
        Some(Request { method: method.to_owned(), path, ..Request::default() })
    }
}

/// The request that asks for a WebSocket.
fn handshake() -> Request {
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "c3RhY2tnZW4tdmVyaWZ5IQ=="),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Request { method: "GET".to_owned(), path: "/".to_owned(), query: Vec::new(), headers }
}

/// A route at its place, and a request that it takes.
struct At<'a> {
    place: &'a Place<'a>,
    door: Door,
    route: &'a Route,
    request: Request,
}

#[cfg(test)]
mod tests;
