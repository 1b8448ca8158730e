//! A resource policy narrows who may call.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, of_rest_api};
use crate::model::apigateway::{EndpointType, PolicyStatement, RestApi};
use crate::model::iam::Effect;
use crate::model::{Complaint, Stack, Value};

pub(super) const RULE: Rule = Rule {
    id: "policy-for-everyone",
    verdict: Verdict::Doubtful,
    title: "a resource policy that lets everyone call says under which condition, or denies the others",
    why: "On a private API, `*` without a condition is every VPC endpoint of every account. On a route that IAM guards, it is \
          every signed caller of the own account, whether or not a policy of theirs lets them.",
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
    stack.rest_apis.iter().filter(|(id, api)| relies_on_policy(id, api)).flat_map(|(id, api)| open(id, api)).collect()
}

/// Whether the policy decides alone, or together with IAM.
fn relies_on_policy(id: &str, api: &RestApi) -> bool {
    let denies = |statement: &PolicyStatement| statement.effect == Effect::Deny;
    let is_signed = || of_rest_api(id, api).any(|door| matches!(door.decides, Some(Decider::Iam)));
    !api.policy.iter().any(denies) && (api.endpoint_type == EndpointType::Private || is_signed())
}

fn open(id: &str, api: &RestApi) -> Vec<Complaint> {
    let everyone = |it: &PolicyStatement| it.condition.is_none() && it.principals.contains(&Value::from("*"));
    let open = api.policy.iter().enumerate().filter(|(_, statement)| everyone(statement));
    open.map(|(index, _)| {
        let path = ["restApis", id, "policy", &index.to_string(), "principals"];
        let help = "name the accounts or roles, or add a `condition`";
        Complaint::new(&path, "the policy lets everyone call, without a condition", help)
    })
    .collect()
}
