//! Public must be written where the model ends, too.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::{Find, Rule, Verdict};
use crate::access::doors::{Door, doors};
use crate::access::matrix::{Kind, fields, readable, worked_out};
use crate::access::openapi::{self, Callers};
use crate::model::apigatewayv2::web_socket_api::CONNECT;
use crate::model::raw::RawResource;
use crate::model::{Complaint, Json, Stack, ids};

pub(super) const RULE: Rule = Rule {
    id: "open-escape-hatch",
    verdict: Verdict::Unsafe,
    title: "raw resources and overrides open no door without a reason",
    why: "What a stack file says in CloudFormation's own words goes through as it is. A route without authorization, a \
          function URL that asks nobody, a function that everyone may invoke, an OpenAPI document that names no authorizer \
          and an identity pool with guests are open to the whole world, and an override can open what a route says is \
          guarded. API Gateway may invoke a function for the APIs of any account, unless the permission names its source. \
          Where that is meant, the suppression says so: it is where `public` is written.",
    page: "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html",
    good: "\
resources:
  NotesUrl:
    type: AWS::Lambda::Url
    properties: { TargetFunctionArn: { Fn::GetAtt: [Notes, Arn] }, AuthType: AWS_IAM }
",
    bad: "\
resources:
  NotesUrl:
    type: AWS::Lambda::Url
    properties: { TargetFunctionArn: { Fn::GetAtt: [Notes, Arn] }, AuthType: NONE }
",
    find: Find::Stack(find),
};

const HELP: &str = "guard it; or say under `suppressions`, with a reason, that it is meant to be public";

fn find(stack: &Stack) -> Vec<Complaint> {
    let raw = stack.resources.iter().map(|(id, raw)| Hatch::raw(stack, id, raw));
    let hatches: Vec<Hatch<'_>> = raw.chain(overridden(stack)).collect();
    if hatches.is_empty() {
        return Vec::new();
    }
    let known = Known { stack, template: template(stack) };
    hatches.iter().filter_map(|hatch| hatch.opened(&known)).collect()
}

/// As much of the template as its functions can be worked out by.
fn template(stack: &Stack) -> Json {
    let resources = stack.resources.iter().map(|(id, raw)| (id.clone(), json!({ "Type": raw.kind })));
    json!({ "Parameters": stack.parameters, "Resources": resources.collect::<Map<_, _>>() })
}

/// A resource of which the stack file speaks in CloudFormation's own words, as a whole or in part.
struct Hatch<'a> {
    id: Cow<'a, str>,
    kind: Cow<'a, str>,
    /// Its properties: those that are written, or what stands for those that are synthesized.
    own: Cow<'a, BTreeMap<String, Json>>,
    /// What an override makes of them.
    changed: Option<&'a BTreeMap<String, Json>>,
    /// The route that it is in the model.
    door: Option<Door<'a>>,
}

/// A property that opens something, and what it opens.
type Opening = (&'static str, String);

impl<'a> Hatch<'a> {
    fn raw(stack: &'a Stack, id: &'a str, raw: &'a RawResource) -> Self {
        let changed = stack.overrides.get(id).map(|change| &change.properties);
        Self { id: id.into(), kind: (&*raw.kind).into(), own: Cow::Borrowed(&raw.properties), changed, door: None }
    }

    /// A property after the override, which removes one by `null`.
    fn get(&self, name: &str) -> Option<&Json> {
        let changed = self.changed.and_then(|changed| changed.get(name));
        changed.or_else(|| self.own.get(name)).filter(|value| !value.is_null())
    }

    fn opened(&self, known: &Known<'_>) -> Option<Complaint> {
        let (property, message) = match &*self.kind {
            "AWS::ApiGatewayV2::Route" if self.is_route(known) => self.unguarded(known, "route"),
            "AWS::ApiGateway::Method" if !self.is_preflight(known) => self.unguarded(known, "method"),
            "AWS::ApiGatewayV2::Api" => self.target(known).or_else(|| self.document(known)),
            "AWS::ApiGateway::RestApi" => self.document(known),
            "AWS::Lambda::Url" => known.open(self, "AuthType", is_none, "everyone may call this URL"),
            "AWS::Lambda::Permission" => self.caller(known),
            "AWS::Cognito::IdentityPool" => {
                known.open(self, "AllowUnauthenticatedIdentities", is_true, "guests get keys to the account")
            }
            _ => None,
        }?;
        let is_changed = self.changed.is_some_and(|it| it.contains_key(property));
        let is_raw = known.stack.resources.contains_key(&*self.id);
        let section = if is_raw && !is_changed { "resources" } else { "overrides" };
        Some(Complaint::new(&[section, &self.id, "properties", property], message, HELP))
    }

    /// A route without a word about it is open.
    fn unguarded(&self, known: &Known<'_>, what: &str) -> Option<Opening> {
        let words = match &self.door {
            Some(door) if door.public => return None,
            Some(door) => format!("`{}` is guarded, and this opens it to everyone", door.key),
            None => format!("everyone may call this {what}"),
        };
        known.open(self, "AuthorizationType", |kind| kind.is_null() || is_none(kind), &words)
    }

    /// Whether a route of API Gateway v2 is one that somebody decides about: a route of an HTTP API, or `$connect`.
    /// Messages of a WebSocket API are nothing that could be guarded, and an `OPTIONS` that leads nowhere is nothing.
    fn is_route(&self, known: &Known<'_>) -> bool {
        let key = self.get("RouteKey").map(|key| known.value(key));
        let Some(key) = key.as_ref().and_then(Json::as_str) else { return false };
        let is_path = |path: &str| path.starts_with('/') || path.contains("${");
        match (key, key.split_once(' ')) {
            (CONNECT, _) => true,
            _ if self.get("ApiId").is_some_and(|api| known.is_socket(api)) => false,
            ("$default", _) => true,
            (_, Some(("OPTIONS", path))) => is_path(path) && self.get("Target").is_some(),
            (_, Some((_, path))) => is_path(path),
            (_, None) => key.contains("${"),
        }
    }

    /// Whether a method of a REST API only tells browsers what is allowed, and no function is behind it.
    fn is_preflight(&self, known: &Known<'_>) -> bool {
        let method = self.get("HttpMethod").map(|method| known.value(method));
        let integration = self.get("Integration").map(|integration| known.value(integration)).unwrap_or_default();
        let kind = integration.get("Type").and_then(Json::as_str);
        method.is_some_and(|method| method == "OPTIONS") && kind.is_none_or(|kind| kind == "MOCK")
    }

    fn target(&self, known: &Known<'_>) -> Option<Opening> {
        let is_there = known.outcomes(self.get("Target")).iter().any(|target| !target.is_null());
        let words = "an API that is made with a target has one route, which everyone may call";
        is_there.then(|| ("Target", words.to_owned()))
    }

    /// An API whose routes are declared by an OpenAPI document, or by another API.
    fn document(&self, known: &Known<'_>) -> Option<Opening> {
        if let Some(body) = self.get("Body") {
            let kind = if &*self.kind == "AWS::ApiGateway::RestApi" { Kind::Rest } else { Kind::Http };
            let words = match openapi::callers(kind, &known.value(body)) {
                Callers::Asked => return None,
                Callers::Anyone(operation) => format!("everyone may call `{operation}`, which names no authorizer"),
                Callers::Untold => "whom its routes let in cannot be seen".to_owned(),
            };
            return Some(("Body", words));
        }
        let elsewhere = ["BodyS3Location", "CloneFrom"].into_iter().find(|name| self.get(name).is_some())?;
        Some((elsewhere, "whom its routes let in is written elsewhere".to_owned()))
    }

    /// A permission of everyone that nothing narrows. One for a function URL is told where the URL is.
    fn caller(&self, known: &Known<'_>) -> Option<Opening> {
        let principals = known.outcomes(self.get("Principal"));
        let is_any = |test: fn(&str) -> bool| principals.iter().filter_map(Json::as_str).any(test);
        let narrows =
            |name: &&str| known.outcomes(self.get(name)).iter().all(|value| !value.is_null() && !is_wide(value));
        // The second permission of a function URL is told where the URL is, as the first one.
        let by_url = known.outcomes(self.get("InvokedViaFunctionUrl")).iter().all(is_true);
        let words = if is_any(|it| it == "*") && !by_url && !NARROWING.iter().any(narrows) {
            "everyone may invoke the function"
        } else if is_any(|it| it.starts_with("apigateway.")) && !NARROWING.iter().take(2).any(narrows) {
            "the APIs of all accounts may invoke the function"
        } else {
            return None;
        };
        let is_changed = |name: &&&str| self.changed.is_some_and(|changed| changed.contains_key(**name));
        let told = if is_changed(&&"Principal") { None } else { NARROWING.iter().find(is_changed) };
        Some((told.copied().unwrap_or("Principal"), words.to_owned()))
    }
}

/// What narrows a permission; the first two that of a service:
/// <https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html>.
const NARROWING: [&str; 5] =
    ["SourceArn", "SourceAccount", "PrincipalOrgID", "FunctionUrlAuthType", "EventSourceToken"];

/// Whether an ARN is that of things in every account.
fn is_wide(value: &Json) -> bool {
    value.as_str().is_some_and(|arn| arn == "*" || fields(arn).get(4) == Some(&"*"))
}

fn is_none(value: &Json) -> bool {
    value == "NONE"
}

fn is_true(value: &Json) -> bool {
    *value == Json::Bool(true) || *value == "true"
}

/// What values come to.
struct Known<'a> {
    stack: &'a Stack,
    template: Json,
}

impl Known<'_> {
    fn value(&self, value: &Json) -> Json {
        worked_out(&self.template, value)
    }

    /// All that a value may come to as the stack file has it: each side of a choice, and each value of a parameter.
    fn outcomes(&self, value: Option<&Json>) -> Vec<Json> {
        let Some(value) = value else { return vec![Json::Null] };
        if let Some([_, yes, no]) = value.get("Fn::If").and_then(Json::as_array).map(Vec::as_slice) {
            return [yes, no].into_iter().flat_map(|side| self.outcomes(Some(side))).collect();
        }
        let parameter = value.get("Ref").and_then(Json::as_str).and_then(|name| self.stack.parameters.get(name));
        let values = parameter.filter(|it| !it.kind.0.starts_with("AWS::SSM")).into_iter();
        let values: Vec<Json> = values
            .flat_map(|it| it.default.iter().chain(&it.allowed_values))
            .map(|value| value.as_str().into())
            .collect();
        if values.is_empty() { vec![self.value(value)] } else { values }
    }

    /// What a property opens, if it does, or may do by what only a deployment knows.
    fn open(&self, hatch: &Hatch<'_>, name: &'static str, is_open: fn(&Json) -> bool, words: &str) -> Option<Opening> {
        let outcomes = self.outcomes(hatch.get(name));
        if outcomes.iter().any(is_open) {
            return Some((name, words.to_owned()));
        }
        let untold = outcomes.iter().filter_map(Json::as_str).find(|value| value.contains("${"))?;
        Some((name, format!("{words}, where `{}` says so", readable(untold))))
    }

    /// Whether a route's API is known to be one of WebSockets.
    fn is_socket(&self, api: &Json) -> bool {
        let api = self.value(api);
        let named = api.as_str().and_then(|api| api.strip_prefix("${")?.strip_suffix('}'));
        let Some(id) = named.and_then(|named| named.split('.').next()) else { return false };
        let raw = self.stack.resources.get(id).map(|raw| Hatch::raw(self.stack, id, raw));
        let protocol = raw.and_then(|raw| raw.get("ProtocolType").map(|protocol| self.value(protocol)));
        self.stack.web_socket_apis.contains_key(id) || protocol.is_some_and(|protocol| protocol == "WEBSOCKET")
    }
}

/// What is synthesized and then changed by an override.
fn overridden(stack: &Stack) -> Vec<Hatch<'_>> {
    let mut hatches = Vec::new();
    if stack.overrides.values().all(|change| change.properties.is_empty()) {
        return hatches;
    }
    let doors: BTreeMap<String, Door<'_>> = doors(stack).map(|door| (id(&door), door)).collect();
    stack.visit(&mut |declaration| {
        let own = [(Cow::from(declaration.id), Cow::from(declaration.kind))];
        let derived = declaration.derived.into_iter().map(|it| (Cow::from(it.id), Cow::from(it.kind)));
        for (id, kind) in own.into_iter().chain(derived).filter(|(id, _)| !stack.resources.contains_key(&**id)) {
            let Some(change) = stack.overrides.get(&*id) else { continue };
            let door = doors.get(&*id).copied();
            let own = Cow::Owned(synthesized(&kind, declaration.section, door.as_ref()));
            hatches.push(Hatch { id, kind, own, changed: Some(&change.properties), door });
        }
    });
    hatches
}

fn id(door: &Door<'_>) -> String {
    match door.section {
        "webSocketApis" => ids::message_route(door.api, door.key),
        _ => ids::route(door.api, door.key),
    }
}

/// As much of the properties that synthesis gives a resource as says whether it is open.
fn synthesized(kind: &str, section: &str, door: Option<&Door<'_>>) -> BTreeMap<String, Json> {
    let caller = if section == "userPools" { "cognito-idp.amazonaws.com" } else { "apigateway.amazonaws.com" };
    let properties = match (kind, door) {
        ("AWS::ApiGatewayV2::Route", Some(door)) => json!({
            "AuthorizationType": "AWS_IAM", "RouteKey": door.key, "Target": "integrations/of-a-function",
        }),
        ("AWS::ApiGateway::Method", Some(_)) => json!({ "AuthorizationType": "AWS_IAM" }),
        ("AWS::ApiGateway::Method", None) => json!({ "HttpMethod": "OPTIONS", "Integration": { "Type": "MOCK" } }),
        ("AWS::Lambda::Permission", _) => json!({ "Principal": caller, "SourceArn": "of-this-stack" }),
        _ => Json::Null,
    };
    properties.as_object().cloned().unwrap_or_default().into_iter().collect()
}
