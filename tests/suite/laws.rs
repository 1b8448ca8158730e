//! What is true of every stack: one made up at random, as YAML and in Rust.

use std::fmt::Write;

use base64::Engine as _;
use proptest::collection::{btree_map, btree_set};
use proptest::option;
use proptest::prelude::*;
use serde_json::Value as Json;
use stackgen::local::gateway::http_api::jwt;
use stackgen::model::apigateway::{self as rest, CognitoAuthorizer, RestApi, TokenAuthorizer};
use stackgen::model::apigatewayv2::{HttpApi, JwtAuthorizer, Route, Stage, Throttle};
use stackgen::model::cognito::{
    Domain, IdentityProvider, OAuthFlow, Oidc, PasswordPolicy, ResourceServer, UserPool, UserPoolClient, Voucher,
};
use stackgen::model::dynamodb::{GlobalIndex, Key, Table};
use stackgen::model::lambda::{Access, AccessList, Function, Grant};
use stackgen::model::raw::DataRemoval;
use stackgen::model::secretsmanager::{Generate, Secret, SecretText};
use stackgen::model::ses::EmailIdentity;
use stackgen::model::{Ref, Stack, Value};
use stackgen::spec;
use stackgen::synth::synthesize;
use stackgen::template::Template;

/// What a made-up stack has. Pools, functions and APIs are numbered; each client and API belongs to the first pool.
#[derive(Debug, Clone)]
struct Plan {
    password: Option<u8>,
    self_sign_up: bool,
    scopes: Vec<String>,
    token_minutes: Option<u64>,
    /// The name of somebody else who vouches for users, and the member of the secret that belongs to it.
    provider: Option<(String, Option<String>)>,
    table: PlannedTable,
    functions: Vec<Planned>,
    routes: Vec<(String, PlannedRoute)>,
    throttle: Option<(u32, u32)>,
}

#[derive(Debug, Clone)]
struct PlannedTable {
    sort_key: Option<String>,
    index: Option<String>,
    expires: bool,
    kept: bool,
    secret_length: u32,
}

#[derive(Debug, Clone)]
struct Planned {
    memory: u32,
    timeout: u32,
    variables: Vec<(String, String)>,
    access: Vec<Access>,
    sends: bool,
}

#[derive(Debug, Clone)]
enum PlannedRoute {
    Public,
    Signed,
    Scoped,
}

fn plans() -> impl Strategy<Value = Plan> {
    let variables = btree_map("[A-Z]{3,8}", "[a-z \"':#{}$\\[\\]]{0,12}", 0..3);
    let access = btree_set(prop::sample::select(TABLE_ACCESS), 0..4);
    let function = (128u32..=10_240, 1u32..=30, variables, access, any::<bool>()).prop_map(
        |(memory, timeout, variables, access, sends)| Planned {
            memory,
            timeout,
            variables: variables.into_iter().collect(),
            access: access.into_iter().collect(),
            sends,
        },
    );
    let table = (option::of("sort[a-z]{1,8}"), option::of("by[a-z]{1,8}"), any::<bool>(), any::<bool>(), 8u32..=4_096)
        .prop_map(|(sort_key, index, expires, kept, secret_length)| PlannedTable {
            sort_key,
            index,
            expires,
            kept,
            secret_length,
        });
    let route = prop_oneof![Just(PlannedRoute::Public), Just(PlannedRoute::Signed), Just(PlannedRoute::Scoped)];
    (
        option::of(6u8..=99),
        any::<bool>(),
        btree_set("[a-z]{2,8}", 1..4),
        (option::of(5u64..=1_440), option::of(("[a-z]{3,32}", option::of("[a-z]{1,9}")))),
        table,
        prop::collection::vec(function, 1..4),
        btree_map("(GET|POST|ANY) (/[a-z]{1,6}){1,3}(/\\{[a-z]{1,6}\\})?", route, 1..12),
        option::of((1u32..=5_000, 1u32..=5_000)),
    )
        .prop_map(
            |(password, self_sign_up, scopes, (token_minutes, provider), table, functions, routes, throttle)| Plan {
                password,
                self_sign_up,
                scopes: scopes.into_iter().collect(),
                token_minutes,
                provider,
                table,
                functions,
                routes: routes.into_iter().collect(),
                throttle,
            },
        )
}

/// What a function may be let do with a table.
const TABLE_ACCESS: &[Access] =
    &[Access::Get, Access::Query, Access::Scan, Access::Put, Access::Update, Access::Delete, Access::ReadWrite];

impl PlannedTable {
    fn in_rust(&self, stack: &mut Stack) {
        let mut table = Table::new(Key::string("id"));
        table.sort_key = self.sort_key.as_ref().map(Key::number);
        if let Some(name) = &self.index {
            table = table.global_index(name, GlobalIndex::new(Key::binary("other")));
        }
        table.time_to_live_attribute = self.expires.then(|| "expiresAt".to_owned());
        stack.add("Notes", table.removal(if self.kept { DataRemoval::Retain } else { DataRemoval::Destroy }));
        stack.add("ApiToken", Secret::generated(Generate::new(self.secret_length)));
        stack.add("Sender", EmailIdentity::new("sender@example.com"));
    }

    fn in_yaml(&self, text: &mut String) {
        text.push_str("tables:\n  Notes:\n    partitionKey: { name: id, type: string }\n");
        if let Some(name) = &self.sort_key {
            let _ = writeln!(text, "    sortKey: {{ name: {name}, type: number }}");
        }
        if let Some(name) = &self.index {
            let key = "{ partitionKey: { name: other, type: binary } }";
            let _ = writeln!(text, "    globalSecondaryIndexes: {{ {name}: {key} }}");
        }
        if self.expires {
            text.push_str("    timeToLiveAttribute: expiresAt\n");
        }
        let _ = writeln!(text, "    removal: {}", if self.kept { "retain" } else { "destroy" });
        let _ = writeln!(text, "secrets:\n  ApiToken: {{ generate: {{ length: {} }} }}", self.secret_length);
        text.push_str("emailIdentities:\n  Sender: { emailIdentity: sender@example.com }\n");
    }
}

impl Planned {
    fn grants(&self) -> Vec<Grant> {
        let notes: Ref<Table> = Ref::new("Notes");
        let sender: Ref<EmailIdentity> = Ref::new("Sender");
        let table = (!self.access.is_empty()).then(|| Grant::table(&notes, AccessList(self.access.clone())));
        table.into_iter().chain(self.sends.then(|| Grant::email_identity(&sender, Access::Send))).collect()
    }

    fn grants_in_yaml(&self, text: &mut String) {
        text.push_str("    grants:\n");
        match self.access.as_slice() {
            [] => {}
            [one] => {
                let _ = writeln!(text, "      - {{ table: Notes, access: {} }}", one.word());
            }
            several => {
                let words: Vec<_> = several.iter().map(|access| access.word()).collect();
                let _ = writeln!(text, "      - {{ table: Notes, access: [{}] }}", words.join(", "));
            }
        }
        if self.sends {
            text.push_str("      - { emailIdentity: Sender, access: send }\n");
        }
    }
}

impl Plan {
    fn scope(&self) -> String {
        format!("orders/{}", self.scopes.first().map_or("", String::as_str))
    }

    fn in_rust(&self) -> Stack {
        let mut stack = Stack::default();
        let server =
            self.scopes.iter().fold(ResourceServer::default(), |server, scope| server.scope(scope, "A scope."));
        let mut pool = UserPool::default().self_sign_up(self.self_sign_up).resource_server("orders", server);
        pool.password_policy = self.password.map(PasswordPolicy::new);
        pool.domain = Some(Domain::Prefix("orders-of-all".into()));
        let pool = stack.add("Users", pool);
        // Somebody must be able to have a token with the scope that routes ask for.
        let mut client = UserPoolClient::new(&pool)
            .allowed_oauth_flows([OAuthFlow::Code])
            .allowed_oauth_scopes(["openid".to_owned(), self.scope()])
            .callback_urls([Value::from("https://example.com/")]);
        client.access_token_validity = self.token_minutes.map(stackgen::model::duration::Duration::minutes);
        if let Some((name, key)) = &self.provider {
            let mut secret = SecretText::existing("login");
            secret.key.clone_from(key);
            let oidc = Oidc::new("orders", "https://login.example.com", ["openid"]).client_secret(secret);
            let provider = stack.add("Login", IdentityProvider::oidc(&pool, oidc).name(name));
            client = client.identity_providers([Voucher::cognito(), Voucher::from(&provider)]);
        }
        let client = stack.add("Web", client);
        self.table.in_rust(&mut stack);
        for (number, planned) in self.functions.iter().enumerate() {
            let function = Function::from_crate(format!("functions/f{number}"))
                .grants(planned.grants())
                .memory_size(planned.memory)
                .timeout(planned.timeout)
                .variable("POOL", &pool);
            let variables = planned.variables.iter();
            let function = variables.fold(function, |function, (name, value)| function.variable(name, value.as_str()));
            stack.add(format!("F{number}"), function);
        }
        let api = self.api_in_rust(&pool, &client);
        let api = stack.add("Api", api);
        stack.output("url", Value::url(&api));
        let rest = stack.add("Rest", self.rest_api_in_rust(&pool));
        stack.output("restUrl", Value::url(&rest));
        stack
    }

    /// The same routes once more. A function decides about every other one of those that ask for a token only.
    fn rest_api_in_rust(&self, pool: &Ref<UserPool>) -> RestApi {
        let decides: Ref<Function> = Ref::new("F0");
        let mut api = RestApi::default()
            .authorizer("Members", CognitoAuthorizer::new([pool]))
            .authorizer("Token", TokenAuthorizer::new(decides).authorizer_result_ttl_in_seconds(0));
        for (number, (key, planned)) in self.routes.iter().enumerate() {
            let function: Ref<Function> = Ref::new(format!("F{}", number % self.functions.len()));
            let route = match planned {
                PlannedRoute::Public => rest::Route::new(function).public(),
                PlannedRoute::Signed if number % 2 == 0 => rest::Route::new(function).authorizer("Token"),
                PlannedRoute::Signed => rest::Route::new(function).authorizer("Members"),
                PlannedRoute::Scoped => rest::Route::new(function).authorizer("Members").scopes([self.scope()]),
            };
            api = api.route(with_one_name(key), route);
        }
        match self.throttle {
            Some((rate, burst)) => {
                api.only_stage("test", rest::Stage::default().throttle(Throttle::new(f64::from(rate), burst)))
            }
            None => api,
        }
    }

    fn api_in_rust(&self, pool: &Ref<UserPool>, client: &Ref<UserPoolClient>) -> HttpApi {
        let mut api = HttpApi::default().authorizer("Members", JwtAuthorizer::pool(pool, [client]));
        for (number, (key, planned)) in self.routes.iter().enumerate() {
            let function: Ref<Function> = Ref::new(format!("F{}", number % self.functions.len()));
            let route = match planned {
                PlannedRoute::Public => Route::new(function).public(),
                PlannedRoute::Signed => Route::new(function).authorizer("Members"),
                PlannedRoute::Scoped => Route::new(function).authorizer("Members").scopes([self.scope()]),
            };
            api = api.route(key, route);
        }
        match self.throttle {
            Some((rate, burst)) => {
                api.stage("$default", Stage::default().throttle(Throttle::new(f64::from(rate), burst)))
            }
            None => api,
        }
    }

    fn in_yaml(&self) -> String {
        let mut text = format!("userPools:\n  Users:\n    selfSignUp: {}\n", self.self_sign_up);
        if let Some(length) = self.password {
            let _ = writeln!(text, "    passwordPolicy: {{ minimumLength: {length} }}");
        }
        text.push_str("    domain: { prefix: orders-of-all }\n");
        let _ = writeln!(text, "    resourceServers:\n      orders:\n        scopes:");
        for scope in &self.scopes {
            let _ = writeln!(text, "          {scope}: A scope.");
        }
        if let Some((name, key)) = &self.provider {
            let key = key.as_ref().map(|key| format!(", key: {}", Json::from(key.as_str()))).unwrap_or_default();
            let _ = writeln!(
                text,
                "identityProviders:\n  Login:\n    userPool: Users\n    name: {}",
                Json::from(name.as_str())
            );
            let _ = writeln!(text, "    oidc:\n      clientId: orders\n      clientSecret: {{ secretId: login{key} }}");
            text.push_str("      issuer: https://login.example.com\n      scopes: [openid]\n");
        }
        let _ = writeln!(text, "userPoolClients:\n  Web:\n    userPool: Users");
        if let Some(minutes) = self.token_minutes {
            let _ = writeln!(text, "    accessTokenValidity: {minutes}m");
        }
        let scope = self.scope();
        let _ = writeln!(text, "    allowedOAuthFlows: [code]\n    allowedOAuthScopes: [openid, {scope}]");
        text.push_str("    callbackUrls: [https://example.com/]\n");
        if self.provider.is_some() {
            text.push_str("    identityProviders: [COGNITO, Login]\n");
        }
        self.table.in_yaml(&mut text);
        text.push_str("functions:\n");
        for (number, planned) in self.functions.iter().enumerate() {
            let Planned { memory, timeout, variables, .. } = planned;
            let _ = writeln!(
                text,
                "  F{number}:\n    crate: functions/f{number}\n    memorySize: {memory}\n    timeout: {timeout}"
            );
            let _ = writeln!(text, "    environment:\n      POOL: {{ ref: Users }}");
            for (name, value) in variables {
                let _ = writeln!(text, "      {name}: {}", Json::from(value.as_str()));
            }
            planned.grants_in_yaml(&mut text);
        }
        self.api_in_yaml(&mut text);
        self.rest_api_in_yaml(&mut text);
        text.push_str("outputs:\n  url: { url: Api }\n  restUrl: { url: Rest }\n");
        text
    }

    fn rest_api_in_yaml(&self, text: &mut String) {
        text.push_str("restApis:\n  Rest:\n    authorizers:\n      Members: { cognito: { userPools: [Users] } }\n");
        text.push_str("      Token: { token: { function: F0, authorizerResultTtlInSeconds: 0 } }\n");
        if let Some((rate, burst)) = self.throttle {
            let _ = writeln!(text, "    stages:\n      test: {{ throttle: {{ rate: {rate}, burst: {burst} }} }}");
        }
        text.push_str("    routes:\n");
        for (number, (key, planned)) in self.routes.iter().enumerate() {
            let access = match planned {
                PlannedRoute::Public => "public: true".to_owned(),
                PlannedRoute::Signed if number % 2 == 0 => "authorizer: Token".to_owned(),
                PlannedRoute::Signed => "authorizer: Members".to_owned(),
                PlannedRoute::Scoped => format!("authorizer: Members, scopes: [{}]", self.scope()),
            };
            let (key, function) = (with_one_name(key), number % self.functions.len());
            let _ = writeln!(text, "      {key}: {{ function: F{function}, {access} }}");
        }
    }

    fn api_in_yaml(&self, text: &mut String) {
        text.push_str(
            "httpApis:\n  Api:\n    authorizers:\n      Members: { jwt: { userPool: Users, clients: [Web] } }\n",
        );
        if let Some((rate, burst)) = self.throttle {
            let _ = writeln!(text, "    stages:\n      $default: {{ throttle: {{ rate: {rate}, burst: {burst} }} }}");
        }
        text.push_str("    routes:\n");
        for (number, (key, planned)) in self.routes.iter().enumerate() {
            let access = match planned {
                PlannedRoute::Public => "public: true".to_owned(),
                PlannedRoute::Signed => "authorizer: Members".to_owned(),
                PlannedRoute::Scoped => format!("authorizer: Members, scopes: [{}]", self.scope()),
            };
            let _ = writeln!(text, "      {key}: {{ function: F{}, {access} }}", number % self.functions.len());
        }
    }
}

/// A route whose parameter is called as those of all others: a REST API has one parameter in a place.
fn with_one_name(key: &str) -> String {
    key.split_once('{').map_or_else(|| key.to_owned(), |(before, _)| format!("{before}{{id}}"))
}

/// Ids of all `Ref`s and `Fn::GetAtt`s of a value.
fn references(value: &Json, found: &mut Vec<String>) {
    match value {
        Json::Object(members) => {
            found.extend(members.get("Ref").and_then(Json::as_str).map(str::to_owned));
            found.extend(
                members.get("Fn::GetAtt").and_then(|pair| pair.get(0)).and_then(Json::as_str).map(str::to_owned),
            );
            members.values().for_each(|member| references(member, found));
        }
        Json::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn resolves(template: &Template, id: &str) -> bool {
    id.starts_with("AWS::") || template.resources.contains_key(id) || template.parameters.contains_key(id)
}

/// Routes that differ only in the name of a parameter are refused, so a plan with such routes is none.
fn is_unambiguous(plan: &Plan) -> bool {
    let shape = |key: &str| {
        key.split('{').next().map(str::to_owned).unwrap_or_default() + if key.contains('{') { "{" } else { "" }
    };
    let shapes: std::collections::BTreeSet<_> = plan.routes.iter().map(|(key, _)| shape(key)).collect();
    shapes.len() == plan.routes.len()
}

/// Tokens that look like tokens: JSON that may be anything in each segment, with names that verifiers look at.
fn tokens() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "[ -~]{0,12}".prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        Just(Json::Null),
        prop::collection::vec("[a-z]{0,4}", 0..3).prop_map(Json::from),
        prop_oneof!["RS256", "RS512", "HS256", "ES256", "none", "K1", "https://issuer.example.com", "client"]
            .prop_map(Json::from),
    ];
    let name = prop_oneof!["alg", "kid", "typ", "iss", "aud", "client_id", "exp", "nbf", "iat", "scope", "crit", "jwk"];
    let object = btree_map(name, value, 0..8).prop_map(|members| json_segment(&members));
    let segment = prop_oneof![4 => object, 1 => "[A-Za-z0-9_=+/-]{0,40}"];
    prop::collection::vec(segment, 0..5).prop_map(|segments| segments.join("."))
}

fn json_segment(members: &std::collections::BTreeMap<String, Json>) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(serde_json::to_vec(members).expect("names are strings"))
}

/// The public key of the cases.
fn keys() -> Json {
    let keys: Json = serde_json::from_str(include_str!("../cases/jwt_keys.json")).expect("the keys are JSON");
    serde_json::json!({ "keys": [keys["keys"]["K1"]] })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn yaml_and_rust_agree(plan in plans().prop_filter("routes differ", is_unambiguous)) {
        let yaml = plan.in_yaml();
        let read = spec::read("plan.yaml", yaml.as_bytes());
        let read = read.map_err(|report| TestCaseError::fail(format!("{:?}\n{yaml}", miette::Report::new(report))))?;
        let built = plan.in_rust();
        prop_assert_eq!(&read, &built, "{}", yaml);
        let template = synthesize("plan", &read).expect("the plan is sound");
        prop_assert_eq!(template.to_json(), synthesize("plan", &built).expect("the plan is sound").to_json());
    }

    #[test]
    fn every_reference_resolves(plan in plans().prop_filter("routes differ", is_unambiguous)) {
        let template = synthesize("plan", &plan.in_rust()).expect("the plan is sound");
        let mut found = Vec::new();
        references(&serde_json::to_value(&template).expect("templates are JSON"), &mut found);
        prop_assert!(found.len() > 10);
        for id in found {
            prop_assert!(resolves(&template, &id), "`{}`", id);
        }
    }

    #[test]
    fn every_route_says_who_may_call_it(plan in plans().prop_filter("routes differ", is_unambiguous)) {
        let template = synthesize("plan", &plan.in_rust()).expect("the plan is sound");
        let routes = template.resources.values().filter(|resource| resource.resource_type == "AWS::ApiGatewayV2::Route");
        let mut open = 0;
        for route in routes {
            match route.properties.get("AuthorizationType").and_then(Json::as_str) {
                Some("JWT") => prop_assert!(route.properties.contains_key("AuthorizerId")),
                Some("NONE") => open += 1,
                other => prop_assert!(false, "{:?}", other),
            }
        }
        let public = plan.routes.iter().filter(|(_, route)| matches!(route, PlannedRoute::Public)).count();
        prop_assert_eq!(open, public);
        let methods = template.resources.values().filter(|resource| resource.resource_type == "AWS::ApiGateway::Method");
        let mut open = 0;
        for method in methods {
            match method.properties.get("AuthorizationType").and_then(Json::as_str) {
                Some("CUSTOM" | "COGNITO_USER_POOLS") => prop_assert!(method.properties.contains_key("AuthorizerId")),
                Some("NONE") => open += 1,
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert_eq!(open, public);
    }

    #[test]
    fn nobody_vouches_for_users_before_being_there(plan in plans().prop_filter("routes differ", is_unambiguous)) {
        let template = synthesize("plan", &plan.in_rust()).expect("the plan is sound");
        let client = &template.resources["Web"];
        let vouchers = &client.properties["SupportedIdentityProviders"];
        prop_assert_eq!(client.depends_on.contains("Login"), plan.provider.is_some());
        match &plan.provider {
            Some((name, _)) => prop_assert_eq!(vouchers, &serde_json::json!(["COGNITO", name])),
            None => prop_assert_eq!(vouchers, &serde_json::json!(["COGNITO"])),
        }
    }

    #[test]
    fn what_is_granted_is_what_the_role_allows(plan in plans().prop_filter("routes differ", is_unambiguous)) {
        let template = synthesize("plan", &plan.in_rust()).expect("the plan is sound");
        for (number, planned) in plan.functions.iter().enumerate() {
            let role = serde_json::json!(template.resources[&format!("F{number}Role")].properties);
            let statements = role["Policies"][0]["PolicyDocument"]["Statement"].as_array().cloned().unwrap_or_default();
            let text = serde_json::json!(statements).to_string();
            prop_assert!(!text.contains('*'), "{}", text);
            let granted = |action: &str| text.contains(&format!("\"{action}\""));
            let may = |access: Access| planned.access.contains(&access) || planned.access.contains(&Access::ReadWrite);
            prop_assert_eq!(granted("dynamodb:GetItem"), may(Access::Get));
            prop_assert_eq!(granted("dynamodb:DeleteItem"), may(Access::Delete));
            prop_assert_eq!(granted("ses:SendEmail"), planned.sends);
            let by_index = plan.table.index.is_some() && (may(Access::Query) || may(Access::Scan));
            prop_assert_eq!(text.contains("/index/"), by_index);
            let function = serde_json::json!(template.resources[&format!("F{number}")].properties);
            let told = function["Environment"]["Variables"].get("NOTES_TABLE").is_some();
            prop_assert_eq!(told, !planned.access.is_empty());
        }
    }

    #[test]
    fn a_template_written_as_yaml_is_the_same_template(plan in plans().prop_filter("routes differ", is_unambiguous)) {
        let template = synthesize("plan", &plan.in_rust()).expect("the plan is sound");
        let yaml: Json = serde_yaml::from_str(&template.to_yaml()).expect("we wrote it");
        prop_assert_eq!(yaml, serde_json::to_value(&template).expect("templates are JSON"));
    }

    #[test]
    fn what_nobody_signed_is_refused(token in prop_oneof![3 => tokens(), 1 => ".{0,80}"]) {
        let audience = ["client".to_owned()];
        let now = time::OffsetDateTime::UNIX_EPOCH;
        prop_assert!(jwt::verify(&token, &keys(), "https://issuer.example.com", &audience, now).is_err());
    }
}
