//! The rules of authorization: their examples, what a stack file says about them, and what they leave alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use snapbox::{Assert, Data};
use stackgen::access::catalogue;
use stackgen::access::rules::{self, ALL, BESIDE, Finding, Rule, Severity, Verdict};
use stackgen::model::Stack;
use stackgen::model::raw::Suppression;
use stackgen::spec::{self, Report};
use stackgen::synth::synthesize;

use crate::tools;

/// The mistakes that others let through, by their numbers, and the rules that find them.
const MISTAKES: [(u8, &[&str]); 24] = [
    (1, &["scopes-without-tokens"]),
    (2, &["unknown-route-scope"]),
    (3, &["unknown-client-scope"]),
    (4, &["undecided-route", "open-escape-hatch"]),
    (5, &["authorizer-ttl"]),
    (6, &["cache-without-identity"]),
    (7, &["identity-source"]),
    (8, &["same-route-twice"]),
    (9, &["unknown-authorizer"]),
    (10, &["issuer-not-https"]),
    (11, &["machine-client-incomplete"]),
    (12, &["machine-client-with-pages"]),
    (13, &["insecure-redirect"]),
    (14, &["cognito-route-without-scopes"]),
    (15, &["cors-blocks-token", "cors-credentials-for-everyone", "preflight-behind-authorizer"]),
    (16, &["tokens-for-anyone"]),
    (17, &["token-validity"]),
    (18, &["route-key"]),
    (19, &["function-outlives-gateway"]),
    (20, &["cached-narrow-policy"]),
    (21, &["trigger-circle"]),
    (22, &["user-pool-changed"]),
    (23, &["several-indexes-at-once"]),
    (24, &["undeletable-pool", "quota", "fixed-limit"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A part of a stack file with what else is in it.
fn whole(part: &str) -> String {
    let is_there = |section: &str| part.lines().any(|line| line.starts_with(&format!("{section}:")));
    let rest = BESIDE.iter().filter(|(section, _)| !is_there(section)).map(|(_, text)| format!("{text}\n"));
    part.to_owned() + &rest.collect::<String>()
}

/// What is told about a stack file: rules by id, and everything else as `shape`.
fn told(text: &str) -> BTreeSet<String> {
    let of = |report: &Report| -> BTreeSet<String> {
        let rules = report.findings().map(|(finding, _)| finding.rule().map_or("shape", |rule| rule.id).to_owned());
        rules.collect()
    };
    match spec::read_with_warnings("example.yaml", text.as_bytes(), &|_| None) {
        Ok(read) => read.warnings.as_ref().map(of).unwrap_or_default(),
        Err(report) => of(&report),
    }
}

fn only(rule: &Rule) -> BTreeSet<String> {
    BTreeSet::from([rule.id.to_owned()])
}

fn read(text: &str) -> Stack {
    spec::read("example.yaml", text.as_bytes())
        .unwrap_or_else(|report| panic!("{:?}\n{text}", miette::Report::new(report)))
}

/// Two versions of a stack, one after the other.
fn versions(example: &str) -> [String; 2] {
    let (before, after) = example.split_once("---\n").expect("an example of an update has two versions");
    [before, after].map(whole)
}

/// What the rules say of going from one version to the other.
fn in_update(before: &str, after: &str) -> Vec<Finding> {
    let template = |text: &str| -> Json {
        let template = synthesize("example", &read(text)).expect("each version is sound");
        serde_json::to_value(template).expect("a template is JSON")
    };
    rules::find_in_update(&read(after), &template(before), &template(after))
}

#[test]
fn the_good_example_of_each_rule_keeps_all_of_them() {
    for rule in ALL.iter().filter(|rule| !rule.is_about_updates()) {
        assert_eq!(told(&whole(rule.good)), BTreeSet::new(), "{}", rule.id);
    }
}

#[test]
fn the_bad_example_of_each_rule_breaks_that_rule_alone() {
    for rule in ALL.iter().filter(|rule| !rule.is_about_updates()) {
        assert_eq!(told(&whole(rule.bad)), only(rule), "{}", rule.id);
    }
}

#[test]
fn rules_of_updates_look_at_both_versions() {
    for rule in ALL.iter().filter(|rule| rule.is_about_updates()) {
        for (example, expected) in [(rule.good, BTreeSet::new()), (rule.bad, only(rule))] {
            let [before, after] = versions(example);
            assert!(told(&before).is_empty() && told(&after).is_empty(), "{}", rule.id);
            let found: BTreeSet<_> = in_update(&before, &after).iter().map(|it| it.rule.id.to_owned()).collect();
            assert_eq!(found, expected, "{}", rule.id);
        }
    }
}

#[test]
fn a_finding_is_underlined_and_says_what_to_do() {
    for rule in ALL.iter().filter(|rule| !rule.is_about_updates()) {
        let text = whole(rule.bad);
        let report = match spec::read_with_warnings("example.yaml", text.as_bytes(), &|_| None) {
            Ok(read) => read.warnings.expect("the bad example is told"),
            Err(report) => report,
        };
        for (finding, region) in report.findings() {
            assert_eq!(finding.severity(), rule.severity(), "{}", rule.id);
            assert!(finding.help().is_some_and(|help| !help.is_empty()), "{}", rule.id);
            let region = region.unwrap_or_else(|| panic!("{} has a place", rule.id));
            assert!((region.line, region.column) < (region.end_line, region.end_column), "{}", rule.id);
            assert!(region.line <= rule.bad.lines().count(), "{} is found in its example", rule.id);
        }
    }
}

#[test]
fn what_a_file_is_refused_for_a_stack_in_rust_is_refused_for_as_well() {
    for rule in ALL.iter().filter(|rule| rule.severity() == Severity::Error && !rule.is_about_updates()) {
        let text = whole(rule.bad);
        let error = synthesize("example", &read_loosely(&text)).expect_err(rule.id);
        assert!(error.to_string().contains("cannot be synthesized"), "{}: {error}", rule.id);
    }
}

#[test]
fn each_rule_is_a_file_with_a_reason_and_a_page() {
    let ids: Vec<&str> = ALL.iter().map(|rule| rule.id).collect();
    let sorted: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids, sorted.into_iter().collect::<Vec<_>>(), "by id, each once");
    for rule in ALL {
        assert!(Suppression::is_of_ours(rule.id), "{}", rule.id);
        let file = root().join(format!("src/access/rules/{}.rs", rule.id.replace('-', "_")));
        assert!(file.is_file(), "{}", file.display());
        assert!(rule.page.starts_with("https://") && rule.why.len() > 60, "{}", rule.id);
        assert!(rule.title.len() > 20 && !rule.title.ends_with('.'), "{}", rule.id);
    }
    let files = fs::read_dir(root().join("src/access/rules")).expect("the rules are there").count();
    assert_eq!(files, ALL.len(), "every file is a rule of the list");
}

#[test]
fn every_mistake_that_others_let_through_has_its_rule() {
    let numbers: Vec<u8> = MISTAKES.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=24).collect::<Vec<u8>>());
    for (number, rules) in MISTAKES {
        for id in rules {
            assert!(rules::named(id).is_some(), "{number}: {id}");
        }
    }
}

#[test]
fn the_page_of_the_rules_is_up_to_date() {
    let page = root().join("docs/rules.md");
    Assert::new()
        .action_env("SNAPSHOTS")
        .eq(Data::from(catalogue::markdown()).raw(), Data::read_from(&page, None).raw());
}

fn stack_files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder is part of the repository");
    let paths = entries.map(|entry| entry.expect("the folder can be listed").path());
    let files: BTreeSet<_> = paths.filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect();
    assert!(files.len() > 4, "no cases in {folder}");
    files.into_iter().collect()
}

#[test]
fn no_rule_cries_wolf() {
    for file in stack_files("tests/suite/rules/examples").into_iter().chain(stack_files("stacks")) {
        let text = fs::read(&file).expect("it was listed");
        let name = file.file_name().expect("a file has a name").to_string_lossy();
        let read = spec::read_with_warnings(&name, &text, &|_| None);
        let read = read.unwrap_or_else(|report| panic!("{:?}", miette::Report::new(report)));
        assert!(read.warnings.is_none(), "{:?}", read.warnings.map(miette::Report::new));
        synthesize(name.trim_end_matches(".yaml"), &read.stack).expect("it can be synthesized");
    }
}

/// Reads a SARIF document by classes that were generated from the standard's own schema, which refuse what is not in it.
const SARIF: &str = "
import sys
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif
for run in Sarif.model_validate_json(sys.stdin.read()).runs:
    for result in run.results:
        rule = run.tool.driver.rules[result.ruleIndex]
        place = result.locations[0].physicalLocation
        print(rule.id == result.ruleId, result.ruleId, result.level.value, place.artifactLocation.uri, place.region.startLine)
";

#[test]
fn sarif_is_as_its_schema_has_it() {
    let project = root().join("tests/screen/rules.in");
    let check = ["check", "--format", "sarif", "--project"];
    let checked = Command::new(env!("CARGO_BIN_EXE_stackgen")).args(check).arg(project).output().expect("it runs");
    assert_eq!(checked.status.code(), Some(2), "one of the stacks has a mistake");
    let python = tools::python(&["pydantic-sarif==0.1.1"]);
    let mut reading = python.program("python");
    reading.args(["-c", SARIF]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut reading = reading.spawn().expect("python runs");
    reading.stdin.take().expect("it is piped").write_all(&checked.stdout).expect("python reads");
    let read = reading.wait_with_output().expect("python ends");
    let told = String::from_utf8_lossy(&read.stdout);
    let open = "True open-escape-hatch error stacks/open.yaml 15";
    let doubtful = "True no-token-revocation warning stacks/doubtful.yaml 3";
    assert_eq!(told.lines().collect::<Vec<_>>(), [open, doubtful]);
}

/// A client that two rules have something against.
const CLIENT: &str = "
userPools: { Users: {} }
userPoolClients:
  Web: { userPool: Users, enableTokenRevocation: false, preventUserExistenceErrors: false }
  Old: { userPool: Users, enableTokenRevocation: false }
";

fn suppressing(stack: &str, suppressions: &str) -> BTreeSet<String> {
    told(&format!("{stack}suppressions:\n{suppressions}"))
}

#[test]
fn a_suppression_is_about_one_rule_in_one_place() {
    let reason = "reason: It is a test and nothing else.";
    let ids = |ids: &[&str]| -> BTreeSet<String> { ids.iter().map(|id| (*id).to_owned()).collect() };
    assert_eq!(told(CLIENT), ids(&["no-token-revocation", "user-existence-told"]));
    let one = suppressing(CLIENT, &format!("  no-token-revocation: {{ resources: [Web], {reason} }}\n"));
    assert_eq!(one, ids(&["no-token-revocation", "user-existence-told"]), "`Old` is told still");
    let both = suppressing(CLIENT, &format!("  no-token-revocation: {{ resources: [Web, Old], {reason} }}\n"));
    assert_eq!(both, ids(&["user-existence-told"]));
    let kind = "AWS::Cognito::UserPoolClient";
    let all = suppressing(CLIENT, &format!("  no-token-revocation: {{ resources: [\"{kind}\"], {reason} }}\n"));
    assert_eq!(all, ids(&["user-existence-told"]));
}

#[test]
fn a_suppression_needs_a_reason() {
    let without = suppressing(CLIENT, "  no-token-revocation: { resources: [Web, Old] }\n");
    assert!(without.contains("shape"), "{without:?}");
    let short = suppressing(CLIENT, "  no-token-revocation: { resources: [Web, Old], reason: so }\n");
    assert!(short.contains("shape"), "{short:?}");
}

#[test]
fn a_suppression_can_be_about_one_route() {
    let api = "
functions: { Notes: { crate: functions/notes } }
userPools: { Users: { resourceServers: { notes: { scopes: { read: Read notes } } } } }
restApis:
  Api:
    authorizers: { Members: { cognito: { userPools: [Users] } } }
    routes:
      GET /a: { function: Notes, authorizer: Members, scopes: [notes/write] }
      GET /b: { function: Notes, authorizer: Members, scopes: [notes/write] }
";
    let of = |resources: &str| {
        let suppressions =
            format!("  unknown-route-scope: {{ resources: [{resources}], reason: Another stack has it. }}\n");
        let text = format!("{api}suppressions:\n{suppressions}");
        match spec::read_with_warnings("example.yaml", text.as_bytes(), &|_| None) {
            Ok(_) => 0,
            Err(report) => report.findings().count(),
        }
    };
    assert_eq!((of("Api.GET /a"), of("\"Api.GET /a\", \"Api.GET /b\""), of("Api")), (1, 0, 0));
}

#[test]
fn what_aws_refuses_no_reason_makes_right() {
    for rule in ALL.iter().filter(|rule| rule.verdict == Verdict::Refused && !rule.is_about_updates()) {
        if whole(rule.bad).contains("suppressions:") {
            continue;
        }
        let stack = read_loosely(&whole(rule.bad));
        let found = |stack: &Stack| rules::find(stack).into_iter().filter(|it| it.rule == rule).count();
        let mut excused = stack.clone();
        let ids: Vec<String> = rules::find(&stack).iter().filter_map(|it| it.complaint.path.get(1).cloned()).collect();
        excused.suppress(rule.id, Suppression::new(ids, "It is a test and nothing else."));
        assert_eq!(found(&excused), found(&stack), "{}", rule.id);
    }
}

#[test]
fn what_is_meant_so_is_left_alone() {
    for rule in ALL.iter().filter(|rule| rule.verdict != Verdict::Refused && !rule.is_about_updates()) {
        if whole(rule.bad).contains("suppressions:") {
            continue;
        }
        let mut stack = read_loosely(&whole(rule.bad));
        let ids: BTreeSet<String> =
            rules::find(&stack).iter().filter_map(|it| it.complaint.path.get(1).cloned()).collect();
        stack.suppress(rule.id, Suppression::new(ids, "It is a test and nothing else."));
        assert_eq!(rules::find(&stack), [], "{}", rule.id);
    }
}

/// A stack of which nothing was checked.
fn read_loosely(text: &str) -> Stack {
    let json: Json = serde_yaml::from_str(text).expect("the example is YAML");
    serde_json::from_value(json).expect("the example has the shape of a stack")
}

#[test]
fn an_update_that_is_meant_so_is_left_alone() {
    let [before, after] = versions(rules::named("user-pool-changed").expect("it is a rule").bad);
    let reason = "suppressions: { user-pool-changed: { resources: [Users], reason: Nobody has signed up yet. } }\n";
    assert_eq!(in_update(&before, &after).len(), 2, "what is signed in with, and a lost attribute");
    assert_eq!(in_update(&before, &format!("{after}{reason}")), []);
}

#[test]
fn our_own_suppressions_do_not_go_into_templates() {
    let text = format!(
        "{CLIENT}suppressions:\n  no-token-revocation: {{ resources: [Web, Old], reason: It is a test and nothing else. }}\n"
    );
    let template = synthesize("example", &read(&text)).expect("it is sound").to_json();
    assert!(!template.contains("no-token-revocation"), "{template}");
}

/// Two routes of a REST API that one function decides about, and its answers are kept.
const KEPT: &str = "
functions: { Decide: { crate: functions/decide }, Notes: { crate: functions/notes } }
restApis:
  Api:
    authorizers: { Keys: { token: { function: Decide } } }
    routes:
      GET /notes: { function: Notes, authorizer: Keys }
      PUT /notes: { function: Notes, authorizer: Keys }
";

#[test]
fn a_function_that_answers_for_one_route_is_told_by_its_source() {
    let narrow = |folder: &str| {
        assert_eq!(folder, "functions/decide", "nobody else decides");
        Some("json!({ \"policyDocument\": statement(\"execute-api:Invoke\", event.method_arn) })".to_owned())
    };
    let found = |text: &str| -> Vec<String> {
        let found = rules::find_with(&read_loosely(text), &narrow);
        found.iter().map(|it| format!("{} at {}", it.rule.id, it.complaint.path.join("."))).collect()
    };
    let place = "restApis.Api.authorizers.Keys.token.authorizerResultTtlInSeconds";
    assert_eq!(found(KEPT), [format!("cached-narrow-policy at {place}")]);
    let each_time = "{ function: Decide, authorizerResultTtlInSeconds: 0 }";
    assert!(found(&KEPT.replace("{ function: Decide }", each_time)).is_empty(), "nothing is kept");
    let alone = KEPT.replace("      PUT /notes: { function: Notes, authorizer: Keys }\n", "");
    assert!(found(&alone).is_empty(), "there is no next route");
}

#[test]
fn the_authorizers_that_come_with_stackgen_answer_for_the_whole_stage() {
    for name in ["authorizer", "token-authorizer", "cognito-authorizer"] {
        let folder = root().join("functions").join(name).join("src");
        let files = fs::read_dir(folder).expect("the crate is part of the repository");
        let source: String =
            files.map(|file| fs::read_to_string(file.expect("it can be listed").path()).unwrap_or_default()).collect();
        assert!(source.len() > 100, "{name}");
        assert_eq!(rules::find_with(&read_loosely(KEPT), &|_| Some(source.clone())), [], "{name}");
    }
}

#[test]
fn a_trigger_that_names_its_pool_is_found_however_it_does() {
    let circles = |function: &str| {
        told(&format!(
            "userPools: {{ Users: {{ lambdaConfig: {{ preSignUp: Greet }} }} }}\nuserPoolClients: {{ Web: {{ userPool: Users }} }}\n\
             functions: {{ Greet: {{ crate: functions/greet, {function} }} }}\n"
        ))
    };
    let circle = BTreeSet::from(["trigger-circle".to_owned()]);
    assert_eq!(circles("environment: { POOL: { ref: Users } }"), circle);
    assert_eq!(circles("environment: { CLIENT: { ref: Web } }"), circle);
    assert_eq!(circles("environment: { POOL: { sub: \"${Users.Arn}\" } }"), circle);
    assert_eq!(
        circles("policies: [{ actions: [\"cognito-idp:ListUsers\"], resources: [{ get: Users.Arn }] }]"),
        circle
    );
    assert_eq!(circles("environment: { REGION: { ref: AWS::Region } }"), BTreeSet::new());
}

/// Deployed templates may be anything.
#[test]
fn what_is_no_template_has_nothing_against_it() {
    let stack = Stack::default();
    let odd = serde_json::json!({ "Resources": { "Users": { "Type": "AWS::Cognito::UserPool", "Properties": 1 } } });
    for deployed in [Json::Null, serde_json::json!([]), serde_json::json!({ "Resources": 1 }), odd.clone()] {
        assert_eq!(rules::find_in_update(&stack, &deployed, &odd), []);
        assert_eq!(rules::find_in_update(&stack, &odd, &deployed), []);
    }
}

/// Doors that the model does not know, each with the property that is underlined.
#[test]
fn escape_hatches_that_open_doors_are_found() {
    let resources: BTreeMap<&str, &str> = BTreeMap::from([
        ("AuthType", "{ type: AWS::Lambda::Url, properties: { TargetFunctionArn: x, AuthType: NONE } }"),
        (
            "Principal",
            "{ type: AWS::Lambda::Permission, properties: { FunctionName: x, Action: lambda:InvokeFunction, Principal: '*' } }",
        ),
        ("AuthorizationType", "{ type: AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /open } }"),
        ("Target", "{ type: AWS::ApiGatewayV2::Api, properties: { ProtocolType: HTTP, Target: x } }"),
        (
            "AllowUnauthenticatedIdentities",
            "{ type: AWS::Cognito::IdentityPool, properties: { AllowUnauthenticatedIdentities: true } }",
        ),
    ]);
    for (property, resource) in resources {
        let stack = read_loosely(&format!("resources:\n  Open: {resource}\n"));
        let found = rules::find(&stack);
        let paths: Vec<String> = found.iter().map(|it| it.complaint.path.join(".")).collect();
        assert_eq!(paths, [format!("resources.Open.properties.{property}")]);
    }
}

#[test]
fn escape_hatches_that_open_nothing_are_left_alone() {
    for resource in [
        "{ type: AWS::Lambda::Url, properties: { AuthType: AWS_IAM } }",
        "{ type: AWS::Lambda::Permission, properties: { Principal: '*', PrincipalOrgID: o-1 } }",
        "{ type: AWS::Lambda::Permission, properties: { Principal: s3.amazonaws.com } }",
        "{ type: AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /a, AuthorizationType: AWS_IAM } }",
        "{ type: AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: $disconnect } }",
        "{ type: AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: 'OPTIONS /{proxy+}' } }",
        "{ type: AWS::ApiGateway::Method, properties: { HttpMethod: OPTIONS, AuthorizationType: NONE } }",
        "{ type: AWS::Cognito::IdentityPool, properties: { AllowUnauthenticatedIdentities: false } }",
    ] {
        assert_eq!(rules::find(&read_loosely(&format!("resources:\n  Shut: {resource}\n"))), [], "{resource}");
    }
}

#[test]
fn an_override_cannot_open_a_guarded_route_in_silence() {
    let api = "
functions: { Notes: { crate: functions/notes } }
userPools: { Users: {} }
userPoolClients: { Web: { userPool: Users } }
httpApis:
  Api:
    authorizers: { Members: { jwt: { userPool: Users, clients: [Web] } } }
    routes:
      GET /notes: { function: Notes, authorizer: Members }
      GET /health: { function: Notes, public: true }
";
    let opened = |id: &str, kind: &str| {
        told(&format!("{api}overrides:\n  {id}: {{ properties: {{ AuthorizationType: {kind} }} }}\n"))
    };
    let hatch = BTreeSet::from(["open-escape-hatch".to_owned()]);
    assert_eq!(opened("ApiGetNotes", "NONE"), hatch);
    assert_eq!(opened("ApiGetNotes", "null"), hatch);
    assert_eq!(opened("ApiGetNotes", "AWS_IAM"), BTreeSet::new());
    assert_eq!(opened("ApiGetHealth", "NONE"), BTreeSet::new());
}

/// What the rules find in a stack of which nothing else was checked, each with its place.
fn found(text: &str) -> Vec<String> {
    let found = rules::find(&read_loosely(text));
    found.iter().map(|it| format!("{} at {}", it.rule.id, it.complaint.path.join("."))).collect()
}

/// The functions that routes and authorizers name.
const FUNCTIONS: &str = "functions: { Notes: { crate: functions/notes }, Decide: { crate: functions/decide } }\n";

/// To a browser `*` is no `Authorization`.
#[test]
fn the_header_of_a_token_is_allowed_by_its_name() {
    let api = |authorizer: &str, headers: &str| {
        found(&format!(
            "userPools: {{ Users: {{}} }}\nuserPoolClients: {{ Web: {{ userPool: Users }} }}\n{FUNCTIONS}httpApis:\n  Api:\n    \
             cors: {{ allowOrigins: ['*'], allowMethods: [GET], allowHeaders: [{headers}] }}\n    \
             authorizers: {{ A: {{ {authorizer} }} }}\n    routes: {{ GET /a: {{ function: Notes, authorizer: A }} }}\n"
        ))
    };
    let blocked = ["cors-blocks-token at httpApis.Api.cors.allowHeaders"];
    let token = "jwt: { userPool: Users, clients: [Web] }";
    let key = "lambda: { function: Decide, identitySources: [$request.header.X-Key] }";
    assert_eq!(api(token, "'*'"), blocked);
    assert_eq!(api(token, "'*', AUTHORIZATION"), [""; 0]);
    assert_eq!(api(token, "x-key"), blocked);
    assert_eq!(api(key, "'*'"), [""; 0]);
    assert_eq!(api(key, "content-type"), blocked);
    assert_eq!(api("iam: {}", "'*'"), blocked);
    assert_eq!(api("iam: {}", "'*', authorization"), [""; 0]);
}

/// Statements of the policy of a private API, beside one that lets everyone call.
#[test]
fn a_policy_for_everyone_is_narrowed_by_what_keeps_somebody_out() {
    let api = |statements: &str| {
        let text = format!(
            "restApis:\n  Api:\n    endpointType: private\n    policy:\n{statements}    routes:\n      \
                            GET /a: {{ function: Notes, public: true }}\n{FUNCTIONS}"
        );
        let found = rules::find(&read_loosely(&text)).into_iter().filter(|it| it.rule.id == "policy-for-everyone");
        found.map(|it| it.complaint.path[3].clone()).collect::<Vec<_>>()
    };
    let beside = |deny: &str| {
        let deny = format!("      - {{ effect: deny, {deny} }}\n");
        api(&format!("      - {{ principals: ['*'], routes: ['*/GET/a', '*/POST/a'] }}\n{deny}"))
    };
    let vpc = "condition: { StringNotEquals: { aws:SourceVpce: vpce-1 } }";
    for narrowing in [
        format!("principals: ['*'], {vpc}"),
        format!("principals: ['*'], routes: ['*/a'], {vpc}"),
        format!("principals: ['*'], routes: ['execute-api:/*/GET/a', '/*/POST/a'], {vpc}"),
        "principals: ['*']".to_owned(),
    ] {
        assert_eq!(beside(&narrowing), [""; 0], "{narrowing}");
    }
    for idle in [
        format!("principals: ['*'], routes: ['*/GET/a'], {vpc}"),
        format!("principals: ['arn:aws:iam::111122223333:root'], {vpc}"),
        "principals: ['*'], condition: { Bool: { aws:SecureTransport: false } }".to_owned(),
        "principals: ['*'], condition: { NotIpAddress: { aws:VpcSourceIp: 0.0.0.0/0 } }".to_owned(),
        "principals: ['*'], condition: { StringNotLike: { aws:SourceVpce: '*' } }".to_owned(),
    ] {
        assert_eq!(beside(&idle), ["0"], "{idle}");
    }
    let alone = |condition: &str| api(&format!("      - {{ principals: ['*'], condition: {{ {condition} }} }}\n"));
    assert_eq!(alone("StringEquals: { aws:SourceVpce: vpce-1 }"), [""; 0]);
    assert_eq!(alone("IpAddress: { aws:VpcSourceIp: [10.0.0.0/8, 0.0.0.0/0] }"), ["0"]);
    assert_eq!(alone("StringLike: { aws:SourceVpce: '*' }"), ["0"]);
}

#[test]
fn a_policy_asks_for_what_requests_of_its_api_have() {
    let api = |kind: &str, condition: &str| {
        found(&format!(
            "restApis:\n  Api:\n    endpointType: {kind}\n    policy: [{{ principals: ['*'], condition: {{ {condition} }} }}]\n    \
             routes: {{ GET /a: {{ function: Notes, public: true }} }}\n{FUNCTIONS}"
        ))
    };
    let told = |line: &str| vec![format!("policy-key-never-there at restApis.Api.policy.0.condition.{line}")];
    for key in ["aws:SourceVpc", "aws:sourcevpce", "aws:VpcSourceIp"] {
        let line = format!("StringEquals: {{ {key}: x }}");
        for kind in ["regional", "edge"] {
            assert_eq!(api(kind, &line), told(&format!("StringEquals.{key}")), "{kind} {key}");
        }
        assert_eq!(api("private", &line), [""; 0], "{key}");
        assert_eq!(api("regional", &format!("StringEqualsIfExists: {{ {key}: x }}")), [""; 0], "{key}");
    }
    let address = "NotIpAddress: { aws:SourceIp: 192.0.2.0/24 }";
    assert_eq!(api("private", address), told("NotIpAddress.aws:SourceIp"));
    assert_eq!(api("regional", address), [""; 0]);
}
