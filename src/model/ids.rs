//! The logical ids that synthesis derives, all in one place: readable, stable, and checked for collisions.

use sha2::{Digest, Sha256};

use super::Stack;
use super::apigateway::{self, ResponseType, Validates};
use super::apigatewayv2::{PayloadFormat, RouteKey, Segment};
use super::reference::Target;

/// The parameter that names the bucket of the functions' code.
pub const ASSET_BUCKET: &str = "AssetBucket";

/// The condition that CDK's own bucket holds the functions' code.
pub const USES_CDK_BUCKET: &str = "UsesCdkBucket";

/// The role with which API Gateway writes the logs of REST APIs.
pub const CLOUD_WATCH_ROLE: &str = "ApiGatewayCloudWatchRole";

/// The setting of the account that names this role.
pub const ACCOUNT: &str = "ApiGatewayAccount";

/// A logical id that synthesis derives, with what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Derived {
    /// The logical id.
    pub id: String,
    /// The CloudFormation type; `Parameter` for a parameter.
    pub kind: &'static str,
    /// What it is called in messages.
    pub name: &'static str,
    /// What `{ get: Id.Attribute }` may ask of it.
    pub attributes: &'static [&'static str],
}

macro_rules! derived {
    ($($kind:ident: $r#type:literal, $name:literal, $attributes:expr;)*) => {
        impl Derived {
            $(
                pub(super) fn $kind(id: String) -> Self {
                    Self { id, kind: $r#type, name: $name, attributes: &$attributes }
                }
            )*
        }
    };
}

derived! {
    parameter: "Parameter", "parameter", [];
    role: "AWS::IAM::Role", "role", ["Arn", "RoleId"];
    log_group: "AWS::Logs::LogGroup", "log group", ["Arn"];
    permission: "AWS::Lambda::Permission", "Lambda permission", ["Id"];
    integration: "AWS::ApiGatewayV2::Integration", "integration", ["IntegrationId"];
    route: "AWS::ApiGatewayV2::Route", "route", ["RouteId"];
    route_response: "AWS::ApiGatewayV2::RouteResponse", "route response", ["RouteResponseId"];
    authorizer: "AWS::ApiGatewayV2::Authorizer", "authorizer", ["AuthorizerId"];
    stage: "AWS::ApiGatewayV2::Stage", "stage", [];
    domain_name: "AWS::ApiGatewayV2::DomainName", "custom domain", ["DomainNameArn", "RegionalDomainName", "RegionalHostedZoneId"];
    mapping: "AWS::ApiGatewayV2::ApiMapping", "custom domain's mapping", ["ApiMappingId"];
    path: "AWS::ApiGateway::Resource", "path", ["ResourceId"];
    method: "AWS::ApiGateway::Method", "method", [];
    validator: "AWS::ApiGateway::RequestValidator", "request validator", ["RequestValidatorId"];
    model: "AWS::ApiGateway::Model", "model", [];
    gateway_response: "AWS::ApiGateway::GatewayResponse", "gateway response", ["Id"];
    rest_authorizer: "AWS::ApiGateway::Authorizer", "authorizer", ["AuthorizerId"];
    rest_stage: "AWS::ApiGateway::Stage", "stage", [];
    rest_domain_name: "AWS::ApiGateway::DomainName", "custom domain", ["DistributionDomainName", "DistributionHostedZoneId", "RegionalDomainName", "RegionalHostedZoneId"];
    base_path: "AWS::ApiGateway::BasePathMapping", "custom domain's mapping", [];
    usage_plan: "AWS::ApiGateway::UsagePlan", "usage plan", ["Id"];
    usage_plan_key: "AWS::ApiGateway::UsagePlanKey", "key of a usage plan", ["Id"];
    api_key: "AWS::ApiGateway::ApiKey", "API key", ["APIKeyId"];
    account: "AWS::ApiGateway::Account", "account setting of API Gateway", ["Id"];
    group: "AWS::Cognito::UserPoolGroup", "group", [];
    user_pool_domain: "AWS::Cognito::UserPoolDomain", "user pool domain", ["CloudFrontDistribution"];
    resource_server: "AWS::Cognito::UserPoolResourceServer", "resource server", [];
}

impl Derived {
    pub(super) fn api_domain(api: &str) -> [Self; 2] {
        [Self::domain_name(domain(api)), Self::mapping(domain_mapping(api))]
    }

    pub(super) fn rest_domain(api: &str) -> [Self; 2] {
        [Self::rest_domain_name(domain(api)), Self::base_path(domain_mapping(api))]
    }

    /// What sets the role with which API Gateway writes logs.
    pub(super) fn cloud_watch() -> [Self; 2] {
        [Self::role(CLOUD_WATCH_ROLE.to_owned()), Self::account(ACCOUNT.to_owned())]
    }
}

/// The logical ids that synthesis derives from the stack as a whole.
pub(super) fn of_stack(stack: &Stack) -> Vec<Derived> {
    apigateway::cloud_watch_role(stack).iter().flat_map(|_| Derived::cloud_watch()).collect()
}

/// The role of a function.
pub fn role(function: &str) -> String {
    format!("{function}Role")
}

/// The log group of a function.
pub fn log_group(function: &str) -> String {
    format!("{function}LogGroup")
}

/// The parameter with the key of a function's code.
pub fn code_key(function: &str) -> String {
    format!("{function}CodeKey")
}

/// What a pointer points to, as a part of a logical id: the id itself, or the words of another stack's output.
pub fn pointed(target: &Target) -> String {
    match target {
        Target::Local(id) => id.clone(),
        Target::Output(output) => format!("{}{}", part(&output.stack), part(&output.name)),
    }
}

/// The permission of an API or a user pool to invoke a function.
pub fn permission(caller: &str, function: &str) -> String {
    format!("{caller}{function}Permission")
}

/// The integration of an API with a function.
pub fn integration(api: &str, function: &str, format: PayloadFormat, timeout_in_millis: Option<u32>) -> String {
    let format = match format {
        PayloadFormat::V1 => "V1",
        PayloadFormat::V2 => "",
    };
    let timeout = timeout_in_millis.map(|millis| format!("Within{millis}")).unwrap_or_default();
    format!("{api}{function}{format}{timeout}Integration")
}

/// An authorizer of an API.
pub fn authorizer(api: &str, name: &str) -> String {
    format!("{api}{}Authorizer", part(name))
}

/// The permission of an authorizer to invoke its function.
pub fn authorizer_permission(api: &str, name: &str) -> String {
    format!("{}Permission", authorizer(api, name))
}

/// A stage of an API.
pub fn stage(api: &str, name: &str) -> String {
    format!("{api}{}Stage", stage_part(name))
}

/// The log group with the requests that a stage of an API took.
pub fn access_logs(api: &str, stage: &str) -> String {
    format!("{api}{}AccessLogs", stage_part(stage))
}

/// The custom domain of an API.
pub fn domain(api: &str) -> String {
    format!("{api}Domain")
}

/// What leads from the custom domain of an API to one of its stages.
pub fn domain_mapping(api: &str) -> String {
    format!("{api}DomainMapping")
}

/// A route of a WebSocket API: `$connect` of `Chat` is `ChatConnectRoute`, `join` is `ChatJoinMessage`.
pub fn message_route(api: &str, key: &str) -> String {
    match key.strip_prefix('$') {
        Some(name) => format!("{api}{}Route", part(name)),
        None => format!("{api}{}Message", cased(key)),
    }
}

/// That what the function behind a route of a WebSocket API answers goes back to the client.
pub fn route_response(api: &str, key: &str) -> String {
    format!("{}Response", message_route(api, key))
}

/// A step of a REST API's paths: `/users/{id}` of `Api` is `ApiPathUsersById`.
pub fn path(api: &str, segments: &[Segment]) -> String {
    let words: String = segments.iter().map(segment_words).collect();
    let suffix = if segments.iter().all(is_unmistakable) { String::new() } else { hash(&written(segments)) };
    format!("{api}Path{words}{suffix}")
}

/// The method with which a REST API answers the preflight requests for a path.
pub fn preflight(api: &str, segments: &[Segment]) -> String {
    route(api, &format!("OPTIONS {}", written(segments)))
}

fn written(segments: &[Segment]) -> String {
    match segments {
        [] => "/".to_owned(),
        segments => segments.iter().map(|segment| format!("/{segment}")).collect(),
    }
}

/// What looks at the requests of a REST API before they are passed on.
pub fn validator(api: &str, validates: Validates) -> String {
    format!("{api}{validates:?}Validator")
}

/// The shape of a body.
pub fn model(api: &str, name: &str) -> String {
    format!("{api}{}Model", part(name))
}

/// What a REST API's gateway itself answers.
pub fn gateway_response(api: &str, kind: ResponseType) -> String {
    format!("{api}{}Response", kind.words())
}

/// What a REST API's stages serve, by a digest of it: other content is another deployment.
pub fn deployment(api: &str, content: &str) -> String {
    format!("{api}Deployment{}", digest(content, 10))
}

/// A usage plan of a REST API.
pub fn usage_plan(api: &str, name: &str) -> String {
    format!("{api}{}UsagePlan", part(name))
}

/// An API key of a REST API.
pub fn api_key(api: &str, name: &str) -> String {
    format!("{api}{}ApiKey", part(name))
}

/// What ties an API key to a usage plan.
pub fn usage_plan_key(api: &str, plan: &str, key: &str) -> String {
    format!("{api}{}{}UsagePlanKey", part(plan), part(key))
}

/// The domain of a user pool's sign-in pages.
pub fn user_pool_domain(pool: &str) -> String {
    format!("{pool}Domain")
}

/// A group of a user pool.
pub fn group(pool: &str, name: &str) -> String {
    format!("{pool}{}Group", cased(name))
}

/// A resource server of a user pool.
pub fn resource_server(pool: &str, identifier: &str) -> String {
    format!("{pool}{}ResourceServer", part(identifier))
}

/// The role with which a user pool sends text messages.
pub fn sms_role(pool: &str) -> String {
    format!("{pool}SmsRole")
}

/// A route of an API: `GET /users/{id}` of `Api` is `ApiGetUsersById`.
///
/// Where the words alone could stand for another route as well, a few digits of the key's hash follow. They depend on
/// this route alone: adding a route never changes the id of another one.
pub fn route(api: &str, key: &str) -> String {
    let Ok(parsed) = RouteKey::parse(key) else { return format!("{api}{}", hash(key)) };
    let RouteKey::Path { method, segments } = parsed else { return format!("{api}DefaultRoute") };
    let words: String = segments.iter().map(segment_words).collect();
    let suffix = if segments.iter().all(is_unmistakable) { String::new() } else { hash(key) };
    format!("{api}{}{words}{suffix}", capitalized(&method.to_ascii_lowercase()))
}

fn segment_words(segment: &Segment) -> String {
    match segment {
        Segment::Literal(text) => words(text),
        Segment::Parameter(name) => format!("By{}", words(name)),
        Segment::Greedy(name) => format!("All{}", words(name)),
    }
}

fn is_unmistakable(segment: &Segment) -> bool {
    let plain = |text: &str| {
        let mut chars = text.chars();
        chars.next().is_some_and(|c| c.is_ascii_lowercase())
            && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    match segment {
        Segment::Literal(text) => plain(text) && text != "by" && text != "all",
        Segment::Parameter(name) | Segment::Greedy(name) => plain(name),
    }
}

fn stage_part(name: &str) -> String {
    cased(name.strip_prefix('$').unwrap_or(name))
}

/// A name that AWS tells from the same in small letters: `Join` and `join` read alike, so the one has a hash.
fn cased(name: &str) -> String {
    match name.starts_with(|c: char| c.is_ascii_uppercase()) {
        true => format!("{}{}", words(name), hash(name)),
        false => part(name),
    }
}

/// A name as a part of a logical id; a hash follows where characters are lost.
fn part(name: &str) -> String {
    let words = words(name);
    match name.chars().all(|c| c.is_ascii_alphanumeric()) {
        true => words,
        false => format!("{words}{}", hash(name)),
    }
}

fn words(text: &str) -> String {
    text.split(|c: char| !c.is_ascii_alphanumeric()).map(capitalized).collect()
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

fn hash(text: &str) -> String {
    digest(text, 6)
}

fn digest(text: &str, digits: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    hex::encode(digest).chars().take(digits).collect::<String>().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routes_id_reads_as_the_route() {
        assert_eq!(route("Api", "GET /protected"), "ApiGetProtected");
        assert_eq!(route("Api", "ANY /users/{id}"), "ApiAnyUsersById");
        assert_eq!(route("Api", "GET /"), "ApiGet");
        assert_eq!(route("Api", "$default"), "ApiDefaultRoute");
    }

    #[test]
    fn a_paths_id_reads_as_the_path() {
        let id = |key: &str| match RouteKey::parse(key) {
            Ok(RouteKey::Path { segments, .. }) => path("Api", &segments),
            other => panic!("`{key}` has no path: {other:?}"),
        };
        assert_eq!(id("GET /users/{id}"), "ApiPathUsersById");
        assert_eq!(id("GET /files/{proxy+}"), "ApiPathFilesAllProxy");
        assert_ne!(id("GET /a-b"), id("GET /a/b"));
        assert_eq!(preflight("Api", &[]), "ApiOptions");
    }

    #[test]
    fn a_message_routes_id_reads_as_its_key() {
        let ids =
            ["$connect", "$default", "connect", "Connect", "sendMessage", "a/b"].map(|key| message_route("Chat", key));
        assert_eq!(ids[..3], ["ChatConnectRoute", "ChatDefaultRoute", "ChatConnectMessage"]);
        assert_eq!(ids[4], "ChatSendMessageMessage");
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len(), "{ids:?}");
    }

    #[test]
    fn names_that_differ_by_a_capital_have_ids_of_their_own() {
        assert_eq!([group("Users", "admins"), stage("Api", "beta")], ["UsersAdminsGroup", "ApiBetaStage"]);
        assert_ne!(group("Users", "admins"), group("Users", "Admins"));
        assert_ne!(stage("Api", "beta"), stage("Api", "Beta"));
        assert_ne!(access_logs("Api", "beta"), access_logs("Api", "Beta"));
    }

    #[test]
    fn routes_that_read_the_same_have_ids_of_their_own() {
        let alike = [
            "GET /ab/c",
            "GET /ab-c",
            "GET /ab/c/",
            "GET /abC",
            "GET /AbC",
            "GET /Ab/c",
            "GET /{ab}/c",
            "GET /by/ab/c",
        ];
        let ids: std::collections::BTreeSet<_> = alike.iter().map(|key| route("Api", key)).collect();
        assert_eq!(ids.len(), alike.len(), "{ids:?}");
    }
}
