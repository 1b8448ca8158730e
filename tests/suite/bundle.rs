//! Functions are built by the real cargo, in projects made for the test.

mod arm64;
mod toolchain;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use miette::Diagnostic;
use stackgen::bundle::{Architecture, Asset, Code, Error, FunctionSource, Progress, Purpose, Stop, bundle};
use stackgen::project::Project;

const WORKSPACE: &str = "[workspace]\nmembers = [\"functions/*\"]\nresolver = \"3\"\n";

/// A project with files, in a folder that goes when the test is over.
struct Sketch(tempfile::TempDir);

impl Sketch {
    fn new(files: &[(&str, &str)]) -> Self {
        let sketch = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        fs::create_dir(sketch.path("stacks")).expect("the folder is empty");
        for (file, text) in files {
            sketch.write(file, text);
        }
        sketch
    }

    /// Adds a crate without dependencies.
    fn function(self, name: &str, main: &str) -> Self {
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        self.write(&format!("functions/{name}/Cargo.toml"), &manifest);
        self.write(&format!("functions/{name}/src/main.rs"), main);
        self
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.path(file);
        fs::create_dir_all(file.parent().expect("it lies in the project")).expect("the project is writable");
        fs::write(file, text).expect("the project is writable");
    }

    fn bundle(&self, crates: &[&str], purpose: Purpose) -> Result<Vec<Asset>, Error> {
        let project = Project::discover(self.0.path()).expect("it has stacks");
        let functions: Vec<_> = crates.iter().map(|name| source(name)).collect();
        bundle(&project, &functions, purpose, Progress::Hidden, &Stop::default())
    }

    fn digest(&self, name: &str, purpose: Purpose) -> String {
        self.bundle(&[name], purpose).expect("it builds").remove(0).digest
    }
}

fn source(name: &str) -> FunctionSource {
    let id = name.rsplit('/').next().unwrap_or(name).to_owned();
    FunctionSource { id, code: Code::Crate { name: name.to_owned(), binary: None }, architecture: Architecture::host() }
}

fn help(error: &Error) -> String {
    error.help().map(|help| help.to_string()).unwrap_or_default()
}

#[test]
fn the_manifest_that_cargo_blames_is_the_one_to_mend() {
    let sketch = Sketch::new(&[("Cargo.toml", WORKSPACE)]).function("one", "fn main() {}");
    let sketch = sketch.function("build", "fn main() {}");
    let error = sketch.bundle(&["one"], Purpose::Local).expect_err("cargo keeps the name `build` for itself");
    assert!(help(&error).contains("functions/build/Cargo.toml"), "{error} {}", help(&error));
}

#[test]
fn one_call_builds_a_workspace_and_keeps_the_order() {
    let sketch = Sketch::new(&[("Cargo.toml", WORKSPACE)])
        .function("one", "fn main() { println!(\"1\") }")
        .function("two", "fn main() { println!(\"2\") }");
    let assets = sketch.bundle(&["functions/two", "one"], Purpose::Local).expect("both build");
    assert_eq!(assets.iter().map(|asset| &*asset.id).collect::<Vec<_>>(), ["two", "one"]);
    assert_ne!(assets[0].digest, assets[1].digest);
    assert!(assets.iter().all(|asset| asset.file.is_file() && asset.size > 0));
    let again = sketch.bundle(&["functions/two", "one"], Purpose::Local).expect("nothing changed");
    assert_eq!(again, assets);
}

#[test]
fn what_is_deployed_depends_on_the_source_alone() {
    let main = |word: &str| {
        format!("fn main() {{ let all = [\"{word}\"]; println!(\"{{}}\", all[std::env::args().count()]) }}")
    };
    let [one, other] = [(); 2].map(|()| Sketch::new(&[]).function("hello", &main("hello")));
    let digest = one.digest("functions/hello", Purpose::Deploy);
    assert_eq!(other.digest("functions/hello", Purpose::Deploy), digest);
    other.write("functions/hello/src/main.rs", &main("goodbye"));
    assert_ne!(other.digest("functions/hello", Purpose::Deploy), digest);
    other.write("functions/hello/src/main.rs", &main("hello"));
    assert_eq!(other.digest("functions/hello", Purpose::Deploy), digest);
}

#[test]
fn functions_of_two_stacks_may_have_the_same_id() {
    let sketch = Sketch::new(&[("Cargo.toml", WORKSPACE)])
        .function("one", "fn main() { println!(\"1\") }")
        .function("two", "fn main() { println!(\"2\") }");
    let project = Project::discover(sketch.0.path()).expect("it has stacks");
    let functions = ["one", "two", "one"].map(|name| FunctionSource { id: "Hello".to_owned(), ..source(name) });
    let assets = bundle(&project, &functions, Purpose::Local, Progress::Hidden, &Stop::default()).expect("both build");
    assert_eq!(assets[0], assets[2]);
    assert_ne!(assets[0].digest, assets[1].digest);
}

#[test]
fn a_zip_holds_one_executable_bootstrap() {
    let sketch = Sketch::new(&[]).function("hello", "fn main() {}");
    let asset = sketch.bundle(&["functions/hello"], Purpose::Local).expect("it builds").remove(0);
    let mut zip = zip::ZipArchive::new(fs::File::open(&asset.file).expect("it was written")).expect("it is a zip");
    assert_eq!(zip.len(), 1);
    let entry = zip.by_index(0).expect("it has one");
    assert_eq!(entry.name().expect("the name is UTF-8"), "bootstrap");
    assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
    let time = entry.last_modified().expect("every entry has a time");
    assert_eq!((time.year(), time.month(), time.day()), (1980, 1, 1));
}

#[test]
fn the_functions_that_do_not_compile_are_named() {
    let sketch = Sketch::new(&[("Cargo.toml", WORKSPACE)])
        .function("good", "fn main() {}")
        .function("bad", "fn main() { let x: u8 = \"\"; }");
    let error = sketch.bundle(&["good", "bad"], Purpose::Local).expect_err("one does not compile");
    assert!(error.to_string().contains("`bad`") && error.to_string().contains("mismatched types"), "{error}");
}

#[test]
fn only_the_binaries_that_are_wanted_are_built() {
    let sketch = Sketch::new(&[]).function("hello", "fn main() {}");
    sketch.write("functions/hello/src/bin/tool.rs", "fn main() { let x: u8 = \"\"; }");
    sketch.bundle(&["functions/hello"], Purpose::Local).expect("`tool` is nobody's function");
}

/// Cargo builds a binary in every package of the call that has one of that name.
#[test]
fn a_build_that_fails_beside_the_functions_names_them() {
    let sketch =
        Sketch::new(&[("Cargo.toml", WORKSPACE)]).function("one", "fn main() {}").function("two", "fn main() {}");
    // Both are there already: cargo might stop before it has built them, and they would be named for that.
    sketch.bundle(&["one", "two"], Purpose::Local).expect("both build");
    sketch.write("functions/two/src/bin/one.rs", "fn main() { let x: u8 = \"\"; }");
    let error = sketch.bundle(&["one", "two"], Purpose::Local).expect_err("one of them does not compile");
    assert!(error.to_string().starts_with("cargo could not build `one`, `two`"), "{error}");
}

#[test]
fn a_binary_is_built_with_the_features_that_it_requires() {
    let main = "#[cfg(not(feature = \"lambda\"))]\ncompile_error!(\"it is off\");\nfn main() {}";
    let sketch =
        Sketch::new(&[("Cargo.toml", WORKSPACE)]).function("hello", "fn main() {}").function("other", "fn main() {}");
    let manifest = "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[features]\nlambda = []\n\n\
                    [[bin]]\nname = \"bootstrap\"\npath = \"src/bootstrap.rs\"\nrequired-features = [\"lambda\"]\n";
    sketch.write("functions/hello/Cargo.toml", manifest);
    sketch.write("functions/hello/src/bootstrap.rs", main);
    sketch.bundle(&["hello", "other"], Purpose::Local).expect("the feature is on");
    sketch.bundle(&["hello"], Purpose::Local).expect("the feature is on");
}

#[test]
fn cargo_is_asked_where_the_crate_is() {
    let sketch = Sketch::new(&[("stacks/hello.yaml", "functions:\n  Hello: { crate: functions/hello }\n")]);
    let sketch = sketch.function("hello", "fn main() {}");
    let script = "#!/bin/sh\npwd -P >> \"$0.log\"\necho \"error: toolchain 'none' is not installed\" >&2\nexit 1\n";
    sketch.write("cargo.sh", script);
    fs::set_permissions(sketch.path("cargo.sh"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let mut program = Command::new(env!("CARGO_BIN_EXE_stackgen"));
    program.args(["bundle", "--project"]).arg(sketch.0.path()).env("CARGO", sketch.path("cargo.sh")).current_dir("/");
    let output = program.output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
    assert!(!output.status.success() && said.contains("cargo does not run in"), "{said}");
    assert!(said.contains("toolchain 'none' is not installed") && !said.contains("cannot read the crate"), "{said}");
    let asked = fs::read_to_string(sketch.path("cargo.sh.log")).expect("the script wrote it");
    let folder = sketch.path("functions/hello").canonicalize().expect("it is there").display().to_string();
    assert!(asked.lines().all(|line| line == folder), "{asked}");
}

#[test]
fn a_mistyped_crate_is_recognized() {
    let sketch = Sketch::new(&[]).function("hello", "fn main() {}");
    let error = sketch.bundle(&["functions/helo"], Purpose::Local).expect_err("there is no such crate");
    assert_eq!(error.to_string(), "no crate `functions/helo` for function `helo`");
    assert_eq!(help(&error), "did you mean `functions/hello`?");
    let error = sketch.bundle(&["functions/billing"], Purpose::Local).expect_err("there is no such crate");
    assert!(help(&error).starts_with("make it with `stackgen new billing`"));
}

#[test]
fn a_crate_has_one_binary_to_run() {
    let sketch = Sketch::new(&[]).function("hello", "fn main() {}");
    sketch.write("functions/hello/src/bin/bootstrap.rs", "fn main() { println!(\"this one\") }");
    sketch.write("functions/library/Cargo.toml", "[package]\nname = \"library\"\nversion = \"0.1.0\"\n");
    sketch.write("functions/library/src/lib.rs", "");
    sketch.bundle(&["functions/hello"], Purpose::Local).expect("`bootstrap` is the one");
    let error = sketch.bundle(&["functions/library"], Purpose::Local).expect_err("it has no binary");
    assert_eq!(help(&error), "give the crate a `src/main.rs`");
    let project = Project::discover(sketch.0.path()).expect("it has stacks");
    let code = Code::Crate { name: "functions/hello".to_owned(), binary: Some("helo".to_owned()) };
    let error = bundle(
        &project,
        &[FunctionSource { code, ..source("hello") }],
        Purpose::Local,
        Progress::Hidden,
        &Stop::default(),
    );
    assert_eq!(help(&error.expect_err("there is no such binary")), "did you mean `bin: hello`?");
}

#[test]
fn the_users_own_profile_and_flags_count() {
    let main = "#[cfg(not(all(mine, debug_assertions)))]\ncompile_error!(\"settings are lost\");\nfn main() {}";
    let sketch = Sketch::new(&[]).function("hello", main);
    let error = sketch.bundle(&["functions/hello"], Purpose::Deploy).expect_err("nothing is set");
    assert!(error.to_string().contains("settings are lost"), "{error}");
    sketch.write("functions/hello/.cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"mine\"]\n");
    let manifest = fs::read_to_string(sketch.path("functions/hello/Cargo.toml")).expect("it was written");
    let profile = "[profile.lambda]\ninherits = \"release\"\ndebug-assertions = true\n";
    sketch.write("functions/hello/Cargo.toml", &format!("{manifest}{profile}"));
    sketch.bundle(&["functions/hello"], Purpose::Deploy).expect("both are set");
}

#[test]
fn the_protected_function_runs_on_this_machine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sketch = Sketch::new(&[]);
    let project = Project::discover(sketch.0.path()).expect("it has stacks");
    let crate_ = root.join("functions/protected").display().to_string();
    let assets =
        bundle(&project, &[source(&crate_)], Purpose::Local, Progress::Hidden, &Stop::default()).expect("it builds");
    assert_eq!(assets[0].id, "protected");
}

/// A profile that is soon done: how well a program is optimized does not matter to whether cargo is asked for it.
const QUICK: &str = "[profile.lambda]\ninherits = \"release\"\nopt-level = 0\nlto = \"off\"\n";

/// A project whose cargo is a script that counts how often it is called.
struct Watched {
    sketch: Sketch,
    counter: PathBuf,
    variables: Vec<(String, String)>,
}

impl Watched {
    fn new() -> Self {
        let build = "fn main() { println!(\"cargo:rerun-if-env-changed=SEASON\\ncargo:rerun-if-changed=data\"); }";
        let main = "fn main() { println!(\"{:?}{}\", option_env!(\"GREETING\"), include_str!(\"../words\")) }";
        let stack = "functions:\n  Hello: { crate: functions/hello }\n";
        let workspace = format!("{WORKSPACE}{QUICK}");
        let sketch = Sketch::new(&[("Cargo.toml", &workspace), ("stacks/hello.yaml", stack)])
            .function("hello", main)
            .function("other", "fn main() {}");
        sketch.write("functions/hello/build.rs", build);
        sketch.write("functions/hello/data/list", "1");
        sketch.write("functions/hello/words", "hello");
        let counter = sketch.path("counter");
        let real = std::env::var("CARGO").expect("cargo runs the tests");
        sketch.write("cargo.sh", &format!("#!/bin/sh\necho called >> '{}'\nexec '{real}' \"$@\"\n", counter.display()));
        fs::set_permissions(sketch.path("cargo.sh"), fs::Permissions::from_mode(0o755)).expect("it is ours");
        Self { sketch, counter, variables: Vec::new() }
    }

    /// Bundles with the program, and says how often cargo was called.
    fn calls(&self) -> usize {
        let _ = fs::remove_file(&self.counter);
        let mut program = Command::new(env!("CARGO_BIN_EXE_stackgen"));
        program.args(["bundle", "--quiet", "--project"]).arg(self.sketch.0.path());
        program.env("CARGO", self.sketch.path("cargo.sh")).env("RUSTC_WRAPPER", "");
        for variable in ["GREETING", "SEASON", "RUSTFLAGS"] {
            program.env_remove(variable);
        }
        let output = program.envs(self.variables.iter().cloned()).output().expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(&self.counter).unwrap_or_default().lines().count()
    }

    /// Bundles until cargo is not called any more: once when all that it reads is older than the build, twice when it
    /// makes some of it itself.
    #[track_caller]
    fn settle(&self) {
        let calls: Vec<usize> = (0..4).map(|_| self.calls()).take_while(|calls| *calls > 0).collect();
        assert!(calls.len() < 4, "cargo is called each time");
        assert_eq!(self.calls(), 0);
    }

    /// A change after which cargo must be asked.
    #[track_caller]
    fn notices(&mut self, change: impl FnOnce(&mut Self)) {
        change(self);
        assert!(self.calls() > 0, "it goes unnoticed");
        self.settle();
    }

    fn zip(&self) -> PathBuf {
        let entries = fs::read_dir(self.sketch.path("stackgen.out")).expect("it was bundled").flatten();
        let is_zip = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "zip");
        let zips = entries.map(|entry| entry.path()).filter(is_zip);
        // Those of earlier builds are there too.
        zips.max_by_key(|zip| fs::metadata(zip).and_then(|zip| zip.modified()).ok()).expect("it was bundled")
    }
}

#[test]
fn cargo_is_called_only_when_something_that_it_looks_at_has_changed() {
    let mut watched = Watched::new();
    assert!(watched.calls() > 0, "the first time there is all to do");
    watched.settle();
    watched.sketch.write("notes.txt", "nobody reads this");
    watched.variables.push(("TERM".to_owned(), "other".to_owned()));
    assert_eq!(watched.calls(), 0, "what cargo does not look at does not matter");

    let write = |file: &'static str, text: &'static str| move |it: &mut Watched| it.sketch.write(file, text);
    let main = "fn main() { println!(\"{:?}{}!\", option_env!(\"GREETING\"), include_str!(\"../words\")) }";
    watched.notices(move |it| it.sketch.write("functions/hello/src/main.rs", main));
    watched.notices(write("functions/hello/words", "goodbye"));
    watched.notices(write("functions/hello/data/list", "2"));
    watched.notices(write("functions/hello/data/more", "3"));
    let manifest = "[package]\nname = \"hello\"\nversion = \"0.1.1\"\nedition = \"2024\"\n";
    // The lock is for the old version, and `--locked` would refuse the new one.
    watched.notices(move |it| {
        it.sketch.write("functions/hello/Cargo.toml", manifest);
        fs::remove_file(it.sketch.path("Cargo.lock")).expect("it was made");
    });
    watched.notices(write("functions/other/Cargo.toml", "[package]\nname = \"other\"\nversion = \"0.1.0\"\n"));
    let older = format!("{}{QUICK}", WORKSPACE.replace("resolver = \"3\"", "resolver = \"2\""));
    watched.notices(move |it| it.sketch.write("Cargo.toml", &older));
    watched.notices(|it| {
        let lock = fs::read_to_string(it.sketch.path("Cargo.lock")).expect("it was made");
        it.sketch.write("Cargo.lock", &format!("{lock}\n"));
    });
    watched.notices(write(".cargo/config.toml", "[build]\nincremental = false\n"));
    watched.notices(write("rust-toolchain.toml", "[toolchain]\nprofile = \"minimal\"\n"));
    watched.notices(write("functions/hello/src/lib.rs", ""));
    let variable = |name: &'static str| move |it: &mut Watched| it.variables.push((name.to_owned(), "1".to_owned()));
    watched.notices(variable("GREETING"));
    watched.notices(variable("SEASON"));
    watched.notices(|it| it.variables.push(("RUSTFLAGS".to_owned(), "-Cdebuginfo=0".to_owned())));
    let target = format!("target/{}/lambda/hello", Architecture::host().target());
    watched.notices(move |it| fs::remove_file(it.sketch.path(&target)).expect("it was built"));
    watched.notices(|it| fs::remove_file(it.zip()).expect("it was made"));
    watched.notices(|it| fs::write(it.zip(), "cut off").expect("it was made"));
}

#[test]
fn in_doubt_cargo_is_asked_each_time() {
    let watched = Watched::new();
    watched.settle();
    watched.sketch.write("functions/hello/build.rs", "fn main() {}");
    assert!((0..3).all(|_| watched.calls() > 0), "a build script without a word reads who knows what");
    watched.sketch.write("functions/hello/build.rs", "fn main() { println!(\"cargo::rerun-if-changed=build.rs\") }");
    watched.settle();
    watched.sketch.write("Cargo.toml", &format!("{WORKSPACE}{QUICK}[patch.crates-io]\n"));
    assert!((0..3).all(|_| watched.calls() > 0), "a patch brings crates in that the list of sources leaves out");
}

#[test]
fn a_build_that_is_stopped_says_so_and_leaves_nothing_running() {
    let sketch = Sketch::new(&[]).function("hello", "fn main() {}");
    sketch.write("functions/hello/build.rs", "fn main() { std::thread::sleep(std::time::Duration::from_secs(600)) }");
    let project = Project::discover(sketch.0.path()).expect("it has stacks");
    let stop = Stop::default();
    let begin = Instant::now();
    let error = std::thread::scope(|scope| {
        let building = scope.spawn(|| bundle(&project, &[source("hello")], Purpose::Local, Progress::Hidden, &stop));
        while processes(&sketch).is_empty() && begin.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(20));
        }
        stop.stop();
        building.join().expect("it does not panic").expect_err("it was stopped")
    });
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
    let gone = Instant::now();
    while !processes(&sketch).is_empty() {
        assert!(gone.elapsed() < Duration::from_secs(10), "{:?}", processes(&sketch));
        std::thread::sleep(Duration::from_millis(20));
    }
    let again = bundle(&project, &[source("hello")], Purpose::Local, Progress::Hidden, &stop);
    assert!(matches!(again, Err(Error::Interrupted { .. })), "it stays stopped");
}

#[test]
fn what_cargo_compiles_is_counted_and_what_is_built_already_is_not() {
    let sketch = Sketch::new(&[]).function("hello", "fn main() {}").function("bye", "fn main() {}");
    let project = Project::discover(sketch.0.path()).expect("it has stacks");
    let counted = |crates: &[&str]| {
        let functions: Vec<_> = crates.iter().map(|name| source(name)).collect();
        let counts = Mutex::new(Vec::new());
        let count = |crates| counts.lock().expect("nobody panics").push(crates);
        let progress = Progress::Counted(&count);
        bundle(&project, &functions, Purpose::Local, progress, &Stop::default()).expect("it builds");
        counts.into_inner().expect("nobody panics")
    };
    assert_eq!(counted(&["hello"]), [1]);
    assert_eq!(counted(&["hello"]), [0; 0]);
    assert_eq!(counted(&["hello", "bye"]), [1]);
}

/// The build scripts of a project that run.
fn processes(sketch: &Sketch) -> Vec<String> {
    let listed = Command::new("ps").args(["-axww", "-o", "args="]).output().expect("every Unix has `ps`");
    let folder = sketch.path("functions").display().to_string();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let is_script = |line: &&str| line.contains(&folder) && line.contains("build-script-build");
    listed.lines().filter(is_script).map(str::to_owned).collect()
}
