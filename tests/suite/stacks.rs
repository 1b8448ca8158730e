//! The stacks of this repository, built in Rust.

#[expect(unreachable_pub, reason = "the file reads as it would in a project of its own")]
#[path = "../../stacks/protected_api.rs"]
pub(crate) mod protected_api;

#[test]
fn the_stacks_of_this_repository_are_in_order() {
    assert_eq!(protected_api::stack().check("protected-api"), []);
}
