//! The cloud of a project as a process in the background: found, started, asked, stopped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::cloud::{Cloud, held_region, private_file, private_folder};
use super::hidden::Hidden;
use super::iam::AccessKey;
use super::mail::Message;
use super::server::own;

/// Why the cloud of a project could not be reached or ended.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The process ended, or did not answer in time.
    #[error("the local cloud did not start")]
    #[diagnostic(help("the end of its log, `{}`:\n{tail}", log.display()))]
    NotStarted { log: PathBuf, tail: String },

    /// It cannot be executed at all.
    #[error("`{}` cannot be run", program.display())]
    #[diagnostic(help("the local cloud is this same program in the background"))]
    NotRun { program: PathBuf, source: io::Error },

    /// Its account was made for another region than the one that was asked for.
    #[error("the local cloud holds region `{held}`, not `{asked}`")]
    #[diagnostic(help("leave out `--region`, or start with an empty cloud: `stackgen local reset`"))]
    OtherRegion { held: String, asked: String },

    /// A file of ours cannot be used.
    #[error("`{}` cannot be used", path.display())]
    #[diagnostic(help("the local cloud keeps its state there; make it writable"))]
    Folder { path: PathBuf, source: io::Error },

    /// It runs but does not answer as it should.
    #[error("the local cloud at {endpoint} does not answer")]
    #[diagnostic(help("stop it with `stackgen local stop`; its log is `{}`", log.display()))]
    Silent { endpoint: String, log: PathBuf, source: io::Error },

    /// It holds its folder still, though it was told to stop and then killed.
    #[error("the local cloud, process {pid}, does not stop")]
    #[diagnostic(help("end the process by hand, then try again"))]
    NotStopped { pid: u32 },

    /// A cloud holds the folder, and has left no word of where it is.
    #[error("something holds `{}`, but tells no endpoint", data.display())]
    #[diagnostic(help("another stackgen is starting or ending there; try again in a moment"))]
    Nameless { data: PathBuf },
}

/// Where the cloud of a project lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Folder of its state.
    pub data: PathBuf,
    /// Folder of the project, by which the program in the background finds it.
    pub project: PathBuf,
}

/// A cloud that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Base URL, such as `http://127.0.0.1:4599`.
    pub endpoint: String,
    /// The one region of the account.
    pub region: String,
    /// Id of the account's own key.
    pub access_key_id: String,
    /// Secret of the account's own key.
    pub secret_access_key: Hidden,
    /// File that a cloud in the background writes its log to.
    pub log: PathBuf,
    /// Process that serves.
    pub pid: u32,
    /// Tells one build of the program from another.
    program: String,
}

impl Running {
    /// The environment of a program that is to use this cloud instead of AWS.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ACCESS_KEY_ID", &self.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_access_key),
            ("AWS_REGION", &self.region),
            ("AWS_DEFAULT_REGION", &self.region),
        ]
    }

    /// The messages that the account has sent, oldest first.
    ///
    /// # Errors
    /// When the cloud does not answer.
    pub fn mail(&self) -> Result<Vec<Message>, Error> {
        let answer = self.ask("GET", "mail").map_err(|source| self.silent(source))?;
        let messages = answer.get("messages").cloned().unwrap_or_default();
        serde_json::from_value(messages).map_err(|error| self.silent(error.into()))
    }

    fn silent(&self, source: io::Error) -> Error {
        Error::Silent { endpoint: self.endpoint.clone(), log: self.log.clone(), source }
    }

    /// Whether it answers, and is the one that wrote the note: after a kill another process may have its port.
    fn is_alive(&self) -> bool {
        self.ask("GET", "health").is_ok_and(|health| health["key"] == self.access_key_id.as_str())
    }

    /// One small request over a connection of its own. A client with TLS and a pool takes longer to set up than this
    /// whole exchange on the loopback interface.
    fn ask(&self, method: &str, name: &str) -> io::Result<Value> {
        let authority = self.endpoint.strip_prefix("http://").unwrap_or(&self.endpoint);
        let mut connection = TcpStream::connect(authority)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let key = AccessKey { id: self.access_key_id.clone(), secret: self.secret_access_key.clone() };
        let (header, token) = (own::TOKEN, own::token(&key));
        let request = format!(
            "{method} /_stackgen/{name} HTTP/1.1\r\nhost: {authority}\r\n{header}: {token}\r\nconnection: close\r\n\r\n"
        );
        connection.write_all(request.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        if head.starts_with("HTTP/1.1 200") {
            Ok(serde_json::from_str(body)?)
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }
}

/// How long the cloud may take to start, to answer, or to stop.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often a cloud looks whether it can still be found.
const ROUND: Duration = Duration::from_millis(500);
/// How long one that holds its folder may have left no note of where it answers.
const NAMELESS: Duration = Duration::from_secs(2);
/// Pause between two looks.
const PULSE: Duration = Duration::from_millis(2);
/// A log that is larger is begun anew at the next start.
const LARGEST_LOG: u64 = 16 << 20;

/// The flag with which the program runs itself in the background.
const DETACHED: &str = "--detached";

/// The project's cloud: the one that runs, else a new one in the background. Without a region it is in that of its
/// account, whichever that is.
///
/// # Errors
/// When it cannot be started, or its account is in another region.
pub fn ensure(home: &Home, region: Option<&str>) -> Result<Running, Error> {
    let data = &home.data;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("stackgen"));
    if let Some(running) = usable(data, region, &program)? {
        return Ok(running);
    }
    let unusable = |source| Error::Folder { path: data.clone(), source };
    private_folder(data).map_err(unusable)?;
    let starting = private_file(&data.join("starting.lock")).map_err(unusable)?;
    starting.lock().map_err(unusable)?;
    // Somebody else may have started it while we waited for the lock.
    if let Some(running) = usable(data, region, &program)? {
        return Ok(running);
    }
    stop(home)?;
    check_region(held_region(data), region)?;
    start(home, region, &program)
}

/// The project's cloud, if it runs.
#[must_use]
pub fn running(home: &Home) -> Option<Running> {
    let data = &home.data;
    if is_free(data) {
        return None;
    }
    until(NAMELESS, || noted(data)).filter(Running::is_alive)
}

/// Stops the project's cloud; says whether one ran.
///
/// # Errors
/// When it does not end.
pub fn stop(home: &Home) -> Result<bool, Error> {
    let data = &home.data;
    if is_free(data) {
        return Ok(false);
    }
    // One that has just started has not left its note yet.
    let note = until(NAMELESS, || noted(data)).ok_or(Error::Nameless { data: data.clone() })?;
    // It may be stuck: then the kill below ends it.
    let _asked = note.ask("POST", "stop");
    let is_stopped = || is_free(data).then_some(());
    if until(PATIENCE, is_stopped).is_none() {
        kill(note.pid);
        until(PATIENCE, is_stopped).ok_or(Error::NotStopped { pid: note.pid })?;
    }
    Ok(true)
}

/// Stops the project's cloud and removes everything that it holds.
///
/// # Errors
/// When it does not end, or its folder cannot be removed.
pub fn reset(home: &Home) -> Result<(), Error> {
    stop(home)?;
    let data = &home.data;
    match fs::remove_dir_all(data) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Folder { path: data.clone(), source }),
        _ => Ok(()),
    }
}

/// The cloud that runs, if it is of this build and region. One of another build is left to be replaced.
fn usable(data: &Path, region: Option<&str>, program: &Path) -> Result<Option<Running>, Error> {
    let Some(running) = noted(data).filter(Running::is_alive) else { return Ok(None) };
    check_region(Some(running.region.clone()), region)?;
    Ok(Some(running).filter(|running| running.program == build(program)))
}

fn check_region(held: Option<String>, asked: Option<&str>) -> Result<(), Error> {
    match (held, asked) {
        (Some(held), Some(asked)) if held != asked => Err(Error::OtherRegion { held, asked: asked.to_owned() }),
        _ => Ok(()),
    }
}

fn start(home: &Home, region: Option<&str>, program: &Path) -> Result<Running, Error> {
    let data = &home.data;
    let path = log_file(data);
    let log = open_log(&path).map_err(|source| Error::Folder { path: path.clone(), source })?;
    let mut child =
        spawn(home, region, program, log).map_err(|source| Error::NotRun { program: program.to_owned(), source })?;
    let found = until(PATIENCE, || match noted(data).filter(|note| note.pid == child.id()).filter(Running::is_alive) {
        Some(running) => Some(Some(running)),
        None => has_ended(&mut child).then_some(None),
    });
    found.flatten().ok_or_else(|| Error::NotStarted { tail: tail(&path), log: path })
}

/// Runs the program in the background. It makes a session of its own (see [`detach`]), so that neither Ctrl-C nor the
/// end of the terminal reaches it.
fn spawn(home: &Home, region: Option<&str>, program: &Path, log: File) -> io::Result<Child> {
    let filter = std::env::var("STACKGEN_LOG").unwrap_or_else(|_| "stackgen=info".to_owned());
    Command::new(program)
        .args(["local", DETACHED, "--project"])
        .arg(&home.project)
        .args(region.iter().flat_map(|region| ["--region", region]))
        .env("STACKGEN_LOG", filter)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// Leaves the session of the terminal.
pub fn detach() {
    // It fails only for the leader of a group, who is out of the terminal's reach already.
    let _leader = rustix::process::setsid();
}

fn has_ended(child: &mut Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may be gone in this moment.
        let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// Whether no process holds the folder.
pub(super) fn is_free(data: &Path) -> bool {
    match File::open(data.join("lock")) {
        Ok(lock) => lock.try_lock_shared().is_ok(),
        Err(_) => true,
    }
}

/// Looks again and again until there is something, for as long as the patience lasts.
pub(super) fn until<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        match look() {
            None if start.elapsed() < patience => sleep(PULSE),
            found => return found,
        }
    }
}

fn note_file(data: &Path) -> PathBuf {
    data.join("server.json")
}

fn log_file(data: &Path) -> PathBuf {
    data.join("server.log")
}

/// What the last server wrote down. It is there still when that server was killed.
fn noted(data: &Path) -> Option<Running> {
    serde_json::from_slice(&fs::read(note_file(data)).ok()?).ok()
}

/// Writes down where this process serves.
pub(super) fn leave_note(cloud: &Cloud) -> io::Result<()> {
    put_note(cloud.data(), &note_of(cloud))
}

fn note_of(cloud: &Cloud) -> Running {
    let program = std::env::current_exe().unwrap_or_default();
    let (region, key) = cloud.read(|account| (account.region.clone(), account.iam.root.clone()));
    Running {
        endpoint: cloud.endpoint().to_owned(),
        region,
        access_key_id: key.id,
        secret_access_key: key.secret,
        log: log_file(cloud.data()),
        pid: std::process::id(),
        program: build(&program),
    }
}

fn put_note(data: &Path, note: &Running) -> io::Result<()> {
    let fresh = data.join("server.json.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&serde_json::to_vec(note)?)?;
    fs::rename(fresh, note_file(data))
}

/// Takes the note away, unless the folder is another cloud's by now.
pub(super) fn remove_note(cloud: &Cloud) {
    if cloud.holds_its_folder() {
        // One that stays is found to be stale.
        let _stale = fs::remove_file(note_file(cloud.data()));
    }
}

/// Sees to it that a cloud can be found for as long as it serves: it writes its note anew when that is damaged or gone, and
/// ends when its folder was removed, since nobody could stop it any more.
pub(super) async fn keep_reachable(cloud: Cloud) {
    let note = note_of(&cloud);
    while cloud.stopping().run_until_cancelled(tokio::time::sleep(ROUND)).await.is_some() {
        if !cloud.holds_its_folder() {
            tracing::warn!("the folder of this cloud was removed, so it ends");
            cloud.stopping().cancel();
        } else if noted(cloud.data()).as_ref() != Some(&note)
            && let Err(error) = put_note(cloud.data(), &note)
        {
            tracing::warn!(%error, "the note of where this cloud answers cannot be written");
        }
    }
}

/// Size and time of the program: enough to see that it was built anew.
fn build(program: &Path) -> String {
    let described = fs::metadata(program).and_then(|metadata| Ok((metadata.len(), metadata.modified()?)));
    let Ok((size, modified)) = described else { return String::new() };
    let age = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{size}-{}", env!("CARGO_PKG_VERSION"), age.as_nanos())
}

fn open_log(path: &Path) -> io::Result<File> {
    let is_large = fs::metadata(path).is_ok_and(|metadata| metadata.len() > LARGEST_LOG);
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    if is_large {
        log.set_len(0)?;
    }
    Ok(log)
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(8).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
