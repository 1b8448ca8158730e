//! An answer that is kept for nobody in particular would be everybody's.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, guards};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "cache-without-identity",
    verdict: Verdict::Refused,
    title: "an authorizer whose answers are kept looks at something that tells callers apart",
    why: "API Gateway keeps an answer under the values of the identity sources. With none of them, what one caller was \
          answered would hold for everybody; API Gateway refuses that.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html",
    good: "\
httpApis:
  Api:
    authorizers:
      Keys:
        lambda:
          function: Decide
          identitySources: [$request.header.X-Key]
          enableSimpleResponses: true
          authorizerResultTtlInSeconds: 60
    routes:
      GET /notes: { function: Notes, authorizer: Keys }
",
    bad: "\
httpApis:
  Api:
    authorizers:
      Keys: { lambda: { function: Decide, enableSimpleResponses: true, authorizerResultTtlInSeconds: 60 } }
    routes:
      GET /notes: { function: Notes, authorizer: Keys }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let found = guards(stack).filter_map(|guard| {
        let (sources, usual) = match guard.decider {
            Decider::Lambda(it) => (&it.identity_sources, "$request.header.Authorization"),
            Decider::Request(it) => (&it.identity_sources, "method.request.header.Authorization"),
            _ => return None,
        };
        let is_kept = guard.decider.lifetime().is_some_and(|seconds| seconds > 0);
        let message = "answers would be kept, and nothing tells one caller from another";
        let help = format!("add `identitySources: [{usual}]`, or write 0");
        (is_kept && sources.is_empty()).then(|| guard.at(&["authorizerResultTtlInSeconds"], message, help))
    });
    found.collect()
}
