//! What a process prints, and what Lambda itself adds, on the way to the function's log group.
//!
//! One task a process writes it, beside the invocations, so that logging costs a warm call nothing but a message.

use std::collections::VecDeque;
use std::io::{PipeWriter, pipe};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Launch, Log};
use crate::cloud::Cloud;
use crate::iam::authorize::{Deed, Session, Who};
use crate::logs;

/// What an invocation's caller may see of its log.
const TAIL: usize = 4096;

/// Longest line, as CloudWatch Logs limits it.
const LONGEST_LINE: usize = 256 * 1024;

/// A handle on the task that writes a process's log.
#[derive(Debug, Clone)]
pub(super) struct Journal(mpsc::UnboundedSender<Mark>);

/// How an invocation ended, for its report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    /// With an answer.
    Success,
    /// With an error that the runtime reported, and its kind if it has told that.
    Failed(Option<String>),
    /// Because the process ended.
    Exited(String),
    /// Because it took too long.
    TimedOut,
    /// Because there was nothing to run: kind of the error, and reason.
    Broken(&'static str, String),
}

/// One invocation, when it is over.
#[derive(Debug)]
pub(super) struct Report {
    /// Request id.
    pub id: String,
    /// How it ended.
    pub status: Status,
    /// How long it took.
    pub took: Duration,
    /// How long the process took to start, if it was started for this invocation.
    pub init: Option<Duration>,
    /// How long it might have taken.
    pub limit: Duration,
}

#[derive(Debug)]
enum Mark {
    Process(u32),
    Line(String),
    Start { id: String, number: String },
    End { report: Report, tail: Option<oneshot::Sender<Bytes>> },
    Close,
}

impl Journal {
    /// A new log stream for a process of this version: the journal, the stream's name, and where the process writes.
    pub(super) fn open(cloud: &Cloud, launch: &Launch) -> std::io::Result<(Self, String, PipeWriter)> {
        let (reader, writer) = pipe()?;
        let output = Receiver::from_owned_fd(reader.into())?;
        let (marks, received) = mpsc::unbounded_channel();
        let date = cloud.now().format(format_description!("[year]/[month]/[day]")).unwrap_or_default();
        let stream = format!("{date}/[{}]{}", launch.number, Uuid::new_v4().simple());
        let settings = &launch.version.settings;
        let book = Book {
            cloud: cloud.clone(),
            is_kept: may_log(cloud, launch, &stream),
            group: settings.log_group(&launch.name),
            stream: stream.clone(),
            is_json: settings.logging_config.log_format == "JSON",
            memory_size: settings.memory_size,
            process: None,
            memory_used: 0,
            partial: Vec::new(),
            lines: Vec::new(),
            tail: VecDeque::new(),
        };
        cloud.tasks().spawn(write(book, output, received));
        Ok((Self(marks), stream, writer))
    }

    /// A journal that nobody keeps.
    pub(super) fn nowhere() -> Self {
        Self(mpsc::unbounded_channel().0)
    }

    /// The process that writes, so that its memory can be told.
    pub(super) fn process(&self, id: Option<u32>) {
        if let Some(id) = id {
            self.mark(Mark::Process(id));
        }
    }

    /// An invocation begins.
    pub(super) fn start(&self, id: &str, number: &str) {
        self.mark(Mark::Start { id: id.to_owned(), number: number.to_owned() });
    }

    /// An invocation is over. Waits only for those who want to see the log.
    pub(super) async fn end(&self, report: Report, log: Log) -> Option<Bytes> {
        if log == Log::None {
            self.mark(Mark::End { report, tail: None });
            return None;
        }
        let (tail, written) = oneshot::channel();
        self.mark(Mark::End { report, tail: Some(tail) });
        written.await.ok()
    }

    /// A process did not come up and is tried once more.
    pub(super) fn failed_start(&self, took: Duration, status: &str, kind: &str) {
        let kind = if kind.is_empty() { String::new() } else { format!("\tError Type: {kind}") };
        self.mark(Mark::Line(format!(
            "INIT_REPORT Init Duration: {} ms\tPhase: init\tStatus: {status}{kind}",
            millis(took)
        )));
        self.close();
    }

    /// The process is gone: the task ends when all that it wrote is in the log.
    pub(super) fn close(&self) {
        self.mark(Mark::Close);
    }

    fn mark(&self, mark: Mark) {
        // The task ends before its senders only when the process is gone and its last invocation is written.
        let _ = self.0.send(mark);
    }
}

/// Whether the function's role allows what keeping its log takes, as it must on AWS.
fn may_log(cloud: &Cloud, launch: &Launch, stream: &str) -> bool {
    let settings = &launch.version.settings;
    let name = settings.log_group(&launch.name);
    cloud.read(|account| {
        let Some(role) = account.iam.role_of(&settings.role) else { return false };
        let session = Session { account, who: Who::Role(role, &launch.name), now: cloud.now() };
        let group = format!("arn:aws:logs:{}:{}:log-group:{name}", account.region, account.id);
        let may = |action: &str, resource: String| session.may(&Deed::new(format!("logs:{action}"), resource)).is_ok();
        let may_make_group = || may("CreateLogGroup", format!("{group}:*")) || may("CreateLogGroup", group.clone());
        may("PutLogEvents", format!("{group}:log-stream:{stream}"))
            && (may("CreateLogStream", format!("{group}:*")) || may("CreateLogStream", group.clone()))
            && (account.logs.groups.contains_key(&name) || may_make_group())
    })
}

/// Writes marks and output in their order, until the process is gone.
async fn write(mut book: Book, output: Receiver, mut marks: mpsc::UnboundedReceiver<Mark>) {
    let (mut is_open, mut is_closed, mut has_ended) = (false, false, false);
    while !is_closed || is_open {
        tokio::select! {
            biased;
            mark = marks.recv() => {
                // What the process wrote before belongs before the mark. The runtime may not have noticed it yet, so
                // the pipe itself is asked.
                book.drain(|buffer| rustix::io::read(&output, buffer).map_err(std::io::Error::from));
                match mark {
                    Some(Mark::Start { .. }) => is_open = true,
                    Some(Mark::End { .. }) => is_open = false,
                    Some(Mark::Close) => is_closed = true,
                    Some(Mark::Process(_) | Mark::Line(_)) => {}
                    None => (is_open, is_closed) = (false, true),
                }
                if let Some(mark) = mark {
                    book.enter(mark);
                }
            }
            _ = output.readable(), if !has_ended => {
                has_ended = book.drain(|buffer| output.try_read(buffer)) == Flow::Ended;
            }
        }
        book.flush();
    }
    book.complete_line();
    book.flush();
}

/// Whether more may come out of a pipe.
#[derive(PartialEq, Eq)]
enum Flow {
    Open,
    Ended,
}

/// What is on its way to the log.
#[derive(Debug)]
struct Book {
    cloud: Cloud,
    /// Whether the function's role lets its log be kept.
    is_kept: bool,
    group: String,
    stream: String,
    is_json: bool,
    memory_size: u32,
    process: Option<u32>,
    memory_used: u64,
    /// A line that has not ended yet.
    partial: Vec<u8>,
    /// Lines that are not in the log yet.
    lines: Vec<String>,
    /// The end of what the invocation has logged.
    tail: VecDeque<u8>,
}

impl Book {
    /// Takes what the pipe holds now, and no more than a megabyte, so that a flood cannot keep the task here.
    fn drain(&mut self, mut read: impl FnMut(&mut [u8]) -> std::io::Result<usize>) -> Flow {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..64 {
            match read(&mut buffer) {
                Ok(0) => return Flow::Ended,
                Ok(count) => self.take(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Flow::Open,
                Err(_) => return Flow::Ended,
            }
        }
        Flow::Open
    }

    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= LONGEST_LINE {
                self.complete_line();
            }
        }
    }

    fn complete_line(&mut self) {
        let bytes = std::mem::take(&mut self.partial);
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !bytes.is_empty() {
            self.line(String::from_utf8_lossy(line).into_owned());
        }
    }

    fn line(&mut self, line: String) {
        self.tail.extend(line.bytes());
        self.tail.push_back(b'\n');
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
        self.lines.push(line);
    }

    fn flush(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if self.is_kept {
            logs::append(&self.cloud, &self.group, &self.stream, &lines);
        }
    }

    fn enter(&mut self, mark: Mark) {
        match mark {
            Mark::Process(id) => self.process = Some(id),
            Mark::Line(line) => self.line(line),
            Mark::Start { id, number } => {
                self.tail.clear();
                self.start(&id, &number);
            }
            Mark::End { report, tail } => {
                self.complete_line();
                self.end(&report);
                if let Some(tail) = tail {
                    // Nobody listening means that the caller has gone.
                    let _ = tail.send(self.tail.iter().copied().collect());
                }
            }
            Mark::Close => {}
        }
    }

    fn start(&mut self, id: &str, number: &str) {
        if self.is_json {
            self.event("platform.start", json!({ "requestId": id, "version": number }));
        } else {
            self.line(format!("START RequestId: {id} Version: {number}"));
        }
    }

    fn end(&mut self, report: &Report) {
        self.memory_used = self.process.and_then(peak_memory).unwrap_or(self.memory_used);
        if self.is_json {
            self.event("platform.report", report.record(self.memory_size, self.memory_used));
            return;
        }
        if let Some(line) = report.complaint(self.cloud.now().format(&Rfc3339).unwrap_or_default()) {
            self.line(line);
        }
        self.line(format!("END RequestId: {}", report.id));
        self.line(report.line(self.memory_size, self.memory_used));
    }

    fn event(&mut self, kind: &str, record: Value) {
        let time = self.cloud.now().format(&Rfc3339).unwrap_or_default();
        self.line(json!({ "time": time, "type": kind, "record": record }).to_string());
    }
}

impl Report {
    /// The `REPORT` line.
    fn line(&self, memory_size: u32, memory_used: u64) -> String {
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\tMemory Size: {memory_size} MB\t\
             Max Memory Used: {memory_used} MB\t",
            self.id,
            millis(self.took),
            self.billed(),
        );
        if let Some(init) = self.init {
            line += &format!("Init Duration: {} ms\t", millis(init));
        }
        match self.status.names() {
            ("success", _) => {}
            (status, None) => line += &format!("Status: {status}"),
            (status, Some(kind)) => line += &format!("Status: {status}\tError Type: {kind}"),
        }
        line
    }

    /// The record of the `platform.report` event.
    fn record(&self, memory_size: u32, memory_used: u64) -> Value {
        let mut metrics = json!({
            "durationMs": rounded(self.took),
            "billedDurationMs": self.billed(),
            "memorySizeMB": memory_size,
            "maxMemoryUsedMB": memory_used,
        });
        if let Some(init) = self.init {
            metrics["initDurationMs"] = json!(rounded(init));
        }
        let (status, kind) = self.status.names();
        let mut record = json!({ "requestId": self.id, "metrics": metrics, "status": status });
        if let Some(kind) = kind {
            record["errorType"] = json!(kind);
        }
        record
    }

    /// What Lambda says when it was not the function that ended the invocation.
    fn complaint(&self, now: String) -> Option<String> {
        let id = &self.id;
        match &self.status {
            Status::Success | Status::Failed(_) => None,
            Status::Exited(reason) => Some(format!("RequestId: {id} Error: {reason}\nRuntime.ExitError")),
            Status::Broken(kind, reason) => Some(format!("RequestId: {id} Error: {reason}\n{kind}")),
            Status::TimedOut => {
                Some(format!("{now} {id} Task timed out after {:.2} seconds\n", self.limit.as_secs_f64()))
            }
        }
    }

    /// Whole milliseconds, the start of the process included.
    fn billed(&self) -> u128 {
        let total = self.took + self.init.unwrap_or_default();
        total.as_micros().div_ceil(1000)
    }
}

impl Status {
    fn names(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Success => ("success", None),
            Self::Failed(kind) => ("error", Some(kind.as_deref().unwrap_or("Runtime.Unknown"))),
            Self::Exited(_) => ("error", Some("Runtime.ExitError")),
            Self::TimedOut => ("timeout", None),
            Self::Broken(kind, _) => ("error", Some(kind)),
        }
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// The most memory that a process has had, in megabytes, where the system tells that.
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes.div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(status: Status, init: Option<Duration>) -> Report {
        Report { id: "i".to_owned(), status, took: Duration::from_micros(1_234), init, limit: Duration::from_secs(3) }
    }

    #[test]
    fn a_report_reads_as_on_aws() {
        assert_eq!(
            report(Status::Success, Some(Duration::from_millis(20))).line(128, 9),
            "REPORT RequestId: i\tDuration: 1.23 ms\tBilled Duration: 22 ms\tMemory Size: 128 MB\t\
             Max Memory Used: 9 MB\tInit Duration: 20.00 ms\t"
        );
        assert!(report(Status::TimedOut, None).line(128, 9).ends_with("MB\tStatus: timeout"));
        let exited = report(Status::Exited("gone".to_owned()), None);
        assert!(exited.line(128, 9).ends_with("Status: error\tError Type: Runtime.ExitError"));
    }

    #[test]
    fn a_json_report_holds_the_same_figures() {
        let record = report(Status::Success, None).record(256, 9);
        assert_eq!(record["metrics"]["durationMs"], 1.234);
        assert_eq!(record["metrics"]["billedDurationMs"], 2);
        assert_eq!(record["status"], "success");
    }

    #[test]
    fn a_timeout_is_told_in_words() {
        let line = report(Status::TimedOut, None).complaint("now".to_owned());
        assert_eq!(line.as_deref(), Some("now i Task timed out after 3.00 seconds\n"));
    }
}
