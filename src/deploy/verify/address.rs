//! The addresses of functions: those that the file declares, and those that it does not.

use serde_json::Value;

use super::bounds::Bounds;
use super::{Lack, Report, Subject, Tried, service};
use crate::access::matrix::Function;
use crate::access::probe::answer::{Outcome, plain};
use crate::access::probe::{ApiKey, Carrier, Credential, Door, Gateway, LeftOut, Must, Probe, Request};
use crate::deploy::api::{self, Answer, Call};

/// What is looked for where the file declares no address of a function.
const ADDRESS: &str = "an address of its own";

/// The address that a function, or an alias of it, has as the file declares it, without a slash at the end.
pub(super) async fn declared(subject: &Subject<'_>, function: &str, alias: Option<&str>) -> Result<String, Lack> {
    let missing = || Lack::Deployment(format!("function `{function}` is not deployed"));
    let name = physical(subject, function).ok_or_else(missing)?;
    let qualifier = alias.map(|alias| format!("?Qualifier={alias}")).unwrap_or_default();
    let answer = ask(subject, &format!("{name}/url{qualifier}")).await;
    let answer = answer.map_err(|why| Lack::Means(unasked(function, &why)))?;
    let has_none = || {
        let of_alias = alias.map(|alias| format!("alias `{alias}` of ")).unwrap_or_default();
        Lack::Deployment(format!("{of_alias}function `{function}` has no address"))
    };
    match read(&answer) {
        Ok(described) => {
            let address = described.get("FunctionUrl").and_then(Value::as_str).ok_or_else(has_none)?;
            Ok(address.trim_end_matches('/').to_owned())
        }
        Err(Refused::Missing) => Err(has_none()),
        Err(Refused::Otherwise(why)) => Err(Lack::Means(unasked(function, &why))),
    }
}

/// Addresses of functions and their aliases that the file does not declare.
pub(super) async fn undeclared(
    subject: &Subject<'_>,
    is_chosen: &impl Fn(&Door) -> bool,
    bounds: &Bounds<'_>,
    report: &mut Report,
) {
    for (function, declared) in &subject.matrix.functions {
        let door = Door::Url { function: function.clone(), alias: None };
        let Some(name) = physical(subject, function).filter(|_| is_chosen(&door)) else { continue };
        match bounds.patiently(addresses(subject, name)).await {
            Ok(Ok(all)) => {
                let others = all.into_iter().filter(|address| !address.is_declared(declared));
                report.tried.extend(others.map(|address| address.found(function)));
            }
            Ok(Err(why)) => {
                let (what, why) = (ADDRESS.to_owned(), unasked(function, &why));
                report.left_out.push(LeftOut { door, what, why });
            }
            Err(ended) => report.leave_out(door, ADDRESS.to_owned(), ended),
        }
    }
}

/// Where a function, or an alias of it, answers.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    alias: Option<String>,
    url: String,
}

impl Address {
    fn read(described: &Value) -> Option<Self> {
        let text = |name: &str| described.get(name).and_then(Value::as_str);
        // `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, and the alias behind it.
        let alias = text("FunctionArn").and_then(|arn| arn.split(':').nth(7)).map(str::to_owned);
        Some(Self { alias, url: text("FunctionUrl")?.to_owned() })
    }

    /// Whether the file has it. It may be that of any alias whose name only the deployment knows.
    fn is_declared(&self, function: &Function) -> bool {
        match &self.alias {
            None => function.url.is_some(),
            Some(alias) => function.aliases.keys().any(|own| own == alias || own.contains("${")),
        }
    }

    fn found(self, function: &str) -> Tried {
        let probe = Probe {
            door: Door::Url { function: function.to_owned(), alias: self.alias },
            gateway: Gateway::Url,
            request: Request { method: "GET".to_owned(), path: "/".to_owned(), ..Request::default() },
            credential: Credential::Nothing,
            carrier: Carrier::default(),
            api_key: ApiKey::NotAsked,
            must: Must::BeClosed,
            what: ADDRESS.to_owned(),
            why: "the file declares none".to_owned(),
        };
        let outcome = Outcome::Leaked("the function has one, beside every API".to_owned());
        Tried { probe, url: self.url, status: None, outcome }
    }
}

fn physical<'a>(subject: &Subject<'a>, function: &str) -> Option<&'a str> {
    let deployed = subject.resources.iter().find(|one| one.logical_id == function)?;
    Some(deployed.physical_id.as_str())
}

fn unasked(function: &str, why: &str) -> String {
    format!("function `{function}` cannot be asked for its address: {why}")
}

/// What a function and its aliases answer at. See <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionUrlConfigs.html>.
async fn addresses(subject: &Subject<'_>, name: &str) -> Result<Vec<Address>, String> {
    listed(&ask(subject, &format!("{name}/urls")).await?)
}

fn listed(answer: &Answer) -> Result<Vec<Address>, String> {
    let described = match read(answer) {
        Ok(described) => described,
        Err(Refused::Missing) => return Ok(Vec::new()),
        Err(Refused::Otherwise(why)) => return Err(why),
    };
    let all = described.get("FunctionUrlConfigs").and_then(Value::as_array).ok_or("the answer lists none")?;
    Ok(all.iter().filter_map(Address::read).collect())
}

/// There is no SDK client for these two questions.
async fn ask(subject: &Subject<'_>, below: &str) -> Result<Answer, String> {
    let url = format!("{}/2021-10-31/functions/{below}", service(subject.account, "lambda"));
    let call = Call { method: "GET".to_owned(), path: String::new(), headers: Vec::new(), body: None };
    let headers = api::signature(subject.account, "lambda", &url, &call).await.map_err(|error| error.to_string())?;
    api::send(&url, &Call { headers, ..call }).await.map_err(|error| error.to_string())
}

/// Why Lambda does not describe an address.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// There is none.
    Missing,
    /// Anything else.
    Otherwise(String),
}

fn read(answer: &Answer) -> Result<Value, Refused> {
    let said = || plain(&String::from_utf8_lossy(&answer.body), 200);
    if answer.status == 200 {
        return serde_json::from_slice(&answer.body).map_err(|_| Refused::Otherwise(said()));
    }
    let error = answer.headers.iter().find(|(name, _)| name == "x-amzn-errortype");
    let is_missing = error.is_some_and(|(_, error)| error.starts_with("ResourceNotFoundException"));
    Err(if is_missing { Refused::Missing } else { Refused::Otherwise(format!("{} {}", answer.status, said())) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{Address, Answer, Function, Refused, listed, read};
    use crate::access::matrix::Matrix;

    fn answer(status: u16, error: &str, body: &str) -> Answer {
        let headers = vec![("x-amzn-errortype".to_owned(), error.to_owned())];
        Answer { status, reason: String::new(), headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn only_a_function_that_says_so_has_no_address() {
        let none = answer(404, "ResourceNotFoundException", "{}");
        assert_eq!((read(&none), listed(&none)), (Err(Refused::Missing), Ok(Vec::new())));
        assert_eq!(listed(&answer(200, "", r#"{"FunctionUrlConfigs":[]}"#)), Ok(Vec::new()));
        for (status, error) in [(403, "AccessDeniedException"), (429, "TooManyRequestsException"), (500, "")] {
            assert!(listed(&answer(status, error, "{}")).is_err(), "{status}");
        }
        assert!(listed(&answer(200, "", "<html>")).is_err());
    }

    /// A function with an address for each of these qualifiers, as the file has it.
    fn declared(qualifiers: &[Option<&str>]) -> Function {
        let mut resources = json!({ "F": { "Type": "AWS::Lambda::Function" } });
        for (at, qualifier) in qualifiers.iter().enumerate() {
            let mut properties = json!({ "TargetFunctionArn": { "Ref": "F" }, "AuthType": "AWS_IAM" });
            properties["Qualifier"] = json!(qualifier);
            resources[format!("Url{at}")] = json!({ "Type": "AWS::Lambda::Url", "Properties": properties });
        }
        Matrix::of(&json!({ "Resources": resources }), &BTreeMap::new()).functions.remove("F").expect("it is there")
    }

    #[test]
    fn addresses_of_aliases_are_told_from_those_of_the_function() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        let own = json!({ "FunctionUrl": "https://a/", "FunctionArn": arn });
        let of_alias = json!({ "FunctionUrl": "https://b/", "FunctionArn": format!("{arn}:live") });
        let two = json!({ "FunctionUrlConfigs": [own, of_alias] }).to_string();
        let all = listed(&answer(200, "", &two)).expect("it is a list");
        let undeclared = |function: &Function| {
            let others = all.iter().filter(|address| !address.is_declared(function));
            others.map(|Address { url, .. }| url.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(undeclared(&declared(&[])), ["https://a/", "https://b/"]);
        assert_eq!(undeclared(&declared(&[None])), ["https://b/"]);
        assert_eq!(undeclared(&declared(&[Some("live")])), ["https://a/"]);
        assert_eq!(undeclared(&declared(&[None, Some("test")])), ["https://b/"]);
        assert_eq!(undeclared(&declared(&[None, Some("live")])), [""; 0]);
        assert_eq!(undeclared(&declared(&[None, Some("${Alias}")])), [""; 0], "it may be that one");
    }
}
