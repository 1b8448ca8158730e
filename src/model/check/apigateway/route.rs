//! Rules for the routes of REST APIs.

use crate::model::apigateway::{Authorizer, Backend, HttpProxy, Mock, RestApi, Route, RouteKey, Segment};
use crate::model::{Arn, Stack};
use crate::similar::closest;

use super::super::apigatewayv2::elsewhere;
use super::super::callers::{Callers, Known};
use super::super::words::list;
use super::super::{Complaint, cognito};
use super::{is_header, is_mapping};

/// What every API has besides its own models.
const MODELS: [&str; 2] = ["Empty", "Error"];

pub(super) fn check(stack: &Stack, (id, api): (&str, &RestApi), (key, route): (&str, &Route)) -> Vec<Complaint> {
    let authorizer = route.authorizer.as_deref();
    let callers =
        Callers { section: "restApis", api: id, key, authorizer, public: route.public, scopes: &route.scopes };
    let known = Known {
        here: api.authorizers.keys().map(String::as_str).collect(),
        elsewhere: authorizer.and_then(|name| elsewhere(stack, name)),
    };
    let decides = authorizer.and_then(|name| Some((name, api.authorizers.get(name)?)));
    let mut complaints = callers.check(&known);
    complaints.extend(scopes(stack, &callers, decides));
    complaints.extend(backend(&callers, route));
    complaints.extend(parameters(&callers, route));
    complaints.extend(models(&callers, api, route));
    complaints.extend(api_key(stack, &callers, api, route, decides));
    complaints.extend(cache(&callers, api, route, decides));
    complaints
}

fn scopes(stack: &Stack, callers: &Callers, decides: Option<(&str, &Authorizer)>) -> Vec<Complaint> {
    let Some((name, authorizer)) = decides else { return Vec::new() };
    let without = |kind| callers.scopes_without_tokens(name, kind, "a Cognito authorizer").into_iter().collect();
    match authorizer {
        Authorizer::Token(_) => without("a token authorizer"),
        Authorizer::Request(_) => without("a request authorizer"),
        Authorizer::Iam(_) => without("an IAM authorizer"),
        Authorizer::Cognito(cognito) => undefined_scopes(stack, callers, &cognito.user_pools),
    }
}

/// Scopes that no token of any of the pools can ever hold would keep everyone out.
fn undefined_scopes(
    stack: &Stack,
    callers: &Callers,
    pools: &[Arn<crate::model::cognito::UserPool>],
) -> Vec<Complaint> {
    let declared: Option<Vec<_>> = pools.iter().map(|pool| stack.user_pools.get_key_value(pool.id()?)).collect();
    let Some(declared) = declared.filter(|pools| !pools.is_empty()) else { return Vec::new() };
    let known = declared.iter().flat_map(|(_, pool)| cognito::scopes(pool)).collect();
    let names = list(declared.iter().map(|(id, _)| id.as_str()));
    let first = declared.first().map_or("", |(id, _)| id.as_str());
    let unknown =
        callers.scopes.iter().enumerate().filter(|(_, scope)| !std::collections::BTreeSet::contains(&known, *scope));
    unknown
        .map(|(index, scope)| {
            let path = [callers.section, callers.api, "routes", callers.key, "scopes", &index.to_string()];
            let message = format!("no resource server of {names} defines scope `{scope}`");
            Complaint::new(&path, message, cognito::scope_help(scope, &known, first))
        })
        .collect()
}

fn backend(callers: &Callers, route: &Route) -> Vec<Complaint> {
    let given =
        [("function", route.function.is_some()), ("http", route.http.is_some()), ("mock", route.mock.is_some())];
    let mut given = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
    match (given.next(), given.next(), route.backend()) {
        (None, ..) => {
            let path = [callers.section, callers.api, "routes", callers.key];
            let help = "add `function`, or `http` for a server, or `mock` for a fixed answer";
            vec![Complaint::new(&path, "nothing says what answers", help).at_key()]
        }
        (Some(first), Some(second), _) => {
            let message = format!("both `{first}` and `{second}` would answer");
            vec![callers.at(second, message, "keep one of them").at_key()]
        }
        (_, _, Some(Backend::Http(proxy))) => http(callers, proxy).into_iter().collect(),
        (_, _, Some(Backend::Mock(mock))) => mocked(callers, mock),
        _ => Vec::new(),
    }
}

fn http(callers: &Callers, proxy: &HttpProxy) -> Option<Complaint> {
    let text = proxy.url.text()?;
    let path = [callers.section, callers.api, "routes", callers.key, "http", "url"];
    if !["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) {
        let message = format!("`{}` is not a URL that can be called", text.escape_debug());
        return Some(Complaint::new(&path, message, "write it whole: `https://example.com/{proxy}`"));
    }
    let used = text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let own = path_parameters(callers.key);
    let unknown = used.into_iter().find(|name| !own.iter().any(|it| it == name))?;
    let help = match own.as_slice() {
        [] => "the route has none".to_owned(),
        some => format!("there is {}", list(some.iter().map(String::as_str))),
    };
    Some(Complaint::new(&path, format!("the route has no parameter `{}`", unknown.escape_debug()), help))
}

fn mocked(callers: &Callers, mock: &Mock) -> Vec<Complaint> {
    let path = |name| [callers.section, callers.api, "routes", callers.key, "mock", "headers", name];
    let mut complaints = Vec::new();
    if !is_mapping(&format!("'{}'", mock.content_type)) {
        let path = [callers.section, callers.api, "routes", callers.key, "mock", "contentType"];
        let message = "a content type cannot hold single quotes and line breaks";
        complaints.push(Complaint::new(&path, message, "write it as in `text/plain`"));
    }
    for (name, value) in &mock.headers {
        if !is_header(name) {
            let message = format!("`{}` is not the name of a header", name.escape_debug());
            complaints.push(Complaint::new(&path(name), message, "write it as in `Cache-Control`").at_key());
        }
        if value.text().is_some_and(|text| !is_mapping(&format!("'{text}'"))) {
            let message = "a header cannot hold single quotes and line breaks";
            complaints.push(Complaint::new(&path(name), message, "leave them out"));
        }
    }
    complaints
}

fn path_parameters(key: &str) -> Vec<String> {
    let Ok(RouteKey::Path { segments, .. }) = RouteKey::parse(key) else { return Vec::new() };
    let named = segments.into_iter().filter_map(|segment| match segment {
        Segment::Parameter(name) | Segment::Greedy(name) => Some(name),
        Segment::Literal(_) => None,
    });
    named.collect()
}

fn parameters(callers: &Callers, route: &Route) -> Vec<Complaint> {
    let declared = route.request_parameters.keys().map(|name| (name, vec!["requestParameters", name], true));
    let keys = route.cache.iter().flat_map(|cache| &cache.key_parameters);
    let places: Vec<String> = (0..keys.clone().count()).map(|index| index.to_string()).collect();
    let keys = keys.zip(&places).map(|(name, place)| (name, vec!["cache", "keyParameters", place], false));
    let mut complaints = Vec::new();
    for (name, place, is_key) in declared.chain(keys) {
        let Some((message, help)) = parameter(callers.key, name) else { continue };
        let path: Vec<&str> = [callers.section, callers.api, "routes", callers.key].into_iter().chain(place).collect();
        let complaint = Complaint::new(&path, message, help);
        complaints.push(if is_key { complaint.at_key() } else { complaint });
    }
    complaints
}

/// What is wrong with the name of a parameter.
fn parameter(key: &str, name: &str) -> Option<(String, String)> {
    let wrong = || {
        let message = format!("`{}` is not a parameter of a request", name.escape_debug());
        (
            message,
            "write `method.request.querystring.x`, `method.request.header.X` or `method.request.path.x`".to_owned(),
        )
    };
    let Some((place, own)) = name.strip_prefix("method.request.").and_then(|rest| rest.split_once('.')) else {
        return Some(wrong());
    };
    match place {
        "path" => {
            let there = path_parameters(key);
            let help = match closest(own, there.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `method.request.path.{meant}`?"),
                None => format!("put `{{{own}}}` into the path, or remove this"),
            };
            (!there.iter().any(|it| it == own)).then(|| (format!("the path of `{key}` has no parameter `{own}`"), help))
        }
        "querystring" | "multivaluequerystring" | "header" | "multivalueheader" if is_header(own) => None,
        _ => Some(wrong()),
    }
}

fn models(callers: &Callers, api: &RestApi, route: &Route) -> Vec<Complaint> {
    let known = || api.models.keys().map(String::as_str).chain(MODELS);
    let unknown = route.request_models.iter().filter(|(_, name)| !known().any(|it| it == name.as_str()));
    unknown
        .map(|(content_type, name)| {
            let path = [callers.section, callers.api, "routes", callers.key, "requestModels", content_type];
            let help = match closest(name, known()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("declare it under `models` of `{}`", callers.api),
            };
            Complaint::new(&path, format!("API `{}` has no model `{name}`", callers.api), help)
        })
        .collect()
}

/// A route that asks for a key which nobody can have is shut.
fn api_key(
    stack: &Stack,
    callers: &Callers,
    api: &RestApi,
    route: &Route,
    decides: Option<(&str, &Authorizer)>,
) -> Option<Complaint> {
    if !route.api_key_required {
        return None;
    }
    let planned = |kind: &str| kind == "AWS::ApiGateway::UsagePlan";
    if api.usage_plans.is_empty() && !stack.resources.values().any(|resource| planned(&resource.kind)) {
        let message = "nobody could call this: a key counts only if it is in a usage plan of the API";
        return Some(callers.at("apiKeyRequired", message, "declare one under `usagePlans`, with its `apiKeys`"));
    }
    let by_authorizer = api.api_key_source == crate::model::apigateway::ApiKeySource::Authorizer;
    let is_lambda = decides.is_some_and(|(_, authorizer)| authorizer.function().is_some());
    (by_authorizer && !is_lambda).then(|| {
        let message = "the key comes from a Lambda authorizer, and the route has none";
        callers.at("apiKeyRequired", message, "name one, or write `apiKeySource: header` for the API")
    })
}

/// Answers are kept only where they can be told apart by their callers.
fn cache(callers: &Callers, api: &RestApi, route: &Route, decides: Option<(&str, &Authorizer)>) -> Option<Complaint> {
    route.cache.as_ref()?;
    if !api.stages.values().any(|stage| stage.cache.is_some()) {
        let help = "add a `cache` to one of the `stages`, or remove this";
        return Some(callers.at("cache", "no stage of the API has a cache", help).at_key());
    }
    let (name, authorizer) = decides?;
    let sources = authorizer.identity_sources();
    let told_apart = sources.iter().any(|source| source.starts_with("method.request."));
    let other = sources.iter().find(|source| source.starts_with("context."));
    if told_apart && other.is_none() {
        return None;
    }
    let message = match other {
        Some(source) => format!("answers cannot be told apart by `{source}`, which `{name}` looks at"),
        None => format!("nothing tells apart the callers that `{name}` lets in: each would see the others' answers"),
    };
    Some(callers.at("cache", message, "remove it: the function can keep answers itself").at_key())
}
