//! How long the texts of a pool may be, and which names its pages may have.
//!
//! <https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPool.html>

use crate::model::cognito::{Domain, UserPool};

use super::Complaint;

const LONGEST_TEXT_MESSAGE: usize = 140;
const LONGEST_MAIL: usize = 20_000;
const LONGEST_DESCRIPTION: usize = 256;
/// Words that no prefix may contain:
/// <https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html>
const RESERVED: [&str; 3] = ["amazon", "aws", "cognito"];

pub(super) fn check(id: &str, pool: &UserPool) -> Vec<Complaint> {
    let mut complaints = messages(id, pool);
    complaints.extend(scopes(id, pool));
    complaints.extend(prefix(id, pool));
    complaints
}

fn messages(id: &str, pool: &UserPool) -> Vec<Complaint> {
    let mut texts = vec![(vec!["smsAuthenticationMessage"], &pool.sms_authentication_message, LONGEST_TEXT_MESSAGE)];
    if let Some(it) = &pool.verification_message {
        texts.push((vec!["verificationMessage", "emailMessage"], &it.email_message, LONGEST_MAIL));
        texts.push((vec!["verificationMessage", "emailMessageByLink"], &it.email_message_by_link, LONGEST_MAIL));
        texts.push((vec!["verificationMessage", "smsMessage"], &it.sms_message, LONGEST_TEXT_MESSAGE));
    }
    if let Some(it) = &pool.invite_message {
        texts.push((vec!["inviteMessage", "emailMessage"], &it.email_message, LONGEST_MAIL));
        texts.push((vec!["inviteMessage", "smsMessage"], &it.sms_message, LONGEST_TEXT_MESSAGE));
    }
    let long = texts.into_iter().filter_map(|(field, text, most)| {
        let length = text.as_ref()?.chars().count();
        (length > most).then_some((field, length, most))
    });
    long.map(|(field, length, most)| {
        let path: Vec<&str> = ["userPools", id].into_iter().chain(field).collect();
        let help = format!("the most is {most}: shorten it");
        Complaint::new(&path, format!("this message has {length} characters"), help)
    })
    .collect()
}

fn scopes(id: &str, pool: &UserPool) -> Vec<Complaint> {
    let all = pool.resource_servers.iter().flat_map(|(server, it)| it.scopes.iter().map(move |scope| (server, scope)));
    let wrong = all.filter(|(_, (_, text))| !(1..=LONGEST_DESCRIPTION).contains(&text.chars().count()));
    wrong
        .map(|(server, (name, text))| {
            let path = ["userPools", id, "resourceServers", server, "scopes", name];
            let message = match text.chars().count() {
                0 => "nothing says what the scope allows".to_owned(),
                length => format!("the description has {length} characters"),
            };
            Complaint::new(&path, message, format!("write 1 to {LONGEST_DESCRIPTION} characters"))
        })
        .collect()
}

fn prefix(id: &str, pool: &UserPool) -> Option<Complaint> {
    let Some(Domain::Prefix(prefix)) = &pool.domain else { return None };
    let text = prefix.text()?;
    let path = ["userPools", id, "domain", "prefix"];
    if text.starts_with('-') || text.ends_with('-') {
        let message = format!("`{}` begins or ends with a hyphen", text.escape_debug());
        return Some(Complaint::new(&path, message, "begin and end it with a letter or digit"));
    }
    let reserved = RESERVED.into_iter().find(|word| text.contains(word))?;
    let message = format!("`{}` contains `{reserved}`, which AWS keeps for itself", text.escape_debug());
    Some(Complaint::new(&path, message, "choose another prefix"))
}
