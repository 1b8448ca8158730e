//! HTTP APIs: tokens with audiences and scopes, signatures, a function that decides, or nobody.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{CLIENTS, Dice, Kind, POOLS, SCOPES, When, toggled};

pub(super) struct HttpApi;

/// Who guards a route.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Guard {
    Public,
    Iam,
    Function,
    Jwt { pool: &'static str, clients: BTreeSet<&'static str>, scopes: BTreeSet<&'static str> },
}

impl Kind for HttpApi {
    type Guard = Guard;

    const KEYS: &'static [&'static str] = &["GET /a", "ANY /a", "GET /a/{id}", "ANY /{proxy+}", "$default"];
    const REQUESTS: &'static [(&'static str, &'static str)] =
        &[("GET", "/a"), ("POST", "/a"), ("GET", "/a/b"), ("POST", "/c"), ("GET", "/")];
    const STAGE: &'static str = "";

    fn guard(dice: &mut Dice) -> Guard {
        match dice.below(7) {
            0 => Guard::Public,
            1 => Guard::Iam,
            2 => Guard::Function,
            _ => {
                let pool = POOLS[dice.below(2)];
                let own: Vec<_> = CLIENTS.iter().filter(|(_, of)| *of == pool).map(|(client, _)| *client).collect();
                let mut clients = dice.some_of(&own);
                if clients.is_empty() {
                    clients.insert(own[0]);
                }
                Guard::Jwt { pool, clients, scopes: dice.some_of(&SCOPES[..2]) }
            }
        }
    }

    fn nearby(dice: &mut Dice, guard: &Guard) -> Guard {
        let Guard::Jwt { pool, clients, scopes } = guard else { return Self::guard(dice) };
        match dice.below(3) {
            0 => Self::guard(dice),
            1 => {
                let scopes = toggled(scopes, SCOPES[dice.below(2)]);
                Guard::Jwt { pool, clients: clients.clone(), scopes }
            }
            _ => {
                let both = BTreeSet::from(["A1", "A2"]);
                let clients = if *pool == "PoolA" && *clients != both { both } else { clients.clone() };
                Guard::Jwt { pool, clients, scopes: scopes.clone() }
            }
        }
    }

    /// What answers is a function that is not there: who passes is told so, with a 500.
    fn api(name: &str, routes: &[Option<Guard>], _: When) -> Map<String, Value> {
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
                "RouteKey": Self::KEYS[at],
                "Target": { "Fn::Sub": format!("integrations/${{{name}Integration}}") },
            }));
            let authorizer = format!("{name}R{at}Authorizer");
            let (kind, settings) = match guard {
                Guard::Public => ("NONE", None),
                Guard::Iam => ("AWS_IAM", None),
                Guard::Function => ("CUSTOM", Some(deciding())),
                Guard::Jwt { pool, clients, scopes } => {
                    route["AuthorizationScopes"] = json!(scopes);
                    ("JWT", Some(reading(pool, clients)))
                }
            };
            route["AuthorizationType"] = kind.into();
            if let Some(mut settings) = settings {
                route["AuthorizerId"] = json!({ "Ref": authorizer });
                settings["Name"] = format!("R{at}").into();
                add(authorizer, "Authorizer", of(settings));
            }
            add(format!("{name}R{at}"), "Route", route);
        }
        resources
    }

    fn status(answer: &reqwest::Response) -> u16 {
        answer.status().as_u16()
    }
}

/// An authorizer that reads tokens.
fn reading(pool: &str, clients: &BTreeSet<&str>) -> Value {
    let issuer = format!("https://cognito-idp.${{AWS::Region}}.amazonaws.com/${{{pool}}}");
    let audience: Vec<Value> = clients.iter().map(|client| json!({ "Ref": client })).collect();
    json!({
        "AuthorizerType": "JWT",
        "IdentitySource": ["$request.header.Authorization"],
        "JwtConfiguration": { "Issuer": { "Fn::Sub": issuer }, "Audience": audience },
    })
}

/// An authorizer that asks the function, of whoever shows anything in the header.
fn deciding() -> Value {
    let uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Decide.Arn}/invocations";
    json!({
        "AuthorizerType": "REQUEST",
        "IdentitySource": ["$request.header.x-sesame"],
        "AuthorizerUri": { "Fn::Sub": uri },
        "AuthorizerPayloadFormatVersion": "1.0",
        "AuthorizerResultTtlInSeconds": 0,
    })
}
