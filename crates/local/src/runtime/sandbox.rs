//! One process and the invocation that it serves.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::journal::{Journal, Report, Status};
use super::{Call, Invocation, Launch, environment, error, serving, timed_out};
use crate::cloud::Cloud;
use crate::lambda;
use crate::process::{Process, Program};

/// How long a sandbox lives. Its credentials live longer, so that they never expire within an invocation.
const LIFE: Duration = Duration::from_secs(3600);

/// One process that serves one invocation at a time.
#[derive(Debug)]
pub(super) struct Sandbox {
    function: String,
    number: String,
    revision: String,
    stale: OffsetDateTime,
    desk: Mutex<Desk>,
    retired: CancellationToken,
    journal: Journal,
}

/// Where invocations and the process's requests meet.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// The poll that waits for work.
    poll: Option<oneshot::Sender<Work>>,
    /// Work that waits for a poll.
    work: Option<Work>,
    /// The invocation that was handed out, and who waits for its outcome.
    current: Option<(String, oneshot::Sender<Outcome>)>,
    /// Who waits for the first poll.
    start: Option<oneshot::Sender<Result<(), Cause>>>,
    /// Why the process is gone.
    gone: Option<String>,
}

/// An invocation as the process gets it.
#[derive(Debug)]
pub(super) struct Work {
    /// Request id.
    pub id: String,
    /// Milliseconds since 1970.
    pub deadline: u128,
    /// ARN of the function as it was invoked.
    pub arn: String,
    /// Trace header.
    pub trace: String,
    /// Client context, JSON.
    pub client_context: Option<String>,
    /// The event.
    pub payload: Bytes,
}

/// How an invocation ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The function answered.
    Answered(Bytes),
    /// The function reported an error.
    Failed {
        /// What the runtime calls it, when it says so.
        kind: Option<String>,
        /// The error.
        payload: Bytes,
    },
    /// The process ended.
    Exited(String),
    /// It took too long.
    TimedOut,
}

/// Why a process did not come to ask for work.
#[derive(Debug)]
pub(super) struct Failure {
    cause: Cause,
    journal: Journal,
    begun: Instant,
    limit: Duration,
}

#[derive(Debug)]
pub(super) enum Cause {
    /// There is nothing that could be run.
    Entrypoint(String),
    /// The runtime reported an error.
    Reported(Option<String>, Bytes),
    /// The process ended.
    Exited(String),
    /// It took too long.
    TimedOut,
}

/// Starts a process for a version, and returns once it asks for work, with the time that this took.
pub(super) async fn start(
    cloud: &Cloud,
    launch: &Launch,
    limit: Duration,
) -> Result<(Arc<Sandbox>, Duration), Failure> {
    let unpacking = Instant::now();
    let (journal, stream, output) = Journal::open(cloud, launch).map_err(|error| Failure {
        cause: Cause::Entrypoint(system_words(&error)),
        journal: Journal::nowhere(),
        begun: unpacking,
        limit,
    })?;
    let failure = |cause, begun| Failure { cause, journal: journal.clone(), begun, limit };
    let file = entrypoint(cloud, launch).await.map_err(|reason| failure(Cause::Entrypoint(reason), unpacking))?;
    let begun = Instant::now();
    let started = prepare(cloud, launch, journal.clone(), Run { file, stream, output }).await;
    let (sandbox, first_poll) = started.map_err(|reason| failure(Cause::Entrypoint(reason), begun))?;
    match timeout(limit, first_poll).await {
        Ok(Ok(Ok(()))) => Ok((sandbox, begun.elapsed())),
        Ok(Ok(Err(cause))) => Err(sandbox.failed(failure(cause, begun))),
        Ok(Err(_)) => {
            Err(sandbox.failed(failure(Cause::Exited("Runtime exited without providing a reason".to_owned()), begun)))
        }
        Err(_) => Err(sandbox.failed(failure(Cause::TimedOut, begun))),
    }
}

/// What a process is made of, before it runs.
struct Run {
    file: PathBuf,
    stream: String,
    output: std::io::PipeWriter,
}

type FirstPoll = oneshot::Receiver<Result<(), Cause>>;

/// Starts the process and the tasks that belong to it.
async fn prepare(
    cloud: &Cloud,
    launch: &Launch,
    journal: Journal,
    run: Run,
) -> Result<(Arc<Sandbox>, FirstPoll), String> {
    let sorry = |error: std::io::Error| format!("fork/exec /var/task/bootstrap: {}", system_words(&error));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(sorry)?;
    let address = listener.local_addr().map_err(sorry)?;
    let temporary = private_folder(cloud.data()).map_err(sorry)?;
    let expires = cloud.now() + LIFE * 2;
    let root = run.file.parent().unwrap_or_else(|| Path::new("/"));
    let surroundings =
        environment::Surroundings { root, temporary: temporary.path(), address, stream: &run.stream, expires };
    let environment = environment::of(cloud, launch, &surroundings);
    let program = Program { file: &run.file, folder: root, environment, output: run.output };
    let process = cloud.runtime().guard().start(program).map_err(sorry)?;
    journal.process(process.id());
    let (start, first_poll) = oneshot::channel();
    let sandbox = Arc::new(Sandbox {
        function: launch.name.clone(),
        number: launch.number.clone(),
        revision: launch.version.revision.clone(),
        stale: cloud.now() + LIFE,
        desk: Mutex::new(Desk { start: Some(start), ..Desk::default() }),
        retired: CancellationToken::new(),
        journal,
    });
    cloud.tasks().spawn(keep(cloud.clone(), Arc::clone(&sandbox), process, listener, temporary));
    Ok((sandbox, first_poll))
}

/// Owns a process until it ends, by itself or because it is not wanted any more.
async fn keep(cloud: Cloud, sandbox: Arc<Sandbox>, mut process: Process, listener: TcpListener, temporary: TempDir) {
    let reason = tokio::select! {
        reason = process.ended() => reason,
        () = sandbox.retired.cancelled() => "Runtime exited with error: signal: killed".to_owned(),
        () = cloud.stopping().cancelled() => "Runtime exited with error: signal: terminated".to_owned(),
        () = serving::serve(listener, &sandbox) => "Runtime exited without providing a reason".to_owned(),
    };
    sandbox.desk().close(reason);
    cloud.runtime().guard().end(process).await;
    sandbox.journal.close();
    // What cannot be removed now is removed at the next start.
    let _ = temporary.close();
}

/// A folder for the temporary files of one process.
fn private_folder(data: &Path) -> std::io::Result<TempDir> {
    let parent = temporary_folder(data);
    std::fs::create_dir_all(&parent)?;
    TempDir::new_in(parent)
}

/// Where the temporary files of all processes are.
fn temporary_folder(data: &Path) -> PathBuf {
    data.join("lambda/tmp")
}

/// The unpacked `bootstrap`, if this machine can run it.
async fn entrypoint(cloud: &Cloud, launch: &Launch) -> Result<PathBuf, String> {
    let (data, code) = (cloud.data().to_owned(), launch.version.code.clone());
    let architecture = launch.version.settings.architecture().to_owned();
    let found = tokio::task::spawn_blocking(move || {
        let folder = lambda::unpacked(&data, &code).map_err(|error| error.to_string())?;
        environment::bootstrap(&folder, &architecture)
    });
    found.await.unwrap_or_else(|error| Err(error.to_string()))
}

/// The words of the C library, which the Lambda service shows.
fn system_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ if error.raw_os_error() == Some(8) => "exec format error".to_owned(),
        _ => error.to_string(),
    }
}

impl Work {
    /// The invocation of a call, which must end within `limit`.
    pub(super) fn new(launch: &Launch, call: &Call, id: &str, limit: Duration) -> Self {
        let since_1970 = UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            id: id.to_owned(),
            deadline: (since_1970 + limit).as_millis(),
            arn: launch.arn.clone(),
            trace: call.trace.clone().unwrap_or_else(|| new_trace(since_1970)),
            client_context: call.client_context.clone(),
            payload: call.payload.clone(),
        }
    }
}

/// A trace of its own, not sampled.
fn new_trace(since_1970: Duration) -> String {
    let (root, parent) = (Uuid::new_v4().simple().to_string(), Uuid::new_v4().simple().to_string());
    let (root, parent) = (root.get(..24).unwrap_or_default(), parent.get(..16).unwrap_or_default());
    format!("Root=1-{:08x}-{root};Parent={parent};Sampled=0", since_1970.as_secs())
}

impl Sandbox {
    /// Name of its function.
    pub(super) fn function(&self) -> &str {
        &self.function
    }

    /// Its version.
    pub(super) fn number(&self) -> &str {
        &self.number
    }

    /// What its version was when it started.
    pub(super) fn revision(&self) -> &str {
        &self.revision
    }

    /// Where its output goes.
    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Whether it has lived for so long that it should give way to a new one.
    pub(super) fn is_stale(&self, now: OffsetDateTime) -> bool {
        now >= self.stale
    }

    /// Whether it can serve.
    pub(super) fn is_alive(&self) -> bool {
        !self.retired.is_cancelled() && self.desk().gone.is_none()
    }

    /// Has it killed.
    pub(super) fn retire(&self) {
        self.retired.cancel();
    }

    /// Hands an invocation to the process and waits for its outcome.
    pub(super) async fn serve(&self, work: Work, limit: Duration) -> Outcome {
        let outcome = self.desk().hand(work);
        match timeout(limit, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Outcome::Exited("Runtime exited without providing a reason".to_owned()),
            Err(_) => Outcome::TimedOut,
        }
    }

    /// The desk, for as long as one synchronous step takes.
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, failure: Failure) -> Failure {
        self.retire();
        failure
    }
}

impl Desk {
    fn hand(&mut self, work: Work) -> oneshot::Receiver<Outcome> {
        let (answer, outcome) = oneshot::channel();
        match &self.gone {
            // Nobody listening is no error anywhere here: the caller may have gone.
            Some(reason) => drop(answer.send(Outcome::Exited(reason.clone()))),
            None => {
                self.current = Some((work.id.clone(), answer));
                self.work = match self.poll.take() {
                    Some(poll) => poll.send(work).err(),
                    None => Some(work),
                };
            }
        }
        outcome
    }

    /// A poll for work. The first one says that the process is ready. `None` when an invocation is still unanswered.
    pub(super) fn poll(&mut self) -> Option<oneshot::Receiver<Work>> {
        if let Some(start) = self.start.take() {
            let _ = start.send(Ok(()));
        }
        let (poll, next) = oneshot::channel();
        match self.work.take() {
            Some(work) => self.work = poll.send(work).err(),
            None if self.current.is_some() => return None,
            None => self.poll = Some(poll),
        }
        Some(next)
    }

    /// The outcome of the invocation `id`; `false` when that is not the one that runs.
    pub(super) fn answer(&mut self, id: &str, outcome: Outcome) -> bool {
        let Some((_, answer)) = self.current.take_if(|(current, _)| current == id) else { return false };
        let _ = answer.send(outcome);
        true
    }

    /// Whether `id` is the invocation that runs.
    pub(super) fn runs(&self, id: &str) -> bool {
        self.current.as_ref().is_some_and(|(current, _)| current == id)
    }

    /// The runtime could not start; `false` when it had started already.
    pub(super) fn fail_start(&mut self, kind: Option<String>, payload: Bytes) -> bool {
        let Some(start) = self.start.take() else { return false };
        let _ = start.send(Err(Cause::Reported(kind, payload)));
        true
    }

    fn close(&mut self, reason: String) {
        if let Some(start) = self.start.take() {
            let _ = start.send(Err(Cause::Exited(reason.clone())));
        }
        if let Some((_, answer)) = self.current.take() {
            let _ = answer.send(Outcome::Exited(reason.clone()));
        }
        self.poll = None;
        self.gone = Some(reason);
    }
}

impl Failure {
    /// Whether the process could come up when it is started again.
    pub(super) fn is_worth_a_second_try(&self) -> bool {
        let (status, kind) = match &self.cause {
            Cause::Entrypoint(_) => return false,
            Cause::Reported(kind, _) => ("error", kind.as_deref().unwrap_or("Runtime.Unknown")),
            Cause::Exited(_) => ("error", "Runtime.ExitError"),
            Cause::TimedOut => ("timeout", ""),
        };
        self.journal.failed_start(self.begun.elapsed(), status, kind);
        true
    }

    /// The answer to the invocation for which the process was started.
    pub(super) async fn invocation(self, launch: &Launch, call: &Call, id: Uuid) -> Invocation {
        let id = id.to_string();
        let (status, payload) = match self.cause {
            Cause::Entrypoint(reason) => {
                let payload = error("Runtime.InvalidEntrypoint", &format!("RequestId: {id} Error: {reason}"));
                (Status::Broken("Runtime.InvalidEntrypoint", reason), payload)
            }
            Cause::Reported(kind, payload) => (Status::Failed(kind), payload),
            Cause::Exited(reason) => {
                let payload = error("Runtime.ExitError", &format!("RequestId: {id} Error: {reason}"));
                (Status::Exited(reason), payload)
            }
            Cause::TimedOut => (Status::TimedOut, timed_out(&id, self.limit)),
        };
        self.journal.start(&id, &launch.number);
        let report = Report { id, status, took: self.begun.elapsed(), init: None, limit: self.limit };
        let log_tail = self.journal.end(report, call.log).await;
        self.journal.close();
        Invocation { payload, function_error: Some("Unhandled".to_owned()), version: launch.number.clone(), log_tail }
    }
}
