//! From names in a stack file to a deployed user pool and its client, and what is kept of their users.

use std::env::VarError;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use serde_json::Value;
use sha2::{Digest, Sha256};
use stackgen::deploy::aws::Account;
use stackgen::deploy::stack::{self, Deployed, Stack};
use stackgen::deploy::users::{Flags, Pool, PoolClient};
use stackgen::project::Project;
use stackgen::template::text;
use thiserror::Error;

use super::output::{Repeat, listed};
use super::outputs::Error as OutputsError;
use super::target::write_private;
use super::{Failure, Outcome, Session, Target};

/// Which pool is meant. The target is the one that the stack was deployed to last, unless it is named.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// Name of the stack; the only one of the project when absent.
    #[arg(long, value_name = "STACK")]
    pub(crate) stack: Option<String>,
    /// Id of the user pool in the stack file; the only one when absent.
    #[arg(long, value_name = "ID")]
    pub(crate) pool: Option<String>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Why a pool, a client or a password is not to be had.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// The stack has no resource of that kind.
    #[error("stack `{stack}` has no {what}")]
    #[diagnostic(code(stackgen::pool::none), help("declare one in the stack file and deploy again"))]
    None { stack: String, what: &'static str },
    /// Several could be meant.
    #[error("stack `{stack}` has several {what}s: {names}")]
    #[diagnostic(code(stackgen::pool::several), help("name one with `--{flag}`"))]
    Several { stack: String, what: &'static str, names: String, flag: &'static str },
    /// The named one is not there.
    #[error("stack `{stack}` has no {what} `{name}`")]
    #[diagnostic(code(stackgen::pool::unknown), help("it has {names}"))]
    Unknown { stack: String, what: &'static str, name: String, names: String },
    /// The password file cannot be read.
    #[error("`{}` cannot be read", path.display())]
    #[diagnostic(code(stackgen::password::file), help("name a file that holds the password on its first line"))]
    PasswordFile { path: PathBuf, source: io::Error },
    /// The variable holds bytes that are no text.
    #[error("`{variable}` is not UTF-8")]
    #[diagnostic(
        code(stackgen::password::encoding),
        help("a password is UTF-8: look at the encoding of the terminal or script that sets it")
    )]
    PasswordEncoding { variable: String },
    /// There is no password in it.
    #[error("{source_name} holds no password")]
    #[diagnostic(code(stackgen::password::empty), help("the first line is the password"))]
    EmptyPassword { source_name: String },
    /// What was kept cannot be removed.
    #[error("`{}` cannot be removed", path.display())]
    #[diagnostic(code(stackgen::state), help("remove it by hand"))]
    NotForgotten { path: PathBuf, source: io::Error },
}

/// A deployed stack, and how it was reached.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) project: Project,
    pub(crate) account: Account,
    pub(crate) stack: Stack,
    pub(crate) resources: Vec<Deployed>,
    pub(crate) template: Value,
    /// Where it is: the target that was named, or the one that is remembered.
    pub(crate) target: Target,
    /// What a command says that means this stack there.
    flags: String,
}

impl Reached {
    /// Connects to where the stack is deployed.
    pub(crate) async fn stack(session: &Session, named: Option<&str>, target: &Target) -> Outcome<Self> {
        let project = session.project()?;
        let name = session.stack(&project, named, " with `--stack`")?;
        let flags = format!("{}{}", session.stack_flag(&name), target.flags());
        let target = target.clone().or_last(&project, &name);
        let account = target.connect(session, &project).await?;
        let Some(stack) = stack::describe(&account, &name).await? else {
            let missing = OutputsError::NotDeployed { stack: name, target: account.title(), flags: target.flags() };
            return Err(missing.into());
        };
        let (resources, template) =
            tokio::try_join!(stack::resources(&account, &stack.id), stack::template(&account, &stack.id))?;
        let template = text::parse(&template).unwrap_or_default();
        Ok(Self { project, account, stack, resources, template, target, flags })
    }

    /// The pool that is meant, with its id in the template.
    pub(crate) fn pool(&self, named: Option<&str>) -> Outcome<(String, Pool)> {
        let pools = self.of_kind("AWS::Cognito::UserPool");
        let pool = self.choose(&pools, "user pool", named, "pool")?;
        let flags = Flags {
            pool: self.pool_flags(named.map(|_| pool.logical_id.as_str())),
            removal: format!(" {}{}", self.stack.name, self.target.flags()),
        };
        Ok((pool.logical_id.clone(), Pool::new(&self.account, &pool.physical_id).with_flags(flags)))
    }

    /// What a command says that means the same stack, and the pool where one has to be named.
    pub(crate) fn pool_flags(&self, named: Option<&str>) -> String {
        let pool = named.map(|pool| format!(" --pool {pool}")).unwrap_or_default();
        format!("{}{pool}", self.flags)
    }

    /// The client of the pool that is meant.
    pub(crate) async fn client(&self, pool_id: &str, pool: &Pool, named: Option<&str>) -> Outcome<PoolClient> {
        let client = self.choose(&self.clients_of(pool_id), "user pool client", named, "client")?;
        Ok(pool.client(&client.physical_id).await?.named(&client.logical_id))
    }

    /// Clients of the pool: those of these ids in the template, or all when no id is given.
    pub(crate) async fn clients(&self, pool_id: &str, pool: &Pool, ids: &[String]) -> Outcome<Vec<PoolClient>> {
        let mut clients = Vec::new();
        for client in self.clients_of(pool_id) {
            if ids.is_empty() || ids.contains(&client.logical_id) {
                clients.push(pool.client(&client.physical_id).await?.named(&client.logical_id));
            }
        }
        Ok(clients)
    }

    fn clients_of(&self, pool_id: &str) -> Vec<&Deployed> {
        let mut clients = self.of_kind("AWS::Cognito::UserPoolClient");
        clients.retain(|client| {
            let pointer = format!("/Resources/{}/Properties/UserPoolId/Ref", client.logical_id);
            self.template.pointer(&pointer).and_then(Value::as_str).is_none_or(|owner| owner == pool_id)
        });
        clients
    }

    /// Whether a function of the pool's owner may add scopes to the tokens of a sign-in.
    pub(crate) fn adds_scopes(&self, pool_id: &str) -> bool {
        let pointer = format!("/Resources/{pool_id}/Properties/LambdaConfig/PreTokenGenerationConfig");
        self.template.pointer(&pointer).is_some()
    }

    fn of_kind(&self, kind: &str) -> Vec<&Deployed> {
        self.resources.iter().filter(|resource| resource.kind == kind).collect()
    }

    fn choose<'a>(
        &self,
        from: &[&'a Deployed],
        what: &'static str,
        named: Option<&str>,
        flag: &'static str,
    ) -> Outcome<&'a Deployed> {
        let stack = self.stack.name.clone();
        let names = || listed(from.iter().map(|one| &one.logical_id));
        match (named, from) {
            (_, []) => Err(Failure::refused(Error::None { stack, what })),
            (None, [only]) => Ok(only),
            (None, _) => Err(Failure::refused(Error::Several { stack, what, names: names(), flag })),
            (Some(name), _) => {
                from.iter().find(|one| one.logical_id == name).copied().ok_or_else(|| {
                    Failure::refused(Error::Unknown { stack, what, name: name.to_owned(), names: names() })
                })
            }
        }
    }
}

/// The environment variable that holds a password.
pub(crate) const PASSWORD_VARIABLE: &str = "STACKGEN_PASSWORD";

/// The environment variable that holds the password that takes the place of a temporary one.
pub(crate) const NEW_PASSWORD_VARIABLE: &str = "STACKGEN_NEW_PASSWORD";

/// A password that was given without asking: in a file, or in the environment.
pub(crate) fn given_password(file: Option<&Path>, variable: &str) -> Outcome<Option<String>> {
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Failure::refused(Error::PasswordFile { path: path.to_owned(), source }))?;
        // Editors of Windows begin a file with it; nobody types it.
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        return first_line(text, &format!("`{}`", path.display())).map(Some);
    }
    match std::env::var(variable) {
        Ok(text) => first_line(&text, &format!("`{variable}`")).map(Some),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Failure::refused(Error::PasswordEncoding { variable: variable.to_owned() }))
        }
    }
}

const BYTE_ORDER_MARK: char = '\u{feff}';

fn first_line(text: &str, source_name: &str) -> Outcome<String> {
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(Failure::refused(Error::EmptyPassword { source_name: source_name.to_owned() })),
    }
}

/// A user of whom something is kept, in files that nobody else may read. Users of the same name are told apart by the id
/// that their pool got when it was made: it differs between the pools of a stack, and between its accounts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) reached: &'a Reached,
    /// Id of the pool, such as `eu-central-1_AbC`.
    pub(crate) pool: &'a str,
    pub(crate) name: &'a str,
}

/// What is kept of users, by the folder that it lies in.
const KEPT: [&str; 3] = [PASSWORDS, TOKENS, GRANTED];

/// Passwords that were made up.
const PASSWORDS: &str = "passwords";

/// Tokens of sign-ins with a password.
const TOKENS: &str = "tokens";

/// Tokens that came through the pools' pages.
const GRANTED: &str = "granted";

impl Owner<'_> {
    /// The password of a user who exists: given, kept from the time when it was made up, or asked for.
    pub(crate) fn known_password(&self, session: &Session, file: Option<&Path>) -> Outcome<String> {
        match self.settled_password(file)? {
            Some(password) => Ok(password),
            None => session.screen.password(&format!("Password of {}", self.name), Repeat::Once),
        }
    }

    /// The password of a user that is known without asking: given, or kept from the time when it was made up.
    pub(crate) fn settled_password(&self, file: Option<&Path>) -> Outcome<Option<String>> {
        if let Some(password) = given_password(file, PASSWORD_VARIABLE)? {
            return Ok(Some(password));
        }
        if !self.reached.account.is_local() {
            return Ok(None);
        }
        let kept = std::fs::read_to_string(self.file(PASSWORDS));
        Ok(kept.ok().map(|kept| kept.trim_end().to_owned()))
    }

    /// Keeps the password that was made up for a local user.
    pub(crate) fn keep_password(&self, password: &str) -> Outcome<PathBuf> {
        let file = self.file(PASSWORDS);
        write_private(&file, format!("{password}\n").as_bytes())?;
        Ok(file)
    }

    /// Where the tokens of a sign-in with a password are kept.
    pub(crate) fn token_file(&self) -> PathBuf {
        self.file(TOKENS)
    }

    /// Where the tokens are kept that came through the pool's pages.
    pub(crate) fn granted_file(&self) -> PathBuf {
        self.file(GRANTED)
    }

    fn file(&self, kept: &str) -> PathBuf {
        folder(&self.reached.project, kept, &self.reached.stack.name)
            .join(file_name(self.pool))
            .join(file_name(self.name))
    }

    /// Removes all that is kept.
    pub(crate) fn forget(&self) -> Outcome {
        KEPT.iter().try_for_each(|kept| remove(&self.file(kept)))
    }

    /// Removes the tokens that are kept.
    pub(crate) fn forget_tokens(&self) -> Outcome {
        [TOKENS, GRANTED].iter().try_for_each(|kept| remove(&self.file(kept)))
    }
}

fn folder(project: &Project, kept: &str, stack: &str) -> PathBuf {
    project.state().join(kept).join(stack)
}

fn remove(path: &Path) -> Outcome {
    gone(path, std::fs::remove_file(path))
}

/// Removes what is kept of all users of these pools of a stack.
pub(crate) fn forget_users<'a>(project: &Project, stack: &str, pools: impl Iterator<Item = &'a str>) -> Outcome {
    let mut folders = pools.flat_map(|pool| KEPT.map(|kept| folder(project, kept, stack).join(file_name(pool))));
    folders.try_for_each(|path| gone(&path, std::fs::remove_dir_all(&path)))
}

fn gone(path: &Path, removed: io::Result<()>) -> Outcome {
    match removed {
        Err(source) if !matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(Error::NotForgotten { path: path.to_owned(), source }.into())
        }
        _ => Ok(()),
    }
}

/// The name as one file of one folder; a name that could be anything else becomes its digest.
fn file_name(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@._+-".contains(c);
    if name.len() <= 100 && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_plain) {
        return name.to_owned();
    }
    hex::encode(Sha256::digest(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_name_is_one_file_in_one_folder() {
        assert_eq!(file_name("alice@example.com"), "alice@example.com");
        for hostile in ["..", "../../etc/passwd", "a/b", "", ".hidden", "a\0b", &"a".repeat(200)] {
            let safe = file_name(hostile);
            assert_eq!(safe.len(), 64, "{hostile:?}");
            assert!(safe.chars().all(|c| c.is_ascii_hexdigit()), "{hostile:?}");
        }
    }
}
