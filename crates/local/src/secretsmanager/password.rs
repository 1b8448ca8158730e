//! Random passwords, as Secrets Manager makes them.

use serde::{Deserialize, Deserializer};

use super::invalid;
use crate::wire::Fault;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Which password is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Wish {
    password_length: usize,
    exclude_characters: String,
    #[serde(deserialize_with = "unless")]
    exclude_lowercase: bool,
    #[serde(deserialize_with = "unless")]
    exclude_uppercase: bool,
    #[serde(deserialize_with = "unless")]
    exclude_numbers: bool,
    #[serde(deserialize_with = "unless")]
    exclude_punctuation: bool,
    #[serde(deserialize_with = "unless")]
    include_space: bool,
    require_each_included_type: Option<bool>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            password_length: 32,
            exclude_characters: String::new(),
            exclude_lowercase: false,
            exclude_uppercase: false,
            exclude_numbers: false,
            exclude_punctuation: false,
            include_space: false,
            require_each_included_type: None,
        }
    }
}

/// A flag, which a client may also send as null.
fn unless<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Wish {
    /// A password of this kind.
    ///
    /// # Errors
    /// `InvalidParameterException` when there is none.
    pub(super) fn password(&self) -> Result<String, Fault> {
        if !(1..=4096).contains(&self.password_length) {
            return Err(invalid("The password length must be between 1 and 4096."));
        }
        let types = self.types();
        let all: Vec<char> = types.iter().flatten().copied().collect();
        if all.is_empty() {
            return Err(invalid("The password cannot be generated: every character is excluded."));
        }
        let required = if self.require_each_included_type.unwrap_or(true) { types } else { Vec::new() };
        if required.len() > self.password_length {
            let least = required.len();
            return Err(invalid(format!(
                "Password length {} is too short based on the required types. Password length should be at least {least}.",
                self.password_length
            )));
        }
        let mut password: Vec<char> = required.iter().filter_map(|one| pick(one)).collect();
        while password.len() < self.password_length {
            password.extend(pick(&all));
        }
        shuffle(&mut password);
        Ok(password.into_iter().collect())
    }

    /// The kinds of characters that may occur, without those of which nothing is left.
    fn types(&self) -> Vec<Vec<char>> {
        let kinds = [
            (LOWER, !self.exclude_lowercase),
            (UPPER, !self.exclude_uppercase),
            (DIGITS, !self.exclude_numbers),
            (PUNCTUATION, !self.exclude_punctuation),
            (" ", self.include_space),
        ];
        let wanted = kinds.into_iter().filter(|(_, is_wanted)| *is_wanted);
        let left = wanted.map(|(all, _)| all.chars().filter(|one| !self.exclude_characters.contains(*one)).collect());
        left.filter(|one: &Vec<char>| !one.is_empty()).collect()
    }
}

fn pick(from: &[char]) -> Option<char> {
    from.get(rand::random_range(0..from.len().max(1))).copied()
}

/// Fisher and Yates's: every order is as likely as any other.
fn shuffle(characters: &mut [char]) {
    for last in (1..characters.len()).rev() {
        characters.swap(last, rand::random_range(0..=last));
    }
}

/// The six characters that the ARN of a secret ends with.
pub(super) fn suffix() -> String {
    let all: Vec<char> = [LOWER, UPPER, DIGITS].concat().chars().collect();
    (0..6).filter_map(|_| pick(&all)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn made(wish: Value) -> Result<String, Fault> {
        serde_json::from_value::<Wish>(wish).expect("it is a wish").password()
    }

    #[test]
    fn a_password_has_every_kind_that_it_may_have() {
        for _ in 0..200 {
            let password = made(json!({ "PasswordLength": 5, "IncludeSpace": true })).expect("there is one");
            for kind in [LOWER, UPPER, DIGITS, PUNCTUATION, " "] {
                assert!(password.chars().any(|one| kind.contains(one)), "{password:?} has none of {kind}");
            }
        }
        assert_eq!(made(json!({})).expect("there is one").len(), 32);
    }

    #[test]
    fn what_is_excluded_does_not_occur() {
        let wish = json!({
            "PasswordLength": 2000, "ExcludePunctuation": true, "ExcludeUppercase": true, "ExcludeCharacters": "abc012",
        });
        let password = made(wish).expect("there is one");
        assert!(password.chars().all(|one| "defghijklmnopqrstuvwxyz3456789".contains(one)), "{password}");
    }

    #[test]
    fn impossible_wishes_are_told() {
        for (wish, told) in [
            (json!({ "PasswordLength": 3 }), "should be at least 4"),
            (json!({ "PasswordLength": 0 }), "between 1 and 4096"),
            (json!({ "PasswordLength": 4097 }), "between 1 and 4096"),
            (
                json!({
                    "ExcludeLowercase": true, "ExcludeUppercase": true, "ExcludeNumbers": true, "ExcludePunctuation": true,
                }),
                "every character is excluded",
            ),
        ] {
            let fault = made(wish).expect_err(told);
            assert!(fault.message.contains(told), "{fault}");
        }
        let one = made(json!({ "PasswordLength": 1, "RequireEachIncludedType": false })).expect("nothing is required");
        assert_eq!(one.len(), 1);
    }

    #[test]
    fn passwords_and_suffixes_differ() {
        assert_ne!(made(json!({})), made(json!({})));
        assert_ne!(suffix(), suffix());
        assert_eq!(suffix().len(), 6);
    }
}
