//! The integration tests, one binary.

mod assembly;
mod bundle;
mod cases;
mod cognito;
mod crash;
mod deploy;
mod e2e;
mod findings;
mod foreign;
mod functions;
mod hosted;
mod init;
mod lambda;
mod laws;
mod local;
mod local_process;
mod project;
mod rest;
mod screen;
mod spec;
mod stacks;
mod support;
mod synth;
mod tidy;
mod tools;
mod websocket;
