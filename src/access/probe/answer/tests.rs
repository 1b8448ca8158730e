//! Answers of gateways, as `tests/cases` has them, and of functions that say the same.

use std::collections::BTreeSet;

use super::{Answer, Log, Outcome, judge, needs_line, plain};
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
    let said =
        [(Log::Absent, "untold"), (Log::Silent, "untold"), (Log::Reached, "leaked"), (Log::NotReached, "proved")];
    for (log, expected) in said {
        for asked in [Asked::Token, Asked::Decision, Asked::Signature] {
            assert_eq!(word(Gateway::Http, Must::BeRefused(asked), &alike, log), expected, "{asked:?} {log:?}");
        }
    }
    let other = http(401, "Who are you?", &[]);
    assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Token), &other, Log::Silent), "leaked");
}

#[test]
fn a_mark_without_its_line_in_the_log_proves_nothing() {
    let challenged = http(401, "Unauthorized", &[("www-authenticate", "Bearer")]);
    let marked = rest(401, "UnauthorizedException");
    let gone = rest(403, "MissingAuthenticationTokenException");
    let socket = answer(401, &[("x-amzn-errortype", "UnauthorizedException")], "");
    let refused = || Must::BeRefused(Asked::Token);
    for (gateway, must, answer) in [
        (Gateway::Http, refused(), &challenged),
        (Gateway::Rest, refused(), &marked),
        (Gateway::Rest, Must::ReachNothing, &marked),
        (Gateway::Rest, Must::ReachNothing, &gone),
        (Gateway::WebSocket, refused(), &socket),
    ] {
        let words = [Log::Absent, Log::Silent, Log::NotReached, Log::Reached]
            .map(|log| word(gateway, must.clone(), answer, log));
        assert_eq!(words, ["proved", "untold", "proved", "leaked"], "{gateway:?} {must:?} {answer:?}");
        assert!(needs_line(&probe(gateway, must), answer));
    }
    let early = answer(400, &[], "");
    assert_eq!(word(Gateway::Rest, Must::ReachNothing, &early, Log::Silent), "proved", "it has no id to be logged by");
}

#[test]
fn a_request_is_named_as_its_gateway_names_it() {
    let both = answer(401, &[("apigw-requestid", "forged"), ("x-amzn-requestid", "own")], "");
    assert_eq!(both.request_id(Gateway::Rest), Some("own"));
    assert_eq!(both.request_id(Gateway::Http), Some("forged"));
    let twice = answer(401, &[("x-amzn-requestid", "forged"), ("x-amzn-requestid", "own")], "");
    assert_eq!(twice.request_id(Gateway::Rest), None);
}

#[test]
fn a_challenge_is_the_mark_of_a_jwt_authorizer() {
    let invalid = "Bearer scope=\"a/b\" error=\"invalid_token\" error_description=\"the token has expired\"";
    for challenge in ["Bearer", invalid, "Bearer error=\"invalid_token\""] {
        let refused = http(401, "Unauthorized", &[("www-authenticate", challenge)]);
        assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Token), &refused, Log::Absent), "proved");
        assert_eq!(word(Gateway::Http, Must::Pass, &refused, Log::Absent), "shut");
        for must in [Must::BeRefused(Asked::Decision), Must::BeRefused(Asked::Signature), Must::ReachNothing] {
            assert_eq!(word(Gateway::Http, must, &refused, Log::Absent), "untold", "no JWT authorizer is asked");
        }
        assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Token), &refused, Log::Reached), "leaked");
    }
}

#[test]
fn a_route_that_is_gone_guards_nothing() {
    let gone = http(404, "Not Found", &[]);
    assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Token), &gone, Log::NotReached), "untold");
    assert_eq!(word(Gateway::Http, Must::Pass, &gone, Log::NotReached), "shut");
    assert_eq!(word(Gateway::Http, Must::ReachNothing, &gone, Log::NotReached), "proved");
    assert_eq!(word(Gateway::Http, Must::ReachNothing, &gone, Log::Absent), "untold");
    let gone = rest(403, "MissingAuthenticationTokenException");
    assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Decision), &gone, Log::Absent), "untold");
    assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Signature), &gone, Log::Absent), "proved");
    assert_eq!(word(Gateway::Rest, Must::ReachNothing, &gone, Log::Absent), "proved");
}

#[test]
fn whatever_a_rest_api_checks_after_its_guard_means_that_the_guard_let_it_pass() {
    for error in ["BadRequestException", "UnsupportedMediaTypeException", "InternalServerErrorException"] {
        assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Token), &rest(400, error), Log::Silent), "leaked");
        assert_eq!(word(Gateway::Rest, Must::Pass, &rest(400, error), Log::Silent), "proved");
    }
    let key = rest(403, "ForbiddenException");
    assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Decision), &key, Log::Absent), "leaked");
    assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::ApiKey), &key, Log::Absent), "proved");
    for error in ["UnauthorizedException", "AccessDeniedException", "InvalidSignatureException"] {
        assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Token), &rest(401, error), Log::Absent), "proved");
        let early = word(Gateway::Rest, Must::BeRefused(Asked::ApiKey), &rest(401, error), Log::Absent);
        assert_eq!(early, "untold", "whoever is refused before shows nothing of the key");
    }
}

#[test]
fn what_is_broken_or_busy_proves_nothing() {
    let broken = rest(500, "AuthorizerConfigurationException");
    assert_eq!(word(Gateway::Rest, Must::BeRefused(Asked::Decision), &broken, Log::Absent), "untold");
    assert_eq!(word(Gateway::Rest, Must::Pass, &broken, Log::Absent), "shut");
    let busy = http(429, "Too Many Requests", &[]);
    assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Token), &busy, Log::NotReached), "untold");
    assert!(!needs_line(&probe(Gateway::Http, Must::ReachNothing), &busy), "such a line may never come");
    for broken in [http(500, "Internal Server Error", &[]), http(503, "Service Unavailable", &[])] {
        for (log, refused, passed) in [
            (Log::Absent, "untold", "untold"),
            (Log::Silent, "untold", "untold"),
            (Log::NotReached, "untold", "shut"),
            (Log::Reached, "leaked", "proved"),
        ] {
            assert_eq!(word(Gateway::Http, Must::BeRefused(Asked::Decision), &broken, log), refused, "{log:?}");
            assert_eq!(word(Gateway::Http, Must::Pass, &broken, log), passed, "{log:?}");
        }
    }
}

#[test]
fn what_stands_before_the_gateway_refuses_for_good_or_for_now() {
    for (status, expected) in [(400, "proved"), (403, "proved"), (429, "untold"), (502, "untold"), (503, "untold")] {
        for gateway in [Gateway::Http, Gateway::Rest] {
            let front = answer(status, &[], "<html>");
            assert_eq!(word(gateway, Must::ReachNothing, &front, Log::Absent), expected, "{status}");
            assert_eq!(word(gateway, Must::BeRefused(Asked::Token), &front, Log::Absent), "untold", "{status}");
        }
        let evil = Must::NotShare("https://evil.example".to_owned());
        assert_eq!(word(Gateway::Http, evil, &answer(status, &[], ""), Log::Absent), expected, "{status}");
    }
}

#[test]
fn a_gateway_may_answer_browsers_by_itself() {
    let mut asked = probe(Gateway::Http, Must::ReachNothing);
    asked.request.method = "OPTIONS".to_owned();
    let own = answer(204, &[("apigw-requestid", "abc=")], "");
    for (log, expected) in [(Log::NotReached, true), (Log::Absent, false), (Log::Silent, false), (Log::Reached, false)]
    {
        assert_eq!(judge(&asked, &own, log) == Outcome::Proved, expected, "{log:?}");
    }
    assert!(matches!(judge(&asked, &own, Log::Reached), Outcome::Leaked(_)), "a function's own answer");
}

#[test]
fn what_an_answer_says_cannot_steer_a_terminal() {
    assert_eq!(plain("a\u{1b}[31mb\r\n\u{9b}2Jc\u{202e}d", 100), "a[31mb2Jcd");
    assert_eq!(plain(&"x".repeat(1_000), 3), "xxx");
    let shut = rest(401, "UnauthorizedException:\u{9b}2J");
    let Outcome::Shut(why) = judge(&probe(Gateway::Rest, Must::Pass), &shut, Log::Absent) else { panic!("{shut:?}") };
    assert!(why.ends_with(": UnauthorizedException:2J"), "{why:?}");
}

#[test]
fn a_connection_that_opens_has_passed() {
    let asked = || Must::BeRefused(Asked::Decision);
    assert_eq!(word(Gateway::WebSocket, asked(), &answer(101, &[], ""), Log::Silent), "leaked");
    assert_eq!(word(Gateway::WebSocket, Must::Pass, &answer(101, &[], ""), Log::NotReached), "proved");
    let forbidden = answer(403, &[("x-amzn-errortype", "ForbiddenException")], "");
    for log in [Log::Absent, Log::Silent] {
        assert_eq!(word(Gateway::WebSocket, asked(), &forbidden, log), "untold", "a function can say so");
    }
    assert_eq!(word(Gateway::WebSocket, asked(), &forbidden, Log::NotReached), "proved");
    assert_eq!(word(Gateway::WebSocket, asked(), &forbidden, Log::Reached), "leaked");
    for status in [400, 410, 500, 502] {
        let failed = answer(status, &[("x-amzn-errortype", "InternalServerErrorException")], "");
        assert_eq!(word(Gateway::WebSocket, asked(), &failed, Log::Absent), "untold", "{status}");
        assert_eq!(word(Gateway::WebSocket, Must::Pass, &failed, Log::Absent), "untold", "{status}");
        assert_eq!(word(Gateway::WebSocket, asked(), &failed, Log::NotReached), "untold", "{status}");
        assert_eq!(word(Gateway::WebSocket, asked(), &failed, Log::Reached), "leaked", "{status}");
    }
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
    assert_eq!(word(Gateway::WebSocket, Must::BeClosed, &rest(403, "ForbiddenException"), Log::Absent), "proved");
    assert_eq!(word(Gateway::WebSocket, Must::BeClosed, &answer(101, &[], ""), Log::Absent), "leaked");
    assert_eq!(word(Gateway::Http, Must::BeClosed, &answer(503, &[], ""), Log::Absent), "untold");
    assert!(needs_line(&probe(Gateway::Http, Must::BeClosed), &unserved), "a function could say so too");
    assert!(!needs_line(&probe(Gateway::Http, Must::BeClosed), &guarded));
}

#[test]
fn a_function_says_itself_whether_its_address_is_guarded() {
    let denied = answer(403, &[("x-amzn-errortype", "AccessDeniedException")], "{\"Message\":\"Forbidden\"}");
    assert_eq!(word(Gateway::Url, Must::BeRefused(Asked::Signature), &denied, Log::Absent), "proved");
    let own = answer(403, &[], "{\"Message\":\"Forbidden\"}");
    assert_eq!(word(Gateway::Url, Must::BeRefused(Asked::Signature), &own, Log::Absent), "leaked");
}

#[test]
fn origins_are_told_apart_by_what_browsers_are_told() {
    let origin = "https://good.example";
    let shared = Shared {
        origin: origin.to_owned(),
        with_everybody: false,
        credentials: false,
        methods: BTreeSet::from(["GET".to_owned()]),
        headers: BTreeSet::from(["authorization".to_owned()]),
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
    for (headers, expected) in [("Authorization", "proved"), ("authorization, x-other", "leaked"), ("*", "leaked")] {
        let headers = ("access-control-allow-headers", headers);
        assert_eq!(word(Gateway::Http, share(), &told(&[own, headers]), Log::Silent), expected, "{headers:?}");
    }
    assert_eq!(word(Gateway::Http, share(), &answer(503, &[], ""), Log::Silent), "untold");
    let evil = || Must::NotShare("https://evil.example".to_owned());
    assert_eq!(word(Gateway::Http, evil(), &told(&[own]), Log::Silent), "proved");
    assert_eq!(word(Gateway::Http, evil(), &told(&[all]), Log::Silent), "leaked");
    let evil_told = ("access-control-allow-origin", "https://evil.example");
    assert_eq!(word(Gateway::Http, evil(), &told(&[evil_told]), Log::Silent), "leaked");
}
