//! Simple answers belong to the newer event.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, guards};
use crate::model::apigatewayv2::PayloadFormat;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "old-simple-answers",
    verdict: Verdict::Refused,
    title: "an authorizer with simple answers receives payload format 2.0",
    why: "A function that receives format 1.0 answers with an IAM policy; API Gateway refuses an authorizer of that format \
          with simple answers.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html",
    good: "\
httpApis:
  Api:
    authorizers:
      Keys: { lambda: { function: Decide, identitySources: [$request.header.X-Key], enableSimpleResponses: true } }
    routes:
      GET /notes: { function: Notes, authorizer: Keys }
",
    bad: "\
httpApis:
  Api:
    authorizers:
      Keys:
        lambda:
          function: Decide
          identitySources: [$request.header.X-Key]
          authorizerPayloadFormatVersion: \"1.0\"
          enableSimpleResponses: true
    routes:
      GET /notes: { function: Notes, authorizer: Keys }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let found = guards(stack).filter_map(|guard| {
        let Decider::Lambda(it) = guard.decider else { return None };
        let wrong = it.enable_simple_responses && it.authorizer_payload_format_version == PayloadFormat::V1;
        let help = "remove it, or `authorizerPayloadFormatVersion`";
        wrong.then(|| guard.at(&["enableSimpleResponses"], "payload format 1.0 has no simple responses", help))
    });
    found.collect()
}
