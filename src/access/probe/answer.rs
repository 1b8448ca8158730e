//! Who gave an answer: the gateway, or what lies behind it. Only that tells whether a call has passed.
//!
//! | gateway | what tells its own refusals |
//! |---|---|
//! | REST API | `x-amzn-errortype`, which names the reason (<https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>) |
//! | HTTP API, JWT authorizer | `www-authenticate` with the form of a gateway's challenge, and the exact body |
//! | HTTP API, anything else | nothing: a function could answer the same 401, 403 or 404 to the letter |
//! | WebSocket API | 101 when the connection is open; a function can refuse it with a status of its own |
//! | function URL | `x-amzn-errortype: AccessDeniedException` |
//!
//! A function can send all of these. So where the stage has an access log, only its line decides: it names the status of the
//! integration, or that there was none. Where the line is missing, or there is neither mark nor log, the answer is
//! [`Outcome::Untold`], and proves nothing.

use std::collections::BTreeSet;

use super::origin::{ASKED_HEADERS, ASKED_METHOD, headers_to_tell, methods_to_tell};
use super::{Asked, Gateway, Must, Probe, Shared};

/// An answer as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The id of the request, by which the access log of a gateway names it; none where a second one was added.
    #[must_use]
    pub fn request_id(&self, gateway: Gateway) -> Option<&str> {
        let name = match gateway {
            Gateway::Http => "apigw-requestid",
            Gateway::Rest | Gateway::WebSocket => "x-amzn-requestid",
            Gateway::Url => return None,
        };
        let mut ids = self.headers.iter().filter(|(own, _)| own == name);
        let (_, id) = ids.next()?;
        ids.next().is_none().then_some(id.as_str())
    }
}

/// What the access log says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// The stage keeps none that would tell.
    Absent,
    /// Whether it has a line for the request cannot be told.
    Unread,
    /// It keeps one, which has no line for the request, or none yet.
    Silent,
    /// What lies behind the route was asked.
    Reached,
    /// It was not.
    NotReached,
}

/// What came of a call, held against what must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it must be.
    Proved,
    /// It passed, and must not.
    Leaked(String),
    /// It must pass, and did not.
    Shut(String),
    /// It cannot be told.
    Untold(String),
}

/// Who gave an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The guard of the route.
    Guard,
    /// A guard that is asked before the one that the call is about.
    Early,
    /// The gateway, which has no route for it.
    NoRoute,
    /// The gateway, which takes no such request from anybody.
    Senseless,
    /// What lies behind the route; or the gateway, after the guard let it pass.
    Behind,
    /// The gateway, because of its limits.
    Limit,
    /// A guard that is broken.
    Broken,
    /// Whatever stands before the gateway.
    Front,
    /// The gateway, or a function in its very words.
    Unmarked,
    /// The gateway by its marks, which the access log does not confirm.
    Unlogged,
}

/// What came of a probe.
#[must_use]
pub fn judge(probe: &Probe, answer: &Answer, log: Log) -> Outcome {
    match &probe.must {
        Must::Share(shared) => share(shared, probe, answer),
        Must::NotShare(origin) => not_share(origin, answer),
        Must::Pass => passed(by(probe, answer, log), answer),
        Must::BeRefused(_) => refused(by(probe, answer, log), answer),
        Must::ReachNothing => reached_nothing(by(probe, answer, log), answer),
        Must::BeClosed => closed(probe, answer, log),
    }
}

/// Whether the gateway says that too much was asked in too short a time, and nothing behind it was reached.
#[must_use]
pub fn is_throttled(probe: &Probe, answer: &Answer) -> bool {
    by(probe, answer, Log::Absent) == By::Limit
}

/// Whether a line of an access log could say more than an answer does by itself.
#[must_use]
pub fn needs_line(probe: &Probe, answer: &Answer) -> bool {
    match &probe.must {
        Must::Share(_) | Must::NotShare(_) => false,
        Must::BeClosed => judge(probe, answer, Log::Silent) == Outcome::Proved,
        // What the limits refuse is not always logged.
        _ if is_throttled(probe, answer) => false,
        _ => {
            let without = judge(probe, answer, Log::Silent);
            matches!(without, Outcome::Untold(_)) || without != judge(probe, answer, Log::NotReached)
        }
    }
}

fn passed(by: By, answer: &Answer) -> Outcome {
    let status = answer.status;
    match by {
        By::Behind => Outcome::Proved,
        By::Guard | By::Early => Outcome::Shut(format!("it was refused ({status}): {}", reason(answer))),
        By::NoRoute => Outcome::Shut(format!("no route takes it ({status})")),
        By::Senseless => Outcome::Shut(format!("the gateway takes no such request ({status}): {}", reason(answer))),
        By::Front => Outcome::Shut(format!("it did not come as far as the gateway ({status})")),
        By::Broken => Outcome::Shut(format!("the guard is broken ({status}): {}", reason(answer))),
        By::Limit | By::Unmarked | By::Unlogged => Outcome::Untold(untold(by, status)),
    }
}

fn refused(by: By, answer: &Answer) -> Outcome {
    let status = answer.status;
    match by {
        By::Guard => Outcome::Proved,
        By::Behind => Outcome::Leaked(format!("it passed the guard ({status})")),
        By::Early => Outcome::Untold(format!("it was refused before the API key was looked at ({status})")),
        By::NoRoute => Outcome::Untold(format!("no route takes it ({status}), so nothing was guarded")),
        By::Senseless => {
            Outcome::Untold(format!("the gateway takes no such request from anybody ({status}): {}", reason(answer)))
        }
        By::Front => Outcome::Untold(format!("it did not come as far as the gateway ({status})")),
        By::Broken => Outcome::Untold(format!("the guard is broken ({status}): {}", reason(answer))),
        By::Limit | By::Unmarked | By::Unlogged => Outcome::Untold(untold(by, status)),
    }
}

fn reached_nothing(by: By, answer: &Answer) -> Outcome {
    let status = answer.status;
    match by {
        By::Front if is_passing(answer) => {
            Outcome::Untold(format!("it did not come as far as the gateway, for now ({status})"))
        }
        By::Guard | By::Early | By::NoRoute | By::Senseless | By::Front => Outcome::Proved,
        By::Behind => Outcome::Leaked(format!("it passed without credentials ({status})")),
        By::Broken => Outcome::Untold(format!("a guard is broken ({status}): {}", reason(answer))),
        By::Limit | By::Unmarked | By::Unlogged => Outcome::Untold(untold(by, status)),
    }
}

/// An API that is not there answers as one without any route, and writes no log. An HTTP API has no mark for that: only a
/// log without a line tells it from a function that says the same.
fn closed(probe: &Probe, answer: &Answer, log: Log) -> Outcome {
    let (status, is_http) = (answer.status, probe.gateway == Gateway::Http);
    let is_own = match is_http {
        true => status == 404 && is_own(answer, probe.request.method == "HEAD"),
        false => answer.header("x-amzn-errortype") == Some("ForbiddenException"),
    };
    let is_named = answer.request_id(probe.gateway).is_some();
    match log {
        Log::Silent if is_own && is_named => Outcome::Proved,
        Log::Absent if is_own && !is_http => Outcome::Proved,
        Log::Absent if is_own => Outcome::Untold(untold(By::Unmarked, status)),
        Log::Unread | Log::Silent if is_own => {
            let why = "as where nobody answers; but the access log does not tell whether somebody did";
            Outcome::Untold(format!("{status}, {why}"))
        }
        Log::Absent | Log::Unread | Log::Silent if is_passing(answer) => Outcome::Untold(format!("{status}, for now")),
        _ => Outcome::Leaked(format!("the API answers there ({status})")),
    }
}

/// Whether an answer says nothing but that something is busy or broken.
fn is_passing(answer: &Answer) -> bool {
    matches!(answer.status, 429 | 500..)
}

fn untold(by: By, status: u16) -> String {
    match by {
        By::Limit => "the limits of the API were reached".to_owned(),
        By::Unlogged => format!(
            "{status}, which a function could answer just so, and the access log of the stage shows no line for it"
        ),
        _ => format!(
            "{status}, which a function could answer just so; an access log with `$context.requestId` and \
             `$context.integrationStatus` would tell"
        ),
    }
}

/// How much of an answer's reason is told.
const REASON: usize = 200;

/// What the answer says of its reason.
fn reason(answer: &Answer) -> String {
    let told = ["www-authenticate", "x-amzn-errortype"].into_iter().find_map(|name| answer.header(name));
    let body = String::from_utf8_lossy(&answer.body);
    plain(told.unwrap_or(&body), REASON)
}

/// A text from outside for a line on a terminal: without whatever could steer it, and no more than so many characters.
#[must_use]
pub fn plain(text: &str, most: usize) -> String {
    text.chars().filter(|c| is_plain(*c)).take(most).collect()
}

/// Whether a character only shows itself: control characters move a terminal's cursor, others the order of a line.
#[must_use]
pub fn is_plain(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns
}

fn by(probe: &Probe, answer: &Answer, log: Log) -> By {
    if log == Log::Reached {
        return By::Behind;
    }
    let by = match probe.gateway {
        Gateway::Http => http(probe, answer, log),
        Gateway::Rest => rest(probe, answer, log),
        Gateway::WebSocket => web_socket(answer, log),
        Gateway::Url => url(answer),
    };
    let is_said = matches!(by, By::Guard | By::Early | By::NoRoute | By::Unmarked);
    if is_said && matches!(log, Log::Unread | Log::Silent) { By::Unlogged } else { by }
}

fn http(probe: &Probe, answer: &Answer, log: Log) -> By {
    let status = answer.status;
    if answer.header("apigw-requestid").is_none() {
        return if status >= 400 { By::Front } else { By::Behind };
    }
    let is_sure = log == Log::NotReached;
    if is_like_preflight(probe, answer) {
        return if is_sure { By::NoRoute } else { By::Unmarked };
    }
    // Where nothing behind it was asked, a refusal is its own in any words.
    let is_refusal = is_sure && status >= 400;
    if !is_refusal && !is_own(answer, probe.request.method == "HEAD") {
        return By::Behind;
    }
    // Only JWT authorizers challenge. A call that must pass has failed, whoever says so.
    let is_challenge = is_challenged(answer) && matches!(probe.must, Must::BeRefused(Asked::Token) | Must::Pass);
    match status {
        401 | 403 if is_sure || is_challenge => By::Guard,
        404 if is_sure => By::NoRoute,
        429 => By::Limit,
        500.. if is_sure => By::Broken,
        _ if is_sure => By::Senseless,
        _ => By::Unmarked,
    }
}

/// Whether an API with a CORS configuration may have answered by itself, for which nobody has to ask as browsers do.
fn is_like_preflight(probe: &Probe, answer: &Answer) -> bool {
    probe.must != Must::Pass && probe.request.method == "OPTIONS" && answer.status == 204 && answer.body.is_empty()
}

/// Whether an HTTP API words its own answers so.
fn is_own(answer: &Answer, is_head: bool) -> bool {
    let message = match answer.status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => return false,
    };
    let body = format!("{{\"message\":\"{message}\"}}");
    // An answer to HEAD has the length of the body, and no body.
    let is_long = || answer.header("content-length").is_none_or(|length| length == body.len().to_string());
    let is_same = if is_head { answer.body.is_empty() && is_long() } else { answer.body == body.as_bytes() };
    answer.header("content-type") == Some("application/json") && is_same
}

/// Whether there is a JWT authorizer's challenge.
fn is_challenged(answer: &Answer) -> bool {
    answer.header("www-authenticate").is_some_and(|challenge| {
        challenge == "Bearer" || challenge.starts_with("Bearer error=") || challenge.starts_with("Bearer scope=")
    })
}

fn rest(probe: &Probe, answer: &Answer, log: Log) -> By {
    let asked = match probe.must {
        Must::BeRefused(asked) => Some(asked),
        _ => None,
    };
    let Some(error) = answer.header("x-amzn-errortype") else {
        let is_stray = answer.status >= 400 && answer.header("x-amzn-requestid").is_none();
        return if is_stray && log != Log::NotReached { By::Front } else { By::Behind };
    };
    // Keys are looked at after authorizers have let a caller pass.
    let guard = if asked == Some(Asked::ApiKey) { By::Early } else { By::Guard };
    // An API that words its answers anew keeps the name of the error.
    match error.split(':').next().unwrap_or(error) {
        "UnauthorizedException" | "AccessDeniedException" => guard,
        // Where a token is asked for, there is no such answer: nobody has the route.
        "MissingAuthenticationTokenException" if asked == Some(Asked::Signature) => By::Guard,
        "MissingAuthenticationTokenException" => By::NoRoute,
        "ForbiddenException" if matches!(asked, Some(Asked::Token | Asked::Decision | Asked::Signature)) => By::Behind,
        "ForbiddenException" => By::Guard,
        "TooManyRequestsException" | "LimitExceededException" => By::Limit,
        "AuthorizerConfigurationException" | "AuthorizerFailureException" => By::Broken,
        name if is_about_signature(name) => guard,
        // The rest is said of a request that the guard let pass: its parameters, its body, or what lies behind.
        _ => By::Behind,
    }
}

fn is_about_signature(error: &str) -> bool {
    ["Signature", "UnrecognizedClient", "ExpiredToken", "InvalidClientTokenId"].iter().any(|part| error.contains(part))
}

fn web_socket(answer: &Answer, log: Log) -> By {
    match (answer.status, log) {
        (101, _) => By::Behind,
        (429, _) => By::Limit,
        (401 | 403, Log::NotReached) => By::Guard,
        (400.., Log::NotReached) => By::Broken,
        (401, _) if answer.header("x-amzn-errortype") == Some("UnauthorizedException") => By::Guard,
        (400.., _) => By::Unmarked,
        _ => By::Behind,
    }
}

fn url(answer: &Answer) -> By {
    match (answer.status, answer.header("x-amzn-errortype")) {
        (403, Some(error)) if error.starts_with("AccessDenied") || is_about_signature(error) => By::Guard,
        (429, Some(_)) => By::Limit,
        _ => By::Behind,
    }
}

/// Whether browsers are told that an origin may do what the file says, and no more.
fn share(shared: &Shared, probe: &Probe, answer: &Answer) -> Outcome {
    if is_passing(answer) {
        return Outcome::Untold(busy(answer));
    }
    if answer.status == 404 && shared.of_nothing {
        let why = "which a function may say of a thing that is not there; of one that is, it is not known";
        return Outcome::Untold(format!("404, {why}"));
    }
    // Browsers take every other status for a no, whatever the headers say: <https://fetch.spec.whatwg.org/#cors-preflight-fetch>.
    if !(200..300).contains(&answer.status) {
        return Outcome::Shut(format!("browsers are refused beforehand ({})", answer.status));
    }
    match excess(shared, answer) {
        Some(why) => Outcome::Leaked(why),
        None => lack(shared, probe, answer).map_or(Outcome::Proved, Outcome::Shut),
    }
}

/// What browsers are told beyond what the file says.
fn excess(shared: &Shared, answer: &Answer) -> Option<String> {
    if answer.header("access-control-allow-origin") == Some("*") && !shared.with_everybody {
        return Some("every origin may read answers".to_owned());
    }
    if has_credentials(answer) && shared.credentials == Some(false) {
        return Some("browsers may send cookies".to_owned());
    }
    // What only the deployment knows may be anything.
    let is_allowed = |declared: &BTreeSet<String>, name: &str| {
        declared.iter().any(|own| own == "*" || own.contains("${") || own.eq_ignore_ascii_case(name))
    };
    let method = listed(answer, METHODS).into_iter().find(|method| !is_allowed(&shared.methods, method));
    if let Some(method) = method {
        return Some(format!("method {} is allowed", plain(method, REASON)));
    }
    let header = listed(answer, HEADERS).into_iter().find(|header| !is_allowed(&shared.headers, header))?;
    Some(format!("header {} may be sent", plain(header, REASON)))
}

/// What the file says and browsers are not told.
fn lack(shared: &Shared, probe: &Probe, answer: &Answer) -> Option<String> {
    match answer.header("access-control-allow-origin") {
        Some("*") if shared.with_everybody => {}
        Some(allowed) if allowed == shared.origin => {}
        Some(other) => return Some(format!("only {} may", plain(other, REASON))),
        None => return Some(format!("no origin may ({})", answer.status)),
    }
    if shared.credentials == Some(true) && !has_credentials(answer) {
        return Some("browsers may not send cookies".to_owned());
    }
    let (methods, headers) = (listed(answer, METHODS), listed(answer, HEADERS));
    let method = methods_to_tell(&shared.methods).find(|one| !is_told(one, &methods, asked(probe, ASKED_METHOD)));
    if let Some(method) = method {
        return Some(format!("method {method} is not allowed"));
    }
    let header = headers_to_tell(&shared.headers).find(|one| !is_told(one, &headers, asked(probe, ASKED_HEADERS)))?;
    Some(format!("header {header} may not be sent"))
}

const METHODS: &str = "access-control-allow-methods";
const HEADERS: &str = "access-control-allow-headers";

fn has_credentials(answer: &Answer) -> bool {
    answer.header("access-control-allow-credentials") == Some("true")
}

/// The members of a list in a header.
fn listed<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let all = answer.header(name).unwrap_or_default().split(',').map(str::trim);
    all.filter(|one| !one.is_empty()).collect()
}

/// Whether a list has a name that the file allows. For all of them stands `*`, or what was asked for.
fn is_told(name: &str, listed: &[&str], asked: &str) -> bool {
    let has = |wanted: &str| listed.iter().any(|one| one.eq_ignore_ascii_case(wanted));
    match name {
        "*" => has("*") || asked.split(',').all(has),
        "authorization" => has(name),
        _ => has(name) || has("*"),
    }
}

/// What a question asks for in a header.
fn asked<'a>(probe: &'a Probe, name: &str) -> &'a str {
    let found = probe.request.headers.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

fn not_share(origin: &str, answer: &Answer) -> Outcome {
    match answer.header("access-control-allow-origin") {
        Some("*") => Outcome::Leaked("every origin may read answers".to_owned()),
        Some(allowed) if allowed == origin => Outcome::Leaked("it may read answers".to_owned()),
        _ if is_passing(answer) => Outcome::Untold(busy(answer)),
        _ => Outcome::Proved,
    }
}

fn busy(answer: &Answer) -> String {
    format!("{}, which says nothing about origins", answer.status)
}

#[cfg(test)]
mod tests;
