//! No more requests than the limits of a route let pass.

use std::time::Duration;

use tokio::time::Instant;

/// How much of a rate is used: others call the route too.
const SHARE: f64 = 0.8;

/// Most requests at once where a route has no burst, or a large one.
const MOST_AT_ONCE: f64 = 20.0;

/// Most requests a second of one door where nothing is said.
const USUAL_RATE: f64 = 50.0;

/// A bucket of tokens, as API Gateway keeps one for each route.
#[derive(Debug)]
pub(super) struct Pace {
    rate: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Pace {
    /// A pace below a rate, in requests a second, and a burst.
    pub(super) fn below(rate: Option<f64>, burst: Option<f64>, now: Instant) -> Self {
        let rate = (rate.unwrap_or(USUAL_RATE) * SHARE).clamp(0.05, USUAL_RATE);
        let burst = (burst.unwrap_or(MOST_AT_ONCE) * SHARE).clamp(1.0, MOST_AT_ONCE);
        Self { rate, burst, left: burst, at: now }
    }

    /// Takes a request out, and says how long it has to wait.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * self.rate).min(self.burst) - 1.0;
        self.at = now;
        if self.left >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.left / self.rate) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Pace;

    #[test]
    fn requests_stay_below_the_limits() {
        let start = Instant::now();
        let mut pace = Pace::below(Some(1.0), Some(5.0), start);
        let waits: Vec<Duration> = (0..6).map(|_| pace.wait(start)).collect();
        assert_eq!(waits[..4], [Duration::ZERO; 4], "a burst passes at once");
        assert!(waits[4] >= Duration::from_millis(1_200) && waits[5] > waits[4], "{waits:?}");
    }

    #[test]
    fn a_pause_fills_the_bucket_and_no_more() {
        let start = Instant::now();
        let mut pace = Pace::below(Some(2.0), Some(2.0), start);
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.wait(later), Duration::ZERO);
        assert!(pace.wait(later) > Duration::ZERO, "a burst of two has room for one and a half");
    }
}
