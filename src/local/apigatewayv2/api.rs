//! The wire face of API Gateway v2, REST-JSON.

use crate::local::cloud::Cloud;
use crate::local::wire::{Fault, Request, Response};

/// Answers one request.
pub(crate) async fn handle(_cloud: Cloud, _request: Request) -> Response {
    Fault::new("UnknownOperationException", "this operation is not offered").into_json()
}
