//! From the way to a field of the model to its place in the file.

use std::collections::BTreeSet;
use std::ops::Range;

use super::report::Mark;
use super::tree::{Content, Entry, Node};

/// The places of a file, but for the values that were set aside: to the model they are not there.
pub(super) struct Places<'t> {
    root: &'t Node,
    set_aside: &'t BTreeSet<u32>,
}

impl<'t> Places<'t> {
    pub(super) fn new(root: &'t Node, set_aside: &'t BTreeSet<u32>) -> Self {
        Self { root, set_aside }
    }

    /// Where the way leads, or its last step that is there.
    ///
    /// A value that goes over several lines is shown by its key.
    pub(super) fn find<'a>(&self, path: impl IntoIterator<Item = &'a str>, mark: Mark) -> Range<usize> {
        let mut found = Step { node: self.root, key: None };
        for step in path {
            match found.down(step, self.set_aside) {
                Some(next) => found = next,
                None => return found.place(Mark::Key),
            }
        }
        found.place(mark)
    }

    /// The ids of all declarations in which something was set aside.
    pub(super) fn ids(&self) -> impl Iterator<Item = &'t str> {
        let set_aside = self.set_aside;
        let inside = |node: &Node| touched(node, set_aside);
        let sections = entries(self.root).filter(move |_| !set_aside.is_empty());
        let ids = sections.flat_map(|section| entries(&section.value).map(move |entry| (section, entry)));
        let lost = ids.filter(move |(section, entry)| set_aside.contains(&section.value.id) || inside(&entry.value));
        lost.map(|(_, entry)| entry.key.as_str())
    }

    /// Whether something on the way, or below its end, was set aside.
    pub(super) fn touches(&self, path: &[String]) -> bool {
        if self.set_aside.is_empty() {
            return false;
        }
        let mut found = Step { node: self.root, key: None };
        for step in path {
            let Some(next) = found.down(step, self.set_aside) else { break };
            found = next;
        }
        !path.is_empty() && found.key.is_some() && touched(found.node, self.set_aside)
    }
}

fn touched(node: &Node, set_aside: &BTreeSet<u32>) -> bool {
    set_aside.contains(&node.id) || node.children().any(|child| touched(child, set_aside))
}

fn entries(node: &Node) -> impl Iterator<Item = &Entry> {
    let entries: &[Entry] = match &node.content {
        Content::Map(entries) => entries,
        _ => &[],
    };
    entries.iter()
}

#[derive(Clone, Copy)]
struct Step<'t> {
    node: &'t Node,
    key: Option<&'t Entry>,
}

impl<'t> Step<'t> {
    fn down(self, step: &str, set_aside: &BTreeSet<u32>) -> Option<Self> {
        match &self.node.content {
            Content::Scalar { .. } => None,
            Content::List(items) => {
                let mut read = items.iter().filter(|item| !set_aside.contains(&item.id));
                read.nth(step.parse().ok()?).map(|node| Self { node, key: self.key })
            }
            Content::Map(entries) => {
                let exact = entries.iter().find(|entry| entry.key == step);
                // Checks name a field as Rust does: `user_pools`, `allowed_oauth_flows`.
                let field = || entries.iter().find(|entry| folded(&entry.key) == folded(step));
                if let Some(entry) = exact.or_else(field) {
                    return Some(Self { node: &entry.value, key: Some(entry) });
                }
                // The one key that says which kind a value is, as in `{ jwt: { ... } }`, counts as its first field.
                let [kind] = entries.as_slice() else { return None };
                (step == "0").then_some(Self { node: &kind.value, key: Some(kind) })
            }
        }
    }

    fn place(self, mark: Mark) -> Range<usize> {
        if let (Mark::Value, Some(argument)) = (mark, self.argument()) {
            return argument.place.clone();
        }
        match self.key {
            Some(entry) if mark == Mark::Key || entry.value.is_null() || self.is_long() => entry.key_place.clone(),
            None if matches!(self.node.content, Content::Map(_)) => 0..0,
            _ => self.node.place.clone(),
        }
    }

    /// `Users` of `{ ref: Users }`.
    fn argument(self) -> Option<&'t Node> {
        let Content::Map(entries) = &self.node.content else { return None };
        let [Entry { value, .. }] = entries.as_slice() else { return None };
        (matches!(value.content, Content::Scalar { .. }) && !value.is_null() && !value.is_long).then_some(value)
    }

    /// A map, and whatever goes over several lines, is shown by its key: what is underlined is short.
    fn is_long(self) -> bool {
        let own = self.key.is_some_and(|entry| std::ptr::eq(&entry.value, self.node));
        self.node.is_long || (own && matches!(self.node.content, Content::Map(_)))
    }
}

fn folded(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
