//! Verdicts, held against the gateway itself: pairs of APIs made up at random are deployed one after the other, and every
//! credential is tried on every request of both. The oracle knows nothing of matrices and orders: access is weakened
//! where somebody passes who did not before.
//!
//! A request that nobody could make before is new: it counts where everybody can make it now.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudformation::types::{Capability, StackStatus};
use futures_util::StreamExt as _;
use serde_json::{Map, Value, json};
use stackgen::access::change::{Verdict, changes};
use stackgen::access::matrix::Matrix;
use stackgen::deploy::api::{self, Call};
use stackgen::deploy::aws::{Account, Keys, Target};
use url::form_urlencoded;

use crate::support::TestCloud;

/// Pairs of APIs that are made up from one seed.
const PAIRS: usize = 20;

/// The seed of every run.
const SEED: u64 = 0x5EED;

/// Keys of routes. For each of them there is a request in [`REQUESTS`] that no other one takes away.
const KEYS: [&str; 5] = ["GET /a", "ANY /a", "GET /a/{id}", "ANY /{proxy+}", "$default"];

const REQUESTS: [(&str, &str); 5] = [("GET", "/a"), ("POST", "/a"), ("GET", "/a/b"), ("POST", "/c"), ("GET", "/")];

/// The clients, each with its pool.
const CLIENTS: [(&str, &str); 3] = [("A1", "PoolA"), ("A2", "PoolA"), ("B1", "PoolB")];

/// Scopes of tokens. No route asks for the last one.
const SCOPES: [&str; 3] = ["r/read", "r/write", "r/other"];

/// Who guards a route.
#[derive(Debug, Clone, PartialEq)]
enum Guard {
    Public,
    Iam,
    Jwt { pool: &'static str, clients: BTreeSet<&'static str>, scopes: BTreeSet<&'static str> },
}

/// An API: a guard for each of [`KEYS`] that it has.
type Routes = [Option<Guard>; KEYS.len()];

/// Numbers that look like chance and come again from their seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % most as u64).expect("it is below a small number")
    }

    fn some_of(&mut self, all: &[&'static str]) -> BTreeSet<&'static str> {
        all.iter().copied().filter(|_| self.below(2) == 0).collect()
    }

    fn guard(&mut self) -> Guard {
        match self.below(6) {
            0 => Guard::Public,
            1 => Guard::Iam,
            _ => {
                let pool = ["PoolA", "PoolB"][self.below(2)];
                let own: Vec<_> = CLIENTS.iter().filter(|(_, of)| *of == pool).map(|(client, _)| *client).collect();
                let mut clients = self.some_of(&own);
                if clients.is_empty() {
                    clients.insert(own[0]);
                }
                Guard::Jwt { pool, clients, scopes: self.some_of(&SCOPES[..2]) }
            }
        }
    }

    fn routes(&mut self) -> Routes {
        std::array::from_fn(|_| (self.below(2) == 0).then(|| self.guard()))
    }

    /// The same API with one route that comes, goes or is guarded otherwise; now and then with more than one.
    fn changed(&mut self, routes: &Routes) -> Routes {
        let mut changed = routes.clone();
        loop {
            let at = self.below(KEYS.len());
            changed[at] = (self.below(4) != 0).then(|| self.nearby(changed[at].as_ref()));
            if self.below(3) != 0 {
                return changed;
            }
        }
    }

    /// A guard that differs in one thing, or altogether.
    fn nearby(&mut self, guard: Option<&Guard>) -> Guard {
        let Some(Guard::Jwt { pool, clients, scopes }) = guard else { return self.guard() };
        let mut scopes = scopes.clone();
        match self.below(3) {
            0 => self.guard(),
            1 => {
                let scope = SCOPES[self.below(2)];
                if !scopes.remove(scope) {
                    scopes.insert(scope);
                }
                Guard::Jwt { pool, clients: clients.clone(), scopes }
            }
            _ => {
                let both = BTreeSet::from(["A1", "A2"]);
                let clients = if *pool == "PoolA" && *clients != both { both } else { clients.clone() };
                Guard::Jwt { pool, clients, scopes }
            }
        }
    }
}

/// The pools and clients that all APIs share.
fn directory() -> Map<String, Value> {
    let mut resources = Map::new();
    for pool in ["PoolA", "PoolB"] {
        let of = |properties: Value| {
            let mut properties = properties;
            properties["UserPoolId"] = json!({ "Ref": pool });
            properties
        };
        let scopes = SCOPES.map(|scope| json!({ "ScopeName": &scope[2..], "ScopeDescription": scope }));
        resources.insert(pool.to_owned(), json!({ "Type": "AWS::Cognito::UserPool" }));
        let server = of(json!({ "Identifier": "r", "Name": "r", "Scopes": scopes }));
        resources.insert(
            format!("{pool}Server"),
            json!({ "Type": "AWS::Cognito::UserPoolResourceServer", "Properties": server }),
        );
        let domain = of(json!({ "Domain": pool.to_lowercase() }));
        resources
            .insert(format!("{pool}Domain"), json!({ "Type": "AWS::Cognito::UserPoolDomain", "Properties": domain }));
    }
    for (client, pool) in CLIENTS {
        let properties = json!({
            "UserPoolId": { "Ref": pool },
            "GenerateSecret": true,
            "AllowedOAuthFlowsUserPoolClient": true,
            "AllowedOAuthFlows": ["client_credentials"],
            "AllowedOAuthScopes": SCOPES,
        });
        let server = format!("{pool}Server");
        let client_resource =
            json!({ "Type": "AWS::Cognito::UserPoolClient", "DependsOn": server, "Properties": properties });
        resources.insert(client.to_owned(), client_resource);
    }
    resources
}

/// The resources of an API. What answers is a function that is not there: who passes is told so, with a 500.
fn api(name: &str, routes: &Routes) -> Map<String, Value> {
    let mut resources = Map::new();
    let of = |properties: Value| {
        let mut properties = properties;
        properties["ApiId"] = json!({ "Ref": name });
        properties
    };
    let mut add = |id: String, kind: &str, properties: Value| {
        let kind = format!("AWS::ApiGatewayV2::{kind}");
        resources.insert(id, json!({ "Type": kind, "Properties": properties }));
    };
    add(name.to_owned(), "Api", json!({ "Name": name, "ProtocolType": "HTTP" }));
    add(format!("{name}Stage"), "Stage", of(json!({ "StageName": "$default", "AutoDeploy": true })));
    let function = "arn:aws:lambda:us-east-1:000000000000:function:none";
    let integration =
        json!({ "IntegrationType": "AWS_PROXY", "IntegrationUri": function, "PayloadFormatVersion": "2.0" });
    add(format!("{name}Integration"), "Integration", of(integration));
    for (at, guard) in routes.iter().enumerate() {
        let Some(guard) = guard else { continue };
        let mut route = of(json!({
            "RouteKey": KEYS[at],
            "Target": { "Fn::Sub": format!("integrations/${{{name}Integration}}") },
        }));
        route["AuthorizationType"] = match guard {
            Guard::Public => "NONE",
            Guard::Iam => "AWS_IAM",
            Guard::Jwt { .. } => "JWT",
        }
        .into();
        if let Guard::Jwt { pool, clients, scopes } = guard {
            let authorizer = format!("{name}R{at}Authorizer");
            route["AuthorizerId"] = json!({ "Ref": authorizer });
            route["AuthorizationScopes"] = json!(scopes);
            let issuer = format!("https://cognito-idp.${{AWS::Region}}.amazonaws.com/${{{pool}}}");
            let audience: Vec<Value> = clients.iter().map(|client| json!({ "Ref": client })).collect();
            let configuration = json!({ "Issuer": { "Fn::Sub": issuer }, "Audience": audience });
            let properties = json!({
                "AuthorizerType": "JWT",
                "Name": format!("R{at}"),
                "IdentitySource": ["$request.header.Authorization"],
                "JwtConfiguration": configuration,
            });
            add(authorizer, "Authorizer", of(properties));
        }
        add(format!("{name}R{at}"), "Route", route);
    }
    resources
}

/// The template of many APIs, or of one.
fn template<'a>(apis: impl Iterator<Item = (usize, &'a Routes)>) -> Value {
    let mut resources = directory();
    let mut outputs = Map::new();
    for (number, routes) in apis {
        let name = format!("Api{number}");
        resources.extend(api(&name, routes));
        outputs.insert(name.clone(), json!({ "Value": { "Ref": name } }));
    }
    for (client, pool) in CLIENTS {
        outputs.insert(client.to_owned(), json!({ "Value": { "Ref": client } }));
        outputs.insert(format!("{client}Secret"), json!({ "Value": { "Fn::GetAtt": [client, "ClientSecret"] } }));
        outputs.insert(pool.to_owned(), json!({ "Value": { "Ref": pool } }));
    }
    json!({ "Resources": resources, "Outputs": outputs })
}

struct World {
    cloud: TestCloud,
    account: Account,
    http: reqwest::Client,
}

/// Something to show, or nothing.
#[derive(Debug, Clone)]
enum Credential {
    Nothing,
    Token(String),
    Signature,
}

impl World {
    async fn start() -> Self {
        let cloud = TestCloud::start().await;
        let keys = Keys { access_key_id: cloud.key.id.clone(), secret_access_key: cloud.key.secret.clone() };
        let target = Target {
            region: Some("us-east-1".to_owned()),
            endpoint_url: Some(cloud.endpoint.clone()),
            keys: Some(keys),
            ..Target::default()
        };
        let account = Account::connect(&target).await.expect("the cloud answers");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { cloud, account, http }
    }

    /// Deploys a template and returns its outputs.
    async fn deploy(&self, template: &Value, is_new: bool) -> std::collections::BTreeMap<String, String> {
        let client = aws_sdk_cloudformation::Client::new(&self.cloud.config());
        // Templates of that size go through a bucket.
        let s3 = aws_sdk_s3::Client::new(&self.cloud.config());
        if is_new {
            s3.create_bucket().bucket("templates").send().await.expect("a bucket");
        }
        let body = template.to_string().into_bytes();
        s3.put_object().bucket("templates").key("t.json").body(body.into()).send().await.expect("an object");
        let url = format!("{}/templates/t.json", self.cloud.endpoint);
        if is_new {
            let create = client.create_stack().stack_name("s").template_url(url);
            create.capabilities(Capability::CapabilityIam).send().await.expect("the stack is begun");
        } else {
            client.update_stack().stack_name("s").template_url(url).send().await.expect("the update is begun");
        }
        for _ in 0..2_000 {
            let described = client.describe_stacks().stack_name("s").send().await.expect("it is there");
            let stack = &described.stacks()[0];
            match stack.stack_status() {
                Some(StackStatus::CreateComplete | StackStatus::UpdateComplete) => {
                    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
                    let outputs = stack.outputs().iter();
                    return outputs.map(|one| (text(one.output_key()), text(one.output_value()))).collect();
                }
                Some(status) if status.as_str().ends_with("IN_PROGRESS") => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                status => {
                    let events = client.describe_stack_events().stack_name("s").send().await.expect("it has events");
                    let reasons: Vec<_> =
                        events.stack_events().iter().filter_map(|event| event.resource_status_reason()).collect();
                    panic!("{status:?}: {reasons:?}");
                }
            }
        }
        panic!("the stack is not done in time");
    }

    async fn token(&self, pool: &str, id: &str, secret: &str, scope: &str) -> String {
        let url = format!("{}/_aws/cognito-domain/{}/oauth2/token", self.cloud.endpoint, pool.to_lowercase());
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.http.post(url).basic_auth(id, Some(secret)).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send().await.expect("the cloud answers").bytes().await.expect("a body");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// The status of a request with a credential.
    async fn status(&self, api: &str, (method, path): (&str, &str), credential: &Credential) -> u16 {
        let url = format!("{}/_aws/execute-api/{api}{path}", self.cloud.endpoint);
        let mut request = self.http.request(method.parse().expect("a method"), &url);
        match credential {
            Credential::Nothing => {}
            Credential::Token(token) => request = request.bearer_auth(token),
            Credential::Signature => {
                let call = Call { method: method.to_owned(), path: String::new(), headers: Vec::new(), body: None };
                let signed = api::signature(&self.account, "execute-api", &url, &call).await.expect("it is signed");
                for (name, value) in signed {
                    request = request.header(name, value);
                }
            }
        }
        request.send().await.expect("the cloud answers").status().as_u16()
    }

    /// The statuses of all credentials on all requests of an API.
    async fn tried(&self, api: &str, credentials: &[Credential]) -> Vec<Vec<u16>> {
        let mut all = Vec::new();
        for request in REQUESTS {
            let tries = futures_util::stream::iter(credentials).map(|one| self.status(api, request, one));
            all.push(tries.buffered(8).collect().await);
        }
        all
    }
}

fn passes(status: u16) -> bool {
    !matches!(status, 401 | 403 | 404)
}

/// Whether somebody passes who did not before. The first credential is none at all.
fn weakened(before: &[Vec<u16>], after: &[Vec<u16>]) -> bool {
    before.iter().zip(after).any(|(before, after)| {
        let was_there = before[0] != 404;
        let mut gained = before.iter().zip(after).map(|(before, after)| passes(*after) && !passes(*before));
        let for_everybody = gained.next() == Some(true);
        for_everybody || (was_there && gained.any(|gains| gains))
    })
}

fn verdict(old: &Routes, new: &Routes) -> (bool, Vec<String>) {
    let read = |routes: &Routes| Matrix::of(&template([(0, routes)].into_iter()), &Default::default());
    let found = changes(&read(old), &read(new));
    let is_weaker = found.iter().any(|change| change.verdict == Verdict::Weakened);
    (is_weaker, found.into_iter().map(|change| format!("{:?}: {}", change.verdict, change.words)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_agree_with_what_tokens_can_do() {
    let chance = u64::from(unchosen_seed());
    eprintln!("seeds: {SEED:#x} and {chance:#x}");
    let mut pairs: Vec<(Routes, Routes)> = Vec::new();
    for seed in [SEED, chance] {
        let mut dice = Dice(seed);
        for _ in 0..PAIRS {
            let old = dice.routes();
            let new = dice.changed(&old);
            pairs.push((old, new));
        }
    }
    let world = World::start().await;
    let outputs = world.deploy(&template(pairs.iter().map(|(old, _)| old).enumerate()), true).await;
    let mut credentials = vec![Credential::Nothing, Credential::Signature];
    for (client, pool) in CLIENTS {
        for scope in SCOPES {
            let token = world.token(pool, &outputs[client], &outputs[&format!("{client}Secret")], scope).await;
            credentials.push(Credential::Token(token));
        }
    }
    let try_all = async || {
        let tries = (0..pairs.len()).map(|at| outputs[&format!("Api{at}")].clone());
        let mut all = Vec::new();
        for api in tries {
            all.push(world.tried(&api, &credentials).await);
        }
        all
    };
    let before = try_all().await;
    world.deploy(&template(pairs.iter().map(|(_, new)| new).enumerate()), false).await;
    let after = try_all().await;
    let (mut weaker, mut wrong) = (0, Vec::new());
    for (at, (old, new)) in pairs.iter().enumerate() {
        let (said, words) = verdict(old, new);
        let shown = weakened(&before[at], &after[at]);
        weaker += usize::from(shown);
        if said != shown {
            let seen = format!("before {:?}\nafter {:?}", before[at], after[at]);
            wrong.push(format!(
                "weakened: {said} is said, {shown} is seen\nold {old:?}\nnew {new:?}\n{words:#?}\n{seen}"
            ));
        }
    }
    assert!(wrong.is_empty(), "seeds {SEED:#x} and {chance:#x}:\n{}", wrong.join("\n\n"));
    let harmless = pairs.len() - weaker;
    assert!(weaker >= 5 && harmless >= 5, "both must come up: {weaker} weaken and {harmless} do not");
}

/// A seed that nobody has chosen.
fn unchosen_seed() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    now.subsec_nanos() ^ std::process::id()
}
