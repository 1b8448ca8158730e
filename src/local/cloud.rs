//! What one account holds, and the handle through which every service reaches it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::local::gateway::Gateway;
use crate::local::runtime::Runtime;
use crate::local::{apigatewayv2, cloudformation, cognito, iam, lambda, logs, mail, s3, ssm};

/// Everything in one account and region: plain data, saved whole, so that what is on disk is always one moment.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// The one region, such as `us-east-1`.
    pub region: String,
    /// Roles and access keys.
    pub iam: iam::Iam,
    /// Stacks and change sets.
    pub cloudformation: cloudformation::Stacks,
    /// User pools.
    pub cognito: cognito::UserPools,
    /// Functions.
    pub lambda: lambda::Functions,
    /// HTTP APIs.
    pub apigatewayv2: apigatewayv2::Apis,
    /// Buckets and objects; contents are files beside the state.
    pub s3: s3::Buckets,
    /// Log groups; events are files beside the state.
    pub logs: logs::LogGroups,
    /// Parameters.
    pub ssm: ssm::Parameters,
    /// Messages that were sent.
    pub mail: mail::Mailbox,
}

/// A cheap handle on the running cloud.
#[derive(Debug, Clone)]
pub struct Cloud(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    account: Mutex<Account>,
    data: PathBuf,
    endpoint: String,
    runtime: Runtime,
    gateway: Gateway,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Cloud {
    /// A cloud whose state lives in `data` and that answers at `endpoint`.
    #[must_use]
    pub fn new(account: Account, data: PathBuf, endpoint: String) -> Self {
        Self(Arc::new(Shared {
            account: Mutex::new(account),
            data,
            endpoint,
            runtime: Runtime::default(),
            gateway: Gateway::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Looks at the account.
    pub fn read<T>(&self, look: impl FnOnce(&Account) -> T) -> T {
        look(&self.0.account.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the account, and saves it before it returns. What fails must leave the account as it was.
    ///
    /// # Errors
    /// Whatever `change` refuses.
    pub fn write<T, E>(&self, change: impl FnOnce(&mut Account) -> Result<T, E>) -> Result<T, E> {
        change(&mut self.0.account.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The cloud's clock.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    /// Folder of the state.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.0.data
    }

    /// The cloud's base URL, such as `http://127.0.0.1:4599`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// The function processes.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// What the data plane keeps in memory.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.0.gateway
    }

    /// Tasks that run beside requests, such as stack operations. They end when [`Cloud::stopping`] is cancelled.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Cancelled when the cloud shuts down.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stop
    }
}
