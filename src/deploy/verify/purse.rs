//! The credentials that calls show.
//!
//! The local cloud gives any token, and users are made for it who are gone afterwards. Everywhere else only that is used
//! which may lawfully be had: the tokens of a user who has signed in, and secrets that whoever runs this may read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::service;
use crate::access::flaw::Flaw;
use crate::access::matrix::references;
use crate::access::probe::{Credential, SELF_SERVICE, Signature, Token, TokenKind};
use crate::deploy::api::{self, Call};
use crate::deploy::aws::Account;
use crate::deploy::stack::Deployed;
use crate::deploy::tokens::{Mint, Wanted, claims};
use crate::deploy::users::{Error as UsersError, Lasting, NewUser, Pool};

/// The tokens of a user who has signed in with a client.
#[derive(Clone)]
pub struct Lawful {
    /// Logical id of the pool.
    pub pool: String,
    /// Logical id of the client.
    pub client: String,
    /// Who the user is.
    pub id: String,
    /// What the user may do.
    pub access: String,
}

/// What is given to show, besides what can be had.
#[derive(Clone, Default)]
pub struct Given {
    /// Tokens of a user.
    pub tokens: Vec<Lawful>,
    /// Why the user has none of other clients, in words, by the logical ids of pool and client.
    pub no_tokens: BTreeMap<(String, String), String>,
    /// Credentials of Lambda authorizers, by `API/AUTHORIZER`.
    pub shared: BTreeMap<String, String>,
    /// Whether secrets and API keys of the stack may be read.
    pub secrets: Secrets,
}

/// Whether secrets and API keys of the stack may be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secrets {
    /// They are left alone.
    #[default]
    Untouched,
    /// They are read, to be shown to the API that wants them.
    Read,
}

/// What a caller shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    /// A token, or whatever else is carried as a text.
    Text(String),
    Signed(Signature),
}

/// Where credentials come from.
pub(super) struct Purse<'a> {
    account: &'a Account,
    resources: &'a [Deployed],
    given: &'a Given,
    mint: Option<Mint>,
    /// Users that were made, by pool and groups.
    users: BTreeMap<(String, Vec<String>), String>,
    /// What is known already.
    known: BTreeMap<Credential, Result<Shown, String>>,
}

/// How long the removal of a user may take.
const REMOVAL: Duration = Duration::from_secs(10);

/// A text that is no token, and that no secret is.
const GARBAGE: &str = "stackgen-verify-this-is-no-token";

impl<'a> Purse<'a> {
    pub(super) fn new(account: &'a Account, resources: &'a [Deployed], given: &'a Given, mint: Option<Mint>) -> Self {
        Self { account, resources, given, mint, users: BTreeMap::new(), known: BTreeMap::new() }
    }

    pub(super) fn has_mint(&self) -> bool {
        self.mint.is_some()
    }

    /// What a credential is; or why it cannot be had, in words.
    pub(super) async fn take(&mut self, credential: &Credential) -> Result<Shown, String> {
        if let Some(known) = self.known.get(credential) {
            return known.clone();
        }
        let found = self.find(credential).await;
        self.known.insert(credential.clone(), found.clone());
        found
    }

    async fn find(&mut self, credential: &Credential) -> Result<Shown, String> {
        match credential {
            Credential::Nothing => Ok(Shown::Nothing),
            Credential::Garbage => Ok(Shown::Text(GARBAGE.to_owned())),
            Credential::Signature(signature) => Ok(Shown::Signed(*signature)),
            Credential::Shared { api, authorizer, secret } => {
                self.shared(&format!("{api}/{authorizer}"), secret.as_deref()).await.map(Shown::Text)
            }
            Credential::Token(token) if self.mint.is_some() => self.minted(token, None).await.map(Shown::Text),
            Credential::Flawed(token, flaw) if self.mint.is_some() => {
                self.minted(token, Some(*flaw)).await.map(Shown::Text)
            }
            Credential::Token(token) => self.lawful(token).map(Shown::Text),
            Credential::Flawed(token, flaw) => self.lawfully_flawed(token, *flaw).map(Shown::Text),
        }
    }

    async fn shared(&self, name: &str, secret: Option<&str>) -> Result<String, String> {
        if let Some(given) = self.given.shared.get(name) {
            return Ok(given.clone());
        }
        let advice = format!("give it with `--credential '{name}=FILE'`");
        let secret = secret.and_then(|secret| self.of_kind(secret, "AWS::SecretsManager::Secret"));
        let Some(secret) = secret else { return Err(format!("the credential is not known: {advice}")) };
        if self.given.secrets == Secrets::Untouched {
            return Err(format!(
                "the credential is in secret `{}`: {advice}, or add `--read-secrets`",
                secret.logical_id
            ));
        }
        let found = self.secret(&secret.physical_id).await;
        found.ok_or_else(|| format!("secret `{}` cannot be read: {advice}", secret.logical_id))
    }

    /// There is no SDK client for this one question.
    async fn secret(&self, arn: &str) -> Option<String> {
        let url = format!("{}/", service(self.account, "secretsmanager"));
        let headers = [
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), "secretsmanager.GetSecretValue".to_owned()),
        ];
        let body = json!({ "SecretId": arn }).to_string().into_bytes();
        let call = Call { method: "POST".to_owned(), path: String::new(), headers: headers.to_vec(), body: Some(body) };
        let answer = self.ask("secretsmanager", &url, call).await?;
        answer.get("SecretString").and_then(Value::as_str).map(str::to_owned)
    }

    /// The value of an API key that opens a stage of an API, by the template that is deployed.
    pub(super) async fn api_key(&self, template: &Value, place: (&str, &str)) -> Result<String, String> {
        if self.given.secrets == Secrets::Untouched {
            return Err("an API key is needed besides: add `--read-secrets` to use one of the stack".to_owned());
        }
        let key = self.opening_key(template, place);
        let key = key.and_then(|id| self.of_kind(&format!("${{{id}}}"), "AWS::ApiGateway::ApiKey"));
        let key = key.ok_or_else(|| "no API key of the stack opens it".to_owned())?;
        let url = format!("{}/apikeys/{}?includeValue=true", service(self.account, "apigateway"), key.physical_id);
        let call = Call { method: "GET".to_owned(), path: String::new(), headers: Vec::new(), body: None };
        let answer = self.ask("apigateway", &url, call).await;
        let value = answer.as_ref().and_then(|answer| answer.get("value")).and_then(Value::as_str);
        value.map(str::to_owned).ok_or_else(|| format!("API key `{}` cannot be read", key.logical_id))
    }

    /// The API key that a usage plan lets into a stage of an API.
    fn opening_key(&self, template: &Value, (api, stage): (&str, &str)) -> Option<String> {
        let resources = template.get("Resources")?.as_object()?;
        let of_kind = |kind: &'static str| {
            let own = resources.iter().filter(move |(_, one)| one.get("Type").and_then(Value::as_str) == Some(kind));
            own.filter_map(|(id, one)| Some((id, one.get("Properties")?)))
        };
        let is_opened = |opened: &Value| {
            refers(opened.get("ApiId"), api) && opened.get("Stage").is_some_and(|named| self.is_stage(named, stage))
        };
        let opens =
            |plan: &Value| plan.get("ApiStages").and_then(Value::as_array).is_some_and(|all| all.iter().any(is_opened));
        let plans: Vec<&String> =
            of_kind("AWS::ApiGateway::UsagePlan").filter(|(_, plan)| opens(plan)).map(|(id, _)| id).collect();
        let keys = of_kind("AWS::ApiGateway::UsagePlanKey");
        let mut own = keys.filter(|(_, key)| plans.iter().any(|plan| refers(key.get("UsagePlanId"), plan)));
        own.find_map(|(_, key)| Some(key.get("KeyId")?.get("Ref")?.as_str()?.to_owned()))
    }

    /// Whether a value of the deployed template names a stage, which is deployed under its name.
    fn is_stage(&self, named: &Value, stage: &str) -> bool {
        match named.get("Ref").and_then(Value::as_str) {
            Some(id) => self.physical(id) == Ok(stage),
            None => named.as_str() == Some(stage),
        }
    }

    async fn ask(&self, name: &str, url: &str, mut call: Call) -> Option<Value> {
        let signed = api::signature(self.account, name, url, &call).await.ok()?;
        call.headers.extend(signed);
        let answer = api::send(url, &call).await.ok()?;
        serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200)
    }

    /// The resource of a kind that an expression names.
    fn of_kind(&self, expression: &str, kind: &str) -> Option<&'a Deployed> {
        let named = references(expression);
        self.resources.iter().find(|one| one.kind == kind && named.contains(one.logical_id.as_str()))
    }

    fn physical(&self, logical_id: &str) -> Result<&'a str, String> {
        let found = self.resources.iter().find(|one| one.logical_id == logical_id && !one.physical_id.is_empty());
        found.map(|one| one.physical_id.as_str()).ok_or_else(|| format!("`{logical_id}` is not deployed"))
    }

    async fn minted(&mut self, token: &Token, flaw: Option<Flaw>) -> Result<String, String> {
        let (pool, client) = (self.physical(&token.pool)?, self.physical(&token.client)?);
        let user = self.user(pool, &token.groups).await?;
        let Some(mint) = &self.mint else { return Err(NO_MINT.to_owned()) };
        let kind = token.kind;
        let scopes = if token.kind == TokenKind::Access { token.scopes.as_slice() } else { &[] };
        let wanted = Wanted { pool, client, user: &user, kind, scopes };
        let made = match flaw {
            Some(flaw) => mint.flawed(&wanted, flaw).await,
            None => mint.good(&wanted).await,
        };
        made.map_err(|error| format!("the local cloud gives no such token: {error}"))
    }

    /// A user of the pool who is in these groups.
    async fn user(&mut self, pool: &str, groups: &[String]) -> Result<String, String> {
        let key = (pool.to_owned(), groups.to_vec());
        if let Some(name) = self.users.get(&key) {
            return Ok(name.clone());
        }
        let own = Pool::new(self.account, pool);
        let failed = |error: UsersError| format!("no user can be made to sign in: {error}");
        let password = own.password_rules().await.map_err(failed)?.password();
        let plain = format!("stackgen-verify-{:016x}", rand::random::<u64>());
        // Pools that know their users by addresses take only these for names, and others none.
        let mut refused = None;
        for name in [plain.clone(), format!("{plain}@verify.example")] {
            let user = NewUser {
                name: name.clone(),
                attributes: BTreeMap::new(),
                groups: groups.to_vec(),
                password: password.clone(),
                lasting: Lasting::Permanent,
            };
            // Noted before it is made: whatever happens then, it is removed in the end.
            self.users.insert(key.clone(), name.clone());
            match own.create(&user).await {
                Ok(()) => return Ok(name),
                Err(error) => refused = Some(error),
            }
            self.users.remove(&key);
        }
        Err(refused.map_or_else(String::new, failed))
    }

    /// Removes the users that were made, whatever has ended the work before. Those that are left are named.
    pub(super) async fn close(&mut self) -> Vec<String> {
        let account = self.account;
        let removals = std::mem::take(&mut self.users).into_iter().map(|((pool, _), name)| async move {
            let pool = Pool::new(account, &pool);
            let removed = tokio::time::timeout(REMOVAL, pool.delete(&name)).await;
            (!matches!(removed, Ok(Ok(())))).then_some(name)
        });
        futures_util::future::join_all(removals).await.into_iter().flatten().collect()
    }

    /// A token that a user has got by signing in.
    fn lawful(&self, token: &Token) -> Result<String, String> {
        if self.given.tokens.is_empty() {
            return Err("a user's token is needed: name a user with `--as`".to_owned());
        }
        let why = || match self.given.no_tokens.get(&(token.pool.clone(), token.client.clone())) {
            Some(why) => format!("no token: {why}"),
            None => format!("the user does not sign in with client {}", token.client),
        };
        let own = self.signed_in(token).ok_or_else(why)?;
        if let Some(scope) = token.scopes.iter().find(|scope| *scope != SELF_SERVICE) {
            return Err(format!("scope {scope} is not had by a sign-in with a password"));
        }
        let groups = groups_in(&own.access);
        if let Some(group) = token.groups.iter().find(|group| !groups.contains(*group)) {
            return Err(format!("the user is not in group {group}"));
        }
        if let Some(group) = token.outside.iter().find(|group| groups.contains(*group)) {
            return Err(format!("the user is in group {group}"));
        }
        Ok(match token.kind {
            TokenKind::Id => own.id.clone(),
            TokenKind::Access => own.access.clone(),
        })
    }

    /// Two flaws can be had by lawful means: the token of the other kind, and one without scopes.
    fn lawfully_flawed(&self, token: &Token, flaw: Flaw) -> Result<String, String> {
        let bare = |kind| Token { kind, scopes: Vec::new(), ..token.clone() };
        match flaw {
            Flaw::Id => self.lawful(&bare(TokenKind::Id)),
            Flaw::MissingScope if !token.scopes.iter().any(|scope| scope == SELF_SERVICE) => {
                self.lawful(&bare(TokenKind::Access))
            }
            _ => Err(NO_MINT.to_owned()),
        }
    }

    fn signed_in(&self, token: &Token) -> Option<&Lawful> {
        self.given.tokens.iter().find(|own| own.pool == token.pool && own.client == token.client)
    }
}

/// Why a credential is not to be had elsewhere.
pub(super) const NO_MINT: &str = "only the local cloud makes such a token";

fn refers(value: Option<&Value>, id: &str) -> bool {
    value.and_then(|value| value.get("Ref")?.as_str()) == Some(id)
}

fn groups_in(token: &str) -> BTreeSet<String> {
    let claims = claims(token).unwrap_or_default();
    let groups = claims.get("cognito:groups").and_then(Value::as_array).cloned().unwrap_or_default();
    groups.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use aws_config::{Region, SdkConfig};
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    /// An account that is never asked.
    pub(in crate::deploy::verify) fn account() -> Account {
        let config = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest());
        let config = config.region(Region::new("eu-west-1")).build();
        Account {
            id: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            endpoint: None,
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            config,
        }
    }

    /// What a user in group `admins` has got by signing in with client `Web`.
    fn given() -> Given {
        let claims = json!({ "cognito:groups": ["admins"], "scope": SELF_SERVICE }).to_string();
        let access = format!("e30.{}.e30", BASE64_URL_SAFE_NO_PAD.encode(claims));
        let own = Lawful { pool: "Users".into(), client: "Web".into(), id: "id".into(), access };
        Given { tokens: vec![own], ..Given::default() }
    }

    fn token(kind: TokenKind) -> Token {
        let (scopes, groups, outside) = (Vec::new(), Vec::new(), Vec::new());
        Token { pool: "Users".into(), client: "Web".into(), kind, scopes, groups, outside }
    }

    #[test]
    fn only_what_a_sign_in_gives_is_shown_elsewhere() {
        let (account, given) = (account(), given());
        let purse = Purse::new(&account, &[], &given, None);
        assert_eq!(purse.lawful(&token(TokenKind::Id)).as_deref(), Ok("id"));
        assert_eq!(purse.lawful(&token(TokenKind::Access)), Ok(given.tokens[0].access.clone()));
        let access = token(TokenKind::Access);
        assert!(purse.lawful(&Token { scopes: vec!["notes/read".into()], ..access.clone() }).is_err());
        assert!(purse.lawful(&Token { client: "Other".into(), ..access.clone() }).is_err());
        let no_tokens = BTreeMap::from([(("Users".to_owned(), "Other".to_owned()), "wrong password".to_owned())]);
        let refused = Given { no_tokens, ..given.clone() };
        let why = Purse::new(&account, &[], &refused, None).lawful(&Token { client: "Other".into(), ..access.clone() });
        assert_eq!(why, Err("no token: wrong password".to_owned()), "the reason is the real one");
        let in_group = |group: &str| Token { groups: vec![group.to_owned()], ..access.clone() };
        assert!(purse.lawful(&in_group("admins")).is_ok());
        assert!(purse.lawful(&in_group("staff")).is_err());
        assert!(
            purse.lawful(&Token { outside: vec!["admins".into()], ..access.clone() }).is_err(),
            "the user is in it"
        );
        let nobody = Given::default();
        assert!(Purse::new(&account, &[], &nobody, None).lawful(&access).is_err());
    }

    #[test]
    fn no_token_is_forged_where_there_is_no_mint() {
        let (account, given) = (account(), given());
        let purse = Purse::new(&account, &[], &given, None);
        let scoped = Token { scopes: vec!["notes/read".into()], ..token(TokenKind::Access) };
        let had: Vec<Flaw> =
            Flaw::ALL.into_iter().filter(|flaw| purse.lawfully_flawed(&scoped, *flaw).is_ok()).collect();
        assert_eq!(had, [Flaw::MissingScope, Flaw::Id]);
        let of_itself = Token { scopes: vec![SELF_SERVICE.into()], ..token(TokenKind::Access) };
        assert!(purse.lawfully_flawed(&of_itself, Flaw::MissingScope).is_err(), "every sign-in has that scope");
    }

    fn resource(logical_id: &str, physical_id: &str) -> Deployed {
        let text = |text: &str| text.to_owned();
        Deployed { logical_id: text(logical_id), physical_id: text(physical_id), kind: text(""), status: text("") }
    }

    #[tokio::test]
    async fn no_secret_is_read_without_asking() {
        let kind = "AWS::SecretsManager::Secret".to_owned();
        let (account, resources) = (account(), [Deployed { kind, ..resource("ApiToken", "arn") }]);
        let shared = Credential::Shared {
            api: "Api".to_owned(),
            authorizer: "Token".to_owned(),
            secret: Some("${ApiToken}".to_owned()),
        };
        let nothing = Given::default();
        let mut purse = Purse::new(&account, &resources, &nothing, None);
        for refused in [purse.take(&shared).await.err(), purse.api_key(&json!({}), ("Api", "prod")).await.err()] {
            assert!(refused.as_ref().is_some_and(|why| why.contains("`--read-secrets`")), "{refused:?}");
        }
        let by_hand = BTreeMap::from([("Api/Token".to_owned(), "given".to_owned())]);
        let given = Given { shared: by_hand, ..Given::default() };
        let mut purse = Purse::new(&account, &resources, &given, None);
        assert!(purse.take(&shared).await == Ok(Shown::Text("given".to_owned())), "what is given is shown");
    }

    #[test]
    fn the_key_of_a_plan_for_the_api_opens_it() {
        let template: Value =
            serde_json::from_str(include_str!("../../../tests/templates/contact.json")).expect("it is JSON");
        let (account, given, resources) = (account(), given(), [resource("ApiProdStage", "prod")]);
        let purse = Purse::new(&account, &resources, &given, None);
        assert_eq!(purse.opening_key(&template, ("Api", "prod")).as_deref(), Some("ApiPartnerApiKey"));
        assert_eq!(purse.opening_key(&template, ("Api", "test")), None, "the plan is for another stage");
        assert_eq!(purse.opening_key(&template, ("Other", "prod")), None);
        assert_eq!(purse.opening_key(&json!({}), ("Api", "prod")), None);
    }

    #[test]
    fn each_stage_is_opened_by_the_key_of_its_own_plan() {
        let plan = |stage: Value| {
            let stages = json!([{ "ApiId": { "Ref": "Api" }, "Stage": stage }]);
            json!({ "Type": "AWS::ApiGateway::UsagePlan", "Properties": { "ApiStages": stages } })
        };
        let key = |plan: &str, key: &str| {
            let properties = json!({ "UsagePlanId": { "Ref": plan }, "KeyId": { "Ref": key }, "KeyType": "API_KEY" });
            json!({ "Type": "AWS::ApiGateway::UsagePlanKey", "Properties": properties })
        };
        let template = json!({ "Resources": {
            "A": plan(json!("prod")), "AKey": key("A", "K1"),
            "B": plan(json!({ "Ref": "Test" })), "BKey": key("B", "K2"),
        } });
        let (account, given, resources) = (account(), given(), [resource("Test", "test")]);
        let purse = Purse::new(&account, &resources, &given, None);
        let opened = |stage: &str| purse.opening_key(&template, ("Api", stage));
        assert_eq!((opened("prod").as_deref(), opened("test").as_deref()), (Some("K1"), Some("K2")));
        assert_eq!(opened("other"), None);
    }
}
