//! Rules for names: logical ids, and whatever else a template tells apart by name.

use std::collections::BTreeMap;

use crate::model::{Declaration, Stack, ids};

use super::Complaint;

/// Every id can be one, and no two are the same; derived ids included.
pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut taken: BTreeMap<String, Owner<'_>> = reserved(stack);
    stack.visit(&mut |it| declared(&it, &mut taken, &mut complaints));
    stack.visit(&mut |it| derived(&it, &mut taken, &mut complaints));
    complaints.extend(
        stack
            .repeated()
            .map(|id| Complaint::new(&[id], format!("`{id}` was added twice"), "give one of the two another id")),
    );
    complaints.extend(plain_names(stack));
    complaints
}

struct Owner<'a> {
    section: &'static str,
    /// The declaration from which the id is derived.
    source: Option<&'a str>,
    what: String,
}

fn reserved(stack: &Stack) -> BTreeMap<String, Owner<'static>> {
    let what = "the bucket that holds the functions' code".to_owned();
    let logs = |derived: ids::Derived| {
        let what = format!("the {} for the logs of REST APIs", derived.name);
        (derived.id, Owner { section: "restApis", source: None, what })
    };
    let reserved = ids::of_stack(stack).into_iter().map(logs);
    let bucket = Owner { section: "parameters", source: None, what };
    reserved.chain([(ids::ASSET_BUCKET.to_owned(), bucket)]).collect()
}

fn declared(it: &Declaration<'_>, taken: &mut BTreeMap<String, Owner<'_>>, complaints: &mut Vec<Complaint>) {
    let path = [it.section, it.id];
    if let Some(help) = not_an_id(it.id) {
        complaints.push(Complaint::new(&path, format!("`{}` cannot be an id", it.id.escape_debug()), help).of_name());
    }
    if let Some(owner) = taken.get(it.id) {
        let message = format!("`{}` is the id of {} already", it.id, owner.what);
        complaints.push(Complaint::new(&path, message, "give it another id: one template has them all").of_name());
        return;
    }
    let what = format!("a {} under `{}`", it.name, it.section);
    taken.insert(it.id.to_owned(), Owner { section: it.section, source: None, what });
}

fn derived<'a>(it: &Declaration<'a>, taken: &mut BTreeMap<String, Owner<'a>>, complaints: &mut Vec<Complaint>) {
    for derived in &it.derived {
        let what = format!("the {} of {} `{}`", derived.name, it.name, it.id);
        if let Some(owner) = taken.get(&derived.id) {
            let message = format!("{what} would have the id `{}`, which {} has", derived.id, owner.what);
            let is_its_own = owner.section == it.section && owner.source == Some(it.id);
            let help = match is_its_own {
                true => {
                    "two names in it read the same but for small letters, capitals and marks: rename one".to_owned()
                }
                false => format!("rename `{}`, or what else is under `{}`", it.id, owner.section),
            };
            complaints.push(Complaint::new(&[it.section, it.id], message, help).at_key());
            continue;
        }
        taken.insert(derived.id.clone(), Owner { section: it.section, source: Some(it.id), what });
    }
}

/// Conditions and outputs have names of their own, but the same letters.
fn plain_names(stack: &Stack) -> Vec<Complaint> {
    let conditions = stack.conditions.keys().map(|name| ("conditions", name));
    let outputs = stack.outputs.keys().map(|name| ("outputs", name));
    let wrong = conditions.chain(outputs).filter_map(|(section, name)| Some((section, name, not_an_id(name)?)));
    let mut complaints: Vec<_> = wrong
        .map(|(section, name, help)| {
            Complaint::new(&[section, name], format!("`{}` cannot be a name here", name.escape_debug()), help).of_name()
        })
        .collect();
    if stack.conditions.contains_key(ids::USES_CDK_BUCKET) {
        let path = ["conditions", ids::USES_CDK_BUCKET];
        complaints
            .push(Complaint::new(&path, "the functions' code has a condition of that name", "rename it").of_name());
    }
    complaints
}

/// What to do about a text that cannot be a logical id.
fn not_an_id(id: &str) -> Option<String> {
    let better: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    match id {
        _ if id.len() > 255 => Some("255 letters and digits are the most".to_owned()),
        _ if !id.is_empty() && better == id => None,
        _ if better.is_empty() => Some("letters and digits only".to_owned()),
        _ => Some(format!("letters and digits only: `{better}`")),
    }
}

/// Why a stack cannot be deployed under a name.
pub(super) fn stack_name(name: &str) -> Option<Complaint> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(allowed) && name.len() <= 128;
    let message = format!("`{}` cannot be the name of a stack", name.escape_debug());
    let help = "rename the file: a letter first, then letters, digits and hyphens, 128 at most";
    (!fits).then(|| Complaint::new(&[], message, help))
}
