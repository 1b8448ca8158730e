//! The events of authorizers, read into one question: may the caller of this API pass?

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::Error;
use crate::verdict::{Verdict, policy};

/// Longest token that is looked at, in bytes. All headers of a request together have 10 kB, its address 8 kB.
const TOKEN_LIMIT: usize = 16 * 1024;

/// What API Gateway sends, as far as it is read.
#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Event {
    version: Option<String>,
    r#type: Option<String>,
    authorization_token: Option<String>,
    method_arn: Option<String>,
    route_arn: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    query_string_parameters: Option<BTreeMap<String, String>>,
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
}

/// What the function's environment says about its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `TOKEN_HEADER`: the header that holds the token in REQUEST events. `Authorization` where neither this nor
    /// `TOKEN_QUERY` is set. It has to be the authorizer's identity source: the gateway caches by that.
    pub header: Option<String>,
    /// `TOKEN_QUERY`: the query parameter that holds the token in REQUEST events which do not have the header.
    pub query: Option<String>,
    /// `SIMPLE_RESPONSES`: whether payload 2.0 is answered by `isAuthorized`, as `EnableSimpleResponses` lets it, or,
    /// when this is `false`, by a policy.
    pub simple: bool,
}

impl Settings {
    /// Reads the variables of an environment.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let (header, query) = (set("TOKEN_HEADER"), set("TOKEN_QUERY"));
        let default = query.is_none().then(|| "Authorization".to_owned());
        let simple = set("SIMPLE_RESPONSES").is_none_or(|value| value != "false");
        Self { header: header.or(default), query, simple }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::read(|_| None)
    }
}

/// How a question wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// By a policy; `Unauthorized` is understood.
    Policy,
    /// By a policy; an error would be a 500.
    HttpPolicy,
    /// By `isAuthorized`; an error would be a 500.
    Simple,
}

/// May this caller pass?
#[derive(Clone)]
pub struct Question {
    form: Form,
    /// ARN of every route of the stage that was called.
    routes: String,
    token: Option<String>,
}

impl Question {
    /// Reads an event.
    ///
    /// # Errors
    /// [`Error::Event`] for an event that no authorizer gets.
    pub fn read(event: &Event, settings: &Settings) -> Result<Self, Error> {
        let form = match (event.version.as_deref(), settings.simple) {
            (Some("2.0"), true) => Form::Simple,
            (Some("2.0" | "1.0"), _) => Form::HttpPolicy,
            _ => Form::Policy,
        };
        let arn = event.route_arn.as_deref().or(event.method_arn.as_deref()).ok_or(Error::Event)?;
        let routes = routes_of_stage(arn, form).ok_or(Error::Event)?;
        let presented = match event.r#type.as_deref() {
            Some("TOKEN") => event.authorization_token.as_deref(),
            Some("REQUEST") => event.presented(settings),
            _ => return Err(Error::Event),
        };
        Ok(Self { form, routes, token: presented.and_then(bare).map(str::to_owned) })
    }

    /// The token that the caller presents, without the name of its scheme. `None` also where it is presented twice, so
    /// that nobody could say which one counts, and where it is longer than any token is.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The answer that the gateway understands.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], which is how REST and WebSocket APIs are told of an unknown caller.
    pub fn answer(&self, verdict: &Verdict) -> Result<Value, Error> {
        match (self.form, verdict) {
            (Form::Simple, Verdict::Allow(caller)) => Ok(json!({ "isAuthorized": true, "context": caller.context })),
            (Form::Simple, _) => Ok(json!({ "isAuthorized": false })),
            (Form::Policy, Verdict::Unauthorized) => Err(Error::Unauthorized),
            (_, verdict) => Ok(policy(verdict, &self.routes)),
        }
    }
}

impl Event {
    /// The token of a REQUEST event.
    fn presented(&self, settings: &Settings) -> Option<&str> {
        let header = settings.header.as_deref().map(|name| {
            let is_it = |other: &str| other.eq_ignore_ascii_case(name);
            named(self.multi_value_headers.as_ref(), self.headers.as_ref(), is_it)
        });
        match header {
            Some(values) if !values.is_empty() => only(&values),
            _ => {
                let (lists, texts) = (&self.multi_value_query_string_parameters, &self.query_string_parameters);
                let name = settings.query.as_deref()?;
                only(&named(lists.as_ref(), texts.as_ref(), |other| other == name))
            }
        }
    }
}

/// All values of a name. The maps of single values hold the last one of several, so that of lists comes first.
fn named<'a>(
    lists: Option<&'a BTreeMap<String, Vec<String>>>,
    texts: Option<&'a BTreeMap<String, String>>,
    is_it: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let lists = lists.into_iter().flatten().filter(|(name, _)| is_it(name));
    let values: Vec<&str> = lists.flat_map(|(_, values)| values).map(String::as_str).collect();
    if !values.is_empty() {
        return values;
    }
    texts.into_iter().flatten().filter(|(name, _)| is_it(name)).map(|(_, value)| value.as_str()).collect()
}

fn only<'a>(values: &[&'a str]) -> Option<&'a str> {
    match values {
        [value] => Some(value),
        _ => None,
    }
}

/// What is presented, without the name of the scheme, which may be left out.
fn bare(presented: &str) -> Option<&str> {
    let presented = presented.trim();
    let token = match presented.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        _ => presented,
    };
    (!token.is_empty() && token.len() <= TOKEN_LIMIT).then_some(token)
}

/// `arn:aws:execute-api:{region}:{account}:{api}/{stage}/*/*`: every method and path below the stage that was called.
///
/// The routes of WebSocket APIs, and `$default` of HTTP APIs, have no method before a slash.
fn routes_of_stage(arn: &str, form: Form) -> Option<String> {
    let mut parts = arn.splitn(3, '/');
    let (api, stage, route) = (parts.next()?, parts.next()?, parts.next()?);
    let ["arn", _, "execute-api", _, _, id] = *api.split(':').collect::<Vec<_>>() else { return None };
    if id.is_empty() || stage.is_empty() || id.contains(['*', '?', '$']) {
        return None;
    }
    let is_method = form == Form::Policy && route.contains('/');
    Some(format!("{api}/{stage}/{}", if is_method { "*/*" } else { "*" }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Event, Question, Settings, TOKEN_LIMIT};
    use crate::{Caller, Error, Verdict};

    const API: &str = "arn:aws:execute-api:us-east-1:123456789012:abc";

    fn event(value: Value) -> Event {
        serde_json::from_value(value).expect("the event is well formed")
    }

    fn asked(value: Value, settings: &Settings) -> Question {
        let question = Question::read(&event(value), settings);
        question.unwrap_or_else(|error| panic!("it is an authorizer's event: {error}"))
    }

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings::read(|name| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned()))
    }

    fn token(value: Value, variables: &[(&str, &str)]) -> Option<String> {
        asked(value, &settings(variables)).token().map(str::to_owned)
    }

    fn request(more: Value) -> Value {
        let mut event = json!({ "type": "REQUEST", "methodArn": format!("{API}/test/GET/notes") });
        event.as_object_mut().expect("it is one").extend(more.as_object().cloned().unwrap_or_default());
        event
    }

    fn presented(text: &str) -> Option<String> {
        token(json!({ "type": "TOKEN", "authorizationToken": text, "methodArn": format!("{API}/test/GET/") }), &[])
    }

    #[test]
    fn the_scheme_may_be_left_out() {
        assert_eq!(presented("abc").as_deref(), Some("abc"));
        assert_eq!(presented("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(presented(" bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(presented("Basic abc").as_deref(), Some("Basic abc"));
        assert_eq!(presented("  "), None);
        assert_eq!(presented("Bearer "), Some("Bearer".to_owned()));
    }

    #[test]
    fn a_token_has_a_longest() {
        assert!(presented(&"a".repeat(TOKEN_LIMIT)).is_some());
        assert!(presented(&"a".repeat(TOKEN_LIMIT + 1)).is_none());
    }

    #[test]
    fn only_the_configured_source_is_read() {
        let both = || request(json!({ "headers": { "authorization": "h" }, "queryStringParameters": { "t": "q" } }));
        assert_eq!(token(both(), &[]).as_deref(), Some("h"));
        assert_eq!(token(both(), &[("TOKEN_QUERY", "t")]).as_deref(), Some("q"));
        assert_eq!(token(both(), &[("TOKEN_HEADER", "X-Token")]), None);
        assert_eq!(token(both(), &[("TOKEN_HEADER", "X-Token"), ("TOKEN_QUERY", "t")]).as_deref(), Some("q"));
        assert_eq!(token(both(), &[("TOKEN_QUERY", "T")]), None, "query parameters have a case");
    }

    #[test]
    fn a_token_that_is_presented_twice_is_none() {
        let twice =
            json!({ "headers": { "Authorization": "b" }, "multiValueHeaders": { "Authorization": ["a", "b"] } });
        assert_eq!(token(request(twice), &[]), None);
        assert_eq!(token(request(json!({ "headers": { "Authorization": "a", "authorization": "b" } })), &[]), None);
        let query = json!({ "multiValueQueryStringParameters": { "t": ["a", "b"] } });
        assert_eq!(token(request(query), &[("TOKEN_QUERY", "t")]), None);
    }

    #[test]
    fn a_policy_covers_the_whole_stage() {
        let resource = |value: Value, variables: &[(&str, &str)]| {
            let allow = Verdict::Allow(Caller::new("alice"));
            let answer = asked(value, &settings(variables)).answer(&allow).expect("it is a policy");
            answer["policyDocument"]["Statement"][0]["Resource"].as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(resource(request(json!({})), &[]), format!("{API}/test/*/*"));
        let socket = json!({ "methodArn": format!("{API}/prod/$connect"), "version": "$LATEST" });
        assert_eq!(resource(request(socket), &[]), format!("{API}/prod/*"));
        let http = json!({ "version": "2.0", "routeArn": format!("{API}/$default/GET/notes") });
        assert_eq!(resource(request(http), &[("SIMPLE_RESPONSES", "false")]), format!("{API}/$default/*"));
    }

    #[test]
    fn each_api_is_answered_in_its_own_way() {
        let answers = |value: Value, variables: &[(&str, &str)]| {
            let question = asked(value, &settings(variables));
            let [deny, nobody] = [Verdict::Deny("alice".into()), Verdict::Unauthorized];
            (question.answer(&deny), question.answer(&nobody))
        };
        let effect = |answer: Result<Value, Error>| {
            answer.expect("there is one")["policyDocument"]["Statement"][0]["Effect"].clone()
        };
        let (deny, nobody) = answers(request(json!({})), &[]);
        assert_eq!((effect(deny), nobody), (json!("Deny"), Err(Error::Unauthorized)));
        let (deny, nobody) = answers(request(json!({ "version": "1.0" })), &[]);
        assert_eq!((effect(deny), effect(nobody)), (json!("Deny"), json!("Deny")));
        let no = || Ok(json!({ "isAuthorized": false }));
        assert_eq!(answers(request(json!({ "version": "2.0" })), &[]), (no(), no()));
        let (deny, nobody) = answers(request(json!({ "version": "2.0" })), &[("SIMPLE_RESPONSES", "false")]);
        assert_eq!((effect(deny), effect(nobody)), (json!("Deny"), json!("Deny")));
    }

    #[test]
    fn the_context_reaches_the_integration() {
        let caller = || Caller::new("alice").with("scope", Some("a b")).with("groups", None::<String>);
        let simple = asked(request(json!({ "version": "2.0" })), &Settings::default());
        let expected = json!({ "isAuthorized": true, "context": { "scope": "a b" } });
        assert_eq!(simple.answer(&Verdict::Allow(caller())), Ok(expected));
        let answer = asked(request(json!({})), &Settings::default()).answer(&Verdict::Allow(caller()));
        let answer = answer.expect("it is a policy");
        assert_eq!((&answer["principalId"], &answer["context"]), (&json!("alice"), &json!({ "scope": "a b" })));
    }

    #[test]
    fn other_events_are_refused() {
        let strangers = [
            json!({}),
            json!({ "type": "TOKEN", "authorizationToken": "a" }),
            json!({ "type": "OTHER", "methodArn": format!("{API}/test/GET/") }),
            json!({ "type": "TOKEN", "methodArn": "arn:aws:execute-api:us-east-1:123456789012:*/test/GET/" }),
            json!({ "type": "TOKEN", "methodArn": "arn:aws:lambda:us-east-1:123456789012:abc/test/GET/" }),
            json!({ "type": "TOKEN", "methodArn": format!("{API}/test") }),
            json!({ "type": "TOKEN", "methodArn": "*" }),
        ];
        for stranger in strangers {
            let read = Question::read(&event(stranger.clone()), &Settings::default());
            assert_eq!(read.err(), Some(Error::Event), "{stranger}");
        }
    }
}
