//! Rules for the routes of REST APIs.

use crate::model::apigateway::{Backend, HttpProxy, Mock, RestApi, Route, RouteKey, Segment};
use crate::similar::closest;

use super::super::Complaint;
use super::super::words::list;
use super::{is_header, is_mapping};

/// What every API has besides its own models.
const MODELS: [&str; 2] = ["Empty", "Error"];

/// A route, and the API that it belongs to.
struct Place<'a> {
    api: &'a str,
    key: &'a str,
}

impl Place<'_> {
    fn at(&self, field: &str, message: impl Into<String>, help: impl Into<String>) -> Complaint {
        Complaint::new(&["restApis", self.api, "routes", self.key, field], message, help)
    }
}

pub(super) fn check((id, api): (&str, &RestApi), (key, route): (&str, &Route)) -> Vec<Complaint> {
    let place = Place { api: id, key };
    let mut complaints = backend(&place, route);
    complaints.extend(parameters(&place, route));
    complaints.extend(models(&place, api, route));
    complaints.extend(cache(&place, api, route));
    complaints
}

fn backend(place: &Place<'_>, route: &Route) -> Vec<Complaint> {
    let given =
        [("function", route.function.is_some()), ("http", route.http.is_some()), ("mock", route.mock.is_some())];
    let mut given = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
    match (given.next(), given.next(), route.backend()) {
        (None, ..) => {
            let path = ["restApis", place.api, "routes", place.key];
            let help = "add `function`, or `http` for a server, or `mock` for a fixed answer";
            vec![Complaint::new(&path, "nothing says what answers", help).at_key()]
        }
        (Some(first), Some(second), _) => {
            let message = format!("both `{first}` and `{second}` would answer");
            vec![place.at(second, message, "keep one of them").at_key()]
        }
        (_, _, Some(Backend::Http(proxy))) => http(place, proxy).into_iter().collect(),
        (_, _, Some(Backend::Mock(mock))) => mocked(place, mock),
        _ => Vec::new(),
    }
}

fn http(place: &Place<'_>, proxy: &HttpProxy) -> Option<Complaint> {
    let text = proxy.url.text()?;
    let path = ["restApis", place.api, "routes", place.key, "http", "url"];
    if !["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) {
        let message = format!("`{}` is not a URL that can be called", text.escape_debug());
        return Some(Complaint::new(&path, message, "write it whole: `https://example.com/{proxy}`"));
    }
    let used = text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let own = path_parameters(place.key);
    let unknown = used.into_iter().find(|name| !own.iter().any(|it| it == name))?;
    let help = match own.as_slice() {
        [] => "the route has none".to_owned(),
        some => format!("there is {}", list(some.iter().map(String::as_str))),
    };
    Some(Complaint::new(&path, format!("the route has no parameter `{}`", unknown.escape_debug()), help))
}

fn mocked(place: &Place<'_>, mock: &Mock) -> Vec<Complaint> {
    let path = |name| ["restApis", place.api, "routes", place.key, "mock", "headers", name];
    let mut complaints = Vec::new();
    if !is_mapping(&format!("'{}'", mock.content_type)) {
        let path = ["restApis", place.api, "routes", place.key, "mock", "contentType"];
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

fn parameters(place: &Place<'_>, route: &Route) -> Vec<Complaint> {
    let declared = route.request_parameters.keys().map(|name| (name, vec!["requestParameters", name], true));
    let keys = route.cache.iter().flat_map(|cache| &cache.key_parameters);
    let places: Vec<String> = (0..keys.clone().count()).map(|index| index.to_string()).collect();
    let keys = keys.zip(&places).map(|(name, index)| (name, vec!["cache", "keyParameters", index], false));
    let mut complaints = Vec::new();
    for (name, field, is_key) in declared.chain(keys) {
        let Some((message, help)) = parameter(place.key, name) else { continue };
        let path: Vec<&str> = ["restApis", place.api, "routes", place.key].into_iter().chain(field).collect();
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

fn models(place: &Place<'_>, api: &RestApi, route: &Route) -> Vec<Complaint> {
    let known = || api.models.keys().map(String::as_str).chain(MODELS);
    let unknown = route.request_models.iter().filter(|(_, name)| !known().any(|it| it == name.as_str()));
    unknown
        .map(|(content_type, name)| {
            let path = ["restApis", place.api, "routes", place.key, "requestModels", content_type];
            let help = match closest(name, known()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("declare it under `models` of `{}`", place.api),
            };
            Complaint::new(&path, format!("API `{}` has no model `{name}`", place.api), help)
        })
        .collect()
}

fn cache(place: &Place<'_>, api: &RestApi, route: &Route) -> Option<Complaint> {
    route.cache.as_ref()?;
    let is_kept = api.stages.values().any(|stage| stage.cache.is_some());
    let help = "add a `cache` to one of the `stages`, or remove this";
    (!is_kept).then(|| place.at("cache", "no stage of the API has a cache", help).at_key())
}
