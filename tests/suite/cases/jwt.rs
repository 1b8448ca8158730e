//! Cases about tokens: what a JWT authorizer makes of them, and what a Lambda authorizer does.

mod lambda;

use std::collections::BTreeMap;

use serde_json::Value;

use super::client::{Received, Sent};
use super::gateway_v2::CLIENT;
use super::issuer::Issuers;
use super::matchers::{Scope, lookup};
use super::mint::Mint;
use super::setup::{Fixtures, Setup, Standing, World};
use super::{Case, Document, Findings, Report, Unknown, documents_of};

#[tokio::test(flavor = "multi_thread")]
async fn tokens_open_what_they_open_on_aws() {
    let mut report = Report::new("jwt");
    let mut bench = Bench {
        world: World::new().await,
        issuers: Issuers::start().await,
        mint: Mint::open(),
        standing: BTreeMap::new(),
    };
    for document in documents_of("jwt") {
        for case in &document.cases {
            report.add(case, bench.run(&document, case).await);
        }
    }
    bench.world.end().await;
    report.finish();
}

/// Where tokens are tried.
struct Bench {
    world: World,
    issuers: Issuers,
    mint: Mint,
    /// The APIs that stand, by what cases ask of them.
    standing: BTreeMap<String, Standing>,
}

impl Bench {
    async fn run(&mut self, document: &Document, case: &Case) -> Result<Findings, Unknown> {
        let variant = case.member("jwks").as_str().unwrap_or("default").to_owned();
        let issuer = self.issuers.url(&self.mint, &variant)?;
        let token = self.mint.token(case.member("token"), &issuer, CLIENT)?;
        let sent = presented(document, case, token.as_deref().unwrap_or_default())?;
        let place = self.place(document, case, &variant, issuer).await?;
        let standing = self.standing.get(&place).ok_or_else(|| Unknown::new("nothing stands"))?;
        let before = standing.events("function").len();
        let received = self.world.call(standing, &sent).await;
        let id = received.header("apigw-requestid", false);
        let id = id.as_ref().and_then(Value::as_str).unwrap_or_default();
        let logged = self.world.logged(standing, id).await.map(Value::from);
        let events = standing.events("function");
        compare(case, &Tried { received, event: events.get(before), logged })
    }

    /// The API that a case needs, stood up if none like it stands.
    async fn place(
        &mut self,
        document: &Document,
        case: &Case,
        variant: &str,
        issuer: String,
    ) -> Result<String, Unknown> {
        let scopes = case.member("route_scopes");
        let place = format!("{variant} {} {scopes}", case.member("authorizer"));
        if !self.standing.contains_key(&place) {
            let unreachable = self.issuers.unreachable();
            let fixtures = Fixtures { apis: &Value::Null, issuer, unreachable, client: CLIENT.to_owned() };
            let scopes = scopes.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            let key = document.fixtures["route"]["routeKey"].as_str().unwrap_or("GET /secure").to_owned();
            let setup = Setup {
                routes: vec![(key, scopes.collect())],
                guard: fixtures.jwt_over(&document.fixtures["authorizer"], case.member("authorizer"))?,
                logged: true,
                ..Setup::default()
            };
            let standing = self.world.stand_up(&setup).await;
            let standing = standing.map_err(|error| Unknown::new(format!("deployment: {error}")))?;
            self.standing.insert(place.clone(), standing);
        }
        Ok(place)
    }
}

/// The request that presents a token as the case says.
fn presented(document: &Document, case: &Case, token: &str) -> Result<Sent, Unknown> {
    let default = &document.fixtures["present_default"];
    let present = if case.member("present").is_null() { default } else { case.member("present") };
    let key = document.fixtures["route"]["routeKey"].as_str().unwrap_or("GET /secure");
    let (method, path) = key.split_once(' ').unwrap_or(("GET", key));
    let mut sent = Sent { method: method.to_owned(), target: path.to_owned(), ..Sent::default() };
    let name = present["name"].as_str().unwrap_or_default();
    let value = present["template"].as_str().unwrap_or_default().replace("{token}", token);
    match present["via"].as_str() {
        Some("none") => {}
        Some("header") => sent.headers.push((name.to_owned(), value)),
        Some("query") => sent.target = format!("{path}?{name}={value}"),
        _ => return Err(Unknown::new(format!("presented {present}"))),
    }
    Ok(sent)
}

/// What a token did.
struct Tried<'a> {
    received: Received,
    /// The event of the function, where it was invoked.
    event: Option<&'a Value>,
    /// What the access log says is wrong with it.
    logged: Option<Value>,
}

fn compare(case: &Case, tried: &Tried<'_>) -> Result<Findings, Unknown> {
    let Tried { received, event, logged } = tried;
    let event = *event;
    let gateway = case.member("gateway");
    let must_hold = Case::must_hold(gateway);
    let scope = Scope { event };
    let mut findings = Findings::default();
    let mut check = |what: &str, expected: &Value, actual: Option<&Value>| -> Result<(), Unknown> {
        if let Some(wrong) = scope.compare(expected, actual)? {
            let weaker = expected.get("soft").is_some() || expected.get("confidence").is_some();
            let held =
                if weaker { must_hold && Case::must_hold(&with_confidence(expected, gateway)) } else { must_hold };
            findings.add(held, format!("{what}: {wrong}"));
        }
        Ok(())
    };
    for (word, expected) in gateway.as_object().into_iter().flatten() {
        match word.as_str() {
            "confidence" | "evidence" | "note" | "soft" | "measured_claim" => {}
            "accept" => {}
            "status" => check(word, expected, Some(&received.status.into()))?,
            "body_json" => check(word, expected, serde_json::from_slice(&received.body).ok().as_ref())?,
            "www_authenticate" => check(word, expected, received.header("www-authenticate", false).as_ref())?,
            "headers" => {
                for (name, expected) in expected.as_object().into_iter().flatten() {
                    check(name, expected, received.header(name, expected.is_array()).as_ref())?;
                }
            }
            "event" => {
                for (path, expected) in expected.as_object().into_iter().flatten() {
                    check(path, expected, event.and_then(|event| lookup(event, path)))?;
                }
            }
            "access_log_error" => check(word, expected, logged.as_ref())?,
            _ => return Err(Unknown::new(format!("verdict member `{word}`"))),
        }
    }
    verdict(gateway.get("accept"), received.status, event.is_some(), must_hold, &mut findings);
    Ok(findings)
}

/// A claim's own confidence, else that of the whole verdict.
fn with_confidence(claim: &Value, whole: &Value) -> Value {
    let mut claim = claim.clone();
    if claim.get("confidence").is_none() {
        claim["confidence"] = whole["confidence"].clone();
    }
    claim
}

/// Whether the token opened the route. Where AWS's answer is not known, nothing may break, and the answer is reported.
fn verdict(accept: Option<&Value>, status: u64, invoked: bool, must_hold: bool, findings: &mut Findings) {
    let opened = status == 200 && invoked;
    match accept.and_then(Value::as_bool) {
        Some(accept) if accept != opened || !accept && invoked => {
            findings.add(must_hold, format!("expected accept {accept}, found status {status}, invoked {invoked}"));
        }
        None if status >= 500 => findings.add(true, format!("status {status}")),
        None => findings.add(false, format!("AWS's answer is not known; here the status is {status}")),
        Some(_) => {}
    }
}
