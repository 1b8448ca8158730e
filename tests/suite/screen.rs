//! What the screen shows: the README's tour, and the commands in `tests/screen`, run as they stand there.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A copy of what a project of this repository needs, so that nothing is left in the repository itself.
struct Copy(TempDir);

impl Copy {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("tour").tempdir().expect("there is a temporary folder");
        for part in ["README.md", "Cargo.lock", "stacks", "functions"] {
            copy(&root().join(part), &folder.path().join(part));
        }
        fs::write(folder.path().join("Cargo.toml"), workspace()).expect("the folder is writable");
        Self(folder)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let stop = ["local", "stop", "--quiet", "--project"];
        let stopped = std::process::Command::new(env!("CARGO_BIN_EXE_stackgen")).args(stop).arg(self.0.path()).output();
        drop(stopped);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The repository's manifest without the package itself: the functions, and the lints that they inherit.
fn workspace() -> String {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest is there");
    let sections = manifest.split("\n[").filter(|section| section.starts_with("workspace"));
    let kept: Vec<_> = sections.map(|section| format!("[{section}")).collect();
    kept.join("\n").replace("default-members = [\".\"]\n", "")
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).expect("the repository is readable");
        return;
    }
    fs::create_dir_all(to).expect("the folder is writable");
    for entry in fs::read_dir(from).expect("the repository is readable") {
        let entry = entry.expect("the repository is readable");
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

fn cases() -> trycmd::TestCases {
    let cases = trycmd::TestCases::new();
    cases.register_bin("stackgen", Path::new(env!("CARGO_BIN_EXE_stackgen")));
    // The function's dependencies are built there already.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is below the target folder");
    cases.env("CARGO_TARGET_DIR", target.to_string_lossy());
    cases.env("NO_COLOR", "1");
    cases
}

#[test]
fn the_tour_of_the_readme_is_true() {
    let copy = Copy::new();
    cases().case(copy.0.path().join("README.md")).run();
}
