//! Cases about the control plane, over its own wire.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::cases::gateway_v2::members;
use crate::cases::setup::World;
use crate::cases::{Case, Findings, Unknown};

/// Runs a case that calls no API, but asks what one may be like.
pub(super) async fn check(world: &World, case: &Case, request: &Map<String, Value>) -> Result<Findings, Unknown> {
    let service = Service { world };
    let must_hold = Case::must_hold(&case.body);
    let mut findings = Findings::default();
    let found = match request.get("check").and_then(Value::as_str) {
        Some("GetGatewayResponses on a fresh API") => gateway_responses(&service, case).await?,
        Some("synth/validate") => quotas(&service, case).await?,
        Some("PutIntegration with a cache key that the method does not declare") => cache_key(&service, case).await,
        Some("UpdateStage with settings of methods") => method_settings(&service, case).await?,
        other => return Err(Unknown::new(format!("check {other:?}"))),
    };
    for finding in found {
        findings.add(must_hold, finding);
    }
    Ok(findings)
}

async fn gateway_responses(service: &Service<'_>, case: &Case) -> Result<Vec<String>, Unknown> {
    let expected = members(case.member("expect"))?;
    let api = service.api().await;
    let (_, answer) = service.call(Method::GET, &format!("/restapis/{api}/gatewayresponses"), &Value::Null).await;
    let shown = answer["item"].as_array().cloned().unwrap_or_default();
    let mut wrong = Vec::new();
    for (word, value) in expected {
        match word.as_str() {
            "table" => {
                let table = shown.iter().map(|one| {
                    let status = one["statusCode"].as_str().and_then(|code| code.parse::<u16>().ok());
                    (one["responseType"].as_str().unwrap_or_default().to_owned(), json!(status))
                });
                let table = Value::Object(table.collect());
                if table != *value {
                    wrong.push(format!("expected {value}, found {table}"));
                }
            }
            "template" | "responseParameters" => {
                let member = if word == "template" { "responseTemplates" } else { word };
                wrong.extend(shown.iter().filter(|one| one[member] != *value).map(|one| format!("{word} of {one}")));
            }
            other => return Err(Unknown::new(format!("expectation `{other}`"))),
        }
    }
    Ok(wrong)
}

async fn cache_key(service: &Service<'_>, case: &Case) -> Vec<String> {
    let (api, root) = service.api_and_root().await;
    let method = format!("/restapis/{api}/resources/{root}/methods/GET");
    let declared =
        json!({ "authorizationType": "NONE", "requestParameters": { "method.request.querystring.a": false } });
    service.call(Method::PUT, &method, &declared).await;
    let put = async |key: &str| {
        let integration =
            json!({ "type": "MOCK", "cacheKeyParameters": [format!("method.request.querystring.{key}")] });
        service.call(Method::PUT, &format!("{method}/integration"), &integration).await.0
    };
    let (own, other) = (put("a").await, put("b").await);
    let wrong = own != 201 || json!(other) != case.member("expect")["status"];
    wrong.then(|| format!("answered {own} to a declared key and {other} to another")).into_iter().collect()
}

/// Tries a setting of each method: its resource, its verb, and what is set.
async fn method_settings(service: &Service<'_>, case: &Case) -> Result<Vec<String>, Unknown> {
    let (api, root) = service.api_and_root().await;
    let base = format!("/restapis/{api}");
    let stage = json!({ "stageName": "s", "deploymentId": service.deployment(&base, &root).await });
    service.call(Method::POST, &format!("{base}/stages"), &stage).await;
    let (mut wrong, mut begins) = (Vec::new(), None);
    for (word, value) in members(case.member("expect"))? {
        match word.as_str() {
            "accepted" | "refused" => {}
            "message_begins" => begins = value.as_str(),
            other => return Err(Unknown::new(format!("expectation `{other}`"))),
        }
    }
    for (word, expected) in [("accepted", 200), ("refused", 400)] {
        for setting in case.member("expect")[word].as_array().into_iter().flatten() {
            let [resource, verb, name] = [0, 1, 2].map(|index| setting[index].as_str().unwrap_or_default());
            let path = format!("/{}/{verb}/{name}", resource.replace('/', "~1"));
            let value = if name == "caching/enabled" { "false" } else { "1" };
            let change = json!({ "patchOperations": [{ "op": "replace", "path": path, "value": value }] });
            let (status, answer) = service.call(Method::PATCH, &format!("{base}/stages/s"), &change).await;
            let message = answer["message"].as_str().unwrap_or_default();
            let begins = begins.unwrap_or_default().replace("{path}", &format!("{resource}/{verb}/{name}"));
            if status != expected || status == 400 && !message.starts_with(&begins) {
                wrong.push(format!("answered {status} {message} to {setting}"));
            }
        }
    }
    Ok(wrong)
}

/// Makes changes of a stage, and says whether they are accepted.
pub(super) async fn change_stage(world: &World, api: &str, stage: &str, changes: Vec<Value>) -> bool {
    let changes = json!({ "patchOperations": changes });
    let path = format!("/restapis/{api}/stages/{stage}");
    (Service { world }).call(Method::PATCH, &path, &changes).await.0 == 200
}

/// Lets a stage forget the answers that it keeps; the status with which that is answered.
pub(super) async fn flush(world: &World, api: &str, stage: &str) -> u64 {
    let path = format!("/restapis/{api}/stages/{stage}/cache/data");
    (Service { world }).call(Method::DELETE, &path, &Value::Null).await.0.into()
}

/// Tries each quota from both sides: the last that fits, and the first that does not.
async fn quotas(service: &Service<'_>, case: &Case) -> Result<Vec<String>, Unknown> {
    let quotas = members(&case.member("expect")["quotas"])?;
    let (api, root) = service.api_and_root().await;
    let base = format!("/restapis/{api}");
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let mut wrong = Vec::new();
    for (name, value) in quotas {
        let outcome = match name.as_str() {
            "resources_per_api" => {
                // The root is one of them.
                let path = format!("{base}/resources/{root}");
                service
                    .most(number(value) - 1, |index| (path.clone(), json!({ "pathPart": format!("r{index}") })))
                    .await
            }
            "authorizers_per_api" => {
                let path = format!("{base}/authorizers");
                service.most(number(value), |index| (path.clone(), authorizer(index, 300))).await
            }
            "stages_per_api" => {
                let deployment = service.deployment(&base, &root).await;
                let path = format!("{base}/stages");
                let stage = |index| json!({ "stageName": format!("s{index}"), "deploymentId": deployment });
                service.most(number(value), |index| (path.clone(), stage(index))).await
            }
            "stage_variables" => {
                let (api, root) = service.api_and_root().await;
                let base = format!("/restapis/{api}");
                let deployment = service.deployment(&base, &root).await;
                let variables =
                    |count: u64| (0..count).map(|one| (format!("v{one}"), json!("x"))).collect::<Map<_, _>>();
                let stage = |name: &str, count| json!({ "stageName": name, "deploymentId": deployment, "variables": variables(count) });
                let path = format!("{base}/stages");
                let within = service.accepts(&path, &stage("a", number(value))).await;
                within && !service.accepts(&path, &stage("b", number(value) + 1)).await
            }
            "integration_timeout_ms" => service.timeouts(number(&value[0]), number(&value[1])).await,
            "authorizer_ttl_seconds" => {
                let path = format!("/restapis/{}/authorizers", service.api().await);
                let within = service.accepts(&path, &authorizer(0, number(&value[0]))).await
                    && service.accepts(&path, &authorizer(1, number(&value[1]))).await;
                within && !service.accepts(&path, &authorizer(2, number(&value[1]) + 1)).await
            }
            "cache_ttl_seconds" => service.cache_lifetimes(number(&value[0]), number(&value[1])).await,
            "minimum_compression_size" => {
                let api = |size: u64| json!({ "name": "a", "minimumCompressionSize": size });
                let within = service.accepts("/restapis", &api(number(&value[0]))).await
                    && service.accepts("/restapis", &api(number(&value[1]))).await;
                within && !service.accepts("/restapis", &api(number(&value[1]) + 1)).await
            }
            // What a request may be like is tried where requests are sent.
            "header_total_bytes" | "url_chars_regional" | "payload_bytes" | "method_arn_bytes" => true,
            other => return Err(Unknown::new(format!("quota `{other}`"))),
        };
        if !outcome {
            wrong.push(format!("{name} is not {value}"));
        }
    }
    Ok(wrong)
}

fn authorizer(index: u64, lifetime: u64) -> Value {
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    json!({
        "name": format!("a{index}"), "type": "TOKEN", "identitySource": "method.request.header.Authorization",
        "authorizerUri": format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"),
        "authorizerResultTtlInSeconds": lifetime,
    })
}

/// The service as its clients call it.
struct Service<'a> {
    world: &'a World,
}

impl Service<'_> {
    async fn api(&self) -> String {
        self.api_and_root().await.0
    }

    /// A fresh API, and its root.
    async fn api_and_root(&self) -> (String, String) {
        let (status, api) = self.call(Method::POST, "/restapis", &json!({ "name": "fresh" })).await;
        assert_eq!(status, 201, "{api}");
        let text = |name: &str| api[name].as_str().unwrap_or_default().to_owned();
        (text("id"), text("rootResourceId"))
    }

    /// A deployment of one mock method.
    async fn deployment(&self, base: &str, root: &str) -> Value {
        let method = format!("{base}/resources/{root}/methods/GET");
        self.call(Method::PUT, &method, &json!({ "authorizationType": "NONE" })).await;
        self.call(Method::PUT, &format!("{method}/integration"), &json!({ "type": "MOCK" })).await;
        let (status, made) = self.call(Method::POST, &format!("{base}/deployments"), &json!({})).await;
        assert_eq!(status, 201, "{made}");
        made["id"].clone()
    }

    async fn timeouts(&self, least: u64, most: u64) -> bool {
        let (api, root) = self.api_and_root().await;
        let method = format!("/restapis/{api}/resources/{root}/methods/GET");
        self.call(Method::PUT, &method, &json!({ "authorizationType": "NONE" })).await;
        let accepts = async |timeout: u64| {
            let integration = json!({ "type": "MOCK", "timeoutInMillis": timeout });
            self.call(Method::PUT, &format!("{method}/integration"), &integration).await.0 == 201
        };
        accepts(least).await && accepts(most).await && !accepts(least - 1).await && !accepts(most + 1).await
    }

    async fn cache_lifetimes(&self, least: u64, most: u64) -> bool {
        let (api, root) = self.api_and_root().await;
        let base = format!("/restapis/{api}");
        let stage = json!({ "stageName": "s", "deploymentId": self.deployment(&base, &root).await });
        self.call(Method::POST, &format!("{base}/stages"), &stage).await;
        let accepts = async |seconds: u64| {
            let path = "/*/*/caching/ttlInSeconds";
            let change = json!({ "op": "replace", "path": path, "value": seconds.to_string() });
            change_stage(self.world, &api, "s", vec![change]).await
        };
        accepts(least).await && accepts(most).await && !accepts(most + 1).await
    }

    /// Whether exactly so many can be made.
    async fn most(&self, count: u64, made: impl Fn(u64) -> (String, Value)) -> bool {
        for index in 0..count {
            let (path, body) = made(index);
            if !self.accepts(&path, &body).await {
                return false;
            }
        }
        let (path, body) = made(count);
        !self.accepts(&path, &body).await
    }

    async fn accepts(&self, path: &str, body: &Value) -> bool {
        self.call(Method::POST, path, body).await.0 == 201
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let cloud = &self.world.cloud;
        let url = format!("{}{path}", cloud.endpoint);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let signed = cloud.root().signature("apigateway", method.as_str(), &url, body.as_bytes());
        let mut request = reqwest::Client::new().request(method, &url).body(body);
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let answer = request.send().await.expect("the cloud answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }
}
