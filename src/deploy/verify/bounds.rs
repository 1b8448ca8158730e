//! What ends the work before its end: the user, and the time that it may take.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Ended;

/// How long it may go on.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<'a> {
    cancel: &'a CancellationToken,
    /// None where it lies beyond all that can be counted.
    deadline: Option<Instant>,
}

impl<'a> Bounds<'a> {
    /// Bounds that begin now.
    #[must_use]
    pub fn new(cancel: &'a CancellationToken, patience: Duration) -> Self {
        Self { cancel, deadline: Instant::now().checked_add(patience) }
    }

    /// Does a work unless it is interrupted, or time is over.
    ///
    /// # Errors
    /// What has ended it.
    pub async fn patiently<T>(&self, work: impl Future<Output = T>) -> Result<T, Ended> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Ended::Interrupted),
            () = self.over() => Err(Ended::TimedOut),
            done = work => Ok(done),
        }
    }

    async fn over(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::{Bounds, Ended};

    #[tokio::test]
    async fn whatever_goes_on_ends_with_the_time_or_the_user() {
        let cancel = CancellationToken::new();
        let short = Bounds::new(&cancel, Duration::from_millis(5));
        assert_eq!(short.patiently(pending::<()>()).await, Err(Ended::TimedOut));
        assert_eq!(short.patiently(ready(())).await, Err(Ended::TimedOut), "nothing is begun afterwards");
        let endless = Bounds::new(&cancel, Duration::MAX);
        assert_eq!(endless.patiently(ready(1)).await, Ok(1), "no clock reaches so far");
        cancel.cancel();
        assert_eq!(endless.patiently(pending::<()>()).await, Err(Ended::Interrupted));
    }
}
