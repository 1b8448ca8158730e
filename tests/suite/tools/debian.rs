//! Packages of Debian, unpacked into a folder: nothing is installed on the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{installed, run};

/// What apt is told, so that it touches nothing of the machine's own.
///
/// The archive keeps one version of a package, so none can be pinned: what is there is taken.
const CONFIGURATION: &str = r#"
APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Debug::NoLocking "true";
Dir::Cache "FOLDER/cache";
Dir::State::lists "FOLDER/lists";
Dir::State::status "FOLDER/status";
"#;

/// A folder with what the packages and all that they need hold, as at `/`.
///
/// # Panics
/// When the machine is not a Debian for x86-64, or its archive cannot be reached.
pub(crate) fn packages(names: &[&str]) -> PathBuf {
    let folder = installed("debian", names, |folder| {
        for own in ["cache/archives/partial", "lists/partial", "root"] {
            fs::create_dir_all(folder.join(own)).expect("the target folder is writable");
        }
        fs::write(folder.join("status"), "").expect("the target folder is writable");
        let configuration = CONFIGURATION.replace("FOLDER", &folder.display().to_string());
        fs::write(folder.join("apt.conf"), configuration).expect("the target folder is writable");
        run(apt(folder).args(["--quiet", "update"]));
        run(apt(folder).args(["--quiet", "--yes", "--download-only", "install"]).args(names));
        let archives = folder.join("cache/archives");
        for file in fs::read_dir(&archives).expect("apt has filled it").flatten() {
            if file.path().extension().is_some_and(|extension| extension == "deb") {
                run(Command::new("dpkg-deb").arg("--extract").arg(file.path()).arg(folder.join("root")));
            }
        }
        fs::remove_dir_all(folder.join("cache")).expect("it is ours");
    });
    folder.join("root")
}

fn apt(folder: &Path) -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("APT_CONFIG", folder.join("apt.conf"));
    apt
}
