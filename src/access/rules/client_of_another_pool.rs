//! A client of another pool gets tokens of another issuer.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, Guard, guards};
use crate::model::apigatewayv2::JwtAuthorizer;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "client-of-another-pool",
    verdict: Verdict::Unsafe,
    title: "the clients that an authorizer trusts belong to the pool that it trusts",
    why: "A token names the pool that issued it and the client that it was issued to. A client of another pool has tokens \
          of another issuer, which the authorizer answers with 401: for its users the door stays shut.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html",
    good: "\
userPools: { Users: {}, Staff: {} }
userPoolClients: { Web: { userPool: Users }, Office: { userPool: Staff } }
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
      Staff: { jwt: { userPool: Staff, clients: [Office] } }
    routes:
      GET /notes: { function: Notes, authorizer: Members }
      GET /users: { function: Notes, authorizer: Staff }
",
    bad: "\
userPools: { Users: {}, Staff: {} }
userPoolClients: { Web: { userPool: Users }, Office: { userPool: Staff } }
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web, Office] } }
    routes:
      GET /notes: { function: Notes, authorizer: Members }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let found = guards(stack).flat_map(|guard| match guard.decider {
        Decider::Jwt(jwt) if jwt.issuer.is_none() => foreign(stack, &guard, jwt),
        _ => Vec::new(),
    });
    found.collect()
}

fn foreign(stack: &Stack, guard: &Guard<'_>, jwt: &JwtAuthorizer) -> Vec<Complaint> {
    let Some(pool) = jwt.user_pool.as_ref().and_then(|pool| pool.id()) else { return Vec::new() };
    let owned = jwt.clients.iter().enumerate().filter_map(|(index, client)| {
        let (id, client) = stack.user_pool_clients.get_key_value(client.id()?)?;
        Some((index, id, client.user_pool.id()?))
    });
    owned
        .filter(|(_, _, owner)| *owner != pool)
        .map(|(index, id, owner)| {
            let message = format!("client `{id}` belongs to `{owner}`, not to `{pool}`");
            let help = "its tokens have another issuer: give it an authorizer of its own";
            guard.at(&["clients", &index.to_string()], message, help)
        })
        .collect()
}
