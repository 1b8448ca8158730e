//! CloudFormation's functions, worked out as far as can be known without an account.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::resources::digest;
use crate::template::function::{Piece, escape, pieces};

/// Deepest nesting that is followed. What lies deeper is not known.
const DEEPEST: usize = 100;

/// Longest text that is put together, in bytes. CloudFormation's own limit for a parameter is 4 kB.
const LONGEST: usize = 64 * 1024;

/// Bytes that are put together for one template. A template of a megabyte can ask for any number of them.
const BUDGET: usize = 64 * 1024 * 1024;

/// What stands for a value that is too large or too deep to be worked out.
const TOO_MUCH: &str = "${too large to be worked out}";

/// What is known beside the template.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Values of parameters by name.
    pub(super) parameters: &'a BTreeMap<String, String>,
    /// Values of pseudo parameters, with which conditions are decided. Elsewhere they stay expressions, so that a matrix
    /// is the same wherever a template is deployed.
    pub(super) place: &'a BTreeMap<String, String>,
}

/// Works out values of a template.
pub(super) struct Resolver<'a> {
    template: &'a Value,
    known: Known<'a>,
    budget: Cell<usize>,
    gave_up: Cell<bool>,
    /// Whether a macro was met that makes something of what stands beside it.
    rewritten: Cell<bool>,
    /// Whether a condition is being decided.
    decides: Cell<bool>,
    /// Whether the named conditions hold that were asked for so far.
    asked: RefCell<BTreeMap<String, Option<bool>>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(template: &'a Value, known: Known<'a>) -> Self {
        Self {
            template,
            known,
            budget: Cell::new(BUDGET),
            gave_up: Cell::new(false),
            rewritten: Cell::new(false),
            decides: Cell::new(false),
            asked: RefCell::new(BTreeMap::new()),
        }
    }

    /// Whether something was too large or too deep: then two values that look alike need not be.
    pub(super) fn gave_up(&self) -> bool {
        self.gave_up.get()
    }

    /// Whether a macro that rewrites what stands beside it was met since this was asked the last time.
    pub(super) fn was_rewritten(&self) -> bool {
        self.rewritten.take()
    }

    /// The conditions that were asked for and cannot be decided, each with a digest of what it says, those that it names
    /// included.
    pub(super) fn undecided(&self) -> BTreeMap<String, String> {
        let asked = self.asked.borrow().clone();
        let mut digests = BTreeMap::new();
        let undecided = asked.into_iter().filter(|(_, holds)| holds.is_none());
        undecided.map(|(name, _)| (name.clone(), self.digested(&name, &mut digests, 0))).collect()
    }

    /// Digest of what a condition says and of what those say that it names. Each is worked out once.
    fn digested(&self, name: &str, digests: &mut BTreeMap<String, String>, depth: usize) -> String {
        if let Some(known) = digests.get(name) {
            return known.clone();
        }
        let condition = self.template.get("Conditions").and_then(|all| all.get(name));
        let Some(condition) = condition.filter(|_| depth < DEEPEST) else {
            self.gave_up.set(self.gave_up() || condition.is_some());
            return String::new();
        };
        // One that names itself on the way says nothing more by that.
        digests.insert(name.to_owned(), String::new());
        let mut words = format!("{name}: {}", spelled(&self.value(condition)));
        for other in named_in(condition).into_iter().collect::<BTreeSet<_>>() {
            words.push_str(&format!(", {other} {}", self.digested(other, digests, depth + 1)));
        }
        let digest = digest(&words);
        digests.insert(name.to_owned(), digest.clone());
        digest
    }

    fn too_much(&self) -> Value {
        self.gave_up.set(true);
        TOO_MUCH.into()
    }

    /// A value without functions: texts hold expressions where something is not known. `AWS::NoValue` is null, and is
    /// left out of maps and lists.
    pub(super) fn value(&self, value: &Value) -> Value {
        self.at(value, 0)
    }

    fn at(&self, value: &Value, depth: usize) -> Value {
        if depth > DEEPEST {
            return self.too_much();
        }
        match value {
            Value::String(text) => self.spend(escape(text)).into(),
            Value::Array(items) => {
                let items = items.iter().map(|item| self.at(item, depth + 1));
                items.filter(|item| !item.is_null()).collect()
            }
            Value::Object(members) => match call(members) {
                Some((name, argument)) => self.function(name, argument, depth + 1),
                None => {
                    if members.keys().any(|name| is_macro(name)) {
                        self.rewritten.set(true);
                    }
                    Value::Object(self.members(members, depth))
                }
            },
            scalar => scalar.clone(),
        }
    }

    fn members(&self, members: &Map<String, Value>, depth: usize) -> Map<String, Value> {
        let members = members.iter().map(|(name, member)| (name.clone(), self.at(member, depth + 1)));
        members.filter(|(_, member)| !member.is_null()).collect()
    }

    /// Whether the budget allows for one more text.
    fn spend(&self, text: String) -> String {
        match self.budget.get().checked_sub(text.len() + 1) {
            Some(left) if text.len() <= LONGEST => {
                self.budget.set(left);
                text
            }
            _ => {
                self.gave_up.set(true);
                TOO_MUCH.to_owned()
            }
        }
    }

    fn function(&self, name: &str, argument: &Value, depth: usize) -> Value {
        match name {
            "Ref" => self.reference(argument.as_str().unwrap_or_default()),
            "Fn::GetAtt" => self.attribute(argument, depth),
            "Fn::Sub" => self.substitution(argument, depth),
            "Fn::If" => self.choice(argument, depth),
            _ => {
                if name.starts_with(LOOP) {
                    self.rewritten.set(true);
                }
                let argument = self.at(argument, depth);
                self.plain(name, &argument).unwrap_or_else(|| self.opaque(name, &argument))
            }
        }
    }

    /// A call that is kept as it is.
    fn opaque(&self, name: &str, argument: &Value) -> Value {
        let inside = match argument {
            Value::Array(items) => items.iter().map(spelled).collect::<Vec<_>>().join(", "),
            other => spelled(other),
        };
        self.spend(format!("${{{name}({inside})}}")).into()
    }

    fn reference(&self, name: &str) -> Value {
        if name == "AWS::NoValue" {
            return Value::Null;
        }
        if let Some(parameter) = self.template.get("Parameters").and_then(|all| all.get(name)) {
            return self.parameter(name, parameter);
        }
        let place = self.known.place.get(name).filter(|_| self.decides.get());
        let pseudo = self.known.parameters.get(name).or(place).filter(|_| name.starts_with("AWS::"));
        pseudo.map_or_else(|| format!("${{{name}}}"), |value| escape(value)).into()
    }

    fn parameter(&self, name: &str, parameter: &Value) -> Value {
        let kind = parameter.get("Type").and_then(Value::as_str).unwrap_or("String");
        // The value of a parameter that is not shown is not known, and need not be its default.
        let hidden = parameter.get("NoEcho").and_then(text).is_some_and(|hidden| hidden == "true");
        let default = parameter.get("Default").filter(|_| !hidden).and_then(text);
        let Some(value) = self.known.parameters.get(name).cloned().or(default) else {
            return format!("${{{name}}}").into();
        };
        if kind.starts_with("AWS::SSM::Parameter::Value") {
            return self.opaque("SSM parameter ", &Value::String(escape(&value)));
        }
        if kind == "CommaDelimitedList" || kind.starts_with("List<") {
            return value.split(',').map(|item| Value::String(escape(item.trim()))).collect();
        }
        self.spend(escape(&value)).into()
    }

    fn attribute(&self, argument: &Value, depth: usize) -> Value {
        let parts = match argument {
            Value::String(text) => text.split_once('.').map(|(id, attribute)| (id, Some(attribute.to_owned()))),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(id), attribute] => Some((id.as_str(), text(&self.at(attribute, depth)))),
                _ => None,
            },
            _ => None,
        };
        match parts {
            Some((id, Some(attribute))) => self.attribute_of(id, &attribute).into(),
            _ => self.opaque("Fn::GetAtt", &self.at(argument, depth)),
        }
    }

    /// An attribute of a resource. Two ways to write the same thing come to one expression.
    fn attribute_of(&self, id: &str, attribute: &str) -> String {
        let kind = self.template.get("Resources").and_then(|all| all.get(id)?.get("Type")?.as_str());
        match (kind, attribute) {
            (Some("AWS::Cognito::UserPool"), "UserPoolId") | (Some("AWS::Cognito::UserPoolClient"), "ClientId") => {
                format!("${{{id}}}")
            }
            (Some("AWS::Cognito::UserPool"), "ProviderURL") => issuer_of(id),
            _ => format!("${{{id}.{attribute}}}"),
        }
    }

    fn substitution(&self, argument: &Value, depth: usize) -> Value {
        let none = Map::new();
        let (template, own) = match argument {
            Value::String(template) => (template.as_str(), &none),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(template), Value::Object(own)] => (template.as_str(), own),
                _ => return self.opaque("Fn::Sub", &self.at(argument, depth)),
            },
            _ => return self.opaque("Fn::Sub", &self.at(argument, depth)),
        };
        let own = self.members(own, depth);
        let mut whole = String::new();
        for piece in pieces(template) {
            match piece {
                Piece::Text(plain) => whole.push_str(&escape(plain)),
                Piece::Literal(name) => whole.push_str(&format!("${{!{name}}}")),
                Piece::Name(name) => match self.variable(name, &own) {
                    Value::Array(_) | Value::Object(_) | Value::Null => whole.push_str(&format!("${{{name}}}")),
                    value => whole.push_str(&spelled(&value)),
                },
            }
            if whole.len() > LONGEST {
                return self.too_much();
            }
        }
        self.spend(whole).into()
    }

    fn variable(&self, name: &str, own: &Map<String, Value>) -> Value {
        match (own.get(name), name.split_once('.')) {
            (Some(value), _) => value.clone(),
            (None, Some((id, attribute))) => self.attribute_of(id, attribute).into(),
            (None, None) => self.reference(name),
        }
    }

    fn choice(&self, argument: &Value, depth: usize) -> Value {
        let Some([Value::String(condition), yes, no]) = argument.as_array().map(Vec::as_slice) else {
            return self.opaque("Fn::If", &self.at(argument, depth));
        };
        match self.condition(condition) {
            Some(true) => self.at(yes, depth),
            Some(false) => self.at(no, depth),
            None => {
                let (yes, no) = (self.at(yes, depth), self.at(no, depth));
                let one = yes == no;
                if one { yes } else { self.opaque("Fn::If", &Value::Array(vec![condition.as_str().into(), yes, no])) }
            }
        }
    }

    /// Whether a named condition holds, where that can be told.
    pub(super) fn condition(&self, name: &str) -> Option<bool> {
        self.named(name, 0)
    }

    fn named(&self, name: &str, depth: usize) -> Option<bool> {
        if let Some(known) = self.asked.borrow().get(name) {
            return *known;
        }
        // What asks for itself on the way cannot be told.
        self.asked.borrow_mut().insert(name.to_owned(), None);
        let condition = self.template.get("Conditions").and_then(|all| all.get(name)).filter(|_| depth < DEEPEST);
        let holds = condition.and_then(|condition| self.holds(condition, depth + 1));
        self.asked.borrow_mut().insert(name.to_owned(), holds);
        holds
    }

    fn holds(&self, condition: &Value, depth: usize) -> Option<bool> {
        self.budget.set(self.budget.get().checked_sub(64)?);
        let (name, argument) = condition.as_object().filter(|_| depth < DEEPEST)?.iter().next()?;
        let parts = || argument.as_array().into_iter().flatten().map(|part| self.holds(part, depth + 1));
        match name.as_str() {
            "Condition" => self.named(argument.as_str()?, depth + 1),
            "Fn::Equals" => {
                let [left, right] = argument.as_array()?.as_slice() else { return None };
                let outside = self.decides.replace(true);
                let equal = equal(&self.at(left, depth), &self.at(right, depth));
                self.decides.set(outside);
                equal
            }
            "Fn::Not" => parts().next()?.map(|holds| !holds),
            "Fn::And" => all(parts(), false),
            "Fn::Or" => all(parts(), true),
            _ => None,
        }
    }

    /// Functions of nothing but their arguments, where these are known.
    fn plain(&self, name: &str, argument: &Value) -> Option<Value> {
        let parts = argument.as_array().map(Vec::as_slice);
        match (name, parts) {
            ("Fn::Join", Some([Value::String(between), Value::Array(items)])) => {
                let items = items.iter().map(text).collect::<Option<Vec<_>>>()?;
                let size = items.iter().map(String::len).sum::<usize>() + items.len() * between.len();
                Some(if size > LONGEST { self.too_much() } else { self.spend(items.join(between)).into() })
            }
            ("Fn::Select", Some([index, Value::Array(items)])) => {
                items.get(text(index)?.parse::<usize>().ok()?).cloned()
            }
            ("Fn::Split", Some([Value::String(at), Value::String(whole)]))
                if !at.is_empty() && !whole.contains("${") =>
            {
                Some(whole.split(at.as_str()).map(|part| Value::String(self.spend(part.to_owned()))).collect())
            }
            ("Fn::FindInMap", Some([map, first, second, ..])) => {
                let [map, first, second] = [text(map)?, text(first)?, text(second)?];
                let found = self.template.get("Mappings")?.get(map)?.get(first)?.get(second)?;
                Some(self.constant(found))
            }
            _ => None,
        }
    }

    /// A value of a mapping: a text or a list of texts.
    fn constant(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.spend(escape(text)).into(),
            Value::Array(items) => items.iter().filter_map(text).map(|text| self.spend(escape(&text))).collect(),
            scalar => scalar.clone(),
        }
    }
}

/// The issuer of a user pool's tokens.
pub(super) fn issuer_of(pool: &str) -> String {
    format!("https://cognito-idp.${{AWS::Region}}.amazonaws.com/${{{pool}}}")
}

/// Whether some of the parts decide: one that is `decisive` does, and without one all must be known.
fn all(parts: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let parts: Vec<Option<bool>> = parts.collect();
    if parts.contains(&Some(decisive)) {
        return Some(decisive);
    }
    (!parts.contains(&None)).then_some(!decisive)
}

/// Whether two values are the same, where that can be told.
fn equal(left: &Value, right: &Value) -> Option<bool> {
    if left == right {
        return Some(true);
    }
    let (left, right) = (spelled(left), spelled(right));
    let known = !left.contains("${") && !right.contains("${");
    (known || left == right).then_some(left == right)
}

/// The conditions that another one names.
fn named_in(condition: &Value) -> Vec<&str> {
    match condition {
        Value::Object(members) => {
            let named = members.get("Condition").and_then(Value::as_str);
            let chosen = members.get("Fn::If").and_then(|choice| choice.get(0)?.as_str());
            named.into_iter().chain(chosen).chain(members.values().flat_map(named_in)).collect()
        }
        Value::Array(items) => items.iter().flat_map(named_in).collect(),
        _ => Vec::new(),
    }
}

/// The first characters of a loop, which makes several members of one.
const LOOP: &str = "Fn::ForEach::";

/// Whether a member of a map stands for others, which only a macro knows.
pub(super) fn is_macro(name: &str) -> bool {
    name == "Fn::Transform" || name.starts_with(LOOP)
}

/// The function that a map of one member calls, and its argument.
fn call(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = members.iter().next()?;
    (members.len() == 1 && (name == "Ref" || name.starts_with("Fn::"))).then_some((name.as_str(), argument))
}

/// A scalar as text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Any value in one line, equal values alike.
pub(super) fn spelled(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(spelled).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| format!("{name}: {}", spelled(member)));
            format!("({})", members.collect::<Vec<_>>().join(", "))
        }
        scalar => text(scalar).unwrap_or_default(),
    }
}

/// The names that an expression mentions, such as `Users` in `${Users.Arn}`.
pub fn references(expression: &str) -> BTreeSet<&str> {
    let parts = expression.split("${").skip(1).filter(|part| !part.starts_with('!'));
    parts.filter_map(|part| part.split(['.', '}', '(', ',']).next()).filter(|name| !name.starts_with("Fn::")).collect()
}

/// The only resource that an expression stands for, by itself or by an attribute: `Users` for `${Users.Arn}`.
pub(super) fn referred(expression: &str) -> Option<&str> {
    let inside = expression.strip_prefix("${")?.strip_suffix('}')?;
    let name = inside.split('.').next()?;
    (!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())).then_some(name)
}

/// The fields of an ARN, which colons part. A colon within an expression parts nothing.
pub(in crate::access) fn fields(arn: &str) -> Vec<&str> {
    let (mut fields, mut from, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, c) in arn.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                fields.push(arn.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    fields.push(arn.get(from..).unwrap_or_default());
    fields
}

/// An expression as people read it: `Users` for its issuer, `Notes/index/*` for an ARN below that of a table.
#[must_use]
pub fn readable(expression: &str) -> String {
    let short = expression
        .strip_prefix("https://cognito-idp.${AWS::Region}.")
        .and_then(|rest| rest.split_once('/'))
        .filter(|(suffix, _)| matches!(*suffix, "amazonaws.com" | "${AWS::URLSuffix}"))
        .map(|(_, pool)| pool);
    if let Some(pool) = short.and_then(referred) {
        return format!("user pool {pool}");
    }
    let own =
        expression.replace("${AWS::Partition}", "aws").replace("${AWS::Region}", "").replace("${AWS::AccountId}", "");
    let below = own.strip_prefix("arn:aws:").and_then(|arn| arn.split_once(':')).and_then(|(_, rest)| {
        let rest = rest.strip_prefix("::")?;
        (!rest.is_empty()).then(|| rest.to_owned())
    });
    let mut words = String::new();
    let mut rest = below.as_deref().unwrap_or(expression);
    while let Some((before, after)) = rest.split_once("${") {
        words.push_str(before);
        let Some((inside, next)) = after.split_once('}') else {
            rest = after;
            break;
        };
        let plain = inside.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
        // Both are ARNs: the second one is that of a secret.
        let name = inside.strip_suffix(".Arn").or_else(|| inside.strip_suffix(".Id"));
        match name.unwrap_or(inside) {
            name if plain => words.push_str(name),
            _ => words.push_str(&format!("${{{inside}}}")),
        }
        rest = next;
    }
    words.push_str(rest);
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resolved(value: &Value) -> Value {
        let template = json!({
            "Parameters": {
                "Given": { "Type": "String" },
                "List": { "Type": "CommaDelimitedList", "Default": "a, b" },
                "Hidden": { "Type": "String", "NoEcho": true, "Default": "x" },
                "Ssm": { "Type": "AWS::SSM::Parameter::Value<String>", "Default": "/a" },
                "Open": { "Type": "String" },
            },
            "Mappings": { "M": { "a": { "b": ["x", "${y}"] } } },
            "Conditions": {
                "Yes": { "Fn::Equals": [{ "Ref": "Given" }, "given"] },
                "No": { "Fn::Not": [{ "Condition": "Yes" }] },
                "Perhaps": { "Fn::Equals": [{ "Ref": "Open" }, "x"] },
                "Surely": { "Fn::Or": [{ "Condition": "Perhaps" }, { "Condition": "Yes" }] },
                "Circle": { "Fn::Not": [{ "Condition": "Circle" }] },
            },
            "Resources": { "Users": { "Type": "AWS::Cognito::UserPool" }, "Notes": { "Type": "AWS::DynamoDB::Table" } },
        });
        let parameters = BTreeMap::from([("Given".to_owned(), "given".to_owned())]);
        Resolver::new(&template, Known { parameters: &parameters, place: &BTreeMap::new() }).value(value)
    }

    fn decided(template: &Value, name: &str, place: &[(&str, &str)]) -> Option<bool> {
        let place = place.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Resolver::new(template, Known { parameters: &BTreeMap::new(), place: &place }).condition(name)
    }

    #[test]
    fn what_can_be_known_is_worked_out() {
        let pool = json!("https://cognito-idp.${AWS::Region}.amazonaws.com/${Users}");
        let cases = [
            (json!({ "Ref": "Given" }), json!("given")),
            (json!({ "Ref": "List" }), json!(["a", "b"])),
            (json!({ "Ref": "Users" }), json!("${Users}")),
            (json!({ "Fn::GetAtt": "Notes.Arn" }), json!("${Notes.Arn}")),
            (json!({ "Fn::GetAtt": ["Users", "ProviderURL"] }), pool.clone()),
            (json!({ "Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${Users}" }), pool.clone()),
            (
                json!({ "Fn::Join": ["", ["https://cognito-idp.", { "Ref": "AWS::Region" }, ".amazonaws.com/", { "Ref": "Users" }]] }),
                pool,
            ),
            (json!({ "Fn::Sub": ["${A}-${Given}-${!B}", { "A": { "Ref": "Users" } }] }), json!("${Users}-given-${!B}")),
            (json!("${literal}"), json!("${!literal}")),
            (json!({ "Fn::Select": ["1", { "Fn::Split": [",", "a,b"] }] }), json!("b")),
            (json!({ "Fn::FindInMap": ["M", "a", "b"] }), json!(["x", "${!y}"])),
            (json!({ "Fn::If": ["Yes", 1, 2] }), json!(1)),
            (json!({ "Fn::If": ["No", 1, 2] }), json!(2)),
            (json!({ "Fn::If": ["Surely", 1, 2] }), json!(1)),
            (json!([1, { "Fn::If": ["No", 2, { "Ref": "AWS::NoValue" }] }]), json!([1])),
        ];
        for (expression, expected) in cases {
            assert_eq!(resolved(&expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_cannot_be_known_stays_an_expression() {
        let cases = [
            (json!({ "Ref": "Open" }), "${Open}"),
            (json!({ "Ref": "Hidden" }), "${Hidden}"),
            (json!({ "Ref": "Ssm" }), "${SSM parameter (/a)}"),
            (json!({ "Fn::If": ["Perhaps", "a", { "Ref": "AWS::NoValue" }] }), "${Fn::If(Perhaps, a, nothing)}"),
            (json!({ "Fn::If": ["Circle", "a", "b"] }), "${Fn::If(Circle, a, b)}"),
            (json!({ "Fn::If": ["Unheard", "a", "b"] }), "${Fn::If(Unheard, a, b)}"),
            (json!({ "Fn::ImportValue": "x" }), "${Fn::ImportValue(x)}"),
            (json!({ "Fn::Split": [":", { "Ref": "AWS::Region" }] }), "${Fn::Split(:, ${AWS::Region})}"),
            (json!({ "Fn::GetAtt": 1 }), "${Fn::GetAtt(1)}"),
            (json!({ "Fn::Sub": 1 }), "${Fn::Sub(1)}"),
        ];
        for (expression, expected) in cases {
            assert_eq!(resolved(&expression), json!(expected), "{expression}");
        }
    }

    #[test]
    fn hostile_values_come_to_an_end() {
        let mut deep = json!("x");
        for _ in 0..5_000 {
            deep = Value::Array(vec![deep]);
        }
        assert!(spelled(&resolved(&deep)).contains(TOO_MUCH));
        let mut doubled = json!("12345678");
        for _ in 0..60 {
            doubled = json!({ "Fn::Sub": ["${A}${A}", { "A": doubled }] });
        }
        assert!(spelled(&resolved(&doubled)).starts_with(TOO_MUCH));
        // Dropping a value that deep would overflow the stack as well.
        while let Value::Array(mut items) = deep {
            deep = items.pop().unwrap_or_default();
        }
    }

    #[test]
    fn conditions_that_ask_each_other_come_to_an_end() {
        let mut conditions = Map::new();
        for number in 0..90 {
            let next = json!({ "Condition": format!("C{}", number + 1) });
            conditions.insert(format!("C{number}"), json!({ "Fn::And": [next, next] }));
        }
        let template = json!({ "Conditions": conditions });
        assert_eq!(decided(&template, "C0", &[]), None);
    }

    #[test]
    fn a_condition_is_worked_out_once() {
        let mut conditions = Map::new();
        for number in 0..25 {
            let next = json!({ "Condition": format!("C{}", number + 1) });
            conditions.insert(format!("C{number}"), json!({ "Fn::And": [next, next] }));
        }
        conditions.insert("C25".to_owned(), json!({ "Fn::Equals": ["a", "a"] }));
        assert_eq!(decided(&json!({ "Conditions": conditions }), "C0", &[]), Some(true));
    }

    #[test]
    fn what_undecided_conditions_say_is_worked_out_once() {
        let digests = |count: usize, last: &str| {
            let open = json!({ "Fn::Equals": [{ "Ref": "AWS::AccountId" }, "1"] });
            let mut conditions: Map<String, Value> = (0..count).map(|at| (format!("Part{at}"), open.clone())).collect();
            conditions.insert("Part0".to_owned(), json!({ "Fn::Equals": [{ "Ref": "AWS::AccountId" }, last] }));
            let parts: Value = (0..count).map(|at| json!({ "Condition": format!("Part{at}") })).collect();
            conditions.insert("Whole".to_owned(), json!({ "Fn::Or": parts }));
            conditions
                .extend((0..count).map(|at| (format!("Use{at}"), json!({ "Fn::Not": [{ "Condition": "Whole" }] }))));
            let template = json!({ "Conditions": conditions });
            let nothing = BTreeMap::new();
            let resolver = Resolver::new(&template, Known { parameters: &nothing, place: &nothing });
            (0..count).for_each(|at| assert_eq!(resolver.condition(&format!("Use{at}")), None));
            resolver.undecided()
        };
        let many = digests(5_000, "1");
        assert_eq!(many.len(), 10_001);
        assert!(many.values().all(|said| said.len() < 100), "a template of a megabyte would take gigabytes");
        assert_eq!(digests(2, "1"), digests(2, "1"));
        let (one, other) = (digests(2, "1"), digests(2, "2"));
        assert_eq!(one["Part1"], other["Part1"]);
        assert!(["Part0", "Whole", "Use0", "Use1"].iter().all(|name| one[*name] != other[*name]), "{one:?} {other:?}");
    }

    #[test]
    fn the_account_decides_conditions_and_nothing_else() {
        let account = json!({ "Ref": "AWS::AccountId" });
        let template = json!({ "Conditions": { "InTest": { "Fn::Equals": [account, "111122223333"] } } });
        let place = [("AWS::AccountId", "111122223333")];
        assert_eq!(decided(&template, "InTest", &place), Some(true));
        assert_eq!(decided(&template, "InTest", &[("AWS::AccountId", "444455556666")]), Some(false));
        assert_eq!(decided(&template, "InTest", &[]), None);
        let place = BTreeMap::from(place.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let parameters = BTreeMap::new();
        let resolver = Resolver::new(&template, Known { parameters: &parameters, place: &place });
        assert_eq!(resolver.value(&account), json!("${AWS::AccountId}"));
    }

    #[test]
    fn expressions_are_read_by_people() {
        let cases = [
            ("https://cognito-idp.${AWS::Region}.amazonaws.com/${Users}", "user pool Users"),
            ("https://issuer.example", "https://issuer.example"),
            ("${Notes.Arn}", "Notes"),
            ("${Notes.Arn}/index/*", "Notes/index/*"),
            ("${Secret}", "Secret"),
            ("arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/${Sender}", "identity/Sender"),
            ("arn:aws:s3:::bucket/*", "bucket/*"),
            ("arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:root"),
            ("${Fn::ImportValue(x)}", "${Fn::ImportValue(x)}"),
            ("*", "*"),
        ];
        for (expression, expected) in cases {
            assert_eq!(readable(expression), expected);
        }
    }

    #[test]
    fn an_arn_has_fields() {
        let arn = "arn:${AWS::Partition}:lambda:${Fn::If(A, b:c, ${AWS::Region})}:1:function:f";
        let expected =
            ["arn", "${AWS::Partition}", "lambda", "${Fn::If(A, b:c, ${AWS::Region})}", "1", "function", "f"];
        assert_eq!(fields(arn), expected);
        assert_eq!(fields("a"), ["a"]);
    }

    #[test]
    fn names_are_found_in_expressions() {
        let found: Vec<_> =
            references("a${Users.Arn}${!No}${Fn::If(C, ${Web}, x)}${AWS::Region}").into_iter().collect();
        assert_eq!(found, ["AWS::Region", "Users", "Web"]);
        assert_eq!(referred("${Users.Arn}"), Some("Users"));
        assert_eq!(referred("${Users.Arn}/x"), None);
        assert_eq!(referred("${AWS::Region}"), None);
    }
}
