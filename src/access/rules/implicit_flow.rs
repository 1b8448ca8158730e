//! Tokens do not stand in addresses.

use super::{Find, Rule, Verdict};
use crate::model::cognito::OAuthFlow;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "implicit-flow",
    verdict: Verdict::Doubtful,
    title: "users sign in with the code flow",
    why: "The implicit flow puts tokens into the address of a page, where histories, logs and scripts find them. A page \
          without a secret uses a code with PKCE instead.",
    page: "https://www.rfc-editor.org/rfc/rfc9700#section-2.1.2",
    good: "\
userPools: { Users: { domain: { prefix: my-notes } } }
userPoolClients:
  Web:
    userPool: Users
    allowedOAuthFlows: [code]
    allowedOAuthScopes: [openid]
    callbackUrls: [https://example.com/signed-in]
",
    bad: "\
userPools: { Users: { domain: { prefix: my-notes } } }
userPoolClients:
  Web:
    userPool: Users
    allowedOAuthFlows: [implicit]
    allowedOAuthScopes: [openid]
    callbackUrls: [https://example.com/signed-in]
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let clients = stack.user_pool_clients.iter().filter_map(|(id, client)| {
        let index = client.allowed_oauth_flows.iter().position(|flow| *flow == OAuthFlow::Implicit)?;
        Some((id, index.to_string()))
    });
    clients
        .map(|(id, index)| {
            let path = ["userPoolClients", id, "allowedOAuthFlows", &index];
            let message = "the implicit flow puts tokens into the address of a page";
            Complaint::new(&path, message, "write `code`, which a page without a secret uses with PKCE")
        })
        .collect()
}
