//! A private API says who may call it from its VPC endpoints.

use super::{Find, Rule, Verdict};
use crate::model::apigateway::EndpointType;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "private-api-without-policy",
    verdict: Verdict::Refused,
    title: "a private API has a `policy`",
    why: "A private API lets nobody in whom its resource policy does not name, and API Gateway refuses to deploy one without.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-api-create.html",
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
    routes:
      GET /notes: { function: Notes, public: true }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let closed = stack.rest_apis.iter();
    let closed = closed.filter(|(_, api)| api.endpoint_type == EndpointType::Private && api.policy.is_empty());
    closed
        .map(|(id, _)| {
            let message = "a private API without a `policy` cannot be deployed";
            let help = "add a `policy` that lets your VPC endpoint call: `condition: { StringEquals: { aws:SourceVpce: \
                        vpce-1a2b3c4d } }`";
            Complaint::new(&["restApis", id, "endpointType"], message, help)
        })
        .collect()
}
