//! The services of this cloud: what they are called in a signature, and how they word things.

use http::StatusCode;
use http::request::Parts;

use super::own;
use crate::cloud::Cloud;
use crate::signature::Dialect;
use crate::wire::{Fault, Request, Response};
use crate::{
    apigateway, apigatewayv2, cloudformation, cognito, dynamodb, iam, lambda, logs, s3, secretsmanager, ses, ssm, sts,
};

/// A service with an API of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    ApiGateway,
    CloudFormation,
    Cognito,
    DynamoDb,
    Iam,
    Lambda,
    Logs,
    S3,
    SecretsManager,
    Ses,
    Ssm,
    /// No service of AWS: what only the project's own tool may ask of this cloud.
    Stackgen,
    Sts,
}

/// The answer to a signed request for a service that this cloud does not have, in the form that its clients read.
pub(super) fn not_offered(name: &str, parts: &Parts, id: &str) -> Response {
    let message = format!("the local cloud does not offer the service {name}");
    let fault = Fault::new("NotImplemented", message).with_status(StatusCode::NOT_IMPLEMENTED);
    if parts.headers.contains_key("x-amz-target") {
        return fault.into_json();
    }
    match name {
        "ec2" => fault.into_ec2(id),
        _ if is_form(parts) => fault.into_query(id, "https://amazonaws.com/"),
        _ => fault.into_rest_json(),
    }
}

fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"))
}

impl Service {
    /// The service of a signature's scope.
    pub(super) fn named(name: &str) -> Option<Self> {
        const ALL: [Service; 13] = [
            Service::ApiGateway,
            Service::CloudFormation,
            Service::Cognito,
            Service::DynamoDb,
            Service::Iam,
            Service::Lambda,
            Service::Logs,
            Service::S3,
            Service::SecretsManager,
            Service::Ses,
            Service::Ssm,
            Service::Stackgen,
            Service::Sts,
        ];
        ALL.into_iter().find(|service| service.name() == name)
    }

    /// The service that a request without a readable signature is meant for, as far as its shape tells.
    pub(super) fn guessed(parts: &Parts, host: &str) -> Option<Self> {
        if let Some(target) = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
            return match target.split('.').next()? {
                "AWSCognitoIdentityProviderService" => Some(Self::Cognito),
                "DynamoDB_20120810" | "DynamoDBStreams_20120810" => Some(Self::DynamoDb),
                "Logs_20140328" => Some(Self::Logs),
                "AmazonSSM" => Some(Self::Ssm),
                "secretsmanager" => Some(Self::SecretsManager),
                own::TARGET => Some(Self::Stackgen),
                _ => None,
            };
        }
        let path = parts.uri.path();
        match path {
            "/" if is_form(parts) => Some(Self::Sts),
            "/" if host == "localhost" || !host.ends_with(".localhost") => None,
            _ if path.starts_with("/2015-03-31/functions") => Some(Self::Lambda),
            _ if path.starts_with("/v2/email/") => Some(Self::Ses),
            _ if path.starts_with("/v2/apis") || path.starts_with("/restapis") => Some(Self::ApiGateway),
            _ => Some(Self::S3),
        }
    }

    /// Its name in signatures and in policies.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ApiGateway => "apigateway",
            Self::CloudFormation => "cloudformation",
            Self::Cognito => "cognito-idp",
            Self::DynamoDb => "dynamodb",
            Self::Iam => "iam",
            Self::Lambda => "lambda",
            Self::Logs => "logs",
            Self::S3 => "s3",
            Self::SecretsManager => "secretsmanager",
            Self::Ses => "ses",
            Self::Ssm => "ssm",
            Self::Stackgen => own::SERVICE,
            Self::Sts => "sts",
        }
    }

    /// How it words its errors.
    pub(super) fn dialect(self) -> Dialect {
        match self {
            Self::CloudFormation | Self::Iam | Self::Sts => Dialect::Query,
            Self::Cognito | Self::DynamoDb | Self::Logs | Self::SecretsManager | Self::Ssm | Self::Stackgen => {
                Dialect::Json
            }
            Self::ApiGateway | Self::Lambda | Self::Ses => Dialect::RestJson,
            Self::S3 => Dialect::S3,
        }
    }

    /// Whether the operation is one for callers without credentials.
    pub(super) fn is_open(self, parts: &Parts) -> bool {
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.rsplit('.').next());
        self == Self::Cognito && operation.is_some_and(cognito::deeds::is_open)
    }

    /// Answers a request whose signature holds.
    pub(super) async fn handle(self, cloud: Cloud, request: Request) -> Response {
        match self {
            Self::ApiGateway if request.path.starts_with("/v2/") => apigatewayv2::api::handle(cloud, request).await,
            Self::ApiGateway => apigateway::api::handle(cloud, request).await,
            Self::CloudFormation => cloudformation::api::handle(cloud, request).await,
            Self::Cognito => cognito::api::handle(cloud, request).await,
            Self::DynamoDb => dynamodb::api::handle(cloud, request).await,
            Self::Iam => iam::api::handle(cloud, request).await,
            Self::Lambda => lambda::api::handle(cloud, request).await,
            Self::Logs => logs::api::handle(cloud, request).await,
            Self::S3 => s3::api::handle(cloud, request).await,
            Self::SecretsManager => secretsmanager::api::handle(cloud, request).await,
            Self::Ses => ses::api::handle(cloud, request).await,
            Self::Ssm => ssm::api::handle(cloud, request).await,
            Self::Stackgen => own::operate(&cloud, &request).await,
            Self::Sts => sts::api::handle(cloud, request).await,
        }
    }

    /// Refuses a request before the service has seen it.
    pub(super) fn refuse(self, fault: Fault, request_id: &str, path: &str) -> Response {
        match self.dialect() {
            Dialect::Query => fault.into_query(request_id, self.namespace()),
            Dialect::Json => fault.into_json(),
            Dialect::RestJson => fault.into_rest_json(),
            Dialect::S3 => fault.into_rest_xml(request_id, path),
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::CloudFormation => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
            Self::Iam => iam::NAMESPACE,
            _ => sts::NAMESPACE,
        }
    }
}
