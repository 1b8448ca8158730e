//! Answers in JSON.

use std::convert::Infallible;

use lambda_http::http::StatusCode;
use lambda_http::http::header::{CONTENT_TYPE, HeaderValue};
use lambda_http::{Body, Response};
use serde_json::{Value, json};

use crate::input::Key;

/// Why a request is not answered as it would like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The request is wrong, and this is what is wrong with it.
    #[error("{0}")]
    Request(String),
    /// There is no note of this key.
    #[error("Unable to retrieve database content. Partition or sort key not valid.")]
    Absent(String, String),
    /// There is a note of this key already.
    #[error("there is such a note already")]
    Present,
    /// The table cannot be reached; what is known of it stands in the function's log.
    #[error("the notes cannot be reached now")]
    Unreachable,
}

impl Problem {
    pub(crate) fn absent(key: &Key) -> Self {
        Self::Absent(key.user_id.clone(), key.note_id.clone())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Absent(..) => StatusCode::NOT_FOUND,
            Self::Present => StatusCode::PRECONDITION_FAILED,
            Self::Unreachable => StatusCode::BAD_GATEWAY,
        }
    }

    fn body(&self) -> Value {
        let message = self.to_string();
        match self {
            Self::Absent(user_id, note_id) => {
                json!({ "userId": user_id, "noteId": note_id, "message": message, "note": null })
            }
            _ => json!({ "message": message }),
        }
    }
}

/// The response for what came out: 200 with a body, 204 without one, or the problem.
pub(crate) fn of(outcome: Result<Option<Value>, Problem>) -> Result<Response<Body>, Infallible> {
    let (status, body) = match outcome {
        Ok(Some(body)) => (StatusCode::OK, body),
        Ok(None) => return Ok(with_status(Response::new(Body::Empty), StatusCode::NO_CONTENT)),
        Err(problem) => (problem.status(), problem.body()),
    };
    let mut response = with_status(Response::new(Body::from(body.to_string())), status);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn with_status(mut response: Response<Body>, status: StatusCode) -> Response<Body> {
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Problem, of};

    #[test]
    fn every_answer_with_a_body_is_json() {
        let outcomes = [
            (Ok(Some(json!({}))), 200),
            (Err(Problem::Request("no".into())), 400),
            (Err(Problem::Absent("u".into(), "n".into())), 404),
            (Err(Problem::Present), 412),
            (Err(Problem::Unreachable), 502),
        ];
        for (outcome, status) in outcomes {
            let Ok(response) = of(outcome);
            assert_eq!(
                (response.status().as_u16(), response.headers()["content-type"].as_bytes()),
                (status, &b"application/json"[..])
            );
            assert!(serde_json::from_slice::<serde_json::Value>(response.body()).is_ok_and(|body| body.is_object()));
        }
        let Ok(nothing) = of(Ok(None));
        assert_eq!((nothing.status().as_u16(), nothing.body().is_empty()), (204, true));
    }
}
