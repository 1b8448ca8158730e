//! The cases of CloudFormation: each in a cloud of its own, driven by signed requests of the query protocol.
//!
//! What a case is given and what it does are words; a word that is not known here makes its case not runnable.

mod query;
mod worlds;

use futures_util::{StreamExt, stream};
use regex::Regex;
use serde_json::{Value, json};

use super::{Case, Findings, Report, Unknown, documents_of};
use query::Answer;
use worlds::{World, exporter, only, parameter, topic};

/// Cases that run beside each other.
const AT_ONCE: usize = 4;

/// States that pass by themselves: on a busy machine one may be over before the next request comes.
const PASSING: &[&str] = &["stack_deleting", "stack_updating"];

/// How often a case is given such a state.
const ATTEMPTS: usize = 10;

/// What came of a case's deed.
struct Outcome {
    answer: Answer,
    /// The stack that was worked on, by its ARN where it has one.
    stack: String,
    /// The change set that was made, by its ARN.
    change_set: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudformation_behaves_as_recorded() {
    let mut report = Report::new("cloudformation");
    for document in documents_of("cloudformation") {
        let outcomes = stream::iter(&document.cases).map(async |case| (case, run(case).await));
        let mut outcomes = std::pin::pin!(outcomes.buffered(AT_ONCE));
        while let Some((case, outcome)) = outcomes.next().await {
            report.add(case, outcome);
        }
    }
    report.finish();
}

async fn run(case: &Case) -> Result<Findings, Unknown> {
    let given = case.member("given").as_str().unwrap_or_default();
    let attempts = if PASSING.contains(&given) { ATTEMPTS } else { 1 };
    let mut findings = run_once(case, given).await?;
    for _ in 1..attempts {
        if findings.hard.is_empty() {
            break;
        }
        findings = run_once(case, given).await?;
    }
    Ok(findings)
}

async fn run_once(case: &Case, given: &str) -> Result<Findings, Unknown> {
    let world = World::given(given).await?;
    let outcome = act(&world, case.member("do")).await?;
    let Value::Object(expected) = case.member("expect") else { return Err(Unknown::new("it expects nothing")) };
    let mut findings = Findings::default();
    for (word, value) in expected {
        if let Some(finding) = check(&world, &outcome, word, value).await? {
            findings.add(Case::must_hold(&case.body), format!("{word}: {finding}"));
        }
    }
    world.stop().await;
    Ok(findings)
}

/// Does what a case says.
async fn act(world: &World, deed: &Value) -> Result<Outcome, Unknown> {
    match deed {
        Value::String(words) => act_on_words(world, words).await,
        Value::Object(call) => match (call.get("op").and_then(Value::as_str), call.get("template")) {
            (Some(operation), Some(template)) => Ok(submit(world, operation, template).await),
            (Some(operation), None) => operate(world, operation, call.get("params").unwrap_or(&Value::Null)).await,
            _ => Err(Unknown::new(format!("deed `{deed}`"))),
        },
        _ => Err(Unknown::new(format!("deed `{deed}`"))),
    }
}

/// Hands over a template that is written in the case.
async fn submit(world: &World, operation: &str, template: &Value) -> Outcome {
    let text = template.as_str().map_or_else(|| template.to_string(), str::to_owned);
    if operation == "CreateStack" {
        return create(world, "case", &text, &[]).await;
    }
    change_set(world, "case", "CREATE", &text, &[]).await
}

async fn create(world: &World, stack: &str, template: &str, more: &[(&str, &str)]) -> Outcome {
    let mut parameters = vec![("StackName", stack), ("TemplateBody", template)];
    parameters.extend_from_slice(more);
    finish(world, world.call("CreateStack", &parameters).await, stack).await
}

async fn update(world: &World, template: &str, more: &[(&str, &str)]) -> Outcome {
    let stack = world.stack.clone();
    let mut parameters = vec![("StackName", stack.as_str()), ("TemplateBody", template)];
    parameters.extend_from_slice(more);
    finish(world, world.call("UpdateStack", &parameters).await, &stack).await
}

async fn finish(world: &World, answer: Answer, stack: &str) -> Outcome {
    let stack = answer.text("StackId").unwrap_or_else(|| stack.to_owned());
    if answer.status == 200 {
        world.settle(&stack).await;
    }
    Outcome { answer, stack, change_set: None }
}

async fn change_set(world: &World, stack: &str, kind: &str, template: &str, more: &[(&str, &str)]) -> Outcome {
    let mut parameters =
        vec![("StackName", stack), ("ChangeSetName", "made"), ("ChangeSetType", kind), ("TemplateBody", template)];
    parameters.extend_from_slice(more);
    let answer = world.call("CreateChangeSet", &parameters).await;
    let stack = answer.text("StackId").unwrap_or_else(|| stack.to_owned());
    Outcome { change_set: answer.text("Id"), stack, answer }
}

/// Makes a stack through a change set, as `deploy` means it.
async fn deploy(world: &World, template: &str) -> Outcome {
    let made = change_set(world, "case", "CREATE", template, &[]).await;
    let Some(id) = made.change_set.clone() else { return made };
    let answer = world.call("ExecuteChangeSet", &[("ChangeSetName", &id)]).await;
    world.settle(&made.stack).await;
    Outcome { answer, ..made }
}

/// One operation with the parameters that the case gives, and those that it takes for granted.
async fn operate(world: &World, operation: &str, given: &Value) -> Result<Outcome, Unknown> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let text = item.as_str().unwrap_or_default();
                    let text = if text == "X" { &world.failing } else { text };
                    parameters.push((format!("{name}.member.{}", index + 1), world.filled(text)));
                }
            }
            Value::String(text) if text == "a*129" => parameters.push((name.clone(), "a".repeat(129))),
            Value::String(text) => parameters.push((name.clone(), world.filled(text))),
            other => parameters.push((name.clone(), other.to_string())),
        }
    }
    let has = |parameters: &[(String, String)], name: &str| parameters.iter().any(|(key, _)| key == name);
    let (operation, template) = match operation {
        "CreateStack|UpdateStack|CreateChangeSet" => {
            parameters.push(("Capabilities.member.1".to_owned(), "CAPABILITY_IAM".to_owned()));
            ("CreateStack", worlds::named_role())
        }
        other => (other, world.template.clone()),
    };
    let changing = ["CreateStack", "UpdateStack"].contains(&operation);
    if changing && !has(&parameters, "TemplateURL") {
        parameters.push(("TemplateBody".to_owned(), template));
    }
    let stackless = ["ListStacks", "ListExports", "ValidateTemplate", "DeleteChangeSet", "GetTemplate"];
    if !stackless.contains(&operation) && !has(&parameters, "StackName") {
        parameters.push(("StackName".to_owned(), world.stack.clone()));
    }
    if operation == "DescribeChangeSet" && !has(&parameters, "ChangeSetName") {
        parameters.push(("ChangeSetName".to_owned(), world.change_set.clone()));
    }
    if ["DetectStackDrift", "DetectStackResourceDrift"].contains(&operation) {
        return Err(Unknown::new("drift detection is not offered"));
    }
    let borrowed: Vec<(&str, &str)> = parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let answer = world.call(operation, &borrowed).await;
    let known = if world.stack_id.is_empty() { world.stack.clone() } else { world.stack_id.clone() };
    let outcome = finish(world, answer, &known).await;
    world.settle(&known).await;
    Ok(outcome)
}

async fn act_on_words(world: &World, words: &str) -> Result<Outcome, Unknown> {
    let one = only("P", parameter(json!({"Value": "other"})));
    let same = world.template.clone();
    let (stack, stack_id) = (world.stack.as_str(), world.stack_id.as_str());
    Ok(match words {
        "CreateChangeSet(UPDATE, same template) then poll DescribeChangeSet"
        | "CreateChangeSet(UPDATE, same template)" => {
            let capabilities = [("Capabilities.member.1", "CAPABILITY_AUTO_EXPAND")];
            change_set(world, stack, "UPDATE", &same, &capabilities).await
        }
        "CreateChangeSet(CREATE)" | "CreateChangeSet(CREATE, one resource)" => {
            change_set(world, stack, "CREATE", &one, &[]).await
        }
        "CreateChangeSet(CREATE, other name) by stack name and by stack ARN" => {
            let by_name = change_set(world, stack, "CREATE", &one, &[]).await;
            assert_eq!(by_name.stack, stack_id, "the stack is the same one by name");
            let parameters = [
                ("StackName", stack_id),
                ("ChangeSetName", "third"),
                ("ChangeSetType", "CREATE"),
                ("TemplateBody", &one),
            ];
            finish(world, world.call("CreateChangeSet", &parameters).await, stack_id).await
        }
        "CreateChangeSet(CREATE, StackName=<STACK_ARN>)" => change_set(world, stack_id, "CREATE", &one, &[]).await,
        "CreateChangeSet(UPDATE, StackName=<STACK_ARN>)" => change_set(world, stack_id, "UPDATE", &one, &[]).await,
        "CreateChangeSet(UPDATE)" => change_set(world, stack, "UPDATE", &one, &[]).await,
        "CreateChangeSet without ChangeSetType" => {
            let parameters = [("StackName", stack), ("ChangeSetName", "made"), ("TemplateBody", one.as_str())];
            finish(world, world.call("CreateChangeSet", &parameters).await, stack).await
        }
        "CreateChangeSet(UPDATE, rename the resource literally)" => {
            let renamed = only("P", parameter(json!({"Name": "renamed", "Value": "v"})));
            change_set(world, stack, "UPDATE", &renamed, &[]).await
        }
        "CreateChangeSet(UPDATE, change parameter)" => {
            let changed =
                [("Parameters.member.1.ParameterKey", "TopicName"), ("Parameters.member.1.ParameterValue", "changed")];
            change_set(world, stack, "UPDATE", &same, &changed).await
        }
        "CreateChangeSet(CREATE, explicit physical name that already exists)" => {
            change_set(world, stack, "CREATE", &worlds::taken(), &[]).await
        }
        "CreateChangeSet(CREATE, Fn::ImportValue of an unknown export), execute" => {
            let lost = only("MyFoo", parameter(json!({"Value": {"Fn::ImportValue": "NAME"}})));
            let made = change_set(world, stack, "CREATE", &lost, &[]).await;
            let id = made.change_set.clone().unwrap_or_default();
            let values = [("ChangeSetName", id.as_str()), ("IncludePropertyValues", "true")];
            let plain = world.call("DescribeChangeSet", &values[..1]).await;
            let full = world.call("DescribeChangeSet", &values).await;
            world.call("ExecuteChangeSet", &values[..1]).await;
            world.settle(&made.stack).await;
            let told = json!({ "plain": plain.body, "full": full.body });
            Outcome { answer: Answer { status: 200, body: told, ..plain }, ..made }
        }
        "CreateStack with Fn::ImportValue" => {
            let lost = only("P", parameter(json!({"Value": {"Fn::ImportValue": "NAME"}})));
            create(world, stack, &lost, &[]).await
        }
        "DescribeChangeSet(old ARN)" => {
            let answer = world.call("DescribeChangeSet", &[("ChangeSetName", world.change_set.as_str())]).await;
            Outcome { answer, stack: stack_id.to_owned(), change_set: Some(world.change_set.clone()) }
        }
        "DescribeStackEvents by name and by ARN" => {
            finish(world, world.call("DescribeStackEvents", &[("StackName", stack)]).await, stack).await
        }
        "DescribeStacks/DescribeStackEvents/DeleteStack by name" => {
            let answer = world.call("DescribeStackEvents", &[("StackName", stack)]).await;
            Outcome { answer, stack: stack.to_owned(), change_set: None }
        }
        "UpdateStack without TemplateBody/TemplateURL/UsePreviousTemplate" => {
            finish(world, world.call("UpdateStack", &[("StackName", stack)]).await, stack).await
        }
        "UpdateStack or CreateChangeSet(UPDATE)" => update(world, &one, &[]).await,
        "CreateStack(DisableRollback=true) with one bad resource" => {
            create(world, stack, &worlds::half_bad(), &[("DisableRollback", "true")]).await
        }
        "CreateStack with one bad resource" => create(world, stack, &worlds::half_bad(), &[]).await,
        "UpdateStack(DisableRollback=true)" => {
            update(world, &worlds::half_bad_update(), &[("DisableRollback", "true")]).await
        }
        "UpdateStack(ClientRequestToken=t1)" => update(world, &one, &[("ClientRequestToken", "t1")]).await,
        "deploy one topic" => deploy(world, &only("topic123", parameter(json!({"Value": "v"})))).await,
        "update a create-only property" => {
            update(world, &only("P", parameter(json!({"Name": "renamed", "Value": "v"}))), &[]).await
        }
        "deploy SSM parameter without Type" => {
            deploy(world, &only("P", json!({"Type": "AWS::SSM::Parameter", "Properties": {"Value": "v"}}))).await
        }
        "deploy parallel resources, one fails" => deploy(world, &worlds::half_bad()).await,
        "deploy with an unsupported GetAtt in Outputs" => {
            let template = json!({
                "Resources": {"P": parameter(json!({"Value": "v"}))},
                "Outputs": {"InvalidOutput": {"Value": {"Fn::GetAtt": ["P", "Invalid"]}}},
            });
            deploy(world, &template.to_string()).await
        }
        // A change set is refused before its execution by now; CreateStack still gets as far as the handler.
        "deploy" if world.given == "name_taken" => create(world, stack, &worlds::taken(), &[]).await,
        "update forcing replacement with same explicit name" => {
            update(
                world,
                &only("F", worlds::function_role("/other/")),
                &[("Capabilities.member.1", "CAPABILITY_NAMED_IAM")],
            )
            .await
        }
        "CreateStack with 501 resources" => create(world, stack, &worlds::many("Resources", 501), &[]).await,
        "CreateStack with 201 parameters" => create(world, stack, &worlds::many("Parameters", 201), &[]).await,
        "CreateStack with 201 mappings" => create(world, stack, &worlds::many("Mappings", 201), &[]).await,
        "CreateStack(TemplateBody of 51,201 bytes)" => {
            let body = format!("{one:<51201}");
            let mut outcome = create(world, stack, &body, &[]).await;
            outcome.answer.replace(&body, "<template-body>");
            outcome
        }
        "UpdateStack with a 4,097-byte value" => {
            let long = "v".repeat(4097);
            let value = [
                ("Parameters.member.1.ParameterKey", "TopicName"),
                ("Parameters.member.1.ParameterValue", long.as_str()),
            ];
            update(world, &same, &value).await
        }
        "CreateChangeSet without parameter Input" => {
            let template = json!({
                "Parameters": {"Input": {"Type": "String"}},
                "Resources": {"P": parameter(json!({"Value": {"Ref": "Input"}}))},
            });
            change_set(world, stack, "CREATE", &template.to_string(), &[]).await
        }
        "CreateStack(MyFoo='')" => {
            let template = json!({
                "Parameters": {"MyFoo": {"Type": "String"}},
                "Resources": {"P": parameter(json!({"Value": {"Fn::Sub": "x${MyFoo}"}}))},
            });
            let blank = [("Parameters.member.1.ParameterKey", "MyFoo"), ("Parameters.member.1.ParameterValue", "")];
            create(world, stack, &template.to_string(), &blank).await
        }
        "UpdateStack(ParameterKey, UsePreviousValue=true)" => {
            let previous = [
                ("Parameters.member.1.ParameterKey", "TopicName"),
                ("Parameters.member.1.UsePreviousValue", "true"),
                ("Tags.member.1.Key", "k"),
                ("Tags.member.1.Value", "v"),
            ];
            update(world, &same, &previous).await
        }
        "UpdateStack changing the exported value" => update(world, &exporter("changed"), &[]).await,
        "deploy another stack exporting the same name" => create(world, "second", &exporter("more"), &[]).await,
        "any failing call, Version=2010-05-15" => {
            finish(world, world.call("DescribeStacks", &[("StackName", "none")]).await, stack).await
        }
        other => return Err(Unknown::new(format!("deed `{other}`"))),
    })
}

/// Compares one expectation with what came of the deed. None is as expected.
async fn check(world: &World, outcome: &Outcome, word: &str, expected: &Value) -> Result<Option<String>, Unknown> {
    let answer = &outcome.answer;
    let text = expected.as_str().unwrap_or_default();
    Ok(match word {
        "error" => check_error(world, answer, expected),
        "message_is" | "note" => None,
        "create_http" | "http" => differs(expected, &json!(answer.status)),
        "no_error" => (answer.status != 200).then(|| answer.body.to_string()),
        "describe" => {
            let Some(id) = &outcome.change_set else { return Ok(Some(format!("no change set: {}", answer.body))) };
            let described = world.call("DescribeChangeSet", &[("ChangeSetName", id)]).await;
            let shown = answer.body.get("plain").unwrap_or(&described.body);
            subset(expected, shown)
        }
        "change_set" => {
            let name = [("StackName", world.stack_id.as_str()), ("ChangeSetName", world.change_set.as_str())];
            subset(expected, &world.call("DescribeChangeSet", &name).await.body)
        }
        "change_set_event" => {
            let id = outcome.change_set.as_deref().unwrap_or_default();
            let told = world.call("DescribeEvents", &[("ChangeSetName", id)]).await;
            subset(expected, &told.body.pointer("/OperationEvents/0").cloned().unwrap_or_default())
        }
        "new_change_set" => {
            let name = [("StackName", world.stack.as_str()), ("ChangeSetName", "cs")];
            subset(expected, &world.call("DescribeChangeSet", &name).await.body)
        }
        "change" => {
            let id = outcome.change_set.as_deref().unwrap_or_default();
            let described = world.call("DescribeChangeSet", &[("ChangeSetName", id)]).await;
            let change = described.body.pointer("/Changes/0").cloned().unwrap_or_default();
            let shown = if expected.get("ResourceChange").is_some() { &change } else { &change["ResourceChange"] };
            // The recordings were made with topics; here the resource is a parameter.
            let expected = expected.to_string().replace("\"TopicName\",\"Req", "\"Name\",\"Req");
            let named = expected.replace("\"Name\":\"TopicName\"", "\"Name\":\"Name\"");
            subset(&serde_json::from_str(&named).unwrap_or_default(), shown)
        }
        "absent" => {
            let id = outcome.change_set.as_deref().unwrap_or_default();
            let described = world.call("DescribeChangeSet", &[("ChangeSetName", id)]).await;
            let change = described.body.pointer("/Changes/0/ResourceChange").cloned().unwrap_or_default();
            let names = expected.as_array().into_iter().flatten().filter_map(Value::as_str);
            let found: Vec<&str> = names.filter(|name| change.get(*name).is_some()).collect();
            (!found.is_empty()).then(|| format!("found {found:?}"))
        }
        "stack" => stack_differs(world, outcome, expected).await,
        "stack_id" => differs(&json!(world.stack_id), &json!(outcome.stack)),
        "same_stack_id" => differs(&json!(world.stack_id), &json!(outcome.stack)),
        "final_stack_status" => {
            let shown = world.describe(&outcome.stack).await;
            differs(expected, &shown["StackStatus"])
        }
        "stack_removed" => {
            let gone = world.call("DescribeStacks", &[("StackName", &world.stack)]).await;
            (gone.status == 200).then(|| gone.body.to_string())
        }
        "contains" if expected.is_string() => {
            (!answer.body.to_string().contains(text)).then(|| answer.body.to_string())
        }
        "contains" => {
            let stacks = answer.body["StackSummaries"].as_array().cloned().unwrap_or_default();
            (!stacks.iter().any(|stack| subset(expected, stack).is_none())).then(|| format!("{stacks:?}"))
        }
        "DriftInformation" => {
            let shown = world.describe(&outcome.stack).await;
            subset(expected, &shown["DriftInformation"])
        }
        "with_values_reason_prefix" => {
            let reason = answer.body["full"]["StatusReason"].as_str().unwrap_or_default();
            (!reason.starts_with(text)).then(|| reason.to_owned())
        }
        "by_name" => check_error(world, answer, &expected["error"]),
        "by_arn" => {
            let by_arn = world.call("DescribeStackEvents", &[("StackName", &world.stack_id)]).await;
            differs(&expected["http"], &json!(by_arn.status))
        }
        "stack_id_differs" => {
            let now = world.describe(&world.stack).await;
            (now["StackId"] == world.stack_id.as_str()).then(|| "the ARN is the old one".to_owned())
        }
        "events_only_of" => {
            let ids: Vec<&Value> = ids_of(&answer.body);
            ids.contains(&&json!(world.stack_id)).then(|| "events of the old stack".to_owned())
        }
        "good_resources" => statuses(world, outcome)
            .await
            .contains(&text.to_owned())
            .then_some(())
            .map_or_else(|| Some(format!("no resource is {text}")), |()| None),
        "created_resources" => {
            let left = statuses(world, outcome).await;
            differs(expected, &json!(left.len()))
        }
        "resources_complete" => {
            let complete = statuses(world, outcome).await;
            let count = complete.iter().filter(|status| *status == "UPDATE_COMPLETE").count();
            differs(expected, &json!(count))
        }
        _ => return check_events(world, outcome, word, expected).await,
    })
}

/// What is expected of events.
async fn check_events(
    world: &World,
    outcome: &Outcome,
    word: &str,
    expected: &Value,
) -> Result<Option<String>, Unknown> {
    let events = world.events(&outcome.stack).await;
    let text = world.filled(expected.as_str().unwrap_or_default());
    let reasons: Vec<&str> = events.iter().filter_map(|event| event["ResourceStatusReason"].as_str()).collect();
    let told = || Some(format!("{reasons:?}"));
    let matching = |pattern: &str| {
        let regex = Regex::new(pattern).expect("the case has a regular expression");
        reasons.iter().any(|reason| regex.is_match(reason)).then_some(()).map_or_else(told, |()| None)
    };
    Ok(match word {
        "chronological" => chronology(expected, &events, outcome, &world.stack),
        "api_order" => {
            let first = world.call("DescribeStackEvents", &[("StackName", &outcome.stack)]).await;
            let status = first.body.pointer("/StackEvents/0/ResourceStatus").cloned();
            (status != Some(json!("CREATE_COMPLETE"))).then(|| format!("{status:?} comes first"))
        }
        "field" => {
            let properties = events.iter().find_map(|event| event[text.as_str()].as_str());
            let parsed = properties.and_then(|properties| serde_json::from_str::<Value>(properties).ok());
            parsed.is_none().then(|| "there is none".to_owned())
        }
        "type" if text == "json-string" => None,
        "event" => one_event(world, expected, &events),
        "events" => {
            let wanted = expected.as_array().into_iter().flatten();
            wanted.filter_map(|event| one_event(world, event, &events)).next()
        }
        "events_have" => {
            let updated: Vec<&Value> = events.iter().filter(|event| is_update(event)).collect();
            let all = !updated.is_empty() && updated.iter().all(|event| subset(expected, event).is_none());
            (!all).then(|| format!("{updated:?}"))
        }
        "resource_events" => {
            let statuses: Vec<&str> = events
                .iter()
                .filter(|event| event["LogicalResourceId"] == "P")
                .filter_map(|event| event["ResourceStatus"].as_str())
                .collect();
            let mut wanted = expected.as_array().into_iter().flatten().filter_map(Value::as_str).peekable();
            for status in &statuses {
                if wanted.peek() == Some(status) {
                    wanted.next();
                }
            }
            wanted.next().map(|missing| format!("no {missing} in its place: {statuses:?}"))
        }
        "new_physical_id" => {
            let ids: Vec<&Value> = events
                .iter()
                .filter(|event| event["LogicalResourceId"] == "P")
                .map(|event| &event["PhysicalResourceId"])
                .collect();
            (ids.iter().filter(|id| **id == "renamed").count() == 0).then(|| format!("{ids:?}"))
        }
        "value_unchanged" => {
            let value = world.describe(&outcome.stack).await["Parameters"][0]["ParameterValue"].clone();
            differs(&json!("named"), &value)
        }
        "reason_regex" | "stack_event_reason_regex" => matching(&text),
        "stack_event_reason" => (!reasons.contains(&text.as_str())).then(told).flatten(),
        "reason_contains" => (!reasons.iter().any(|reason| reason.contains(&text))).then(told).flatten(),
        "resource_skipped_status" => {
            let event = json!({"LogicalResourceId": world.failing, "ResourceStatus": expected});
            one_event(world, &event, &events)
        }
        "content_type" => differs(expected, &json!(outcome.answer.content_type)),
        "xml" => {
            let shape = [
                "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">",
                "<Type>Sender</Type>",
                "<RequestId>",
            ];
            let missing: Vec<&str> = shape.into_iter().filter(|part| !outcome.answer.xml.contains(part)).collect();
            (!missing.is_empty()).then(|| format!("without {missing:?}: {}", outcome.answer.xml))
        }
        other => return Err(Unknown::new(format!("expectation `{other}`"))),
    })
}

fn is_update(event: &Value) -> bool {
    event["ResourceStatus"].as_str().is_some_and(|status| status.starts_with("UPDATE"))
}

/// Every line of a chronology in its order, with nothing but the lines between the first and the last.
fn chronology(expected: &Value, events: &[Value], outcome: &Outcome, stack: &str) -> Option<String> {
    let line = |event: &Value| {
        let logical = event["LogicalResourceId"].as_str().unwrap_or_default();
        let logical = if event["PhysicalResourceId"] == outcome.stack.as_str() { "<STACK>" } else { logical };
        (logical.to_owned(), event["ResourceStatus"].clone(), event["ResourceStatusReason"].clone())
    };
    let happened: Vec<_> = events.iter().map(line).collect();
    let wanted = expected.as_array().map_or(&[] as &[Value], Vec::as_slice);
    let agrees = wanted.len() == happened.len()
        && wanted.iter().zip(&happened).all(|(wanted, (logical, status, reason))| {
            wanted[0] == logical.as_str() && wanted[1] == *status && wanted.get(2).is_none_or(|wanted| wanted == reason)
        });
    (!agrees).then(|| format!("{stack}: {happened:?}"))
}

fn one_event(world: &World, expected: &Value, events: &[Value]) -> Option<String> {
    let mut wanted = expected.clone();
    let pattern = wanted.as_object_mut().and_then(|members| {
        if let Some(status) = members.remove("stack_event") {
            members.insert("ResourceStatus".to_owned(), status);
        }
        members.remove("ResourceStatusReason_regex")
    });
    let filled = world.filled(&wanted.to_string());
    let wanted: Value = serde_json::from_str(&filled).unwrap_or(wanted);
    let pattern =
        pattern.as_ref().and_then(Value::as_str).map(|pattern| Regex::new(pattern).expect("a regular expression"));
    let found = events.iter().any(|event| {
        let reason = event["ResourceStatusReason"].as_str().unwrap_or_default();
        subset(&wanted, event).is_none() && pattern.as_ref().is_none_or(|pattern| pattern.is_match(reason))
    });
    (!found).then(|| {
        let lines: Vec<String> = events
            .iter()
            .map(|event| {
                format!("{} {} {}", event["LogicalResourceId"], event["ResourceStatus"], event["ResourceStatusReason"])
            })
            .collect();
        format!("none is {wanted}: {lines:#?}")
    })
}

async fn statuses(world: &World, outcome: &Outcome) -> Vec<String> {
    let shown = world.call("ListStackResources", &[("StackName", &outcome.stack)]).await;
    let all = shown.body["StackResourceSummaries"].as_array().cloned().unwrap_or_default();
    all.iter().filter_map(|one| one["ResourceStatus"].as_str().map(str::to_owned)).collect()
}

async fn stack_differs(world: &World, outcome: &Outcome, expected: &Value) -> Option<String> {
    let shown = world.describe(&outcome.stack).await;
    let mut expected = expected.clone();
    let members = expected.as_object_mut()?;
    let names = |list: Option<Value>| -> Vec<String> {
        let list = list.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let (present, absent) = (names(members.remove("present")), names(members.remove("absent")));
    if let Some(missing) = present.iter().find(|name| shown.get(name.as_str()).is_none()) {
        return Some(format!("{missing} is absent: {shown}"));
    }
    if let Some(surplus) = absent.iter().find(|name| shown.get(name.as_str()).is_some()) {
        return Some(format!("{surplus} is present: {shown}"));
    }
    let filled = world.filled(&expected.to_string()).replace("<ID>", &world.failing);
    subset(&serde_json::from_str(&filled).unwrap_or(expected), &shown)
}

fn check_error(world: &World, answer: &Answer, expected: &Value) -> Option<String> {
    let told = answer.message();
    for (word, value) in expected.as_object().into_iter().flatten() {
        let text = world.filled(value.as_str().unwrap_or_default());
        let holds = match word.as_str() {
            "code" => answer.code() == text,
            "http" => json!(answer.status) == *value,
            "type" => answer.text("Type").as_deref() == Some(text.as_str()),
            "message" if text.ends_with(" ...") => told.starts_with(text.trim_end_matches(" ...")),
            "message" => told == topic(&text),
            "message_contains" => told.contains(&text),
            "message_regex" => Regex::new(&text).expect("a regular expression").is_match(&told),
            "message_set" => same_set(&told, &text),
            _ => false,
        };
        if !holds {
            return Some(format!("{word} should be {value}: {} {} {told}", answer.status, answer.code()));
        }
    }
    None
}

/// The same sentence, whatever the order in its brackets.
fn same_set(left: &str, right: &str) -> bool {
    let parts = |text: &str| {
        let (head, list) = text.split_once('[').unwrap_or((text, ""));
        let mut names: Vec<String> = list.trim_end_matches(']').split(", ").map(str::to_owned).collect();
        names.sort();
        (head.to_owned(), names)
    };
    parts(left) == parts(right)
}

fn differs(expected: &Value, actual: &Value) -> Option<String> {
    (!same(expected, actual)).then(|| format!("expected {expected}, found {actual}"))
}

/// XML has text only: a number and a flag are what they are written as, and an empty list or map is an empty element.
fn same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Bool(flag), Value::String(text)) => text.parse() == Ok(*flag),
        (Value::Number(number), Value::String(text)) => number.to_string().as_str() == text,
        (Value::Array(items), Value::String(text)) if text.is_empty() => items.is_empty(),
        (Value::Object(members), Value::String(text)) if text.is_empty() => members.is_empty(),
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(one, other)| subset(one, other).is_none())
        }
        (Value::Object(_), Value::Object(_)) => subset(expected, actual).is_none(),
        _ => expected == actual,
    }
}

/// Whether every member that is expected is there.
fn subset(expected: &Value, actual: &Value) -> Option<String> {
    let Value::Object(members) = expected else { return differs(expected, actual) };
    let mut wrong = members.iter().filter(|(name, value)| !same(value, &actual[name.as_str()]));
    wrong.next().map(|(name, value)| format!("{name} should be {value}: {actual}"))
}

/// Of which stacks events are.
fn ids_of(body: &Value) -> Vec<&Value> {
    body["StackEvents"].as_array().into_iter().flatten().map(|event| &event["StackId"]).collect()
}
