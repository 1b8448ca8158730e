//! What the query protocol sends: a form whose names hold the structure (`Tags.member.1.Key`).

use std::collections::BTreeMap;

use super::{Fault, Request};

/// The parameters of a query operation, or of one structure within them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads the form of a request: its body and its query string.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let query = form_urlencoded::parse(request.query.as_bytes());
        let body = form_urlencoded::parse(&request.body);
        Self(query.chain(body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The operation.
    ///
    /// # Errors
    /// `MissingAction` when there is none.
    pub fn action(&self) -> Result<&str, Fault> {
        let message = "The request must contain the parameter Action.";
        self.get("Action").filter(|action| !action.is_empty()).ok_or_else(|| Fault::new("MissingAction", message))
    }

    /// A parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be there and not be empty.
    ///
    /// # Errors
    /// `ValidationError`, worded as AWS words it.
    pub fn required(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            let member = lower_first(name);
            let message = format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
                 Member must not be null"
            );
            Fault::new("ValidationError", message)
        })
    }

    /// A list of strings, `Name.member.1` or `Name.1`, in the order of their numbers.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        self.structures(name).iter().filter_map(|item| item.get("")).map(str::to_owned).collect()
    }

    /// A list of structures, `Name.member.1.Key`, in the order of their numbers.
    #[must_use]
    pub fn structures(&self, name: &str) -> Vec<Self> {
        let mut items: BTreeMap<u32, Self> = BTreeMap::new();
        for (number, rest, value) in self.0.iter().filter_map(|(key, value)| item(name, key, value)) {
            items.entry(number).or_default().0.insert(rest.to_owned(), value.to_owned());
        }
        items.into_values().collect()
    }

    /// The members of a structure, `Name.Key`.
    #[must_use]
    pub fn structure(&self, name: &str) -> Self {
        let members = self.0.iter().filter_map(|(key, value)| {
            let rest = key.strip_prefix(name)?.strip_prefix('.')?;
            Some((rest.to_owned(), value.clone()))
        });
        Self(members.collect())
    }

    /// Whether there is no parameter at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Splits `Tags.member.3.Key` into 3 and `Key`; the rest of a plain list item is empty.
fn item<'a>(list: &str, key: &'a str, value: &'a str) -> Option<(u32, &'a str, &'a str)> {
    let indexed = key.strip_prefix(list)?.strip_prefix('.')?;
    let indexed = indexed.strip_prefix("member.").unwrap_or(indexed);
    let (number, rest) = indexed.split_once('.').unwrap_or((indexed, ""));
    Some((number.parse().ok()?, rest, value))
}

/// The name of a member as JSON has it: `Name` is `name`.
pub(crate) fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Form {
        Form(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn lists_come_in_the_order_of_their_numbers() {
        let form = form(&[("A.member.10", "ten"), ("A.member.9", "nine"), ("AB.member.1", "other"), ("A.x", "no")]);
        assert_eq!(form.list("A"), ["nine", "ten"]);
    }

    #[test]
    fn structures_nest() {
        let form = form(&[("P.member.1.Key", "k"), ("P.member.1.Tags.member.1.Key", "t"), ("P.member.2.Key", "l")]);
        let items = form.structures("P");
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].get("Key"), Some("k"));
        assert_eq!(items[0].structures("Tags")[0].get("Key"), Some("t"));
    }

    #[test]
    fn a_missing_parameter_is_named_as_aws_names_it() {
        let fault = form(&[]).required("StackName").expect_err("it is missing");
        assert!(fault.message.contains("Value null at 'stackName'"), "{fault}");
    }
}
