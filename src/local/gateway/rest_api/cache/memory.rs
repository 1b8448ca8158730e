//! Where answers are kept: in memory, within bounds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use crate::local::gateway::answer::Answer;

/// Bytes that the caches of all stages take together. Those of AWS are larger, and best effort as well.
const ROOM: usize = 64 << 20;
/// About what an answer takes beside its body and what tells it apart.
const OVERHEAD: usize = 1_024;

/// The answers of all stages, by what tells them apart: API and stage first.
#[derive(Debug, Default)]
pub(in crate::local::gateway) struct Caches(Mutex<Held>);

/// An answer that may be given again.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) answer: Answer,
    /// How the function spelled the names of its headers.
    pub(super) spelling: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Held {
    entries: BTreeMap<Vec<String>, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    kept: Arc<Kept>,
    until: OffsetDateTime,
    bytes: usize,
}

impl Caches {
    /// The answer that is kept under this key, while it still counts.
    pub(super) fn get(&self, key: &[String], now: OffsetDateTime) -> Option<Arc<Kept>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.entries.get(key).filter(|entry| now < entry.until).map(|entry| Arc::clone(&entry.kept))
    }

    /// Keeps an answer from now on for so many seconds. Those that would end soonest make room for it.
    pub(super) fn keep(&self, key: Vec<String>, kept: Kept, now: OffsetDateTime, seconds: u32) {
        let until = now + Duration::seconds(i64::from(seconds));
        let bytes = kept.size() + key.iter().map(String::len).sum::<usize>();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&key);
        held.make_room(bytes, now);
        held.bytes += bytes;
        held.entries.insert(key, Entry { kept: Arc::new(kept), until, bytes });
    }

    /// Forgets every answer whose key begins so.
    pub(in crate::local::gateway) fn forget(&self, beginning: &[String]) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|key, _| !key.starts_with(beginning));
    }
}

impl Kept {
    fn size(&self) -> usize {
        let headers = self.answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        OVERHEAD + self.answer.body.len() + headers.sum::<usize>()
    }
}

impl Held {
    fn remove(&mut self, key: &[String]) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    fn retain(&mut self, mut stays: impl FnMut(&[String], &Entry) -> bool) {
        self.entries.retain(|key, entry| stays(key, entry));
        self.bytes = self.entries.values().map(|entry| entry.bytes).sum();
    }

    fn make_room(&mut self, bytes: usize, now: OffsetDateTime) {
        if self.bytes + bytes > ROOM {
            self.retain(|_, entry| now < entry.until);
        }
        while self.bytes + bytes > ROOM {
            let soonest = self.entries.iter().min_by_key(|(_, entry)| entry.until).map(|(key, _)| key.clone());
            let Some(key) = soonest else { return };
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn key(of: &[&str]) -> Vec<String> {
        of.iter().map(|part| (*part).to_owned()).collect()
    }

    fn kept(size: usize) -> Kept {
        let body = Bytes::from(vec![b'x'; size]);
        Kept { answer: Answer { status: StatusCode::OK, headers: HeaderMap::new(), body }, spelling: BTreeMap::new() }
    }

    #[test]
    fn an_answer_counts_for_its_time_and_until_it_is_forgotten() {
        let caches = Caches::default();
        caches.keep(key(&["api", "stage", "a"]), kept(1), NOW, 300);
        let counts = |of: &[&str], seconds| caches.get(&key(of), NOW + Duration::seconds(seconds)).is_some();
        assert!(counts(&["api", "stage", "a"], 299));
        assert!(!counts(&["api", "stage", "a"], 300));
        assert!(!counts(&["api", "stage", "b"], 0));
        caches.forget(&key(&["api", "other"]));
        assert!(counts(&["api", "stage", "a"], 0));
        caches.forget(&key(&["api", "stage"]));
        assert!(!counts(&["api", "stage", "a"], 0));
    }

    #[test]
    fn what_ends_soonest_makes_room() {
        let caches = Caches::default();
        let half = ROOM / 2 - 2 * OVERHEAD;
        caches.keep(key(&["soon"]), kept(half), NOW, 60);
        caches.keep(key(&["late"]), kept(half), NOW, 600);
        caches.keep(key(&["late"]), kept(half), NOW, 600);
        let stands = |name: &str| caches.get(&key(&[name]), NOW).is_some();
        assert!(stands("soon") && stands("late"), "an answer in the place of another takes no more room");
        caches.keep(key(&["new"]), kept(half), NOW, 300);
        assert!(!stands("soon") && stands("late") && stands("new"));
        let held = caches.0.lock().expect("nobody has panicked");
        assert!(held.bytes <= ROOM, "{} bytes", held.bytes);
    }
}
