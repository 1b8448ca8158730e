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
    let of_http = |answer: &Answer, log| word(Gateway::Http, Must::BeClosed, answer, log);
    for (log, expected) in [
        (Log::Absent, "untold"),
        (Log::Unread, "untold"),
        (Log::Silent, "proved"),
        (Log::NotReached, "leaked"),
        (Log::Reached, "leaked"),
    ] {
        assert_eq!(of_http(&unserved, log), expected, "{log:?}");
    }
    let twice = http(404, "Not Found", &[("apigw-requestid", "forged=")]);
    assert_eq!(of_http(&twice, Log::Silent), "untold", "no line can be found for it");
    let guarded = http(401, "Unauthorized", &[("www-authenticate", "Bearer")]);
    assert_eq!(of_http(&guarded, Log::Silent), "leaked");
    assert_eq!(of_http(&guarded, Log::Unread), "leaked");
    assert_eq!(of_http(&answer(503, &[], ""), Log::Absent), "untold");
    assert!(needs_line(&probe(Gateway::Http, Must::BeClosed), &unserved), "a function could say so too");
    assert!(!needs_line(&probe(Gateway::Http, Must::BeClosed), &guarded));
    let marked = rest(403, "ForbiddenException");
    for gateway in [Gateway::Rest, Gateway::WebSocket] {
        let words = [Log::Absent, Log::Silent, Log::Unread].map(|log| word(gateway, Must::BeClosed, &marked, log));
        assert_eq!(words, ["proved", "proved", "untold"], "{gateway:?}");
    }
    assert_eq!(word(Gateway::Rest, Must::BeClosed, &rest(401, "UnauthorizedException"), Log::Silent), "leaked");
    assert_eq!(word(Gateway::WebSocket, Must::BeClosed, &answer(101, &[], ""), Log::Absent), "leaked");
}

#[test]
fn what_the_gateway_cannot_read_reaches_nothing() {
    let unreadable = http(400, "Bad Request", &[]);
    let in_other_words = http(414, "Too long", &[]);
    let refused = || Must::BeRefused(Asked::Token);
    for answer in [&unreadable, &in_other_words] {
        assert_eq!(word(Gateway::Http, Must::Pass, answer, Log::NotReached), "shut");
        assert_eq!(word(Gateway::Http, refused(), answer, Log::NotReached), "untold", "nothing was guarded");
        assert_eq!(word(Gateway::Http, Must::ReachNothing, answer, Log::NotReached), "proved");
        assert_eq!(word(Gateway::Http, Must::Pass, answer, Log::Reached), "proved", "a function said so");
        assert_eq!(word(Gateway::Http, refused(), answer, Log::Reached), "leaked");
        for must in [Must::Pass, refused(), Must::ReachNothing] {
            assert!(needs_line(&probe(Gateway::Http, must), answer), "only its line tells who it was");
        }
    }
    for log in [Log::Absent, Log::Unread, Log::Silent] {
        assert_eq!(word(Gateway::Http, Must::Pass, &unreadable, log), "untold", "{log:?}");
    }
    assert!(!needs_line(&probe(Gateway::Http, Must::Pass), &answer(200, &[("apigw-requestid", "abc=")], "")));
}

#[test]
fn a_function_says_itself_whether_its_address_is_guarded() {
    let denied = answer(403, &[("x-amzn-errortype", "AccessDeniedException")], "{\"Message\":\"Forbidden\"}");
    assert_eq!(word(Gateway::Url, Must::BeRefused(Asked::Signature), &denied, Log::Absent), "proved");
    let own = answer(403, &[], "{\"Message\":\"Forbidden\"}");
    assert_eq!(word(Gateway::Url, Must::BeRefused(Asked::Signature), &own, Log::Absent), "leaked");
}

const ORIGIN: &str = "https://good.example";

/// The origin, with what the file lets it do.
fn shared() -> Shared {
    Shared {
        origin: ORIGIN.to_owned(),
        with_everybody: false,
        credentials: Some(false),
        methods: ["GET", "PUT"].map(str::to_owned).into(),
        headers: BTreeSet::from(["authorization".to_owned()]),
        of_nothing: false,
    }
}

/// What becomes of a page's question that is answered with these headers and with what the file says.
fn of_page(shared: &Shared, status: u16, headers: &[(&str, &str)]) -> &'static str {
    let told = [
        ("access-control-allow-origin", ORIGIN),
        ("access-control-allow-methods", "GET,PUT"),
        ("access-control-allow-headers", "Authorization"),
    ];
    let rest = told.iter().filter(|(name, _)| !headers.iter().any(|(own, _)| own == name));
    let all: Vec<(&str, &str)> = rest.chain(headers).copied().filter(|(_, value)| !value.is_empty()).collect();
    word(Gateway::Http, Must::Share(shared.clone()), &answer(status, &all, ""), Log::Silent)
}

#[test]
fn origins_are_told_apart_by_what_browsers_are_told() {
    let own = |headers: &[(&str, &str)]| of_page(&shared(), 204, headers);
    assert_eq!(own(&[]), "proved");
    assert_eq!(own(&[("access-control-allow-origin", "")]), "shut");
    assert_eq!(own(&[("access-control-allow-origin", "https://other.example")]), "shut");
    assert_eq!(own(&[("access-control-allow-origin", "*")]), "leaked");
    let evil = || Must::NotShare("https://evil.example".to_owned());
    for (allowed, expected) in [(ORIGIN, "proved"), ("*", "leaked"), ("https://evil.example", "leaked")] {
        let told = answer(204, &[("access-control-allow-origin", allowed)], "");
        assert_eq!(word(Gateway::Http, evil(), &told, Log::Silent), expected, "{allowed}");
    }
}

#[test]
fn a_page_may_do_what_the_file_says_and_no_more() {
    let own = |name: &str, value: &str| of_page(&shared(), 204, &[(name, value)]);
    for (methods, expected) in [
        ("GET,PUT", "proved"),
        ("PUT", "proved"),
        ("GET", "shut"),
        ("", "shut"),
        ("PUT,DELETE", "leaked"),
        ("*", "leaked"),
    ] {
        assert_eq!(own("access-control-allow-methods", methods), expected, "every page may GET; {methods}");
    }
    for (headers, expected) in
        [("Authorization", "proved"), ("", "shut"), ("authorization, x-other", "leaked"), ("*", "leaked")]
    {
        assert_eq!(own("access-control-allow-headers", headers), expected, "{headers}");
    }
    assert_eq!(own("access-control-allow-credentials", "true"), "leaked");
    let with_cookies = Shared { credentials: Some(true), ..shared() };
    assert_eq!(of_page(&with_cookies, 204, &[]), "shut");
    assert_eq!(of_page(&with_cookies, 204, &[("access-control-allow-credentials", "true")]), "proved");
}

#[test]
fn all_of_them_are_a_star_or_what_was_asked_for() {
    let all = || BTreeSet::from(["*".to_owned()]);
    let shared = Shared { methods: all(), headers: all(), ..shared() };
    let mut asked = probe(Gateway::Url, Must::Share(shared));
    let header = |name: &str, value: &str| (format!("access-control-request-{name}"), value.to_owned());
    asked.request.headers = vec![header("method", "PUT"), header("headers", "x-own")];
    for (methods, headers, expected) in
        [("*", "*", true), ("PUT", "x-own", true), ("GET", "*", false), ("*", "", false), ("PUT", "x-other", false)]
    {
        let told = [
            ("access-control-allow-origin", ORIGIN),
            ("access-control-allow-methods", methods),
            ("access-control-allow-headers", headers),
        ];
        let outcome = judge(&asked, &answer(200, &told, ""), Log::Absent);
        assert_eq!(outcome == Outcome::Proved, expected, "{methods} {headers}: {outcome:?}");
    }
}

#[test]
fn what_only_the_deployment_knows_is_not_held_against_it() {
    let hidden = || BTreeSet::from(["${Parameter}".to_owned()]);
    let shared = Shared { methods: hidden(), headers: hidden(), credentials: None, ..shared() };
    assert_eq!(of_page(&shared, 204, &[]), "proved");
    assert_eq!(of_page(&shared, 204, &[("access-control-allow-credentials", "true")]), "proved");
}

#[test]
fn browsers_take_a_refusal_for_a_no_whatever_its_headers_say() {
    let expected = [(200, "proved"), (204, "proved"), (301, "shut"), (401, "shut"), (403, "shut"), (404, "shut")];
    for (status, expected) in expected.into_iter().chain([(429, "untold"), (500, "untold"), (503, "untold")]) {
        assert_eq!(of_page(&shared(), status, &[]), expected, "{status}");
    }
}

#[test]
fn what_a_function_says_of_a_thing_that_is_not_there_is_no_word_on_browsers() {
    let shared = Shared { of_nothing: true, ..shared() };
    for (status, expected) in [(204, "proved"), (403, "shut"), (404, "untold")] {
        assert_eq!(of_page(&shared, status, &[]), expected, "{status}");
    }
}
