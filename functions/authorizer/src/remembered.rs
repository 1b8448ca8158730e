//! What an authorizer compares with, a secret or a set of keys, is kept elsewhere. It is remembered, asked for again
//! when it is old or seems to have changed, and used for a while longer when it cannot be asked for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// How long a value counts.
///
/// Times are those of the clock on the wall: a function that waits for its next call is frozen, and its own clock may
/// stand still with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a value is used without asking again.
    pub lifetime: Duration,
    /// How long a value is used when asking again fails.
    pub outage: Duration,
    /// How long nobody is asked again after it was in vain, so that wrong tokens do not become a load on others.
    pub pause: Duration,
}

/// Why a value could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It could not be asked for now: the value that is known still counts for a while.
    Unreachable,
    /// It is no more, or no longer for us: the value that is known counts no longer.
    Gone,
}

/// A value that is kept elsewhere, as it was last seen.
pub struct Remembered<T> {
    limits: Limits,
    state: Mutex<State<T>>,
    /// Held by whoever asks: the others wait for the answer instead of asking too.
    flight: tokio::sync::Mutex<()>,
}

struct State<T> {
    seen: Option<(Arc<T>, SystemTime)>,
    /// When it was last asked for in vain.
    vain: Option<SystemTime>,
    /// How often it was asked for.
    asked: u64,
}

impl<T> Remembered<T> {
    /// Nothing is known yet.
    pub fn new(limits: Limits) -> Self {
        let state = Mutex::new(State { seen: None, vain: None, asked: 0 });
        Self { limits, state, flight: tokio::sync::Mutex::new(()) }
    }

    /// The value, unless it is older than its lifetime.
    pub fn fresh(&self, now: SystemTime) -> Option<Arc<T>> {
        self.state().younger(self.limits.lifetime, now)
    }

    /// The value, unless it is older than an outage may last.
    pub fn usable(&self, now: SystemTime) -> Option<Arc<T>> {
        self.state().younger(self.limits.outage, now)
    }

    /// Asks for the value again, unless that was in vain a moment ago or somebody else has done it meanwhile.
    pub async fn refresh(&self, now: SystemTime, ask: impl Future<Output = Result<T, Lost>>) {
        let asked = self.state().asked;
        let _flight = self.flight.lock().await;
        if self.state().asked != asked || !self.may_ask(now) {
            return;
        }
        let answer = ask.await;
        self.state().take(answer, &self.limits, now);
    }

    /// An authorizer that knows nothing has nothing to do but to ask.
    fn may_ask(&self, now: SystemTime) -> bool {
        let paused = self.state().vain.is_some_and(|vain| within(self.limits.pause, vain, now));
        !paused || self.usable(now).is_none()
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn younger(&self, age: Duration, now: SystemTime) -> Option<Arc<T>> {
        let (value, seen) = self.seen.as_ref()?;
        within(age, *seen, now).then(|| Arc::clone(value))
    }

    /// Asking about a value that is fresh was for something that it does not have. The answer may have it; if it does
    /// not, the next one who misses something has to wait.
    fn take(&mut self, answer: Result<T, Lost>, limits: &Limits, now: SystemTime) {
        let was_fresh = self.younger(limits.lifetime, now).is_some();
        self.asked += 1;
        self.vain = (was_fresh || answer.is_err()).then_some(now);
        match answer {
            Ok(value) => self.seen = Some((Arc::new(value), now)),
            Err(Lost::Gone) => self.seen = None,
            Err(Lost::Unreachable) => {}
        }
    }
}

/// Whether less time has passed. A clock that was set back says nothing about it.
fn within(span: Duration, since: SystemTime, now: SystemTime) -> bool {
    now.duration_since(since).is_ok_and(|passed| passed < span)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::{Duration, SystemTime};

    use super::{Limits, Lost, Remembered};

    const LIMITS: Limits = Limits {
        lifetime: Duration::from_secs(300),
        outage: Duration::from_secs(3600),
        pause: Duration::from_secs(10),
    };

    /// A value elsewhere, and how often it was asked for.
    struct Elsewhere {
        remembered: Remembered<u8>,
        asked: Cell<usize>,
    }

    impl Elsewhere {
        fn new() -> Self {
            Self { remembered: Remembered::new(LIMITS), asked: Cell::new(0) }
        }

        async fn refresh(&self, second: u64, answer: Result<u8, Lost>) {
            let ask = async {
                self.asked.set(self.asked.get() + 1);
                answer
            };
            self.remembered.refresh(at(second), ask).await;
        }

        fn fresh(&self, second: u64) -> Option<u8> {
            self.remembered.fresh(at(second)).map(|value| *value)
        }

        fn usable(&self, second: u64) -> Option<u8> {
            self.remembered.usable(at(second)).map(|value| *value)
        }
    }

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + second)
    }

    #[tokio::test]
    async fn a_value_has_a_lifetime_and_outlives_an_outage() {
        let value = Elsewhere::new();
        assert_eq!((value.fresh(0), value.usable(0)), (None, None));
        value.refresh(0, Ok(1)).await;
        assert_eq!((value.fresh(299), value.fresh(300)), (Some(1), None));
        value.refresh(300, Err(Lost::Unreachable)).await;
        assert_eq!((value.usable(3_599), value.usable(3_600)), (Some(1), None));
    }

    #[tokio::test]
    async fn a_value_that_is_gone_is_forgotten() {
        let value = Elsewhere::new();
        value.refresh(0, Ok(1)).await;
        value.refresh(1, Err(Lost::Gone)).await;
        assert_eq!(value.usable(1), None);
    }

    #[tokio::test]
    async fn a_change_is_seen_at_once_and_misses_are_limited() {
        let value = Elsewhere::new();
        value.refresh(0, Ok(1)).await;
        value.refresh(0, Ok(2)).await;
        assert_eq!(value.fresh(0), Some(2), "the first to miss something asks at once");
        for second in 0..10 {
            value.refresh(second, Ok(3)).await;
        }
        assert_eq!((value.asked.get(), value.fresh(9)), (2, Some(2)));
        value.refresh(10, Ok(3)).await;
        assert_eq!((value.asked.get(), value.fresh(10)), (3, Some(3)));
    }

    #[tokio::test]
    async fn an_outage_is_not_asked_about_all_the_time() {
        let value = Elsewhere::new();
        value.refresh(0, Ok(1)).await;
        for second in 300..310 {
            value.refresh(second, Err(Lost::Unreachable)).await;
        }
        assert_eq!(value.asked.get(), 2);
    }

    #[tokio::test]
    async fn who_knows_nothing_asks_every_time() {
        let value = Elsewhere::new();
        for _ in 0..3 {
            value.refresh(0, Err(Lost::Unreachable)).await;
        }
        assert_eq!(value.asked.get(), 3);
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_makes_a_value_old() {
        let value = Elsewhere::new();
        value.refresh(100, Ok(1)).await;
        assert_eq!((value.fresh(99), value.usable(99)), (None, None));
    }

    #[tokio::test]
    async fn many_who_ask_at_once_ask_once() {
        let value = Elsewhere::new();
        let ask = || async {
            let slow = async {
                value.asked.set(value.asked.get() + 1);
                tokio::task::yield_now().await;
                Ok(1)
            };
            value.remembered.refresh(at(0), slow).await;
        };
        tokio::join!(ask(), ask(), ask());
        assert_eq!((value.asked.get(), value.fresh(0)), (1, Some(1)));
    }
}
