//! From the way to a field of the model to its place in the file.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::model::Complaint;

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
        match self.walk(path) {
            (end, true) => end.place(mark),
            (last, false) => last.place(Mark::Key),
        }
    }

    /// The last step of a way that is there, and whether that is its end.
    fn walk<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> (Step<'t>, bool) {
        let mut found = Step { node: self.root, key: None };
        let mut is_of_outputs = false;
        for (depth, step) in path.into_iter().enumerate() {
            is_of_outputs |= depth == 0 && step == "outputs";
            match found.down(step, self.set_aside) {
                Some(next) => found = next,
                // The short form of an output is its value alone.
                None if is_of_outputs && depth == 2 && step == "value" => {}
                None => return (found, false),
            }
        }
        (found, true)
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

    /// Whether a complaint may be there only because something was set aside.
    pub(super) fn follows(&self, complaint: &Complaint) -> bool {
        if self.set_aside.is_empty() || complaint.path.is_empty() {
            return false;
        }
        let (end, is_whole) = self.walk(complaint.path.iter().map(String::as_str));
        if end.key.is_none() {
            return false;
        }
        // A name is wrong by itself, whatever is below it.
        let below = if complaint.is_of_name { self.set_aside.contains(&end.node.id) } else { self.touched(end.node) };
        below || (is_whole && self.names_what_is_lost(complaint, end.node))
    }

    /// Whether a value is the name of something in the same declaration that was set aside, such as an authorizer.
    fn names_what_is_lost(&self, complaint: &Complaint, value: &Node) -> bool {
        let Content::Scalar { text, .. } = &value.content else { return false };
        let (declaration, _) = self.walk(complaint.path.iter().take(2).map(String::as_str));
        self.lost(declaration.node, text)
    }

    fn lost(&self, node: &Node, name: &str) -> bool {
        let here = entries(node).any(|entry| entry.key == name && self.touched(&entry.value));
        here || node.children().any(|child| self.lost(child, name))
    }

    fn touched(&self, node: &Node) -> bool {
        touched(node, self.set_aside)
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
