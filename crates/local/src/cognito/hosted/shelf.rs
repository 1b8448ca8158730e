//! What the pages hand out for a few minutes, under names that nobody can guess.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::cognito::federation::Claims;
use crate::cognito::moment::{MINUTE, Moment};
use crate::cognito::token::Scopes;

/// All of it. It is no part of the account: it ends with the process, and what undoes a change to the account must not undo it.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// Codes for tokens.
    pub(crate) codes: Shelf<Code>,
    /// People who are away at another identity provider.
    pub(crate) trips: Shelf<Trip>,
    /// People whom a stand-in has just signed in.
    pub(crate) arrivals: Shelf<Arrival>,
}

/// Seconds for which a code can be exchanged.
pub(crate) const CODE: i64 = 5 * MINUTE;
/// Seconds in which somebody must be back from another identity provider.
pub(crate) const TRIP: i64 = 10 * MINUTE;

/// What a code stands for.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) pool: String,
    pub(crate) client: String,
    pub(crate) username: String,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Scopes,
    pub(crate) nonce: Option<String>,
    /// The S256 challenge that the verifier must meet.
    pub(crate) challenge: Option<String>,
    pub(crate) auth_time: Moment,
    /// The sign-in that its first use began: a second use means that it was stolen.
    pub(crate) spent: Option<Uuid>,
}

/// Somebody who is away at another identity provider.
#[derive(Debug, Clone)]
pub(crate) struct Trip {
    pub(crate) pool: String,
    pub(crate) provider: String,
    /// The application's request.
    pub(crate) query: String,
    /// Where the provider sends people back to.
    pub(crate) callback: String,
    /// Where the application is, which pages on the way may lead to.
    pub(crate) application: String,
    /// What the provider's identity token must repeat.
    pub(crate) nonce: String,
    /// Hash of the cookie of the browser that left.
    pub(crate) browser: String,
}

/// Somebody whom a stand-in has signed in.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) trip: String,
    pub(crate) claims: Claims,
}

/// Things by name, each until its time is over.
#[derive(Debug)]
pub(crate) struct Shelf<T>(Mutex<BTreeMap<String, (Moment, T)>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Shelf<T> {
    /// So many are kept at most; beyond that the oldest are forgotten.
    const MOST: usize = 10_000;

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, (Moment, T)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a thing for so many seconds, and names it.
    pub(crate) fn keep(&self, thing: T, seconds: i64, now: Moment) -> String {
        let name = Uuid::new_v4().to_string();
        let mut all = self.all();
        all.retain(|_, (until, _)| now < *until);
        if all.len() >= Self::MOST {
            let oldest = all.iter().min_by_key(|(_, (until, _))| *until).map(|(name, _)| name.clone());
            oldest.and_then(|name| all.remove(&name));
        }
        all.insert(name.clone(), (now.after(seconds), thing));
        name
    }

    /// A thing, which stays.
    pub(crate) fn look(&self, name: &str, now: Moment) -> Option<T> {
        self.all().get(name).filter(|(until, _)| now < *until).map(|(_, thing)| thing.clone())
    }

    /// A thing, which is gone then.
    pub(crate) fn take(&self, name: &str, now: Moment) -> Option<T> {
        self.all().remove(name).filter(|(until, _)| now < *until).map(|(_, thing)| thing)
    }
}

/// What comes of a code.
#[derive(Debug)]
pub(crate) enum Redeemed {
    /// Its first use.
    Fresh(Code),
    /// It was used before, by the client and for the sign-in that are named.
    Again(String, Uuid),
    /// Nobody knows it, or not any more.
    Never,
}

impl Shelf<Code> {
    /// Uses a code for a sign-in.
    pub(crate) fn redeem(&self, name: &str, origin: Uuid, now: Moment) -> Redeemed {
        let mut all = self.all();
        match all.get_mut(name).filter(|(until, _)| now < *until) {
            None => Redeemed::Never,
            Some((_, Code { spent: Some(first), client, .. })) => Redeemed::Again(client.clone(), *first),
            Some((_, code)) => {
                code.spent = Some(origin);
                Redeemed::Fresh(code.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_there_for_its_time_and_taken_once() {
        let (shelf, now) = (Shelf::default(), Moment::default());
        let name = shelf.keep("it", 60, now);
        assert_eq!(shelf.look(&name, now.after(59)), Some("it"));
        assert_eq!(shelf.look(&name, now.after(60)), None);
        assert_eq!((shelf.take(&name, now), shelf.take(&name, now)), (Some("it"), None));
        assert_eq!(shelf.take("another", now), None);
    }
}
