//! A reason that nobody asks for any more goes.

use std::collections::BTreeSet;

use super::{Find, Rule, Said, Verdict, named};
use crate::model::Complaint;
use crate::model::raw::Suppression;

pub(super) const RULE: Rule = Rule {
    id: "needless-suppression",
    verdict: Verdict::Doubtful,
    title: "every suppression of a rule suppresses something",
    why: "A suppression that is left over hides the next mistake of its kind. And some mistakes no reason makes right: \
          what AWS refuses, it refuses.",
    page: "https://github.com/cdklabs/cdk-nag#suppressing-a-rule",
    good: "\
userPools: { Users: { domain: { prefix: my-notes } } }
userPoolClients:
  Web:
    userPool: Users
    allowedOAuthFlows: [implicit]
    allowedOAuthScopes: [openid]
    callbackUrls: [https://example.com/signed-in]
suppressions:
  implicit-flow: { resources: [Web], reason: The old application cannot exchange a code. }
",
    bad: "\
userPools: { Users: { domain: { prefix: my-notes } } }
userPoolClients:
  Web:
    userPool: Users
    allowedOAuthFlows: [code]
    allowedOAuthScopes: [openid]
    callbackUrls: [https://example.com/signed-in]
suppressions:
  implicit-flow: { resources: [Web], reason: The old application cannot exchange a code. }
",
    find: Find::Suppressions(find),
};

fn find(said: &Said<'_>) -> Vec<Complaint> {
    let known = said.suppressions().filter_map(|(id, suppression)| Some((named(id)?, suppression)));
    // Whether an update needs its reason is known only when there is one.
    let known = known.filter(|(rule, _)| !rule.is_about_updates());
    known.flat_map(|(rule, suppression)| of_rule(said, rule, suppression)).collect()
}

fn of_rule(said: &Said<'_>, rule: &Rule, suppression: &Suppression) -> Vec<Complaint> {
    if rule.verdict == Verdict::Refused {
        let message = format!("no reason makes right what `{}` finds", rule.id);
        let help = "remove it, and mend what is found";
        return vec![Complaint::new(&["suppressions", rule.id], message, help).at_key()];
    }
    let found = said.found.iter().filter(|finding| finding.rule == rule);
    let meant: BTreeSet<_> = found.flat_map(|finding| said.names(finding)).collect();
    let needless = suppression.resources.iter().enumerate().filter(|(_, name)| !meant.contains(name.as_str()));
    needless
        .map(|(index, name)| {
            let path = ["suppressions", rule.id, "resources", &index.to_string()];
            let message = format!("`{}` finds nothing in `{}`", rule.id, name.escape_debug());
            Complaint::new(&path, message, "remove it")
        })
        .collect()
}
