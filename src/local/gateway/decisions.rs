//! What authorizers decided, for as long as it may be used again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// Where decisions beyond this number are first looked through for old ones.
const MANY: usize = 10_000;

/// The decisions `D` that authorizers `A` took, by API, stage, authorizer and identity.
#[derive(Debug)]
pub(super) struct Decisions<A, D>(Mutex<BTreeMap<Vec<String>, Kept<A, D>>>);

#[derive(Debug)]
struct Kept<A, D> {
    decision: Arc<D>,
    /// As it was when it decided; a changed one decides anew.
    authorizer: A,
    until: OffsetDateTime,
}

impl<A, D> Default for Decisions<A, D> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<A: Clone + PartialEq, D> Decisions<A, D> {
    /// What this authorizer decided about an identity, where that still counts.
    pub(super) fn get(&self, key: &[String], authorizer: &A, now: OffsetDateTime) -> Option<Arc<D>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = held.get(key).filter(|kept| now < kept.until && kept.authorizer == *authorizer)?;
        Some(Arc::clone(&kept.decision))
    }

    /// Keeps a decision from now on for so many seconds.
    pub(super) fn keep(&self, key: Vec<String>, authorizer: &A, decision: &Arc<D>, now: OffsetDateTime, seconds: u32) {
        let until = now + Duration::seconds(i64::from(seconds));
        let kept = Kept { decision: Arc::clone(decision), authorizer: authorizer.clone(), until };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MANY {
            held.retain(|_, kept| now < kept.until);
        }
        if held.len() < MANY {
            held.insert(key, kept);
        }
    }

    /// Forgets every decision whose key begins so.
    pub(super) fn forget(&self, beginning: &[String]) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|key, _| !key.starts_with(beginning));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::{Duration, OffsetDateTime};

    use super::Decisions;

    #[test]
    fn a_decision_counts_for_its_time_and_its_authorizer() {
        let decisions: Decisions<&str, bool> = Decisions::default();
        let key = |identity: &str| vec!["api".to_owned(), "stage".to_owned(), identity.to_owned()];
        let now = OffsetDateTime::UNIX_EPOCH;
        decisions.keep(key("a"), &"old", &Arc::new(true), now, 300);
        decisions.keep(key("b"), &"old", &Arc::new(false), now, 300);
        let known = |identity: &str, authorizer, seconds| {
            decisions.get(&key(identity), &authorizer, now + Duration::seconds(seconds)).map(|decision| *decision)
        };
        assert_eq!(known("a", "old", 299), Some(true));
        assert_eq!(known("b", "old", 299), Some(false));
        assert_eq!(known("a", "old", 300), None);
        assert_eq!(known("a", "new", 0), None);
        assert_eq!(known("c", "old", 0), None);
        decisions.forget(&["api".to_owned(), "other".to_owned()]);
        assert_eq!(known("a", "old", 0), Some(true));
        decisions.forget(&["api".to_owned(), "stage".to_owned()]);
        assert_eq!(known("a", "old", 0), None);
    }
}
