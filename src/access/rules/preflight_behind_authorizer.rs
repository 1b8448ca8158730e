//! Browsers send no token when they ask beforehand.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Door, doors, of_http_api};
use crate::model::apigatewayv2::{HttpApi, RouteKey, Segment};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "preflight-behind-authorizer",
    verdict: Verdict::Unsafe,
    title: "no authorizer stands before the preflight requests of browsers",
    why: "Before a page of another origin may send a token, the browser asks with `OPTIONS`, and without the token. An \
          authorizer refuses that, and the page is shut out (aws/serverless-application-model#717). On an HTTP API with \
          `cors`, a guarded `$default` takes these requests too, unless a public `OPTIONS /{proxy+}` does.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html",
    good: "\
httpApis:
  Api:
    cors: { allowOrigins: [https://example.com], allowMethods: [\"*\"], allowHeaders: [authorization] }
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      $default: { function: Notes, authorizer: Members }
      OPTIONS /{proxy+}: { function: Notes, public: true }
",
    bad: "\
httpApis:
  Api:
    cors: { allowOrigins: [https://example.com], allowMethods: [\"*\"], allowHeaders: [authorization] }
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      $default: { function: Notes, authorizer: Members }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let refused = doors(stack).filter(|door| door.key.starts_with("OPTIONS ") && is_guarded(door));
    let refused = refused.filter(|door| has_cors(stack, door)).map(|door| refused_preflight(&door));
    let caught = stack.http_apis.iter().filter_map(|(id, api)| caught(id, api));
    refused.chain(caught).collect()
}

/// A route with both an authorizer and `public` is told by another rule.
fn is_guarded(door: &Door<'_>) -> bool {
    door.authorizer.is_some() && !door.public
}

fn has_cors(stack: &Stack, door: &Door<'_>) -> bool {
    match door.section {
        "restApis" => stack.rest_apis.get(door.api).is_some_and(|api| api.cors.is_some()),
        _ => stack.http_apis.get(door.api).is_some_and(|api| api.cors.is_some()),
    }
}

fn refused_preflight(door: &Door<'_>) -> Complaint {
    let message = format!("browsers send no token with a preflight request: `{}` would refuse it", door.key);
    let help = "remove the route, since `cors` answers such requests, or write `public: true`";
    door.at("authorizer", message, help)
}

fn takes_all_preflights(key: &str) -> bool {
    let Ok(RouteKey::Path { method, segments }) = RouteKey::parse(key) else { return false };
    method == "OPTIONS" && matches!(segments.as_slice(), [Segment::Greedy(_)])
}

/// `$default` stands behind every other route, and takes what none of them does.
fn caught(id: &str, api: &HttpApi) -> Option<Complaint> {
    api.cors.as_ref()?;
    let door = of_http_api(id, api).find(|door| door.key == "$default" && is_guarded(door))?;
    if api.routes.iter().any(|(key, route)| route.public && takes_all_preflights(key)) {
        return None;
    }
    let message = "browsers send no token with a preflight request, which `$default` takes and would refuse";
    Some(door.at("authorizer", message, "add `OPTIONS /{proxy+}: { function: ..., public: true }`"))
}
