//! How many requests may pass: token buckets.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

use crate::apigatewayv2::{RouteSettings, Stage};

/// Where buckets beyond this number are first looked through for full ones.
const MANY: usize = 10_000;

/// The buckets of all that is throttled, by what names it: an API, its stage, a route, a usage plan, a key.
#[derive(Debug, Default)]
pub(super) struct Throttles(Mutex<BTreeMap<Vec<String>, Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: OffsetDateTime,
    limit: Limit,
}

/// A steady rate, and how many requests may come at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limit {
    rate: f64,
    burst: f64,
}

impl Limit {
    /// The limit that a stage has for a route: the route's own, else that of all routes.
    pub(super) fn of_route(stage: &Stage, route: &str) -> Option<Self> {
        let stated = |it: &RouteSettings| Self::stated(it.throttling_rate_limit, it.throttling_burst_limit);
        stage.route_settings.get(route).and_then(stated).or_else(|| stated(&stage.default_route_settings))
    }

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
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        buckets.entry(key).or_insert(Bucket::full(limit, now)).take(limit, now)
    }
}

impl Bucket {
    fn full(limit: Limit, now: OffsetDateTime) -> Self {
        Self { tokens: limit.burst, filled: now, limit }
    }

    fn level(&self, now: OffsetDateTime) -> f64 {
        let elapsed = (now - self.filled).as_seconds_f64().max(0.0);
        elapsed.mul_add(self.limit.rate, self.tokens).min(self.limit.burst)
    }

    /// A full bucket is as good as a new one.
    fn is_full(&self, now: OffsetDateTime) -> bool {
        self.level(now) >= self.limit.burst
    }

    fn take(&mut self, limit: Limit, now: OffsetDateTime) -> bool {
        self.limit = limit;
        self.tokens = self.level(now);
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

    use super::{Bucket, Limit, MANY, Throttles};

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let limit = Limit { rate: 2.0, burst: 3.0 };
        let mut bucket = Bucket::full(limit, start);
        let admitted = (0..5).filter(|_| bucket.take(limit, start)).count();
        assert_eq!(admitted, 3);
        assert!(bucket.take(limit, start + Duration::milliseconds(500)));
        assert!(!bucket.take(limit, start + Duration::milliseconds(600)));
        let later = start + Duration::hours(1);
        assert_eq!((0..5).filter(|_| bucket.take(limit, later)).count(), 3);
    }

    #[test]
    fn only_full_buckets_are_forgotten() {
        let throttles = Throttles::default();
        let slow = Limit { rate: 0.001, burst: 1.0 };
        let quick = Limit { rate: 1_000.0, burst: 1.0 };
        let start = OffsetDateTime::UNIX_EPOCH;
        let key = |name: &str| vec![name.to_owned()];
        assert!(throttles.admit(key("slow"), slow, start));
        for number in 0..=MANY {
            throttles.admit(key(&number.to_string()), quick, start);
        }
        let later = start + Duration::minutes(5);
        assert!(!throttles.admit(key("slow"), slow, later), "it is still empty");
        assert!(throttles.0.lock().expect("nobody has panicked").len() <= 2);
    }

    #[test]
    fn a_rate_of_nothing_lets_nothing_pass() {
        let limit = Limit { rate: 0.0, burst: 0.0 };
        let mut bucket = Bucket::full(limit, OffsetDateTime::UNIX_EPOCH);
        assert!(!bucket.take(limit, OffsetDateTime::UNIX_EPOCH + Duration::hours(1)));
    }
}
