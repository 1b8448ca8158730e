//! What API Gateway asks of a Lambda authorizer and how it wants to be answered, for all of its APIs.
//!
//! | asked by | the event has | an unknown caller | a caller who may not |
//! |---|---|---|---|
//! | REST API, TOKEN or REQUEST; WebSocket API | `methodArn`, no version of a payload | the error `Unauthorized`: 401 | a policy that denies: 403 |
//! | HTTP API, payload 1.0 | `version: "1.0"`, `methodArn` | a policy that denies: 403 | the same |
//! | HTTP API, payload 2.0 | `version: "2.0"`, `routeArn` | `isAuthorized: false`, or a policy that denies: 403 | the same |
//!
//! HTTP APIs answer 401 by themselves where no identity source is presented, and know no way for a function to say it.
//! A policy always covers the whole stage: the gateway caches it, and the next call with the same token may be one of
//! another route.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html>.

mod question;
mod remembered;
mod verdict;

pub use question::{Event, Question, Settings};
pub use remembered::{Limits, Lost, Remembered};
pub use verdict::{Caller, Verdict};

use lambda_runtime::Diagnostic;

/// Why a question has no answer. Whatever it is, the door stays shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The caller is unknown. REST and WebSocket APIs make a 401 of exactly this word.
    #[error("Unauthorized")]
    Unauthorized,
    /// The function was invoked by something else than an API's authorizer.
    #[error("the event is not one of a Lambda authorizer")]
    Event,
    /// What the caller's token is compared with cannot be had: a 500.
    #[error("the caller cannot be checked now")]
    Unavailable,
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self { error_type: format!("{error:?}"), error_message: error.to_string() }
    }
}
