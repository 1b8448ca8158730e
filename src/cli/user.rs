//! `stackgen user`: users of a deployed pool.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use stackgen::deploy::users::{Lasting, NewUser, Pool, User};

use super::deploy::pair;
use super::output::{Repeat, bold, dim, green, yellow};
use super::pool::{Owner, PASSWORD_VARIABLE, Reached, Which, given_password};
use super::{Outcome, Session, Table, block_on};

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a user who can sign in at once.
    ///
    /// The password comes from `--password-file`, from the variable STACKGEN_PASSWORD, or from a prompt. For the local
    /// cloud one is made up when none is given, and kept under `.stackgen/`, where `token` and `call` find it.
    Create(Create),
    /// Confirms a user's sign-up, as an administrator or with the code that the user was sent.
    Confirm(Confirm),
    /// Lists the users of a pool.
    List(List),
    /// Deletes a user.
    Delete(Delete),
}

/// Arguments of `stackgen user create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the user, or the email address that stands for it.
    name: String,
    /// An attribute, such as `given_name=Alice` or `custom:team=blue`.
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = pair)]
    attributes: Vec<(String, String)>,
    /// A group to join.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// The user must choose another password at the first sign-in.
    #[arg(long)]
    temporary: bool,
    /// File with the password on its first line.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

/// Arguments of `stackgen user confirm`.
#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// Name of the user.
    name: String,
    /// The code that the user was sent; without it an administrator confirms.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Id of the client in the stack file; the only one when absent.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    #[command(flatten)]
    which: Which,
}

/// Arguments of `stackgen user list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
}

/// Arguments of `stackgen user delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Name of the user.
    name: String,
    /// Does not ask. In the local cloud nothing is asked.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    which: Which,
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        block_on(async {
            match self {
                Self::Create(create) => create.run(session).await,
                Self::Confirm(confirm) => confirm.run(session).await,
                Self::List(list) => list.run(session).await,
                Self::Delete(delete) => delete.run(session).await,
            }
        })
    }
}

async fn reach(session: &Session, which: &Which) -> Outcome<(Reached, String, Pool)> {
    let reached = Reached::stack(session, which.stack.as_deref(), &which.target).await?;
    let (id, pool) = reached.pool(which.pool.as_deref())?;
    Ok((reached, id, pool))
}

impl Create {
    async fn run(&self, session: &Session) -> Outcome {
        let (reached, _, pool) = reach(session, &self.which).await?;
        let given = given_password(self.password_file.as_deref(), PASSWORD_VARIABLE)?;
        let make_up = given.is_none() && reached.account.is_local();
        let password = match given {
            Some(password) => password,
            None if make_up => pool.password_rules().await?.password(),
            None => session.screen.password(&format!("Password for {}", self.name), Repeat::Twice)?,
        };
        let user = NewUser {
            name: self.name.clone(),
            attributes: self.attributes.iter().cloned().collect(),
            groups: self.groups.clone(),
            lasting: if self.temporary { Lasting::Temporary } else { Lasting::Permanent },
            password,
        };
        pool.create(&user).await?;
        let owner = Owner { reached: &reached, pool: &pool.id, name: &self.name };
        let kept = if make_up { Some(kept(&pool, owner, &user.password).await?) } else { None };
        // They are those of somebody who had the name before.
        let forgotten = if make_up { owner.forget_tokens() } else { owner.forget() };
        forgotten?;
        let document = json!({
            "user": self.name,
            "pool": pool.id,
            "temporary": self.temporary,
            "passwordFile": kept,
        });
        session.screen.answer(&document, || {
            let mut text = format!("{} user {} was made\n", green("✓"), bold(&self.name));
            if let Some(kept) = &kept {
                text.push_str(&format!("  a password was made up, and is kept in {}\n", kept.display()));
            }
            let flags = reached.pool_flags(self.which.pool.as_deref());
            text.push_str(&format!("\n{}\n  stackgen token {}{flags}\n", dim("Try next:"), self.name));
            text
        });
        Ok(())
    }
}

/// Where the password is kept that was made up. A user whose password nobody will ever know is not left behind.
async fn kept(pool: &Pool, owner: Owner<'_>, password: &str) -> Outcome<PathBuf> {
    let failure = match owner.keep_password(password) {
        Ok(file) => return Ok(file),
        Err(failure) => failure,
    };
    match pool.delete(owner.name).await {
        Ok(()) => Err(failure),
        Err(obstacle) => {
            let stays = "a user whose password nobody knows stays, and could not be removed again";
            Err(failure.standing(&format!("{stays}: {obstacle}")))
        }
    }
}

impl Confirm {
    async fn run(&self, session: &Session) -> Outcome {
        let (reached, id, pool) = reach(session, &self.which).await?;
        match &self.code {
            Some(code) => {
                let client = reached.client(&id, &pool, self.client.as_deref()).await?;
                pool.confirm_with_code(&client, &self.name, code).await?;
            }
            None => pool.confirm(&self.name).await?,
        }
        session.screen.answer(&json!({ "user": self.name, "confirmed": true }), || {
            format!("{} user {} is confirmed", green("✓"), bold(&self.name))
        });
        Ok(())
    }
}

impl List {
    async fn run(&self, session: &Session) -> Outcome {
        let (_, _, pool) = reach(session, &self.which).await?;
        let users = pool.users().await?;
        let document: Vec<Value> = users
            .iter()
            .map(|user| {
                json!({
                    "name": user.name,
                    "status": user.status,
                    "enabled": user.enabled,
                    "attributes": user.attributes,
                })
            })
            .collect();
        session.screen.answer(&json!({ "pool": pool.id, "users": document }), || told(&users));
        Ok(())
    }
}

fn told(users: &[User]) -> String {
    if users.is_empty() {
        return dim("there are no users yet");
    }
    let mut table = Table::new(["name", "email", "state"]);
    for user in users {
        let state = if user.enabled { user.status.to_lowercase().replace('_', " ") } else { yellow("disabled") };
        table.row([user.name.clone(), user.attributes.get("email").cloned().unwrap_or_default(), state]);
    }
    table.to_string()
}

impl Delete {
    async fn run(&self, session: &Session) -> Outcome {
        let (reached, _, pool) = reach(session, &self.which).await?;
        if !self.yes && !reached.account.is_local() {
            let title = reached.account.title();
            session.screen.consent(&format!("Delete user `{}` of pool `{}` in {title}?", self.name, pool.id))?;
        }
        // Whoever may delete users need not be allowed to look at them: then what is kept under other names stays.
        let mut names = pool.names(&self.name).await.unwrap_or_default();
        pool.delete(&self.name).await?;
        names.insert(self.name.clone());
        names.iter().try_for_each(|name| Owner { reached: &reached, pool: &pool.id, name }.forget())?;
        session.screen.answer(&json!({ "user": self.name, "deleted": true }), || {
            format!("{} user {} is deleted", green("✓"), bold(&self.name))
        });
        Ok(())
    }
}
