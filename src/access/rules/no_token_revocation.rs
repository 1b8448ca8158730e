//! Who signs out is out.

use super::{Find, Rule, Verdict};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "no-token-revocation",
    verdict: Verdict::Doubtful,
    title: "refresh tokens of a client can be revoked",
    why: "A refresh token that cannot be revoked makes new tokens until it ends, also for whoever has stolen it.",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/token-revocation.html",
    good: "\
userPoolClients: { Web: { userPool: Users } }
",
    bad: "\
userPoolClients: { Web: { userPool: Users, enableTokenRevocation: false } }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let clients = stack.user_pool_clients.iter().filter(|(_, client)| !client.enable_token_revocation);
    clients
        .map(|(id, _)| {
            let path = ["userPoolClients", id, "enableTokenRevocation"];
            Complaint::new(&path, "a stolen refresh token could not be revoked", "remove it")
        })
        .collect()
}
