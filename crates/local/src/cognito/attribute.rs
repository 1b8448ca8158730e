//! What a pool knows of its users, and what values it takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cognito::fault::{invalid, not_authorized};
use crate::wire::Fault;

/// A user's attributes, by name.
pub(crate) type Attributes = BTreeMap<String, String>;

/// Longest value of an attribute that states no limit.
const LONGEST: usize = 2048;

/// One attribute in a request or an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NamedValue {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) value: String,
}

/// Attributes as a map; of two with one name, the later counts.
pub(crate) fn collected(attributes: Vec<NamedValue>) -> Attributes {
    attributes.into_iter().map(|attribute| (attribute.name, attribute.value)).collect()
}

/// Attributes as a list.
pub(crate) fn listed<'a>(attributes: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<NamedValue> {
    let named = |(name, value): (&String, &String)| NamedValue { name: name.clone(), value: value.clone() };
    attributes.into_iter().map(named).collect()
}

/// What an attribute holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DataType {
    /// Text.
    #[default]
    String,
    /// A number, kept as its digits.
    Number,
    /// A moment, kept as text.
    DateTime,
    /// `true` or `false`.
    Boolean,
}

/// One entry of a pool's schema, as it is declared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) attribute_data_type: Option<DataType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) developer_only_attribute: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mutable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) required: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) string_attribute_constraints: Option<BTreeMap<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) number_attribute_constraints: Option<BTreeMap<String, Value>>,
}

/// An attribute that a pool knows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) kind: DataType,
    pub(crate) mutable: bool,
    pub(crate) required: bool,
    pub(crate) developer_only: bool,
    bounds: (Option<i64>, Option<i64>),
}

impl Attribute {
    fn standard(name: &str) -> Self {
        let (kind, bounds) = match name {
            "email_verified" | "phone_number_verified" => (DataType::Boolean, (None, None)),
            "updated_at" => (DataType::Number, (Some(0), None)),
            "birthdate" => (DataType::String, (Some(10), Some(10))),
            "sub" => (DataType::String, (Some(1), Some(2048))),
            _ => (DataType::String, (Some(0), Some(2048))),
        };
        let sub = name == "sub";
        Self { name: name.to_owned(), kind, mutable: !sub, required: sub, developer_only: false, bounds }
    }

    /// An attribute as the pool's owner declares it: a change to a standard one, or one of his own.
    fn declared(declared: &Declared) -> Self {
        let developer_only = declared.developer_only_attribute.unwrap_or(false);
        let base = if is_standard(&declared.name) {
            Self::standard(&declared.name)
        } else {
            let prefix = if developer_only { "dev:custom" } else { "custom" };
            let bare = declared.name.trim_start_matches("dev:").trim_start_matches("custom:");
            Self { bounds: (None, None), ..Self::standard(&format!("{prefix}:{bare}")) }
        };
        let kind = declared.attribute_data_type.unwrap_or(base.kind);
        Self {
            kind,
            mutable: declared.mutable.unwrap_or(base.mutable),
            required: declared.required.unwrap_or(base.required),
            developer_only,
            bounds: declared_bounds(declared).unwrap_or(base.bounds),
            name: base.name,
        }
    }

    /// As `DescribeUserPool` has it.
    pub(crate) fn description(&self) -> Value {
        let mut value = json!({
            "Name": self.name, "AttributeDataType": self.kind, "DeveloperOnlyAttribute": self.developer_only,
            "Mutable": self.mutable, "Required": self.required,
        });
        let text = |bound: Option<i64>| bound.map(|bound| bound.to_string());
        let limits = |low: &str, high: &str| {
            let pairs = [(low, text(self.bounds.0)), (high, text(self.bounds.1))];
            let pairs = pairs.into_iter().filter_map(|(name, bound)| Some((name.to_owned(), json!(bound?))));
            Value::Object(pairs.collect())
        };
        match self.kind {
            DataType::String => value["StringAttributeConstraints"] = limits("MinLength", "MaxLength"),
            DataType::Number => value["NumberAttributeConstraints"] = limits("MinValue", "MaxValue"),
            DataType::DateTime | DataType::Boolean => {}
        }
        value
    }

    fn takes(&self, value: &str) -> Result<(), String> {
        let size = |size: i64| {
            if self.bounds.0.is_some_and(|low| size < low) {
                return Err(format!("{} cannot be less than {}", self.measured(), self.bounds.0.unwrap_or_default()));
            }
            if self.bounds.1.is_some_and(|high| size > high) {
                return Err(format!(
                    "{} cannot be greater than {}",
                    self.measured(),
                    self.bounds.1.unwrap_or_default()
                ));
            }
            Ok(())
        };
        match self.kind {
            DataType::Number => size(value.parse().map_err(|_| "The value is not a valid number".to_owned())?),
            DataType::Boolean if !matches!(value, "true" | "false") => {
                Err("The value is not a valid boolean".to_owned())
            }
            DataType::Boolean | DataType::DateTime => Ok(()),
            DataType::String if value.chars().count() > LONGEST => {
                Err(format!("String length cannot be greater than {LONGEST}"))
            }
            DataType::String => size(i64::try_from(value.chars().count()).unwrap_or(i64::MAX)),
        }
    }

    fn measured(&self) -> &'static str {
        if self.kind == DataType::Number { "The value" } else { "String length" }
    }
}

fn declared_bounds(declared: &Declared) -> Option<(Option<i64>, Option<i64>)> {
    let bound = |constraints: &BTreeMap<String, Value>, name: &str| {
        let value = constraints.get(name)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    };
    let text =
        declared.string_attribute_constraints.as_ref().map(|all| (bound(all, "MinLength"), bound(all, "MaxLength")));
    let number =
        declared.number_attribute_constraints.as_ref().map(|all| (bound(all, "MinValue"), bound(all, "MaxValue")));
    text.or(number)
}

const STANDARD: [&str; 20] = [
    "sub",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
];

fn is_standard(name: &str) -> bool {
    STANDARD.contains(&name)
}

/// Every attribute of a pool.
#[derive(Debug, Clone)]
pub(crate) struct Schema(Vec<Attribute>);

/// Who sets an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    /// The user, through a client.
    User,
    /// Someone who holds the account's credentials.
    Administrator,
}

impl Schema {
    /// The standard attributes, changed and completed by what is declared.
    pub(crate) fn new(declared: &[Declared]) -> Self {
        let mut attributes: Vec<Attribute> = STANDARD.iter().map(|name| Attribute::standard(name)).collect();
        for declared in declared {
            let attribute = Attribute::declared(declared);
            match attributes.iter_mut().find(|known| known.name == attribute.name) {
                Some(known) => *known = attribute,
                None => attributes.push(attribute),
            }
        }
        Self(attributes)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attribute> {
        self.0.iter()
    }

    /// One of them.
    pub(crate) fn get(&self, name: &str) -> Option<&Attribute> {
        self.0.iter().find(|attribute| attribute.name == name)
    }

    /// Names of those that a user must have.
    pub(crate) fn required(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|known| known.required && known.name != "sub").map(|known| known.name.as_str())
    }

    /// Checks the attributes of a new user.
    pub(crate) fn check_new(&self, attributes: &Attributes) -> Result<(), Fault> {
        if attributes.contains_key("sub") {
            return Err(chosen_sub());
        }
        let absent = |name: &&str| attributes.get(*name).is_none_or(String::is_empty);
        let complaints: Vec<String> =
            self.required().filter(absent).map(|name| format!("{name}: The attribute is required")).collect();
        if !complaints.is_empty() {
            return Err(nonconforming(&complaints));
        }
        self.check_values(attributes)
    }

    /// Checks changes to a user who exists.
    pub(crate) fn check_changes(&self, changes: &Attributes, author: Author) -> Result<(), Fault> {
        for name in changes.keys() {
            let Some(known) = self.get(name) else { continue };
            if known.developer_only && author == Author::User {
                return Err(not_authorized("A client attempted to write unauthorized attribute"));
            }
            if name == "sub" {
                return Err(chosen_sub());
            }
            if !known.mutable {
                return Err(invalid(format!("user.{name}: Attribute cannot be updated.\n")));
            }
        }
        self.check_values(changes)
    }

    fn check_values(&self, attributes: &Attributes) -> Result<(), Fault> {
        let complaints: Vec<String> =
            attributes.iter().filter_map(|(name, value)| self.complaint(name, value)).collect();
        if !complaints.is_empty() {
            return Err(nonconforming(&complaints));
        }
        if attributes.get("email").is_some_and(|email| !is_email(email)) {
            return Err(invalid("Invalid email address format."));
        }
        if attributes.get("phone_number").is_some_and(|phone| !is_phone(phone)) {
            return Err(invalid("Invalid phone number format."));
        }
        Ok(())
    }

    fn complaint(&self, name: &str, value: &str) -> Option<String> {
        let Some(known) = self.get(name) else {
            return Some(format!("Type for attribute {{{name}}} could not be determined"));
        };
        // Anyone may clear an attribute.
        if value.is_empty() {
            return None;
        }
        known.takes(value).err().map(|complaint| format!("{name}: {complaint}"))
    }
}

/// A user's `sub` is the pool's to give: who could choose it would be whom he likes.
fn chosen_sub() -> Fault {
    invalid("Cannot modify the non-mutable attribute sub")
}

fn nonconforming(complaints: &[String]) -> Fault {
    invalid(format!("Attributes did not conform to the schema: {}\n", complaints.join("\n")))
}

/// Whether this looks like an address for mail.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return text.is_empty() };
    let clean = |c: char| !c.is_whitespace() && !c.is_control() && c != '@';
    let labels = domain.split('.').all(|label| !label.is_empty());
    !local.is_empty() && local.chars().all(clean) && domain.chars().all(clean) && domain.contains('.') && labels
}

/// Whether this is a phone number: a plus and up to fifteen digits.
pub(crate) fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    text.is_empty() || (!digits.is_empty() && digits.len() <= 15 && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let declared = serde_json::from_value::<Vec<Declared>>(json!([
            { "Name": "email", "Required": true, "AttributeDataType": "String" },
            { "Name": "tenant", "AttributeDataType": "String", "Mutable": false,
              "StringAttributeConstraints": { "MaxLength": "4" } },
            { "Name": "age", "AttributeDataType": "Number", "NumberAttributeConstraints": { "MinValue": "18" } },
        ]));
        Schema::new(&declared.expect("a schema"))
    }

    fn complaint(attributes: &[(&str, &str)]) -> String {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        schema().check_new(&attributes).map_or_else(|fault| fault.message, |()| String::new())
    }

    #[test]
    fn required_attributes_are_required() {
        let expected = "Attributes did not conform to the schema: email: The attribute is required\n";
        assert_eq!(complaint(&[]), expected);
        assert_eq!(complaint(&[("email", "")]), expected);
        assert_eq!(complaint(&[("email", "a@example.com")]), "");
    }

    #[test]
    fn values_must_fit() {
        let with = |name, value| complaint(&[("email", "a@example.com"), (name, value)]);
        assert!(with("custom:nope", "1").contains("Type for attribute {custom:nope} could not be determined"));
        assert!(with("custom:tenant", "abcde").contains("String length cannot be greater than 4"));
        assert!(with("custom:age", "17").contains("cannot be less than 18"));
        assert!(with("custom:age", "x").contains("not a valid number"));
        assert_eq!(with("phone_number", "0123"), "Invalid phone number format.");
        assert_eq!(complaint(&[("email", "alice")]), "Invalid email address format.");
        assert_eq!(complaint(&[("email", "alice@example")]), "Invalid email address format.");
    }

    #[test]
    fn nobody_chooses_who_he_is() {
        let expected = "Cannot modify the non-mutable attribute sub";
        assert_eq!(complaint(&[("email", "a@example.com"), ("sub", "of-alice")]), expected);
        assert_eq!(complaint(&[("email", "a@example.com"), ("sub", "")]), expected);
    }

    #[test]
    fn an_immutable_attribute_is_set_once() {
        let change = |name: &str| Attributes::from([(name.to_owned(), "x".to_owned())]);
        let refused =
            |name| schema().check_changes(&change(name), Author::Administrator).map_err(|fault| fault.message);
        assert_eq!(refused("custom:tenant"), Err("user.custom:tenant: Attribute cannot be updated.\n".to_owned()));
        assert_eq!(refused("sub"), Err("Cannot modify the non-mutable attribute sub".to_owned()));
        assert_eq!(refused("nickname"), Ok(()));
    }
}
