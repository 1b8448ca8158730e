//! A client asks for scopes that there are.

use std::collections::BTreeSet;

use super::{Find, Rule, Verdict};
use crate::access::scopes;
use crate::model::cognito::UserPoolClient;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "unknown-client-scope",
    verdict: Verdict::Unsafe,
    title: "a client asks for scopes that a resource server of its pool, or OpenID Connect, defines",
    why: "Cognito refuses a client that asks for a scope which its pool does not have, and CloudFormation takes back all \
          that it had made by then. A reason may be that the resource server is made by another stack before this one.",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-define-resource-servers.html",
    good: "\
userPools:
  Users: { domain: { prefix: my-notes }, resourceServers: { notes: { scopes: { read: Read notes } } } }
userPoolClients:
  Worker: { userPool: Users, generateSecret: true, allowedOAuthFlows: [clientCredentials], allowedOAuthScopes: [notes/read] }
",
    bad: "\
userPools:
  Users: { domain: { prefix: my-notes }, resourceServers: { notes: { scopes: { read: Read notes } } } }
userPoolClients:
  Worker: { userPool: Users, generateSecret: true, allowedOAuthFlows: [clientCredentials], allowedOAuthScopes: [notes/reed] }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let defined = scopes::defined(stack);
    let clients = stack.user_pool_clients.iter();
    let clients = clients.filter_map(|it| Some((it, defined.get_key_value(it.1.user_pool.id()?)?)));
    clients.flat_map(|((id, client), (pool, known))| of_client(id, client, pool, known)).collect()
}

fn of_client(id: &str, client: &UserPoolClient, pool: &str, known: &BTreeSet<String>) -> Vec<Complaint> {
    let unknown = client.allowed_oauth_scopes.iter().enumerate().filter(|(_, scope)| !known.contains(*scope));
    unknown
        .map(|(index, scope)| {
            let path = ["userPoolClients", id, "allowedOAuthScopes", &index.to_string()];
            let message = format!("no resource server of `{pool}` defines scope `{}`", scope.escape_debug());
            Complaint::new(&path, message, scopes::help(scope, known, pool))
        })
        .collect()
}
