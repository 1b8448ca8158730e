//! Foreign tools that stackgen is tried against: installed once under `target/tools`, at pinned versions.

pub(crate) mod debian;

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use stackgen::template::Template;

/// How long an emulator may take until it answers.
const START: Duration = Duration::from_secs(60);

/// Packages from PyPI in a virtual environment of their own.
pub(crate) struct Python(PathBuf);

impl Python {
    /// One of the programs that the packages bring, `python` included.
    pub(crate) fn program(&self, name: &str) -> Command {
        Command::new(self.0.join("bin").join(name))
    }
}

/// Packages from npm in a folder of their own.
pub(crate) struct Npm(PathBuf);

impl Npm {
    /// One of the programs that the packages bring.
    pub(crate) fn program(&self, name: &str) -> Command {
        Command::new(self.0.join("node_modules/.bin").join(name))
    }

    /// Node, which finds the packages.
    pub(crate) fn node(&self) -> Command {
        let mut node = Command::new("node");
        node.env("NODE_PATH", self.0.join("node_modules"));
        node
    }
}

impl Npm {
    /// A folder beside the packages that is filled once: by a function that gets the packages' folder and the empty one.
    pub(crate) fn once(&self, name: &str, fill: impl FnOnce(&Path, &Path)) -> PathBuf {
        let lock = File::create(self.0.join(format!("{name}.lock"))).expect("the target folder is writable");
        lock.lock().expect("the file system knows locks");
        let folder = self.0.join(name);
        let done = folder.join("complete");
        if !done.exists() {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir(&folder).expect("the folder is gone");
            fill(&self.0.join("node_modules"), &folder);
            fs::write(done, "").expect("the folder is writable");
        }
        folder
    }
}

/// A virtual environment with these packages, such as `ministack==1.5.33`.
pub(crate) fn python(pins: &[&str]) -> Python {
    Python(installed("python", pins, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(folder.join("bin/python")).args(pip).args(pins));
    }))
}

/// A folder with these packages, such as `aws-cdk@2.1148.1`.
pub(crate) fn npm(pins: &[&str]) -> Npm {
    Npm(installed("npm", pins, |folder| {
        fs::create_dir(folder).expect("the folder is new");
        fs::write(folder.join("package.json"), r#"{ "private": true }"#).expect("the folder is writable");
        let install = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
        run(Command::new("npm").args(install).args(pins).current_dir(folder));
    }))
}

/// The folder of these pins. It is made by the first test that asks, while the others wait at the lock.
fn installed(kind: &str, pins: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
    fs::create_dir_all(&tools).expect("the target folder is writable");
    let name = format!("{kind}-{}", &hex::encode(Sha256::digest(pins.join("\n")))[..16]);
    let folder = tools.join(&name);
    let lock = File::create(tools.join(format!("{name}.lock"))).expect("the target folder is writable");
    lock.lock().expect("the file system knows locks");
    let done = folder.join("complete");
    if !done.exists() {
        let _ = fs::remove_dir_all(&folder);
        install(&folder);
        fs::write(done, "").expect("the folder is writable");
    }
    folder
}

/// Runs a command to its end and returns what it printed.
///
/// # Panics
/// When it fails, with all that it said.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// Holds cfn-lint to have nothing to say of these templates, not even in passing. It takes seconds to start, so it is asked
/// once about all of them.
///
/// # Panics
/// When it has, with the names of the templates in what it says.
#[track_caller]
pub(crate) fn lint<N: Display>(templates: impl IntoIterator<Item = (N, Template)>) {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let files = templates.into_iter().map(|(name, template)| {
        let file = folder.path().join(format!("{name}.json"));
        fs::write(&file, template.to_json()).expect("the folder is writable");
        file
    });
    let mut lint = python(&["cfn-lint==1.58.0"]).program("cfn-lint");
    let told = run(lint.args(["--include-checks", "I", "--"]).args(files.collect::<Vec<_>>()));
    assert_eq!(told.trim(), "");
}

/// AWS's own tools and those beside them that speak to AWS, in one environment: each takes seconds to make.
pub(crate) const AWS: &[&str] = &["awscli==1.46.2", "boto3==1.44.5", "pycognito==2024.5.1", "websockets==16.1.1"];

/// Readers of documents that are not ours: YAML, JSON Schema, SARIF.
pub(crate) const READERS: &[&str] = &["PyYAML==6.0.3", "jsonschema==4.25.1", "pydantic-sarif==0.1.1"];

/// ministack, and what it makes signatures with.
pub(crate) const MINISTACK: &[&str] = &["ministack==1.5.33", "cryptography"];

/// Whether an emulator looks at who is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Everybody may do everything.
    Off,
    /// Keys and the policies of roles count.
    Enforced,
}

/// A running ministack. It stops when it is dropped, and also when the test is killed: a shell that waits for the
/// end of its standard input ends it.
pub(crate) struct Ministack {
    endpoint: String,
    shell: Child,
    folder: tempfile::TempDir,
}

impl Ministack {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When it does not answer in time, with its log.
    pub(crate) fn start(auth: Auth) -> Self {
        Self::launch(auth, &python(MINISTACK).program("ministack"))
    }

    /// Starts one by a command of its own, which must not ask for an environment.
    ///
    /// # Panics
    /// When it does not answer in time, with its log.
    pub(crate) fn launch(auth: Auth, command: &Command) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let log = File::create(folder.path().join("log")).expect("the folder is writable");
        let shell = Command::new("sh")
            .args(["-c", r#""$0" "$@" & child=$!; read -r _; kill "$child"; wait "$child""#])
            .arg(command.get_program())
            .args(command.get_args())
            .env("IOT_MTLS_ENABLED", "0")
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("MINISTACK_HOST", "localhost")
            .env("DOCKER_HOST", "unix:///nonexistent")
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("AUTH", (auth == Auth::Enforced).to_string())
            .env("TMPDIR", folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("the file is open"))
            .stderr(log)
            .spawn()
            .expect("every Unix has a shell");
        let ministack = Self { endpoint, shell, folder };
        ministack.wait_until_healthy(port);
        ministack
    }

    /// Its base URL.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What AWS's own tools need to use it and nothing else: neither the user's configuration nor the network.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", "test".into()),
            ("AWS_SECRET_ACCESS_KEY", "test".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_DEFAULT_REGION", "us-east-1".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ("AWS_CONFIG_FILE", "/dev/null".into()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into()),
        ]
    }

    fn wait_until_healthy(&self, port: u16) {
        let begin = Instant::now();
        while !is_healthy(port) {
            assert!(begin.elapsed() < START, "ministack does not answer:\n{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A port of the loopback interface that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface has free ports");
    listener.local_addr().expect("it listens").port()
}

fn is_healthy(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /_ministack/health HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.split(' ').nth(1) == Some("200"))
}

#[test]
fn ministack_answers_and_stops() {
    for auth in [Auth::Off, Auth::Enforced] {
        let ministack = Ministack::start(auth);
        let port = ministack.endpoint().rsplit(':').next().and_then(|port| port.parse().ok()).expect("it has a port");
        let boto = python(AWS);
        let identity = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])";
        let answer = run(boto.program("python").args(["-c", identity]).envs(ministack.environment()));
        assert_eq!(answer.trim(), "000000000000");
        drop(ministack);
        assert!(!is_healthy(port));
    }
}
