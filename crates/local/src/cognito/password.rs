//! What a password must look like.

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use serde::{Deserialize, Serialize};

use crate::cognito::fault::invalid;
use crate::wire::Fault;

/// Characters that count as symbols; a space counts too, where it is neither first nor last.
const SYMBOLS: &str = "^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+= ";

/// Longest password.
const LONGEST: usize = 256;

/// The rules for passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct PasswordPolicy {
    /// Fewest characters.
    pub(crate) minimum_length: usize,
    /// An upper-case letter is needed.
    pub(crate) require_uppercase: bool,
    /// A lower-case letter is needed.
    pub(crate) require_lowercase: bool,
    /// A digit is needed.
    pub(crate) require_numbers: bool,
    /// A symbol is needed.
    pub(crate) require_symbols: bool,
    /// So many former passwords may not be used again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_history_size: Option<usize>,
    /// Days for which a temporary password is good.
    pub(crate) temporary_password_validity_days: i64,
}

/// What is left out of a policy is not required. That differs from a pool that has no policy: see [`PasswordPolicy::of_a_new_pool`].
impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            minimum_length: 8,
            require_uppercase: false,
            require_lowercase: false,
            require_numbers: false,
            require_symbols: false,
            password_history_size: None,
            temporary_password_validity_days: 7,
        }
    }
}

impl PasswordPolicy {
    /// What holds in a pool that states no policy.
    pub(crate) fn of_a_new_pool() -> Self {
        Self {
            require_uppercase: true,
            require_lowercase: true,
            require_numbers: true,
            require_symbols: true,
            ..Self::default()
        }
    }

    /// Checks a password.
    pub(crate) fn check(&self, password: &str) -> Result<(), Fault> {
        plausible(password)?;
        let has = |kind: fn(char) -> bool| password.chars().any(kind);
        let rules = [
            (password.chars().count() >= self.minimum_length, "Password not long enough"),
            (!self.require_uppercase || has(char::is_uppercase), "Password must have uppercase characters"),
            (!self.require_lowercase || has(char::is_lowercase), "Password must have lowercase characters"),
            (!self.require_numbers || has(|c| c.is_ascii_digit()), "Password must have numeric characters"),
            (!self.require_symbols || has(|c| SYMBOLS.contains(c)), "Password must have symbol characters"),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, complaint)) => Err(nonconforming(complaint)),
            None => Ok(()),
        }
    }

    /// A password that the policy accepts, for users whom an administrator creates.
    pub(crate) fn temporary(&self) -> String {
        const KINDS: [&[u8]; 4] =
            [b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"abcdefghijkmnopqrstuvwxyz", b"23456789", b"!@#%&*?-_"];
        let mut random = rand::rng();
        let mut characters: Vec<u8> = KINDS.iter().filter_map(|kind| kind.choose(&mut random)).copied().collect();
        while characters.len() < self.minimum_length.clamp(10, LONGEST) {
            let kind = KINDS[random.random_range(0..KINDS.len())];
            characters.extend(kind.choose(&mut random));
        }
        characters.shuffle(&mut random);
        characters.into_iter().map(char::from).collect()
    }
}

/// `InvalidPasswordException`, as it names the rule.
pub(crate) fn nonconforming(complaint: &str) -> Fault {
    Fault::new("InvalidPasswordException", format!("Password did not conform with policy: {complaint}"))
}

/// What the service's interface demands of every password, whatever the policy.
fn plausible(password: &str) -> Result<(), Fault> {
    if password.chars().count() > LONGEST {
        return Err(violation("Member must have length less than or equal to 256"));
    }
    let edge = |c: Option<char>| c.is_some_and(char::is_whitespace);
    if edge(password.chars().next()) || edge(password.chars().next_back()) {
        return Err(violation("Member must satisfy regular expression pattern: ^[\\S]+.*[\\S]+$"));
    }
    Ok(())
}

fn violation(constraint: &str) -> Fault {
    invalid(format!("1 validation error detected: Value at 'password' failed to satisfy constraint: {constraint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(password: &str) -> String {
        PasswordPolicy::of_a_new_pool().check(password).map_or_else(|fault| fault.message, |()| String::new())
    }

    #[test]
    fn each_rule_is_named() {
        let prefix = "Password did not conform with policy: Password ";
        assert_eq!(complaint("Aa1!"), format!("{prefix}not long enough"));
        assert_eq!(complaint("aaaaaa1!"), format!("{prefix}must have uppercase characters"));
        assert_eq!(complaint("AAAAAA1!"), format!("{prefix}must have lowercase characters"));
        assert_eq!(complaint("AAAaaaa!"), format!("{prefix}must have numeric characters"));
        assert_eq!(complaint("AAAaaaa1"), format!("{prefix}must have symbol characters"));
        assert_eq!(complaint("AAAaaa1!"), "");
    }

    #[test]
    fn a_policy_requires_only_what_it_says() {
        let policy: PasswordPolicy = serde_json::from_str(r#"{"MinimumLength": 6}"#).expect("a policy");
        assert!(policy.check("secret").is_ok());
        assert!(policy.check("five5").is_err());
        assert_eq!(policy.check(" secret").map_err(|fault| fault.code), Err("InvalidParameterException".to_owned()));
    }

    #[test]
    fn a_temporary_password_conforms() {
        let policy = PasswordPolicy { minimum_length: 20, ..PasswordPolicy::of_a_new_pool() };
        for _ in 0..50 {
            assert!(policy.check(&policy.temporary()).is_ok());
        }
    }
}
