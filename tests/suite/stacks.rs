//! The stacks of this repository, built in Rust.

use stackgen::access::rules;
use stackgen::model::Stack;

#[expect(unreachable_pub, reason = "the file reads as it would in a project of its own")]
#[path = "../../stacks/chat.rs"]
pub(crate) mod chat;
#[expect(unreachable_pub, reason = "the file reads as it would in a project of its own")]
#[path = "../../stacks/contact.rs"]
pub(crate) mod contact;
#[expect(unreachable_pub, reason = "the file reads as it would in a project of its own")]
#[path = "../../stacks/federated.rs"]
pub(crate) mod federated;
#[path = "../../stacks/findings.rs"]
mod findings;
#[expect(unreachable_pub, reason = "the file reads as it would in a project of its own")]
#[path = "../../stacks/members.rs"]
pub(crate) mod members;
#[expect(unreachable_pub, reason = "the file reads as it would in a project of its own")]
#[path = "../../stacks/notes.rs"]
pub(crate) mod notes;
#[expect(unreachable_pub, reason = "the file reads as it would in a project of its own")]
#[path = "../../stacks/protected_api.rs"]
pub(crate) mod protected_api;

/// The name of a stack's file, and what it holds.
type Named = (&'static str, fn() -> Stack);

/// Every one of them.
pub(crate) const ALL: [Named; 6] = [
    ("chat", chat::stack),
    ("contact", contact::stack),
    ("federated", federated::stack),
    ("members", members::stack),
    ("notes", notes::stack),
    ("protected-api", protected_api::stack),
];

#[test]
fn the_stacks_of_this_repository_are_in_order() {
    for (name, stack) in ALL {
        assert_eq!(stack().check(name), [], "{name}");
        assert_eq!(rules::find(&stack()), [], "{name}");
    }
}
