//! An authorizer guards something.

use std::collections::BTreeSet;

use super::{Find, Rule, Verdict};
use crate::access::doors::{doors, guards};
use crate::model::{Complaint, Stack, ids};

pub(super) const RULE: Rule = Rule {
    id: "unused-authorizer",
    verdict: Verdict::Doubtful,
    title: "every authorizer is named by a route",
    why: "An authorizer that no route names guards nothing. Where it was meant to, a route is open or has another guard than \
          it should.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html",
    good: "\
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /notes: { function: Notes, authorizer: Members }
",
    bad: "\
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /notes: { function: Notes, public: true }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let used: BTreeSet<_> = doors(stack).filter_map(|door| Some((door.section, door.api, door.authorizer?))).collect();
    let idle = guards(stack).filter(|guard| !used.contains(&(guard.section, guard.api, guard.name)));
    let idle: Vec<_> = idle.collect();
    // What is written as CloudFormation has it may name the authorizer by its id.
    let raw = if idle.is_empty() { String::new() } else { raw(stack) };
    let idle = idle.into_iter().filter(|guard| !raw.contains(&ids::authorizer(guard.api, guard.name)));
    idle.map(|guard| {
        let help = format!("name it on a route, as in `authorizer: {}`, or remove it", guard.name);
        guard.complaint(format!("no route of `{}` asks `{}`", guard.api, guard.name), help)
    })
    .collect()
}

/// All that is written as CloudFormation has it, as one text.
fn raw(stack: &Stack) -> String {
    let resources = stack.resources.values().flat_map(|raw| raw.properties.values());
    let overrides = stack.overrides.values().flat_map(|change| change.properties.values());
    resources.chain(overrides).map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
