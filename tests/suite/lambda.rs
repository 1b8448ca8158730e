//! Lambda on the wire, and what becomes of the functions' processes.

use std::path::Path;
use std::process::Command;

use crate::support::TestCloud;
use crate::tools;

/// The function for tests; what it does is written in it.
const BOOTSTRAP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support/bootstrap.py");

#[tokio::test(flavor = "multi_thread")]
async fn boto3_finds_lambda_as_it_knows_it() {
    let cloud = TestCloud::start().await;
    let environment = [
        ("AWS_ENDPOINT_URL", cloud.endpoint.clone()),
        ("AWS_ACCESS_KEY_ID", cloud.key.id.clone()),
        ("AWS_SECRET_ACCESS_KEY", cloud.key.secret.to_string()),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
    ];
    let driver = Path::new(BOOTSTRAP).with_file_name("drive_lambda.py");
    let driving = tokio::task::spawn_blocking(move || {
        let python = tools::python(tools::AWS);
        let mut command: Command = python.program("python");
        tools::run(command.arg(driver).arg(BOOTSTRAP).envs(environment))
    });
    driving.await.expect("every assertion of the driver holds");
    cloud.stop().await;
}
