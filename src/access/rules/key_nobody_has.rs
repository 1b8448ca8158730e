//! A route that asks for an API key can be called.

use super::{Find, Rule, Verdict};
use crate::model::apigateway::{ApiKeySource, RestApi, Route};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "key-nobody-has",
    verdict: Verdict::Unsafe,
    title: "a route that asks for an API key belongs to an API with a usage plan",
    why: "A key counts only if it is in a usage plan of the API, and where keys come from a Lambda authorizer, a route without \
          one has none: every call is answered with 403. A reason may be that another stack has the plan.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html",
    good: "\
restApis:
  Api:
    routes:
      GET /notes: { function: Notes, public: true, apiKeyRequired: true }
    usagePlans: { Basic: { apiKeys: [Partner] } }
    apiKeys: { Partner: {} }
",
    bad: "\
restApis:
  Api:
    routes:
      GET /notes: { function: Notes, public: true, apiKeyRequired: true }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let planned = stack.resources.values().any(|raw| raw.kind == "AWS::ApiGateway::UsagePlan");
    let routes = stack.rest_apis.iter().flat_map(|(id, api)| api.routes.iter().map(move |route| (id, api, route)));
    let asking = routes.filter(|(_, _, (_, route))| route.api_key_required);
    let shut = asking.filter_map(|(id, api, (key, route))| {
        let unplanned = if planned { None } else { no_plan(api) };
        let (message, help) = unplanned.or_else(|| no_authorizer(api, route))?;
        Some(Complaint::new(&["restApis", id, "routes", key, "apiKeyRequired"], message, help))
    });
    shut.collect()
}

fn no_plan(api: &RestApi) -> Option<(&'static str, &'static str)> {
    let message = "nobody could call this: a key counts only if it is in a usage plan of the API";
    api.usage_plans.is_empty().then_some((message, "declare one under `usagePlans`, with its `apiKeys`"))
}

fn no_authorizer(api: &RestApi, route: &Route) -> Option<(&'static str, &'static str)> {
    let authorizer = route.authorizer.as_ref().and_then(|name| api.authorizers.get(name));
    let finds_key = authorizer.is_some_and(|authorizer| authorizer.function().is_some());
    let message = "the key comes from a Lambda authorizer, and the route has none";
    let help = "name one, or write `apiKeySource: header` for the API";
    (api.api_key_source == ApiKeySource::Authorizer && !finds_key).then_some((message, help))
}
