//! From the tree of a stack file to the model.
//!
//! Serde stops at the first value that does not fit. So the value is set aside, as if it were not there, and the tree is
//! read again, until all that is left fits.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::model::Stack;
use crate::similar::closest;

use super::fault::{Culprit, Fault, Kind};
use super::report::Finding;
use super::tree::{Content, Entry, Node};

/// Reads a tree, and gathers what does not fit.
pub(super) struct Reader<'t> {
    root: &'t Node,
    set_aside: BTreeSet<u32>,
    findings: Vec<Finding>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(root: &'t Node, set_aside: BTreeSet<u32>) -> Self {
        Self { root, set_aside, findings: Vec::new() }
    }

    /// What of the tree fits; nothing if the root does not, or `limit` values do not.
    pub(super) fn read(&mut self, limit: usize) -> Option<Stack> {
        while self.findings.len() < limit {
            let tree = Value { node: self.root, key: None, set_aside: &self.set_aside };
            let fault = match Stack::deserialize(tree) {
                Ok(stack) => return Some(stack),
                Err(fault) => fault,
            };
            if !self.follows_from_another(&fault) {
                self.findings.push(fault.finding());
            }
            let Culprit { node, .. } = fault.culprit?;
            if node == self.root.id || !self.set_aside.insert(node) {
                return None;
            }
        }
        None
    }

    /// Hands over what does not fit, and which nodes were set aside for it.
    pub(super) fn finish(self, findings: &mut Vec<Finding>) -> BTreeSet<u32> {
        findings.extend(self.findings);
        self.set_aside
    }

    /// Whether the fault is there only because something else was set aside.
    fn follows_from_another(&self, fault: &Fault) -> bool {
        let Some(node) = fault.culprit.as_ref().and_then(|culprit| find(self.root, culprit.node)) else { return false };
        match (&fault.kind, &node.content) {
            // What was meant as an expression is no description of an output.
            (Kind::Missing("value"), Content::Map(entries)) if self.lost_its_only(entries) => true,
            (Kind::Missing(field), Content::Map(entries)) => {
                let lost = |entry: &&Entry| self.set_aside.contains(&entry.value.id);
                entries.iter().filter(lost).any(|entry| stands_for(&entry.key, field))
            }
            (Kind::Unknown { .. }, _) => false,
            _ => node.children().any(|child| self.set_aside.contains(&child.id)),
        }
    }

    fn lost_its_only(&self, entries: &[Entry]) -> bool {
        matches!(entries, [only] if self.set_aside.contains(&only.value.id))
    }
}

/// A key that was not read may have been meant for the field that is missing.
fn stands_for(key: &str, field: &str) -> bool {
    key == field || key == "<<" || closest(key, [field]).is_some()
}

fn find(node: &Node, id: u32) -> Option<&Node> {
    if node.id == id {
        return Some(node);
    }
    node.children().find_map(|child| find(child, id))
}

/// A node that is being read.
#[derive(Clone, Copy)]
struct Value<'t> {
    node: &'t Node,
    key: Option<&'t Entry>,
    set_aside: &'t BTreeSet<u32>,
}

impl<'t> Value<'t> {
    fn item(self, node: &'t Node) -> Self {
        Self { node, key: None, ..self }
    }

    fn entry(self, entry: &'t Entry) -> Self {
        Self { node: &entry.value, key: Some(entry), ..self }
    }

    /// What is underlined: the value or, of a map and whatever goes over several lines, its key.
    fn place(self) -> &'t Range<usize> {
        let first = match &self.node.content {
            Content::Map(entries) => self.key.or(entries.first()),
            _ if self.node.is_long => self.key,
            _ => None,
        };
        first.map_or(&self.node.place, |entry| &entry.key_place)
    }

    fn entries(self, entries: &'t [Entry]) -> Entries<'t> {
        Entries { value: self, rest: entries.iter(), last: None }
    }

    /// Gives every fault its place: the key that was read last where it is about a key, else this node.
    fn placed<T>(self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| fault.at(self.node.id, self.place()))
    }

    fn text<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.content {
            Content::Scalar { .. } if self.node.is_null() => visitor.visit_unit(),
            Content::Scalar { text, .. } => visitor.visit_borrowed_str(text),
            Content::List(items) => self.items(items, visitor),
            Content::Map(entries) => self.map(entries, visitor),
        }
    }

    fn items<V: Visitor<'t>>(self, items: &'t [Node], visitor: V) -> Result<V::Value, Fault> {
        let mut items = Items { value: self, rest: items.iter() };
        let read = visitor.visit_seq(&mut items)?;
        match items.next() {
            Some(extra) => {
                Err(serde::de::Error::custom("nothing more belongs into this list\nremove what is too many"))
                    .map_err(|fault: Fault| fault.at(extra.id, &extra.place))
            }
            None => Ok(read),
        }
    }

    fn map<V: Visitor<'t>>(self, entries: &'t [Entry], visitor: V) -> Result<V::Value, Fault> {
        let mut entries = self.entries(entries);
        let read = visitor.visit_map(&mut entries).map_err(|fault| entries.placed(fault))?;
        match entries.next() {
            Some(extra) => Err(too_many(extra)),
            None => Ok(read),
        }
    }

    fn number<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Content::Scalar { text, plain: true } = &self.node.content else { return self.text(visitor) };
        if let Some(number) = integer(text) {
            return match u64::try_from(number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => match i64::try_from(number) {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => visitor.visit_borrowed_str(text),
                },
            };
        }
        match float(text) {
            Some(number) => visitor.visit_f64(number),
            None => self.text(visitor),
        }
    }

    fn anything<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.content {
            Content::Scalar { text, plain: true } if !self.node.is_null() => match text.as_str() {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                _ => self.number(visitor),
            },
            _ => self.text(visitor),
        }
    }
}

/// Whole numbers of YAML's core schema.
fn integer(text: &str) -> Option<i128> {
    let radix = |digits: &str, radix| i128::from_str_radix(digits, radix).ok().filter(|number| *number >= 0);
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    text.parse().ok()
}

/// Numbers with a point or an exponent; texts such as `inf` stay texts.
fn float(text: &str) -> Option<f64> {
    let is_number =
        text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) && !text.contains(['n', 'N', 'i', 'I']);
    text.parse().ok().filter(|number: &f64| is_number && number.is_finite())
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.placed(self.anything(visitor))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.placed(self.text(visitor))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.placed(self.text(visitor))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.placed(self.number(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.placed(if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.is_null() {
            true => self.placed(self.items(&[], visitor)),
            false => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.is_null() {
            true => self.placed(self.map(&[], visitor)),
            false => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // A derived reader takes a list for its fields in order; a stack file names them.
        match &self.node.content {
            Content::List(_) => self.placed(Err(serde::de::Error::invalid_type(serde::de::Unexpected::Seq, &visitor))),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.placed(visitor.visit_newtype_struct(self))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let read = match &self.node.content {
            Content::Scalar { text, .. } if !self.node.is_null() => {
                visitor.visit_enum(IntoDeserializer::<Fault>::into_deserializer(text.as_str()))
            }
            Content::Map(entries) => {
                let mut entries = self.entries(entries);
                let read = visitor.visit_enum(OnlyEntry { entries: &mut entries });
                let read = read.map_err(|fault| entries.placed(fault));
                match (read, entries.next()) {
                    (Ok(_), Some(extra)) => Err(too_many(extra)),
                    (read, _) => read,
                }
            }
            _ => self.anything(visitor),
        };
        self.placed(read)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

fn too_many(extra: &Entry) -> Fault {
    let fault: Fault = serde::de::Error::custom(format!("`{}` is one key too many\nonly one belongs here", extra.key));
    fault.at(extra.value.id, &extra.key_place)
}

struct Items<'t> {
    value: Value<'t>,
    rest: std::slice::Iter<'t, Node>,
}

impl<'t> Items<'t> {
    fn next(&mut self) -> Option<&'t Node> {
        self.rest.find(|item| !self.value.set_aside.contains(&item.id))
    }
}

impl<'t> SeqAccess<'t> for Items<'t> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'t>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.next() else { return Ok(None) };
        seed.deserialize(self.value.item(item)).map(Some)
    }
}

struct Entries<'t> {
    value: Value<'t>,
    rest: std::slice::Iter<'t, Entry>,
    last: Option<&'t Entry>,
}

impl<'t> Entries<'t> {
    fn next(&mut self) -> Option<&'t Entry> {
        self.rest.find(|entry| !self.value.set_aside.contains(&entry.value.id))
    }

    /// A fault about a key belongs to the one that was read last.
    fn placed(&self, fault: Fault) -> Fault {
        match (&fault.kind, self.last) {
            (Kind::Unknown { .. }, Some(entry)) => fault.at(entry.value.id, &entry.key_place),
            _ => fault,
        }
    }
}

impl<'t> MapAccess<'t> for Entries<'t> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'t>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.last = self.next();
        let Some(entry) = self.last else { return Ok(None) };
        let key = seed.deserialize(StrDeserializer::<Fault>::new(&entry.key));
        key.map(Some).map_err(|fault| fault.at(entry.value.id, &entry.key_place))
    }

    fn next_value_seed<V: DeserializeSeed<'t>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(entry) = self.last else { return Err(serde::de::Error::custom("a value without a key")) };
        let value = self.value.entry(entry);
        seed.deserialize(value).map_err(|fault| fault.at(entry.value.id, value.place()))
    }
}

/// A map with one key, which says what the value is.
struct OnlyEntry<'a, 't> {
    entries: &'a mut Entries<'t>,
}

impl<'t> EnumAccess<'t> for OnlyEntry<'_, 't> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'t>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        match self.entries.next_key_seed(seed)? {
            Some(variant) => Ok((variant, self)),
            None => Err(serde::de::Error::custom("a key is missing that says what this is\nwrite one")),
        }
    }
}

impl<'t> VariantAccess<'t> for OnlyEntry<'_, 't> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        self.entries.next_value_seed(std::marker::PhantomData)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'t>>(self, seed: T) -> Result<T::Value, Fault> {
        self.entries.next_value_seed(seed)
    }

    fn tuple_variant<V: Visitor<'t>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.entries.next_value_seed(Fields { length, visitor })
    }

    fn struct_variant<V: Visitor<'t>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.entries.next_value_seed(Fields { length: 0, visitor })
    }
}

/// The value of a variant with several fields, which the derived visitor reads.
struct Fields<V> {
    length: usize,
    visitor: V,
}

impl<'t, V: Visitor<'t>> DeserializeSeed<'t> for Fields<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        match self.length {
            0 => deserializer.deserialize_map(self.visitor),
            length => deserializer.deserialize_tuple(length, self.visitor),
        }
    }
}
