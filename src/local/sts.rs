//! The Security Token Service: who is calling.

pub(crate) mod api;

/// XML namespace of its answers.
pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
