//! Whether a deployment keeps what its stack file says: the calls of a [`Plan`], made and judged.
//!
//! Nothing is taken on trust: what must come of a call is the file's word, the call goes to what is deployed, and who
//! answered is told by the gateway's own marks and its access log (see [`crate::access::probe::answer`]).

mod address;
mod bounds;
mod log;
mod pace;
mod purse;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time::Instant;
use url::form_urlencoded;

use super::api::{self, Call};
use super::aws::Account;
use super::stack::Deployed;
use super::tokens::Mint;
use crate::access::matrix::{Kind, Limits, Matrix, Setting};
use crate::access::probe::answer::{Answer, Log, Outcome, is_throttled, judge, needs_line};
use crate::access::probe::{ApiKey, Carrier, Credential, Door, Gateway, LeftOut, Plan, Probe, Signature};
use log::AccessLog;
use pace::Pace;
use purse::{NO_MINT, Purse, Shown};
use wire::Wire;

pub use bounds::Bounds;
pub use purse::{Given, Lawful, Secrets};

/// What is deployed, and what it should be.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Where it is deployed.
    pub account: &'a Account,
    /// Name of the stack.
    pub stack: &'a str,
    /// What was made.
    pub resources: &'a [Deployed],
    /// The template that is deployed.
    pub template: &'a Value,
    /// What the stack file says.
    pub matrix: &'a Matrix,
}

/// How it is tried.
#[derive(Clone)]
pub struct Options {
    /// What is shown to APIs.
    pub given: Given,
    /// Whether calls are made that change data when all is as it should be.
    pub writes: Writes,
    /// Doors that are tried, by name or as `NAME of API`; all when there are none.
    pub only: Vec<String>,
}

/// Whether calls are made that change data when all is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// They are left out.
    LeftOut,
    /// They are made, without a body.
    Made,
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// What was tried.
    pub probe: Probe,
    /// The address, without credentials.
    pub url: String,
    /// The status that was answered; none when nobody answered.
    pub status: Option<u16>,
    /// What came of it.
    pub outcome: Outcome,
}

/// All that was tried, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls that were made, door by door.
    pub tried: Vec<Tried>,
    /// Calls that were not.
    pub left_out: Vec<LeftOut>,
    /// Users that were made and could not be removed.
    pub users_left: Vec<String>,
    /// Whether it was stopped before its end.
    pub ended: Ended,
}

/// How it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// All was tried.
    #[default]
    Whole,
    /// It took too long.
    TimedOut,
    /// It was interrupted.
    Interrupted,
}

impl Ended {
    /// Why the rest was not tried.
    fn words(self) -> &'static str {
        match self {
            Self::Whole => "all was tried",
            Self::TimedOut => "the time was over",
            Self::Interrupted => "it was interrupted",
        }
    }
}

impl Report {
    /// The calls that came to something else than they must.
    pub fn failures(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| matches!(tried.outcome, Outcome::Leaked(_) | Outcome::Shut(_)))
    }

    /// The calls whose answers do not tell.
    pub fn untold(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| matches!(tried.outcome, Outcome::Untold(_)))
    }

    fn leave_out(&mut self, door: Door, what: String, ended: Ended) {
        self.left_out.push(LeftOut { door, what, why: ended.words().to_owned() });
        self.ended = self.ended.max(ended);
    }

    /// Whether nothing came of it, neither good nor bad: nothing was tried, and nothing kept it from being tried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ended == Ended::Whole && self.tried.is_empty()
    }

    /// Whether calls were made, and every one came to what it must.
    #[must_use]
    pub fn is_proof(&self) -> bool {
        let is_proved = |tried: &Tried| tried.outcome == Outcome::Proved;
        self.ended == Ended::Whole && !self.tried.is_empty() && self.tried.iter().all(is_proved)
    }
}

/// How many doors are tried at once.
const AT_ONCE: usize = 4;

/// How often a call is repeated that the limits refuse, and how long is waited at most where the answer does not say.
const REPEATS: u32 = 6;
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long AWS may take to show what was logged, and the longest pause between two looks.
const LINES_ARRIVE: Duration = Duration::from_secs(60);
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// The same on this machine, which writes a line before it answers.
const LINES_ARE_THERE: Duration = Duration::from_secs(1);

/// Makes the calls of a plan within bounds. `told` hears of each door when it is done.
pub async fn run(
    subject: Subject<'_>,
    plan: Plan,
    options: &Options,
    bounds: Bounds<'_>,
    told: &(dyn Fn(&Door) + Sync),
) -> Report {
    let mint = bounds.patiently(Mint::of(subject.account)).await.ok().and_then(Result::ok);
    let mut purse = Purse::new(subject.account, subject.resources, &options.given, mint);
    let mut report = Report::default();
    let is_chosen = |door: &Door| options.only.is_empty() || options.only.iter().any(|name| is_named(door, name));
    report.left_out.extend(plan.left_out.into_iter().filter(|left| is_chosen(&left.door)));
    let probes = plan.probes.into_iter().filter(|probe| is_chosen(&probe.door)).collect();
    let ready = Preparation { subject, options, purse: &mut purse, bases: BTreeMap::new(), keys: BTreeMap::new() }
        .all(probes, &bounds, &mut report)
        .await;
    Runner { subject, wire: Wire::new(), bounds }.run(ready, &mut report, told).await;
    address::undeclared(&subject, &is_chosen, &bounds, &mut report).await;
    report.users_left = purse.close().await;
    report
}

/// Whether a door is meant by a name: its own, or with the API's behind it.
pub fn is_named(door: &Door, name: &str) -> bool {
    let whole = door.to_string();
    name == door.name() || name == whole || whole.split_once(" at ").is_some_and(|(before, _)| before == name)
}

/// A call that can be made.
struct Ready {
    probe: Probe,
    /// Address of what is called, without a slash at the end.
    base: String,
    shown: Shown,
    api_key: Option<String>,
}

/// Why a call cannot be made, in words.
#[derive(Clone)]
enum Lack {
    /// What the file declares is not deployed, so that nobody can call it.
    Deployment(String),
    /// Something that is needed for it is not to be had.
    Means(String),
}

impl From<String> for Lack {
    fn from(why: String) -> Self {
        Self::Means(why)
    }
}

/// The search for addresses and credentials.
struct Preparation<'a, 'b> {
    subject: Subject<'a>,
    options: &'a Options,
    purse: &'b mut Purse<'a>,
    bases: BTreeMap<String, Result<String, Lack>>,
    keys: BTreeMap<Stage, Result<String, String>>,
}

impl Preparation<'_, '_> {
    /// What is needed for every probe; one that lacks something is left out. A door that is not deployed has failed, once.
    async fn all(&mut self, probes: Vec<Probe>, bounds: &Bounds<'_>, report: &mut Report) -> Vec<Ready> {
        let mut ready = Vec::new();
        let mut missing = BTreeSet::new();
        for probe in probes {
            match bounds.patiently(self.one(&probe)).await {
                Ok(Ok((base, shown, api_key))) => ready.push(Ready { probe, base, shown, api_key }),
                Ok(Err(Lack::Deployment(why))) if missing.insert(probe.door.clone()) => {
                    let outcome = Outcome::Shut(why);
                    report.tried.push(Tried { probe, url: String::new(), status: None, outcome });
                }
                Ok(Err(Lack::Deployment(why) | Lack::Means(why))) => {
                    report.left_out.push(LeftOut { door: probe.door, what: probe.what, why });
                }
                Err(ended) => report.leave_out(probe.door, probe.what, ended),
            }
        }
        ready
    }

    async fn one(&mut self, probe: &Probe) -> Result<(String, Shown, Option<String>), Lack> {
        let base = self.base(&probe.door).await?;
        if probe.may_change_data() && self.options.writes == Writes::LeftOut {
            return Err("it may change data: add `--write`".to_owned().into());
        }
        if probe.credential.needs_mint() && !self.purse.has_mint() {
            return Err(NO_MINT.to_owned().into());
        }
        let shown = self.purse.take(&probe.credential).await?;
        let api_key = match probe.api_key {
            ApiKey::NotAsked | ApiKey::Missing => None,
            ApiKey::Wrong => Some("stackgen-verify-nobody-was-given-this".to_owned()),
            ApiKey::Good => Some(self.api_key(probe).await?),
        };
        Ok((base, shown, api_key))
    }

    async fn base(&mut self, door: &Door) -> Result<String, Lack> {
        let key = format!("{:?}", door.api().ok_or(door));
        if let Some(known) = self.bases.get(&key) {
            return known.clone();
        }
        let found = match door {
            Door::Url { function, alias } => address::declared(&self.subject, function, alias.as_deref()).await,
            _ => self.api(door).await,
        };
        self.bases.insert(key, found.clone());
        found
    }

    async fn api(&self, door: &Door) -> Result<String, Lack> {
        let Subject { account, stack, resources, matrix, .. } = self.subject;
        let (id, stage) = door.api().unwrap_or_default();
        let kind = matrix.apis.get(id).map(|api| api.kind);
        let kind = if kind == Some(Kind::Rest) { api::Kind::Rest } else { api::Kind::Http };
        let api = api::Api { logical_id: id.to_owned(), kind, stages: Vec::new(), routes: Vec::new() };
        let base = api::base_url(account, stack, (&api, stage), resources).await;
        let base = base.map_err(|error| match error {
            api::Error::None { .. } => Lack::Deployment(format!("API `{id}` is not deployed")),
            error => Lack::Means(format!("API `{id}` cannot be asked for its address: {error}")),
        })?;
        // A connection of a WebSocket begins as a request.
        Ok(base.replacen("ws", "http", usize::from(base.starts_with("ws"))))
    }

    async fn api_key(&mut self, probe: &Probe) -> Result<String, String> {
        let place = probe.door.api().unwrap_or_default();
        if let Some(known) = self.keys.get(&own(place)) {
            return known.clone();
        }
        let found = self.purse.api_key(self.subject.template, place).await;
        self.keys.insert(own(place), found.clone());
        found
    }
}

/// The base URL of a service of AWS.
fn service(account: &Account, name: &str) -> String {
    match &account.endpoint {
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None => {
            let suffix = if account.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://{name}.{}.{suffix}", account.region)
        }
    }
}

/// A call that was made, and has to be judged.
struct Called {
    probe: Probe,
    url: String,
    /// When it was sent first.
    sent: SystemTime,
    answer: Result<Answer, String>,
}

/// What became of the calls of one door.
#[derive(Default)]
struct Visited {
    called: Vec<Called>,
    left_out: Vec<LeftOut>,
    ended: Ended,
}

/// What makes the calls.
struct Runner<'a> {
    subject: Subject<'a>,
    wire: Wire,
    bounds: Bounds<'a>,
}

impl Runner<'_> {
    async fn run(&self, ready: Vec<Ready>, report: &mut Report, told: &(dyn Fn(&Door) + Sync)) {
        let mut doors: BTreeMap<Door, Vec<Ready>> = BTreeMap::new();
        for one in ready {
            doors.entry(one.probe.door.clone()).or_default().push(one);
        }
        let visits = doors.into_iter().map(|(door, ready)| async move {
            let visited = self.visit(&door, ready).await;
            told(&door);
            visited
        });
        let visits: Vec<Visited> = futures_util::stream::iter(visits).buffered(AT_ONCE).collect().await;
        let mut called = Vec::new();
        for visited in visits {
            called.extend(visited.called);
            report.left_out.extend(visited.left_out);
            report.ended = report.ended.max(visited.ended);
        }
        let (logs, ended) = self.logs(&called).await;
        report.ended = report.ended.max(ended);
        report.tried.extend(called.into_iter().map(|one| one.judged(&logs)));
    }

    /// Calls at one door, one after the other and below its limits.
    async fn visit(&self, door: &Door, ready: Vec<Ready>) -> Visited {
        let mut pace = self.pace(door);
        let mut visited = Visited::default();
        for one in ready {
            let sent = SystemTime::now();
            match self.bounds.patiently(self.call(&one, &mut pace)).await {
                Ok((url, answer)) => visited.called.push(Called { probe: one.probe, url, sent, answer }),
                Err(ended) => {
                    let Probe { door, what, .. } = one.probe;
                    visited.left_out.push(LeftOut { door, what, why: ended.words().to_owned() });
                    visited.ended = ended;
                }
            }
        }
        visited
    }

    fn pace(&self, door: &Door) -> Pace {
        let limits = door.api().and_then(|(id, stage)| {
            let stage = self.subject.matrix.apis.get(id)?.stages.get(stage)?;
            Some(stage.limits(door.name()).clone())
        });
        let Limits { rate, burst, .. } = limits.unwrap_or_default();
        let known = |setting: Option<Setting<f64>>| setting.and_then(|setting| setting.known().copied());
        Pace::below(known(rate), known(burst), Instant::now())
    }

    /// Makes one call, again and again while the limits refuse it.
    async fn call(&self, ready: &Ready, pace: &mut Pace) -> (String, Result<Answer, String>) {
        let mut repeats = 0;
        loop {
            tokio::time::sleep(pace.wait(Instant::now())).await;
            let (url, answer) = self.once(ready).await;
            match &answer {
                Ok(busy) if may_be_repeated(&ready.probe, busy) && repeats < REPEATS => {
                    tokio::time::sleep(pause(busy, repeats)).await;
                    repeats += 1;
                }
                _ => return (url, answer),
            }
        }
    }

    async fn once(&self, ready: &Ready) -> (String, Result<Answer, String>) {
        let Ready { probe, base, shown, api_key } = ready;
        let url = address(base, probe);
        let mut headers = probe.request.headers.clone();
        headers.extend(api_key.iter().map(|key| ("x-api-key".to_owned(), key.clone())));
        let mut sent = url.clone();
        match (shown, &probe.carrier) {
            (Shown::Nothing, _) => {}
            (Shown::Text(text), Carrier::Header(name)) => {
                headers.push((name.clone(), presented(&probe.credential, text)));
            }
            (Shown::Text(text), Carrier::Query(name)) => {
                let value: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
                sent = format!("{url}{}{name}={value}", if url.contains('?') { '&' } else { '?' });
            }
            (Shown::Signed(signature), _) => match self.signed(*signature, probe, &url, &headers).await {
                Ok(signed) => headers.extend(signed),
                Err(why) => return (url, Err(why)),
            },
        }
        let answer = self.wire.send(&probe.request.method, &sent, &headers).await;
        (url, answer)
    }

    async fn signed(
        &self,
        signature: Signature,
        probe: &Probe,
        url: &str,
        headers: &[(String, String)],
    ) -> Result<Vec<(String, String)>, String> {
        let service = if matches!(probe.door, Door::Url { .. }) { "lambda" } else { "execute-api" };
        let service = if signature == Signature::OtherService { "s3" } else { service };
        let age = if signature == Signature::Stale { Duration::from_secs(3_600) } else { Duration::ZERO };
        let time = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let call =
            Call { method: probe.request.method.clone(), path: String::new(), headers: headers.to_vec(), body: None };
        let signed = api::signature_at(self.subject.account, service, url, &call, time).await;
        let mut signed = signed.map_err(|error| error.to_string())?;
        if signature == Signature::OtherSecret {
            signed.iter_mut().for_each(|(_, value)| *value = with_other_signature(value));
        }
        Ok(signed)
    }

    /// What the access logs say of all calls. AWS shows lines late: they are waited for as long as one is missing.
    async fn logs(&self, called: &[Called]) -> (Logs, Ended) {
        let account = self.subject.account;
        let (mut logs, mut ended) = self.stages(called).await;
        let end = Instant::now() + if account.is_local() { LINES_ARE_THERE } else { LINES_ARRIVE };
        let mut pause = account.pace();
        while ended == Ended::Whole {
            match self.look(&mut logs, called).await {
                Ok(is_whole) if is_whole || Instant::now() >= end => return (logs, ended),
                Ok(_) => ended = self.bounds.patiently(tokio::time::sleep(pause)).await.err().unwrap_or_default(),
                Err(over) => ended = over,
            }
            pause = (pause * 2).min(LONGEST_LOOK);
        }
        logs.cut(ended);
        (logs, ended)
    }

    /// The logs of the stages that were called.
    async fn stages(&self, called: &[Called]) -> (Logs, Ended) {
        let (mut logs, mut ended) = (Logs::default(), Ended::Whole);
        for place in called.iter().filter_map(|one| one.probe.door.api()).collect::<BTreeSet<_>>() {
            let (id, stage) = place;
            let deployed = self.subject.resources.iter().find(|one| one.logical_id == id);
            let kind = self.subject.matrix.apis.get(id).map(|api| api.kind);
            let (Some(deployed), Some(kind)) = (deployed, kind) else { continue };
            let asked = AccessLog::of(self.subject.account, kind, (&deployed.physical_id, stage));
            let found = self.bounds.patiently(asked).await.unwrap_or_else(|over| {
                ended = over;
                Err(over.words().to_owned())
            });
            logs.stages.extend(found.transpose().map(|found| (own(place), found)));
        }
        (logs, ended)
    }

    /// Looks into each log in which a line is missing, and says whether none is now.
    async fn look(&self, logs: &mut Logs, called: &[Called]) -> Result<bool, Ended> {
        let account = self.subject.account;
        let mut is_whole = true;
        let stages = logs.stages.clone();
        for (place, log) in stages.iter().filter_map(|(place, log)| Some((place, log.as_ref().ok()?))) {
            let of_stage = || called.iter().filter(|one| one.probe.door.api().map(own).as_ref() == Some(place));
            let missing: Vec<&Called> = of_stage().filter(|one| one.waits(logs)).collect();
            let Some(start) = missing.iter().map(|one| one.sent).min() else { continue };
            let wanted: BTreeSet<&str> = missing.iter().filter_map(|one| one.id()).collect();
            match self.bounds.patiently(log.since(account, start, &wanted)).await? {
                Ok(said) => {
                    logs.lines.extend(said);
                    logs.unread.remove(place);
                }
                Err(why) => logs.unread.extend([(place.clone(), why)]),
            }
            is_whole &= !of_stage().any(|one| one.waits(logs));
        }
        Ok(is_whole)
    }
}

/// An API and one of its stages.
type Stage = (String, String);

fn own((api, stage): (&str, &str)) -> Stage {
    (api.to_owned(), stage.to_owned())
}

/// What the access logs say.
#[derive(Default)]
struct Logs {
    /// The log of each stage that keeps one of use; or why that cannot be told.
    stages: BTreeMap<Stage, Result<AccessLog, String>>,
    /// What they say of requests, by the request's id.
    lines: BTreeMap<String, Log>,
    /// Why a log could not be read the last time.
    unread: BTreeMap<Stage, String>,
}

impl Logs {
    fn about(&self, called: &Called) -> Log {
        let line = called.id().and_then(|id| self.lines.get(id)).copied();
        line.unwrap_or_else(|| self.without_line(&called.probe))
    }

    /// What it says of a call that no line is there for.
    fn without_line(&self, probe: &Probe) -> Log {
        let is_kept = probe.door.api().is_some_and(|place| self.stages.contains_key(&own(place)));
        match self.trouble(probe) {
            Some(_) => Log::Unread,
            None if is_kept => Log::Silent,
            None => Log::Absent,
        }
    }

    /// Why there may be no line.
    fn trouble(&self, probe: &Probe) -> Option<&String> {
        let place = own(probe.door.api()?);
        self.stages.get(&place)?.as_ref().err().or_else(|| self.unread.get(&place))
    }

    /// Says of all lines that are missing that nobody waited for them to the end.
    fn cut(&mut self, ended: Ended) {
        for place in self.stages.keys() {
            self.unread.entry(place.clone()).or_insert_with(|| ended.words().to_owned());
        }
    }
}

impl Called {
    /// By which the log names it.
    fn id(&self) -> Option<&str> {
        self.answer.as_ref().ok()?.request_id(self.probe.gateway)
    }

    /// Whether a line of the log is missing that would tell more.
    fn waits(&self, logs: &Logs) -> bool {
        let is_missing = self.id().is_some() && matches!(logs.about(self), Log::Unread | Log::Silent);
        is_missing && self.answer.as_ref().is_ok_and(|answer| needs_line(&self.probe, answer))
    }

    fn judged(self, logs: &Logs) -> Tried {
        let log = logs.about(&self);
        let outcome = match &self.answer {
            Ok(answer) => judge(&self.probe, answer, log),
            Err(why) => Outcome::Untold(format!("nobody answered: {why}")),
        };
        let outcome = match (outcome, logs.trouble(&self.probe)) {
            (Outcome::Untold(why), Some(trouble)) if log == Log::Unread => {
                Outcome::Untold(format!("{why} ({trouble})"))
            }
            (outcome, _) => outcome,
        };
        let status = self.answer.ok().map(|answer| answer.status);
        Tried { probe: self.probe, url: self.url, status, outcome }
    }
}

/// The address of a call, without what the caller shows.
fn address(base: &str, probe: &Probe) -> String {
    // The address of a WebSocket ends with the stage.
    let path = if probe.gateway == Gateway::WebSocket { "" } else { &probe.request.path };
    let query = probe.request.query.join("&");
    format!("{base}{path}{}{query}", if query.is_empty() { "" } else { "?" })
}

/// Tokens have the name of their scheme before them. What a function compares with is sent as it was given.
fn presented(credential: &Credential, text: &str) -> String {
    match credential {
        Credential::Shared { .. } => text.to_owned(),
        _ => format!("Bearer {text}"),
    }
}

/// Whether a call was refused by the limits, and does no harm if it is made again. What an HTTP API says then, a function
/// could say too, which has done something already.
fn may_be_repeated(probe: &Probe, busy: &Answer) -> bool {
    let is_sure = probe.gateway != Gateway::Http || !matches!(probe.request.method.as_str(), "POST" | "PATCH");
    is_sure && is_throttled(probe, busy)
}

/// How long to wait before a call is repeated: as long as the answer says.
fn pause(busy: &Answer, repeats: u32) -> Duration {
    let asked = busy.header("retry-after").and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
    asked.unwrap_or_else(|| (Duration::from_millis(500) * 2_u32.saturating_pow(repeats)).min(LONGEST_WAIT))
}

/// An `Authorization` header with another signature in it; other values as they are.
fn with_other_signature(value: &str) -> String {
    match value.rsplit_once("Signature=") {
        Some((before, signature)) => {
            let other = signature.chars().map(|c| if c == '0' { '1' } else { '0' });
            format!("{before}Signature={}", other.collect::<String>())
        }
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, SystemTime};

    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use super::purse::tests::account;
    use super::{
        AccessLog, Answer, ApiKey, Bounds, Called, Carrier, Credential, Deployed, Door, Ended, Gateway, Logs, Matrix,
        Outcome, Probe, Report, Runner, Stage, Subject, Tried, Wire, is_named, may_be_repeated, pause,
        with_other_signature,
    };
    use crate::access::probe::{Must, Request};

    #[test]
    fn a_door_is_named_with_or_without_its_api() {
        let door = Door::Route { api: "Api".into(), stage: "prod".into(), key: "GET /a".into() };
        for name in ["GET /a", "GET /a of Api", "GET /a of Api at prod"] {
            assert!(is_named(&door, name), "{name}");
        }
        assert!(!is_named(&door, "GET /a of Other"));
    }

    #[test]
    fn another_signature_is_as_long() {
        let value = "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00ff";
        let other = with_other_signature(value);
        assert_eq!((other.len(), other == value), (value.len(), false));
        assert_eq!(with_other_signature("20260101T000000Z"), "20260101T000000Z");
    }

    #[test]
    fn a_busy_api_says_when_to_come_again() {
        let busy = |after: &str| Answer {
            status: 429,
            headers: vec![("retry-after".to_owned(), after.to_owned())],
            body: Vec::new(),
        };
        assert_eq!(pause(&busy("2"), 0), Duration::from_secs(2));
        assert_eq!(pause(&busy("86400"), 0), Duration::from_secs(86_400), "patience ends it, not impatience");
        assert_eq!(pause(&busy("soon"), 1), Duration::from_secs(1));
        assert_eq!(pause(&busy("soon"), 9), Duration::from_secs(10));
    }

    fn probe(gateway: Gateway, method: &str) -> Probe {
        Probe {
            door: Door::Route { api: "Api".into(), stage: "prod".into(), key: format!("{method} /a") },
            gateway,
            request: Request { method: method.to_owned(), path: "/a".into(), ..Request::default() },
            credential: Credential::Nothing,
            carrier: Carrier::default(),
            api_key: ApiKey::NotAsked,
            must: Must::Pass,
            what: String::new(),
            why: String::new(),
        }
    }

    #[test]
    fn only_what_the_gateway_refused_is_sent_again() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let body = br#"{"message":"Too Many Requests"}"#.to_vec();
        let headers = vec![header("apigw-requestid", "a="), header("content-type", "application/json")];
        let http = Answer { status: 429, headers, body };
        assert!(may_be_repeated(&probe(Gateway::Http, "DELETE"), &http));
        assert!(!may_be_repeated(&probe(Gateway::Http, "POST"), &http), "a function may have taken it");
        let own = Answer { body: b"slow down".to_vec(), ..http };
        assert!(!may_be_repeated(&probe(Gateway::Http, "GET"), &own), "a function has taken it");
        let rest = vec![header("x-amzn-errortype", "TooManyRequestsException"), header("x-amzn-requestid", "a")];
        let rest = Answer { status: 429, headers: rest, body: Vec::new() };
        assert!(may_be_repeated(&probe(Gateway::Rest, "POST"), &rest));
    }

    /// An address that nobody answers at, as an HTTP API says so.
    fn closed() -> Called {
        let door = Door::Endpoint { api: "Api".into(), stage: "$default".into() };
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![header("apigw-requestid", "a="), header("content-type", "application/json")];
        let answer = Answer { status: 404, headers, body: br#"{"message":"Not Found"}"#.to_vec() };
        let probe = Probe { door, must: Must::BeClosed, ..probe(Gateway::Http, "GET") };
        Called { probe, url: String::new(), sent: SystemTime::UNIX_EPOCH, answer: Ok(answer) }
    }

    fn place() -> Stage {
        ("Api".to_owned(), "$default".to_owned())
    }

    fn access_log() -> AccessLog {
        let format = r#"{"id":"$context.requestId","behind":"$context.integrationStatus"}"#;
        let destination = "arn:aws:logs:us-east-1:123456789012:log-group:a";
        let settings = json!({ "destinationArn": destination, "format": format });
        AccessLog::read(&json!({ "accessLogSettings": settings })).expect("it has both")
    }

    #[test]
    fn a_log_that_nobody_could_read_closes_no_address() {
        let stages = |log| BTreeMap::from([(place(), log)]);
        let whole = Logs { stages: stages(Ok(access_log())), ..Logs::default() };
        assert_eq!(closed().judged(&whole).outcome, Outcome::Proved);
        let unknown = Logs { stages: stages(Err("403 not for you".to_owned())), ..Logs::default() };
        let unread = BTreeMap::from([(place(), "403 not for you".to_owned())]);
        let unread = Logs { stages: stages(Ok(access_log())), unread, ..Logs::default() };
        for logs in [unknown, unread] {
            let Outcome::Untold(why) = closed().judged(&logs).outcome else { panic!("nobody has looked") };
            assert!(why.ends_with("(403 not for you)"), "{why}");
        }
        let none = closed().judged(&Logs::default()).outcome;
        assert!(matches!(none, Outcome::Untold(_)), "there is neither log nor mark: {none:?}");
    }

    #[test]
    fn who_was_interrupted_has_not_waited_for_lines() {
        let mut logs = Logs { stages: BTreeMap::from([(place(), Ok(access_log()))]), ..Logs::default() };
        logs.cut(Ended::Interrupted);
        let Outcome::Untold(why) = closed().judged(&logs).outcome else { panic!("a line may come") };
        assert!(why.ends_with("(it was interrupted)"), "{why}");
    }

    #[tokio::test]
    async fn the_end_is_told_wherever_it_comes() {
        let account = account();
        let template = json!({ "Resources": { "Api": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "ProtocolType": "HTTP" } } } });
        let matrix = Matrix::of(&template, &BTreeMap::new());
        let kind = "AWS::ApiGatewayV2::Api".to_owned();
        let resources = [Deployed { logical_id: "Api".into(), physical_id: "a1".into(), kind, status: String::new() }];
        let subject =
            Subject { account: &account, stack: "s", resources: &resources, template: &template, matrix: &matrix };
        let cancel = CancellationToken::new();
        cancel.cancel();
        let runner = Runner { subject, wire: Wire::new(), bounds: Bounds::new(&cancel, Duration::from_secs(60)) };
        let (logs, ended) = runner.logs(&[closed()]).await;
        assert_eq!(ended, Ended::Interrupted);
        assert!(matches!(closed().judged(&logs).outcome, Outcome::Untold(_)));
    }

    #[test]
    fn nothing_is_no_proof() {
        let tried = |outcome| {
            let (probe, url) = (probe(Gateway::Http, "GET"), String::new());
            Report { tried: vec![Tried { probe, url, status: None, outcome }], ..Report::default() }
        };
        let nothing = Report::default();
        assert!(!nothing.is_proof() && nothing.is_empty());
        assert!(tried(Outcome::Proved).is_proof());
        let failed = tried(Outcome::Shut("it is not deployed".to_owned()));
        assert!(!failed.is_proof() && !failed.is_empty());
        let cut = Report { ended: Ended::TimedOut, ..tried(Outcome::Proved) };
        assert!(!cut.is_proof() && !cut.is_empty());
    }
}
