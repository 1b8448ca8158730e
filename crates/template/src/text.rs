//! The text of a template as one value: JSON, or YAML with its short forms.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use thiserror::Error;

use super::function::FUNCTIONS;

/// More brackets within each other than any template has.
const DEEPEST: usize = 1000;

/// Why a text is neither JSON nor YAML.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    /// It begins like JSON.
    #[error("JSON not well-formed. ({0})")]
    Json(String),
    /// It was taken for YAML.
    #[error("YAML not well-formed. ({0})")]
    Yaml(String),
}

/// Template text as one JSON value, the short forms of YAML written out.
///
/// # Errors
/// When the text is neither, when a key comes twice, or when it is nested more deeply than any template.
pub fn parse(text: &str) -> Result<Value, Malformed> {
    if text.trim_start().starts_with('{') {
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = Unique.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        return value.map_err(|error| Malformed::Json(error.to_string()));
    }
    if depth(text) > DEEPEST {
        return Err(broken_yaml("it is nested too deeply"));
    }
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| broken_yaml(&error.to_string()))?;
    from_yaml(value)
}

/// How deep brackets nest at most, those within strings counted too. The YAML scanner takes time that grows with the
/// square of it before its own limit applies.
fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => now = now.saturating_add(1),
            b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

fn broken_yaml(reason: &str) -> Malformed {
    Malformed::Yaml(reason.to_owned())
}

fn from_yaml(value: serde_yaml::Value) -> Result<Value, Malformed> {
    Ok(match value {
        serde_yaml::Value::Null => Value::Null,
        serde_yaml::Value::Bool(flag) => Value::Bool(flag),
        serde_yaml::Value::Number(number) => yaml_number(&number),
        serde_yaml::Value::String(text) => Value::String(text),
        serde_yaml::Value::Sequence(items) => Value::Array(items.into_iter().map(from_yaml).collect::<Result<_, _>>()?),
        serde_yaml::Value::Mapping(members) => {
            let mut map = Map::new();
            for (key, member) in members {
                map.insert(yaml_key(key)?, from_yaml(member)?);
            }
            Value::Object(map)
        }
        serde_yaml::Value::Tagged(tagged) => short_form(&tagged.tag.to_string(), from_yaml(tagged.value)?)?,
    })
}

fn yaml_number(number: &serde_yaml::Number) -> Value {
    if let Some(whole) = number.as_i64() {
        return Value::Number(whole.into());
    }
    if let Some(whole) = number.as_u64() {
        return Value::Number(whole.into());
    }
    number.as_f64().and_then(Number::from_f64).map_or_else(|| Value::String(number.to_string()), Value::Number)
}

fn yaml_key(key: serde_yaml::Value) -> Result<String, Malformed> {
    match from_yaml(key)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(broken_yaml("a key is not a scalar")),
    }
}

/// `!GetAtt A.B` is `{"Fn::GetAtt": ["A", "B"]}`, and so on.
fn short_form(tag: &str, value: Value) -> Result<Value, Malformed> {
    let name = tag.trim_start_matches('!');
    let function = match name {
        "Ref" | "Condition" => name.to_owned(),
        _ => format!("Fn::{name}"),
    };
    if !FUNCTIONS.contains(&function.as_str()) && !["Ref", "Condition"].contains(&name) {
        return Err(broken_yaml(&format!("could not determine a constructor for the tag {tag}")));
    }
    Ok(Value::Object(Map::from_iter([(function, value)])))
}

/// Reads JSON and refuses a key that an object has twice: `serde_json` keeps the last one in silence.
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Unique)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(Unique)?;
            if map.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format!("duplicate key {key}")));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn short_forms_are_written_out() {
        let value =
            parse("A: !Ref B\nC: !GetAtt D.E.F\nG: !Sub ['${h}', {h: !ImportValue i}]\n1: x").expect("well-formed");
        let expected = json!({
            "A": {"Ref": "B"},
            "C": {"Fn::GetAtt": "D.E.F"},
            "G": {"Fn::Sub": ["${h}", {"h": {"Fn::ImportValue": "i"}}]},
            "1": "x",
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn a_key_may_not_come_twice() {
        for text in [r#"{"A": 1, "A": 2}"#, "A: 1\nA: 2\n"] {
            let fault = parse(text).expect_err("refused");
            assert!(fault.to_string().contains("duplicate"), "{fault}");
        }
    }

    #[test]
    fn deep_and_self_referring_text_is_refused() {
        let nested = "[".repeat(100_000);
        assert!(parse(&format!("{{\"A\": {nested}")).is_err());
        assert!(parse(&format!("A: {nested}")).is_err());
        assert!(parse(&format!("A:\n {}x", "- ".repeat(2_000))).is_err());
        let laughs = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                      d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n\
                      f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
        assert!(parse(laughs).is_err());
    }
}
