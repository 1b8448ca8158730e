//! Who may call a REST API at all.

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;

use crate::model::iam::Effect;
use crate::model::{Declared, Json, Value};

/// One statement of an API's resource policy; serialized as IAM has it, about `execute-api:Invoke`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
#[schemars(rename = "RestPolicyStatement")]
pub struct PolicyStatement {
    /// A name for the statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(alphanumeric))]
    pub sid: Option<String>,
    /// Whether the statement allows or denies; it allows by default.
    #[serde(default)]
    pub effect: Effect,
    /// Who is meant: ARNs of accounts, roles and users, or `*` for everyone.
    #[serde(rename(serialize = "Principal"), serialize_with = "principal")]
    #[garde(length(min = 1), dive)]
    pub principals: Vec<Value>,
    /// What is called, as `stage/METHOD/path` with `*` as a wildcard; everything when absent.
    #[serde(rename(serialize = "Resource"), default = "everything", serialize_with = "resources")]
    #[garde(length(min = 1))]
    pub routes: Vec<String>,
    /// When the statement applies, as IAM has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Json>,
}

impl PolicyStatement {
    /// Lets the principals call everything; `*` is everyone.
    pub fn allow<P: Into<Value>>(principals: impl IntoIterator<Item = P>) -> Self {
        let principals = principals.into_iter().map(Into::into).collect();
        Self { sid: None, effect: Effect::Allow, principals, routes: everything(), condition: None }
    }

    /// Keeps the principals from calling anything; `*` is everyone.
    pub fn deny<P: Into<Value>>(principals: impl IntoIterator<Item = P>) -> Self {
        Self { effect: Effect::Deny, ..Self::allow(principals) }
    }

    /// The policy that statements make up, as IAM has it.
    pub(crate) fn document(statements: &[Self]) -> Json {
        let statements = statements.iter().map(|statement| {
            let mut statement = json!(statement);
            statement["Action"] = json!("execute-api:Invoke");
            statement
        });
        json!({ "Version": "2012-10-17", "Statement": statements.collect::<Json>() })
    }
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

fn principal<S: Serializer>(principals: &[Value], serializer: S) -> Result<S::Ok, S::Error> {
    match principals {
        [everyone] if *everyone == Value::from("*") => serializer.serialize_str("*"),
        some => json!({ "AWS": some }).serialize(serializer),
    }
}

/// API Gateway puts the API itself into `execute-api:/...`: a policy that named it would be a circle. Whoever writes it
/// out as AWS's pages do means the same.
fn resources<S: Serializer>(routes: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    let below = |route: &str| route.strip_prefix("execute-api:").unwrap_or(route).trim_start_matches('/').to_owned();
    let resource = |route: &String| format!("execute-api:/{}", below(route));
    routes.iter().map(resource).collect::<Vec<_>>().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::PolicyStatement;

    #[test]
    fn a_route_may_be_written_as_aws_writes_it() {
        let resource = |route: &str| {
            let statement = PolicyStatement::allow(["*"]).routes(vec![route.to_owned()]);
            serde_json::to_value(statement).expect("it is JSON")["Resource"][0].clone()
        };
        assert_eq!(resource("execute-api:/prod/GET/notes"), "execute-api:/prod/GET/notes");
        assert_eq!(resource("/prod/GET/notes"), resource("prod/GET/notes"));
        assert_eq!(resource("*"), "execute-api:/*");
    }
}
