//! Tokens with scopes, by OAuth: for a client that signs in as itself, and for a user through the pool's pages.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use stackgen::deploy::oauth::{Attempt, Error as OAuthError, Granted, Pages};
use stackgen::deploy::users::{Pool, PoolClient};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use url::{Host, Url};

use super::output::bold;
use super::pool::{Owner, Reached};
use super::target::write_private;
use super::token::{SOON, now};
use super::{Failure, Outcome, Session};

/// How long somebody may take to sign in with a browser.
const PATIENCE: Duration = Duration::from_mins(10);

/// What the browser shows at the end.
const DONE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Done</title>\
    <body style=\"font:1rem/1.5 system-ui,sans-serif;margin:3rem\"><p>stackgen has what it needs. You can close this page.</p>";

/// What the browser shows when it comes from elsewhere.
const FOREIGN: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Not this one</title>\
    <body style=\"font:1rem/1.5 system-ui,sans-serif;margin:3rem\"><p>This is not the sign-in that stackgen waits for.</p>";

/// Why nobody came back.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// The callback's port is taken.
    #[error("port {port}, to which the sign-in page comes back, cannot be opened")]
    #[diagnostic(
        code(stackgen::oauth::port),
        help("end the program that uses it, or add another callback URL to the client")
    )]
    Port { port: u16, source: std::io::Error },
    /// Nobody signed in.
    #[error("nobody signed in within ten minutes")]
    #[diagnostic(code(stackgen::oauth::time), help("repeat the command when you are ready"))]
    Late,
    /// Ctrl-C.
    #[error("interrupted")]
    #[diagnostic(code(stackgen::interrupted))]
    Interrupted,
}

/// What is granted, on disk, with what it belongs to.
#[derive(Serialize, Deserialize)]
struct Kept {
    pool: String,
    client: String,
    granted: Granted,
}

/// What is wanted, and how it may be had.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Scopes that the token must carry.
    pub(crate) scopes: &'a [String],
    /// File with the user's password.
    pub(crate) password_file: Option<&'a Path>,
    /// Whether a browser is opened, or its address only printed.
    pub(crate) opening: Opening,
}

/// What happens to the address of the sign-in page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It is opened and printed.
    Browser,
    /// It is printed.
    Printed,
}

/// A token of a client that signs in as itself.
pub(crate) async fn machine(pool: &Pool, client: &PoolClient, scopes: &[String]) -> Outcome<Granted> {
    check_flow(client, "client_credentials", "clientCredentials")?;
    Ok(Pages::of(pool).await?.as_itself(client, scopes).await?)
}

fn check_flow(client: &PoolClient, flow: &str, written: &'static str) -> Outcome {
    if client.oauth_flows.iter().any(|known| known == flow) {
        return Ok(());
    }
    Err(Failure::refused(OAuthError::NoFlow { client: client.name.clone(), flow: written }))
}

/// A token of a user: the one that is kept, a renewed one, or that of a new sign-in.
pub(crate) async fn person(
    session: &Session,
    reached: &Reached,
    (pool, client): (&Pool, &PoolClient),
    name: &str,
    wanted: Wanted<'_>,
) -> Outcome<Granted> {
    check_flow(client, "code", "code")?;
    let pages = Pages::of(pool).await?;
    let owner = Owner { reached, pool: &pool.id, name };
    let file = owner.granted_file();
    let fits = |granted: &Granted| wanted.scopes.iter().all(|scope| granted.carries(scope));
    let renewed = match kept(&file, pool, client).filter(fits) {
        Some(granted) if granted.expires > now() + SOON => return Ok(granted),
        Some(Granted { refresh: Some(refresh), .. }) => match pages.refresh(client, &refresh).await {
            Ok(granted) => Some(granted),
            Err(refused) => {
                session.screen.note(format_args!("the token that was kept is not renewed: {refused}"));
                None
            }
        },
        _ => None,
    };
    let granted = match renewed {
        Some(granted) => granted,
        None => signed_in(session, owner, (&pages, client), wanted).await?,
    };
    let kept = Kept { pool: pool.id.clone(), client: client.id.clone(), granted };
    write_private(&file, &serde_json::to_vec(&kept).expect("texts and numbers can be written as JSON"))?;
    Ok(kept.granted)
}

fn kept(file: &PathBuf, pool: &Pool, client: &PoolClient) -> Option<Granted> {
    let kept: Kept = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    (kept.pool == pool.id && kept.client == client.id).then_some(kept.granted)
}

/// A new sign-in. On the pages of the local cloud a password that is known does what a browser would.
async fn signed_in(
    session: &Session,
    owner: Owner<'_>,
    (pages, client): (&Pages, &PoolClient),
    wanted: Wanted<'_>,
) -> Outcome<Granted> {
    let is_local = owner.reached.account.is_local();
    let known = if is_local { owner.settled_password(wanted.password_file)? } else { None };
    let none = || Failure::refused(OAuthError::NoCallback { client: client.name.clone() });
    if let (Some(password), Some(callback)) = (known, client.callbacks.first()) {
        let attempt = pages.attempt(client, callback, wanted.scopes);
        let query = pages.sign_in(&attempt, owner.name, &password).await?;
        return Ok(pages.exchange(client, &attempt, &query).await?);
    }
    let (callback, port) = client.callbacks.iter().find_map(|url| Some((url, port(url)?))).ok_or_else(none)?;
    let attempt = pages.attempt(client, callback, wanted.scopes);
    let query = by_browser(session, &attempt, port, wanted.opening).await?;
    Ok(pages.exchange(client, &attempt, &query).await?)
}

/// The port of a callback URL on this machine.
fn port(url: &str) -> Option<u16> {
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "http" && url.query().is_none())?;
    let is_here = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(_) => false,
    };
    url.port_or_known_default().filter(|_| is_here)
}

/// Waits at the callback URL until the browser comes back; the query that it brings.
async fn by_browser(session: &Session, attempt: &Attempt, port: u16, opening: Opening) -> Outcome<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.map_err(|source| Failure::refused(Error::Port { port, source }))?;
    let path = Url::parse(&attempt.redirect_uri).map(|url| url.path().to_owned()).unwrap_or_else(|_| "/".to_owned());
    let (sender, mut answers) = mpsc::channel(1);
    let expected = attempt.clone();
    let answer = async move |RawQuery(query): RawQuery| {
        let query = query.unwrap_or_default();
        if !expected.is_answered_by(&query) {
            return (StatusCode::BAD_REQUEST, Html(FOREIGN));
        }
        // The first answer counts; later ones find no place.
        let _ = sender.try_send(query);
        (StatusCode::OK, Html(DONE))
    };
    let interrupts = session.interrupts();
    let server = axum::serve(listener, Router::new().route(&path, get(answer)));
    session.screen.note(format_args!("Sign in at\n  {}", bold(&attempt.url)));
    if opening == Opening::Browser {
        open(&attempt.url);
    }
    tokio::select! {
        query = answers.recv() => query.ok_or_else(|| Error::Late.into()),
        _ = server.into_future() => Err(Error::Late.into()),
        () = tokio::time::sleep(PATIENCE) => Err(Error::Late.into()),
        () = interrupts.token().cancelled() => Err(Error::Interrupted.into()),
    }
}

/// Opens an address in the browser, where there is one: it is printed too.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    let _ = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}

#[cfg(test)]
mod tests {
    use super::port;

    #[test]
    fn a_browser_comes_back_to_this_machine_only() {
        assert_eq!(port("http://localhost:8976/callback"), Some(8976));
        assert_eq!(port("http://127.0.0.1/cb"), Some(80));
        for url in ["https://localhost:1/cb", "http://app.example/cb", "myapp://cb", "http://localhost:1/cb?a=b", ""] {
            assert_eq!(port(url), None, "{url}");
        }
    }
}
