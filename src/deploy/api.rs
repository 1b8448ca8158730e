//! Calls to a deployed API, found by the name of its stack and the route.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use miette::Diagnostic;
use reqwest::Method;
use serde_json::Value;
use thiserror::Error;
use url::{Host, Url};

use super::aws::{Account, Error as AwsError};
use super::stack::Deployed;

/// An API in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Its id in the template.
    pub logical_id: String,
    /// Which kind it is.
    pub kind: Kind,
    /// Its stage, of which a stack of ours has one.
    pub stage: String,
    /// Its routes; those of a REST API are not read.
    pub routes: Vec<Route>,
}

/// A route of an HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its key, such as `GET /notes/{id}`.
    pub key: String,
    /// What it asks of the caller.
    pub asks: Asks,
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
#[derive(Debug, Clone)]
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
    #[diagnostic(code(stackgen::api::none), help("declare one under `httpApis` and deploy again"))]
    None { stack: String },
    /// Several APIs could be meant.
    #[error("stack `{stack}` has several APIs that could be meant: {names}")]
    #[diagnostic(code(stackgen::api::several), help("name one with `--api`"))]
    Several { stack: String, names: String },
    /// No API has that name.
    #[error("stack `{stack}` has no API `{name}`")]
    #[diagnostic(code(stackgen::api::unknown), help("it has {names}"))]
    Unknown { stack: String, name: String, names: String },
    /// The address makes no sense.
    #[error("`{address}` is no address that can be called")]
    #[diagnostic(code(stackgen::api::address), help("a path begins with a slash, such as `/protected`"))]
    Address { address: String },
    /// The method or a header cannot be sent.
    #[error("{what} cannot be sent")]
    #[diagnostic(code(stackgen::api::request), help("a header is `Name: value`, a method a word such as `GET`"))]
    Request { what: String },
    /// Nobody answered.
    #[error("`{url}` does not answer: {cause}")]
    #[diagnostic(code(stackgen::api::unreachable), help("see `stackgen list` for what is deployed where"))]
    Unreachable { url: String, cause: String },
    /// AWS refuses.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Aws(#[from] AwsError),
}

/// The APIs that a template declares, with their routes.
#[must_use]
pub fn apis(template: &Value) -> Vec<Api> {
    let resources = template.get("Resources").and_then(Value::as_object);
    let of_type = |wanted: &str| -> BTreeMap<&str, &Value> {
        let all = resources.into_iter().flatten();
        all.filter(|(_, resource)| resource.get("Type").and_then(Value::as_str) == Some(wanted))
            .map(|(id, resource)| (id.as_str(), resource.get("Properties").unwrap_or(&Value::Null)))
            .collect()
    };
    let routes = of_type("AWS::ApiGatewayV2::Route");
    let http_stages = of_type("AWS::ApiGatewayV2::Stage");
    let rest_stages = of_type("AWS::ApiGateway::Stage");
    let http = of_type("AWS::ApiGatewayV2::Api").into_keys().map(|id| Api {
        logical_id: id.to_owned(),
        kind: Kind::Http,
        stage: stage(&http_stages, "ApiId", id).unwrap_or("$default").to_owned(),
        routes: routes
            .values()
            .filter(|route| refers(route, "ApiId", id))
            .filter_map(|route| route_of(route))
            .collect(),
    });
    let rest = of_type("AWS::ApiGateway::RestApi").into_keys().map(|id| Api {
        logical_id: id.to_owned(),
        kind: Kind::Rest,
        stage: stage(&rest_stages, "RestApiId", id).unwrap_or("prod").to_owned(),
        routes: Vec::new(),
    });
    http.chain(rest).collect()
}

fn route_of(properties: &Value) -> Option<Route> {
    let text = |name: &str| properties.get(name).and_then(Value::as_str);
    let is_scoped = properties.get("AuthorizationScopes").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let asks = match text("AuthorizationType") {
        Some("JWT") if is_scoped => Asks::Scopes,
        Some("JWT") => Asks::Token,
        Some("AWS_IAM") => Asks::Signature,
        Some("CUSTOM") => Asks::Custom,
        _ => Asks::Nothing,
    };
    Some(Route { key: text("RouteKey")?.to_owned(), asks })
}

fn refers(properties: &Value, property: &str, id: &str) -> bool {
    properties.get(property).and_then(|value| value.get("Ref")).and_then(Value::as_str) == Some(id)
}

fn stage<'a>(stages: &BTreeMap<&str, &'a Value>, property: &str, api: &str) -> Option<&'a str> {
    let stage = stages.values().find(|stage| refers(stage, property, api))?;
    stage.get("StageName").and_then(Value::as_str)
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
pub async fn base_url(account: &Account, stack: &str, api: &Api, resources: &[Deployed]) -> Result<String, Error> {
    let deployed = resources.iter().find(|resource| resource.logical_id == api.logical_id);
    let id = &deployed.ok_or_else(|| Error::None { stack: stack.to_owned() })?.physical_id;
    let stage = if api.stage == "$default" { String::new() } else { format!("/{}", api.stage) };
    let Some(endpoint) = &account.endpoint else {
        let suffix = if account.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        return Ok(format!("https://{id}.execute-api.{}.{suffix}{stage}", account.region));
    };
    let address = match api.kind {
        Kind::Http => own_address(account, endpoint, id).await?,
        Kind::Rest => None,
    };
    let address = address.unwrap_or_else(|| format!("{endpoint}/_aws/execute-api/{id}"));
    Ok(format!("{}{stage}", address.trim_end_matches('/')))
}

/// What an HTTP API says of its own address. There is no SDK client for this one question.
async fn own_address(account: &Account, endpoint: &str, id: &str) -> Result<Option<String>, Error> {
    let url = format!("{}/v2/apis/{id}", endpoint.trim_end_matches('/'));
    let call = Call { method: "GET".to_owned(), path: String::new(), headers: Vec::new(), body: None };
    let signed = signature(account, "apigateway", &url, &call).await?;
    let answer = send(&url, &Call { headers: signed, ..call }).await?;
    let described: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(described.get("apiEndpoint").and_then(Value::as_str).map(str::to_owned))
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
    let provider = account.config.credentials_provider().ok_or(AwsError::NoCredentials)?;
    let credentials = provider.provide_credentials().await.map_err(|_| AwsError::NoCredentials)?;
    let identity: Identity = credentials.into();
    let unsignable = || Error::Request { what: format!("`{} {url}`", call.method) };
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&account.region)
        .name(service)
        .time(SystemTime::now())
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
/// When nobody answers, or the request cannot be sent.
pub async fn send(url: &str, call: &Call) -> Result<Answer, Error> {
    let address = Url::parse(url).map_err(|_| Error::Address { address: url.to_owned() })?;
    let unreachable = |error: reqwest::Error| Error::Unreachable { url: url.to_owned(), cause: innermost(&error) };
    let method = Method::from_bytes(call.method.as_bytes());
    let method = method.map_err(|_| Error::Request { what: format!("method `{}`", call.method) })?;
    let mut request = client(&address).map_err(unreachable)?.request(method, address);
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
        body: response.bytes().await.map_err(unreachable)?.to_vec(),
    })
}

fn header_name(name: &str) -> Result<reqwest::header::HeaderName, Error> {
    name.parse().map_err(|_| Error::Request { what: format!("header `{name}`") })
}

fn header_value(name: &str, value: &str) -> Result<reqwest::header::HeaderValue, Error> {
    // The value may be a token: it is never repeated.
    value.parse().map_err(|_| Error::Request { what: format!("the value of header `{name}`") })
}

/// Redirects are answers too: the caller wants to see what the API says. Names under `localhost` are this machine, which
/// not every resolver knows.
fn client(address: &Url) -> reqwest::Result<reqwest::Client> {
    let mut client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("stackgen/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(60));
    if let Some(Host::Domain(name)) = address.host().filter(|_| is_under_localhost(address)) {
        client = client.no_proxy().resolve(name, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    }
    client.build()
}

fn is_under_localhost(address: &Url) -> bool {
    address.host_str().is_some_and(|name| name.ends_with(".localhost"))
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Api, Asks, Call, Error, Kind, Route, apis, choose, matches};

    fn call(method: &str, path: &str) -> Call {
        Call { method: method.into(), path: path.into(), headers: Vec::new(), body: None }
    }

    fn api(id: &str, routes: &[&str]) -> Api {
        let routes = routes.iter().map(|key| Route { key: key.to_string(), asks: Asks::Token }).collect();
        Api { logical_id: id.into(), kind: Kind::Http, stage: "$default".into(), routes }
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
        } });
        let found = apis(&template);
        assert_eq!(found[0], Api { stage: "beta".into(), ..api("Api", &["GET /protected"]) });
        assert_eq!((found[1].kind, found[1].stage.as_str()), (Kind::Rest, "prod"));
        assert_eq!(apis(&json!("no template")), []);
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
