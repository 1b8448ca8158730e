//! `stackgen local`: the local cloud of this project.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;
use stackgen::local::access::{self, Running};
use stackgen::local::mail::Message;
use stackgen::local::{self, Options};
use stackgen::project::Project;
use tokio::signal::unix::{SignalKind, signal};

use super::output::{Table, bold, dim};
use super::target::home;
use super::{Outcome, Session, block_on};

/// Arguments of `stackgen local`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Region of the account, fixed once the cloud has state; us-east-1 for an empty cloud when absent.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Port on the loopback interface; that of the last time, or a free one, when absent.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Runs as the background server of another command.
    #[arg(long, hide = true)]
    detached: bool,
}

/// What to do instead of running it in the foreground.
#[derive(Debug, Subcommand)]
enum Command {
    /// Says whether the local cloud runs, and where.
    Status,
    /// Stops the local cloud; its state stays.
    Stop,
    /// Prints the environment in which the aws CLI and any SDK use the local cloud; starts it when it does not run.
    ///
    /// In a shell: `eval "$(stackgen local env)"`.
    Env,
    /// Stops the local cloud and removes everything in it: stacks, users, objects, keys.
    Reset {
        /// Does not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Shows the messages that the local cloud has sent, confirmation codes among them.
    Mail {
        /// Only those to this address or phone number.
        #[arg(value_name = "TO")]
        to: Option<String>,
    },
}

impl Arguments {
    /// Runs the subcommand, or else the cloud itself.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = Project::discover(session.start())?;
        match &self.command {
            None => self.serve(session, &project),
            Some(Command::Status) => status(session, &project),
            Some(Command::Stop) => stop(session, &project),
            Some(Command::Env) => environment(session, &access::ensure(&home(&project), self.region.as_deref())?),
            Some(Command::Reset { yes }) => reset(session, &project, *yes),
            Some(Command::Mail { to }) => mail(session, &project, to.as_deref()),
        }
    }

    fn serve(&self, session: &Session, project: &Project) -> Outcome {
        if self.detached {
            access::detach();
        }
        let data = project.make_local_data()?;
        let options = Options { data, region: self.region.clone(), port: self.port };
        block_on(async {
            let server = local::bind(options).await?;
            session.screen.note(format!("the local cloud answers at {}", bold(server.endpoint())));
            session.screen.note(dim("stop it with Ctrl-C; in another terminal, `stackgen deploy --local` uses it"));
            server.serve(interrupted()).await;
            Ok(())
        })
    }
}

/// Resolves on Ctrl-C, or when the system asks the process to end.
async fn interrupted() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// What `status` tells; the secret is for `env` alone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    running: bool,
    endpoint: Option<&'a str>,
    region: Option<&'a str>,
    pid: Option<u32>,
    log: Option<String>,
}

fn status(session: &Session, project: &Project) -> Outcome {
    let running = access::running(&home(project));
    let running = running.as_ref();
    let status = Status {
        running: running.is_some(),
        endpoint: running.map(|running| running.endpoint.as_str()),
        region: running.map(|running| running.region.as_str()),
        pid: running.map(|running| running.pid),
        log: running.map(|running| running.log.display().to_string()),
    };
    session.screen.answer(&status, || match running {
        Some(running) => format!(
            "the local cloud answers at {}, region {}, process {}, log {}",
            bold(&running.endpoint),
            running.region,
            running.pid,
            running.log.display()
        ),
        None => "the local cloud does not run".to_owned(),
    });
    Ok(())
}

fn stop(session: &Session, project: &Project) -> Outcome {
    let stopped = access::stop(&home(project))?;
    session.screen.answer(&json!({ "stopped": stopped }), || {
        if stopped { "the local cloud has stopped".to_owned() } else { "the local cloud did not run".to_owned() }
    });
    Ok(())
}

fn environment(session: &Session, running: &Running) -> Outcome {
    let variables = running.environment();
    let document: serde_json::Map<_, _> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    session
        .screen
        .answer(&document, || variables.iter().map(|(name, value)| format!("export {name}={value}\n")).collect());
    Ok(())
}

fn reset(session: &Session, project: &Project, yes: bool) -> Outcome {
    if !yes {
        session.screen.consent("Remove everything in the local cloud: stacks, users, objects, keys?")?;
    }
    access::reset(&home(project))?;
    session.screen.answer(&json!({ "reset": true }), || "the local cloud is empty".to_owned());
    Ok(())
}

fn mail(session: &Session, project: &Project, to: Option<&str>) -> Outcome {
    let messages = match access::running(&home(project)) {
        Some(running) => running.mail()?,
        None => access::ensure(&home(project), None)?.mail()?,
    };
    let messages: Vec<_> = messages.into_iter().filter(|message| to.is_none_or(|to| message.is_to(to))).collect();
    let mut table = Table::new(["time", "from", "to", "kind", "subject", "text"]);
    for message in &messages {
        let time = message.time.replace_nanosecond(0).unwrap_or(message.time).to_string();
        let from = message.from.clone().unwrap_or_else(|| "Cognito".to_owned());
        let Message { to, kind, subject, .. } = message.clone();
        table.row([time, from, to, kind, subject, bold(&*message.body)]);
    }
    session.screen.answer(&messages, || if table.is_empty() { "no messages".to_owned() } else { table.to_string() });
    Ok(())
}
