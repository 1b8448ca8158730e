//! Who may call what, and what must be refused.

pub mod flaw;
