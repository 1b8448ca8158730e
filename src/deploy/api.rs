//! Calls to a deployed API, found by the name of its stack and the route.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use miette::Diagnostic;
use reqwest::{Method, Response};
use serde_json::Value;
use thiserror::Error;
use url::{Host, Url};

use super::aws::{Account, Error as AwsError, innermost, is_loopback};
use super::stack::Deployed;
use crate::access::matrix::{self, Guard, Matrix, Pool, references};

/// An API in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Its id in the template.
    pub logical_id: String,
    /// Which kind it is.
    pub kind: Kind,
    /// The names of its stages, sorted.
    pub stages: Vec<String>,
    /// Its routes.
    pub routes: Vec<Route>,
}

/// A route of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its key, such as `GET /notes/{id}`.
    pub key: String,
    /// What it asks of the caller.
    pub asks: Asks,
    /// The header in which it looks for a token.
    pub header: String,
    /// The scopes of which an access token needs one.
    pub scopes: Vec<String>,
    /// Ids in the template of the clients whose tokens it takes; none where it takes those of every client of its pool.
    pub clients: Vec<String>,
    /// Ids in the template of the pools whose tokens it takes, as far as they can be told.
    pub pools: Vec<String>,
}

/// What a route asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Nothing.
    Nothing,
    /// A token.
    Token,
    /// An access token with scopes.
    Scopes,
    /// A signature by an AWS key.
    Signature,
    /// Whatever its Lambda authorizer wants.
    Custom,
}

impl Api {
    /// The most particular route that takes the call, as far as can be told without asking the gateway.
    #[must_use]
    pub fn route(&self, call: &Call) -> Option<&Route> {
        let fitting = self.routes.iter().filter(|route| matches(&route.key, call));
        fitting
            .min_by_key(|route| (route.key.contains('{'), route.key.contains("+}"), route.key.starts_with("ANY")))
            .or_else(|| self.routes.iter().find(|route| route.key == "$default"))
    }

    /// The stage that a call means: the one that is named, `$default`, or the only one.
    ///
    /// # Errors
    /// When there is no such stage, or several could be meant.
    pub fn stage(&self, name: Option<&str>) -> Result<&str, Error> {
        let names = || self.stages.iter().map(|stage| format!("`{stage}`")).collect::<Vec<_>>().join(", ");
        let api = self.logical_id.clone();
        if let Some(name) = name {
            let found = self.stages.iter().find(|stage| *stage == name);
            let unknown = || Error::UnknownStage { api, name: name.to_owned(), names: names() };
            return found.map(String::as_str).ok_or_else(unknown);
        }
        match (self.stages.iter().find(|stage| *stage == "$default"), self.stages.as_slice()) {
            (Some(default), _) => Ok(default),
            (None, [only]) => Ok(only),
            (None, []) => Ok("$default"),
            (None, _) => Err(Error::Stages { api, names: names() }),
        }
    }
}

/// The kinds of APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// API Gateway v2.
    Http,
    /// API Gateway v1.
    Rest,
}

/// A request.
#[derive(Clone)]
pub struct Call {
    /// Method, such as `GET`.
    pub method: String,
    /// Path and query, from the API's root.
    pub path: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Option<Vec<u8>>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The status in words, such as `Not Found`.
    pub reason: String,
    /// Headers, in the order they came.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// Why an API could not be found or called.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The stack has no API.
    #[error("stack `{stack}` has no API")]
    #[diagnostic(code(stackgen::api::none), help("declare one under `httpApis` or `restApis` and deploy again"))]
    None { stack: String },
    /// Several APIs could be meant.
    #[error("stack `{stack}` has several APIs that could be meant: {names}")]
    #[diagnostic(code(stackgen::api::several), help("name one with `--api`"))]
    Several { stack: String, names: String },
    /// No API has that name.
    #[error("stack `{stack}` has no API `{name}`")]
    #[diagnostic(code(stackgen::api::unknown), help("it has {names}"))]
    Unknown { stack: String, name: String, names: String },
    /// Several stages could be meant.
    #[error("API `{api}` has several stages: {names}")]
    #[diagnostic(code(stackgen::api::stages), help("name one with `--stage`"))]
    Stages { api: String, names: String },
    /// No stage has that name.
    #[error("API `{api}` has no stage `{name}`")]
    #[diagnostic(code(stackgen::api::stage), help("it has {names}"))]
    UnknownStage { api: String, name: String, names: String },
    /// The address makes no sense.
    #[error("`{address}` is no address that can be called")]
    #[diagnostic(code(stackgen::api::address), help("a path begins with a slash, such as `/protected`"))]
    Address { address: String },
    /// The method or a header cannot be sent.
    #[error("{what} cannot be sent")]
    #[diagnostic(code(stackgen::api::request), help("a header is `Name: value`, a method a word such as `GET`"))]
    Request { what: String },
    /// The API is not there, though the stack has it.
    #[error("API `{api}` of stack `{stack}` is not there any more")]
    #[diagnostic(
        code(stackgen::api::gone),
        help(
            "it was deleted behind CloudFormation's back, which does not make it again by itself: `stackgen destroy \
             {stack}{flags}`, and deploy it again"
        )
    )]
    Gone { api: String, stack: String, flags: String },
    /// Nobody answered.
    #[error("`{url}` does not answer: {cause}")]
    #[diagnostic(code(stackgen::api::unreachable), help("see `stackgen list` for what is deployed where"))]
    Unreachable { url: String, cause: String },
    /// The answer does not end.
    #[error("the answer of `{url}` is larger than {} MiB", most >> 20)]
    #[diagnostic(code(stackgen::api::large), help("no API passes on so much at once; fetch it with another program"))]
    TooLarge { url: String, most: usize },
    /// AWS refuses.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Aws(#[from] AwsError),
}

impl Error {
    /// The same, with what a command says that means the account in which the stack is.
    #[must_use]
    pub fn with_flags(self, flags: String) -> Self {
        match self {
            Self::Gone { api, stack, .. } => Self::Gone { api, stack, flags },
            other => other,
        }
    }

    /// Whether the call was refused, and nothing was sent to the API.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::None { .. }
            | Self::Several { .. }
            | Self::Unknown { .. }
            | Self::Stages { .. }
            | Self::UnknownStage { .. }
            | Self::Address { .. }
            | Self::Request { .. } => true,
            Self::Gone { .. } | Self::Unreachable { .. } | Self::TooLarge { .. } | Self::Aws(_) => false,
        }
    }
}

impl Call {
    /// Checks what the caller wrote, before anything is sent.
    ///
    /// # Errors
    /// When the method or a header cannot be sent.
    pub fn check(&self) -> Result<(), Error> {
        method(&self.method)?;
        self.headers.iter().try_for_each(|(name, value)| {
            header_name(name)?;
            header_value(name, value).map(drop)
        })
    }
}

/// The APIs that a template declares, with their routes.
#[must_use]
pub fn apis(template: &Value) -> Vec<Api> {
    let matrix = Matrix::of(template, &BTreeMap::new());
    let of_kind = |kind| {
        // An API of another stack, to which this one adds routes, is called by that stack.
        let own = matrix.apis.iter().filter(move |(id, api)| api.kind == kind && !id.contains("${"));
        own.map(|(id, api)| Api::of(id, api, &matrix.pools))
    };
    // WebSocket APIs take no requests.
    of_kind(matrix::Kind::Http).chain(of_kind(matrix::Kind::Rest)).collect()
}

impl Api {
    fn of(id: &str, api: &matrix::Api, pools: &BTreeMap<String, Pool>) -> Self {
        let routes = api.routes.iter().filter(|(key, _)| *key == "$default" || key.contains(" /"));
        Self {
            logical_id: id.to_owned(),
            kind: if api.kind == matrix::Kind::Rest { Kind::Rest } else { Kind::Http },
            stages: api.stages.keys().cloned().collect(),
            routes: routes.map(|(key, route)| Route::of(key, &route.guard, pools)).collect(),
        }
    }
}

impl Route {
    fn of(key: &str, guard: &Guard, pools: &BTreeMap<String, Pool>) -> Self {
        let is_token = |authorization: &str| matches!(authorization, "JWT" | "COGNITO_USER_POOLS");
        let is_scoped = guard.scopes().is_some_and(|scopes| !scopes.is_empty());
        let asks = match guard {
            Guard::Jwt(_) | Guard::Cognito(_) if is_scoped => Asks::Scopes,
            Guard::Jwt(_) | Guard::Cognito(_) => Asks::Token,
            Guard::Unknown { authorization, .. } if is_token(authorization) => Asks::Token,
            Guard::Iam => Asks::Signature,
            Guard::Lambda(_) => Asks::Custom,
            Guard::Public | Guard::Connected | Guard::Unknown { .. } => Asks::Nothing,
        };
        let header = |source: &String| Some(source.split_once("request.header.")?.1.to_owned());
        let header = guard.sources().into_iter().flatten().find_map(header);
        let is_known = |scope: &&String| !scope.contains("${");
        let scopes = guard.scopes().into_iter().flatten().filter(is_known).cloned().collect();
        let header = header.unwrap_or_else(|| "authorization".to_owned());
        Self { key: key.to_owned(), asks, header, scopes, clients: clients(guard), pools: own_pools(guard, pools) }
    }
}

/// The clients of the template that a JWT authorizer names.
fn clients(guard: &Guard) -> Vec<String> {
    let Guard::Jwt(jwt) = guard else { return Vec::new() };
    let named = jwt.audiences.iter().filter_map(|audience| audience.strip_prefix("${")?.strip_suffix('}'));
    named.map(str::to_owned).collect()
}

/// The pools of the template that an authorizer names.
fn own_pools(guard: &Guard, pools: &BTreeMap<String, Pool>) -> Vec<String> {
    let is_named = |expression: &String, id: &str| expression == id || references(expression).contains(id);
    let takes = |id: &&String| match guard {
        Guard::Jwt(jwt) => is_named(&jwt.issuer, id),
        Guard::Cognito(cognito) => cognito.pools.iter().any(|pool| is_named(pool, id)),
        _ => false,
    };
    pools.keys().filter(takes).cloned().collect()
}

/// The API that a call means: the one that is named, the only one, or the only one with such a route.
///
/// # Errors
/// When none or several could be meant.
pub fn choose<'a>(stack: &str, apis: &'a [Api], name: Option<&str>, call: &Call) -> Result<&'a Api, Error> {
    let stack = stack.to_owned();
    let names = || apis.iter().map(|api| format!("`{}`", api.logical_id)).collect::<Vec<_>>().join(", ");
    if let Some(name) = name {
        let found = apis.iter().find(|api| api.logical_id == name);
        return found.ok_or_else(|| Error::Unknown { stack, name: name.to_owned(), names: names() });
    }
    if let [only] = apis {
        return Ok(only);
    }
    let mut fitting = apis.iter().filter(|api| api.routes.iter().any(|route| matches(&route.key, call)));
    match (fitting.next(), fitting.next()) {
        (Some(api), None) => Ok(api),
        (None, _) if apis.is_empty() => Err(Error::None { stack }),
        _ => Err(Error::Several { stack, names: names() }),
    }
}

/// Whether a route key takes the call. Good enough to tell two APIs apart; the gateway itself decides.
fn matches(route: &str, call: &Call) -> bool {
    let Some((method, pattern)) = route.split_once(' ') else { return false };
    let path = call.path.split(['?', '#']).next().unwrap_or_default();
    (method == "ANY" || method.eq_ignore_ascii_case(&call.method)) && path_matches(pattern, path)
}

fn path_matches(pattern: &str, path: &str) -> bool {
    let mut pattern = pattern.split('/');
    let mut path = path.split('/');
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(greedy), Some(_)) if greedy.ends_with("+}") => return true,
            (Some(segment), Some(given)) if segment == given || segment.starts_with('{') => (),
            _ => return false,
        }
    }
}

/// Base URL of a deployed API, its stage included, without a slash at the end.
///
/// # Errors
/// When it is not deployed, or its endpoint cannot be asked for.
pub async fn base_url(
    account: &Account,
    stack: &str,
    (api, stage): (&Api, &str),
    resources: &[Deployed],
) -> Result<String, Error> {
    let deployed = resources.iter().find(|resource| resource.logical_id == api.logical_id);
    let id = &deployed.ok_or_else(|| Error::None { stack: stack.to_owned() })?.physical_id;
    let stage = if stage == "$default" { String::new() } else { format!("/{stage}") };
    let Some(endpoint) = account.endpoint.as_deref().map(|endpoint| endpoint.trim_end_matches('/')) else {
        let suffix = if account.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        return Ok(format!("https://{id}.execute-api.{}.{suffix}{stage}", account.region));
    };
    let described = match api.kind {
        Kind::Http => described(account, &format!("{endpoint}/v2/apis/{id}")).await?,
        Kind::Rest => described(account, &format!("{endpoint}/restapis/{id}")).await?,
    };
    let Some(described) = described else {
        return Err(Error::Gone { api: api.logical_id.clone(), stack: stack.to_owned(), flags: String::new() });
    };
    let address = described.get("apiEndpoint").and_then(Value::as_str).map(str::to_owned);
    let address = address.unwrap_or_else(|| format!("{endpoint}/_aws/execute-api/{id}"));
    Ok(format!("{}{stage}", address.trim_end_matches('/')))
}

/// What an API says of itself; nothing when it is not there. There is no SDK client for this one question.
async fn described(account: &Account, url: &str) -> Result<Option<Value>, Error> {
    let call = Call { method: "GET".to_owned(), path: String::new(), headers: Vec::new(), body: None };
    let signed = signature(account, "apigateway", url, &call).await?;
    let answer = send(url, &Call { headers: signed, ..call }).await?;
    let described: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok((!says_missing(answer.status, &described)).then_some(described))
}

/// Whether it is API Gateway that knows no such API, and not somebody else that knows no such path.
fn says_missing(status: u16, described: &Value) -> bool {
    status == 404 && ["message", "Message"].iter().any(|member| described.get(member).is_some_and(Value::is_string))
}

/// The headers that sign a call with the account's credentials.
///
/// # Errors
/// When there are no credentials, or the request cannot be signed.
pub async fn signature(
    account: &Account,
    service: &str,
    url: &str,
    call: &Call,
) -> Result<Vec<(String, String)>, Error> {
    signature_at(account, service, url, call, SystemTime::now()).await
}

/// The same, as if it were made at another time.
pub(super) async fn signature_at(
    account: &Account,
    service: &str,
    url: &str,
    call: &Call,
    time: SystemTime,
) -> Result<Vec<(String, String)>, Error> {
    let provider = account.config.credentials_provider().ok_or(AwsError::NoCredentials)?;
    let credentials = provider.provide_credentials().await.map_err(|_| AwsError::NoCredentials)?;
    let identity: Identity = credentials.into();
    let unsignable = || Error::Request { what: format!("`{} {url}`", call.method) };
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&account.region)
        .name(service)
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| unsignable())?
        .into();
    let headers = call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = SignableBody::Bytes(call.body.as_deref().unwrap_or_default());
    let request = SignableRequest::new(&call.method, url, headers, body).map_err(|_| unsignable())?;
    let (instructions, _) = sign(request, &parameters).map_err(|_| unsignable())?.into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Sends a call to a URL.
///
/// # Errors
/// When nobody answers, the answer is too large, or the request cannot be sent.
pub async fn send(url: &str, call: &Call) -> Result<Answer, Error> {
    let address = Url::parse(url).map_err(|_| Error::Address { address: url.to_owned() })?;
    let unreachable = |error: reqwest::Error| Error::Unreachable { url: url.to_owned(), cause: innermost(&error) };
    let method = method(&call.method)?;
    let mut request = client(&address, PATIENCE).map_err(unreachable)?.request(method, address);
    for (name, value) in &call.headers {
        request = request.header(header_name(name)?, header_value(name, value)?);
    }
    if let Some(body) = &call.body {
        request = request.body(body.clone());
    }
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Ok(Answer {
        status: status.as_u16(),
        reason: status.canonical_reason().unwrap_or_default().to_owned(),
        headers,
        body: body(url, response, LARGEST_ANSWER).await?,
    })
}

/// How long an API may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The largest answer that is taken, in bytes. API Gateway passes on 10 MB.
const LARGEST_ANSWER: usize = 64 << 20;

async fn body(url: &str, mut response: Response, most: usize) -> Result<Vec<u8>, Error> {
    let unreachable = |error: reqwest::Error| Error::Unreachable { url: url.to_owned(), cause: innermost(&error) };
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            return Err(Error::TooLarge { url: url.to_owned(), most });
        }
    }
    Ok(body)
}

fn method(method: &str) -> Result<Method, Error> {
    Method::from_bytes(method.as_bytes()).map_err(|_| Error::Request { what: format!("method `{method}`") })
}

fn header_name(name: &str) -> Result<reqwest::header::HeaderName, Error> {
    name.parse().map_err(|_| Error::Request { what: format!("header `{name}`") })
}

fn header_value(name: &str, value: &str) -> Result<reqwest::header::HeaderValue, Error> {
    // The value may be a token: it is never repeated.
    value.parse().map_err(|_| Error::Request { what: format!("the value of header `{name}`") })
}

/// What calls an address. Redirects are answers too: the caller wants to see what the API says. Names under `localhost` are
/// this machine, which not every resolver knows.
pub(super) fn client(address: &Url, patience: Duration) -> reqwest::Result<reqwest::Client> {
    let mut client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("stackgen/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .timeout(patience);
    if is_loopback(address.as_str()) {
        // A proxy has nothing to do with this machine, and neither tokens nor passwords go there.
        client = client.no_proxy();
    }
    if let Some(Host::Domain(name)) = address.host().filter(|_| is_under_localhost(address)) {
        client = client.resolve(name, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    }
    client.build()
}

fn is_under_localhost(address: &Url) -> bool {
    address.host_str().is_some_and(|name| name.ends_with(".localhost"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use serde_json::{Value, json};

    use super::{
        Api, Asks, Call, Error, Kind, PATIENCE, Route, Url, apis, body, choose, client, matches, says_missing,
    };

    fn call(method: &str, path: &str) -> Call {
        Call { method: method.into(), path: path.into(), headers: Vec::new(), body: None }
    }

    fn route(key: &str, asks: Asks) -> Route {
        let header = "authorization".to_owned();
        Route { key: key.to_owned(), asks, header, scopes: Vec::new(), clients: Vec::new(), pools: Vec::new() }
    }

    fn api(id: &str, routes: &[&str]) -> Api {
        let routes = routes.iter().map(|key| route(key, Asks::Token)).collect();
        Api { logical_id: id.into(), kind: Kind::Http, stages: vec!["$default".into()], routes }
    }

    #[tokio::test]
    async fn an_answer_has_its_largest_size() {
        for (length, fits) in [(100, true), (101, false)] {
            let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
            let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
            let serving = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("there is a caller");
                let _asked = stream.read(&mut [0; 1024]).expect("it asks");
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(format!("{head}{}", "x".repeat(length)).as_bytes()).expect("it listens");
            });
            let address = Url::parse(&url).expect("it is one");
            let response =
                client(&address, PATIENCE).expect("it can be made").get(&url).send().await.expect("it answers");
            let read = body(&url, response, 100).await;
            assert_eq!(read.is_ok(), fits, "{length}");
            assert_eq!(matches!(read, Err(Error::TooLarge { most: 100, .. })), !fits, "{length}");
            serving.join().expect("it has answered");
        }
    }

    #[test]
    fn apis_are_read_from_the_deployed_template() {
        let template = json!({ "Resources": {
            "Api": { "Type": "AWS::ApiGatewayV2::Api" },
            "ApiStage": {
                "Type": "AWS::ApiGatewayV2::Stage",
                "Properties": { "ApiId": { "Ref": "Api" }, "StageName": "beta" },
            },
            "Route": {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": { "ApiId": { "Ref": "Api" }, "RouteKey": "GET /protected", "AuthorizationType": "JWT" },
            },
            "Other": { "Type": "AWS::ApiGateway::RestApi" },
            "Socket": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "ProtocolType": "WEBSOCKET" } },
        } });
        let found = apis(&template);
        assert_eq!(found[0], Api { stages: vec!["beta".into()], ..api("Api", &["GET /protected"]) });
        assert_eq!(found.len(), 2, "a WebSocket API takes no calls");
        assert_eq!((found[1].kind, found[1].stages.len()), (Kind::Rest, 0));
        assert_eq!(apis(&json!("no template")), []);
    }

    #[test]
    fn a_route_knows_its_scopes_and_whose_tokens_it_takes() {
        let template = json!({ "Resources": {
            "Api": { "Type": "AWS::ApiGatewayV2::Api" },
            "Members": {
                "Type": "AWS::ApiGatewayV2::Authorizer",
                "Properties": { "JwtConfiguration": { "Audience": [{ "Ref": "Web" }, "another"] } },
            },
            "Route": {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": { "Ref": "Api" }, "RouteKey": "GET /notes", "AuthorizationType": "JWT",
                    "AuthorizerId": { "Ref": "Members" }, "AuthorizationScopes": ["notes/read", { "Ref": "Scope" }],
                },
            },
        } });
        let [api] = apis(&template).try_into().expect("there is one");
        let (scopes, clients) = (vec!["notes/read".to_owned()], vec!["Web".to_owned()]);
        assert_eq!(api.routes, [Route { scopes, clients, ..route("GET /notes", Asks::Scopes) }]);
    }

    #[test]
    fn the_routes_of_a_rest_api_are_put_together_from_its_resources() {
        let step = |parent: Value, part: &str| {
            let properties = json!({ "RestApiId": { "Ref": "Api" }, "ParentId": parent, "PathPart": part });
            json!({ "Type": "AWS::ApiGateway::Resource", "Properties": properties })
        };
        let method = |resource: &str, method: &str, kind: &str| {
            let properties = json!({
                "RestApiId": { "Ref": "Api" },
                "ResourceId": { "Ref": resource },
                "HttpMethod": method,
                "AuthorizationType": kind,
                "AuthorizerId": { "Ref": "Token" },
            });
            json!({ "Type": "AWS::ApiGateway::Method", "Properties": properties })
        };
        let stage = |name: &str| {
            let properties = json!({ "RestApiId": { "Ref": "Api" }, "StageName": name });
            json!({ "Type": "AWS::ApiGateway::Stage", "Properties": properties })
        };
        let root = json!({ "Fn::GetAtt": ["Api", "RootResourceId"] });
        let source = json!({ "IdentitySource": "method.request.header.authToken" });
        let template = json!({ "Resources": {
            "Api": { "Type": "AWS::ApiGateway::RestApi" },
            "Token": { "Type": "AWS::ApiGateway::Authorizer", "Properties": source },
            "Notes": step(root, "notes"),
            "Note": step(json!({ "Ref": "Notes" }), "{id}"),
            "Circle": step(json!({ "Ref": "Circle" }), "x"),
            "Get": method("Note", "GET", "CUSTOM"),
            "Never": method("Circle", "GET", "NONE"),
            "B": stage("b"),
            "A": stage("a"),
        } });
        let [api] = apis(&template).try_into().expect("there is one");
        assert_eq!(api.routes, [Route { header: "authToken".into(), ..route("GET /notes/{id}", Asks::Custom) }]);
        assert_eq!(api.stages, ["a", "b"]);
        assert!(matches!(api.stage(None), Err(Error::Stages { .. })));
        assert_eq!(api.stage(Some("b")).ok(), Some("b"));
        assert!(matches!(api.stage(Some("c")), Err(Error::UnknownStage { .. })));
    }

    #[test]
    fn a_route_knows_its_pools() {
        let pools = |authorizer: Value, kind: &str| {
            let mut template = json!({ "Resources": {
                "Users": { "Type": "AWS::Cognito::UserPool" },
                "Staff": { "Type": "AWS::Cognito::UserPool" },
                "Api": { "Type": "AWS::ApiGateway::RestApi" },
                "Token": { "Type": "AWS::ApiGateway::Authorizer", "Properties": authorizer },
                "Get": {
                    "Type": "AWS::ApiGateway::Method",
                    "Properties": {
                        "RestApiId": { "Ref": "Api" }, "ResourceId": { "Fn::GetAtt": ["Api", "RootResourceId"] },
                        "HttpMethod": "GET", "AuthorizationType": kind, "AuthorizerId": { "Ref": "Token" },
                    },
                },
            } });
            let jwt = json!({ "Issuer": { "Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${Users}" } });
            if kind == "JWT" {
                let authorizer = &mut template["Resources"]["Token"];
                authorizer["Type"] = "AWS::ApiGatewayV2::Authorizer".into();
                authorizer["Properties"] = json!({ "JwtConfiguration": jwt });
                template["Resources"]["Api"]["Type"] = "AWS::ApiGatewayV2::Api".into();
                template["Resources"]["Get"] = json!({
                    "Type": "AWS::ApiGatewayV2::Route",
                    "Properties": {
                        "ApiId": { "Ref": "Api" }, "RouteKey": "GET /", "AuthorizationType": "JWT",
                        "AuthorizerId": { "Ref": "Token" },
                    },
                });
            }
            apis(&template)[0].routes[0].pools.clone()
        };
        let arn = |pool: &str| json!({ "Fn::GetAtt": [pool, "Arn"] });
        assert_eq!(pools(json!({ "ProviderARNs": [arn("Staff")] }), "COGNITO_USER_POOLS"), ["Staff"]);
        assert_eq!(
            pools(json!({ "ProviderARNs": [arn("Users"), arn("Staff")] }), "COGNITO_USER_POOLS"),
            ["Staff", "Users"]
        );
        assert_eq!(pools(json!({}), "JWT"), ["Users"]);
        assert_eq!(pools(json!({}), "NONE"), [""; 0]);
    }

    #[test]
    fn only_api_gateway_says_that_an_api_is_missing() {
        let told = json!({ "message": "Invalid API identifier specified 123456789012:a" });
        assert!(says_missing(404, &told));
        assert!(!says_missing(403, &told));
        assert!(!says_missing(404, &Value::Null), "a page of somebody else");
    }

    #[test]
    fn a_call_is_checked_before_it_is_sent() {
        assert!(call("GET", "/").check().is_ok());
        assert!(call("G T", "/").check().expect_err("it is no method").is_refusal());
        for (name, value) in [("a b", "c"), ("a", "b\nc")] {
            let call = Call { headers: vec![(name.into(), value.into())], ..call("GET", "/") };
            assert!(call.check().expect_err("it is no header").is_refusal(), "{name}");
        }
    }

    #[test]
    fn a_route_tells_which_api_is_meant() {
        let two = [api("A", &["GET /a/{id}"]), api("B", &["ANY /b/{proxy+}", "$default"])];
        let chosen =
            |name, method, path| choose("s", &two, name, &call(method, path)).map(|api| api.logical_id.clone());
        assert_eq!(chosen(None, "get", "/a/1?x=y").ok().as_deref(), Some("A"));
        assert_eq!(chosen(None, "POST", "/b/1/2").ok().as_deref(), Some("B"));
        assert_eq!(chosen(Some("B"), "GET", "/a/1").ok().as_deref(), Some("B"));
        assert!(matches!(chosen(None, "GET", "/c"), Err(Error::Several { .. })));
        assert!(matches!(chosen(Some("C"), "GET", "/c"), Err(Error::Unknown { .. })));
        assert!(matches!(choose("s", &[], None, &call("GET", "/")), Err(Error::None { .. })));
        assert!(choose("s", &two[..1], None, &call("GET", "/unknown")).is_ok(), "the only one answers for itself");
    }

    #[test]
    fn the_most_particular_route_says_what_is_asked() {
        let mut api = api("A", &["ANY /{proxy+}", "GET /notes/{id}", "GET /notes/mine", "$default"]);
        api.routes[2].asks = Asks::Scopes;
        let key = |method, path| api.route(&call(method, path)).map(|route| route.key.as_str());
        assert_eq!(key("GET", "/notes/mine"), Some("GET /notes/mine"));
        assert_eq!(key("GET", "/notes/1"), Some("GET /notes/{id}"));
        assert_eq!(key("PUT", "/notes/1"), Some("ANY /{proxy+}"));
        assert_eq!(api.route(&call("GET", "/notes/mine")).map(|route| route.asks), Some(Asks::Scopes));
    }

    #[test]
    fn a_pattern_takes_whole_segments() {
        assert!(matches("GET /notes/{id}", &call("GET", "/notes/7")));
        assert!(!matches("GET /notes/{id}", &call("GET", "/notes/7/8")));
        assert!(!matches("GET /notes", &call("PUT", "/notes")));
        assert!(!matches("$default", &call("GET", "/")));
    }
}
