//! What authorizers decided, for as long as it may be used again.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;

use super::store::{Store, Weighed};

/// The decisions `D` that authorizers `A` took, by API, stage, authorizer and identity.
#[derive(Debug)]
pub(super) struct Decisions<A, D>(Store<Kept<A, D>>);

#[derive(Debug)]
struct Kept<A, D> {
    decision: Arc<D>,
    /// As it was when it decided; a changed one decides anew.
    authorizer: A,
}

impl<A, D: Weighed> Weighed for Kept<A, D> {
    fn bytes(&self) -> usize {
        self.decision.bytes()
    }
}

impl<A, D> Default for Decisions<A, D> {
    fn default() -> Self {
        Self(Store::default())
    }
}

impl<A: Clone + PartialEq, D: Weighed> Decisions<A, D> {
    /// What this authorizer decided about an identity, where that still counts.
    pub(super) fn get(&self, key: &[String], authorizer: &A, now: OffsetDateTime) -> Option<Arc<D>> {
        let kept = self.0.get(key, now).filter(|kept| kept.authorizer == *authorizer)?;
        Some(Arc::clone(&kept.decision))
    }

    /// Keeps a decision from now on for so many seconds.
    pub(super) fn keep(&self, key: Vec<String>, authorizer: &A, decision: &Arc<D>, now: OffsetDateTime, seconds: u32) {
        let kept = Kept { decision: Arc::clone(decision), authorizer: authorizer.clone() };
        self.0.keep(key, kept, now, seconds);
    }

    /// Forgets every decision whose key begins so.
    pub(super) fn forget(&self, beginning: &[String]) {
        self.0.forget(beginning);
    }
}

/// A part of what an authorizer answered, kept as JSON text: read, it may take a hundred times as much memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said(Box<str>);

impl Said {
    pub(super) fn of(value: &Value) -> Self {
        Self(value.to_string().into())
    }

    /// The part as it was said.
    pub(super) fn read<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use time::{Duration, OffsetDateTime};

    use super::{Decisions, Said, Weighed};

    impl Weighed for bool {
        fn bytes(&self) -> usize {
            1
        }
    }

    #[test]
    fn what_is_said_is_kept_as_text() {
        let value = json!({ "a": vec![json!({ "": 0 }); 1_000], "b": 1.5, "c": "ü" });
        let said = Said::of(&value);
        assert_eq!(said.read::<Value>(), value);
        assert_eq!((said.bytes(), said.text()), (value.to_string().len(), value.to_string().as_str()));
    }

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
