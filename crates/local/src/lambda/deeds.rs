//! What a request to Lambda does, as far as IAM is concerned.

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{Target, arn};
use crate::cloud::Account;
use crate::iam::authorize::Deed;
use crate::wire::{Fault, Request};

/// Condition key of whom a function URL asks to sign: `NONE` or `AWS_IAM`.
pub(crate) const URL_AUTH_TYPE: &str = "lambda:FunctionUrlAuthType";

/// How much of the function that a request names an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The version or alias that its name or its query says.
    Qualified,
    /// The whole of it. Its name and its query say no other version or alias.
    Whole,
    /// The whole of it, whatever the query says: nobody looks.
    Named,
}

const WHOLE: [&str; 9] = [
    "UpdateFunctionConfiguration",
    "UpdateFunctionCode",
    "ListVersionsByFunction",
    "PublishVersion",
    "ListAliases",
    "GetAlias",
    "GetFunctionConcurrency",
    "PutFunctionConcurrency",
    "DeleteFunctionConcurrency",
];

const NAMED: [&str; 5] = ["CreateFunction", "ListFunctionUrlConfigs", "ListTags", "TagResource", "UntagResource"];

impl Reach {
    fn of(action: &str) -> Self {
        match action {
            action if WHOLE.contains(&action) => Self::Whole,
            action if NAMED.contains(&action) => Self::Named,
            _ => Self::Qualified,
        }
    }

    /// What the operation will be about.
    fn target(self, account: &Account, function: &str, request: &Request) -> Result<Target, Fault> {
        let target = match self {
            Self::Named => Target::parse(account, function)?,
            Self::Qualified | Self::Whole => Target::asked(account, function, request)?,
        };
        Ok(if self == Self::Qualified { target } else { Target { qualifier: None, ..target } })
    }
}

/// What says of which kind a function URL shall be, in a request and in the properties of a resource alike.
pub(crate) fn url_auth_type(action: &str) -> Option<&'static str> {
    match action {
        "lambda:CreateFunctionUrlConfig" | "lambda:UpdateFunctionUrlConfig" => Some("AuthType"),
        "lambda:AddPermission" => Some("FunctionUrlAuthType"),
        _ => None,
    }
}

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
        function => resource(account, function, request, Reach::of(action)),
    };
    Some(vec![told(Deed::new(format!("lambda:{action}"), resource), request)])
}

/// The deed, with the kind of function URL that the request asks for.
fn told(deed: Deed, request: &Request) -> Deed {
    let Some(member) = url_auth_type(&deed.action) else { return deed };
    let body: Value = request.json().unwrap_or_default();
    let kind = body.get(member).and_then(Value::as_str).map(str::to_owned);
    deed.knowing(URL_AUTH_TYPE, kind)
}

/// ARN of the very function, version or alias that the operation will be about. What no operation will find stays as it
/// is spelled.
fn resource(account: &Account, function: &str, request: &Request, reach: Reach) -> String {
    match reach.target(account, function, request) {
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
    use crate::wire::Caller;

    fn deed(method: Method, path: &str, query: &str, body: &str) -> Deed {
        let account = Account { id: "000000000000".to_owned(), region: "us-east-1".to_owned(), ..Account::default() };
        let request = Request {
            id: String::new(),
            method,
            path: format!("/2015-03-31/{path}"),
            query: query.to_owned(),
            headers: HeaderMap::new(),
            spelling: Default::default(),
            body: Bytes::from(body.to_owned()),
            caller: Caller::Root,
        };
        deeds(&account, &request).expect("the operation is listed").remove(0)
    }

    fn resource(method: Method, path: &str, query: &str) -> String {
        deed(method, path, query, "").resource
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

    #[test]
    fn a_query_that_no_operation_reads_changes_nothing() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        let named = arn.replace(':', "%3A") + "%3Alive";
        for (method, path) in [
            (Method::GET, "functions/f:live/urls".to_owned()),
            (Method::GET, format!("tags/{named}")),
            (Method::POST, format!("tags/{named}")),
            (Method::DELETE, format!("tags/{named}")),
        ] {
            assert_eq!(resource(method, &path, "Qualifier=other"), arn, "{path}");
        }
        let body = r#"{ "FunctionName": "f:live" }"#;
        assert_eq!(deed(Method::POST, "functions", "Qualifier=other", body).resource, arn);
    }

    #[test]
    fn the_kind_of_a_function_url_is_told() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        for (method, path, member, action) in [
            (Method::POST, "functions/f/url", "AuthType", "lambda:CreateFunctionUrlConfig"),
            (Method::PUT, "functions/f/url", "AuthType", "lambda:UpdateFunctionUrlConfig"),
            (Method::POST, "functions/f/policy", "FunctionUrlAuthType", "lambda:AddPermission"),
        ] {
            let body = format!(r#"{{ "{member}": "AWS_IAM" }}"#);
            let expected = Deed::new(action, arn).knowing(URL_AUTH_TYPE, ["AWS_IAM".to_owned()]);
            assert_eq!(deed(method.clone(), path, "", &body), expected);
            assert_eq!(deed(method, path, "", "{}"), Deed::new(action, arn).knowing(URL_AUTH_TYPE, None));
        }
    }
}
