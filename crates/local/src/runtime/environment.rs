//! What a function's process finds around it.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::Launch;
use crate::cloud::Cloud;
use crate::iam;

/// Places and times that are one process's own.
pub(super) struct Surroundings<'a> {
    /// The unpacked code.
    pub root: &'a Path,
    /// Its temporary files.
    pub temporary: &'a Path,
    /// Where its Runtime API is.
    pub address: SocketAddr,
    /// Its log stream.
    pub stream: &'a str,
    /// When its credentials expire.
    pub expires: OffsetDateTime,
}

/// The whole environment of a process: what Lambda sets, then what the user sets.
pub(super) fn of(cloud: &Cloud, launch: &Launch, own: &Surroundings<'_>) -> Vec<(OsString, OsString)> {
    let settings = &launch.version.settings;
    let mut variables: Vec<(OsString, OsString)> = vec![
        ("LAMBDA_TASK_ROOT".into(), own.root.into()),
        ("TMPDIR".into(), own.temporary.into()),
        ("LD_LIBRARY_PATH".into(), library_path(own.root)),
    ];
    let mut set = |name: &str, value: &str| variables.push((name.into(), value.into()));
    set("AWS_LAMBDA_RUNTIME_API", &own.address.to_string());
    set("AWS_LAMBDA_FUNCTION_NAME", &launch.name);
    set("AWS_LAMBDA_FUNCTION_VERSION", &launch.number);
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &settings.memory_size.to_string());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
    set("AWS_LAMBDA_LOG_GROUP_NAME", &settings.log_group(&launch.name));
    set("AWS_LAMBDA_LOG_STREAM_NAME", own.stream);
    set("AWS_LAMBDA_LOG_FORMAT", &settings.logging_config.log_format);
    if let Some(level) = &settings.logging_config.application_log_level {
        set("AWS_LAMBDA_LOG_LEVEL", level);
    }
    // A runtime of the account's own has no other name there.
    set("AWS_EXECUTION_ENV", &format!("AWS_Lambda_{}", settings.runtime));
    set("AWS_REGION", &launch.region);
    set("AWS_DEFAULT_REGION", &launch.region);
    set("AWS_ENDPOINT_URL", cloud.endpoint());
    set("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
    set("LAMBDA_RUNTIME_DIR", "/var/runtime");
    set("LANG", "en_US.UTF-8");
    set("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin");
    set("TZ", ":UTC");
    set("_HANDLER", &settings.handler);
    let role = settings.role.rsplit('/').next().unwrap_or_default();
    let keys = cloud.read(|account| iam::session_credentials(account, role, &launch.name, own.expires));
    set("AWS_ACCESS_KEY_ID", &keys.access_key_id);
    set("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key);
    set("AWS_SESSION_TOKEN", &keys.session_token);
    for (name, value) in &settings.environment.variables {
        variables.push((name.into(), value.into()));
    }
    variables
}

fn library_path(root: &Path) -> OsString {
    let mut path = root.as_os_str().to_owned();
    path.push(":");
    path.push(root.join("lib"));
    path
}

/// The `bootstrap` of unpacked code, if a process of this architecture can be made of it here.
///
/// # Errors
/// The reason, in the words of the Lambda service where it would fail as well.
pub(super) fn bootstrap(folder: &Path, architecture: &str) -> Result<PathBuf, String> {
    let file = folder.join("bootstrap");
    if !file.is_file() {
        return Err("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]".to_owned());
    }
    let Some(machine) = elf_machine(&file) else { return Ok(file) };
    if machine != architecture {
        return Err(format!(
            "fork/exec /var/task/bootstrap: exec format error (it is built for {machine}, the function is {architecture})"
        ));
    }
    if !is_runnable(machine) {
        return Err(format!(
            "this machine is {} {} and cannot run {machine} functions; install qemu-user-static, or build the function \
             for this machine",
            std::env::consts::OS,
            host(),
        ));
    }
    Ok(file)
}

/// The architecture of an ELF file, in Lambda's words; none for scripts and for what cannot be read.
fn elf_machine(file: &Path) -> Option<&'static str> {
    let mut header = [0; 20];
    File::open(file).ok()?.read_exact(&mut header).ok()?;
    match header {
        [0x7f, b'E', b'L', b'F', .., 62, 0] => Some("x86_64"),
        [0x7f, b'E', b'L', b'F', .., 183, 0] => Some("arm64"),
        [0x7f, b'E', b'L', b'F', ..] => Some("another architecture"),
        _ => None,
    }
}

fn host() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

/// Whether the kernel runs such programs: those of its own kind, and those for which an interpreter is registered.
fn is_runnable(machine: &str) -> bool {
    let interpreter = if machine == "arm64" { "qemu-aarch64" } else { "qemu-x86_64" };
    cfg!(target_os = "linux") && (machine == host() || Path::new("/proc/sys/fs/binfmt_misc").join(interpreter).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(bootstrap: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder for the test");
        std::fs::write(folder.path().join("bootstrap"), bootstrap).expect("it can be written");
        folder
    }

    fn elf(machine: u8) -> Vec<u8> {
        let mut header = vec![0; 64];
        header[..4].copy_from_slice(b"\x7fELF");
        header[18] = machine;
        header
    }

    #[test]
    fn a_missing_bootstrap_is_told_as_on_aws() {
        let empty = tempfile::tempdir().expect("a folder for the test");
        let reason = bootstrap(empty.path(), "x86_64").expect_err("there is none");
        assert_eq!(reason, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
    }

    #[test]
    fn a_binary_for_another_architecture_than_the_functions_is_refused() {
        let reason = bootstrap(folder(&elf(183)).path(), "x86_64").expect_err("it cannot run there");
        assert!(reason.starts_with("fork/exec /var/task/bootstrap: exec format error"), "{reason}");
    }

    #[test]
    fn scripts_run_anywhere() {
        bootstrap(folder(b"#!/bin/sh\n").path(), "arm64").expect("it has no architecture");
    }
}
