//! What the handlers of resource types do at the services, as far as IAM is concerned.
//!
//! CloudFormation acts with the rights of whoever began the operation, or of the role that the stack was given. What
//! the lines ask for is what a deployer's policy grants, statement by statement, and that policy is held against `handlers`
//! in the schemas of CloudFormation's registry (`tests/suite/deployer`).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::apigatewayv2::Api;
use crate::cloud::Account;
use crate::cloudformation::dynamic;
use crate::cloudformation::resource::{Context, Properties};
use crate::cloudformation::schema;
use crate::iam::Role;
use crate::iam::authorize::Deed;
use crate::iam::deeds::{BOUNDARY, POLICY};
use crate::lambda::deeds::{URL_AUTH_TYPE, url_auth_type};
use crate::secretsmanager;

/// What a handler is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Update,
    Delete,
}

/// What a handler is run on.
pub(super) struct Subject<'a> {
    pub(super) account: &'a Account,
    pub(super) context: &'a Context,
    pub(super) resource_type: &'a str,
    pub(super) properties: &'a Properties,
    /// The properties that an update changes.
    pub(super) former: Option<&'a Properties>,
    /// None before it is made.
    pub(super) physical_id: Option<&'a str>,
}

/// Some actions of a handler on one resource.
struct Act {
    verbs: &'static [Verb],
    /// As IAM calls them, `service:` before the first.
    actions: &'static str,
    /// An ARN, or what follows the account in it, with `{region}`, `{account}`, `{name}`, `{id}`, `{function}` and
    /// `{Property/Member}`.
    resource: &'static str,
    /// The property, as a path, without which it is not done.
    only_with: Option<&'static str>,
}

use Verb::{Create, Delete, Update};

const ANY: &[Verb] = &[Create, Update, Delete];
const MADE: &[Verb] = &[Create, Update];

const fn act(verbs: &'static [Verb], actions: &'static str, resource: &'static str) -> Act {
    Act { verbs, actions, resource, only_with: None }
}

const fn with(property: &'static str, verbs: &'static [Verb], actions: &'static str, resource: &'static str) -> Act {
    Act { verbs, actions, resource, only_with: Some(property) }
}

const TAGS: &str = "arn:aws:apigateway:{region}::/tags/{id}";
const POOL: &str = "arn:aws:cognito-idp:{region}:{account}:userpool/{UserPoolId}";
const FUNCTION: &str = "arn:aws:lambda:{region}:{account}:function:{name}";
const GROUP: &str = "arn:aws:logs:{region}:{account}:log-group:{name}:log-stream:";
const ROLE: &str = "arn:aws:iam::{account}:role/{name}";

/// Parts of a REST API, at its own path; where each lies below it makes no difference to a policy.
macro_rules! rest_part {
    ($create:literal, $update:literal, $path:literal) => {
        &[
            act(
                &[Create],
                concat!("apigateway:", $create),
                concat!("arn:aws:apigateway:{region}::/restapis/{RestApiId}/", $path),
            ),
            act(ANY, "apigateway:GET", concat!("arn:aws:apigateway:{region}::/restapis/{RestApiId}/", $path, "/x")),
            act(
                &[Update],
                concat!("apigateway:", $update),
                concat!("arn:aws:apigateway:{region}::/restapis/{RestApiId}/", $path, "/x"),
            ),
            act(
                &[Delete],
                "apigateway:DELETE",
                concat!("arn:aws:apigateway:{region}::/restapis/{RestApiId}/", $path, "/x"),
            ),
        ]
    };
}

/// Parts of an HTTP or WebSocket API.
macro_rules! api_part {
    ($path:literal) => {
        &[
            act(&[Create], "apigateway:POST", concat!("arn:aws:apigateway:{region}::/apis/{ApiId}/", $path)),
            act(ANY, "apigateway:GET", concat!("arn:aws:apigateway:{region}::/apis/{ApiId}/", $path, "/{id}")),
            act(&[Update], "apigateway:PATCH", concat!("arn:aws:apigateway:{region}::/apis/{ApiId}/", $path, "/{id}")),
            act(&[Delete], "apigateway:DELETE", concat!("arn:aws:apigateway:{region}::/apis/{ApiId}/", $path, "/{id}")),
        ]
    };
}

/// Parts of a user pool.
macro_rules! pool_part {
    ($create:literal, $read:literal, $update:literal, $delete:literal) => {
        &[
            act(&[Create], concat!("cognito-idp:", $create), POOL),
            act(MADE, concat!("cognito-idp:", $read), POOL),
            act(&[Update], concat!("cognito-idp:", $update), POOL),
            act(&[Delete], concat!("cognito-idp:", $delete), POOL),
        ]
    };
}

/// What each handler does. A type without a line needs everything of its service.
const HANDLERS: &[(&str, &[Act])] = &[
    (
        "AWS::ApiGateway::Account",
        &[
            act(MADE, "apigateway:PATCH", "arn:aws:apigateway:{region}::/account"),
            act(ANY, "apigateway:GET", "arn:aws:apigateway:{region}::/account"),
            with("CloudWatchRoleArn", MADE, "iam:GetRole", "{CloudWatchRoleArn}"),
        ],
    ),
    (
        "AWS::ApiGateway::ApiKey",
        &[
            act(&[Create], "apigateway:POST", "arn:aws:apigateway:{region}::/apikeys"),
            act(&[Create], "apigateway:PUT", TAGS),
            act(ANY, "apigateway:GET", "arn:aws:apigateway:{region}::/apikeys/{id}"),
            act(&[Update], "apigateway:PATCH", "arn:aws:apigateway:{region}::/apikeys/{id}"),
            act(&[Delete], "apigateway:DELETE", "arn:aws:apigateway:{region}::/apikeys/{id}"),
        ],
    ),
    ("AWS::ApiGateway::Authorizer", rest_part!("POST", "PATCH", "authorizers")),
    ("AWS::ApiGateway::Deployment", rest_part!("POST", "PATCH", "deployments")),
    ("AWS::ApiGateway::GatewayResponse", rest_part!("PUT", "PUT", "gatewayresponses")),
    ("AWS::ApiGateway::Method", rest_part!("PUT", "PUT", "resources/x/methods")),
    ("AWS::ApiGateway::Model", rest_part!("POST", "PATCH", "models")),
    ("AWS::ApiGateway::RequestValidator", rest_part!("POST", "PATCH", "requestvalidators")),
    ("AWS::ApiGateway::Resource", rest_part!("POST", "PATCH", "resources")),
    (
        "AWS::ApiGateway::RestApi",
        &[
            act(&[Create], "apigateway:POST", "arn:aws:apigateway:{region}::/restapis"),
            act(&[Create], "apigateway:PUT", TAGS),
            with("Policy", &[Create], "apigateway:UpdateRestApiPolicy", "arn:aws:apigateway:{region}::/restapis"),
            act(MADE, "apigateway:GET", "arn:aws:apigateway:{region}::/restapis/{id}"),
            act(&[Update], "apigateway:PATCH", "arn:aws:apigateway:{region}::/restapis/{id}"),
            with("Policy", &[Update], "apigateway:UpdateRestApiPolicy", "arn:aws:apigateway:{region}::/restapis/{id}"),
            act(&[Delete], "apigateway:DELETE", "arn:aws:apigateway:{region}::/restapis/{id}"),
        ],
    ),
    (
        "AWS::ApiGateway::Stage",
        &[
            act(&[Create], "apigateway:POST", "arn:aws:apigateway:{region}::/restapis/{RestApiId}/stages"),
            act(&[Create], "apigateway:PUT", TAGS),
            act(
                MADE,
                "apigateway:GET apigateway:PATCH",
                "arn:aws:apigateway:{region}::/restapis/{RestApiId}/stages/{id}",
            ),
            act(&[Delete], "apigateway:DELETE", "arn:aws:apigateway:{region}::/restapis/{RestApiId}/stages/{id}"),
        ],
    ),
    (
        "AWS::ApiGateway::UsagePlan",
        &[
            act(&[Create], "apigateway:POST", "arn:aws:apigateway:{region}::/usageplans"),
            act(&[Create], "apigateway:PUT", TAGS),
            act(ANY, "apigateway:GET", "arn:aws:apigateway:{region}::/usageplans/{id}"),
            act(&[Update, Delete], "apigateway:PATCH", "arn:aws:apigateway:{region}::/usageplans/{id}"),
            act(&[Delete], "apigateway:DELETE", "arn:aws:apigateway:{region}::/usageplans/{id}"),
        ],
    ),
    (
        "AWS::ApiGateway::UsagePlanKey",
        &[
            act(&[Create], "apigateway:POST", "arn:aws:apigateway:{region}::/usageplans/{UsagePlanId}/keys"),
            act(
                &[Create, Delete],
                "apigateway:GET",
                "arn:aws:apigateway:{region}::/usageplans/{UsagePlanId}/keys/{KeyId}",
            ),
            act(&[Delete], "apigateway:DELETE", "arn:aws:apigateway:{region}::/usageplans/{UsagePlanId}/keys/{KeyId}"),
        ],
    ),
    (
        "AWS::ApiGatewayV2::Api",
        &[
            act(&[Create], "apigateway:POST", "arn:aws:apigateway:{region}::/apis"),
            act(&[Create], "apigateway:POST", TAGS),
            act(ANY, "apigateway:GET", "arn:aws:apigateway:{region}::/apis/{id}"),
            act(&[Update], "apigateway:PATCH", "arn:aws:apigateway:{region}::/apis/{id}"),
            act(&[Delete], "apigateway:DELETE", "arn:aws:apigateway:{region}::/apis/{id}"),
        ],
    ),
    ("AWS::ApiGatewayV2::Authorizer", api_part!("authorizers")),
    ("AWS::ApiGatewayV2::Integration", api_part!("integrations")),
    ("AWS::ApiGatewayV2::Route", api_part!("routes")),
    ("AWS::ApiGatewayV2::RouteResponse", api_part!("routes/x/routeresponses")),
    (
        "AWS::ApiGatewayV2::Stage",
        &[
            act(&[Create], "apigateway:POST", "arn:aws:apigateway:{region}::/apis/{ApiId}/stages"),
            act(&[Create], "apigateway:POST", TAGS),
            act(&[Create], "apigateway:TagResource", "arn:aws:apigateway:{region}::/apis/{ApiId}/stages/{id}"),
            act(ANY, "apigateway:GET", "arn:aws:apigateway:{region}::/apis/{ApiId}/stages/{id}"),
            act(&[Update], "apigateway:PATCH", "arn:aws:apigateway:{region}::/apis/{ApiId}/stages/{id}"),
            act(&[Delete], "apigateway:DELETE", "arn:aws:apigateway:{region}::/apis/{ApiId}/stages/{id}"),
        ],
    ),
    (
        "AWS::Cognito::UserPool",
        &[
            act(&[Create], "cognito-idp:CreateUserPool", "*"),
            act(&[Create], "cognito-idp:TagResource", "arn:aws:cognito-idp:{region}:{account}:userpool/{id}"),
            act(
                MADE,
                "cognito-idp:DescribeUserPool cognito-idp:GetUserPoolMfaConfig cognito-idp:SetUserPoolMfaConfig",
                "arn:aws:cognito-idp:{region}:{account}:userpool/{id}",
            ),
            act(&[Update], "cognito-idp:UpdateUserPool", "arn:aws:cognito-idp:{region}:{account}:userpool/{id}"),
            act(&[Delete], "cognito-idp:DeleteUserPool", "arn:aws:cognito-idp:{region}:{account}:userpool/{id}"),
        ],
    ),
    (
        "AWS::Cognito::UserPoolClient",
        pool_part!("CreateUserPoolClient", "DescribeUserPoolClient", "UpdateUserPoolClient", "DeleteUserPoolClient"),
    ),
    (
        "AWS::Cognito::UserPoolDomain",
        &[
            act(&[Create], "cognito-idp:CreateUserPoolDomain", POOL),
            act(ANY, "cognito-idp:DescribeUserPoolDomain", "*"),
            act(&[Update], "cognito-idp:UpdateUserPoolDomain", POOL),
            act(&[Delete], "cognito-idp:DeleteUserPoolDomain", POOL),
        ],
    ),
    ("AWS::Cognito::UserPoolGroup", pool_part!("CreateGroup", "GetGroup", "UpdateGroup", "DeleteGroup")),
    (
        "AWS::Cognito::UserPoolIdentityProvider",
        pool_part!(
            "CreateIdentityProvider",
            "DescribeIdentityProvider",
            "UpdateIdentityProvider",
            "DeleteIdentityProvider"
        ),
    ),
    (
        "AWS::Cognito::UserPoolResourceServer",
        pool_part!("CreateResourceServer", "DescribeResourceServer", "UpdateResourceServer", "DeleteResourceServer"),
    ),
    (
        "AWS::DynamoDB::Table",
        &[
            act(&[Create], "dynamodb:CreateTable dynamodb:TagResource", TABLE),
            act(
                MADE,
                "dynamodb:DescribeContinuousBackups dynamodb:DescribeTimeToLive dynamodb:UpdateContinuousBackups",
                TABLE,
            ),
            act(ANY, "dynamodb:DescribeTable", TABLE),
            act(&[Update], "dynamodb:UpdateTable", TABLE),
            act(&[Delete], "dynamodb:DeleteTable", TABLE),
        ],
    ),
    (
        "AWS::IAM::Role",
        &[
            act(&[Create], "iam:CreateRole iam:TagRole", ROLE),
            act(ANY, "iam:GetRole", ROLE),
            with("Policies", MADE, "iam:PutRolePolicy", ROLE),
            with("Policies", &[Delete], "iam:DeleteRolePolicy", ROLE),
            with("PermissionsBoundary", &[Update], "iam:PutRolePermissionsBoundary", ROLE),
            act(&[Update], "iam:UpdateAssumeRolePolicy iam:UpdateRole", ROLE),
            act(&[Delete], "iam:DeleteRole iam:ListAttachedRolePolicies iam:ListRolePolicies", ROLE),
        ],
    ),
    (
        "AWS::Lambda::Function",
        &[
            act(&[Create], "lambda:CreateFunction lambda:TagResource", FUNCTION),
            act(ANY, "lambda:GetFunction", FUNCTION),
            act(&[Update], "lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration", FUNCTION),
            act(&[Delete], "lambda:DeleteFunction", FUNCTION),
            with("Code/S3Bucket", MADE, "s3:GetObject", "arn:aws:s3:::{Code/S3Bucket}/{Code/S3Key}"),
        ],
    ),
    (
        "AWS::Lambda::Permission",
        &[
            act(&[Create], "lambda:AddPermission", "{function}"),
            act(&[Create], "lambda:GetPolicy", "{function}"),
            act(&[Delete], "lambda:RemovePermission", "{function}"),
        ],
    ),
    (
        "AWS::Lambda::Url",
        &[
            act(&[Create], "lambda:CreateFunctionUrlConfig", "{function}"),
            act(ANY, "lambda:GetFunctionUrlConfig", "{function}"),
            act(&[Update], "lambda:UpdateFunctionUrlConfig", "{function}"),
            act(&[Delete], "lambda:DeleteFunctionUrlConfig", "{function}"),
        ],
    ),
    (
        "AWS::Logs::LogGroup",
        &[
            act(ANY, "logs:DescribeLogGroups", "arn:aws:logs:{region}:{account}:log-group::log-stream:"),
            act(&[Create], "logs:CreateLogGroup logs:TagResource", GROUP),
            with("RetentionInDays", MADE, "logs:PutRetentionPolicy", GROUP),
            act(MADE, "logs:GetDataProtectionPolicy logs:ListTagsForResource", GROUP),
            act(MADE, "logs:DescribeIndexPolicies logs:DescribeResourcePolicies", "*"),
            act(&[Delete], "logs:DeleteLogGroup", GROUP),
        ],
    ),
    (
        "AWS::SES::EmailIdentity",
        &[
            act(&[Create], "ses:CreateEmailIdentity ses:TagResource", IDENTITY),
            act(ANY, "ses:GetEmailIdentity", IDENTITY),
            act(
                &[Update],
                "ses:PutEmailIdentityDkimAttributes ses:PutEmailIdentityFeedbackAttributes \
                 ses:PutEmailIdentityMailFromAttributes",
                IDENTITY,
            ),
            act(&[Delete], "ses:DeleteEmailIdentity", IDENTITY),
        ],
    ),
    (
        "AWS::SecretsManager::Secret",
        &[
            act(&[Create], "secretsmanager:CreateSecret secretsmanager:TagResource", SECRET),
            with("GenerateSecretString", &[Create], "secretsmanager:GetRandomPassword", "*"),
            act(ANY, "secretsmanager:DescribeSecret", "{id}"),
            act(&[Update], "secretsmanager:UpdateSecret", "{id}"),
            act(&[Delete], "secretsmanager:DeleteSecret", "{id}"),
        ],
    ),
];

const TABLE: &str = "arn:aws:dynamodb:{region}:{account}:table/{name}";
const IDENTITY: &str = "arn:aws:ses:{region}:{account}:identity/{EmailIdentity}";
const SECRET: &str = "arn:aws:secretsmanager:{region}:{account}:secret:{name}";

/// Roles that a resource hands to a service: the type, the property and the service.
const PASSED: &[(&str, &str, &str)] = &[
    ("AWS::ApiGateway::Account", "CloudWatchRoleArn", "apigateway.amazonaws.com"),
    ("AWS::ApiGateway::Authorizer", "AuthorizerCredentials", "apigateway.amazonaws.com"),
    ("AWS::ApiGateway::Method", "Integration/Credentials", "apigateway.amazonaws.com"),
    ("AWS::ApiGatewayV2::Authorizer", "AuthorizerCredentialsArn", "apigateway.amazonaws.com"),
    ("AWS::ApiGatewayV2::Integration", "CredentialsArn", "apigateway.amazonaws.com"),
    ("AWS::Cognito::UserPool", "SmsConfiguration/SnsCallerArn", "cognito-idp.amazonaws.com"),
    ("AWS::Cognito::UserPoolGroup", "RoleArn", "cognito-idp.amazonaws.com"),
    ("AWS::Lambda::Function", "Role", "lambda.amazonaws.com"),
];

/// What CloudWatch Logs is asked for to have the logs of an HTTP API delivered:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html>.
const DELIVERY: &[&str] = &["logs:CreateLogDelivery", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"];

const ATTACH: &str = "iam:AttachRolePolicy";
const DETACH: &str = "iam:DetachRolePolicy";

/// The tag that CloudFormation gives to what it makes.
const STACK_TAG: &str = "aws:cloudformation:stack-name";

/// What the handler of a resource type does, as far as its resources are known.
pub(super) fn deeds(verb: Verb, subject: &Subject<'_>) -> Vec<Deed> {
    let Some((_, acts)) = HANDLERS.iter().find(|(name, _)| *name == subject.resource_type) else {
        return vec![Deed::new(everything(subject.resource_type), "*")];
    };
    let mut deeds = Vec::new();
    for act in acts.iter().filter(|act| act.verbs.contains(&verb)) {
        if act.only_with.is_some_and(|path| subject.property(path).is_none()) {
            continue;
        }
        let Some(resource) = subject.filled(act.resource) else { continue };
        deeds.extend(act.actions.split_whitespace().map(|action| subject.deed(action, &resource)));
    }
    deeds.extend(subject.attached(verb));
    if verb != Delete {
        deeds.extend(subject.passed());
        deeds.extend(subject.resolved());
        deeds.extend(subject.delivered());
    }
    deeds
}

/// `AWS::SNS::Topic` needs `sns:*`.
fn everything(resource_type: &str) -> String {
    let service = resource_type.split("::").nth(1).unwrap_or_default().to_ascii_lowercase();
    format!("{service}:*")
}

/// The ARNs of a role's managed policies.
fn managed(properties: &Properties) -> BTreeSet<&str> {
    listed(properties, "ManagedPolicyArns").filter_map(Value::as_str).collect()
}

/// The names of the policies that are a role's own.
fn inline(properties: &Properties) -> BTreeSet<&str> {
    listed(properties, "Policies").filter_map(|policy| policy.get("PolicyName")?.as_str()).collect()
}

fn listed<'a>(properties: &'a Properties, name: &str) -> impl Iterator<Item = &'a Value> {
    properties.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn service(action: &str) -> &str {
    action.split(':').next().unwrap_or(action)
}

impl Subject<'_> {
    /// An act, with what is known of what it is done to.
    fn deed(&self, action: &str, resource: &str) -> Deed {
        let deed = Deed::new(action, resource);
        let deed = match url_auth_type(action) {
            Some(property) => deed.knowing(URL_AUTH_TYPE, self.text(property)),
            None => deed,
        };
        match service(action) {
            // CloudFormation gives roles no tags of its own.
            "iam" => deed.knowing(BOUNDARY, self.boundary(action)),
            // The tag is there once the resource is, and is what tagging it sets.
            _ if action.ends_with(":TagResource") => deed,
            service => deed.tagged(service, &self.tags(resource)),
        }
    }

    /// The boundary that a role gets or, once it is there, carries.
    fn boundary(&self, action: &str) -> Option<String> {
        match self.role() {
            Some(role) if action != "iam:PutRolePermissionsBoundary" => role.boundary.clone(),
            _ => self.text("PermissionsBoundary"),
        }
    }

    fn text(&self, property: &str) -> Option<String> {
        self.property(property).and_then(Value::as_str).map(str::to_owned)
    }

    fn role(&self) -> Option<&Role> {
        self.account.iam.roles.get(self.physical_id?).filter(|_| self.resource_type == "AWS::IAM::Role")
    }

    /// The managed policies that a role gets or loses, and what else an update takes from it: policies of its own, the
    /// boundary.
    fn attached(&self, verb: Verb) -> Vec<Deed> {
        let Some(role) = self.filled(ROLE).filter(|_| self.resource_type == "AWS::IAM::Role") else {
            return Vec::new();
        };
        let action = if verb == Delete { DETACH } else { ATTACH };
        let about = |action: &str, arn: &str| self.deed(action, &role).knowing(POLICY, [arn.to_owned()]);
        let mut deeds: Vec<Deed> = managed(self.properties).into_iter().map(|arn| about(action, arn)).collect();
        deeds.extend(self.gone(managed).into_iter().map(|arn| about(DETACH, arn)));
        if !self.gone(inline).is_empty() {
            deeds.push(self.deed("iam:DeleteRolePolicy", &role));
        }
        let bounded = self.role().is_some_and(|role| role.boundary.is_some());
        if verb == Update && bounded && self.property("PermissionsBoundary").is_none() {
            deeds.push(self.deed("iam:DeleteRolePermissionsBoundary", &role));
        }
        deeds
    }

    /// What an update takes away of what properties list.
    fn gone(&self, listed: for<'p> fn(&'p Properties) -> BTreeSet<&'p str>) -> Vec<&str> {
        let Some(former) = self.former else { return Vec::new() };
        let stays = listed(self.properties);
        listed(former).into_iter().filter(|name| !stays.contains(name)).collect()
    }

    /// What its handler calls its service.
    pub(super) fn service(&self) -> &str {
        self.resource_type.split("::").nth(1).unwrap_or(self.resource_type)
    }

    /// A property, by a path such as `Code/S3Bucket`.
    fn property(&self, path: &str) -> Option<&Value> {
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let member = self.properties.get(first)?;
        if rest.is_empty() { Some(member) } else { member.pointer(&format!("/{rest}")) }
    }

    /// The resource with its placeholders filled; none while one of them is not known.
    fn filled(&self, pattern: &str) -> Option<String> {
        let mut text = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('{') {
            let (placeholder, after) = after.split_once('}')?;
            text.push_str(before);
            match placeholder {
                "region" => text.push_str(&self.account.region),
                "account" => text.push_str(&self.account.id),
                "id" => text.push_str(self.physical_id?),
                "name" => text.push_str(&self.name()),
                "function" => text.push_str(&self.function()?),
                property => text.push_str(self.property(property)?.as_str()?),
            }
            rest = after;
        }
        text.push_str(rest);
        Some(text)
    }

    /// ARN of the function that a part of one names, by its name or its ARN.
    fn function(&self) -> Option<String> {
        let named = self.property("FunctionName").or_else(|| self.property("TargetFunctionArn"))?.as_str()?;
        let Account { region, id, .. } = self.account;
        let is_arn = named.starts_with("arn:");
        Some(if is_arn { named.to_owned() } else { format!("arn:aws:lambda:{region}:{id}:function:{named}") })
    }

    /// What the service calls it, or will.
    fn name(&self) -> String {
        if let Some(id) = self.physical_id {
            // Some are known by an ARN that ends with the name.
            return id.rsplit_once(":secret:").map_or(id, |(_, name)| name).to_owned();
        }
        let custom = schema::of(self.resource_type).and_then(|schema| schema.custom_name(self.properties));
        let named = custom.or_else(|| self.properties.get("Name").and_then(Value::as_str));
        let made_up = || match self.resource_type {
            "AWS::SecretsManager::Secret" => self.context.short_name(),
            _ => self.context.physical_name(64),
        };
        named.map_or_else(made_up, str::to_owned)
    }

    /// The tag of the stack, on what has it: what the service tags when it makes it, and what is part of that.
    fn tags(&self, resource: &str) -> std::collections::BTreeMap<String, String> {
        let path = resource.split_once(":apigateway:").and_then(|(_, rest)| rest.split_once("::/"));
        let has_tag = match path.map(|(_, path)| path.split('/').collect::<Vec<_>>()).as_deref() {
            // Parts of HTTP and WebSocket APIs have no tags: only the API itself and its stages do.
            Some(["apis", _] | ["apis", _, "stages", _]) => true,
            Some(["restapis" | "usageplans" | "apikeys", _, ..]) => true,
            Some(_) => false,
            None => self.physical_id.is_some() || resource.contains(":userpool/"),
        };
        let tag = (STACK_TAG.to_owned(), self.context.stack_name.clone());
        has_tag.then_some(tag).into_iter().collect()
    }

    fn passed(&self) -> Vec<Deed> {
        let of_type = PASSED.iter().filter(|(name, ..)| *name == self.resource_type);
        let roles = of_type.filter_map(|(_, path, service)| Some((self.property(path)?.as_str()?, *service)));
        roles
            .filter(|(role, _)| role.contains(":role/"))
            .map(|(role, service)| Deed::new("iam:PassRole", role).knowing("iam:PassedToService", [service.to_owned()]))
            .collect()
    }

    /// What dynamic references are looked up in.
    fn resolved(&self) -> Vec<Deed> {
        let Account { region, id, .. } = self.account;
        let deed = |reference: String| match reference.split_once(':')? {
            ("secretsmanager", named) => {
                let length = if named.starts_with("arn:") { 7 } else { 1 };
                let secret: Vec<&str> = named.split(':').take(length).collect();
                let (name, secret) = secretsmanager::find(self.account, &secret.join(":"), self.context.now).ok()?;
                let arn = secretsmanager::arn(self.account, name, secret);
                Some(Deed::new("secretsmanager:GetSecretValue", arn))
            }
            (_, named) => {
                let name = named.split(':').next().unwrap_or(named).trim_start_matches('/');
                Some(Deed::new("ssm:GetParameters", format!("arn:aws:ssm:{region}:{id}:parameter/{name}")))
            }
        };
        dynamic::references(self.properties).into_iter().filter_map(deed).collect()
    }

    /// The logs of HTTP APIs are delivered; those of others are written by a role.
    fn delivered(&self) -> Vec<Deed> {
        let api = self.property("ApiId").and_then(Value::as_str);
        let is_http = api.and_then(|api| self.account.apigatewayv2.api(api).ok()).is_some_and(Api::is_http);
        if self.property("AccessLogSettings").is_none() || !is_http {
            return Vec::new();
        }
        DELIVERY.iter().map(|action| Deed::new(*action, "*")).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROLE_TYPE: &str = "AWS::IAM::Role";

    /// What the handler of a type is about to do with these properties, those from before beside them.
    fn asked(verb: Verb, resource_type: &str, properties: &Value, former: Option<&Value>) -> Vec<Deed> {
        let account = Account { id: "000000000000".to_owned(), region: "us-east-1".to_owned(), ..Account::default() };
        let members = |value: &Value| value.as_object().expect("properties are an object").clone();
        let (properties, former) = (members(properties), former.map(members));
        let subject = Subject {
            account: &account,
            context: &Context::sample("It"),
            resource_type,
            properties: &properties,
            former: former.as_ref(),
            physical_id: (verb != Create).then_some("it"),
        };
        deeds(verb, &subject)
    }

    #[test]
    fn an_update_asks_for_what_it_takes_from_a_role() {
        let about = |action: &str, arn: &str| {
            let role = Deed::new(action, "arn:aws:iam::000000000000:role/it").knowing(BOUNDARY, None);
            role.knowing(POLICY, [arn.to_owned()])
        };
        let before = json!({
            "ManagedPolicyArns": ["stays", "goes"], "Policies": [{ "PolicyName": "stays" }, { "PolicyName": "goes" }],
        });
        let after = json!({ "ManagedPolicyArns": ["stays"], "Policies": [{ "PolicyName": "stays" }] });
        let update = asked(Update, ROLE_TYPE, &after, Some(&before));
        assert!(update.contains(&about(DETACH, "goes")), "{update:?}");
        assert!(!update.contains(&about(DETACH, "stays")), "{update:?}");
        let deletes = |deeds: &[Deed]| deeds.iter().any(|deed| deed.action == "iam:DeleteRolePolicy");
        assert!(deletes(&update) && !deletes(&asked(Update, ROLE_TYPE, &after, Some(&after))));
        let bare = asked(Update, ROLE_TYPE, &json!({}), Some(&before));
        assert!(deletes(&bare) && bare.contains(&about(DETACH, "stays")), "{bare:?}");
    }

    #[test]
    fn a_function_url_is_asked_for_with_its_kind() {
        let url = json!({ "TargetFunctionArn": "f", "AuthType": "NONE" });
        let permission = json!({ "FunctionName": "f", "FunctionUrlAuthType": "NONE" });
        for (verb, resource_type, properties, action) in [
            (Create, "AWS::Lambda::Url", &url, "lambda:CreateFunctionUrlConfig"),
            (Update, "AWS::Lambda::Url", &url, "lambda:UpdateFunctionUrlConfig"),
            (Create, "AWS::Lambda::Permission", &permission, "lambda:AddPermission"),
        ] {
            let deeds = asked(verb, resource_type, properties, None);
            let deed = deeds.into_iter().find(|deed| deed.action == action).expect("it is asked for");
            assert_eq!(deed.clone().knowing(URL_AUTH_TYPE, ["NONE".to_owned()]), deed, "{action}");
            assert_ne!(deed.clone().knowing(URL_AUTH_TYPE, ["AWS_IAM".to_owned()]), deed, "{action}");
        }
    }
}
