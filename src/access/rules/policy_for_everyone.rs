//! A resource policy narrows who may call.

use super::{Find, Rule, Verdict};
use crate::access::change::power::matches;
use crate::access::condition::{Requests, lines};
use crate::access::doors::{Decider, of_rest_api};
use crate::model::apigateway::{EndpointType, PolicyStatement, RestApi};
use crate::model::iam::Effect;
use crate::model::{Complaint, Stack, Value};

pub(super) const RULE: Rule = Rule {
    id: "policy-for-everyone",
    verdict: Verdict::Doubtful,
    title: "a resource policy that lets everyone call says under which condition, or denies the others",
    why: "On a private API, `*` without a condition is every VPC endpoint of every account. On a route that IAM guards, it is \
          every signed caller of the own account, whether or not a policy of theirs lets them. A condition that holds for \
          everybody is none, and who is denied under a condition that never holds is not denied.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html",
    good: "\
restApis:
  Api:
    endpointType: private
    policy:
      - { principals: [\"*\"], condition: { StringEquals: { aws:SourceVpce: vpce-1a2b3c4d } } }
    routes:
      GET /notes: { function: Notes, public: true }
",
    bad: "\
restApis:
  Api:
    endpointType: private
    policy: [{ principals: [\"*\"] }]
    routes:
      GET /notes: { function: Notes, public: true }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    stack.rest_apis.iter().flat_map(|(id, api)| open(id, api)).collect()
}

/// What is known of the requests where the policy decides alone, or together with IAM; nothing where it does neither.
fn relying(id: &str, api: &RestApi) -> Option<Requests> {
    let are_private = api.endpoint_type == EndpointType::Private;
    let are_signed = of_rest_api(id, api).any(|door| matches!(door.decides, Some(Decider::Iam)));
    (are_private || are_signed).then_some(Requests { are_private, are_signed })
}

fn open(id: &str, api: &RestApi) -> Vec<Complaint> {
    let Some(requests) = relying(id, api) else { return Vec::new() };
    let narrowed: Vec<&str> = api.policy.iter().filter(|it| narrows(it, requests)).flat_map(routes).collect();
    let is_narrowed = |route: &str| narrowed.iter().any(|denied| matches(denied.as_bytes(), route.as_bytes()));
    let everyone =
        |it: &PolicyStatement| it.effect == Effect::Allow && is_about_everyone(it) && !asks_something(it, requests);
    let open = api.policy.iter().enumerate().filter(|(_, it)| everyone(it) && !routes(it).all(is_narrowed));
    open.map(|(index, _)| {
        let path = ["restApis", id, "policy", &index.to_string(), "principals"];
        let help = "name the accounts or roles, or add a `condition`";
        Complaint::new(&path, "the policy lets everyone call, without a condition", help)
    })
    .collect()
}

fn is_about_everyone(statement: &PolicyStatement) -> bool {
    statement.principals.contains(&Value::from("*"))
}

/// What a statement is about, however it is written.
fn routes(statement: &PolicyStatement) -> impl Iterator<Item = &str> {
    statement.routes.iter().map(|route| route.strip_prefix("execute-api:").unwrap_or(route).trim_start_matches('/'))
}

/// Whether a statement keeps out some of all callers, or all of them.
fn narrows(statement: &PolicyStatement, requests: Requests) -> bool {
    let is_idle = lines(statement).any(|line| line.holds_for_nobody(requests));
    statement.effect == Effect::Deny && is_about_everyone(statement) && !is_idle
}

/// Whether a condition holds for some callers and not for others.
fn asks_something(statement: &PolicyStatement, requests: Requests) -> bool {
    !lines(statement).all(|line| line.holds_for_everybody(requests))
}
