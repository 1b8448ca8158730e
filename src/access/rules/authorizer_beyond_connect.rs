//! Whoever is connected may send messages to all routes.

use super::{Find, Rule, Verdict};
use crate::model::apigatewayv2::MessageRoute;
use crate::model::apigatewayv2::web_socket_api::CONNECT;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "authorizer-beyond-connect",
    verdict: Verdict::Refused,
    title: "only `$connect` of a WebSocket API says who may",
    why: "API Gateway asks once, when a client connects, and takes every message of it from then on. It refuses an authorizer \
          on any other route, which would seem to guard it.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html",
    good: "\
webSocketApis:
  Chat:
    authorizers:
      Keys: { request: { function: Decide, identitySources: [route.request.querystring.key] } }
    routes:
      $connect: { function: Notes, authorizer: Keys }
      send: { function: Notes }
",
    bad: "\
webSocketApis:
  Chat:
    authorizers:
      Keys: { request: { function: Decide, identitySources: [route.request.querystring.key] } }
    routes:
      $connect: { function: Notes, authorizer: Keys }
      send: { function: Notes, authorizer: Keys }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let routes =
        stack.web_socket_apis.iter().flat_map(|(id, api)| api.routes.iter().map(move |(key, it)| (id, key, it)));
    routes.filter(|(_, key, _)| *key != CONNECT).filter_map(|(id, key, route)| pointless(id, key, route)).collect()
}

fn pointless(id: &str, key: &str, route: &MessageRoute) -> Option<Complaint> {
    let field = match (&route.authorizer, route.public) {
        (Some(_), _) => "authorizer",
        (None, true) => "public",
        (None, false) => return None,
    };
    let message = format!("who may send messages to `{key}` is decided when they connect");
    let help = format!("remove it, and say on `{CONNECT}` who may connect");
    Some(Complaint::new(&["webSocketApis", id, "routes", key, field], message, help))
}
