//! `stackgen call`: a request to a deployed API.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use miette::Diagnostic;
use serde_json::{Map, Value, json};
use stackgen::access::probe::SELF_SERVICE;
use stackgen::access::probe::answer::{is_plain, plain};
use stackgen::deploy::api::{self, Answer, Api, Asks, Call, Route};
use stackgen::deploy::oauth::carries;
use stackgen::deploy::tokens::{Kind, Wanted as WantedToken};
use stackgen::deploy::users::{Pool, PoolClient};
use thiserror::Error;

use super::oauth::{self, Opening, Wanted};
use super::output::{bold, dim, green, listed, red};
use super::pool::{Reached, Which};
use super::target::{check_shared, write_shared};
use super::token::{SignIn, mint, pick, signed_in};
use super::{Failure, Outcome, Session, block_on};

/// Arguments of `stackgen call`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Method, such as GET.
    method: String,
    /// Path from the API's root, with its query: `/notes?limit=2`.
    path: String,
    /// User whose token is sent, in the header that the route's authorizer looks at. It is the ID token, unless the route
    /// asks for scopes: then it is an access token with one of them, got through the pool's OAuth endpoints.
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
    /// Sends the access token of the user in any case.
    #[arg(long, requires = "user")]
    access: bool,
    /// File with a token to send instead of a user's.
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    token_file: Option<PathBuf>,
    /// Body; `@FILE` sends a file, and `@-` what comes on standard input.
    #[arg(long, short, value_name = "BODY")]
    data: Option<String>,
    /// A header, `Name: value`.
    #[arg(long = "header", short = 'H', value_name = "HEADER", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Prints the address of the sign-in page, where one is needed, and opens no browser.
    #[arg(long, requires = "user")]
    no_browser: bool,
    /// Shows the headers of the answer.
    #[arg(long, short)]
    include: bool,
    /// Writes the body of the answer to a file, byte for byte, and shows the rest.
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// Id of the API in the stack file; found by the route when absent.
    #[arg(long, value_name = "ID")]
    api: Option<String>,
    /// Stage of the API; its `$default` one or the only one when absent.
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,
    #[command(flatten)]
    sign_in: SignIn,
    #[command(flatten)]
    which: Which,
}

/// Why a call could not be made.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// A file cannot be read.
    #[error("`{}` cannot be read", path.display())]
    #[diagnostic(code(stackgen::call::file), help("check that the file exists and that you may read it"))]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// The path is none.
    #[error("`{path}` is no path of an API")]
    #[diagnostic(code(stackgen::call::path), help("a path begins with a slash, such as `/protected`"))]
    Path { path: String },
    /// Whoever signs in gets none of the scopes.
    #[error("`{route}` asks for one of the scopes {scopes}, which no client that it knows can get for `{user}`")]
    #[diagnostic(
        code(stackgen::call::scopes),
        help(
            "name one in the `allowedOAuthScopes` of a client with the OAuth flow `code`, and deploy again; a token that a \
             client gets as itself (`stackgen token --client ID`) can be sent with `--token-file`"
        )
    )]
    NoScope { route: String, scopes: String, user: String },
}

/// A scope that a client is to get for a user.
struct Asked<'a> {
    pool: &'a Pool,
    client: &'a PoolClient,
    user: &'a str,
    scope: &'a String,
}

/// Whether the token of any sign-in with a password will do.
fn asks_for_self_service(route: &Route) -> bool {
    route.scopes.iter().any(|scope| scope == SELF_SERVICE)
}

/// `Name: value` in two.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl Arguments {
    /// Calls, and prints the answer.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        if !self.path.starts_with('/') {
            return Err(Failure::refused(Error::Path { path: self.path.clone() }));
        }
        let mut call = Call {
            method: self.method.to_uppercase(),
            path: self.path.clone(),
            headers: self.headers.clone(),
            body: self.body()?,
        };
        if let Some(body) = &call.body
            && !call.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            call.headers.push(("content-type".to_owned(), form(body).to_owned()));
        }
        call.check().map_err(refused)?;
        self.body_file.as_deref().map_or(Ok(()), check_shared)?;
        let answer = block_on(self.call(session, call))?;
        self.tell(session, &answer)?;
        if (200..300).contains(&answer.status) { Ok(()) } else { Err(Failure::told()) }
    }

    /// Writes and prints the answer. A body that cannot be written after all is printed.
    fn tell(&self, session: &Session, answer: &Answer) -> Outcome {
        let file = self.body_file.as_deref();
        match file.map_or(Ok(()), |file| write_shared(file, &answer.body)) {
            Ok(()) => {
                session.screen.answer(&document(answer, file), || self.told(answer, file));
                Ok(())
            }
            Err(failure) => {
                Err(session.screen.answer_in_part(document(answer, None), || self.told(answer, None), failure))
            }
        }
    }

    fn body(&self) -> Outcome<Option<Vec<u8>>> {
        match self.data.as_deref().map(|data| (data, data.strip_prefix('@'))) {
            None => Ok(None),
            Some((_, Some("-"))) => Ok(Some(standard_input()?)),
            Some((_, Some(path))) => Ok(Some(read(path.into())?)),
            Some((text, None)) => Ok(Some(text.as_bytes().to_vec())),
        }
    }

    async fn call(&self, session: &Session, mut call: Call) -> Outcome<Answer> {
        let reached = Reached::stack(session, self.which.stack.as_deref(), &self.which.target).await?;
        let apis = api::apis(&reached.template);
        let api = api::choose(&reached.stack.name, &apis, self.api.as_deref(), &call).map_err(refused)?;
        let stage = api.stage(self.stage.as_deref()).map_err(refused)?;
        let base = api::base_url(&reached.account, &reached.stack.name, (api, stage), &reached.resources).await;
        let base = base.map_err(|error| refused(error.with_flags(reached.target.flags())))?;
        let url = format!("{base}{}", self.path);
        let route = api.route(&call);
        let asks = route.map(|route| route.asks);
        if let Some(token) = self.token(session, &reached, api, &call).await? {
            let header = route.map_or("authorization", |route| &route.header);
            call.headers.push((header.to_owned(), format!("Bearer {token}")));
        } else if asks == Some(Asks::Signature) {
            let signed = api::signature(&reached.account, "execute-api", &url, &call).await?;
            call.headers.extend(signed);
        }
        api::send(&url, &call).await.map_err(refused)
    }

    async fn token(&self, session: &Session, reached: &Reached, api: &Api, call: &Call) -> Outcome<Option<String>> {
        if let Some(file) = &self.token_file {
            let token = read(file.clone())?;
            return Ok(Some(String::from_utf8_lossy(&token).trim().to_owned()));
        }
        let Some(user) = &self.user else { return Ok(None) };
        let meant = Meant::of(self, api.route(call));
        let route = api.route(call).filter(|route| route.asks == Asks::Scopes);
        // What is no plain text in the template is not known here: the API says whether the token will do.
        if let Some(route) = route.filter(|route| !route.scopes.is_empty() && !asks_for_self_service(route)) {
            return self.scoped(session, reached, (route, &meant), user).await.map(Some);
        }
        let kind = if self.access || route.is_some() { Kind::Access } else { Kind::Id };
        let tokens = signed_in(session, reached, meant.pool, user, &meant.sign_in).await?;
        Ok(Some(pick(&tokens, kind).to_owned()))
    }

    /// An access token of the user with one of the scopes that the route asks for.
    async fn scoped(
        &self,
        session: &Session,
        reached: &Reached,
        (route, meant): (&Route, &Meant<'_>),
        user: &str,
    ) -> Outcome<String> {
        let (id, pool) = reached.pool(meant.pool)?;
        let clients = match self.sign_in.client() {
            Some(named) => vec![reached.client(&id, &pool, Some(named)).await?],
            None => reached.clients(&id, &pool, &route.clients).await?,
        };
        let able = clients.iter().find_map(|client| Some((client, client.scope_for_people(&route.scopes)?)));
        if let Some((client, scope)) = able {
            return self.granted(session, reached, Asked { pool: &pool, client, user, scope }).await;
        }
        if reached.adds_scopes(&id) {
            let tokens = signed_in(session, reached, Some(&id), user, &meant.sign_in).await?;
            if route.scopes.iter().any(|scope| carries(&tokens.access, scope)) {
                return Ok(tokens.access);
            }
        }
        let scopes = listed(&route.scopes);
        Err(Failure::refused(Error::NoScope { route: route.key.clone(), scopes, user: user.to_owned() }))
    }

    /// What the client is granted for the user by the pool's pages. In the local cloud a pool needs none: whoever could
    /// sign in there gets the same token.
    async fn granted(&self, session: &Session, reached: &Reached, asked: Asked<'_>) -> Outcome<String> {
        let Asked { pool, client, user, scope } = asked;
        let scopes = std::slice::from_ref(scope);
        let has_way = client.oauth_flows.iter().any(|flow| flow == "code") && !client.callbacks.is_empty();
        if reached.account.is_local() && (!has_way || pool.pages().await?.is_none()) {
            let wanted = WantedToken { pool: &pool.id, client: &client.id, user, kind: Kind::Access, scopes };
            return Ok(mint(reached).await?.good(&wanted).await?);
        }
        let opening = if self.no_browser { Opening::Printed } else { Opening::Browser };
        let wanted = Wanted { scopes, password_file: self.sign_in.password_file(), opening };
        Ok(oauth::person(session, reached, (pool, client), user, wanted).await?.access)
    }

    fn told(&self, answer: &Answer, file: Option<&Path>) -> String {
        let status = format!("{} {}", answer.status, answer.reason);
        let status = if (200..300).contains(&answer.status) { green(status) } else { red(status) };
        let mut text = format!("{}\n", bold(status.trim_end()));
        if self.include {
            for (name, value) in &answer.headers {
                text.push_str(&format!("{}: {}\n", dim(name), plain(value, LONGEST_VALUE)));
            }
            text.push('\n');
        }
        match file {
            Some(file) => text.push_str(&dim(format_args!("{} bytes in {}", answer.body.len(), file.display()))),
            None => text.push_str(&body(&answer.body)),
        }
        text
    }
}

/// Whose token is meant: the pool and the client that are named, or the only ones that the route takes.
struct Meant<'a> {
    pool: Option<&'a str>,
    sign_in: SignIn,
}

impl<'a> Meant<'a> {
    fn of(arguments: &'a Arguments, route: Option<&'a Route>) -> Self {
        let sign_in = arguments.sign_in.clone();
        // A pool that is named may be another than the route's, to see its tokens refused: the route's client is none of it.
        let (None, Some(route)) = (arguments.which.pool.as_deref(), route) else {
            return Self { pool: arguments.which.pool.as_deref(), sign_in };
        };
        let pool = only(&route.pools);
        Self { pool, sign_in: sign_in.or_client(pool.and(only(&route.clients))) }
    }
}

fn only(names: &[String]) -> Option<&str> {
    match names {
        [only] => Some(only),
        _ => None,
    }
}

/// What ends the command: a refusal where nothing was sent.
fn refused(error: api::Error) -> Failure {
    if error.is_refusal() { Failure::refused(error) } else { error.into() }
}

/// The answer for programs, with the file that has its body.
fn document(answer: &Answer, file: Option<&Path>) -> Value {
    let mut document = json!({ "status": answer.status, "headers": headers(answer) });
    match (file, std::str::from_utf8(&answer.body)) {
        (Some(file), _) => document["bodyFile"] = json!(file),
        (None, Ok(text)) => document["body"] = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        (None, Err(_)) => document["bodyBase64"] = Value::from(BASE64_STANDARD.encode(&answer.body)),
    }
    document
}

/// What a body is, as far as it shows.
fn form(body: &[u8]) -> &'static str {
    match std::str::from_utf8(body) {
        Ok(text) if serde_json::from_str::<Value>(text).is_ok() => "application/json",
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    }
}

/// The headers of an answer by name. One that comes several times, such as `set-cookie`, is a list.
fn headers(answer: &Answer) -> Map<String, Value> {
    let mut headers = Map::new();
    for (name, value) in &answer.headers {
        let value = Value::from(value.as_str());
        match headers.get_mut(name) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::from(vec![first.take(), value]),
            None => drop(headers.insert(name.clone(), value)),
        }
    }
    headers
}

/// How much of a header's value is shown.
const LONGEST_VALUE: usize = 8_192;

fn read(path: PathBuf) -> Outcome<Vec<u8>> {
    std::fs::read(&path).map_err(|source| Failure::refused(Error::Unreadable { path, source }))
}

fn standard_input() -> Outcome<Vec<u8>> {
    let mut body = Vec::new();
    match std::io::stdin().read_to_end(&mut body) {
        Ok(_) => Ok(body),
        Err(source) => Err(Failure::refused(Error::Unreadable { path: "standard input".into(), source })),
    }
}

/// The body for people: JSON is laid out, and what is no text is only measured. None of it can steer the terminal.
fn body(body: &[u8]) -> String {
    let laid_out = serde_json::from_slice::<Value>(body).and_then(|document| serde_json::to_string_pretty(&document));
    match (laid_out, std::str::from_utf8(body)) {
        (Ok(pretty), _) => lines(&pretty),
        (Err(_), Ok(text)) => lines(text),
        (Err(_), Err(_)) => dim(format_args!("{} bytes that are no text; `--body-file FILE` keeps them", body.len())),
    }
}

fn lines(text: &str) -> String {
    text.chars().filter(|c| is_plain(*c) || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Answer, body, form, header, headers};

    #[test]
    fn a_header_is_a_name_and_a_value() {
        assert_eq!(header("Accept:  a:b "), Ok(("Accept".to_owned(), "a:b".to_owned())));
        assert!(header("Accept").is_err());
    }

    #[test]
    fn a_header_that_comes_several_times_is_a_list() {
        let sent = [("a", "1"), ("set-cookie", "x"), ("set-cookie", "y"), ("set-cookie", "z")];
        let sent = sent.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let answer = Answer { status: 200, reason: String::new(), headers: sent, body: Vec::new() };
        assert_eq!(Value::from(headers(&answer)), json!({ "a": "1", "set-cookie": ["x", "y", "z"] }));
    }

    #[test]
    fn a_body_is_said_to_be_what_it_is() {
        assert_eq!(form(br#"{"a":1}"#), "application/json");
        assert_eq!(form("grün".as_bytes()), "text/plain; charset=utf-8");
        assert_eq!(form(b"\x89PNG\xff"), "application/octet-stream");
    }

    #[test]
    fn a_body_cannot_steer_the_terminal() {
        assert_eq!(body(b"a\x1b[31mb\r\n"), "a[31mb\n");
        assert_eq!(body("{\"a\":\"\u{9b}2J\u{202e}\"}".as_bytes()), "{\n  \"a\": \"2J\"\n}", "JSON may hold them bare");
        assert_eq!(body(br#"{"a":1}"#), "{\n  \"a\": 1\n}");
        assert!(body(&[0xff, 0xfe]).contains("2 bytes"));
    }
}
