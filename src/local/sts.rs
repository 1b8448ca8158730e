//! The Security Token Service: who is calling.

pub(crate) mod api;
