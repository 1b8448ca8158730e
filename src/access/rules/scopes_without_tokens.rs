//! Scopes stand in tokens; whoever decides by anything else would never look at them.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, Door, doors};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "scopes-without-tokens",
    verdict: Verdict::Refused,
    title: "only a route whose authorizer looks at tokens asks for scopes",
    why: "Scopes are a claim of an access token, which JWT authorizers and Cognito authorizers read. An HTTP API refuses \
          scopes on a route with any other authorizer, in the middle of the deployment (aws/aws-cdk#27576); a REST API \
          takes them and never looks. On a public route nobody is asked at all.",
    page: "https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes.html",
    good: "\
httpApis:
  Api:
    authorizers:
      Keys: { lambda: { function: Decide, identitySources: [$request.header.X-Key] } }
    routes:
      GET /notes: { function: Notes, authorizer: Keys }
",
    bad: "\
httpApis:
  Api:
    authorizers:
      Keys: { lambda: { function: Decide, identitySources: [$request.header.X-Key] } }
    routes:
      GET /notes: { function: Notes, authorizer: Keys, scopes: [notes/read] }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    doors(stack).filter(|door| !door.scopes.is_empty()).filter_map(|door| pointless(&door)).collect()
}

fn pointless(door: &Door<'_>) -> Option<Complaint> {
    if door.public {
        let help = "remove them, or name an `authorizer` instead of `public`";
        return Some(door.at("scopes", "a public route asks nobody for scopes", help));
    }
    let (name, decider) = (door.authorizer?, door.decides?);
    if matches!(decider, Decider::Jwt(_) | Decider::Cognito(_)) {
        return None;
    }
    let takes = if door.section == "restApis" { "a Cognito authorizer" } else { "a JWT authorizer" };
    let message = format!("`{name}` is {}, which knows no scopes", decider.name());
    Some(door.at("scopes", message, format!("remove them, or name {takes}")))
}
