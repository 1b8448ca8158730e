//! The one port: finds out whom a request is for and who signed it, and hands it on.

mod connections;
pub(super) mod own;
mod service;

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use tokio::net::TcpListener;

use crate::cloud::Cloud;
use crate::cloudformation::wait;
use crate::gateway::{self, Destination};
use crate::iam::authorize::authorize;
use crate::signature::{self, Dialect, Problem, Signature, Trust, Verified};
use crate::wire::{Caller, Fault, Request, Response, identify, spelling};
use crate::{cognito, lambda, ses};

use service::Service;

/// The longest that requests under way may hold up the end.
const GRACE: Duration = Duration::from_secs(5);

/// More than any operation but S3's takes: a function of 50 MB as base64 within JSON.
const LARGEST_BODY: usize = 72 << 20;
/// The largest object in one piece; larger ones are for multipart uploads.
const LARGEST_OBJECT: usize = 320 << 20;

/// The code of a body that is not what its head says.
const BROKEN_BODY: &str = "IncompleteBody";

/// How long a client may pause within a body.
const PAUSE: Duration = Duration::from_secs(30);

/// Serves until `shutdown` resolves or the cloud is told to stop, then waits for requests and tasks under way.
pub(super) async fn serve(listener: TcpListener, cloud: Cloud, shutdown: impl Future<Output = ()> + Send + 'static) {
    let stop = cloud.stopping().clone();
    let router = Router::new().fallback(answer).with_state(cloud.clone());
    let mut serving = std::pin::pin!(connections::serve(listener, router, stop.clone()));
    // A stop ends the serving too, and what has ended must not be awaited again.
    let ended = tokio::select! {
        () = &mut serving => true,
        () = shutdown => false,
        () = stop.cancelled() => false,
    };
    stop.cancel();
    cloud.tasks().close();
    if !ended {
        let _ = tokio::time::timeout(GRACE, serving).await;
    }
    let _ = tokio::time::timeout(GRACE, cloud.tasks().wait()).await;
}

/// Answers one request; a panic on the way is an internal failure, not a lost connection.
async fn answer(State(cloud): State<Cloud>, request: http::Request<Body>) -> Response {
    let id = uuid::Uuid::new_v4().to_string();
    let (parts, body) = request.into_parts();
    let line = format!("{} {}", parts.method, told(parts.uri.path()));
    let answering = AssertUnwindSafe(dispatch(cloud, Arrival { id: id.clone(), parts, body })).catch_unwind();
    let response = answering.await.unwrap_or_else(|_| {
        let message = "the local cloud failed on this request; its log says more";
        Fault::new("InternalFailure", message).with_status(StatusCode::INTERNAL_SERVER_ERROR).into_json()
    });
    tracing::info!(request = %line, status = response.status().as_u16());
    identify(response, &id)
}

/// The path of a request as the log tells it: where the rest of it is all that opens a door, without the rest.
fn told(path: &str) -> &str {
    let doors = [ses::VERIFY, wait::PATH];
    doors.into_iter().find(|door| path.starts_with(door)).unwrap_or(path)
}

/// A request before it is known whom it is for.
struct Arrival {
    id: String,
    parts: Parts,
    body: Body,
}

async fn dispatch(cloud: Cloud, mut arrival: Arrival) -> Response {
    // Who looks at the one and who looks at the other would not agree where the request leads: RFC 9112, section 3.2.
    if arrival.parts.headers.get_all(HOST).iter().nth(1).is_some() {
        return Fault::new("BadRequest", "a request names one host").into_rest_json();
    }
    let Some(host) = local_host(&mut arrival.parts) else {
        let message = "the local cloud answers for localhost, 127.0.0.1 and names under .localhost only";
        return Fault::new("InvalidHost", message).with_status(StatusCode::FORBIDDEN).into_rest_json();
    };
    let path = arrival.parts.uri.path();
    if let Some(name) = path.strip_prefix("/_stackgen/") {
        return own::answer(&cloud, name, &arrival.parts);
    }
    if let Some(token) = path.strip_prefix(ses::VERIFY) {
        return ses::verify(&cloud, token);
    }
    if let Some(handle) =
        path.strip_prefix(wait::PATH).map(str::to_owned).filter(|_| arrival.parts.method == Method::PUT)
    {
        return match anonymous(arrival).await {
            Ok(request) => wait::signal(&cloud, &handle, &request.body),
            Err(fault) => fault.into_rest_json(),
        };
    }
    if let Some(destination) = destination(&host, path) {
        let destination = cloud.read(|account| destination.settled(account));
        let upgrade = arrival.parts.extensions.remove();
        return match calling(&cloud, &destination, arrival).await {
            Ok(request) => gateway::handle(cloud, destination, request, upgrade).await,
            Err(fault) => in_words_of_an_api(fault).into_rest_json(),
        };
    }
    if let Some(destination) = function_url(&host, path) {
        return match calling(&cloud, &destination, arrival).await {
            Ok(request) => gateway::handle_function_url(cloud, destination, request).await,
            Err(fault) => in_words_of_an_api(fault).into_rest_json(),
        };
    }
    if let Some(place) = cognito::hosted::place(&host, path) {
        return match anonymous(arrival).await {
            Ok(request) => cognito::hosted::handle(&cloud, place, request).await,
            Err(fault) => fault.into_rest_json(),
        };
    }
    if let Some((pool, document)) = pool_document(&arrival.parts.method, path) {
        return cognito::well_known(&cloud, pool, document).await;
    }
    dispatch_to_service(cloud, &host, arrival).await
}

async fn dispatch_to_service(cloud: Cloud, host: &str, arrival: Arrival) -> Response {
    let signature = Signature::of(&arrival.parts).map(|found| found.or_else(|| Signature::of_url(&arrival.parts)));
    let service = match &signature {
        Ok(Some(signature)) => Service::named(&signature.service).ok_or_else(|| Some(signature.service.clone())),
        _ => Service::guessed(&arrival.parts, host).ok_or(None),
    };
    let service = match service {
        Ok(service) => service,
        Err(Some(name)) => return service::not_offered(&name, &arrival.parts, &arrival.id),
        Err(None) => return Problem::Missing.fault(Dialect::RestJson).into_rest_json(),
    };
    let (id, path) = (arrival.id.clone(), arrival.parts.uri.path().to_owned());
    let request = match signature {
        Ok(Some(signature)) => authenticated(&cloud, service, &signature, arrival).await,
        Ok(None) if service.is_open(&arrival.parts) => anonymous(arrival).await,
        Ok(None) => Err(Problem::Missing.fault(service.dialect())),
        Err(problem) => Err(problem.fault(service.dialect())),
    };
    let request = request.and_then(|request| authorized(&cloud, service, request));
    match request {
        Ok(request) => service.handle(cloud, request).await,
        Err(fault) => service.refuse(fault, &id, &path),
    }
}

/// The request, when its caller may make it.
fn authorized(cloud: &Cloud, service: Service, request: Request) -> Result<Request, Fault> {
    let now = cloud.now();
    cloud.read(|account| authorize(account, service.name(), service.dialect(), &request, now))?;
    Ok(request)
}

/// The host of a request, when it is this machine.
fn local_host(parts: &mut Parts) -> Option<String> {
    // A request may have the host in its target only; signatures cover the header.
    if let (None, Some(authority)) = (parts.headers.get(HOST), parts.uri.authority()) {
        parts.headers.insert(HOST, HeaderValue::from_str(authority.as_str()).ok()?);
    }
    local_name(parts.headers.get(HOST)?)
}

/// The name that a `Host` header holds, when it is this machine's and no other site can claim it: a page that rebinds its
/// own name to 127.0.0.1 still sends that name.
pub(super) fn local_name(host: &HeaderValue) -> Option<String> {
    let authority: http::uri::Authority = host.to_str().ok()?.parse().ok()?;
    let name = authority.host().to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let is_local = name == "localhost" || name.ends_with(".localhost") || address.is_ok_and(|ip| ip.is_loopback());
    is_local.then_some(name)
}

/// The API that a request is for: `{api}.execute-api.localhost`, or `/_aws/execute-api/{api}/{stage}/...`.
fn destination(host: &str, path: &str) -> Option<Destination> {
    if let Some(api) = host.strip_suffix(".execute-api.localhost") {
        return Some(Destination::new(api, path));
    }
    let (api, rest) = addressed("/_aws/execute-api/", path)?;
    let path = rest.strip_prefix("/$default").or_else(|| rest.strip_prefix("/%24default"));
    let path = path.filter(|path| path.is_empty() || path.starts_with('/')).unwrap_or(rest);
    Some(Destination::new(api, path))
}

/// The function URL that a request is for: `{id}.lambda-url.localhost`, or `/_aws/lambda-url/{id}/...`.
fn function_url(host: &str, path: &str) -> Option<Destination> {
    if let Some(id) = host.strip_suffix(".lambda-url.localhost") {
        return Some(Destination::new(id, path));
    }
    let (id, path) = addressed(lambda::url::PATH, path)?;
    Some(Destination::new(id, path))
}

/// The id that follows in a path, and what follows the id.
fn addressed<'a>(before: &str, path: &'a str) -> Option<(&'a str, &'a str)> {
    let rest = path.strip_prefix(before)?;
    Some(rest.split_at(rest.find('/').unwrap_or(rest.len())))
}

/// The pool and the name of a document that everybody may read, `/us-east-1_AbCdEfGhI/.well-known/NAME`. No bucket has an
/// underscore, and nothing else below such a path is for callers without credentials.
fn pool_document<'a>(method: &Method, path: &'a str) -> Option<(&'a str, &'a str)> {
    let (pool, document) = path.strip_prefix('/')?.split_once("/.well-known/")?;
    let is_pool = pool.contains('_') && !pool.contains('/');
    (is_pool && matches!(*method, Method::GET | Method::HEAD)).then_some((pool, document))
}

/// A call of an API. Functions behind REST APIs see how the names of its headers are spelled.
async fn calling(cloud: &Cloud, destination: &Destination, arrival: Arrival) -> Result<Request, Fault> {
    let spelling = match cloud.read(|account| account.apigateway.serves(destination)) {
        true => spelling::of_request(&arrival.parts).await,
        false => BTreeMap::new(),
    };
    // The API refuses what is too large in words of its own, so it is told of no more than that there is too much.
    let (body, _) = read(arrival.body, gateway::LARGEST_BODY.saturating_add(1), PAUSE).await?;
    Ok(Request { spelling, ..request(arrival.id, arrival.parts, body, Caller::Anonymous) })
}

/// What was wrong with the body of a call, as an API tells it.
fn in_words_of_an_api(fault: Fault) -> Fault {
    match fault.code.as_str() {
        BROKEN_BODY => Fault { message: "Bad Request".to_owned(), ..fault },
        _ => fault,
    }
}

async fn anonymous(arrival: Arrival) -> Result<Request, Fault> {
    let body = collect(arrival.body, LARGEST_BODY).await?;
    Ok(request(arrival.id, arrival.parts, body, Caller::Anonymous))
}

async fn authenticated(
    cloud: &Cloud,
    service: Service,
    signature: &Signature,
    arrival: Arrival,
) -> Result<Request, Fault> {
    if service == Service::S3 {
        return authenticated_object(cloud, signature, arrival).await;
    }
    let Arrival { id, parts, body } = arrival;
    let body = collect(body, LARGEST_BODY).await?;
    let verified = verify(cloud, signature, &parts, &signature::sha256_hex(&body));
    let Verified { caller, .. } = verified.map_err(|problem| problem.fault(service.dialect()))?;
    Ok(request(id, parts, body, caller))
}

/// S3 states the hash of the body in a header: the signature is verified before a byte of the body is read.
async fn authenticated_object(cloud: &Cloud, signature: &Signature, arrival: Arrival) -> Result<Request, Fault> {
    let Arrival { id, mut parts, body } = arrival;
    let stated = stated_hash(signature, &parts)?;
    let fault = |problem: Problem| problem.fault(Dialect::S3);
    let Verified { caller, chain } = verify(cloud, signature, &parts, &stated).map_err(fault)?;
    let body = collect(body, LARGEST_OBJECT).await?;
    let body = if stated.starts_with("STREAMING-") {
        let (body, trailer) = signature::decode_chunks(body, &stated, chain).map_err(fault)?;
        parts.headers.extend(trailer);
        body
    } else if stated == UNSIGNED || signature::is_equal(&stated, &signature::sha256_hex(&body)) {
        body
    } else {
        return Err(fault(Problem::Body));
    };
    Ok(request(id, parts, body, caller))
}

/// What stands for the hash of a body that is not signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

fn stated_hash(signature: &Signature, parts: &Parts) -> Result<String, Fault> {
    match parts.headers.get("x-amz-content-sha256") {
        Some(hash) => Ok(hash.to_str().unwrap_or_default().to_owned()),
        None if signature.is_presigned() => Ok(UNSIGNED.to_owned()),
        None => Err(Fault::new("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")),
    }
}

fn verify(cloud: &Cloud, signature: &Signature, parts: &Parts, body_hash: &str) -> Result<Verified, Problem> {
    let now = cloud.now();
    cloud.read(|account| {
        let trust = Trust { iam: &account.iam, region: &account.region, now };
        signature.verify(parts, body_hash, &trust)
    })
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, Fault> {
    match read(body, limit, PAUSE).await? {
        (body, Whole::Yes) => Ok(body),
        (_, Whole::No) => {
            let message = format!("Your proposed upload exceeds the maximum allowed size of {limit} bytes");
            Err(Fault::new("EntityTooLarge", message).with_status(StatusCode::PAYLOAD_TOO_LARGE))
        }
    }
}

/// Whether what was read is all of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

/// Reads a body, but no more than so many bytes, and waits no longer for the next of them.
async fn read(mut body: Body, most: usize, pause: Duration) -> Result<(Bytes, Whole), Fault> {
    let mut read = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(pause, body.frame()).await.map_err(|_| {
            let message = "the client took too long to send the body";
            Fault::new("RequestTimeout", message).with_status(StatusCode::REQUEST_TIMEOUT)
        })?;
        let Some(frame) = frame else { return Ok((read.freeze(), Whole::Yes)) };
        let frame = frame.map_err(|_| Fault::new(BROKEN_BODY, "the body ended early"))?;
        let Ok(bytes) = frame.into_data() else { continue };
        let room = most.saturating_sub(read.len());
        if bytes.len() > room {
            read.extend_from_slice(bytes.get(..room).unwrap_or_default());
            return Ok((read.freeze(), Whole::No));
        }
        read.extend_from_slice(&bytes);
    }
}

fn request(id: String, parts: Parts, body: Bytes, caller: Caller) -> Request {
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let spelling = BTreeMap::new();
    Request { id, method: parts.method, path, query, headers: parts.headers, spelling, body, caller }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_is_a_secret_stays_out_of_the_log() {
        for (door, secret) in [(ses::VERIFY, "token"), (wait::PATH, "handle")] {
            assert_eq!(told(&format!("{door}{secret}")), door);
        }
        assert_eq!(told("/2015-03-31/functions"), "/2015-03-31/functions");
    }

    fn parts(host: &str) -> Parts {
        http::Request::get("/").header("host", host).body(()).expect("it is a request").into_parts().0
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:4599", "127.9.9.9", "[::1]:1", "a.execute-api.localhost:1"]
        {
            assert!(local_host(&mut parts(host)).is_some(), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "10.0.0.1",
            "a@localhost.evil",
            "[",
            "0.0.0.0",
        ] {
            assert!(local_host(&mut parts(host)).is_none(), "{host}");
        }
    }

    #[test]
    fn both_forms_of_an_api_url_are_read() {
        let path_of = |host: &str, path: &str| destination(host, path).map(|found| (found.api, found.path));
        let found = |api: &str, path: &str| Some((api.to_owned(), path.to_owned()));
        assert_eq!(path_of("abc.execute-api.localhost", "/dev/x%2Fy"), found("abc", "/dev/x%2Fy"));
        assert_eq!(path_of("localhost", "/_aws/execute-api/abc/dev/x"), found("abc", "/dev/x"));
        assert_eq!(path_of("localhost", "/_aws/execute-api/abc/$default/x"), found("abc", "/x"));
        assert_eq!(path_of("localhost", "/_aws/execute-api/abc/%24default"), found("abc", "/"));
        assert_eq!(path_of("localhost", "/_aws/execute-api/abc/$defaultx"), found("abc", "/$defaultx"));
        assert_eq!(path_of("localhost", "/_aws/execute-api/abc"), found("abc", "/"));
        assert_eq!(path_of("localhost", "/x"), None);
    }

    #[test]
    fn both_forms_of_a_function_url_are_read() {
        let found = |id: &str, path: &str| Some(Destination::new(id, path));
        assert_eq!(function_url("abc.lambda-url.localhost", "/$default/x"), found("abc", "/$default/x"));
        assert_eq!(function_url("localhost", "/_aws/lambda-url/abc/$default/x"), found("abc", "/$default/x"));
        assert_eq!(function_url("localhost", "/_aws/lambda-url/abc"), found("abc", "/"));
        assert_eq!(function_url("localhost", "/x"), None);
    }

    #[test]
    fn only_the_documents_of_a_pool_are_for_everybody() {
        let path = "/us-east-1_AbC/.well-known/jwks.json";
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(pool_document(&method, path), Some(("us-east-1_AbC", "jwks.json")), "{method}");
        }
        for method in [Method::POST, Method::PUT, Method::OPTIONS] {
            assert_eq!(pool_document(&method, path), None, "{method}");
        }
        for path in ["/", "/us-east-1_AbC", "/us-east-1_AbC/x", "/bucket/.well-known/x", "/b/a_b/.well-known/x"] {
            assert_eq!(pool_document(&Method::GET, path), None, "{path}");
        }
    }

    #[tokio::test]
    async fn no_more_of_a_body_is_read_than_asked_for() {
        let body = |chunks: &'static [&'static str]| {
            let chunks = chunks.iter().map(|chunk| Ok::<_, std::io::Error>(Bytes::from_static(chunk.as_bytes())));
            Body::from_stream(futures_util::stream::iter(chunks))
        };
        for (chunks, most, expected, whole) in [
            (&["ab", "cd"][..], 4, "abcd", Whole::Yes),
            (&["ab", "cd"][..], 3, "abc", Whole::No),
            (&["abcd"][..], 0, "", Whole::No),
            (&[][..], 0, "", Whole::Yes),
        ] {
            let read = read(body(chunks), most, PAUSE).await.expect("it can be read");
            assert_eq!(read, (Bytes::from(expected), whole), "{chunks:?} {most}");
        }
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let read = read(body, 10, Duration::from_millis(10)).await;
        assert_eq!(read.expect_err("nothing comes").code, "RequestTimeout");
    }
}
