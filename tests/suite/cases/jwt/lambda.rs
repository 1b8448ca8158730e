//! What the authorizer that verifies Cognito tokens makes of them: as a library, and as the program that Lambda runs.

use std::collections::BTreeMap;

use authorizer::Event;
use cognito_authorizer::Authorizer;
use serde_json::{Value, json};

use super::{CLIENT, Case, Document, Findings, Issuers, Mint, Report, Unknown, documents_of, presented, verdict};
use crate::functions::bootstrap::{Bootstrap, Program};

const METHOD: &str = "arn:aws:execute-api:us-east-1:123456789012:abc123/test/GET/secure";

/// Where this authorizer is stricter than the library that the cases were tried with, and why.
const STRICTER: [(&str, &str); 1] = [("JWT-032", "Cognito signs with RS256, and nothing else is let in")];

#[tokio::test(flavor = "multi_thread")]
async fn the_authorizer_judges_as_a_verifier_of_cognito_tokens_has_to() {
    run("jwt-lambda", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_of_the_authorizer_judges_alike() {
    let program = tokio::task::spawn_blocking(|| Program::build("cognito-authorizer", None));
    run("jwt-bootstrap", Some(program.await.expect("it builds"))).await;
}

async fn run(name: &'static str, program: Option<Program>) {
    let mut report = Report::new(name);
    let mut bench = Bench { issuers: Issuers::start().await, mint: Mint::open(), program, standing: BTreeMap::new() };
    for document in documents_of("jwt") {
        for case in &document.cases {
            report.add(case, bench.run(&document, case).await);
        }
    }
    report.finish();
}

/// Where tokens are tried.
struct Bench {
    issuers: Issuers,
    mint: Mint,
    /// What is run; the library where there is none.
    program: Option<Program>,
    /// The authorizers that stand, by their environment.
    standing: BTreeMap<String, Standing>,
}

enum Standing {
    Library(Box<Authorizer>),
    Program(Bootstrap),
}

impl Standing {
    /// The answer, or the message of an error.
    async fn answer(&self, event: Value) -> Result<Value, String> {
        match self {
            Self::Library(authorizer) => {
                let event: Event = serde_json::from_value(event).expect("the event is well formed");
                authorizer.answer(&event).await.map_err(|error| error.to_string())
            }
            Self::Program(program) => {
                let answer = program.invoke(&event).await;
                answer.map_err(|error| error["errorMessage"].as_str().unwrap_or_default().to_owned())
            }
        }
    }
}

impl Bench {
    async fn run(&mut self, document: &Document, case: &Case) -> Result<Findings, Unknown> {
        let variant = case.member("jwks").as_str().unwrap_or("default");
        let pool = self.issuers.pool(&self.mint, variant)?;
        let issuer = format!("https://cognito-idp.us-east-1.amazonaws.com/{pool}");
        let token = self.mint.token(case.member("token"), &issuer, CLIENT)?;
        let environment = environment(case, pool, self.issuers.endpoint(variant))?;
        let event = event(document, case, token.as_deref().unwrap_or_default(), &environment)?;
        if variant.starts_with("rotate") {
            // The keys are known before they change.
            let token = self.mint.token(&json!({ "base": "access" }), &issuer, CLIENT)?;
            let event = json!({ "type": "TOKEN", "methodArn": METHOD, "authorizationToken": token });
            self.standing(&environment).await.answer(event).await.map_err(Unknown::new)?;
        }
        let answer = self.standing(&environment).await.answer(event).await;
        let opened = match &answer {
            Ok(policy) => policy["policyDocument"]["Statement"][0]["Effect"] == "Allow",
            Err(_) => false,
        };
        let expected = case.member("lambda");
        let stricter = STRICTER.iter().find(|(id, _)| *id == case.id);
        let mut findings = Findings::default();
        if let Some((_, reason)) = stricter.filter(|_| !opened) {
            findings.add(false, (*reason).to_owned());
            return Ok(findings);
        }
        let known = ["Unauthorized", "the caller cannot be checked now"];
        let broken = answer.as_ref().is_err_and(|error| !known.contains(&error.as_str()));
        let status = if broken { 500 } else { 200 };
        verdict(expected.get("accept"), status, opened, Case::must_hold(expected), &mut findings);
        Ok(findings)
    }

    /// The authorizer with this environment, started if it does not stand.
    async fn standing(&mut self, environment: &[(&'static str, String)]) -> &Standing {
        let place = format!("{environment:?}");
        if !self.standing.contains_key(&place) {
            let standing = match &self.program {
                Some(program) => Standing::Program(program.start(environment).await),
                None => {
                    let variable = |name: &str| {
                        environment.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone())
                    };
                    let authorizer = Authorizer::read(variable).expect("the environment describes one");
                    Standing::Library(Box::new(authorizer))
                }
            };
            self.standing.insert(place.clone(), standing);
        }
        &self.standing[&place]
    }
}

/// The environment of the function, from what a case asks of its verifier.
fn environment(case: &Case, pool: String, endpoint: String) -> Result<Vec<(&'static str, String)>, Unknown> {
    let mut environment =
        vec![("USER_POOL_ID", pool), ("CLIENT_IDS", CLIENT.to_owned()), ("AWS_ENDPOINT_URL", endpoint)];
    let list =
        |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    for (name, value) in case.member("lambda")["verify"].as_object().into_iter().flatten() {
        environment.push(match name.as_str() {
            "token_use" => ("TOKEN_USE", value.as_str().unwrap_or_default().to_owned()),
            "scope" => ("REQUIRED_SCOPES", list(value)),
            "groups" => ("REQUIRED_GROUPS", list(value)),
            _ => return Err(Unknown::new(format!("verifying with `{name}`"))),
        });
    }
    let source = case.member("authorizer")["identitySource"][0].as_str().unwrap_or_default();
    if let Some(parameter) = source.strip_prefix("$request.querystring.") {
        environment.push(("TOKEN_QUERY", parameter.to_owned()));
    }
    Ok(environment)
}

/// The event of a REST API that presents a token as the case says: TOKEN where it reads a header, else REQUEST.
fn event(document: &Document, case: &Case, token: &str, environment: &[(&str, String)]) -> Result<Value, Unknown> {
    let sent = presented(document, case, token)?;
    let query: BTreeMap<String, String> = match sent.target.split_once('?') {
        Some((_, query)) => form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        None => BTreeMap::new(),
    };
    let headers: BTreeMap<String, String> = sent.headers.into_iter().collect();
    if environment.iter().any(|(name, _)| *name == "TOKEN_QUERY") {
        return Ok(json!({
            "type": "REQUEST", "methodArn": METHOD, "headers": headers, "queryStringParameters": query
        }));
    }
    Ok(json!({ "type": "TOKEN", "methodArn": METHOD, "authorizationToken": headers.get("Authorization") }))
}
