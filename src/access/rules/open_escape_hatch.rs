//! Public must be written where the model ends, too.

use std::collections::BTreeMap;

use super::{Find, Rule, Verdict};
use crate::access::doors::doors;
use crate::model::apigatewayv2::web_socket_api::CONNECT;
use crate::model::{Complaint, Json, Stack, ids};

pub(super) const RULE: Rule = Rule {
    id: "open-escape-hatch",
    verdict: Verdict::Unsafe,
    title: "raw resources and overrides open no door without a reason",
    why: "What a stack file says in CloudFormation's own words goes through as it is. A route without authorization, a \
          function URL that asks nobody, a function that everyone may invoke and an identity pool with guests are open to \
          the whole world, and an override can open what a route says is guarded. Where that is meant, the suppression says \
          so: it is where `public` is written.",
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
    let raw = stack.resources.iter().filter_map(|(id, raw)| opened(stack, id, raw));
    raw.chain(overridden(stack)).collect()
}

/// A raw resource that opens a door, with the property that does so.
fn opened(stack: &Stack, id: &str, raw: &crate::model::raw::RawResource) -> Option<Complaint> {
    let changed = stack.overrides.get(id).map(|change| &change.properties);
    let properties = Properties { own: &raw.properties, changed };
    let (property, message) = match raw.kind.as_str() {
        "AWS::ApiGatewayV2::Route" if is_door(stack, &properties) && properties.are_unguarded() => {
            ("AuthorizationType", "everyone may call this route")
        }
        "AWS::ApiGatewayV2::Api" if properties.get("Target").is_some() => {
            ("Target", "an API that is made with a target has one route, which everyone may call")
        }
        "AWS::ApiGateway::Method" if properties.text("HttpMethod") != Some("OPTIONS") && properties.are_unguarded() => {
            ("AuthorizationType", "everyone may call this method")
        }
        "AWS::Lambda::Url" if properties.text("AuthType") == Some("NONE") => ("AuthType", "everyone may call this URL"),
        "AWS::Lambda::Permission" if lets_everyone(&properties) => ("Principal", "everyone may invoke the function"),
        "AWS::Cognito::IdentityPool" if is_true(properties.get("AllowUnauthenticatedIdentities")) => {
            ("AllowUnauthenticatedIdentities", "guests get keys to the account")
        }
        _ => return None,
    };
    let section = if changed.is_some_and(|it| it.contains_key(property)) { "overrides" } else { "resources" };
    Some(Complaint::new(&[section, id, "properties", property], message, HELP))
}

/// The properties of a raw resource, and what an override makes of them.
struct Properties<'a> {
    own: &'a BTreeMap<String, Json>,
    changed: Option<&'a BTreeMap<String, Json>>,
}

impl<'a> Properties<'a> {
    fn get(&self, name: &str) -> Option<&'a Json> {
        let changed = self.changed.and_then(|changed| changed.get(name));
        changed.or_else(|| self.own.get(name)).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Json::as_str)
    }

    /// A route without a word about it is open.
    fn are_unguarded(&self) -> bool {
        self.get("AuthorizationType").is_none_or(|kind| kind == "NONE")
    }
}

/// Whether a raw route is one that somebody decides about: a route of an HTTP API but for preflight requests, or
/// `$connect`. Messages of a WebSocket API are nothing that could be guarded.
fn is_door(stack: &Stack, properties: &Properties<'_>) -> bool {
    match properties.text("RouteKey") {
        Some(CONNECT) => true,
        Some("$default") => {
            let api = properties.get("ApiId").and_then(|id| id.get("Ref")).and_then(Json::as_str);
            api.is_some_and(|id| is_http(stack, id))
        }
        Some(key) => key.split_once(' ').is_some_and(|(method, path)| method != "OPTIONS" && path.starts_with('/')),
        None => false,
    }
}

fn is_http(stack: &Stack, id: &str) -> bool {
    let protocol = |raw: &crate::model::raw::RawResource| raw.properties.get("ProtocolType").cloned();
    stack.http_apis.contains_key(id) || stack.resources.get(id).and_then(protocol).is_some_and(|it| it == "HTTP")
}

/// A permission of everyone that nothing narrows. The two that a function URL needs are told where the URL is.
fn lets_everyone(properties: &Properties<'_>) -> bool {
    let narrows = ["SourceArn", "SourceAccount", "PrincipalOrgID", "FunctionUrlAuthType", "EventSourceToken"];
    let is_narrow = narrows.iter().any(|name| properties.get(name).is_some());
    properties.text("Principal") == Some("*") && !is_narrow && !is_true(properties.get("InvokedViaFunctionUrl"))
}

fn is_true(value: Option<&Json>) -> bool {
    value.is_some_and(|value| *value == Json::Bool(true) || *value == "true")
}

/// Overrides that open what a route says is guarded.
fn overridden(stack: &Stack) -> Vec<Complaint> {
    let opens = |change: &Json| change.is_null() || *change == "NONE";
    let changes: BTreeMap<&str, &Json> = stack
        .overrides
        .iter()
        .filter_map(|(id, change)| Some((id.as_str(), change.properties.get("AuthorizationType")?)))
        .filter(|(_, change)| opens(change))
        .collect();
    if changes.is_empty() {
        return Vec::new();
    }
    let guarded = doors(stack).filter(|door| !door.public);
    let opened = guarded.filter_map(|door| {
        let id = match door.section {
            "webSocketApis" => ids::message_route(door.api, door.key),
            _ => ids::route(door.api, door.key),
        };
        changes.contains_key(id.as_str()).then_some((id, door))
    });
    opened
        .map(|(id, door)| {
            let message = format!("`{}` is guarded, and this opens it to everyone", door.key);
            Complaint::new(&["overrides", &id, "properties", "AuthorizationType"], message, HELP)
        })
        .collect()
}
