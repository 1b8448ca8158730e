//! ministack as the judge of what CloudFormation asks for a deployer.
//!
//! ministack asks for a caller's rights when the caller itself calls, and never for what its own CloudFormation does. So
//! the embedded cloud says what its CloudFormation asks, and ministack decides each of these questions: by `enforce`, the
//! function that decides on every request where `AUTH=true`, for a user who has the policy from ministack's own IAM. A
//! running one is taught to ask them itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::tools::{Auth, MINISTACK, Ministack, python, run};

/// What makes the local cloud write down each question about rights.
pub(super) const LOG: (&str, &str) = ("STACKGEN_LOG", "stackgen=info,stackgen_local::iam::authorize=debug");

/// What stands before a question in the log.
const MARK: &str = "stackgen_local::iam::authorize: ";

const DEPLOYER: &str = "arn:aws:iam::000000000000:user/deployer";

/// What the program asks of emulators alone, and lives without: what an HTTP API says of its own address.
const OPTIONAL: &str = "apigateway:GET";

/// What differs each time that the same is asked.
const CLOCK: [&str; 2] = ["aws:currenttime", "aws:epochtime"];

/// What a cloud asks about a caller's rights.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub(super) struct Question {
    caller: String,
    action: String,
    resource: String,
    /// Condition keys in lower case; one without values is known to be absent.
    context: BTreeMap<String, Vec<String>>,
    /// What the embedded cloud decided.
    allowed: bool,
}

/// Answers, for each of some policies, which of the questions are allowed.
const JUDGE: &str = r#"
import asyncio, json, os, re, sys
os.environ["AUTH"] = "true"
from ministack.core.iam_evaluator import EvalResult, enforce
from ministack.services import iam

def call(action, **parameters):
    query = {"Action": [action], "UserName": ["deployer"], **{name: [value] for name, value in parameters.items()}}
    status, _, body = asyncio.run(iam.handle_request("POST", "/", {}, b"", query))
    assert status == 200, body
    return body.decode()

def is_allowed(question):
    context = {name: values if len(values) > 1 else values[0] for name, values in question["context"].items() if values}
    action = question["action"]
    denied = enforce(key, action, action.split(":")[0], "us-east-1", question["resource"], context)
    assert denied is None or isinstance(denied, EvalResult), (denied, question)
    return denied is None

with open(sys.argv[1]) as file:
    asked = json.load(file)
call("CreateUser")
key = re.search("<AccessKeyId>(.*?)<", call("CreateAccessKey"))[1]
verdicts = []
for documents in asked["policies"]:
    held = []
    for number, document in enumerate(documents):
        made = call("CreatePolicy", PolicyName=f"deployer-{number}", PolicyDocument=json.dumps(document))
        held.append(re.search("<Arn>(.*?)<", made)[1])
        call("AttachUserPolicy", PolicyArn=held[-1])
    verdicts.append([is_allowed(question) for question in asked["questions"]])
    for arn in held:
        call("DetachUserPolicy", PolicyArn=arn)
        call("DeletePolicy", PolicyArn=arn)
print(json.dumps(verdicts))
"#;

/// A ministack whose CloudFormation asks: before it makes, changes or removes the first resource of an operation, it puts
/// each of the questions to `enforce` for whoever began the operation, and fails as AWS does for one that is denied.
const ASKING: &str = r#"
import asyncio, contextvars, json, sys
from ministack.app import main
from ministack.core import iam_evaluator
from ministack.services.cloudformation import stacks

asked_file = sys.argv.pop(1)
has_asked = contextvars.ContextVar("has_asked", default=None)

def ask():
    # None for the account itself, whose requests need no rights.
    key = iam_evaluator._verified_key.get()
    if not key or has_asked.get() is asyncio.current_task():
        return
    has_asked.set(asyncio.current_task())
    with open(asked_file) as file:
        questions = json.load(file)["questions"]
    for question in questions:
        action, resource = question["action"], question["resource"]
        context = {name: values if len(values) > 1 else values[0] for name, values in question["context"].items() if values}
        asked = (key, action, action.split(":")[0], "us-east-1", resource, context)
        if contextvars.Context().run(iam_evaluator.enforce, *asked) is not None:
            raise PermissionError(f"User: deployer is not authorized to perform: {action} on resource: {resource}")

def asking(handler):
    def asked(*arguments, **named):
        ask()
        return handler(*arguments, **named)
    return asked

for name in ("_provision_resource", "_update_resource", "_delete_resource"):
    setattr(stacks, name, asking(getattr(stacks, name)))
sys.exit(main())
"#;

/// What the embedded cloud has asked about the deployer, by its log.
pub(super) fn questions(log: &Path) -> Vec<Question> {
    let log = fs::read_to_string(log).expect("the local cloud keeps a log");
    let told = log.lines().filter_map(|line| Some(line.split_once(MARK)?.1));
    let asked = told.map(|told| serde_json::from_str::<Question>(told).expect("a question is a document"));
    let asked = asked.filter(|question| question.caller == DEPLOYER);
    let needed = asked.filter(|question| question.allowed || question.action != OPTIONAL);
    let plain = needed.map(|mut question| {
        question.context.retain(|key, _| !CLOCK.contains(&key.as_str()));
        question
    });
    plain.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The names of the policies with which ministack denies one of the questions at least.
///
/// # Panics
/// When it cannot be asked.
pub(super) fn denied<'a>(policies: &'a [(String, Vec<Value>)], questions: &[Question]) -> BTreeSet<&'a str> {
    let asked = Asked::new(policies, questions);
    let printed = run(python(MINISTACK).program("python").args(["-c", JUDGE]).arg(asked.file()));
    let verdicts: Vec<Vec<bool>> = serde_json::from_str(&printed).expect("it is a document");
    assert_eq!(verdicts.len(), policies.len());
    let judged = policies.iter().zip(verdicts);
    judged.filter(|(_, verdicts)| verdicts.contains(&false)).map(|((name, _), _)| name.as_str()).collect()
}

/// What a ministack asks whose CloudFormation asks.
pub(super) struct Asking(Asked);

impl Asking {
    /// Starts one, which asks nothing yet.
    pub(super) fn start() -> (Ministack, Self) {
        let asked = Asked::new(&[], &[]);
        let mut command = python(MINISTACK).program("python");
        (Ministack::launch(Auth::Enforced, command.args(["-c", ASKING]).arg(asked.file())), Self(asked))
    }

    /// Has it ask these questions, which were about one bucket, about another.
    pub(super) fn about(&self, questions: &[Question], (bucket, other): (&str, &str)) {
        let text = json!({ "questions": questions }).to_string();
        assert!(text.contains(bucket), "none is about the bucket {bucket}");
        fs::write(self.0.file(), text.replace(bucket, other)).expect("the folder is ours");
    }
}

/// Policies and questions in a file.
struct Asked(tempfile::TempDir);

impl Asked {
    fn new(policies: &[(String, Vec<Value>)], questions: &[Question]) -> Self {
        let asked = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        let documents: Vec<&Vec<Value>> = policies.iter().map(|(_, documents)| documents).collect();
        let text = json!({ "policies": documents, "questions": questions }).to_string();
        fs::write(asked.file(), text).expect("the folder is writable");
        asked
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("asked.json")
    }
}

/// Whether the embedded cloud let the deployer do all that it asked about.
pub(super) fn all_allowed(questions: &[Question]) -> bool {
    questions.iter().all(|question| question.allowed)
}
