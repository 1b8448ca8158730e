//! Connections: taken, served, and ended with the cloud.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a server that cannot take connections waits for others to close.
const PAUSE: Duration = Duration::from_millis(20);

/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(30);

/// How many headers a request may have. API Gateway counts their bytes, 10,240, in which as many small ones have room.
const HEADERS: usize = 2048;

/// Serves every connection until `stop` is cancelled, then waits for the requests under way.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(stream, router.clone(), stop.clone(), HEAD))),
                // Out of file descriptors, for example: others may be closed meanwhile.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
            () = stop.cancelled() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// HTTP/1.1 only: nothing that talks to this cloud asks for HTTP/2, whose connections would be open without a limit.
async fn converse(stream: TcpStream, router: Router, stop: CancellationToken, head: Duration) {
    // Answers are small and awaited: Nagle's algorithm would hold them back.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let mut server = http1::Builder::new();
    // Functions behind REST APIs see the names of headers as the client spelled them.
    // Without a timer hyper waits for a head for ever.
    server.preserve_header_case(true).timer(TokioTimer::new()).header_read_timeout(head).max_headers(HEADERS);
    let service = TowerToHyperService::new(router);
    let connection = server.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What a server that waits no longer than a moment for heads answers to these bytes, until it ends the connection.
    async fn answered(sent: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        let router = Router::new().fallback(|| async { "hello" });
        let head = Duration::from_millis(50);
        tokio::spawn(converse(server.expect("it is taken").0, router, CancellationToken::new(), head));
        let mut client = client.expect("it connects");
        client.write_all(sent).await.expect("it is sent");
        let mut answer = Vec::new();
        let patience = Duration::from_secs(60);
        let ended = tokio::time::timeout(patience, client.read_to_end(&mut answer)).await.expect("it ends");
        ended.expect("it is read");
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_or_not_enough_is_not_waited_for() {
        for sent in [&b""[..], b"P", b"GET / HTTP/1.1\r\nhost: localhost\r\n"] {
            assert_eq!(answered(sent).await, "", "{sent:?}");
        }
        let whole = answered(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        assert!(whole.starts_with("HTTP/1.1 200") && whole.ends_with("hello"), "{whole}");
    }

    #[tokio::test]
    async fn many_small_headers_are_taken() {
        let headers: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
        let sent = format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
        let answer = answered(sent.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[tokio::test]
    async fn http_2_is_not_spoken() {
        let frames = answered(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await;
        assert!(!frames.starts_with('\0'), "{frames:?}");
    }
}
