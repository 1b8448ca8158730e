//! The wire face of Lambda, REST-JSON.

use std::collections::BTreeMap;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use time::macros::format_description;

use super::deployment::{self, Site, ZipFile};
use super::{Function, Functions, LATEST, Statement, Target, Version, fault, invalid, not_found, policy, rules, url};
use crate::cloud::{Account, Cloud};
use crate::runtime::{self, Call, Log};
use crate::wire::{Fault, Request, Response};

/// Largest event of a synchronous invocation.
pub(crate) const LARGEST_EVENT: usize = 6_291_456;

/// Largest event of an asynchronous one.
const LARGEST_ASYNCHRONOUS_EVENT: usize = 1_048_576;

type Members = Map<String, Value>;

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    match answer(&cloud, &request).await {
        Ok(response) => response,
        Err(fault) => refusal(fault, None),
    }
}

/// What the segments of a path after the API's date say.
async fn answer(cloud: &Cloud, request: &Request) -> Result<Response, Fault> {
    let path = percent_decode_str(&request.path).decode_utf8_lossy();
    // An ARN in a path holds no slash, so that segments are segments.
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).skip(1).collect();
    let wire = Wire { cloud, request };
    match (&request.method, segments.as_slice()) {
        (&Method::POST, ["functions", name, "invocations"]) => wire.invoke(name).await,
        (&Method::POST, ["functions"]) => wire.create(),
        (&Method::GET, ["functions"]) => wire.list(),
        (&Method::GET, ["functions", name]) => wire.get(name),
        (&Method::DELETE, ["functions", name]) => wire.delete(name),
        (&Method::GET, ["functions", name, "configuration"]) => wire.configuration(name),
        (&Method::PUT, ["functions", name, "configuration"]) => wire.update_configuration(name),
        (&Method::PUT, ["functions", name, "code"]) => wire.update_code(name),
        (&Method::GET, ["functions", name, "policy"]) => wire.policy(name),
        (&Method::POST, ["functions", name, "policy"]) => wire.add_permission(name),
        (&Method::DELETE, ["functions", name, "policy", id]) => wire.remove_permission(name, id),
        (&Method::GET, ["functions", name, "versions"]) => wire.versions(name),
        (&Method::POST, ["functions", name, "versions"]) => wire.publish(name),
        (&Method::GET, ["functions", name, "aliases"]) => wire.aliases(name),
        (&Method::GET, ["functions", name, "aliases", alias]) => wire.alias(name, alias),
        (&Method::GET, ["functions", name, "concurrency"]) => wire.concurrency(name),
        (&Method::PUT, ["functions", name, "concurrency"]) => wire.put_concurrency(name),
        (&Method::DELETE, ["functions", name, "concurrency"]) => wire.delete_concurrency(name),
        (&Method::POST, ["functions", name, "url"]) => wire.create_url(name),
        (&Method::GET, ["functions", name, "url"]) => wire.url(name),
        (&Method::PUT, ["functions", name, "url"]) => wire.update_url(name),
        (&Method::DELETE, ["functions", name, "url"]) => wire.delete_url(name),
        (&Method::GET, ["functions", name, "urls"]) => wire.urls(name),
        (&Method::GET, ["tags", arn]) => wire.tags(arn),
        (&Method::POST, ["tags", arn]) => wire.tag(arn),
        (&Method::DELETE, ["tags", arn]) => wire.untag(arn),
        (&Method::GET, ["account-settings"]) => wire.account_settings(),
        (method, _) => Err(fault(
            StatusCode::NOT_IMPLEMENTED,
            "UnknownOperationException",
            format!("the local cloud does not offer Lambda's {method} {path}"),
        )),
    }
}

/// One request on its way to an answer.
#[derive(Clone, Copy)]
struct Wire<'a> {
    cloud: &'a Cloud,
    request: &'a Request,
}

impl Wire<'_> {
    async fn invoke(self, name: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        let kind = self.header("x-amz-invocation-type").unwrap_or("RequestResponse");
        let payload = self.request.body.clone();
        check_event(kind, &payload)?;
        let call = Call {
            trace: self.header("x-amzn-trace-id").map(str::to_owned),
            client_context: self.client_context()?,
            log: if self.header("x-amz-log-type") == Some("Tail") { Log::Tail } else { Log::None },
            ..Call::new(target.clone(), payload)
        };
        match kind {
            "RequestResponse" => Ok(match runtime::call(self.cloud, call).await {
                Ok(invocation) => invoked(invocation),
                Err(fault) => refusal(fault, Some(self.limit(&target))),
            }),
            "Event" => {
                runtime::enqueue(self.cloud, call)?;
                Ok(answered(StatusCode::ACCEPTED, Body::empty()))
            }
            "DryRun" => {
                self.cloud.read(|account| Functions::find(account, &target, 0.0).map(drop))?;
                Ok(answered(StatusCode::NO_CONTENT, Body::empty()))
            }
            other => Err(invalid(format!("Unknown invocation type: {other}"))),
        }
    }

    /// The limit that holds back a function's invocations.
    fn limit(&self, target: &Target) -> &'static str {
        let reserved = self.cloud.read(|account| Functions::function(account, target).map(|f| f.reserved_concurrency));
        match reserved {
            Ok(Some(_)) => "ReservedFunctionConcurrentInvocationLimitExceeded",
            _ => "ConcurrentInvocationLimitExceeded",
        }
    }

    fn create(self) -> Result<Response, Fault> {
        let members = self.members()?;
        let name = members.get("FunctionName").and_then(Value::as_str).unwrap_or_default();
        let target = Target { qualifier: None, ..self.named(name)? };
        self.cloud
            .write(|account| {
                deployment::create(account, self.site(), &target, &members, ZipFile::Archive)?;
                deployment::adorn(account, &target, tag_members(&members), None)?;
                self.published(account, &target, &members)
            })
            .map(|configuration| created(&configuration))
    }

    fn update_code(self, name: &str) -> Result<Response, Fault> {
        let (target, members) = (self.target(name)?, self.members()?);
        self.cloud
            .write(|account| {
                let code = deployment::given_code(account, self.site(), &members, ZipFile::Archive)?;
                let architectures = members.get("Architectures").cloned();
                let change = Members::from_iter(architectures.map(|value| ("Architectures".to_owned(), value)));
                let settings = Functions::function(account, &target)?.latest.settings.changed(account, &change)?;
                deployment::change(account, self.site(), &target, |version| {
                    version.code = code;
                    version.settings = settings;
                })?;
                self.published(account, &target, &members)
            })
            .map(|configuration| ok(&configuration))
    }

    fn update_configuration(self, name: &str) -> Result<Response, Fault> {
        let (target, members) = (self.target(name)?, self.members()?);
        self.cloud
            .write(|account| {
                let settings = Functions::function(account, &target)?.latest.settings.changed(account, &members)?;
                deployment::change(account, self.site(), &target, |version| version.settings = settings)?;
                Ok(described(account, &target, LATEST, &Functions::function(account, &target)?.latest))
            })
            .map(|configuration| ok(&configuration))
    }

    /// The configuration after a change: that of a new version, when one was asked for.
    fn published(self, account: &mut Account, target: &Target, members: &Members) -> Result<Value, Fault> {
        let number = match members.get("Publish").and_then(Value::as_bool) {
            Some(true) => rules::publish(account, target, None)?.to_string(),
            _ => LATEST.to_owned(),
        };
        let function = Functions::function(account, target)?;
        let version = function.version(&number).ok_or_else(|| target.missing(account))?;
        Ok(described(account, target, &number, version))
    }

    fn delete(self, name: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.write(|account| rules::remove(account, &target)).map(|()| no_content())
    }

    fn get(self, name: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.read(|account| {
            let found = Functions::find(account, &target, 0.0)?;
            let mut body = json!({
                "Configuration": described(account, &target, &found.number, found.version),
                "Code": { "RepositoryType": "S3" },
                "Tags": found.function.tags,
            });
            if let Some(reserved) = found.function.reserved_concurrency {
                body["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
            }
            Ok(ok(&body))
        })
    }

    fn configuration(self, name: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.read(|account| {
            let found = Functions::find(account, &target, 0.0)?;
            Ok(ok(&described(account, &target, &found.number, found.version)))
        })
    }

    fn list(self) -> Result<Response, Fault> {
        self.cloud.read(|account| {
            let target = |name: &String| Target { name: name.clone(), qualifier: None };
            let all = account.lambda.0.iter();
            let all =
                all.map(|(name, function)| (name.clone(), described(account, &target(name), LATEST, &function.latest)));
            self.page("Functions", all.collect())
        })
    }

    fn versions(self, name: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.read(|account| {
            let function = Functions::function(account, &target)?;
            let numbered = function.versions.iter().map(|(number, version)| (number.to_string(), version));
            let all = std::iter::once((LATEST.to_owned(), &function.latest)).chain(numbered);
            let all = all.map(|(number, version)| (number.clone(), described(account, &target, &number, version)));
            self.page("Versions", all.collect())
        })
    }

    fn publish(self, name: &str) -> Result<Response, Fault> {
        let (target, members) = (self.target(name)?, self.members()?);
        let description = members.get("Description").and_then(Value::as_str).map(str::to_owned);
        self.cloud
            .write(|account| {
                let number = rules::publish(account, &target, description)?.to_string();
                let function = Functions::function(account, &target)?;
                let version = function.version(&number).ok_or_else(|| target.missing(account))?;
                Ok(described(account, &target, &number, version))
            })
            .map(|configuration| created(&configuration))
    }

    fn aliases(self, name: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.read(|account| {
            let aliases = Functions::function(account, &target)?.aliases.keys();
            let all = aliases.map(|alias| Ok((alias.clone(), alias_document(account, &target, alias)?)));
            self.page("Aliases", all.collect::<Result<_, Fault>>()?)
        })
    }

    fn alias(self, name: &str, alias: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.read(|account| alias_document(account, &target, alias).map(|document| ok(&document)))
    }

    fn policy(self, name: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.read(|account| {
            let function = Functions::function(account, &target)?;
            let document = function
                .policy_document(account, &target)
                .ok_or_else(|| not_found("The resource you requested does not exist."))?;
            Ok(ok(&json!({ "Policy": document.to_string(), "RevisionId": function.latest.revision })))
        })
    }

    fn add_permission(self, name: &str) -> Result<Response, Fault> {
        let (target, members) = (self.target(name)?, self.members()?);
        let statement: Statement = serde_json::from_value(Value::Object(members))
            .map_err(|error| Fault::new("SerializationException", error.to_string()))?;
        for (member, value) in [
            ("statementId", &statement.statement_id),
            ("principal", &statement.principal),
            ("action", &statement.action),
        ] {
            if value.is_empty() {
                return Err(Fault::new(
                    "ValidationException",
                    format!(
                        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member \
                         must not be null"
                    ),
                ));
            }
        }
        self.cloud
            .write(|account| policy::add(account, &target, statement))
            .map(|statement| created(&json!({ "Statement": statement.to_string() })))
    }

    fn remove_permission(self, name: &str, id: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.write(|account| policy::remove(account, &target, id)).map(|()| no_content())
    }

    fn concurrency(self, name: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.read(|account| {
            let reserved = Functions::function(account, &target)?.reserved_concurrency;
            Ok(ok(&reserved.map_or_else(|| json!({}), |reserved| json!({ "ReservedConcurrentExecutions": reserved }))))
        })
    }

    fn put_concurrency(self, name: &str) -> Result<Response, Fault> {
        let (target, members) = (self.target(name)?, self.members()?);
        let reserved = members.get("ReservedConcurrentExecutions").and_then(Value::as_u64);
        let reserved = reserved
            .and_then(|reserved| u32::try_from(reserved).ok())
            .ok_or_else(|| invalid("ReservedConcurrentExecutions must be a whole number from 0"))?;
        self.cloud
            .write(|account| rules::reserve(account, &target, Some(reserved)))
            .map(|()| ok(&json!({ "ReservedConcurrentExecutions": reserved })))
    }

    fn delete_concurrency(self, name: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.write(|account| rules::reserve(account, &target, None)).map(|()| no_content())
    }

    fn create_url(self, name: &str) -> Result<Response, Fault> {
        let (target, members) = (self.target(name)?, self.members()?);
        self.cloud
            .write(|account| {
                let made = url::create(account, &target, &members, self.cloud.now())?;
                Ok::<_, Fault>(url::document(account, self.cloud.endpoint(), &target, &made))
            })
            .map(|document| created(&document))
    }

    fn url(self, name: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.read(|account| {
            let held = url::of(account, &target)?;
            Ok(ok(&url::document(account, self.cloud.endpoint(), &target, held)))
        })
    }

    fn update_url(self, name: &str) -> Result<Response, Fault> {
        let (target, members) = (self.target(name)?, self.members()?);
        self.cloud
            .write(|account| {
                let changed = url::update(account, &target, &members, self.cloud.now())?;
                Ok::<_, Fault>(url::document(account, self.cloud.endpoint(), &target, &changed))
            })
            .map(|document| ok(&document))
    }

    fn delete_url(self, name: &str) -> Result<Response, Fault> {
        let target = self.target(name)?;
        self.cloud.write(|account| url::delete(account, &target)).map(|()| no_content())
    }

    fn urls(self, name: &str) -> Result<Response, Fault> {
        let target = self.named(name)?;
        self.cloud.read(|account| {
            let urls = Functions::function(account, &target)?.urls.iter().map(|(qualifier, held)| {
                let alias = Some(qualifier.clone()).filter(|qualifier| qualifier != LATEST);
                let target = Target { qualifier: alias, ..target.clone() };
                (qualifier.clone(), url::document(account, self.cloud.endpoint(), &target, held))
            });
            self.page("FunctionUrlConfigs", urls.collect())
        })
    }

    fn tags(self, arn: &str) -> Result<Response, Fault> {
        let target = self.named(arn)?;
        self.cloud.read(|account| Ok(ok(&json!({ "Tags": Functions::function(account, &target)?.tags }))))
    }

    fn tag(self, arn: &str) -> Result<Response, Fault> {
        let (target, members) = (self.named(arn)?, self.members()?);
        self.change_tags(&target, |tags| tags.extend(tag_members(&members)))
    }

    fn untag(self, arn: &str) -> Result<Response, Fault> {
        let target = self.named(arn)?;
        let keys: Vec<String> = self.query("tagKeys").collect();
        self.change_tags(&target, |tags| tags.retain(|key, _| !keys.contains(key)))
    }

    fn change_tags(
        self,
        target: &Target,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<Response, Fault> {
        self.cloud.write(|account| {
            let missing = target.missing(account);
            change(&mut account.lambda.0.get_mut(&target.name).ok_or(missing)?.tags);
            Ok::<_, Fault>(no_content())
        })
    }

    fn account_settings(self) -> Result<Response, Fault> {
        self.cloud.read(|account| {
            let functions = account.lambda.0.values();
            let size: u64 = functions.map(|function| function.latest.code.size).sum();
            Ok(ok(&json!({
                "AccountLimit": {
                    "TotalCodeSize": 80_530_636_800_u64,
                    "CodeSizeUnzipped": super::code::LARGEST,
                    "CodeSizeZipped": 52_428_800,
                    "ConcurrentExecutions": rules::ACCOUNT_CONCURRENCY,
                    "UnreservedConcurrentExecutions": rules::unreserved_concurrency(account),
                },
                "AccountUsage": { "TotalCodeSize": size, "FunctionCount": account.lambda.0.len() },
            })))
        })
    }

    /// One page of a list, in the order of its keys; the marker is the last key of the page before.
    fn page(self, member: &str, all: Vec<(String, Value)>) -> Result<Response, Fault> {
        let most = self.query("MaxItems").next().map_or(Ok(50), |text| text.parse::<usize>());
        let most = most.map_err(|_| invalid("MaxItems must be a number"))?.clamp(1, 50);
        let start = match self.query("Marker").next() {
            Some(marker) => all.iter().position(|(key, _)| *key == marker).map_or(all.len(), |position| position + 1),
            None => 0,
        };
        let has_more = all.len() > start.saturating_add(most);
        let page: Vec<(String, Value)> = all.into_iter().skip(start).take(most).collect();
        let marker = page.last().filter(|_| has_more).map(|(key, _)| key.clone());
        let items: Vec<Value> = page.into_iter().map(|(_, item)| item).collect();
        let mut body = json!({ member: items });
        if let Some(marker) = marker {
            body["NextMarker"] = json!(marker);
        }
        Ok(ok(&body))
    }

    fn named(self, name: &str) -> Result<Target, Fault> {
        self.cloud.read(|account| Target::parse(account, name))
    }

    fn target(self, name: &str) -> Result<Target, Fault> {
        self.cloud.read(|account| Target::asked(account, name, self.request))
    }

    fn members(self) -> Result<Members, Fault> {
        let body: &[u8] = if self.request.body.is_empty() { b"{}" } else { &self.request.body };
        serde_json::from_slice(body).map_err(|error| {
            Fault::new("InvalidRequestContentException", format!("Could not parse request body into json: {error}"))
        })
    }

    fn query(self, name: &str) -> impl Iterator<Item = String> {
        form_urlencoded::parse(self.request.query.as_bytes())
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name)?.to_str().ok()
    }

    fn client_context(self) -> Result<Option<String>, Fault> {
        let Some(encoded) = self.header("x-amz-client-context") else { return Ok(None) };
        let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.map(Some).ok_or_else(|| {
            Fault::new("InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.")
        })
    }

    fn site(&self) -> Site<'_> {
        Site { data: self.cloud.data(), now: self.cloud.now() }
    }
}

fn check_event(kind: &str, payload: &Bytes) -> Result<(), Fault> {
    let most = if kind == "Event" { LARGEST_ASYNCHRONOUS_EVENT } else { LARGEST_EVENT };
    if payload.len() > most {
        let message = format!("Request must be smaller than {most} bytes for the InvokeFunction operation");
        return Err(fault(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message));
    }
    let broken = |error| {
        let message = format!("Could not parse request body into json: {error}");
        Fault::new("InvalidRequestContentException", message)
    };
    if payload.is_empty() {
        Ok(())
    } else {
        serde_json::from_slice::<serde::de::IgnoredAny>(payload).map(drop).map_err(broken)
    }
}

/// A version's configuration, as every operation that tells it does.
fn described(account: &Account, target: &Target, number: &str, version: &Version) -> Value {
    let qualifier = target.qualifier.clone().or_else(|| (number != LATEST).then(|| number.to_owned()));
    let arn = Target { name: target.name.clone(), qualifier }.arn(account);
    let Version { settings, code, revision, modified } = version;
    let mut body = json!({
        "FunctionName": target.name,
        "FunctionArn": arn,
        "Version": number,
        "CodeSize": code.size,
        "CodeSha256": code.sha256_base64(),
        "LastModified": last_modified(*modified),
        "RevisionId": revision,
        "PackageType": "Zip",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
    });
    if let (Value::Object(body), Ok(Value::Object(settings_members))) = (&mut body, serde_json::to_value(settings)) {
        body.extend(settings_members);
    }
    body["LoggingConfig"]["LogGroup"] = json!(settings.log_group(&target.name));
    if settings.environment.variables.is_empty()
        && let Value::Object(body) = &mut body
    {
        body.remove("Environment");
    }
    body
}

pub(super) fn last_modified(time: time::OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]+0000");
    time.format(format).unwrap_or_default()
}

fn alias_document(account: &Account, target: &Target, name: &str) -> Result<Value, Fault> {
    let function: &Function = Functions::function(account, target)?;
    let arn = Target { name: target.name.clone(), qualifier: Some(name.to_owned()) }.arn(account);
    let alias = function.aliases.get(name).ok_or_else(|| not_found(format!("Cannot find alias arn: {arn}")))?;
    let mut document = json!({
        "AliasArn": arn,
        "Name": name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision,
    });
    if !alias.weights.is_empty() {
        document["RoutingConfig"] = json!({ "AdditionalVersionWeights": alias.weights });
    }
    Ok(document)
}

fn tag_members(members: &Members) -> BTreeMap<String, String> {
    let tags = members.get("Tags").and_then(Value::as_object).into_iter().flatten();
    tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn invoked(invocation: runtime::Invocation) -> Response {
    let mut response = answered(StatusCode::OK, Body::from(invocation.payload));
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("content-type", "application/json");
    set("x-amz-executed-version", &invocation.version);
    if let Some(kind) = &invocation.function_error {
        set("x-amz-function-error", kind);
    }
    if let Some(tail) = &invocation.log_tail {
        set("x-amz-log-result", &STANDARD.encode(tail));
    }
    response
}

fn ok(body: &Value) -> Response {
    document(StatusCode::OK, body)
}

fn created(body: &Value) -> Response {
    document(StatusCode::CREATED, body)
}

fn no_content() -> Response {
    answered(StatusCode::NO_CONTENT, Body::empty())
}

fn document(status: StatusCode, body: &Value) -> Response {
    let mut response = answered(status, Body::from(body.to_string()));
    set_json(response.headers_mut());
    response
}

fn answered(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn set_json(headers: &mut HeaderMap) {
    headers.insert("content-type", HeaderValue::from_static("application/json"));
}

/// A fault as Lambda words it; one for want of concurrency says which limit it was.
fn refusal(fault: Fault, limit: Option<&str>) -> Response {
    let is_throttled = fault.code == "TooManyRequestsException";
    let mut response = fault.clone().into_rest_json();
    if let Some(limit) = limit.filter(|_| is_throttled) {
        let body = json!({ "Type": "User", "message": fault.message, "Reason": limit });
        *response.body_mut() = Body::from(body.to_string());
    }
    response
}
