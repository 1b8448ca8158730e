//! Somebody can get a token with the scope that a route asks for.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, Door};
use crate::access::scopes;
use crate::model::check::list;
use crate::model::cognito::UserPoolClient;
use crate::model::{Complaint, Ref, Stack};

/// The scope that a token has whose owner signed in without OAuth.
const SIGNED_IN: &str = "aws.cognito.signin.user.admin";

pub(super) const RULE: Rule = Rule {
    id: "scope-nobody-gets",
    verdict: Verdict::Unsafe,
    title: "one of the clients that an authorizer trusts can ask for a scope of the route",
    why: "A token holds the scopes that its client may ask for, and `aws.cognito.signin.user.admin` alone where its owner \
          signed in without OAuth. If no client that the authorizer trusts may ask for any scope of the route, every call \
          is answered with 403.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html",
    good: "\
userPools:
  Users: { domain: { prefix: my-notes }, resourceServers: { notes: { scopes: { read: Read notes } } } }
userPoolClients:
  Web:
    userPool: Users
    allowedOAuthFlows: [code]
    allowedOAuthScopes: [openid, notes/read]
    callbackUrls: [https://example.com/signed-in]
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /notes: { function: Notes, authorizer: Members, scopes: [notes/read] }
",
    bad: "\
userPools:
  Users: { domain: { prefix: my-notes }, resourceServers: { notes: { scopes: { read: Read notes } } } }
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /notes: { function: Notes, authorizer: Members, scopes: [notes/read] }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let defined = scopes::defined(stack);
    // What nothing defines is told by another rule.
    let is_known = |scope: &String| defined.values().any(|known| known.contains(scope));
    let asking = scopes::asking(stack).map(|(door, _)| door).filter(|door| door.scopes.iter().all(is_known));
    asking.filter_map(|door| shut(stack, &door)).collect()
}

fn shut(stack: &Stack, door: &Door<'_>) -> Option<Complaint> {
    let Decider::Jwt(jwt) = door.decides? else { return None };
    let declared = |client: &Ref<UserPoolClient>| stack.user_pool_clients.get_key_value(client.id()?);
    let clients: Vec<_> = jwt.clients.iter().map(declared).collect::<Option<_>>()?;
    if clients.iter().any(|(_, client)| gets_one(client, door.scopes)) {
        return None;
    }
    let (first, _) = clients.first()?;
    let asked = door.scopes.first()?;
    let trusted = list(clients.iter().map(|(id, _)| id.as_str()));
    let help = format!("add `{asked}` to `allowedOAuthScopes` of `{first}`, or name an authorizer of other clients");
    Some(door.at("scopes", format!("no token of {trusted} can hold one of these scopes"), help))
}

/// Whether a token of the client can hold one of the scopes.
fn gets_one(client: &UserPoolClient, scopes: &[String]) -> bool {
    let signs_in = !client.auth_flows.is_empty();
    scopes.iter().any(|scope| client.allowed_oauth_scopes.contains(scope) || (signs_in && scope == SIGNED_IN))
}
