//! What a request to Systems Manager does, as far as IAM is concerned.

use serde_json::Value;

use super::arn;
use crate::cloud::Account;
use crate::iam::authorize::Deed;
use crate::wire::Request;

/// Operations on parameters, whose action has the same name, and the member that names them.
const ON_PARAMETERS: &[(&str, &str)] = &[
    ("AddTagsToResource", "ResourceId"),
    ("DeleteParameter", "Name"),
    ("DeleteParameters", "Names"),
    ("GetParameter", "Name"),
    ("GetParameterHistory", "Name"),
    ("GetParameters", "Names"),
    ("GetParametersByPath", "Path"),
    ("ListTagsForResource", "ResourceId"),
    ("PutParameter", "Name"),
    ("RemoveTagsFromResource", "ResourceId"),
];

/// The deeds of a request; none for an operation that is not listed here.
pub(crate) fn deeds(account: &Account, request: &Request) -> Option<Vec<Deed>> {
    let body: Value = request.json().unwrap_or_default();
    let operation = request.operation().unwrap_or_default();
    let action = format!("ssm:{operation}");
    if operation == "DescribeParameters" {
        return Some(vec![Deed::new(action, "*")]);
    }
    let (_, member) = ON_PARAMETERS.iter().find(|(name, _)| *name == operation)?;
    let named =
        body.get(*member).map_or(&[][..], |named| named.as_array().map_or(std::slice::from_ref(named), Vec::as_slice));
    let resource = |name: &str| {
        // A version or label after the name is no part of the resource.
        let name = if name.starts_with("arn:") { name } else { name.split(':').next().unwrap_or(name) };
        if name.starts_with("arn:") { name.to_owned() } else { arn(account, name) }
    };
    Some(named.iter().filter_map(Value::as_str).map(|name| Deed::new(action.clone(), resource(name))).collect())
}
