//! OAuth happens at the domain of a pool.

use super::{Find, Rule, Verdict};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "oauth-without-domain",
    verdict: Verdict::Unsafe,
    title: "the pool of a client with an OAuth flow has a domain",
    why: "The sign-in pages of a pool, and where codes and secrets are exchanged for tokens, are at its domain. Without one \
          no OAuth flow gives anybody a token, and no deployment tells.",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain.html",
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
userPoolClients:
  Web:
    userPool: Users
    allowedOAuthFlows: [code]
    allowedOAuthScopes: [openid]
    callbackUrls: [https://example.com/signed-in]
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    if stack.resources.values().any(|raw| raw.kind == "AWS::Cognito::UserPoolDomain") {
        return Vec::new();
    }
    let asking = stack.user_pool_clients.iter().filter(|(_, client)| !client.allowed_oauth_flows.is_empty());
    let lost = asking.filter_map(|(id, client)| {
        let (pool_id, pool) = stack.user_pools.get_key_value(client.user_pool.id()?)?;
        pool.domain.is_none().then_some((id, pool_id))
    });
    lost.map(|(id, pool)| {
        let message = format!("`{pool}` has no domain, where OAuth happens");
        let help = format!("add `domain: {{ prefix: a-name-of-your-own }}` to `{pool}`");
        Complaint::new(&["userPoolClients", id, "allowedOAuthFlows"], message, help).at_key()
    })
    .collect()
}
