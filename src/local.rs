//! The embedded cloud: an AWS account on the loopback interface, in this process.
//!
//! It speaks the wire protocols of the services that a stack needs, provisions by interpreting the template that
//! AWS would get, and runs the deployed functions as child processes.

pub mod apigatewayv2;
pub mod cloud;
pub mod cloudformation;
pub mod cognito;
pub mod gateway;
pub mod iam;
pub mod lambda;
pub mod logs;
pub mod mail;
pub mod runtime;
pub mod s3;
pub mod ssm;
pub mod sts;
pub mod wire;
