//! A deployed function for tests: a script that speaks the Runtime API.

use std::io::Write as _;

use serde_json::{Value, json};

use super::deployment::{self, Site};
use super::{Code, Function, Settings, Target, Version, revision, rules};
use crate::cloud::{Account, Cloud};
use crate::wire::Fault;

/// What the script does is written in it.
const BOOTSTRAP: &[u8] = include_bytes!("../../../../tests/suite/support/bootstrap.py");

/// A cloud with the one function `f`.
pub(crate) struct Deployed {
    pub(crate) cloud: Cloud,
    _folder: tempfile::TempDir,
}

/// Deploys the script as function `f` with these settings.
pub(crate) fn deployed(settings: &Value) -> Deployed {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let account = Account { id: "000000000000".to_owned(), region: "us-east-1".to_owned(), ..Account::default() };
    let cloud = Cloud::new(account, folder.path().to_owned(), "http://127.0.0.1:9".to_owned());
    let mut members = json!({
        "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": "arn:aws:iam::000000000000:role/r", "Timeout": 10,
    });
    for (name, value) in settings.as_object().expect("an object") {
        members[name] = value.clone();
    }
    let settings: Settings = serde_json::from_value(members).expect("they are settings");
    let code = Code::of_bytes(folder.path(), &archive()).expect("it is an archive");
    let latest = Version { settings, code, revision: revision(), modified: cloud.now() };
    let function = Function {
        latest,
        versions: Default::default(),
        last_version: 0,
        aliases: Default::default(),
        policy: Vec::new(),
        reserved_concurrency: None,
        tags: Default::default(),
        urls: Default::default(),
    };
    cloud
        .write(|account| {
            account.lambda.0.insert("f".to_owned(), function);
            Ok::<_, Fault>(())
        })
        .expect("it is written");
    Deployed { cloud, _folder: folder }
}

fn archive() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    writer.start_file("bootstrap", options).expect("the entry fits");
    writer.write_all(BOOTSTRAP).expect("memory takes it");
    writer.finish().expect("memory takes it").into_inner()
}

impl Deployed {
    fn target() -> Target {
        Target { name: "f".to_owned(), qualifier: None }
    }

    pub(crate) fn reserve(&self, reserved: u32) {
        self.cloud.write(|account| rules::reserve(account, &Self::target(), Some(reserved))).expect("it is free");
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Settings)) {
        let site = Site { data: self.cloud.data(), now: self.cloud.now() };
        self.cloud
            .write(|account| {
                deployment::change(account, site, &Self::target(), |version| change(&mut version.settings))
            })
            .expect("it is there");
    }

    /// Ends every process and waits for it: what is left hanging fails the test by its time limit.
    pub(crate) async fn stop(self) {
        self.cloud.stopping().cancel();
        self.cloud.tasks().close();
        self.cloud.tasks().wait().await;
    }
}
