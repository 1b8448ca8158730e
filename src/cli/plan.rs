//! From stack files to what can be deployed: read, synthesized, put in order, built.

use std::collections::{BTreeMap, BTreeSet};

use miette::Diagnostic;
use serde_json::Value;
use stackgen::assembly;
use stackgen::bundle::{self, Architecture, Code, FunctionSource, Purpose};
use stackgen::deploy::{Asset, Unit};
use stackgen::model::lambda;
use stackgen::project::Project;
use stackgen::template::Template;
use stackgen::{spec, synth};
use thiserror::Error;

use super::place::StackFile;
use super::{Failure, Outcome};

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
    /// Several stack files have mistakes.
    #[error("{count} stack files have mistakes")]
    #[diagnostic(code(stackgen::stack_file))]
    Mistakes {
        count: usize,
        #[related]
        reports: Vec<spec::Report>,
    },
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
pub(crate) fn read(project: &Project, names: &[String]) -> Outcome<Vec<StackFile>> {
    let mut files = Vec::new();
    let mut reports = Vec::new();
    for name in names {
        match read_one(project, name)? {
            Ok(file) => files.push(file),
            Err(report) => reports.push(report),
        }
    }
    match (reports.pop(), reports.is_empty()) {
        (None, _) => Ok(files),
        (Some(only), true) => Err(Failure::refused(only)),
        (Some(last), false) => {
            reports.push(last);
            Err(Failure::refused(Error::Mistakes { count: reports.len(), reports }))
        }
    }
}

/// The stack file, named on the screen from the project's root.
fn read_one(project: &Project, name: &str) -> Outcome<Result<StackFile, spec::Report>> {
    let file = project.stack_file(name).map_err(Failure::refused)?;
    let shown = file.strip_prefix(project.root()).unwrap_or(&file).display().to_string();
    let text =
        std::fs::read(&file).map_err(|source| Failure::refused(Error::Unreadable { file: shown.clone(), source }))?;
    Ok(spec::read(&shown, &text).map(|stack| {
        let text = String::from_utf8_lossy(&text).into_owned();
        StackFile { name: name.to_owned(), path: shown, text, stack }
    }))
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
    let needs: BTreeMap<String, BTreeSet<String>> =
        waiting.iter().map(|(name, planned)| (name.clone(), imports(&planned.template))).collect();
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
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

/// The stacks as parts of a cloud assembly, with their functions' code.
pub(crate) fn assembled_with_code(planned: &[Planned], built: &[Vec<bundle::Asset>]) -> Vec<assembly::Stack> {
    let mut stacks = assembled(planned);
    for (stack, code) in stacks.iter_mut().zip(built) {
        stack.code = code
            .iter()
            .map(|asset| assembly::Code {
                function: asset.id.clone(),
                parameter: key_parameter(asset),
                digest: asset.digest.clone(),
            })
            .collect();
    }
    stacks
}

/// The template's parameter for the key of a function's code.
fn key_parameter(asset: &bundle::Asset) -> String {
    format!("{}CodeKey", asset.id)
}

/// Builds the functions of all stacks in one run of cargo. The assets come stack by stack.
pub(crate) fn bundle(
    project: &Project,
    planned: &[Planned],
    purpose: Purpose,
    progress: bundle::Progress,
) -> Result<Vec<Vec<bundle::Asset>>, bundle::Error> {
    let sources: Vec<Vec<FunctionSource>> = planned.iter().map(sources).collect();
    let all = sources.concat();
    let built = if all.is_empty() { Vec::new() } else { bundle::bundle(project, &all, purpose, progress)? };
    let mut built = built.into_iter();
    Ok(sources.iter().map(|of_stack| built.by_ref().take(of_stack.len()).collect()).collect())
}

fn sources(planned: &Planned) -> Vec<FunctionSource> {
    planned.file.stack.functions.iter().filter_map(|(id, function)| source(id, function)).collect()
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

/// What is handed to the deployment, one unit a stack.
pub(crate) fn units(
    planned: &[Planned],
    built: &[Vec<bundle::Asset>],
    parameters: &BTreeMap<String, String>,
) -> Outcome<Vec<Unit>> {
    let has = |name: &str| planned.iter().any(|planned| planned.template.parameters.contains_key(name));
    if let Some(name) = parameters.keys().find(|name| !has(name)) {
        return Err(Failure::refused(Error::UnknownParameter { name: name.clone() }));
    }
    Ok(planned.iter().zip(built).map(|(planned, code)| unit(planned, code, parameters)).collect())
}

fn unit(planned: &Planned, code: &[bundle::Asset], parameters: &BTreeMap<String, String>) -> Unit {
    let keys = code.iter().map(|asset| (key_parameter(asset), asset.key()));
    let given = parameters.iter().map(|(name, value)| (name.clone(), value.clone()));
    let assets = code.iter().map(|asset| Asset {
        key: asset.key(),
        path: asset.file.clone(),
        name: format!("{} ({})", asset.id, planned.file.name),
    });
    Unit {
        stack: planned.file.name.clone(),
        template: planned.template.to_json(),
        parameters: given.chain(keys).filter(|(name, _)| planned.template.parameters.contains_key(name)).collect(),
        tags: planned.file.stack.tags.clone(),
        assets: assets.collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stackgen::spec;

    use super::{StackFile, in_order, synthesize};

    fn file(name: &str, text: &str) -> StackFile {
        let path = format!("stacks/{name}.yaml");
        let stack = spec::read(&path, text.as_bytes()).expect("it is sound");
        StackFile { name: name.into(), path, text: text.into(), stack }
    }

    #[test]
    fn a_stack_comes_after_those_it_takes_values_from() {
        let users = file(
            "users",
            "userPools:\n  Users: {}\noutputs:\n  pool: { value: { ref: Users }, export: 'users:pool' }\n",
        );
        let taker = "resources:\n  T:\n    type: AWS::SNS::Topic\n    properties: { DisplayName: { 'Fn::ImportValue': 'users:pool' } }\n";
        let ordered = synthesize(vec![file("alerts", taker), users]).expect("they can be ordered");
        let names: Vec<&str> = ordered.iter().map(|planned| planned.file.name.as_str()).collect();
        assert_eq!(names, ["users", "alerts"]);
    }

    #[test]
    fn a_circle_of_stacks_is_refused() {
        let takes = |from: &str| {
            format!(
                "resources:\n  T:\n    type: AWS::SNS::Topic\n    properties: {{ DisplayName: {{ 'Fn::ImportValue': '{from}:x' }} }}\n"
            )
        };
        let circle = synthesize(vec![file("a", &takes("b")), file("b", &takes("a"))]);
        let report = circle.expect_err("neither can be first").report.expect("it says so");
        assert!(report.to_string().contains("a, b"), "{report}");
        assert!(in_order(BTreeMap::new()).is_ok_and(|none| none.is_empty()));
    }
}
