//! Who may call what, read out of a template; and what a change of the template means for that. Pure.

pub mod change;
pub mod matrix;
pub mod page;
mod routing;
