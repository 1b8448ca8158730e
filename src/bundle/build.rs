//! Function crates, built by cargo: one call for all that share a workspace and a processor.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};

use cargo_metadata::{
    Artifact, BuildScript, Message, Metadata, MetadataCommand, Package, PackageId, Target, TargetKind,
};

use crate::bundle::memory::{self, Watch};
use crate::bundle::stop::{Led, Running, Stop};
use crate::bundle::toolchain::{self, Recipe};
use crate::bundle::{Architecture, Code, Error, FunctionSource, Progress, Purpose, shown};
use crate::project::Project;
use crate::similar;

/// A binary that is wanted for a function.
#[derive(Debug)]
struct Wanted<'a> {
    /// Which of the functions it is: two stacks may have functions of the same id.
    index: usize,
    function: &'a FunctionSource,
    package: PackageId,
    binary: String,
    /// The features without which cargo passes the binary over, as the command line names them.
    features: Vec<String>,
}

/// The programs of functions, by their place in the list of all.
pub(super) type Programs = BTreeMap<usize, PathBuf>;

/// What cargo has built.
#[derive(Debug, Default)]
pub(super) struct Built {
    /// The programs.
    pub(super) programs: Programs,
    /// What cargo has looked at for them, where that is known for certain.
    pub(super) watch: Option<Watch>,
}

/// How cargo is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner<'a> {
    pub(super) progress: Progress<'a>,
    pub(super) stop: &'a Stop,
}

/// The programs of all functions that come from crates.
pub(super) fn programs(
    project: &Project,
    functions: &[FunctionSource],
    purpose: Purpose,
    manner: Manner,
) -> Result<Built, Error> {
    let mut workspaces = Workspaces { project, known: Vec::new() };
    let mut calls: BTreeMap<(PathBuf, Architecture), Vec<Wanted>> = BTreeMap::new();
    for (index, function) in functions.iter().enumerate() {
        let Code::Crate { name, binary } = &function.code else { continue };
        let (root, package) = workspaces.find(function, name)?;
        let binary = chosen_binary(function, &package, binary.as_deref())?;
        let features = binary.required_features.iter().map(|feature| feature_of(&package.name, feature)).collect();
        let binary = binary.name.clone();
        let wanted = Wanted { index, function, package: package.id, binary, features };
        calls.entry((root, purpose.architecture(function))).or_default().push(wanted);
    }
    let watch = Watch::over(project, functions);
    let mut built = Built { programs: Programs::new(), watch: (!calls.is_empty()).then_some(watch) };
    for ((root, architecture), wanted) in &calls {
        let first = wanted.first().expect("a call is made for its first function");
        let recipe = toolchain::recipe(first.function, root, *architecture, purpose)?;
        let heard = build(root, wanted, &recipe, manner)?;
        let call = memory::Call {
            root,
            members: workspaces.members(root),
            artifacts: &heard.artifacts,
            scripts: &heard.scripts,
            programs: heard.programs.values().cloned().collect(),
        };
        built.watch = built.watch.and_then(|watch| watch.with(&call));
        built.programs.extend(heard.programs);
    }
    Ok(built)
}

/// The workspaces that the crates of a project belong to; mostly one.
struct Workspaces<'a> {
    project: &'a Project,
    known: Vec<Metadata>,
}

impl<'a> Workspaces<'a> {
    /// The crate of a function, and the root of its workspace.
    fn find(&mut self, function: &FunctionSource, name: &str) -> Result<(PathBuf, Package), Error> {
        let manifest = self.manifest(function, name)?;
        if self.member(&manifest).is_none() {
            self.known.push(metadata(function, &manifest)?);
        }
        let (workspace, package) = self.member(&manifest).ok_or_else(|| Error::Manifest {
            function: function.id.clone(),
            manifest: shown(self.project, &manifest).to_owned(),
            reason: "it has no `[package]`".to_owned(),
        })?;
        Ok((workspace.workspace_root.clone().into_std_path_buf(), package.clone()))
    }

    /// The manifest of a crate that is named by its folder or, in the project's workspace, by its name.
    fn manifest(&mut self, function: &FunctionSource, name: &str) -> Result<PathBuf, Error> {
        let root = self.project.root().to_owned();
        for folder in [root.join(name), self.project.functions().join(name)] {
            let manifest = folder.join("Cargo.toml");
            if manifest.is_file() {
                return Ok(canonical(&manifest));
            }
        }
        let workspace = root.join("Cargo.toml");
        if workspace.is_file() && self.known.is_empty() {
            self.known.push(metadata(function, &workspace)?);
        }
        self.known
            .iter()
            .flat_map(|known| &known.packages)
            .find(|package| package.name.as_str() == name)
            .map(|package| canonical(package.manifest_path.as_std_path()))
            .ok_or_else(|| unknown_crate(self.project, function, name))
    }

    /// The manifests of all members of a workspace.
    fn members(&self, root: &Path) -> Vec<PathBuf> {
        let of_root = self.known.iter().filter(|known| known.workspace_root.as_std_path() == root);
        of_root.flat_map(|known| &known.packages).map(|package| package.manifest_path.clone().into()).collect()
    }

    fn member(&self, manifest: &Path) -> Option<(&Metadata, &Package)> {
        self.known.iter().find_map(|known| {
            let is_it = |package: &&Package| canonical(package.manifest_path.as_std_path()) == manifest;
            Some((known, known.packages.iter().find(is_it)?))
        })
    }
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// What cargo knows of a manifest. It is asked where the manifest is: which cargo that is, and how it is set, depends on
/// the folder.
fn metadata(function: &FunctionSource, manifest: &Path) -> Result<Metadata, Error> {
    let cargo = toolchain::cargo();
    let folder = manifest.parent().unwrap_or(manifest);
    let mut command = MetadataCommand::new();
    command.cargo_path(&cargo).current_dir(folder).manifest_path(manifest).no_deps();
    let unreadable = |reason: String| {
        let manifest = blamed(&reason).unwrap_or_else(|| manifest.to_owned());
        Error::Manifest { function: function.id.clone(), manifest, reason }
    };
    command.exec().map_err(|error| match error {
        cargo_metadata::Error::Io(source) => Error::NoCargo { program: cargo, source },
        cargo_metadata::Error::CargoMetadata { stderr } => {
            toolchain::trouble(folder).unwrap_or_else(|| unreadable(toolchain::reason(&stderr).to_owned()))
        }
        other => unreadable(other.to_string()),
    })
}

/// The manifest that cargo cannot parse: that of any member of a workspace stops all of them.
fn blamed(reason: &str) -> Option<PathBuf> {
    Some(reason.rsplit_once("manifest at `")?.1.split_once('`')?.0.into())
}

/// A feature of a package as it is named to a call that builds several.
fn feature_of(package: &str, feature: &str) -> String {
    // One of a dependency, `dependency/feature`, cannot be told with its package.
    if feature.contains('/') { feature.to_owned() } else { format!("{package}/{feature}") }
}

/// The binary to run: the one that is asked for, else the only one, else the one that says so by its name.
fn chosen_binary<'a>(
    function: &FunctionSource,
    package: &'a Package,
    asked: Option<&str>,
) -> Result<&'a Target, Error> {
    let binaries: Vec<&Target> = package.targets.iter().filter(|target| target.is_kind(TargetKind::Bin)).collect();
    let named = |name: &str| binaries.iter().find(|binary| binary.name == name);
    let by_name = ["bootstrap", package.default_run.as_deref().unwrap_or_default(), package.name.as_str()];
    let found = match (asked, &binaries[..]) {
        (Some(asked), _) => named(asked),
        (None, [only]) => Some(only),
        (None, _) => by_name.into_iter().find_map(named),
    };
    found.copied().ok_or_else(|| Error::NoBinary {
        function: function.id.clone(),
        name: package.name.to_string(),
        help: help_with_binaries(&binaries.iter().map(|binary| &*binary.name).collect::<Vec<_>>(), asked),
    })
}

fn help_with_binaries(binaries: &[&str], asked: Option<&str>) -> String {
    if binaries.is_empty() {
        return "give the crate a `src/main.rs`".to_owned();
    }
    match asked.and_then(|asked| similar::closest(asked, binaries.iter().copied())) {
        Some(meant) => format!("did you mean `bin: {meant}`?"),
        None => format!("choose one: `bin: {}`", binaries.join("` or `bin: ")),
    }
}

fn unknown_crate(project: &Project, function: &FunctionSource, name: &str) -> Error {
    let crates = function_crates(project);
    let last = Path::new(name).file_name().and_then(|last| last.to_str()).unwrap_or(name);
    let help = match similar::closest(last, crates.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `functions/{meant}`?"),
        None if crates.is_empty() => format!("make it with `stackgen new {last}`"),
        None => {
            let known: Vec<String> = crates.iter().map(|name| format!("`functions/{name}`")).collect();
            format!("make it with `stackgen new {last}`, or name one that is there: {}", known.join(", "))
        }
    };
    Error::UnknownCrate { function: function.id.clone(), name: name.to_owned(), help }
}

/// The names of the crates' folders below `functions/`, sorted.
fn function_crates(project: &Project) -> Vec<String> {
    let Ok(entries) = fs::read_dir(project.functions()) else { return Vec::new() };
    let mut crates: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    crates.sort();
    crates
}

/// What cargo has told of a call.
#[derive(Debug, Default)]
struct Heard {
    programs: Programs,
    artifacts: Vec<Artifact>,
    scripts: Vec<BuildScript>,
}

/// One call of cargo.
fn build(root: &Path, wanted: &[Wanted], recipe: &Recipe, manner: Manner) -> Result<Heard, Error> {
    if manner.stop.is_stopped() {
        return Err(Error::Interrupted { functions: names(wanted.iter()) });
    }
    let mut said = tempfile::tempfile().map_err(|source| Error::Unwritable { file: std::env::temp_dir(), source })?;
    let mut command = command(root, wanted, recipe);
    let led = match manner.progress {
        Progress::Shown => Led::ByTheTerminal,
        Progress::Hidden | Progress::Counted(_) => {
            let kept = said.try_clone();
            command.stderr(kept.map_err(|source| Error::Unwritable { file: std::env::temp_dir(), source })?);
            lead_itself(&mut command);
            Led::ByItself
        }
    };
    let no_cargo = |source| Error::NoCargo { program: toolchain::cargo(), source };
    let mut cargo = command.spawn().map_err(no_cargo)?;
    manner.stop.watch(Some(Running::new(&cargo, led)));
    let heard = cargo.stdout.take().map(|stdout| listen(stdout, wanted, manner.progress)).unwrap_or_default();
    manner.stop.watch(None);
    let status = cargo.wait().map_err(no_cargo)?;
    if status.success() && wanted.iter().all(|wanted| heard.programs.contains_key(&wanted.index)) {
        return Ok(heard);
    }
    Err(failure(wanted, &heard.programs, status, &read_back(&mut said)))
}

#[cfg(unix)]
fn lead_itself(cargo: &mut Command) {
    std::os::unix::process::CommandExt::process_group(cargo, 0);
}

#[cfg(not(unix))]
fn lead_itself(_cargo: &mut Command) {}

fn command(root: &Path, wanted: &[Wanted], recipe: &Recipe) -> Command {
    let mut command = Command::new(toolchain::cargo());
    command.arg(recipe.subcommand).arg("--message-format=json-render-diagnostics");
    for wanted in wanted {
        // A binary of the same name in another of the packages is built as well.
        command.args(["--package", &wanted.package.repr, "--bin", &wanted.binary]);
        command.args(wanted.features.iter().flat_map(|feature| ["--features", feature]));
    }
    command.args(&recipe.arguments).envs(recipe.environment.iter().cloned());
    command.current_dir(root).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// What cargo says it has built, the wanted binaries among it.
fn listen(stdout: ChildStdout, wanted: &[Wanted], progress: Progress) -> Heard {
    let mut heard = Heard::default();
    let mut compiled = 0;
    for message in Message::parse_stream(BufReader::new(stdout)).map_while(Result::ok) {
        match message {
            Message::CompilerArtifact(artifact) => {
                heard.programs.extend(programs_in(&artifact, wanted));
                if let (false, Progress::Counted(tell)) = (artifact.fresh, progress) {
                    compiled += 1;
                    tell(compiled);
                }
                heard.artifacts.push(artifact);
            }
            Message::BuildScriptExecuted(script) => heard.scripts.push(script),
            _ => (),
        }
    }
    heard
}

fn programs_in(artifact: &Artifact, wanted: &[Wanted]) -> Programs {
    let Some(executable) = &artifact.executable else { return Programs::new() };
    let is_it = |wanted: &&Wanted| wanted.package == artifact.package_id && wanted.binary == artifact.target.name;
    wanted.iter().filter(is_it).map(|wanted| (wanted.index, executable.clone().into_std_path_buf())).collect()
}

fn failure(wanted: &[Wanted], programs: &Programs, status: ExitStatus, said: &str) -> Error {
    let missing: Vec<&Wanted> = wanted.iter().filter(|wanted| !programs.contains_key(&wanted.index)).collect();
    let functions = if missing.is_empty() { names(wanted.iter()) } else { names(missing.into_iter()) };
    if was_interrupted(status) {
        return Error::Interrupted { functions };
    }
    let (said, place) = match said.trim() {
        "" => (String::new(), "above"),
        said => (format!(":\n{said}"), "in what cargo said"),
    };
    let help = format!(
        "the reason stands {place}; when `Cargo.lock` is out of date, `cargo check` mends it, \
         and when a linker fails, `pip install cargo-zigbuild ziglang` helps"
    );
    Error::Build { functions, said, help }
}

fn names<'a>(wanted: impl Iterator<Item = &'a Wanted<'a>>) -> String {
    wanted.map(|wanted| format!("`{}`", wanted.function.id)).collect::<Vec<_>>().join(", ")
}

#[cfg(unix)]
fn was_interrupted(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status).is_some()
}

#[cfg(not(unix))]
fn was_interrupted(_status: ExitStatus) -> bool {
    false
}

fn read_back(file: &mut fs::File) -> String {
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::feature_of;

    #[test]
    fn a_feature_is_told_with_its_package_unless_it_is_one_of_a_dependency() {
        assert_eq!(feature_of("hello", "mail"), "hello/mail");
        assert_eq!(feature_of("hello", "greetings/mail"), "greetings/mail");
    }
}
