//! User pools, through the SDK and the documents that others verify tokens with.

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::ProvideErrorMetadata;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, AuthFlowType, AuthenticationResultType, ChallengeNameType, ExplicitAuthFlowsType, MessageActionType,
    UsernameAttributeType, VerifiedAttributeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::support::TestCloud;

const PASSWORD: &str = "Correct-horse1";

/// A pool whose users sign in by email, with one client.
struct Pool {
    cloud: TestCloud,
    client: Client,
    id: String,
    app: String,
}

impl Pool {
    async fn start() -> Self {
        Self::of(TestCloud::start().await).await
    }

    async fn of(cloud: TestCloud) -> Self {
        let client = Client::new(&cloud.config());
        let made = client
            .create_user_pool()
            .pool_name("users")
            .username_attributes(UsernameAttributeType::Email)
            .auto_verified_attributes(VerifiedAttributeType::Email)
            .send()
            .await
            .expect("a pool");
        let id = made.user_pool().and_then(|pool| pool.id()).expect("an id").to_owned();
        let app = client
            .create_user_pool_client()
            .user_pool_id(&id)
            .client_name("web")
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth)
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowAdminUserPasswordAuth)
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowRefreshTokenAuth)
            .send()
            .await
            .expect("a client");
        let app = app.user_pool_client().and_then(|app| app.client_id()).expect("an id").to_owned();
        Self { cloud, client, id, app }
    }

    async fn sign_up(&self, email: &str) -> String {
        let made = self.client.sign_up().client_id(&self.app).username(email).password(PASSWORD).send().await;
        made.expect("a user").user_sub().to_owned()
    }

    async fn confirmed(&self, email: &str) -> String {
        let sub = self.sign_up(email).await;
        let confirm = self.client.confirm_sign_up().client_id(&self.app).username(email);
        confirm.confirmation_code(self.code()).send().await.expect("the code is right");
        sub
    }

    /// The digits in the newest message.
    fn code(&self) -> String {
        let body = self.cloud.cloud.read(|account| account.mail.messages().last().map(|message| message.body.clone()));
        body.expect("a message").chars().filter(char::is_ascii_digit).collect()
    }

    async fn sign_in(&self, email: &str, password: &str) -> Result<AuthenticationResultType, String> {
        let asked = self
            .client
            .initiate_auth()
            .client_id(&self.app)
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .auth_parameters("USERNAME", email)
            .auth_parameters("PASSWORD", password);
        match asked.send().await {
            Ok(answer) => answer.authentication_result.ok_or_else(|| format!("{:?}", answer.challenge_name)),
            Err(error) => Err(code(&error)),
        }
    }

    async fn document(&self, pool: &str, name: &str) -> reqwest::Response {
        let address = format!("{}/{pool}/.well-known/{name}", self.cloud.endpoint);
        reqwest::get(address).await.expect("the cloud answers")
    }

    /// What a token says, verified as anybody would verify it.
    async fn verified(&self, token: &str, audience: Option<&str>) -> Result<Value, String> {
        let configuration: Value =
            self.document(&self.id, "openid-configuration").await.json().await.expect("a document");
        let keys = configuration["jwks_uri"].as_str().expect("a place");
        let keys: JwkSet = reqwest::get(keys).await.expect("the cloud answers").json().await.expect("a key set");
        let header = jsonwebtoken::decode_header(token).map_err(|error| error.to_string())?;
        let key = keys.find(header.kid.as_deref().unwrap_or_default()).ok_or("no such key")?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[configuration["issuer"].as_str().expect("a name")]);
        match audience {
            Some(audience) => validation.set_audience(&[audience]),
            None => validation.validate_aud = false,
        }
        let key = DecodingKey::from_jwk(key).map_err(|error| error.to_string())?;
        let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).map_err(|error| error.to_string())?;
        Ok(claims.claims)
    }
}

fn code<E: ProvideErrorMetadata>(error: &E) -> String {
    error.code().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_user_signs_up_and_in() {
    let pool = Pool::start().await;
    let made = pool.client.sign_up().client_id(&pool.app).username("alice@example.com").password(PASSWORD);
    let made = made.send().await.expect("a user");
    assert!(!made.user_confirmed());
    let details = made.code_delivery_details().expect("a code is sent");
    assert_eq!((details.destination(), details.attribute_name()), (Some("a***@e***"), Some("email")));
    assert_eq!(pool.sign_in("alice@example.com", PASSWORD).await, Err("UserNotConfirmedException".to_owned()));

    let confirm = async |digits: &str| {
        let confirm = pool.client.confirm_sign_up().client_id(&pool.app).username("alice@example.com");
        confirm.confirmation_code(digits).send().await.map_err(|error| code(&error))
    };
    let right = pool.code();
    assert_eq!(confirm("nonsense").await.err().as_deref(), Some("CodeMismatchException"));
    confirm(&right).await.expect("the code is right");
    assert_eq!(confirm(&right).await.err().as_deref(), Some("NotAuthorizedException"));

    let tokens = pool.sign_in("alice@example.com", PASSWORD).await.expect("tokens");
    assert_eq!((tokens.token_type(), tokens.expires_in()), (Some("Bearer"), 3600));
    assert!(tokens.refresh_token().is_some());
    let again = pool.client.sign_up().client_id(&pool.app).username("alice@example.com").password(PASSWORD);
    assert_eq!(code(&again.send().await.expect_err("the name is taken")), "UsernameExistsException");
    let weak = pool.client.sign_up().client_id(&pool.app).username("bob@example.com").password("password");
    let refused = weak.send().await.expect_err("the password is weak");
    assert_eq!(
        refused.message(),
        Some("Password did not conform with policy: Password must have uppercase characters")
    );
}

#[tokio::test]
async fn tokens_verify_with_the_served_keys() {
    let pool = Pool::start().await;
    let sub = pool.confirmed("alice@example.com").await;
    let tokens = pool.sign_in("alice@example.com", PASSWORD).await.expect("tokens");
    let (id, access) = (tokens.id_token().expect("one"), tokens.access_token().expect("one"));
    let claims = pool.verified(id, Some(&pool.app)).await.expect("it is genuine");
    assert_eq!(claims["iss"], format!("https://cognito-idp.us-east-1.amazonaws.com/{}", pool.id));
    assert_eq!((&claims["sub"], &claims["cognito:username"]), (&Value::from(sub.clone()), &Value::from(sub.clone())));
    assert_eq!((&claims["email"], &claims["email_verified"]), (&"alice@example.com".into(), &true.into()));
    assert_eq!(claims["token_use"], "id");
    let claims = pool.verified(access, None).await.expect("it is genuine");
    assert_eq!((&claims["token_use"], &claims["username"]), (&"access".into(), &Value::from(sub)));
    assert_eq!((&claims["client_id"], claims.get("aud")), (&Value::from(pool.app.clone()), None));
    assert_eq!(claims["scope"], "aws.cognito.signin.user.admin");

    let kid = |token: &str| jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid);
    assert_ne!(kid(id), kid(access));
    let mut parts: Vec<&str> = id.split('.').collect();
    let forged = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).expect("base64")).expect("text");
    let forged = URL_SAFE_NO_PAD.encode(forged.replace("alice@", "admin@"));
    parts[1] = &forged;
    assert_eq!(pool.verified(&parts.join("."), Some(&pool.app)).await, Err("InvalidSignature".to_owned()));
    assert!(pool.verified(id, Some("another")).await.is_err());
}

#[tokio::test]
async fn a_pool_that_is_not_there_has_no_documents() {
    let pool = Pool::start().await;
    assert_eq!(pool.document("us-east-1_Nowhere00", "jwks.json").await.status(), 404);
    assert_eq!(pool.document("us-east-1_Nowhere00", "openid-configuration").await.status(), 404);
    assert_eq!(pool.document(&pool.id, "secrets.json").await.status(), 404);
}

#[tokio::test]
async fn administrators_prove_who_they_are() {
    let pool = Pool::start().await;
    let unsigned = async |operation: &str, body: Value| {
        let request = reqwest::Client::new().post(&pool.cloud.endpoint).body(body.to_string());
        let request = request.header("content-type", "application/x-amz-json-1.1");
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        let response = request.header("x-amz-target", target).send().await.expect("the cloud answers");
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
    };
    let user = serde_json::json!({ "UserPoolId": pool.id, "Username": "mallory@example.com" });
    for operation in
        ["AdminCreateUser", "AdminSetUserPassword", "ListUsers", "DeleteUserPool", "DescribeUserPoolClient"]
    {
        let (status, body) = unsigned(operation, user.clone()).await;
        assert!((400..500).contains(&status), "{operation}: {status}");
        assert_eq!(body["__type"], "MissingAuthenticationTokenException", "{operation}");
    }
    let (status, body) = unsigned("InitiateAuth", serde_json::json!({ "AuthFlow": "USER_PASSWORD_AUTH" })).await;
    assert_eq!((status, &body["__type"]), (400, &"InvalidParameterException".into()));
    assert!(body["message"].as_str().is_some_and(|message| message.contains("Value null at 'clientId'")), "{body}");
    let (_, body) =
        unsigned("SignUp", serde_json::json!({ "ClientId": "nobody", "Username": "a", "Password": "b" })).await;
    assert_eq!(body["__type"], "ResourceNotFoundException");
}

#[tokio::test]
async fn an_administrator_makes_users_and_groups() {
    let pool = Pool::start().await;
    let email = |value: &str| AttributeType::builder().name("email").value(value).build().expect("it is complete");
    for name in ["alice@example.com", "bob@example.com", "carol@example.com"] {
        let made = pool.client.admin_create_user().user_pool_id(&pool.id).username(name).user_attributes(email(name));
        let made = made.message_action(MessageActionType::Suppress).temporary_password("Temporary-1");
        made.send().await.expect("a user");
    }
    let found = pool.client.list_users().user_pool_id(&pool.id).filter("email ^= \"bo\"").send().await.expect("users");
    assert_eq!(found.users().len(), 1);
    let first = pool.client.list_users().user_pool_id(&pool.id).limit(2).send().await.expect("users");
    assert_eq!(first.users().len(), 2);
    let rest =
        pool.client.list_users().user_pool_id(&pool.id).pagination_token(first.pagination_token().expect("more"));
    assert_eq!(rest.send().await.expect("users").users().len(), 1);

    pool.client.create_group().user_pool_id(&pool.id).group_name("admins").send().await.expect("a group");
    let add = pool.client.admin_add_user_to_group().user_pool_id(&pool.id).username("alice@example.com");
    add.group_name("admins").send().await.expect("a member");
    let set = pool.client.admin_set_user_password().user_pool_id(&pool.id).username("alice@example.com");
    set.password(PASSWORD).permanent(true).send().await.expect("a password");
    let tokens = pool.sign_in("alice@example.com", PASSWORD).await.expect("tokens");
    let claims = pool.verified(tokens.access_token().expect("one"), None).await.expect("it is genuine");
    assert_eq!(claims["cognito:groups"], serde_json::json!(["admins"]));

    let asked = pool
        .client
        .admin_initiate_auth()
        .user_pool_id(&pool.id)
        .client_id(&pool.app)
        .auth_flow(AuthFlowType::AdminUserPasswordAuth)
        .auth_parameters("USERNAME", "bob@example.com")
        .auth_parameters("PASSWORD", "Temporary-1")
        .send()
        .await
        .expect("a challenge");
    assert_eq!(asked.challenge_name(), Some(&ChallengeNameType::NewPasswordRequired));
    let answer = pool
        .client
        .admin_respond_to_auth_challenge()
        .user_pool_id(&pool.id)
        .client_id(&pool.app)
        .challenge_name(ChallengeNameType::NewPasswordRequired)
        .set_session(asked.session)
        .challenge_responses("USERNAME", "bob@example.com")
        .challenge_responses("NEW_PASSWORD", PASSWORD)
        .send()
        .await
        .expect("tokens");
    assert!(answer.authentication_result().is_some());
}

#[tokio::test]
async fn users_and_tokens_outlive_the_process() {
    let pool = Pool::start().await;
    pool.confirmed("alice@example.com").await;
    let tokens = pool.sign_in("alice@example.com", PASSWORD).await.expect("tokens");
    let Pool { cloud, id, app, .. } = pool;
    let cloud = cloud.restart().await;
    let client = Client::new(&cloud.config());
    let pool = Pool { cloud, client, id, app };
    assert!(pool.verified(tokens.id_token().expect("one"), Some(&pool.app)).await.is_ok());
    let own = pool.client.get_user().access_token(tokens.access_token().expect("one")).send().await.expect("a user");
    assert!(own.user_attributes().iter().any(|attribute| attribute.value() == Some("alice@example.com")));
    assert!(pool.sign_in("alice@example.com", PASSWORD).await.is_ok());
    let folder = pool.cloud.stop().await;
    let state = std::fs::read_to_string(folder.path().join("account.json")).expect("the state is there");
    assert!(!state.contains(PASSWORD) && !state.contains(tokens.refresh_token().expect("one")));
}
