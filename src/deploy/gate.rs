//! What a deployment changes in access, against the template that is deployed and not a file that claims to be it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudformation::types::TemplateStage;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Unit;
use super::aws::{Account, During, Error as AwsError};
use super::stack::Stack;
use crate::access::change::{self, Change, Subject, Verdict};
use crate::access::matrix::Matrix;
use crate::synth::code::code_key;
use crate::template::{function, text};

/// What stands for the value of a parameter that CloudFormation does not show.
const HIDDEN: &str = "****";

/// What a deployment changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// Changes in access, the worst first.
    pub access: Vec<Change>,
    /// Resources that come, go or change.
    pub resources: Vec<Resource>,
    /// What else comes, goes or changes: outputs, tags and sections of the template.
    pub others: Vec<Other>,
    /// What is open to everybody from the first deployment on, in words.
    pub open: Vec<String>,
    /// Whether nothing is deployed yet.
    pub is_new: bool,
}

/// A resource that comes, goes or changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// What becomes of it: `added`, `changed` or `removed`.
    pub action: &'static str,
    /// Id in the template.
    #[serde(rename = "resource")]
    pub logical_id: String,
    /// CloudFormation type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Something besides resources that comes, goes or changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Other {
    /// What becomes of it: `added`, `changed` or `removed`.
    pub action: &'static str,
    /// What it is: `output`, `tag`, `parameter`, the `value` of one, or `section`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The name under which it is exported, or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
}

/// Compares what is deployed with what would be.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn compare(account: &Account, unit: &Unit, deployed: Option<&Stack>) -> Result<Comparison, AwsError> {
    let wanted = wanted(account, unit, deployed);
    let Some(stack) = deployed else {
        let template = serde_json::from_str(&unit.template).unwrap_or_default();
        let resources = resources(&Value::Null, &template);
        return Ok(Comparison { resources, open: open(&wanted), is_new: true, ..Comparison::default() });
    };
    Ok(judge(&original(account, &stack.id).await?, stack, unit, (&wanted, &place(account, &stack.name))))
}

/// What is deployed, as a matrix; nothing where the deployed template cannot be read.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn deployed(account: &Account, stack: &Stack) -> Result<Option<Matrix>, AwsError> {
    let template = original(account, &stack.id).await?;
    let place = place(account, &stack.name);
    Ok(text::parse(&template).ok().map(|template| Matrix::of_place(&template, &shown(&template, stack), &place)))
}

/// The matrix of what would be deployed. A parameter that is not given keeps its deployed value.
#[must_use]
pub fn wanted(account: &Account, unit: &Unit, deployed: Option<&Stack>) -> Matrix {
    wanted_at(&place(account, &unit.stack), unit, deployed)
}

fn wanted_at(place: &BTreeMap<String, String>, unit: &Unit, deployed: Option<&Stack>) -> Matrix {
    let template: Value = serde_json::from_str(&unit.template).unwrap_or_default();
    let mut parameters = deployed.map(|stack| shown(&template, stack)).unwrap_or_default();
    parameters.extend(unit.parameters.clone());
    Matrix::of_place(&template, &parameters, place)
}

/// What is known of the place that a stack is deployed to, as pseudo parameters.
fn place(account: &Account, stack: &str) -> BTreeMap<String, String> {
    let partition = match account.region.split_once('-') {
        Some(("cn", _)) => "aws-cn",
        Some(("us", rest)) if rest.starts_with("gov-") => "aws-us-gov",
        _ => "aws",
    };
    let known = [
        (function::ACCOUNT_ID, account.id.as_str()),
        (function::REGION, &account.region),
        (function::STACK_NAME, stack),
        (function::PARTITION, partition),
    ];
    // Regions with an `iso` in their names have partitions of their own.
    let is_known = |name: &str| name != function::PARTITION || !account.region.contains("iso");
    let known = known.into_iter().filter(|(name, _)| is_known(name));
    known.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What a new stack opens to everybody: where there was nothing, nothing is weakened. What is not read may open nothing,
/// and a role opens nothing to everybody.
fn open(wanted: &Matrix) -> Vec<String> {
    let (principals, roles) = (wanted.principals.clone(), wanted.roles.clone());
    let nothing = Matrix { principals, roles, unread: wanted.unread.clone(), ..Matrix::default() };
    let changes = change::changes(&nothing, wanted).into_iter();
    changes.filter(|change| change.verdict == Verdict::Weakened).map(|change| change.words).collect()
}

fn judge(text: &str, stack: &Stack, unit: &Unit, (wanted, place): (&Matrix, &BTreeMap<String, String>)) -> Comparison {
    let Ok(before) = text::parse(text) else {
        return Comparison { access: vec![unreadable()], ..Comparison::default() };
    };
    let deployed = Matrix::of_place(&before, &shown(&before, stack), place);
    let after = serde_json::from_str(&unit.template).unwrap_or_default();
    Comparison {
        access: change::changes(&deployed, wanted),
        resources: resources(&before, &after),
        others: others((&before, stack), (&after, unit)),
        ..Comparison::default()
    }
}

/// What is said of a deployed template that cannot be read: what it lets pass may be anything.
#[must_use]
pub fn unreadable() -> Change {
    Change {
        verdict: Verdict::Weakened,
        subject: Subject::Unseen,
        name: "template".to_owned(),
        words: "the deployed template cannot be read, so nothing can be compared with it".to_owned(),
    }
}

/// The values with which a stack is deployed, those that are not shown left out.
fn shown(template: &Value, stack: &Stack) -> BTreeMap<String, String> {
    let is_hidden = |name: &str, value: &str| {
        let declared = template.get("Parameters").and_then(|all| all.get(name));
        value == HIDDEN && declared.is_some_and(|parameter| parameter.get("NoEcho").is_some())
    };
    let parameters = stack.parameters.iter().filter(|(name, value)| !is_hidden(name, value));
    parameters.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The template as somebody wrote it, before macros.
async fn original(account: &Account, stack: &str) -> Result<String, AwsError> {
    let request = account.cloudformation.get_template().stack_name(stack).template_stage(TemplateStage::Original);
    let answer = request.send().await.during("cloudformation:GetTemplate", &account.config)?;
    Ok(answer.template_body.unwrap_or_default())
}

/// In what else two templates, and their stacks' tags and parameters, differ.
fn others((before, stack): (&Value, &Stack), (after, unit): (&Value, &Unit)) -> Vec<Other> {
    let mut found = differing("output", &before["Outputs"], &after["Outputs"]);
    for output in &mut found {
        let of = |template: &Value| export_name(&template["Outputs"][&output.name], &unit.stack);
        output.export = of(after).or_else(|| of(before));
    }
    found.extend(differing("parameter", &before["Parameters"], &after["Parameters"]));
    found.extend(values((before, stack), (after, unit)));
    found.extend(differing("tag", &serde_json::json!(stack.tags), &serde_json::json!(unit.tags)));
    let is_told = |name: &String| ["Resources", "Outputs", "Parameters"].contains(&name.as_str());
    found.extend(differing("section", before, after).into_iter().filter(|section| !is_told(&section.name)));
    found
}

/// The parameters that get another value, or one that is not shown and may be another. The keys of code are left out: code
/// is not built to compare.
fn values((before, stack): (&Value, &Stack), (after, unit): (&Value, &Unit)) -> Vec<Other> {
    let shown = shown(before, stack);
    let functions = || after["Resources"].as_object().into_iter().flatten().map(|(id, _)| code_key(id));
    let differs = |(name, value): &(&String, &String)| {
        stack.parameters.contains_key(*name)
            && shown.get(*name) != Some(*value)
            && !functions().any(|key| key == **name)
    };
    let changed = unit.parameters.iter().filter(differs);
    changed.map(|(name, _)| Other { action: "changed", kind: "value", name: name.clone(), export: None }).collect()
}

/// The name under which a template exports an output, if it can be told from the stack's.
#[must_use]
pub fn export_name(output: &Value, stack: &str) -> Option<String> {
    let name = &output["Export"]["Name"];
    let text = name.as_str().or_else(|| name["Fn::Sub"].as_str())?;
    let text = text.replace(&format!("${{{}}}", function::STACK_NAME), stack);
    (!text.contains("${")).then_some(text)
}

/// The members in which two objects differ.
fn differing(kind: &'static str, old: &Value, new: &Value) -> Vec<Other> {
    let keys = |of: &Value| of.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
    let names = &keys(old) | &keys(new);
    let differ = names.into_iter().filter_map(|name| {
        let action = match (old.get(&name), new.get(&name)) {
            (None, Some(_)) => "added",
            (Some(_), None) => "removed",
            (before, after) if before != after => "changed",
            _ => return None,
        };
        Some(Other { action, kind, name, export: None })
    });
    differ.collect()
}

/// The resources in which two templates differ.
fn resources(old: &Value, new: &Value) -> Vec<Resource> {
    let none = Map::new();
    let all =
        |template: &'_ Value| template.get("Resources").and_then(Value::as_object).cloned().unwrap_or(none.clone());
    let (old, new) = (all(old), all(new));
    let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differ = ids.into_iter().filter_map(|id| {
        let (action, resource) = match (old.get(id), new.get(id)) {
            (None, Some(resource)) => ("added", resource),
            (Some(resource), None) => ("removed", resource),
            (Some(before), Some(resource)) if before != resource => ("changed", resource),
            _ => return None,
        };
        let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Resource { action, logical_id: id.clone(), kind })
    });
    differ.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::assembly::Protection;

    fn stack(parameters: &[(&str, &str)]) -> Stack {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Stack {
            name: "s".into(),
            id: "arn:s".into(),
            status: "CREATE_COMPLETE".into(),
            reason: None,
            outputs: BTreeMap::new(),
            exports: BTreeSet::new(),
            parameters: parameters.collect(),
            tags: BTreeMap::new(),
            protection: Protection::Off,
        }
    }

    fn template(kind: &Value) -> Value {
        json!({
            "Parameters": {
                "Kind": { "Type": "String", "Default": "NONE" },
                "Secret": { "Type": "String", "NoEcho": true, "Default": "NONE" },
            },
            "Resources": {
                "Api": { "Type": "AWS::ApiGatewayV2::Api" },
                "Route": { "Type": "AWS::ApiGatewayV2::Route",
                    "Properties": { "ApiId": { "Ref": "Api" }, "RouteKey": "GET /", "AuthorizationType": kind } },
            },
        })
    }

    fn compared(deployed: &str, stack: &Stack, unit: &Unit) -> Vec<String> {
        compared_at(&[], deployed, stack, unit)
    }

    fn compared_at(place: &[(&str, &str)], deployed: &str, stack: &Stack, unit: &Unit) -> Vec<String> {
        let place = place.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let comparison = judge(deployed, stack, unit, (&wanted_at(&place, unit, Some(stack)), &place));
        comparison.access.into_iter().map(|change| format!("{:?} {}", change.verdict, change.words)).collect()
    }

    fn unit(template: &Value, parameters: &[(&str, &str)]) -> Unit {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Unit { stack: "s".into(), template: template.to_string(), parameters, ..Unit::default() }
    }

    #[test]
    fn a_parameter_that_is_not_given_keeps_its_deployed_value() {
        let by_parameter = template(&json!({ "Ref": "Kind" }));
        let deployed = stack(&[("Kind", "AWS_IAM")]);
        let text = by_parameter.to_string();
        assert_eq!(compared(&text, &deployed, &unit(&by_parameter, &[])), [""; 0]);
        let weaker = compared(&text, &deployed, &unit(&by_parameter, &[("Kind", "NONE")]));
        assert_eq!(weaker, ["Weakened GET / becomes PUBLIC"]);
    }

    #[test]
    fn what_is_not_shown_is_not_known() {
        let by_secret = template(&json!({ "Ref": "Secret" }));
        let deployed = stack(&[("Secret", HIDDEN)]);
        let text = by_secret.to_string();
        assert_eq!(compared(&text, &deployed, &unit(&by_secret, &[])), [""; 0], "it stays what it is");
        let given = compared(&text, &deployed, &unit(&by_secret, &[("Secret", "AWS_IAM")]));
        assert!(given[0].starts_with("Weakened"), "{given:?}");
    }

    #[test]
    fn the_account_decides_what_is_there() {
        let with = |condition: Option<&str>| {
            let mut template = template(&json!("AWS_IAM"));
            let account = json!({ "Fn::Equals": [{ "Ref": "AWS::AccountId" }, "111122223333"] });
            template["Conditions"] = json!({ "InTest": account });
            template["Resources"]["Door"] = json!({ "Type": "AWS::Lambda::Function" });
            template["Resources"]["Url"] = json!({ "Type": "AWS::Lambda::Url",
                "Properties": { "TargetFunctionArn": { "Ref": "Door" }, "AuthType": "NONE" } });
            if let Some(condition) = condition {
                template["Resources"]["Url"]["Condition"] = condition.into();
            }
            template
        };
        let (old, new) = (with(Some("InTest")).to_string(), with(None));
        let told = |account: &str| compared_at(&[("AWS::AccountId", account)], &old, &stack(&[]), &unit(&new, &[]));
        assert_eq!(told("111122223333"), [""; 0], "it was there");
        assert_eq!(told("444455556666"), ["Weakened function Door gets an address of its own, PUBLIC"]);
        assert_eq!(
            compared(&old, &stack(&[]), &unit(&new, &[])),
            ["Weakened whether Url is there depends on nothing instead of InTest"]
        );
    }

    #[test]
    fn a_deployed_template_may_be_yaml() {
        let yaml = "Resources:\n  Api: { Type: AWS::ApiGatewayV2::Api }\n  Route:\n    Type: AWS::ApiGatewayV2::Route\n    \
                    Properties: { ApiId: !Ref Api, RouteKey: GET /, AuthorizationType: AWS_IAM }\n";
        let weaker = compared(yaml, &stack(&[]), &unit(&template(&json!("NONE")), &[]));
        assert_eq!(weaker, ["Weakened GET / becomes PUBLIC"]);
    }

    #[test]
    fn a_template_that_cannot_be_read_stops_the_gate() {
        let [told] = compared("a: [", &stack(&[]), &unit(&template(&json!("NONE")), &[])).try_into().expect("one");
        assert!(told.starts_with("Weakened the deployed template cannot be read"), "{told}");
    }

    #[test]
    fn outputs_and_tags_are_told_as_well() {
        let old = json!({ "Description": "a", "Resources": {}, "Outputs": {
            "Kept": { "Value": "1" },
            "Gone": { "Value": "1", "Export": { "Name": { "Fn::Sub": "${AWS::StackName}:Gone" } } },
        } });
        let new = json!({ "Description": "b", "Resources": {}, "Outputs": { "Kept": { "Value": "1" } } });
        let tags = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
        let unit = Unit { stack: "s".to_owned(), tags, ..Unit::default() };
        let told: Vec<_> = others((&old, &stack(&[])), (&new, &unit))
            .into_iter()
            .map(|one| format!("{} {} {} {:?}", one.action, one.kind, one.name, one.export))
            .collect();
        let wanted =
            ["removed output Gone Some(\"s:Gone\")", "added tag team None", "changed section Description None"];
        assert_eq!(told, wanted);
    }

    #[test]
    fn values_of_parameters_are_told_as_well() {
        let mut template = template(&json!("NONE"));
        template["Resources"]["Door"] = json!({ "Type": "AWS::Lambda::Function" });
        let deployed = stack(&[("Kind", "NONE"), ("Secret", HIDDEN), ("DoorCodeKey", "old")]);
        let told = |given: &[(&str, &str)]| -> Vec<String> {
            let others = others((&template, &deployed), (&template, &unit(&template, given)));
            others.into_iter().map(|one| format!("{} {} {}", one.action, one.kind, one.name)).collect()
        };
        assert_eq!(told(&[("Kind", "NONE"), ("DoorCodeKey", "new")]), [""; 0]);
        assert_eq!(told(&[("Kind", "AWS_IAM")]), ["changed value Kind"]);
        assert_eq!(told(&[("Secret", "NONE")]), ["changed value Secret"], "what is not shown may be another");
    }

    #[test]
    fn resources_are_told_by_what_becomes_of_them() {
        let old = json!({ "Resources": { "A": { "Type": "a" }, "B": { "Type": "b" }, "C": { "Type": "c" } } });
        let new = json!({ "Resources": { "B": { "Type": "b", "Properties": {} }, "C": { "Type": "c" }, "D": {} } });
        let told: Vec<_> =
            resources(&old, &new).iter().map(|one| format!("{} {}", one.action, one.logical_id)).collect();
        assert_eq!(told, ["removed A", "changed B", "added D"]);
    }
}
