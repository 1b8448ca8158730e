//! An OAuth flow has all that it needs.

use super::{Find, Rule, Verdict};
use crate::model::cognito::{OAuthFlow, UserPoolClient};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "oauth-incomplete",
    verdict: Verdict::Refused,
    title: "a client with an OAuth flow says where users come back to and which scopes it asks for, with `openid`",
    why: "Cognito refuses a client with sign-in pages and no address to come back to, a flow without scopes, scopes without \
          a flow, and `email`, `phone` or `profile` without `openid`.",
    page: "https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html",
    good: "\
userPools: { Users: { domain: { prefix: my-notes } } }
userPoolClients:
  Web:
    userPool: Users
    allowedOAuthFlows: [code]
    allowedOAuthScopes: [openid, email]
    callbackUrls: [https://example.com/signed-in]
",
    bad: "\
userPools: { Users: { domain: { prefix: my-notes } } }
userPoolClients:
  Web: { userPool: Users, allowedOAuthFlows: [code], allowedOAuthScopes: [email] }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    stack.user_pool_clients.iter().flat_map(|(id, client)| of_client(id, client)).collect()
}

fn of_client(id: &str, client: &UserPoolClient) -> Vec<Complaint> {
    let at = |field: &str, message: &str, help: &str| Complaint::new(&["userPoolClients", id, field], message, help);
    let (flows, scopes) = (&client.allowed_oauth_flows, &client.allowed_oauth_scopes);
    let by_page = flows.contains(&OAuthFlow::Code) || flows.contains(&OAuthFlow::Implicit);
    let asks = |scope: &str| scopes.iter().any(|it| it == scope);
    let mut complaints = Vec::new();
    if by_page && client.callback_urls.is_empty() {
        let message = "users cannot be sent back to the application";
        complaints.push(at("allowedOAuthFlows", message, "add `callbackUrls`"));
    }
    if by_page && scopes.is_empty() {
        let message = "an OAuth flow needs scopes";
        complaints.push(at("allowedOAuthFlows", message, "add `allowedOAuthScopes: [openid]`"));
    }
    if flows.is_empty() && !scopes.is_empty() {
        let message = "scopes are asked for in no OAuth flow";
        complaints.push(at("allowedOAuthScopes", message, "add `allowedOAuthFlows: [code]`"));
    }
    if ["email", "phone", "profile"].iter().any(|scope| asks(scope)) && !asks("openid") {
        let message = "`email`, `phone` and `profile` come with `openid` only";
        complaints.push(at("allowedOAuthScopes", message, "add `openid`"));
    }
    complaints
}
