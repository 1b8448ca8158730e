//! The one place that knows dynoxide: a DynamoDB in a SQLite file.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use dynoxide::{Database, DynoxideError};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cloud::private_file;
use crate::wire::{Fault, Unsaved};

/// The items of all tables. A cheap handle: the file is opened when it is first needed.
#[derive(Clone)]
pub(crate) struct Store {
    path: PathBuf,
    opened: Arc<Mutex<Option<Database>>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Why DynamoDB refuses something. Some errors carry more than a code and a message: an item, the reasons of a
/// transaction.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{fault}")]
pub(crate) struct Refusal {
    pub(crate) fault: Fault,
    /// The whole answer.
    pub(crate) body: Value,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let service = match fault.code.as_str() {
            "ValidationException" => "com.amazon.coral.validate",
            "SerializationException" | "UnknownOperationException" => "com.amazon.coral.service",
            _ => "com.amazonaws.dynamodb.v20120810",
        };
        let body = json!({ "__type": format!("{service}#{}", fault.code), "message": fault.message });
        Self { fault, body }
    }
}

impl From<Unsaved> for Refusal {
    fn from(unsaved: Unsaved) -> Self {
        Fault::from(unsaved).into()
    }
}

impl From<DynoxideError> for Refusal {
    fn from(error: DynoxideError) -> Self {
        let kind = error.error_type();
        let code = kind.rsplit('#').next().unwrap_or(kind);
        let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let fault = Fault::new(code, error.to_string()).with_status(status);
        match serde_json::from_str(&error.to_json()) {
            Ok(body) => Self { fault, body },
            Err(_) => fault.into(),
        }
    }
}

/// A table from the names of operations to the methods that do them.
macro_rules! operations {
    ($($name:literal => $method:ident,)*) => {
        /// The operations that the database does by itself.
        pub(super) const OPERATIONS: &[&str] = &[$($name),*];

        fn perform(database: &Database, operation: &str, request: Value) -> Result<Value, Refusal> {
            match operation {
                $($name => read(request).and_then(|request| written(database.$method(request)?)),)*
                other => return Err(Fault::unknown_operation("dynamodb", other).into()),
            }
            .map_err(|error| refused(error, operation))
        }
    };
}

operations! {
    "BatchExecuteStatement" => batch_execute_statement,
    "BatchGetItem" => batch_get_item,
    "BatchWriteItem" => batch_write_item,
    "CreateTable" => create_table,
    "DeleteItem" => delete_item,
    "DeleteTable" => delete_table,
    "DescribeStream" => describe_stream,
    "DescribeTable" => describe_table,
    "DescribeTimeToLive" => describe_time_to_live,
    "ExecuteStatement" => execute_statement,
    "ExecuteTransaction" => execute_transaction,
    "GetItem" => get_item,
    "GetRecords" => get_records,
    "GetShardIterator" => get_shard_iterator,
    "ListStreams" => list_streams,
    "ListTables" => list_tables,
    "ListTagsOfResource" => list_tags_of_resource,
    "PutItem" => put_item,
    "Query" => query,
    "Scan" => scan,
    "TagResource" => tag_resource,
    "TransactGetItems" => transact_get_items,
    "TransactWriteItems" => transact_write_items,
    "UntagResource" => untag_resource,
    "UpdateItem" => update_item,
    "UpdateTable" => update_table,
    "UpdateTimeToLive" => update_time_to_live,
}

impl Store {
    /// The store of the cloud whose state lies in this folder.
    pub(crate) fn of(data: &Path) -> Self {
        Self { path: data.join("dynamodb.sqlite"), opened: Arc::default() }
    }

    /// Whether anything has been stored.
    pub(super) fn is_there(&self) -> bool {
        self.path.exists()
    }

    /// Does one operation.
    pub(super) fn run(&self, operation: &str, request: Value) -> Result<Value, Refusal> {
        perform(&self.database()?, operation, request)
    }

    /// The names of all tables.
    pub(super) fn tables(&self) -> Result<BTreeSet<String>, Refusal> {
        let stats = self.database()?.table_stats()?;
        Ok(stats.into_iter().map(|table| table.table_name).collect())
    }

    /// Removes a table if it is there, whatever protects it.
    pub(super) fn forget(&self, table: &str) -> Result<(), Refusal> {
        if !self.tables()?.contains(table) {
            return Ok(());
        }
        self.run("UpdateTable", json!({ "TableName": table, "DeletionProtectionEnabled": false }))?;
        self.run("DeleteTable", json!({ "TableName": table })).map(drop)
    }

    /// Removes the items whose time is over, if there can be any.
    pub(super) fn expire(&self) -> Result<(), Refusal> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match opened {
            Some(database) => Ok(database.sweep_ttl().map(drop)?),
            None => Ok(()),
        }
    }

    fn database(&self) -> Result<Database, Refusal> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = &*opened {
            return Ok(database.clone());
        }
        let database = self.open()?;
        *opened = Some(database.clone());
        Ok(database)
    }

    /// SQLite gives the files beside the database the mode of the database itself.
    fn open(&self) -> Result<Database, Refusal> {
        private_file(&self.path).map_err(|error| unusable(&self.path, &error.to_string()))?;
        let database = Database::new(&self.path.to_string_lossy())?;
        // What has been written stays when the process is killed; waiting for the disk would guard against power
        // failures only, as with the account's file.
        database.disable_bulk_loading()?;
        Ok(database)
    }
}

fn unusable(path: &Path, error: &str) -> Refusal {
    let message = format!("`{}` cannot be used: {error}", path.display());
    Fault::new("InternalServerError", message).with_status(StatusCode::INTERNAL_SERVER_ERROR).into()
}

/// Makes an error of one kind from its message.
type Worded = fn(String) -> DynoxideError;

/// What marks the kind of an error in what dynoxide says of a request that it cannot read.
const MARKS: &[(&str, Worded)] = &[
    ("VALIDATION_REQUEST:", DynoxideError::EnvelopedValidation),
    ("VALIDATION_AS_READ:", DynoxideError::ValidationException),
    ("VALIDATION:", DynoxideError::ValidationException),
    ("SERIALIZATION_AS_READ:", DynoxideError::SerializationException),
    ("SERIALIZATION:", DynoxideError::SerializationException),
];

fn read<T: DeserializeOwned>(request: Value) -> Result<T, DynoxideError> {
    serde_json::from_value(request).map_err(|error| {
        let told = error.to_string();
        let marked = MARKS.iter().find_map(|(mark, kind)| Some((*kind, told.strip_prefix(mark)?.to_owned())));
        marked.map_or_else(|| unmarked(told.clone()), |(kind, message)| kind(message))
    })
}

/// A member that is missing or no legal word is invalid; one of another type cannot be read.
fn unmarked(told: String) -> DynoxideError {
    const INVALID: &[&str] = &["missing field", "unknown variant", "invalid type: null", "AttributeValue"];
    if INVALID.iter().any(|part| told.contains(part)) {
        DynoxideError::ValidationException(told)
    } else {
        DynoxideError::SerializationException(told)
    }
}

/// Operations on one item count what is wrong with a request; others say it as it is.
fn refused(error: DynoxideError, operation: &str) -> Refusal {
    match error {
        DynoxideError::EnvelopedValidation(message) if matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem") => {
            DynoxideError::ValidationException(format!("1 validation error detected: {message}")).into()
        }
        other => other.into(),
    }
}

fn written(answer: impl Serialize) -> Result<Value, DynoxideError> {
    serde_json::to_value(answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}
