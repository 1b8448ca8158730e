//! How somebody becomes a user without an administrator.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::cloud::{Account, Cloud};
use crate::cognito::attribute::{Author, NamedValue, collected};
use crate::cognito::fault::{self, invalid, not_authorized};
use crate::cognito::hosted;
use crate::cognito::message::{self, Destination, Draft, Filling, Occasion, Wording};
use crate::cognito::moment::{DAY, Moment};
use crate::cognito::pool::{Client, UserPool, alias_taken};
use crate::cognito::srp::Verifier;
use crate::cognito::trigger::{self, Call, Metadata, NO_CLIENT, Subject};
use crate::cognito::user::{Code, Purpose, Status, User};
use crate::wire::Fault;

/// A request of the operation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SignUp {
    client_id: String,
    username: String,
    password: Option<String>,
    secret_hash: Option<String>,
    #[serde(default)]
    user_attributes: Vec<NamedValue>,
    #[serde(default)]
    validation_data: Vec<NamedValue>,
    #[serde(default)]
    client_metadata: Metadata,
}

/// A user who is about to be.
#[derive(Debug)]
struct Applicant {
    pool: String,
    user: User,
    pre_sign_up: Option<Call>,
    draft: Draft,
}

/// What a `PreSignUp` trigger decided.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Verdict {
    auto_confirm_user: bool,
    auto_verify_email: bool,
    auto_verify_phone: bool,
}

impl Verdict {
    /// Reads a response; what is not a decision is none.
    pub(crate) fn read(response: Map<String, Value>) -> Self {
        let said = |name: &str| response.get(name) == Some(&Value::Bool(true));
        Self {
            auto_confirm_user: said("autoConfirmUser"),
            auto_verify_email: said("autoVerifyEmail"),
            auto_verify_phone: said("autoVerifyPhone"),
        }
    }

    fn apply(&self, user: &mut User) {
        if self.auto_confirm_user {
            user.status = Status::Confirmed;
        }
        self.verify(user);
    }

    /// Marks the addresses that the trigger vouches for.
    pub(crate) fn verify(&self, user: &mut User) {
        for (verified, attribute) in [(self.auto_verify_email, "email"), (self.auto_verify_phone, "phone_number")] {
            if verified && user.attributes.contains_key(attribute) {
                user.attributes.insert(format!("{attribute}_verified"), "true".to_owned());
            }
        }
    }
}

/// The call that may refuse, confirm or verify a new user.
pub(crate) fn pre_sign_up(
    pool: &UserPool,
    source: &str,
    subject: &Subject<'_>,
    validation: Vec<NamedValue>,
) -> Option<Call> {
    let request = json!({
        "userAttributes": subject.user.attributes,
        "validationData": collected(validation),
        "clientMetadata": subject.metadata,
    });
    let response = json!({ "autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false });
    Call::new(pool, "PreSignUp", source, subject, request, response)
}

/// Signs somebody up.
pub(crate) async fn sign_up(cloud: &Cloud, request: SignUp) -> Result<Value, Fault> {
    let now = cloud.now();
    let password = request.password.clone().unwrap_or_default();
    let (metadata, client) = (request.client_metadata.clone(), request.client_id.clone());
    let applicant = cloud.read(|account| apply(account, request, now.into()))?;
    let verdict = Verdict::read(trigger::run_if_any(cloud, applicant.pre_sign_up).await?);
    let mut user = applicant.user;
    verdict.apply(&mut user);
    let wording = applicant.draft.worded(cloud).await?;
    let identity = super::srp::Identity { pool: super::pool::short_id(&applicant.pool), user: &user.username };
    user.credential = Some(Verifier::new(identity, &password));
    let (sub, username, confirmed) = (user.sub.clone(), user.username.clone(), user.status == Status::Confirmed);
    let (pool, endpoint) = (applicant.pool.as_str(), cloud.endpoint());
    let joining = Joining { pool, endpoint, client: &client, wording: &wording, now };
    let details = cloud.write(|account| joining.store(account, user))?;
    if confirmed {
        post_confirmation(cloud, &applicant.pool, &client, &username, &metadata).await?;
    }
    let mut answer = json!({ "UserConfirmed": confirmed, "UserSub": sub });
    if let Some(details) = details {
        answer["CodeDeliveryDetails"] = details;
    }
    Ok(answer)
}

fn apply(account: &Account, request: SignUp, now: Moment) -> Result<Applicant, Fault> {
    let (pool, client) = account.cognito.client(&request.client_id)?;
    client.check_secret(&request.username, request.secret_hash.as_deref())?;
    if pool.settings.admin_create_user_config.allow_admin_create_user_only {
        return Err(not_authorized("SignUp is not permitted for this user pool"));
    }
    let attributes = collected(request.user_attributes);
    if !attributes.keys().all(|name| client.settings.writes(name)) {
        return Err(not_authorized("A client attempted to write unauthorized attribute"));
    }
    let password = request.password.ok_or_else(|| invalid("Password is required for this user pool."))?;
    pool.settings.password_policy().check(&password)?;
    let user = pool.new_user(&request.username, attributes, now)?;
    let subject = Subject { user: &user, client: &client.id, metadata: &request.client_metadata };
    let pre_sign_up = pre_sign_up(pool, "PreSignUp_SignUp", &subject, request.validation_data);
    let draft = Draft::new(pool, Occasion::SignUp, &subject);
    Ok(Applicant { pool: pool.id.clone(), user, pre_sign_up, draft })
}

/// What is needed to store a new user and tell him.
struct Joining<'a> {
    pool: &'a str,
    endpoint: &'a str,
    client: &'a str,
    wording: &'a Wording,
    now: OffsetDateTime,
}

impl Joining<'_> {
    fn store(&self, account: &mut Account, mut user: User) -> Result<Option<Value>, Fault> {
        let pool = account.cognito.pool_mut(self.pool)?;
        // Somebody else may have taken the name while the triggers ran.
        pool.new_user(&login(pool, &user), user.attributes.clone(), self.now.into())?;
        for attribute in ["email", "phone_number"] {
            if user.verified(attribute) && pool.rival(&user, attribute).is_some() {
                return Err(alias_taken(attribute));
            }
        }
        let letter = (user.status == Status::Unconfirmed).then(|| sign_up_letter(pool, &mut user, self.now)).flatten();
        let link = link(pool, self.endpoint, self.client, &user);
        let username = user.username.clone();
        pool.users.insert(username.clone(), user);
        let Some((to, code)) = letter else { return Ok(None) };
        let link = format!("{link}{code}");
        let filling = Filling { secret: &code, username: &username, link: &link };
        message::deliver(account, self.now, &to, self.wording, filling);
        Ok(Some(to.details()))
    }
}

/// The name that a user signs in with.
pub(crate) fn login(pool: &UserPool, user: &User) -> String {
    let named = pool.settings.username_attributes.iter().find_map(|name| user.attributes.get(name));
    named.unwrap_or(&user.username).clone()
}

/// Gives the user a new code, where the pool verifies an address that he has. A phone goes first, as with AWS.
fn sign_up_letter(pool: &UserPool, user: &mut User, now: OffsetDateTime) -> Option<(Destination, String)> {
    let verified = &pool.settings.auto_verified_attributes;
    let to = ["phone_number", "email"]
        .into_iter()
        .filter(|attribute| verified.iter().any(|name| name == attribute))
        .find_map(|attribute| Destination::of(&user.attributes, attribute))?;
    let code = Code::new(to.attribute, Moment::from(now).after(DAY));
    let digits = code.digits().to_owned();
    user.codes.insert(Purpose::SignUp, code);
    Some((to, digits))
}

/// Where a link in a message leads, up to its code: to the pool's own pages.
fn link(pool: &UserPool, endpoint: &str, client: &str, user: &User) -> String {
    let domain = pool.domains.keys().next().map_or("example", String::as_str);
    let pairs = [("client_id", client), ("user_name", user.username.as_str()), ("confirmation_code", "")];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{}/confirmUser?{query}", hosted::address(endpoint, domain))
}

/// Tells the pool's owner about a user who may now sign in.
async fn post_confirmation(
    cloud: &Cloud,
    pool: &str,
    client: &str,
    username: &str,
    metadata: &Metadata,
) -> Result<(), Fault> {
    confirmed(cloud, "PostConfirmation_ConfirmSignUp", pool, client, username, metadata).await
}

/// Calls the `PostConfirmation` trigger.
pub(crate) async fn confirmed(
    cloud: &Cloud,
    source: &str,
    pool: &str,
    client: &str,
    username: &str,
    metadata: &Metadata,
) -> Result<(), Fault> {
    let call = cloud.read(|account| {
        let pool = account.cognito.pool(pool)?;
        let subject = Subject { user: pool.known_user(username)?, client, metadata };
        let request = json!({ "userAttributes": subject.user.event_attributes(), "clientMetadata": metadata });
        Ok::<_, Fault>(Call::new(pool, "PostConfirmation", source, &subject, request, json!({})))
    })?;
    trigger::run_if_any(cloud, call).await.map(|_| ())
}

/// A request of the operation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ConfirmSignUp {
    client_id: String,
    username: String,
    confirmation_code: String,
    secret_hash: Option<String>,
    #[serde(default)]
    force_alias_creation: bool,
    #[serde(default)]
    client_metadata: Metadata,
}

/// Confirms a sign-up with the code that was sent.
pub(crate) async fn confirm_sign_up(cloud: &Cloud, request: ConfirmSignUp) -> Result<Value, Fault> {
    let now = Moment::from(cloud.now());
    // A wrong code must be counted, so that what is refused is stored too.
    let outcome = cloud.write(|account| Ok::<_, Fault>(confirm(account, &request, now)))?;
    let (pool, username) = outcome?;
    post_confirmation(cloud, &pool, &request.client_id, &username, &request.client_metadata).await?;
    Ok(json!({}))
}

fn confirm(account: &mut Account, request: &ConfirmSignUp, now: Moment) -> Result<(String, String), Fault> {
    let (pool, client) = account.cognito.client(&request.client_id)?;
    client.check_secret(&request.username, request.secret_hash.as_deref())?;
    let stranger = if client.settings.hides_users() { fault::stale_code() } else { fault::no_user() };
    let user = pool.user(&request.username).ok_or(stranger)?;
    check_unconfirmed(user)?;
    let (pool, username) = (pool.id.clone(), user.username.clone());
    let stored = account.cognito.pool_mut(&pool)?;
    let code = stored.user_mut(&username)?.take_code(&Purpose::SignUp, &request.confirmation_code, now)?;
    if request.force_alias_creation {
        stored.release_alias(&username, &code.proves)?;
    }
    stored.verify_attribute(&username, &code.proves)?;
    stored.confirm(&username, now)?;
    Ok((pool, username))
}

fn check_unconfirmed(user: &User) -> Result<(), Fault> {
    if !user.enabled {
        return Err(fault::disabled());
    }
    if user.status != Status::Unconfirmed {
        let status = user.status.name();
        return Err(not_authorized(format!("User cannot be confirmed. Current status is {status}")));
    }
    Ok(())
}

/// A request of the operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ResendConfirmationCode {
    client_id: String,
    username: String,
    secret_hash: Option<String>,
    #[serde(default)]
    client_metadata: Metadata,
}

/// Sends the code of a sign-up again; the older one stops working.
pub(crate) async fn resend(cloud: &Cloud, request: ResendConfirmationCode) -> Result<Value, Fault> {
    let found = cloud.read(|account| {
        let (pool, client) = account.cognito.client(&request.client_id)?;
        client.check_secret(&request.username, request.secret_hash.as_deref())?;
        let Some(user) = pool.user(&request.username) else { return stranger(client, &request.username).map(Err) };
        if user.status != Status::Unconfirmed {
            return Err(invalid("User is already confirmed."));
        }
        let subject = Subject { user, client: &client.id, metadata: &request.client_metadata };
        let draft = Draft::new(pool, Occasion::ResendCode, &subject);
        Ok(Ok((pool.id.clone(), user.username.clone(), draft)))
    })?;
    let (pool, username, draft) = match found {
        Ok(found) => found,
        Err(pretended) => return Ok(json!({ "CodeDeliveryDetails": pretended })),
    };
    let wording = draft.worded(cloud).await?;
    let now = cloud.now();
    let details = cloud.write(|account| {
        let stored = account.cognito.pool_mut(&pool)?;
        let mut user = stored.known_user(&username)?.clone();
        let (to, code) =
            sign_up_letter(stored, &mut user, now).ok_or_else(|| invalid("Auto verification not turned on."))?;
        let link = format!("{}{code}", link(stored, cloud.endpoint(), &request.client_id, &user));
        stored.users.insert(username.clone(), user);
        let filling = Filling { secret: &code, username: &username, link: &link };
        message::deliver(account, now, &to, &wording, filling);
        Ok::<_, Fault>(to.details())
    })?;
    Ok(json!({ "CodeDeliveryDetails": details }))
}

/// What a stranger learns about somebody who is no user: that a code went somewhere, or the truth.
pub(crate) fn stranger(client: &Client, login: &str) -> Result<Value, Fault> {
    if !client.settings.hides_users() {
        return Err(fault::no_user());
    }
    let address = if login.contains('@') { login.to_owned() } else { format!("{login}@example.com") };
    let attributes = [("email".to_owned(), address)].into();
    Ok(Destination::of(&attributes, "email").map_or(Value::Null, |to| to.details()))
}

/// A request of the operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AdminConfirmSignUp {
    user_pool_id: String,
    username: String,
    #[serde(default)]
    client_metadata: Metadata,
}

/// Confirms a sign-up without a code. The address stays unverified.
pub(crate) async fn admin_confirm_sign_up(cloud: &Cloud, request: AdminConfirmSignUp) -> Result<Value, Fault> {
    let now = cloud.now().into();
    let username = cloud.write(|account| {
        let pool = account.cognito.pool_mut(&request.user_pool_id)?;
        let user = pool.known_user(&request.username)?;
        check_unconfirmed(user)?;
        let username = user.username.clone();
        pool.confirm(&username, now)?;
        Ok::<_, Fault>(username)
    })?;
    post_confirmation(cloud, &request.user_pool_id, NO_CLIENT, &username, &request.client_metadata).await?;
    Ok(json!({}))
}

/// A request of the operation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AdminCreateUser {
    pub(crate) user_pool_id: String,
    #[serde(default)]
    pub(crate) username: String,
    pub(crate) temporary_password: Option<String>,
    #[serde(default)]
    pub(crate) user_attributes: Vec<NamedValue>,
    #[serde(default)]
    pub(crate) validation_data: Vec<NamedValue>,
    #[serde(default)]
    pub(crate) desired_delivery_mediums: Vec<String>,
    pub(crate) message_action: Option<String>,
    #[serde(default)]
    pub(crate) client_metadata: Metadata,
}

impl AdminCreateUser {
    fn resends(&self) -> bool {
        self.message_action.as_deref() == Some("RESEND")
    }

    fn suppressed(&self) -> bool {
        self.message_action.as_deref() == Some("SUPPRESS")
    }
}

/// Makes a user with a temporary password, or invites one again.
pub(crate) async fn admin_create_user(cloud: &Cloud, mut request: AdminCreateUser) -> Result<Value, Fault> {
    let now = cloud.now();
    let (mut user, call, draft) = cloud.read(|account| {
        let pool = account.cognito.pool(&request.user_pool_id)?;
        let user = invited(pool, &mut request, now.into())?;
        let subject = Subject { user: &user, client: NO_CLIENT, metadata: &request.client_metadata };
        let validation = std::mem::take(&mut request.validation_data);
        let call = pre_sign_up(pool, "PreSignUp_AdminCreateUser", &subject, validation).filter(|_| !request.resends());
        let draft = Draft::new(pool, Occasion::AdminCreateUser, &subject);
        Ok::<_, Fault>((user, call, draft))
    })?;
    let verdict = Verdict::read(trigger::run_if_any(cloud, call).await?);
    Verdict { auto_confirm_user: false, ..verdict }.apply(&mut user);
    let wording = if request.suppressed() { None } else { Some(draft.worded(cloud).await?) };
    let invitation = Invitation::new(cloud, &request, user, now)?;
    let description = cloud.write(|account| invitation.store(account, wording.as_ref(), now))?;
    Ok(json!({ "User": description }))
}

/// The user of a request: a new one, or the one to invite again.
pub(crate) fn invited(pool: &UserPool, request: &mut AdminCreateUser, now: Moment) -> Result<User, Fault> {
    if request.resends() {
        let user = pool.known_user(&request.username)?;
        if user.status != Status::ForceChangePassword {
            return Err(Fault::new(
                "UnsupportedUserStateException",
                "Resend not possible. FORCE_CHANGE_PASSWORD status required",
            ));
        }
        return Ok(user.clone());
    }
    let attributes = collected(std::mem::take(&mut request.user_attributes));
    let mut user = pool.new_user(&request.username, attributes, now).map_err(|fault| match fault.message.as_str() {
        "User already exists" => Fault { message: "User account already exists".to_owned(), ..fault },
        _ => fault,
    })?;
    for attribute in ["email", "phone_number"] {
        if user.verified(attribute) && pool.rival(&user, attribute).is_some() {
            return Err(alias_taken(attribute));
        }
    }
    user.status = Status::ForceChangePassword;
    Ok(user)
}

/// A user with a temporary password.
pub(crate) struct Invitation {
    pool: String,
    user: User,
    password: String,
    mediums: Vec<String>,
    replaces: bool,
}

impl Invitation {
    /// Gives the user a temporary password: the one that is asked for, or one made up.
    pub(crate) fn new(
        cloud: &Cloud,
        request: &AdminCreateUser,
        user: User,
        now: OffsetDateTime,
    ) -> Result<Self, Fault> {
        cloud.read(|account| Self::in_pool(account.cognito.pool(&request.user_pool_id)?, request, user, now.into()))
    }

    /// See [`Invitation::new`].
    pub(crate) fn in_pool(
        pool: &UserPool,
        request: &AdminCreateUser,
        mut user: User,
        now: Moment,
    ) -> Result<Self, Fault> {
        let policy = pool.settings.password_policy();
        let password = match request.temporary_password.as_deref().filter(|password| !password.is_empty()) {
            Some(password) => {
                policy.check(password)?;
                password.to_owned()
            }
            None => policy.temporary(),
        };
        user.credential = Some(Verifier::new(pool.identity(&user.username), &password));
        user.temporary_until = Some(now.after(pool.settings.temporary_password_days().saturating_mul(DAY)));
        let mediums = request.desired_delivery_mediums.clone();
        Ok(Self { pool: pool.id.clone(), user, password, mediums, replaces: request.resends() })
    }

    /// Stores the user and sends the invitation, where there is a wording for it.
    pub(crate) fn store(
        self,
        account: &mut Account,
        wording: Option<&Wording>,
        now: OffsetDateTime,
    ) -> Result<Value, Fault> {
        let pool = account.cognito.pool_mut(&self.pool)?;
        let login = login(pool, &self.user);
        if !self.replaces {
            pool.new_user(&login, self.user.attributes.clone(), now.into())?;
        }
        let description = self.user.listing(None);
        let to = self.destinations();
        pool.users.insert(self.user.username.clone(), self.user);
        let filling = Filling { secret: &self.password, username: &login, link: "" };
        for (to, wording) in to.iter().zip(std::iter::repeat(wording)).filter_map(|(to, wording)| Some((to, wording?)))
        {
            message::deliver(account, now, to, wording, filling);
        }
        Ok(description)
    }

    /// Text messages are the default, as with AWS; without a phone number the invitation goes by mail.
    fn destinations(&self) -> Vec<Destination> {
        let wants = |medium: &str| self.mediums.iter().any(|wanted| wanted == medium);
        let of = |attribute| Destination::of(&self.user.attributes, attribute);
        let (email, phone) = (of("email"), of("phone_number"));
        match (wants("EMAIL"), wants("SMS")) {
            (true, true) => email.into_iter().chain(phone).collect(),
            (true, false) => email.into_iter().collect(),
            (false, _) => phone.or(email).into_iter().collect(),
        }
    }
}

/// Checks that a client may write what it sends.
pub(crate) fn check_changes(
    pool: &UserPool,
    client: &Client,
    changes: &super::attribute::Attributes,
) -> Result<(), Fault> {
    if !changes.keys().all(|name| client.settings.writes(name)) {
        return Err(not_authorized("A client attempted to write unauthorized attribute"));
    }
    pool.settings.attributes().check_changes(changes, Author::User)
}
