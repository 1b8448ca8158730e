//! The account and region that are deployed to, and what can be wrong between here and there.

use std::error::Error as _;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::{ProvideRegion as _, RegionProviderChain};
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use miette::Diagnostic;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

/// Where to deploy. What is absent comes from the environment and the AWS configuration files.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// Profile of the configuration files.
    pub profile: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Base URL of something that speaks AWS's API.
    pub endpoint_url: Option<String>,
    /// Keys to sign with instead of those of the environment.
    pub keys: Option<Keys>,
}

/// An access key.
#[derive(Clone)]
pub struct Keys {
    /// Its public half.
    pub access_key_id: String,
    /// Its secret half, never printed.
    pub secret_access_key: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// An account and region that can be reached and that know us.
#[derive(Debug, Clone)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// Region, such as `eu-central-1`.
    pub region: String,
    /// Base URL where it is not AWS itself.
    pub endpoint: Option<String>,
    /// CloudFormation.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// The configuration that all clients share.
    pub(crate) config: SdkConfig,
}

/// Why AWS cannot be used as it was asked to.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// Nothing provides credentials.
    #[error("there are no AWS credentials here")]
    #[diagnostic(
        code(stackgen::credentials::missing),
        help(
            "deploy to the local cloud with `--local`, which needs none; or give AWS credentials by `--profile`, `aws \
             configure`, `aws sso login` or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"
        )
    )]
    NoCredentials,
    /// The profile that is named provides none, or is not there.
    #[error("profile `{profile}` gives no AWS credentials")]
    #[diagnostic(
        code(stackgen::credentials::profile),
        help(
            "`aws configure list-profiles` shows which there are, in `~/.aws/config` and `~/.aws/credentials` or the files \
             that `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` name"
        )
    )]
    EmptyProfile { profile: String },
    /// A provider of credentials is set up but fails.
    #[error("the AWS credentials cannot be loaded: {cause}")]
    #[diagnostic(
        code(stackgen::credentials::broken),
        help(
            "look at the profile in `~/.aws/config`; a session of AWS SSO is renewed by `aws sso login`; the local \
             cloud, `--local`, needs no credentials"
        )
    )]
    BrokenCredentials { cause: String },
    /// The session has ended.
    #[error("the AWS credentials have expired")]
    #[diagnostic(
        code(stackgen::credentials::expired),
        help("renew them, for example with `aws sso login`, and repeat the command")
    )]
    Expired,
    /// AWS does not know the key, or the signature is wrong.
    #[error("AWS does not accept the credentials: {message}")]
    #[diagnostic(
        code(stackgen::credentials::refused),
        help("check the access key and its secret, and that the clock of this machine is right")
    )]
    Unknown { message: String },
    /// No region is set.
    #[error("no AWS region is set")]
    #[diagnostic(
        code(stackgen::region::missing),
        help("name one with `--region`, `AWS_REGION` or the profile; the local cloud (`--local`) needs none")
    )]
    NoRegion,
    /// What `--endpoint-url` or `AWS_ENDPOINT_URL` says is no address.
    #[error("`{endpoint}` is no address of something that speaks AWS's API")]
    #[diagnostic(code(stackgen::endpoint), help("write it as `http://HOST:PORT` or `https://HOST`"))]
    NoAddress { endpoint: String },
    /// Nobody answers: no network, no such host, nothing that listens, or too slow.
    #[error("`{host}` cannot be reached: {cause}")]
    #[diagnostic(code(stackgen::network), help("{help}"))]
    Unreachable { host: String, cause: String, help: String },
    /// The host shows a certificate that nobody here trusts.
    #[error("the certificate of `{host}` is not trusted here: {cause}")]
    #[diagnostic(
        code(stackgen::certificate),
        help(
            "check the address; where a company's own authority signs, name the file of its certificates in \
             `SSL_CERT_FILE`"
        )
    )]
    Certificate { host: String, cause: String },
    /// Something else than AWS answers: an error page, a login page, half an answer.
    #[error("`{host}` does not answer `{operation}` as AWS does: {cause}")]
    #[diagnostic(
        code(stackgen::endpoint),
        help("check the address in `--endpoint-url` or `AWS_ENDPOINT_URL`, and whether a proxy answers in its place")
    )]
    NotAws { host: String, operation: String, cause: String },
    /// The caller may not do that.
    #[error("AWS denies `{operation}`: {message}")]
    #[diagnostic(
        code(stackgen::access_denied),
        help("ask for a policy that allows it, or use another profile with `--profile`")
    )]
    Denied { operation: String, message: String },
    /// Too many requests, after many tries.
    #[error("AWS throttles `{operation}` and did not stop after several tries")]
    #[diagnostic(code(stackgen::throttled), help("something else calls a lot in this account; wait a minute"))]
    Throttled { operation: String },
    /// Anything else that a service says.
    #[error("`{operation}` failed: {message}")]
    #[diagnostic(code(stackgen::aws))]
    Service { operation: String, code: String, message: String },
    /// The answer could not be understood, or the request could not be made.
    #[error("`{operation}` failed: {cause}")]
    #[diagnostic(code(stackgen::aws))]
    Broken { operation: String, cause: String },
}

impl Error {
    /// Whether a service answered with that code.
    #[must_use]
    pub fn has_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Service { code, .. } if code == wanted)
    }

    /// Whether AWS has refused to do what it was asked, so that it is certain that nothing has begun. A call that is
    /// throttled in the end may have been taken at an earlier try, whose answer got lost.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Denied { .. } | Self::Expired | Self::Unknown { .. } => true,
            // <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html>
            Self::Service { code, .. } => {
                !code.starts_with("Internal") && !["RequestTimeout", "ServiceUnavailable"].contains(&code.as_str())
            }
            _ => false,
        }
    }

    /// Whether this is one of CloudFormation's ways to say that a stack or change set does not exist. Its wordings
    /// differ (`Stack with id x does not exist`, `Stack [x] does not exist`); a throttled call is none of them.
    #[must_use]
    pub fn says_missing(&self) -> bool {
        match self {
            Self::Service { code, message, .. } => {
                code == "ChangeSetNotFound" || (code == "ValidationError" && message.contains("does not exist"))
            }
            _ => false,
        }
    }
}

/// Turns the SDK's errors into ours, naming the operation.
pub(crate) trait During<T> {
    /// The answer, or what is wrong in words.
    fn during(self, operation: &str, account: &SdkConfig) -> Result<T, Error>;
}

impl<T, E> During<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn during(self, operation: &str, config: &SdkConfig) -> Result<T, Error> {
        self.map_err(|error| match &error {
            SdkError::ServiceError(context) => {
                let service = context.err();
                match service.code() {
                    Some(code) => refusal(operation, code, service.message().unwrap_or("no reason was given")),
                    None => not_aws(config, operation, &format!("{} ({})", page(context.raw()), innermost(service))),
                }
            }
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => unreachable_host(config, &innermost(&error)),
            SdkError::ResponseError(context) => {
                not_aws(config, operation, &format!("{} ({})", page(context.raw()), innermost(&error)))
            }
            _ => Error::Broken { operation: operation.to_owned(), cause: innermost(&error) },
        })
    }
}

/// An answer that says nothing in AWS's way, in a few words.
fn page(response: &HttpResponse) -> String {
    let kind = response.headers().get("content-type").unwrap_or("no type");
    format!("status {} with {kind}", response.status().as_u16())
}

fn not_aws(config: &SdkConfig, operation: &str, cause: &str) -> Error {
    Error::NotAws { host: host(config), operation: operation.to_owned(), cause: cause.to_owned() }
}

/// What an error code of AWS means to the user.
pub(crate) fn refusal(operation: &str, code: &str, message: &str) -> Error {
    let operation = operation.to_owned();
    let message = message.to_owned();
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => Error::Expired,
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "AuthFailure"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestTimeTooSkewed" => Error::Unknown { message },
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Forbidden" | "OptInRequired" => {
            Error::Denied { operation, message }
        }
        "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded" | "SlowDown" => {
            Error::Throttled { operation }
        }
        _ => Error::Service { operation, code: code.to_owned(), message },
    }
}

fn unreachable_host(config: &SdkConfig, cause: &str) -> Error {
    let host = host(config);
    let cause = cause.to_owned();
    if cause.contains("certificate") {
        return Error::Certificate { host, cause };
    }
    let region = config.region().map(ToString::to_string).unwrap_or_default();
    let mut help = match config.endpoint_url() {
        Some(endpoint) if is_loopback(endpoint) => {
            "`stackgen local status` tells whether the local cloud runs and where its log is, and `--local` starts it; for \
             something else, check the address in `--endpoint-url` or `AWS_ENDPOINT_URL`"
                .to_owned()
        }
        Some(_) => "check that it runs there, and the address in `--endpoint-url` or `AWS_ENDPOINT_URL`".to_owned(),
        None => format!("check the network and that region `{region}` exists; `--local` needs no network"),
    };
    if let Some(variable) = proxy(config.endpoint_url()) {
        help.push_str(&format!("; `{variable}` sends it through a proxy: check that too"));
    }
    Error::Unreachable { host, cause, help }
}

fn host(config: &SdkConfig) -> String {
    let region = config.region().map(ToString::to_string).unwrap_or_default();
    config.endpoint_url().map_or_else(|| format!("amazonaws.com in {region}"), str::to_owned)
}

/// The variable that names a proxy for an endpoint. A plain endpoint on this machine is reached without one.
fn proxy(endpoint: Option<&str>) -> Option<&'static str> {
    let plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http:"));
    if plain && endpoint.is_some_and(is_loopback) {
        return None;
    }
    let variables = if plain { ["http_proxy", "HTTP_PROXY"] } else { ["https_proxy", "HTTPS_PROXY"] };
    let set = |variable: &&str| std::env::var(variable).is_ok_and(|value| !value.is_empty());
    variables.into_iter().chain(["all_proxy", "ALL_PROXY"]).find(set)
}

/// The first cause of an error, which says more than what became of it.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

impl Account {
    /// Finds region and credentials, and asks AWS who we are.
    ///
    /// # Errors
    /// When any of the three is not to be had.
    pub async fn connect(target: &Target) -> Result<Self, Error> {
        let config = configuration(target).await?;
        let region = config.region().map(ToString::to_string).ok_or(Error::NoRegion)?;
        let caller = match who_is(&first_call(&config), &config).await {
            // Somebody is there, and worth the patience that the other calls have.
            Err(Error::Throttled { .. }) => who_is(&aws_sdk_sts::Client::new(&config), &config).await,
            first => first,
        };
        let id = caller?.account.unwrap_or_default();
        let endpoint = config.endpoint_url().map(str::to_owned);
        Ok(Self { id, region, endpoint, cloudformation: aws_sdk_cloudformation::Client::new(&config), config })
    }

    /// Whether the account lies on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.endpoint.as_deref().is_some_and(is_loopback)
    }

    /// What to call it on the screen.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("account {} in {} at {endpoint}", self.id, self.region),
            None => format!("account {} in {}", self.id, self.region),
        }
    }

    /// S3.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config)
            .force_path_style(self.endpoint.is_some())
            .timeout_config(patience(UPLOAD, UPLOAD))
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// How long to wait between two looks at something that changes. AWS counts requests, so there it is a second
    /// or two, never in step with others.
    pub(crate) fn pace(&self) -> Duration {
        if self.is_local() {
            return Duration::from_millis(20);
        }
        let jitter = time::OffsetDateTime::now_utc().nanosecond() % 1_000;
        Duration::from_millis(1_000 + u64::from(jitter))
    }
}

impl Account {
    /// Waits between two looks, no longer than until the user interrupts; when that is `told` already, the whole time.
    pub(crate) async fn pause(&self, cancel: &CancellationToken, told: bool) {
        let pace = tokio::time::sleep(self.pace());
        if told {
            return pace.await;
        }
        tokio::select! {
            () = pace => (),
            () = cancel.cancelled() => (),
        }
    }
}

/// Whether an address is on this machine.
#[must_use]
pub fn is_loopback(endpoint: &str) -> bool {
    let Ok(url) = Url::parse(endpoint) else { return false };
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

async fn configuration(target: &Target) -> Result<SdkConfig, Error> {
    let region = named_region(target).await;
    let credentials = credentials(target, region.clone()).await?;
    let region = match region {
        Some(region) => region,
        None => metadata_region().await.ok_or(Error::NoRegion)?,
    };
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .credentials_provider(credentials)
        .retry_config(retries(target))
        .timeout_config(patience(ANSWER, OPERATION))
        .app_name(aws_config::AppName::new("stackgen").expect("the name has only letters"));
    if let Some(profile) = &target.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &target.endpoint_url {
        loader = loader.endpoint_url(address(endpoint)?);
        if endpoint.starts_with("http:") && is_loopback(endpoint) {
            // Neither a proxy nor certificates have anything to do with this machine.
            loader = loader.http_client(aws_smithy_http_client::Builder::new().build_http());
        }
    }
    let config = loader.load().await;
    config.endpoint_url().map(address).transpose()?;
    Ok(config)
}

/// The endpoint, if it is an address at all.
fn address(endpoint: &str) -> Result<&str, Error> {
    let is_address = Url::parse(endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_address { Ok(endpoint) } else { Err(Error::NoAddress { endpoint: endpoint.to_owned() }) }
}

/// How long a connection may take.
const CONNECTION: Duration = Duration::from_secs(5);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);

/// How long an operation may take, with all its tries.
const OPERATION: Duration = Duration::from_secs(120);

/// How long an upload may take. One that stalls ends before.
const UPLOAD: Duration = Duration::from_secs(20 * 60);

/// How long the first call may take, with all its tries: it finds out whether there is anybody at all.
const FIRST_CALL: Duration = Duration::from_secs(15);

fn patience(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECTION)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

async fn who_is(sts: &aws_sdk_sts::Client, config: &SdkConfig) -> Result<GetCallerIdentityOutput, Error> {
    sts.get_caller_identity().send().await.during("sts:GetCallerIdentity", config)
}

fn first_call(config: &SdkConfig) -> aws_sdk_sts::Client {
    let tries = config.retry_config().cloned().unwrap_or_else(RetryConfig::standard).with_max_attempts(3);
    let patient = aws_sdk_sts::config::Builder::from(config).retry_config(tries);
    aws_sdk_sts::Client::from_conf(patient.timeout_config(patience(FIRST_CALL, FIRST_CALL)).build())
}

/// Eight tries with doubling, jittered pauses outlast the bursts in which CloudFormation throttles.
fn retries(target: &Target) -> RetryConfig {
    let first_pause = if target.endpoint_url.as_deref().is_some_and(is_loopback) { 20 } else { 500 };
    RetryConfig::standard()
        .with_max_attempts(8)
        .with_initial_backoff(Duration::from_millis(first_pause))
        .with_max_backoff(Duration::from_secs(20))
}

async fn named_region(target: &Target) -> Option<Region> {
    if let Some(region) = &target.region {
        return Some(Region::new(region.clone()));
    }
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &target.profile {
        profile = profile.profile_name(name);
    }
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(profile.build()).region().await
}

async fn credentials(target: &Target, region: Option<Region>) -> Result<SharedCredentialsProvider, Error> {
    if let Some(keys) = &target.keys {
        let fixed = Credentials::new(&keys.access_key_id, &keys.secret_access_key, None, None, "stackgen");
        return Ok(SharedCredentialsProvider::new(fixed));
    }
    let region = region.unwrap_or_else(|| Region::from_static("us-east-1"));
    let Some(profile) = &target.profile else {
        let chain = DefaultCredentialsChain::builder().region(region).imds_client(metadata()).build().await;
        return match chain.provide_credentials().await {
            Ok(_) => Ok(SharedCredentialsProvider::new(chain)),
            Err(error) => Err(credential_error(&error)),
        };
    };
    // The default chain asks the environment first: keys of another account there would win over the profile that is named.
    named_credentials(profile, &ProviderConfig::without_region().with_region(Some(region))).await
}

/// What a profile gives. One that is there and gives no credentials leaves them to the container or the instance, as it
/// does for the aws CLI: <https://github.com/boto/botocore/blob/develop/botocore/credentials.py>
/// (`create_credential_resolver`, which takes out the environment alone).
async fn named_credentials(profile: &str, place: &ProviderConfig) -> Result<SharedCredentialsProvider, Error> {
    let named = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(place).build();
    let error = match named.provide_credentials().await {
        Ok(_) => return Ok(SharedCredentialsProvider::new(named)),
        Err(error) => credential_error(&error),
    };
    let empty = || Error::EmptyProfile { profile: profile.to_owned() };
    let is_there = ProfileFileRegionProvider::builder().profile_name(profile).build().region().await.is_some();
    match error {
        Error::NoCredentials if is_there => {
            let container = EcsCredentialsProvider::builder().configure(place).build();
            let instance = ImdsCredentialsProvider::builder().imds_client(metadata()).build();
            let machine = CredentialsProviderChain::first_try("Container", container).or_else("Instance", instance);
            match machine.provide_credentials().await.map_err(|error| credential_error(&error)) {
                Ok(_) => Ok(SharedCredentialsProvider::new(machine)),
                Err(Error::NoCredentials) => Err(empty()),
                Err(error) => Err(error),
            }
        }
        Error::NoCredentials => Err(empty()),
        error => Err(error),
    }
}

fn credential_error(error: &CredentialsError) -> Error {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => Error::NoCredentials,
        other => {
            let cause = other.source().map_or_else(|| other.to_string(), innermost);
            if cause.contains("expired") {
                Error::Expired
            } else if cause.contains("IMDS") {
                // The last in the chain is the metadata service of EC2: where that fails, nothing else had any.
                Error::NoCredentials
            } else {
                Error::BrokenCredentials { cause }
            }
        }
    }
}

/// The instance metadata service answers within milliseconds or not at all; its client's own patience of many seconds
/// would only delay the sentence that there are no credentials.
fn metadata() -> imds::Client {
    imds::Client::builder()
        .max_attempts(1)
        .connect_timeout(Duration::from_millis(300))
        .read_timeout(Duration::from_millis(700))
        .build()
}

async fn metadata_region() -> Option<Region> {
    ImdsRegionProvider::builder().imds_client(metadata()).build().region().await
}

#[cfg(test)]
mod tests {
    use super::{Error, address, is_loopback, refusal};

    #[test]
    fn each_trouble_with_access_has_its_own_sentence() {
        assert!(matches!(refusal("x", "ExpiredToken", "m"), Error::Expired));
        assert!(matches!(refusal("x", "InvalidClientTokenId", "m"), Error::Unknown { .. }));
        assert!(matches!(refusal("x", "AccessDenied", "m"), Error::Denied { .. }));
        assert!(matches!(refusal("x", "Throttling", "Rate exceeded"), Error::Throttled { .. }));
        assert!(matches!(refusal("x", "ValidationError", "m"), Error::Service { .. }));
    }

    #[test]
    fn only_a_refusal_is_certain() {
        for code in ["AccessDenied", "ExpiredToken", "InvalidChangeSetStatus", "ValidationError"] {
            assert!(refusal("x", code, "m").is_refusal(), "{code}");
        }
        for code in ["Throttling", "InternalFailure", "InternalError", "RequestTimeout", "ServiceUnavailable"] {
            assert!(!refusal("x", code, "m").is_refusal(), "{code}");
        }
    }

    #[test]
    fn no_credentials_names_the_local_cloud() {
        let help = miette::Diagnostic::help(&Error::NoCredentials).map(|help| help.to_string()).unwrap_or_default();
        assert!(help.contains("--local"), "{help}");
    }

    #[test]
    fn a_missing_stack_is_known_by_each_of_its_wordings() {
        for message in ["Stack with id a does not exist", "Stack [a] does not exist", "Stack 'a' does not exist"] {
            assert!(refusal("DescribeStacks", "ValidationError", message).says_missing(), "{message}");
        }
        assert!(refusal("DescribeChangeSet", "ChangeSetNotFound", "ChangeSet [a] does not exist").says_missing());
        assert!(!refusal("DescribeStacks", "Throttling", "Rate exceeded").says_missing());
        assert!(!refusal("DescribeStacks", "ValidationError", "1 validation error detected").says_missing());
    }

    #[test]
    fn an_endpoint_is_an_address() {
        for good in ["http://127.0.0.1:4566", "https://aws.example.com/path"] {
            assert_eq!(address(good).ok(), Some(good));
        }
        for bad in ["", "localhost", "localhost:4566", "ftp://example.com", "http://", "not an address"] {
            assert!(matches!(address(bad), Err(Error::NoAddress { .. })), "{bad}");
        }
    }

    #[test]
    fn only_this_machine_is_local() {
        for endpoint in ["http://127.0.0.1:4599", "http://[::1]:1", "http://localhost:4566"] {
            assert!(is_loopback(endpoint), "{endpoint}");
        }
        for endpoint in ["https://cloudformation.us-east-1.amazonaws.com", "http://10.0.0.1", "localhost", ""] {
            assert!(!is_loopback(endpoint), "{endpoint}");
        }
    }
}
