//! The access matrix as people read it: sections with facts and tables, the same for the terminal, Markdown and HTML.
//! Equal matrices give equal text, one fact a line, so that it can be committed and reviewed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use super::matrix::{
    Api, Behind, Caller, Cors, Function, FunctionUrl, Grant, Guard, KeySource, Kind, Limits, Matrix, Pool, Powers,
    Route, Setting, readable,
};

/// Headings of the table of routes.
pub const ROUTE_HEADINGS: [&str; 11] = [
    "route",
    "who may call",
    "issuer",
    "audience",
    "scopes",
    "groups",
    "cached",
    "throttle",
    "CORS",
    "answered by",
    "which may",
];

/// Headings of the table of functions that can be reached without an API.
pub const FUNCTION_HEADINGS: [&str; 4] = ["function", "may", "invoked by", "own address"];

/// The matrix of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Name of the stack.
    pub stack: String,
    /// The APIs.
    pub apis: Vec<Section<11>>,
    /// The functions.
    pub functions: Section<4>,
    /// The user pools.
    pub pools: Vec<Section<0>>,
    /// What the template does not show.
    pub unseen: Vec<String>,
}

/// A part of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<const N: usize> {
    /// What it is about.
    pub title: String,
    /// Facts, each with its name.
    pub facts: Vec<(String, String)>,
    /// Rows of its table.
    pub rows: Vec<[String; N]>,
}

impl<const N: usize> Serialize for Section<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut section = serializer.serialize_struct("Section", 3)?;
        section.serialize_field("title", &self.title)?;
        section.serialize_field("facts", &self.facts)?;
        section.serialize_field("rows", &self.rows.iter().map(<[String; N]>::as_slice).collect::<Vec<_>>())?;
        section.end()
    }
}

impl Page {
    /// The page of a stack.
    #[must_use]
    pub fn of(stack: &str, matrix: &Matrix) -> Self {
        let functions = matrix.functions.iter().map(|(id, function)| function_row(id, function));
        Self {
            stack: stack.to_owned(),
            apis: matrix.apis.iter().map(|(id, api)| api_section(matrix, id, api)).collect(),
            functions: Section { title: "Functions".to_owned(), facts: Vec::new(), rows: functions.collect() },
            pools: matrix.pools.iter().map(|(id, pool)| pool_section(id, pool)).collect(),
            unseen: matrix.unseen.iter().map(|(id, part)| format!("{id} ({})", part.kind)).collect(),
        }
    }

    /// The page as Markdown, with one line a route.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("# Access to {}\n", self.stack);
        for api in &self.apis {
            section(&mut text, api, ROUTE_HEADINGS);
        }
        if !self.functions.rows.is_empty() {
            section(&mut text, &self.functions, FUNCTION_HEADINGS);
        }
        for pool in &self.pools {
            section(&mut text, pool, []);
        }
        if !self.unseen.is_empty() {
            text.push_str("\n## Not seen\n\n");
            self.unseen.iter().for_each(|part| text.push_str(&format!("- {}\n", escaped(part))));
        }
        text
    }
}

fn section<const N: usize>(text: &mut String, section: &Section<N>, headings: [&str; N]) {
    let _written = write!(text, "\n## {}\n\n", escaped(&section.title));
    for (name, value) in &section.facts {
        let _written = writeln!(text, "- {name}: {}", escaped(value));
    }
    if section.rows.is_empty() {
        return;
    }
    if !section.facts.is_empty() {
        text.push('\n');
    }
    let _written = writeln!(text, "| {} |\n|{}", headings.join(" | "), "---|".repeat(N));
    for row in &section.rows {
        let _written = writeln!(text, "| {} |", row.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "));
    }
}

/// Text in which nothing is markup: names and values come from templates.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '#' | '~' => safe.extend(['\\', c]),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

fn api_section(matrix: &Matrix, id: &str, api: &Api) -> Section<11> {
    let kind = match api.kind {
        Kind::Http => "HTTP API",
        Kind::Rest => "REST API",
        Kind::WebSocket => "WebSocket API",
    };
    let rows = api.routes.iter().filter(|(key, route)| !route.is_preflight(key));
    let rows = rows.map(|(key, route)| route_row(matrix, api, key, route));
    Section { title: format!("{kind} {}", readable(id)), facts: api_facts(matrix, api), rows: rows.collect() }
}

fn fact(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn api_facts(matrix: &Matrix, api: &Api) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    for (name, stage) in &api.stages {
        facts.push(fact(&format!("stage {}", readable(name)), limits(&stage.limits)));
    }
    for (path, allowed) in &api.cors {
        let at = if path == "/*" { "CORS".to_owned() } else { format!("CORS at {path}") };
        facts.push((at, cors_whole(allowed)));
    }
    if api.execute_api_endpoint != Setting::Known(true) {
        facts.push(fact("execute-api endpoint", on(&api.execute_api_endpoint)));
    }
    if api.private != Setting::Known(false) {
        facts.push(fact("private", on(&api.private)));
    }
    for domain in &api.domains {
        let known = matrix.domains.get(domain);
        let name = known.map_or(domain, |domain| &domain.name);
        let certificates = known.and_then(|domain| domain.mutual_tls.as_ref());
        let how = certificates.map_or("any client may connect".to_owned(), |uri| format!("certificates of {uri}"));
        facts.push(fact(&format!("domain {}", readable(name)), how));
    }
    if api.key_source != Setting::Known(KeySource::Header) {
        facts.push(fact("API keys", key_source(&api.key_source)));
    }
    facts.extend(api.policy.allowed.iter().map(|grant| fact("policy allows", grant_words(grant))));
    facts.extend(api.policy.denied.iter().map(|grant| fact("policy denies", grant_words(grant))));
    facts.extend(api.policy.unread.iter().map(|said| fact("policy", format!("UNKNOWN: {}", readable(said)))));
    if api.document.is_some() {
        facts.push(fact("OpenAPI document", "its routes are not read"));
    }
    facts
}

fn key_source(source: &Setting<KeySource>) -> String {
    match source {
        Setting::Known(KeySource::Header) => "from callers".to_owned(),
        Setting::Known(KeySource::Authorizer) => "from the functions that decide".to_owned(),
        Setting::Unknown { unknown } => format!("UNKNOWN: {}", readable(unknown)),
    }
}

fn on(setting: &Setting<bool>) -> String {
    match setting {
        Setting::Known(true) => "on".to_owned(),
        Setting::Known(false) => "off".to_owned(),
        Setting::Unknown { unknown } => format!("UNKNOWN: {}", readable(unknown)),
    }
}

fn route_row(matrix: &Matrix, api: &Api, key: &str, route: &Route) -> [String; 11] {
    let said = |name: &str| match &route.guard {
        Guard::Lambda(lambda) => lambda.settings.get(name).map(|value| listed_words(value)).unwrap_or_default(),
        _ => String::new(),
    };
    let (issuer, audience) = match &route.guard {
        Guard::Jwt(jwt) => (readable(&jwt.issuer), joined(&jwt.audiences)),
        Guard::Cognito(cognito) => (joined_with("user pool ", &cognito.pools), "every client".to_owned()),
        Guard::Lambda(_) => {
            let pool = said("USER_POOL_ID");
            (if pool.is_empty() { pool } else { format!("user pool {pool}") }, said("CLIENT_IDS"))
        }
        _ => (String::new(), String::new()),
    };
    let scopes = route.guard.scopes().map(joined).filter(|scopes| !scopes.is_empty());
    [
        key.to_owned(),
        who(route),
        issuer,
        audience,
        scopes.unwrap_or_else(|| said("REQUIRED_SCOPES")),
        said("REQUIRED_GROUPS"),
        cached(api, key, route),
        throttle(api, key),
        cors_of(api, key),
        answered(&route.behind),
        may(matrix, &route.behind),
    ]
}

/// Who may call, in a few words.
fn who(route: &Route) -> String {
    let mut who = match &route.guard {
        Guard::Public => "PUBLIC".to_owned(),
        Guard::Connected => "who is connected".to_owned(),
        Guard::Jwt(jwt) => format!("{} (JWT)", jwt.authorizer),
        Guard::Cognito(cognito) => format!("{} (Cognito)", cognito.authorizer),
        Guard::Lambda(lambda) => format!("{} (function {})", lambda.authorizer, readable(&lambda.function)),
        Guard::Iam => "IAM".to_owned(),
        Guard::Unknown { authorization, .. } => format!("UNKNOWN ({})", readable(authorization)),
    };
    match &route.api_key {
        Setting::Known(false) => {}
        Setting::Known(true) => who.push_str(" and an API key"),
        Setting::Unknown { unknown } => who.push_str(&format!(" and an API key if {}", readable(unknown))),
    }
    if let Some(condition) = &route.only_if {
        who.push_str(&format!(", if {condition}"));
    }
    who
}

/// For how long decisions and answers are kept.
fn cached(api: &Api, key: &str, route: &Route) -> String {
    let decisions = match &route.guard {
        Guard::Lambda(lambda) if lambda.ttl != Setting::Known(0.0) => {
            Some(format!("decisions {} s", shown(&lambda.ttl)))
        }
        _ => None,
    };
    let answers = api.stages.values().filter_map(|stage| stage.limits(key).cached.as_ref());
    let answers: BTreeSet<String> = answers.map(|seconds| format!("answers {} s", shown(seconds))).collect();
    decisions.into_iter().chain(answers).collect::<Vec<_>>().join(", ")
}

fn throttle(api: &Api, key: &str) -> String {
    let all: BTreeSet<String> = api.stages.values().map(|stage| rates(stage.limits(key))).collect();
    all.into_iter().collect::<Vec<_>>().join(", ")
}

/// Requests a second and at once.
fn rates(limits: &Limits) -> String {
    match (&limits.rate, &limits.burst) {
        (None, None) => "the account's".to_owned(),
        (rate, burst) => {
            let said = |bound: &Option<Setting<f64>>| bound.as_ref().map_or("any".to_owned(), shown);
            format!("{}/s, {} at once", said(rate), said(burst))
        }
    }
}

fn limits(limits: &Limits) -> String {
    let cached = limits.cached.as_ref().map(|seconds| format!(", answers kept {} s", shown(seconds)));
    format!("{}{}", rates(limits), cached.unwrap_or_default())
}

fn shown(number: &Setting<f64>) -> String {
    match number {
        Setting::Known(number) => number.to_string(),
        Setting::Unknown { unknown } => readable(unknown),
    }
}

/// The origins whose pages may read what a route answers.
fn cors_of(api: &Api, key: &str) -> String {
    let path = key.split_once(' ').map_or(key, |(_, path)| path);
    let cors = api.cors.get(path).or_else(|| api.cors.get("/*"));
    cors.map(|cors| joined(&cors.origins)).unwrap_or_default()
}

fn cors_whole(cors: &Cors) -> String {
    let credentials = match &cors.credentials {
        Setting::Known(true) => ", with cookies".to_owned(),
        Setting::Known(false) => String::new(),
        Setting::Unknown { unknown } => format!(", with cookies where {} says so", readable(unknown)),
    };
    let parts = [("methods", &cors.methods), ("headers", &cors.headers)];
    let parts = parts.iter().filter(|(_, set)| !set.is_empty()).map(|(name, set)| format!("; {name} {}", joined(set)));
    format!("{}{credentials}{}", joined(&cors.origins), parts.collect::<String>())
}

fn answered(behind: &Behind) -> String {
    match behind {
        Behind::Function(id) => readable(id),
        Behind::Fixed => "a fixed answer".to_owned(),
        Behind::Other(address) => readable(address),
        Behind::Nothing => String::new(),
    }
}

fn may(matrix: &Matrix, behind: &Behind) -> String {
    let Behind::Function(id) = behind else { return String::new() };
    matrix.functions.get(id).map(|function| deeds(&function.powers)).unwrap_or_else(|| "UNKNOWN".to_owned())
}

/// What a function may do, its own log apart.
fn deeds(powers: &Powers) -> String {
    let allowed = powers.policy.allowed.iter().filter(|grant| !grant.action.starts_with("logs:")).map(grant_words);
    let denied = powers.policy.denied.iter().map(|grant| format!("not {}", grant_words(grant)));
    let managed =
        powers.managed.iter().map(|arn| format!("policy {}", readable(arn.rsplit('/').next().unwrap_or(arn))));
    let role = powers.role.iter().map(|role| format!("UNKNOWN: role {}", readable(role)));
    let unread = powers.policy.unread.iter().map(|said| format!("UNKNOWN: {}", readable(said)));
    let boundary = powers.boundary.iter().map(|arn| format!("within {}", readable(arn)));
    allowed.chain(denied).chain(managed).chain(unread).chain(role).chain(boundary).collect::<Vec<_>>().join(", ")
}

fn grant_words(grant: &Grant) -> String {
    let who = grant.principal.as_ref().map(|who| format!(" by {}", readable(who))).unwrap_or_default();
    let condition = grant.condition.as_ref().map(|said| format!(" if {}", readable(said))).unwrap_or_default();
    format!("{} on {}{who}{condition}", readable(&grant.action), readable(&grant.resource))
}

fn function_row(id: &str, function: &Function) -> [String; 4] {
    let callers = function.callers.iter().map(caller).collect::<Vec<_>>().join(", ");
    let own = function.url.as_ref().map(|url| address(url).to_owned());
    let aliases = function.aliases.iter().map(|(alias, url)| format!("{} at {}", address(url), readable(alias)));
    let addresses = own.into_iter().chain(aliases).collect::<Vec<_>>().join(", ");
    [readable(id), deeds(&function.powers), callers, addresses]
}

/// Who passes at an address of a function.
fn address(url: &FunctionUrl) -> &'static str {
    match &url.guard {
        Guard::Public => "PUBLIC",
        Guard::Iam => "IAM",
        _ => "UNKNOWN",
    }
}

/// Whether a cell that says who passes names a door that stands open, as far as is known.
#[must_use]
pub fn is_open(who: &str) -> bool {
    who.split(", ").any(|who| who.starts_with("PUBLIC") || who.starts_with("UNKNOWN"))
}

fn caller(caller: &Caller) -> String {
    let principal = if caller.principal == "*" { "EVERYBODY".to_owned() } else { readable(&caller.principal) };
    let source = caller.source.as_ref().map(|source| format!(" for {}", readable(source))).unwrap_or_default();
    let at = caller.qualifier.as_ref().map(|alias| format!(" at {}", readable(alias))).unwrap_or_default();
    format!("{principal}{source}{at}")
}

fn pool_section(id: &str, pool: &Pool) -> Section<0> {
    let mut facts = vec![
        fact(
            "sign-up",
            match &pool.self_sign_up {
                Setting::Known(true) => "everybody".to_owned(),
                Setting::Known(false) => "administrators only".to_owned(),
                Setting::Unknown { unknown } => format!("UNKNOWN: {}", readable(unknown)),
            },
        ),
        fact("second factor", readable(&pool.mfa)),
        fact(
            "passwords",
            format!(
                "{} characters{}",
                shown(&pool.password_length),
                pool.password_classes.iter().map(|class| format!(", {class}")).collect::<String>()
            ),
        ),
    ];
    let sets = [("confirmed", &pool.verified), ("recovery", &pool.recovery), ("factors", &pool.factors)];
    let more = [("groups", &pool.groups), ("scopes", &pool.scopes)];
    for (name, set) in sets.iter().chain(&more).filter(|(_, set)| !set.is_empty()) {
        facts.push(fact(name, joined(set)));
    }
    facts.extend(pool.triggers.iter().map(|(name, function)| fact(name, format!("function {}", readable(function)))));
    facts.extend(pool.providers.keys().map(|provider| fact("identity provider", readable(provider))));
    for (name, client) in &pool.clients {
        let lifetimes = client.lifetimes.iter().map(|(kind, seconds)| format!("{kind} tokens {} s", shown(seconds)));
        let sets = [&client.auth_flows, &client.oauth_flows, &client.scopes, &client.callbacks, &client.providers];
        let sets = sets.into_iter().filter(|set| !set.is_empty()).map(joined);
        facts.push(fact(&format!("client {name}"), sets.chain(lifetimes).collect::<Vec<_>>().join("; ")));
    }
    Section { title: format!("User pool {}", readable(id)), facts, rows: Vec::new() }
}

fn joined(set: &BTreeSet<String>) -> String {
    joined_with("", set)
}

fn joined_with(before: &str, set: &BTreeSet<String>) -> String {
    set.iter().map(|text| format!("{before}{}", readable(text))).collect::<Vec<_>>().join(", ")
}

fn listed_words(value: &str) -> String {
    value.split(' ').map(readable).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_has_a_line_a_route() {
        let template = serde_json::from_str(include_str!("../../tests/templates/notes.json")).expect("a template");
        let text = Page::of("notes", &Matrix::of(&template, &BTreeMap::new())).markdown();
        let line = text.lines().find(|line| line.starts_with("| PUT /notes |")).expect("the route is there");
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let expected = [
            "PUT /notes",
            "Token (function Authorizer)",
            "",
            "",
            "",
            "",
            "decisions 300 s",
            "1000/s, 1000 at once",
            "",
            "PutNote",
            "dynamodb:PutItem on Notes",
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn names_are_no_markup() {
        let template = json!({ "Resources": {
            "Api": { "Type": "AWS::ApiGatewayV2::Api" },
            "Route": { "Type": "AWS::ApiGatewayV2::Route", "Properties": { "ApiId": { "Ref": "Api" },
                "RouteKey": "GET /|<script>`*\n" } },
        } });
        let text = Page::of("s", &Matrix::of(&template, &BTreeMap::new())).markdown();
        assert!(text.contains("| GET /\\|&lt;script&gt;\\`\\*  | PUBLIC |"), "{text}");
    }
}
