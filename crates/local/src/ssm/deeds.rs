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
    let place = arn(account, "");
    let resource = |asked: &str| match asked.strip_prefix(&place) {
        None if asked.starts_with("arn:") => asked.to_owned(),
        // A version or label after the name is no part of the resource.
        name => arn(account, name.unwrap_or(asked).split(':').next().unwrap_or_default()),
    };
    Some(named.iter().filter_map(Value::as_str).map(|name| Deed::new(action.clone(), resource(name))).collect())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use serde_json::json;

    use super::*;
    use crate::wire::Caller;

    #[test]
    fn a_version_is_no_part_of_the_resource_however_the_parameter_is_named() {
        let account = Account::new("us-east-1");
        let own = "arn:aws:ssm:us-east-1:000000000000:parameter/x";
        let resource = |name: &str| {
            let target = "AmazonSSM.GetParameter".parse().expect("a value");
            let request = Request {
                id: String::new(),
                method: Method::POST,
                path: "/".to_owned(),
                query: String::new(),
                headers: HeaderMap::from_iter([("x-amz-target".parse().expect("a name"), target)]),
                spelling: Default::default(),
                body: Bytes::from(json!({ "Name": name }).to_string()),
                caller: Caller::Root,
            };
            deeds(&account, &request).expect("the operation is listed").remove(0).resource
        };
        for name in ["x", "/x", "x:1", "/x:1", own, &format!("{own}:1")] {
            assert_eq!(resource(name), own, "{name}");
        }
        let foreign = "arn:aws:ssm:us-east-1:111111111111:parameter/x";
        assert_eq!(resource(foreign), foreign);
    }
}
