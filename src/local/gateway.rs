//! The data plane of API Gateway: requests to deployed APIs.

use crate::local::cloud::Cloud;
use crate::local::wire::{Fault, Request, Response};

/// What the data plane keeps in memory: throttle buckets, key sets, cached decisions.
#[derive(Debug, Default)]
pub struct Gateway {}

/// Which API and stage a request is for, taken from its host or from `/_aws/execute-api/{api}/{stage}/...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Id of the API.
    pub api: String,
    /// Path as the client meant it: stage first where the API has no `$default` stage, still percent-encoded.
    pub path: String,
}

/// Answers one request to a deployed API. The request is not signed, or not for us to verify: routes decide.
pub(crate) async fn handle(_cloud: Cloud, _destination: Destination, _request: Request) -> Response {
    Fault::new("NotFoundException", "no such API").into_json()
}
