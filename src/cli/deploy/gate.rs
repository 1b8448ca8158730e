//! What stops deployments that would weaken access.

use std::collections::BTreeSet;

use miette::Diagnostic;
use stackgen::access::change as access;
use stackgen::deploy::aws::Account;
use stackgen::deploy::gate::Comparison;
use stackgen::deploy::shell::word;
use stackgen::deploy::stack::{self, Stack};
use stackgen::deploy::{Unit, gate};
use thiserror::Error;

use super::Arguments;
use crate::cli::diff::access_table;
use crate::cli::output::{bold, listed, yellow};
use crate::cli::{Failure, Outcome, Session, Step};

/// Access would be weakened.
#[derive(Debug, Error, Diagnostic)]
#[error("stack `{stack}` was not deployed: access would be weakened at {names}")]
#[diagnostic(code(stackgen::deploy::weakened), help("{stands}. To accept it, add {flags}"))]
struct Weakened {
    stack: String,
    names: String,
    flags: String,
    stands: String,
}

/// What stops deployments that would weaken access.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) session: &'a Session,
    pub(super) account: &'a Account,
    pub(super) naming: Naming,
}

/// How a thing whose access is weakened is named when that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// By its name alone.
    Plain,
    /// With its stack: what is accepted for one stack is not accepted for another that has a thing of the same name.
    WithStack,
}

impl Naming {
    pub(super) fn of(units: &[Unit]) -> Self {
        if units.len() > 1 { Self::WithStack } else { Self::Plain }
    }

    fn name(self, stack: &str, change: &access::Change) -> String {
        match self {
            Self::Plain => change.name.clone(),
            Self::WithStack => format!("{stack}:{}", change.name),
        }
    }

    /// The names of what is weakened and not accepted, each once.
    fn unaccepted(self, stack: &str, changes: &[access::Change], accepted: &[String]) -> BTreeSet<String> {
        let names = access::weakened_by(changes).map(|change| self.name(stack, change));
        names.filter(|name| !accepted.contains(name)).collect()
    }
}

impl Gate<'_> {
    /// Compares all stacks with what is deployed before anything is done to any of them. Returns what changes, stack by
    /// stack; the changes in access are agreed to.
    pub(super) async fn pass(&self, units: &[Unit]) -> Outcome<Vec<Comparison>> {
        let mut agreed = Vec::new();
        let mut names = BTreeSet::new();
        for unit in units {
            let stands = "nothing was changed; run the command again";
            let step = Step { during: "access was compared with what is deployed", stands };
            let compared = self.session.interrupts().step(step, self.compare(unit)).await?;
            self.tell(&unit.stack, &compared);
            self.judge(&unit.stack, &compared.access, "nothing was changed")?;
            names.extend(compared.access.iter().map(|change| self.naming.name(&unit.stack, change)));
            agreed.push(compared);
        }
        for name in self.arguments.accepted.iter().filter(|name| !names.contains(*name)) {
            self.session.screen.warn(format_args!("`--accept-weakening {}` accepts nothing", word(name)));
        }
        Ok(agreed)
    }

    async fn compare(&self, unit: &Unit) -> Outcome<Comparison> {
        let deployed = stack::describe(self.account, &unit.stack).await?.filter(Stack::has_resources);
        Ok(gate::compare(self.account, unit, deployed.as_ref()).await?)
    }

    fn tell(&self, stack: &str, compared: &Comparison) {
        let screen = &self.session.screen;
        if !compared.access.is_empty() {
            screen.note(format_args!("{}", bold(format_args!("changes in access to {stack}:"))));
            screen.note(access_table(&compared.access));
        }
        for open in &compared.open {
            screen.note(format_args!("{} {open}", yellow("open:")));
        }
    }

    /// Lets pass what weakens nothing and what is accepted by name, by a flag or on the terminal. Otherwise it says what
    /// stands.
    pub(super) fn judge(&self, stack: &str, changes: &[access::Change], stands: &str) -> Outcome {
        let mut names = self.naming.unaccepted(stack, changes, &self.arguments.accepted);
        if self.session.screen.can_ask() {
            let is_accepted = |name: &str| {
                let question = format!("{} is weakened. Type its name to accept that:", bold(name));
                self.session.screen.typed(&question, name)
            };
            while let Some(name) = names.first() {
                if !is_accepted(name)? {
                    break;
                }
                names.pop_first();
            }
        }
        if names.is_empty() { Ok(()) } else { Err(Failure::weakened(Weakened::at(stack, &names, stands))) }
    }
}

impl Weakened {
    fn at(stack: &str, names: &BTreeSet<String>, stands: &str) -> Self {
        let flags = names.iter().map(|name| format!("`--accept-weakening {}`", word(name)));
        Self {
            stack: stack.to_owned(),
            stands: stands.to_owned(),
            names: listed(names),
            flags: flags.collect::<Vec<_>>().join(" "),
        }
    }
}

#[cfg(test)]
mod tests {
    use stackgen::access::change::{Change, Subject, Verdict};
    use stackgen::deploy::Unit;

    use super::Naming;

    #[test]
    fn one_of_several_stacks_is_not_weakened_in_the_name_of_another() {
        let (verdict, subject) = (Verdict::Weakened, Subject::Route);
        let change = Change { verdict, subject, name: "GET /orders".to_owned(), words: String::new() };
        let left = |units: &[&str], accepted: &str| {
            let units: Vec<Unit> =
                units.iter().map(|stack| Unit { stack: (*stack).to_owned(), ..Unit::default() }).collect();
            let naming = Naming::of(&units);
            let left = naming.unaccepted("notes", std::slice::from_ref(&change), &[accepted.to_owned()]);
            left.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(left(&["notes"], "GET /orders"), [""; 0]);
        assert_eq!(left(&["notes", "shop"], "notes:GET /orders"), [""; 0]);
        for other in ["GET /orders", "shop:GET /orders"] {
            assert_eq!(left(&["notes", "shop"], other), ["notes:GET /orders"], "{other}");
        }
    }
}
