//! boto3 and the aws CLI with tables, secrets, mail and roles.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::{Shell, exported};
use crate::tools::run;

/// Runs a program of Python's in a fresh cloud; it ends by saying so.
fn python(shell: &Shell, program: &str, arguments: &[&str]) {
    let said = run(shell.command("python").args(["-c", program]).args(arguments));
    assert_eq!(said.trim(), "done");
}

#[test]
fn boto3_keeps_items_in_tables() {
    python(&Shell::new(), include_str!("tables.py"), &[]);
}

#[test]
fn boto3_keeps_secrets() {
    python(&Shell::new(), include_str!("secrets.py"), &[]);
}

#[test]
fn boto3_sends_mail_from_verified_identities() {
    let shell = Shell::new();
    python(&shell, include_str!("mail.py"), &[]);
    let messages = shell.project.done(&["local", "mail", "sender@example.com"]);
    let text = messages[0]["body"].as_str().expect("it has a text");
    let link = text.rsplit(' ').next().expect("it ends with a link");
    python(&shell, include_str!("mail.py"), &[link]);
    let sent = shell.project.done(&["local", "mail", "reader@example.com"]);
    let told: Vec<_> = sent
        .as_array()
        .expect("it lists")
        .iter()
        .map(|message| (message["from"].clone(), message["subject"].clone(), message["body"].clone()))
        .collect();
    let expected = [
        ("Sender <sender@example.com>", "Hello", "text"),
        ("anybody@example.org", "Raw", "raw text"),
        ("sender@example.com", "Hi Ann", "filled"),
    ];
    assert_eq!(told, expected.map(|(from, subject, body)| (json!(from), json!(subject), json!(body))));
}

#[test]
fn boto3_may_do_what_a_role_grants_and_nothing_else() {
    python(&Shell::new(), include_str!("roles.py"), &[]);
}

/// A table, a generated secret and a sender in one template.
const TEMPLATE: &str = r#"{
    "Resources": {
        "Notes": { "Type": "AWS::DynamoDB::Table", "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }]
        } },
        "Token": { "Type": "AWS::SecretsManager::Secret", "Properties": { "GenerateSecretString": { "PasswordLength": 40 } } },
        "Sender": { "Type": "AWS::SES::EmailIdentity", "Properties": { "EmailIdentity": "sender@example.com" } },
        "Copy": { "Type": "AWS::SSM::Parameter", "Properties": {
            "Name": "/copy", "Type": "String", "Value": { "Fn::Sub": "{{resolve:secretsmanager:${Token}}}" }
        } }
    },
    "Outputs": {
        "table": { "Value": { "Ref": "Notes" } },
        "tableArn": { "Value": { "Fn::GetAtt": ["Notes", "Arn"] } },
        "secret": { "Value": { "Ref": "Token" } },
        "sender": { "Value": { "Ref": "Sender" } }
    }
}"#;

#[test]
fn the_aws_cli_deploys_tables_secrets_and_senders() {
    let shell = Shell::new();
    std::fs::write(shell.file("data.json"), TEMPLATE).expect("the folder is writable");
    shell.aws(&["cloudformation", "deploy", "--stack-name", "data", "--template-file", "data.json"]);
    let stack = &shell.asked(&["cloudformation", "describe-stacks", "--stack-name", "data"])["Stacks"][0];
    let output = |key: &str| {
        let outputs = stack["Outputs"].as_array().expect("it has outputs");
        let found = outputs.iter().find(|output| output["OutputKey"] == key).expect(key);
        found["OutputValue"].as_str().expect("it is text").to_owned()
    };
    let (table, secret) = (output("table"), output("secret"));
    assert!(table.starts_with("data-Notes-") && output("tableArn").ends_with(&format!(":table/{table}")), "{table}");
    shell.aws(&["dynamodb", "put-item", "--table-name", &table, "--item", r#"{"id":{"S":"1"}}"#]);
    let got = shell.asked(&["dynamodb", "get-item", "--table-name", &table, "--key", r#"{"id":{"S":"1"}}"#]);
    assert_eq!(got["Item"], json!({ "id": { "S": "1" } }));
    let value = shell.asked(&["secretsmanager", "get-secret-value", "--secret-id", &secret])["SecretString"].clone();
    assert_eq!(value.as_str().map(|value| value.chars().count()), Some(40));
    let copy = shell.asked(&["ssm", "get-parameter", "--name", "/copy"]);
    assert_eq!(copy["Parameter"]["Value"], value);
    let events = shell.aws(&["cloudformation", "describe-stack-events", "--stack-name", "data"]);
    assert!(!events.contains(value.as_str().unwrap_or_default()), "no event shows the secret");
    let identity = shell.asked(&["sesv2", "get-email-identity", "--email-identity", &output("sender")]);
    assert_eq!(identity["VerifiedForSendingStatus"], true);
    shell.aws(&["cloudformation", "delete-stack", "--stack-name", "data"]);
    shell.aws(&["cloudformation", "wait", "stack-delete-complete", "--stack-name", "data"]);
    assert_eq!(shell.asked(&["dynamodb", "list-tables"])["TableNames"], json!([]));
    assert!(shell.refused(&["secretsmanager", "describe-secret", "--secret-id", &secret]).contains("ResourceNotFound"));
}

/// How often the cloud is killed.
const ROUNDS: usize = 4;

#[test]
fn items_survive_kills() {
    let mut shell = Shell::new();
    let program = include_str!("kept.py");
    for round in 0..ROUNDS {
        let mut writing = shell.command("python");
        let mut writing = writing.args(["-c", program]).stdout(Stdio::piped()).spawn().expect("python runs");
        let mut said = BufReader::new(writing.stdout.take().expect("it is piped")).lines();
        assert_eq!(said.next().expect("it says something").expect("it is text"), "ready", "round {round}");
        sleep(Duration::from_millis(rand::random_range(50..400)));
        let pid = shell.project.done(&["local", "status"])["pid"].as_i64().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().expect("kill runs").success());
        let taken = said.next().expect("it says how many").expect("it is text");
        assert!(writing.wait().expect("it is ours").success());
        assert!(taken.parse::<usize>().is_ok_and(|taken| taken > 0), "round {round}: {taken}");
        shell.environment = exported(&shell.project);
        python(&shell, program, &[&taken]);
    }
}
