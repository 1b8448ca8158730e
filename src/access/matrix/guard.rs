//! What a route asks of the caller.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::Setting;
use super::resolve::spelled;
use super::resources::{Resource, Resources, digest, names_only, number, texts, written};

/// Who passes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Guard {
    /// Everybody.
    Public,
    /// Who has opened the connection: a message of a WebSocket is guarded by `$connect`.
    Connected,
    /// Who has a token of an issuer, checked by the gateway of an HTTP API.
    Jwt(Jwt),
    /// Who has a token of a user pool, checked by the gateway of a REST API.
    Cognito(Cognito),
    /// Whom a function lets pass.
    Lambda(Lambda),
    /// Who signs with AWS keys that may do so.
    Iam,
    /// The template does not tell.
    Unknown {
        /// The authorization type, or the expression for it.
        authorization: String,
        /// What is said beside it.
        expression: String,
    },
}

/// A token of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Jwt {
    /// Name of the authorizer.
    pub authorizer: String,
    /// Who must have signed.
    pub issuer: String,
    /// For whom: the token must name one of these.
    pub audiences: BTreeSet<String>,
    /// Scopes of which the token must have one; any token will do where there are none.
    pub scopes: BTreeSet<String>,
    /// Where the token is looked for, such as `$request.header.Authorization`.
    pub sources: BTreeSet<String>,
}

/// A token of a user pool.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cognito {
    /// Name of the authorizer.
    pub authorizer: String,
    /// The pools: logical ids, or expressions.
    pub pools: BTreeSet<String>,
    /// Scopes of which an access token must have one; an ID token is wanted where there are none.
    pub scopes: BTreeSet<String>,
    /// Where the token is looked for, such as `method.request.header.Authorization`.
    pub sources: BTreeSet<String>,
    /// What the token must look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Seconds for which it is remembered that a token is good.
    pub ttl: Setting<f64>,
}

/// A function that decides.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lambda {
    /// Name of the authorizer.
    pub authorizer: String,
    /// The function: its logical id, or an expression.
    pub function: String,
    /// What it is asked and how it answers: `TOKEN`, `REQUEST`, `REQUEST 1.0`, `REQUEST 2.0` or `REQUEST 2.0 simple`.
    pub form: String,
    /// What every request must carry, and what decisions are remembered by.
    pub sources: BTreeSet<String>,
    /// What a token must look like before the function is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Seconds for which a decision is remembered.
    pub ttl: Setting<f64>,
    /// The variables of the function's environment that say whom it lets pass, by name. Lists are sorted.
    pub settings: BTreeMap<String, String>,
    /// Digests of the other variables of its environment: what they mean is not known, and they may be secret, so that
    /// only their names are written.
    #[serde(serialize_with = "names_only", skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<String, String>,
    /// Digest of what says which code the function runs, and how.
    #[serde(skip)]
    pub code: Option<String>,
    /// Digest of the functions that may be meant, where it cannot be told which of them decides.
    #[serde(skip)]
    pub any_of: Option<String>,
}

impl Guard {
    /// Where a route looks for what its caller shows, such as `method.request.header.Authorization`.
    #[must_use]
    pub fn sources(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::Jwt(jwt) => Some(&jwt.sources),
            Self::Cognito(cognito) => Some(&cognito.sources),
            Self::Lambda(lambda) => Some(&lambda.sources),
            Self::Public | Self::Connected | Self::Iam | Self::Unknown { .. } => None,
        }
    }

    /// Scopes of which a token must have one.
    #[must_use]
    pub fn scopes(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::Jwt(jwt) => Some(&jwt.scopes),
            Self::Cognito(cognito) => Some(&cognito.scopes),
            Self::Public | Self::Connected | Self::Lambda(_) | Self::Iam | Self::Unknown { .. } => None,
        }
    }

    /// The name of the authorizer.
    #[must_use]
    pub fn authorizer(&self) -> Option<&str> {
        match self {
            Self::Jwt(jwt) => Some(&jwt.authorizer),
            Self::Cognito(cognito) => Some(&cognito.authorizer),
            Self::Lambda(lambda) => Some(&lambda.authorizer),
            Self::Public | Self::Connected | Self::Iam | Self::Unknown { .. } => None,
        }
    }
}

impl Lambda {
    /// Whether it is one of our own authorizers, by its environment: it has nothing but variables of theirs, and one that
    /// others hardly have. Ours look at no stage variables, and take the tokens of their own clients only.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        let is_shared = |name: &String| SHARED.contains(&name.as_str());
        self.others.is_empty() && !self.settings.keys().all(is_shared)
    }
}

/// Those of [`SETTINGS`] that authorizers of others are likely to have as well.
const SHARED: &[&str] = &[
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "CLIENT_IDS",
    "USER_POOL_ID",
];

/// Variables of the environments of our own authorizers that say whom they let pass.
const SETTINGS: &[&str] = &[
    "API_TOKEN_SECRET",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "CLIENT_IDS",
    "LEEWAY_SECONDS",
    "REQUIRED_GROUPS",
    "REQUIRED_SCOPES",
    "SIMPLE_RESPONSES",
    "TOKEN_HEADER",
    "TOKEN_QUERY",
    "TOKEN_USE",
    "USER_POOL_ID",
];

/// Variables that say how much is logged, and nothing about access.
const VERBOSITY: &[&str] = &["LOG_LEVEL", "RUST_BACKTRACE", "RUST_LOG"];

/// Which API a guard belongs to.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) resources: &'a Resources,
    /// Logical id of the API.
    pub(super) api: &'a str,
    /// Seconds for which decisions are remembered where nothing is said.
    pub(super) default_ttl: f64,
    /// Type of its authorizers.
    pub(super) authorizers: &'static str,
}

impl Reader<'_> {
    /// What a route or method asks, by its properties.
    pub(super) fn guard(&self, route: &Resource) -> Guard {
        let authorization = route.text("AuthorizationType");
        match authorization.as_deref() {
            None | Some("NONE") => Guard::Public,
            Some("AWS_IAM") => Guard::Iam,
            Some(kind @ ("JWT" | "CUSTOM" | "COGNITO_USER_POOLS")) => self.authorized(kind, route),
            Some(other) => unknown(other, route),
        }
    }

    fn authorized(&self, kind: &str, route: &Resource) -> Guard {
        let named = route.text("AuthorizerId").unwrap_or_default();
        let Some((id, authorizer)) = self.resources.get(&named, self.authorizers) else { return unknown(kind, route) };
        authorizer.note();
        let name = self.name(id, authorizer);
        let sources = sources(authorizer.get("IdentitySource"));
        let scopes = texts(route.get("AuthorizationScopes"));
        match kind {
            "JWT" => Guard::Jwt(Jwt {
                authorizer: name,
                issuer: written(authorizer.part("/JwtConfiguration/Issuer")).unwrap_or_default(),
                audiences: texts(authorizer.part("/JwtConfiguration/Audience")),
                scopes,
                sources,
            }),
            "COGNITO_USER_POOLS" => Guard::Cognito(Cognito {
                authorizer: name,
                pools: texts(authorizer.get("ProviderARNs")).iter().map(|arn| self.pool(arn)).collect(),
                scopes,
                sources,
                pattern: authorizer.text("IdentityValidationExpression"),
                ttl: self.ttl(authorizer),
            }),
            _ => Guard::Lambda(self.lambda(name, authorizer, sources)),
        }
    }

    fn pool(&self, arn: &str) -> String {
        self.resources.get(arn, "AWS::Cognito::UserPool").map_or(arn, |(id, _)| id).to_owned()
    }

    fn ttl(&self, authorizer: &Resource) -> Setting<f64> {
        number(authorizer.get("AuthorizerResultTtlInSeconds")).unwrap_or(Setting::Known(self.default_ttl))
    }

    fn lambda(&self, authorizer: String, properties: &Resource, sources: BTreeSet<String>) -> Lambda {
        let address = properties.text("AuthorizerUri").unwrap_or_default();
        let (function, qualifier) = self.resources.invoked_as(&address);
        let decider = DecidingFunction::of(self.resources, &function, qualifier.as_deref());
        let is_setting = |name: &String| SETTINGS.contains(&name.as_str());
        let variables = decider.variables.iter().filter(|(name, _)| !VERBOSITY.contains(&name.as_str()));
        let (settings, others): (Vec<_>, Vec<_>) = variables.partition(|(name, _)| is_setting(name));
        let settings = settings.into_iter().map(|(name, value)| (name.clone(), sorted(value)));
        let others = others.into_iter().map(|(name, value)| (name.clone(), digest(value)));
        Lambda {
            authorizer,
            form: form(properties),
            sources,
            pattern: properties.text("IdentityValidationExpression"),
            ttl: self.ttl(properties),
            settings: settings.collect(),
            others: others.collect(),
            code: decider.code,
            any_of: decider.any_of,
            function,
        }
    }

    /// The name by which people know an authorizer: that in its logical id, as we make them, or its own.
    fn name(&self, id: &str, authorizer: &Resource) -> String {
        let inside = id.strip_prefix(self.api).and_then(|rest| rest.strip_suffix("Authorizer"));
        let inside = inside.filter(|name| !name.is_empty()).map(str::to_owned);
        inside.or_else(|| authorizer.text("Name")).unwrap_or_else(|| id.to_owned())
    }
}

/// A function that decides something, as far as a template tells what it does.
pub(super) struct DecidingFunction {
    /// The variables of its environment.
    variables: BTreeMap<String, String>,
    /// Digest of what says which code it runs, and how.
    pub(super) code: Option<String>,
    /// Digest of the functions that may be meant, where it cannot be told which one is.
    pub(super) any_of: Option<String>,
}

impl DecidingFunction {
    /// A function by its logical id or by the expression that names it, and which version or alias of it.
    pub(super) fn of(resources: &Resources, function: &str, qualifier: Option<&str>) -> Self {
        let Some(declared) = resources.get_id(function, "AWS::Lambda::Function") else {
            return Self { variables: BTreeMap::new(), code: None, any_of: resources.behind(function) };
        };
        let variables = declared.part("/Environment/Variables");
        let variables = match variables.as_object() {
            Some(all) => all.iter().map(|(name, value)| (name.clone(), written(value).unwrap_or_default())).collect(),
            None => written(variables).into_iter().map(|whole| ("all of them".to_owned(), whole)).collect(),
        };
        let parts = ["Code", "Handler", "ImageConfig", "Layers", "PackageType", "Runtime"];
        let mut code: Vec<String> = parts.iter().map(|part| spelled(declared.get(part))).collect();
        code.extend(qualifier.map(|qualifier| resources.version(function, qualifier)));
        Self { variables, code: Some(digest(&code.join(" "))), any_of: None }
    }

    /// Digest of the variables of its environment that say more than how much is logged.
    pub(super) fn environment(&self) -> String {
        let variables = self.variables.iter().filter(|(name, _)| !VERBOSITY.contains(&name.as_str()));
        digest(&variables.map(|(name, value)| format!("{name}={value}\n")).collect::<String>())
    }
}

fn unknown(authorization: &str, route: &Resource) -> Guard {
    let said = ["AuthorizerId", "AuthorizationScopes"];
    let said = said.iter().filter_map(|name| Some(format!("{name} {}", route.text(name)?)));
    Guard::Unknown { authorization: authorization.to_owned(), expression: said.collect::<Vec<_>>().join(", ") }
}

fn form(authorizer: &Resource) -> String {
    let kind = authorizer.text("Type").or_else(|| authorizer.text("AuthorizerType"));
    let version = authorizer.text("AuthorizerPayloadFormatVersion");
    let simple = authorizer.text("EnableSimpleResponses").filter(|simple| simple != "false");
    let simple = simple.map(|simple| if simple == "true" { "simple".to_owned() } else { simple });
    [kind, version, simple].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// A list of REST APIs is one text, with commas.
fn sources(value: &Value) -> BTreeSet<String> {
    let all = texts(value);
    let parts = all
        .iter()
        .flat_map(|text| if text.contains("${Fn::") { vec![text.as_str()] } else { text.split(',').collect() });
    parts.map(|source| source.trim().to_owned()).filter(|source| !source.is_empty()).collect()
}

/// The values of a variable in order: those of lists stand apart by commas or spaces.
fn sorted(written: &str) -> String {
    if written.contains("${Fn::") {
        return written.to_owned();
    }
    let parts: BTreeSet<&str> = written.split([',', ' ']).filter(|part| !part.is_empty()).collect();
    parts.into_iter().collect::<Vec<_>>().join(" ")
}
