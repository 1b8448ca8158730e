//! The Lambda Runtime API as one process sees it. Each process has a listener of its own, so that it can take and
//! answer no invocations but its own.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::error;
use super::sandbox::{Outcome, Sandbox, Work};
use crate::server::local_name;

/// Most bytes of a function's answer.
pub(super) const LARGEST_ANSWER: usize = 6_291_556;

/// What is read of an answer that is too large, so that its sender comes to read our refusal.
const LARGEST_READ: usize = 10 * LARGEST_ANSWER;

type Answer = Response<Full<Bytes>>;

/// Serves a process until this future is dropped.
pub(super) async fn serve(listener: TcpListener, sandbox: &Arc<Sandbox>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(stream, Arc::clone(sandbox)))),
                // Out of file descriptors, for example: others may be closed meanwhile.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, sandbox: Arc<Sandbox>) {
    // Without it, answers wait for acknowledgements; that it cannot be set is no reason to stop.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let sandbox = Arc::clone(&sandbox);
        async move { Ok::<_, Infallible>(answer(&sandbox, request).await) }
    });
    // A connection that breaks is the process's own affair.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(sandbox: &Sandbox, request: Request<Incoming>) -> Answer {
    if !is_from_a_program(request.headers()) {
        return refusal(StatusCode::FORBIDDEN, "Forbidden", "this is for the function's own process");
    }
    let path = request.uri().path().to_owned();
    let Some(rest) = path.strip_prefix("/2018-06-01/runtime/") else { return unknown() };
    match (request.method().clone(), rest.split('/').collect::<Vec<_>>().as_slice()) {
        (Method::GET, ["invocation", "next"]) => next(sandbox).await,
        (Method::POST, ["invocation", id, "response"]) => response(sandbox, id, request).await,
        (Method::POST, ["invocation", id, "error"]) => failure(sandbox, id, request).await,
        (Method::POST, ["init", "error"]) => failed_start(sandbox, request).await,
        _ => unknown(),
    }
}

/// Web pages can reach loopback ports too, but not without saying that they are one.
fn is_from_a_program(headers: &HeaderMap) -> bool {
    !headers.contains_key(ORIGIN)
        && !headers.contains_key("sec-fetch-site")
        && headers.get(HOST).and_then(local_name).is_some()
}

async fn next(sandbox: &Sandbox) -> Answer {
    let poll = sandbox.desk().poll();
    let Some(poll) = poll else {
        let message =
            "State transition from Running to Ready failed for runtime. Error: State transition is not allowed";
        return refusal(StatusCode::FORBIDDEN, "InvalidStateTransition", message);
    };
    match poll.await {
        Ok(work) => event(work),
        Err(_) => refusal(StatusCode::GONE, "Gone", "another poll has taken the place of this one"),
    }
}

fn event(work: Work) -> Answer {
    let mut answer = Response::new(Full::new(work.payload));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut set = |name: &'static str, value: &str| {
        // What no header can hold is left out: only a caller's own trace or context can be such.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("lambda-runtime-aws-request-id", &work.id);
    set("lambda-runtime-deadline-ms", &work.deadline.to_string());
    set("lambda-runtime-invoked-function-arn", &work.arn);
    set("lambda-runtime-trace-id", &work.trace);
    if let Some(context) = &work.client_context {
        set("lambda-runtime-client-context", context);
    }
    answer
}

async fn response(sandbox: &Sandbox, id: &str, request: Request<Incoming>) -> Answer {
    if !sandbox.desk().runs(id) {
        return invalid_id();
    }
    let Some(body) = read(request).await else { return broken_body() };
    let Some(payload) = body.payload else {
        let message = format!("Response payload size exceeded maximum allowed payload size ({LARGEST_ANSWER} bytes).");
        let kind = "Function.ResponseSizeTooLarge";
        let outcome = Outcome::Failed { kind: Some(kind.to_owned()), payload: error(kind, &message) };
        sandbox.desk().answer(id, outcome);
        return refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("Exceeded maximum allowed payload size ({LARGEST_ANSWER} bytes)."),
        );
    };
    // A streamed answer that fails half-way says so in its trailers.
    let outcome = match body.error_kind {
        Some(kind) => Outcome::Failed { kind: Some(kind), payload },
        None => Outcome::Answered(payload),
    };
    accepted(sandbox.desk().answer(id, outcome))
}

async fn failure(sandbox: &Sandbox, id: &str, request: Request<Incoming>) -> Answer {
    if !sandbox.desk().runs(id) {
        return invalid_id();
    }
    let Some(body) = read(request).await else { return broken_body() };
    let outcome = Outcome::Failed { kind: body.error_kind, payload: body.payload.unwrap_or_default() };
    accepted(sandbox.desk().answer(id, outcome))
}

async fn failed_start(sandbox: &Sandbox, request: Request<Incoming>) -> Answer {
    let Some(body) = read(request).await else { return broken_body() };
    if sandbox.desk().fail_start(body.error_kind, body.payload.unwrap_or_default()) {
        return accepted(true);
    }
    let message = "State transition from Ready to InitError failed for runtime. Error: State transition is not allowed";
    refusal(StatusCode::FORBIDDEN, "InvalidStateTransition", message)
}

/// What a process sent.
struct Sent {
    /// The bytes, unless there are too many.
    payload: Option<Bytes>,
    /// What kind of error it says that this is.
    error_kind: Option<String>,
}

/// Reads a body to its end; `None` when it breaks off.
async fn read(request: Request<Incoming>) -> Option<Sent> {
    const ERROR_KIND: &str = "lambda-runtime-function-error-type";
    let text = |headers: &HeaderMap| headers.get(ERROR_KIND)?.to_str().ok().map(str::to_owned);
    let mut error_kind = text(request.headers());
    let mut body = request.into_body();
    let (mut payload, mut seen) = (BytesMut::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.ok()?;
        if let Some(bytes) = frame.data_ref() {
            seen = seen.saturating_add(bytes.len());
            if seen <= LARGEST_ANSWER {
                payload.extend_from_slice(bytes);
            } else if seen > LARGEST_READ {
                break;
            }
        } else if let Some(trailers) = frame.trailers_ref() {
            error_kind = error_kind.or_else(|| text(trailers));
        }
    }
    Some(Sent { payload: (seen <= LARGEST_ANSWER).then(|| payload.freeze()), error_kind })
}

fn accepted(taken: bool) -> Answer {
    if taken { json(StatusCode::ACCEPTED, &json!({ "status": "OK" })) } else { invalid_id() }
}

fn invalid_id() -> Answer {
    refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
}

fn broken_body() -> Answer {
    refusal(StatusCode::BAD_REQUEST, "BadRequest", "the body broke off")
}

fn unknown() -> Answer {
    refusal(StatusCode::NOT_FOUND, "NotFound", "the Runtime API has no such operation")
}

fn refusal(status: StatusCode, kind: &str, message: &str) -> Answer {
    json(status, &json!({ "errorMessage": message, "errorType": kind }))
}

fn json(status: StatusCode, body: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(sent: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        sent.iter().map(pair).collect()
    }

    #[test]
    fn a_page_that_claims_to_be_this_machine_is_no_program() {
        for host in ["127.0.0.1:9001", "localhost:9001", "127.0.0.1"] {
            assert!(is_from_a_program(&headers(&[("host", host)])), "{host}");
            for (name, value) in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
                assert!(!is_from_a_program(&headers(&[("host", host), (name, value)])), "{name}");
            }
        }
        for host in
            ["127.0.0.1.evil.example:9001", "localhost.evil.example", "localhostile.example", "evil.example", ""]
        {
            assert!(!is_from_a_program(&headers(&[("host", host)])), "{host}");
        }
        assert!(!is_from_a_program(&HeaderMap::new()));
    }
}
