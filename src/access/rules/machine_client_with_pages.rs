//! Machines and people have clients of their own.

use super::{Find, Rule, Verdict};
use crate::model::cognito::OAuthFlow;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "machine-client-with-pages",
    verdict: Verdict::Refused,
    title: "a client with `clientCredentials` has no other OAuth flow",
    why: "Cognito refuses a client that is for machines and for people at once. It would be unwise anyway: its secret would \
          go to whatever runs in front of people.",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints-oauth-grants.html",
    good: "\
userPools:
  Users: { domain: { prefix: my-notes }, resourceServers: { notes: { scopes: { read: Read notes } } } }
userPoolClients:
  Page:
    userPool: Users
    allowedOAuthFlows: [code]
    allowedOAuthScopes: [openid, notes/read]
    callbackUrls: [https://example.com/signed-in]
  Worker: { userPool: Users, generateSecret: true, allowedOAuthFlows: [clientCredentials], allowedOAuthScopes: [notes/read] }
",
    bad: "\
userPools:
  Users: { domain: { prefix: my-notes }, resourceServers: { notes: { scopes: { read: Read notes } } } }
userPoolClients:
  Both:
    userPool: Users
    generateSecret: true
    allowedOAuthFlows: [code, clientCredentials]
    allowedOAuthScopes: [openid, notes/read]
    callbackUrls: [https://example.com/signed-in]
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let mixed = stack.user_pool_clients.iter().filter(|(_, client)| {
        let flows = &client.allowed_oauth_flows;
        flows.contains(&OAuthFlow::ClientCredentials) && flows.iter().any(|flow| *flow != OAuthFlow::ClientCredentials)
    });
    mixed
        .map(|(id, _)| {
            let message = "`clientCredentials` cannot be together with `code` or `implicit`";
            let help = "declare one client for machines and another one for people";
            Complaint::new(&["userPoolClients", id, "allowedOAuthFlows"], message, help)
        })
        .collect()
}
