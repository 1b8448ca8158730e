//! stackgen
fn main() {}
