//! REST APIs: tokens of several pools with scopes, signatures, a function that decides, or nobody.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Dice, Kind, POOLS, SCOPES, SESAME, When, toggled};

pub(super) struct RestApi;

/// Who guards a method.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Guard {
    Public,
    Iam,
    Function,
    /// ID tokens of any client of these pools; access tokens where scopes are asked for.
    Cognito {
        pools: BTreeSet<&'static str>,
        scopes: BTreeSet<&'static str>,
    },
}

impl Kind for RestApi {
    type Guard = Guard;

    const KEYS: &'static [&'static str] = &["GET /a", "ANY /a", "GET /a/{id}", "ANY /{proxy+}", "ANY /"];
    const REQUESTS: &'static [(&'static str, &'static str)] =
        &[("GET", "/a"), ("POST", "/a"), ("GET", "/a/b"), ("POST", "/c"), ("GET", "/")];
    const STAGE: &'static str = "/s";

    fn guard(dice: &mut Dice) -> Guard {
        match dice.below(7) {
            0 => Guard::Public,
            1 => Guard::Iam,
            2 => Guard::Function,
            _ => {
                let mut pools = dice.some_of(&POOLS);
                if pools.is_empty() {
                    pools.insert(POOLS[dice.below(2)]);
                }
                Guard::Cognito { pools, scopes: dice.some_of(&SCOPES[..2]) }
            }
        }
    }

    fn nearby(dice: &mut Dice, guard: &Guard) -> Guard {
        let Guard::Cognito { pools, scopes } = guard else { return Self::guard(dice) };
        match dice.below(3) {
            0 => Self::guard(dice),
            1 => Guard::Cognito { pools: pools.clone(), scopes: toggled(scopes, SCOPES[dice.below(2)]) },
            _ => {
                let pool = POOLS[dice.below(2)];
                let toggled = toggled(pools, pool);
                Guard::Cognito {
                    pools: if toggled.is_empty() { pools.clone() } else { toggled },
                    scopes: scopes.clone(),
                }
            }
        }
    }

    /// What answers is a function that is not there: who passes is told so, with a 500.
    fn api(name: &str, routes: &[Option<Guard>], when: When) -> Map<String, Value> {
        let mut resources = Map::new();
        let of = |properties: Value| {
            let mut properties = properties;
            properties["RestApiId"] = json!({ "Ref": name });
            properties
        };
        let mut add = |id: String, kind: &str, properties: Value, after: &[String]| {
            let kind = format!("AWS::ApiGateway::{kind}");
            resources.insert(id, json!({ "Type": kind, "Properties": properties, "DependsOn": after }));
        };
        add(name.to_owned(), "RestApi", json!({ "Name": name }), &[]);
        let root = json!({ "Fn::GetAtt": [name, "RootResourceId"] });
        let resource = |part: &str| json!({ "Ref": format!("{name}{part}") });
        for (id, parent, part) in
            [("A", root.clone(), "a"), ("AId", resource("A"), "{id}"), ("Proxy", root.clone(), "{proxy+}")]
        {
            add(format!("{name}{id}"), "Resource", of(json!({ "ParentId": parent, "PathPart": part })), &[]);
        }
        // A deployment needs a method, and the last of the resources none that anybody asks for.
        let mut methods = Vec::new();
        let mut method = |id: String, mut properties: Value| {
            let function = "arn:aws:lambda:us-east-1:000000000000:function:none";
            let uri = format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations");
            properties["Integration"] = json!({ "Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": uri });
            methods.push(id.clone());
            (id, of(properties))
        };
        let (id, properties) = method(
            format!("{name}Still"),
            json!({ "HttpMethod": "DELETE", "ResourceId": resource("AId"), "AuthorizationType": "AWS_IAM" }),
        );
        add(id, "Method", properties, &[]);
        for (at, guard) in routes.iter().enumerate() {
            let Some(guard) = guard else { continue };
            let (verb, path) = Self::KEYS[at].split_once(' ').expect("a method and a path");
            let at_path = match path {
                "/a" => resource("A"),
                "/a/{id}" => resource("AId"),
                "/{proxy+}" => resource("Proxy"),
                _ => root.clone(),
            };
            let mut properties = json!({ "HttpMethod": verb, "ResourceId": at_path });
            let authorizer = format!("{name}R{at}Authorizer");
            let (kind, settings) = match guard {
                Guard::Public => ("NONE", None),
                Guard::Iam => ("AWS_IAM", None),
                Guard::Function => ("CUSTOM", Some(deciding())),
                Guard::Cognito { pools, scopes } => {
                    properties["AuthorizationScopes"] = json!(scopes);
                    ("COGNITO_USER_POOLS", Some(reading(pools)))
                }
            };
            properties["AuthorizationType"] = kind.into();
            if let Some(mut settings) = settings {
                properties["AuthorizerId"] = json!({ "Ref": authorizer });
                settings["Name"] = format!("R{at}").into();
                add(authorizer, "Authorizer", of(settings), &[]);
            }
            let (id, properties) = method(format!("{name}R{at}"), properties);
            add(id, "Method", properties, &[]);
        }
        let deployment = format!("{name}Deployment{when:?}");
        add(deployment.clone(), "Deployment", of(json!({})), &methods);
        let stage = json!({ "StageName": "s", "DeploymentId": { "Ref": deployment } });
        add(format!("{name}Stage"), "Stage", of(stage), &[]);
        resources
    }

    /// Where no method is there, a REST API misses a token.
    fn status(answer: &reqwest::Response) -> u16 {
        let error = answer.headers().get("x-amzn-errortype").and_then(|error| error.to_str().ok());
        match error {
            Some("MissingAuthenticationTokenException") => 404,
            _ => answer.status().as_u16(),
        }
    }
}

/// An authorizer that reads tokens.
fn reading(pools: &BTreeSet<&str>) -> Value {
    let arns: Vec<Value> = pools.iter().map(|pool| json!({ "Fn::GetAtt": [pool, "Arn"] })).collect();
    json!({
        "Type": "COGNITO_USER_POOLS",
        "IdentitySource": "method.request.header.Authorization",
        "ProviderARNs": arns,
    })
}

/// An authorizer that asks the function, of whoever knows the word.
fn deciding() -> Value {
    let uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Decide.Arn}/invocations";
    json!({
        "Type": "TOKEN",
        "IdentitySource": "method.request.header.x-sesame",
        "IdentityValidationExpression": format!("^{SESAME}$"),
        "AuthorizerUri": { "Fn::Sub": uri },
        "AuthorizerResultTtlInSeconds": 0,
    })
}
