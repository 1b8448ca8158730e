//! Two routes differ in more than the name of a parameter.

use std::collections::BTreeMap;

use super::{Find, Rule, Verdict};
use crate::model::apigatewayv2::{RouteKey, Segment};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "same-route-twice",
    verdict: Verdict::Refused,
    title: "two routes differ in more than the name of a parameter",
    why: "`/users/{id}` and `/users/{name}` match the same requests, so nothing says whose authorizer decides. API Gateway \
          refuses the second one, and a REST API refuses it for any method and for whatever comes below.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html",
    good: "\
httpApis:
  Api:
    routes:
      GET /users/{id}: { function: Notes, public: true }
      DELETE /users/{id}: { function: Notes, public: true }
",
    bad: "\
httpApis:
  Api:
    routes:
      GET /users/{id}: { function: Notes, public: true }
      GET /users/{name}: { function: Notes, public: true }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let http = stack.http_apis.iter().flat_map(|(id, api)| of_http_api(id, api.routes.keys()));
    let rest = stack.rest_apis.iter().flat_map(|(id, api)| of_rest_api(id, api.routes.keys()));
    http.chain(rest).collect()
}

fn of_http_api<'a>(id: &'a str, keys: impl Iterator<Item = &'a String>) -> Vec<Complaint> {
    let mut shapes: BTreeMap<String, &str> = BTreeMap::new();
    let repeated = keys.filter_map(|key| Some((key, shapes.insert(RouteKey::parse(key).ok()?.shape(), key)?)));
    repeated
        .map(|(key, other)| {
            let message = format!("`{key}` and `{other}` differ only in the name of a parameter");
            let help = "both match the same requests: keep one of them";
            Complaint::new(&["httpApis", id, "routes", key], message, help).of_name()
        })
        .collect()
}

fn of_rest_api<'a>(id: &'a str, keys: impl Iterator<Item = &'a String>) -> Vec<Complaint> {
    let mut places = Places::default();
    let conflicts = keys.filter_map(|key| Some((key, places.conflict(key)?)));
    conflicts
        .map(|(key, (message, help))| Complaint::new(&["restApis", id, "routes", key], message, help).of_name())
        .collect()
}

/// The parameter of each place, with the route that brought it.
#[derive(Default)]
struct Places<'a>(BTreeMap<Vec<Segment>, (Segment, &'a str)>);

impl<'a> Places<'a> {
    /// API Gateway refuses `/users/{name}/notes` beside `/users/{id}`, whatever their methods.
    fn conflict(&mut self, key: &'a str) -> Option<(String, String)> {
        let Ok(RouteKey::Path { segments, .. }) = RouteKey::parse(key) else { return None };
        for (index, segment) in segments.iter().enumerate().filter(|(_, it)| !matches!(it, Segment::Literal(_))) {
            let before = segments.iter().take(index).cloned().collect();
            let (other, route) = self.0.entry(before).or_insert_with(|| (segment.clone(), key));
            if other != segment {
                let message = format!("`{segment}` stands where `{route}` has `{other}`");
                return Some((message, format!("a REST API has one parameter in a place: write `{other}` here too")));
            }
        }
        None
    }
}
