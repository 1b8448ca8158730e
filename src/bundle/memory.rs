//! What was bundled before, and whether cargo would find anything to do about it.
//!
//! Asking cargo costs a tenth of a second and more. So a build notes everything that cargo looks at when it decides what
//! has changed, and while all of that is as it was, cargo is not called. Where something cannot be noted for certain,
//! nothing is noted, and cargo is asked each time: it is always right, only slower.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use cargo_metadata::{Artifact, BuildScript, PackageId, TargetKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bundle::{Asset, Code, FunctionSource, Purpose, archive, toolchain};
use crate::project::Project;

/// Changes when notes are written or read otherwise than before.
const FORMAT: u32 = 1;

/// What was noted of earlier builds of the same functions.
#[derive(Debug)]
pub(super) struct Memory<'a> {
    file: PathBuf,
    zips: PathBuf,
    /// All that a build depends on besides what is watched.
    request: String,
    functions: &'a [FunctionSource],
    /// The time on the disk before cargo was asked. What is written later may have come too late for this build.
    begun: Option<SystemTime>,
}

/// A note on disk. What was seen is kept as a digest alone, for variables may hold secrets.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    request: String,
    watch: Watch,
    seen: String,
    assets: BTreeMap<usize, (String, u64)>,
}

impl<'a> Memory<'a> {
    /// What was noted of these functions.
    pub(super) fn of(project: &Project, functions: &'a [FunctionSource], purpose: Purpose) -> Self {
        let asked: Vec<String> = functions
            .iter()
            .map(|function| format!("{:?} {}", function.code, purpose.architecture(function).target()))
            .collect();
        let request = format!("{FORMAT} {} {:?} {asked:?}", env!("CARGO_PKG_VERSION"), toolchain::SETTINGS);
        let name = hex::encode(Sha256::digest(format!("{purpose:?} {asked:?}")));
        let file = project.state().join("bundled").join(format!("{}.json", &name[..16]));
        Self { file, zips: purpose.folder(project), request, functions, begun: None }
    }

    /// The crates' assets, by the place of their functions, while nothing that cargo looks at has changed.
    pub(super) fn recall(&self) -> Option<BTreeMap<usize, Asset>> {
        let note: Note = serde_json::from_slice(&fs::read(&self.file).ok()?).ok()?;
        if note.request != self.request || note.watch.seen(None)? != note.seen {
            return None;
        }
        note.assets.into_iter().map(|(index, (digest, size))| Some((index, self.zip(index, digest, size)?))).collect()
    }

    /// The zip of a function, if it is there and whole.
    fn zip(&self, index: usize, digest: String, size: u64) -> Option<Asset> {
        let file = archive::file(&self.zips, &digest);
        let is_whole = archive::refresh(&file) && fs::metadata(&file).is_ok_and(|zip| zip.len() == size);
        is_whole.then_some(Asset { id: self.functions.get(index)?.id.clone(), digest, file, size })
    }

    /// Says that cargo is about to be asked.
    pub(super) fn begin(&mut self) {
        self.begun = self.time_on_disk();
    }

    /// The file system's own clock: it may be behind ours, and may be another machine's.
    fn time_on_disk(&self) -> Option<SystemTime> {
        let folder = self.file.parent()?;
        fs::create_dir_all(folder).ok()?;
        tempfile::NamedTempFile::new_in(folder).ok()?.as_file().metadata().ok()?.modified().ok()
    }

    /// Notes what was built, and what would make cargo build it again. A note that cannot be kept is none.
    pub(super) fn note(&self, watch: Watch, assets: &[Asset]) {
        let _ = self.try_note(watch, assets);
    }

    fn try_note(&self, watch: Watch, assets: &[Asset]) -> Option<()> {
        let seen = watch.seen(Some(self.begun?))?;
        let is_crate = |index: usize| matches!(self.functions[index].code, Code::Crate { .. });
        let built = assets.iter().enumerate().filter(|(index, _)| is_crate(*index));
        let assets = built.map(|(index, asset)| (index, (asset.digest.clone(), asset.size))).collect();
        let note = Note { request: self.request.clone(), watch, seen, assets };
        let mut beside = tempfile::NamedTempFile::new_in(self.file.parent()?).ok()?;
        serde_json::to_writer(&mut beside, &note).ok()?;
        beside.persist(&self.file).ok().map(drop)
    }
}

/// One call of cargo that ended well.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// Where it ran: the root of the workspace.
    pub(super) root: &'a Path,
    /// The manifests of all members of the workspace.
    pub(super) members: Vec<PathBuf>,
    /// What it made, or found made.
    pub(super) artifacts: &'a [Artifact],
    /// The build scripts that it ran, or whose output it took.
    pub(super) scripts: &'a [BuildScript],
    /// The programs that were wanted of it.
    pub(super) programs: Vec<PathBuf>,
}

/// What is looked at.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Watch {
    /// Files, there or not.
    files: BTreeSet<PathBuf>,
    /// What the build made.
    products: BTreeSet<PathBuf>,
    /// Folders with all that is below them.
    trees: BTreeSet<PathBuf>,
    /// Folders of which the names in them count.
    folders: BTreeSet<PathBuf>,
    /// Programs that are looked for on the path.
    programs: BTreeSet<PathBuf>,
    /// Variables, besides those that always matter.
    variables: BTreeSet<String>,
}

impl Watch {
    /// A watch over the places where the crates of functions are looked for.
    pub(super) fn over(project: &Project, functions: &[FunctionSource]) -> Self {
        let mut watch = Self::default();
        watch.files.insert(project.root().join("Cargo.toml"));
        for function in functions {
            if let Code::Crate { name, .. } = &function.code {
                watch.files.insert(project.root().join(name).join("Cargo.toml"));
                watch.files.insert(project.functions().join(name).join("Cargo.toml"));
            }
        }
        watch
    }

    /// Adds what cargo has looked at during a call; nothing when that cannot be told for certain.
    pub(super) fn with(mut self, call: &Call) -> Option<Self> {
        self.add_workspace(call)?;
        self.add_toolchain(call.root)?;
        let manifests: BTreeMap<&PackageId, &Path> =
            call.artifacts.iter().map(|made| (&made.package_id, made.manifest_path.as_std_path())).collect();
        for manifest in manifests.iter().filter(|(id, _)| is_local(id)).map(|(_, manifest)| manifest) {
            self.add_package(manifest);
        }
        for program in &call.programs {
            self.products.insert(program.clone());
            self.files.extend(sources(&program.with_extension("d"))?);
        }
        for made in call.artifacts {
            self.variables.extend(variables_of(made)?);
        }
        for script in call.scripts {
            self.add_script(script, manifests.get(&script.package_id)?.parent()?)?;
        }
        Some(self)
    }

    /// The workspace's manifests, lock and settings.
    fn add_workspace(&mut self, call: &Call) -> Option<()> {
        let manifest = call.root.join("Cargo.toml");
        // With these, cargo may build crates of this machine that the list of sources leaves out.
        if mentions(&manifest, &["patch", "replace"]) {
            return None;
        }
        for config in toolchain::configs(call.root) {
            // A wrapper, another compiler, more files, more crates, or paths that are relative to somewhere.
            if mentions(&config, &["rustc", "include", "patch", "paths", "dep-info"]) {
                return None;
            }
            self.files.insert(config);
        }
        self.files.insert(call.root.join("Cargo.lock"));
        for member in &call.members {
            self.add_manifest(member);
            self.folders.extend(member.parent().and_then(Path::parent).map(Path::to_owned));
        }
        Some(())
    }

    /// The manifest, and each above it that may be the workspace's.
    fn add_manifest(&mut self, manifest: &Path) {
        let folders = manifest.ancestors().skip(1);
        self.files.extend(folders.map(|folder| folder.join("Cargo.toml")));
    }

    /// A package of this machine: its manifest, and the files that are part of it by their mere names.
    fn add_package(&mut self, manifest: &Path) {
        self.add_manifest(manifest);
        let folder = manifest.parent().unwrap_or(manifest);
        self.files.extend(["build.rs", "src/main.rs", "src/lib.rs"].map(|file| folder.join(file)));
        self.folders.insert(folder.join("src/bin"));
    }

    /// Which compiler it is: rustup's choice, and the compiler that it chose.
    fn add_toolchain(&mut self, root: &Path) -> Option<()> {
        let wrappers = ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"].map(env::var_os);
        self.programs.extend(wrappers.into_iter().flatten().map(PathBuf::from));
        self.programs.extend([toolchain::cargo(), toolchain::rustc()]);
        self.programs.extend(toolchain::HELPERS.map(PathBuf::from));
        for folder in root.ancestors() {
            self.files.extend(["rust-toolchain", "rust-toolchain.toml"].map(|file| folder.join(file)));
        }
        let rustup =
            env::var_os("RUSTUP_HOME").map_or_else(|| Some(env::home_dir()?.join(".rustup")), |home| Some(home.into()));
        if let Some(rustup) = rustup {
            self.files.insert(rustup.join("settings.toml"));
            self.folders.insert(rustup.join("toolchains"));
        }
        let sysroot = Command::new(toolchain::rustc()).args(["--print", "sysroot"]).current_dir(root).output().ok()?;
        let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout).ok()?.trim());
        let compiler = sysroot.join("bin").join("rustc");
        self.files.extend([sysroot.join("bin/cargo"), compiler.clone()]);
        compiler.is_file().then_some(())
    }

    /// What a build script has asked to be run again for.
    fn add_script(&mut self, script: &BuildScript, package: &Path) -> Option<()> {
        let output = fs::read_to_string(script.out_dir.as_std_path().parent()?.join("output")).ok()?;
        let mut asks = false;
        for line in output.lines() {
            let Some(ask) = line.strip_prefix("cargo::").or_else(|| line.strip_prefix("cargo:")) else { continue };
            if let Some(variable) = ask.strip_prefix("rerun-if-env-changed=") {
                self.variables.insert(variable.to_owned());
                asks = true;
            } else if let Some(path) = ask.strip_prefix("rerun-if-changed=") {
                let path = package.join(path);
                let into = if path.is_dir() { &mut self.trees } else { &mut self.files };
                // One that is not there makes cargo run the script each time.
                path.exists().then(|| into.insert(path))?;
                asks = true;
            }
        }
        // A script that asks for nothing is run again for every file of its package. Packages of a registry never change.
        (asks || !is_local(&script.package_id)).then_some(())
    }

    /// A digest of all that is watched. With `since`, nothing when something was written so late that the build may not
    /// have seen it.
    fn seen(&self, since: Option<SystemTime>) -> Option<String> {
        let mut look = Look { hash: Sha256::new(), since };
        look.environment(&self.variables);
        for program in &self.programs {
            look.program(program)?;
        }
        for file in &self.files {
            look.file(file)?;
        }
        for folder in &self.folders {
            look.names(folder);
        }
        for entry in self.trees.iter().flat_map(|tree| walkdir::WalkDir::new(tree).sort_by_file_name()) {
            look.file(entry.ok()?.path())?;
        }
        look.since = None;
        for product in &self.products {
            look.file(product)?;
        }
        Some(hex::encode(look.hash.finalize()))
    }
}

/// Takes in what is there.
struct Look {
    hash: Sha256,
    since: Option<SystemTime>,
}

impl Look {
    fn take(&mut self, bytes: &[u8]) {
        self.hash.update((bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }

    /// What cargo compares of a file: when it was written, and how long it is; and that it is the same one.
    fn file(&mut self, path: &Path) -> Option<()> {
        let Ok(file) = fs::metadata(path) else {
            self.take(b"absent");
            return Some(());
        };
        let written = file.modified().ok()?;
        if self.since.is_some_and(|since| written >= since) && !file.is_dir() {
            return None;
        }
        let written = written.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        self.take(format!("{written:?} {} {:?}", file.len(), identity(&file)).as_bytes());
        Some(())
    }

    /// The names in a folder, and where links among them lead.
    fn names(&mut self, folder: &Path) {
        let mut names: Vec<String> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| format!("{:?} {:?}", entry.file_name(), fs::read_link(entry.path()).ok()))
            .collect();
        names.sort();
        self.take(format!("{names:?}").as_bytes());
    }

    fn program(&mut self, program: &Path) -> Option<()> {
        let found = toolchain::on_path(program);
        self.take(format!("{found:?}").as_bytes());
        found.map_or(Some(()), |found| self.file(&found))
    }

    fn environment(&mut self, asked: &BTreeSet<String>) {
        let matter = |name: &OsStr| name.to_str().is_some_and(|name| asked.contains(name) || always_matters(name));
        let variables: BTreeMap<_, _> = env::vars_os().filter(|(name, _)| matter(name)).collect();
        self.take(format!("{variables:?}").as_bytes());
    }
}

/// Whether cargo, the compiler or a usual build script reads a variable.
fn always_matters(name: &str) -> bool {
    const BEGINNINGS: [&str; 11] =
        ["CARGO", "__CARGO", "RUST", "CC", "CXX", "AR", "LD", "ZIG", "PKG_CONFIG", "SDKROOT", "MACOSX"];
    // Where the jobserver of the `make` or cargo that runs us listens: another place each time.
    let is_jobserver = name.ends_with("MAKEFLAGS") || name == "MFLAGS";
    let matters = name == "HOME" || name.contains("FLAGS") || BEGINNINGS.iter().any(|begin| name.starts_with(begin));
    matters && !is_jobserver
}

/// Whether a package lies on this machine, where anybody may change it.
fn is_local(package: &PackageId) -> bool {
    package.repr.contains("path+file:")
}

/// Whether a text file mentions one of the words. One that is not there does not.
fn mentions(file: &Path, words: &[&str]) -> bool {
    fs::read_to_string(file).is_ok_and(|text| words.iter().any(|word| text.contains(word)))
}

/// The sources in the list that cargo puts beside a program: `program: source source…`.
fn sources(list: &Path) -> Option<Vec<PathBuf>> {
    let text = fs::read_to_string(list).ok()?;
    let (_, sources) = text.lines().next()?.split_once(": ")?;
    let sources: Vec<PathBuf> = sources
        .replace("\\ ", "\0")
        .split_ascii_whitespace()
        .map(|source| PathBuf::from(source.replace('\0', " ")))
        .collect();
    (!sources.is_empty() && sources.iter().all(|source| source.is_absolute())).then_some(sources)
}

/// The variables that the compiler has read for an artifact. It notes them in its own list, which lies in the folder
/// of a build script, and for everything else in `deps`.
fn variables_of(made: &Artifact) -> Option<BTreeSet<String>> {
    let file = made.filenames.first()?.as_std_path();
    let folder = file.parent()?;
    let lists = if made.target.is_kind(TargetKind::CustomBuild) {
        lists(folder, "")
    } else if folder.ends_with("deps") {
        let name = file.file_stem()?.to_str()?;
        vec![folder.join(format!("{}.d", name.strip_prefix("lib").unwrap_or(name)))]
    } else {
        lists(&folder.join("deps"), &format!("{}-", made.target.name.replace('-', "_")))
    };
    if lists.is_empty() {
        return None;
    }
    let mut variables = BTreeSet::new();
    for list in lists {
        variables.extend(noted_variables(&fs::read_to_string(list).ok()?));
    }
    Some(variables)
}

/// The compiler's lists in a folder whose names begin like this.
fn lists(folder: &Path, beginning: &str) -> Vec<PathBuf> {
    let is_list = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| name.starts_with(beginning) && name.ends_with(".d"))
    };
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).filter(is_list).collect()
}

fn noted_variables(list: &str) -> impl Iterator<Item = String> {
    let notes = list.lines().filter_map(|line| line.strip_prefix("# env-dep:"));
    notes.map(|note| note.split('=').next().unwrap_or(note).to_owned())
}

#[cfg(unix)]
fn identity(file: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;

    (file.dev(), file.ino())
}

#[cfg(not(unix))]
fn identity(_file: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_builds_read_matters() {
        for name in ["CARGO_HOME", "RUSTFLAGS", "CC_aarch64_unknown_linux_gnu", "CFLAGS", "HOST_CFLAGS", "HOME", "AR"] {
            assert!(always_matters(name), "{name}");
        }
        for name in ["MAKEFLAGS", "CARGO_MAKEFLAGS", "TERM", "PWD", "SHLVL", "AWS_REGION", "STACKGEN_PASSWORD"] {
            assert!(!always_matters(name), "{name}");
        }
    }

    #[test]
    fn lists_of_sources_are_read_with_their_spaces() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let list = folder.path().join("hello.d");
        fs::write(&list, "/t/hello: /a/src/main.rs /a\\ b/build.rs\n").expect("the folder is writable");
        assert_eq!(sources(&list), Some(vec!["/a/src/main.rs".into(), "/a b/build.rs".into()]));
        fs::write(&list, "/t/hello: src/main.rs\n").expect("the folder is writable");
        assert_eq!(sources(&list), None, "nobody knows relative to what");
        assert_eq!(sources(&folder.path().join("none.d")), None);
    }

    #[test]
    fn variables_are_read_from_the_compilers_list() {
        let list = "a: b\n\nb:\n\n# env-dep:GREETING=hello=there\n# env-dep:UNSET\n";
        assert_eq!(noted_variables(list).collect::<Vec<_>>(), ["GREETING", "UNSET"]);
    }

    #[test]
    fn what_is_written_while_cargo_runs_is_not_noted() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let source = folder.path().join("main.rs");
        fs::write(&source, "fn main() {}").expect("the folder is writable");
        let written = fs::metadata(&source).and_then(|file| file.modified()).expect("it was written");
        let watch = Watch { files: BTreeSet::from([source.clone()]), ..Watch::default() };
        assert_eq!(watch.seen(Some(written)), None);
        let later = written + std::time::Duration::from_secs(1);
        assert_eq!(watch.seen(Some(later)), watch.seen(None));
        let made = Watch { products: BTreeSet::from([source]), ..Watch::default() };
        assert!(made.seen(Some(written)).is_some(), "what the build makes is new");
    }
}
