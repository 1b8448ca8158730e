//! Scopes that no token can ever hold would keep everyone out.

use std::collections::{BTreeMap, BTreeSet};

use super::{Find, Rule, Verdict};
use crate::access::doors::Door;
use crate::access::scopes;
use crate::model::check::list;
use crate::model::cognito::UserPool;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "unknown-route-scope",
    verdict: Verdict::Unsafe,
    title: "a route asks for scopes that a resource server of the pool, or OpenID Connect, defines",
    why: "An access token holds only scopes that its pool knows. Where a route asks for another one, every call is answered \
          with 403, and no deployment tells: API Gateway takes any text for a scope.",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-define-resource-servers.html",
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
      GET /notes: { function: Notes, authorizer: Members, scopes: [notes/reed] }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let defined = scopes::defined(stack);
    scopes::asking(stack).flat_map(|(door, pools)| unknown(&door, &pools, &defined)).collect()
}

fn unknown(door: &Door<'_>, pools: &[(&str, &UserPool)], defined: &BTreeMap<&str, BTreeSet<String>>) -> Vec<Complaint> {
    let names = || pools.iter().map(|(id, _)| *id);
    let is_known = |scope: &String| names().any(|id| defined.get(id).is_some_and(|known| known.contains(scope)));
    let unknown = door.scopes.iter().enumerate().filter(|(_, scope)| !is_known(scope));
    let first = pools.first().and_then(|(id, _)| defined.get_key_value(*id));
    unknown
        .filter_map(|(index, scope)| {
            let path = [door.section, door.api, "routes", door.key, "scopes", &index.to_string()];
            let message = format!("no resource server of {} defines scope `{}`", list(names()), scope.escape_debug());
            let (id, known) = first?;
            Some(Complaint::new(&path, message, scopes::help(scope, known, id)))
        })
        .collect()
}
