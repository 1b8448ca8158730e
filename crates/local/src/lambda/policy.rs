//! Resource policies: who may invoke a function.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Function, Target};
use crate::cloud::Account;
use crate::wire::Fault;

/// Most bytes of a policy, as AWS counts them.
const LARGEST: usize = 20_480;

/// One permission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Statement {
    /// Its id.
    pub statement_id: String,
    /// A service such as `apigateway.amazonaws.com`, an account, an ARN, or `*`.
    pub principal: String,
    /// `lambda:InvokeFunction`, or a wildcard that holds it.
    pub action: String,
    /// Only on behalf of this ARN, which may hold wildcards.
    pub source_arn: Option<String>,
    /// Only on behalf of this account.
    pub source_account: Option<String>,
    /// Only within this organization.
    #[serde(rename = "PrincipalOrgID")]
    pub principal_org_id: Option<String>,
    /// Only with this token of an Alexa skill.
    pub event_source_token: Option<String>,
    /// Only by function URLs of this kind.
    pub function_url_auth_type: Option<String>,
    /// Only by function URLs.
    pub invoked_via_function_url: Option<bool>,
    /// The version or alias that it is about.
    pub qualifier: Option<String>,
}

/// Whether a function's resource policy lets a service invoke it on behalf of `source_arn`.
///
/// `function` is a name or an ARN. A qualified one is covered only by permissions on that very qualifier, as on AWS.
#[must_use]
pub fn allows(account: &Account, function: &str, principal_service: &str, source_arn: &str) -> bool {
    let Ok(target) = Target::parse(account, function) else { return false };
    let Some(function) = account.lambda.0.get(&target.name) else { return false };
    function
        .policy
        .iter()
        .filter(|statement| statement.qualifier == target.qualifier)
        .any(|statement| statement.allows(&account.id, principal_service, source_arn))
}

/// The policy of a function, or of the version or alias that an ARN names, as IAM judges it.
pub(crate) fn policy_of(account: &Account, arn: &str) -> Option<Value> {
    let target = Target::parse(account, arn).ok()?;
    account.lambda.0.get(&target.name)?.policy_document(account, &target)
}

impl Statement {
    fn allows(&self, account: &str, service: &str, source_arn: &str) -> bool {
        let unmet = self.principal_org_id.is_some()
            || self.event_source_token.is_some()
            || self.function_url_auth_type.is_some()
            || self.invoked_via_function_url == Some(true);
        !unmet
            && (self.principal == service || self.principal == "*")
            && matches!(self.action.as_str(), "lambda:InvokeFunction" | "lambda:*" | "*")
            && self.source_arn.as_deref().is_none_or(|pattern| arn_like(pattern, source_arn))
            && self.source_account.as_deref().is_none_or(|id| id == account)
    }

    /// The statement as `GetPolicy` shows it.
    fn document(&self, resource: &str) -> Value {
        let mut conditions: Map<String, Value> = Map::new();
        let mut add = |operator: &str, key: &str, value: Value| {
            let entry = conditions.entry(operator).or_insert_with(|| json!({}));
            entry[key] = value;
        };
        if let Some(id) = &self.source_account {
            add("StringEquals", "AWS:SourceAccount", json!(id));
        }
        if let Some(id) = &self.principal_org_id {
            add("StringEquals", "aws:PrincipalOrgID", json!(id));
        }
        if let Some(token) = &self.event_source_token {
            add("StringEquals", "lambda:EventSourceToken", json!(token));
        }
        if let Some(kind) = &self.function_url_auth_type {
            add("StringEquals", "lambda:FunctionUrlAuthType", json!(kind));
        }
        if let Some(via) = self.invoked_via_function_url {
            add("Bool", "lambda:InvokedViaFunctionUrl", json!(via.to_string()));
        }
        if let Some(arn) = &self.source_arn {
            add("ArnLike", "AWS:SourceArn", json!(arn));
        }
        let mut statement = json!({
            "Sid": self.statement_id,
            "Effect": "Allow",
            "Principal": self.principal_document(),
            "Action": self.action,
            "Resource": resource,
        });
        if !conditions.is_empty() {
            statement["Condition"] = Value::Object(conditions);
        }
        statement
    }

    fn principal_document(&self) -> Value {
        let is_account = self.principal.len() == 12 && self.principal.bytes().all(|byte| byte.is_ascii_digit());
        match self.principal.as_str() {
            "*" => json!("*"),
            id if is_account => json!({ "AWS": format!("arn:aws:iam::{id}:root") }),
            arn if arn.starts_with("arn:") => json!({ "AWS": arn }),
            service => json!({ "Service": service }),
        }
    }
}

impl Function {
    /// The policy of the function or of one qualifier, when it has any statement.
    #[must_use]
    pub fn policy_document(&self, account: &Account, target: &Target) -> Option<Value> {
        let resource = target.arn(account);
        let statements: Vec<Value> = self
            .policy
            .iter()
            .filter(|statement| statement.qualifier == target.qualifier)
            .map(|statement| statement.document(&resource))
            .collect();
        (!statements.is_empty()).then(|| json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements }))
    }
}

/// Adds a permission to a function, and returns it as `AddPermission` answers.
///
/// # Errors
/// When the function is missing, the id is taken or the policy would grow too large.
pub(super) fn add(account: &mut Account, target: &Target, statement: Statement) -> Result<Value, Fault> {
    if !is_action(&statement.action) {
        return Err(no_action(&statement.action));
    }
    let statement = Statement { qualifier: target.qualifier.clone(), ..statement };
    let function = super::Functions::function(account, target)?;
    if let Some(qualifier) = &target.qualifier
        && !function.aliases.contains_key(qualifier)
        && function.version(qualifier).is_none()
    {
        return Err(target.missing(account));
    }
    let taken =
        |known: &Statement| known.statement_id == statement.statement_id && known.qualifier == statement.qualifier;
    if function.policy.iter().any(taken) {
        return Err(super::fault(
            http::StatusCode::CONFLICT,
            "ResourceConflictException",
            format!(
                "The statement id ({}) provided already exists. Please provide a new statement id, or remove the \
                 existing statement.",
                statement.statement_id
            ),
        ));
    }
    let document = statement.document(&target.arn(account));
    let mut grown = function.clone();
    grown.policy.push(statement);
    let size = grown.policy_document(account, target).map_or(0, |policy| policy.to_string().len());
    if size > LARGEST {
        return Err(Fault::new(
            "PolicyLengthExceededException",
            format!("The final policy size ({size}) is bigger than the limit ({LARGEST})."),
        ));
    }
    account.lambda.0.insert(target.name.clone(), grown);
    Ok(document)
}

/// `*`, `lambda:*`, or an action of Lambda by its name.
fn is_action(action: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    action == "*" || action.strip_prefix("lambda:").is_some_and(|name| name == "*" || is_name(name))
}

fn no_action(action: &str) -> Fault {
    Fault::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{action}' at 'action' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"
        ),
    )
}

/// Takes a permission away.
///
/// # Errors
/// When there is no such function or permission.
pub(super) fn remove(account: &mut Account, target: &Target, statement_id: &str) -> Result<(), Fault> {
    let missing = target.missing(account);
    let function = account.lambda.0.get_mut(&target.name).ok_or(missing)?;
    let before = function.policy.len();
    function.policy.retain(|known| known.statement_id != statement_id || known.qualifier != target.qualifier);
    if function.policy.len() == before {
        return Err(super::not_found(format!("Statement {statement_id} is not found in resource policy.")));
    }
    Ok(())
}

/// IAM's `ArnLike`: each of the six parts for itself, `*` and `?` as wildcards within it.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let patterns: Vec<&str> = pattern.splitn(6, ':').collect();
    parts.len() == patterns.len() && patterns.iter().zip(parts).all(|(pattern, part)| like(pattern, part))
}

/// A wildcard match that never goes back more than one star, so that it takes no more than their product in steps.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut here) = (0, 0);
    let mut retry = None;
    while let Some(byte) = text.get(here) {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, here));
                at += 1;
            }
            Some(expected) if expected == byte || *expected == b'?' => {
                at += 1;
                here += 1;
            }
            _ => {
                let Some((star, from)) = retry else { return false };
                retry = Some((star, from + 1));
                (at, here) = (star + 1, from + 1);
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lambda::testing;

    const API: &str = "arn:aws:execute-api:us-east-1:000000000000:abc123/$default/GET/protected";

    fn statement(source_arn: &str) -> Statement {
        Statement {
            principal: "apigateway.amazonaws.com".to_owned(),
            action: "lambda:InvokeFunction".to_owned(),
            source_arn: Some(source_arn.to_owned()),
            ..Statement::default()
        }
    }

    fn admits(statement: &Statement) -> bool {
        statement.allows("000000000000", "apigateway.amazonaws.com", API)
    }

    #[test]
    fn a_source_may_hold_wildcards() {
        for pattern in [
            API,
            "arn:aws:execute-api:us-east-1:000000000000:abc123/*/*",
            "arn:aws:execute-api:us-east-1:000000000000:abc123/*",
            "arn:aws:execute-api:*:*:abc12?/*/GET/*",
        ] {
            assert!(admits(&statement(pattern)), "{pattern}");
        }
        for pattern in [
            "arn:aws:execute-api:us-east-1:000000000000:other/*",
            "arn:aws:execute-api:us-east-1:000000000000:abc123/*/POST/*",
            "arn:aws:execute-api:us-east-1:111111111111:abc123/*",
            "arn:aws:execute-api:*",
            "*",
            "",
        ] {
            assert!(!admits(&statement(pattern)), "{pattern}");
        }
    }

    #[tokio::test]
    async fn a_permission_is_for_the_function_of_this_account_and_region() {
        let deployed = testing::deployed(&json!({}));
        let target = Target { name: "f".to_owned(), qualifier: None };
        let added = deployed.cloud.write(|account| add(account, &target, statement(API)).map(drop));
        added.expect("the function is there");
        let admits =
            |function: &str| deployed.cloud.read(|account| allows(account, function, "apigateway.amazonaws.com", API));
        assert!(admits("f") && admits("arn:aws:lambda:us-east-1:000000000000:function:f"));
        assert!(!admits("arn:aws:lambda:us-east-1:111111111111:function:f"));
        assert!(!admits("arn:aws:lambda:eu-west-1:000000000000:function:f"));
        deployed.stop().await;
    }

    #[test]
    fn an_action_is_one_of_lambda() {
        for action in ["*", "lambda:*", "lambda:InvokeFunction"] {
            assert!(is_action(action), "{action}");
        }
        for action in ["", "InvokeFunction", "lambda:", "lambda:Invoke*", "s3:GetObject", "lambda:*x"] {
            assert!(!is_action(action), "{action}");
        }
    }

    #[test]
    fn every_condition_counts() {
        let whole = statement(API);
        assert!(admits(&whole));
        assert!(admits(&Statement { source_account: Some("000000000000".to_owned()), ..whole.clone() }));
        assert!(admits(&Statement { action: "lambda:*".to_owned(), ..whole.clone() }));
        for narrowed in [
            Statement { source_account: Some("111111111111".to_owned()), ..whole.clone() },
            Statement { principal: "cognito-idp.amazonaws.com".to_owned(), ..whole.clone() },
            Statement { action: "lambda:GetFunction".to_owned(), ..whole.clone() },
            Statement { principal_org_id: Some("o-1234567890".to_owned()), ..whole.clone() },
            Statement { event_source_token: Some("x".to_owned()), ..whole.clone() },
            Statement { function_url_auth_type: Some("NONE".to_owned()), ..whole.clone() },
        ] {
            assert!(!admits(&narrowed), "{narrowed:?}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        assert!(!like(&"*a".repeat(500), &"a".repeat(400).replace('a', "ab")));
        assert!(like("a*b*c", "aXXbYYbZZc"));
    }
}
