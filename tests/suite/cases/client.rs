//! A client that sends what it is given, odd paths included.

use std::io::Read as _;

use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Status code.
    pub(crate) status: u64,
    /// Headers in the order of their arrival, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Their names as they were written.
    pub(crate) names: Vec<String>,
    /// The body, without its framing.
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// An answer with nothing but a status.
    pub(crate) fn empty(status: u64) -> Self {
        Self { status, headers: Vec::new(), names: Vec::new(), body: Vec::new() }
    }

    /// The body as text, unpacked where it came compressed.
    pub(crate) fn text(&self) -> String {
        let mut unpacked = String::new();
        let coding = self.header("content-encoding", false);
        let read = match coding.as_ref().and_then(Value::as_str) {
            Some("gzip") => GzDecoder::new(&*self.body).read_to_string(&mut unpacked),
            Some("deflate") => ZlibDecoder::new(&*self.body).read_to_string(&mut unpacked),
            _ => return String::from_utf8_lossy(&self.body).into_owned(),
        };
        read.expect("the body is of the coding that it claims");
        unpacked
    }

    /// A header as cases see it: a text, or a list of them where `listed` and it is repeated.
    pub(crate) fn header(&self, name: &str, listed: bool) -> Option<Value> {
        let name = name.to_ascii_lowercase();
        let values: Vec<&str> =
            self.headers.iter().filter(|(own, _)| *own == name).map(|(_, value)| value.as_str()).collect();
        match values.is_empty() {
            true => None,
            false if listed => Some(values.into()),
            false => Some(values.join(", ").into()),
        }
    }
}

/// What is sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    /// Method.
    pub(crate) method: String,
    /// Path and query, as they go over the wire.
    pub(crate) target: String,
    /// Headers beside `Host`, `Connection` and `Content-Length`.
    pub(crate) headers: Vec<(String, String)>,
    /// Body.
    pub(crate) body: Vec<u8>,
}

/// Sends a request to `address` (`127.0.0.1:4599`) under a host name, over a connection of its own.
pub(crate) async fn send(address: &str, host: &str, sent: &Sent) -> Received {
    let mut connection = TcpStream::connect(address).await.expect("the cloud listens");
    let mut head = format!("{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", sent.method, sent.target);
    for (name, value) in &sent.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !sent.body.is_empty() || sent.method == "POST" {
        head.push_str(&format!("Content-Length: {}\r\n", sent.body.len()));
    }
    head.push_str("\r\n");
    connection.write_all(head.as_bytes()).await.expect("the head can be sent");
    // A server may answer before it has read all of a body that is too large for it, and close.
    let _ = connection.write_all(&sent.body).await;
    let mut received = Vec::new();
    let _ = connection.read_to_end(&mut received).await;
    read(&received)
}

fn read(bytes: &[u8]) -> Received {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("the answer has a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let lines: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let names = lines.iter().map(|(name, _)| (*name).to_owned()).collect();
    let headers: Vec<(String, String)> =
        lines.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let body = &bytes[end + 4..];
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { joined(body) } else { body.to_vec() };
    Received { status: status.expect("the answer has a status"), headers, names, body }
}

fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|window| window == b"\r\n") {
        let length = std::str::from_utf8(&chunks[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let length = length.expect("a chunk has a length");
        body.extend_from_slice(&chunks[end + 2..end + 2 + length]);
        chunks = &chunks[end + 4 + length..];
        if length == 0 {
            break;
        }
    }
    body
}
