//! The wire face of API Gateway v2, REST-JSON.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::domain::ApiMapping;
use super::quick::QuickCreate;
use super::resources::endpoint;
use super::{
    Api, Authorizer, Deployment, DomainName, Integration, Route, RouteResponse, Settings, Stage, bad_request, declared,
    not_found,
};
use crate::cloud::{Account, Cloud};
use crate::part::{Part, Parts};
use crate::wire::{Fault, Request, Response, rest_json_answer};

/// What an operation answers: a status and a body.
type Answer = Result<(StatusCode, Value), Fault>;

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    match answer(&cloud, &request) {
        Ok((status, body)) => {
            let mut response = rest_json_answer(Ok(body));
            *response.status_mut() = status;
            if status == StatusCode::NO_CONTENT {
                *response.body_mut() = axum::body::Body::empty();
            }
            response
        }
        Err(fault) => fault.into_rest_json(),
    }
}

fn answer(cloud: &Cloud, request: &Request) -> Answer {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["v2", path @ ..] = segments.as_slice() else { return Err(unknown(request)) };
    let operation = Operation { cloud, request, endpoint: cloud.endpoint() };
    match path {
        ["apis", path @ ..] => operation.apis(path),
        ["domainnames", path @ ..] => operation.domain_names(path),
        ["tags", arn] => operation.tags(arn),
        ["vpclinks"] if request.method == Method::GET => Ok((StatusCode::OK, json!({ "items": [] }))),
        _ => Err(unknown(request)),
    }
}

fn unknown(request: &Request) -> Fault {
    Fault::unknown_operation("apigatewayv2", &format!("{} {}", request.method, request.path))
}

/// One request to the service.
struct Operation<'a> {
    cloud: &'a Cloud,
    request: &'a Request,
    endpoint: &'a str,
}

impl Operation<'_> {
    fn members(&self) -> Result<Map<String, Value>, Fault> {
        self.request.json().map_err(|fault| bad_request(fault.message))
    }

    fn read(&self, look: impl FnOnce(&Account) -> Result<Value, Fault>) -> Answer {
        Ok((StatusCode::OK, self.cloud.read(look)?))
    }

    fn write(&self, status: StatusCode, change: impl FnOnce(&mut Account) -> Result<Value, Fault>) -> Answer {
        Ok((status, self.cloud.write(change)?))
    }

    fn apis(&self, path: &[&str]) -> Answer {
        match (&self.request.method, path) {
            (&Method::GET, []) => self.read(|account| {
                let apis = account.apigatewayv2.all().iter();
                Ok(json!({ "items": apis.map(|(id, api)| self.api_wire(id, api)).collect::<Vec<_>>() }))
            }),
            (&Method::POST, []) => {
                let members = self.members()?;
                let quick = QuickCreate::of(&members)?;
                let settings: Settings = declared(members)?;
                self.write(StatusCode::CREATED, |account| {
                    let id = account.apigatewayv2.create(settings, self.cloud.now())?;
                    quick.complete(account.apigatewayv2.api_mut(&id)?)?;
                    Ok(self.api_wire(&id, account.apigatewayv2.api(&id)?))
                })
            }
            (&Method::GET, [id]) => self.read(|account| Ok(self.api_wire(id, account.apigatewayv2.api(id)?))),
            (&Method::PATCH, [id]) => {
                let members = self.members()?;
                QuickCreate::refused_in_update(&members)?;
                self.write(StatusCode::OK, |account| {
                    let api = account.apigatewayv2.api_mut(id)?;
                    api.configure(patched(&api.settings, members)?)?;
                    Ok(self.api_wire(id, api))
                })
            }
            (&Method::DELETE, [id]) => self.write(StatusCode::NO_CONTENT, |account| {
                account.apigatewayv2.delete(id)?;
                Ok(Value::Null)
            }),
            (&Method::DELETE, [id, "cors"]) => self.write(StatusCode::NO_CONTENT, |account| {
                let api = account.apigatewayv2.api_mut(id)?;
                let settings = Settings { cors_configuration: None, ..api.settings.clone() };
                api.configure(settings)?;
                Ok(Value::Null)
            }),
            (_, [id, "routes", route, "routeresponses", path @ ..]) => self.route_responses(id, route, path),
            (_, [id, "routes", path @ ..]) => self.parts::<Route>(id, path),
            (_, [id, "integrations", path @ ..]) => self.parts::<Integration>(id, path),
            (_, [id, "authorizers", path @ ..]) => self.parts::<Authorizer>(id, path),
            (_, [id, "stages", path @ ..]) => self.parts::<Stage>(id, path),
            (_, [id, "deployments", path @ ..]) => self.parts::<Deployment>(id, path),
            _ => Err(unknown(self.request)),
        }
    }

    fn api_wire(&self, id: &str, api: &Api) -> Value {
        let mut wire = serde_json::to_value(&api.settings).unwrap_or_default();
        if let Some(members) = wire.as_object_mut() {
            members.insert("apiId".to_owned(), id.into());
            members.insert("apiEndpoint".to_owned(), endpoint(self.endpoint, id, api.is_web_socket()).into());
            members.insert("apiKeySelectionExpression".to_owned(), "$request.header.x-api-key".into());
            members.insert("createdDate".to_owned(), json!(api.created.map(timestamp)));
        }
        wire
    }

    /// Those of one route. They are held by the API, each with the id of its route.
    fn route_responses(&self, api: &str, route: &str, path: &[&str]) -> Answer {
        if (&self.request.method, path) != (&Method::POST, &[]) {
            return self.parts::<RouteResponse>(api, path);
        }
        let mut members = self.members()?;
        members.insert("routeId".to_owned(), route.into());
        let response: RouteResponse = declared(members)?;
        self.write(StatusCode::CREATED, |account| {
            let api = account.apigatewayv2.api_mut(api)?;
            let id = api.add(response)?;
            Ok(api.part::<RouteResponse>(&id)?.wire(&id))
        })
    }

    fn parts<P: Part<Api = Api>>(&self, api: &str, path: &[&str]) -> Answer {
        match (&self.request.method, path) {
            (&Method::GET, []) => self.read(|account| {
                let parts = P::parts(account.apigatewayv2.api(api)?).iter();
                Ok(json!({ "items": parts.map(|(id, part)| part.wire(id)).collect::<Vec<_>>() }))
            }),
            (&Method::POST, []) => {
                let part: P = declared(self.members()?)?;
                self.write(StatusCode::CREATED, |account| {
                    let api = account.apigatewayv2.api_mut(api)?;
                    let id = api.add(part)?;
                    Ok(api.part::<P>(&id)?.wire(&id))
                })
            }
            (&Method::GET, [id]) => self.read(|account| {
                let api = account.apigatewayv2.api(api)?;
                Ok(api.part::<P>(id)?.wire(id))
            }),
            (&Method::PATCH, [id]) => {
                let members = self.members()?;
                self.write(StatusCode::OK, |account| {
                    let api = account.apigatewayv2.api_mut(api)?;
                    let part: P = patched(api.part::<P>(id)?, members)?;
                    api.replace(id, part)?;
                    Ok(api.part::<P>(id)?.wire(id))
                })
            }
            (&Method::DELETE, [id]) => self.write(StatusCode::NO_CONTENT, |account| {
                account.apigatewayv2.api_mut(api)?.remove::<P>(id)?;
                Ok(Value::Null)
            }),
            _ => Err(unknown(self.request)),
        }
    }

    /// What is tagged is named by its whole ARN, since that is what policies are asked about.
    fn tags(&self, arn: &str) -> Answer {
        let unknown_arn = || not_found(format!("Invalid resource identifier specified: {arn}"));
        let place = self.cloud.read(|account| format!("arn:aws:apigateway:{}::/", account.region));
        let path: Vec<&str> = arn.strip_prefix(&place).ok_or_else(unknown_arn)?.split('/').collect();
        match self.request.method {
            Method::GET => self.read(|account| {
                let tags = account.apigatewayv2.tags(&path).ok_or_else(unknown_arn)?;
                Ok(json!({ "tags": tags }))
            }),
            Method::POST => {
                let Tagged { tags } = declared(self.members()?)?;
                self.write(StatusCode::CREATED, |account| {
                    account.apigatewayv2.tags_mut(&path).ok_or_else(unknown_arn)?.extend(tags);
                    Ok(json!({}))
                })
            }
            Method::DELETE => {
                let query = self.request.query_parameters();
                self.write(StatusCode::NO_CONTENT, |account| {
                    let is_named = |key: &str| query.iter().any(|(name, value)| name == "tagKeys" && value == key);
                    let tags = account.apigatewayv2.tags_mut(&path).ok_or_else(unknown_arn)?;
                    tags.retain(|key, _| !is_named(key));
                    Ok(Value::Null)
                })
            }
            _ => Err(unknown(self.request)),
        }
    }

    fn domain_names(&self, path: &[&str]) -> Answer {
        match (&self.request.method, path) {
            (&Method::GET, []) => self.read(|account| {
                let domains = account.apigatewayv2.domain_names().values();
                let items: Vec<Value> = domains.map(|domain| domain.wire(&account.region)).collect();
                Ok(json!({ "items": items }))
            }),
            (&Method::POST, []) => {
                let domain: DomainName = declared(self.members()?)?;
                self.write(StatusCode::CREATED, |account| {
                    let wire = domain.wire(&account.region);
                    account.apigatewayv2.create_domain_name(domain)?;
                    Ok(wire)
                })
            }
            (&Method::GET, [name]) => {
                self.read(|account| Ok(account.apigatewayv2.domain_name(name)?.wire(&account.region)))
            }
            (&Method::DELETE, [name]) => self.write(StatusCode::NO_CONTENT, |account| {
                account.apigatewayv2.delete_domain_name(name)?;
                Ok(Value::Null)
            }),
            (_, [name, "apimappings", path @ ..]) => self.mappings(name, path),
            _ => Err(unknown(self.request)),
        }
    }

    fn mappings(&self, domain: &str, path: &[&str]) -> Answer {
        match (&self.request.method, path) {
            (&Method::GET, []) => self.read(|account| {
                let mappings = account.apigatewayv2.domain_name(domain)?.mappings.iter();
                Ok(json!({ "items": mappings.map(|(id, mapping)| mapping.wire(id)).collect::<Vec<_>>() }))
            }),
            (&Method::POST, []) => {
                let mapping: ApiMapping = declared(self.members()?)?;
                self.write(StatusCode::CREATED, |account| {
                    let id = account.apigatewayv2.map(domain, None, mapping.clone())?;
                    Ok(mapping.wire(&id))
                })
            }
            (&Method::GET, [id]) => self.read(|account| {
                let mapping = account.apigatewayv2.domain_name(domain)?.mappings.get(*id);
                mapping.map(|mapping| mapping.wire(id)).ok_or_else(|| not_found("Invalid API mapping identifier"))
            }),
            (&Method::DELETE, [id]) => self.write(StatusCode::NO_CONTENT, |account| {
                account.apigatewayv2.unmap(domain, id)?;
                Ok(Value::Null)
            }),
            _ => Err(unknown(self.request)),
        }
    }
}

/// A request of `TagResource`.
#[derive(serde::Deserialize)]
struct Tagged {
    tags: std::collections::BTreeMap<String, String>,
}

/// What stands, with the members of an update in their new form.
fn patched<T: serde::Serialize + serde::de::DeserializeOwned>(
    held: &T,
    members: Map<String, Value>,
) -> Result<T, Fault> {
    let mut whole = match serde_json::to_value(held) {
        Ok(Value::Object(whole)) => whole,
        _ => Map::new(),
    };
    whole.extend(members);
    declared(whole)
}

fn timestamp(time: OffsetDateTime) -> String {
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}
