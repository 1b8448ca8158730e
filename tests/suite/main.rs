//! The integration tests, one binary.

mod local;
mod stacks;
mod support;
mod tidy;
mod tools;
