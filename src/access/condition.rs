//! The conditions of resource policies: what they ask, line by line.

use crate::model::Json;
use crate::model::apigateway::PolicyStatement;

/// One line of a condition. All lines must hold, each by one of its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// How the values are compared, such as `StringEquals`, as it is written.
    pub(super) operator: &'a str,
    /// What is looked at, such as `aws:SourceIp`.
    pub(super) key: &'a str,
    values: &'a Json,
}

/// The lines of a statement's condition; none where it has none.
pub(super) fn lines(statement: &PolicyStatement) -> impl Iterator<Item = Line<'_>> {
    let operators = statement.condition.as_ref().and_then(Json::as_object).into_iter().flatten();
    operators.flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, values)| Line { operator, key, values })
    })
}

impl Line<'_> {
    /// Whether it holds for every request, as far as that is plain to see. REST APIs are called over TLS alone.
    pub(super) fn holds_for_everybody(&self) -> bool {
        match self.plain_operator().as_str() {
            "ipaddress" => self.has(&["0.0.0.0/0", "::/0"]),
            "stringlike" | "arnlike" => self.has(&["*"]),
            "bool" => self.is_tls() && self.has(&["true"]),
            _ => false,
        }
    }

    /// Whether it holds for none.
    pub(super) fn holds_for_nobody(&self) -> bool {
        match self.plain_operator().as_str() {
            "notipaddress" => self.has(&["0.0.0.0/0", "::/0"]),
            "stringnotlike" | "arnnotlike" => self.has(&["*"]),
            "bool" => self.is_tls() && self.has(&["false"]),
            _ => false,
        }
    }

    /// Whether it holds as well where the request has no such key.
    pub(super) fn asks_only_if_there(&self) -> bool {
        let operator = self.operator.to_ascii_lowercase();
        operator.ends_with("ifexists") || operator == "null"
    }

    fn plain_operator(&self) -> String {
        let operator = self.operator.to_ascii_lowercase();
        operator.strip_suffix("ifexists").map(str::to_owned).unwrap_or(operator)
    }

    fn is_tls(&self) -> bool {
        self.key.eq_ignore_ascii_case("aws:SecureTransport")
    }

    /// Whether one of these is among its values.
    fn has(&self, wanted: &[&str]) -> bool {
        let is_wanted = |one: &Json| match one {
            Json::String(text) => wanted.contains(&text.as_str()),
            other => wanted.contains(&other.to_string().as_str()),
        };
        self.values.as_array().map_or_else(|| is_wanted(self.values), |values| values.iter().any(is_wanted))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lines;
    use crate::model::Json;
    use crate::model::apigateway::PolicyStatement;

    /// Whether all lines of a condition hold for everybody, and whether one of them holds for nobody.
    fn holds(condition: Json) -> (bool, bool) {
        let statement = PolicyStatement { condition: Some(condition), ..PolicyStatement::allow(["*"]) };
        (
            lines(&statement).all(|line| line.holds_for_everybody()),
            lines(&statement).any(|line| line.holds_for_nobody()),
        )
    }

    #[test]
    fn some_conditions_hold_for_everybody_or_for_nobody() {
        let (everybody, nobody, some) = ((true, false), (false, true), (false, false));
        for (condition, expected) in [
            (json!({}), everybody),
            (json!({ "IpAddress": { "aws:SourceIp": "0.0.0.0/0" } }), everybody),
            (json!({ "IpAddress": { "aws:SourceIp": ["10.0.0.0/8", "::/0"] } }), everybody),
            (json!({ "stringLikeIfExists": { "aws:PrincipalArn": "*" } }), everybody),
            (json!({ "ArnLike": { "aws:PrincipalArn": ["*"] } }), everybody),
            (json!({ "Bool": { "aws:securetransport": true } }), everybody),
            (json!({ "NotIpAddress": { "aws:SourceIp": ["0.0.0.0/0"] } }), nobody),
            (json!({ "StringNotLike": { "aws:SourceVpce": "*" } }), nobody),
            (json!({ "ArnNotLike": { "aws:PrincipalArn": "*" } }), nobody),
            (json!({ "Bool": { "aws:SecureTransport": "false" } }), nobody),
            (json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } }), some),
            (json!({ "StringEquals": { "aws:SourceVpce": "*" } }), some),
            (json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } }), some),
            (json!({ "StringLike": { "aws:PrincipalArn": "*" }, "StringEquals": { "aws:SourceVpce": "a" } }), some),
        ] {
            assert_eq!(holds(condition.clone()), expected, "{condition}");
        }
    }
}
