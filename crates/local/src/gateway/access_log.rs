//! Access logs: one line a request, as the stage's format says.

use serde_json::Value;

use crate::apigatewayv2::log_group;
use crate::cloud::Cloud;
use crate::logs;

/// Where a stage keeps its access log, and what its lines say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log<'a> {
    /// ARN of the log group.
    pub(super) destination: Option<&'a str>,
    /// What a line says, with `$context` variables.
    pub(super) format: Option<&'a str>,
    /// Name of the stream.
    pub(super) stream: &'a str,
}

impl Log<'_> {
    /// Writes the line of one request, whose variables have these values.
    pub(super) fn write(&self, cloud: &Cloud, value: impl Fn(&str) -> Option<String>) {
        let Some(group) = self.destination.and_then(log_group) else { return };
        let line = render(self.format.unwrap_or_default(), value);
        logs::append(cloud, group, self.stream, &[line]);
    }
}

/// A format with its `$context` variables replaced; those without a value become `-`.
fn render(format: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut line = String::with_capacity(format.len());
    let mut rest = format;
    while let Some((before, after)) = rest.split_once("$context.") {
        line.push_str(before);
        let name = name(after);
        line.push_str(&escaped(&value(name).unwrap_or_else(|| "-".to_owned())));
        rest = after.get(name.len()..).unwrap_or_default();
    }
    line.push_str(rest);
    line
}

/// The name at the start of a text. Claims such as `cognito:groups` hold colons within them.
fn name(text: &str) -> &str {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':'));
    let name = text.split(ends).next().unwrap_or_default();
    name.trim_end_matches(['.', ':'])
}

/// What clients send must neither end a line nor leave the quotes around it.
fn escaped(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn variables_are_replaced_and_nothing_else() {
        let value = |name: &str| (name == "a.b" || name == "claims.cognito:groups").then(|| "x".to_owned());
        assert_eq!(render("$context.a.b: $context.c. $a {$context.a.b}", value), "x: -. $a {x}");
        assert_eq!(render("$context.claims.cognito:groups:$context.", value), "x:-");
    }

    #[test]
    fn a_value_cannot_forge_a_line() {
        let line = render(r#"{"agent":"$context.a"}"#, |_| Some("x\",\"status\":\"200\"}\nforged".to_owned()));
        assert_eq!(line, r#"{"agent":"x\",\"status\":\"200\"}\nforged"}"#);
    }
}
