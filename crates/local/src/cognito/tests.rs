//! The rules together: what a client sees when it signs up and in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::cloud::Cloud;
use crate::cognito::api;
use crate::cognito::srp::Identity;
use crate::cognito::srp::tests::Client as SrpClient;
use crate::iam::testing::{may, statement};
use crate::lambda::Statement;
use crate::lambda::testing::{Deployed, deployed};
use crate::wire::{Caller, Fault, Request};

const PASSWORD: &str = "Correct-horse1";
const TIMESTAMP: &str = "Fri Nov 20 11:00:00 UTC 2026";

/// A cloud with one pool and one client.
struct World {
    deployed: Deployed,
    pool: String,
    client: String,
    script: tempfile::NamedTempFile,
}

fn request(operation: &str, body: &Value) -> Request {
    let target = format!("AWSCognitoIdentityProviderService.{operation}");
    Request {
        id: String::new(),
        method: Method::POST,
        path: "/".to_owned(),
        query: String::new(),
        headers: [("x-amz-target", target)]
            .into_iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect(),
        spelling: Default::default(),
        body: Bytes::from(body.to_string()),
        caller: Caller::Root,
    }
}

async fn ask(cloud: &Cloud, operation: &str, body: Value) -> Result<Value, Fault> {
    api::run(cloud, operation, &request(operation, &body)).await
}

/// The code and message of what must be refused.
fn refusal(outcome: Result<Value, Fault>) -> (String, String) {
    match outcome {
        Err(fault) => (fault.code, fault.message),
        Ok(value) => panic!("this should have been refused: {value}"),
    }
}

fn is(refused: &(String, String), code: &str, message: &str) {
    assert_eq!((refused.0.as_str(), refused.1.as_str()), (code, message));
}

impl World {
    /// A pool with these settings, and a client that may use every flow.
    async fn new(pool: Value) -> Self {
        Self::with_client(pool, json!({ "PreventUserExistenceErrors": "ENABLED" })).await
    }

    async fn with_client(mut pool: Value, mut client: Value) -> Self {
        let script = tempfile::NamedTempFile::new().expect("a file for the test");
        let variables = json!({ "BEHAVIOUR": "trigger", "SCRIPT": script.path() });
        let deployed = deployed(&json!({ "Environment": { "Variables": variables } }));
        pool["PoolName"] = json!("users");
        let made = ask(&deployed.cloud, "CreateUserPool", pool).await.expect("a pool");
        let pool = made["UserPool"]["Id"].as_str().expect("an id").to_owned();
        client["UserPoolId"] = json!(pool);
        client["ClientName"] = json!("web");
        if client.get("ExplicitAuthFlows").is_none() {
            client["ExplicitAuthFlows"] = json!([
                "ALLOW_USER_PASSWORD_AUTH",
                "ALLOW_USER_SRP_AUTH",
                "ALLOW_REFRESH_TOKEN_AUTH",
                "ALLOW_CUSTOM_AUTH"
            ]);
        }
        let made = ask(&deployed.cloud, "CreateUserPoolClient", client).await.expect("a client");
        let client = made["UserPoolClient"]["ClientId"].as_str().expect("an id").to_owned();
        let world = Self { deployed, pool, client, script };
        world.answer(&json!({}));
        world
    }

    fn cloud(&self) -> &Cloud {
        &self.deployed.cloud
    }

    /// What the function answers to each trigger from now on.
    fn answer(&self, script: &Value) {
        std::fs::write(self.script.path(), script.to_string()).expect("the script is written");
    }

    /// Lets the pool invoke the function.
    fn permit(&self) {
        let statement = Statement {
            statement_id: "cognito".to_owned(),
            principal: "cognito-idp.amazonaws.com".to_owned(),
            action: "lambda:InvokeFunction".to_owned(),
            source_arn: Some(format!("arn:aws:cognito-idp:us-east-1:000000000000:userpool/{}", self.pool)),
            ..Statement::default()
        };
        let permitted = self.cloud().write(|account| {
            account.lambda.0.get_mut("f").expect("the function is there").policy.push(statement);
            Ok::<_, Fault>(())
        });
        permitted.expect("it is written");
    }

    async fn ask(&self, operation: &str, body: Value) -> Result<Value, Fault> {
        ask(self.cloud(), operation, body).await
    }

    /// An operation of a client.
    async fn by_client(&self, operation: &str, mut body: Value) -> Result<Value, Fault> {
        body["ClientId"] = json!(self.client);
        self.ask(operation, body).await
    }

    /// An operation of an administrator on a user.
    async fn admin(&self, operation: &str, username: &str, mut body: Value) -> Result<Value, Fault> {
        body["UserPoolId"] = json!(self.pool);
        body["Username"] = json!(username);
        self.ask(operation, body).await
    }

    /// A user who may sign in.
    async fn add_user(&self, username: &str) {
        let quiet = json!({ "MessageAction": "SUPPRESS" });
        self.admin("AdminCreateUser", username, quiet).await.expect("a user");
        let password = json!({ "Password": PASSWORD, "Permanent": true });
        self.admin("AdminSetUserPassword", username, password).await.expect("a password");
    }

    async fn sign_in(&self, username: &str, password: &str) -> Result<Value, Fault> {
        let parameters = json!({ "USERNAME": username, "PASSWORD": password });
        self.by_client("InitiateAuth", json!({ "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters })).await
    }

    async fn refresh(&self, token: &Value) -> Result<Value, Fault> {
        let parameters = json!({ "REFRESH_TOKEN": token });
        self.by_client("InitiateAuth", json!({ "AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": parameters })).await
    }

    async fn respond(&self, name: &str, session: &Value, responses: Value) -> Result<Value, Fault> {
        let mut body = json!({ "ChallengeName": name, "ChallengeResponses": responses });
        if !session.is_null() {
            body["Session"] = session.clone();
        }
        self.by_client("RespondToAuthChallenge", body).await
    }

    /// Begins a password exchange.
    async fn challenge(&self, srp: &SrpClient, username: &str) -> Result<Value, Fault> {
        let parameters = json!({ "USERNAME": username, "SRP_A": srp.public() });
        let body = json!({ "AuthFlow": "USER_SRP_AUTH", "AuthParameters": parameters });
        Ok(self.by_client("InitiateAuth", body).await?["ChallengeParameters"].clone())
    }

    /// The proof that a client with this password would send.
    fn proof(&self, srp: &SrpClient, challenge: &Value, password: &str) -> Value {
        let text = |name: &str| challenge[name].as_str().expect("the challenge is complete").to_owned();
        let (_, pool) = self.pool.split_once('_').expect("a pool's id");
        let user = text("USER_ID_FOR_SRP");
        let block = STANDARD.decode(text("SECRET_BLOCK")).expect("a block");
        let identity = Identity { pool, user: &user };
        let signature = srp.sign(identity, password, &text("SALT"), &text("SRP_B"), &block, TIMESTAMP);
        json!({
            "USERNAME": user, "TIMESTAMP": TIMESTAMP, "PASSWORD_CLAIM_SECRET_BLOCK": text("SECRET_BLOCK"),
            "PASSWORD_CLAIM_SIGNATURE": STANDARD.encode(signature),
        })
    }

    async fn prove(&self, proof: Value) -> Result<Value, Fault> {
        self.respond("PASSWORD_VERIFIER", &Value::Null, proof).await
    }

    fn later(&self, by: Duration) {
        self.cloud().shift_clock(by);
    }

    /// The digits in the newest message.
    fn code(&self) -> String {
        let newest = self.cloud().read(|account| account.mail.messages().last().map(|message| message.body.clone()));
        newest.expect("a message").chars().filter(char::is_ascii_digit).collect()
    }
}

#[tokio::test]
async fn a_password_is_proven_without_being_sent() {
    let world = World::new(json!({})).await;
    world.add_user("alice").await;
    let srp = SrpClient::new();
    let challenge = world.challenge(&srp, "alice").await.expect("a challenge");
    let proof = world.proof(&srp, &challenge, PASSWORD);
    let tokens = world.prove(proof.clone()).await.expect("tokens");
    assert!(tokens["AuthenticationResult"]["IdToken"].is_string());
    let replayed = refusal(world.prove(proof).await);
    is(&replayed, "NotAuthorizedException", "Invalid session for the user, session can only be used once.");
}

#[tokio::test]
async fn a_proof_is_for_one_session_one_user_one_client() {
    let world = World::new(json!({})).await;
    for name in ["alice", "mallory"] {
        world.add_user(name).await;
    }
    let srp = SrpClient::new();
    let fresh = async || world.challenge(&srp, "alice").await.expect("a challenge");
    let refused = async |proof: Value| refusal(world.prove(proof).await).1;

    let wrong = world.proof(&srp, &fresh().await, "Wrong-horse1");
    assert_eq!(refused(wrong).await, "Incorrect username or password.");

    let mut other_user = world.proof(&srp, &fresh().await, PASSWORD);
    other_user["USERNAME"] = json!("mallory");
    assert_eq!(refused(other_user).await, "Invalid session for the user.");

    let mut tampered = world.proof(&srp, &fresh().await, PASSWORD);
    tampered["PASSWORD_CLAIM_SECRET_BLOCK"] = json!(STANDARD.encode([7; 96]));
    assert_eq!(refused(tampered).await, "Invalid session for the user.");

    let mut other_time = world.proof(&srp, &fresh().await, PASSWORD);
    other_time["TIMESTAMP"] = json!("Fri Nov 20 11:00:01 UTC 2026");
    assert_eq!(refused(other_time).await, "Incorrect username or password.");

    let late = world.proof(&srp, &fresh().await, PASSWORD);
    world.later(Duration::minutes(4));
    assert_eq!(refused(late).await, "Invalid session for the user, session is expired.");

    let elsewhere = world.proof(&srp, &fresh().await, PASSWORD);
    let body = json!({ "UserPoolId": world.pool, "ClientName": "other" });
    let other = world.ask("CreateUserPoolClient", body).await.expect("a client");
    let body = json!({
        "ClientId": other["UserPoolClient"]["ClientId"], "ChallengeName": "PASSWORD_VERIFIER",
        "ChallengeResponses": elsewhere,
    });
    let refused = refusal(world.ask("RespondToAuthChallenge", body).await);
    is(&refused, "NotAuthorizedException", "Invalid session for the user.");
}

#[tokio::test]
async fn strangers_do_not_learn_who_is_a_user() {
    let world = World::new(json!({})).await;
    world.add_user("alice").await;
    let srp = SrpClient::new();
    let first = world.challenge(&srp, "nobody").await.expect("a challenge like any other");
    let second = world.challenge(&srp, "nobody").await.expect("a challenge like any other");
    assert_eq!(first["SALT"], second["SALT"]);
    let known = world.challenge(&srp, "alice").await.expect("a challenge");
    let names = |challenge: &Value| challenge.as_object().map(|all| all.keys().cloned().collect::<Vec<_>>());
    assert_eq!(names(&first), names(&known));
    let proof = world.proof(&srp, &first, PASSWORD);
    let incorrect = "Incorrect username or password.";
    is(&refusal(world.prove(proof).await), "NotAuthorizedException", incorrect);
    is(&refusal(world.sign_in("nobody", PASSWORD).await), "NotAuthorizedException", incorrect);
    let sent = world.by_client("ForgotPassword", json!({ "Username": "nobody" })).await.expect("it seems to be sent");
    assert_eq!(sent["CodeDeliveryDetails"]["DeliveryMedium"], "EMAIL");
    let confirm = json!({ "Username": "nobody", "ConfirmationCode": "123456", "Password": PASSWORD });
    assert_eq!(refusal(world.by_client("ConfirmForgotPassword", confirm).await).0, "ExpiredCodeException");
    assert!(world.cloud().read(|account| account.mail.messages().is_empty()));

    let open = World::with_client(json!({}), json!({})).await;
    is(&refusal(open.sign_in("nobody", PASSWORD).await), "UserNotFoundException", "User does not exist.");
    assert_eq!(refusal(open.challenge(&srp, "nobody").await).0, "UserNotFoundException");
}

#[tokio::test]
async fn guessing_locks_even_the_right_password_out_for_a_while() {
    let world = World::new(json!({})).await;
    world.add_user("alice").await;
    for _ in 0..8 {
        assert_eq!(refusal(world.sign_in("alice", "Wrong-horse1").await).0, "NotAuthorizedException");
        world.later(Duration::minutes(1));
    }
    assert_eq!(refusal(world.sign_in("alice", "Wrong-horse1").await).1, "Incorrect username or password.");
    is(&refusal(world.sign_in("alice", PASSWORD).await), "NotAuthorizedException", "Password attempts exceeded");
    let srp = SrpClient::new();
    assert_eq!(refusal(world.challenge(&srp, "alice").await).1, "Password attempts exceeded");
    world.later(Duration::minutes(1));
    assert!(world.sign_in("alice", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_temporary_password_buys_a_new_one_only() {
    let world = World::new(json!({ "Schema": [{ "Name": "email", "Required": true }] })).await;
    let request = json!({
        "UserAttributes": [{ "Name": "email", "Value": "a@example.com" }], "DesiredDeliveryMediums": ["EMAIL"],
        "TemporaryPassword": "Temporary-1",
    });
    let made = world.admin("AdminCreateUser", "alice", request).await.expect("a user");
    assert_eq!(made["User"]["UserStatus"], "FORCE_CHANGE_PASSWORD");
    let body = world.cloud().read(|account| account.mail.messages()[0].body.to_string());
    assert_eq!(body, "Your username is alice and temporary password is Temporary-1.");

    let asked = world.sign_in("alice", "Temporary-1").await.expect("a challenge");
    assert_eq!(asked["ChallengeName"], "NEW_PASSWORD_REQUIRED");
    assert!(asked.get("AuthenticationResult").is_none());
    assert_eq!(asked["ChallengeParameters"]["requiredAttributes"], "[]");
    let answer = async |password: &str| {
        let responses = json!({ "USERNAME": "alice", "NEW_PASSWORD": password });
        world.respond("NEW_PASSWORD_REQUIRED", &asked["Session"], responses).await
    };
    is(
        &refusal(answer("short").await),
        "InvalidPasswordException",
        "Password did not conform with policy: Password not long enough",
    );
    assert!(answer(PASSWORD).await.expect("tokens")["AuthenticationResult"]["AccessToken"].is_string());
    assert_eq!(refusal(answer("Another-horse1").await).0, "NotAuthorizedException");
    assert_eq!(refusal(world.sign_in("alice", "Temporary-1").await).1, "Incorrect username or password.");
    let user = world.admin("AdminGetUser", "alice", json!({})).await.expect("a user");
    assert_eq!(user["UserStatus"], "CONFIRMED");
}

#[tokio::test]
async fn a_temporary_password_ends() {
    let world = World::new(json!({})).await;
    let request = json!({ "TemporaryPassword": "Temporary-1", "MessageAction": "SUPPRESS" });
    world.admin("AdminCreateUser", "alice", request).await.expect("a user");
    world.later(Duration::days(8));
    let message = "Temporary password has expired and must be reset by an administrator.";
    is(&refusal(world.sign_in("alice", "Temporary-1").await), "NotAuthorizedException", message);
}

#[tokio::test]
async fn tokens_end_and_are_renewed() {
    let world = World::new(json!({})).await;
    world.add_user("alice").await;
    let tokens = world.sign_in("alice", PASSWORD).await.expect("tokens")["AuthenticationResult"].clone();
    let get = async || world.ask("GetUser", json!({ "AccessToken": tokens["AccessToken"] })).await;
    assert_eq!(get().await.expect("a user")["Username"], "alice");
    world.later(Duration::minutes(61));
    is(&refusal(get().await), "NotAuthorizedException", "Access Token has expired");
    let renewed = world.refresh(&tokens["RefreshToken"]).await.expect("tokens")["AuthenticationResult"].clone();
    assert!(renewed.get("RefreshToken").is_none() && renewed["IdToken"].is_string());
    world.later(Duration::days(31));
    is(&refusal(world.refresh(&tokens["RefreshToken"]).await), "NotAuthorizedException", "Refresh Token has expired");
    for nonsense in ["", "AAAA", "not a token"] {
        assert!(world.refresh(&json!(nonsense)).await.is_err());
    }
}

#[tokio::test]
async fn what_is_revoked_is_void() {
    let world = World::new(json!({})).await;
    world.add_user("alice").await;
    let sign_in = async || world.sign_in("alice", PASSWORD).await.expect("tokens")["AuthenticationResult"].clone();
    let get = async |tokens: &Value| world.ask("GetUser", json!({ "AccessToken": tokens["AccessToken"] })).await;
    let (first, second) = (sign_in().await, sign_in().await);
    world.by_client("RevokeToken", json!({ "Token": first["RefreshToken"] })).await.expect("it is revoked");
    is(&refusal(get(&first).await), "NotAuthorizedException", "Access Token has been revoked");
    assert_eq!(refusal(world.refresh(&first["RefreshToken"]).await).0, "NotAuthorizedException");
    assert!(get(&second).await.is_ok());
    let third = sign_in().await;
    world.ask("GlobalSignOut", json!({ "AccessToken": second["AccessToken"] })).await.expect("signed out");
    assert!(get(&second).await.is_err() && get(&third).await.is_err());
    assert!(world.refresh(&third["RefreshToken"]).await.is_err());
    let fourth = sign_in().await;
    world.admin("AdminDisableUser", "alice", json!({})).await.expect("it is switched off");
    assert!(get(&fourth).await.is_err());
    is(&refusal(world.sign_in("alice", PASSWORD).await), "NotAuthorizedException", "User is disabled.");
}

#[tokio::test]
async fn an_identity_token_is_no_access_token() {
    let (world, other) = (World::new(json!({})).await, World::new(json!({})).await);
    for world in [&world, &other] {
        world.add_user("alice").await;
    }
    let tokens = world.sign_in("alice", PASSWORD).await.expect("tokens")["AuthenticationResult"].clone();
    let get =
        async |world: &World, token: &Value| refusal(world.ask("GetUser", json!({ "AccessToken": token })).await).1;
    assert_eq!(get(&world, &tokens["IdToken"]).await, "Invalid Access Token");
    assert_eq!(get(&other, &tokens["AccessToken"]).await, "Invalid Access Token");
    let token = tokens["AccessToken"].as_str().expect("a token");
    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let unsigned = format!("{head}.");
    let swapped = format!("{head}.{}", signature.chars().rev().collect::<String>());
    for forged in [unsigned, swapped, String::new(), "a.b.c".to_owned()] {
        assert_eq!(get(&world, &json!(forged)).await, "Invalid Access Token");
    }
}

#[tokio::test]
async fn a_rotated_refresh_token_replaces_the_last() {
    let rotation = json!({ "Feature": "ENABLED", "RetryGracePeriodSeconds": 10 });
    let world = World::with_client(json!({}), json!({ "RefreshTokenRotation": rotation })).await;
    world.add_user("alice").await;
    let tokens = world.sign_in("alice", PASSWORD).await.expect("tokens")["AuthenticationResult"].clone();
    let get =
        async |token: &Value| world.by_client("GetTokensFromRefreshToken", json!({ "RefreshToken": token })).await;
    let next = get(&tokens["RefreshToken"]).await.expect("tokens")["AuthenticationResult"].clone();
    assert_ne!(next["RefreshToken"], tokens["RefreshToken"]);
    world.later(Duration::seconds(11));
    assert!(get(&tokens["RefreshToken"]).await.is_err());
    assert!(get(&next["RefreshToken"]).await.is_ok());
    assert!(world.refresh(&next["RefreshToken"]).await.is_err());
}

#[tokio::test]
async fn a_flow_that_is_not_allowed_is_closed() {
    let world = World::with_client(json!({}), json!({ "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"] })).await;
    world.add_user("alice").await;
    let closed = refusal(world.sign_in("alice", PASSWORD).await);
    is(&closed, "InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client");
    let parameters = json!({ "USERNAME": "alice", "PASSWORD": PASSWORD });
    let body =
        json!({ "UserPoolId": world.pool, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH", "AuthParameters": parameters });
    assert_eq!(refusal(world.by_client("AdminInitiateAuth", body).await).1, "Auth flow not enabled for this client");
    assert_eq!(refusal(world.refresh(&json!("AAAA")).await).1, "Auth flow not enabled for this client");
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_code() {
    let world = World::new(json!({})).await;
    world.add_user("alice").await;
    let forgot = async || world.by_client("ForgotPassword", json!({ "Username": "alice" })).await;
    let set = async |attributes: Value| {
        world.admin("AdminUpdateUserAttributes", "alice", json!({ "UserAttributes": attributes })).await
    };
    assert!(forgot().await.is_ok(), "a stranger learns nothing of a user without an address");
    let address = json!([{ "Name": "email", "Value": "a@example.com" }, { "Name": "email_verified", "Value": "true" }]);
    set(address).await.expect("an address");
    let tokens = world.sign_in("alice", PASSWORD).await.expect("tokens")["AuthenticationResult"].clone();
    let details = forgot().await.expect("a code")["CodeDeliveryDetails"].clone();
    assert_eq!(details, json!({ "Destination": "a***@e***", "DeliveryMedium": "EMAIL", "AttributeName": "email" }));
    let code = world.code();
    let confirm = async |code: &str| {
        let body = json!({ "Username": "alice", "ConfirmationCode": code, "Password": "Another-horse1" });
        world.by_client("ConfirmForgotPassword", body).await
    };
    assert_eq!(refusal(confirm("x").await).0, "CodeMismatchException");
    confirm(&code).await.expect("a new password");
    assert_eq!(refusal(confirm(&code).await).0, "ExpiredCodeException");
    assert!(world.sign_in("alice", PASSWORD).await.is_err());
    assert!(world.sign_in("alice", "Another-horse1").await.is_ok());
    assert!(world.refresh(&tokens["RefreshToken"]).await.is_err());
    forgot().await.expect("a code");
    let code = world.code();
    world.later(Duration::minutes(61));
    assert_eq!(refusal(confirm(&code).await).0, "ExpiredCodeException");
}

#[tokio::test]
async fn a_new_address_is_proven_before_it_counts() {
    let pool = json!({ "UsernameAttributes": ["email"], "AutoVerifiedAttributes": ["email"],
        "UserAttributeUpdateSettings": { "AttributesRequireVerificationBeforeUpdate": ["email"] } });
    let world = World::new(pool).await;
    for name in ["alice@example.com", "bob@example.com"] {
        world.add_user(name).await;
    }
    let tokens = world.sign_in("alice@example.com", PASSWORD).await.expect("tokens")["AuthenticationResult"].clone();
    let update = async |name: &str, value: &str| {
        let attributes = json!([{ "Name": name, "Value": value }]);
        let body = json!({ "AccessToken": tokens["AccessToken"], "UserAttributes": attributes });
        world.ask("UpdateUserAttributes", body).await
    };
    assert_eq!(refusal(update("email", "bob@example.com").await).0, "AliasExistsException");
    assert_eq!(refusal(update("email_verified", "true").await).0, "NotAuthorizedException");
    assert_eq!(refusal(update("email", "nonsense").await).1, "Invalid email address format.");
    update("email", "new@example.com").await.expect("a code is sent");
    assert!(world.sign_in("new@example.com", PASSWORD).await.is_err());
    let verify = json!({ "AccessToken": tokens["AccessToken"], "AttributeName": "email", "Code": world.code() });
    world.ask("VerifyUserAttribute", verify.clone()).await.expect("it is proven");
    assert!(world.sign_in("new@example.com", PASSWORD).await.is_ok());
    assert!(world.sign_in("alice@example.com", PASSWORD).await.is_err());
    assert!(world.ask("VerifyUserAttribute", verify).await.is_err());
}

#[tokio::test]
async fn a_required_second_factor_is_set_up_and_asked() {
    let world = World::new(json!({ "MfaConfiguration": "ON", "EnabledMfas": ["SOFTWARE_TOKEN_MFA"] })).await;
    world.add_user("alice").await;
    let asked = world.sign_in("alice", PASSWORD).await.expect("a challenge");
    assert_eq!(asked["ChallengeName"], "MFA_SETUP");
    let finish = async |session: &Value| world.respond("MFA_SETUP", session, json!({ "USERNAME": "alice" })).await;
    let made = world.ask("AssociateSoftwareToken", json!({ "Session": asked["Session"] })).await.expect("a secret");
    assert!(finish(&asked["Session"]).await.is_err());
    let code = async |steps: i64| {
        let secret = world.cloud().read(|account| {
            let pool = account.cognito.pool(&world.pool).expect("the pool");
            pool.users["alice"].totp.secret.clone()
        });
        let secret = secret
            .unwrap_or_else(|| super::mfa::tests::unbase32(made["SecretCode"].as_str().unwrap_or_default()).into());
        super::mfa::tests::code(&secret, world.cloud().now().unix_timestamp() / 30 + steps)
    };
    let verify = json!({ "Session": made["Session"], "UserCode": code(0).await });
    let verified = world.ask("VerifySoftwareToken", verify).await.expect("it is verified");
    assert!(finish(&verified["Session"]).await.expect("tokens")["AuthenticationResult"].is_object());

    world.later(Duration::minutes(2));
    let asked = world.sign_in("alice", PASSWORD).await.expect("a challenge");
    assert_eq!(asked["ChallengeName"], "SOFTWARE_TOKEN_MFA");
    let answer = async |code: &str| {
        let responses = json!({ "USERNAME": "alice", "SOFTWARE_TOKEN_MFA_CODE": code });
        world.respond("SOFTWARE_TOKEN_MFA", &asked["Session"], responses).await
    };
    assert_eq!(refusal(answer("000000x").await).0, "CodeMismatchException");
    let right = code(0).await;
    assert!(answer(&right).await.expect("tokens")["AuthenticationResult"].is_object());
    assert!(answer(&right).await.is_err());
}

#[tokio::test]
async fn nobody_signs_up_as_another() {
    let world = World::new(json!({})).await;
    let attributes = json!([{ "Name": "sub", "Value": "of-alice" }]);
    let body = json!({ "Username": "mallory", "Password": PASSWORD, "UserAttributes": attributes });
    let message = "A client attempted to write unauthorized attribute";
    is(&refusal(world.by_client("SignUp", body.clone()).await), "NotAuthorizedException", message);
    let refused = refusal(world.admin("AdminCreateUser", "mallory", body).await);
    is(&refused, "InvalidParameterException", "Cannot modify the non-mutable attribute sub");
    world.deployed.stop().await;
}

#[tokio::test]
async fn a_domain_is_small_letters_digits_and_hyphens() {
    let world = World::new(json!({})).await;
    let asked = async |domain: &str| {
        let body = json!({ "Domain": domain, "UserPoolId": world.pool });
        ask(world.cloud(), "CreateUserPoolDomain", body).await
    };
    for domain in ["Aws_Bad", "-a", "a-", "a.b", "", &"a".repeat(64)] {
        assert_eq!(refusal(asked(domain).await).0, "InvalidParameterException", "{domain}");
    }
    assert!(asked("my-app-1").await.is_ok());
    world.deployed.stop().await;
}

#[tokio::test]
async fn a_pool_has_tags() {
    let world = World::new(json!({ "UserPoolTags": { "team": "blue" } })).await;
    let arn = format!("arn:aws:cognito-idp:us-east-1:000000000000:userpool/{}", world.pool);
    let asked = async |operation: &str, mut body: Value| {
        body["ResourceArn"] = json!(arn);
        ask(world.cloud(), operation, body).await.expect("it answers")
    };
    asked("TagResource", json!({ "Tags": { "stage": "dev" } })).await;
    assert_eq!(asked("ListTagsForResource", json!({})).await["Tags"], json!({ "team": "blue", "stage": "dev" }));
    asked("UntagResource", json!({ "TagKeys": ["team"] })).await;
    assert_eq!(asked("ListTagsForResource", json!({})).await["Tags"], json!({ "stage": "dev" }));
    let elsewhere = arn.replace("us-east-1:000000000000", "eu-west-1:111111111111");
    for other in [world.pool.as_str(), &elsewhere, &format!("x{arn}")] {
        let body = json!({ "ResourceArn": other, "Tags": { "stage": "prod" } });
        assert_eq!(refusal(ask(world.cloud(), "TagResource", body).await).0, "InvalidParameterException", "{other}");
    }
    assert_eq!(asked("ListTagsForResource", json!({})).await["Tags"], json!({ "stage": "dev" }));
    world.deployed.stop().await;
}

#[tokio::test]
async fn whoever_may_tag_one_pool_may_not_tag_another() {
    let world = World::new(json!({})).await;
    let own = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/own";
    let other = format!("arn:aws:cognito-idp:us-east-1:000000000000:userpool/{}", world.pool);
    let may = |operation: &str, statements: Value, body: Value| {
        let request = request(operation, &body);
        world
            .cloud()
            .write(|account| Ok::<_, Fault>(may(account, &statements, "cognito-idp", &request)))
            .expect("saved")
    };
    for operation in ["ListTagsForResource", "TagResource", "UntagResource"] {
        let granted = json!([statement("Allow", "cognito-idp:*", own)]);
        assert_eq!(may(operation, granted.clone(), json!({ "ResourceArn": own })), Ok(()), "{operation}");
        let both = json!({ "UserPoolId": "own", "ResourceArn": other });
        assert_eq!(refusal(may(operation, granted, both).map(|()| json!(0))).0, "AccessDeniedException", "{operation}");
    }
    world.deployed.stop().await;
}

#[tokio::test]
async fn triggers_decide_and_are_told_why_not() {
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let world = World::new(json!({
        "AutoVerifiedAttributes": ["email"],
        "LambdaConfig": {
            "PreSignUp": function, "CustomMessage": function, "PostConfirmation": function,
            "PreTokenGenerationConfig": { "LambdaArn": function, "LambdaVersion": "V2_0" },
        },
    }))
    .await;
    let sign_up = async |name: &str| {
        let attributes = json!([{ "Name": "email", "Value": format!("{name}@example.com") }]);
        let body = json!({ "Username": name, "Password": PASSWORD, "UserAttributes": attributes });
        world.by_client("SignUp", body).await
    };
    let message = "PreSignUp invocation failed due to error AccessDeniedException.";
    is(&refusal(sign_up("alice").await), "UnexpectedLambdaException", message);
    world.permit();
    world.answer(&json!({ "PreSignUp_SignUp": "not you" }));
    is(&refusal(sign_up("alice").await), "UserLambdaValidationException", "PreSignUp failed with error not you.");
    world.answer(&json!({
        "CustomMessage_SignUp": { "emailSubject": "Hello", "emailMessage": "Take {####}" },
        "TokenGeneration_Authentication": { "claimsAndScopeOverrideDetails": {
            "accessTokenGeneration": { "scopesToAdd": ["notes/read"] } } },
    }));
    assert_eq!(sign_up("alice").await.expect("a user")["UserConfirmed"], false);
    let letter = world.cloud().read(|account| account.mail.messages()[0].clone());
    assert_eq!((letter.subject.as_str(), letter.body.as_str()), ("Hello", format!("Take {}", world.code()).as_str()));
    let confirm = json!({ "Username": "alice", "ConfirmationCode": world.code() });
    world.by_client("ConfirmSignUp", confirm).await.expect("a confirmed user");
    let tokens = world.sign_in("alice", PASSWORD).await.expect("tokens");
    let token = tokens["AuthenticationResult"]["AccessToken"].as_str().expect("a token").to_owned();
    let payload = token.split('.').nth(1).expect("three parts");
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64");
    let claims: Value = serde_json::from_slice(&payload).expect("claims");
    assert_eq!(claims["scope"], "aws.cognito.signin.user.admin notes/read");

    world.answer(&json!({ "PreSignUp_SignUp": { "autoConfirmUser": true, "autoVerifyEmail": true } }));
    assert_eq!(sign_up("bob").await.expect("a user")["UserConfirmed"], true);
    assert!(world.sign_in("bob", PASSWORD).await.is_ok());
    world.deployed.stop().await;
}

#[tokio::test]
async fn functions_make_up_challenges() {
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let config = json!({
        "DefineAuthChallenge": function, "CreateAuthChallenge": function, "VerifyAuthChallengeResponse": function,
    });
    let world = World::new(json!({ "LambdaConfig": config })).await;
    world.permit();
    world.add_user("alice").await;
    world.answer(&json!({
        "DefineAuthChallenge_Authentication": { "challengeName": "CUSTOM_CHALLENGE" },
        "CreateAuthChallenge_Authentication": {
            "publicChallengeParameters": { "question": "colour?" }, "privateChallengeParameters": { "answer": "blue" } },
        "VerifyAuthChallengeResponse_Authentication": { "answerCorrect": true },
    }));
    let parameters = json!({ "USERNAME": "alice" });
    let body = json!({ "AuthFlow": "CUSTOM_AUTH", "AuthParameters": parameters });
    let asked = world.by_client("InitiateAuth", body).await.expect("a challenge");
    assert_eq!(asked["ChallengeParameters"]["question"], "colour?");
    assert!(asked["ChallengeParameters"].get("answer").is_none());
    let answer = async |session: &Value| {
        world.respond("CUSTOM_CHALLENGE", session, json!({ "USERNAME": "alice", "ANSWER": "blue" })).await
    };
    let again = answer(&asked["Session"]).await.expect("another challenge");
    assert_eq!(again["ChallengeName"], "CUSTOM_CHALLENGE");
    assert!(answer(&asked["Session"]).await.is_err());
    world.answer(&json!({
        "DefineAuthChallenge_Authentication": { "issueTokens": true },
        "VerifyAuthChallengeResponse_Authentication": { "answerCorrect": true },
    }));
    assert!(answer(&again["Session"]).await.expect("tokens")["AuthenticationResult"].is_object());
    world.deployed.stop().await;
}
