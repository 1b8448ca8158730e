//! Child processes that never outlive the cloud, however it ends.

use std::ffi::OsString;
use std::io::{self, PipeWriter, Write};
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// Remembers the process groups that are alive, and kills them once its input ends: when this process dies, even by
/// kill -9, the kernel closes the pipe. In its own group, so that Ctrl-C in a terminal does not end it first.
const GUARD: &str = r#"
groups=
while read -r change group; do
  case $change in
    +) groups="$groups $group" ;;
    -) left=
       for one in $groups; do [ "$one" = "$group" ] || left="$left $one"; done
       groups=$left ;;
  esac
done
for one in $groups; do kill -s KILL -- "-$one"; done
"#;

/// Sees to it that the children die with this process. Its own child is started with the first of them.
#[derive(Debug, Default)]
pub(crate) struct Guard(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Unused,
    Watching {
        input: Option<ChildStdin>,
        shell: std::process::Child,
    },
    /// There is no shell on this machine: children are killed when the cloud stops in order, not otherwise.
    Unavailable,
}

/// A process in a group of its own.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
}

/// What a process is started with.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    /// The file to run.
    pub file: &'a Path,
    /// Its working directory.
    pub folder: &'a Path,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Takes its standard output and its standard error, in the order in which they are written.
    pub output: PipeWriter,
}

impl Guard {
    /// Starts a process.
    ///
    /// # Errors
    /// When the system cannot run the file.
    pub(crate) fn start(&self, program: Program<'_>) -> io::Result<Process> {
        let output = program.output.try_clone()?;
        let child = Command::new(program.file)
            .current_dir(program.folder)
            .env_clear()
            .envs(program.environment)
            .stdin(Stdio::null())
            .stdout(program.output)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let process = Process { group: child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)), child };
        self.tell('+', process.group);
        Ok(process)
    }

    /// Kills a process and all that it started, if they are still there, and reaps it.
    pub(crate) async fn end(&self, mut process: Process) {
        process.kill();
        // An error means that it has been reaped already.
        let _ = process.child.wait().await;
        self.tell('-', process.group);
    }

    fn tell(&self, change: char, group: Option<Pid>) {
        let Some(group) = group else { return };
        let mut state = self.state();
        if matches!(*state, State::Unused) {
            *state = watch().unwrap_or(State::Unavailable);
        }
        if let State::Watching { input: Some(input), .. } = &mut *state
            && input.write_all(format!("{change} {}\n", group.as_raw_nonzero()).as_bytes()).is_err()
        {
            *state = State::Unavailable;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let State::Watching { input, shell } = &mut *self.state() {
            drop(input.take());
            // It ends as soon as its input has: waiting leaves no zombie.
            let _ = shell.wait();
        }
    }
}

fn watch() -> io::Result<State> {
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", GUARD]).env_clear().current_dir("/").stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut shell = command.spawn()?;
    Ok(State::Watching { input: shell.stdin.take(), shell })
}

impl Process {
    /// Its id.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it has ended, and says how in the words of the Lambda service.
    pub(crate) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => described(status),
            Err(error) => format!("Runtime exited with error: {error}"),
        }
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            // An error means that nobody is left in the group.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn described(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(signal)) => format!("Runtime exited with error: signal: {}", signal_name(signal)),
        (None, None) => "Runtime exited without providing a reason".to_owned(),
    }
}

/// The words for the signals that end programs.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        2 => "interrupt",
        4 => "illegal instruction",
        6 => "aborted",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::time::Duration;

    use super::*;

    fn script(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder for the test");
        let file = folder.path().join("script");
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).expect("it can be written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        (folder, file)
    }

    fn start(guard: &Guard, text: &str) -> (Process, io::PipeReader, tempfile::TempDir) {
        let (folder, file) = script(text);
        let (reader, output) = io::pipe().expect("a pipe");
        let program = Program { file: &file, folder: folder.path(), environment: Vec::new(), output };
        (guard.start(program).expect("it starts"), reader, folder)
    }

    #[tokio::test]
    async fn a_process_sees_only_its_own_environment() {
        let guard = Guard::default();
        let (mut process, mut reader, _folder) = start(&guard, "echo \"home=$HOME\"; exit 3");
        assert_eq!(process.ended().await, "Runtime exited with error: exit status 3");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        assert_eq!(text, "home=\n");
    }

    #[tokio::test]
    async fn what_a_process_started_ends_with_it() {
        let guard = Guard::default();
        // The pipe ends only when the grandchild, which holds it too, is gone.
        let (process, mut reader, _folder) = start(&guard, "sleep 60 & echo started; wait");
        let mut first = [0; 8];
        reader.read_exact(&mut first).expect("it says so");
        guard.end(process).await;
        let rest = tokio::task::spawn_blocking(move || reader.read_to_end(&mut Vec::new()));
        let rest = tokio::time::timeout(Duration::from_secs(10), rest).await.expect("it has ended");
        assert_eq!(rest.expect("no panic").expect("it can be read"), 0);
    }

    #[tokio::test]
    async fn a_guard_that_ends_takes_the_processes_along() {
        let guard = Guard::default();
        let (mut process, _reader, _folder) = start(&guard, "sleep 60");
        drop(guard);
        assert_eq!(process.ended().await, "Runtime exited with error: signal: killed");
    }
}
