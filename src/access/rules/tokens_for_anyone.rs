//! A token is trusted only if it was made for this API.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, guards};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "tokens-for-anyone",
    verdict: Verdict::Refused,
    title: "a JWT authorizer says for whom its tokens were made",
    why: "An issuer makes tokens for many: whoever gets one for any application could call the API with it. So a JWT \
          authorizer names its audience, and API Gateway refuses one without: `clients` of a pool, `audience` of another \
          issuer.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html",
    good: "\
httpApis:
  Api:
    authorizers:
      Partners: { jwt: { issuer: \"https://issuer.example.com\", audience: [notes] } }
    routes:
      GET /notes: { function: Notes, authorizer: Partners }
",
    bad: "\
httpApis:
  Api:
    authorizers:
      Partners: { jwt: { issuer: \"https://issuer.example.com\", audience: [] } }
    routes:
      GET /notes: { function: Notes, authorizer: Partners }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let found = guards(stack).filter_map(|guard| {
        let Decider::Jwt(jwt) = guard.decider else { return None };
        let (message, help) = match (&jwt.user_pool, &jwt.issuer) {
            (Some(_), None) if jwt.clients.is_empty() => {
                ("tokens of any client of the pool would be trusted", "add `clients` with those that may call")
            }
            (None, Some(_)) if jwt.audience.is_empty() => (
                "tokens that the issuer made for anyone would be trusted",
                "add `audience` with what stands in their `aud`",
            ),
            _ => return None,
        };
        Some(guard.at(&[], message, help).at_key())
    });
    found.collect()
}
