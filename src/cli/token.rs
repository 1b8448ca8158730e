//! `stackgen token`: tokens of a user, kept until they end.

use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stackgen::access::flaw::Flaw;
use stackgen::access::probe::SELF_SERVICE;
use stackgen::deploy::oauth::{Granted, carries};
use stackgen::deploy::tokens::{self, Error as TokensError, Kind, Mint, Wanted as WantedToken};
use stackgen::deploy::users::{Error as UsersError, NewPassword, Pool, PoolClient, SignedIn, Tokens};
use thiserror::Error;

use super::flawed::Flawed;
use super::oauth::{self, Opening, Wanted};
use super::output::Repeat;
use super::pool::{NEW_PASSWORD_VARIABLE, Owner, Reached, Which, given_password};
use super::target::write_private;
use super::{Failure, Outcome, Session, block_on};

/// Arguments of `stackgen token`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the user; none for a client that signs in as itself.
    name: Option<String>,
    /// The ID token: who the user is. This is the default.
    #[arg(long, conflicts_with = "access")]
    id: bool,
    /// The access token: what the user may do.
    #[arg(long)]
    access: bool,
    /// A scope that the access token must carry, asked for through the pool's OAuth endpoints.
    #[arg(long = "scope", value_name = "SCOPE", conflicts_with = "id")]
    scopes: Vec<String>,
    /// Prints the address of the sign-in page, and opens no browser.
    #[arg(long)]
    no_browser: bool,
    #[command(flatten)]
    sign_in: SignIn,
    #[command(flatten)]
    flawed: Flawed,
    #[command(flatten)]
    which: Which,
}

/// How a user signs in.
#[derive(Debug, Clone, Args)]
pub(crate) struct SignIn {
    /// File with the password on its first line; else STACKGEN_PASSWORD, or a prompt.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// File with the password that takes the place of a temporary one; else STACKGEN_NEW_PASSWORD, or a prompt. For the
    /// local cloud one is made up when none is given.
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    /// Id of the client in the stack file; the only one when absent.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
}

impl SignIn {
    /// Id of the client in the stack file, where one is named.
    pub(crate) fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// The same with this client where none is named.
    pub(crate) fn or_client(self, id: Option<&str>) -> Self {
        Self { client: self.client.or(id.map(str::to_owned)), ..self }
    }

    /// File with the password.
    pub(crate) fn password_file(&self) -> Option<&Path> {
        self.password_file.as_deref()
    }
}

/// Why there is no token.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// It lacks a scope.
    #[error("the access token of `{name}` does not carry scope `{scope}`")]
    #[diagnostic(code(stackgen::token::scope), help("a trigger of the pool may have taken it away"))]
    NoScope { name: String, scope: String },
    /// Nobody is named, and the client does not sign in as itself.
    #[error("client `{client}` signs in for users, and no user is named")]
    #[diagnostic(
        code(stackgen::token::nobody),
        help("name the user: `stackgen token NAME`; or a client with the flow `clientCredentials`: `--client ID`")
    )]
    Nobody { client: String },
}

/// Tokens on disk, with what they belong to.
#[derive(Serialize, Deserialize)]
struct Kept {
    pool: String,
    client: String,
    tokens: Tokens,
}

/// A token, whose it is and until when it is good.
struct Had {
    owner: String,
    token: String,
    expires: i64,
}

impl Arguments {
    /// Prints the token.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        if let (Some(name), Some(flaw)) = (&self.name, self.flawed.flaw) {
            return block_on(self.bad(session, name, flaw));
        }
        block_on(async {
            let reached = Reached::stack(session, self.which.stack.as_deref(), &self.which.target).await?;
            let had = match &self.name {
                None => self.of_machine(&reached).await?,
                Some(name) if self.scopes.iter().any(|scope| scope != SELF_SERVICE) => {
                    self.by_pages(session, &reached, name).await?
                }
                Some(name) => self.by_password(session, &reached, name).await?,
            };
            if let Some(scope) = self.scopes.iter().find(|scope| !carries(&had.token, scope)) {
                return Err(Failure::refused(Error::NoScope { name: had.owner, scope: scope.clone() }));
            }
            let owner = if self.name.is_some() { "user" } else { "client" };
            let document = json!({ (owner): had.owner, "token": had.token, "expires": had.expires });
            session.screen.answer(&document, || had.token.clone());
            Ok(())
        })
    }

    /// Prints a token that nobody may take.
    async fn bad(&self, session: &Session, name: &str, flaw: Flaw) -> Outcome {
        let project = session.project()?;
        let stack = session.stack(&project, self.which.stack.as_deref(), " with `--stack`")?;
        let target = self.which.target.clone().or_last(&project, &stack);
        if !target.may_be_local() {
            return Err(Failure::refused(TokensError::NotLocal { title: target.title() }));
        }
        let reached = Reached::stack(session, Some(&stack), &target).await?;
        let mint = mint(&reached).await?;
        let (pool, client) = self.chosen(&reached).await?;
        let kind = if flaw == Flaw::MissingScope && !self.id { Kind::Access } else { self.kind() };
        let wanted = WantedToken { pool: &pool.id, client: &client.id, user: name, kind, scopes: &self.scopes };
        let token = mint.flawed(&wanted, flaw).await?;
        session.screen.note(format_args!("nobody may take this token: it {}", flaw.wrong()));
        let expires = tokens::expires(&token);
        let document = json!({ "user": name, "token": token, "expires": expires, "flaw": flaw.name() });
        session.screen.answer(&document, || token.clone());
        Ok(())
    }

    fn kind(&self) -> Kind {
        if self.access || !self.scopes.is_empty() { Kind::Access } else { Kind::Id }
    }

    async fn chosen(&self, reached: &Reached) -> Outcome<(Pool, PoolClient)> {
        let (id, pool) = reached.pool(self.which.pool.as_deref())?;
        let client = reached.client(&id, &pool, self.sign_in.client.as_deref()).await?;
        Ok((pool, client))
    }

    async fn of_machine(&self, reached: &Reached) -> Outcome<Had> {
        let (pool, client) = self.chosen(reached).await?;
        let owner = client.name.clone();
        if !client.oauth_flows.iter().any(|flow| flow == "client_credentials") {
            return Err(Failure::refused(Error::Nobody { client: owner }));
        }
        let Granted { access, expires, .. } = oauth::machine(&pool, &client, &self.scopes).await?;
        Ok(Had { owner, token: access, expires })
    }

    async fn by_pages(&self, session: &Session, reached: &Reached, name: &str) -> Outcome<Had> {
        let (pool, client) = self.chosen(reached).await?;
        let opening = if self.no_browser { Opening::Printed } else { Opening::Browser };
        let wanted = Wanted { scopes: &self.scopes, password_file: self.sign_in.password_file.as_deref(), opening };
        let granted = oauth::person(session, reached, (&pool, &client), name, wanted).await?;
        Ok(Had { owner: name.to_owned(), token: granted.access, expires: granted.expires })
    }

    async fn by_password(&self, session: &Session, reached: &Reached, name: &str) -> Outcome<Had> {
        let pool = self.which.pool.as_deref();
        let tokens = signed_in(session, reached, pool, name, &self.sign_in).await?;
        Ok(Had { owner: name.to_owned(), token: pick(&tokens, self.kind()).to_owned(), expires: tokens.expires })
    }
}

/// Where tokens are made without a sign-in.
pub(crate) async fn mint(reached: &Reached) -> Outcome<Mint> {
    Mint::of(&reached.account).await.map_err(|error| match error {
        TokensError::NotLocal { .. } => Failure::refused(error),
        error => error.into(),
    })
}

/// The token that is wanted.
pub(crate) fn pick(tokens: &Tokens, kind: Kind) -> &str {
    match kind {
        Kind::Id => &tokens.id,
        Kind::Access => &tokens.access,
    }
}

/// Tokens of a user: those that are kept, renewed ones, or those of a new sign-in.
pub(crate) async fn signed_in(
    session: &Session,
    reached: &Reached,
    pool: Option<&str>,
    name: &str,
    sign_in: &SignIn,
) -> Outcome<Tokens> {
    let (id, pool) = reached.pool(pool)?;
    let client = reached.client(&id, &pool, sign_in.client.as_deref()).await?;
    let owner = Owner { reached, pool: &pool.id, name };
    let file = owner.token_file();
    let user = User { session, owner, pool: &pool, client: &client };
    let fresh = match kept(&file, &pool, &client) {
        Some(tokens) if tokens.expires > now() + SOON => return Ok(tokens),
        Some(tokens) => user.renewed(&tokens).await?,
        None => None,
    };
    let fresh = match fresh {
        Some(fresh) => fresh,
        None => user.sign_in(sign_in).await?,
    };
    let kept = Kept { pool: pool.id.clone(), client: client.id.clone(), tokens: fresh };
    write_private(&file, &serde_json::to_vec(&kept).expect("texts and numbers can be written as JSON"))?;
    Ok(kept.tokens)
}

/// A user who signs in.
struct User<'a> {
    session: &'a Session,
    owner: Owner<'a>,
    pool: &'a Pool,
    client: &'a PoolClient,
}

impl User<'_> {
    /// New tokens for old; nothing when the pool wants a new sign-in.
    async fn renewed(&self, old: &Tokens) -> Outcome<Option<Tokens>> {
        match self.pool.refresh(self.client, self.owner.name, old).await {
            Ok(tokens) => Ok(tokens),
            Err(error @ (UsersError::Aws(_) | UsersError::Gone { .. })) => Err(error.into()),
            Err(refused) => {
                self.session.screen.note(format_args!("the token that was kept is not renewed: {refused}"));
                Ok(None)
            }
        }
    }

    async fn sign_in(&self, sign_in: &SignIn) -> Outcome<Tokens> {
        let password = self.owner.known_password(self.session, sign_in.password_file.as_deref())?;
        match self.pool.sign_in(self.client, self.owner.name, &password).await? {
            SignedIn::Done(tokens) => Ok(tokens),
            SignedIn::NewPassword(asked) => self.choose_password(sign_in, asked).await,
        }
    }

    /// The password was temporary: another one takes its place.
    async fn choose_password(&self, sign_in: &SignIn, asked: NewPassword) -> Outcome<Tokens> {
        let password = self.new_password(sign_in.new_password_file.as_deref()).await?;
        let name = self.owner.name;
        let tokens = self.pool.choose_password(self.client, name, asked, &password).await?;
        if self.owner.reached.account.is_local() {
            let kept = self.owner.keep_password(&password)?;
            self.session.screen.note(format_args!("{name} has a new password, kept in {}", kept.display()));
        }
        Ok(tokens)
    }

    async fn new_password(&self, file: Option<&Path>) -> Outcome<String> {
        let (screen, name) = (&self.session.screen, self.owner.name);
        match given_password(file, NEW_PASSWORD_VARIABLE)? {
            Some(password) => Ok(password),
            None if self.owner.reached.account.is_local() => Ok(self.pool.password_rules().await?.password()),
            None if screen.can_ask() => screen.password(&format!("New password for {name}"), Repeat::Twice),
            None => Err(Failure::refused(UsersError::NewPassword { name: name.to_owned() })),
        }
    }
}

/// Seconds before its end in which a token is renewed already.
pub(super) const SOON: i64 = 30;

fn kept(file: &Path, pool: &Pool, client: &PoolClient) -> Option<Tokens> {
    let kept: Kept = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    (kept.pool == pool.id && kept.client == client.id).then_some(kept.tokens)
}

/// Seconds of Unix time.
pub(super) fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}
