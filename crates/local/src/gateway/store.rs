//! What is kept for a while: in memory, within bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// Bytes that all that is kept of one kind takes together. What AWS has for it is larger, and best effort as well.
const ROOM: usize = 64 << 20;
/// About what a thing takes beside itself and what tells it apart.
const OVERHEAD: usize = 1_024;

/// Things of one kind, by what tells them apart: API and stage first.
#[derive(Debug)]
pub(super) struct Store<T>(Mutex<Held<T>>);

/// What takes memory.
pub(super) trait Weighed {
    /// About how many bytes it takes.
    fn bytes(&self) -> usize;
}

#[derive(Debug)]
struct Held<T> {
    entries: BTreeMap<Key, Entry<T>>,
    /// The keys of all entries, those that end soonest first.
    ends: BTreeSet<(OffsetDateTime, Key)>,
    bytes: usize,
}

type Key = Arc<[String]>;

#[derive(Debug)]
struct Entry<T> {
    thing: Arc<T>,
    until: OffsetDateTime,
    bytes: usize,
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self(Mutex::new(Held { entries: BTreeMap::new(), ends: BTreeSet::new(), bytes: 0 }))
    }
}

impl<T: Weighed> Store<T> {
    /// What is kept under this key, while it still counts.
    pub(super) fn get(&self, key: &[String], now: OffsetDateTime) -> Option<Arc<T>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.entries.get(key).filter(|entry| now < entry.until).map(|entry| Arc::clone(&entry.thing))
    }

    /// Keeps a thing from now on for so many seconds. Those that have ended or would end soonest make room for it.
    pub(super) fn keep(&self, key: Vec<String>, thing: T, now: OffsetDateTime, seconds: u32) {
        let until = now + Duration::seconds(i64::from(seconds));
        let bytes = OVERHEAD + thing.bytes() + key.iter().map(String::len).sum::<usize>();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&key);
        if bytes > ROOM {
            return;
        }
        held.make_room(bytes);
        held.insert(key.into(), Entry { thing: Arc::new(thing), until, bytes });
    }

    /// Forgets everything whose key begins so.
    pub(super) fn forget(&self, beginning: &[String]) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let following = held.entries.range::<[String], _>((Bound::Included(beginning), Bound::Unbounded));
        let below = following.map(|(key, _)| Arc::clone(key)).take_while(|key| key.starts_with(beginning));
        for key in below.collect::<Vec<_>>() {
            held.remove(&key);
        }
    }
}

impl<T> Held<T> {
    fn insert(&mut self, key: Key, entry: Entry<T>) {
        self.bytes += entry.bytes;
        self.ends.insert((entry.until, Arc::clone(&key)));
        self.entries.insert(key, entry);
    }

    fn remove(&mut self, key: &[String]) {
        if let Some((key, entry)) = self.entries.remove_entry(key) {
            self.bytes -= entry.bytes;
            self.ends.remove(&(entry.until, key));
        }
    }

    fn make_room(&mut self, bytes: usize) {
        while self.bytes + bytes > ROOM {
            let Some((_, soonest)) = self.ends.first().cloned() else { return };
            self.remove(&soonest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    /// Something that says how many bytes it takes.
    #[derive(Debug)]
    struct Thing(usize);

    impl Weighed for Thing {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    fn key(of: &[&str]) -> Vec<String> {
        of.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn a_thing_counts_for_its_time_and_until_it_is_forgotten() {
        let store = Store::default();
        store.keep(key(&["api", "stage", "a"]), Thing(1), NOW, 300);
        let counts = |of: &[&str], seconds| store.get(&key(of), NOW + Duration::seconds(seconds)).is_some();
        assert!(counts(&["api", "stage", "a"], 299));
        assert!(!counts(&["api", "stage", "a"], 300));
        assert!(!counts(&["api", "stage", "b"], 0));
        store.forget(&key(&["api", "other"]));
        assert!(counts(&["api", "stage", "a"], 0));
        store.forget(&key(&["api", "stage"]));
        assert!(!counts(&["api", "stage", "a"], 0));
    }

    #[test]
    fn what_ends_soonest_makes_room() {
        let store = Store::default();
        let half = ROOM / 2 - 2 * OVERHEAD;
        store.keep(key(&["soon"]), Thing(half), NOW, 60);
        store.keep(key(&["late"]), Thing(half), NOW, 600);
        store.keep(key(&["late"]), Thing(half), NOW, 600);
        let stands = |name: &str| store.get(&key(&[name]), NOW).is_some();
        assert!(stands("soon") && stands("late"), "a thing in the place of another takes no more room");
        store.keep(key(&["new"]), Thing(half), NOW, 300);
        assert!(!stands("soon") && stands("late") && stands("new"));
        store.keep(key(&["huge"]), Thing(ROOM), NOW, 900);
        assert!(!stands("huge") && stands("late") && stands("new"), "what has no room drives nothing out");
        let held = store.0.lock().expect("nobody has panicked");
        assert!(held.bytes <= ROOM, "{} bytes", held.bytes);
        assert_eq!(held.ends.len(), held.entries.len(), "whatever goes leaves both");
    }

    #[test]
    fn what_is_forgotten_is_what_begins_so() {
        let store = Store::default();
        let keys = [["api", "a", "x"], ["api", "b", "x"], ["api", "b", "y"], ["api", "ba", "x"], ["bpi", "b", "x"]];
        for of in keys {
            store.keep(key(&of), Thing(1), NOW, 300);
        }
        store.forget(&key(&["api", "b"]));
        let left: Vec<_> = keys.into_iter().filter(|of| store.get(&key(of), NOW).is_some()).collect();
        assert_eq!(left, [["api", "a", "x"], ["api", "ba", "x"], ["bpi", "b", "x"]]);
        let held = store.0.lock().expect("nobody has panicked");
        assert_eq!(held.ends.len(), left.len());
    }

    #[test]
    fn many_things_make_room_for_as_many_in_no_time() {
        let store = Store::default();
        let most = ROOM / OVERHEAD;
        for number in 0..2 * most {
            store.keep(key(&[&number.to_string()]), Thing(0), NOW, 300);
        }
        let held = store.0.lock().expect("nobody has panicked");
        assert!(held.bytes <= ROOM && held.entries.len() > most / 2, "{} things", held.entries.len());
    }
}
