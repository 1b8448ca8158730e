//! `stackgen verify`: the proof that a deployment keeps what its stack file says.

mod junit;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use miette::Diagnostic;
use stackgen::access::change::{self, Change, Verdict};
use stackgen::access::matrix::Matrix;
use stackgen::access::probe::{Credential, Door, Plan, Token};
use stackgen::deploy::Unit;
use stackgen::deploy::gate;
use stackgen::deploy::tokens::Mint;
use stackgen::deploy::users::{Pool, SignedIn};
use stackgen::deploy::verify::{self, Bounds, Ended, Given, Lawful, Options, Report, Secrets, Subject, Writes};
use thiserror::Error;

use super::deploy::pair;
use super::output::{dim, listed};
use super::plan;
use super::pool::{Owner, Reached};
use super::target::{check_shared, write_shared};
use super::{Failure, Outcome, Session, Step, Target, block_on};

/// Arguments of `stackgen verify`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the stack; the only one of the project when absent.
    stack: Option<String>,
    /// Also makes the calls that must pass and may change data: POST, PUT, PATCH and DELETE, without a body.
    #[arg(long)]
    write: bool,
    /// A route such as `GET /notes`, or `cors`; all when absent.
    #[arg(long, value_name = "ROUTE")]
    only: Vec<String>,
    /// User whose tokens are shown, where there is no local cloud that gives any.
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
    /// File with the user's password on its first line; else STACKGEN_PASSWORD, or a prompt.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// File with what a Lambda authorizer lets pass, sent as it stands there: `Api/Token=token.txt`.
    #[arg(long = "credential", value_name = "API/AUTHORIZER=FILE", value_parser = pair)]
    credentials: Vec<(String, String)>,
    /// Reads secrets and API keys of the stack to show them to the routes that want them. On this machine that is done
    /// without asking.
    #[arg(long)]
    read_secrets: bool,
    /// Writes the results as JUnit XML too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Longest time that it may take, from the first question to the last line of a log.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    patience: u64,
    #[command(flatten)]
    target: Target,
}

/// Why nothing could be tried.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// A file cannot be read.
    #[error("`{}` cannot be read", path.display())]
    #[diagnostic(code(stackgen::verify::file), help("check that the file exists and that you may read it"))]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// No route has that name.
    #[error("stack `{stack}` has no route `{name}`")]
    #[diagnostic(code(stackgen::verify::unknown), help("it has {names}"))]
    Unknown { stack: String, name: String, names: String },
    /// The user signs in nowhere.
    #[error("user `{user}` signs in with no client of the stack")]
    #[diagnostic(code(stackgen::verify::sign_in), help("{reasons}"))]
    NoToken { user: String, reasons: String },
    /// Nothing has such a credential.
    #[error("no authorizer is called `{name}`")]
    #[diagnostic(code(stackgen::verify::authorizer), help("{names}"))]
    UnknownAuthorizer { name: String, names: String },
}

/// What came of it all.
struct Verified {
    stack: String,
    report: Report,
    /// In what the deployed template is weaker than the file.
    weaker: Vec<Change>,
}

impl Verified {
    /// Whether nothing was found out.
    fn is_empty(&self) -> bool {
        self.report.is_empty() && self.weaker.is_empty()
    }

    fn is_proof(&self) -> bool {
        self.report.is_proof() && self.weaker.is_empty()
    }
}

/// What is needed to try the doors of a stack.
struct Prepared {
    reached: Reached,
    matrix: Matrix,
    plan: Plan,
    options: Options,
    weaker: Vec<Change>,
}

impl Arguments {
    /// Tries every door, and tells what came of it.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let junit = self.junit.as_deref();
        junit.map_or(Ok(()), check_shared)?;
        let verified = block_on(self.verify(session))?;
        if let Err(failure) = junit.map_or(Ok(()), |file| write_shared(file, junit::document(&verified).as_bytes())) {
            let text = || told::text(&verified);
            return Err(session.screen.answer_in_part(told::document(&verified), text, failure));
        }
        session.screen.answer(&told::document(&verified), || told::text(&verified));
        match verified.is_proof() {
            true => Ok(()),
            false if verified.is_empty() => Err(Failure::refusal_told()),
            false => Err(Failure::told()),
        }
    }

    async fn verify(&self, session: &Session) -> Outcome<Verified> {
        let project = session.project()?;
        let name = session.stack(&project, self.stack.as_deref(), "")?;
        let planned = plan::synthesize(plan::read(session, &project, std::slice::from_ref(&name))?)?;
        let units = plan::units(&planned, &vec![Vec::new(); planned.len()], &BTreeMap::new())?;
        let interrupts = session.interrupts();
        interrupts.stands(NOTHING_STANDS);
        let bounds = Bounds::new(interrupts.token(), Duration::from_secs(self.patience));
        match bounds.patiently(self.prepared(session, &name, &units)).await {
            Ok(prepared) => self.tried(session, name, prepared?, bounds).await,
            Err(Ended::Interrupted) => {
                Err(Step { during: "what is deployed was looked at", stands: NOTHING_STANDS }.interrupted())
            }
            Err(ended) => {
                let report = Report { ended, ..Report::default() };
                Ok(Verified { stack: name, report, weaker: Vec::new() })
            }
        }
    }

    /// Looks at what is deployed, and gets ready what is shown there.
    async fn prepared(&self, session: &Session, name: &str, units: &[Unit]) -> Outcome<Prepared> {
        let shared = self.shared()?;
        let reached = Reached::stack(session, Some(name), &self.target).await?;
        session.screen.note(format_args!("{} {}", dim("target:"), reached.account.title()));
        let matrix = units.first().map(|unit| gate::wanted(&reached.account, unit, Some(&reached.stack)));
        let matrix = matrix.unwrap_or_default();
        let weaker = weaker(&matrix, gate::deployed(&reached.account, &reached.stack).await?.as_ref());
        let plan = Plan::of(&matrix);
        self.check_names(name, &plan)?;
        let given = Given { shared, secrets: self.secrets(&reached), ..self.tokens(session, &reached, &plan).await? };
        let writes = if self.write { Writes::Made } else { Writes::LeftOut };
        let options = Options { given, writes, only: self.only.clone() };
        Ok(Prepared { reached, matrix, plan, options, weaker })
    }

    async fn tried(
        &self,
        session: &Session,
        stack: String,
        prepared: Prepared,
        bounds: Bounds<'_>,
    ) -> Outcome<Verified> {
        session.interrupts().stands(STANDS);
        let Prepared { reached, matrix, plan, options, weaker } = prepared;
        let subject = Subject {
            account: &reached.account,
            stack: &reached.stack.name,
            resources: &reached.resources,
            template: &reached.template,
            matrix: &matrix,
        };
        let screen = session.screen.clone();
        let told = move |door: &Door| screen.note(format_args!("{} {door}", dim("tried")));
        let report = verify::run(subject, plan, &options, bounds, &told).await;
        for user in &report.users_left {
            session.screen.warn(format_args!("user `{user}` was made for this, and could not be removed"));
        }
        if report.ended == Ended::Interrupted {
            return Err(Step { during: "routes were tried", stands: &stands(&report.users_left) }.interrupted());
        }
        Ok(Verified { stack, report, weaker })
    }

    fn secrets(&self, reached: &Reached) -> Secrets {
        if self.read_secrets || reached.account.is_local() { Secrets::Read } else { Secrets::Untouched }
    }

    /// What is to be shown to Lambda authorizers.
    fn shared(&self) -> Outcome<BTreeMap<String, String>> {
        let read = |(name, file): &(String, String)| {
            let path = PathBuf::from(file);
            match std::fs::read_to_string(&path) {
                Ok(text) => Ok((name.clone(), text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(source) => Err(Failure::refused(Error::Unreadable { path, source })),
            }
        };
        self.credentials.iter().map(read).collect()
    }

    /// Refuses names that mean nothing, before anything is done.
    fn check_names(&self, stack: &str, plan: &Plan) -> Outcome {
        let doors: BTreeSet<&Door> =
            plan.probes.iter().map(|probe| &probe.door).chain(plan.left_out.iter().map(|left| &left.door)).collect();
        if let Some(name) = self.only.iter().find(|name| !doors.iter().any(|door| verify::is_named(door, name))) {
            let names = listed(doors.iter().map(|door| door.name()).collect::<BTreeSet<_>>());
            let (stack, name) = (stack.to_owned(), name.clone());
            return Err(Failure::refused(Error::Unknown { stack, name, names }));
        }
        let authorizer = |credential: &Credential| match credential {
            Credential::Shared { api, authorizer, .. } => Some(format!("{api}/{authorizer}")),
            _ => None,
        };
        let known: BTreeSet<String> = plan.probes.iter().filter_map(|probe| authorizer(&probe.credential)).collect();
        match self.credentials.iter().find(|(name, _)| !known.contains(name)) {
            Some((name, _)) => {
                let names = match known.is_empty() {
                    true => "no route of the stack asks for such a credential".to_owned(),
                    false => format!("there is {}", listed(&known)),
                };
                Err(Failure::refused(Error::UnknownAuthorizer { name: name.clone(), names }))
            }
            None => Ok(()),
        }
    }

    /// The tokens of the user with every client that the plan names, where no local cloud gives any.
    async fn tokens(&self, session: &Session, reached: &Reached, plan: &Plan) -> Outcome<Given> {
        let mut given = Given::default();
        let Some(user) = &self.user else { return Ok(given) };
        if Mint::of(&reached.account).await.is_ok() {
            session.screen.warn("`--as` is not needed: the local cloud makes a user for this, and removes it again");
            return Ok(given);
        }
        let file = self.password_file.as_deref();
        let mut asked = None;
        for (pool, client) in clients(plan) {
            // Signing in tells of a pool that is not deployed.
            let id = physical(reached, &pool).unwrap_or_default();
            let owner = Owner { reached, pool: id, name: user };
            let password = match owner.settled_password(file)?.or_else(|| asked.clone()) {
                Some(password) => password,
                None => asked.insert(owner.known_password(session, file)?).clone(),
            };
            match signed_in(reached, (&pool, &client), user, &password).await {
                Ok(own) => given.tokens.push(own),
                Err(why) => {
                    session.screen.warn(format_args!("no token: {why}"));
                    given.no_tokens.insert((pool, client), why);
                }
            }
        }
        some_token(user, given)
    }
}

/// Refuses a user who signs in with none of the clients that want one.
fn some_token(user: &str, given: Given) -> Outcome<Given> {
    if !given.tokens.is_empty() || given.no_tokens.is_empty() {
        return Ok(given);
    }
    let reasons = given.no_tokens.into_values().collect::<Vec<_>>().join("; ");
    Err(Failure::refused(Error::NoToken { user: user.to_owned(), reasons }))
}

/// What stands before a call is made.
const NOTHING_STANDS: &str = "nothing was called or changed";

/// What stands when the process ends at once.
const STANDS: &str = "a user whose name begins with `stackgen-verify-` may be left in a pool of the local cloud";

/// What stands after an interrupt that was awaited.
fn stands(users_left: &[String]) -> String {
    match users_left.is_empty() {
        true => "nothing is left of it; run the command again".to_owned(),
        false => format!("remove what is left by `stackgen user delete`: {}", listed(users_left)),
    }
}

/// In what the deployed template lets pass whom the file does not; where it cannot be read, that may be anybody.
fn weaker(file: &Matrix, deployed: Option<&Matrix>) -> Vec<Change> {
    let Some(deployed) = deployed else { return vec![gate::unreadable()] };
    change::changes(file, deployed).into_iter().filter(|change| change.verdict == Verdict::Weakened).collect()
}

/// The clients whose tokens a plan shows, with their pools.
fn clients(plan: &Plan) -> BTreeSet<(String, String)> {
    let token = |credential: &Credential| match credential {
        Credential::Token(token) | Credential::Flawed(token, _) => {
            let Token { pool, client, .. } = token;
            Some((pool.clone(), client.clone()))
        }
        _ => None,
    };
    plan.probes.iter().filter_map(|probe| token(&probe.credential)).collect()
}

/// The id that a resource got when it was made.
fn physical<'a>(reached: &'a Reached, id: &str) -> Result<&'a str, String> {
    let found = reached.resources.iter().find(|one| one.logical_id == id);
    found.map(|one| one.physical_id.as_str()).ok_or_else(|| format!("`{id}` is not deployed"))
}

/// The tokens of a sign-in with a password; or why there are none.
async fn signed_in(
    reached: &Reached,
    (pool_id, client_id): (&str, &str),
    user: &str,
    password: &str,
) -> Result<Lawful, String> {
    let pool = Pool::new(&reached.account, physical(reached, pool_id)?);
    let failed = |error: &dyn std::fmt::Display| format!("client `{client_id}`: {error}");
    let client = pool.client(physical(reached, client_id)?).await.map_err(|error| failed(&error))?;
    match pool.sign_in(&client, user, password).await.map_err(|error| failed(&error))? {
        SignedIn::Done(tokens) => {
            Ok(Lawful { pool: pool_id.to_owned(), client: client_id.to_owned(), id: tokens.id, access: tokens.access })
        }
        SignedIn::NewPassword(_) => Err(format!("client `{client_id}`: the user must choose a new password first")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stackgen::access::matrix::Matrix;
    use stackgen::deploy::verify::{Given, Lawful, Report};

    use super::{Verified, some_token, stands, weaker};
    use crate::cli::failure::Exit;

    #[test]
    fn a_deployed_template_that_cannot_be_read_is_no_proof() {
        let file = Matrix::default();
        assert!(weaker(&file, Some(&file)).is_empty());
        let weaker = weaker(&file, None);
        assert!(weaker[0].words.contains("cannot be read"), "{weaker:?}");
        let verified = Verified { stack: "s".to_owned(), report: Report::default(), weaker };
        assert!(!verified.is_proof() && !verified.is_empty());
    }

    #[test]
    fn a_user_who_signs_in_nowhere_is_refused() {
        let none = || Given {
            no_tokens: BTreeMap::from([(("Users".to_owned(), "Web".to_owned()), "wrong password".to_owned())]),
            ..Given::default()
        };
        let refused = some_token("somebody", none()).err().expect("there is no token");
        assert_eq!(refused.exit, Exit::Refused);
        let text = |name: &str| name.to_owned();
        let own = Lawful { pool: text("Users"), client: text("Other"), id: text("i"), access: text("a") };
        assert!(some_token("somebody", Given { tokens: vec![own], ..none() }).is_ok(), "one client is enough");
        assert!(some_token("somebody", Given::default()).is_ok(), "nobody wants a token");
    }

    #[test]
    fn users_that_are_left_are_named() {
        assert!(stands(&[]).starts_with("nothing is left"));
        assert!(stands(&["a".to_owned(), "b".to_owned()]).ends_with("`a`, `b`"));
    }
}
