//! A function is done before its caller has gone.

use std::collections::BTreeMap;

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, guards};
use crate::model::reference::Target;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "function-outlives-gateway",
    verdict: Verdict::Doubtful,
    title: "a function behind a route, or an authorizer, ends before API Gateway gives up on it",
    why: "API Gateway waits 30 seconds on an HTTP API, 29 seconds on REST and WebSocket APIs, and 10 seconds for a Lambda \
          authorizer of an HTTP API. A function that may run longer goes on after its caller was told of a failure: what it \
          writes then, the caller writes again. For regional and private REST APIs, AWS allows more on request: a reason \
          for a suppression.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html",
    good: "\
functions: { Notes: { crate: functions/notes, timeout: 30 } }
httpApis:
  Api:
    routes:
      PUT /notes: { function: Notes, public: true }
",
    bad: "\
functions: { Notes: { crate: functions/notes, timeout: 60 } }
httpApis:
  Api:
    routes:
      PUT /notes: { function: Notes, public: true }
",
    find: Find::Stack(find),
};

/// How many seconds who waits for a function.
type Patience = (u32, &'static str);

const HTTP_API: Patience = (30, "an HTTP API");
const REST_API: Patience = (29, "a REST API");
const WEB_SOCKET_API: Patience = (29, "a WebSocket API");
const AUTHORIZER: Patience = (10, "an HTTP API, for its authorizer,");

fn find(stack: &Stack) -> Vec<Complaint> {
    let mut least: BTreeMap<&str, Patience> = BTreeMap::new();
    for (function, patience) in awaited(stack) {
        let Some(id) = function.id() else { continue };
        least.entry(id).and_modify(|it| *it = (*it).min(patience)).or_insert(patience);
    }
    let longer = least.into_iter().filter_map(|(id, (seconds, who))| {
        let timeout = stack.functions.get(id)?.timeout;
        let message = format!("`{id}` may run for {timeout} seconds, and {who} waits {seconds}");
        let help = format!("write `timeout: {seconds}` or less; longer work goes into a queue");
        (timeout > seconds).then(|| Complaint::new(&["functions", id, "timeout"], message, help))
    });
    longer.collect()
}

/// Every function that API Gateway waits for.
fn awaited(stack: &Stack) -> impl Iterator<Item = (&Target, Patience)> {
    let http = stack.http_apis.values().flat_map(|api| api.routes.values());
    let http = http.map(|route| (route.function.target(), HTTP_API));
    let rest = stack.rest_apis.values().flat_map(|api| api.routes.values());
    let rest = rest.filter_map(|route| Some((route.function.as_ref()?.target(), REST_API)));
    let sockets = stack.web_socket_apis.values().flat_map(|api| api.routes.values());
    let sockets = sockets.map(|route| (route.function.target(), WEB_SOCKET_API));
    let deciding = guards(stack).filter_map(|guard| match guard.decider {
        Decider::Lambda(lambda) => Some((lambda.function.target(), AUTHORIZER)),
        _ => None,
    });
    http.chain(rest).chain(sockets).chain(deciding)
}
