//! CloudFormation's intrinsic functions and pseudo parameters.

use serde_json::{Value, json};

/// The account that the stack is deployed to.
pub const ACCOUNT_ID: &str = "AWS::AccountId";
/// The region that the stack is deployed to.
pub const REGION: &str = "AWS::Region";
/// `aws`, `aws-cn` or `aws-us-gov`.
pub const PARTITION: &str = "AWS::Partition";
/// `amazonaws.com`, or what it is in the partition.
pub const URL_SUFFIX: &str = "AWS::URLSuffix";
/// Name of the stack.
pub const STACK_NAME: &str = "AWS::StackName";
/// ARN of the stack.
pub const STACK_ID: &str = "AWS::StackId";

/// `Ref`: a parameter's value, a pseudo parameter, or what identifies a resource.
#[must_use]
pub fn reference(id: &str) -> Value {
    json!({ "Ref": id })
}

/// `Fn::GetAtt`: an attribute of a resource.
#[must_use]
pub fn get_att(id: &str, attribute: &str) -> Value {
    json!({ "Fn::GetAtt": [id, attribute] })
}

/// `Fn::Sub`: text in which `${Id}` and `${Id.Attribute}` are replaced.
#[must_use]
pub fn sub(text: &str) -> Value {
    json!({ "Fn::Sub": text })
}

/// `Fn::Sub` with values of its own for some of the names.
#[must_use]
pub fn sub_with<'a>(text: &str, values: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let values: Value = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    json!({ "Fn::Sub": [text, values] })
}

/// Text that [`sub`] leaves as it is, whatever it contains.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace("${", "${!")
}

/// `Fn::Join`: parts with something between them.
#[must_use]
pub fn join(delimiter: &str, parts: impl IntoIterator<Item = Value>) -> Value {
    json!({ "Fn::Join": [delimiter, parts.into_iter().collect::<Value>()] })
}

/// `Fn::Select`: one part of a list.
#[must_use]
pub fn select(index: usize, list: impl Into<Value>) -> Value {
    json!({ "Fn::Select": [index, list.into()] })
}

/// `Fn::Split`: the parts of a text.
#[must_use]
pub fn split(delimiter: &str, text: impl Into<Value>) -> Value {
    json!({ "Fn::Split": [delimiter, text.into()] })
}

/// `Fn::ImportValue`: what another stack exports.
#[must_use]
pub fn import_value(name: impl Into<Value>) -> Value {
    json!({ "Fn::ImportValue": name.into() })
}

/// `Fn::FindInMap`: a constant of a table.
#[must_use]
pub fn find_in_map(map: &str, first: impl Into<Value>, second: impl Into<Value>) -> Value {
    json!({ "Fn::FindInMap": [map, first.into(), second.into()] })
}

/// `Fn::If`: one value where a condition holds, else the other.
#[must_use]
pub fn if_(condition: &str, then: impl Into<Value>, otherwise: impl Into<Value>) -> Value {
    json!({ "Fn::If": [condition, then.into(), otherwise.into()] })
}

/// `Fn::Equals`: whether two values are the same.
#[must_use]
pub fn equals(one: impl Into<Value>, other: impl Into<Value>) -> Value {
    json!({ "Fn::Equals": [one.into(), other.into()] })
}

/// `Fn::Not`: whether a truth is none.
#[must_use]
pub fn not(truth: impl Into<Value>) -> Value {
    json!({ "Fn::Not": [truth.into()] })
}

/// `Fn::And`: whether all hold.
#[must_use]
pub fn and(truths: impl IntoIterator<Item = Value>) -> Value {
    json!({ "Fn::And": truths.into_iter().collect::<Value>() })
}

/// `Fn::Or`: whether one holds.
#[must_use]
pub fn or(truths: impl IntoIterator<Item = Value>) -> Value {
    json!({ "Fn::Or": truths.into_iter().collect::<Value>() })
}

/// A named condition within another.
#[must_use]
pub fn condition(name: &str) -> Value {
    json!({ "Condition": name })
}

/// The value of a property that shall be as if it were not written.
#[must_use]
pub fn no_value() -> Value {
    reference("AWS::NoValue")
}

/// The functions that a template may use.
pub const FUNCTIONS: &[&str] = &[
    "Fn::And",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::Contains",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::GetAZs",
    "Fn::GetAtt",
    "Fn::If",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Length",
    "Fn::Not",
    "Fn::Or",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
    "Fn::ToJsonString",
    "Fn::Transform",
];

/// A piece of the text of an `Fn::Sub`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// What stands between the names.
    Text(&'a str),
    /// `${!Name}`, which stands for `${Name}`.
    Literal(&'a str),
    /// `${Name}`.
    Name(&'a str),
}

/// The pieces of the text of an `Fn::Sub`, in order.
#[must_use]
pub fn pieces(mut text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    while let Some((before, rest)) = text.split_once("${") {
        let Some((inside, after)) = rest.split_once('}') else { break };
        found.push(Piece::Text(before));
        found.push(match inside.strip_prefix('!') {
            Some(literal) => Piece::Literal(literal),
            None => Piece::Name(inside.trim()),
        });
        text = after;
    }
    found.push(Piece::Text(text));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_shaped_as_cloudformation_wants_them() {
        let bucket = if_("UsesCdkBucket", sub("assets-${AWS::Region}"), reference("AssetBucket"));
        let expected =
            json!({ "Fn::If": ["UsesCdkBucket", { "Fn::Sub": "assets-${AWS::Region}" }, { "Ref": "AssetBucket" }] });
        assert_eq!(bucket, expected);
        assert_eq!(
            join("-", [json!("a"), reference(REGION)]),
            json!({ "Fn::Join": ["-", ["a", { "Ref": "AWS::Region" }]] })
        );
        assert_eq!(sub_with("${A}", [("A", json!(1))]), json!({ "Fn::Sub": ["${A}", { "A": 1 }] }));
        assert_eq!(not(equals("a", "")), json!({ "Fn::Not": [{ "Fn::Equals": ["a", ""] }] }));
    }

    #[test]
    fn escaped_text_is_left_alone() {
        assert_eq!(escape("${context.path} $5 {}"), "${!context.path} $5 {}");
    }
}
