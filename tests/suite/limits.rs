//! AWS's limits, by `tests/cases/limits.json`: each is tried on a stack that keeps it and on one that passes it by one, or
//! is named below with the reason why it is none of a template.

mod trials;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use stackgen::model::Stack;
use stackgen::model::raw::Suppression;
use stackgen::synth::{Error, synthesize};
use stackgen::template::Template;
use stackgen::template::check::INLINE_BYTES;

use trials::TRIALS;

/// An entry of the file.
#[derive(Debug, Deserialize)]
struct Limit {
    id: String,
    name: String,
    value: Value,
    unit: String,
    synth_check: String,
}

impl Limit {
    /// Its numbers, in the unit that a template is counted in.
    fn numbers(&self) -> Vec<usize> {
        let times = if self.unit == "KB" { 1_024 } else { 1 };
        let all = self.value.as_array().cloned().unwrap_or_else(|| vec![self.value.clone()]);
        all.iter().filter_map(Value::as_u64).map(|number| times * usize::try_from(number).expect("it fits")).collect()
    }

    /// Whether AWS raises it, so that a reason in the stack file lets it pass.
    fn is_raised(&self) -> bool {
        self.synth_check.starts_with("warn")
    }
}

/// What a limit is tried on, given a number.
#[derive(Debug, Clone, Copy)]
enum Subject {
    /// A stack with so many.
    Stack(fn(usize) -> Stack),
    /// A template with so many, where no stack can have any.
    Template(fn(usize) -> Template),
    /// A stack under a name.
    Name(fn(usize) -> String),
    /// Texts that are within the pattern, and texts that are not, and the stack that has one.
    Pattern(&'static [&'static str], &'static [&'static str], fn(&str) -> (String, Stack)),
}

/// Which of an entry's numbers is meant, and on which side of it nothing may be.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Most(usize),
    Least(usize),
    /// It is no number.
    None,
}

/// A limit's id, and what it is tried on.
type Trial = (&'static str, Bound, Subject);

/// Limits that are none of a synthesized template, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("LIM-12", "a larger template goes through the bucket, as `deploy/change_set.rs` has it"),
    ("LIM-14", "what else an account has is in no template"),
    ("LIM-15", "no stack has stacks inside"),
    ("LIM-16", "it is what a function answers; the local cloud's CloudFormation refuses more"),
    ("LIM-27", "it is about requests; the local gateway refuses more"),
    ("LIM-28", "it is about requests; the local gateway refuses more"),
    ("LIM-29", "it is about what an issuer answers; the local gateway waits no longer"),
    ("LIM-30", "it is about what an issuer answers; the local gateway reads no more"),
    ("LIM-31", "it is about what an issuer answers; the local gateway waits no longer"),
    ("LIM-32", "it is about what an authorizer answers; the local gateway waits no longer"),
    ("LIM-41", "it is about requests; the local gateway refuses more"),
    ("LIM-42", "it is about requests; the local gateway refuses more"),
    ("LIM-44", "the values of path parameters, which make an ARN long, are in requests"),
    ("LIM-48", "it is about how often a deployment is made"),
    ("LIM-49", "the load of an account is in no template"),
    ("LIM-54", "code is in no template; `bundle` refuses more, and uploads through S3, where zips may be larger"),
    ("LIM-55", "it is about requests and answers; the local cloud refuses more"),
];

fn limits() -> Vec<Limit> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/limits.json");
    let text = fs::read_to_string(path).expect("the file is part of the repository");
    let file: Value = serde_json::from_str(&text).expect("it is JSON");
    serde_json::from_value(file["limits"].clone()).expect("every entry has the members that are looked at")
}

/// Everything that keeps a stack from being synthesized, with what to do about it.
fn told(name: &str, stack: &Stack) -> Vec<String> {
    match synthesize(name, stack) {
        Ok(_) => Vec::new(),
        Err(Error::Stack { complaints, .. }) => complaints.iter().map(ToString::to_string).collect(),
        Err(Error::Template { problems, .. }) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// The same stack with a reason why its APIs may be beyond what AWS gives at first.
fn excused(mut stack: Stack) -> Stack {
    let apis = stack.http_apis.keys().chain(stack.rest_apis.keys()).chain(stack.web_socket_apis.keys());
    let apis: Vec<String> = apis.cloned().collect();
    if !apis.is_empty() {
        stack.suppress("quota", Suppression::new(apis, "AWS has raised the quotas of the account."));
    }
    stack
}

impl Subject {
    fn told(self, number: usize) -> Vec<String> {
        match self {
            Self::Stack(stack) => told("test", &stack(number)),
            Self::Template(template) => template(number).problems().iter().map(ToString::to_string).collect(),
            Self::Name(name) => told(&name(number), &trials::smallest()),
            Self::Pattern(..) => Vec::new(),
        }
    }

    /// What is told of a stack that gives a reason.
    fn told_excused(self, number: usize) -> Vec<String> {
        match self {
            Self::Stack(stack) => told("test", &excused(stack(number))),
            other => other.told(number),
        }
    }
}

/// What is wrong unless one number is taken, the next one is refused by that number, and only a limit that AWS raises can
/// be excused.
fn hold(limit: &Limit, subject: Subject, (inside, outside): (usize, usize)) -> Vec<String> {
    let mut wrong = Vec::new();
    let taken = subject.told(inside);
    if !taken.is_empty() {
        wrong.push(format!("{inside} is not taken: {taken:#?}"));
    }
    let refused = subject.told(outside);
    if refused.is_empty() || !refused.iter().all(|told| told.contains(&inside.to_string())) {
        wrong.push(format!("{outside} is not refused by its number: {refused:#?}"));
    }
    let excused = subject.told_excused(outside);
    if excused.is_empty() != limit.is_raised() {
        wrong.push(format!("with a reason for {outside}: {excused:#?}"));
    }
    wrong
}

fn hold_pattern(good: &[&str], bad: &[&str], stack: fn(&str) -> (String, Stack)) -> Vec<String> {
    let told = |text: &&&str| {
        let (name, stack) = stack(text);
        told(&name, &stack)
    };
    let refused = good.iter().filter(|text| !told(text).is_empty()).map(|text| format!("`{text}` is refused"));
    let says = |text: &&&str| told(text).iter().any(|told| told.contains("letters"));
    let taken = bad.iter().filter(|text| !says(text)).map(|text| format!("`{text}` is not refused for its letters"));
    refused.chain(taken).collect()
}

/// What is wrong with how the project keeps a limit.
fn try_out(limit: &Limit, bound: Bound, subject: Subject) -> Vec<String> {
    let number = |index: usize| limit.numbers().get(index).copied().expect("the entry has the number");
    let wrong = match (bound, subject) {
        (Bound::Most(index), _) => hold(limit, subject, (number(index), number(index) + 1)),
        (Bound::Least(index), _) => hold(limit, subject, (number(index), number(index) - 1)),
        (Bound::None, Subject::Pattern(good, bad, stack)) => hold_pattern(good, bad, stack),
        (Bound::None, _) => vec!["it has a number".to_owned()],
    };
    wrong.into_iter().map(|wrong| format!("{} ({}): {wrong}", limit.id, limit.name)).collect()
}

#[test]
fn every_limit_of_aws_is_kept_or_is_none_of_a_template() {
    let limits = limits();
    let known: BTreeSet<&str> = limits.iter().map(|limit| limit.id.as_str()).collect();
    let tried: BTreeSet<&str> = TRIALS.iter().map(|(id, ..)| *id).collect();
    let elsewhere: BTreeSet<&str> = ELSEWHERE.iter().map(|(id, _)| *id).collect();
    assert_eq!(tried.intersection(&elsewhere).count(), 0);
    assert_eq!(tried.union(&elsewhere).copied().collect::<BTreeSet<_>>(), known);
    let trials =
        limits.iter().flat_map(|limit| TRIALS.iter().filter(|(id, ..)| *id == limit.id).map(move |it| (limit, it)));
    let wrong: Vec<String> = trials.flat_map(|(limit, (_, bound, subject))| try_out(limit, *bound, *subject)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_fails_synthesis_is_no_matter_of_elsewhere() {
    // The size of code is a matter of `bundle`, which the stack's own functions go through before a deployment.
    let told_elsewhere = |limit: &&Limit| ELSEWHERE.iter().any(|(id, _)| *id == limit.id);
    let failing = limits().iter().filter(told_elsewhere).filter(|it| it.synth_check.starts_with("fail")).count();
    assert_eq!(failing, 1, "LIM-54 alone");
}

#[test]
fn a_template_is_sent_inline_up_to_the_size_that_aws_takes() {
    let inline = limits().into_iter().find(|limit| limit.id == "LIM-12").expect("it is in the file");
    assert_eq!(inline.numbers(), [INLINE_BYTES]);
}
