//! The events of log streams: one file a stream, one JSON line an event, only ever appended to.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cloud::private_folder;

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// When it happened, in milliseconds since 1970.
    #[serde(rename = "t")]
    pub(crate) time: i64,
    /// When it arrived.
    #[serde(rename = "i")]
    pub(crate) ingested: i64,
    /// The text.
    #[serde(rename = "m")]
    pub(crate) message: String,
    /// How many lines of its stream came before it.
    #[serde(skip)]
    pub(crate) place: usize,
}

fn root(data: &Path) -> PathBuf {
    data.join("logs")
}

fn file(data: &Path, group: &str, stream: &str) -> PathBuf {
    root(data).join(group).join(stream)
}

/// Appends events in one write. It starts with a line end, so that a line which a kill has cut is its own loss only.
pub(super) fn append(data: &Path, group: &str, stream: &str, events: &[Event]) -> io::Result<()> {
    let mut lines = vec![b'\n'];
    for event in events {
        serde_json::to_writer(&mut lines, event)?;
        lines.push(b'\n');
    }
    let path = file(data, group, stream);
    let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
    let mut file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            private_folder(&root(data).join(group))?;
            open()?
        }
        opened => opened?,
    };
    file.write_all(&lines)
}

/// The events of a stream, by time.
pub(super) fn read(data: &Path, group: &str, stream: &str) -> Vec<Event> {
    let bytes = fs::read(file(data, group, stream)).unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let event = |(place, line)| Some(Event { place, ..serde_json::from_slice(line).ok()? });
    let mut events: Vec<Event> = lines.enumerate().filter_map(event).collect();
    events.sort_by_key(|event| event.time);
    events
}

/// Bytes that a stream takes.
pub(super) fn size(data: &Path, group: &str, stream: &str) -> u64 {
    fs::metadata(file(data, group, stream)).map_or(0, |metadata| metadata.len())
}

/// Folders of groups, known or not.
pub(super) fn folders(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(root(data)).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Removes a group's events. What cannot be removed now is removed at the next start.
pub(super) fn remove_group(data: &Path, group: &str) {
    if let Err(error) = fs::remove_dir_all(root(data).join(group))
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(group, %error, "events stay until the next start");
    }
}

/// Removes a stream's events.
pub(super) fn remove_stream(data: &Path, group: &str, stream: &str) {
    // It has none before the first event.
    let _absent = fs::remove_file(file(data, group, stream));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_line_costs_itself_only() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let event = |time, message: &str, place| Event { time, ingested: 9, message: message.to_owned(), place };
        append(folder.path(), "g", "s", &[event(2, "b\nb", 0)]).expect("it can be written");
        let mut file = OpenOptions::new().append(true).open(file(folder.path(), "g", "s")).expect("it is there");
        file.write_all(b"{\"t\":1,\"m").expect("it can be written");
        append(folder.path(), "g", "s", &[event(1, "a", 0)]).expect("it can be written");
        assert_eq!(read(folder.path(), "g", "s"), [event(1, "a", 2), event(2, "b\nb", 0)]);
    }
}
