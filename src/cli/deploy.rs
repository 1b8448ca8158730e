//! `stackgen deploy`: from stack files to running stacks.

mod before;
mod bucket;
mod gate;
mod report;
mod run;
mod two_steps;

use std::cell::Cell;
use std::path::PathBuf;

use clap::Args;
use stackgen::deploy::Unit;
use stackgen::deploy::aws::Account;
use stackgen::project::Project;
use stackgen::{assembly, bundle};

use super::failure::in_part;
use super::output::{Board, dim};
use super::plan::{self, Planned};
use super::{Failure, Interrupts, Outcome, Session, Step, Target, Turn, block_on, interrupts, target};
pub(crate) use bucket::{Asks, Bootstrap};
use gate::Gate;
use report::{Deployed, answer, answer_in_part, write_more_outputs};
pub(crate) use report::{others_table, outputs_table, write_outputs};
use run::Run;
use two_steps::Part;

/// Arguments of `stackgen deploy`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of the stacks; the only one of the project when absent.
    #[arg(value_name = "STACK")]
    stacks: Vec<String>,
    /// All stacks of the project, each after those whose outputs it takes.
    #[arg(long, conflicts_with = "stacks")]
    all: bool,
    /// Does not ask before it changes anything. Deployments to the local cloud never ask.
    #[arg(long, short)]
    yes: bool,
    /// Accepts that access to this is weakened: a route such as `GET /orders`, or what `stackgen diff` names. With
    /// several stacks the name has its stack before it, as in `notes:GET /orders`. `--yes` does not accept it, and the
    /// local cloud asks for it too.
    #[arg(long = "accept-weakening", value_name = "NAME")]
    accepted: Vec<String>,
    /// Value of a template's parameter; one that is not given keeps its deployed value, or its default.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// File for the outputs, as the CDK writes it: `{"STACK": {"OUTPUT": "VALUE"}}`.
    #[arg(long, value_name = "FILE")]
    outputs_file: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// `NAME=VALUE` in two.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    if name.is_empty() { Err("the name before `=` is empty".to_owned()) } else { Ok((name.into(), value.into())) }
}

impl Arguments {
    /// Deploys.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let names = if self.all {
            session.stacks(&project, &[])?
        } else if self.stacks.is_empty() {
            vec![session.stack(&project, None, ", or deploy them with `--all`")?]
        } else {
            self.stacks.clone()
        };
        if let Some(file) = &self.outputs_file {
            target::check_shared(file)?;
        }
        let planned = plan::synthesize(plan::read(session, &project, &names)?)?;
        block_on(async {
            let _turn = Turn::take(session, &project).await?;
            self.deploy(session, &project, planned).await
        })
    }

    async fn deploy(&self, session: &Session, project: &Project, planned: Vec<Planned>) -> Outcome {
        let (account, built) = self.reach_and_build(session, project, &planned).await?;
        if !self.target.local {
            assembly::write(&project.out(), &plan::assembled_with_code(&planned, &built), assembly::Format::Json)?;
        }
        let parameters = self.parameters.iter().cloned().collect();
        let units = plan::units(&planned, &built, &parameters)?;
        let all = planned.into_iter().zip(units).collect();
        let ordered = session.interrupts().step(LOOKING, before::in_order(&account, all)).await?;
        let (planned, units): (Vec<Planned>, Vec<Unit>) = ordered.into_iter().unzip();
        session.screen.note(format_args!("{} {}", dim("target:"), account.title()));
        let board = Board::new(&session.screen);
        let naming = gate::Naming::of(&units);
        let gate = Gate { arguments: self, session, account: &account, naming };
        let compared = gate.pass(&units).await?;
        let mut deployed = Vec::new();
        let mut ended = Ok(());
        for (at, ((planned, unit), compared)) in planned.iter().zip(&units).zip(&compared).enumerate() {
            if session.interrupts().token().is_cancelled() {
                ended = Err(between(&deployed, &unit.stack));
                break;
            }
            let run = Run {
                arguments: self,
                session,
                account: &account,
                board: &board,
                file: &planned.file,
                unit,
                part: Part::Whole,
                gate,
                agreed: &compared.access,
                others: &compared.others,
            };
            if let Err(failure) = self.take(project, &run, &mut deployed).await {
                let names: Vec<&str> = deployed.iter().map(|one| one.stack.name.as_str()).collect();
                let untried = units[at + 1..].iter().map(|unit| unit.stack.as_str());
                ended = Err(in_part(failure, ("is deployed", &names), untried));
                break;
            }
        }
        self.tell(session, &account, &deployed, ended)
    }

    /// Deploys one stack. What is done of it counts as deployed, though something may fail afterwards.
    async fn take(&self, project: &Project, run: &Run<'_>, deployed: &mut Vec<Deployed>) -> Outcome {
        let one = run.deploy().await;
        run.board.clean();
        let mut one = one?;
        let protected = run.protect(&mut one.stack).await;
        deployed.push(one);
        target::remember(project, &run.unit.stack, &self.target)?;
        protected
    }

    /// Writes and tells what was deployed, beside what ended it before all was.
    fn tell(&self, session: &Session, account: &Account, deployed: &[Deployed], ended: Outcome) -> Outcome {
        let stacks = || deployed.iter().map(|one| &one.stack);
        let written = match (&self.outputs_file, &ended) {
            (Some(file), Ok(())) => write_outputs(file, stacks()),
            (Some(file), Err(_)) if !deployed.is_empty() => write_more_outputs(file, stacks()),
            _ => Ok(()),
        };
        if let (Err(_), Err(Failure { report: Some(report), .. })) = (&ended, &written) {
            session.screen.doubt(report.as_ref());
        }
        match ended.and(written) {
            Ok(()) => {
                answer(session, account, deployed);
                Ok(())
            }
            Err(failure) if deployed.is_empty() => Err(failure),
            Err(failure) => Err(answer_in_part(session, account, deployed, failure)),
        }
    }

    /// Builds the functions while the account is being reached.
    async fn reach_and_build(
        &self,
        session: &Session,
        project: &Project,
        planned: &[Planned],
    ) -> Outcome<(Account, Vec<Vec<bundle::Asset>>)> {
        let purpose = if self.target.local { bundle::Purpose::Local } else { bundle::Purpose::Deploy };
        let interrupts = session.interrupts();
        let is_built = Cell::new(false);
        let building = async {
            let built = plan::bundle(session, project, planned, purpose).await;
            is_built.set(true);
            built
        };
        let reaching = async {
            tokio::select! {
                account = self.reach(session, project, planned) => account,
                // While functions are built, it is the build that is interrupted.
                () = left_alone(&interrupts, &is_built) => Err(REACHING.interrupted()),
            }
        };
        tokio::try_join!(reaching, building)
    }

    /// The account, once it is known that what the stacks ask for is there.
    async fn reach(&self, session: &Session, project: &Project, planned: &[Planned]) -> Outcome<Account> {
        let account = self.target.connect(session, project).await?;
        let given = self.parameters.iter().map(|(name, _)| name.as_str()).collect();
        before::has_parameters(&account, planned, &given).await?;
        before::has_exports(&account, (project, &self.target), planned).await?;
        Ok(account)
    }
}

/// Ends when the user interrupts and nothing is being built any more.
async fn left_alone(interrupts: &Interrupts, is_built: &Cell<bool>) {
    interrupts.token().cancelled().await;
    if !is_built.get() {
        std::future::pending::<()>().await;
    }
}

/// An interruption after some stacks were deployed and before the next.
fn between(deployed: &[Deployed], next: &str) -> Failure {
    let done: Vec<&str> = deployed.iter().map(|one| one.stack.name.as_str()).collect();
    let stands = interrupts::between(&done, next, "deployed");
    Step { during: "stacks were deployed", stands: &stands }.interrupted()
}

const REACHING: Step<'static> =
    Step { during: "the account was being reached", stands: "nothing was deployed; run the command again" };

const LOOKING: Step<'static> =
    Step { during: "the stacks were looked at", stands: "nothing was deployed; run the command again" };

#[cfg(test)]
mod tests {
    use super::pair;

    #[test]
    fn a_parameter_is_a_name_and_a_value() {
        assert_eq!(pair("Stage=a=b"), Ok(("Stage".to_owned(), "a=b".to_owned())));
        assert_eq!(pair("Stage="), Ok(("Stage".to_owned(), String::new())));
        assert!(pair("Stage").is_err());
        assert!(pair("=x").is_err());
    }
}
