//! ministack as the judge of what CloudFormation asks for a deployer.
//!
//! ministack asks for a caller's rights when the caller itself calls, and never for what its own CloudFormation does. So
//! the embedded cloud says what its CloudFormation asks, and ministack decides each of these questions: by `enforce`, the
//! function that decides on every request where `AUTH=true`, for a user who has the policy from ministack's own IAM.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::tools::{Auth, MINISTACK, Ministack, python, run};

/// What makes the local cloud write down each question about rights.
pub(super) const LOG: (&str, &str) = ("STACKGEN_LOG", "stackgen=info,stackgen::local::iam::authorize=debug");

/// What stands before a question in the log.
const MARK: &str = "stackgen::local::iam::authorize: ";

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

/// Makes of each question a request that the deployer signs, and tells which of them a running ministack denies. What it
/// says to requests that it lets in is of no interest: they are about things that are not there.
const SIGNED: &str = r#"
import boto3, json, re, sys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError
from botocore.httpsession import URLLib3Session
from botocore.credentials import Credentials

with open(sys.argv[1]) as file:
    asked = json.load(file)
iam = boto3.client("iam")
endpoint = iam.meta.endpoint_url
iam.create_user(UserName="deployer")
key = iam.create_access_key(UserName="deployer")["AccessKey"]
keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
http, credentials = URLLib3Session(), Credentials(key["AccessKeyId"], key["SecretAccessKey"])

# What a service calls the thing that its requests are about; what tags are set by; and its name in botocore.
NAMES = {
    "cloudformation": ("StackName", "", ""), "cognito-idp": ("UserPoolId", "", ""),
    "dynamodb": ("TableName", "ResourceArn", ""), "iam": ("RoleName", "", ""),
    "lambda": ("FunctionName", "Resource", ""), "logs": ("logGroupName", "resourceArn", ""),
    "secretsmanager": ("SecretId", "", ""), "ses": ("EmailIdentity", "ResourceArn", "sesv2"),
}
TAGGING = ("TagResource", "UntagResource", "ListTags", "ListTagsForResource", "ListTagsOfResource")
clients = {name: boto3.client(real or name, config=config, **keys) for name, (_, _, real) in NAMES.items()}

def is_denied(question):
    service, operation = question["action"].split(":")
    resource = question["resource"]
    if service == "apigateway":
        path = resource.split("::", 1)[1]
        url = endpoint + ("/v2" + path if path.startswith(("/apis", "/domainnames")) else path)
        request = AWSRequest(operation, url, data=b"" if operation in ("GET", "DELETE") else b"{}")
        SigV4Auth(credentials, "apigateway", "us-east-1").add_auth(request)
        answer = http.send(request.prepare())
        return answer.status_code == 403 and b"not authorized" in answer.content
    name, tagged, _ = NAMES[service]
    part = resource.split(":", 5)[-1].removeprefix("log-group:").removesuffix(":log-stream:")
    part = re.sub("^(function:|role/|stack/|userpool/|table/|identity/|secret:)", "", part).removesuffix("/*")
    arn = resource.removesuffix(":log-stream:")
    given = {name: part, "StatementId": "x", "TagKeys": ["k"]}
    if operation in TAGGING:
        given[tagged] = arn
    if operation == "CreateSecret":
        given["Name"] = part
    shape = clients[service].meta.service_model.operation_model(operation).input_shape
    members = shape.members if shape and resource != "*" else {}
    try:
        clients[service]._make_api_call(operation, {name: value for name, value in given.items() if name in members})
    except ClientError as error:
        return "not authorized" in error.response["Error"].get("Message", "")
    return False

def can_be_signed(question):
    service, operation = question["action"].split(":")
    if service == "apigateway":
        return operation in ("DELETE", "GET", "PATCH", "POST", "PUT")
    return service in NAMES and operation in clients[service].meta.service_model.operation_names

questions = [question for question in asked["questions"] if can_be_signed(question)]
verdicts = []
for documents in asked["policies"]:
    held = []
    for number, document in enumerate(documents):
        made = iam.create_policy(PolicyName=f"deployer-{number}", PolicyDocument=json.dumps(document))
        held.append(made["Policy"]["Arn"])
        iam.attach_user_policy(UserName="deployer", PolicyArn=held[-1])
    denied = [question for question in questions if is_denied(question)]
    verdicts.append([f"{question['action']} {question['resource']}" for question in denied])
    if len(verdicts) == 1:
        # What it cannot be asked in this way it denies always.
        questions = [question for question in questions if question not in denied]
    for arn in held:
        iam.detach_user_policy(UserName="deployer", PolicyArn=arn)
        iam.delete_policy(PolicyArn=arn)
print(json.dumps({"asked": len(questions), "denied": verdicts}))
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

/// What a running ministack denies of the questions as requests.
#[derive(Debug, Deserialize)]
pub(super) struct Signed {
    /// How many requests it lets in with the first policy.
    pub(super) asked: usize,
    /// What it denies with each of the policies.
    denied: Vec<Vec<String>>,
}

impl Signed {
    /// Asks with the first policy, and with the others what was let in with the first.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub(super) fn new(policies: &[(String, Vec<Value>)], questions: &[Question]) -> Self {
        let ministack = Ministack::start(Auth::Enforced);
        let asked = Asked::new(policies, questions);
        let mut program = python(&["boto3==1.43.106"]).program("python");
        let printed = run(program.args(["-c", SIGNED]).arg(asked.file()).envs(ministack.environment()));
        serde_json::from_str(&printed).expect("it is a document")
    }

    /// What is denied with the first policy.
    pub(super) fn never_let_in(&self) -> &[String] {
        self.denied.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// The names of the policies with which something is denied that the first lets in.
    pub(super) fn missed<'a>(&self, policies: &'a [(String, Vec<Value>)]) -> BTreeSet<&'a str> {
        let judged = policies.iter().zip(&self.denied).skip(1);
        judged.filter(|(_, denied)| !denied.is_empty()).map(|((name, _), _)| name.as_str()).collect()
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
