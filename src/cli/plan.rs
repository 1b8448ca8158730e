//! From stack files to what can be deployed: read, synthesized, put in order, built.

use std::collections::{BTreeMap, BTreeSet};

use miette::Diagnostic;
use serde_json::Value;
use stackgen::assembly;
use stackgen::bundle::{self, Architecture, Code, FunctionSource, Purpose};
use stackgen::deploy::{Asset, Unit};
use stackgen::model::lambda;
use stackgen::project::Project;
use stackgen::spec;
use stackgen::synth;
use stackgen::template::Template;
use thiserror::Error;

use super::place::StackFile;
use super::{Failure, Outcome, Session};

/// A stack that is ready to be deployed, once its functions are built.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// Where it comes from.
    pub(crate) file: StackFile,
    /// What CloudFormation gets.
    pub(crate) template: Template,
}

/// Why stacks cannot be deployed together.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// A stack file cannot be read.
    #[error("`{file}` cannot be read")]
    #[diagnostic(code(stackgen::project::unreadable), help("check that the file exists and that you may read it"))]
    Unreadable { file: String, source: std::io::Error },
    /// Stacks refer to each other in a circle.
    #[error("these stacks refer to each other in a circle: {names}")]
    #[diagnostic(
        code(stackgen::project::circle),
        help("CloudFormation must deploy one before the other; move what both need into a third stack")
    )]
    Circle { names: String },
    /// A parameter was given that no template has.
    #[error("no stack to be deployed has a parameter `{name}`")]
    #[diagnostic(code(stackgen::parameter::unknown), help("declare it under `parameters`, or leave it out"))]
    UnknownParameter { name: String },
}

/// Reads the stack files of the project. Every mistake in all of them is reported at once.
pub(crate) fn read(session: &Session, project: &Project, names: &[String]) -> Outcome<Vec<StackFile>> {
    let mut files = Vec::new();
    let mut refused = None;
    for name in names {
        match read_one(project, name) {
            Ok(file) => files.push(file),
            Err(failure) => {
                if let Some(Failure { report: Some(report), .. }) = refused.replace(failure) {
                    session.screen.report(&report);
                }
            }
        }
    }
    refused.map_or(Ok(files), Err)
}

/// The stack files as they are named on the screen: from the project's root.
fn read_one(project: &Project, name: &str) -> Outcome<StackFile> {
    let file = project.stack_file(name).map_err(Failure::refused)?;
    let path = file.strip_prefix(project.root()).unwrap_or(&file).to_owned();
    let shown = path.display().to_string();
    let text = std::fs::read(&file).map_err(|source| Error::Unreadable { file: shown.clone(), source })?;
    let stack = spec::read(&shown, &text).map_err(Failure::refused)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(StackFile { name: name.to_owned(), path, text, stack })
}

/// Synthesizes the stacks, and puts those first that others take values from.
pub(crate) fn synthesize(files: Vec<StackFile>) -> Outcome<Vec<Planned>> {
    let mut planned = BTreeMap::new();
    for file in files {
        let template = synth::synthesize(&file.name, &file.stack).map_err(Failure::refused)?;
        planned.insert(file.name.clone(), Planned { file, template });
    }
    in_order(planned)
}

/// The stacks as parts of a cloud assembly. Their code is not known; of what they import, the assembly names the stacks
/// that it holds.
pub(crate) fn assembled(planned: &[Planned]) -> Vec<assembly::Stack> {
    let held = |name: &String| planned.iter().any(|one| one.file.name == *name);
    let assemble = |one: &Planned| {
        let mut stack = assembly::Stack::new(&one.file.name, one.template.clone());
        stack.tags.clone_from(&one.file.stack.tags);
        stack.dependencies = imports(&one.template).into_iter().filter(held).collect();
        stack
    };
    planned.iter().map(assemble).collect()
}

fn in_order(mut waiting: BTreeMap<String, Planned>) -> Outcome<Vec<Planned>> {
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let needs: BTreeMap<String, BTreeSet<String>> =
            waiting.iter().map(|(name, planned)| (name.clone(), imports(&planned.template))).collect();
        let is_ready = |name: &String| {
            needs.get(name).is_some_and(|needs| !needs.iter().any(|n| n != name && waiting.contains_key(n)))
        };
        let Some(next) = waiting.keys().find(|name| is_ready(name)).cloned() else {
            let names = waiting.into_keys().collect::<Vec<_>>().join(", ");
            return Err(Failure::refused(Error::Circle { names }));
        };
        ordered.extend(waiting.remove(&next));
    }
    Ok(ordered)
}

/// Names of the stacks whose exports a template imports: ours are called `stack:output`.
fn imports(template: &Template) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let document = serde_json::to_value(template).unwrap_or_default();
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some((stack, _)) =
                    members.get("Fn::ImportValue").and_then(Value::as_str).and_then(|name| name.split_once(':'))
                {
                    found.insert(stack.to_owned());
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => (),
        }
    }
    found
}

/// Builds the functions of all stacks in one run of cargo.
pub(crate) fn bundle(
    project: &Project,
    planned: &[Planned],
    purpose: Purpose,
    progress: bundle::Progress,
) -> Result<Vec<bundle::Asset>, bundle::Error> {
    let sources: Vec<FunctionSource> = planned
        .iter()
        .flat_map(|planned| planned.file.stack.functions.iter().filter_map(|(id, function)| source(id, function)))
        .collect();
    if sources.is_empty() { Ok(Vec::new()) } else { bundle::bundle(project, &sources, purpose, progress) }
}

/// Where a function's code comes from; one whose code is given otherwise has none.
pub(crate) fn source(id: &str, function: &lambda::Function) -> Option<FunctionSource> {
    let code = match (&function.crate_path, &function.zip, &function.directory) {
        (Some(path), ..) => Code::Crate { name: path.clone(), binary: function.bin.clone() },
        (_, Some(zip), _) => Code::Zip(zip.into()),
        (_, _, Some(directory)) => Code::Directory(directory.into()),
        _ => return None,
    };
    let architecture = match function.architecture {
        lambda::Architecture::X86_64 => Architecture::X86_64,
        lambda::Architecture::Arm64 => Architecture::Arm64,
    };
    Some(FunctionSource { id: id.to_owned(), code, architecture })
}

/// How many functions of a stack are built or packed.
pub(crate) fn functions_with_code(planned: &Planned) -> usize {
    planned.file.stack.functions.iter().filter(|(id, function)| source(id, function).is_some()).count()
}

/// The parameter by which a template asks for a function's code.
pub(crate) fn code_key(function: &str) -> String {
    format!("{function}CodeKey")
}

/// What is handed to the deployment, one unit a stack. `built` are the functions of all stacks in their order.
pub(crate) fn units(
    planned: &[Planned],
    built: Vec<bundle::Asset>,
    parameters: &BTreeMap<String, String>,
) -> Outcome<Vec<Unit>> {
    let has = |name: &str| planned.iter().any(|planned| planned.template.parameters.contains_key(name));
    if let Some(name) = parameters.keys().find(|name| !has(name)) {
        return Err(Failure::refused(Error::UnknownParameter { name: name.clone() }));
    }
    let mut built = built.into_iter();
    Ok(planned.iter().map(|planned| unit(planned, &mut built, parameters)).collect())
}

fn unit(
    planned: &Planned,
    built: &mut impl Iterator<Item = bundle::Asset>,
    parameters: &BTreeMap<String, String>,
) -> Unit {
    let stack = &planned.file.stack;
    let code: Vec<bundle::Asset> = built.take(functions_with_code(planned)).collect();
    let keys = code.iter().map(|asset| (code_key(&asset.id), asset.key()));
    let given = parameters.iter().map(|(name, value)| (name.clone(), value.clone()));
    Unit {
        stack: planned.file.name.clone(),
        template: planned.template.to_json(),
        parameters: given.chain(keys).filter(|(name, _)| planned.template.parameters.contains_key(name)).collect(),
        tags: stack.tags.clone(),
        assets: code
            .into_iter()
            .map(|asset| Asset {
                key: asset.key(),
                path: asset.file,
                name: format!("{} ({})", asset.id, planned.file.name),
            })
            .collect(),
    }
}
