//! A deployment tool for secured serverless APIs on AWS that understands authorization.
//!
//! Data moves one way: stack file, [`model`], checks, [`template`], assembly, deployment. Nothing flows back.

pub mod access;
pub mod assembly;
pub mod bundle;
pub mod model;
pub mod project;
pub mod similar;
pub mod spec;
pub mod synth;

#[cfg(feature = "deploy")]
pub mod deploy;

#[cfg(feature = "local")]
pub use stackgen_local as local;
pub use stackgen_template as template;
