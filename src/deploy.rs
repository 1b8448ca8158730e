//! Deployment through AWS's API: publish, change set, events, diagnosis, outputs, destroy; users and calls.
//!
//! Nothing here prints or asks. What goes on is told to a [`Listener`] as [`Progress`]; what must be decided is returned
//! to the caller. The local cloud is reached as AWS is: through the SDK, with an endpoint URL.

pub mod api;
pub mod aws;
pub mod change_set;
pub mod destroy;
pub mod diagnosis;
pub mod gate;
pub mod oauth;
pub mod operation;
pub mod shell;
mod srp;
pub mod stack;
pub mod steps;
pub mod store;
pub mod tokens;
pub mod users;
pub mod verify;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::assembly::Protection;

/// One stack, ready to be deployed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unit {
    /// Name of the stack.
    pub stack: String,
    /// Its template, JSON text.
    pub template: String,
    /// Values of the template's parameters; one that is absent keeps its deployed value, or its default.
    pub parameters: BTreeMap<String, String>,
    /// Tags of the stack, which CloudFormation hands on to its resources.
    pub tags: BTreeMap<String, String>,
    /// Whether CloudFormation is to refuse to delete it; when absent, that stays as it is.
    pub protection: Option<Protection>,
    /// Files that the template expects in the bucket.
    pub assets: Vec<Asset>,
}

/// A file that must lie in the bucket before a stack is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The file.
    pub path: PathBuf,
    /// Its key, which changes when its content does.
    pub key: String,
    /// What people call it, such as the id of the function.
    pub name: String,
}

/// Who is told what goes on.
pub type Listener<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// What goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A stack is left alone until the operation that runs on it has ended.
    Waiting {
        /// Name of the stack.
        stack: String,
        /// Its status.
        status: String,
    },
    /// An asset is being uploaded.
    Uploading {
        /// Name of the asset.
        name: String,
        /// Its size in bytes.
        size: u64,
    },
    /// An asset is in the bucket.
    Uploaded {
        /// Name of the asset.
        name: String,
    },
    /// CloudFormation works out what would change.
    Comparing {
        /// Name of the stack.
        stack: String,
    },
    /// An operation on a stack begins.
    Started {
        /// Name of the stack.
        stack: String,
        /// How many resources it will touch, as far as is known.
        resources: usize,
    },
    /// Something happened to a resource, or to the stack itself.
    Event(operation::Event),
    /// The operation is being cancelled, at the user's wish.
    Cancelling {
        /// What was asked of CloudFormation.
        how: Cancellation,
    },
    /// The operation on the stack has ended.
    Ended {
        /// Name of the stack.
        stack: String,
        /// Its status.
        status: String,
    },
}

/// How an operation can be stopped halfway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// An update is cancelled: CloudFormation rolls back to what was deployed before.
    RollBack,
    /// The first creation cannot be cancelled, so the stack is deleted.
    Delete,
    /// What runs cannot be stopped: a deletion or a rollback.
    Impossible,
    /// A change set that nobody executed is taken back as soon as it is worked out.
    Discard,
}
