//! The wire face of API Gateway's REST APIs, REST-JSON.

use http::{Method as Verb, StatusCode};
use serde_json::{Map, Value, json};

use super::domain::{BasePathMapping, base_path};
use super::patch::{Change, patched};
use super::usage::day;
use super::{
    ApiKey, Authorizer, Deployment, DomainName, GatewayResponse, Integration, IntegrationResponse, Method,
    MethodResponse, Model, RequestValidator, Resource, RestApi, Settings, Stage, UsagePlan, bad_request, not_found,
};
use crate::apigatewayv2::declared;
use crate::cloud::{Account, Cloud};
use crate::gateway::rest_api::{refusal, test_authorizer};
use crate::part::{Part, Parts};
use crate::wire::{Fault, Request, Response, rest_json_answer};

/// What an operation answers: a status and a body.
type Answer = Result<(StatusCode, Value), Fault>;

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    match answer(&cloud, &request).await {
        Ok((status, body)) => {
            let mut response = rest_json_answer(Ok(body));
            *response.status_mut() = status;
            response
        }
        Err(fault) => fault.into_rest_json(),
    }
}

async fn answer(cloud: &Cloud, request: &Request) -> Answer {
    let path = request.segments();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let operation = Operation { cloud, request };
    match path.as_slice() {
        ["restapis", api, "authorizers", id] if request.method == Verb::POST => operation.try_authorizer(api, id).await,
        ["restapis", path @ ..] => operation.apis(path),
        ["usageplans", path @ ..] => operation.usage_plans(path),
        ["apikeys", path @ ..] => operation.api_keys(path),
        ["domainnames", path @ ..] => operation.domain_names(path),
        ["account"] => operation.account(),
        _ => Err(operation.unknown()),
    }
}

/// One request to the service.
struct Operation<'a> {
    cloud: &'a Cloud,
    request: &'a Request,
}

impl Operation<'_> {
    fn unknown(&self) -> Fault {
        Fault::unknown_operation("apigateway", &format!("{} {}", self.request.method, self.request.path))
    }

    fn members(&self) -> Result<Map<String, Value>, Fault> {
        self.request.json().map_err(|fault| bad_request(fault.message))
    }

    /// The changes that a `PATCH` asks for.
    fn changes(&self) -> Result<Vec<Change>, Fault> {
        let operations = self.members()?.remove("patchOperations").unwrap_or_else(|| json!([]));
        serde_json::from_value(operations).map_err(|error| bad_request(format!("Invalid patch: {error}")))
    }

    fn asks(&self, name: &str) -> bool {
        self.request.query_parameter(name).is_some_and(|value| value == "true")
    }

    fn read(&self, look: impl FnOnce(&Account) -> Result<Value, Fault>) -> Answer {
        Ok((StatusCode::OK, self.cloud.read(look)?))
    }

    fn write(&self, status: StatusCode, change: impl FnOnce(&mut Account) -> Result<Value, Fault>) -> Answer {
        Ok((status, self.cloud.write(change)?))
    }

    fn delete(&self, change: impl FnOnce(&mut Account) -> Result<(), Fault>) -> Answer {
        self.write(StatusCode::ACCEPTED, |account| change(account).map(|()| Value::Null))
    }

    fn apis(&self, path: &[&str]) -> Answer {
        match (&self.request.method, path) {
            (&Verb::GET, []) => {
                self.read(|account| Ok(listed(account.apigateway.all().iter().map(|(id, api)| api_wire(id, api)))))
            }
            (&Verb::POST, []) => {
                let settings: Settings = declared(self.members()?)?;
                self.write(StatusCode::CREATED, |account| {
                    let id = account.apigateway.create(settings, self.cloud.now())?;
                    Ok(api_wire(&id, account.apigateway.api(&id)?))
                })
            }
            (&Verb::GET, [id]) => self.read(|account| Ok(api_wire(id, account.apigateway.api(id)?))),
            (&Verb::PATCH, [id]) => {
                let changes = self.changes()?;
                self.write(StatusCode::OK, |account| {
                    let api = account.apigateway.api_mut(id)?;
                    api.configure(patched(&api.live.settings, &changes)?)?;
                    Ok(api_wire(id, api))
                })
            }
            (&Verb::DELETE, [id]) => self.delete(|account| account.apigateway.delete(id)),
            (_, [id, "resources", path @ ..]) => self.resources(id, path),
            (_, [id, "authorizers", path @ ..]) => self.parts::<Authorizer>(id, path),
            (_, [id, "models", path @ ..]) => self.parts::<Model>(id, path),
            (_, [id, "requestvalidators", path @ ..]) => self.parts::<RequestValidator>(id, path),
            (_, [id, "deployments", path @ ..]) => self.parts::<Deployment>(id, path),
            (_, [id, "gatewayresponses", path @ ..]) => self.gateway_responses(id, path),
            (&Verb::DELETE, [id, "stages", stage, "cache", kind]) => self.flush(id, stage, kind),
            (_, [id, "stages", path @ ..]) => self.parts::<Stage>(id, path),
            _ => Err(self.unknown()),
        }
    }

    fn flush(&self, api: &str, stage: &str, kind: &str) -> Answer {
        self.cloud.read(|account| account.apigateway.api(api)?.part::<Stage>(stage).map(drop))?;
        match kind {
            "authorizers" => self.cloud.gateway().flush_authorizers(api, stage),
            "data" => self.cloud.gateway().flush_answers(api, stage),
            _ => return Err(self.unknown()),
        }
        Ok((StatusCode::ACCEPTED, Value::Null))
    }

    fn parts<P: Part<Api = RestApi>>(&self, api: &str, path: &[&str]) -> Answer {
        match (&self.request.method, path) {
            (&Verb::GET, []) => self.read(|account| {
                let parts = P::parts(account.apigateway.api(api)?);
                Ok(listed(parts.iter().map(|(id, part)| part.wire(id))))
            }),
            (&Verb::POST, []) => {
                let mut members = self.members()?;
                members.entry("createdDate").or_insert_with(|| self.cloud.now().unix_timestamp().into());
                let part: P = declared(members)?;
                self.write(StatusCode::CREATED, |account| {
                    let api = account.apigateway.api_mut(api)?;
                    let id = api.add(part)?;
                    Ok(api.part::<P>(&id)?.wire(&id))
                })
            }
            (&Verb::GET, [id]) => self.read(|account| Ok(account.apigateway.api(api)?.part::<P>(id)?.wire(id))),
            (&Verb::PATCH, [id]) => {
                let changes = self.changes()?;
                self.write(StatusCode::OK, |account| {
                    let api = account.apigateway.api_mut(api)?;
                    let part: P = patched(api.part::<P>(id)?, &changes)?;
                    api.replace(id, part)?;
                    Ok(api.part::<P>(id)?.wire(id))
                })
            }
            (&Verb::DELETE, [id]) => self.delete(|account| account.apigateway.api_mut(api)?.remove::<P>(id)),
            _ => Err(self.unknown()),
        }
    }

    fn gateway_responses(&self, api: &str, path: &[&str]) -> Answer {
        match (&self.request.method, path) {
            (&Verb::GET, []) => self.read(|account| {
                let api = account.apigateway.api(api)?;
                Ok(listed(refusal::types().map(|kind| gateway_response(api, kind))))
            }),
            (&Verb::GET, [kind]) if refusal::default_status(kind).is_some() => {
                self.read(|account| Ok(gateway_response(account.apigateway.api(api)?, kind)))
            }
            (&Verb::PUT, [kind]) => {
                let mut members = self.members()?;
                members.insert("responseType".to_owned(), (*kind).into());
                let response: GatewayResponse = declared(members)?;
                self.write(StatusCode::CREATED, |account| {
                    let api = account.apigateway.api_mut(api)?;
                    match api.part::<GatewayResponse>(kind) {
                        Ok(_) => api.replace(kind, response)?,
                        Err(_) => drop(api.add(response)?),
                    }
                    Ok(gateway_response(api, kind))
                })
            }
            _ => self.parts::<GatewayResponse>(api, path),
        }
    }

    fn resources(&self, api: &str, path: &[&str]) -> Answer {
        match (&self.request.method, path) {
            (&Verb::GET, []) => self.read(|account| {
                let resources = account.apigateway.api(api)?.live.resources.iter();
                Ok(listed(resources.map(|(id, resource)| self.resource_wire(id, resource))))
            }),
            (&Verb::GET, [id]) => {
                self.read(|account| Ok(self.resource_wire(id, account.apigateway.api(api)?.resource(id)?)))
            }
            (&Verb::POST, [parent]) => {
                let members = self.members()?;
                let part = members.get("pathPart").and_then(Value::as_str).unwrap_or_default().to_owned();
                self.write(StatusCode::CREATED, |account| {
                    let api = account.apigateway.api_mut(api)?;
                    let id = api.add_resource(parent, &part)?;
                    Ok(self.resource_wire(&id, api.resource(&id)?))
                })
            }
            (&Verb::DELETE, [id]) => self.delete(|account| account.apigateway.api_mut(api)?.remove_resource(id)),
            (_, [id, "methods", verb, path @ ..]) => self.method(api, (id, verb), path),
            _ => Err(self.unknown()),
        }
    }

    /// Methods go along where they are asked for (`embed=methods`).
    fn resource_wire(&self, id: &str, resource: &Resource) -> Value {
        let mut wire = serde_json::to_value(resource).unwrap_or_default();
        wire["id"] = id.into();
        let embedded =
            self.request.query_parameters().iter().any(|(name, value)| name == "embed" && value == "methods");
        if let Some(methods) = wire.get_mut("resourceMethods").and_then(Value::as_object_mut)
            && !embedded
        {
            methods.values_mut().for_each(|method| *method = json!({}));
        }
        wire
    }

    fn method(&self, api: &str, (resource, verb): (&str, &str), path: &[&str]) -> Answer {
        let change = |status, change: &dyn Fn(&mut Method) -> Result<Value, Fault>| {
            self.write(status, |account| {
                let api = account.apigateway.api_mut(api)?;
                let mut method = api.method(resource, verb)?.clone();
                let answer = change(&mut method)?;
                api.put_method(resource, method)?;
                Ok(answer)
            })
        };
        match (&self.request.method, path) {
            (&Verb::PUT, []) => {
                let mut members = self.members()?;
                members.insert("httpMethod".to_owned(), verb.into());
                let method: Method = declared(members)?;
                self.write(StatusCode::CREATED, |account| {
                    let api = account.apigateway.api_mut(api)?;
                    api.add_method(resource, method)?;
                    Ok(wire(api.method(resource, verb)?))
                })
            }
            (&Verb::PATCH, []) => {
                let changes = self.changes()?;
                change(StatusCode::OK, &|method| {
                    *method = patched(method, &changes)?;
                    Ok(wire(method))
                })
            }
            (&Verb::DELETE, []) => {
                self.delete(|account| account.apigateway.api_mut(api)?.remove_method(resource, verb))
            }
            (&Verb::PUT, ["integration"]) => {
                let integration: Integration = declared(self.members()?)?;
                change(StatusCode::CREATED, &|method| {
                    method.method_integration = Some(integration.clone());
                    Ok(wire(&integration))
                })
            }
            (&Verb::DELETE, ["integration"]) => self.delete(|account| {
                account.apigateway.api_mut(api)?.method_mut(resource, verb)?.method_integration = None;
                Ok(())
            }),
            (&Verb::PUT, ["responses", code]) => {
                let response: MethodResponse = self.response(code)?;
                change(StatusCode::CREATED, &|method| {
                    method.method_responses.insert((*code).to_owned(), response.clone());
                    Ok(wire(&response))
                })
            }
            (&Verb::PUT, ["integration", "responses", code]) => {
                let response: IntegrationResponse = self.response(code)?;
                change(StatusCode::CREATED, &|method| {
                    let integration = method.method_integration.as_mut().ok_or_else(no_integration)?;
                    integration.integration_responses.insert((*code).to_owned(), response.clone());
                    Ok(wire(&response))
                })
            }
            (&Verb::GET, path) => self.read(|account| {
                let method = wire(account.apigateway.api(api)?.method(resource, verb)?);
                let pointer = match path {
                    [] => String::new(),
                    ["integration"] => "/methodIntegration".to_owned(),
                    ["responses", code] => format!("/methodResponses/{code}"),
                    ["integration", "responses", code] => format!("/methodIntegration/integrationResponses/{code}"),
                    _ => return Err(self.unknown()),
                };
                method.pointer(&pointer).cloned().ok_or_else(no_integration)
            }),
            _ => Err(self.unknown()),
        }
    }

    fn response<T: serde::de::DeserializeOwned>(&self, code: &str) -> Result<T, Fault> {
        let mut members = self.members()?;
        members.insert("statusCode".to_owned(), code.into());
        declared(members)
    }

    async fn try_authorizer(&self, api: &str, id: &str) -> Answer {
        let members = self.members()?;
        let headers = members.get("headers").cloned().unwrap_or_else(|| json!({}));
        let headers = serde_json::from_value(headers).map_err(|error| bad_request(error.to_string()))?;
        let authorizer = self.cloud.read(|account| account.apigateway.api(api)?.part::<Authorizer>(id).cloned())?;
        if authorizer.kind == "COGNITO_USER_POOLS" {
            return Err(bad_request("the local cloud tries out Lambda authorizers only; call the API with a token"));
        }
        Ok((StatusCode::OK, test_authorizer(self.cloud, api, (id, &authorizer), &headers).await))
    }

    fn usage_plans(&self, path: &[&str]) -> Answer {
        match (&self.request.method, path) {
            (&Verb::GET, []) => self.read(|account| {
                let key = self.request.query_parameter("keyId");
                let plans = account.apigateway.usage_plans().iter();
                let of_key = plans.filter(|(_, plan)| key.as_ref().is_none_or(|key| plan.keys.contains(key)));
                Ok(listed(of_key.map(|(id, plan)| plan_wire(id, plan))))
            }),
            (&Verb::POST, []) => {
                let plan: UsagePlan = declared(self.members()?)?;
                self.write(StatusCode::CREATED, |account| {
                    let id = account.apigateway.put_usage_plan(None, plan)?;
                    Ok(plan_wire(&id, account.apigateway.usage_plan(&id)?))
                })
            }
            (&Verb::GET, [id]) => self.read(|account| Ok(plan_wire(id, account.apigateway.usage_plan(id)?))),
            (&Verb::PATCH, [id]) => {
                let changes = self.changes()?;
                self.write(StatusCode::OK, |account| {
                    let plan = patched(account.apigateway.usage_plan(id)?, &changes)?;
                    account.apigateway.put_usage_plan(Some(id), plan)?;
                    Ok(plan_wire(id, account.apigateway.usage_plan(id)?))
                })
            }
            (&Verb::DELETE, [id]) => self.delete(|account| account.apigateway.delete_usage_plan(id)),
            (&Verb::GET, [id, "usage"]) => self.usage(id),
            (_, [id, "keys", path @ ..]) => self.plan_keys(id, path),
            _ => Err(self.unknown()),
        }
    }

    fn usage(&self, id: &str) -> Answer {
        let date = |name: &str| {
            let text = self.request.query_parameter(name).unwrap_or_default();
            day(&text)
                .map(|day| (text, day))
                .ok_or_else(|| bad_request(format!("Invalid {name}: it must be a day such as 2026-01-31")))
        };
        let ((start, from), (end, to)) = (date("startDate")?, date("endDate")?);
        let only = self.request.query_parameter("keyId");
        self.read(|account| {
            let plan = account.apigateway.usage_plan(id)?;
            let keys = plan.keys.iter().filter(|key| only.as_ref().is_none_or(|only| only == *key));
            let items: Map<String, Value> = keys.map(|key| (key.clone(), json!(plan.usage(key, from, to)))).collect();
            Ok(json!({ "usagePlanId": id, "startDate": start, "endDate": end, "items": items, "values": items }))
        })
    }

    fn plan_keys(&self, plan: &str, path: &[&str]) -> Answer {
        let key_wire = |account: &Account, id: &str| {
            let key = account.apigateway.api_key(id)?;
            Ok::<_, Fault>(json!({ "id": id, "type": "API_KEY", "name": key.name, "value": key.value }))
        };
        match (&self.request.method, path) {
            (&Verb::GET, []) => self.read(|account| {
                let keys = account.apigateway.usage_plan(plan)?.keys.iter();
                Ok(listed(keys.filter_map(|id| key_wire(account, id).ok())))
            }),
            (&Verb::POST, []) => {
                let members = self.members()?;
                let id = members.get("keyId").and_then(Value::as_str).unwrap_or_default().to_owned();
                self.write(StatusCode::CREATED, |account| {
                    account.apigateway.add_plan_key(plan, &id)?;
                    key_wire(account, &id)
                })
            }
            (&Verb::GET, [id]) => self.read(|account| match account.apigateway.usage_plan(plan)?.keys.contains(*id) {
                true => key_wire(account, id),
                false => Err(not_found("Invalid Usage Plan Key identifier specified")),
            }),
            (&Verb::DELETE, [id]) => self.delete(|account| account.apigateway.remove_plan_key(plan, id)),
            (&Verb::PATCH, [id, "usage"]) => {
                let remaining = self.changes()?.iter().find_map(|change| change.value.as_deref()?.parse().ok());
                let remaining = remaining.ok_or_else(|| bad_request("Invalid patch: /remaining must be a number"))?;
                self.write(StatusCode::OK, |account| {
                    let now = self.cloud.now();
                    let held = account.apigateway.usage_plan_mut(plan)?;
                    held.extend(id, remaining, now);
                    let today = now.date();
                    Ok(json!({ "usagePlanId": plan, "items": { (*id): held.usage(id, today, today) } }))
                })
            }
            _ => Err(self.unknown()),
        }
    }

    fn api_keys(&self, path: &[&str]) -> Answer {
        match (&self.request.method, path) {
            (&Verb::GET, []) => self.read(|account| {
                let name = self.request.query_parameter("name");
                let named = |key: &ApiKey| {
                    name.as_ref().is_none_or(|name| key.name.as_ref().is_some_and(|own| own.starts_with(name.as_str())))
                };
                let keys = account.apigateway.api_keys().iter().filter(|(_, key)| named(key));
                Ok(listed(keys.map(|(id, key)| api_key_wire(id, key, self.asks("includeValues")))))
            }),
            (&Verb::POST, []) => {
                let key: ApiKey = declared(self.members()?)?;
                self.write(StatusCode::CREATED, |account| {
                    let id = account.apigateway.create_api_key(key, self.cloud.now())?;
                    Ok(api_key_wire(&id, account.apigateway.api_key(&id)?, true))
                })
            }
            (&Verb::GET, [id]) => {
                self.read(|account| Ok(api_key_wire(id, account.apigateway.api_key(id)?, self.asks("includeValue"))))
            }
            (&Verb::PATCH, [id]) => {
                let changes = self.changes()?;
                self.write(StatusCode::OK, |account| {
                    let key = patched(account.apigateway.api_key(id)?, &changes)?;
                    account.apigateway.update_api_key(id, key, self.cloud.now())?;
                    Ok(api_key_wire(id, account.apigateway.api_key(id)?, false))
                })
            }
            (&Verb::DELETE, [id]) => self.delete(|account| account.apigateway.delete_api_key(id)),
            _ => Err(self.unknown()),
        }
    }

    fn domain_names(&self, path: &[&str]) -> Answer {
        match (&self.request.method, path) {
            (&Verb::GET, []) => self.read(|account| {
                let domains = account.apigateway.domain_names().values();
                Ok(listed(domains.map(|domain| domain.wire(&account.region))))
            }),
            (&Verb::POST, []) => {
                let domain: DomainName = declared(self.members()?)?;
                self.write(StatusCode::CREATED, |account| {
                    let wire = domain.wire(&account.region);
                    account.apigateway.create_domain_name(domain)?;
                    Ok(wire)
                })
            }
            (&Verb::GET, [name]) => {
                self.read(|account| Ok(account.apigateway.domain_name(name)?.wire(&account.region)))
            }
            (&Verb::DELETE, [name]) => self.delete(|account| account.apigateway.delete_domain_name(name)),
            (&Verb::GET, [name, "basepathmappings"]) => self.read(|account| {
                let mappings = account.apigateway.domain_name(name)?.mappings.iter();
                Ok(listed(mappings.map(|(base, mapping)| mapping.wire(base))))
            }),
            (&Verb::POST, [name, "basepathmappings"]) => {
                let members = self.members()?;
                let base = members.get("basePath").and_then(Value::as_str).unwrap_or_default();
                let base = base_path(base).to_owned();
                let mapping: BasePathMapping = declared(members)?;
                self.write(StatusCode::CREATED, |account| {
                    let wire = mapping.wire(&base);
                    account.apigateway.map(name, &base, mapping)?;
                    Ok(wire)
                })
            }
            (&Verb::DELETE, [name, "basepathmappings", base]) => {
                self.delete(|account| account.apigateway.unmap(name, base_path(base)))
            }
            _ => Err(self.unknown()),
        }
    }

    fn account(&self) -> Answer {
        let shown = |account: &Account| {
            Ok(json!({
                "cloudwatchRoleArn": account.apigateway.cloudwatch_role,
                "throttleSettings": { "burstLimit": 5_000, "rateLimit": 10_000.0 },
                "features": ["UsagePlans"],
                "apiKeyVersion": "4",
            }))
        };
        match self.request.method {
            Verb::GET => self.read(shown),
            Verb::PATCH => {
                let changes = self.changes()?;
                self.write(StatusCode::OK, |account| {
                    for change in changes.iter().filter(|change| change.path == "/cloudwatchRoleArn") {
                        account.apigateway.cloudwatch_role.clone_from(&change.value);
                    }
                    shown(account)
                })
            }
            _ => Err(self.unknown()),
        }
    }
}

/// A page of things; there is never a second one.
fn listed(items: impl Iterator<Item = Value>) -> Value {
    json!({ "item": items.collect::<Vec<_>>() })
}

fn wire(thing: &impl serde::Serialize) -> Value {
    serde_json::to_value(thing).unwrap_or_default()
}

fn api_wire(id: &str, api: &RestApi) -> Value {
    let mut wire = wire(&api.live.settings);
    wire["id"] = id.into();
    wire["createdDate"] = json!(api.created.map(time::OffsetDateTime::unix_timestamp));
    wire["rootResourceId"] = api.root.as_str().into();
    wire
}

/// A gateway response as the API has it, or as it is by default.
fn gateway_response(api: &RestApi, kind: &str) -> Value {
    if let Some(own) = api.live.gateway_responses.get(kind) {
        let mut shown = wire(own);
        shown["defaultResponse"] = false.into();
        return shown;
    }
    let mut shown = json!({
        "responseType": kind,
        "responseParameters": {},
        "responseTemplates": { "application/json": refusal::DEFAULT_TEMPLATE },
        "defaultResponse": true,
    });
    if let Some(Some(status)) = refusal::default_status(kind) {
        shown["statusCode"] = status.to_string().into();
    }
    shown
}

fn plan_wire(id: &str, plan: &UsagePlan) -> Value {
    let mut wire = wire(plan);
    if let Some(members) = wire.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "keys" | "counts" | "extensions"));
        members.insert("id".to_owned(), id.into());
    }
    wire
}

/// A key, whose value is shown only where it is asked for.
fn api_key_wire(id: &str, key: &ApiKey, with_value: bool) -> Value {
    let mut wire = wire(key);
    if let Some(members) = wire.as_object_mut() {
        members.insert("id".to_owned(), id.into());
        members.insert("stageKeys".to_owned(), json!([]));
        if !with_value {
            members.remove("value");
        }
    }
    wire
}

fn no_integration() -> Fault {
    not_found("No integration defined for method")
}
