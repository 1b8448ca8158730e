//! Cases about REST APIs.

mod control;
mod pool;
mod setup;

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use self::setup::Setup;
use super::client::{Received, Sent};
use super::gateway_v2::{CLIENT, each, members, sent, statuses};
use super::matchers::Scope;
use super::mint::Mint;
use super::setup::{Fixtures, Standing, World};
use super::{Case, Document, Findings, Report, Unknown, documents_of};
use crate::support::Key;

/// How many cases share a cloud and are played at the same time, as for HTTP APIs.
const AT_ONCE: usize = 8;
/// The longest that a case may take once it stands.
const LONGEST: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread")]
async fn rest_apis_behave_as_on_aws() {
    let mut report = Report::new("gateway_v1");
    let mint = Mint::open();
    for document in documents_of("gateway_v1") {
        for cases in document.cases.chunks(AT_ONCE) {
            let stage = Stage { world: World::new().await, mint: &mint };
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
    mint: &'a Mint,
}

/// What a case does.
enum Step {
    Send(Sent),
    /// The stage forgets the answers that it keeps.
    Flush,
}

/// What happened.
struct Happened {
    received: Vec<Received>,
    events: Vec<Value>,
    authorizer_events: Vec<Value>,
}

/// Members of a request that are not about what goes over the wire.
const ASIDE: [&str; 6] = ["api_override", "body_base64", "check", "method_params", "signed_as", "tampered"];

impl Stage<'_> {
    async fn run(&self, document: &Document, case: &Case) -> Result<Findings, Unknown> {
        let name = case.member("setup").as_str().ok_or_else(|| Unknown::new("the case names no set-up"))?;
        let request = members(case.member("request"))?;
        if document.fixtures["apis"][name].is_string() {
            return control::check(&self.world, case, request).await;
        }
        let apis = &document.fixtures["apis"];
        let unused = String::new;
        let fixtures = Fixtures { apis, issuer: unused(), unreachable: unused(), client: CLIENT.to_owned() };
        let setup = Setup::read(name, &fixtures.whole(name, 0)?, request)?;
        let expected = members(case.member("expect"))?;
        check_words(expected)?;
        let endpoint = setup::Endpoint::start(&setup).await;
        let standing = setup.stand_up(&self.world, endpoint.as_ref()).await;
        let standing = standing.map_err(|error| Unknown::new(format!("deployment: {error}")))?;
        let steps = self.steps(request, &setup, &standing).await?;
        let playing = tokio::time::timeout(LONGEST, self.play(&standing, setup.stage(), request, &steps)).await;
        let happened = playing.map_err(|_| Unknown::new("the case takes too long"))??;
        compare(case, &setup, &happened)
    }

    /// What a case does, one after another.
    async fn steps(
        &self,
        request: &Map<String, Value>,
        setup: &Setup,
        standing: &Standing,
    ) -> Result<Vec<Step>, Unknown> {
        let token = match request.get("jwt_case").and_then(Value::as_str) {
            Some(words) => pool::token(&self.world, standing, self.mint, words).await?,
            None => None,
        };
        let steps = match request.get("sequence") {
            Some(steps) => steps.as_array().cloned().unwrap_or_default(),
            None => vec![Value::Object(request.clone())],
        };
        let prepared = steps.iter().map(|step| {
            let mut step = members(step)?.clone();
            if step.contains_key("flush") {
                return Ok(Step::Flush);
            }
            let aside: Map<String, Value> = ASIDE.iter().filter_map(|name| step.remove_entry(*name)).collect();
            let mut sent = sent(&step)?;
            if let Some(body) = aside.get("body_base64").and_then(Value::as_str) {
                sent.body = BASE64_STANDARD.decode(body).map_err(|error| Unknown::new(error.to_string()))?;
            }
            for (_, value) in &mut sent.headers {
                *value = value.replace("{key}", &setup.key);
            }
            sent.target = sent.target.replace("{key}", &setup.key);
            if let Some(token) = &token {
                let token = if aside.contains_key("tampered") { tampered(token) } else { token.clone() };
                sent.headers.push(("Authorization".to_owned(), token));
            }
            if let Some(words) = aside.get("signed_as") {
                let key = self.key(standing, words.as_str().unwrap_or_default())?;
                let url = format!("http://{}.execute-api.localhost{}", standing.api, sent.target);
                sent.headers.extend(key.signature("execute-api", &sent.method, &url, &sent.body));
            }
            Ok(Step::Send(sent))
        });
        prepared.collect()
    }

    /// The key of a caller, who is new.
    fn key(&self, standing: &Standing, words: &str) -> Result<Key, Unknown> {
        let effect = match words {
            "a role that may" => Some("Allow"),
            "a role that may not" => Some("Deny"),
            "a role without a say" => None,
            _ => return Err(Unknown::new(format!("signed_as `{words}`"))),
        };
        let statement = |effect| json!({ "Effect": effect, "Action": "execute-api:Invoke", "Resource": "*" });
        Ok(self.world.cloud.role(&format!("caller-{}", standing.api), effect.map(statement)))
    }

    async fn play(
        &self,
        standing: &Standing,
        stage: &str,
        request: &Map<String, Value>,
        steps: &[Step],
    ) -> Result<Happened, Unknown> {
        let count = |name: &str| match request.get(name) {
            None => Ok(1),
            Some(value) => value.as_u64().ok_or_else(|| Unknown::new(format!("`{name}` {value}"))),
        };
        let (repeat, parallel) = (count("repeat")?, count("parallel")?.max(1));
        let mut received = Vec::new();
        for step in steps {
            let Step::Send(sent) = step else {
                received.push(Received::empty(control::flush(&self.world, &standing.api, stage).await));
                continue;
            };
            let mut left = repeat;
            while left > 0 {
                let calls = (0..parallel.min(left)).map(|_| self.world.call(standing, sent));
                received.extend(join_all(calls).await);
                left = left.saturating_sub(parallel);
            }
        }
        Ok(Happened { received, events: standing.events("function"), authorizer_events: standing.events("authorizer") })
    }
}

/// The token with another signature of the same length.
fn tampered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a token has a signature");
    let (first, rest) = signature.split_at(1);
    format!("{signed}.{}{rest}", if first == "A" { "B" } else { "A" })
}

/// Refuses a case whose expectations use a word that is not known, before anything is stood up for it.
fn check_words(expected: &Map<String, Value>) -> Result<(), Unknown> {
    let known = |word: &str| {
        let words = [
            "status",
            "statuses",
            "body",
            "body_exact",
            "body_one_of",
            "body_regex",
            "body_contains",
            "body_json",
            "headers",
            "raw_header_name",
            "header_lines",
            "event",
            "authorizer_event",
            "served_by",
            "sequence_served_by",
            "integration_invocations",
            "authorizer_invocations",
        ];
        words.contains(&word) || word.starts_with("body_exact_on_") || word.starts_with("headers_on_")
    };
    match expected.keys().find(|word| !known(word)) {
        Some(word) => Err(Unknown::new(format!("expectation `{word}`"))),
        None => Ok(()),
    }
}

fn compare(case: &Case, setup: &Setup, happened: &Happened) -> Result<Findings, Unknown> {
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
    let with_status = |word: &str| {
        let status = word.rsplit('_').next().unwrap_or_default();
        happened.received.iter().find(|received| received.status.to_string() == status)
    };
    for (word, expected) in members(case.member("expect"))? {
        match word.as_str() {
            "status" | "statuses" => {
                let (expected, actual) = statuses(expected, &happened.received);
                check(word, &expected, Some(&actual))?;
            }
            "body" | "body_exact" => check(word, expected, Some(&last.text().into()))?,
            "body_one_of" => check(word, &json!({ "one_of": expected }), Some(&last.text().into()))?,
            "body_regex" => check(word, &json!({ "regex": expected }), Some(&last.text().into()))?,
            "body_contains" => check(word, &json!({ "contains": expected }), Some(&last.text().into()))?,
            "body_json" => check(word, expected, serde_json::from_slice(&last.body).ok().as_ref())?,
            "headers" => headers(expected, Some(last), &mut check)?,
            "raw_header_name" => check(word, &json!({ "contains": expected }), Some(&json!(last.names)))?,
            "header_lines" => {
                for (name, expected) in members(expected)? {
                    check(name, expected, last.header(name, true).as_ref())?;
                }
            }
            "event" => each(expected, happened.events.last(), &mut check)?,
            "authorizer_event" => each(expected, happened.authorizer_events.last(), &mut check)?,
            "served_by" => {
                let whole = expected.as_str().is_some_and(|text| text.contains(' '));
                let served = happened.events.last().map(|event| setup.served_by(event, whole));
                check(word, expected, served.map(Value::from).as_ref())?;
            }
            "sequence_served_by" => {
                let served: Vec<String> = happened.events.iter().map(|event| setup.served_by(event, false)).collect();
                check(word, expected, Some(&served.into()))?;
            }
            "integration_invocations" => check(word, expected, Some(&happened.events.len().into()))?,
            "authorizer_invocations" => check(word, expected, Some(&happened.authorizer_events.len().into()))?,
            other if other.starts_with("headers_on_") => headers(expected, with_status(other), &mut check)?,
            other => check(word, expected, with_status(other).map(|received| received.text().into()).as_ref())?,
        }
    }
    Ok(findings)
}

fn headers(
    expected: &Value,
    received: Option<&Received>,
    check: &mut impl FnMut(&str, &Value, Option<&Value>) -> Result<(), Unknown>,
) -> Result<(), Unknown> {
    for (name, expected) in members(expected)? {
        let actual = received.and_then(|received| received.header(name, expected.is_array()));
        check(name, expected, actual.as_ref())?;
    }
    Ok(())
}
