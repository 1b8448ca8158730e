//! An answer that is kept for a route would be that of whoever called it first.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, guards};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "cache-without-caller",
    verdict: Verdict::Unsafe,
    title: "an authorizer whose answers are kept looks at something of the caller, not only at what is called",
    why: "API Gateway keeps an answer under the values of the identity sources. The route, the path, the stage and its \
          variables are the same for whoever calls: what the first caller was answered holds for everybody until it is \
          forgotten. A header, a query parameter or something of `context.identity` tells callers apart.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html",
    good: "\
httpApis:
  Api:
    authorizers:
      Keys:
        lambda:
          function: Decide
          identitySources: [$request.header.X-Key, $context.routeKey]
          enableSimpleResponses: true
          authorizerResultTtlInSeconds: 300
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
          identitySources: [$context.routeKey]
          enableSimpleResponses: true
          authorizerResultTtlInSeconds: 300
    routes:
      GET /notes: { function: Notes, authorizer: Keys }
",
    find: Find::Stack(find),
};

/// What is new with every request: what is kept under it is never found again.
const ALWAYS_NEW: [&str; 2] = ["requestId", "extendedRequestId"];

fn find(stack: &Stack) -> Vec<Complaint> {
    let found = guards(stack).filter_map(|guard| {
        let (sources, usual) = match guard.decider {
            Decider::Lambda(it) => (&it.identity_sources, "$request.header.Authorization"),
            Decider::Request(it) => (&it.identity_sources, "method.request.header.Authorization"),
            _ => return None,
        };
        let is_kept = guard.decider.lifetime().is_some_and(|seconds| seconds > 0);
        // Without any source it is another rule's.
        let is_shared = !sources.is_empty() && sources.iter().all(|source| is_the_same_for_all(source));
        let message = "answers are kept, and none of this tells one caller from another";
        let help = format!("add `{usual}`, or write `authorizerResultTtlInSeconds: 0`");
        (is_kept && is_shared).then(|| guard.at(&["identitySources"], message, help))
    });
    found.collect()
}

/// Whether an identity source has one value for all callers of a route. What is no identity source is another rule's.
fn is_the_same_for_all(source: &str) -> bool {
    let source = source.strip_prefix('$').unwrap_or(source);
    let of_context = source.strip_prefix("context.");
    let is_of_caller = |name: &str| name.starts_with("identity.") || ALWAYS_NEW.contains(&name);
    source.starts_with("stageVariables.") || of_context.is_some_and(|name| !is_of_caller(name))
}
