//! Codes and tokens are sent over encrypted connections.

use super::{Find, Rule, Verdict};
use crate::model::cognito::UserPoolClient;
use crate::model::{Complaint, Stack, Value};

pub(super) const RULE: Rule = Rule {
    id: "insecure-redirect",
    verdict: Verdict::Refused,
    title: "users are sent to https addresses, or to this machine",
    why: "The address to which users come back carries their code, or the tokens themselves, for everyone to read who is on \
          the way. Cognito takes `http://` for localhost only, and no address with a fragment.",
    page: "https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html",
    good: "\
userPools: { Users: { domain: { prefix: my-notes } } }
userPoolClients:
  Web:
    userPool: Users
    allowedOAuthFlows: [code]
    allowedOAuthScopes: [openid]
    callbackUrls: [https://example.com/signed-in, \"http://localhost:3000/signed-in\"]
    logoutUrls: [https://example.com/]
",
    bad: "\
userPools: { Users: { domain: { prefix: my-notes } } }
userPoolClients:
  Web:
    userPool: Users
    allowedOAuthFlows: [code]
    allowedOAuthScopes: [openid]
    callbackUrls: [\"http://example.com/signed-in\"]
    logoutUrls: [\"http://example.com/\"]
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    stack.user_pool_clients.iter().flat_map(|(id, client)| of_client(id, client)).collect()
}

fn of_client(id: &str, client: &UserPoolClient) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (field, urls) in [("callbackUrls", &client.callback_urls), ("logoutUrls", &client.logout_urls)] {
        let wrong = urls.iter().enumerate().filter_map(|(index, url)| Some((index.to_string(), wrong(url)?)));
        complaints
            .extend(wrong.map(|(index, (message, help))| {
                Complaint::new(&["userPoolClients", id, field, &index], message, help)
            }));
    }
    let usual = client.default_redirect_uri.as_ref().and_then(wrong);
    let path = ["userPoolClients", id, "defaultRedirectUri"];
    complaints.extend(usual.map(|(message, help)| Complaint::new(&path, message, help)));
    complaints
}

/// What is wrong with a URL that browsers may be sent to: https, http for localhost, or an application's own scheme.
fn wrong(value: &Value) -> Option<(String, &'static str)> {
    let text = value.text()?;
    let shown = text.escape_debug();
    let Ok(url) = url::Url::parse(text) else {
        return Some((format!("`{shown}` is not a URL"), "write it whole: `https://example.com/signed-in`"));
    };
    if url.fragment().is_some() {
        return Some((format!("`{shown}` has a fragment"), "leave out what begins with `#`"));
    }
    let is_open = url.scheme() == "http" && !matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let help = "write `https://`: Cognito takes `http://` for localhost only";
    is_open.then(|| (format!("`{shown}` is not encrypted"), help))
}
