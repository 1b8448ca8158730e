//! Users of a deployed pool, and tokens for them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cognitoidentityprovider::Client as Cognito;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, AuthFlowType, AuthenticationResultType, ChallengeNameType, ExplicitAuthFlowsType, MessageActionType,
    PasswordPolicyType, UserType, UsernameAttributeType,
};
use miette::Diagnostic;
use thiserror::Error;
use time::OffsetDateTime;

use super::aws::{Account, During, Error as AwsError};
use super::srp::{Challenge, Exchange, secret_hash};
use super::tokens::claims;

/// A deployed user pool.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Its id, such as `eu-central-1_AbC`.
    pub id: String,
    flags: Flags,
    account: Account,
    cognito: Cognito,
}

/// A deployed client of a pool: through it users sign in.
#[derive(Clone)]
pub struct PoolClient {
    /// Its id.
    pub id: String,
    /// What people call it: its id in the template where that is known.
    pub name: String,
    secret: Option<String>,
    flows: Vec<ExplicitAuthFlowsType>,
    /// OAuth flows that it may use, such as `client_credentials`.
    pub oauth_flows: Vec<String>,
    /// Scopes that it may ask for.
    pub oauth_scopes: Vec<String>,
    /// Where the sign-in pages may send people back to.
    pub callbacks: Vec<String>,
}

/// A user as the pool lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Name that the pool knows it by, often a UUID.
    pub name: String,
    /// `CONFIRMED`, `UNCONFIRMED`, `FORCE_CHANGE_PASSWORD` and so on.
    pub status: String,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

/// A user to be made.
#[derive(Clone)]
pub struct NewUser {
    /// Name, or the address that stands for it.
    pub name: String,
    /// Attributes.
    pub attributes: BTreeMap<String, String>,
    /// Groups to join.
    pub groups: Vec<String>,
    /// Password.
    pub password: String,
    /// Whether the password must be changed at the first sign-in.
    pub lasting: Lasting,
}

/// How long a password stays valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// Until it is changed.
    Permanent,
    /// Until the first sign-in.
    Temporary,
}

/// What a sign-in yields.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Tokens {
    /// Who the user is.
    pub id: String,
    /// What the user may do.
    pub access: String,
    /// Renews the other two.
    pub refresh: Option<String>,
    /// When the other two end, in seconds of Unix time.
    pub expires: i64,
}

/// Where a sign-in with a password leads.
#[derive(Clone)]
pub enum SignedIn {
    /// To tokens.
    Done(Tokens),
    /// To a question: the password was temporary.
    NewPassword(NewPassword),
}

/// What the pool must be told together with a new password.
#[derive(Clone)]
pub struct NewPassword {
    session: Option<String>,
    user: String,
}

/// Rules that every password of a pool must satisfy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordRules {
    /// Fewest characters.
    pub length: usize,
    /// Whether a lower-case letter is needed.
    pub lowercase: bool,
    /// Whether an upper-case letter is needed.
    pub uppercase: bool,
    /// Whether a digit is needed.
    pub digits: bool,
    /// Whether a symbol is needed.
    pub symbols: bool,
}

/// Why a user could not be made, or could not sign in.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The name is taken.
    #[error("user `{name}` exists already")]
    #[diagnostic(
        code(stackgen::user::exists),
        help("sign in with `stackgen token {name}{flags}`, or remove it with `stackgen user delete {name}{flags}`")
    )]
    Exists { name: String, flags: String },
    /// Nobody has that name.
    #[error("there is no user `{name}` in the pool")]
    #[diagnostic(
        code(stackgen::user::unknown),
        help("see `stackgen user list{flags}`, or make one with `stackgen user create {name}{flags}`")
    )]
    Unknown { name: String, flags: String },
    /// The pool refuses the password.
    #[error("the pool refuses the password: {message}")]
    #[diagnostic(code(stackgen::user::password), help("choose another one that satisfies the pool's password policy"))]
    WeakPassword { message: String },
    /// Name and password do not go together.
    #[error("`{name}` cannot sign in: {message}")]
    #[diagnostic(
        code(stackgen::user::refused),
        help("check name and password; `stackgen user list{flags}` shows who is enabled")
    )]
    Refused { name: String, message: String, flags: String },
    /// The address was never confirmed.
    #[error("user `{name}` has not been confirmed")]
    #[diagnostic(code(stackgen::user::unconfirmed), help("confirm with `stackgen user confirm {name}{flags}`"))]
    Unconfirmed { name: String, flags: String },
    /// The password was temporary, and nobody says which one comes next.
    #[error("user `{name}` must choose a new password first")]
    #[diagnostic(
        code(stackgen::user::new_password),
        help("set `STACKGEN_NEW_PASSWORD`, or name a file with `--new-password-file`; a terminal would be asked")
    )]
    NewPassword { name: String },
    /// A second factor is asked for.
    #[error("the pool asks `{name}` for more than a password: {challenge}")]
    #[diagnostic(
        code(stackgen::user::challenge),
        help("sign in through your application, and give its token to `stackgen call --token-file FILE`")
    )]
    Challenge { name: String, challenge: String },
    /// The client allows no flow that we know.
    #[error("client `{client}` allows no sign-in with a password")]
    #[diagnostic(
        code(stackgen::user::no_flow),
        help("add `userSrp`, `userPassword` or `adminUserPassword` to the client's `authFlows` and deploy again")
    )]
    NoFlow { client: String },
    /// An attribute, a group or a code is wrong.
    #[error("the pool refuses: {message}")]
    #[diagnostic(code(stackgen::user::invalid), help("the user was not changed"))]
    Invalid { message: String },
    /// The pool refused what a new user needs, and then to remove the user again.
    #[error("{reason}; and user `{name}` stays, which could not be removed again: {obstacle}")]
    #[diagnostic(
        code(stackgen::user::stays),
        help("remove the user with `stackgen user delete {name}{flags}`, and make it again")
    )]
    Stays { name: String, reason: Box<Self>, obstacle: Box<Self>, flags: String },
    /// Cognito's half of the exchange is malformed.
    #[error("the pool's answer to the sign-in makes no sense")]
    #[diagnostic(
        code(stackgen::user::protocol),
        help("try again; if it stays so, the endpoint does not speak Cognito's SRP")
    )]
    Protocol,
    /// The pool or the client is not there, though the stack has it.
    #[error("the stack has lost a resource: {message}")]
    #[diagnostic(
        code(stackgen::user::gone),
        help(
            "it was deleted behind CloudFormation's back, which does not make it again by itself: `stackgen \
             destroy{removal}`, and deploy it again"
        )
    )]
    Gone { message: String, removal: String },
    /// AWS refuses.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Aws(AwsError),
}

/// What commands say that mean a pool: errors tell such commands.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// What those about its users end in, such as ` --stack notes --pool Users`.
    pub pool: String,
    /// What follows `stackgen destroy`: the stack and where it is, such as ` notes --local`.
    pub removal: String,
}

/// Whether an operation is part of a sign-in.
fn is_sign_in(operation: &str) -> bool {
    operation.ends_with("InitiateAuth") || operation.ends_with("ToAuthChallenge") || operation.ends_with("MintToken")
}

impl Error {
    /// What a refusal means that is about a pool and its clients.
    fn about_the_pool(error: AwsError, flags: &Flags) -> Self {
        match error {
            AwsError::Service { code, message, .. }
                if code == "ResourceNotFoundException" && message.starts_with("User pool") =>
            {
                let message = message.trim_end_matches('.').to_owned();
                Self::Gone { message, removal: flags.removal.clone() }
            }
            other => Self::Aws(other),
        }
    }

    /// What a refusal means that is about the user of this name.
    pub(crate) fn of(error: AwsError, name: &str, said: &Flags) -> Self {
        let (name, flags) = (name.to_owned(), said.pool.clone());
        match error {
            AwsError::Service { code, message, operation } => match code.as_str() {
                "UsernameExistsException" | "AliasExistsException" => Self::Exists { name, flags },
                "UserNotFoundException" => Self::Unknown { name, flags },
                "InvalidPasswordException" => Self::WeakPassword { message },
                "NotAuthorizedException" if !is_sign_in(&operation) => Self::Invalid { message },
                "NotAuthorizedException" | "PasswordResetRequiredException" => Self::Refused { name, message, flags },
                "UserNotConfirmedException" => Self::Unconfirmed { name, flags },
                "InvalidParameterException" | "CodeMismatchException" | "ExpiredCodeException" => {
                    Self::Invalid { message }
                }
                // Cognito says so of groups too.
                "ResourceNotFoundException" if message.to_lowercase().contains("group") => Self::Invalid { message },
                _ => Self::about_the_pool(AwsError::Service { code, message, operation }, said),
            },
            other => Self::Aws(other),
        }
    }

    /// Why there is no such user, once that was tidied up.
    fn after(self, removed: Result<(), Self>, name: &str, flags: &str) -> Self {
        let (name, reason) = (name.to_owned(), Box::new(self));
        match removed {
            Ok(()) => *reason,
            Err(obstacle) => Self::Stays { name, reason, obstacle: Box::new(obstacle), flags: flags.to_owned() },
        }
    }
}

impl Pool {
    /// The pool of that id.
    #[must_use]
    pub fn new(account: &Account, id: &str) -> Self {
        let cognito = Cognito::new(&account.config);
        Self { id: id.to_owned(), flags: Flags::default(), account: account.clone(), cognito }
    }

    /// The same, with what commands say that mean it.
    #[must_use]
    pub fn with_flags(self, flags: Flags) -> Self {
        Self { flags, ..self }
    }

    fn refusal(&self, error: AwsError, name: &str) -> Error {
        Error::of(error, name, &self.flags)
    }

    /// Makes a user, ready to sign in. A user whose password or group the pool refuses is not left behind.
    ///
    /// # Errors
    /// When the pool refuses.
    pub async fn create(&self, user: &NewUser) -> Result<(), Error> {
        let mut attributes = user.attributes.clone();
        if user.name.contains('@') && !attributes.contains_key("email") && self.signs_in_by_email().await? {
            attributes.insert("email".to_owned(), user.name.clone());
            attributes.entry("email_verified".to_owned()).or_insert_with(|| "true".to_owned());
        }
        let mut request = self
            .cognito
            .admin_create_user()
            .user_pool_id(&self.id)
            .username(&user.name)
            .message_action(MessageActionType::Suppress)
            .set_user_attributes(Some(attributes.iter().filter_map(|(name, value)| attribute(name, value)).collect()));
        if user.lasting == Lasting::Temporary {
            request = request.temporary_password(&user.password);
        }
        let made = request.send().await.during("cognito-idp:AdminCreateUser", &self.account.config);
        made.map_err(|error| self.refusal(error, &user.name))?;
        let Err(reason) = self.finish(user).await else { return Ok(()) };
        let removed = self.delete(&user.name).await;
        Err(reason.after(removed, &user.name, &self.flags.pool))
    }

    async fn finish(&self, user: &NewUser) -> Result<(), Error> {
        if user.lasting == Lasting::Permanent {
            let request = self.cognito.admin_set_user_password().user_pool_id(&self.id).username(&user.name);
            let set = request.password(&user.password).permanent(true).send().await;
            set.during("cognito-idp:AdminSetUserPassword", &self.account.config)
                .map_err(|error| self.refusal(error, &user.name))?;
        }
        for group in &user.groups {
            let request = self.cognito.admin_add_user_to_group().user_pool_id(&self.id).username(&user.name);
            let joined = request.group_name(group).send().await;
            joined
                .during("cognito-idp:AdminAddUserToGroup", &self.account.config)
                .map_err(|error| self.refusal(error, &user.name))?;
        }
        Ok(())
    }

    /// Confirms a user's sign-up as an administrator.
    ///
    /// # Errors
    /// When the pool refuses.
    pub async fn confirm(&self, name: &str) -> Result<(), Error> {
        let answer = self.cognito.admin_confirm_sign_up().user_pool_id(&self.id).username(name).send().await;
        answer
            .during("cognito-idp:AdminConfirmSignUp", &self.account.config)
            .map_err(|error| self.refusal(error, name))
            .map(drop)
    }

    /// Confirms a user's sign-up with the code that was sent to the user.
    ///
    /// # Errors
    /// When the pool refuses.
    pub async fn confirm_with_code(&self, client: &PoolClient, name: &str, code: &str) -> Result<(), Error> {
        let request = self.cognito.confirm_sign_up().client_id(&client.id).username(name).confirmation_code(code);
        let answer = request.set_secret_hash(client.secret_hash(name)).send().await;
        answer
            .during("cognito-idp:ConfirmSignUp", &self.account.config)
            .map_err(|error| self.refusal(error, name))
            .map(drop)
    }

    /// All users.
    ///
    /// # Errors
    /// When the pool refuses.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        let mut users = Vec::new();
        let mut listed = self.cognito.list_users().user_pool_id(&self.id).into_paginator().items().send();
        while let Some(found) = listed.next().await {
            let found = found.during("cognito-idp:ListUsers", &self.account.config);
            users.push(user(&found.map_err(|error| Error::about_the_pool(error, &self.flags))?));
        }
        users.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(users)
    }

    /// All names that stand for a user: the pool's own, and what users may sign in by instead.
    ///
    /// # Errors
    /// When the pool refuses.
    pub async fn names(&self, name: &str) -> Result<BTreeSet<String>, Error> {
        let answer = self.cognito.admin_get_user().user_pool_id(&self.id).username(name).send().await;
        let answer = answer.during("cognito-idp:AdminGetUser", &self.account.config);
        let user = answer.map_err(|error| self.refusal(error, name))?;
        let stands_for = |attribute: &&AttributeType| NAMES.contains(&attribute.name());
        let attributes = user.user_attributes().iter().filter(stands_for).filter_map(AttributeType::value);
        Ok(attributes.chain([user.username()]).map(str::to_owned).collect())
    }

    /// Deletes a user.
    ///
    /// # Errors
    /// When the pool refuses.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let answer = self.cognito.admin_delete_user().user_pool_id(&self.id).username(name).send().await;
        answer
            .during("cognito-idp:AdminDeleteUser", &self.account.config)
            .map_err(|error| self.refusal(error, name))
            .map(drop)
    }

    /// Rules that every password must satisfy.
    ///
    /// # Errors
    /// When the pool refuses.
    pub async fn password_rules(&self) -> Result<PasswordRules, Error> {
        let described = self.describe().await?;
        let policy = described.policies.and_then(|policies| policies.password_policy);
        Ok(policy.as_ref().map_or_else(PasswordRules::default, PasswordRules::of))
    }

    async fn signs_in_by_email(&self) -> Result<bool, Error> {
        Ok(self.describe().await?.username_attributes().contains(&UsernameAttributeType::Email))
    }

    async fn describe(&self) -> Result<aws_sdk_cognitoidentityprovider::types::UserPoolType, Error> {
        let answer = self.cognito.describe_user_pool().user_pool_id(&self.id).send().await;
        let described = answer.during("cognito-idp:DescribeUserPool", &self.account.config);
        let described = described.map_err(|error| Error::about_the_pool(error, &self.flags))?;
        described.user_pool.ok_or(Error::Protocol)
    }

    /// Base URL of the pool's sign-in pages and OAuth endpoints, where it has a domain.
    ///
    /// # Errors
    /// When the pool refuses.
    pub async fn pages(&self) -> Result<Option<String>, Error> {
        let described = self.describe().await?;
        let name = |name: Option<String>| name.filter(|name| !name.is_empty());
        let (custom, prefix) = (name(described.custom_domain), name(described.domain));
        if let Some(endpoint) = &self.account.endpoint {
            let endpoint = endpoint.trim_end_matches('/');
            return Ok(prefix.or(custom).map(|domain| format!("{endpoint}/_aws/cognito-domain/{domain}")));
        }
        let region = &self.account.region;
        let of_prefix = |prefix| format!("https://{prefix}.auth.{region}.amazoncognito.com");
        Ok(custom.map(|custom| format!("https://{custom}")).or_else(|| prefix.map(of_prefix)))
    }

    /// The client of that id.
    ///
    /// # Errors
    /// When the pool refuses.
    pub async fn client(&self, id: &str) -> Result<PoolClient, Error> {
        let answer = self.cognito.describe_user_pool_client().user_pool_id(&self.id).client_id(id).send().await;
        let described = answer.during("cognito-idp:DescribeUserPoolClient", &self.account.config);
        let described = described.map_err(|error| Error::about_the_pool(error, &self.flags))?;
        let described = described.user_pool_client.ok_or(Error::Protocol)?;
        Ok(PoolClient {
            id: id.to_owned(),
            name: id.to_owned(),
            flows: described.explicit_auth_flows().to_vec(),
            oauth_flows: described.allowed_o_auth_flows().iter().map(|flow| flow.as_str().to_owned()).collect(),
            oauth_scopes: described.allowed_o_auth_scopes().to_vec(),
            callbacks: described.callback_urls().to_vec(),
            secret: described.client_secret,
        })
    }

    /// Signs a user in, by the plainest flow that the client allows.
    ///
    /// # Errors
    /// When the pool refuses, or asks for more than a password.
    pub async fn sign_in(&self, client: &PoolClient, name: &str, password: &str) -> Result<SignedIn, Error> {
        match client.flow() {
            Some(Flow::UserPassword) => self.by_password(client, name, password).await,
            Some(Flow::AdminUserPassword) => self.by_admin(client, name, password).await,
            Some(Flow::Srp) => self.by_srp(client, name, password).await,
            None => Err(Error::NoFlow { client: client.name.clone() }),
        }
    }

    async fn by_password(&self, client: &PoolClient, name: &str, password: &str) -> Result<SignedIn, Error> {
        let request = self
            .cognito
            .initiate_auth()
            .client_id(&client.id)
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .set_auth_parameters(Some(client.parameters(name, [("PASSWORD", password.to_owned())])));
        let answer = request.send().await.during("cognito-idp:InitiateAuth", &self.account.config);
        let answer = answer.map_err(|error| self.refusal(error, name))?;
        let asked = answer.challenge_parameters.unwrap_or_default();
        let user = asked.get("USER_ID_FOR_SRP").map_or(name, String::as_str);
        signed_in(answer.authentication_result, answer.challenge_name, name, (answer.session, user))
    }

    async fn by_admin(&self, client: &PoolClient, name: &str, password: &str) -> Result<SignedIn, Error> {
        let request = self
            .cognito
            .admin_initiate_auth()
            .user_pool_id(&self.id)
            .client_id(&client.id)
            .auth_flow(AuthFlowType::AdminUserPasswordAuth)
            .set_auth_parameters(Some(client.parameters(name, [("PASSWORD", password.to_owned())])));
        let answer = request.send().await.during("cognito-idp:AdminInitiateAuth", &self.account.config);
        let answer = answer.map_err(|error| self.refusal(error, name))?;
        let asked = answer.challenge_parameters.unwrap_or_default();
        let user = asked.get("USER_ID_FOR_SRP").map_or(name, String::as_str);
        signed_in(answer.authentication_result, answer.challenge_name, name, (answer.session, user))
    }

    async fn by_srp(&self, client: &PoolClient, name: &str, password: &str) -> Result<SignedIn, Error> {
        let exchange = Exchange::new();
        let request = self
            .cognito
            .initiate_auth()
            .client_id(&client.id)
            .auth_flow(AuthFlowType::UserSrpAuth)
            .set_auth_parameters(Some(client.parameters(name, [("SRP_A", exchange.public())])));
        let begun = request.send().await.during("cognito-idp:InitiateAuth", &self.account.config);
        let begun = begun.map_err(|error| self.refusal(error, name))?;
        let asked = begun.challenge_parameters.unwrap_or_default();
        let get = |key: &str| asked.get(key).map(String::as_str).ok_or(Error::Protocol);
        let user = get("USER_ID_FOR_SRP")?;
        let challenge =
            Challenge { public: get("SRP_B")?, salt: get("SALT")?, secret_block: get("SECRET_BLOCK")?, user };
        let pool = self.id.split_once('_').map_or(self.id.as_str(), |(_, name)| name);
        let proof = exchange.prove(pool, challenge, password, OffsetDateTime::now_utc()).ok_or(Error::Protocol)?;
        let answers = client.parameters(
            user,
            [
                ("PASSWORD_CLAIM_SECRET_BLOCK", challenge.secret_block.to_owned()),
                ("PASSWORD_CLAIM_SIGNATURE", proof.signature),
                ("TIMESTAMP", proof.timestamp),
            ],
        );
        let request = self
            .cognito
            .respond_to_auth_challenge()
            .client_id(&client.id)
            .challenge_name(ChallengeNameType::PasswordVerifier)
            .set_session(begun.session)
            .set_challenge_responses(Some(answers));
        let answer = request.send().await.during("cognito-idp:RespondToAuthChallenge", &self.account.config);
        let answer = answer.map_err(|error| self.refusal(error, name))?;
        let asked = answer.challenge_parameters.unwrap_or_default();
        let user = asked.get("USER_ID_FOR_SRP").map_or(name, String::as_str);
        signed_in(answer.authentication_result, answer.challenge_name, name, (answer.session, user))
    }

    /// Ends a sign-in by choosing the password that stays.
    ///
    /// # Errors
    /// When the pool refuses the password, or asks for more.
    pub async fn choose_password(
        &self,
        client: &PoolClient,
        name: &str,
        asked: NewPassword,
        password: &str,
    ) -> Result<Tokens, Error> {
        let answers = Some(client.parameters(&asked.user, [("NEW_PASSWORD", password.to_owned())]));
        // Who was asked as an administrator answers as one.
        let (result, challenge) = if client.flow() == Some(Flow::AdminUserPassword) {
            let request = self.cognito.admin_respond_to_auth_challenge().user_pool_id(&self.id).client_id(&client.id);
            let request = request.challenge_name(ChallengeNameType::NewPasswordRequired).set_session(asked.session);
            let answer = request.set_challenge_responses(answers).send().await;
            let answer = answer.during("cognito-idp:AdminRespondToAuthChallenge", &self.account.config);
            let answer = answer.map_err(|error| self.refusal(error, name))?;
            (answer.authentication_result, answer.challenge_name)
        } else {
            let request = self.cognito.respond_to_auth_challenge().client_id(&client.id);
            let request = request.challenge_name(ChallengeNameType::NewPasswordRequired).set_session(asked.session);
            let answer = request.set_challenge_responses(answers).send().await;
            let answer = answer.during("cognito-idp:RespondToAuthChallenge", &self.account.config);
            let answer = answer.map_err(|error| self.refusal(error, name))?;
            (answer.authentication_result, answer.challenge_name)
        };
        tokens(result, challenge, name)
    }

    /// New tokens for old, where something renews them.
    ///
    /// # Errors
    /// When the pool refuses, for example because the refresh token has been revoked.
    pub async fn refresh(&self, client: &PoolClient, name: &str, old: &Tokens) -> Result<Option<Tokens>, Error> {
        let Some(refresh) = &old.refresh else { return Ok(None) };
        let own = own_name(&old.id);
        let user = own.as_deref().unwrap_or(name);
        let request = self
            .cognito
            .initiate_auth()
            .client_id(&client.id)
            .auth_flow(AuthFlowType::RefreshTokenAuth)
            .set_auth_parameters(Some(client.parameters(user, [("REFRESH_TOKEN", refresh.to_owned())])));
        let answer = request.send().await.during("cognito-idp:InitiateAuth", &self.account.config);
        let answer = answer.map_err(|error| self.refusal(error, name))?;
        let mut fresh = tokens(answer.authentication_result, answer.challenge_name, name)?;
        fresh.refresh.get_or_insert_with(|| refresh.to_owned());
        Ok(Some(fresh))
    }
}

/// Attributes by which Cognito knows a user.
const NAMES: [&str; 4] = ["sub", "email", "phone_number", "preferred_username"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    UserPassword,
    AdminUserPassword,
    Srp,
}

/// The pool's own name for the user of an ID token. Whatever the user signed in by, a refresh token goes with the hash of
/// the client's secret and this name.
fn own_name(id: &str) -> Option<String> {
    Some(claims(id)?.get("cognito:username")?.as_str()?.to_owned())
}

impl PoolClient {
    /// The same under the name that people know.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    fn flow(&self) -> Option<Flow> {
        use ExplicitAuthFlowsType as Allowed;
        let allows = |flows: &[Allowed]| self.flows.iter().any(|flow| flows.contains(flow));
        if allows(&[Allowed::AllowUserPasswordAuth, Allowed::UserPasswordAuth]) {
            return Some(Flow::UserPassword);
        }
        if allows(&[Allowed::AllowAdminUserPasswordAuth, Allowed::AdminNoSrpAuth]) {
            return Some(Flow::AdminUserPassword);
        }
        // A client that names no flow allows this one.
        (self.flows.is_empty() || allows(&[Allowed::AllowUserSrpAuth])).then_some(Flow::Srp)
    }

    /// The first of these scopes that the client may ask for when a person signs in.
    #[must_use]
    pub fn scope_for_people<'a>(&self, wanted: &'a [String]) -> Option<&'a String> {
        let is_for_people = self.oauth_flows.iter().any(|flow| flow == "code" || flow == "implicit");
        wanted.iter().find(|scope| is_for_people && self.oauth_scopes.contains(scope))
    }

    /// The client's secret, where it has one.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    fn secret_hash(&self, user: &str) -> Option<String> {
        self.secret.as_ref().map(|secret| secret_hash(secret, user, &self.id))
    }

    #[expect(clippy::disallowed_types, reason = "the SDK takes no other map")]
    fn parameters<const N: usize>(
        &self,
        user: &str,
        more: [(&str, String); N],
    ) -> std::collections::HashMap<String, String> {
        let mut parameters: std::collections::HashMap<String, String> =
            more.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        parameters.insert("USERNAME".to_owned(), user.to_owned());
        parameters.extend(self.secret_hash(user).map(|hash| ("SECRET_HASH".to_owned(), hash)));
        parameters
    }
}

impl Default for PasswordRules {
    /// What Cognito asks for where a pool says nothing.
    fn default() -> Self {
        Self { length: 8, lowercase: true, uppercase: true, digits: true, symbols: true }
    }
}

impl PasswordRules {
    fn of(policy: &PasswordPolicyType) -> Self {
        Self {
            length: policy.minimum_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(8),
            lowercase: policy.require_lowercase(),
            uppercase: policy.require_uppercase(),
            digits: policy.require_numbers(),
            symbols: policy.require_symbols(),
        }
    }

    /// A random password that satisfies them, of twenty characters or more, with each class of character in it.
    #[must_use]
    pub fn password(&self) -> String {
        const CLASSES: [&[u8]; 4] = [b"abcdefghijkmnopqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"-_.+=!"];
        let mut random = [0_u8; 200];
        rand::fill(&mut random);
        let length = self.length.clamp(20, 99);
        random
            .iter()
            .zip(CLASSES.iter().cycle())
            .filter_map(|(byte, class)| class.get(usize::from(*byte) % class.len()).copied().map(char::from))
            .take(length)
            .collect()
    }
}

fn attribute(name: &str, value: &str) -> Option<AttributeType> {
    AttributeType::builder().name(name).value(value).build().ok()
}

fn user(user: &UserType) -> User {
    let attributes = user.attributes().iter();
    User {
        name: user.username().unwrap_or_default().to_owned(),
        status: user.user_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        enabled: user.enabled(),
        attributes: attributes
            .map(|attribute| (attribute.name().to_owned(), attribute.value().unwrap_or_default().to_owned()))
            .collect(),
    }
}

/// The tokens, or the question for a new password with the session and the user that the answer must name.
fn signed_in(
    result: Option<AuthenticationResultType>,
    challenge: Option<ChallengeNameType>,
    name: &str,
    (session, user): (Option<String>, &str),
) -> Result<SignedIn, Error> {
    match challenge {
        Some(ChallengeNameType::NewPasswordRequired) => {
            Ok(SignedIn::NewPassword(NewPassword { session, user: user.to_owned() }))
        }
        challenge => tokens(result, challenge, name).map(SignedIn::Done),
    }
}

fn tokens(
    result: Option<AuthenticationResultType>,
    challenge: Option<ChallengeNameType>,
    name: &str,
) -> Result<Tokens, Error> {
    let name = name.to_owned();
    match (result, challenge) {
        (_, Some(ChallengeNameType::NewPasswordRequired)) => Err(Error::NewPassword { name }),
        (_, Some(challenge)) => Err(Error::Challenge { name, challenge: challenge.as_str().to_owned() }),
        (Some(result), None) => Ok(Tokens {
            id: result.id_token.ok_or(Error::Protocol)?,
            access: result.access_token.ok_or(Error::Protocol)?,
            refresh: result.refresh_token,
            expires: OffsetDateTime::now_utc().unix_timestamp() + i64::from(result.expires_in),
        }),
        (None, None) => Err(Error::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cognitoidentityprovider::types::ExplicitAuthFlowsType as Allowed;
    use miette::Diagnostic as _;

    use super::{AwsError, Error, Flags, Flow, PasswordRules, PoolClient};

    fn client(flows: &[Allowed]) -> PoolClient {
        let none = Vec::new;
        let (oauth_flows, oauth_scopes, callbacks) = (none(), none(), none());
        let (id, name) = ("c".to_owned(), "Web".to_owned());
        PoolClient { id, name, secret: None, flows: flows.to_vec(), oauth_flows, oauth_scopes, callbacks }
    }

    #[test]
    fn srp_is_used_where_nothing_plainer_is_allowed() {
        let srp = Allowed::AllowUserSrpAuth;
        assert_eq!(client(&[srp.clone(), Allowed::AllowUserPasswordAuth]).flow(), Some(Flow::UserPassword));
        assert_eq!(client(&[srp.clone(), Allowed::AllowAdminUserPasswordAuth]).flow(), Some(Flow::AdminUserPassword));
        assert_eq!(client(&[srp, Allowed::AllowRefreshTokenAuth]).flow(), Some(Flow::Srp));
        assert_eq!(client(&[]).flow(), Some(Flow::Srp));
        assert_eq!(client(&[Allowed::AllowCustomAuth]).flow(), None);
    }

    #[test]
    fn a_scope_is_for_people_where_people_sign_in() {
        let wanted = ["notes/write", "notes/read"].map(str::to_owned);
        let asked = |flow: &str, scopes: &[&str]| {
            let oauth_scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            let client = PoolClient { oauth_flows: vec![flow.to_owned()], oauth_scopes, ..client(&[]) };
            client.scope_for_people(&wanted).cloned()
        };
        assert_eq!(asked("code", &["openid", "notes/read"]).as_deref(), Some("notes/read"));
        assert_eq!(asked("implicit", &["notes/read", "notes/write"]).as_deref(), Some("notes/write"));
        assert_eq!(asked("client_credentials", &["notes/read"]), None);
        assert_eq!(asked("code", &["notes"]), None);
    }

    #[test]
    fn a_made_up_password_satisfies_any_policy() {
        for length in [6, 8, 40, 99] {
            let password = PasswordRules { length, ..PasswordRules::default() }.password();
            assert!(password.chars().count() >= length, "{length}");
            assert!(password.chars().any(|c| c.is_ascii_lowercase()));
            assert!(password.chars().any(|c| c.is_ascii_uppercase()));
            assert!(password.chars().any(|c| c.is_ascii_digit()));
            assert!(password.chars().any(|c| c.is_ascii_punctuation()));
        }
        assert_ne!(PasswordRules::default().password(), PasswordRules::default().password());
    }

    #[test]
    fn a_user_who_stays_is_told_with_the_first_reason() {
        let error = |code: &str| {
            let (operation, message) = ("cognito-idp:AdminSetUserPassword".to_owned(), "no".to_owned());
            let error = AwsError::Service { operation, code: code.to_owned(), message };
            Error::of(error, "alice", &Flags { pool: " --pool Users".to_owned(), ..Flags::default() })
        };
        let weak = || error("InvalidPasswordException");
        assert_eq!(weak().after(Ok(()), "alice", "").to_string(), weak().to_string());
        let told = weak().after(Err(error("TooManyRequestsException")), "alice", "").to_string();
        let expected = "the pool refuses the password: no; and user `alice` stays, which could not be removed again: ";
        assert!(told.starts_with(expected), "{told}");
    }

    #[test]
    fn cognitos_codes_become_sentences() {
        let during = |operation: &str, code: &str, message: &str| {
            let error = AwsError::Service { operation: operation.into(), code: code.into(), message: message.into() };
            Error::of(error, "alice", &Flags { pool: " --pool Users".to_owned(), ..Flags::default() })
        };
        let of = |code: &str, message: &str| during("x", code, message).to_string();
        assert_eq!(of("UsernameExistsException", "User account already exists"), "user `alice` exists already");
        assert_eq!(of("UserNotFoundException", "User does not exist."), "there is no user `alice` in the pool");
        assert!(of("InvalidPasswordException", "too short").contains("too short"));
        assert!(of("SomethingElse", "why").contains("why"));
        assert_eq!(of("NotAuthorizedException", "It is confirmed."), "the pool refuses: It is confirmed.");
        let gone = "User pool us-east-1_AbC does not exist.";
        assert!(
            of("ResourceNotFoundException", gone).starts_with("the stack has lost a resource: User pool us-east-1_AbC")
        );
        for operation in ["cognito-idp:AdminInitiateAuth", "cognito-idp:RespondToAuthChallenge"] {
            let refused = during(operation, "NotAuthorizedException", "Incorrect username or password.");
            assert_eq!(refused.to_string(), "`alice` cannot sign in: Incorrect username or password.");
            let help = refused.help().expect("it says what to do").to_string();
            assert!(help.contains("`stackgen user list --pool Users`"), "{help}");
        }
    }
}
