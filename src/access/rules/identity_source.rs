//! Each kind of API has its own words for where a request carries its token.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, guards};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "identity-source",
    verdict: Verdict::Refused,
    title: "an identity source is written as the kind of the API has it",
    why: "`$request.header.X` belongs to HTTP APIs, `method.request.header.X` to REST APIs and `route.request.header.X` to \
          WebSocket APIs. API Gateway refuses the words of another kind, in the middle of the deployment.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html",
    good: "\
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web], identitySource: $request.header.Authorization } }
    routes:
      GET /notes: { function: Notes, authorizer: Members }
",
    bad: "\
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web], identitySource: method.request.header.Authorization } }
    routes:
      GET /notes: { function: Notes, authorizer: Members }
",
    find: Find::Stack(find),
};

/// What an identity source begins with, in each kind of API.
struct Words {
    /// Before what may stand.
    beginnings: &'static [&'static str],
    /// Before a header.
    header: &'static str,
    /// Before a parameter of the query.
    query: &'static str,
    /// The kind of the API, with its article.
    api: &'static str,
    /// What to write where nothing can be guessed.
    usual: &'static str,
}

const JWT: Words = Words {
    beginnings: &["$request.header.", "$request.querystring."],
    header: "$request.header",
    query: "$request.querystring",
    api: "an HTTP API",
    usual: "`$request.header.Authorization` or `$request.querystring.token`",
};
const LAMBDA: Words =
    Words { beginnings: &["$request.header.", "$request.querystring.", "$context.", "$stageVariables."], ..JWT };
const TOKEN: Words = Words {
    beginnings: &["method.request.header."],
    header: "method.request.header",
    query: "",
    api: "a REST API",
    usual: "`method.request.header.Authorization`",
};
const REQUEST: Words = Words {
    beginnings: &["method.request.header.", "method.request.querystring.", "stageVariables.", "context."],
    query: "method.request.querystring",
    usual: "`method.request.header.X`, `method.request.querystring.x` or `context.x`",
    ..TOKEN
};
const CONNECTION: Words = Words {
    beginnings: &["route.request.header.", "route.request.querystring.", "stageVariables.", "context."],
    header: "route.request.header",
    query: "route.request.querystring",
    api: "a WebSocket API",
    usual: "`route.request.querystring.token` or `route.request.header.Authorization`",
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for guard in guards(stack) {
        let one =
            |source, words| wrong(source, words).map(|(message, help)| guard.at(&["identitySource"], message, help));
        let many = |sources: &[String], words| {
            let found =
                sources.iter().enumerate().filter_map(|(index, it)| Some((index.to_string(), wrong(it, words)?)));
            let told = found.map(|(index, (message, help))| guard.at(&["identitySources", &index], message, help));
            told.collect::<Vec<_>>()
        };
        match guard.decider {
            Decider::Jwt(it) => complaints.extend(one(&it.identity_source, &JWT)),
            Decider::Token(it) => complaints.extend(one(&it.identity_source, &TOKEN)),
            Decider::Cognito(it) => complaints.extend(one(&it.identity_source, &TOKEN)),
            Decider::Lambda(it) => complaints.extend(many(&it.identity_sources, &LAMBDA)),
            Decider::Request(it) => complaints.extend(many(&it.identity_sources, &REQUEST)),
            Decider::Connection(it) => complaints.extend(many(&it.identity_sources, &CONNECTION)),
            Decider::Iam | Decider::Foreign => {}
        }
    }
    complaints
}

/// What is wrong with an identity source, and what to write.
fn wrong(source: &str, words: &Words) -> Option<(String, String)> {
    if words.beginnings.iter().find_map(|beginning| source.strip_prefix(beginning)).is_some_and(is_word) {
        return None;
    }
    let (before, name) = source.rsplit_once('.').unwrap_or(("", source));
    let help = match before {
        _ if !is_word(name) => format!("write {}", words.usual),
        _ if before.ends_with("request.header") => format!("on {} it is `{}.{name}`", words.api, words.header),
        _ if before.ends_with("request.querystring") && !words.query.is_empty() => {
            format!("on {} it is `{}.{name}`", words.api, words.query)
        }
        "" if words.api == CONNECTION.api => format!("to look at the query, write `{}.{name}`", words.query),
        "" => format!("to look at the header, write `{}.{name}`", words.header),
        _ => format!("write {}", words.usual),
    };
    Some((format!("`{}` is not where a request can carry a token", source.escape_debug()), help))
}

/// Whether a name is one that headers and query parameters have.
fn is_word(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.!#$%&'*+^`|~".contains(c))
}
