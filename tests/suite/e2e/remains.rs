//! What an account holds, asked of each service itself.

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use serde_json::{Value, json};
use stackgen::deploy::api::{self, Answer, Call};
use stackgen::deploy::aws::{Account, Keys, Target};
use url::form_urlencoded;

/// Everything that the main job makes and that should go with it, by name.
pub(super) async fn all(config: &SdkConfig) -> Vec<String> {
    let mut found = stacks(config).await;
    found.extend(functions(config).await);
    found.extend(log_groups(config).await);
    found.extend(pools(config).await);
    found.extend(apis(config).await);
    found.extend(roles(config).await);
    found.extend(rest_apis(config).await);
    found.extend(tables(config).await);
    found.extend(secrets(config).await);
    found
}

async fn stacks(config: &SdkConfig) -> Vec<String> {
    let client = aws_sdk_cloudformation::Client::new(config);
    let stacks = client.describe_stacks().send().await.expect("stacks are listed");
    let names = stacks.stacks().iter().filter_map(|stack| stack.stack_name());
    names.map(|name| format!("stack {name}")).collect()
}

async fn log_groups(config: &SdkConfig) -> Vec<String> {
    let client = aws_sdk_cloudwatchlogs::Client::new(config);
    let groups = client.describe_log_groups().send().await.expect("log groups are listed");
    groups.log_groups().iter().filter_map(|group| group.log_group_name()).map(|name| format!("log {name}")).collect()
}

async fn pools(config: &SdkConfig) -> Vec<String> {
    let client = aws_sdk_cognitoidentityprovider::Client::new(config);
    let pools = client.list_user_pools().max_results(60).send().await.expect("pools are listed");
    pools.user_pools().iter().filter_map(|pool| pool.name()).map(|name| format!("pool {name}")).collect()
}

async fn functions(config: &SdkConfig) -> Vec<String> {
    names(&get(config, "lambda", "/2015-03-31/functions/").await, "Functions", "FunctionName")
}

async fn apis(config: &SdkConfig) -> Vec<String> {
    names(&get(config, "apigateway", "/v2/apis").await, "items", "name")
}

async fn rest_apis(config: &SdkConfig) -> Vec<String> {
    let listed = get(config, "apigateway", "/restapis").await;
    // The list has one name on the wire and another in the documentation.
    let list = if listed.get("item").is_some() { "item" } else { "items" };
    listed.get(list).map_or_else(Vec::new, |_| names(&listed, list, "name"))
}

async fn tables(config: &SdkConfig) -> Vec<String> {
    let listed = json(config, "dynamodb", "DynamoDB_20120810.ListTables", &json!({})).await;
    let tables = listed["TableNames"].as_array().expect("it lists").iter().filter_map(Value::as_str);
    tables.map(|name| format!("table {name}")).collect()
}

async fn secrets(config: &SdkConfig) -> Vec<String> {
    let listed = json(config, "secretsmanager", "secretsmanager.ListSecrets", &json!({})).await;
    names(&listed, "SecretList", "Name")
}

async fn roles(config: &SdkConfig) -> Vec<String> {
    let text = iam(config, &[("Action", "ListRoles")]).await;
    let names = text.split("<RoleName>").skip(1).filter_map(|rest| rest.split_once('<'));
    names.map(|(name, _)| format!("role {name}")).collect()
}

/// An answer of IAM, in XML.
pub(crate) async fn iam(config: &SdkConfig, asked: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let body = form.extend_pairs(asked).append_pair("Version", "2010-05-08").finish();
    let call = Call {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
        body: Some(body.into_bytes()),
    };
    let answer = send(config, "iam", call).await;
    let text = String::from_utf8(answer.body).expect("IAM answers in XML");
    assert_eq!(answer.status, 200, "{text}");
    text
}

/// A function's configuration.
pub(super) async fn function(config: &SdkConfig, name: &str) -> Value {
    get(config, "lambda", &format!("/2015-03-31/functions/{name}/configuration")).await
}

fn names(document: &Value, list: &str, name: &str) -> Vec<String> {
    let items = document[list].as_array().unwrap_or_else(|| panic!("no `{list}` in {document}"));
    items.iter().map(|item| format!("{list} {}", item[name].as_str().unwrap_or_default())).collect()
}

pub(super) async fn get(config: &SdkConfig, service: &str, path: &str) -> Value {
    let call = Call { method: "GET".to_owned(), path: path.to_owned(), headers: Vec::new(), body: None };
    let answer = send(config, service, call).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{path}: {text}");
    serde_json::from_str(&text).expect("the answer is JSON")
}

/// An answer of a service that takes JSON at its root, such as DynamoDB.
pub(super) async fn json(config: &SdkConfig, service: &str, operation: &str, asked: &Value) -> Value {
    let call = Call {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: vec![
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), operation.to_owned()),
        ],
        body: Some(asked.to_string().into_bytes()),
    };
    let answer = send(config, service, call).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{operation}: {text}");
    serde_json::from_str(&text).expect("the answer is JSON")
}

/// A signed request, for services whose SDK the project has no use for.
async fn send(config: &SdkConfig, service: &str, mut call: Call) -> Answer {
    let provider = config.credentials_provider().expect("the configuration is whole");
    let keys = provider.provide_credentials().await.expect("they are fixed");
    let endpoint = config.endpoint_url().expect("the configuration is whole").to_owned();
    let url = format!("{endpoint}{}", call.path);
    let target = Target {
        region: config.region().map(ToString::to_string),
        endpoint_url: Some(endpoint),
        keys: Some(Keys {
            access_key_id: keys.access_key_id().to_owned(),
            secret_access_key: keys.secret_access_key().to_owned(),
        }),
        ..Target::default()
    };
    let account = Account::connect(&target).await.expect("the account answers");
    let signed = api::signature(&account, service, &url, &call).await.expect("it signs");
    call.headers.extend(signed);
    api::send(&url, &call).await.expect("the service answers")
}
