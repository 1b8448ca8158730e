//! From stack files to what can be deployed: read, synthesized, put in order, built.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use miette::Diagnostic;
use serde_json::Value;
use stackgen::assembly::{self, Protection};
use stackgen::bundle::{self, Architecture, Code, FunctionSource, Purpose, Stop};
use stackgen::deploy::{Asset, Unit, gate};
use stackgen::model::{Others, lambda};
use stackgen::project::Project;
use stackgen::synth::code::code_key;
use stackgen::template::{Template, text};
use stackgen::{spec, synth};
use thiserror::Error;

use super::output::dim;
use super::place::StackFile;
use super::session::Error as SessionError;
use super::{Failure, Outcome, Screen, Session, Step};

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
    #[diagnostic(code(stackgen::parameter::unknown), help("{help}"))]
    UnknownParameter { name: String, help: String },
}

/// Reads the stack files of the project, and tells what is only likely wrong with them. Every mistake in all of them is
/// reported at once.
pub(crate) fn read(session: &Session, project: &Project, names: &[String]) -> Outcome<Vec<StackFile>> {
    let (files, reports) = sort(project, names)?;
    let files = sound(files, reports)?;
    files.iter().filter_map(|file| file.warnings.as_ref()).for_each(|warnings| session.screen.doubt(warnings));
    Ok(files)
}

/// Reads the stack files, and keeps the sound ones apart from what is wrong with the others.
pub(crate) fn sort(project: &Project, names: &[String]) -> Outcome<(Vec<StackFile>, Vec<spec::Report>)> {
    let mut files = Vec::new();
    let mut reports = Vec::new();
    let others = LazyCell::new(|| others(project));
    for name in names {
        match read_one(project, name, &|| (*others).clone())? {
            Ok(file) => files.push(file),
            Err(report) => reports.push(report),
        }
    }
    Ok((files, reports))
}

/// The files, if all of them are sound.
pub(crate) fn sound(files: Vec<StackFile>, mut reports: Vec<spec::Report>) -> Outcome<Vec<StackFile>> {
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
fn read_one(
    project: &Project,
    name: &str,
    others: &dyn Fn() -> Option<Others>,
) -> Outcome<Result<StackFile, spec::Report>> {
    let file = project.stack_file(name).map_err(Failure::refused)?;
    let shown = file.strip_prefix(project.root()).unwrap_or(&file).display().to_string();
    let text =
        std::fs::read(&file).map_err(|source| Failure::refused(Error::Unreadable { file: shown.clone(), source }))?;
    let sources = |folder: &str| source_text(project, Path::new(folder));
    Ok(spec::read_in_project(&shown, &text, &sources, others).map(|spec::Read { stack, warnings }| {
        let text = String::from_utf8_lossy(&text).into_owned();
        StackFile { name: name.to_owned(), path: shown, text, stack, warnings }
    }))
}

/// What all stacks of the project show; nothing where they cannot be listed.
fn others(project: &Project) -> Option<Others> {
    let mut others = Others::default();
    for name in project.stacks().ok()? {
        let text = project.stack_file(&name).ok().and_then(|file| std::fs::read(file).ok());
        match text.and_then(|text| spec::outline(&text)) {
            Some(stack) => others.add(&name, &stack),
            None => others.assume(&name),
        }
    }
    Some(others)
}

/// All of a crate's source in one text. A rule that asks for it does without where it is not in the project, or too much.
fn source_text(project: &Project, folder: &Path) -> Option<String> {
    let is_inside = folder.components().all(|step| matches!(step, Component::Normal(_)));
    let folder = is_inside.then(|| project.root().join(folder).join("src"))?;
    let mut text = String::new();
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok);
    for file in files.filter(|file| file.path().extension().is_some_and(|extension| extension == "rs")) {
        text.push_str(&std::fs::read_to_string(file.path()).ok()?);
        if text.len() > spec::MAX_BYTES {
            return None;
        }
    }
    (!text.is_empty()).then_some(text)
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
        stack.protection = protection(one).unwrap_or_default();
        stack.dependencies = imports(&one.template).into_iter().filter(held).collect();
        stack
    };
    planned.iter().map(assemble).collect()
}

/// What the stack file says about deleting the stack.
fn protection(planned: &Planned) -> Option<Protection> {
    planned.file.stack.termination_protection.map(|is_on| if is_on { Protection::On } else { Protection::Off })
}

fn in_order(mut waiting: BTreeMap<String, Planned>) -> Outcome<Vec<Planned>> {
    let needs = waiting.iter().map(|(name, planned)| (name.clone(), imports(&planned.template))).collect();
    let order = ordered(&needs).map_err(|circle| Failure::refused(Error::Circle { names: circle.join(", ") }))?;
    Ok(order.iter().filter_map(|name| waiting.remove(name)).collect())
}

/// Each name after those that it needs, as far as they are known at all; or the names that need each other in a circle.
pub(crate) fn ordered(needs: &BTreeMap<String, BTreeSet<String>>) -> Result<Vec<String>, Vec<String>> {
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut needed_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, needs_of) in needs {
        let known = needs_of.iter().filter(|need| *need != name && needs.contains_key(*need));
        waiting.insert(name, known.clone().count());
        known.for_each(|need| needed_by.entry(need).or_default().push(name));
    }
    let mut ready: BTreeSet<&str> = waiting.iter().filter(|(_, needs)| **needs == 0).map(|(name, _)| *name).collect();
    let mut order = Vec::new();
    while let Some(next) = ready.pop_first() {
        waiting.remove(next);
        order.push(next.to_owned());
        for other in needed_by.remove(next).unwrap_or_default() {
            if let Some(open) = waiting.get_mut(other) {
                *open -= 1;
                if *open == 0 {
                    ready.insert(other);
                }
            }
        }
    }
    if waiting.is_empty() { Ok(order) } else { Err(waiting.into_keys().map(str::to_owned).collect()) }
}

/// The order in which the stacks can be deployed, given what the deployed ones import: a stack that takes a value no more
/// goes before the one that ceases to export it. Where that leads into a circle they stay as they are.
pub(crate) fn letting_go(planned: &[&Planned], deployed: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut needs: BTreeMap<String, BTreeSet<String>> =
        planned.iter().map(|one| (one.file.name.clone(), imports(&one.template))).collect();
    for giver in planned {
        let name = &giver.file.name;
        let exports = exported(name, &giver.template);
        let ceases =
            |export: &String| export.split_once(':').is_some_and(|(of, _)| of == name) && !exports.contains(export);
        for taker in planned {
            let takes = imported(&taker.template);
            let took = deployed.get(&taker.file.name).into_iter().flatten();
            if took.filter(|export| ceases(export)).any(|export| !takes.contains(export)) {
                needs.entry(name.clone()).or_default().insert(taker.file.name.clone());
            }
        }
    }
    ordered(&needs).unwrap_or_else(|_| planned.iter().map(|one| one.file.name.clone()).collect())
}

/// The names under which a template exports values.
fn exported(stack: &str, template: &Template) -> BTreeSet<String> {
    let document = serde_json::to_value(template).unwrap_or_default();
    let outputs = document["Outputs"].as_object().into_iter().flatten();
    outputs.filter_map(|(_, output)| gate::export_name(output, stack)).collect()
}

/// Parameters of the template that somebody must give: they have no default, and are no function's code.
pub(crate) fn asked(planned: &Planned) -> Vec<String> {
    let is_code = |name: &str| planned.file.stack.functions.keys().any(|id| name == code_key(id));
    let parameters = planned.template.parameters.iter();
    let asked = parameters.filter(|(name, parameter)| parameter.default.is_none() && !is_code(name));
    asked.map(|(name, _)| name.clone()).collect()
}

/// Names of the stacks whose exports a template imports: ours are called `stack:output`.
fn imports(template: &Template) -> BTreeSet<String> {
    stacks_of(&imported(template))
}

/// The same of a template's text.
pub(crate) fn imports_of_text(template: &str) -> BTreeSet<String> {
    stacks_of(&imported_by_text(template))
}

fn stacks_of(exports: &BTreeSet<String>) -> BTreeSet<String> {
    exports.iter().filter_map(|name| name.split_once(':')).map(|(stack, _)| stack.to_owned()).collect()
}

/// The names of the exports that a template imports.
pub(crate) fn imported(template: &Template) -> BTreeSet<String> {
    imported_by(&serde_json::to_value(template).unwrap_or_default())
}

/// The same of a template's text, if it can be read.
pub(crate) fn imported_by_text(template: &str) -> BTreeSet<String> {
    imported_by(&text::parse(template).unwrap_or_default())
}

fn imported_by(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(name) = members.get("Fn::ImportValue").and_then(Value::as_str) {
                    found.insert(name.to_owned());
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
                parameter: code_key(&asset.id),
                digest: asset.digest.clone(),
            })
            .collect();
    }
    stacks
}

/// Builds the functions of all stacks in one run of cargo, which draws its own progress. The assets come stack by stack.
pub(crate) async fn bundle(
    session: &Session,
    project: &Project,
    planned: &[Planned],
    purpose: Purpose,
) -> Outcome<Vec<Vec<bundle::Asset>>> {
    let sources: Vec<Vec<FunctionSource>> = planned.iter().map(sources).collect();
    let all = sources.concat();
    let built = if all.is_empty() { Vec::new() } else { build(session, project, all, purpose).await? };
    let mut built = built.into_iter();
    Ok(sources.iter().map(|of_stack| built.by_ref().take(of_stack.len()).collect()).collect())
}

async fn build(
    session: &Session,
    project: &Project,
    functions: Vec<FunctionSource>,
    purpose: Purpose,
) -> Outcome<Vec<bundle::Asset>> {
    let interrupts = session.interrupts();
    let left = LeftBehind(Stop::default());
    let (project, stop) = (project.clone(), left.0.clone());
    let screen = session.screen.clone();
    let mut building = tokio::task::spawn_blocking(move || {
        let lines = Lines::about(&screen, &functions);
        let count = |crates| lines.tell(crates);
        let progress = if screen.is_live() { bundle::Progress::Shown } else { bundle::Progress::Counted(&count) };
        bundle::bundle(&project, &functions, purpose, progress, &stop)
    });
    interrupts.stands(WHILE_BUILDING.stands);
    tokio::select! {
        biased;
        () = interrupts.token().cancelled() => (),
        built = &mut building => {
            let built = built.map_err(SessionError::Task)?;
            // A terminal sends the signal of Ctrl-C to cargo too, which may be the first to end of it.
            let by_signal = matches!(built, Err(bundle::Error::Interrupted { .. }));
            if !by_signal || tokio::time::timeout(SIGNALLED, interrupts.token().cancelled()).await.is_err() {
                return Ok(built?);
            }
            return Err(WHILE_BUILDING.interrupted());
        }
    }
    left.0.stop();
    // Cargo ends at once. What it has begun may not: then it is left to itself.
    let _built = tokio::time::timeout(CARGO_ENDS, building).await;
    Err(WHILE_BUILDING.interrupted())
}

/// Tells of a build where cargo has no terminal to draw on: when it begins to compile, and from then on every ten seconds
/// how far it is. What is built already is not worth a word.
struct Lines<'a> {
    screen: &'a Screen,
    functions: String,
    last: Mutex<Option<Instant>>,
}

impl<'a> Lines<'a> {
    fn about(screen: &'a Screen, functions: &[FunctionSource]) -> Self {
        let names: Vec<&str> = functions.iter().map(|function| function.id.as_str()).collect();
        Self { screen, functions: names.join(", "), last: Mutex::new(None) }
    }

    fn tell(&self, crates: usize) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = match *last {
            None => String::new(),
            Some(before) if before.elapsed() >= BETWEEN_LINES => format!(": {crates} crates are compiled"),
            Some(_) => return,
        };
        *last = Some(Instant::now());
        self.screen.note(dim(format_args!("cargo builds {}{begun}", self.functions)));
    }
}

/// How long a build without a terminal says nothing.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// How much later than cargo we may hear of the same signal.
const SIGNALLED: Duration = Duration::from_millis(500);

const WHILE_BUILDING: Step<'static> = Step {
    during: "functions were built",
    stands: "nothing was deployed; run the command again, and cargo continues where it was",
};

/// How long a cargo that was told to end is waited for.
const CARGO_ENDS: Duration = Duration::from_secs(5);

/// Stops a build that nobody waits for any more.
struct LeftBehind(Stop);

impl Drop for LeftBehind {
    fn drop(&mut self) {
        self.0.stop();
    }
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
        let there = planned.iter().flat_map(|planned| planned.template.parameters.keys());
        let help = match stackgen::similar::closest(name, there.map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "declare it under `parameters`, or leave it out".to_owned(),
        };
        return Err(Failure::refused(Error::UnknownParameter { name: name.clone(), help }));
    }
    Ok(planned.iter().zip(built).map(|(planned, code)| unit(planned, code, parameters)).collect())
}

fn unit(planned: &Planned, code: &[bundle::Asset], parameters: &BTreeMap<String, String>) -> Unit {
    // A deployer's policy lets nobody write into the folder of another stack.
    let key = |asset: &bundle::Asset| format!("code/{}/{}", planned.file.name, asset.key());
    let keys = code.iter().map(|asset| (code_key(&asset.id), key(asset)));
    let given = parameters.iter().map(|(name, value)| (name.clone(), value.clone()));
    let assets = code.iter().map(|asset| Asset {
        key: key(asset),
        path: asset.file.clone(),
        name: format!("{} ({})", asset.id, planned.file.name),
    });
    Unit {
        stack: planned.file.name.clone(),
        template: planned.template.to_json(),
        parameters: given.chain(keys).filter(|(name, _)| planned.template.parameters.contains_key(name)).collect(),
        tags: planned.file.stack.tags.clone(),
        protection: protection(planned),
        assets: assets.collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use stackgen::spec;

    use super::{Planned, StackFile, asked, in_order, letting_go, synthesize};

    fn file(name: &str, text: &str) -> StackFile {
        let path = format!("stacks/{name}.yaml");
        let stack = spec::read(&path, text.as_bytes()).expect("it is sound");
        StackFile { name: name.into(), path, text: text.into(), stack, warnings: None }
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
    fn a_stack_that_takes_a_value_no_more_goes_before_the_one_that_gives_it_no_more() {
        let topic = "resources:\n  T: { type: AWS::SNS::Topic }\n";
        let users = |rest: &str| file("a-users", &format!("userPools:\n  Users: {{}}\n{rest}"));
        let planned = synthesize(vec![users(""), file("b", topic)]).expect("they can be ordered");
        let planned: Vec<&Planned> = planned.iter().collect();
        let took = BTreeMap::from([("b".to_owned(), BTreeSet::from(["a-users:pool".to_owned()]))]);
        assert_eq!(letting_go(&planned, &took), ["b", "a-users"]);
        assert_eq!(letting_go(&planned, &BTreeMap::new()), ["a-users", "b"]);
        let kept = synthesize(vec![users("outputs:\n  pool: { ref: Users }\n"), file("b", topic)]);
        let kept = kept.expect("they can be ordered");
        assert_eq!(letting_go(&kept.iter().collect::<Vec<_>>(), &took), ["a-users", "b"]);
    }

    #[test]
    fn only_parameters_without_a_default_are_asked_for() {
        let text = "parameters:\n  Stage: { type: String }\n  Size: { type: String, default: small }\n\
                    functions:\n  Get: { directory: get }\n";
        let planned = synthesize(vec![file("notes", text)]).expect("it is sound");
        assert_eq!(asked(&planned[0]), ["Stage"]);
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
