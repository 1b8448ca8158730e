//! What a machine lacks for another processor is told before anything is built.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use stackgen::bundle::Architecture;

use crate::deploy::{Project, Told};

/// The processor that this machine does not have, as a stack file names it, and Rust.
fn other() -> (&'static str, &'static str) {
    let other = match Architecture::host() {
        Architecture::X86_64 => Architecture::Arm64,
        Architecture::Arm64 => Architecture::X86_64,
    };
    (if other == Architecture::Arm64 { "arm64" } else { "x86_64" }, other.target())
}

/// A project with one function for the other processor.
fn project() -> Project {
    let project =
        Project::with(&format!("functions: {{ Hello: {{ crate: functions/hello, architecture: {} }} }}\n", other().0));
    let folder = project.path().join("functions/hello");
    fs::create_dir_all(folder.join("src")).expect("the folder is ours");
    let manifest = "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    fs::write(folder.join("Cargo.toml"), manifest).expect("the folder is ours");
    fs::write(folder.join("src/main.rs"), "fn main() {}\n").expect("the folder is ours");
    project
}

/// Bundles with a compiler whose standard library is in a folder, on a machine that has no program but a shell.
fn bundled(project: &Project, library: &Path) -> Told {
    let nothing = project.path().join("nothing");
    fs::create_dir_all(&nothing).expect("the folder is ours");
    let rustc = project.path().join("rustc");
    fs::write(&rustc, format!("#!/bin/sh\necho {}\n", library.display())).expect("the folder is ours");
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    let mut program = project.command("bundle");
    let linker = format!("CARGO_TARGET_{}_LINKER", other().1.to_uppercase().replace('-', "_"));
    program.env("RUSTC", rustc).env("CARGO", env!("CARGO")).env("CARGO_HOME", &nothing).env("PATH", &nothing);
    Told::of(&program.env_remove(linker).output().expect("the program runs"))
}

#[test]
fn a_target_that_rust_does_not_know_is_told_with_the_command_that_adds_it() {
    let project = project();
    let told = bundled(&project, Path::new("/nonexistent"));
    told.ended(1)
        .says(&format!("function `Hello` is built for `{}`, which this Rust toolchain does not know", other().1));
    told.says(&format!("rustup target add {}", other().1));
}

#[test]
fn a_linker_that_is_missing_is_told_with_what_would_do() {
    let project = project();
    let library = project.path().join("library");
    fs::create_dir(&library).expect("the folder is ours");
    fs::write(library.join("libcore-0.rlib"), "").expect("the folder is ours");
    let told = bundled(&project, &library);
    told.ended(1).says(&format!("nothing on this machine links `Hello` for `{}`", other().1));
    told.says("pip install cargo-zigbuild ziglang").says("_LINUX_GNU_LINKER");
}
