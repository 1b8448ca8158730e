//! Cases about the sign-in pages.

use aws_sdk_cognitoidentityprovider::types::OAuthFlowType;
use serde_json::Value;

use super::World;
use super::visitor::{Seen, Visitor};
use crate::cases::{Case, Document, Findings, Report, Unknown, documents_of};

#[tokio::test]
async fn sign_in_pages_behave_as_on_aws() {
    let mut report = Report::new("cognito_hosted");
    let world = World::start().await;
    for document in documents_of("cognito_hosted") {
        for case in &document.cases {
            report.add(case, run(&world, &document, case).await);
        }
    }
    report.finish();
}

async fn run(world: &World, document: &Document, case: &Case) -> Result<Findings, Unknown> {
    let name = case.member("setup").as_str().unwrap_or_default();
    let scopes = texts(&document.fixtures["clients"][name]["allowed_scopes"])?;
    let (client, _) = world.registered(&[OAuthFlowType::Code], false, &scopes).await;
    let request = case.member("request").as_object().ok_or_else(|| Unknown::new("the case asks for nothing"))?;
    let mut parameters = vec![("client_id", client.as_str())];
    for (parameter, value) in request {
        let value = value.as_str().ok_or_else(|| Unknown::new(format!("parameter `{parameter}` {value}")))?;
        parameters.push((parameter, value));
    }
    compare(case, &Visitor::new().get(&world.authorize(&parameters)).await)
}

fn texts(value: &Value) -> Result<Vec<&str>, Unknown> {
    let texts = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
    texts.ok_or_else(|| Unknown::new(format!("a list of texts, not {value}")))
}

fn compare(case: &Case, seen: &Seen) -> Result<Findings, Unknown> {
    let mut findings = Findings::default();
    let must_hold = Case::must_hold(&case.body);
    let location = seen.location().unwrap_or_default();
    for (word, expected) in case.member("expect").as_object().into_iter().flatten() {
        let wrong = match word.as_str() {
            "status" => *expected != seen.status,
            "leads_to" => !address(&location).ends_with(expected.as_str().unwrap_or("nowhere")),
            "brings" => expected.as_object().into_iter().flatten().any(|(name, value)| {
                let brought = seen.brings(name);
                match value.as_str() {
                    Some(text) => brought.as_deref() != Some(text),
                    None => brought.is_some(),
                }
            }),
            _ => return Err(Unknown::new(format!("expectation `{word}`"))),
        };
        if wrong {
            findings.add(must_hold, format!("{word}: {expected}, not {} {location}", seen.status));
        }
    }
    Ok(findings)
}

/// An address without its parameters.
fn address(location: &str) -> &str {
    location.split(['?', '#']).next().unwrap_or_default()
}
