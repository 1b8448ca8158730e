//! What CloudFormation would refuse of a stack's template, told where the stack file says it.

use miette::Diagnostic;

use crate::model::{Complaint, Stack};
use crate::synth;
use crate::template::check::Problem;

/// What is wrong with the template and not told already, and what may be wrong.
///
/// Where the stack itself is wrong, what is missing may be there once that is put right: only what stands by itself is told.
pub(super) fn by_cloudformation(
    stack: &Stack,
    is_sound: bool,
    told: &[&Complaint],
) -> (Vec<Complaint>, Vec<Complaint>) {
    let mut problems = synth::problems(stack);
    if problems.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut plain = stack.clone();
    plain.overrides.clear();
    let unchanged = synth::problems(&plain);
    // What is wrong without the overrides as well is said by none of them.
    let says = |problem: &Problem| if unchanged.contains(problem) { &plain } else { stack };
    problems.retain(|problem| is_sound || problem.stands_alone() && !is_told(says(problem), problem, told));
    let (doubtful, wrong): (Vec<_>, Vec<_>) = problems.iter().partition(|problem| problem.is_doubtful());
    let complaints =
        |problems: Vec<&Problem>| problems.into_iter().map(|problem| complaint(says(problem), problem)).collect();
    (complaints(wrong), complaints(doubtful))
}

/// Whether something is told already of what the problem is about: of any of those that wait for each other.
fn is_told(stack: &Stack, problem: &Problem, told: &[&Complaint]) -> bool {
    let places: Vec<Vec<&str>> = match problem {
        Problem::Circular(ids) => ids.iter().map(|id| path(stack, "Resources", id)).collect(),
        problem => vec![problem.at().map(|(section, name)| path(stack, section, name)).unwrap_or_default()],
    };
    let is_within =
        |path: &[String], place: &[&str]| path.len() >= place.len() && path.iter().zip(place).all(|(a, b)| a == b);
    places.iter().any(|place| told.iter().any(|complaint| is_within(&complaint.path, place)))
}

fn complaint(stack: &Stack, problem: &Problem) -> Complaint {
    let path = problem.at().map(|(section, name)| path(stack, section, name)).unwrap_or_default();
    let help = problem.help().map(|help| help.to_string()).unwrap_or_default();
    let complaint = Complaint::new(&path, problem.to_string(), help);
    // A declaration is shown by its id, an output by its value.
    if path.len() == 2 { complaint.at_key() } else { complaint }
}

fn path<'a>(stack: &'a Stack, section: &str, name: &'a str) -> Vec<&'a str> {
    match section {
        "Outputs" => vec!["outputs", name, "value"],
        "Conditions" => vec!["conditions", name],
        _ if stack.overrides.contains_key(name) => vec!["overrides", name],
        _ => declaration(stack, name),
    }
}

/// What a resource of the template comes from.
fn declaration<'a>(stack: &'a Stack, resource: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    stack.visit(&mut |it| {
        if it.id == resource || it.derived.iter().any(|derived| derived.id == resource) {
            found = vec![it.section, it.id];
        }
    });
    found
}
