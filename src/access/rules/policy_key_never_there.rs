//! A condition can only be about what requests have.

use super::{Find, Rule, Verdict};
use crate::access::condition::{Line, lines};
use crate::model::apigateway::{EndpointType, RestApi};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "policy-key-never-there",
    verdict: Verdict::Unsafe,
    title: "a resource policy asks for the VPC where an API is private, and for the address where it is not",
    why: "Only requests to a private API have `aws:SourceVpc`, `aws:SourceVpce` and `aws:VpcSourceIp`, and those have no \
          `aws:SourceIp`. A condition on what is never there never holds, and one that says `Not` always does: whom the \
          policy means to let in stays out, and whom it means to keep out gets in.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-aws-condition-keys.html",
    good: "\
restApis:
  Api:
    policy:
      - { principals: [\"*\"] }
      - { effect: deny, principals: [\"*\"], condition: { NotIpAddress: { aws:SourceIp: 192.0.2.0/24 } } }
    routes:
      GET /notes: { function: Notes, public: true }
",
    bad: "\
restApis:
  Api:
    policy:
      - { principals: [\"*\"] }
      - { effect: deny, principals: [\"*\"], condition: { NotIpAddress: { aws:VpcSourceIp: 192.0.2.0/24 } } }
    routes:
      GET /notes: { function: Notes, public: true }
",
    find: Find::Stack(find),
};

/// What only requests to private APIs have.
const OF_VPC: [&str; 3] = ["aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp"];

/// What they have not: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.
const OF_INTERNET: [&str; 1] = ["aws:SourceIp"];

fn find(stack: &Stack) -> Vec<Complaint> {
    stack.rest_apis.iter().flat_map(|(id, api)| impossible(id, api)).collect()
}

fn impossible(id: &str, api: &RestApi) -> Vec<Complaint> {
    let is_private = api.endpoint_type == EndpointType::Private;
    let (never, requests, help) = match is_private {
        true => (OF_INTERNET.as_slice(), "requests to a private API", "ask for `aws:VpcSourceIp`"),
        false => (
            OF_VPC.as_slice(),
            "requests from the internet",
            "ask for `aws:SourceIp`, or write `endpointType: private`",
        ),
    };
    let is_never = |line: &Line<'_>| never.iter().any(|key| key.eq_ignore_ascii_case(line.key));
    let statements = api.policy.iter().enumerate();
    let found = statements.flat_map(|(index, statement)| lines(statement).map(move |line| (index, line)));
    let found = found.filter(|(_, line)| is_never(line) && !line.asks_only_if_there());
    found
        .map(|(index, line)| {
            let path = ["restApis", id, "policy", &index.to_string(), "condition", line.operator, line.key];
            Complaint::new(&path, format!("{requests} have no `{}`", line.key.escape_debug()), help).at_key()
        })
        .collect()
}
