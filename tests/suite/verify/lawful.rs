//! `verify` away from the local cloud, where no token is made for it: only what a user has got by signing in is shown.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use stackgen::access::flaw::Flaw;

use super::{count, put_echo, verify, with_outcome};
use crate::project::{Project, STACK, Told, told};
use crate::tools::{Auth, Ministack};

const USER: &str = "alice@example.com";
const PASSWORD: &str = "in-wonderland";

/// What was left out for a reason.
fn left_out(told: &Told, why: &str) -> BTreeSet<String> {
    let all = told.answer["leftOut"].as_array().expect("it lists them").iter().filter(|one| one["why"] == why);
    all.map(|one| one["what"].as_str().expect("it is text").to_owned()).collect()
}

fn written(file: &Path, password: &str) -> String {
    fs::write(file, format!("{password}\n")).expect("the folder is ours");
    file.display().to_string()
}

/// The main job on an emulator, with a user; and the file of the user's password.
fn deployed(emulator: &Ministack) -> (Project, String) {
    let project = Project::at(STACK, emulator);
    put_echo(&project);
    project.edit("crate: functions/protected", "directory: echo, environment: { BEHAVIOUR: echo_event }");
    project.deploy();
    let password = written(&project.path().join("password.txt"), PASSWORD);
    project.done(&["user", "create", USER, "--password-file", &password]);
    (project, password)
}

#[test]
fn a_user_who_signs_in_shows_what_may_lawfully_be_shown() {
    let emulator = Ministack::start(Auth::Off);
    let (project, password) = deployed(&emulator);
    let verified = verify(&project, &["--as", USER, "--password-file", &password]);
    assert_tokens_passed(&verified);
    let forged = Flaw::ALL.into_iter().filter(|flaw| !matches!(flaw, Flaw::MissingScope | Flaw::Id));
    let forged: BTreeSet<String> = forged.map(|flaw| format!("a token that {}", flaw.wrong())).collect();
    assert_eq!(left_out(&verified, "only the local cloud makes such a token"), forged);
    assert_eq!(count(&verified, "leftOut"), 9, "nothing else is left out: {}", verified.answer["leftOut"]);
    assert_nothing_else_is_believed(&verified);

    let mut by_variable = project.command(&["verify", STACK, "--as", USER, "--only", "GET /protected"]);
    assert_tokens_passed(&told(&by_variable.env("STACKGEN_PASSWORD", PASSWORD).output().expect("the program runs")));

    let nobody = verify(&project, &[]);
    let tokens = ["an ID token of client Web", "an access token of client Web"].map(str::to_owned);
    assert_eq!(left_out(&nobody, "a user's token is needed: name a user with `--as`"), BTreeSet::from(tokens));

    let wrong = written(&project.path().join("wrong.txt"), "another");
    let refused = verify(&project, &["--as", USER, "--password-file", &wrong]);
    let told = format!("{}\n{}", refused.answer, refused.said);
    assert!(refused.code == Some(2) && told.contains("signs in with no client"), "{:?} {told}", refused.code);
}

fn assert_tokens_passed(verified: &Told) {
    let passed: BTreeSet<String> =
        with_outcome(verified, "proved").into_iter().filter(|call| call.contains("token of client")).collect();
    let expected = ["an ID token of client Web ", "an access token of client Web "];
    assert_eq!(passed, BTreeSet::from(expected.map(|what| format!("GET /protected of Api: {what}"))));
    assert_eq!((count(verified, "passed"), with_outcome(verified, "shut")), (2, Vec::new()), "{}", verified.said);
    let told = format!("{}{}", verified.answer, verified.said);
    assert!(!told.contains("eyJ") && !told.contains(PASSWORD), "{told}");
}

/// ministack refuses in words of its own, and writes no access log: that it has refused cannot be seen, and is not claimed.
fn assert_nothing_else_is_believed(verified: &Told) {
    assert_eq!((verified.code, &verified.answer["proved"]), (Some(1), &false.into()));
    let tried = verified.answer["tried"].as_array().expect("it lists them");
    let others = tried.iter().filter(|one| one["expected"] == "is refused" || one["expected"] == "reaches nothing");
    let outcomes: BTreeSet<&str> = others.clone().filter_map(|one| one["outcome"].as_str()).collect();
    assert_eq!(outcomes, BTreeSet::from(["leaked", "untold"]));
    let is_refused = |one: &Value| matches!(one["status"].as_u64(), Some(401 | 403 | 404));
    assert!(others.clone().all(is_refused), "{}", verified.answer["tried"]);
}
