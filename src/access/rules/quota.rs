//! What AWS gives an account at first.

use super::{Find, Rule, Verdict};
use crate::access::doors::guards;
use crate::model::apigateway::{PolicyStatement, RestApi};
use crate::model::{Complaint, Stack};
use std::collections::BTreeMap;

pub(super) const RULE: Rule = Rule {
    id: "quota",
    verdict: Verdict::Unsafe,
    title: "an API has 10 authorizers, 10 stages, 300 routes or paths and 8,192 characters of policy at most, a usage \
            plan 20 routes with a throttle, an API key 10 plans, a pool 25 resource servers, and a stack 120 custom \
            domains and 300 usage plans",
    why: "An account is given so many at first, and a deployment beyond that fails in its middle. AWS raises these on \
          request; that it has done so is the reason to give.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html",
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
const STAGES: usize = 10;
const DOMAINS: usize = 120;
const POLICY: usize = 8_192;
const PLANS: usize = 300;
const PLANS_OF_KEY: usize = 10;
const ROUTES_OF_PLAN: usize = 20;
const RESOURCE_SERVERS: usize = 25;

fn find(stack: &Stack) -> Vec<Complaint> {
    let apis = apis(stack);
    let of_apis = [authorizers(stack), routes(&apis), stages(&apis), domains(&apis)];
    let of_rest_apis = [plans(stack), stack.rest_apis.iter().flat_map(of_rest_api).collect()];
    let counts = of_apis.into_iter().chain(of_rest_apis).flatten().chain(servers(stack));
    counts.filter_map(|it| it.too_many()).collect()
}

/// An API of any kind, and how much it has.
struct Api<'a> {
    section: &'static str,
    id: &'a str,
    routes: usize,
    /// What its routes are counted as.
    steps: &'static str,
    stages: usize,
    has_domain: bool,
}

impl<'a> Api<'a> {
    fn path(&self, field: &'static str) -> Vec<&'a str> {
        vec![self.section, self.id, field]
    }
}

fn apis(stack: &Stack) -> Vec<Api<'_>> {
    let http = stack.http_apis.iter().map(|(id, api)| Api {
        section: "httpApis",
        id,
        routes: api.routes.len(),
        steps: "routes",
        stages: api.stages.len(),
        has_domain: api.custom_domain.is_some(),
    });
    let rest = stack.rest_apis.iter().map(|(id, api)| Api {
        section: "restApis",
        id,
        routes: api.paths().len(),
        steps: "paths, all that leads to its routes included",
        stages: api.stages.len(),
        has_domain: api.custom_domain.is_some(),
    });
    let sockets = stack.web_socket_apis.iter().map(|(id, api)| Api {
        section: "webSocketApis",
        id,
        routes: api.routes.len(),
        steps: "routes",
        stages: api.stages.len(),
        has_domain: api.custom_domain.is_some(),
    });
    http.chain(rest).chain(sockets).collect()
}

fn authorizers(stack: &Stack) -> Vec<Count<'_>> {
    let mut guarded: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    guards(stack).for_each(|guard| *guarded.entry((guard.section, guard.api)).or_default() += 1);
    let count = |((section, id), count)| Count {
        path: vec![section, id, "authorizers"],
        count,
        what: "authorizers",
        most: AUTHORIZERS,
        instead: "let several routes share one",
    };
    guarded.into_iter().map(count).collect()
}

fn routes<'a>(apis: &[Api<'a>]) -> Vec<Count<'a>> {
    let count = |api: &Api<'a>| Count {
        path: api.path("routes"),
        count: api.routes,
        what: api.steps,
        most: ROUTES,
        instead: "make two APIs of it, or have a `{proxy+}` take several paths",
    };
    apis.iter().map(count).collect()
}

fn stages<'a>(apis: &[Api<'a>]) -> Vec<Count<'a>> {
    let count = |api: &Api<'a>| Count {
        path: api.path("stages"),
        count: api.stages,
        what: "stages",
        most: STAGES,
        instead: "make several stacks of it",
    };
    apis.iter().map(count).collect()
}

/// An account has so many in a region, so that each API that has one is told of all.
fn domains<'a>(apis: &[Api<'a>]) -> Vec<Count<'a>> {
    let all = apis.iter().filter(|api| api.has_domain).count();
    let count = |api: &Api<'a>| Count {
        path: api.path("customDomain"),
        count: all,
        what: "custom domains, those of the stack's other APIs included",
        most: DOMAINS,
        instead: "put several APIs below one domain",
    };
    apis.iter().filter(|api| api.has_domain).map(count).collect()
}

/// An account has so many in a region, so that each API that has some is told of all.
fn plans(stack: &Stack) -> Vec<Count<'_>> {
    let all = stack.rest_apis.values().map(|api| api.usage_plans.len()).sum();
    let with_some = stack.rest_apis.iter().filter(|(_, api)| !api.usage_plans.is_empty());
    let counts = with_some.map(|(id, _)| Count {
        path: vec!["restApis", id, "usagePlans"],
        count: all,
        what: "usage plans, those of the stack's other APIs included",
        most: PLANS,
        instead: "let several keys share one",
    });
    counts.collect()
}

fn of_rest_api<'a>((id, api): (&'a String, &'a RestApi)) -> Vec<Count<'a>> {
    let policy = Count {
        path: vec!["restApis", id, "policy"],
        count: PolicyStatement::document(&api.policy).to_string().len(),
        what: "characters of policy",
        most: POLICY,
        instead: "name groups of routes with `*`",
    };
    let throttles = api.usage_plans.iter().map(|(name, plan)| Count {
        path: vec!["restApis", id, "usagePlans", name, "routes"],
        count: plan.routes.len(),
        what: "routes with a throttle of their own in one usage plan",
        most: ROUTES_OF_PLAN,
        instead: "let the plan's own throttle hold for some of them",
    });
    let keys = api.api_keys.keys().map(|key| Count {
        path: vec!["restApis", id, "apiKeys", key],
        count: api.usage_plans.values().filter(|plan| plan.api_keys.contains(key)).count(),
        what: "usage plans for one API key",
        most: PLANS_OF_KEY,
        instead: "give the caller another key",
    });
    std::iter::once(policy).chain(throttles).chain(keys).collect()
}

fn servers(stack: &Stack) -> impl Iterator<Item = Count<'_>> {
    stack.user_pools.iter().map(|(id, pool)| Count {
        path: vec!["userPools", id, "resourceServers"],
        count: pool.resource_servers.len(),
        what: "resource servers",
        most: RESOURCE_SERVERS,
        instead: "give one of them the scopes of several",
    })
}

/// How many there are of something that an API or a pool has.
struct Count<'a> {
    path: Vec<&'a str>,
    count: usize,
    what: &'static str,
    most: usize,
    instead: &'static str,
}

impl Count<'_> {
    fn too_many(&self) -> Option<Complaint> {
        let Self { path, count, what, most, instead } = self;
        let message = format!("`{}` has {count} {what}", path.get(1)?);
        let help = format!("the most is {most}: {instead}, or have AWS raise it and say so under `suppressions`");
        (count > most).then(|| Complaint::new(path, message, help).at_key())
    }
}
