//! What `stackgen verify` tells: one line a route, and failures in full.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stackgen::access::probe::answer::Outcome as Came;
use stackgen::access::probe::{ApiKey, Carrier, Credential, Door, Must, Probe};
use stackgen::deploy::shell::word;
use stackgen::deploy::verify::{Ended, Report, Tried};

use super::Verified;
use crate::cli::Table;
use crate::cli::output::{bold, dim, green, red, yellow};

/// How the calls of a door came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) refused: usize,
    pub(super) failed: usize,
    pub(super) untold: usize,
    pub(super) left_out: usize,
}

impl Counts {
    fn add(&mut self, tried: &Tried) {
        match (&tried.outcome, &tried.probe.must) {
            (Came::Proved, Must::Pass | Must::Share(_)) => self.passed += 1,
            (Came::Proved, Must::BeRefused(_) | Must::ReachNothing | Must::BeClosed | Must::NotShare(_)) => {
                self.refused += 1;
            }
            (Came::Leaked(_) | Came::Shut(_), _) => self.failed += 1,
            (Came::Untold(_), _) => self.untold += 1,
        }
    }
}

/// The counts by door.
pub(super) fn counts(report: &Report) -> BTreeMap<&Door, Counts> {
    let mut doors: BTreeMap<&Door, Counts> = BTreeMap::new();
    for tried in &report.tried {
        doors.entry(&tried.probe.door).or_default().add(tried);
    }
    for left in &report.left_out {
        doors.entry(&left.door).or_default().left_out += 1;
    }
    doors
}

/// What a call must come to, in a word.
pub(super) fn expected(must: &Must) -> &'static str {
    match must {
        Must::Pass => "passes",
        Must::BeRefused(_) => "is refused",
        Must::ReachNothing => "reaches nothing",
        Must::BeClosed => "is not answered",
        Must::Share(_) => "may read answers",
        Must::NotShare(_) => "may not read answers",
    }
}

/// A name for an outcome, and what it says.
pub(super) fn outcome(outcome: &Came) -> (&'static str, &str) {
    match outcome {
        Came::Proved => ("proved", ""),
        Came::Leaked(why) => ("leaked", why),
        Came::Shut(why) => ("shut", why),
        Came::Untold(why) => ("untold", why),
    }
}

/// The call as a shell would make it, without what the caller shows.
pub(super) fn curl(tried: &Tried) -> String {
    let Probe { request, credential, carrier, api_key, .. } = &tried.probe;
    // curl waits for the body of an answer to `-X HEAD`, which never comes.
    let mut command = match request.method.as_str() {
        "HEAD" => format!("curl -I --path-as-is {}", word(&tried.url)),
        method => format!("curl -i --path-as-is -X {method} {}", word(&tried.url)),
    };
    let mut header = |text: String| command.push_str(&format!(" -H {}", word(&text)));
    for (name, value) in &request.headers {
        header(format!("{name}: {value}"));
    }
    if matches!(api_key, ApiKey::Good | ApiKey::Wrong) {
        header("x-api-key: ...".to_owned());
    }
    match (credential, carrier) {
        (Credential::Nothing, _) => {}
        (Credential::Signature(_), _) => command.push_str(" --aws-sigv4 ..."),
        (_, Carrier::Header(name)) => header(format!("{name}: ...")),
        (_, Carrier::Query(name)) => command.push_str(&format!(" --url-query {}", word(&format!("{name}=...")))),
    }
    command
}

pub(super) fn document(verified: &Verified) -> Value {
    let Verified { stack, report, weaker } = verified;
    let tried: Vec<Value> = report.tried.iter().map(tried).collect();
    let left_out: Vec<Value> = report
        .left_out
        .iter()
        .map(|left| json!({ "route": left.door.to_string(), "name": left.door.name(), "what": left.what, "why": left.why }))
        .collect();
    let all = counts(report);
    let total = |count: fn(&Counts) -> usize| all.values().map(count).sum::<usize>();
    json!({
        "stack": stack,
        "proved": verified.is_proof(),
        "counts": {
            "passed": total(|one| one.passed),
            "refused": total(|one| one.refused),
            "failed": total(|one| one.failed),
            "untold": total(|one| one.untold),
            "leftOut": total(|one| one.left_out),
        },
        "timedOut": report.ended == Ended::TimedOut,
        "tried": tried,
        "leftOut": left_out,
        "weakerThanFile": weaker,
        "usersLeft": report.users_left,
    })
}

fn tried(tried: &Tried) -> Value {
    let Probe { door, request, must, what, why, .. } = &tried.probe;
    let (name, explanation) = outcome(&tried.outcome);
    json!({
        "route": door.to_string(),
        "name": door.name(),
        "what": what,
        "method": request.method,
        "url": tried.url,
        "expected": expected(must),
        "because": why,
        "status": tried.status,
        "outcome": name,
        "explanation": explanation,
    })
}

pub(super) fn text(verified: &Verified) -> String {
    let Verified { stack, report, weaker } = verified;
    let mut table = Table::new(["", "route", "passed", "refused", "failed", "untold", "left out"]);
    for (door, counts) in counts(report) {
        let number = |number: usize| if number == 0 { dim("-") } else { number.to_string() };
        let mark = match counts {
            Counts { failed: 1.., .. } => red("✗"),
            Counts { untold: 1.., .. } => yellow("?"),
            Counts { passed: 0, refused: 0, .. } => dim("-"),
            _ => green("✓"),
        };
        let Counts { passed, refused, failed, untold, left_out } = counts;
        let numbers = [passed, refused, failed, untold, left_out].map(number);
        let [passed, refused, failed, untold, left_out] = numbers;
        table.row([mark, door.to_string(), passed, refused, failed, untold, left_out]);
    }
    let mut text = table.to_string();
    for failure in report.failures() {
        text.push_str(&failed(failure, stack));
    }
    for untold in report.untold() {
        text.push_str(&not_told(untold));
    }
    for change in weaker {
        text.push_str(&format!("\n{} the deployed template is weaker than the file: {}\n", red("✗"), change.words));
    }
    text.push_str(&left_out(report));
    text.push('\n');
    text.push_str(&verdict(verified));
    text
}

fn failed(tried: &Tried, stack: &str) -> String {
    let Probe { door, must, what, why, .. } = &tried.probe;
    let (_, explanation) = outcome(&tried.outcome);
    let next = match tried.outcome {
        Came::Leaked(_) => {
            format!("`stackgen diff {stack}` tells how the deployment differs, `stackgen deploy {stack}` closes it")
        }
        _ => format!("`stackgen diff {stack}` tells how the deployment differs; the log of the authorizer tells why"),
    };
    let sent = if tried.url.is_empty() { "nothing".to_owned() } else { curl(tried) };
    let lines = [
        ("sent", sent),
        ("expected", format!("{}: {why}", expected(must))),
        ("answered", explanation.to_owned()),
        ("next", next),
    ];
    let lines = lines.map(|(name, value)| format!("    {} {value}\n", dim(format_args!("{name:<9}"))));
    format!("\n{} {}: {what}\n{}", red("✗"), bold(door), lines.concat())
}

fn not_told(tried: &Tried) -> String {
    let Probe { door, what, .. } = &tried.probe;
    let (_, explanation) = outcome(&tried.outcome);
    format!("\n{} {}: {what}\n    cannot be told: {explanation}\n", yellow("?"), bold(door))
}

/// What was not tried, by reason.
fn left_out(report: &Report) -> String {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for left in &report.left_out {
        *reasons.entry(&left.why).or_default() += 1;
    }
    let line = |(why, count): (&&str, &usize)| format!("  {count} × {why}\n");
    let lines: String = reasons.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{}\n{lines}", dim("left out:")) }
}

fn verdict(verified: &Verified) -> String {
    let Verified { stack, report, weaker } = verified;
    let all = counts(report);
    let total = |count: fn(&Counts) -> usize| all.values().map(count).sum::<usize>();
    let (failed, untold) = (total(|one| one.failed), total(|one| one.untold));
    let proved = total(|one| one.passed + one.refused);
    let name = bold(stack);
    if report.ended == Ended::TimedOut {
        return format!("{} {name}: the time was over before all was tried; `--patience` gives more", red("✗"));
    }
    match (failed + weaker.len(), untold) {
        (0, 0) if proved == 0 => format!("{} {name}: there was nothing to try", yellow("?")),
        (0, 0) => format!("{} {name} keeps what its file says: {proved} calls came out as they must", green("✓")),
        (0, _) => format!("{} {name}: {proved} calls came out as they must, {untold} cannot be told", yellow("?")),
        (failed, _) => format!("{} {name} does not keep what its file says: {failed} failed", red("✗")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use stackgen::access::probe::{Asked, Gateway, Request};

    use super::*;

    pub(in crate::cli::verify) fn tried(must: Must, outcome: Came) -> Tried {
        Tried {
            probe: Probe {
                door: Door::Route { api: "Api".into(), stage: "$default".into(), key: "GET /<a>".into() },
                gateway: Gateway::Http,
                request: Request { method: "GET".into(), path: "/<a>".into(), ..Request::default() },
                credential: Credential::Garbage,
                carrier: Carrier::default(),
                api_key: ApiKey::NotAsked,
                must,
                what: "a \"text\"".into(),
                why: "it says nothing".into(),
            },
            url: "http://127.0.0.1:1/<a>".into(),
            status: Some(200),
            outcome,
        }
    }

    fn verified(all: Vec<Tried>) -> Verified {
        Verified { stack: "s".into(), report: Report { tried: all, ..Report::default() }, weaker: Vec::new() }
    }

    #[test]
    fn a_leak_is_told_in_full_and_without_the_credential() {
        let leak = tried(Must::BeRefused(Asked::Token), Came::Leaked("it passed the guard (200)".into()));
        let verified = verified(vec![leak]);
        let text = anstream::adapter::strip_str(&text(&verified)).to_string();
        for part in [
            "✗ GET /<a> of Api: a \"text\"",
            "curl -i --path-as-is -X GET 'http://127.0.0.1:1/<a>' -H 'Authorization: ...'",
            "is refused: it says nothing",
            "it passed the guard (200)",
            "stackgen deploy s",
            "s does not keep what its file says: 1 failed",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!verified.is_proof());
    }

    #[test]
    fn a_shell_makes_the_same_call() {
        let mut own = tried(Must::Pass, Came::Proved);
        own.probe.request.method = "HEAD".into();
        own.probe.api_key = ApiKey::Good;
        own.probe.credential = Credential::Nothing;
        own.url = "http://127.0.0.1:1/it's".into();
        assert_eq!(curl(&own), r"curl -I --path-as-is 'http://127.0.0.1:1/it'\''s' -H 'x-api-key: ...'");
    }

    #[test]
    fn what_nobody_could_try_is_no_proof() {
        let nothing = verified(Vec::new());
        assert!(!nothing.is_proof() && nothing.is_empty());
        assert!(text(&nothing).contains("there was nothing to try"));
        let missing = Tried { url: String::new(), ..tried(Must::Pass, Came::Shut("API `Api` is not deployed".into())) };
        let missing = verified(vec![missing]);
        assert!(!missing.is_proof() && !missing.is_empty());
        assert!(
            anstream::adapter::strip_str(&text(&missing)).to_string().contains("sent      nothing"),
            "{}",
            text(&missing)
        );
    }

    #[test]
    fn what_cannot_be_told_is_no_proof() {
        let verified = verified(vec![tried(Must::Pass, Came::Untold("busy".into())), tried(Must::Pass, Came::Proved)]);
        assert!(!verified.is_proof());
        let document = document(&verified);
        assert_eq!((&document["proved"], &document["counts"]["untold"]), (&json!(false), &json!(1)));
        assert!(text(&verified).contains("1 cannot be told"));
    }
}
