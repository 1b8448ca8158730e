//! The rules of authorization: their examples, what a stack file says about them, and what they leave alone.

use std::collections::BTreeSet;
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
    (6, &["cache-without-identity", "cache-without-caller"]),
    (7, &["identity-source"]),
    (8, &["same-route-twice"]),
    (9, &["unknown-authorizer"]),
    (10, &["issuer-not-https"]),
    (11, &["machine-client-incomplete"]),
    (12, &["machine-client-with-pages"]),
    (13, &["insecure-redirect"]),
    (14, &["cognito-route-without-scopes"]),
    (
        15,
        &[
            "cors-blocks-token",
            "cors-credentials-for-everyone",
            "cors-credentials-for-a-scheme",
            "preflight-behind-authorizer",
            "preflight-behind-any",
        ],
    ),
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
fn each_public_example_says_where_it_is_from() {
    for file in stack_files("tests/suite/rules/examples") {
        let text = fs::read_to_string(&file).expect("it was listed");
        let mut head = text.lines().take_while(|line| line.starts_with('#'));
        assert!(head.any(|line| line.starts_with("# From ")), "{}", file.display());
    }
}

/// Where a rule is right about a public example, the example says so under `suppressions`.
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
    let python = tools::python(tools::READERS);
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

#[test]
fn escape_hatches_that_open_doors_are_found() {
    for (property, resource) in OPEN {
        let expected = format!("open-escape-hatch at resources.Open.properties.{property}");
        assert_eq!(found(&format!("{AROUND}  Open: {{ type: {resource} }}\n")), [expected], "{resource}");
    }
}

#[test]
fn escape_hatches_that_open_nothing_are_left_alone() {
    for resource in [
        "AWS::Lambda::Url, properties: { AuthType: AWS_IAM }",
        "AWS::Lambda::Permission, properties: { Principal: '*', PrincipalOrgID: o-1 }",
        "AWS::Lambda::Permission, properties: { Principal: s3.amazonaws.com }",
        "AWS::Lambda::Permission, properties: { Principal: '*', InvokedViaFunctionUrl: true }",
        "AWS::Lambda::Permission, properties: { Principal: { Ref: AWS::AccountId } }",
        "AWS::Lambda::Permission, properties: { Principal: apigateway.amazonaws.com, SourceAccount: { Ref: AWS::AccountId } }",
        "AWS::Lambda::Permission, properties: { Principal: apigateway.amazonaws.com, SourceArn: { Fn::Sub: 'arn:aws:execute-api:eu-west-1:${AWS::AccountId}:${Http}/*' } }",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /a, AuthorizationType: AWS_IAM }",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /a, AuthorizationType: { Ref: Guarding } }",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /a, AuthorizationType: { Fn::If: [C, JWT, AWS_IAM] } }",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: $disconnect }",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: { Ref: Socket }, RouteKey: $default }",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: { Fn::GetAtt: [Socket, ApiId] }, RouteKey: 'do /this' }",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: 'OPTIONS /{proxy+}' }",
        "AWS::ApiGateway::Method, properties: { HttpMethod: OPTIONS, AuthorizationType: NONE }",
        "AWS::ApiGateway::Method, properties: { HttpMethod: OPTIONS, Integration: { Type: MOCK } }",
        "AWS::ApiGatewayV2::Api, properties: { Target: { Ref: AWS::NoValue } }",
        "AWS::ApiGatewayV2::Api, properties: { Body: { paths: { /a: { get: { x-amazon-apigateway-auth: { type: AWS_IAM } } } } } }",
        "AWS::Cognito::IdentityPool, properties: { AllowUnauthenticatedIdentities: false }",
        "AWS::Cognito::IdentityPool, properties: {}",
    ] {
        assert_eq!(found(&format!("{AROUND}  Shut: {{ type: {resource} }}\n")), [""; 0], "{resource}");
    }
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

/// Doors that the model does not know, each with the property that is underlined.
const OPEN: [(&str, &str); 34] = [
    ("AuthType", "AWS::Lambda::Url, properties: { TargetFunctionArn: x, AuthType: NONE }"),
    ("AuthType", "AWS::Lambda::Url, properties: { AuthType: { Ref: Free } }"),
    ("Principal", "AWS::Lambda::Permission, properties: { Action: lambda:InvokeFunction, Principal: '*' }"),
    ("Principal", "AWS::Lambda::Permission, properties: { Principal: '*', SourceArn: { Ref: AWS::NoValue } }"),
    ("Principal", "AWS::Lambda::Permission, properties: { Principal: '*', SourceArn: '*' }"),
    ("Principal", "AWS::Lambda::Permission, properties: { Principal: apigateway.amazonaws.com }"),
    ("Principal", "AWS::Lambda::Permission, properties: { Principal: { Fn::Sub: 'apigateway.${AWS::URLSuffix}' } }"),
    (
        "Principal",
        "AWS::Lambda::Permission, properties: { Principal: apigateway.amazonaws.com, SourceArn: 'arn:aws:execute-api:*:*:*' }",
    ),
    (
        "Principal",
        "AWS::Lambda::Permission, properties: { Principal: apigateway.amazonaws.com, \
         SourceArn: { Fn::Sub: 'arn:aws:execute-api:${AWS::Region}:*:*' } }",
    ),
    ("AuthorizationType", "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /open }"),
    (
        "AuthorizationType",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /a, AuthorizationType: { Ref: AWS::NoValue } }",
    ),
    (
        "AuthorizationType",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /a, AuthorizationType: { Fn::Sub: NONE } }",
    ),
    (
        "AuthorizationType",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /a, AuthorizationType: { Ref: Kind } }",
    ),
    (
        "AuthorizationType",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /a, AuthorizationType: { Ref: Kinds } }",
    ),
    (
        "AuthorizationType",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /a, AuthorizationType: { Ref: Free } }",
    ),
    (
        "AuthorizationType",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: GET /a, AuthorizationType: { Fn::If: [C, JWT, NONE] } }",
    ),
    (
        "AuthorizationType",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: { Fn::Sub: '${Http}' }, RouteKey: $default }",
    ),
    (
        "AuthorizationType",
        "AWS::ApiGatewayV2::Route, properties: { ApiId: { Fn::ImportValue: x }, RouteKey: $default }",
    ),
    ("AuthorizationType", "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: { Fn::Sub: 'GET /${Free}' } }"),
    ("AuthorizationType", "AWS::ApiGatewayV2::Route, properties: { ApiId: { Ref: Socket }, RouteKey: $connect }"),
    ("AuthorizationType", "AWS::ApiGatewayV2::Route, properties: { ApiId: x, RouteKey: OPTIONS /a, Target: x }"),
    ("AuthorizationType", "AWS::ApiGateway::Method, properties: { HttpMethod: GET }"),
    (
        "AuthorizationType",
        "AWS::ApiGateway::Method, properties: { HttpMethod: GET, AuthorizationType: { Ref: AWS::NoValue } }",
    ),
    (
        "AuthorizationType",
        "AWS::ApiGateway::Method, properties: { HttpMethod: OPTIONS, Integration: { Type: AWS_PROXY } }",
    ),
    ("Target", "AWS::ApiGatewayV2::Api, properties: { ProtocolType: HTTP, Target: x }"),
    ("Target", "AWS::ApiGatewayV2::Api, properties: { Target: { Fn::If: [C, x, { Ref: AWS::NoValue }] } }"),
    ("Body", "AWS::ApiGatewayV2::Api, properties: { Body: { paths: { /a: { get: {} } } } }"),
    ("Body", "AWS::ApiGateway::RestApi, properties: { Body: { paths: { /a: { get: { security: [{ key: [] }] } } } } }"),
    (
        "Body",
        "AWS::ApiGateway::RestApi, properties: { Body: { paths: { /a: { get: {} } }, security: [{ a: [] }], \
         securityDefinitions: { a: { x-amazon-apigateway-authorizer: {} } } } }",
    ),
    ("Body", "AWS::ApiGateway::RestApi, properties: { Body: { Fn::Transform: { Name: AWS::Include } } }"),
    ("BodyS3Location", "AWS::ApiGateway::RestApi, properties: { BodyS3Location: { Bucket: x, Key: y } }"),
    ("CloneFrom", "AWS::ApiGateway::RestApi, properties: { CloneFrom: x }"),
    (
        "AllowUnauthenticatedIdentities",
        "AWS::Cognito::IdentityPool, properties: { AllowUnauthenticatedIdentities: true }",
    ),
    (
        "AllowUnauthenticatedIdentities",
        "AWS::Cognito::IdentityPool, properties: { AllowUnauthenticatedIdentities: { Ref: Free } }",
    ),
];

/// What the resources in question refer to.
const AROUND: &str = "
parameters:
  Free: {}
  Kind: { default: NONE }
  Kinds: { default: AWS_IAM, allowedValues: [AWS_IAM, NONE] }
  Guarding: { allowedValues: [AWS_IAM, JWT] }
resources:
  Http: { type: AWS::ApiGatewayV2::Api, properties: { ProtocolType: HTTP } }
  Socket: { type: AWS::ApiGatewayV2::Api, properties: { ProtocolType: WEBSOCKET } }
";

#[test]
fn an_override_cannot_open_a_door_in_silence() {
    let api = "
functions: { Notes: { crate: functions/notes } }
userPools: { Users: { lambdaConfig: { preSignUp: Notes } } }
userPoolClients: { Web: { userPool: Users } }
parameters: { Kind: { default: NONE } }
httpApis:
  Api:
    authorizers: { Members: { jwt: { userPool: Users, clients: [Web] } } }
    routes:
      GET /notes: { function: Notes, authorizer: Members }
      GET /health: { function: Notes, public: true }
      OPTIONS /notes: { function: Notes, authorizer: Members }
restApis:
  Rest:
    cors: { allowOrigins: [https://example.com], allowMethods: [GET] }
    authorizers: { Signed: { iam: {} } }
    routes:
      GET /notes: { function: Notes, authorizer: Signed }
webSocketApis:
  Chat:
    authorizers: { Signed: { iam: {} } }
    routes:
      $connect: { function: Notes, authorizer: Signed }
      $default: { function: Notes }
overrides:
";
    let opened = |id: &str, properties: &str| found(&format!("{api}  {id}: {{ properties: {{ {properties} }} }}\n"));
    for (id, properties, property) in [
        ("ApiGetNotes", "AuthorizationType: NONE", "AuthorizationType"),
        ("ApiGetNotes", "AuthorizationType: null", "AuthorizationType"),
        ("ApiGetNotes", "AuthorizationType: { Ref: AWS::NoValue }", "AuthorizationType"),
        ("ApiGetNotes", "AuthorizationType: { Fn::Sub: NONE }", "AuthorizationType"),
        ("ApiGetNotes", "AuthorizationType: { Ref: Kind }", "AuthorizationType"),
        ("ApiOptionsNotes", "AuthorizationType: NONE", "AuthorizationType"),
        ("RestGetNotes", "AuthorizationType: NONE", "AuthorizationType"),
        ("ChatConnectRoute", "AuthorizationType: NONE", "AuthorizationType"),
        ("RestOptionsNotes", "Integration: { Type: AWS_PROXY }", "AuthorizationType"),
        ("Api", "Target: { Fn::GetAtt: [Notes, Arn] }", "Target"),
        ("Rest", "Body: { paths: { /a: { get: {} } } }", "Body"),
        ("ApiNotesPermission", "SourceArn: null", "SourceArn"),
        ("ApiNotesPermission", "Principal: '*', SourceArn: null", "Principal"),
    ] {
        let expected = format!("open-escape-hatch at overrides.{id}.properties.{property}");
        assert_eq!(opened(id, properties), [expected], "{id}: {properties}");
    }
    for (id, properties) in [
        ("ApiGetNotes", "AuthorizationType: AWS_IAM"),
        ("ApiGetNotes", "OperationName: notes"),
        ("ApiGetHealth", "AuthorizationType: NONE"),
        ("ChatDefaultRoute", "AuthorizationType: NONE"),
        ("RestOptionsNotes", "AuthorizationType: NONE"),
        ("Api", "Description: Notes"),
        ("UsersNotesPermission", "SourceArn: null"),
        ("ApiNotesPermission", "SourceAccount: { Ref: AWS::AccountId }"),
    ] {
        assert_eq!(opened(id, properties), [""; 0], "{id}: {properties}");
    }
}

/// Where something is only likely open, who reads of it is told on what it depends.
#[test]
fn what_only_a_deployment_knows_is_told_by_its_name() {
    let raw = "type: AWS::Lambda::Url, properties: { AuthType: { Ref: Free } }";
    let stack = read_loosely(&format!("parameters: {{ Free: {{}} }}\nresources:\n  Open: {{ {raw} }}\n"));
    let messages: Vec<String> = rules::find(&stack).into_iter().map(|it| it.complaint.message).collect();
    assert_eq!(messages, ["everyone may call this URL, where `Free` says so"]);
}

/// An authorizer of each kind of API whose answers are kept, by what it looks at.
#[test]
fn kept_answers_are_told_apart_by_something_of_the_caller() {
    let http = |sources: &str, seconds: u32| {
        let lambda = format!(
            "function: Decide, identitySources: [{sources}], enableSimpleResponses: true, authorizerResultTtlInSeconds: {seconds}"
        );
        found(&format!(
            "httpApis: {{ Api: {{ authorizers: {{ Keys: {{ lambda: {{ {lambda} }} }} }}, \
             routes: {{ GET /a: {{ function: Notes, authorizer: Keys }} }} }} }}\n{FUNCTIONS}"
        ))
    };
    let rest = |sources: &str| {
        found(&format!(
            "restApis: {{ Api: {{ authorizers: {{ Keys: {{ request: {{ function: Decide, identitySources: [{sources}] }} }} }}, \
             routes: {{ GET /a: {{ function: Notes, authorizer: Keys }} }} }} }}\n{FUNCTIONS}"
        ))
    };
    let shared = |section: &str, kind: &str| {
        vec![format!("cache-without-caller at {section}.Api.authorizers.Keys.{kind}.identitySources")]
    };
    for sources in ["$context.routeKey", "$context.path, $stageVariables.x", "$context.identityOfNobody"] {
        assert_eq!(http(sources, 300), shared("httpApis", "lambda"), "{sources}");
        assert_eq!(http(sources, 0), [""; 0], "nothing is kept of {sources}");
    }
    for sources in ["$request.header.X", "$request.querystring.x", "$context.identity.sourceIp", "$context.requestId"] {
        assert_eq!(http(&format!("$context.routeKey, {sources}"), 300), [""; 0], "{sources}");
    }
    for sources in ["context.path", "stageVariables.x, context.stage"] {
        assert_eq!(rest(sources), shared("restApis", "request"), "{sources}");
    }
    for sources in ["context.path, method.request.header.X", "context.identity.apiKey"] {
        assert_eq!(rest(sources), [""; 0], "{sources}");
    }
}

#[test]
fn cookies_are_not_for_all_pages_of_a_scheme() {
    let http = |cors: &str| {
        found(&format!(
            "httpApis: {{ Api: {{ cors: {{ {cors} }}, routes: {{ GET /a: {{ function: Notes, public: true }} }} }} }}\n{FUNCTIONS}"
        ))
    };
    let origin = |index: u8| vec![format!("cors-credentials-for-a-scheme at httpApis.Api.cors.allowOrigins.{index}")];
    assert_eq!(http("allowOrigins: ['https://*'], allowCredentials: true"), origin(0));
    assert_eq!(http("allowOrigins: [https://a.example, 'http://*'], allowCredentials: true"), origin(1));
    assert_eq!(http("allowOrigins: ['https://*']"), [""; 0]);
    assert_eq!(http("allowOrigins: [https://a.example], allowCredentials: true"), [""; 0]);
}

#[test]
fn a_guarded_route_for_any_method_leaves_preflight_requests_to_another() {
    let api = |cors: &str, routes: &[&str]| {
        let routes: Vec<String> = routes
            .iter()
            .map(|key| match key.strip_prefix("public ") {
                Some(key) => format!("      {key}: {{ function: Notes, public: true }}\n"),
                None => format!("      {key}: {{ function: Notes, authorizer: A }}\n"),
            })
            .collect();
        let iam = "authorizers: { A: { iam: {} } }";
        found(&format!("{FUNCTIONS}httpApis:\n  Api:\n    {iam}\n{cors}    routes:\n{}", routes.concat()))
    };
    let cors = "    cors: { allowOrigins: ['*'], allowMethods: ['*'], allowHeaders: ['*', authorization] }\n";
    let told = |key: &str| vec![format!("preflight-behind-any at httpApis.Api.routes.{key}.authorizer")];
    assert_eq!(api(cors, &["ANY /a"]), told("ANY /a"));
    assert_eq!(api(cors, &["ANY /a/{id}", "public OPTIONS /a/{other}"]), [""; 0]);
    assert_eq!(api(cors, &["ANY /{proxy+}", "public OPTIONS /{proxy+}"]), [""; 0]);
    assert_eq!(
        api(cors, &["ANY /a", "public OPTIONS /{proxy+}"]),
        told("ANY /a"),
        "a whole path goes before a greedy one"
    );
    assert_eq!(api(cors, &["GET /a", "public ANY /b"]), [""; 0]);
    assert_eq!(api("", &["ANY /a"]), [""; 0], "nobody promises browsers anything");
    let default = api(cors, &["$default"]);
    assert_eq!(default, ["preflight-behind-authorizer at httpApis.Api.routes.$default.authorizer"]);
}

/// What a rule finds in a part of a stack file, one finding a line.
#[test]
fn a_rule_looks_at_every_place_that_it_is_about() {
    let no_authorizer =
        "routes: { GET /a: { function: Notes, authorizer: A }, GET /b: { function: Notes, authorizer: B } }";
    let unknown = ["GET /a.authorizer", "GET /b.authorizer"];
    let authorizers = |count: u8| (0..count).map(|at| format!("A{at}: {{ iam: {{}} }}, ")).collect::<String>();
    let crowd = |count| {
        let used = |at: u8| format!("GET /{at}: {{ function: Notes, authorizer: A{at} }}, ");
        let routes: String = (0..count).map(used).collect();
        format!("httpApis: {{ Api: {{ authorizers: {{ {} }}, routes: {{ {routes} }} }} }}", authorizers(count))
    };
    let servers: String = (0..26).map(|at| format!("s{at}: {{ scopes: {{ a: A }} }}, ")).collect();
    let paths: String = (0..101).map(|at| format!("GET /p{at}/a/b: {{ function: Notes, public: true }}, ")).collect();
    let client = |fields: &str| format!("userPoolClients: {{ Web: {{ userPool: Users, {fields} }} }}");
    let oauth = "allowedOAuthFlows: [code], allowedOAuthScopes: [openid]";
    let pages = |fields: &str| {
        format!("userPools: {{ Users: {{ domain: {{ prefix: notes }} }} }}\n{}", client(&format!("{oauth}, {fields}")))
    };
    let machine = |fields: &str| {
        format!(
            "userPools: {{ Users: {{ domain: {{ prefix: notes }}, resourceServers: {{ n: {{ scopes: {{ a: A }} }} }} }} }}\n{}",
            client(&format!("allowedOAuthFlows: [clientCredentials], {fields}"))
        )
    };
    let jwt = |fields: &str| {
        format!(
            "httpApis: {{ Api: {{ authorizers: {{ A: {{ jwt: {{ {fields} }} }} }}, \
             routes: {{ GET /a: {{ function: Notes, authorizer: A }} }} }} }}"
        )
    };
    let keyed = |fields: &str, authorizer: &str| {
        format!(
            "restApis: {{ Api: {{ {fields} authorizers: {{ A: {{ {authorizer} }} }}, \
             routes: {{ GET /a: {{ function: Notes, authorizer: A, apiKeyRequired: true }} }} }} }}"
        )
    };
    let planned = "usagePlans: { P: { apiKeys: [K] } }, apiKeys: { K: {} },";
    let web = "userPools: { Users: {}, Others: {} }\nuserPoolClients: { Web: { userPool: Users }, Far: { userPool: Others } }\n";
    let cases: [(&str, String, &[&str]); 25] = [
        ("unknown-authorizer", format!("restApis: {{ Api: {{ {no_authorizer} }} }}"), &unknown),
        ("unknown-authorizer", format!("httpApis: {{ Api: {{ {no_authorizer} }} }}"), &unknown),
        ("token-validity", client("idTokenValidity: 2d"), &["idTokenValidity"]),
        ("token-validity", client("accessTokenValidity: 2d"), &["accessTokenValidity"]),
        ("token-validity", client("idTokenValidity: 5h, refreshTokenValidity: 2h"), &["idTokenValidity"]),
        ("insecure-redirect", pages("callbackUrls: [https://a.example, http://b.example]"), &["callbackUrls.1"]),
        (
            "insecure-redirect",
            pages("callbackUrls: [https://a.example], logoutUrls: [http://a.example]"),
            &["logoutUrls.0"],
        ),
        ("insecure-redirect", pages("callbackUrls: ['https://a.example/#x']"), &["callbackUrls.0"]),
        (
            "insecure-redirect",
            pages("callbackUrls: [https://a.example], defaultRedirectUri: http://a.example"),
            &["defaultRedirectUri"],
        ),
        ("machine-client-incomplete", machine("allowedOAuthScopes: [n/a]"), &["allowedOAuthFlows"]),
        (
            "machine-client-incomplete",
            machine("generateSecret: true, allowedOAuthScopes: [openid]"),
            &["allowedOAuthFlows"],
        ),
        ("machine-client-incomplete", machine("generateSecret: true, allowedOAuthScopes: [n/a]"), &[]),
        (
            "same-route-twice",
            "httpApis:\n  Api:\n    routes:\n      GET /{a}: { function: Notes, public: true }\n      \
             GET /{b}: { function: Notes, public: true }\n"
                .to_owned(),
            &["GET /{b}"],
        ),
        (
            "same-route-twice",
            "restApis:\n  Api:\n    routes:\n      GET /{a}: { function: Notes, public: true }\n      \
             PUT /{b}/c: { function: Notes, public: true }\n"
                .to_owned(),
            &["PUT /{b}/c"],
        ),
        ("client-of-another-pool", format!("{web}{}", jwt("userPool: Users, clients: [Web, Far]")), &["clients.1"]),
        ("key-nobody-has", keyed("", "iam: {}"), &["apiKeyRequired"]),
        ("key-nobody-has", keyed(&format!("{planned} apiKeySource: authorizer,"), "iam: {}"), &["apiKeyRequired"]),
        (
            "key-nobody-has",
            format!("resources: {{ Plan: {{ type: AWS::ApiGateway::UsagePlan }} }}\n{}", keyed("", "iam: {}")),
            &[],
        ),
        ("issuer-not-https", jwt("issuer: 'http://a.example', audience: [a]"), &["issuer"]),
        (
            "issuer-not-https",
            "identityProviders: { P: { userPool: Users, oidc: { clientId: a, issuer: 'http://a.example', scopes: [openid] } } }"
                .to_owned(),
            &["issuer"],
        ),
        ("quota", crowd(10), &[]),
        ("quota", crowd(11), &["authorizers"]),
        ("quota", format!("userPools: {{ Users: {{ resourceServers: {{ {servers} }} }} }}"), &["resourceServers"]),
        ("quota", format!("restApis: {{ Api: {{ routes: {{ {paths} }} }} }}"), &["routes"]),
        ("tokens-for-anyone", jwt("userPool: Users"), &["A.jwt"]),
    ];
    for (rule, part, ends) in cases {
        let found =
            rules::find(&read_loosely(&whole(&format!("{part}\n")))).into_iter().filter(|it| it.rule.id == rule);
        let places: Vec<String> = found.map(|it| it.complaint.path.join(".")).collect();
        let ends_so = |(end, place): (&&str, &String)| place.ends_with(&format!(".{end}"));
        let is_told = places.len() == ends.len() && ends.iter().zip(&places).all(ends_so);
        assert!(is_told, "{rule}: {places:?}, not {ends:?}\n{part}");
    }
}

/// What is fixed when a pool is made, one thing at a time.
#[test]
fn an_update_changes_nothing_of_what_is_fixed() {
    let pool = |fields: &str| whole(&format!("userPools: {{ Users: {{ {fields} }} }}\n"));
    let found = |before: &str, after: &str| -> Vec<String> {
        let found = in_update(&pool(before), &pool(after)).into_iter();
        found.map(|it| it.complaint.path[3].clone()).collect()
    };
    for (before, after, property) in [
        ("usernameAttributes: [email]", "usernameAttributes: [phoneNumber]", "UsernameAttributes"),
        ("aliasAttributes: [email]", "aliasAttributes: [email, phoneNumber]", "AliasAttributes"),
        ("signInCaseSensitive: true", "signInCaseSensitive: false", "UsernameConfiguration"),
        ("customAttributes: { a: {} }", "customAttributes: { b: {} }", "Schema"),
        ("customAttributes: { a: {} }", "customAttributes: { a: { mutable: false } }", "Schema"),
        ("", "standardAttributes: { name: { required: true } }", "Schema"),
    ] {
        assert_eq!(found(before, after), [property], "{before} -> {after}");
        assert_eq!(found(before, before), [""; 0], "{before}");
    }
    assert_eq!(found("", "customAttributes: { a: {} }"), [""; 0], "attributes of the pool's own can be added");
}
