//! What one caller was answered is not shown to another.

use super::{Find, Rule, Verdict};
use crate::model::apigateway::{Authorizer, RestApi, Route};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "answers-shared-between-callers",
    verdict: Verdict::Unsafe,
    title: "answers of a guarded route are kept only where they can be told apart by their callers",
    why: "A REST API keeps answers under the parameters that are keys of its cache. What an authorizer looks at becomes such \
          a key here, if it is a parameter of the request; signatures and the caller's address cannot be one. Then whoever \
          asks next gets what was made for somebody else.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html",
    good: "\
restApis:
  Api:
    authorizers:
      Keys: { request: { function: Decide, identitySources: [method.request.header.X-Key] } }
    routes:
      GET /notes: { function: Notes, authorizer: Keys, cache: { ttlInSeconds: 60 } }
    stages: { prod: { cache: {} } }
",
    bad: "\
restApis:
  Api:
    authorizers:
      Signed: { iam: {} }
    routes:
      GET /notes: { function: Notes, authorizer: Signed, cache: { ttlInSeconds: 60 } }
    stages: { prod: { cache: {} } }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let apis = stack.rest_apis.iter().filter(|(_, api)| api.stages.values().any(|stage| stage.cache.is_some()));
    apis.flat_map(|(id, api)| api.routes.iter().filter_map(move |(key, route)| shared(id, api, key, route))).collect()
}

fn shared(id: &str, api: &RestApi, key: &str, route: &Route) -> Option<Complaint> {
    route.cache.as_ref()?;
    let (name, authorizer) = api.authorizers.get_key_value(route.authorizer.as_ref()?)?;
    let message = not_told_apart(name, authorizer)?;
    let help = "remove it: the function can keep answers itself";
    Some(Complaint::new(&["restApis", id, "routes", key, "cache"], message, help).at_key())
}

fn not_told_apart(name: &str, authorizer: &Authorizer) -> Option<String> {
    let sources = authorizer.identity_sources();
    match sources.iter().find(|source| source.starts_with("context.")) {
        Some(source) => Some(format!("answers cannot be told apart by `{source}`, which `{name}` looks at")),
        None if sources.iter().any(|source| source.starts_with("method.request.")) => None,
        None => {
            Some(format!("nothing tells apart the callers that `{name}` lets in: each would see the others' answers"))
        }
    }
}
