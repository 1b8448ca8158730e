//! Rules for addresses and domains that mail is sent from, across fields.

use crate::model::Stack;
use crate::model::ses::EmailIdentity;

use super::Complaint;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    stack.email_identities.iter().flat_map(|(id, identity)| check_identity(id, identity)).collect()
}

fn check_identity(id: &str, identity: &EmailIdentity) -> Vec<Complaint> {
    let at =
        |field: &str, message: String, help: String| Complaint::new(&["emailIdentities", id, field], message, help);
    let mut complaints = Vec::new();
    let given = identity.mail_from_domain.as_ref().and_then(|domain| domain.text());
    if let (Some(subdomain), Some(domain)) = (given, identity.domain())
        && !subdomain.strip_suffix(domain).is_some_and(|label| label.len() > 1 && label.ends_with('.'))
    {
        let message = format!("`{subdomain}` is no subdomain of `{domain}`");
        complaints.push(at("mailFromDomain", message, format!("write one, such as `mail.{domain}`")));
    }
    if identity.behavior_on_mx_failure.is_some() && identity.mail_from_domain.is_none() {
        let message = "there is no subdomain whose MX record could fail".to_owned();
        complaints.push(at("behaviorOnMxFailure", message, "add `mailFromDomain`, or remove this".to_owned()).at_key());
    }
    complaints
}
