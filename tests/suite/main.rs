//! The integration tests, one binary.

mod local;
mod support;
mod tidy;
mod tools;
