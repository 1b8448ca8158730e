//! Functions are built by the real cargo, in projects made for the test.

use std::fs;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use stackgen::bundle::{Architecture, Asset, Code, Error, FunctionSource, Progress, Purpose, bundle};
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
        bundle(&project, &functions, purpose, Progress::Hidden)
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
    let assets = bundle(&project, &functions, Purpose::Local, Progress::Hidden).expect("both build");
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
    let error = bundle(&project, &[FunctionSource { code, ..source("hello") }], Purpose::Local, Progress::Hidden);
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
    let assets = bundle(&project, &[source(&crate_)], Purpose::Local, Progress::Hidden).expect("it builds");
    assert_eq!(assets[0].id, "protected");
}
