//! A machine signs in with a secret, and for scopes.

use super::{Find, Rule, Verdict};
use crate::model::cognito::OAuthFlow;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "machine-client-incomplete",
    verdict: Verdict::Refused,
    title: "a client with `clientCredentials` has a secret and scopes of a resource server",
    why: "A machine proves who it is by its client's secret, and gets a token for scopes of resource servers only. Cognito \
          refuses a client that has the one flow without the other two.",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints-oauth-grants.html",
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
  Worker: { userPool: Users, allowedOAuthFlows: [clientCredentials] }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let machines = stack.user_pool_clients.iter();
    let machines = machines.filter(|(_, client)| client.allowed_oauth_flows.contains(&OAuthFlow::ClientCredentials));
    let mut complaints = Vec::new();
    for (id, client) in machines {
        let path = ["userPoolClients", id, "allowedOAuthFlows"];
        if !client.generate_secret {
            let message = "`clientCredentials` without a secret lets nobody in";
            complaints.push(Complaint::new(&path, message, "add `generateSecret: true`"));
        }
        if !client.allowed_oauth_scopes.iter().any(|scope| scope.contains('/')) {
            let message = "`clientCredentials` without scopes lets nobody in";
            let help = "add `allowedOAuthScopes` with a scope of a resource server, such as `notes/read`";
            complaints.push(Complaint::new(&path, message, help));
        }
    }
    complaints
}
