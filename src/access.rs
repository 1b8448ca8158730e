//! Who may call what. Pure: whatever is said here is worked out without an account.
//!
//! [`rules`] say of a stack what is wrong with a door before anybody stands before it. [`matrix`] reads every way into a
//! stack out of its template, [`change`] says what becomes weaker from one template to the next, and [`page`] shows it.
//! [`probe`] says which calls show that a deployment is as its stack file says, with tokens that have a [`flaw`]. [`deployer`] works
//! out what whoever deploys a stack must be allowed to do.

pub mod catalogue;
pub mod change;
mod condition;
pub mod deployer;
mod doors;
pub mod flaw;
pub mod matrix;
mod openapi;
pub mod page;
pub mod probe;
mod routing;
pub mod rules;
mod scopes;
