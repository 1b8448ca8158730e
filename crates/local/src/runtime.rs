//! Function processes, and the Lambda Runtime API that they poll.
//!
//! A sandbox is one process with a listener of its own. It serves one invocation at a time, and waits for the next one
//! in the fleet of its function. Nothing on the way of a warm invocation polls or blocks.

mod environment;
mod fleet;
mod journal;
mod queue;
mod sandbox;
mod serving;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::time::Instant;
use uuid::Uuid;

use self::fleet::Lease;
pub use self::fleet::Runtime;
use self::journal::{Report, Status};
pub(crate) use self::queue::enqueue;
use self::sandbox::{Outcome, Sandbox, Work};
use crate::cloud::Cloud;
use crate::lambda::{self, Functions, Target};
use crate::wire::Fault;

/// How long a process may take until it asks for its first invocation.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// What a function answered.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The answer: the function's result, or its error as Lambda shapes it.
    pub payload: Bytes,
    /// `Unhandled` when the function failed.
    pub function_error: Option<String>,
    /// Which version ran.
    pub version: String,
    /// The last lines that were logged, when they were asked for.
    pub log_tail: Option<Bytes>,
}

/// One call of a function, with all that a caller may say about it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Which function.
    pub target: Target,
    /// The event.
    pub payload: Bytes,
    /// Trace header of the caller.
    pub trace: Option<String>,
    /// Client context, JSON.
    pub client_context: Option<String>,
    /// Whether the last log lines are wanted.
    pub log: Log,
}

/// Whether a caller wants to see the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// No.
    None,
    /// Its last 4 KB.
    Tail,
}

/// A version to run, with all that running it needs.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    name: String,
    number: String,
    /// ARN as the caller qualified it.
    arn: String,
    version: lambda::Version,
    reserved_concurrency: Option<u32>,
    /// What all reservations leave to the functions without one.
    unreserved_concurrency: u32,
    region: String,
}

impl Call {
    /// A plain call.
    pub(crate) fn new(target: Target, payload: Bytes) -> Self {
        Self { target, payload, trace: None, client_context: None, log: Log::None }
    }
}

/// Invokes a function by name or ARN and waits for its answer. The function runs to its end even if the caller stops
/// waiting.
///
/// # Errors
/// `ResourceNotFoundException` when there is no such function, `TooManyRequestsException` when its concurrency is used
/// up. A function that fails is no error: see [`Invocation::function_error`].
pub(crate) async fn invoke(cloud: &Cloud, function: &str, payload: Bytes) -> Result<Invocation, Fault> {
    let target = cloud.read(|account| Target::parse(account, function))?;
    call(cloud, Call::new(target, payload)).await
}

/// As [`invoke`], with all that a caller may say.
///
/// # Errors
/// As [`invoke`].
pub(crate) async fn call(cloud: &Cloud, call: Call) -> Result<Invocation, Fault> {
    let launch = launch(cloud, &call.target)?;
    let lease = fleet::lease(cloud, &launch)?;
    let id = Uuid::new_v4();
    let running = cloud.tasks().spawn(run(cloud.clone(), lease, launch, call, id));
    running.await.unwrap_or_else(|error| {
        let message = format!("the invocation {id} ended before its time: {error}");
        Err(lambda::fault(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", message))
    })
}

/// Finds the version to run, and refuses runtimes that need an interpreter which only AWS has.
fn launch(cloud: &Cloud, target: &Target) -> Result<Launch, Fault> {
    let launch = cloud.read(|account| {
        let found = Functions::find(account, target, rand::random())?;
        Ok::<_, Fault>(Launch {
            name: target.name.clone(),
            number: found.number,
            arn: target.arn(account),
            version: found.version.clone(),
            reserved_concurrency: found.function.reserved_concurrency,
            unreserved_concurrency: lambda::unreserved_concurrency(account),
            region: account.region.clone(),
        })
    })?;
    let runtime = &launch.version.settings.runtime;
    if matches!(runtime.as_str(), "provided.al2023" | "provided.al2" | "provided") {
        return Ok(launch);
    }
    Err(lambda::fault(
        StatusCode::BAD_GATEWAY,
        "InvalidRuntimeException",
        format!(
            "the local cloud runs `provided.al2023` and `provided.al2` only; `{}` has runtime `{runtime}`",
            launch.name
        ),
    ))
}

/// One invocation from its start to its end, in a task of its own.
async fn run(cloud: Cloud, mut lease: Lease, launch: Launch, call: Call, id: Uuid) -> Result<Invocation, Fault> {
    let limit = Duration::from_secs(u64::from(launch.version.settings.timeout));
    let mut begun = Instant::now();
    let (sandbox, init) = match lease.take() {
        Some(sandbox) => (sandbox, None),
        None => match warmed_up(&cloud, &launch, limit).await {
            Ok((sandbox, took)) => {
                begun = Instant::now();
                (sandbox, Some(took))
            }
            Err(failure) => return Ok(failure.invocation(&launch, &call, id).await),
        },
    };
    let id = id.to_string();
    sandbox.journal().start(&id, &launch.number);
    let outcome = sandbox.serve(Work::new(&launch, &call, &id, limit), limit).await;
    let (status, payload) = ended(outcome, &id, limit);
    let report = Report { id, status: status.clone(), took: begun.elapsed(), init, limit };
    let log_tail = sandbox.journal().end(report, call.log).await;
    if sandbox.is_alive() && !matches!(status, Status::TimedOut | Status::Exited(_)) {
        lease.park(sandbox);
    } else {
        sandbox.retire();
    }
    let function_error = (status != Status::Success).then(|| "Unhandled".to_owned());
    Ok(Invocation { payload, function_error, version: launch.number, log_tail })
}

/// Starts a process and waits until it asks for work. As on AWS, one that fails is started once more, as part of the
/// invocation and within the function's own time limit.
async fn warmed_up(
    cloud: &Cloud,
    launch: &Launch,
    limit: Duration,
) -> Result<(Arc<Sandbox>, Duration), sandbox::Failure> {
    match sandbox::start(cloud, launch, INIT_LIMIT).await {
        Err(failure) if failure.is_worth_a_second_try() => sandbox::start(cloud, launch, limit).await,
        result => result,
    }
}

/// What the caller and the log are told about an invocation's end.
fn ended(outcome: Outcome, id: &str, limit: Duration) -> (Status, Bytes) {
    match outcome {
        Outcome::Answered(payload) => (Status::Success, payload),
        Outcome::Failed { kind, payload } => (Status::Failed(kind), payload),
        Outcome::Exited(reason) => {
            let payload = error("Runtime.ExitError", &format!("RequestId: {id} Error: {reason}"));
            (Status::Exited(reason), payload)
        }
        Outcome::TimedOut => (Status::TimedOut, timed_out(id, limit)),
    }
}

fn timed_out(id: &str, limit: Duration) -> Bytes {
    error(
        "Sandbox.Timedout",
        &format!("RequestId: {id} Error: Task timed out after {:.2} seconds", limit.as_secs_f64()),
    )
}

/// An error as the Lambda service itself words it.
fn error(kind: &str, message: &str) -> Bytes {
    serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string().into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::lambda::testing::{self, Deployed};

    async fn answer(deployed: &Deployed, event: Value) -> (Option<String>, Value) {
        let payload = Bytes::from(event.to_string());
        let invocation = invoke(&deployed.cloud, "f", payload).await.expect("it is invoked");
        let payload = serde_json::from_slice(&invocation.payload).expect("it answers with JSON");
        (invocation.function_error, payload)
    }

    #[tokio::test]
    async fn a_function_answers_and_stays_warm() {
        let deployed = testing::deployed(&json!({}));
        let (error, first) = answer(&deployed, json!({ "$do": "environment" })).await;
        assert_eq!(error, None, "{first}");
        let (_, second) = answer(&deployed, json!({ "$do": "environment" })).await;
        assert_eq!(first["process"], second["process"]);
        assert_eq!(answer(&deployed, json!({ "a": [1] })).await, (None, json!({ "a": [1] })));
        deployed.stop().await;
    }

    #[tokio::test]
    async fn a_function_sees_what_lambda_sets_and_nothing_else() {
        let deployed = testing::deployed(&json!({ "Environment": { "Variables": { "MINE": "1" } } }));
        let (_, seen) = answer(&deployed, json!({ "$do": "environment" })).await;
        let environment = seen["environment"].as_object().expect("an object");
        for (name, value) in [
            ("MINE", "1"),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_REGION", "us-east-1"),
            ("TZ", ":UTC"),
            ("_HANDLER", "bootstrap"),
            ("AWS_ENDPOINT_URL", deployed.cloud.endpoint()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
        ] {
            assert_eq!(environment.get(name).and_then(Value::as_str), Some(value), "{name}");
        }
        let key = environment["AWS_ACCESS_KEY_ID"].as_str().expect("text");
        assert!(key.starts_with("ASIA") && environment.contains_key("AWS_SESSION_TOKEN"), "{key}");
        assert!(!environment.contains_key("HOME") && !environment.contains_key("CARGO"), "{environment:?}");
        assert_eq!(seen["folder"], environment["LAMBDA_TASK_ROOT"]);
        deployed.stop().await;
    }

    #[tokio::test]
    async fn every_kind_of_failure_reads_as_on_aws() {
        let deployed = testing::deployed(&json!({ "Timeout": 1 }));
        let (error, payload) = answer(&deployed, json!({ "$do": "throw" })).await;
        assert_eq!(error.as_deref(), Some("Unhandled"));
        assert_eq!(payload["errorMessage"], "it was told to fail");
        let (error, payload) = answer(&deployed, json!({ "$do": "exit", "STATUS": 7 })).await;
        assert_eq!((error.as_deref(), &payload["errorType"]), (Some("Unhandled"), &json!("Runtime.ExitError")));
        let message = payload["errorMessage"].as_str().expect("a message");
        assert!(message.ends_with(" Error: Runtime exited with error: exit status 7"), "{message}");
        let (error, payload) = answer(&deployed, json!({ "$do": "sleep" })).await;
        assert_eq!((error.as_deref(), &payload["errorType"]), (Some("Unhandled"), &json!("Sandbox.Timedout")));
        let message = payload["errorMessage"].as_str().expect("a message");
        assert!(message.ends_with(" Error: Task timed out after 1.00 seconds"), "{message}");
        let (_, payload) = answer(&deployed, json!({ "$do": "large", "BYTES": serving::LARGEST_ANSWER })).await;
        assert_eq!(payload["errorType"], "Function.ResponseSizeTooLarge");
        assert_eq!(answer(&deployed, json!(1)).await, (None, json!(1)));
        deployed.stop().await;
    }

    #[tokio::test]
    async fn a_function_that_cannot_start_says_why() {
        for (behaviour, kind, part) in
            [("init_error", "Start", "it cannot start"), ("init_exit", "Runtime.ExitError", "exit status 1")]
        {
            let deployed = testing::deployed(&json!({ "Environment": { "Variables": { "BEHAVIOUR": behaviour } } }));
            let (error, payload) = answer(&deployed, json!(1)).await;
            assert_eq!((error.as_deref(), &payload["errorType"]), (Some("Unhandled"), &json!(kind)));
            assert!(payload["errorMessage"].as_str().expect("a message").contains(part), "{payload}");
            deployed.stop().await;
        }
    }

    #[tokio::test]
    async fn concurrent_invocations_have_a_process_each_up_to_the_reserved_number() {
        let deployed = testing::deployed(&json!({}));
        deployed.reserve(2);
        let sleep = Bytes::from(json!({ "$do": "sleep", "SECONDS": 0.5 }).to_string());
        let (one, two, three) = tokio::join!(
            invoke(&deployed.cloud, "f", sleep.clone()),
            invoke(&deployed.cloud, "f", sleep.clone()),
            invoke(&deployed.cloud, "f", sleep),
        );
        assert!(one.is_ok() && two.is_ok());
        let fault = three.expect_err("it is one too many");
        assert_eq!((fault.status.as_u16(), fault.message.as_str()), (429, "Rate Exceeded."));
        deployed.stop().await;
    }

    #[tokio::test]
    async fn a_changed_function_gets_a_new_process() {
        let deployed = testing::deployed(&json!({}));
        let (_, first) = answer(&deployed, json!({ "$do": "environment" })).await;
        deployed.change(|settings| settings.timeout = 5);
        let (_, second) = answer(&deployed, json!({ "$do": "environment" })).await;
        assert_ne!(first["process"], second["process"]);
        deployed.stop().await;
    }

    #[tokio::test]
    async fn a_caller_that_leaves_does_not_stop_the_function() {
        let deployed = testing::deployed(&json!({}));
        let event = Bytes::from(json!({ "$do": "sleep", "SECONDS": 0.4 }).to_string());
        let left = tokio::time::timeout(Duration::from_millis(200), invoke(&deployed.cloud, "f", event)).await;
        assert!(left.is_err());
        let (_, process) = answer(&deployed, json!({ "$do": "environment" })).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        // Both processes wait now: the one that was used last is used next.
        let (_, again) = answer(&deployed, json!({ "$do": "environment" })).await;
        assert!(again["process"].is_number() && process["process"].is_number());
        deployed.stop().await;
    }

    #[tokio::test]
    async fn the_tail_of_the_log_holds_what_the_function_printed_in_order() {
        let deployed = testing::deployed(&json!({}));
        let target = Target { name: "f".to_owned(), qualifier: None };
        let event = Bytes::from(json!({ "$do": "print", "TEXT": "hello" }).to_string());
        let call = call(&deployed.cloud, Call { log: Log::Tail, ..Call::new(target, event) });
        let tail = call.await.expect("it is invoked").log_tail.expect("it was asked for");
        let tail = String::from_utf8(tail.to_vec()).expect("it is text");
        let kinds: Vec<&str> = tail.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(kinds, ["START", "hello", "hello", "END", "REPORT"], "{tail}");
        deployed.stop().await;
    }

    #[tokio::test]
    async fn a_missing_function_is_told_as_on_aws() {
        let deployed = testing::deployed(&json!({}));
        let fault = invoke(&deployed.cloud, "g", Bytes::new()).await.expect_err("there is none");
        assert_eq!(fault.message, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:g");
        deployed.stop().await;
    }
}
