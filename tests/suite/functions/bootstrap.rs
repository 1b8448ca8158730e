//! A function's own program, built as for the local cloud and run behind a Runtime API of the test's.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path as Named, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use stackgen::bundle::{Architecture, Code, FunctionSource, Progress, Purpose, Stop, bundle};
use stackgen::project::Project;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long a function may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that Lambda would run.
pub(crate) struct Program {
    folder: TempDir,
    /// What the program is run by, where this machine cannot: an emulator with its options.
    emulator: Vec<OsString>,
}

impl Program {
    /// Builds a crate of `functions/`.
    pub(crate) fn build(name: &str, binary: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::create_dir(folder.path().join("stacks")).expect("the folder is empty");
        let project = Project::discover(folder.path()).expect("it has stacks");
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("functions").join(name);
        let code = Code::Crate { name: place.display().to_string(), binary: binary.map(str::to_owned) };
        let function = FunctionSource { id: name.to_owned(), code, architecture: Architecture::host() };
        let assets = bundle(&project, &[function], Purpose::Local, Progress::Hidden, &Stop::default());
        let asset = assets.unwrap_or_else(|error| panic!("{name} builds: {error}")).remove(0);
        Self::unpacked(&asset.file)
    }

    /// The program in a zip.
    pub(crate) fn unpacked(zip: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let zip = File::open(zip).expect("the bundle is there");
        let mut zip = zip::ZipArchive::new(zip).expect("the bundle is a zip");
        let mut packed = zip.by_name("bootstrap").expect("it has a program");
        let program = folder.path().join("bootstrap");
        let mut file = File::create(&program).expect("the folder is writable");
        io::copy(&mut packed, &mut file).expect("the folder is writable");
        fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("the file is ours");
        drop(packed);
        Self { folder, emulator: Vec::new() }
    }

    /// The same, run by an emulator.
    pub(crate) fn emulated(self, emulator: Vec<OsString>) -> Self {
        Self { emulator, ..self }
    }

    /// Its file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("bootstrap")
    }

    fn command(&self) -> Command {
        let Some((emulator, options)) = self.emulator.split_first() else { return Command::new(self.file()) };
        let mut command = Command::new(emulator);
        command.args(options).arg(self.file());
        command
    }

    /// Starts it with this environment and nothing else.
    pub(crate) async fn start(&self, environment: &[(&str, String)]) -> Bootstrap {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port can be had");
        let address = listener.local_addr().expect("it has an address").to_string();
        let (events, waiting) = mpsc::unbounded_channel();
        let api = Arc::new(Api { waiting: tokio::sync::Mutex::new(waiting), asked: Mutex::default() });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(api);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("serving goes on") });
        let child = self
            .command()
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "function"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "ASIATEST"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
            ])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the program can be run");
        Bootstrap { events, serving, _child: child }
    }
}

/// A running function.
pub(crate) struct Bootstrap {
    events: mpsc::UnboundedSender<Invocation>,
    serving: JoinHandle<()>,
    _child: Child,
}

impl Bootstrap {
    /// Its answer to an event, or the error that it reports.
    pub(crate) async fn invoke(&self, event: &Value) -> Result<Value, Value> {
        let (answer, answered) = oneshot::channel();
        self.events.send(Invocation { event: event.clone(), answer }).expect("the Runtime API is served");
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        answered.expect("the function answers in time").expect("every invocation is answered")
    }
}

impl Drop for Bootstrap {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Invocation {
    event: Value,
    answer: oneshot::Sender<Result<Value, Value>>,
}

struct Api {
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// Who waits for an answer, by the id of the request.
    asked: Mutex<BTreeMap<String, oneshot::Sender<Result<Value, Value>>>>,
}

impl Api {
    fn answer(&self, id: &str, answer: Result<Value, Value>) -> StatusCode {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match asked.remove(id).map(|waiting| waiting.send(answer)) {
            Some(Ok(())) => StatusCode::ACCEPTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

async fn next(State(api): State<Arc<Api>>) -> impl IntoResponse {
    let Some(Invocation { event, answer }) = api.waiting.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let id = uuid::Uuid::new_v4().to_string();
    api.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), answer);
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", "4102444800000".to_owned()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:function".to_owned()),
    ];
    (headers, Json(event)).into_response()
}

async fn response(State(api): State<Arc<Api>>, Named(id): Named<String>, body: Bytes) -> StatusCode {
    api.answer(&id, Ok(json(&body)))
}

async fn error(State(api): State<Arc<Api>>, Named(id): Named<String>, body: Bytes) -> StatusCode {
    api.answer(&id, Err(json(&body)))
}

/// The runtime does not say that what it sends is JSON.
fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("functions answer in JSON")
}
