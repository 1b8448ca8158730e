//! Route selection: which route a message means.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html>.

use serde_json::Value;

/// Where a message says which route it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection<'a>(Vec<Part<'a>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    /// The members that lead to a value of the message.
    Body(Vec<&'a str>),
}

impl<'a> Selection<'a> {
    /// Reads `$request.body.action`, or text with `${request.body.action}` in it; `None` when it is neither, or looks at
    /// nothing of the message.
    pub(crate) fn parse(expression: &'a str) -> Option<Self> {
        if let Some(path) = expression.strip_prefix("$request.body.") {
            return Some(Self(vec![Part::Body(members(path)?)]));
        }
        let mut parts = Vec::new();
        let mut rest = expression;
        while let Some((before, after)) = rest.split_once("${") {
            let (inner, after) = after.split_once('}')?;
            parts.push(Part::Text(before));
            parts.push(Part::Body(members(inner.strip_prefix("request.body.")?)?));
            rest = after;
        }
        let selects = !parts.is_empty();
        parts.push(Part::Text(rest));
        (selects && !rest.contains('$')).then_some(Self(parts))
    }

    /// The route key that a message selects; `None` where it is no JSON, or does not say.
    pub(super) fn key(&self, body: &str) -> Option<String> {
        let body: Value = serde_json::from_str(body).ok()?;
        self.0.iter().map(|part| part.value(&body)).collect()
    }
}

impl Part<'_> {
    fn value(&self, body: &Value) -> Option<String> {
        let path = match self {
            Self::Text(text) => return Some((*text).to_owned()),
            Self::Body(path) => path,
        };
        match path.iter().try_fold(body, |value, member| value.get(member))? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

fn members(path: &str) -> Option<Vec<&str>> {
    let named = |member: &&str| !member.is_empty() && member.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
    let members: Vec<&str> = path.split('.').collect();
    members.iter().all(named).then_some(members)
}

#[cfg(test)]
mod tests {
    use super::Selection;

    fn key(expression: &str, body: &str) -> Option<String> {
        Selection::parse(expression).expect("it is an expression").key(body)
    }

    #[test]
    fn a_message_says_which_route_it_means() {
        let found = |text: &str| Some(text.to_owned());
        assert_eq!(key("$request.body.action", r#"{"action":"join"}"#), found("join"));
        assert_eq!(key("${request.body.action}", r#"{"action":"join"}"#), found("join"));
        assert_eq!(key("$request.body.a.b", r#"{"a":{"b":1}}"#), found("1"));
        let both = r#"{"service":"chat","action":"join"}"#;
        assert_eq!(key("${request.body.service}/${request.body.action}!", both), found("chat/join!"));
    }

    #[test]
    fn a_message_that_does_not_say_selects_nothing() {
        for body in ["hello", "", "{}", r#"{"action":null}"#, r#"{"action":{}}"#, r#"["action"]"#, r#"{"action":"#] {
            assert_eq!(key("$request.body.action", body), None, "{body}");
        }
    }

    #[test]
    fn an_expression_looks_at_the_message() {
        for expression in [
            "",
            "action",
            "$request.header.x",
            "$request.body.",
            "$request.body",
            "${request.body.a",
            "$x${request.body.a}$y",
        ] {
            assert_eq!(Selection::parse(expression), None, "{expression}");
        }
    }
}
