//! A REST API takes ID tokens where it asks for no scopes, and access tokens where it does.

use std::collections::{BTreeMap, BTreeSet};

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, Door, of_rest_api};
use crate::access::scopes;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "cognito-route-without-scopes",
    verdict: Verdict::Doubtful,
    title: "a REST route with a Cognito authorizer asks for scopes where callers carry access tokens",
    why: "Without scopes, a Cognito authorizer of a REST API takes the request for one with an ID token, and answers an \
          access token with 401, whatever it holds (aws/aws-cdk#34401). Callers carry access tokens where other routes of \
          the authorizer ask for scopes, and where clients of the pool ask for scopes of its resource servers.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html",
    good: "\
userPools:
  Users: { domain: { prefix: my-notes }, resourceServers: { notes: { scopes: { read: Read notes } } } }
userPoolClients:
  Worker: { userPool: Users, generateSecret: true, allowedOAuthFlows: [clientCredentials], allowedOAuthScopes: [notes/read] }
restApis:
  Api:
    authorizers:
      Members: { cognito: { userPools: [Users] } }
    routes:
      GET /notes: { function: Notes, authorizer: Members, scopes: [notes/read] }
",
    bad: "\
userPools:
  Users: { domain: { prefix: my-notes }, resourceServers: { notes: { scopes: { read: Read notes } } } }
userPoolClients:
  Worker: { userPool: Users, generateSecret: true, allowedOAuthFlows: [clientCredentials], allowedOAuthScopes: [notes/read] }
restApis:
  Api:
    authorizers:
      Members: { cognito: { userPools: [Users] } }
    routes:
      GET /notes: { function: Notes, authorizer: Members }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let asking = pools_with_scopes(stack);
    stack
        .rest_apis
        .iter()
        .flat_map(|(id, api)| {
            let doors: Vec<Door<'_>> = of_rest_api(id, api).filter(|door| is_cognito(door)).collect();
            of_api(&doors, &asking)
        })
        .collect()
}

fn is_cognito(door: &Door<'_>) -> bool {
    matches!(door.decides, Some(Decider::Cognito(_)))
}

/// The pools of which a client asks for scopes that are not OpenID Connect's, each with that client.
fn pools_with_scopes(stack: &Stack) -> BTreeMap<&str, &str> {
    let asks = |scope: &String| !scopes::STANDARD.contains(&scope.as_str());
    let clients = stack.user_pool_clients.iter().filter(|(_, client)| client.allowed_oauth_scopes.iter().any(asks));
    clients.filter_map(|(id, client)| Some((client.user_pool.id()?, id.as_str()))).collect()
}

fn of_api(doors: &[Door<'_>], asking: &BTreeMap<&str, &str>) -> Vec<Complaint> {
    let scoped = doors.iter().filter(|door| !door.scopes.is_empty()).filter_map(|door| door.authorizer);
    let scoped: BTreeSet<&str> = scoped.collect();
    let silent = doors.iter().filter(|door| door.scopes.is_empty());
    silent.filter_map(|door| told(door, &scoped, asking)).collect()
}

fn told(door: &Door<'_>, scoped: &BTreeSet<&str>, asking: &BTreeMap<&str, &str>) -> Option<Complaint> {
    let Some(Decider::Cognito(cognito)) = door.decides else { return None };
    let name = door.authorizer?;
    let client = cognito.user_pools.iter().find_map(|pool| asking.get(pool.id()?));
    let why = match client {
        _ if scoped.contains(name) => format!("other routes of `{name}` ask for scopes, which only access tokens hold"),
        Some(client) => format!("client `{client}` asks for scopes, which only access tokens hold"),
        None => return None,
    };
    let help = "add `scopes`, of which the token must hold one; or keep to ID tokens, and give the reason under \
                `suppressions`";
    Some(door.complaint(format!("this route answers access tokens with 401: {why}"), help))
}
