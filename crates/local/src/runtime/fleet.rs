//! The sandboxes that are alive, and how many invocations may run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::Launch;
use super::sandbox::Sandbox;
use crate::cloud::{Account, Cloud};
use crate::lambda;
use crate::process::Guard;
use crate::wire::Fault;

/// How long a sandbox waits for its next invocation.
const IDLE: Duration = Duration::from_secs(300);

/// How often sandboxes are looked over that nobody needs any more.
const ROUND: Duration = Duration::from_secs(5);

/// The processes that are alive, by function.
#[derive(Debug, Default)]
pub struct Runtime {
    fleets: Mutex<Fleets>,
    guard: Guard,
}

#[derive(Debug, Default)]
struct Fleets {
    by_function: BTreeMap<String, Fleet>,
    /// Invocations under way of functions without a reservation.
    unreserved: u32,
    /// Whether the housekeeping runs.
    kept: bool,
}

/// The sandboxes of one function.
#[derive(Debug, Default)]
struct Fleet {
    /// Those that wait; the one used last is used next, so that surplus ones age.
    idle: Vec<Idle>,
    /// Invocations under way.
    busy: u32,
}

#[derive(Debug)]
struct Idle {
    sandbox: Arc<Sandbox>,
    since: Instant,
}

/// The right to run one invocation, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    cloud: Cloud,
    function: String,
    is_reserved: bool,
    warm: Option<Arc<Sandbox>>,
}

impl Runtime {
    /// What keeps processes from outliving this one.
    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    fn fleets(&self) -> MutexGuard<'_, Fleets> {
        self.fleets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a place among the concurrent invocations, and a warm sandbox with it if one waits.
///
/// # Errors
/// `TooManyRequestsException` when the function's or the account's concurrency is used up.
pub(super) fn lease(cloud: &Cloud, launch: &Launch) -> Result<Lease, Fault> {
    let mut fleets = cloud.runtime().fleets();
    let unreserved = fleets.unreserved;
    let fleet = fleets.by_function.entry(launch.name.clone()).or_default();
    let is_reserved = match launch.reserved_concurrency {
        Some(most) if fleet.busy >= most => return Err(throttled()),
        None if unreserved >= launch.unreserved_concurrency => return Err(throttled()),
        reserved => reserved.is_some(),
    };
    let warm = fleet.take(launch);
    fleet.busy = fleet.busy.saturating_add(1);
    if !is_reserved {
        fleets.unreserved = unreserved.saturating_add(1);
    }
    Ok(Lease { cloud: cloud.clone(), function: launch.name.clone(), is_reserved, warm })
}

/// As AWS words it, whichever limit it was.
fn throttled() -> Fault {
    lambda::fault(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "Rate Exceeded.")
}

impl Fleet {
    /// The sandbox to use for a version. Those that run what the version was before are sent away.
    fn take(&mut self, launch: &Launch) -> Option<Arc<Sandbox>> {
        self.idle.retain(|idle| {
            let stays = idle.sandbox.is_alive()
                && (idle.sandbox.number() != launch.number || idle.sandbox.revision() == launch.version.revision);
            if !stays {
                idle.sandbox.retire();
            }
            stays
        });
        let index = self.idle.iter().rposition(|idle| idle.sandbox.number() == launch.number)?;
        Some(self.idle.remove(index).sandbox)
    }
}

impl Lease {
    /// The warm sandbox, if there was one.
    pub(super) fn take(&mut self) -> Option<Arc<Sandbox>> {
        self.warm.take()
    }

    /// Lets a sandbox wait for the next invocation.
    pub(super) fn park(&self, sandbox: Arc<Sandbox>) {
        let mut fleets = self.cloud.runtime().fleets();
        let idle = Idle { sandbox, since: Instant::now() };
        fleets.by_function.entry(self.function.clone()).or_default().idle.push(idle);
        if !fleets.kept {
            fleets.kept = true;
            self.cloud.tasks().spawn(keep_house(self.cloud.clone()));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut fleets = self.cloud.runtime().fleets();
        if let Some(fleet) = fleets.by_function.get_mut(&self.function) {
            fleet.busy = fleet.busy.saturating_sub(1);
        }
        if !self.is_reserved {
            fleets.unreserved = fleets.unreserved.saturating_sub(1);
        }
    }
}

/// Sends away, until the cloud stops, the sandboxes that have waited for long or whose version is gone.
async fn keep_house(cloud: Cloud) {
    let mut rounds = tokio::time::interval(ROUND);
    while cloud.stopping().run_until_cancelled(rounds.tick()).await.is_some() {
        let waiting = cloud.runtime().fleets().waiting();
        let surplus: Vec<Arc<Sandbox>> = cloud.read(|account| {
            let now = cloud.now();
            let is_needed = |sandbox: &Sandbox| is_current(account, sandbox) && !sandbox.is_stale(now);
            waiting.into_iter().filter(|sandbox| !is_needed(sandbox)).collect()
        });
        cloud.runtime().fleets().dismiss(&surplus);
    }
}

fn is_current(account: &Account, sandbox: &Sandbox) -> bool {
    let function = account.lambda.0.get(sandbox.function());
    let version = function.and_then(|function| function.version(sandbox.number()));
    version.is_some_and(|version| version.revision == sandbox.revision())
}

impl Fleets {
    fn waiting(&self) -> Vec<Arc<Sandbox>> {
        self.by_function.values().flat_map(|fleet| &fleet.idle).map(|idle| Arc::clone(&idle.sandbox)).collect()
    }

    /// Retires these and those that have waited for long; forgets functions that have none left.
    fn dismiss(&mut self, surplus: &[Arc<Sandbox>]) {
        for fleet in self.by_function.values_mut() {
            fleet.idle.retain(|idle| {
                let goes = idle.since.elapsed() > IDLE
                    || !idle.sandbox.is_alive()
                    || surplus.iter().any(|sandbox| Arc::ptr_eq(sandbox, &idle.sandbox));
                if goes {
                    idle.sandbox.retire();
                }
                !goes
            });
        }
        self.by_function.retain(|_, fleet| fleet.busy > 0 || !fleet.idle.is_empty());
    }
}
