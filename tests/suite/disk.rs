//! A disk that takes no more, and folders that may not be written: what and where is told, and what was there stays whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::deploy::{Project, Told, USERS};
use crate::lifecycle::BROKEN;
use crate::user::kept;

/// Runs a command that can make no file longer than so many bytes. What the system says then is what it says of a full
/// disk, but for the words.
pub(crate) fn limited(project: &Project, bytes: usize, command: &str, environment: &[(&str, &str)]) -> Told {
    let mut shell = Command::new("sh");
    let blocks = bytes.div_ceil(512);
    // An ignored signal stays ignored: without it, the process would not even be told.
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), "sh"]);
    shell.arg(env!("CARGO_BIN_EXE_stackgen")).args(command.split(' '));
    project.settle(&mut shell);
    Told::of(&shell.envs(environment.iter().copied()).output().expect("every Unix has a shell"))
}

/// A stack with this many long outputs.
fn wordy(outputs: usize) -> String {
    let mut stack = USERS.to_owned();
    for number in 0..outputs {
        stack.push_str(&format!("  word{number}: {}\n", "long ".repeat(20).trim()));
    }
    stack
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("it is there")
}

/// Nothing that was begun and not finished lies about.
#[track_caller]
fn no_rests(folder: &Path) {
    let names: Vec<String> = fs::read_dir(folder)
        .expect("it is there")
        .map(|entry| entry.expect("it is readable").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().all(|name| !name.starts_with(".tmp")), "{names:?}");
}

#[test]
fn templates() {
    let project = Project::with(USERS);
    project.run("synth").ended(0);
    let template = project.path().join("stackgen.out/notes.template.json");
    let before = read(&template);
    project.write(&wordy(60));
    let told = limited(&project, 4096, "synth", &[]);
    told.ended(1).says("notes.template.json").says("File too large");
    assert_eq!(read(&template), before);
    no_rests(&project.path().join("stackgen.out"));
    project.run("synth").ended(0);
    assert_ne!(read(&template), before);
}

#[test]
fn zips() {
    let project = Project::with("functions:\n  Hello: { directory: hello }\n");
    let folder = project.path().join("hello");
    project.put_program("hello", "#!/bin/sh\n");
    project.run("bundle").ended(0);
    let noise: Vec<u8> = (0..2_000_u32).flat_map(|number| Sha256::digest(number.to_le_bytes())).collect();
    fs::write(folder.join("noise"), noise).expect("the folder is ours");
    limited(&project, 8192, "bundle", &[]).ended(1).says("asset.").says("File too large").says("the disk is not full");
    no_rests(&project.path().join("stackgen.out"));
    project.run("bundle").ended(0);
}

#[test]
fn the_file_of_outputs_and_what_is_remembered() {
    let project = Project::with(USERS);
    project.run("deploy --local --outputs-file outputs.json").ended(0);
    let outputs = project.path().join("outputs.json");
    let before = read(&outputs);
    project.write(&wordy(30));
    let told = limited(&project, 1024, "deploy --local --outputs-file outputs.json", &[]);
    told.ended(1).says("outputs.json").says("File too large").says("disk is full");
    assert_eq!(read(&outputs), before, "the old outputs are whole");
    no_rests(project.path());
    project.run("outputs").ended(0).says("word7");
}

#[test]
fn tokens() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    project.run("user create alice@example.com").ended(0);
    project.run("token alice@example.com").ended(0);
    let kept = kept(&project, "tokens", "alice@example.com");
    let mut tokens: Value = serde_json::from_str(&read(&kept)).expect("it is JSON");
    tokens["tokens"]["expires"] = Value::from(0);
    let before = tokens.to_string();
    fs::write(&kept, &before).expect("it is ours");
    let told = limited(&project, 512, "token alice@example.com", &[]);
    told.ended(1).says(&kept.display().to_string()).says("File too large");
    assert_eq!(read(&kept), before);
    no_rests(kept.parent().expect("it lies in a folder"));
    project.run("token alice@example.com").ended(0);
}

#[test]
fn the_local_clouds_state() {
    let project = Project::with(USERS);
    // It is started here and inherits the limit.
    let state = project.path().join(".stackgen/local/account.json");
    let told = limited(&project, 16_384, "deploy --local", &[]);
    told.ended(0);
    let before = read(&state);
    project.write(&wordy(100));
    let told = limited(&project, 16_384, "deploy --local", &[]);
    told.ended(1).says("account.json").says("File too large");
    let _: Value = serde_json::from_str(&read(&state)).expect("the state is whole");
    assert!(read(&state).len() >= before.len() / 2);
    project.run("local stop").ended(0);
    project.run("deploy --local").ended(0);
    project.run("outputs").ended(0).says("word99");
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    let project = Project::with(USERS);
    let told = project.run("deploy --local --outputs-file /dev/full");
    told.ended(1).says("/dev/full").says("No space left on device").says("disk is full");
    let shown = project.run("deploy --local --outputs-file /dev/stdout");
    shown.ended(0).says("{\n  \"notes\": {");
    use std::os::unix::fs::FileTypeExt;
    let full = fs::metadata("/dev/full").expect("Linux has it").file_type();
    assert!(full.is_char_device(), "it is what it was");
}

/// What comes of a command whose standard output takes nothing.
fn into_the_void(project: &Project, command: &str) -> Told {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    Told::of(&project.command(command).stdout(full).output().expect("the program runs"))
}

#[test]
fn an_answer_that_cannot_be_printed_is_a_failure() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    for command in ["outputs", "list --output json", "completions bash", "completions bash --output json"] {
        into_the_void(&project, command).ended(1).says("could not be printed").says("No space left on device");
    }
    let told = into_the_void(&project, "outputs --only pol --output json");
    told.ended(1).says("did you mean `pool`?").says("No space left on device");

    fs::write(project.path().join("stacks/a.yaml"), USERS).expect("the folder is ours");
    project.write(BROKEN);
    let told = into_the_void(&project, "deploy --local a notes --output json");
    told.ended(1).says("stack `notes` was not deployed").says("`a` is deployed").says("No space left on device");
}

#[test]
fn an_answer_that_nothing_takes_is_told_and_a_reader_that_leaves_is_not() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let answered = |to: Stdio| Told::of(&project.command("outputs").stdout(to).output().expect("the program runs"));
    let told = answered(full.into());
    told.ended(1).says("the answer could not be printed").says("No space left on device");
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    answered(writer.into()).ended(0);
}

#[test]
fn a_link_leads_to_the_file_that_is_written() {
    let project = Project::with(USERS);
    fs::create_dir(project.path().join("kept")).expect("the folder is ours");
    fs::write(project.path().join("kept/outputs.json"), "old").expect("the folder is ours");
    std::os::unix::fs::symlink("kept/outputs.json", project.path().join("outputs.json")).expect("the folder is ours");
    project.run("deploy --local --outputs-file outputs.json").ended(0);
    assert!(fs::symlink_metadata(project.path().join("outputs.json")).expect("it is there").is_symlink());
    let outputs = project.path().join("kept/outputs.json");
    assert!(read(&outputs).contains("notes"));

    fs::set_permissions(&outputs, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    project.run("outputs --outputs-file outputs.json").ended(0);
    let mode = fs::metadata(&outputs).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "what others could not read they cannot read now");
}

/// Even root may not write where nothing can be written at all.
#[test]
fn a_read_only_project() {
    let project = Project::with(USERS);
    for (command, culprit) in [("synth", "stackgen.out"), ("deploy --local", ".stackgen")] {
        let mut shell = Command::new("unshare");
        let script = "mount --bind . . && mount -o remount,bind,ro . && cd \"$PWD\" && exec \"$@\"";
        shell.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        shell.arg(env!("CARGO_BIN_EXE_stackgen")).args(command.split(' '));
        project.settle(&mut shell);
        let output = shell.stdin(Stdio::null()).output().expect("the tests need `unshare` of util-linux");
        let told = Told::of(&output);
        for tool in ["unshare:", "mount:"] {
            assert!(!told.stderr.contains(tool), "no read-only folder can be made here: {}", told.stderr);
        }
        told.ended(1).says(culprit).says("Read-only file system");
    }
}
