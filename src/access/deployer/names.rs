//! What the names in a template come to, as far as that can be known before it is deployed.

use serde_json::Value;

use super::{Place, Stack, partition};
use crate::template::Resource;
use crate::template::function::{ACCOUNT_ID, PARTITION, REGION, STACK_NAME, URL_SUFFIX};

/// Why a value is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It is that of a parameter without a default.
    Parameter(String),
    /// It comes into being with the stack.
    Computed,
}

/// What is known beforehand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) place: &'a Place,
    pub(super) stack: Stack<'a>,
}

/// How long a name is that CloudFormation adds to: a hyphen before twelve or thirteen characters.
const SUFFIX: usize = 14;

/// How much of a stack's name is certain to be in a name that had to be cut. AWS does not say how it cuts.
const CERTAIN: usize = 20;

impl<'a> Names<'a> {
    /// Every text that a value may come to; several where a condition decides.
    pub(super) fn texts(&self, value: &Value) -> Result<Vec<String>, Unknown> {
        match value {
            Value::String(text) => Ok(vec![text.clone()]),
            Value::Number(number) => Ok(vec![number.to_string()]),
            Value::Object(members) => {
                let Some((function, argument)) = members.iter().next().filter(|_| members.len() == 1) else {
                    return Err(Unknown::Computed);
                };
                self.called(function, argument)
            }
            _ => Err(Unknown::Computed),
        }
    }

    fn called(&self, function: &str, argument: &Value) -> Result<Vec<String>, Unknown> {
        match (function, argument) {
            ("Ref", Value::String(name)) => self.reference(name).map(|text| vec![text]),
            ("Fn::Sub", Value::String(text)) => self.filled(text, &Value::Null),
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), own] => self.filled(text, own),
                _ => Err(Unknown::Computed),
            },
            ("Fn::If", Value::Array(parts)) => {
                let branches = parts.iter().skip(1).filter(|branch| branch["Ref"] != "AWS::NoValue");
                let known: Result<Vec<_>, _> = branches.map(|branch| self.texts(branch)).collect();
                known.map(|known| known.concat())
            }
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(between), Value::Array(parts)] => {
                    let parts: Result<Vec<_>, _> = parts.iter().map(|part| self.texts(part)).collect();
                    Ok(joined(parts?, between))
                }
                _ => Err(Unknown::Computed),
            },
            _ => Err(Unknown::Computed),
        }
    }

    /// A pseudo parameter, or a parameter: as it was given, else its default.
    fn reference(&self, name: &str) -> Result<String, Unknown> {
        let region = &self.place.region;
        match name {
            ACCOUNT_ID => return Ok(self.place.account.clone()),
            REGION => return Ok(region.clone()),
            PARTITION => return Ok(partition(region).to_owned()),
            STACK_NAME => return Ok(self.stack.name.to_owned()),
            URL_SUFFIX if region.starts_with("cn-") => return Ok("amazonaws.com.cn".to_owned()),
            URL_SUFFIX => return Ok("amazonaws.com".to_owned()),
            _ => (),
        }
        let declared = self.stack.template.parameters.get(name).ok_or(Unknown::Computed)?;
        let default = declared.default.as_ref().and_then(|default| self.texts(default).ok()).into_iter().flatten();
        let given = self.stack.parameters.get(name).cloned();
        given.or_else(|| default.into_iter().next()).ok_or_else(|| Unknown::Parameter(name.to_owned()))
    }

    /// The text of `Fn::Sub`, with what stands for its placeholders.
    fn filled(&self, text: &str, own: &Value) -> Result<Vec<String>, Unknown> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or(Unknown::Computed)?;
            parts.push(vec![before.to_owned()]);
            parts.push(match (name.strip_prefix('!'), own.get(name)) {
                (Some(literal), _) => vec![format!("${{{literal}}}")],
                (None, Some(value)) => self.texts(value)?,
                (None, None) => vec![self.reference(name)?],
            });
            rest = after;
        }
        parts.push(vec![rest.to_owned()]);
        Ok(joined(parts, ""))
    }

    /// The resource of the stack that a value refers to, by `Ref` or `Fn::GetAtt`.
    pub(super) fn referred(&self, value: &Value) -> Option<(&'a str, &'a Resource)> {
        let id = value.get("Ref").or_else(|| value.pointer("/Fn::GetAtt/0")).and_then(Value::as_str)?;
        self.stack.template.resources.get_key_value(id).map(|(id, resource)| (id.as_str(), resource))
    }

    /// The names that a resource may get: what its property says, else what CloudFormation makes up.
    pub(super) fn names(
        &self,
        id: &str,
        resource: &Resource,
        property: &str,
        longest: usize,
    ) -> Result<Vec<String>, Unknown> {
        match resource.properties.get(property) {
            Some(value) => self.texts(value),
            None => Ok(vec![made_up(self.stack.name, id, longest)]),
        }
    }
}

/// Every way to choose one of each, joined.
fn joined(parts: Vec<Vec<String>>, between: &str) -> Vec<String> {
    let mut all = Vec::<String>::new();
    for (index, part) in parts.into_iter().enumerate() {
        all = if index == 0 {
            part
        } else {
            all.iter().flat_map(|head| part.iter().map(move |tail| format!("{head}{between}{tail}"))).collect()
        };
    }
    all
}

/// The pattern of the names that CloudFormation makes up: `stack-Id-` and some characters. What would be too long is cut
/// in a way that AWS does not tell.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html>
fn made_up(stack: &str, id: &str, longest: usize) -> String {
    if stack.len() + 1 + id.len() + SUFFIX <= longest {
        return format!("{stack}-{id}-*");
    }
    match stack.get(..CERTAIN) {
        Some(certain) => format!("{certain}*"),
        // It is whole, and what ends it keeps the names of others away that begin with it.
        None => format!("{stack}-*"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::*;
    use crate::template::{Parameter, Template};

    fn told(value: &Value) -> Result<Vec<String>, Unknown> {
        let mut template = Template::default();
        template.parameters.insert("Stage".into(), Parameter::new("String").default("beta"));
        template.parameters.insert("Given".into(), Parameter::new("String").default("not this"));
        template.parameters.insert("Open".into(), Parameter::new("String"));
        template.resources.insert("Users".into(), Resource::new("AWS::Cognito::UserPool"));
        let place =
            Place { region: "cn-north-1".into(), account: "1".into(), buckets: BTreeSet::new(), boundary: None };
        let parameters = BTreeMap::from([("Given".to_owned(), "this".to_owned())]);
        let stack = Stack { name: "s", template: &template, parameters: &parameters };
        Names { place: &place, stack }.texts(value)
    }

    #[test]
    fn what_is_known_beforehand_is_told() {
        for (value, text) in [
            (json!("plain"), "plain"),
            (json!({ "Ref": "AWS::Partition" }), "aws-cn"),
            (json!({ "Ref": "Stage" }), "beta"),
            (json!({ "Ref": "Given" }), "this"),
            (json!({ "Fn::Sub": "a-${AWS::AccountId}-${!b}-${Stage}" }), "a-1-${b}-beta"),
            (json!({ "Fn::Sub": ["${X}/${Stage}", { "X": { "Ref": "AWS::StackName" } }] }), "s/beta"),
            (json!({ "Fn::Join": ["-", ["a", { "Ref": "AWS::Region" }]] }), "a-cn-north-1"),
        ] {
            assert_eq!(told(&value), Ok(vec![text.to_owned()]), "{value}");
        }
        let either = json!({ "Fn::Sub": ["t-${X}", { "X": { "Fn::If": ["C", "a", { "Ref": "Stage" }] } }] });
        assert_eq!(told(&either), Ok(vec!["t-a".to_owned(), "t-beta".to_owned()]));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        assert_eq!(told(&json!({ "Ref": "Open" })), Err(Unknown::Parameter("Open".into())));
        for value in [
            json!({ "Ref": "Users" }),
            json!({ "Fn::GetAtt": ["Users", "Arn"] }),
            json!({ "Fn::Sub": "${Users}" }),
            json!({ "Fn::Sub": "${broken" }),
            json!({ "Fn::ImportValue": "x" }),
            json!(null),
        ] {
            assert_eq!(told(&value), Err(Unknown::Computed), "{value}");
        }
    }

    #[test]
    fn a_name_that_is_made_up_begins_with_the_stack() {
        assert_eq!(made_up("notes", "GetNoteRole", 64), "notes-GetNoteRole-*");
        let cut = made_up("a-stack-with-quite-a-long-name", "AndAResourceToMatchIt", 64);
        assert_eq!(cut, "a-stack-with-quite-a*");
        let id = "A".repeat(60);
        assert_eq!(made_up("app", &id, 64), "app-*", "`application-admin` is another's");
        assert_eq!(made_up("nineteen-characters", &id, 64), "nineteen-characters-*");
    }
}
