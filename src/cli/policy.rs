//! `stackgen bootstrap --policy`: what a deployer must be allowed to do.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use miette::Diagnostic;
use serde_json::json;
use stackgen::access::deployer::{self, Document, Holder, MOST_CHARACTERS, MOST_POLICIES, Place};
use stackgen::deploy::store::{BOOTSTRAP_STACK, Store};
use stackgen::project::Project;
use stackgen::synth::code::cdk_bucket;
use thiserror::Error;

use super::plan::{self, Planned};
use super::{Failure, Outcome, Session, Target, block_on, deploy};

/// What the policy depends on besides the stacks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy")]
pub(crate) struct Options {
    /// Account that is deployed to; that of the target when absent.
    #[arg(long, value_name = "ID", requires = "policy", value_parser = account)]
    account: Option<String>,
    /// Bucket that code goes through; where it is not known, our own or that of the CDK.
    #[arg(long, value_name = "NAME", requires = "policy")]
    bucket: Option<String>,
    /// Value of a template's parameter on which the name of a resource depends; else its default counts.
    #[arg(long = "parameter", value_name = "NAME=VALUE", requires = "policy", value_parser = deploy::pair)]
    parameters: Vec<(String, String)>,
    /// Permissions boundary that every role has to carry: the policy makes and changes no role without it.
    #[arg(long, value_name = "ARN", requires = "policy", value_parser = policy_arn)]
    permissions_boundary: Option<String>,
    /// Leaves out what `stackgen` itself asks of AWS: for a service role of CloudFormation, such as that of `cdk
    /// bootstrap --cloudformation-execution-policies`.
    #[arg(long, requires = "policy")]
    service_role: bool,
}

/// Why there is no policy.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// Neither named nor to be found out.
    #[error("the account and region of the policy are not known: {cause}")]
    #[diagnostic(
        code(stackgen::policy::place),
        help(
            "name both, `--account ID --region REGION`; or give credentials of the account, for example by `--profile`"
        )
    )]
    NoPlace { cause: String },
}

/// An account's id.
fn account(text: &str) -> Result<String, String> {
    let is_id = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_id { Ok(text.to_owned()) } else { Err("an account has twelve digits".to_owned()) }
}

/// The ARN of a managed policy.
fn policy_arn(text: &str) -> Result<String, String> {
    let is_arn = match text.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, "iam", "", owner, name] => {
            let name = name.strip_prefix("policy/").unwrap_or_default();
            partition.starts_with("aws") && (*owner == "aws" || account(owner).is_ok()) && !name.is_empty()
        }
        _ => false,
    };
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-/:".contains(&byte));
    match is_arn && is_plain {
        true => Ok(text.to_owned()),
        false => Err("a boundary is a managed policy, `arn:aws:iam::123456789012:policy/NAME`".to_owned()),
    }
}

impl Options {
    /// Prints the policy of these stacks, or of all.
    pub(crate) fn print(&self, session: &Session, project: &Project, stacks: &[String], target: &Target) -> Outcome {
        let names = session.stacks(project, stacks)?;
        let planned = plan::synthesize(plan::read(session, project, &names)?)?;
        let place = self.place(session, project, target)?;
        let documents = self.documents(&planned, &place).map_err(Failure::refused)?;
        if documents.len() > 1 {
            session.screen.note(format_args!(
                "a managed policy has at most {MOST_CHARACTERS} characters: these are {} policies, all of which are \
                 needed",
                documents.len()
            ));
        }
        if documents.len() > MOST_POLICIES {
            session.screen.warn(format_args!(
                "a role takes {MOST_POLICIES} managed policies unless AWS is asked for more; name fewer stacks"
            ));
        }
        let document = json!({ "account": place.account, "region": place.region, "policies": documents });
        session.screen.answer(&document, || shown(&documents));
        Ok(())
    }

    fn documents(&self, planned: &[Planned], place: &Place) -> Result<Vec<Document>, deployer::Refused> {
        let parameters: BTreeMap<String, String> = self.parameters.iter().cloned().collect();
        let stacks = planned.iter().map(|one| deployer::Stack {
            name: &one.file.name,
            template: &one.template,
            parameters: &parameters,
        });
        let stacks: Vec<deployer::Stack<'_>> = stacks.collect();
        let holder = if self.service_role { Holder::ServiceRole } else { Holder::Caller };
        Ok(deployer::documents(deployer::statements(&stacks, place, holder)?))
    }

    /// Where the stacks go: as it was named, else where the target is.
    fn place(&self, session: &Session, project: &Project, target: &Target) -> Outcome<Place> {
        let named = self.account.as_ref().zip(target.region.as_ref());
        let (region, account, found) = match named {
            Some((account, region)) => (region.clone(), account.clone(), None),
            None => self.found(session, project, target)?,
        };
        let bucket = self.bucket.clone().or(found);
        let buckets = bucket.map_or_else(|| usual_buckets(&region, &account), |bucket| BTreeSet::from([bucket]));
        Ok(Place { region, account, buckets, boundary: self.permissions_boundary.clone() })
    }

    /// Region, account and bucket of the target.
    fn found(
        &self,
        session: &Session,
        project: &Project,
        target: &Target,
    ) -> Outcome<(String, String, Option<String>)> {
        let found = block_on(async {
            let account = target.connect(session, project).await?;
            let store = Store::find(&account).await?;
            let id = self.account.clone().unwrap_or_else(|| account.id.clone());
            Ok((account.region, id, store.map(|store| store.bucket().to_owned())))
        });
        found.map_err(|failure| {
            let cause = failure.report.map_or_else(|| "nobody answers".to_owned(), |report| report.to_string());
            Failure::refused(Error::NoPlace { cause })
        })
    }
}

/// The buckets that may be there: our own, whose name ends as CloudFormation likes, and the CDK's.
fn usual_buckets(region: &str, account: &str) -> BTreeSet<String> {
    [format!("{BOOTSTRAP_STACK}-assets-*"), cdk_bucket(account, region)].into()
}

/// One policy as IAM takes it; several as a list.
fn shown(documents: &[Document]) -> String {
    let text = match documents {
        [only] => serde_json::to_string_pretty(only),
        several => serde_json::to_string_pretty(several),
    };
    text.expect("names and texts can be written as JSON")
}

#[cfg(test)]
mod tests {
    use super::{account, policy_arn};

    #[test]
    fn an_account_has_twelve_digits() {
        assert_eq!(account("123456789012"), Ok("123456789012".to_owned()));
        for wrong in ["", "*", "1234567890123", "12345678901a"] {
            assert!(account(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_boundary_is_the_arn_of_a_managed_policy() {
        for right in [
            "arn:aws:iam::123456789012:policy/bound",
            "arn:aws:iam::aws:policy/PowerUserAccess",
            "arn:aws-cn:iam::123456789012:policy/team/bound",
        ] {
            assert_eq!(policy_arn(right), Ok(right.to_owned()));
        }
        for wrong in [
            "",
            "bound",
            "arn:aws:iam::1:policy/b",
            "arn:aws:iam::123456789012:policy/",
            "arn:aws:iam::123456789012:policy/*",
            "arn:aws:iam::123456789012:role/b",
        ] {
            assert!(policy_arn(wrong).is_err(), "{wrong}");
        }
    }
}
