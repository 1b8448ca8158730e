//! A route's method and path are ones that API Gateway takes.

use super::{Find, Rule, Verdict};
use crate::model::apigatewayv2::{RouteKey, RouteKeyError, Segment};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "route-key",
    verdict: Verdict::Refused,
    title: "a route's key is a method and a path that API Gateway takes",
    why: "The name of a path parameter has letters, digits and underscores, no dash and no dot, and a greedy parameter \
          takes all that is left, so it is the last. A route whose key means something else than it seems to guards \
          something else than it seems to.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html",
    good: "\
httpApis:
  Api:
    routes:
      GET /users/{user_id}: { function: Notes, public: true }
      GET /files/{path+}: { function: Notes, public: true }
",
    bad: "\
httpApis:
  Api:
    routes:
      GET /users/{user-id}: { function: Notes, public: true }
      GET /{path+}/files: { function: Notes, public: true }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let http = stack.http_apis.iter().flat_map(|(id, api)| api.routes.keys().map(move |key| (id, key)));
    let http = http.filter_map(|(id, key)| Some(told("httpApis", id, key, RouteKey::parse(key).err()?)));
    let rest = stack.rest_apis.iter().flat_map(|(id, api)| api.routes.keys().map(move |key| (id, key)));
    http.chain(rest.filter_map(|(id, key)| Some(told("restApis", id, key, of_rest_api(key)?)))).collect()
}

fn told(section: &str, id: &str, key: &str, RouteKeyError { message, help }: RouteKeyError) -> Complaint {
    Complaint::new(&[section, id, "routes", key], message, help).of_name()
}

/// REST APIs take fewer characters in a path than HTTP APIs, no empty step and no `$default`.
fn of_rest_api(key: &str) -> Option<RouteKeyError> {
    let error = |message: &str, help: &str| Some(RouteKeyError { message: message.to_owned(), help: help.to_owned() });
    match RouteKey::parse(key) {
        Err(wrong) => Some(wrong),
        Ok(RouteKey::Default) => {
            error("a REST API has no `$default` route", "write `ANY /{proxy+}`, and `ANY /` for the root")
        }
        Ok(RouteKey::Path { segments, .. }) => segments.iter().find_map(literal),
    }
}

fn literal(segment: &Segment) -> Option<RouteKeyError> {
    let Segment::Literal(text) = segment else { return None };
    if text.is_empty() {
        let (message, help) = ("a step of the path is empty", "remove the slash that is too many");
        return Some(RouteKeyError { message: message.to_owned(), help: help.to_owned() });
    }
    let wrong = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"-._:".contains(*c))?;
    let message = format!("`{}` cannot be in a path of a REST API", wrong.escape_debug());
    Some(RouteKeyError { message, help: "letters, digits, `-`, `.`, `_` and `:` can".to_owned() })
}
