//! The functions of this repository: the events of other people's packages, signatures of other people's making, and
//! the programs that Lambda runs.

pub(crate) mod bootstrap;
mod events;
mod forgery;
mod token;
