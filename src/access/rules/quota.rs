//! What AWS gives an account at first.

use super::{Find, Rule, Verdict};
use crate::access::doors::guards;
use crate::model::{Complaint, Stack};
use std::collections::BTreeMap;

pub(super) const RULE: Rule = Rule {
    id: "quota",
    verdict: Verdict::Unsafe,
    title: "an API has 10 authorizers and 300 routes or paths at most, and a pool 25 resource servers",
    why: "An account is given so many at first, and a deployment beyond that fails in its middle. AWS raises these on \
          request; that it has done so is the reason to give.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html",
    good: "\
userPools:
  Users: { resourceServers: { notes: { scopes: { read: Read notes, write: Write notes } } } }
",
    bad: "\
userPools:
  Users:
    resourceServers: { a: {}, b: {}, c: {}, d: {}, e: {}, f: {}, g: {}, h: {}, i: {}, j: {}, k: {}, l: {}, m: {},
                       n: {}, o: {}, p: {}, q: {}, r: {}, s: {}, t: {}, u: {}, v: {}, w: {}, x: {}, y: {}, z: {} }
",
    find: Find::Stack(find),
};

const AUTHORIZERS: usize = 10;
const ROUTES: usize = 300;
const RESOURCE_SERVERS: usize = 25;

fn find(stack: &Stack) -> Vec<Complaint> {
    let mut guarded: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    guards(stack).for_each(|guard| *guarded.entry((guard.section, guard.api)).or_default() += 1);
    let authorizers = guarded.into_iter().map(|((section, id), count)| Count {
        path: [section, id, "authorizers"],
        count,
        what: "authorizers",
        most: AUTHORIZERS,
        instead: "let several routes share one",
    });
    let two = "make two APIs of it, or have a `{proxy+}` take several paths";
    let http = stack.http_apis.iter().map(|(id, api)| ("httpApis", id, api.routes.len(), "routes"));
    let sockets = stack.web_socket_apis.iter().map(|(id, api)| ("webSocketApis", id, api.routes.len(), "routes"));
    let paths = "paths, all that leads to its routes included";
    let rest = stack.rest_apis.iter().map(|(id, api)| ("restApis", id, api.paths().len(), paths));
    let routes = http.chain(rest).chain(sockets).map(|(section, id, count, what)| Count {
        path: [section, id, "routes"],
        count,
        what,
        most: ROUTES,
        instead: two,
    });
    let servers = stack.user_pools.iter().map(|(id, pool)| Count {
        path: ["userPools", id, "resourceServers"],
        count: pool.resource_servers.len(),
        what: "resource servers",
        most: RESOURCE_SERVERS,
        instead: "give one of them the scopes of several",
    });
    authorizers.chain(routes).chain(servers).filter_map(|it| it.too_many()).collect()
}

/// How many there are of something that an API or a pool has.
struct Count<'a> {
    path: [&'a str; 3],
    count: usize,
    what: &'static str,
    most: usize,
    instead: &'static str,
}

impl Count<'_> {
    fn too_many(&self) -> Option<Complaint> {
        let Self { path: path @ [_, id, _], count, what, most, instead } = self;
        let message = format!("`{id}` has {count} {what}");
        let help = format!("the most is {most}: {instead}, or have AWS raise it and say so under `suppressions`");
        (count > most).then(|| Complaint::new(path, message, help).at_key())
    }
}
