//! Cases about HTTP APIs.

use futures_util::future::join_all;
use regex::Regex;
use serde_json::{Map, Value, json};

use super::client::{Received, Sent};
use super::issuer::Issuers;
use super::matchers::{Scope, lookup};
use super::mint::Mint;
use super::setup::{Fixtures, Guard, Setup, Standing, World, request_guard};
use super::{Case, Document, Findings, Report, Unknown, documents_of};

/// The app client that tokens are for.
pub(crate) const CLIENT: &str = "1example23456789Client";

/// How many cases share a cloud and are played at the same time. Most wait for processes to start; and a cloud that
/// holds many stacks takes its time to save them.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn http_apis_behave_as_on_aws() {
    let mut report = Report::new("gateway_v2");
    let (issuers, mint) = (Issuers::start().await, Mint::open());
    for document in documents_of("gateway_v2") {
        for cases in document.cases.chunks(AT_ONCE) {
            let stage = Stage { world: World::new().await, issuers: &issuers, mint: &mint };
            let outcomes = join_all(cases.iter().map(|case| stage.run(&document, case))).await;
            stage.world.end().await;
            for (case, outcome) in cases.iter().zip(outcomes) {
                report.add(case, outcome);
            }
        }
    }
    report.finish();
}

/// Where cases are played.
struct Stage<'a> {
    world: World,
    issuers: &'a Issuers,
    mint: &'a Mint,
}

/// What happened.
struct Happened {
    received: Vec<Received>,
    events: Vec<Value>,
    authorizer_events: Vec<Value>,
}

impl Stage<'_> {
    async fn run(&self, document: &Document, case: &Case) -> Result<Findings, Unknown> {
        let name = case.member("setup").as_str().ok_or_else(|| Unknown::new("the case names no set-up"))?;
        if document.fixtures["apis"][name].is_string() {
            return self.deploy(case).await;
        }
        let fixtures = Fixtures {
            apis: &document.fixtures["apis"],
            issuer: self.issuers.url(self.mint, "default")?,
            unreachable: self.issuers.unreachable(),
            client: CLIENT.to_owned(),
        };
        let request = members(case.member("request"))?;
        let setup = scripted(fixtures.setup(name)?, request);
        let requests = self.requests(request, &fixtures.issuer)?;
        check_words(members(case.member("expect"))?)?;
        let standing =
            self.world.stand_up(&setup).await.map_err(|error| Unknown::new(format!("deployment: {error}")))?;
        let happened = self.play(&standing, request, &requests).await?;
        compare(case, &happened)
    }

    /// The requests that a case sends, one after another.
    fn requests(&self, request: &Map<String, Value>, issuer: &str) -> Result<Vec<Sent>, Unknown> {
        let coin = match request.get("jwt_case").and_then(Value::as_str) {
            Some(words) => Some(self.mint.described(words, issuer, CLIENT)?),
            None => None,
        };
        let steps = match request.get("sequence") {
            Some(steps) => steps.as_array().cloned().unwrap_or_default(),
            None => vec![Value::Object(request.clone())],
        };
        let sent = steps.iter().map(|step| {
            let mut sent = sent(members(step)?)?;
            let Some(coin) = &coin else { return Ok(sent) };
            let token = coin.token.clone().unwrap_or_default();
            let placed =
                sent.target.contains("{token}") || sent.headers.iter().any(|(_, text)| text.contains("{token}"));
            sent.target = sent.target.replace("{token}", &token);
            for (_, text) in &mut sent.headers {
                *text = text.replace("{token}", &token);
            }
            if !placed && coin.token.is_some() {
                let value = if coin.bare { token } else { format!("Bearer {token}") };
                sent.headers.push(("Authorization".to_owned(), value));
            }
            Ok(sent)
        });
        sent.collect()
    }

    async fn play(
        &self,
        standing: &Standing,
        request: &Map<String, Value>,
        requests: &[Sent],
    ) -> Result<Happened, Unknown> {
        let count = |name: &str| match request.get(name) {
            None => Ok(1),
            Some(value) => value.as_u64().ok_or_else(|| Unknown::new(format!("`{name}` {value}"))),
        };
        let (repeat, parallel) = (count("repeat")?, count("parallel")?.max(1));
        let mut received = Vec::new();
        for sent in requests {
            let mut left = repeat;
            while left > 0 {
                let calls = (0..parallel.min(left)).map(|_| self.world.call(standing, sent));
                received.extend(join_all(calls).await);
                left = left.saturating_sub(parallel);
            }
        }
        Ok(Happened { received, events: standing.events("function"), authorizer_events: standing.events("authorizer") })
    }

    /// Cases that deploy something which must be refused.
    async fn deploy(&self, case: &Case) -> Result<Findings, Unknown> {
        let request = members(case.member("request"))?;
        let refused = self.world.stand_up(&refusable(request)?).await.err();
        let mut findings = Findings::default();
        for (word, expected) in members(case.member("expect"))? {
            let wrong = match (word.as_str(), &refused) {
                ("deploy_error_contains", Some(reason)) => {
                    !reason.contains(expected.as_str().ok_or_else(|| Unknown::new("a text that is contained"))?)
                }
                ("validation_error", refused) => refused.is_some() != (expected == &Value::Bool(true)),
                ("deploy_error_contains", None) => true,
                _ => return Err(Unknown::new(format!("expectation `{word}`"))),
            };
            if wrong {
                findings.add(Case::must_hold(&case.body), format!("expected {word} {expected}, found {refused:?}"));
            }
        }
        Ok(findings)
    }
}

/// The set-up of a case that deploys something which must be refused.
fn refusable(request: &Map<String, Value>) -> Result<Setup, Unknown> {
    let mut setup = Setup { routes: vec![("GET /p".to_owned(), Vec::new())], ..Setup::default() };
    if let Some(words) = request.get("deploy").and_then(Value::as_str) {
        let pattern = Regex::new("^route with AuthorizationType (CUSTOM|AWS_IAM|NONE) and AuthorizationScopes$");
        let found = pattern.expect("the pattern is one").captures(words).map(|found| found[1].to_owned());
        setup.guard = match found.as_deref() {
            Some("CUSTOM") => request_guard(&Map::new())?,
            Some("AWS_IAM") => Guard::Iam,
            Some("NONE") => Guard::Open,
            _ => return Err(Unknown::new(format!("deployment of `{words}`"))),
        };
        setup.routes = vec![("GET /p".to_owned(), vec!["a/b".to_owned()])];
        return Ok(setup);
    }
    let authorizer = request.get("authorizer").and_then(Value::as_object);
    setup.guard = request_guard(authorizer.ok_or_else(|| Unknown::new(format!("request {}", json!(request))))?)?;
    Ok(setup)
}

pub(super) fn members(value: &Value) -> Result<&Map<String, Value>, Unknown> {
    value.as_object().ok_or_else(|| Unknown::new(format!("an object, not {value}")))
}

/// The set-up with the functions doing what this request says.
fn scripted(mut setup: Setup, request: &Map<String, Value>) -> Setup {
    if let Some(value) = request.get("lambda_returns") {
        setup.function = json!({ "do": "return", "value": value });
    }
    if let Some(value) = request.get("lambda_returns_raw") {
        setup.function = json!({ "do": "raw", "value": value });
    }
    if let (Some(value), Guard::Request { script, .. }) = (request.get("authorizer_returns"), &mut setup.guard) {
        *script = json!({ "do": "return", "value": value });
    }
    setup
}

pub(super) fn sent(request: &Map<String, Value>) -> Result<Sent, Unknown> {
    let mut sent = Sent { method: "GET".to_owned(), target: "/".to_owned(), ..Sent::default() };
    let text =
        |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| Unknown::new(format!("a text, not {value}")));
    let mut query = None;
    for (word, value) in request {
        match word.as_str() {
            "method" => sent.method = text(value)?,
            "path" => sent.target = text(value)?,
            "query" => query = Some(text(value)?),
            "headers" => sent.headers = headers(value)?,
            "body" => sent.body = text(value)?.into_bytes(),
            "body_size_bytes" => {
                let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
                sent.body = vec![b'x'; size.ok_or_else(|| Unknown::new(format!("body_size_bytes {value}")))?];
            }
            "jwt_case" | "lambda_returns" | "lambda_returns_raw" | "authorizer_returns" | "repeat" | "parallel" => {}
            _ => return Err(Unknown::new(format!("request member `{word}`"))),
        }
    }
    if let Some(query) = query {
        sent.target = format!("{}?{query}", sent.target);
    }
    Ok(sent)
}

pub(super) fn headers(value: &Value) -> Result<Vec<(String, String)>, Unknown> {
    let unknown = || Unknown::new(format!("headers {value}"));
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(unknown);
    match value {
        Value::Array(pairs) => pairs.iter().map(|pair| Ok((text(&pair[0])?, text(&pair[1])?))).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| Ok((name.clone(), text(value)?))).collect(),
        _ => Err(unknown()),
    }
}

/// Refuses a case whose expectations use a word that is not known, before anything is stood up for it.
fn check_words(expected: &Map<String, Value>) -> Result<(), Unknown> {
    let known = |word: &str| {
        let words = [
            "status",
            "statuses",
            "body",
            "body_exact",
            "body_json",
            "headers",
            "event",
            "authorizer_event",
            "integration_invocations",
            "authorizer_invocations",
        ];
        words.contains(&word) || word.starts_with("body_exact_on_")
    };
    match expected.keys().find(|word| !known(word)) {
        Some(word) => Err(Unknown::new(format!("expectation `{word}`"))),
        None => Ok(()),
    }
}

fn compare(case: &Case, happened: &Happened) -> Result<Findings, Unknown> {
    let Some(last) = happened.received.last() else { return Err(Unknown::new("the case sends nothing")) };
    let scope = Scope { event: happened.events.last() };
    let mut findings = Findings::default();
    let must_hold = Case::must_hold(&case.body);
    let mut check = |what: &str, expected: &Value, actual: Option<&Value>| -> Result<(), Unknown> {
        if let Some(wrong) = scope.compare(expected, actual)? {
            let soft = expected.get("soft") == Some(&Value::Bool(true));
            findings.add(must_hold && !soft, format!("{what}: {wrong}"));
        }
        Ok(())
    };
    for (word, expected) in members(case.member("expect"))? {
        match word.as_str() {
            "status" | "statuses" => {
                let (expected, actual) = statuses(expected, &happened.received);
                check(word, &expected, Some(&actual))?;
            }
            "body" | "body_exact" => check(word, expected, Some(&last.text().into()))?,
            "body_json" => check(word, expected, serde_json::from_slice(&last.body).ok().as_ref())?,
            "headers" => {
                for (name, expected) in members(expected)? {
                    check(name, expected, last.header(name, expected.is_array()).as_ref())?;
                }
            }
            "event" => each(expected, happened.events.last(), &mut check)?,
            "authorizer_event" => each(expected, happened.authorizer_events.last(), &mut check)?,
            "integration_invocations" => check(word, expected, Some(&happened.events.len().into()))?,
            "authorizer_invocations" => check(word, expected, Some(&happened.authorizer_events.len().into()))?,
            other => {
                let status = other.trim_start_matches("body_exact_on_");
                let found = happened.received.iter().find(|received| received.status.to_string() == status);
                check(word, expected, found.map(|received| received.text().into()).as_ref())?;
            }
        }
    }
    Ok(findings)
}

/// What is expected of the statuses, and what they were: one that some answer has, a list for all answers, or that of
/// the last answer.
pub(super) fn statuses(expected: &Value, received: &[Received]) -> (Value, Value) {
    let all: Vec<Value> = received.iter().map(|received| received.status.into()).collect();
    match expected {
        Value::Array(_) => (expected.clone(), all.into()),
        expected => match expected.get("some") {
            Some(some) => (json!({ "contains": some }), all.into()),
            None => (expected.clone(), all.last().cloned().unwrap_or_default()),
        },
    }
}

/// Compares each dotted path of an event.
pub(super) fn each(
    expected: &Value,
    event: Option<&Value>,
    check: &mut impl FnMut(&str, &Value, Option<&Value>) -> Result<(), Unknown>,
) -> Result<(), Unknown> {
    if event.is_none() {
        return check("event", &json!({ "present": true }), None);
    }
    for (path, expected) in members(expected)? {
        check(path, expected, event.and_then(|event| lookup(event, path)))?;
    }
    Ok(())
}
