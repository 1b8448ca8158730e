//! Updates that take two steps, since in one they would not close what they remove.
//!
//! CloudFormation removes last of all. A REST API's new deployment, a copy of the API, is made before that, so it holds the
//! methods that are on their way out: they stay open on the stage until there is another deployment, and no tool tells
//! (<https://github.com/serverless/serverless/issues/7542>, <https://github.com/aws/aws-cdk/issues/14660>). So the first
//! step takes from the APIs what leaves them, and the second does the rest: it makes the new copies, lets the stages serve
//! them and removes what else leaves, of which the old copies make use until then. What the stack has in the end is its
//! template, byte by byte, and a rollback leads to no copy that holds more.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::template::check::{MOST_BYTES, MOST_ENTRIES, MOST_RESOURCES};

/// What is captured by a deployment and answers for itself, with the properties that replace it: as a new one is made
/// before the old one goes, that is a removal too.
const CAPTURED: [(&str, &[&str]); 3] = [
    ("AWS::ApiGateway::GatewayResponse", &["ResponseType"]),
    ("AWS::ApiGateway::Method", &["HttpMethod", "ResourceId"]),
    ("AWS::ApiGateway::Resource", &["ParentId", "PathPart"]),
];

const DEPLOYMENT: &str = "AWS::ApiGateway::Deployment";

const STAGE: &str = "AWS::ApiGateway::Stage";

/// What resources may refer to besides each other, each before what it may refer to itself.
const NAMED: [&str; 3] = ["Conditions", "Mappings", "Parameters"];

/// The template of the first step; nothing where an update needs one step only. Both templates are as CloudFormation
/// takes them.
#[must_use]
pub fn first(deployed: &Value, wanted: &Value) -> Option<Value> {
    let renamed = stale_deployments(deployed, wanted);
    if renamed.is_empty() {
        return None;
    }
    let mut step = wanted.clone();
    resources_mut(&mut step)?.retain(|id, _| !renamed.contains_key(id.as_str()));
    let mut rename = |id: &str| renamed.get(id).map(|old| (*old).to_owned());
    for section in ["Resources", "Outputs"] {
        step.get_mut(section).into_iter().for_each(|members| refer(members, &mut rename));
    }
    serve_as_before(&mut step, deployed, wanted);
    let mut step = keep(step, deployed, wanted)?;
    wait_for_what_is_there(&mut step, &renamed);
    Some(step)
}

/// The new deployments of APIs that lose something, each with an old one, which its stages serve by now.
fn stale_deployments<'a>(deployed: &'a Value, wanted: &'a Value) -> BTreeMap<&'a str, &'a str> {
    let mut stale = BTreeMap::new();
    for (new, api) in deployments(wanted).filter(|(id, _)| resource(deployed, id).is_none()) {
        let is_old = |id: &str| resource(wanted, id).is_none() && deployments(deployed).any(|old| old == (id, api));
        let served = stages(wanted).filter(|(_, serves)| *serves == Some(new)).filter_map(|(stage, _)| {
            let mut before = stages(deployed).filter(|(id, _)| *id == stage);
            before.next()?.1.filter(|id| is_old(id))
        });
        let others = deployments(deployed).map(|(id, _)| id).filter(|id| is_old(id));
        if let Some(old) = served.chain(others).next()
            && loses_something(deployed, wanted, api)
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

/// The stages of a template, each with the deployment of the template that it serves.
fn stages(template: &Value) -> impl Iterator<Item = (&str, Option<&str>)> {
    let all = resources(template).filter(|(_, resource)| resource["Type"] == STAGE);
    all.map(|(id, stage)| (id.as_str(), stage["Properties"]["DeploymentId"]["Ref"].as_str()))
}

fn loses_something(deployed: &Value, wanted: &Value, api: &Value) -> bool {
    resources(deployed).any(|(id, old)| old["Properties"]["RestApiId"] == *api && is_lost(id, old, wanted))
}

/// Whether something that an API captures is removed, or replaced, which is a removal too.
fn is_lost(id: &str, old: &Value, wanted: &Value) -> bool {
    let Some((_, replacing)) = CAPTURED.iter().find(|(kind, _)| old["Type"] == *kind) else { return false };
    let same = |new: &Value, name: &str| old["Properties"][name] == new["Properties"][name];
    let stays = |new: &Value| {
        old["Type"] == new["Type"] && same(new, "RestApiId") && replacing.iter().all(|name| same(new, name))
    };
    !resource(wanted, id).is_some_and(stays)
}

/// Has each stage serve what it serves now, though its API has several deployments.
fn serve_as_before(step: &mut Value, deployed: &Value, wanted: &Value) {
    let leaves = |id: &str| resource(wanted, id).is_none();
    for (stage, serves) in stages(deployed).filter(|(_, serves)| serves.is_some_and(leaves)) {
        if let Some(kept) = step.get_mut("Resources").and_then(|all| all.get_mut(stage)?.get_mut("Properties"))
            && let Some(reference) = kept.get_mut("DeploymentId").and_then(Value::as_object_mut)
            && reference.contains_key("Ref")
        {
            reference.insert("Ref".to_owned(), serves.into());
        }
    }
}

/// Keeps what leaves the stack and no API, with what it refers to: the old deployments make use of it. Where there is no
/// room for all of that the deployments alone are kept, for otherwise the update could not be made at all.
fn keep(step: Value, deployed: &Value, wanted: &Value) -> Option<Value> {
    let apis: Vec<&Value> = deployments(wanted).map(|(_, api)| api).collect();
    let is_served = |old: &Value| old["Type"] == DEPLOYMENT && apis.contains(&&old["Properties"]["RestApiId"]);
    let all = keeping(step.clone(), deployed, wanted, |_| true)?;
    if fits(&all) { Some(all) } else { keeping(step, deployed, wanted, is_served) }
}

/// Whether CloudFormation would take a template of this size.
fn fits(template: &Value) -> bool {
    let has = |section: &str, most: usize| template[section].as_object().is_none_or(|all| all.len() <= most);
    has("Resources", MOST_RESOURCES)
        && has("Parameters", MOST_ENTRIES)
        && has("Mappings", MOST_ENTRIES)
        && template.to_string().len() <= MOST_BYTES
}

/// The step with what leaves of which this is so, but for what refers to a thing that is gone.
fn keeping(mut step: Value, deployed: &Value, wanted: &Value, is_kept: impl Fn(&Value) -> bool) -> Option<Value> {
    let leaves = |id: &str, old: &Value| resource(wanted, id).is_none() && !is_lost(id, old, wanted);
    let leaving = resources(deployed).filter(|(id, old)| leaves(id, old) && is_kept(old));
    let mut kept: Map<String, Value> = leaving.map(|(id, old)| (id.clone(), old.clone())).collect();
    let known = resources_mut(&mut step)?;
    let is_gone = |id: &str, kept: &Map<String, Value>| {
        resource(deployed, id).is_some() && !known.contains_key(id) && !kept.contains_key(id)
    };
    while let Some(id) = kept.keys().find(|id| referred(&kept[*id]).iter().any(|other| is_gone(other, &kept))).cloned()
    {
        kept.remove(&id);
    }
    let mut text = Value::from(kept.clone()).to_string();
    known.extend(kept);
    for section in NAMED {
        let named = named(&deployed[section], &mut text);
        if !named.is_empty() {
            let members = step.as_object_mut()?.entry(section).or_insert_with(|| Map::new().into());
            add(members, &named, if section == "Mappings" { 2 } else { 0 });
        }
    }
    Some(step)
}

/// The members that are named in a text or in each other; the text has what they say as well then. All others would only
/// take up room.
fn named(members: &Value, text: &mut String) -> Map<String, Value> {
    let mut found = Map::new();
    let mut left: Vec<(&String, &Value)> = members.as_object().into_iter().flatten().collect();
    while let Some(at) = left.iter().position(|(name, _)| text.contains(name.as_str())) {
        let (name, value) = left.swap_remove(at);
        text.push_str(&value.to_string());
        found.insert(name.clone(), value.clone());
    }
    found
}

/// Adds members that are not there, and those of members so many levels down.
fn add(to: &mut Value, members: &Map<String, Value>, levels: usize) {
    let Some(own) = to.as_object_mut() else { return };
    for (name, value) in members {
        let there = own.entry(name).or_insert_with(|| value.clone());
        if let (Some(below), 1..) = (value.as_object(), levels) {
            add(there, below, levels - 1);
        }
    }
}

fn resources(template: &Value) -> impl Iterator<Item = (&String, &Value)> {
    template.get("Resources").and_then(Value::as_object).into_iter().flatten()
}

fn resources_mut(template: &mut Value) -> Option<&mut Map<String, Value>> {
    template.get_mut("Resources")?.as_object_mut()
}

fn resource<'a>(template: &'a Value, id: &str) -> Option<&'a Value> {
    template.get("Resources")?.get(id)
}

/// The ids that an expression refers to.
fn referred(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    refer(&mut value.clone(), &mut |id| {
        found.push(id.to_owned());
        None
    });
    found
}

/// Shows each id that an expression refers to, and puts that in its place which is returned.
fn refer(value: &mut Value, other: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, other)),
        Value::Object(members) => {
            for (name, argument) in members.iter_mut() {
                match (name.as_str(), argument) {
                    ("Ref", Value::String(id)) => *id = other(id).unwrap_or_else(|| id.clone()),
                    ("Fn::GetAtt", Value::String(text)) => *text = attribute(text, other),
                    ("Fn::GetAtt", Value::Array(parts)) => {
                        if let Some(Value::String(id)) = parts.first_mut() {
                            *id = other(id).unwrap_or_else(|| id.clone());
                        }
                    }
                    ("Fn::Sub", Value::String(text)) => *text = substituted(text, other),
                    ("Fn::Sub", Value::Array(parts)) => {
                        if let Some(Value::String(text)) = parts.first_mut() {
                            *text = substituted(text, other);
                        }
                        parts.iter_mut().skip(1).for_each(|values| refer(values, other));
                    }
                    (_, argument) => refer(argument, other),
                }
            }
        }
        _ => {}
    }
}

/// `Id.Attribute`, with the id looked at.
fn attribute(text: &str, other: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let id = text.split('.').next().unwrap_or_default();
    let rest = &text[id.len()..];
    other(id).map_or_else(|| text.to_owned(), |new| new + rest)
}

/// A text for `Fn::Sub`, with the ids in `${}` looked at; `${!` is a text.
fn substituted(text: &str, other: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let mut parts = text.split("${");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        whole.push_str("${");
        match part.split_once('}').filter(|(name, _)| !name.starts_with('!')) {
            Some((name, rest)) => whole.extend([&attribute(name, other), "}", rest]),
            None => whole.push_str(part),
        }
    }
    whole
}

/// Has resources wait for old deployments in the place of new ones, and for nothing that is gone.
fn wait_for_what_is_there(step: &mut Value, renamed: &BTreeMap<&str, &str>) {
    let Some(resources) = resources_mut(step) else { return };
    let known: Vec<String> = resources.keys().cloned().collect();
    for waits in resources.values_mut().filter_map(|resource| resource.get_mut("DependsOn")) {
        let all = match waits.take() {
            Value::Array(all) => all,
            one => vec![one],
        };
        let all = all.iter().filter_map(Value::as_str).map(|id| renamed.get(id).copied().unwrap_or(id).to_owned());
        *waits = all.filter(|id| known.contains(id)).map(Value::from).collect();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(methods: &[&str], deployment: &str) -> Value {
        let api = json!({ "Ref": "Api" });
        let mut resources = json!({
            "Api": { "Type": "AWS::ApiGateway::RestApi" },
            deployment: { "Type": DEPLOYMENT, "DependsOn": methods, "Properties": { "RestApiId": api } },
            "Stage": { "Type": STAGE, "DependsOn": deployment, "Properties": {
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
    fn what_the_old_copy_makes_use_of_stays_until_it_is_not_served() {
        let function = json!({ "Type": "AWS::Lambda::Function", "Condition": "Has", "Properties": {
            "Description": { "Ref": "Text" }, "MemorySize": { "Fn::FindInMap": ["Sizes", "a", "b"] },
        } });
        let deployed = template(&["Kept", "Gone"], "Deployment1").tap(|it| {
            it["Resources"]["Old"] = function.clone();
            it["Resources"]["AboutGone"] = json!({ "Type": "AWS::Logs::LogGroup", "Properties": {
                "LogGroupName": { "Fn::Sub": ["${A}", { "A": { "Ref": "Gone" } }] },
            } });
            it["Resources"]["AboutAboutGone"] = json!({ "Type": "AWS::Logs::LogGroup", "Properties": {
                "LogGroupName": { "Fn::Sub": "${AboutGone.Arn}" },
            } });
            it["Parameters"] = json!({
                "Text": { "Type": "String" }, "Asked": { "Type": "String" }, "Both": { "Type": "String", "Default": "old" },
            });
            it["Conditions"] = json!({ "Has": { "Condition": "Inner" }, "Inner": { "Fn::Equals": [{ "Ref": "Asked" }, "a"] } });
            it["Mappings"] = json!({ "Sizes": { "a": { "b": 1, "c": 1 } } });
        });
        let both = json!({ "Type": "String", "Default": "new" });
        let wanted = template(&["Kept"], "Deployment2").tap(|it| {
            it["Parameters"] = json!({ "Both": both });
            it["Mappings"] = json!({ "Sizes": { "a": { "c": 2, "d": 2 } } });
        });
        let step = first(&deployed, &wanted).expect("it takes two steps");
        assert_eq!(step["Resources"]["Old"], function);
        let text = json!({ "Type": "String" });
        assert_eq!(step["Parameters"], json!({ "Text": text, "Asked": text, "Both": both }));
        assert_eq!(step["Conditions"], deployed["Conditions"]);
        assert_eq!(step["Mappings"], json!({ "Sizes": { "a": { "b": 1, "c": 2, "d": 2 } } }));
        for gone in ["Gone", "AboutGone", "AboutAboutGone", "Deployment2"] {
            assert_eq!(step["Resources"].get(gone), None, "{gone}");
        }
        assert_eq!(first(&step, &wanted), None, "what is left is done in one");
    }

    #[test]
    fn a_template_that_has_no_room_for_both_keeps_only_what_is_served() {
        let many = |name: &'static str, count: usize| {
            move |it: &mut Value| {
                for number in 0..count {
                    it["Resources"][format!("{name}{number}")] = json!({ "Type": "AWS::Logs::LogGroup" });
                }
            }
        };
        let other = json!({ "Type": DEPLOYMENT, "Properties": { "RestApiId": { "Ref": "Other" } } });
        let deployed = |count| {
            template(&["Kept", "Gone"], "Deployment1").tap(many("Old", count)).tap(|it| {
                it["Resources"]["Other"] = json!({ "Type": "AWS::ApiGateway::RestApi" });
                it["Resources"]["OtherDeployment"] = other.clone();
            })
        };
        let wanted = template(&["Kept"], "Deployment2").tap(many("New", 400));
        let kept = |count| {
            let step = first(&deployed(count), &wanted).expect("it takes two steps");
            let all = resources(&step).filter(|(id, _)| id.starts_with('O')).count();
            (all, step["Resources"].get("Deployment1").is_some())
        };
        assert_eq!((kept(94), kept(95)), ((96, true), (0, true)));
    }

    #[test]
    fn a_template_keeps_nothing_that_nothing_names() {
        let parameters = |name: &str, count: usize| {
            let all = (0..count).map(|number| (format!("{name}{number}"), json!({ "Type": "String" })));
            Value::from(all.collect::<Map<_, _>>())
        };
        let deployed = template(&["Kept", "Gone"], "Deployment1").tap(|it| it["Parameters"] = parameters("Old", 120));
        let wanted = template(&["Kept"], "Deployment2").tap(|it| it["Parameters"] = parameters("New", 120));
        let step = first(&deployed, &wanted).expect("it takes two steps");
        assert_eq!(step["Parameters"], wanted["Parameters"]);
    }

    #[test]
    fn every_stage_serves_what_it_served() {
        let served = |methods: &[&str], test: &str, prod: &str| {
            let mut it = template(methods, "Deployment1");
            for (stage, serves) in [("Test", test), ("Stage", prod)] {
                it["Resources"][serves] = it["Resources"]["Deployment1"].clone();
                it["Resources"][stage] = json!({ "Type": STAGE, "Properties": {
                    "RestApiId": { "Ref": "Api" }, "DeploymentId": { "Ref": serves },
                } });
            }
            it["Resources"].as_object_mut().expect("it is one").remove("Deployment1");
            it
        };
        let deployed = served(&["Kept", "Gone"], "OldA", "OldB");
        for (test, prod) in [("NewA", "NewB"), ("NewA", "NewA"), ("OldA", "NewB")] {
            let step = first(&deployed, &served(&["Kept"], test, prod)).expect("it takes two steps");
            let serves = |stage: &str| step["Resources"][stage]["Properties"]["DeploymentId"]["Ref"].clone();
            assert_eq!((serves("Test"), serves("Stage")), (json!("OldA"), json!("OldB")), "{test} {prod}");
            assert!(step["Resources"].get("NewA").or(step["Resources"].get("NewB")).is_none(), "{step}");
        }
    }

    #[test]
    fn every_reference_to_a_new_copy_leads_to_the_old_one() {
        let deployed = template(&["Kept", "Gone"], "Deployment1");
        let spelled = |id: &str| {
            json!({ "Value": [
                { "Fn::GetAtt": [id, "DeploymentId"] },
                { "Fn::GetAtt": format!("{id}.DeploymentId") },
                { "Fn::Sub": format!("${{{id}}} ${{{id}.DeploymentId}} ${{!Deployment2}} Deployment2 ${{Other}} ${{") },
                { "Fn::Sub": [format!("${{{id}}}"), { "A": { "Ref": id } }] },
            ] })
        };
        let wanted = template(&["Kept"], "Deployment2").tap(|it| it["Outputs"]["More"] = spelled("Deployment2"));
        let step = first(&deployed, &wanted).expect("it takes two steps");
        assert_eq!(step["Outputs"]["More"], spelled("Deployment1"));
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
