//! Where bad tokens are tried: a stack with a door of each kind, and a user who may go through all of them.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sdk_cloudformation::types::Parameter;
use aws_sdk_cognitoidentityprovider::Client as Cognito;
use aws_sdk_cognitoidentityprovider::types::MessageActionType;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::{Value, json};
use stackgen::access::flaw::{Flaw, Guard};
use stackgen::deploy::aws::{Account, Keys, Target};
use stackgen::deploy::tokens::{Kind, Mint, Wanted};
use stackgen::deploy::users::{Pool, SignedIn};
use stackgen::{spec, synth};

use crate::cases::setup::{ARCHIVE, BUCKET, Standing, World};
use crate::support::Key;

/// The user.
pub(super) const ALICE: &str = "alice@example.com";

const PASSWORD: &str = "Correct-horse1";

/// The stack, deployed to a cloud in this process.
pub(super) struct Doors {
    pub(super) world: World,
    pub(super) mint: Mint,
    pub(super) pool: String,
    pub(super) client: String,
    account: Account,
    standing: Standing,
}

/// What a door answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    challenge: String,
    kind: String,
}

impl Doors {
    pub(super) async fn stand_up() -> Self {
        let world = World::new().await;
        let stack = spec::read("stacks/doors.yaml", include_bytes!("doors.yaml")).expect("the stack is in order");
        let template = synth::synthesize("doors", &stack).expect("it can be synthesized").to_json();
        let template: Value = serde_json::from_str(&template).expect("a template is JSON");
        let parameter =
            |(name, value): (&str, &str)| Parameter::builder().parameter_key(name).parameter_value(value).build();
        let scripts = [("function", json!({ "do": "echo" }))];
        let standing = world.deploy(&scripts, |place| {
            let journal = format!("{place}.function");
            let code = [("AssetBucket", BUCKET), ("FunctionCodeKey", ARCHIVE), ("Journal", &journal)];
            (template, code.map(parameter).to_vec())
        });
        let standing = standing.await.expect("the stack can be deployed");
        let output = |name: &str| standing.outputs[name].clone();
        let (pool, client) = (output("pool"), output("client"));
        let key = world.key();
        let target = Target {
            region: Some("us-east-1".to_owned()),
            endpoint_url: Some(world.cloud.endpoint.clone()),
            keys: Some(Keys { access_key_id: key.id, secret_access_key: key.secret }),
            ..Target::default()
        };
        let account = Account::connect(&target).await.expect("the cloud answers");
        let mint = Mint::of(&account).await.expect("it is stackgen's own cloud");
        let doors = Self { world, mint, pool, client, account, standing };
        doors.add_alice().await;
        doors
    }

    async fn add_alice(&self) {
        let cognito = self.cognito();
        let made = cognito.admin_create_user().user_pool_id(&self.pool).username(ALICE);
        made.message_action(MessageActionType::Suppress).send().await.expect("she is made");
        let set = cognito.admin_set_user_password().user_pool_id(&self.pool).username(ALICE);
        set.password(PASSWORD).permanent(true).send().await.expect("it is set");
    }

    pub(super) fn cognito(&self) -> Cognito {
        Cognito::new(&self.world.cloud.config())
    }

    /// The good token that a test is about.
    pub(super) fn wanted<'a>(&'a self, kind: Kind, scopes: &'a [String]) -> Wanted<'a> {
        Wanted { pool: &self.pool, client: &self.client, user: ALICE, kind, scopes }
    }

    /// The tokens of a real sign-in: for who the user is, and for what she may do.
    pub(super) async fn sign_in(&self) -> (String, String) {
        let pool = Pool::new(&self.account, &self.pool);
        let client = pool.client(&self.client).await.expect("it is there");
        match pool.sign_in(&client, ALICE, PASSWORD).await.expect("the password is right") {
            SignedIn::Done(tokens) => (tokens.id, tokens.access),
            SignedIn::NewPassword(_) => panic!("the password is permanent"),
        }
    }

    /// Presents a token at a door.
    pub(super) async fn knock(&self, guard: Guard, token: &str) -> Answer {
        let (base, path) = match guard {
            Guard::Jwt => ("http", "/plain"),
            Guard::ScopedJwt => ("http", "/scoped"),
            Guard::Cognito => ("rest", "/plain"),
            Guard::ScopedCognito => ("rest", "/scoped"),
            Guard::Function | Guard::ScopedFunction => panic!("no gateway asks a function here"),
        };
        let url = format!("{}{path}", self.standing.outputs[base].trim_end_matches('/'));
        let response = reqwest::Client::new().get(url).bearer_auth(token).send().await.expect("the cloud answers");
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (status, challenge, kind) =
            (response.status().as_u16(), header("www-authenticate"), header("x-amzn-errortype"));
        let body = response.json().await.expect("it answers with JSON");
        Answer { status, body, challenge, kind }
    }

    /// The pool's public keys.
    pub(super) async fn key_set(&self) -> Value {
        let url = format!("{}/{}/.well-known/jwks.json", self.world.cloud.endpoint, self.pool);
        reqwest::get(url).await.expect("the cloud answers").json().await.expect("it answers with JSON")
    }

    /// All that the account holds.
    pub(super) fn state(&self) -> Vec<u8> {
        std::fs::read(self.world.cloud.cloud.data().join("account.json")).expect("the cloud has state")
    }

    /// What the cloud answers when it is asked for a token, with these headers besides.
    pub(super) async fn ask(&self, signer: &Signer, headers: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}/", self.world.cloud.endpoint);
        let body = json!({ "UserPoolId": self.pool, "ClientId": self.client, "Username": ALICE, "TokenUse": "id" });
        let body = body.to_string();
        let mut request = reqwest::Client::new().post(&url).header("x-amz-target", TARGET);
        for (name, value) in signer.headers(&url, &body) {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body).send().await.expect("the cloud answers");
        (response.status().as_u16(), response.json().await.expect("it answers with JSON"))
    }
}

const TARGET: &str = "StackgenLocal.MintToken";

/// Who asks.
pub(super) enum Signer {
    /// Nobody signs.
    Nobody,
    /// Whoever has these credentials, for a service.
    Holder(Credentials, &'static str),
}

impl Signer {
    pub(super) fn of(key: &Key) -> Self {
        Self::Holder(Credentials::new(&key.id, &key.secret, key.token.clone(), None, "test"), "stackgen")
    }

    /// The same, who signs for another service.
    pub(super) fn in_scope(&self, service: &'static str) -> Self {
        match self {
            Self::Nobody => Self::Nobody,
            Self::Holder(credentials, _) => Self::Holder(credentials.clone(), service),
        }
    }

    fn headers(&self, url: &str, body: &str) -> Vec<(String, String)> {
        let Self::Holder(credentials, service) = self else { return Vec::new() };
        let identity = credentials.clone().into();
        let parameters = v4::SigningParams::builder().identity(&identity).region("us-east-1").name(service);
        let parameters = parameters.time(SystemTime::now()).settings(SigningSettings::default());
        let parameters = parameters.build().expect("all is there").into();
        let target = [("x-amz-target", TARGET)].into_iter();
        let request = SignableRequest::new("POST", url, target, SignableBody::Bytes(body.as_bytes()));
        let signed = sign(request.expect("it can be signed"), &parameters).expect("it can be signed");
        let (instructions, _) = signed.into_parts();
        instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl Answer {
    /// Holds the answer against what an HTTP API says.
    pub(super) fn is_refusal_of_an_http_api(&self, status: u16, flaw: Flaw) {
        let (message, error) =
            if status == 403 { ("Forbidden", "insufficient_scope") } else { ("Unauthorized", "invalid_token") };
        assert_eq!(self.body, json!({ "message": message }), "{flaw}");
        assert!(self.challenge.starts_with("Bearer scope="), "{flaw}: {}", self.challenge);
        assert!(self.challenge.contains(&format!("error=\"{error}\"")), "{flaw}: {}", self.challenge);
    }

    /// Holds the answer against what a REST API says. It tells of a token that has ended, and of nothing else.
    pub(super) fn is_refusal_of_a_rest_api(&self, flaw: Flaw) {
        let message = if flaw == Flaw::Expired { "The incoming token has expired" } else { "Unauthorized" };
        assert_eq!(self.body, json!({ "message": message }), "{flaw}");
        assert_eq!(self.kind, "UnauthorizedException", "{flaw}");
    }
}
