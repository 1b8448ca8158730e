//! A local cloud for a test, in this process, on a free port, with a folder of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::time::SystemTime;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde::Serialize;
use serde_json::{Value, json};
use stackgen::local::cloud::Cloud;
use stackgen::local::iam::{self, AccessKey, Role};
use stackgen::local::wire::Fault;
use stackgen::local::{self, Options};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// A zip with a `bootstrap` for tests as a function's code; what it does is written in it.
pub(crate) fn bootstrap_archive() -> Vec<u8> {
    archive(include_bytes!("support/bootstrap.py"))
}

/// A zip with this as the `bootstrap` of a function.
pub(crate) fn archive(bootstrap: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    archive.start_file("bootstrap", options).expect("the archive takes a file");
    archive.write_all(bootstrap).expect("the archive takes its content");
    archive.finish().expect("the archive can be finished").into_inner()
}

/// A cloud that serves until it is stopped or dropped.
pub(crate) struct TestCloud {
    /// Base URL.
    pub(crate) endpoint: String,
    /// The account's own key.
    pub(crate) key: AccessKey,
    /// The handle on its state and clock.
    pub(crate) cloud: Cloud,
    folder: TempDir,
    serving: JoinHandle<()>,
}

impl TestCloud {
    /// Starts an empty cloud.
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder can be made")).await
    }

    /// Starts a cloud on the state of a folder.
    pub(crate) async fn start_in(folder: TempDir) -> Self {
        let server = local::bind(Options::new(folder.path())).await.expect("the cloud starts");
        let (endpoint, key, cloud) = (server.endpoint().to_owned(), server.root_key(), server.cloud().clone());
        let serving = tokio::spawn(server.serve(std::future::pending()));
        Self { endpoint, key, cloud, folder, serving }
    }

    /// Stops it and starts it again on the same state.
    pub(crate) async fn restart(self) -> Self {
        Self::start_in(self.stop().await).await
    }

    /// Stops it, and hands back the folder of its state.
    pub(crate) async fn stop(self) -> TempDir {
        self.cloud.stopping().cancel();
        self.serving.await.expect("serving does not panic");
        self.folder
    }

    /// What every SDK client is made from, as the account itself.
    pub(crate) fn config(&self) -> SdkConfig {
        self.config_as(Credentials::new(&self.key.id, self.key.secret.as_str(), None, None, "test"))
    }

    /// What every SDK client is made from, with these credentials.
    pub(crate) fn config_as(&self, credentials: Credentials) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    /// The account's own key.
    pub(crate) fn root(&self) -> Key {
        Key { id: self.key.id.clone(), secret: self.key.secret.to_string(), token: None }
    }

    /// The key of a session of a new role that may do one thing with one resource.
    pub(crate) fn session(&self, role: &str, action: &str, resource: &str) -> Key {
        self.role(role, Some(json!({ "Effect": "Allow", "Action": action, "Resource": resource })))
    }

    /// The key of a session of a new role whose only policy is one statement, or which has none.
    pub(crate) fn role(&self, role: &str, statement: Option<Value>) -> Key {
        let now = self.cloud.now();
        let policy = statement.map(|statement| json!({ "Version": "2012-10-17", "Statement": statement }));
        let made = Role {
            id: format!("AROA{}", role.to_uppercase()),
            name: role.to_owned(),
            path: "/".to_owned(),
            description: None,
            trust: json!({}),
            max_session: 3600,
            boundary: None,
            inline: policy.map(|policy| ("one".to_owned(), policy)).into_iter().collect(),
            attached: [].into(),
            tags: BTreeMap::new(),
            created: now,
        };
        let credentials = self.cloud.write(|account| {
            account.iam.roles.insert(role.to_owned(), made);
            Ok::<_, Fault>(iam::session_credentials(account, role, "session", now + time::Duration::hours(1)))
        });
        let key = credentials.expect("it is saved");
        Key {
            id: key.access_key_id,
            secret: key.secret_access_key.to_string(),
            token: Some(key.session_token.to_string()),
        }
    }
}

/// The key of a session.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Key {
    /// Its id.
    pub(crate) id: String,
    /// Its secret.
    pub(crate) secret: String,
    /// What goes with each signature; the account's own key has none.
    pub(crate) token: Option<String>,
}

impl Key {
    /// The headers that sign a request.
    pub(crate) fn signature(&self, service: &str, method: &str, url: &str, body: &[u8]) -> Vec<(String, String)> {
        let identity = Credentials::new(&self.id, &self.secret, self.token.clone(), None, "test").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .expect("all parameters are there")
            .into();
        let request = SignableRequest::new(method, url, std::iter::empty(), SignableBody::Bytes(body));
        let signed = sign(request.expect("the request is whole"), &parameters).expect("it signs");
        signed.into_parts().0.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).expect("it is text"))
    }
}
