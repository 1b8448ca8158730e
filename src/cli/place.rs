//! Where in a stack file a resource comes from.

use miette::{NamedSource, SourceSpan};
use stackgen::model::Stack;
use stackgen::spec;

/// A stack file with its text and what it declares.
#[derive(Debug, Clone)]
pub(crate) struct StackFile {
    /// Name of the stack.
    pub(crate) name: String,
    /// Path as it is shown.
    pub(crate) path: String,
    /// The text.
    pub(crate) text: String,
    /// What it declares.
    pub(crate) stack: Stack,
    /// What is only likely wrong with it.
    pub(crate) warnings: Option<spec::Report>,
}

impl StackFile {
    /// The text under its name, for diagnostics.
    pub(crate) fn source(&self) -> NamedSource<String> {
        NamedSource::new(&self.path, self.text.clone()).with_language("yaml")
    }

    /// Where a resource of the template comes from: its declaration, or the one from which it is derived.
    pub(crate) fn place(&self, logical_id: &str) -> Option<SourceSpan> {
        let mut owner = None;
        self.stack.visit(&mut |declaration| {
            if declaration.id == logical_id || declaration.derived.iter().any(|derived| derived.id == logical_id) {
                owner = Some((declaration.section, declaration.id.to_owned()));
            }
        });
        let (section, id) = owner?;
        self.place_of(section, &id)
    }

    /// Where a section of the file says something of that name.
    pub(crate) fn place_of(&self, section: &str, name: &str) -> Option<SourceSpan> {
        span_of_line(&self.text, spec::line(&self.text, &[section, name])?)
    }
}

/// The text of a line, counted from one, without the space around it.
fn span_of_line(text: &str, line: usize) -> Option<SourceSpan> {
    let mut offset = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number + 1 == line {
            let indent = content.len() - content.trim_start().len();
            return Some((offset + indent, content.trim().len()).into());
        }
        offset += content.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::StackFile;

    const TEXT: &str = "# Users: no\nuserPools:\n  Users: {}\nfunctions:\n  Get: { crate: functions/get }\n";

    #[test]
    fn a_derived_resource_is_placed_where_its_owner_is_declared() {
        let stack = stackgen::spec::read("stacks/notes.yaml", TEXT.as_bytes()).expect("it is sound");
        let file = StackFile {
            name: "notes".into(),
            path: "stacks/notes.yaml".into(),
            text: TEXT.into(),
            stack,
            warnings: None,
        };
        let text = |id| file.place(id).map(|span| &TEXT[span.offset()..span.offset() + span.len()]);
        assert_eq!(text("Users"), Some("Users: {}"));
        assert_eq!(text("GetRole"), Some("Get: { crate: functions/get }"));
        assert_eq!(text("Other"), None);
    }
}
