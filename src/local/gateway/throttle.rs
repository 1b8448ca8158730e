//! How many requests may pass: token buckets.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

/// Where buckets beyond this number are first looked through for full ones.
const MANY: usize = 10_000;

/// The buckets of all that is throttled, by what names it: an API, its stage, a route, a usage plan, a key.
#[derive(Debug, Default)]
pub(super) struct Throttles(Mutex<BTreeMap<Vec<String>, Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: OffsetDateTime,
}

/// A steady rate, and how many requests may come at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limit {
    rate: f64,
    burst: f64,
}

impl Limit {
    /// The limit of these numbers; one that is left out takes the account's default.
    pub(super) fn stated(rate: Option<f64>, burst: Option<u32>) -> Option<Self> {
        (rate.is_some() || burst.is_some())
            .then(|| Self { rate: rate.unwrap_or(10_000.0), burst: burst.map_or(5_000.0, f64::from) })
    }
}

impl Throttles {
    /// Takes one token from the bucket of this key; false when there is none.
    pub(super) fn admit(&self, key: Vec<String>, limit: Limit, now: OffsetDateTime) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > MANY {
            buckets.retain(|_, bucket| (now - bucket.filled).whole_seconds() < 60);
        }
        buckets.entry(key).or_insert(Bucket { tokens: limit.burst, filled: now }).take(limit, now)
    }
}

impl Bucket {
    fn take(&mut self, limit: Limit, now: OffsetDateTime) -> bool {
        let elapsed = (now - self.filled).as_seconds_f64().max(0.0);
        self.tokens = elapsed.mul_add(limit.rate, self.tokens).min(limit.burst);
        self.filled = now;
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, OffsetDateTime};

    use super::{Bucket, Limit};

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let limit = Limit { rate: 2.0, burst: 3.0 };
        let mut bucket = Bucket { tokens: limit.burst, filled: start };
        let admitted = (0..5).filter(|_| bucket.take(limit, start)).count();
        assert_eq!(admitted, 3);
        assert!(bucket.take(limit, start + Duration::milliseconds(500)));
        assert!(!bucket.take(limit, start + Duration::milliseconds(600)));
        let later = start + Duration::hours(1);
        assert_eq!((0..5).filter(|_| bucket.take(limit, later)).count(), 3);
    }

    #[test]
    fn a_rate_of_nothing_lets_nothing_pass() {
        let limit = Limit { rate: 0.0, burst: 0.0 };
        let mut bucket = Bucket { tokens: 0.0, filled: OffsetDateTime::UNIX_EPOCH };
        assert!(!bucket.take(limit, OffsetDateTime::UNIX_EPOCH + Duration::hours(1)));
    }
}
