//! Who may call what, read out of a template; what a change of the template means for that; and what must be refused.
//! Pure.

pub mod change;
pub mod flaw;
pub mod matrix;
pub mod page;
pub mod probe;
mod routing;
