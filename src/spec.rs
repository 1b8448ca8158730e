//! Stack files: YAML text in, a checked stack or every complaint with its place out; and their JSON Schema.
//!
//! A file is read in three steps, so that one mistake does not hide the others: its syntax into a tree that knows
//! where everything stands; the tree into the model, as often as it takes to set every value aside that does not fit;
//! and what did fit through the model's own checks, the rules of authorization, and those that templates must keep.

mod excerpt;
mod fault;
mod place;
mod reader;
mod refused;
mod report;
mod schema;
mod tree;

use std::collections::BTreeSet;

use crate::access::rules::{self, Severity, Sources};
use crate::model::check::check;
use crate::model::{Complaint, Declared, Others, Stack};

pub use report::{Finding, Region, Report};

use place::Places;
use reader::Reader;
use report::{MAX_FINDINGS, Mark};
use tree::Tree;

/// The most that a stack file may hold: as much as CloudFormation takes of a template.
pub const MAX_BYTES: usize = 1_000_000;

/// What a stack file holds.
#[derive(Debug, Clone)]
pub struct Read {
    /// What it declares.
    pub stack: Stack,
    /// What is only likely wrong with it, each with its place; `None` where nothing is.
    pub warnings: Option<Report>,
}

/// Reads a stack file and checks what it declares. `name` is the file's, as messages show it; its stem is the stack's.
///
/// # Errors
/// Every mistake that could be found, each with its place.
pub fn read(name: &str, text: &[u8]) -> Result<Stack, Report> {
    read_with_warnings(name, text, &|_| None).map(|read| read.stack)
}

/// The same, with what is only likely wrong. `sources` are those of the functions, by the folder of their crate.
///
/// # Errors
/// Every mistake that could be found, each with its place. What is only likely wrong waits until nothing else is.
pub fn read_with_warnings(name: &str, text: &[u8], sources: &Sources<'_>) -> Result<Read, Report> {
    read_in_project(name, text, sources, &|| None)
}

/// The same, for a file that is one of a project's. `others` tells what all stacks of the project show, and is asked only
/// if the file may refer to one of them.
///
/// # Errors
/// Every mistake that could be found, each with its place. What is only likely wrong waits until nothing else is.
pub fn read_in_project(
    name: &str,
    text: &[u8],
    sources: &Sources<'_>,
    others: &dyn Fn() -> Option<Others>,
) -> Result<Read, Report> {
    let text = utf8(name, text)?;
    let Tree { root, mut findings, set_aside } =
        tree::parse(text).map_err(|finding| Report::new(name, text, vec![finding]))?;
    // What would be found besides is not told, and each value that was set aside may be one more reading of the whole.
    if findings.len() > MAX_FINDINGS {
        return Err(Report::new(name, text, findings));
    }
    let mut reader = Reader::new(&root, set_aside);
    let stack = reader.read(MAX_FINDINGS + 1);
    let set_aside = reader.finish(&mut findings);
    let Some(stack) = stack else { return Err(Report::new(name, text, findings)) };
    let found = rules::find_with(&stack, sources);
    let mut declared = Declared::by(&stack, stem(name));
    if let Some(others) = names_output(text).then(others).flatten() {
        declared.among(others);
    }
    if !findings.is_empty() {
        declared.lack_some();
    }
    let (mistakes, doubts) = checked(declared, Places::new(&root, &set_aside), &stack, found);
    findings.extend(mistakes);
    if !findings.is_empty() {
        return Err(Report::new(name, text, findings));
    }
    let warnings = (!doubts.is_empty()).then(|| Report::new(name, text, doubts));
    Ok(Read { stack, warnings })
}

/// What a stack file declares, unchecked; nothing where anything in it cannot be read.
pub fn outline(text: &[u8]) -> Option<Stack> {
    let Tree { root, set_aside, .. } =
        tree::parse(utf8("", text).ok()?).ok().filter(|tree| tree.findings.is_empty())?;
    Reader::new(&root, set_aside).read(1)
}

/// Whether `output` may be a key of the file: those that refer to other stacks have it.
fn names_output(text: &str) -> bool {
    text.split("output").skip(1).any(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
}

/// The line of a stack file on which something is declared: `["httpApis", "Api", "routes", "GET /notes"]`.
///
/// Where the way ends early, it is the line of the last step that is there.
pub fn line(text: &str, path: &[&str]) -> Option<usize> {
    let tree = tree::parse(text).ok()?;
    let place = Places::new(&tree.root, &BTreeSet::new()).find(path.iter().copied(), Mark::Key);
    Some(text.get(..place.start)?.matches('\n').count() + 1)
}

/// The JSON Schema of stack files, by which editors complete and check them.
pub fn schema() -> crate::model::Json {
    schema::schema()
}

fn utf8<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, Report> {
    let refuse = |finding| Err(Report::new(name, "", vec![finding]));
    if bytes.len() > MAX_BYTES {
        let message =
            format!("the file has {} bytes, more than the {MAX_BYTES} that a stack file may have", bytes.len());
        return refuse(Finding::whole(message, "split it into several stacks: one can use the outputs of another"));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.trim_start_matches('\u{feff}').trim().is_empty() => refuse(Finding::whole(
            "the file is empty",
            "declare something in it, or begin with what `stackgen init` writes",
        )),
        Ok(text) => Ok(text),
        Err(error) => {
            let lossy = String::from_utf8_lossy(bytes);
            let place = error.valid_up_to()..error.valid_up_to() + '\u{fffd}'.len_utf8();
            let finding = Finding::new(place, "this is not UTF-8", "save the file with the encoding UTF-8");
            Err(Report::new(name, &lossy, vec![finding]))
        }
    }
}

/// What the model's own checks and the rules say, mistakes first, save for what merely follows from values that were set
/// aside.
fn checked(
    mut declared: Declared,
    places: Places<'_>,
    stack: &Stack,
    found: Vec<rules::Finding>,
) -> (Vec<Finding>, Vec<Finding>) {
    places.ids().for_each(|id| declared.assume(id));
    let (refused, doubtful): (Vec<_>, Vec<_>) = found.into_iter().partition(|it| it.rule.severity() == Severity::Error);
    let mut complaints = check(stack, &declared);
    let is_sound = declared.is_whole() && complaints.is_empty() && refused.is_empty();
    let told: Vec<_> = complaints.iter().chain(refused.iter().map(|it| &it.complaint)).collect();
    let (wrong, doubts) = refused::by_cloudformation(stack, is_sound, &told);
    complaints.extend(wrong);
    let mistakes = complaints.into_iter().map(by_none).chain(refused.into_iter().map(by_rule));
    let doubts = doubts.into_iter().map(by_none).chain(doubtful.into_iter().map(by_rule));
    (located(&places, Severity::Error, mistakes), located(&places, Severity::Warning, doubts))
}

type Told = (Option<&'static rules::Rule>, Complaint);

fn by_none(complaint: Complaint) -> Told {
    (None, complaint)
}

fn by_rule(finding: rules::Finding) -> Told {
    (Some(finding.rule), finding.complaint)
}

fn located(places: &Places<'_>, severity: Severity, told: impl Iterator<Item = Told>) -> Vec<Finding> {
    let meant = told.filter(|(_, complaint)| !places.follows(complaint)).take(MAX_FINDINGS + 1);
    meant.map(|(rule, complaint)| Finding { rule, severity, ..finding(places, complaint) }).collect()
}

fn finding(places: &Places<'_>, complaint: Complaint) -> Finding {
    let mark = if complaint.at_key { Mark::Key } else { Mark::Value };
    let place = places.find(complaint.path.iter().map(String::as_str), mark);
    let place = (!complaint.path.is_empty()).then_some(place);
    let (message, help) = (complaint.message, complaint.help);
    Finding { rule: None, severity: Severity::Error, place, label: None, message, help }
}

/// `protected-api` of `stacks/protected-api.yaml`.
fn stem(name: &str) -> &str {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}
