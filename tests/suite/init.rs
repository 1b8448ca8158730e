//! `stackgen init` and `stackgen new`, as a user who has nothing but the binary runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn stackgen(folder: &Path, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_stackgen"));
    program.args(arguments).current_dir(folder).envs(folders()).output().expect("it was built for the tests")
}

/// Where cargo puts what it builds. What new functions depend on is what those of this repository do, by the same lock
/// file, and is built once for all. The programs lie elsewhere: some are called as ours are.
fn folders() -> [(&'static str, PathBuf); 2] {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let shared = own.parent().expect("it is below the target folder");
    [("CARGO_TARGET_DIR", own.join("init")), ("CARGO_BUILD_BUILD_DIR", shared.to_owned())]
}

/// Runs a command that succeeds, and returns its answer.
fn done(folder: &Path, arguments: &[&str]) -> Value {
    let output = stackgen(folder, &[arguments, &["--output", "json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {}\n{said}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).expect("the answer is one document")
}

/// Runs a command that is refused, and returns what it says.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = stackgen(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

/// Runs cargo in a project, without the network.
fn cargo(folder: &Path, arguments: &[&str]) {
    let output = Command::new("cargo")
        .args(arguments)
        .args(["--quiet", "--offline"])
        .current_dir(folder)
        .envs(folders())
        .output()
        .expect("cargo runs these tests too");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Stops the local cloud of a project, also when the test fails.
struct StopAtTheEnd<'a>(&'a Path);

impl Drop for StopAtTheEnd<'_> {
    fn drop(&mut self) {
        stackgen(self.0, &["local", "stop"]);
    }
}

fn project(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    done(folder.path(), &["init", name]);
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let root = folder.path().join(name);
    fs::copy(lock, root.join("Cargo.lock")).expect("the folder is writable");
    cargo(&root, &["update", "--workspace"]);
    folder
}

#[test]
fn a_project_is_written_once() {
    let folder = project("hello-api");
    let root = folder.path().join("hello-api");
    let stack = fs::read_to_string(root.join("stacks/hello-api.yaml")).expect("it was written");
    let schema = stack.lines().next().and_then(|line| line.split_once("$schema=")).expect("the first line names it").1;
    let schema = fs::read(root.join("stacks").join(schema)).expect("the schema is where the line says");
    let schema: Value = serde_json::from_slice(&schema).expect("a schema is JSON");
    assert_eq!(schema, stackgen::spec::schema());
    let said = refused(folder.path(), &["init", "hello-api"]);
    assert!(said.contains("would be overwritten") && said.contains("nothing was written"), "{said}");
}

/// The lock file that cargo makes by itself, from the versions that the registry has today; from what was fetched before
/// where the registry cannot be reached.
#[test]
fn a_project_needs_no_lock_file_of_ours() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    done(folder.path(), &["init", "hello-api"]);
    let root = folder.path().join("hello-api");
    let lock = |arguments: &[&str]| {
        let mut cargo = Command::new("cargo");
        cargo.args(["generate-lockfile", "--quiet"]).args(arguments).current_dir(&root);
        cargo.output().expect("cargo runs these tests too")
    };
    let online = lock(&[]);
    let locked = if online.status.success() { online } else { lock(&["--offline"]) };
    assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
    let written = fs::read_to_string(root.join("Cargo.lock")).expect("cargo wrote it");
    assert!(written.contains("name = \"lambda_http\"") && written.contains("name = \"hello\""), "{written}");
}

#[test]
fn the_new_stack_is_without_fault() {
    let folder = project("hello-api");
    let file = folder.path().join("hello-api/stacks/hello-api.yaml");
    let text = fs::read(&file).expect("it was written");
    let stack = stackgen::spec::read("stacks/hello-api.yaml", &text).expect("it is without fault");
    let template = stackgen::synth::synthesize("hello-api", &stack).expect("it can be synthesized");
    assert!(template.resources.contains_key("Hello"));
}

#[test]
fn names_that_would_fail_later_are_refused_now() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    assert!(refused(folder.path(), &["init", "my_api"]).contains("`my_api` cannot be the name of a stack"));
    assert!(refused(folder.path(), &["init", "api", "--function", "fn"]).contains("`fn` cannot be the name"));
    assert!(refused(folder.path(), &["new", "hello"]).contains("stackgen init"));
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
    done(folder.path(), &["init", "my_api", "--name", "my-api"]);
    assert!(folder.path().join("my_api/stacks/my-api.yaml").is_file());
}

#[test]
fn a_project_lies_outside_of_the_functions_of_others() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    done(folder.path(), &["init", "outer"]);
    let functions = folder.path().join("outer/functions");
    for (place, inner) in [(&*functions, "inner"), (&*functions, "new/inner"), (folder.path(), "outer/functions/inner")]
    {
        let said = refused(place, &["init", inner]);
        assert!(said.contains("lies below the functions of another project"), "{said}");
    }
    assert_eq!(fs::read_dir(&functions).expect("it is there").count(), 1);
    done(&functions, &["init", "../../inner"]);
    done(&folder.path().join("outer"), &["init", "beside"]);
}

#[test]
fn a_function_is_called_as_nothing_else_in_the_stack_is() {
    let folder = project("hello-api");
    let root = folder.path().join("hello-api");
    assert_eq!(done(&root, &["new", "users"])["declaration"], "UsersFunction: { crate: functions/users }");
    let derived = done(&root, &["new", "api-default-stage"]);
    assert_eq!(derived["declaration"], "ApiDefaultStageFunction: { crate: functions/api-default-stage }");
    let said = refused(&root, &["new", "build"]);
    assert!(said.contains("cargo keeps that name for itself"), "{said}");
}

#[test]
fn a_new_function_builds_and_passes_its_tests() {
    let folder = project("hello-api");
    let root = folder.path().join("hello-api");
    let answer = done(&root, &["new", "say-bye"]);
    assert_eq!(answer["declaration"], "SayBye: { crate: functions/say-bye }");
    assert!(refused(&root, &["new", "say-bye"]).contains("would be overwritten"));
    cargo(&root, &["test", "--package", "say-bye"]);
}

#[test]
fn a_new_project_is_deployed_called_and_destroyed() {
    let folder = project("hello-api");
    let root = &folder.path().join("hello-api");
    let _stop = StopAtTheEnd(root);
    done(root, &["deploy", "hello-api", "--local"]);
    done(root, &["user", "create", "alice@example.com"]);
    let answer = stackgen(root, &["call", "GET", "/hello", "--as", "alice@example.com"]);
    let said = String::from_utf8_lossy(&answer.stdout);
    assert!(answer.status.success() && said.contains("\"email\": \"alice@example.com\""), "{said}");
    let refused = stackgen(root, &["call", "GET", "/hello"]);
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(refused.status.code() == Some(1) && said.contains("Unauthorized"), "{said}");
    done(root, &["destroy", "hello-api", "--local", "--yes"]);
    let gone = stackgen(root, &["call", "GET", "/hello"]);
    assert!(!gone.status.success());
}

#[test]
fn a_bundled_project_asks_for_nothing() {
    let folder = project("hello-api");
    let root = &folder.path().join("hello-api");
    done(root, &["synth"]);
    let template = || fs::read_to_string(root.join("stackgen.out/hello-api.template.json")).expect("it was written");
    assert!(template().contains("HelloCodeKey"));
    let answer = done(root, &["bundle"]);
    let function = &answer["stacks"][0]["functions"][0];
    assert_eq!(function["function"], "Hello");
    let key = function["key"].as_str().expect("every function has one");
    assert!(!template().contains("HelloCodeKey") && template().contains(key));
    assert!(root.join("stackgen.out").join(format!("asset.{key}")).is_file());
}
