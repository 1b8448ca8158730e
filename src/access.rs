//! Who may call what, read out of a template. Pure.

pub mod matrix;
