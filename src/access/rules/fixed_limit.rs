//! What AWS gives nobody more of.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, Door, doors, guards};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "fixed-limit",
    verdict: Verdict::Refused,
    title: "a route asks for 10 scopes at most, an authorizer trusts 50 clients or audiences, a client has 50 scopes and \
            100 addresses, a resource server 100 scopes",
    why: "These are limits that AWS raises for nobody; CloudFormation learns of them in the middle of a deployment.",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html",
    good: "\
httpApis:
  Api:
    authorizers:
      Partners: { jwt: { issuer: \"https://issuer.example.com\", audience: [notes] } }
    routes:
      GET /notes: { function: Notes, authorizer: Partners, scopes: [a, b, c] }
",
    bad: "\
httpApis:
  Api:
    authorizers:
      Partners: { jwt: { issuer: \"https://issuer.example.com\", audience: [notes] } }
    routes:
      GET /notes: { function: Notes, authorizer: Partners, scopes: [a, b, c, d, e, f, g, h, i, j, k] }
",
    find: Find::Stack(find),
};

const SCOPES_OF_ROUTE: usize = 10;
const TRUSTED: usize = 50;
const SCOPES_OF_CLIENT: usize = 50;
const ADDRESSES: usize = 100;
const SCOPES_OF_SERVER: usize = 100;

fn find(stack: &Stack) -> Vec<Complaint> {
    let routes = doors(stack).filter_map(|door| of_route(&door));
    routes.chain(of_authorizers(stack)).chain(of_clients(stack)).chain(of_servers(stack)).collect()
}

/// The words for more than there may be.
fn too_many(count: usize, most: usize, what: &str) -> Option<(String, String)> {
    (count > most).then(|| (format!("there are {count} {what}"), format!("the most is {most}")))
}

fn of_route(door: &Door<'_>) -> Option<Complaint> {
    let (message, help) = too_many(door.scopes.len(), SCOPES_OF_ROUTE, "scopes")?;
    Some(door.at("scopes", message, help))
}

fn of_authorizers(stack: &Stack) -> Vec<Complaint> {
    let found = guards(stack).flat_map(|guard| {
        let Decider::Jwt(jwt) = guard.decider else { return Vec::new() };
        let lists = [("clients", jwt.clients.len()), ("audience", jwt.audience.len())];
        let found = lists.into_iter().filter_map(|(field, count)| Some((field, too_many(count, TRUSTED, field)?)));
        found.map(|(field, (message, help))| guard.at(&[field], message, help)).collect()
    });
    found.collect()
}

fn of_clients(stack: &Stack) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (id, client) in &stack.user_pool_clients {
        let lists = [
            ("allowedOAuthScopes", client.allowed_oauth_scopes.len(), SCOPES_OF_CLIENT, "scopes"),
            ("callbackUrls", client.callback_urls.len(), ADDRESSES, "addresses"),
            ("logoutUrls", client.logout_urls.len(), ADDRESSES, "addresses"),
        ];
        let found =
            lists.into_iter().filter_map(|(field, count, most, what)| Some((field, too_many(count, most, what)?)));
        complaints.extend(
            found.map(|(field, (message, help))| Complaint::new(&["userPoolClients", id, field], message, help)),
        );
    }
    complaints
}

fn of_servers(stack: &Stack) -> Vec<Complaint> {
    let servers = stack.user_pools.iter().flat_map(|(id, pool)| pool.resource_servers.iter().map(move |it| (id, it)));
    let found = servers.filter_map(|(id, (name, server))| {
        let (message, help) = too_many(server.scopes.len(), SCOPES_OF_SERVER, "scopes")?;
        Some(Complaint::new(&["userPools", id, "resourceServers", name, "scopes"], message, help))
    });
    found.collect()
}
