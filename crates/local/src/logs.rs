//! The log groups of an account. Groups and streams are state; events are files, one a stream, one line an event.

pub(crate) mod api;
pub(crate) mod deeds;
mod events;
mod resources;

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::cloud::{Account, Cloud};
use crate::wire::Fault;
pub(crate) use events::Event;
pub(crate) use resources::RESOURCE_TYPES;

/// The log groups of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogGroups {
    /// Groups by name.
    pub groups: BTreeMap<String, LogGroup>,
}

/// A log group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogGroup {
    /// Folder of its events: never used again, though the name may be.
    pub id: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Days that events are kept; for ever when absent.
    pub retention: Option<u32>,
    /// `STANDARD` and the like.
    pub class: String,
    /// Key that encrypts it, which nothing here does.
    pub kms_key: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Streams by name.
    pub streams: BTreeMap<String, LogStream>,
}

/// A log stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogStream {
    /// File of its events.
    pub id: String,
    /// Milliseconds since 1970.
    pub created: i64,
}

impl LogGroups {
    pub(crate) fn create(&mut self, name: &str, now: OffsetDateTime) -> Result<&mut LogGroup, Fault> {
        check_name("logGroupName", name, 512, |c| c.is_ascii_alphanumeric() || ".-_/#".contains(c))?;
        if self.groups.contains_key(name) {
            return Err(Fault::new("ResourceAlreadyExistsException", "The specified log group already exists"));
        }
        let (id, created) = (fresh_id(), milliseconds(now));
        let group = LogGroup { id, created, class: "STANDARD".to_owned(), ..LogGroup::default() };
        Ok(self.groups.entry(name.to_owned()).or_insert(group))
    }

    pub(crate) fn group(&self, name: &str) -> Result<&LogGroup, Fault> {
        self.groups.get(name).ok_or_else(no_group)
    }

    pub(crate) fn group_mut(&mut self, name: &str) -> Result<&mut LogGroup, Fault> {
        self.groups.get_mut(name).ok_or_else(no_group)
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<LogGroup, Fault> {
        self.groups.remove(name).ok_or_else(no_group)
    }
}

impl LogGroup {
    pub(crate) fn create_stream(&mut self, name: &str, now: OffsetDateTime) -> Result<(), Fault> {
        check_name("logStreamName", name, 512, |c| !matches!(c, ':' | '*') && !c.is_control())?;
        if self.streams.contains_key(name) {
            return Err(Fault::new("ResourceAlreadyExistsException", "The specified log stream already exists"));
        }
        self.streams.insert(name.to_owned(), LogStream { id: fresh_id(), created: milliseconds(now) });
        Ok(())
    }

    pub(crate) fn stream(&self, name: &str) -> Result<&LogStream, Fault> {
        let message = "The specified log stream does not exist.";
        self.streams.get(name).ok_or_else(|| Fault::new("ResourceNotFoundException", message))
    }

    /// Keeps events for so many days, of which AWS offers a choice.
    pub(crate) fn retain(&mut self, days: u32) -> Result<(), Fault> {
        const CHOICE: &[u32] =
            &[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
        if !CHOICE.contains(&days) {
            let message = format!(
                "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: {CHOICE:?}"
            );
            return Err(Fault::new("InvalidParameterException", message));
        }
        self.retention = Some(days);
        Ok(())
    }

    /// ARN of a group, without the `:*` that stands for its streams.
    pub(crate) fn arn(account: &Account, name: &str) -> String {
        format!("arn:aws:logs:{}:{}:log-group:{name}", account.region, account.id)
    }
}

/// Appends lines to a stream of a group, making the stream, and the group too when it is missing, as Lambda does.
pub(crate) fn append(cloud: &Cloud, group: &str, stream: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let now = milliseconds(cloud.now());
    let events: Vec<Event> =
        lines.iter().map(|line| Event { time: now, ingested: now, message: line.clone(), place: 0 }).collect();
    let appended = place(cloud, group, stream)
        .and_then(|(group, stream)| events::append(cloud.data(), &group, &stream, &events).map_err(unwritable));
    if let Err(error) = appended {
        tracing::warn!(group, stream, %error, "log lines are lost");
    }
}

/// Where the events of a stream are, which is made when it is missing.
fn place(cloud: &Cloud, group: &str, stream: &str) -> Result<(String, String), Fault> {
    let find = |account: &Account| {
        let group = account.logs.groups.get(group)?;
        Some((group.id.clone(), group.streams.get(stream)?.id.clone()))
    };
    if let Some(found) = cloud.read(find) {
        return Ok(found);
    }
    let now = cloud.now();
    cloud.write(|account| {
        if !account.logs.groups.contains_key(group) {
            account.logs.create(group, now)?;
        }
        let held = account.logs.group_mut(group)?;
        if !held.streams.contains_key(stream) {
            held.create_stream(stream, now)?;
        }
        Ok((held.id.clone(), held.stream(stream)?.id.clone()))
    })
}

/// Removes events of groups and streams that are gone.
pub(crate) fn sweep(cloud: &Cloud) {
    let known: BTreeSet<String> =
        cloud.read(|account| account.logs.groups.values().map(|group| group.id.clone()).collect());
    for folder in events::folders(cloud.data()) {
        if !known.contains(&folder) {
            events::remove_group(cloud.data(), &folder);
        }
    }
}

fn no_group() -> Fault {
    Fault::new("ResourceNotFoundException", "The specified log group does not exist.")
}

fn unwritable(error: std::io::Error) -> Fault {
    let message = format!("the events could not be written: {error}");
    Fault::new("ServiceUnavailableException", message).with_status(StatusCode::INTERNAL_SERVER_ERROR)
}

fn check_name(member: &str, name: &str, longest: usize, is_legal: impl Fn(char) -> bool) -> Result<(), Fault> {
    if !name.is_empty() && name.len() <= longest && name.chars().all(is_legal) {
        return Ok(());
    }
    let message = format!(
        "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must satisfy regular expression pattern"
    );
    Err(Fault::new("InvalidParameterException", message))
}

fn fresh_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn milliseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
