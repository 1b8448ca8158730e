//! An answer of an authorizer is kept for an hour at most.

use super::{Find, Rule, Verdict};
use crate::access::doors::guards;
use crate::model::{Complaint, Stack};

/// Most seconds for which an answer is kept.
const LONGEST: u32 = 3_600;

pub(super) const RULE: Rule = Rule {
    id: "authorizer-ttl",
    verdict: Verdict::Refused,
    title: "an authorizer's answer is kept for 3600 seconds at most",
    why: "API Gateway refuses a longer time. And however long it is: whoever loses a right keeps it for so long.",
    page: "https://docs.aws.amazon.com/apigateway/latest/api/API_CreateAuthorizer.html",
    good: "\
restApis:
  Api:
    authorizers:
      Keys: { token: { function: Decide, authorizerResultTtlInSeconds: 3600 } }
    routes:
      GET /notes: { function: Notes, authorizer: Keys }
",
    bad: "\
restApis:
  Api:
    authorizers:
      Keys: { token: { function: Decide, authorizerResultTtlInSeconds: 7200 } }
    routes:
      GET /notes: { function: Notes, authorizer: Keys }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let longer = guards(stack).filter(|guard| guard.decider.lifetime().is_some_and(|seconds| seconds > LONGEST));
    longer
        .map(|guard| {
            let message = format!("`authorizerResultTtlInSeconds` is greater than {LONGEST}");
            guard.at(&["authorizerResultTtlInSeconds"], message, format!("the most is {LONGEST}"))
        })
        .collect()
}
