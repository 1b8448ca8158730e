//! Spans of time, written with their unit.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// A span of time in whole seconds, written `90s`, `15m`, `1h` or `30d`; serialized as seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "u64")]
pub struct Duration(u64);

impl Duration {
    /// So many seconds.
    pub const fn seconds(count: u64) -> Self {
        Self(count)
    }

    /// So many minutes.
    pub const fn minutes(count: u64) -> Self {
        Self(count.saturating_mul(60))
    }

    /// So many hours.
    pub const fn hours(count: u64) -> Self {
        Self(count.saturating_mul(3_600))
    }

    /// So many days.
    pub const fn days(count: u64) -> Self {
        Self(count.saturating_mul(86_400))
    }

    /// Its length in seconds.
    pub const fn as_seconds(self) -> u64 {
        self.0
    }
}

impl From<Duration> for u64 {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
        match units.into_iter().find(|(length, _)| self.0 != 0 && self.0.is_multiple_of(*length)) {
            Some((length, unit)) => write!(f, "{}{unit}", self.0 / length),
            None => write!(f, "{}s", self.0),
        }
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse(&text).ok_or_else(|| match is_too_long(&text) {
            true => format!("`{text}` is too long\nwrite a shorter span of time"),
            false => {
                format!("`{text}` is not a span of time\nwrite a number and its unit: `90s`, `15m`, `1h` or `30d`")
            }
        })
    }
}

/// Whether only its number is beyond what can be counted.
fn is_too_long(text: &str) -> bool {
    let digit = |c: char| c.is_ascii_digit();
    parse(&format!("1{}", text.trim().trim_start_matches(digit))).is_some() && text.trim().starts_with(digit)
}

fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let count: u64 = digits.trim().parse().ok()?;
    let unit = match text.get(digits.len()..)?.trim() {
        "s" => Duration::seconds(1),
        "m" => Duration::minutes(1),
        "h" => Duration::hours(1),
        "d" => Duration::days(1),
        _ => return None,
    };
    count.checked_mul(unit.as_seconds()).map(Duration::seconds)
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A span of time with its unit: `90s`, `15m`, `1h` or `30d`.",
            "type": "string",
            "pattern": "^\\s*[0-9]+\\s*[smhd]\\s*$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(parse("1h"), Some(Duration::minutes(60)));
        assert_eq!(parse("30 d"), Some(Duration::days(30)));
        assert_eq!(parse("60"), None);
        assert_eq!(parse("m"), None);
        assert_eq!(parse("d 1d"), None);
    }

    #[test]
    fn a_duration_that_cannot_be_counted_is_shown_as_it_was_written() {
        for text in ["9999999999999999999d", "99999999999999999999 s"] {
            let refused = Duration::try_from(text.to_owned());
            assert!(refused.is_err_and(|message| message.starts_with(&format!("`{text}` is too long"))));
        }
    }

    #[test]
    fn a_duration_is_shown_in_its_largest_unit() {
        let shown = [Duration::seconds(90), Duration::seconds(3_600), Duration::days(2)].map(|it| it.to_string());
        assert_eq!(shown, ["90s", "1h", "2d"]);
    }
}
