//! A route is guarded by its own API.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Door, authorizers, doors, guards};
use crate::model::check::list;
use crate::model::{Complaint, Stack};
use crate::similar::closest;
use std::collections::BTreeMap;

pub(super) const RULE: Rule = Rule {
    id: "unknown-authorizer",
    verdict: Verdict::Refused,
    title: "a route names an authorizer of its own API",
    why: "An authorizer belongs to one API. API Gateway refuses a route that names another API's, and CloudFormation finds \
          that out in the middle of the deployment.",
    page: "https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-authorizers.html",
    good: "\
httpApis:
  Admin:
    authorizers:
      Staff: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /users: { function: Notes, authorizer: Staff }
  Api:
    authorizers:
      Staff: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /notes: { function: Notes, authorizer: Staff }
",
    bad: "\
httpApis:
  Admin:
    authorizers:
      Staff: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /users: { function: Notes, authorizer: Staff }
  Api:
    routes:
      GET /notes: { function: Notes, authorizer: Staff }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let lost = doors(stack).filter(|door| !door.public && door.decides.is_none());
    let lost: Vec<_> = lost.filter_map(|door| Some((door, door.authorizer?))).collect();
    if lost.is_empty() {
        return Vec::new();
    }
    let owners: BTreeMap<&str, &str> = guards(stack).map(|guard| (guard.name, guard.api)).collect();
    lost.iter().map(|(door, name)| unknown(stack, door, name, owners.get(name).copied())).collect()
}

fn unknown(stack: &Stack, door: &Door<'_>, name: &str, owner: Option<&str>) -> Complaint {
    let known = authorizers(stack, door.section, door.api);
    let declare = format!("declare it under `authorizers` of `{}`", door.api);
    let help = match (closest(name, known.iter().copied()), owner) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, Some(owner)) => format!("it belongs to `{owner}`: {declare} as well"),
        (None, None) if known.is_empty() => declare,
        (None, None) => format!("there is {}", list(known)),
    };
    door.at("authorizer", format!("API `{}` has no authorizer `{}`", door.api, name.escape_debug()), help)
}
