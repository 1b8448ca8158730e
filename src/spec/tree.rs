//! The syntax of a stack file: a tree that knows where everything stands.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag, options};

use super::report::{Finding, MAX_FINDINGS};

/// How deep a stack file may be nested; the deepest field of the model is far above.
const MAX_DEPTH: usize = 64;

/// A node of the tree.
#[derive(Debug)]
pub(super) struct Node {
    /// Which node it is, in the order of the file.
    pub(super) id: u32,
    /// Where it stands.
    pub(super) place: Range<usize>,
    /// Whether it goes over several lines.
    pub(super) is_long: bool,
    /// What it holds.
    pub(super) content: Content,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Content {
    /// A text; `plain` if it is not in quotes, so that it may be a number as well.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Range<usize>,
    pub(super) value: Node,
}

impl Node {
    /// Whether nothing is written where a value could be.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The nodes right below it.
    pub(super) fn children(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match &self.content {
            Content::Scalar { .. } => Box::new(std::iter::empty()),
            Content::List(items) => Box::new(items.iter()),
            Content::Map(entries) => Box::new(entries.iter().map(|entry| &entry.value)),
        }
    }
}

/// A file whose syntax was read.
#[derive(Debug)]
pub(super) struct Tree {
    /// All that it holds.
    pub(super) root: Node,
    /// Mistakes that did not keep the rest from being read.
    pub(super) findings: Vec<Finding>,
    /// The nodes where they were made.
    pub(super) set_aside: BTreeSet<u32>,
}

/// Reads the syntax, or says what keeps it from being read.
pub(super) fn parse(text: &str) -> Result<Tree, Finding> {
    let parser = Parser::new_from_str_with_options(
        text,
        options! {
            emit_unresolved_aliases: true,
            emit_anchor_events: true,
            emit_comments: false,
            disallow_directives: true,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        },
    );
    let mut builder = Builder { parser, text, nodes: 0, findings: Vec::new(), set_aside: BTreeSet::new(), tag: None };
    let root = builder.document()?;
    Ok(Tree { root, findings: builder.findings, set_aside: builder.set_aside })
}

struct Builder<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    text: &'t str,
    nodes: u32,
    findings: Vec<Finding>,
    set_aside: BTreeSet<u32>,
    tag: Option<Range<usize>>,
}

type Spanned<'t> = (Event<'t>, Range<usize>);

impl<'t> Builder<'t> {
    fn document(&mut self) -> Result<Node, Finding> {
        loop {
            let (event, place) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd => return Err(Finding::whole("the file declares nothing", DECLARE)),
                event => {
                    let root = self.node(event, place, 0)?;
                    self.end()?;
                    return Ok(root);
                }
            }
        }
    }

    fn end(&mut self) -> Result<(), Finding> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(..), place) => {
                    return Err(Finding::new(
                        place,
                        "a second document begins here",
                        "write each stack into a file of its own",
                    ));
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<Spanned<'t>, Finding> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                if event.tag().is_some() {
                    self.tag = span.tag_span().and_then(|span| span.byte_range());
                }
                Ok((event, range(span)))
            }
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, self.text.len()..self.text.len())),
        }
    }

    fn node(&mut self, event: Event<'t>, place: Range<usize>, depth: usize) -> Result<Node, Finding> {
        if depth > MAX_DEPTH {
            return Err(too_deep(place));
        }
        match event {
            Event::Scalar(text, style, _, tag) => Ok(self.scalar(text.into_owned(), style, tag.as_deref(), place)),
            Event::SequenceStart(_, _, tag) => {
                let list = self.list(place, depth)?;
                Ok(self.tagged(tag.as_deref(), list))
            }
            Event::MappingStart(_, _, tag) => {
                let map = self.map(place, depth)?;
                Ok(self.tagged(tag.as_deref(), map))
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => Ok(self.unread(aliased(place.clone()), place)),
            _ => Err(Finding::new(place, "a value belongs here", "write one, or remove the key before it")),
        }
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, tag: Option<&Tag>, place: Range<usize>) -> Node {
        let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
        let plain = style == ScalarStyle::Plain && !is_text;
        let node = self.made(place, Content::Scalar { text, plain });
        self.tagged(tag, node)
    }

    fn list(&mut self, start: Range<usize>, depth: usize) -> Result<Node, Finding> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    return Ok(self.made(start.start..end.end.max(start.end), Content::List(items)));
                }
                (Event::Anchor(_, name), place) => self.anchored(&name, place),
                (event, place) => items.push(self.node(event, place, depth + 1)?),
            }
        }
    }

    fn map(&mut self, start: Range<usize>, depth: usize) -> Result<Node, Finding> {
        let mut entries = Vec::new();
        let mut seen: BTreeMap<String, Range<usize>> = BTreeMap::new();
        loop {
            match self.next()? {
                (Event::MappingEnd, end) => {
                    return Ok(self.made(start.start..end.end.max(start.end), Content::Map(entries)));
                }
                (Event::Anchor(_, name), place) => self.anchored(&name, place),
                (event, place) => {
                    let key = self.key(event, &place)?;
                    let entry = self.entry(key, place, depth)?;
                    match seen.get(&entry.key) {
                        Some(first) => self.tell(repeated(&entry, first.clone())),
                        None => {
                            seen.insert(entry.key.clone(), entry.key_place.clone());
                            entries.push(entry);
                        }
                    }
                }
            }
        }
    }

    fn key(&mut self, event: Event<'t>, place: &Range<usize>) -> Result<String, Finding> {
        match event {
            Event::Scalar(text, ..) => Ok(text.into_owned()),
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(aliased(place.clone())),
            _ => Err(Finding::new(
                place.clone(),
                "a key must be a text",
                "put it in quotes if it begins with `[` or `{`",
            )),
        }
    }

    fn entry(&mut self, key: String, key_place: Range<usize>, depth: usize) -> Result<Entry, Finding> {
        loop {
            match self.next()? {
                (Event::Anchor(_, name), place) => self.anchored(&name, place),
                (event, place) => {
                    let told = self.findings.len();
                    let value = self.node(event, place, depth + 1)?;
                    if key == "<<" {
                        self.findings.truncate(told);
                        self.tell(Finding::new(key_place.clone(), "merge keys are not read here", REPEAT));
                        self.set_aside.insert(value.id);
                    }
                    return Ok(Entry { key, key_place, value });
                }
            }
        }
    }

    /// Notes a mistake, unless there are more than a report has room for.
    fn tell(&mut self, finding: Finding) {
        if self.findings.len() <= MAX_FINDINGS {
            self.findings.push(finding);
        }
    }

    /// A node that cannot be read, though what follows it can.
    fn unread(&mut self, finding: Finding, place: Range<usize>) -> Node {
        self.tell(finding);
        let node = self.made(place, Content::List(Vec::new()));
        self.set_aside.insert(node.id);
        node
    }

    fn anchored(&mut self, name: &str, place: Range<usize>) {
        self.tell(Finding::new(place, format!("anchor `{name}` is not read here"), REPEAT));
    }

    /// `!Sub text` is CloudFormation's short form of `{ "Fn::Sub": text }`.
    fn tagged(&mut self, tag: Option<&Tag>, node: Node) -> Node {
        let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) else { return node };
        let place = node.place.clone();
        let Some(key) = intrinsic(&tag.original()) else {
            let help = "CloudFormation's own are known, such as `!Ref` and `!Sub`";
            let shown = self.tag.clone().unwrap_or_else(|| place.clone());
            let finding = Finding::new(shown, format!("tag `{}` means nothing here", tag.original()), help);
            return self.unread(finding, place);
        };
        let entry = Entry { key, key_place: place.clone(), value: node };
        self.made(place, Content::Map(vec![entry]))
    }

    fn made(&mut self, place: Range<usize>, content: Content) -> Node {
        self.nodes = self.nodes.saturating_add(1);
        // A block ends where the next one begins; what is between the two is not of it.
        let text = self.text.get(place.clone()).unwrap_or_default().trim_end();
        let place = place.start..place.start + text.len();
        Node { id: self.nodes, place, is_long: text.contains('\n'), content }
    }

    fn syntax(&self, error: &ScanError) -> Finding {
        let at = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
        let message = error.info();
        if message.contains("limit") || message.contains("recursion") {
            return too_deep(at..at);
        }
        // The end of the file is the place of what is missing before it.
        let at = if at == self.text.len() { self.text.trim_end().len() } else { at };
        Finding::new(at..at, format!("this is not YAML: {message}"), SYNTAX)
    }
}

const DECLARE: &str = "declare something in it, or begin with what `stackgen init` writes";
const REPEAT: &str = "write the value where it is used: a stack file says everything in its place";
const SYNTAX: &str = "look for indentation that is off, a missing colon, or a text that needs quotes";

fn repeated(entry: &Entry, first: Range<usize>) -> Finding {
    let message = format!("`{}` is here twice", entry.key);
    let finding = Finding::new(entry.key_place.clone(), message, "keep one of them, or give this one another name");
    finding.and(first, "first here")
}

fn aliased(place: Range<usize>) -> Finding {
    Finding::new(place, "aliases are not read here", REPEAT)
}

fn too_deep(place: Range<usize>) -> Finding {
    let message = format!("this is nested more than {MAX_DEPTH} levels deep");
    Finding::new(place, message, "no field of a stack is as deep: look for brackets that are not closed")
}

fn intrinsic(tag: &str) -> Option<String> {
    match tag {
        "!Ref" | "!Condition" => Some(tag.trim_start_matches('!').to_owned()),
        "!And" | "!Base64" | "!Cidr" | "!Equals" | "!FindInMap" | "!GetAtt" | "!GetAZs" | "!If" | "!ImportValue"
        | "!Join" | "!Length" | "!Not" | "!Or" | "!Select" | "!Split" | "!Sub" | "!ToJsonString" | "!Transform" => {
            Some(format!("Fn::{}", tag.trim_start_matches('!')))
        }
        _ => None,
    }
}

fn range(span: Span) -> Range<usize> {
    span.byte_range().unwrap_or(0..0)
}
