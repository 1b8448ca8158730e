//! Function processes, and the Lambda Runtime API that they poll.

use bytes::Bytes;

use crate::local::cloud::Cloud;
use crate::local::wire::Fault;

/// What a function answered.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The answer: the function's result, or its error as Lambda shapes it.
    pub payload: Bytes,
    /// `Unhandled` when the function failed.
    pub function_error: Option<String>,
}

/// The processes that are alive, by function.
#[derive(Debug, Default)]
pub struct Runtime {}

/// Invokes a function by name and waits for its answer.
///
/// # Errors
/// `ResourceNotFoundException` when there is no such function, `TooManyRequestsException` when its concurrency is used
/// up. A function that fails is no error: see [`Invocation::function_error`].
pub(crate) async fn invoke(_cloud: &Cloud, function: &str, _payload: Bytes) -> Result<Invocation, Fault> {
    Err(Fault::new("ResourceNotFoundException", format!("Function not found: {function}")))
}
