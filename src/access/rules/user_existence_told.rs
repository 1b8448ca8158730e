//! Nobody learns from a refusal who has an account.

use super::{Find, Rule, Verdict};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "user-existence-told",
    verdict: Verdict::Doubtful,
    title: "a client answers a wrong user name as it answers a wrong password",
    why: "Otherwise anyone can find out who has an account, one name after the other.",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-managing-errors.html",
    good: "\
userPoolClients: { Web: { userPool: Users } }
",
    bad: "\
userPoolClients: { Web: { userPool: Users, preventUserExistenceErrors: false } }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let clients = stack.user_pool_clients.iter().filter(|(_, client)| !client.prevent_user_existence_errors);
    clients
        .map(|(id, _)| {
            let path = ["userPoolClients", id, "preventUserExistenceErrors"];
            Complaint::new(&path, "anyone could find out who has an account", "remove it")
        })
        .collect()
}
