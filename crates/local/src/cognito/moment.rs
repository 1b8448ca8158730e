//! Points in time, as Cognito counts them.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use time::OffsetDateTime;

/// Seconds in a minute.
pub(crate) const MINUTE: i64 = 60;
/// Seconds in an hour.
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// Seconds in a day.
pub(crate) const DAY: i64 = 24 * HOUR;

/// A point in time, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Moment(i64);

impl Moment {
    /// Whole seconds since 1970, as tokens have it.
    pub(crate) fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment, `seconds` later.
    pub(crate) fn after(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Seconds with a fraction, as the JSON protocol has it.
    pub(crate) fn json(self) -> Value {
        let whole = f64::from(i32::try_from(self.seconds()).unwrap_or(i32::MAX));
        let fraction = f64::from(i32::try_from(self.0.rem_euclid(1000)).unwrap_or_default()) / 1000.0;
        Number::from_f64(whole + fraction).map_or(Value::Null, Value::Number)
    }
}

impl From<OffsetDateTime> for Moment {
    fn from(at: OffsetDateTime) -> Self {
        Self(i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_sees_milliseconds() {
        let at = Moment(1_700_000_000_123);
        assert_eq!(at.json().to_string(), "1700000000.123");
        assert_eq!(at.after(HOUR).seconds(), 1_700_003_600);
    }
}
