//! Answers with the caller's claims.
