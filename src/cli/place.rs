//! Where in a stack file a resource comes from.

use std::path::PathBuf;

use miette::{NamedSource, SourceSpan};
use stackgen::model::Stack;

/// A stack file with its text and what it declares.
#[derive(Debug, Clone)]
pub(crate) struct StackFile {
    /// Name of the stack.
    pub(crate) name: String,
    /// Path as it is shown.
    pub(crate) path: PathBuf,
    /// The text.
    pub(crate) text: String,
    /// What it declares.
    pub(crate) stack: Stack,
}

impl StackFile {
    /// The text under its name, for diagnostics.
    pub(crate) fn source(&self) -> NamedSource<String> {
        NamedSource::new(self.path.display().to_string(), self.text.clone()).with_language("yaml")
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
        key_in_section(&self.text, section, &id)
    }
}

/// The place of a key directly under a section, found by reading lines: at this point the file has been understood, so
/// its shape is known.
fn key_in_section(text: &str, section: &str, id: &str) -> Option<SourceSpan> {
    let mut offset = 0;
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let key = line.trim_start();
        let indent = line.len() - key.len();
        if indent == 0 && !key.starts_with('#') && !key.trim().is_empty() {
            inside = key.trim_end().starts_with(&format!("{section}:"));
        } else if inside && is_key(key, id) {
            return Some((offset + indent, id.len()).into());
        }
        offset += line.len();
    }
    None
}

fn is_key(line: &str, id: &str) -> bool {
    let rest = line.strip_prefix(id).or_else(|| line.strip_prefix(&format!("\"{id}\"")));
    rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::key_in_section;

    const TEXT: &str =
        "description: Users\nuserPools:\n  # Users: no\n  Users:\n    x: 1\nfunctions:\n  \"Users\": {}\n";

    #[test]
    fn a_key_is_found_in_its_own_section() {
        let at = |section, id| key_in_section(TEXT, section, id).map(|span| span.offset());
        assert_eq!(at("userPools", "Users"), TEXT.find("Users:\n    x"));
        assert_eq!(at("functions", "Users"), TEXT.find("\"Users\""));
        assert_eq!(at("userPools", "Other"), None);
    }
}
