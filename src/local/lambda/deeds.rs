//! What a request to Lambda does, as far as IAM is concerned.

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{Target, arn};
use crate::local::cloud::Account;
use crate::local::iam::authorize::Deed;
use crate::local::wire::Request;

/// What is done to a function as a whole, whichever version or alias a request names.
const WHOLE: [&str; 13] = [
    "CreateFunction",
    "UpdateFunctionConfiguration",
    "UpdateFunctionCode",
    "ListVersionsByFunction",
    "PublishVersion",
    "ListAliases",
    "GetAlias",
    "GetFunctionConcurrency",
    "PutFunctionConcurrency",
    "DeleteFunctionConcurrency",
    "ListTags",
    "TagResource",
    "UntagResource",
];

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
        (&Method::POST, ["functions", name, "url"]) => ("CreateFunctionUrlConfig", *name),
        (&Method::GET, ["functions", name, "url"]) => ("GetFunctionUrlConfig", *name),
        (&Method::PUT, ["functions", name, "url"]) => ("UpdateFunctionUrlConfig", *name),
        (&Method::DELETE, ["functions", name, "url"]) => ("DeleteFunctionUrlConfig", *name),
        (&Method::GET, ["functions", name, "urls"]) => ("ListFunctionUrlConfigs", *name),
        (&Method::GET, ["tags", arn]) => ("ListTags", *arn),
        (&Method::POST, ["tags", arn]) => ("TagResource", *arn),
        (&Method::DELETE, ["tags", arn]) => ("UntagResource", *arn),
        (&Method::GET, ["account-settings"]) => ("GetAccountSettings", "*"),
        _ => return None,
    };
    let body: Value = if function.is_empty() { request.json().unwrap_or_default() } else { Value::Null };
    let function = body.get("FunctionName").and_then(Value::as_str).unwrap_or(function);
    let resource = match function {
        "*" => "*".to_owned(),
        function => resource(account, function, request, WHOLE.contains(&action)),
    };
    Some(vec![Deed::new(format!("lambda:{action}"), resource)])
}

/// ARN of the very function, version or alias that the operation will be about. What no operation will find stays as it
/// is spelled.
fn resource(account: &Account, function: &str, request: &Request, whole: bool) -> String {
    match Target::asked(account, function, request) {
        Ok(target) if whole => Target { qualifier: None, ..target }.arn(account),
        Ok(target) => target.arn(account),
        Err(_) if function.starts_with("arn:") => function.to_owned(),
        Err(_) => arn(account, function),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;
    use crate::local::wire::Caller;

    fn resource(method: Method, path: &str, query: &str) -> String {
        let account = Account { id: "000000000000".to_owned(), region: "us-east-1".to_owned(), ..Account::default() };
        let request = Request {
            id: String::new(),
            method,
            path: format!("/2015-03-31/{path}"),
            query: query.to_owned(),
            headers: HeaderMap::new(),
            spelling: Default::default(),
            body: Bytes::new(),
            caller: Caller::Root,
        };
        deeds(&account, &request).expect("the operation is listed").remove(0).resource
    }

    #[test]
    fn a_function_has_one_arn_however_it_is_called() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        let invoked = |name: &str, query: &str| {
            resource(Method::POST, &format!("functions/{}/invocations", name.replace(':', "%3A")), query)
        };
        for name in ["f", "000000000000:function:f", arn] {
            assert_eq!(invoked(name, ""), arn, "{name}");
            assert_eq!(invoked(name, "Qualifier=live"), format!("{arn}:live"), "{name}");
            assert_eq!(invoked(&format!("{name}:live"), "Qualifier=live"), format!("{arn}:live"), "{name}");
        }
        let foreign = "arn:aws:lambda:us-east-1:111111111111:function:f";
        assert_eq!(invoked(foreign, ""), foreign);
    }

    #[test]
    fn what_is_done_to_the_whole_function_has_no_qualifier() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        for (method, path) in [
            (Method::PUT, "functions/f/code"),
            (Method::PUT, "functions/f:live/configuration"),
            (Method::POST, "functions/f/versions"),
            (Method::PUT, "functions/f/concurrency"),
        ] {
            assert_eq!(resource(method, path, "Qualifier=live"), arn, "{path}");
        }
        assert_eq!(resource(Method::DELETE, "functions/f", "Qualifier=live"), format!("{arn}:live"));
    }
}
