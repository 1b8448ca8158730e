//! XML out of JSON values, and a small tree out of XML.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

use super::Fault;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    /// Query protocol: `<Tags><member>..</member></Tags>`.
    Member,
    /// S3: the element is repeated.
    Flat,
}

/// A document with one root element.
pub(crate) fn document(root: &str, namespace: Option<&str>, content: &Value, lists: Lists) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push('<');
    out.push_str(root);
    if let Some(namespace) = namespace {
        out.push_str(" xmlns=\"");
        escape(namespace, &mut out);
        out.push('"');
    }
    out.push('>');
    write_content(content, lists, &mut out);
    close(root, &mut out);
    out
}

fn write_content(value: &Value, lists: Lists, out: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => escape(text, out),
        Value::Array(items) => items.iter().for_each(|item| write_element("member", item, lists, out)),
        Value::Object(members) => members.iter().for_each(|(name, member)| write_member(name, member, lists, out)),
    }
}

fn write_member(name: &str, value: &Value, lists: Lists, out: &mut String) {
    match (value, lists) {
        (Value::Null, _) => {}
        (Value::Array(items), Lists::Flat) => items.iter().for_each(|item| write_element(name, item, lists, out)),
        _ => write_element(name, value, lists, out),
    }
}

fn write_element(name: &str, value: &Value, lists: Lists, out: &mut String) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    write_content(value, lists, out);
    close(name, out);
}

fn close(name: &str, out: &mut String) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A bare carriage return would be read back as a line feed.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(character),
            // Not allowed in XML 1.0 in any form.
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
}

/// An element of a document that was sent to us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Name without prefix.
    pub(crate) name: String,
    /// Its own text.
    pub(crate) text: String,
    /// Elements within.
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// Text of the first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.as_str())
    }

    /// Every child of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// No document that AWS defines nests deeper.
const DEEPEST: usize = 32;

/// Reads a document to its root element.
///
/// # Errors
/// `MalformedXML` when it is none.
pub(crate) fn parse(bytes: &[u8]) -> Result<Element, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Eof => break,
            Event::Start(start) if open.len() <= DEEPEST => open.push(named(start.local_name().as_ref())),
            Event::Empty(start) => attach(&mut open, named(start.local_name().as_ref()))?,
            Event::End(_) => {
                let element = open.pop().ok_or_else(malformed)?;
                attach(&mut open, element)?;
            }
            Event::Text(raw) => append(&mut open, &raw.xml10_content())?,
            Event::CData(raw) => append(&mut open, &raw.xml10_content())?,
            Event::GeneralRef(reference) => append(&mut open, &resolved(&reference)?)?,
            Event::Decl(_) | Event::Comment(_) => {}
            _ => return Err(malformed()),
        }
    }
    match <[Element; 1]>::try_from(open) {
        Ok([document]) => document.children.into_iter().next().ok_or_else(malformed),
        Err(_) => Err(malformed()),
    }
}

fn resolved(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, Fault> {
    if let Some(character) = reference.resolve_char_ref().map_err(|_| malformed())? {
        return Ok(character.to_string());
    }
    quick_xml::escape::resolve_predefined_entity(reference).map(str::to_owned).ok_or_else(malformed)
}

fn named(name: &str) -> Element {
    Element { name: name.to_owned(), ..Element::default() }
}

fn attach(open: &mut [Element], element: Element) -> Result<(), Fault> {
    open.last_mut().ok_or_else(malformed)?.children.push(element);
    Ok(())
}

fn append(open: &mut [Element], text: &str) -> Result<(), Fault> {
    open.last_mut().ok_or_else(malformed)?.text.push_str(text);
    Ok(())
}

fn malformed() -> Fault {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    Fault::new("MalformedXML", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_to_its_elements() {
        let root = parse(b"<?xml version=\"1.0\"?><D xmlns=\"u\"><O><Key>a &amp; b&#33;</Key></O><O/><Q>true</Q></D>")
            .expect("it is well-formed");
        assert_eq!(root.name, "D");
        assert_eq!(root.child("Q"), Some("true"));
        assert_eq!(root.all("O").next().and_then(|object| object.child("Key")), Some("a & b!"));
        assert_eq!(root.all("O").count(), 2);
    }

    #[test]
    fn broken_documents_are_refused() {
        let deep = "<a>".repeat(10_000);
        for text in ["", "<a>", "</a>", "<a></b>", "<a>&bad;</a>", "no", "<!DOCTYPE a [<!ENTITY x \"y\">]><a/>", &deep]
        {
            assert!(parse(text.as_bytes()).is_err(), "{text:.40}");
        }
    }

    #[test]
    fn text_that_xml_cannot_hold_is_replaced() {
        let out = document("a", None, &Value::from("x\u{0}\r<"), Lists::Flat);
        assert!(out.ends_with("<a>x\u{fffd}&#13;&lt;</a>"), "{out}");
    }
}
