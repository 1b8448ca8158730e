//! Public must be written.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Door, authorizers, doors};
use crate::model::apigatewayv2::web_socket_api::CONNECT;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "undecided-route",
    verdict: Verdict::Refused,
    title: "a route says who may call it: it names its authorizer, or it is `public`, and not both",
    why: "API Gateway takes a route without an authorizer for one that everyone may call. Who forgets a line has opened a \
          door, and nothing tells. So silence is refused here, and what is public says so. A WebSocket API asks when a \
          client connects, on `$connect`, and without that route everyone connects.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html",
    good: "\
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /health: { function: Notes, public: true }
      GET /notes: { function: Notes, authorizer: Members }
",
    bad: "\
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /health: { function: Notes }
      GET /notes: { function: Notes, authorizer: Members }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let doors = doors(stack).filter_map(|door| match (door.authorizer, door.public) {
        (None, false) => Some(undecided(stack, &door)),
        (Some(name), true) => {
            let message = format!("`{}` has an authorizer and is public", door.key);
            let help = format!("remove `public` to have `{name}` decide, or `authorizer` to let anyone in");
            Some(door.complaint(message, help))
        }
        _ => None,
    });
    doors.chain(no_connect(stack)).collect()
}

fn undecided(stack: &Stack, door: &Door<'_>) -> Complaint {
    let help = match authorizers(stack, door.section, door.api).first() {
        Some(name) => format!("add `authorizer: {name}`, or `public: true` to let anyone in"),
        None => "declare one under `authorizers` and name it here, or add `public: true` to let anyone in".to_owned(),
    };
    let message =
        if door.key == CONNECT { "nothing says who may connect" } else { "nothing says who may call this route" };
    door.complaint(message, help)
}

/// Without `$connect`, API Gateway lets everyone connect.
fn no_connect(stack: &Stack) -> impl Iterator<Item = Complaint> {
    let silent = stack.web_socket_apis.iter().filter(|(_, api)| !api.routes.contains_key(CONNECT));
    silent.map(|(id, api)| {
        let help = match api.authorizers.keys().next() {
            Some(name) => format!("add `{CONNECT}: {{ function: ..., authorizer: {name} }}` under `routes`"),
            None => {
                format!("add `{CONNECT}` under `routes`, with an `authorizer`, or with `public: true` to let anyone in")
            }
        };
        Complaint::new(&["webSocketApis", id], "nothing says who may connect", help).at_key()
    })
}
