//! Who may call what: the rules that keep doors from standing open, or shut, by mistake.
//!
//! Whatever is said here is worked out from the model alone, without an account: a stack is its routes, each a door with
//! somebody who decides about it. [`rules`] says what is wrong with a door before anybody stands before it.

pub mod catalogue;
mod doors;
pub mod rules;
mod scopes;
