//! Answers of gateways, as `tests/cases` has them, and of functions that say the same.

use std::collections::BTreeSet;

use super::{Answer, Log, Outcome, judge};
use crate::access::probe::{ApiKey, Asked, Carrier, Credential, Door, Gateway, Must, Probe, Request, Shared};

fn probe(gateway: Gateway, must: Must) -> Probe {
    Probe {
        door: Door::Route { api: "Api".to_owned(), stage: "prod".to_owned(), key: "GET /a".to_owned() },
        gateway,
        request: Request { method: "GET".to_owned(), path: "/a".to_owned(), ..Request::default() },
        credential: Credential::Nothing,
        carrier: Carrier::default(),
        api_key: ApiKey::NotAsked,
        must,
        what: "nothing".to_owned(),
        why: "it is so".to_owned(),
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer { status, headers, body: body.as_bytes().to_vec() }
}

/// An HTTP API's own words, or a function's that says the same.
fn http(status: u16, message: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers = vec![("content-type", "application/json"), ("apigw-requestid", "abc=")];
    headers.extend(more);
    answer(status, &headers, &format!("{{\"message\":\"{message}\"}}"))
}

fn rest(status: u16, error: &str) -> Answer {
    answer(status, &[("x-amzn-errortype", error), ("x-amzn-requestid", "abc")], "{}")
}

fn word(gateway: Gateway, must: Must, answer: &Answer, log: Log) -> &'static str {
    match judge(&probe(gateway, must), answer, log) {
        Outcome::Proved => "proved",
        Outcome::Leaked(_) => "leaked",
        Outcome::Shut(_) => "shut",
        Outcome::Untold(_) => "untold",
    }
}

#[test]
fn a_function_that_talks_like_the_gateway_is_not_taken_for_it() {
    let alike = http(401, "Unauthorized", &[]);
    for (log, expected) in [(Log::Silent, "untold"), (Log::Reached, "leaked"), (Log::NotReached, "proved")] {
        for asked in [Asked::Token, Asked::Decision, Asked::Signature] {
            assert_eq!(word(Gateway::Http, Must::BeRefused(asked), &alike, log), expected, "{asked:?} {log:?}");
        }
    }
    let other = http(401, "Who are you?", &[]);
    assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Token), &other, Log::Silent), "leaked");
}

#[test]
fn a_challenge_is_the_mark_of_a_jwt_authorizer() {
    let invalid = "Bearer scope=\"a/b\" error=\"invalid_token\" error_description=\"the token has expired\"";
    for challenge in ["Bearer", invalid, "Bearer error=\"invalid_token\""] {
        let refused = http(401, "Unauthorized", &[("www-authenticate", challenge)]);
        assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Token), &refused, Log::Silent), "proved");
        assert_eq!(word(Gateway::Http, Must::Pass, &refused, Log::Silent), "shut");
        assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Token), &refused, Log::Reached), "leaked");
    }
}

#[test]
fn a_route_that_is_gone_guards_nothing() {
    let gone = http(404, "Not Found", &[]);
    assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Token), &gone, Log::NotReached), "untold");
    assert_eq!(word(Gateway::Http, Must::Pass, &gone, Log::NotReached), "shut");
    assert_eq!(word(Gateway::Http, Must::ReachNothing, &gone, Log::NotReached), "proved");
    assert_eq!(word(Gateway::Http, Must::ReachNothing, &gone, Log::Silent), "untold");
    let gone = rest(403, "MissingAuthenticationTokenException");
    assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Decision), &gone, Log::Silent), "untold");
    assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Signature), &gone, Log::Silent), "proved");
    assert_eq!(word(Gateway::Rest, Must::ReachNothing, &gone, Log::Silent), "proved");
}

#[test]
fn whatever_a_rest_api_checks_after_its_guard_means_that_the_guard_let_it_pass() {
    for error in ["BadRequestException", "UnsupportedMediaTypeException", "InternalServerErrorException"] {
        assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Token), &rest(400, error), Log::Silent), "leaked");
        assert_eq!(word(Gateway::Rest, Must::Pass, &rest(400, error), Log::Silent), "proved");
    }
    let key = rest(403, "ForbiddenException");
    assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Decision), &key, Log::Silent), "leaked");
    assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::ApiKey), &key, Log::Silent), "proved");
    for error in ["UnauthorizedException", "AccessDeniedException", "InvalidSignatureException"] {
        assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Token), &rest(401, error), Log::Silent), "proved");
    }
}

#[test]
fn what_is_broken_or_busy_proves_nothing() {
    let broken = rest(500, "AuthorizerConfigurationException");
    assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Decision), &broken, Log::Silent), "untold");
    assert_eq!(word(Gateway::Rest, Must::Pass, &broken, Log::Silent), "shut");
    let busy = http(429, "Too Many Requests", &[]);
    assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Token), &busy, Log::NotReached), "untold");
    let broken = http(500, "Internal Server Error", &[]);
    assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Decision), &broken, Log::NotReached), "untold");
    assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Decision), &broken, Log::Silent), "leaked");
}

#[test]
fn a_connection_that_opens_has_passed() {
    let asked = || Must::BeRefused(Asked::Decision);
    assert_eq!(word(Gateway::WebSocket, asked(), &answer(101, &[], ""), Log::Silent), "leaked");
    assert_eq!(word(Gateway::WebSocket, Must::Pass, &answer(101, &[], ""), Log::NotReached), "proved");
    let forbidden = answer(403, &[("x-amzn-errortype", "ForbiddenException")], "");
    assert_eq!(word(Gateway::WebSocket, asked(), &forbidden, Log::Silent), "untold", "a function can say so");
    assert_eq!(word(Gateway::WebSocket, asked(), &forbidden, Log::NotReached), "proved");
    assert_eq!(word(Gateway::WebSocket, asked(), &forbidden, Log::Reached), "leaked");
}

#[test]
fn an_address_is_closed_where_not_even_a_guard_answers() {
    let unserved = http(404, "Not Found", &[]);
    assert_eq!(word(Gateway::Http, Must::BeClosed, &unserved, Log::Silent), "proved");
    assert_eq!(word(Gateway::Http, Must::BeClosed, &unserved, Log::NotReached), "leaked");
    let guarded = http(401, "Unauthorized", &[("www-authenticate", "Bearer")]);
    assert_eq!(word(Gateway::Http, Must::BeClosed, &guarded, Log::Silent), "leaked");
    assert_eq!(word(Gateway::Rest, Must::BeClosed, &rest(403, "ForbiddenException"), Log::Silent), "proved");
    assert_eq!(word(Gateway::Rest, Must::BeClosed, &rest(401, "UnauthorizedException"), Log::Silent), "leaked");
}

#[test]
fn a_function_says_itself_whether_its_address_is_guarded() {
    let denied = answer(403, &[("x-amzn-errortype", "AccessDeniedException")], "{\"Message\":\"Forbidden\"}");
    assert_eq!(word(Gateway::Url, Must::BeRefused(Asked::Signature), &denied, Log::Silent), "proved");
    let own = answer(403, &[], "{\"Message\":\"Forbidden\"}");
    assert_eq!(word(Gateway::Url, Must::BeRefused(Asked::Signature), &own, Log::Silent), "leaked");
}

#[test]
fn origins_are_told_apart_by_what_browsers_are_told() {
    let origin = "https://good.example";
    let shared = Shared {
        origin: origin.to_owned(),
        with_everybody: false,
        credentials: false,
        methods: BTreeSet::from(["GET".to_owned()]),
    };
    let share = || Must::Share(shared.clone());
    let told = |headers: &[(&str, &str)]| answer(204, headers, "");
    let own = ("access-control-allow-origin", origin);
    let all = ("access-control-allow-origin", "*");
    let credentials = ("access-control-allow-credentials", "true");
    assert_eq!(word(Gateway::Http, share(), &told(&[own]), Log::Silent), "proved");
    assert_eq!(word(Gateway::Http, share(), &told(&[]), Log::Silent), "shut");
    assert_eq!(word(Gateway::Http, share(), &told(&[all]), Log::Silent), "leaked");
    assert_eq!(word(Gateway::Http, share(), &told(&[own, credentials]), Log::Silent), "leaked");
    let methods = ("access-control-allow-methods", "GET,DELETE");
    assert_eq!(word(Gateway::Http, share(), &told(&[own, methods]), Log::Silent), "leaked");
    let evil = || Must::NotShare("https://evil.example".to_owned());
    assert_eq!(word(Gateway::Http, evil(), &told(&[own]), Log::Silent), "proved");
    assert_eq!(word(Gateway::Http, evil(), &told(&[all]), Log::Silent), "leaked");
    let evil_told = ("access-control-allow-origin", "https://evil.example");
    assert_eq!(word(Gateway::Http, evil(), &told(&[evil_told]), Log::Silent), "leaked");
}
