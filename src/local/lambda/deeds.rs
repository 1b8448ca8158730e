//! What a request to Lambda does, as far as IAM is concerned.

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::local::cloud::Account;
use crate::local::iam::authorize::Deed;
use crate::local::wire::Request;

/// The deeds of a request; none for an operation that is not listed here.
pub(crate) fn deeds(account: &Account, request: &Request) -> Option<Vec<Deed>> {
    let path = percent_decode_str(&request.path).decode_utf8_lossy();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).skip(1).collect();
    let (action, function) = match (&request.method, segments.as_slice()) {
        (&Method::POST, ["functions", name, "invocations"]) => ("InvokeFunction", *name),
        (&Method::POST, ["functions"]) => ("CreateFunction", ""),
        (&Method::GET, ["functions"]) => ("ListFunctions", "*"),
        (&Method::GET, ["functions", name]) => ("GetFunction", *name),
        (&Method::DELETE, ["functions", name]) => ("DeleteFunction", *name),
        (&Method::GET, ["functions", name, "configuration"]) => ("GetFunctionConfiguration", *name),
        (&Method::PUT, ["functions", name, "configuration"]) => ("UpdateFunctionConfiguration", *name),
        (&Method::PUT, ["functions", name, "code"]) => ("UpdateFunctionCode", *name),
        (&Method::GET, ["functions", name, "policy"]) => ("GetPolicy", *name),
        (&Method::POST, ["functions", name, "policy"]) => ("AddPermission", *name),
        (&Method::DELETE, ["functions", name, "policy", _]) => ("RemovePermission", *name),
        (&Method::GET, ["functions", name, "versions"]) => ("ListVersionsByFunction", *name),
        (&Method::POST, ["functions", name, "versions"]) => ("PublishVersion", *name),
        (&Method::GET, ["functions", name, "aliases"]) => ("ListAliases", *name),
        (&Method::GET, ["functions", name, "aliases", _]) => ("GetAlias", *name),
        (&Method::GET, ["functions", name, "concurrency"]) => ("GetFunctionConcurrency", *name),
        (&Method::PUT, ["functions", name, "concurrency"]) => ("PutFunctionConcurrency", *name),
        (&Method::DELETE, ["functions", name, "concurrency"]) => ("DeleteFunctionConcurrency", *name),
        (&Method::GET, ["tags", arn]) => ("ListTags", *arn),
        (&Method::POST, ["tags", arn]) => ("TagResource", *arn),
        (&Method::DELETE, ["tags", arn]) => ("UntagResource", *arn),
        (&Method::GET, ["account-settings"]) => ("GetAccountSettings", "*"),
        _ => return None,
    };
    let body: Value = if function.is_empty() { request.json().unwrap_or_default() } else { Value::Null };
    let function = body.get("FunctionName").and_then(Value::as_str).unwrap_or(function);
    let qualifier = request.query_parameter("Qualifier");
    Some(vec![Deed::new(format!("lambda:{action}"), resource(account, function, qualifier.as_deref()))])
}

/// ARN of a function that is given as a name, a name with a qualifier, a part of an ARN or a whole one.
fn resource(account: &Account, function: &str, qualifier: Option<&str>) -> String {
    if function == "*" {
        return function.to_owned();
    }
    let name = function.rsplit_once("function:").map_or(function, |(_, name)| name);
    let place = match function.strip_prefix("arn:") {
        Some(_) => function.strip_suffix(name).unwrap_or_default().to_owned(),
        None => format!("arn:aws:lambda:{}:{}:function:", account.region, account.id),
    };
    match qualifier.filter(|_| !name.contains(':')) {
        Some(qualifier) => format!("{place}{name}:{qualifier}"),
        None => format!("{place}{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_one_arn_however_it_is_called() {
        let account = Account { id: "1".to_owned(), region: "r".to_owned(), ..Account::default() };
        let arn = "arn:aws:lambda:r:1:function:f";
        for name in ["f", "1:function:f", arn] {
            assert_eq!(resource(&account, name, None), arn, "{name}");
        }
        assert_eq!(resource(&account, "f", Some("live")), format!("{arn}:live"));
        assert_eq!(resource(&account, "f:live", Some("other")), format!("{arn}:live"));
        assert_eq!(resource(&account, "arn:aws:lambda:r:2:function:f", None), "arn:aws:lambda:r:2:function:f");
    }
}
