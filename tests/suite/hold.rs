//! A wire between a command and its cloud that holds back requests, to see what a command does in the meantime.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A port that leads to another one, until a request comes that holds a certain text.
pub(crate) struct Hold {
    port: u16,
    gate: Arc<Gate>,
}

/// What becomes of a request that is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Waits,
    Ends,
}

struct Gate {
    text: String,
    then: Then,
    /// How many of the requests with the text go through before one is held back.
    first: AtomicUsize,
    target: String,
    holds: AtomicBool,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Hold {
    /// A wire to `endpoint` that holds back the requests with `text` in them.
    pub(crate) fn before(endpoint: &str, text: &str) -> Self {
        Self::after(0, endpoint, text)
    }

    /// The same once so many of these requests went through.
    pub(crate) fn after(first: usize, endpoint: &str, text: &str) -> Self {
        Self::then(Then::Waits, first, endpoint, text)
    }

    /// A wire to `endpoint` that ends the connections on which requests with `text` come.
    pub(crate) fn without(endpoint: &str, text: &str) -> Self {
        Self::then(Then::Ends, 0, endpoint, text)
    }

    fn then(then: Then, first: usize, endpoint: &str, text: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let gate = Arc::new(Gate {
            text: text.to_owned(),
            then,
            first: AtomicUsize::new(first),
            target: endpoint.trim_start_matches("http://").to_owned(),
            holds: AtomicBool::new(false),
            open: Mutex::new(false),
            opened: Condvar::new(),
        });
        let behind = Arc::clone(&gate);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let gate = Arc::clone(&behind);
                thread::spawn(move || gate.connect(client));
            }
        });
        Self { port, gate }
    }

    /// Its URL.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until a request is held back.
    ///
    /// # Panics
    /// When none comes for a minute.
    pub(crate) fn wait(&self) {
        let begin = Instant::now();
        while !self.gate.holds.load(Ordering::SeqCst) {
            assert!(begin.elapsed() < Duration::from_secs(60), "no request has `{}` in it", self.gate.text);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets everything through.
    pub(crate) fn release(&self) {
        *self.gate.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.gate.opened.notify_all();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}

impl Gate {
    fn connect(&self, client: TcpStream) {
        let Ok(server) = TcpStream::connect(&self.target) else { return };
        let both = client.try_clone().and_then(|client| Ok((client, server.try_clone()?)));
        let Ok((back, from)) = both else { return };
        thread::spawn(move || pass(from, back, |_| ControlFlow::Continue(())));
        pass(client, server, |chunk| self.look(chunk));
    }

    fn look(&self, chunk: &[u8]) -> ControlFlow<()> {
        let one_less = |left: usize| left.checked_sub(1);
        let is_meant = String::from_utf8_lossy(chunk).contains(&self.text);
        if !is_meant || self.first.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return ControlFlow::Continue(());
        }
        if self.then == Then::Ends {
            return ControlFlow::Break(());
        }
        self.holds.store(true, Ordering::SeqCst);
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let _open = self.opened.wait_while(open, |open| !*open).unwrap_or_else(PoisonError::into_inner);
        ControlFlow::Continue(())
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, look: impl Fn(&[u8]) -> ControlFlow<()>) {
    let mut buffer = [0; 16_384];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 || look(&buffer[..length]).is_break() || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(Shutdown::Write);
}
