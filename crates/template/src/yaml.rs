//! A template as YAML that readers of YAML 1.1 and of YAML 1.2 understand alike.
//!
//! Written by hand, because `serde_yaml` writes for readers of 1.2 alone: those of 1.1 (PyYAML, and with it most of
//! the tools around CloudFormation) take its bare `2012-10-17` for a date and its bare `yes` for a truth. Here a text
//! is bare only where no reader can take it for something else, and otherwise stands in double quotes as in JSON.

use std::fmt::Write;

use serde_json::{Map, Value};

/// Words that some reader takes for a truth or for nothing.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// A document as YAML, indented by two spaces.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => mapping(&mut text, members, 0),
        Value::Array(items) if !items.is_empty() => sequence(&mut text, items, 0),
        other => text.push_str(&scalar(other)),
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Writes the members of a mapping; the first one stands where the text is already.
fn mapping(text: &mut String, members: &Map<String, Value>, depth: usize) {
    for (index, (key, value)) in members.iter().enumerate() {
        indent(text, index, depth);
        text.push_str(&string(key));
        text.push(':');
        match value {
            Value::Object(members) if !members.is_empty() => nested(text, depth, |text, depth| {
                mapping(text, members, depth);
            }),
            Value::Array(items) if !items.is_empty() => nested(text, depth, |text, depth| {
                sequence(text, items, depth);
            }),
            other => line(text, other),
        }
    }
}

/// Writes the items of a list; the first one stands where the text is already.
fn sequence(text: &mut String, items: &[Value], depth: usize) {
    for (index, item) in items.iter().enumerate() {
        indent(text, index, depth);
        text.push('-');
        match item {
            Value::Object(members) if !members.is_empty() => {
                text.push(' ');
                mapping(text, members, depth + 1);
            }
            Value::Array(items) if !items.is_empty() => {
                text.push(' ');
                sequence(text, items, depth + 1);
            }
            other => line(text, other),
        }
    }
}

fn nested(text: &mut String, depth: usize, write: impl FnOnce(&mut String, usize)) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth + 1));
    write(text, depth + 1);
}

fn indent(text: &mut String, index: usize, depth: usize) {
    if index > 0 {
        text.push_str(&"  ".repeat(depth));
    }
}

fn line(text: &mut String, value: &Value) {
    text.push(' ');
    text.push_str(&scalar(value));
    text.push('\n');
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(content) => string(content),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        plain => plain.to_string(),
    }
}

fn string(content: &str) -> String {
    if is_unmistakable(content) { content.to_owned() } else { quoted(content) }
}

/// Whether every reader takes the bare text for a text.
fn is_unmistakable(content: &str) -> bool {
    let starts_well = content.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let is_plain = content.chars().all(|letter| letter.is_ascii_alphanumeric() || "/_-.:+".contains(letter));
    starts_well && is_plain && !content.ends_with(':') && !WORDS.contains(&content.to_ascii_lowercase().as_str())
}

/// The text in double quotes. What YAML does not count as printable is escaped, else a reader refuses it or breaks
/// the line there.
fn quoted(content: &str) -> String {
    let json = Value::from(content).to_string();
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if matches!(letter, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') {
            write!(text, "\\u{:04X}", u32::from(letter)).expect("a string takes all that is written to it");
        } else {
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bare_text_cannot_be_mistaken() {
        let document = document(&json!({
            "Fn::Sub": "arn:aws:s3:::bucket/key",
            "Version": "2012-10-17",
            "Yes": "yes",
            "no": ["NO", "~", "1e3", "0o7", "1:30", "<<", "=", "", "a: b", "a #b", "a:"],
        }));
        let expected = "Fn::Sub: arn:aws:s3:::bucket/key\n\
            Version: \"2012-10-17\"\n\
            \"Yes\": \"yes\"\n\
            \"no\":\n  - \"NO\"\n  - \"~\"\n  - \"1e3\"\n  - \"0o7\"\n  - \"1:30\"\n  - \"<<\"\n  - \"=\"\n  - \"\"\n  \
            - \"a: b\"\n  - \"a #b\"\n  - \"a:\"\n";
        assert_eq!(document, expected);
    }

    #[test]
    fn a_reader_gets_the_same_document_back() {
        let value = json!({
            "": [[], {}, [[1, [2.5, null]], { "a": [{ "b": true, "c": {} }, "x"] }]],
            "lines": "one\ntwo\t\r\n\u{1}\u{7f}\u{85}\u{2028}\u{feff}\"\\ 'é' 🦀",
            "nested": { "deeper": { "list": [{ "first": { "x": 1 }, "second": [] }] } },
        });
        let read: Value = serde_yaml::from_str(&document(&value)).expect("we wrote it");
        assert_eq!(read, value);
        for scalar in [json!(null), json!({}), json!([]), json!("on"), json!(-1)] {
            let read: Value = serde_yaml::from_str(&document(&scalar)).expect("we wrote it");
            assert_eq!(read, scalar);
        }
    }
}
