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

/// What is known of the requests that a policy is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Requests {
    /// Whether they come through VPC endpoints.
    pub(super) are_private: bool,
    /// Whether those are signed that the policy is about.
    pub(super) are_signed: bool,
}

impl Requests {
    /// Whether each of them has a key.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-aws-condition-keys.html>
    fn have(self, key: &str) -> bool {
        match key.to_ascii_lowercase().as_str() {
            "aws:currenttime" | "aws:epochtime" | "aws:securetransport" => true,
            "aws:sourceip" => !self.are_private,
            "aws:sourcevpc" | "aws:sourcevpce" | "aws:vpcsourceip" => self.are_private,
            "aws:principalaccount" | "aws:principalarn" | "aws:principaltype" | "aws:userid" => self.are_signed,
            _ => false,
        }
    }
}

impl Line<'_> {
    /// Whether it holds for every request, as far as that is plain to see. REST APIs are called over TLS alone.
    pub(super) fn holds_for_everybody(&self, requests: Requests) -> bool {
        match self.plain_operator().as_str() {
            "ipaddress" => self.has(&["0.0.0.0/0", "::/0"]),
            // Without the key it does not hold, unless it says `IfExists`.
            "stringlike" | "arnlike" => self.has(&["*"]) && (requests.have(self.key) || self.asks_only_if_there()),
            "bool" => self.is_tls() && self.has(&["true"]),
            _ => false,
        }
    }

    /// Whether it holds for none.
    pub(super) fn holds_for_nobody(&self, requests: Requests) -> bool {
        match self.plain_operator().as_str() {
            "notipaddress" => self.has(&["0.0.0.0/0", "::/0"]),
            // Without the key it holds.
            "stringnotlike" | "arnnotlike" => self.has(&["*"]) && requests.have(self.key),
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

    use super::{Requests, lines};
    use crate::model::Json;
    use crate::model::apigateway::PolicyStatement;

    /// Whether all lines of a condition hold for everybody, and whether one of them holds for nobody.
    fn holds(requests: Requests, condition: Json) -> (bool, bool) {
        let statement = PolicyStatement { condition: Some(condition), ..PolicyStatement::allow(["*"]) };
        (
            lines(&statement).all(|line| line.holds_for_everybody(requests)),
            lines(&statement).any(|line| line.holds_for_nobody(requests)),
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
            (json!({ "StringLike": { "aws:PrincipalTag/team": "*" } }), some),
            (json!({ "StringLikeIfExists": { "aws:PrincipalTag/team": "*" } }), everybody),
            (json!({ "StringNotLike": { "aws:PrincipalTag/team": "*" } }), some),
            (json!({ "StringNotLikeIfExists": { "aws:PrincipalTag/team": "*" } }), some),
        ] {
            let requests = Requests { are_private: true, are_signed: true };
            assert_eq!(holds(requests, condition.clone()), expected, "{condition}");
        }
    }

    #[test]
    fn a_key_that_not_every_request_has_tells_callers_apart() {
        for (key, are_private, are_signed, is_there) in [
            ("aws:SourceVpce", true, false, true),
            ("aws:SourceVpce", false, true, false),
            ("aws:SourceIp", false, false, true),
            ("aws:SourceIp", true, true, false),
            ("aws:PrincipalArn", false, true, true),
            ("aws:PrincipalArn", true, false, false),
            ("aws:PrincipalOrgID", true, true, false),
        ] {
            let requests = Requests { are_private, are_signed };
            assert_eq!(holds(requests, json!({ "StringLike": { key: "*" } })), (is_there, false), "{key} {requests:?}");
            assert_eq!(
                holds(requests, json!({ "StringNotLike": { key: "*" } })),
                (false, is_there),
                "{key} {requests:?}"
            );
        }
    }
}
