//! Functions for another processor: built with a toolchain that knows it, checked, and run in an emulator.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use object::{Architecture, Object as _};
use serde_json::json;

use crate::functions::bootstrap::Program;
use crate::project::Project;
use crate::tools::{self, debian};

/// Debian's compiler has the standard library of another processor in a package; the one of this machine may not.
const COMPILER: [&str; 3] = ["rustc-web", "libstd-rust-web-dev:arm64", "libgcc-s1:arm64"];
const EMULATOR: &str = "qemu-user-static";

#[tokio::test]
async fn a_function_for_arm64_is_built_checked_and_answers() {
    let debian = debian::packages(&[&COMPILER[..], &[EMULATOR]].concat());
    let project = Project::local();
    project.edit("crate: functions/protected }", "crate: functions/protected, architecture: arm64 }");

    let zip = bundled(&project, &debian);

    let program = Program::unpacked(&zip).emulated(emulator(&debian));
    let bytes = fs::read(program.file()).expect("it was unpacked");
    let file = object::File::parse(&*bytes).expect("it is a program");
    assert_eq!(file.architecture(), Architecture::Aarch64);
    let answer = program.start(&[]).await.invoke(&event()).await.expect("it answers");
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert!(answer["body"].as_str().is_some_and(|body| body.contains("alice")), "{answer}");
}

/// The zip that `stackgen bundle` makes of the project's one function.
fn bundled(project: &Project, debian: &Path) -> PathBuf {
    let zig = tools::python(&["cargo-zigbuild==0.24.1", "ziglang==0.17.1"]);
    let programs = zig.program("cargo-zigbuild").get_program().to_owned();
    let programs = Path::new(&programs).parent().expect("it lies in a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&path)));
    let mut command = project.command(&["bundle", project.stack()]);
    command
        .env("PATH", path.expect("it was a path"))
        .env("RUSTC", compiler(project, debian))
        // Another compiler's artifacts beside ours would have both rebuild what they share.
        .env("CARGO_TARGET_DIR", debian.with_file_name("built"));
    let told = crate::project::told(&command.output().expect("the program runs"));
    let file = told.answer["stacks"][0]["functions"][0]["file"].as_str();
    file.unwrap_or_else(|| panic!("{}\n{}", told.answer, told.said)).into()
}

/// Debian's compiler, with its own libraries.
fn compiler(project: &Project, debian: &Path) -> PathBuf {
    let file = project.path().join("rustc");
    let usr = debian.join("usr").display().to_string();
    let text = format!("#!/bin/sh\nLD_LIBRARY_PATH={usr}/lib/x86_64-linux-gnu exec {usr}/bin/rustc \"$@\"\n");
    fs::write(&file, text).expect("the folder is writable");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    file
}

/// The emulator, which looks for the other processor's libraries among the packages first.
fn emulator(debian: &Path) -> Vec<OsString> {
    vec![debian.join("usr/bin/qemu-aarch64-static").into(), "-L".into(), debian.into()]
}

/// A call that an authorizer has let through.
fn event() -> serde_json::Value {
    json!({
        "version": "2.0",
        "routeKey": "GET /protected",
        "rawPath": "/protected",
        "rawQueryString": "",
        "headers": {},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3",
            "authorizer": { "jwt": { "claims": { "sub": "alice" }, "scopes": null } },
            "domainName": "a1b2c3.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "a1b2c3",
            "http": {
                "method": "GET",
                "path": "/protected",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test",
            },
            "requestId": "id",
            "routeKey": "GET /protected",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_u64,
        },
        "isBase64Encoded": false,
    })
}
