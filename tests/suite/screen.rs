//! What the screen shows: the README's tour, and the commands in `tests/screen`, run as they stand there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A text to try, and beside it a copy of what a project of this repository needs, in which its commands run: nothing is
/// left in the repository itself.
struct Copy(TempDir);

impl Copy {
    /// A copy for a text of this repository, such as `README.md`.
    fn new(text: &str) -> Self {
        let copied = Self(tempfile::Builder::new().prefix("screen").tempdir().expect("there is a temporary folder"));
        copy(&root().join(text), &copied.text(text));
        fs::create_dir(copied.project(text)).expect("the folder is new");
        for part in ["Cargo.lock", "stacks", "functions"] {
            copy(&root().join(part), &copied.project(text).join(part));
        }
        fs::write(copied.project(text).join("Cargo.toml"), workspace()).expect("the folder is writable");
        copied
    }

    fn text(&self, text: &str) -> PathBuf {
        self.0.path().join(text)
    }

    /// Where trycmd runs the commands of a text.
    fn project(&self, text: &str) -> PathBuf {
        self.0.path().join(text).with_extension("in")
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.0.path()).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()) {
            let stop = ["local", "stop", "--quiet", "--project"];
            // A tour that came to its end has stopped it already.
            let _ = Command::new(env!("CARGO_BIN_EXE_stackgen")).args(stop).arg(entry.path()).output();
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The manifest without the package itself: the functions, the lints that they inherit, the profiles that they share.
fn workspace() -> String {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest is there");
    let sections =
        manifest.split("\n[").filter(|section| section.starts_with("workspace") || section.starts_with("profile"));
    let kept: Vec<_> = sections.map(|section| format!("[{section}")).collect();
    kept.join("\n").replace("default-members = [\".\"]\n", "").replace("\"crates/*\", ", "")
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
    cases.env("AWS_EC2_METADATA_DISABLED", "true");
    cases
}

#[test]
fn the_tour_of_the_readme_is_true() {
    let copy = Copy::new("README.md");
    cases().case(copy.text("README.md")).run();
}

#[test]
fn mistakes_are_told_with_their_place_and_the_next_step() {
    let cases = cases();
    // Whoever runs the tests may have credentials.
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"] {
        cases.env(name, "");
    }
    cases.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    cases.case(root().join("tests/screen/*.md")).run();
}
