//! Usage plans and API keys.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{Synthesis, properties};
use crate::model::apigateway::{RestApi, Throttle, UsagePlan};
use crate::model::ids;
use crate::template::{Resource, function};

pub(super) fn add(synthesis: &mut Synthesis, api: &str, declared: &RestApi) {
    for (name, key) in &declared.api_keys {
        let mut resource = Resource::new("AWS::ApiGateway::ApiKey");
        resource.properties = properties(key);
        synthesis.resource(&ids::api_key(api, name), resource);
    }
    for (name, plan) in &declared.usage_plans {
        synthesis.resource(&ids::usage_plan(api, name), usage_plan(api, declared, name, plan));
        for key in &plan.api_keys {
            let held = Resource::new("AWS::ApiGateway::UsagePlanKey")
                .property("KeyId", function::reference(&ids::api_key(api, key)))
                .property("KeyType", "API_KEY")
                .property("UsagePlanId", function::reference(&ids::usage_plan(api, name)));
            synthesis.resource(&ids::usage_plan_key(api, name, key), held);
        }
    }
}

fn usage_plan(api: &str, declared: &RestApi, name: &str, plan: &UsagePlan) -> Resource {
    let routes: BTreeMap<String, Value> = plan
        .routes
        .iter()
        .filter_map(|(key, throttle)| {
            let (method, path) = key.split_once(' ')?;
            Some((format!("{path}/{method}"), rates(throttle)))
        })
        .collect();
    let stage = |stage: &str| {
        let mut opened =
            json!({ "ApiId": function::reference(api), "Stage": function::reference(&ids::stage(api, stage)) });
        if let Some(opened) = opened.as_object_mut().filter(|_| !routes.is_empty()) {
            opened.insert("Throttle".to_owned(), json!(routes));
        }
        opened
    };
    let stages: Vec<Value> = declared.stages_of(plan).into_iter().map(stage).collect();
    let mut resource = Resource::new("AWS::ApiGateway::UsagePlan");
    resource.properties = properties(plan);
    resource = resource.property("ApiStages", stages);
    if plan.usage_plan_name.is_none() {
        resource = resource.property("UsagePlanName", name);
    }
    match &plan.throttle {
        Some(throttle) => resource.property("Throttle", rates(throttle)),
        None => resource,
    }
}

fn rates(throttle: &Throttle) -> Value {
    json!({ "RateLimit": throttle.rate, "BurstLimit": throttle.burst })
}
