//! Updates that take two steps, since in one they would not close what they remove.
//!
//! CloudFormation removes last of all. A REST API's new deployment, a copy of the API, is made before that, so it holds the
//! methods that are on their way out: they stay open on the stage until there is another deployment, and no tool tells
//! (<https://github.com/serverless/serverless/issues/7542>, <https://github.com/aws/aws-cdk/issues/14660>). So the first
//! step does all but the new deployment, and the second makes it and lets the stages serve it. What the stack has then
//! is its template, byte by byte, and a rollback leads to no copy that holds more.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What is captured by a deployment and answers for itself, with the properties that replace it: as a new one is made
/// before the old one goes, that is a removal too.
const CAPTURED: [(&str, &[&str]); 3] = [
    ("AWS::ApiGateway::GatewayResponse", &["ResponseType"]),
    ("AWS::ApiGateway::Method", &["HttpMethod", "ResourceId"]),
    ("AWS::ApiGateway::Resource", &["ParentId", "PathPart"]),
];

const DEPLOYMENT: &str = "AWS::ApiGateway::Deployment";

/// The template of the first step; nothing where an update needs one step only. Both templates are as CloudFormation
/// takes them.
#[must_use]
pub fn first(deployed: &Value, wanted: &Value) -> Option<Value> {
    let renamed = stale_deployments(deployed, wanted);
    if renamed.is_empty() {
        return None;
    }
    let mut step = wanted.clone();
    let resources = step.get_mut("Resources")?.as_object_mut()?;
    for (new, old) in &renamed {
        resources.remove(*new);
        resources.insert((*old).to_owned(), resource(deployed, old)?.clone());
    }
    let known: Vec<String> = resources.keys().cloned().collect();
    for resource in resources.values_mut() {
        rename(resource, &renamed);
        depend_on(resource, &renamed, &known);
    }
    if let Some(outputs) = step.get_mut("Outputs") {
        rename(outputs, &renamed);
    }
    Some(step)
}

/// The new deployments of APIs that lose something, each with the one whose place it takes.
fn stale_deployments<'a>(deployed: &'a Value, wanted: &'a Value) -> BTreeMap<&'a str, &'a str> {
    let mut stale = BTreeMap::new();
    for (new, of) in deployments(wanted).filter(|(id, _)| resource(deployed, id).is_none()) {
        let mut before = deployments(deployed).filter(|(id, api)| *api == of && resource(wanted, id).is_none());
        if let Some((old, _)) = before.next()
            && loses_something(deployed, wanted, of)
        {
            stale.insert(new, old);
        }
    }
    stale
}

/// The deployments of a template, each with the expression that names its API.
fn deployments(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let all = resources(template).filter(|(_, resource)| resource["Type"] == DEPLOYMENT);
    all.map(|(id, resource)| (id.as_str(), &resource["Properties"]["RestApiId"]))
}

fn loses_something(deployed: &Value, wanted: &Value, api: &Value) -> bool {
    resources(deployed).any(|(id, old)| {
        let kind = CAPTURED.iter().find(|(kind, _)| old["Type"] == *kind);
        let Some((_, replacing)) = kind.filter(|_| old["Properties"]["RestApiId"] == *api) else { return false };
        let is_same = |new: &Value| {
            old["Type"] == new["Type"]
                && new["Properties"]["RestApiId"] == *api
                && replacing.iter().all(|name| old["Properties"][name] == new["Properties"][name])
        };
        !resource(wanted, id).is_some_and(is_same)
    })
}

fn resources(template: &Value) -> impl Iterator<Item = (&String, &Value)> {
    template.get("Resources").and_then(Value::as_object).into_iter().flatten()
}

fn resource<'a>(template: &'a Value, id: &str) -> Option<&'a Value> {
    template.get("Resources")?.get(id)
}

/// Has references lead to the old deployments.
fn rename(value: &mut Value, renamed: &BTreeMap<&str, &str>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, renamed)),
        Value::Object(members) => {
            if let Some(old) = referred(members).and_then(|id| renamed.get(id)) {
                members.insert("Ref".to_owned(), json!(old));
            }
            members.values_mut().for_each(|value| rename(value, renamed));
        }
        _ => {}
    }
}

fn referred(members: &Map<String, Value>) -> Option<&str> {
    members.get("Ref").filter(|_| members.len() == 1)?.as_str()
}

/// Has a resource wait for what is there.
fn depend_on(resource: &mut Value, renamed: &BTreeMap<&str, &str>, known: &[String]) {
    let Some(waits) = resource.get_mut("DependsOn") else { return };
    let all = match waits.take() {
        Value::Array(all) => all,
        one => vec![one],
    };
    let all = all.iter().filter_map(Value::as_str).map(|id| renamed.get(id).copied().unwrap_or(id).to_owned());
    *waits = all.filter(|id| known.contains(id)).map(Value::from).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(methods: &[&str], deployment: &str) -> Value {
        let api = json!({ "Ref": "Api" });
        let mut resources = json!({
            "Api": { "Type": "AWS::ApiGateway::RestApi" },
            deployment: { "Type": DEPLOYMENT, "DependsOn": methods, "Properties": { "RestApiId": api } },
            "Stage": { "Type": "AWS::ApiGateway::Stage", "DependsOn": deployment, "Properties": {
                "RestApiId": api, "DeploymentId": { "Ref": deployment },
            } },
        });
        for method in methods {
            let properties = json!({ "RestApiId": api, "HttpMethod": "GET", "ResourceId": method });
            resources[*method] = json!({ "Type": "AWS::ApiGateway::Method", "Properties": properties });
        }
        json!({ "Resources": resources, "Outputs": { "Made": { "Value": { "Ref": deployment } } } })
    }

    #[test]
    fn what_is_removed_is_gone_before_the_api_is_copied() {
        let deployed = template(&["Kept", "Gone"], "Deployment1");
        let step = first(&deployed, &template(&["Kept"], "Deployment2")).expect("it takes two steps");
        assert_eq!(
            step,
            template(&["Kept"], "Deployment1").tap(|it| {
                it["Resources"]["Stage"]["DependsOn"] = json!(["Deployment1"]);
            })
        );
    }

    #[test]
    fn what_is_replaced_is_removed() {
        let deployed = template(&["A"], "Deployment1");
        let change = |name: &str, value: &str| {
            template(&["A"], "Deployment2").tap(|it| it["Resources"]["A"]["Properties"][name] = json!(value))
        };
        assert!(first(&deployed, &change("HttpMethod", "POST")).is_some());
        assert!(first(&deployed, &change("ResourceId", "Other")).is_some());
        assert_eq!(first(&deployed, &change("AuthorizationType", "AWS_IAM")), None, "it is changed before the copy");
    }

    #[test]
    fn one_step_is_enough_for_all_else() {
        let deployed = template(&["A"], "Deployment1");
        assert_eq!(first(&deployed, &template(&["A", "B"], "Deployment2")), None, "something comes");
        assert_eq!(first(&deployed, &template(&[], "Deployment1")), None, "the copy stays");
        assert_eq!(first(&deployed, &json!({ "Resources": {} })), None, "all of it goes");
        for broken in [json!(null), json!({ "Resources": [] }), json!({ "Resources": { "A": 1 } })] {
            assert_eq!(first(&deployed, &broken), None);
            assert_eq!(first(&broken, &deployed), None);
        }
    }

    trait Tap: Sized {
        fn tap(mut self, change: impl FnOnce(&mut Self)) -> Self {
            change(&mut self);
            self
        }
    }

    impl Tap for Value {}
}
