//! Asynchronous invocations: accepted at once, tried again when they fail.

use std::time::Duration;

use tokio::time::sleep;

use super::{Call, Invocation, Log};
use crate::cloud::Cloud;
use crate::lambda::Functions;
use crate::wire::Fault;

/// What Lambda waits before it tries a failed event again.
const RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// How long an event that finds no free place is kept.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// Accepts an event. Events that have not run when the cloud stops are lost.
///
/// # Errors
/// `ResourceNotFoundException` when there is no such function.
pub(crate) fn enqueue(cloud: &Cloud, call: Call) -> Result<(), Fault> {
    cloud.read(|account| Functions::find(account, &call.target, 0.0).map(drop))?;
    let cloud = cloud.clone();
    let stopping = cloud.stopping().clone();
    cloud.tasks().clone().spawn(async move {
        stopping.run_until_cancelled(deliver(&cloud, Call { log: Log::None, ..call })).await;
    });
    Ok(())
}

async fn deliver(cloud: &Cloud, call: Call) {
    for pause in RETRIES.into_iter().map(Some).chain([None]) {
        match (admitted(cloud, &call).await, pause) {
            (Ok(invocation), Some(pause)) if invocation.function_error.is_some() => sleep(pause).await,
            _ => return,
        }
    }
}

/// Invokes the function as soon as its concurrency allows, asking less and less often.
async fn admitted(cloud: &Cloud, call: &Call) -> Result<Invocation, Fault> {
    let (mut pause, mut waited) = (Duration::from_secs(1), Duration::ZERO);
    loop {
        match super::call(cloud, call.clone()).await {
            Err(fault) if fault.code == "TooManyRequestsException" && waited < LONGEST_WAIT => {
                sleep(pause).await;
                waited += pause;
                pause = (pause * 2).min(Duration::from_secs(300));
            }
            outcome => return outcome,
        }
    }
}
