//! What the tool asks of its own cloud: under `/_stackgen/`, and as signed operations of a service of its own.

use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::json;

use crate::cloud::Cloud;
use crate::cognito::mint;
use crate::iam::AccessKey;
use crate::signature;
use crate::wire::{Caller, Fault, Request, Response, json_answer, rest_json_answer};

/// What the service of the signed operations is called in signatures.
pub(super) const SERVICE: &str = "stackgen";

/// What their names begin with in `X-Amz-Target`, such as `StackgenLocal.MintToken`.
pub(super) const TARGET: &str = "StackgenLocal";

/// Header that proves knowledge of the account's key. Being a header of our own, no web page can send it unasked.
pub(crate) const TOKEN: &str = "x-stackgen-token";

/// What [`TOKEN`] must hold.
pub(crate) fn token(key: &AccessKey) -> String {
    signature::sha256_hex(format!("stackgen {} {}", key.id, *key.secret).as_bytes())
}

/// Answers `GET health`, `GET mail` and `POST stop`.
pub(super) fn answer(cloud: &Cloud, name: &str, parts: &Parts) -> Response {
    if (&parts.method, name) == (&Method::GET, "health") {
        // The id of the key, which is no secret, tells this project's cloud from another's on the same port.
        let key = cloud.read(|account| account.iam.root.id.clone());
        return rest_json_answer(Ok(json!({ "status": "running", "version": env!("CARGO_PKG_VERSION"), "key": key })));
    }
    if !is_ours(cloud, parts) {
        let message = format!("the header {TOKEN} is missing or wrong");
        return Fault::new("AccessDenied", message).with_status(StatusCode::FORBIDDEN).into_rest_json();
    }
    match (&parts.method, name) {
        (&Method::GET, "mail") => rest_json_answer(Ok(cloud.read(|account| json!(account.mail)))),
        (&Method::POST, "stop") => {
            cloud.stopping().cancel();
            rest_json_answer(Ok(json!({ "status": "stopping" })))
        }
        _ => Fault::new("NotFound", "no such page").with_status(StatusCode::NOT_FOUND).into_rest_json(),
    }
}

/// Answers a signed operation. They are the account's own: no policy can grant them to a role.
pub(super) async fn operate(cloud: &Cloud, request: &Request) -> Response {
    if request.caller != Caller::Root {
        return Fault::new("AccessDeniedException", "only the account itself may ask for this").into_json();
    }
    match request.operation() {
        Some("MintToken") => match request.json() {
            Ok(asked) => json_answer(mint::mint(cloud, asked).await),
            Err(fault) => fault.into_json(),
        },
        operation => Fault::unknown_operation(SERVICE, operation.unwrap_or_default()).into_json(),
    }
}

fn is_ours(cloud: &Cloud, parts: &Parts) -> bool {
    let expected = cloud.read(|account| token(&account.iam.root));
    let given = parts.headers.get(TOKEN).and_then(|token| token.to_str().ok());
    given.is_some_and(|given| signature::is_equal(given, &expected))
}
