//! How the names of headers are spelled on the wire.
//!
//! Names are compared without regard to case, so `http` keeps them in lower case. Functions behind REST APIs see them as
//! the client wrote them all the same, and clients as functions did. hyper remembers the spelling for proxies only, in a
//! private extension: so a proxy it is, over a pipe within the process.

use std::collections::BTreeMap;
use std::future::Future;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{Extensions, HeaderMap, Request};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// More than any head that is taken.
const LARGEST: usize = 64 * 1024;

/// How the client spelled the names of its headers, by the name in lower case.
pub(crate) async fn of_request(parts: &Parts) -> BTreeMap<String, String> {
    let mut headers = parts.headers.clone();
    // These would make hyper wait for something that never comes.
    for name in [CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    let head = piped(headers, parts.extensions.clone(), async |mut pipe| read_head(&mut pipe).await).await;
    let head = String::from_utf8_lossy(&head.unwrap_or_default()).into_owned();
    let names = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned());
    names.map(|name| (name.to_ascii_lowercase(), name)).collect()
}

/// What makes hyper spell the names of an answer's headers like this, by the name in lower case.
pub(crate) async fn for_response(headers: &HeaderMap, names: &BTreeMap<String, String>) -> Extensions {
    let spelled = headers.iter().filter_map(|(name, _)| names.get(name.as_str()));
    let lines: String = spelled.map(|name| format!("{name}: x\r\n")).collect();
    if lines.is_empty() {
        return Extensions::new();
    }
    let head = format!("HTTP/1.1 204 No Content\r\n{lines}\r\n");
    let (client, mut server) = tokio::io::duplex(LARGEST);
    let Ok((mut sender, connection)) =
        http1::Builder::new().preserve_header_case(true).handshake(TokioIo::new(client)).await
    else {
        return Extensions::new();
    };
    let answering = async {
        read_head(&mut server).await;
        let _ = server.write_all(head.as_bytes()).await;
        std::future::pending::<()>().await;
    };
    let asking = sender.send_request(Request::new(Empty::<Bytes>::new()));
    tokio::select! {
        response = asking => response.map(|response| response.into_parts().0.extensions).unwrap_or_default(),
        _ = connection => Extensions::new(),
        () = answering => Extensions::new(),
    }
}

/// Lets hyper write a request into a pipe, and what comes out at its other end be read.
async fn piped<T, F>(headers: HeaderMap, extensions: Extensions, read: impl FnOnce(DuplexStream) -> F) -> Option<T>
where
    F: Future<Output = T>,
{
    let (client, server) = tokio::io::duplex(LARGEST);
    let client = http1::Builder::new().preserve_header_case(true).handshake(TokioIo::new(client)).await;
    let (mut sender, connection) = client.ok()?;
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.headers_mut() = headers;
    *request.extensions_mut() = extensions;
    let sending = async {
        let _ = sender.send_request(request).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        read = read(server) => Some(read),
        _ = connection => None,
        () = sending => None,
    }
}

async fn read_head(pipe: &mut DuplexStream) -> Vec<u8> {
    let mut head = Vec::new();
    while head.len() < LARGEST && !head.ends_with(b"\r\n\r\n") {
        match pipe.read_buf(&mut head).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    head
}
