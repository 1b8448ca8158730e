//! The embedded cloud itself: signatures, persistence, and the services that the others stand on.

use std::collections::BTreeMap;

use aws_credential_types::Credentials;
use aws_sdk_cloudformation::types::StackStatus;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier, VersioningConfiguration,
};
use aws_sdk_ssm::types::ParameterType;
use aws_sdk_sts::error::ProvideErrorMetadata;
use serde_json::json;
use stackgen::local::iam::{self, Role};
use stackgen::local::wire::Fault;
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

/// Paths that begin as those of a user pool's documents do are no way around a signature.
#[tokio::test]
async fn no_path_lets_a_caller_without_rights_do_what_an_administrator_does() {
    let cloud = TestCloud::start().await;
    let role = cloud.role("nobody", None);
    let role = Credentials::new(role.id, role.secret, role.token, None, "test");
    for path in ["/", "/a_b/c", "/us-east-1_x/", "/us-east-1_x/.well-known/jwks.json"] {
        let url = format!("{}{path}", cloud.endpoint);
        let request = reqwest::Client::new().post(&url).body(r#"{"UserPoolId":"us-east-1_x","Username":"u"}"#);
        let request = request.header("x-amz-target", "AWSCognitoIdentityProviderService.AdminSetUserPassword");
        let answer = request.send().await.expect("it answers").text().await.expect("it is text");
        assert!(answer.contains("MissingAuthenticationTokenException"), "{path}: {answer}");
        let config = cloud.config_as(role.clone()).into_builder().endpoint_url(url).build();
        let client = aws_sdk_cognitoidentityprovider::Client::new(&config);
        let asked = client.admin_set_user_password().user_pool_id("us-east-1_x").username("u").password("Secret123!");
        let error = asked.send().await.expect_err("it is not allowed");
        assert_eq!(code(&error), "AccessDeniedException", "{path}");
    }
}

#[tokio::test]
async fn a_rebound_name_is_refused() {
    let cloud = TestCloud::start().await;
    let request = reqwest::Client::new().get(format!("{}/_stackgen/health", cloud.endpoint));
    let response = request.header("host", "evil.example").send().await.expect("it answers");
    assert_eq!(response.status(), 403);
}

async fn bucket(cloud: &TestCloud) -> aws_sdk_s3::Client {
    let client = aws_sdk_s3::Client::new(&cloud.config());
    client.create_bucket().bucket("bucket").send().await.expect("it is made");
    client
}

#[tokio::test]
async fn objects_come_back_as_they_were_put() {
    let cloud = TestCloud::start().await;
    let client = bucket(&cloud).await;
    let key = "a folder/ä+b&c=d?e#f%20 *'().txt";
    let put = client.put_object().bucket("bucket").key(key).content_type("text/plain").metadata("who", "me");
    let put = put.body(ByteStream::from_static(b"hello world")).send().await.expect("it is put");
    assert_eq!(put.e_tag(), Some("\"5eb63bbbe01eeed093cb22bb8f5acdc3\""));
    let cloud = cloud.restart().await;
    let client = aws_sdk_s3::Client::new(&cloud.config());
    let got = client.get_object().bucket("bucket").key(key).send().await.expect("it is there");
    assert_eq!(got.content_type(), Some("text/plain"));
    assert_eq!(got.metadata().and_then(|metadata| metadata.get("who")).map(String::as_str), Some("me"));
    assert_eq!(got.body.collect().await.expect("it is whole").into_bytes(), "hello world");
    let part = client.get_object().bucket("bucket").key(key).range("bytes=6-").send().await.expect("it is there");
    assert_eq!(part.content_range(), Some("bytes 6-10/11"));
    assert_eq!(part.body.collect().await.expect("it is whole").into_bytes(), "world");
    let head = client.head_object().bucket("bucket").key(key).send().await.expect("it is there");
    assert_eq!(head.content_length(), Some(11));
    let listed = client.list_objects_v2().bucket("bucket").delimiter("/").send().await.expect("it lists");
    assert_eq!(listed.common_prefixes()[0].prefix(), Some("a folder/"));
    let missing = client.get_object().bucket("bucket").key("none").send().await.expect_err("it is not there");
    assert_eq!(code(&missing), "NoSuchKey");
    assert!(client.head_object().bucket("bucket").key("none").send().await.is_err());
}

#[tokio::test]
async fn a_stream_is_put_in_chunks() {
    let cloud = TestCloud::start().await;
    let client = bucket(&cloud).await;
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(file.path(), &content).expect("it can be written");
    let body = ByteStream::from_path(file.path()).await.expect("it can be read");
    client.put_object().bucket("bucket").key("big").body(body).send().await.expect("it is put");
    let got = client.get_object().bucket("bucket").key("big").send().await.expect("it is there");
    assert!(got.body.collect().await.expect("it is whole").into_bytes() == content);
}

#[tokio::test]
async fn an_upload_in_parts_is_one_object() {
    let cloud = TestCloud::start().await;
    let client = bucket(&cloud).await;
    let upload = client.create_multipart_upload().bucket("bucket").key("k").send().await.expect("it starts");
    let id = upload.upload_id().expect("it has an id");
    let mut parts = CompletedMultipartUpload::builder();
    for (number, size) in [(1, 5 << 20), (2, 3)] {
        let body = ByteStream::from(vec![b'x'; size]);
        let part = client.upload_part().bucket("bucket").key("k").upload_id(id).part_number(number).body(body);
        let etag = part.send().await.expect("it is taken").e_tag().map(str::to_owned);
        parts = parts.parts(CompletedPart::builder().part_number(number).set_e_tag(etag).build());
    }
    let complete = client.complete_multipart_upload().bucket("bucket").key("k").upload_id(id);
    let done = complete.multipart_upload(parts.build()).send().await.expect("it is whole");
    assert!(done.e_tag().is_some_and(|etag| etag.ends_with("-2\"")));
    let got = client.get_object().bucket("bucket").key("k").send().await.expect("it is there");
    assert_eq!(got.body.collect().await.expect("it is whole").into_bytes().len(), (5 << 20) + 3);
    let files = || std::fs::read_dir(cloud.cloud.data().join("objects")).expect("it is there").count();
    assert_eq!(files(), 1, "the parts are gone");
    let upload = client.create_multipart_upload().bucket("bucket").key("copy").send().await.expect("it starts");
    let id = upload.upload_id().expect("it has an id");
    let part = client.upload_part_copy().bucket("bucket").key("copy").upload_id(id).part_number(1);
    let part = part.copy_source("bucket/k").copy_source_range("bytes=1-4").send().await.expect("it is copied");
    let etag = part.copy_part_result().and_then(|result| result.e_tag());
    // The tag of four letters x.
    assert_eq!(etag, Some("\"ea416ed0759d46a8de58f63a59077499\""));
    client.abort_multipart_upload().bucket("bucket").key("copy").upload_id(id).send().await.expect("it ends");
    assert_eq!(files(), 1);
}

#[tokio::test]
async fn a_versioned_bucket_keeps_what_is_deleted() {
    let cloud = TestCloud::start().await;
    let client = bucket(&cloud).await;
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket("bucket").versioning_configuration(enabled).send().await.expect("it is set");
    for body in ["one", "two"] {
        client
            .put_object()
            .bucket("bucket")
            .key("k")
            .body(body.as_bytes().to_vec().into())
            .send()
            .await
            .expect("it is put");
    }
    let deleted = client.delete_object().bucket("bucket").key("k").send().await.expect("it is deleted");
    assert_eq!(deleted.delete_marker(), Some(true));
    assert_eq!(
        code(&client.get_object().bucket("bucket").key("k").send().await.expect_err("it is deleted")),
        "NoSuchKey"
    );
    let error = client.delete_bucket().bucket("bucket").send().await.expect_err("it is not empty");
    assert_eq!(code(&error), "BucketNotEmpty");
    let listed = client.list_object_versions().bucket("bucket").send().await.expect("it lists");
    assert_eq!((listed.versions().len(), listed.delete_markers().len()), (2, 1));
    let versions = listed.versions().iter().filter_map(|version| version.version_id());
    let markers = listed.delete_markers().iter().filter_map(|marker| marker.version_id());
    let objects = versions
        .chain(markers)
        .map(|id| ObjectIdentifier::builder().key("k").version_id(id).build().expect("it has a key"));
    let delete = Delete::builder().set_objects(Some(objects.collect())).build().expect("it has objects");
    let gone = client.delete_objects().bucket("bucket").delete(delete).send().await.expect("they are deleted");
    assert_eq!(gone.deleted().len(), 3);
    client.delete_bucket().bucket("bucket").send().await.expect("it is empty");
    assert_eq!(std::fs::read_dir(cloud.cloud.data().join("objects")).expect("it is there").count(), 0);
}

#[tokio::test]
async fn what_is_not_offered_of_a_bucket_does_not_touch_the_whole() {
    let cloud = TestCloud::start().await;
    let client = bucket(&cloud).await;
    let refused = client.delete_bucket_replication().bucket("bucket").send().await.expect_err("it is not offered");
    assert_eq!(code(&refused), "NotImplemented");
    client.head_bucket().bucket("bucket").send().await.expect("the bucket stands");
    client.put_object().bucket("bucket").key("k").body(b"x".to_vec().into()).send().await.expect("it is put");
    let refused = client.get_object_torrent().bucket("bucket").key("k").send().await.expect_err("it is not offered");
    assert_eq!(code(&refused), "NotImplemented");
    let other = format!("{}/bucket/k?attributes", cloud.endpoint);
    let delete = client.delete_object().bucket("bucket").key("k").customize();
    let delete = delete.mutate_request(move |request| {
        let _ = request.set_uri(other.as_str());
    });
    assert_eq!(code(&delete.send().await.expect_err("it is not offered")), "NotImplemented");
    client.head_object().bucket("bucket").key("k").send().await.expect("the object stands");
}

#[tokio::test]
async fn a_presigned_url_works_until_it_expires() {
    let cloud = TestCloud::start().await;
    let client = bucket(&cloud).await;
    client.put_object().bucket("bucket").key("k").body(b"x".to_vec().into()).send().await.expect("it is put");
    let lifetime = std::time::Duration::from_secs(60);
    let config = aws_sdk_s3::presigning::PresigningConfig::expires_in(lifetime).expect("it is a lifetime");
    let url = client.get_object().bucket("bucket").key("k").presigned(config).await.expect("it signs");
    let get = async || reqwest::get(url.uri()).await.expect("it answers").status().as_u16();
    assert_eq!(get().await, 200);
    cloud.cloud.shift_clock(Duration::minutes(2));
    assert_eq!(get().await, 403);
    assert_eq!(reqwest::get(format!("{}/bucket/k", cloud.endpoint)).await.expect("it answers").status(), 403);
}

/// As boto3 and the AWS CLI presign them by default.
#[tokio::test]
async fn an_older_presigned_url_works_until_it_expires() {
    use aws_lc_rs::hmac;
    use base64::Engine;
    let cloud = TestCloud::start().await;
    let client = bucket(&cloud).await;
    client.put_object().bucket("bucket").key("k").body(b"x".to_vec().into()).send().await.expect("it is put");
    let expires = cloud.cloud.now().unix_timestamp() + 60;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, cloud.key.secret.as_bytes());
    let tag = hmac::sign(&key, format!("GET\n\n\n{expires}\n/bucket/k").as_bytes());
    let tag = base64::engine::general_purpose::STANDARD.encode(tag);
    let signature: String = form_urlencoded::byte_serialize(tag.as_bytes()).collect();
    let id = &cloud.key.id;
    let url = format!("{}/bucket/k?AWSAccessKeyId={id}&Signature={signature}&Expires={expires}", cloud.endpoint);
    let status = async |url: &str| reqwest::get(url).await.expect("it answers").status().as_u16();
    assert_eq!(status(&url).await, 200);
    assert_eq!(status(&url.replace("bucket/k", "bucket/other")).await, 403);
    assert_eq!(status(&format!("{url}&versionId=null")).await, 403);
    cloud.cloud.shift_clock(Duration::minutes(2));
    assert_eq!(status(&url).await, 403);
}

/// Somebody else has the port that the account answered on before.
#[tokio::test]
async fn addresses_follow_the_port() {
    let cloud = TestCloud::start().await;
    let client = aws_sdk_cloudformation::Client::new(&cloud.config());
    let template = json!({
        "Resources": {
            "Api": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "Name": "a", "ProtocolType": "HTTP" } },
            "Url": {
                "Type": "AWS::SSM::Parameter",
                "Properties": { "Name": "/url", "Type": "String", "Value": { "Fn::GetAtt": ["Api", "ApiEndpoint"] } },
            },
        },
        "Outputs": { "Url": { "Value": { "Fn::GetAtt": ["Api", "ApiEndpoint"] } } },
    });
    client.create_stack().stack_name("s").template_body(template.to_string()).send().await.expect("it begins");
    let url = async |cloud: &TestCloud| {
        let client = aws_sdk_cloudformation::Client::new(&cloud.config());
        loop {
            let stacks = client.describe_stacks().stack_name("s").send().await.expect("it is there");
            let stack = &stacks.stacks()[0];
            match stack.stack_status().expect("it has one") {
                StackStatus::CreateInProgress => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                StackStatus::CreateComplete => break stack.outputs()[0].output_value().expect("it has one").to_owned(),
                other => panic!("the stack is {other}"),
            }
        }
    };
    assert!(url(&cloud).await.starts_with(&cloud.endpoint));
    let before = cloud.endpoint.clone();
    let folder = cloud.stop().await;
    let _other = std::net::TcpListener::bind(before.trim_start_matches("http://")).expect("the port is free");
    let cloud = TestCloud::start_in(folder).await;
    assert_ne!(cloud.endpoint, before);
    assert!(url(&cloud).await.starts_with(&cloud.endpoint));
    let parameter = aws_sdk_ssm::Client::new(&cloud.config()).get_parameter().name("/url").send().await;
    let parameter = parameter.expect("it is there").parameter.and_then(|parameter| parameter.value);
    assert!(parameter.is_some_and(|value| value.starts_with(&cloud.endpoint)));
    let moved = cloud.endpoint.clone();
    let cloud = cloud.restart().await;
    assert_eq!(cloud.endpoint, moved);
    // What a kill may leave: the state, and nothing of what is written after it.
    let folder = cloud.stop().await;
    for entry in std::fs::read_dir(folder.path()).expect("it is readable") {
        let path = entry.expect("it is readable").path();
        if path.is_file() && !path.ends_with("account.json") {
            std::fs::remove_file(path).expect("it is there");
        }
    }
    let cloud = TestCloud::start_in(folder).await;
    assert!(url(&cloud).await.starts_with(&cloud.endpoint));
}

#[tokio::test]
async fn parameters_are_kept() {
    let cloud = TestCloud::start().await;
    let client = aws_sdk_ssm::Client::new(&cloud.config());
    let put = |name: &str, value: &str| client.put_parameter().name(name).value(value).r#type(ParameterType::String);
    put("/app/one", "1").send().await.expect("it is put");
    put("/app/two", "2").send().await.expect("it is put");
    assert_eq!(code(&put("/app/one", "3").send().await.expect_err("it exists")), "ParameterAlreadyExists");
    assert_eq!(put("/app/one", "3").overwrite(true).send().await.expect("it is put").version(), 2);
    let all = client.get_parameters_by_path().path("/app").send().await.expect("it lists");
    let values: Vec<_> = all.parameters().iter().filter_map(|parameter| parameter.value()).collect();
    assert_eq!(values, ["3", "2"]);
    for (version, value) in [(1, "1"), (2, "3")] {
        let one = client.get_parameter().name(format!("/app/one:{version}")).send().await.expect("it is kept");
        assert_eq!(one.parameter().and_then(|parameter| parameter.value()), Some(value));
    }
    let none = client.get_parameter().name("/app/one:3").send().await.expect_err("there is none");
    assert_eq!(code(&none), "ParameterVersionNotFound");
    let history = client.get_parameter_history().name("/app/one").send().await.expect("it is kept");
    let versions: Vec<_> = history.parameters().iter().map(|one| (one.version(), one.value())).collect();
    assert_eq!(versions, [(1, Some("1")), (2, Some("3"))]);
    client.delete_parameter().name("/app/one").send().await.expect("it is deleted");
    let gone = client.get_parameter().name("/app/one").send().await.expect_err("it is gone");
    assert_eq!(code(&gone), "ParameterNotFound");
}

#[tokio::test]
async fn log_events_are_kept_in_order() {
    let cloud = TestCloud::start().await;
    let client = aws_sdk_cloudwatchlogs::Client::new(&cloud.config());
    client.create_log_group().log_group_name("/g").send().await.expect("it is made");
    client.create_log_stream().log_group_name("/g").log_stream_name("s").send().await.expect("it is made");
    let now = i64::try_from(cloud.cloud.now().unix_timestamp_nanos() / 1_000_000).expect("it fits");
    let event = |time: i64, text: &str| {
        aws_sdk_cloudwatchlogs::types::InputLogEvent::builder()
            .timestamp(time)
            .message(text)
            .build()
            .expect("it is whole")
    };
    let put = client.put_log_events().log_group_name("/g").log_stream_name("s");
    put.log_events(event(now, "an ERROR")).log_events(event(now - 5, "fine")).send().await.expect("they are taken");
    let got = client.get_log_events().log_group_name("/g").log_stream_name("s").send().await.expect("they are there");
    let messages: Vec<_> = got.events().iter().filter_map(|event| event.message()).collect();
    assert_eq!(messages, ["fine", "an ERROR"]);
    let found = client.filter_log_events().log_group_name("/g").filter_pattern("ERROR").send().await.expect("it finds");
    assert_eq!(found.events().len(), 1);
    let all = client.filter_log_events().log_group_name("/g").end_time(now).send().await.expect("it finds");
    assert_eq!(all.events().len(), 2, "the end is within");
    assert_eq!(all.events()[1].event_id(), found.events()[0].event_id(), "an event keeps its id");
    assert_ne!(all.events()[0].event_id(), all.events()[1].event_id());
    let before = client.get_log_events().log_group_name("/g").log_stream_name("s").end_time(now);
    assert_eq!(before.send().await.expect("they are there").events().len(), 1, "the end is outside");
    client.put_retention_policy().log_group_name("/g").retention_in_days(7).send().await.expect("it is set");
    let groups = client.describe_log_groups().send().await.expect("it lists");
    assert_eq!(groups.log_groups()[0].retention_in_days(), Some(7));
    client.delete_log_group().log_group_name("/g").send().await.expect("it is deleted");
    let groups = client.describe_log_groups().send().await.expect("it lists");
    assert!(groups.log_groups().is_empty());
}

/// A role that lists one bucket, and credentials of a session of it.
fn reader(cloud: &TestCloud, expires: Duration) -> Credentials {
    let now = cloud.cloud.now();
    let statement = json!({ "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket" });
    let role = Role {
        id: "AROAREADER".to_owned(),
        name: "reader".to_owned(),
        path: "/".to_owned(),
        description: None,
        trust: json!({}),
        max_session: 3600,
        boundary: None,
        inline: BTreeMap::from([("list".to_owned(), json!({ "Version": "2012-10-17", "Statement": statement }))]),
        attached: [].into(),
        tags: BTreeMap::new(),
        created: now,
    };
    let credentials = cloud.cloud.write(|account| {
        account.iam.roles.insert(role.name.clone(), role);
        Ok::<_, Fault>(iam::session_credentials(account, "reader", "session", now + expires))
    });
    let credentials = credentials.expect("it is saved");
    let (id, secret, token) = (credentials.access_key_id, credentials.secret_access_key, credentials.session_token);
    Credentials::new(id, secret.as_str(), Some(token.to_string()), None, "test")
}

#[tokio::test]
async fn a_role_may_do_what_its_policies_say() {
    let cloud = TestCloud::start().await;
    bucket(&cloud).await;
    let config = cloud.config_as(reader(&cloud, Duration::hours(1)));
    let client = aws_sdk_s3::Client::new(&config);
    client.list_objects_v2().bucket("bucket").send().await.expect("it is allowed");
    let error = client.put_object().bucket("bucket").key("k").send().await.expect_err("it is not allowed");
    let expected = "User: arn:aws:sts::000000000000:assumed-role/reader/session is not authorized to perform: \
                    s3:PutObject on resource: \"arn:aws:s3:::bucket/k\" because no identity-based policy allows the \
                    s3:PutObject action";
    assert_eq!(error.message(), Some(expected));
    let identity =
        aws_sdk_sts::Client::new(&config).get_caller_identity().send().await.expect("it may always be asked");
    assert_eq!(identity.arn(), Some("arn:aws:sts::000000000000:assumed-role/reader/session"));
    let error =
        aws_sdk_ssm::Client::new(&config).get_parameter().name("/p").send().await.expect_err("it is not allowed");
    assert_eq!(code(&error), "AccessDeniedException");
}

#[tokio::test]
async fn a_session_ends() {
    let cloud = TestCloud::start().await;
    let config = cloud.config_as(reader(&cloud, Duration::seconds(-1)));
    let error = aws_sdk_s3::Client::new(&config).list_buckets().send().await.expect_err("it has ended");
    assert_eq!(code(&error), "ExpiredToken");
}

#[tokio::test]
async fn a_session_of_a_role_that_is_gone_is_refused() {
    let cloud = TestCloud::start().await;
    let config = cloud.config_as(reader(&cloud, Duration::hours(1)));
    let removed = cloud.cloud.write(|account| Ok::<_, Fault>(account.iam.roles.remove("reader")));
    removed.expect("it is saved").expect("it was there");
    let error = aws_sdk_s3::Client::new(&config).list_buckets().send().await.expect_err("the role is gone");
    assert_eq!(code(&error), "InvalidAccessKeyId");
}

#[tokio::test]
async fn hostile_requests_are_answered_and_the_cloud_lives() {
    let cloud = TestCloud::start().await;
    let address = cloud.endpoint.trim_start_matches("http://").to_owned();
    let head = "POST /%ff/..//%00?%=&&a[]=%zz HTTP/1.1\r\nhost: 127.0.0.1\r\n";
    let scope = |service: &str| {
        format!(
            "authorization: AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n"
        )
    };
    let requests = [
        "\0\u{1}garbage\r\n\r\n".to_owned(),
        format!("{head}content-length: 3\r\n\r\nabc"),
        format!("{head}x-amz-target: AWSCognitoIdentityProviderService.SignUp\r\ncontent-length: 1\r\n\r\n{{"),
        format!("{head}x-amz-target: .\r\ncontent-length: 0\r\n\r\n"),
        format!("{head}{}x-amz-date: 99999999T999999Z\r\ncontent-length: 0\r\n\r\n", scope("s3")),
        format!("{head}{}x-amz-date: 20260101T000000Z\r\ncontent-length: 0\r\n\r\n", scope("nonsense")),
        format!("{head}authorization: AWS4-\r\ncontent-length: 0\r\n\r\n"),
        "GET /?X-Amz-Signature=x&X-Amz-Expires=-1 HTTP/1.1\r\nhost: b.localhost\r\n\r\n".to_owned(),
        "GET /_aws/execute-api/ HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET /us-east-1_x/.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
    ];
    for request in requests {
        let answer = raw(&address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 5"), "{request:?}: {answer}");
        assert!(!answer.contains("access-control-allow-origin"), "{request:?}: {answer}");
    }
    let health = reqwest::get(format!("{}/_stackgen/health", cloud.endpoint)).await.expect("it answers");
    assert_eq!(health.status(), 200);
}

#[tokio::test]
async fn a_service_that_is_not_offered_is_named() {
    let cloud = TestCloud::start().await;
    let address = cloud.endpoint.trim_start_matches("http://");
    for (service, headers, form) in [
        ("sqs", "x-amz-target: AmazonSQS.ListQueues\r\n", "\"__type\":\"NotImplemented\""),
        ("sns", "content-type: application/x-www-form-urlencoded\r\n", "<Code>NotImplemented</Code>"),
        ("ec2", "content-type: application/x-www-form-urlencoded\r\n", "<Errors><Error><Code>NotImplemented</Code>"),
        ("batch", "", "\"Message\":"),
    ] {
        let scope = format!("AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request");
        let signature = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00");
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {address}\r\nauthorization: {signature}\r\nx-amz-date: 20150830T123600Z\r\n{headers}\
             content-length: 0\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(address, request.as_bytes()).await;
        let is_named = answer.contains(&format!("does not offer the service {service}"));
        assert!(answer.starts_with("HTTP/1.1 501") && answer.contains(form) && is_named, "{answer}");
    }
}

#[tokio::test]
async fn two_hosts_are_none() {
    let cloud = TestCloud::start().await;
    let address = cloud.endpoint.trim_start_matches("http://");
    let request = "GET /_stackgen/health HTTP/1.1\r\nhost: localhost\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
    let answer = raw(address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

async fn raw(address: &str, request: &[u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut connection = tokio::net::TcpStream::connect(address).await.expect("it listens");
    connection.write_all(request).await.expect("it reads");
    connection.shutdown().await.expect("it can be half closed");
    let mut answer = Vec::new();
    let _reset = connection.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn mail_and_stop_are_for_the_owner_alone() {
    let cloud = TestCloud::start().await;
    let client = reqwest::Client::new();
    let mail = client.get(format!("{}/_stackgen/mail", cloud.endpoint)).send().await.expect("it answers");
    assert_eq!(mail.status(), 403);
    let stop = client.post(format!("{}/_stackgen/stop", cloud.endpoint)).send().await.expect("it answers");
    assert_eq!(stop.status(), 403);
    assert!(!cloud.cloud.stopping().is_cancelled());
}
