//! The pages and endpoints in the hands of others: Python's OAuth libraries, and a real browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::project::{Project, STACK, told};
use crate::tools::{self, run};

/// What visits the pages: libraries of OAuth, and a driver of browsers.
const VISITORS: [&str; 4] = ["authlib==1.6.5", "playwright==1.56.0", "requests-oauthlib==2.0.0", "requests==2.32.5"];

/// A project whose pool has pages, an application for people and one for a machine.
pub(super) fn project(callback: &str, origin: &str) -> Project {
    let project = Project::local();
    project.edit("    removal: destroy\n", "    removal: destroy\n    domain: { prefix: notes-pages }\n    resourceServers: { orders: { scopes: { read: read orders } } }\n");
    let clients = format!(
        "    identityProviders: [COGNITO]\n    clientName: Notes\n    allowedOAuthFlows: [code]\n    allowedOAuthScopes: [openid, email, orders/read]\n    \
         callbackUrls: [\"{callback}\"]\n    logoutUrls: [\"{callback}\"]\n  Machine:\n    userPool: Users\n    generateSecret: true\n    \
         allowedOAuthFlows: [clientCredentials]\n    allowedOAuthScopes: [orders/read]\n"
    );
    project.edit("    identityProviders: [COGNITO]\n", &clients);
    let cors = format!(
        "    name: my-api\n    cors: {{ allowOrigins: [\"{origin}\"], allowMethods: [GET], allowHeaders: [authorization] }}\n"
    );
    project.edit("    name: my-api\n", &cors);
    project.edit(
        "  userPoolClientId: { ref: Web }\n",
        "  userPoolClientId: { ref: Web }\n  machineId: { ref: Machine }\n",
    );
    project
}

fn outputs(project: &Project) -> Value {
    project.done(&["outputs", STACK])
}

fn find<'a>(document: &'a Value, name: &str) -> &'a str {
    fn within<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
        match value {
            Value::Object(members) => {
                members.get(name).and_then(Value::as_str).or_else(|| members.values().find_map(|v| within(v, name)))
            }
            Value::Array(items) => items.iter().find_map(|item| within(item, name)),
            _ => None,
        }
    }
    within(document, name).unwrap_or_else(|| panic!("no {name} in {document}"))
}

/// The address of the local cloud.
fn endpoint(project: &Project) -> String {
    let environment = project.local_environment();
    let found = environment.into_iter().find(|(name, _)| name == "AWS_ENDPOINT_URL");
    found.expect("the cloud runs").1
}

#[test]
fn stackgen_asks_for_scopes_by_oauth() {
    let callback = format!("http://localhost:{}/callback", tools::free_port());
    let project = project(&callback, "http://localhost:1");
    project.deploy();
    let token = project.done(&["token", "--client", "Machine", "--scope", "orders/read"]);
    assert_eq!((scope(&token).as_str(), &token["client"]), ("orders/read", &Value::from("Machine")));
    project.done(&["user", "create", "alice@example.com"]);
    let ask = ["token", "alice@example.com", "--client", "Web", "--scope", "orders/read"];
    let token = project.done(&ask);
    assert_eq!(scope(&token), "orders/read");
    assert_eq!(project.done(&ask)["token"], token["token"], "it is kept");
    let refused = told(
        &project
            .command(&["token", "alice@example.com", "--client", "Web", "--scope", "orders/write"])
            .output()
            .expect("it runs"),
    );
    assert_eq!(refused.code, Some(1), "{}", refused.said);
    assert!(refused.answer.to_string().contains("invalid_scope"), "{}", refused.answer);
    let nobody =
        told(&project.command(&["token", "--client", "Web", "--scope", "orders/read"]).output().expect("it runs"));
    assert_eq!(nobody.code, Some(2), "{}", nobody.said);
    let by_browser =
        project.command(&["token", "bob@example.com", "--client", "Web", "--scope", "orders/read", "--no-browser"]);
    the_browser_brings_a_code(&project, by_browser);
    project.destroy();
}

fn scope(token: &Value) -> String {
    use base64::Engine as _;
    let payload = token["token"].as_str().and_then(|token| token.split('.').nth(1)).expect("a token");
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("claims");
    claims["scope"].as_str().expect("it has scopes").to_owned()
}

/// Somebody whose password nobody knows signs in where the command says, in a browser of our own.
fn the_browser_brings_a_code(project: &Project, mut command: Command) {
    use std::io::{BufRead, BufReader};
    let secret = project.path().join("password");
    fs::write(&secret, "secret-of-bob\n").expect("the folder is writable");
    let file = secret.to_str().expect("temporary folders have plain names");
    project.done(&["user", "create", "bob@example.com", "--password-file", file]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let lines = BufReader::new(child.stderr.take().expect("it is ours")).lines().map_while(Result::ok);
    let address =
        lines.map(|line| line.trim().to_owned()).find(|line| line.starts_with("http")).expect("it says where");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut visitor = super::visitor::Visitor::new();
        let page = visitor.follow(&address).await;
        let back = visitor.submit(&page, &[("username", "bob@example.com"), ("password", "secret-of-bob")]).await;
        let back = back.location().unwrap_or_else(|| panic!("{}", back.html)).replace("localhost", "127.0.0.1");
        let callback = back.split('?').next().expect("an address");
        let forged = reqwest::get(format!("{callback}?code=forged&state=guessed")).await.expect("the command listens");
        assert_eq!(forged.status(), 400, "another page's answer is not taken");
        let done = reqwest::get(back).await.expect("the command listens");
        assert_eq!(done.status(), 200);
    });
    let output = child.wait_with_output().expect("it ends");
    let token: Value = serde_json::from_slice(&output.stdout).expect("it answers with JSON");
    assert_eq!(scope(&token), "orders/read");
}

/// `authlib` and `requests-oauthlib` as an application uses them.
const OAUTH: &str = r#"
import json, os, re, html, sys, urllib.parse
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt
from requests_oauthlib import OAuth2Session as Other
from oauthlib.oauth2 import BackendApplicationClient

endpoint, pool, client, machine, secret, callback, email, password = sys.argv[1:]
meta = requests.get(f"{endpoint}/{pool}/.well-known/openid-configuration").json()

def sign_in(url):
    browser = requests.Session()
    page = browser.get(url)
    form = html.unescape(re.search(r'<form method="post" action="([^"]*)"', page.text).group(1))
    csrf = re.search(r'name="_csrf" value="([^"]*)"', page.text).group(1)
    fields = {"_csrf": csrf, "username": email, "password": password}
    back = browser.post(urllib.parse.urljoin(page.url, form), data=fields, allow_redirects=False)
    assert back.status_code == 302, back.text
    return back.headers["location"]

verifier = "v" * 64
session = OAuth2Session(client, scope="openid email orders/read", redirect_uri=callback, code_challenge_method="S256",
                        token_endpoint_auth_method="none")
url, state = session.create_authorization_url(meta["authorization_endpoint"], code_verifier=verifier, nonce="n1")
token = session.fetch_token(meta["token_endpoint"], authorization_response=sign_in(url), code_verifier=verifier, state=state)
keys = JsonWebKey.import_key_set(requests.get(meta["jwks_uri"]).json())
claims = jwt.decode(token["id_token"], keys)
claims.validate()
assert claims["nonce"] == "n1" and claims["email"] == email and claims["aud"] == client, claims
assert session.get(meta["userinfo_endpoint"]).json()["email"] == email
fresh = session.refresh_token(meta["token_endpoint"], refresh_token=token["refresh_token"])
assert fresh["access_token"] != token["access_token"]
assert session.revoke_token(meta["revocation_endpoint"], token=token["refresh_token"]).status_code == 200

other = Other(client=BackendApplicationClient(client_id=machine), scope=["orders/read"])
token = other.fetch_token(meta["token_endpoint"], client_id=machine, client_secret=secret)
claims = jwt.decode(token["access_token"], keys)
assert claims["scope"] == "orders/read" and claims["sub"] == machine, claims
print("signed in")
"#;

#[test]
fn pythons_oauth_libraries_sign_in() {
    let callback = "http://localhost:8976/callback";
    let project = project(callback, "http://localhost:1");
    project.deploy();
    let secret = project.path().join("password");
    fs::write(&secret, "Python-secret1\n").expect("the folder is writable");
    let file = secret.to_str().expect("temporary folders have plain names");
    project.done(&["user", "create", "alice@example.com", "--password-file", file]);
    let outputs = outputs(&project);
    let (pool, machine) = (find(&outputs, "userPoolId"), find(&outputs, "machineId"));
    let python = tools::python(&VISITORS);
    let arguments = [
        &endpoint(&project),
        pool,
        find(&outputs, "userPoolClientId"),
        machine,
        &secret_of(&project, pool, machine),
        callback,
    ];
    let mut command = python.program("python");
    command.args(["-c", OAUTH]).args(arguments).args(["alice@example.com", "Python-secret1"]);
    assert_eq!(run(command.env("NO_PROXY", "*")).trim(), "signed in");
    project.destroy();
}

/// The secret of a client, which the account's owner may ask for.
fn secret_of(project: &Project, pool: &str, client: &str) -> String {
    let config = project.local_config();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let described = runtime.block_on(async {
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(&config);
        cognito.describe_user_pool_client().user_pool_id(pool).client_id(client).send().await
    });
    let described = described.expect("it is described");
    let secret = described.user_pool_client().and_then(|client| client.client_secret());
    secret.expect("it has a secret").to_owned()
}

/// A single-page application on an origin of its own, and somebody who uses it in Chromium.
const CHROMIUM: &str = include_str!("browser.py");

/// Unpacks the browser that the npm package carries.
const UNPACK: &str = r#"
const fs = require('fs'), zlib = require('zlib'), [from, to] = process.argv.slice(1);
fs.writeFileSync(`${to}/chromium`, zlib.brotliDecompressSync(fs.readFileSync(`${from}/chromium.br`)), { mode: 0o755 });
fs.writeFileSync(`${to}/libraries.tar`, zlib.brotliDecompressSync(fs.readFileSync(`${from}/al2023.tar.br`)));
"#;

/// A headless Chromium from npm, with the libraries that it needs.
fn chromium() -> PathBuf {
    let npm = tools::npm(&["@sparticuz/chromium@147.0.0"]);
    npm.once("unpacked", |package, folder| {
        let from = package.join("@sparticuz/chromium/bin");
        run(Command::new("node").args(["-e", UNPACK]).arg(from).arg(folder));
        run(Command::new("tar").arg("-xf").arg(folder.join("libraries.tar")).arg("-C").arg(folder));
    })
}

#[test]
fn a_browser_signs_up_in_and_out_and_calls_the_api_from_another_origin() {
    let port = tools::free_port();
    let (origin, callback) = (format!("http://localhost:{port}"), format!("http://localhost:{port}/callback"));
    let project = project(&callback, &origin);
    project.deploy();
    let outputs = outputs(&project);
    let chromium = chromium();
    let python = tools::python(&VISITORS);
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hosted-pages");
    fs::create_dir_all(&shots).expect("the target folder is writable");
    let base = format!("{}/_aws/cognito-domain/notes-pages", endpoint(&project));
    let mail = project.command(&["local", "mail"]);
    let mail: Vec<&str> = std::iter::once(mail.get_program())
        .chain(mail.get_args())
        .map(|word| word.to_str().expect("plain words"))
        .collect();
    let mut command = python.program("python");
    command.args(["-c", CHROMIUM, &base, find(&outputs, "userPoolClientId"), &origin, find(&outputs, "apiUrl")]);
    assert_eq!(run(command.arg(&shots).arg(chromium).args(mail)).trim(), "signed out");
    project.destroy();
}
