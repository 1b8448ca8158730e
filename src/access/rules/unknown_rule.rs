//! A suppression names a rule that there is.

use super::{ALL, Find, Rule, Said, Verdict, named};
use crate::model::Complaint;
use crate::similar::closest;

pub(super) const RULE: Rule = Rule {
    id: "unknown-rule",
    verdict: Verdict::Refused,
    title: "a suppression names a rule of stackgen, checkov or cdk-nag",
    why: "A suppression with a slip in its name suppresses nothing, and reads as if it did. Names in small letters are those \
          of stackgen's own rules; `CKV_AWS_117` is one of checkov, `AwsSolutions-COG2` one of cdk-nag.",
    page: "https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html",
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
  CKV_AWS_117: { resources: [Notes], reason: The function reaches nothing inside a VPC. }
",
    bad: "\
suppressions:
  implicit-flw: { resources: [Web], reason: The old application cannot exchange a code. }
",
    find: Find::Suppressions(find),
};

fn find(said: &Said<'_>) -> Vec<Complaint> {
    let lost = said.stack.suppressions.keys().filter(|rule| named(rule).is_none() && !is_foreign(rule));
    lost.map(|rule| {
        let help = match closest(rule, ALL.iter().map(|rule| rule.id)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "see `stackgen explain` for the rules that there are".to_owned(),
        };
        Complaint::new(&["suppressions", rule], format!("no rule `{}`", rule.escape_debug()), help).of_name()
    })
    .collect()
}

/// Whether a name looks like a rule of checkov, `CKV2_AWS_5`, or of cdk-nag, `HIPAA.Security-IAMNoInlinePolicy`; both have
/// rules of their users' own besides.
fn is_foreign(rule: &str) -> bool {
    let begins = rule.starts_with(|c: char| c.is_ascii_uppercase());
    begins && (rule.contains(['_', '-']) || rule == "CdkNagValidationFailure")
}
