//! What CloudFormation would refuse of a stack's template, told where the stack file says it.

use miette::Diagnostic;

use crate::model::{Complaint, Stack};
use crate::synth;
use crate::template::check::Problem;

/// What is wrong with the template and not told already.
///
/// Where the stack itself is wrong, what is missing may be there once that is put right: only what stands by itself is told.
pub(super) fn by_cloudformation(stack: &Stack, is_sound: bool, told: &[Complaint]) -> Vec<Complaint> {
    let problems = synth::problems(stack).into_iter();
    let complaints = problems.filter(|it| is_sound || it.stands_alone()).map(|problem| complaint(stack, &problem));
    complaints.filter(|it| is_sound || !told.iter().any(|other| other.path.starts_with(&it.path))).collect()
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
