//! The embedded cloud itself: signatures, persistence, and the services that the others stand on.

use aws_credential_types::Credentials;
use aws_sdk_sts::error::ProvideErrorMetadata;
use time::Duration;

use crate::support::TestCloud;

fn code<E: ProvideErrorMetadata>(error: &E) -> String {
    error.code().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_account_knows_itself() {
    let cloud = TestCloud::start().await;
    let identity = aws_sdk_sts::Client::new(&cloud.config()).get_caller_identity().send().await.expect("it answers");
    assert_eq!(identity.account(), Some("000000000000"));
    assert_eq!(identity.arn(), Some("arn:aws:iam::000000000000:root"));
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let cloud = TestCloud::start().await;
    let identity = async |id: &str, secret: &str| {
        let credentials = Credentials::new(id, secret, None, None, "test");
        let client = aws_sdk_sts::Client::new(&cloud.config_as(credentials));
        code(&client.get_caller_identity().send().await.expect_err("it is refused"))
    };
    assert_eq!(identity(&cloud.key.id, "wrong").await, "SignatureDoesNotMatch");
    assert_eq!(identity("AKIAWRONG", &cloud.key.secret).await, "InvalidClientTokenId");
}

#[tokio::test]
async fn an_old_signature_is_refused() {
    let cloud = TestCloud::start().await;
    cloud.cloud.shift_clock(Duration::minutes(6));
    let error = aws_sdk_sts::Client::new(&cloud.config()).get_caller_identity().send().await.expect_err("it is old");
    assert_eq!(code(&error), "RequestExpired");
}

#[tokio::test]
async fn an_unsigned_request_is_refused() {
    let cloud = TestCloud::start().await;
    let form = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    let body = form.map(|(name, value)| format!("{name}={value}")).join("&");
    let request = reqwest::Client::new().post(&cloud.endpoint).body(body);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let response = request.send().await.expect("it answers");
    assert_eq!(response.status(), 403);
    assert!(response.headers().contains_key("x-amzn-requestid"));
    assert!(response.text().await.expect("it has a body").contains("<Code>MissingAuthenticationToken</Code>"));
}

#[tokio::test]
async fn a_rebound_name_is_refused() {
    let cloud = TestCloud::start().await;
    let request = reqwest::Client::new().get(format!("{}/_stackgen/health", cloud.endpoint));
    let response = request.header("host", "evil.example").send().await.expect("it answers");
    assert_eq!(response.status(), 403);
}
