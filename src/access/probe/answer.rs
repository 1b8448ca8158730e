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
//! Where the access log of the stage has a line for the request, it decides: it names the status of the integration, or
//! that there was none. Where there is neither mark nor line, the answer is [`Outcome::Untold`], and proves nothing.

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

    /// The id of the request, by which the access log names it.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        ["apigw-requestid", "x-amzn-requestid"].into_iter().find_map(|name| self.header(name))
    }

    /// Whether too much was asked in too short a time.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.status == 429
    }
}

/// What the access log says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// There is no line.
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
    /// The gateway, which has no route for it.
    NoRoute,
    /// What lies behind the route; or the gateway, after the guard let it pass.
    Behind,
    /// The gateway, because of its limits.
    Limit,
    /// A guard that is broken.
    Broken,
    /// Whatever stands before the gateway.
    Front,
    /// The guard, or a function in its very words.
    LikeGuard,
    /// The gateway without a route, or a function in its very words.
    LikeNoRoute,
}

/// What came of a probe.
#[must_use]
pub fn judge(probe: &Probe, answer: &Answer, log: Log) -> Outcome {
    match &probe.must {
        Must::Share(shared) => share(shared, answer),
        Must::NotShare(origin) => not_share(origin, answer),
        Must::Pass => passed(by(probe, None, answer, log), answer),
        Must::BeRefused(asked) => refused(by(probe, Some(*asked), answer, log), answer),
        Must::ReachNothing => reached_nothing(by(probe, None, answer, log), answer),
        Must::BeClosed => closed(probe.gateway, answer, log),
    }
}

fn passed(by: By, answer: &Answer) -> Outcome {
    let status = answer.status;
    match by {
        By::Behind => Outcome::Proved,
        By::Guard => Outcome::Shut(format!("it was refused ({status}): {}", reason(answer))),
        By::NoRoute => Outcome::Shut(format!("no route takes it ({status})")),
        By::Front => Outcome::Shut(format!("it did not come as far as the gateway ({status})")),
        By::LikeGuard | By::LikeNoRoute => Outcome::Untold(unmarked(status)),
        By::Limit => Outcome::Untold(LIMIT.to_owned()),
        By::Broken => Outcome::Shut(format!("the guard is broken ({status}): {}", reason(answer))),
    }
}

fn refused(by: By, answer: &Answer) -> Outcome {
    let status = answer.status;
    match by {
        By::Guard => Outcome::Proved,
        By::Behind => Outcome::Leaked(format!("it passed the guard ({status})")),
        By::NoRoute => Outcome::Untold(format!("no route takes it ({status}), so nothing was guarded")),
        By::Front => Outcome::Untold(format!("it did not come as far as the gateway ({status})")),
        By::LikeGuard | By::LikeNoRoute => Outcome::Untold(unmarked(status)),
        By::Limit => Outcome::Untold(LIMIT.to_owned()),
        By::Broken => Outcome::Untold(format!("the guard is broken ({status}): {}", reason(answer))),
    }
}

fn reached_nothing(by: By, answer: &Answer) -> Outcome {
    let status = answer.status;
    match by {
        By::Guard | By::NoRoute | By::Front => Outcome::Proved,
        By::Behind => Outcome::Leaked(format!("it passed without credentials ({status})")),
        By::LikeGuard | By::LikeNoRoute => Outcome::Untold(unmarked(status)),
        By::Limit => Outcome::Untold(LIMIT.to_owned()),
        By::Broken => Outcome::Untold(format!("a guard is broken ({status}): {}", reason(answer))),
    }
}

/// An API that is not there answers as one without any route, and writes no log.
fn closed(gateway: Gateway, answer: &Answer, log: Log) -> Outcome {
    let is_own = match gateway {
        Gateway::Http => answer.status == 404 && is_own(answer, false),
        Gateway::Rest | Gateway::WebSocket => answer.header("x-amzn-errortype") == Some("ForbiddenException"),
        Gateway::Url => false,
    };
    match is_own && log == Log::Silent {
        true => Outcome::Proved,
        false => Outcome::Leaked(format!("the API answers there ({})", answer.status)),
    }
}

const LIMIT: &str = "the limits of the API were reached";

fn unmarked(status: u16) -> String {
    format!(
        "{status}, which a function could answer just so; an access log with `$context.requestId` and \
         `$context.integrationStatus` would tell"
    )
}

/// What the answer says of its reason.
fn reason(answer: &Answer) -> String {
    let told = ["www-authenticate", "x-amzn-errortype"].into_iter().find_map(|name| answer.header(name));
    let body = || String::from_utf8_lossy(&answer.body).chars().filter(|c| !c.is_control()).take(200).collect();
    told.map_or_else(body, str::to_owned)
}

fn by(probe: &Probe, asked: Option<Asked>, answer: &Answer, log: Log) -> By {
    if log == Log::Reached {
        return By::Behind;
    }
    match probe.gateway {
        Gateway::Http => http(answer, asked, log, probe.request.method == "HEAD"),
        Gateway::Rest => rest(answer, asked, log),
        Gateway::WebSocket => web_socket(answer, log),
        Gateway::Url => url(answer),
    }
}

fn http(answer: &Answer, asked: Option<Asked>, log: Log, is_head: bool) -> By {
    let status = answer.status;
    if answer.header("apigw-requestid").is_none() {
        return if status >= 400 { By::Front } else { By::Behind };
    }
    if !is_own(answer, is_head) {
        return By::Behind;
    }
    let is_sure = log == Log::NotReached || (asked == Some(Asked::Token) && is_challenged(answer));
    match (status, is_sure) {
        (401 | 403, true) => By::Guard,
        (401 | 403, false) if is_challenged(answer) => By::Guard,
        (401 | 403, false) => By::LikeGuard,
        (404, true) => By::NoRoute,
        (404, false) => By::LikeNoRoute,
        (429, _) => By::Limit,
        (500 | 503, true) => By::Broken,
        _ => By::Behind,
    }
}

/// Whether an HTTP API words its own answers so.
fn is_own(answer: &Answer, is_head: bool) -> bool {
    let message = match answer.status {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
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

fn rest(answer: &Answer, asked: Option<Asked>, log: Log) -> By {
    let Some(error) = answer.header("x-amzn-errortype") else {
        let is_stray = answer.status >= 400 && answer.header("x-amzn-requestid").is_none();
        return if is_stray && log == Log::Silent { By::Front } else { By::Behind };
    };
    // An API that words its answers anew keeps the name of the error.
    match error.split(':').next().unwrap_or(error) {
        "UnauthorizedException" | "AccessDeniedException" => By::Guard,
        // Where a token is asked for, there is no such answer: nobody has the route.
        "MissingAuthenticationTokenException" if asked == Some(Asked::Signature) => By::Guard,
        "MissingAuthenticationTokenException" => By::NoRoute,
        // Keys are looked at after authorizers have let a caller pass.
        "ForbiddenException" if matches!(asked, Some(Asked::Token | Asked::Decision)) => By::Behind,
        "ForbiddenException" => By::Guard,
        "TooManyRequestsException" | "LimitExceededException" => By::Limit,
        "AuthorizerConfigurationException" | "AuthorizerFailureException" => By::Broken,
        name if is_about_signature(name) => By::Guard,
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
        (401 | 403, Log::NotReached) => By::Guard,
        (401, _) if answer.header("x-amzn-errortype") == Some("UnauthorizedException") => By::Guard,
        (401 | 403, _) => By::LikeGuard,
        (429, _) => By::Limit,
        (500, _) => By::Broken,
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

fn share(shared: &Shared, answer: &Answer) -> Outcome {
    let allowed = answer.header("access-control-allow-origin");
    let is_named = allowed == Some(shared.origin.as_str());
    match allowed {
        Some("*") if shared.with_everybody => {}
        Some("*") => return Outcome::Leaked("every origin may read answers".to_owned()),
        _ if is_named => {}
        Some(other) => return Outcome::Shut(format!("only {other} may")),
        None => return Outcome::Shut(format!("no origin may ({})", answer.status)),
    }
    if answer.header("access-control-allow-credentials") == Some("true") && !shared.credentials {
        return Outcome::Leaked("browsers may send cookies".to_owned());
    }
    let listed = |name: &str| answer.header(name).unwrap_or_default().split(',').map(str::trim);
    let may = |method: &str| shared.methods.iter().any(|own| own == "*" || own.eq_ignore_ascii_case(method));
    match listed("access-control-allow-methods").find(|method| !method.is_empty() && !may(method)) {
        Some(method) => Outcome::Leaked(format!("method {method} is allowed")),
        None => Outcome::Proved,
    }
}

fn not_share(origin: &str, answer: &Answer) -> Outcome {
    match answer.header("access-control-allow-origin") {
        Some("*") => Outcome::Leaked("every origin may read answers".to_owned()),
        Some(allowed) if allowed == origin => Outcome::Leaked("it may read answers".to_owned()),
        _ => Outcome::Proved,
    }
}

#[cfg(test)]
mod tests;
