use super::*;

fn facts() -> BTreeMap<String, Vec<String>> {
    let known =
        [("aws:sourceip", "127.0.0.1"), ("aws:securetransport", "true"), ("aws:currenttime", "2026-01-02T03:04:05Z")];
    let mut facts: BTreeMap<_, _> = known.map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).into();
    facts.insert("s3:prefix".to_owned(), vec![]);
    facts
}

fn said(statements: Value, action: &str, resource: &str) -> Verdict {
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    evaluate(&[document], &Query { action, resource, facts: &facts() })
}

const ARN: &str = "arn:aws:s3:::bucket/key";

#[test]
fn nothing_is_allowed_by_silence() {
    let other = json!({ "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*" });
    assert_eq!(said(other, "s3:GetObject", ARN), Verdict::NotAllowed);
}

#[test]
fn wildcards_reach_as_far_as_they_say() {
    for (action, resource, allowed) in [
        ("s3:*", "*", true),
        ("S3:get*", "arn:aws:s3:::bucket/*", true),
        ("s3:GetObjec?", "arn:aws:s3:::*/key", true),
        ("s3:GetObject", "arn:aws:s3:::bucket", false),
        ("s3:GetObject", "arn:aws:s3:::BUCKET/*", false),
        ("*", "arn:aws:s3:::bucket/key?", false),
    ] {
        let statement = json!({ "Effect": "Allow", "Action": [action], "Resource": resource });
        assert_eq!(said(statement, "s3:GetObject", ARN) == Verdict::Allowed, allowed, "{action} {resource}");
    }
}

#[test]
fn a_deny_wins_in_any_order() {
    let allow = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let deny = json!({ "Effect": "Deny", "Action": "s3:Get*", "Resource": "*" });
    assert_eq!(said(json!([allow, deny]), "s3:GetObject", ARN), Verdict::Denied);
    assert_eq!(said(json!([deny, allow]), "s3:GetObject", ARN), Verdict::Denied);
    assert_eq!(said(json!([deny, allow]), "s3:PutObject", ARN), Verdict::Allowed);
}

#[test]
fn the_negated_forms_leave_out_what_they_name() {
    let statement = json!({ "Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret/*" });
    assert_eq!(said(statement.clone(), "s3:GetObject", ARN), Verdict::Allowed);
    assert_eq!(said(statement.clone(), "iam:GetRole", ARN), Verdict::NotAllowed);
    assert_eq!(said(statement, "s3:GetObject", "arn:aws:s3:::secret/x"), Verdict::NotAllowed);
}

#[test]
fn a_policy_variable_never_grants_and_always_denies() {
    let with = |effect: &str, member: &str| json!({ "Effect": effect, "Action": "*", member: "arn:aws:s3:::${aws:username}/*" });
    assert_eq!(said(with("Allow", "Resource"), "s3:GetObject", ARN), Verdict::NotAllowed);
    assert_eq!(said(with("Allow", "NotResource"), "s3:GetObject", ARN), Verdict::NotAllowed);
    assert_eq!(said(with("Deny", "Resource"), "s3:GetObject", ARN), Verdict::Denied);
}

#[test]
fn conditions_hold_or_not() {
    for (operator, key, value, expected) in [
        ("StringEquals", "aws:SourceIp", "127.0.0.1", true),
        ("StringNotEquals", "aws:SourceIp", "127.0.0.1", false),
        ("StringLike", "aws:SourceIp", "127.*", true),
        ("IpAddress", "aws:SourceIp", "127.0.0.0/8", true),
        ("IpAddress", "aws:SourceIp", "0.0.0.0/0", true),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", false),
        ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8", true),
        ("IpAddress", "aws:SourceIp", "nonsense/99", false),
        ("Bool", "aws:SecureTransport", "true", true),
        ("DateGreaterThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", true),
        ("DateLessThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", false),
        ("StringEquals", "s3:prefix", "x", false),
        ("StringNotEquals", "s3:prefix", "x", true),
        ("StringEqualsIfExists", "s3:prefix", "x", true),
        ("ForAllValues:StringEquals", "s3:prefix", "x", true),
        ("ForAnyValue:StringEquals", "s3:prefix", "x", false),
        ("Null", "s3:prefix", "true", true),
        ("Null", "aws:SourceIp", "true", false),
        ("StringNotEquals", "aws:Unheard", "x", false),
        ("StringEqualsIfExists", "aws:Unheard", "x", false),
        ("BinaryEquals", "aws:SourceIp", "x", false),
    ] {
        let statement =
            json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { operator: { key: value } } });
        assert_eq!(said(statement, "s3:GetObject", ARN) == Verdict::Allowed, expected, "{operator} {key} {value}");
    }
}

#[test]
fn an_undecided_deny_denies() {
    let condition = json!({ "StringEquals": { "aws:Unheard": "x" } });
    let allow = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let deny = json!({ "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition });
    assert_eq!(said(json!([allow, deny]), "s3:GetObject", ARN), Verdict::Denied);
}

#[test]
fn malformed_documents_are_refused_and_deny() {
    for document in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "Statement": [] }),
        json!({ "Version": "2020-01-01", "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } }),
        json!({ "Statement": { "Effect": "allow", "Action": "*", "Resource": "*" } }),
        json!({ "Statement": { "Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*" } }),
        json!({ "Statement": { "Effect": "Allow", "Action": "GetObject", "Resource": "*" } }),
        json!({ "Statement": { "Effect": "Allow", "Action": "*" } }),
        json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*", "Extra": 1 } }),
        json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { "Sounds": { "a": "b" } } } }),
        json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*" } }),
    ] {
        assert!(Policy::parse_identity(&document).is_err(), "{document}");
    }
    let facts = facts();
    let query = Query { action: "s3:GetObject", resource: ARN, facts: &facts };
    assert_eq!(evaluate(&[json!({ "Statement": [] })], &query), Verdict::Denied);
}

#[test]
fn a_trust_policy_names_who_may_act() {
    let document = json!({ "Statement": { "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "lambda.amazonaws.com" } } });
    let policy = Policy::parse_trust(&document).expect("it is well-formed");
    let facts = facts();
    let query = Query { action: "sts:AssumeRole", resource: "*", facts: &facts };
    let asked = |kind: &str, name: &str| policy.verdict_for(Principal { kind, names: &[name.to_owned()] }, &query);
    assert_eq!(asked("Service", "lambda.amazonaws.com"), Verdict::Allowed);
    assert_eq!(asked("Service", "ec2.amazonaws.com"), Verdict::NotAllowed);
    assert_eq!(asked("AWS", "lambda.amazonaws.com"), Verdict::NotAllowed);
}

#[test]
fn a_hostile_pattern_is_not_slow() {
    let pattern = "*a".repeat(2_000);
    assert!(!matches(&pattern, &"a".repeat(1_999)));
}
