//! What is known of stacks before anything is built or uploaded for them.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use miette::{Diagnostic, NamedSource, SourceSpan};
use stackgen::deploy::aws::{self, Account};
use stackgen::deploy::{Unit, stack};
use stackgen::project::Project;
use thiserror::Error;

use crate::cli::output::listed;
use crate::cli::plan::{self, Planned};
use crate::cli::{Failure, Outcome, Target};

/// Why a deployment would fail.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// Parameters have no values.
    #[error("stack `{stack}` needs values for parameters: {names}")]
    #[diagnostic(
        code(stackgen::parameter::missing),
        help("nothing was done; give each with {flags}, or give it a `default` in the stack file")
    )]
    NoValues {
        stack: String,
        names: String,
        flags: String,
        #[source_code]
        source_code: NamedSource<String>,
        #[label("this")]
        place: Option<SourceSpan>,
    },
    /// A stack takes a value from another that does not export it yet.
    #[error("stack `{stack}` takes `{export}` from stack `{other}`, which {state}")]
    #[diagnostic(
        code(stackgen::export::missing),
        help("nothing was done; deploy both, with `stackgen deploy {other} {stack}{flags}`")
    )]
    NoExport { stack: String, other: String, export: String, state: &'static str, flags: String },
}

/// Refuses stacks of which a parameter has no value: none is given, deployed or a default.
pub(super) async fn has_parameters(account: &Account, planned: &[Planned], given: &BTreeSet<&str>) -> Outcome {
    for one in planned {
        let mut missing = plan::asked(one);
        missing.retain(|name| !given.contains(name.as_str()));
        if missing.is_empty() {
            continue;
        }
        let deployed = stack::describe(account, &one.file.name).await?.filter(stack::Stack::has_resources);
        missing.retain(|name| !deployed.as_ref().is_some_and(|stack| stack.parameters.contains_key(name)));
        if !missing.is_empty() {
            return Err(Failure::refused(no_values(one, &missing)));
        }
    }
    Ok(())
}

fn no_values(planned: &Planned, missing: &[String]) -> Error {
    let flags = missing.iter().map(|name| format!("`--parameter {name}=VALUE`"));
    Error::NoValues {
        stack: planned.file.name.clone(),
        names: listed(missing),
        flags: flags.collect::<Vec<_>>().join(" "),
        source_code: planned.file.source(),
        place: missing.first().and_then(|name| planned.file.place_of("parameters", name)),
    }
}

/// Refuses stacks that take values which other stacks of the project do not export yet and which are not deployed along.
pub(super) async fn has_exports(
    account: &Account,
    (project, target): (&Project, &Target),
    planned: &[Planned],
) -> Outcome {
    let is_planned = |name: &str| planned.iter().any(|one| one.file.name == name);
    for one in planned {
        for export in plan::imported(&one.template) {
            let Some((other, _)) = export.split_once(':') else { continue };
            if is_planned(other) || project.stack_file(other).is_err() {
                continue;
            }
            let state = match stack::describe(account, other).await {
                Ok(None) => "is not deployed",
                Ok(Some(stack)) if !stack.exports.contains(&export) => "does not export it as it is deployed",
                // Whoever may not look at the other stack lets CloudFormation say it.
                Ok(_) | Err(aws::Error::Denied { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let (stack, other, flags) = (one.file.name.clone(), other.to_owned(), target.flags());
            return Err(Failure::refused(Error::NoExport { stack, other, export, state, flags }));
        }
    }
    Ok(())
}

/// The stacks in the order in which they can be deployed: one that takes a value no more goes before the one that ceases to
/// export it, which CloudFormation refuses as long as it is in use.
pub(super) async fn in_order(account: &Account, all: Vec<(Planned, Unit)>) -> Outcome<Vec<(Planned, Unit)>> {
    if all.len() < 2 {
        return Ok(all);
    }
    let names = all.iter().map(|(planned, _)| planned.file.name.clone());
    let templates = try_join_all(names.map(async |name| {
        let template = match stack::template(account, &name).await {
            Ok(template) => template,
            // A stack that is not there, or that may not be looked at, holds nobody back.
            Err(error) if error.says_missing() || matches!(error, aws::Error::Denied { .. }) => String::new(),
            Err(error) => return Err(error),
        };
        Ok((name, plan::imported_by_text(&template)))
    }));
    let deployed: BTreeMap<String, BTreeSet<String>> = templates.await?.into_iter().collect();
    let planned: Vec<&Planned> = all.iter().map(|(planned, _)| planned).collect();
    let order = plan::letting_go(&planned, &deployed);
    let at = |name: &String| order.iter().position(|other| other == name);
    let mut all = all;
    all.sort_by_key(|(planned, _)| at(&planned.file.name));
    Ok(all)
}
