//! The bucket through which code goes.

use std::fs;
use std::sync::Mutex;

use stackgen::deploy::aws::{Account, Keys, Target};
use stackgen::deploy::store::{Store, Uploads};
use stackgen::deploy::{Asset, Progress};

use crate::support::TestCloud;

/// Publishes what is missing, and returns how many were, with the names of those that were uploaded.
async fn published(store: &Store, account: &Account, assets: &[Asset]) -> (usize, Vec<String>) {
    let uploaded = Mutex::new(Vec::new());
    let note = |progress: Progress| {
        if let Progress::Uploaded { name } = progress {
            uploaded.lock().expect("nobody panics here").push(name);
        }
    };
    let missing = store.publish(account, (assets, Uploads::Missing), &note).await.expect("the bucket takes it");
    let mut uploaded = uploaded.into_inner().expect("nobody panics here");
    uploaded.sort();
    (missing, uploaded)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bucket_holds_is_not_uploaded_again() {
    let cloud = TestCloud::start().await;
    let keys = Keys { access_key_id: cloud.key.id.clone(), secret_access_key: cloud.key.secret.to_string() };
    let (region, endpoint_url) = (Some("us-east-1".to_owned()), Some(cloud.endpoint.clone()));
    let target = Target { profile: None, region, endpoint_url, keys: Some(keys) };
    let account = Account::connect(&target).await.expect("it is there");
    let s3 = aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::config::Builder::from(&cloud.config()).force_path_style(true).build(),
    );
    s3.create_bucket().bucket("code").send().await.expect("it is new");
    let store = Store::own("code");

    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let asset = |name: &str, key: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("the folder is ours");
        Asset { path, key: key.to_owned(), name: name.to_owned() }
    };
    let first = [asset("One", "1.zip", "one"), asset("Two", "2.zip", "two")];
    assert_eq!(published(&store, &account, &first).await, (2, vec!["One".to_owned(), "Two".to_owned()]));
    assert_eq!(published(&store, &account, &first).await, (0, Vec::new()));
    let all = store.publish(&account, (&first, Uploads::All), &|_| ()).await;
    assert_eq!(all.expect("the bucket takes it"), 2, "a new stack relies on nothing that is there");

    // The key says what is in it: what lies there under it already is not even read here.
    let [one, _] = first;
    fs::remove_file(&one.path).expect("it is ours");
    let next = [one, asset("Two", "3.zip", "three")];
    assert_eq!(published(&store, &account, &next).await, (1, vec!["Two".to_owned()]));
    let kept = s3.get_object().bucket("code").key("1.zip").send().await.expect("it is there");
    assert_eq!(kept.body.collect().await.expect("it is whole").to_vec(), b"one");
}
