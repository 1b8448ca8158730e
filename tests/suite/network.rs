//! Nobody there, the wrong one there, or half an answer: one sentence, the next step, and soon.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use crate::deploy::{Project, Told, USERS};
use crate::tools;

/// How long a command may take until it knows that nobody answers.
const SOON: Duration = Duration::from_secs(25);

/// Something that listens and is no AWS: it gives each request the same bytes, or none at all.
pub(crate) fn stranger(answer: impl Into<Vec<u8>>) -> String {
    let answer: Arc<[u8]> = answer.into().into();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = listener.local_addr().expect("it is bound").port();
    spawn(move || {
        for connection in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            spawn(move || speak(connection, &answer));
        }
    });
    format!("http://127.0.0.1:{port}")
}

fn speak(mut connection: TcpStream, answer: &[u8]) {
    let mut request = [0; 16_384];
    let _read = connection.read(&mut request);
    if answer.is_empty() {
        sleep(Duration::from_secs(120));
    }
    let _written = connection.write_all(answer);
}

const KEYS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "secret-of-nobody"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// What a deployment to an endpoint says. It ends soon, with exit code 1, and never shows the secret.
#[track_caller]
fn told(endpoint: &str, environment: &[(&str, &str)]) -> Told {
    let project = Project::with(USERS);
    let begin = Instant::now();
    let all: Vec<(&str, &str)> = KEYS.iter().chain(environment).copied().collect();
    let told = project.run_with(&format!("deploy --yes --endpoint-url {endpoint}"), &all);
    told.ended(1);
    assert!(begin.elapsed() < SOON, "{endpoint}: {:?}\n{}", begin.elapsed(), told.stderr);
    assert!(!told.stderr.contains("secret-of-nobody"), "{}", told.stderr);
    assert!(told.stderr.lines().count() < 8, "that is more than a sentence and a help:\n{}", told.stderr);
    told
}

#[test]
fn nobody_listens() {
    let told = told("http://127.0.0.1:1", &[]);
    told.says("`http://127.0.0.1:1` cannot be reached").says("Connection refused").says("--endpoint-url");
}

#[test]
fn a_host_that_nobody_knows() {
    let told = told("https://nobody.invalid", &[]);
    told.says("`https://nobody.invalid` cannot be reached").says("--endpoint-url");
}

#[test]
fn without_any_network() {
    let project = Project::with(USERS);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", env!("CARGO_BIN_EXE_stackgen"), "deploy", "--yes"]);
    project.settle(&mut command);
    let begin = Instant::now();
    let output = command.envs(KEYS).output().expect("the tests need `unshare` of util-linux");
    let told = Told::of(&output);
    assert!(!told.stderr.contains("unshare:"), "no namespace can be made here: {}", told.stderr);
    told.ended(1).says("`amazonaws.com in us-east-1` cannot be reached").says("--local");
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
}

#[test]
fn a_proxy_that_refuses() {
    let told = told("https://aws.example.com", &[("HTTPS_PROXY", "http://127.0.0.1:1")]);
    told.says("cannot be reached").says("`HTTPS_PROXY` sends it through a proxy");
}

#[test]
fn no_proxy_stands_between_us_and_the_local_cloud() {
    let project = Project::with(USERS);
    let proxies = [("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")];
    project.run_with("deploy --local", &proxies).ended(0);
}

/// An API behind a pool that has OAuth endpoints.
const GUARDED: &str = "\
userPools:
  Users:
    usernameAttributes: [email]
    autoVerifiedAttributes: [email]
    removal: destroy
    domain: { prefix: notes-pages }
    resourceServers: { orders: { scopes: { read: read orders } } }
userPoolClients:
  Web: { userPool: Users, authFlows: [userSrp, adminUserPassword] }
  Machine:
    userPool: Users
    generateSecret: true
    allowedOAuthFlows: [clientCredentials]
    allowedOAuthScopes: [orders/read]
functions:
  Echo: { directory: echo }
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /mine: { function: Echo, authorizer: Members }
";

#[test]
fn neither_tokens_nor_calls_for_the_local_cloud_go_through_a_proxy() {
    let project = Project::with(GUARDED);
    project.put_program("echo", include_str!("support/bootstrap.py"));
    project.run("deploy --local").ended(0);
    project.run("user create alice@example.com").ended(0);
    let proxies = [("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")];
    for command in
        ["token --client Machine --scope orders/read", "call GET /mine --as alice@example.com --client Web", "verify"]
    {
        project.run_with(command, &proxies).ended(0);
    }
}

#[test]
fn a_certificate_that_nobody_trusts() {
    let server = Tls::start();
    let told = told(&format!("https://127.0.0.1:{}", server.port), &[]);
    told.says("the certificate of").says("is not trusted here").says("SSL_CERT_FILE");
}

#[test]
fn no_address_at_all() {
    told("localhost:4566", &[]).says("`localhost:4566` is no address").says("http://HOST:PORT");
}

#[test]
fn garbage() {
    let told = told(&stranger(b"\x00\x01garbage\r\n\r\n"), &[]);
    told.says("http://127.0.0.1:").says("--endpoint-url");
}

#[test]
fn a_page_for_people() {
    let page = stranger(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 19\r\n\r\n<html>Log in</html>");
    told(&page, &[]).says("does not answer `sts:GetCallerIdentity` as AWS does").says("text/html");
}

#[test]
fn the_error_page_of_a_gateway() {
    let page = stranger(
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 17\r\n\r\n<html>Bad</html>\n",
    );
    told(&page, &[]).says("does not answer").says("status 502");
}

#[test]
fn half_an_answer() {
    let half = stranger(b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 1000\r\n\r\n<GetCallerIdentity");
    told(&half, &[]).says("http://127.0.0.1:");
}

#[test]
fn no_answer_at_all() {
    told(&stranger(b""), &[]).says("cannot be reached").says("timeout");
}

/// A server with a certificate that it has signed itself.
struct Tls {
    process: Child,
    port: u16,
    /// Open, so that the server can finish its line.
    _said: ChildStdout,
}

impl Tls {
    fn start() -> Self {
        let port = tools::free_port();
        let script = "
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2])
server = socket.create_server(('127.0.0.1', int(sys.argv[1])))
print('listens', flush=True)
while True:
    connection, _ = server.accept()
    try:
        context.wrap_socket(connection, server_side=True).close()
    except (ssl.SSLError, OSError):
        pass
";
        let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/self_signed.pem");
        let mut process = Command::new("python3")
            .args(["-c", script, &port.to_string(), certificate])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tests need Python 3");
        let mut said = process.stdout.take().expect("it is piped");
        said.read_exact(&mut [0; 8]).expect("it says when it listens");
        Self { process, port, _said: said }
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}
