//! What a grant becomes: statements of the function's role, and an environment variable.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::apigateway::execution;
use super::super::{Synthesis, url, value};
use crate::model::apigatewayv2::WebSocketApi;
use crate::model::cognito::UserPool;
use crate::model::dynamodb::Table;
use crate::model::lambda::{Access, Function, Grant, Granted};
use crate::model::reference::Target;
use crate::model::secretsmanager::Secret;
use crate::model::ses::EmailIdentity;
use crate::model::{Ref, Value as Declared};
use crate::template::function;

/// What a role needs for all the grants of a function.
pub(super) fn statements(synthesis: &Synthesis, declared: &Function) -> Vec<Value> {
    let granted = |grant: &Grant| Some(statements_of(synthesis, grant.granted()?, &grant.access.0));
    declared.grants.iter().filter_map(granted).flatten().collect()
}

/// The environment variables that tell a function what its grants are about.
pub(super) fn variables(synthesis: &Synthesis, declared: &Function) -> BTreeMap<String, Value> {
    let variable = |grant: &Grant| {
        let granted = grant.granted()?;
        let told = match granted {
            Granted::WebSocketApi(api) => endpoint(synthesis, api)?,
            _ => value(&granted.value()),
        };
        Some((grant.variable_for(granted), told))
    };
    declared.grants.iter().filter_map(variable).collect()
}

fn statements_of(synthesis: &Synthesis, granted: Granted<'_>, access: &[Access]) -> Vec<Value> {
    match granted {
        Granted::Table(table) => of_table(synthesis, table, access),
        Granted::Secret(secret) => of_secret(synthesis, secret, access),
        Granted::EmailIdentity(identity) => vec![of_identity(synthesis, identity)],
        Granted::UserPool(pool) => vec![of_pool(pool, access)],
        Granted::WebSocketApi(api) => of_connections(synthesis, api, access).into_iter().collect(),
    }
}

fn allow<'a>(actions: impl IntoIterator<Item = &'a str>, resources: Vec<Value>) -> Value {
    let actions: BTreeSet<_> = actions.into_iter().collect();
    json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
}

/// The ARN of what a pointer points to, where it is of a service's usual form.
fn arn(form: &str, target: &Target) -> Value {
    const BEGIN: &str = "arn:${AWS::Partition}:";
    match target {
        Target::Local(id) => function::sub(&format!("{BEGIN}{}", form.replace("${Name}", &format!("${{{id}}}")))),
        Target::Output(output) => {
            function::sub_with(&format!("{BEGIN}{form}"), [("Name", function::import_value(output.export()))])
        }
    }
}

fn of_table(synthesis: &Synthesis, table: &Ref<Table>, access: &[Access]) -> Vec<Value> {
    let actions: BTreeSet<&str> = access.iter().flat_map(|one| table_actions(*one)).copied().collect();
    let declared = table.id().and_then(|id| synthesis.stack.tables.get_key_value(id));
    let arn = match table.target() {
        Target::Local(id) => function::get_att(id, "Arn"),
        target => arn("dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Name}", target),
    };
    let mut statements = vec![allow(actions.iter().copied(), vec![arn])];
    let by_index = ["dynamodb:Query", "dynamodb:Scan"].into_iter().filter(|action| actions.contains(action));
    let by_index: Vec<&str> = by_index.collect();
    let Some((id, declared)) = declared else { return statements };
    let indexes: Vec<Value> =
        declared.indexes().into_iter().map(|name| function::sub(&format!("${{{id}.Arn}}/index/{name}"))).collect();
    if !by_index.is_empty() && !indexes.is_empty() {
        statements.push(allow(by_index, indexes));
    }
    let writes = access.iter().any(|one| !matches!(one, Access::Get | Access::Query | Access::Scan | Access::Read));
    statements.extend(declared.encryption.key().map(|key| of_key(key, "dynamodb", writes)));
    statements
}

fn table_actions(access: Access) -> &'static [&'static str] {
    match access {
        Access::Get => &["dynamodb:GetItem"],
        Access::Query => &["dynamodb:Query"],
        Access::Scan => &["dynamodb:Scan"],
        Access::Put => &["dynamodb:PutItem"],
        Access::Update => &["dynamodb:UpdateItem"],
        Access::Delete => &["dynamodb:DeleteItem"],
        Access::Read => &["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"],
        Access::Write => &[
            "dynamodb:BatchWriteItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        ],
        Access::ReadWrite => &[
            "dynamodb:BatchGetItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:UpdateItem",
        ],
        Access::Send | Access::Manage => &[],
    }
}

fn of_secret(synthesis: &Synthesis, secret: &Ref<Secret>, access: &[Access]) -> Vec<Value> {
    const GET: &str = "secretsmanager:GetSecretValue";
    const PUT: &str = "secretsmanager:PutSecretValue";
    let actions = access.iter().flat_map(|one| match one {
        Access::Read => &[GET][..],
        Access::Write => &[PUT],
        Access::ReadWrite => &[GET, PUT],
        _ => &[],
    });
    let statement = allow(actions.copied(), vec![value(&Secret::arn(secret))]);
    let writes = access.iter().any(|one| *one != Access::Read);
    let declared = secret.id().and_then(|id| synthesis.stack.secrets.get(id));
    let key = declared.and_then(|declared| declared.kms_key.as_ref());
    std::iter::once(statement).chain(key.map(|key| of_key(key, "secretsmanager", writes))).collect()
}

/// The connections of the only stage. What may be done with them is told apart by the method in the ARN alone.
fn of_connections(synthesis: &Synthesis, api: &Ref<WebSocketApi>, access: &[Access]) -> Option<Value> {
    let (id, stage) = only_stage(synthesis, api)?;
    let methods: BTreeSet<&str> = access
        .iter()
        .flat_map(|one| match one {
            Access::Send => &["POST"][..],
            Access::Read => &["GET"],
            Access::Delete => &["DELETE"],
            Access::Manage => &["DELETE", "GET", "POST"],
            _ => &[],
        })
        .copied()
        .collect();
    let arn = |method: &str| execution(id, &format!("{stage}/{method}/@connections/*"));
    Some(allow(["execute-api:ManageConnections"], methods.into_iter().map(arn).collect()))
}

/// Where `@connections` is. The local cloud puts its own address in its place.
fn endpoint(synthesis: &Synthesis, api: &Ref<WebSocketApi>) -> Option<Value> {
    let (id, stage) = only_stage(synthesis, api)?;
    Some(url::invoke_url(id, stage))
}

/// An API with its only stage; the checks have refused any other.
fn only_stage<'a>(synthesis: &Synthesis<'a>, api: &'a Ref<WebSocketApi>) -> Option<(&'a str, &'a str)> {
    let (id, declared) = synthesis.stack.web_socket_apis.get_key_value(api.id()?)?;
    Some((id, declared.only_stage()?))
}

/// A key of one's own may be used through the service that it encrypts for, and in no other way.
fn of_key(key: &Declared, service: &str, writes: bool) -> Value {
    const READ: [&str; 2] = ["kms:Decrypt", "kms:DescribeKey"];
    const WRITE: [&str; 4] = ["kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"];
    let actions = READ.into_iter().chain(WRITE.into_iter().filter(|_| writes));
    let mut statement = allow(actions, vec![value(key)]);
    let through = function::sub(&format!("{service}.${{AWS::Region}}.${{AWS::URLSuffix}}"));
    statement["Condition"] = json!({ "StringEquals": { "kms:ViaService": through } });
    statement
}

/// Mail may be sent from an address itself, or from any address of a domain. What the identity's configuration set does
/// with the mail needs the set's ARN beside the identity's.
fn of_identity(synthesis: &Synthesis, identity: &Ref<EmailIdentity>) -> Value {
    let declared = identity.id().and_then(|id| synthesis.stack.email_identities.get(id));
    let mut resources = vec![arn("ses:${AWS::Region}:${AWS::AccountId}:identity/${Name}", identity.target())];
    let set = declared.and_then(|declared| declared.configuration_set.as_ref());
    resources.extend(set.map(|set| {
        let form = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:configuration-set/${Set}";
        function::sub_with(form, [("Set", value(set))])
    }));
    let mut statement = allow(["ses:SendEmail"], resources);
    if declared.is_some_and(|declared| declared.address().is_some()) {
        statement["Condition"] = json!({ "StringEquals": { "ses:FromAddress": value(identity) } });
    }
    statement
}

fn of_pool(pool: &Ref<UserPool>, access: &[Access]) -> Value {
    const READ: [&str; 5] = [
        "cognito-idp:AdminGetUser",
        "cognito-idp:AdminListGroupsForUser",
        "cognito-idp:ListGroups",
        "cognito-idp:ListUsers",
        "cognito-idp:ListUsersInGroup",
    ];
    const CHANGE: [&str; 11] = [
        "cognito-idp:AdminAddUserToGroup",
        "cognito-idp:AdminCreateUser",
        "cognito-idp:AdminDeleteUser",
        "cognito-idp:AdminDeleteUserAttributes",
        "cognito-idp:AdminDisableUser",
        "cognito-idp:AdminEnableUser",
        "cognito-idp:AdminRemoveUserFromGroup",
        "cognito-idp:AdminResetUserPassword",
        "cognito-idp:AdminSetUserPassword",
        "cognito-idp:AdminUpdateUserAttributes",
        "cognito-idp:AdminUserGlobalSignOut",
    ];
    let changes = access.contains(&Access::Manage);
    let arn = match pool.target() {
        Target::Local(id) => function::get_att(id, "Arn"),
        target => arn("cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/${Name}", target),
    };
    allow(READ.into_iter().chain(CHANGE.into_iter().filter(|_| changes)), vec![arn])
}
