//! Deployments in two steps, so that nothing stays open that leaves a REST API.

use serde_json::Value;
use stackgen::deploy::change_set::{self, Prepared};
use stackgen::deploy::stack::{self, Stack};
use stackgen::deploy::store::Store;
use stackgen::deploy::{Unit, steps};
use stackgen::template::text;

use super::run::{NOTHING_DONE, Run};
use crate::cli::{Failure, Outcome, Step};

pub(super) const TWO_STEPS: &str =
    "what leaves a REST API goes first, then the API is deployed anew; in one step it would stay open";

/// What of a deployment is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    First,
    Second,
}

impl Part {
    /// What stands before its change set is executed.
    pub(super) fn stands(self) -> &'static str {
        match self {
            Self::Whole | Self::First => "nothing was changed",
            Self::Second => HALF_DONE,
        }
    }
}

const HALF_DONE: &str =
    "the first of two steps is done: what leaves is out of the REST API, and its stages serve it until the second is";

impl Run<'_> {
    /// What has to be deployed before the stack itself; nothing where one step does.
    pub(super) async fn first_step(&self, existing: Option<&Stack>) -> Outcome<Option<Unit>> {
        let Some(existing) = existing else { return Ok(None) };
        let deployed = self.untouched("the stack was looked at", stack::template(self.account, &existing.id)).await?;
        let Ok(deployed) = text::parse(&deployed) else {
            self.session.screen.warn(format_args!(
                "the deployed template cannot be read, so whether a route leaves a REST API is not known; one that does \
                 stays open until the API is deployed once more"
            ));
            return Ok(None);
        };
        let wanted: Value = serde_json::from_str(&self.unit.template).unwrap_or_default();
        let first = steps::first(&deployed, &wanted);
        Ok(first.map(|template| Unit { template: template.to_string(), ..self.unit.clone() }))
    }

    /// Makes both steps, and returns the stack as it is then.
    pub(super) async fn in_two_steps(
        &self,
        first: &Unit,
        existing: Option<&Stack>,
        store: Option<&Store>,
    ) -> Outcome<Stack> {
        let made = Run { unit: first, part: Part::First, ..*self }.step(existing, store).await?;
        let second = Run { part: Part::Second, ..*self };
        let done = second.step(made.as_ref().or(existing), store).await?;
        done.ok_or_else(|| second.failed("CloudFormation finds nothing to do in the second step", None, NOTHING_DONE))
    }

    /// One of the steps; nothing when there is nothing to do in it.
    async fn step(&self, existing: Option<&Stack>, store: Option<&Store>) -> Outcome<Option<Stack>> {
        match self.prepare(existing, store).await? {
            Prepared::Ready(change_set) => {
                if let Err(weaker) = self.still_agreed(&change_set).await {
                    let discarded = change_set::discard(self.account, &change_set).await;
                    discarded.map_err(|error| self.before_execution(error))?;
                    return Err(weaker);
                }
                self.carry_out(&change_set).await.map(Some)
            }
            Prepared::Unchanged => Ok(None),
            Prepared::Cancelled => Err(self.interrupted_between()),
        }
    }

    fn interrupted_between(&self) -> Failure {
        let stands = format!("{}; run {}, which goes on", self.part.stands(), self.again());
        Step { during: "a deployment was made in two steps", stands: &stands }.interrupted()
    }
}

/// What stands when the second step failed and left what the first made, and the next command; nothing in any other state.
pub(super) fn after_second_step(part: Part, status: &str, again: &str) -> Option<String> {
    let state = match status {
        NOTHING_DONE => String::new(),
        "UPDATE_ROLLBACK_COMPLETE" | "UPDATE_FAILED" => format!(", and the stack is in {status}"),
        _ => return None,
    };
    (part == Part::Second).then(|| format!("{HALF_DONE}{state}. Mend the cause and run {again}, which goes on"))
}

#[cfg(test)]
mod tests {
    use super::{NOTHING_DONE, Part, after_second_step};

    #[test]
    fn what_the_first_step_made_is_told_where_it_stands() {
        let told = |part, status| after_second_step(part, status, "`stackgen deploy notes`");
        for status in [NOTHING_DONE, "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"] {
            let said = told(Part::Second, status).unwrap_or_default();
            assert!(said.contains(status) && said.ends_with("run `stackgen deploy notes`, which goes on"), "{said}");
            assert_eq!((told(Part::First, status), told(Part::Whole, status)), (None, None), "{status}");
        }
        for status in ["UPDATE_ROLLBACK_FAILED", "DELETE_COMPLETE"] {
            assert_eq!(told(Part::Second, status), None, "another command is next");
        }
    }
}
