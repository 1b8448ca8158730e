//! What Cognito says when it refuses, word for word.

use http::StatusCode;

use crate::wire::Fault;

/// `NotAuthorizedException`, the refusal for nearly every reason.
pub(crate) fn not_authorized(message: impl Into<String>) -> Fault {
    Fault::new("NotAuthorizedException", message)
}

/// `InvalidParameterException`: the request itself is wrong.
pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

/// `ResourceNotFoundException`: no such pool, client, group.
pub(crate) fn missing(message: impl Into<String>) -> Fault {
    Fault::new("ResourceNotFoundException", message)
}

/// The password is wrong, or we do not say what is.
pub(crate) fn incorrect() -> Fault {
    not_authorized("Incorrect username or password.")
}

/// There is no such user, and it is no secret.
pub(crate) fn no_user() -> Fault {
    Fault::new("UserNotFoundException", "User does not exist.")
}

/// There is no such pool.
pub(crate) fn no_pool(id: &str) -> Fault {
    missing(format!("User pool {id} does not exist."))
}

/// There is no such client.
pub(crate) fn no_client(id: &str) -> Fault {
    missing(format!("User pool client {id} does not exist."))
}

/// There is no such group.
pub(crate) fn no_group() -> Fault {
    missing("Group not found.")
}

/// The user is switched off.
pub(crate) fn disabled() -> Fault {
    not_authorized("User is disabled.")
}

/// The code is wrong.
pub(crate) fn wrong_code() -> Fault {
    Fault::new("CodeMismatchException", "Invalid verification code provided, please try again.")
}

/// The code is too old, was used, or was never sent.
pub(crate) fn stale_code() -> Fault {
    Fault::new("ExpiredCodeException", "Invalid code provided, please request a code again.")
}

/// Too many wrong codes.
pub(crate) fn too_many_attempts() -> Fault {
    Fault::new("LimitExceededException", "Attempt limit exceeded, please try after some time.")
}

/// The challenge was never made, was made for someone else, or was tampered with.
pub(crate) fn no_session() -> Fault {
    not_authorized("Invalid session for the user.")
}

/// Something failed that is nobody's mistake.
pub(crate) fn internal() -> Fault {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Fault { status, code: "InternalErrorException".to_owned(), message: "Something went wrong.".to_owned() }
}
