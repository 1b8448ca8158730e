//! A local cloud for a test, in this process, on a free port, with a folder of its own.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use stackgen::local::cloud::Cloud;
use stackgen::local::iam::AccessKey;
use stackgen::local::{self, Options};
use tempfile::TempDir;
use tokio::task::JoinHandle;

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

    async fn start_in(folder: TempDir) -> Self {
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
        self.config_as(Credentials::new(&self.key.id, &self.key.secret, None, None, "test"))
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
}
