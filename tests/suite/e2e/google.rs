//! Google in the federated stack: its client's secret, and somebody whom it vouches for, by the stand-in of the local cloud.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded;
use uuid::Uuid;

use super::{Stage, remains};
use crate::hosted::visitor::{Seen, Visitor};

/// Where the stack looks for the secret that Google has given.
const SECRET: &str = "federated/google";
/// The option that lets people sign in with Google.
pub(super) const CLIENT: [&str; 2] = ["--parameter", "GoogleClientId=ours.apps.googleusercontent.com"];
/// What the secret holds.
pub(super) const CLIENT_SECRET: &str = "what-only-google-and-the-pool-know";
/// Where people come back to after they signed in.
const CALLBACK: &str = "http://localhost:3000/callback";
/// What only the page knows that asked for the code.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Makes the secret, as its owner does before Google is asked for.
pub(super) async fn keep_secret(stage: &Stage) {
    let asked = json!({
        "Name": SECRET, "SecretString": json!({ "clientSecret": CLIENT_SECRET }).to_string(),
        "ClientRequestToken": Uuid::new_v4().to_string(),
    });
    remains::json(&stage.config, "secretsmanager", "secretsmanager.CreateSecret", &asked).await;
}

/// Removes it, which is its owner's to do.
pub(super) async fn remove_secret(stage: &Stage) {
    let asked = json!({ "SecretId": SECRET, "ForceDeleteWithoutRecovery": true });
    remains::json(&stage.config, "secretsmanager", "secretsmanager.DeleteSecret", &asked).await;
}

/// The access token of a person whom Google calls by this number.
pub(super) async fn access_token(stage: &Stage, number: &str) -> String {
    let outputs = stage.project.done(&["outputs", stage.project.stack()])[stage.project.stack()].clone();
    let output = |name: &str| outputs[name].as_str().expect("it is put out").to_owned();
    let endpoint = stage.config.endpoint_url().expect("the configuration is whole");
    let pages = format!("{endpoint}/_aws/cognito-domain/{}", output("signInDomain"));
    let client = output("userPoolClientId");
    let back = vouched(&format!("{pages}/oauth2/authorize?{}", question(&client)), number).await;
    let code = back.brings("code").unwrap_or_else(|| panic!("{:?}\n{}", back.location(), back.html));
    exchanged(&pages, &client, &code).await["access_token"].as_str().expect("there is one").to_owned()
}

/// What a page asks for when it sends somebody to Google.
fn question(client: &str) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let pairs = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email profile"),
        ("identity_provider", "Google"),
        ("code_challenge_method", "S256"),
        ("code_challenge", &challenge),
    ];
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What leads back to the application.
async fn vouched(address: &str, number: &str) -> Seen {
    let mut visitor = Visitor::new();
    let page = visitor.follow(address).await;
    assert!(page.html.contains("This page stands for Google."), "{}", page.html);
    let claims = [("claim.sub", number), ("claim.email", "gina@example.com"), ("claim.name", "Gina")];
    let back = visitor.submit(&page, &claims).await;
    let location = back.location().unwrap_or_else(|| panic!("{}", back.html));
    visitor.follow(&location).await
}

async fn exchanged(pages: &str, client: &str, code: &str) -> Value {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = reqwest::Client::new().post(format!("{pages}/oauth2/token")).body(body);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.send().await.expect("the cloud answers").json().await.expect("the answer is JSON")
}
