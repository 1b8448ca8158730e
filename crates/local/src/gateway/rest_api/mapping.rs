//! Parameter mappings and mapping templates.
//!
//! Of the Velocity language only references are understood (`$context.…`, `$stageVariables.…`, `$input.body`,
//! `$input.json('$')`, `$input.params('…')`): what gateway responses, preflight answers and plain pass-through need. A
//! template with a directive is refused when it is declared, see [`is_offered`].

use serde_json::Value;

use super::call::Call;
use super::context;

/// What templates and mappings take their values from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) call: &'a Call,
    /// `$context`.
    pub(super) context: &'a Value,
    /// `$input`: the request's body, or what the integration answered.
    pub(super) input: &'a [u8],
}

/// Whether a template is one that this gateway can render.
pub(crate) fn is_offered(template: &str) -> bool {
    let directive = |rest: &str| {
        [
            "set", "if", "elseif", "else", "end", "foreach", "macro", "include", "parse", "define", "evaluate",
            "break", "stop",
        ]
        .iter()
        .any(|name| {
            let rest = rest.trim_start_matches('{');
            rest.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        })
    };
    let directives = template.split('#').skip(1).any(directive);
    let references = template.split('$').skip(1).any(|rest| rest.trim_start_matches(['!', '{']).starts_with("util."));
    !directives && !references
}

/// The value of a mapping's right side, such as `method.request.header.Accept` or `'literal'`.
pub(super) fn parameter(expression: &str, place: &Place<'_>) -> Option<String> {
    let call = place.call;
    let literal = expression.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    if let Some(literal) = literal {
        return Some(literal.to_owned());
    }
    if let Some(name) = expression.strip_prefix("method.request.header.") {
        call.header(name)
    } else if let Some(name) = expression.strip_prefix("method.request.querystring.") {
        call.query_parameter(name)
    } else if let Some(name) = expression.strip_prefix("method.request.path.") {
        call.path_parameter(name)
    } else if let Some(name) = expression.strip_prefix("stageVariables.") {
        call.bound.stage.variables.get(name).cloned()
    } else if expression == "method.request.body" {
        Some(String::from_utf8_lossy(&call.request.body).into_owned())
    } else {
        context::lookup(place.context, expression.strip_prefix("context.")?)
    }
}

/// A template with its references replaced; one that is not understood stays as it is, as in Velocity.
pub(super) fn render(template: &str, place: &Place<'_>) -> String {
    let mut rendered = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        rendered.push_str(before);
        match reference(after, place) {
            Some((value, length)) => {
                rendered.push_str(&value);
                rest = after.get(length..).unwrap_or_default();
            }
            None => {
                rendered.push('$');
                rest = after;
            }
        }
    }
    rendered.push_str(rest);
    rendered
}

/// The value of the reference that a text begins with, and how long it is.
fn reference(text: &str, place: &Place<'_>) -> Option<(String, usize)> {
    let braced = text.strip_prefix('{');
    let inner = braced.unwrap_or(text);
    let (value, length) = if let Some(rest) = inner.strip_prefix("context.") {
        let name = dotted(rest);
        (context::lookup(place.context, name).unwrap_or_default(), "context.".len() + name.len())
    } else if let Some(rest) = inner.strip_prefix("stageVariables.") {
        let name = dotted(rest);
        let value = place.call.bound.stage.variables.get(name).cloned();
        (value.unwrap_or_default(), "stageVariables.".len() + name.len())
    } else {
        input(inner.strip_prefix("input.")?, place).map(|(value, length)| (value, "input.".len() + length))?
    };
    match braced {
        None => Some((value, length)),
        Some(_) => inner.get(length..)?.starts_with('}').then_some((value, length + 2)),
    }
}

fn input(text: &str, place: &Place<'_>) -> Option<(String, usize)> {
    let body = || String::from_utf8_lossy(place.input).into_owned();
    if text.starts_with("body") {
        return Some((body(), "body".len()));
    }
    if let Some(whole) = ["json('$')", "json(\"$\")"].into_iter().find(|whole| text.starts_with(whole)) {
        let body = body();
        return Some((if body.is_empty() { "{}".to_owned() } else { body }, whole.len()));
    }
    let rest = text.strip_prefix("params('")?;
    let (name, _) = rest.split_once("')")?;
    let call = place.call;
    let value = call.path_parameter(name).or_else(|| call.query_parameter(name)).or_else(|| call.header(name));
    Some((value.unwrap_or_default(), "params('".len() + name.len() + "')".len()))
}

/// The dotted name that a text begins with. A dot at its end is the sentence's, not the name's.
fn dotted(text: &str) -> &str {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    text.split(ends).next().unwrap_or_default().trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};
    use serde_json::json;
    use time::OffsetDateTime;

    use super::{Place, is_offered, parameter, render};
    use crate::gateway::rest_api::call::{Bound, Call};
    use crate::wire::{Caller, Request};

    fn call() -> Call {
        let request = Request {
            id: "i".to_owned(),
            method: Method::GET,
            path: "/".to_owned(),
            query: "q=a%20b".to_owned(),
            headers: HeaderMap::from_iter([("x-h".parse().expect("a name"), HeaderValue::from_static("h"))]),
            spelling: Default::default(),
            body: Bytes::from_static(b"{\"a\":1}"),
            caller: Caller::Anonymous,
        };
        let mut bound = Bound::default();
        bound.stage.variables.insert("v".to_owned(), "V".to_owned());
        Call::new(request, "/".to_owned(), bound, OffsetDateTime::UNIX_EPOCH)
    }

    #[test]
    fn references_are_replaced_and_all_else_stays() {
        let (call, context) = (call(), json!({ "error": { "messageString": "\"no\"" }, "n": 1 }));
        let place = Place { call: &call, context: &context, input: &call.request.body };
        let cases = [
            ("{\"m\": $context.error.messageString, \"n\": $context.n}", "{\"m\": \"no\", \"n\": 1}"),
            ("${context.n}x $context.n. $context.nothing|", "1x 1. |"),
            ("$stageVariables.v $input.params('q') $input.params('x-h')", "V a b h"),
            ("$input.body $input.json('$')", "{\"a\":1} {\"a\":1}"),
            ("$ $5 $other.thing ${context.n", "$ $5 $other.thing ${context.n"),
        ];
        for (template, expected) in cases {
            assert_eq!(render(template, &place), expected, "{template}");
        }
    }

    #[test]
    fn parameters_come_from_the_request_the_stage_and_the_context() {
        let (call, context) = (call(), json!({ "requestId": "r" }));
        let place = Place { call: &call, context: &context, input: &call.request.body };
        let value = |expression: &str| parameter(expression, &place);
        assert_eq!(value("'a.b.c'").as_deref(), Some("a.b.c"));
        assert_eq!(value("method.request.header.X-H").as_deref(), Some("h"));
        assert_eq!(value("method.request.querystring.q").as_deref(), Some("a b"));
        assert_eq!(value("stageVariables.v").as_deref(), Some("V"));
        assert_eq!(value("context.requestId").as_deref(), Some("r"));
        assert_eq!(value("method.request.header.none"), None);
        assert_eq!(value("'open"), None);
    }

    #[test]
    fn directives_are_not_offered() {
        for template in ["#set($x = 1)", "#if(true)a#end", "#{else}", "$util.escapeJavaScript('x')"] {
            assert!(!is_offered(template), "{template}");
        }
        for template in
            ["{\"statusCode\": 200}", "# heading", "{\"colour\": \"#fff\"}", "#settings", "$context.requestId"]
        {
            assert!(is_offered(template), "{template}");
        }
    }
}
