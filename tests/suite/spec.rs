//! Stack files: what is read, and how mistakes are told.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use miette::{GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;
use snapbox::{Assert, Data};
use stackgen::access::rules::Severity;
use stackgen::model::{Others, Stack};
use stackgen::spec;

use crate::{stacks, tools};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder is part of the repository");
    let paths = entries.map(|entry| entry.expect("the folder can be listed").path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty(), "no cases in {folder}");
    files
}

fn read(path: &Path) -> Result<Stack, spec::Report> {
    let text = fs::read(path).expect("the file is part of the repository");
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    spec::read(&name, &text)
}

/// What the screen shows, without colour.
fn shown(report: &spec::Report) -> String {
    let mut shown = String::new();
    let theme = GraphicalTheme::unicode_nocolor();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
    handler.render_report(&mut shown, report).expect("a string takes all that is written");
    shown.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn assert_file(path: &Path, actual: impl Into<Data>) {
    Assert::new().action_env("SNAPSHOTS").eq(actual.into().raw(), Data::read_from(path, None).raw());
}

#[test]
fn every_mistake_is_told_where_it_was_made() {
    for file in files("tests/suite/spec") {
        let report = read(&file).expect_err(&file.to_string_lossy());
        assert_file(&file.with_extension("txt"), shown(&report));
    }
}

#[test]
fn every_stack_file_and_its_sibling_in_rust_are_the_same_stack() {
    let built: BTreeMap<_, _> = stacks::ALL.into_iter().map(|(name, stack)| (name.to_owned(), Ok(stack()))).collect();
    let name = |file: &Path| file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    let read: BTreeMap<_, _> =
        files("stacks").iter().map(|file| (name(file), read(file).map_err(|report| shown(&report)))).collect();
    assert_eq!(read, built);
}

#[test]
fn the_schema_is_up_to_date() {
    let schema = serde_json::to_string_pretty(&spec::schema()).expect("a schema is JSON") + "\n";
    assert_file(&root().join("docs/stack.schema.json"), schema);
}

#[test]
fn every_stack_file_names_the_schema() {
    for file in files("stacks") {
        let text = fs::read_to_string(&file).expect("the file is part of the repository");
        assert!(text.starts_with("# yaml-language-server: $schema=../docs/stack.schema.json\n"), "{}", file.display());
    }
}

/// What an editor does with the schema: prints the mistakes that it finds in a stack file.
const EDITOR: &str = "
import json, sys, jsonschema, yaml
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
for error in jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(open(sys.argv[2]))):
    print('/'.join(map(str, error.absolute_path)))
";

fn mistakes_by_schema(file: &Path) -> String {
    let python = tools::python(tools::READERS);
    let schema = root().join("docs/stack.schema.json");
    tools::run(python.program("python").args(["-c", EDITOR]).arg(schema).arg(file))
}

#[test]
fn the_schema_accepts_the_stack_files_and_nothing_misspelled() {
    for file in files("stacks") {
        assert_eq!(mistakes_by_schema(&file), "", "{}", file.display());
    }
    let found = mistakes_by_schema(&root().join("tests/suite/spec/fields.yaml"));
    for place in ["userPools/Users", "userPools/Users/mfa", "functions/Hello/memorySize", "userPoolClients/Web"] {
        assert!(found.lines().any(|line| line == place), "{place} is not among\n{found}");
    }
}

/// CloudFormation refuses it only where the condition does not hold.
#[test]
fn what_needs_a_resource_that_may_be_switched_off_is_doubtful() {
    let text = "functions: { Hello: { crate: functions/hello } }\n\
                httpApis: { Api: { routes: { GET /: { function: Hello, public: true } } } }\n\
                conditions: { IsProd: { equals: [{ ref: 'AWS::StackName' }, prod] } }\n\
                overrides: { Hello: { condition: IsProd } }\n";
    let read = spec::read_with_warnings("b.yaml", text.as_bytes(), &|_| None).expect("it is no mistake");
    let found: Vec<_> = read.warnings.iter().flat_map(spec::Report::findings).map(|(finding, _)| finding).collect();
    let doubt = found.iter().find(|finding| finding.message().contains("only under the condition `IsProd`"));
    let doubt = doubt.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(doubt.severity(), Severity::Warning);
    assert!(
        doubt.help().is_some_and(|help| help.contains("overrides: { ApiHelloIntegration: { condition: IsProd } }")),
        "{doubt:?}"
    );
    stackgen::synth::synthesize("b", &read.stack).expect("it has a template");
}

/// What a file of a project is told that refers to other stacks of it.
fn in_project(text: &str, files: &[(&str, &str)]) -> Vec<String> {
    let others = || {
        let mut others = Others::default();
        for (name, text) in files {
            match spec::outline(text.as_bytes()) {
                Some(stack) => others.add(name, &stack),
                None => others.assume(name),
            }
        }
        Some(others)
    };
    let read = spec::read_in_project("b.yaml", text.as_bytes(), &|_| None, &others);
    let report = read.map_or_else(Some, |_| None);
    let findings = report.iter().flat_map(spec::Report::findings);
    findings.map(|(finding, _)| finding.message().to_owned()).collect()
}

#[test]
fn what_other_stacks_show_is_known() {
    let project = [
        ("b", "userPools: { Members: {} }"),
        (
            "a",
            "userPools: { Users: {} }
functions: { Hello: { crate: functions/hello } }
outputs:
  id: { ref: Users }
  arn: { get: Users.Arn }
  name: { ref: Hello }
  own: { value: { ref: Users }, export: my-name }
  same: { value: { ref: Users }, export: { sub: '${AWS::StackName}:same' } }
  text: pool",
        ),
        ("broken", "userPools: { Users: { mfaa: off } }"),
    ];
    let client = |output: &str| {
        in_project(&format!("userPoolClients: {{ Web: {{ userPool: {{ output: {output} }} }} }}"), &project)
    };
    for output in ["a.id", "a.text", "a.same", "broken.any"] {
        assert_eq!(client(output), Vec::<String>::new(), "{output}");
    }
    let wrong = [
        ("a.idd", "stack `a` has no output `idd`"),
        ("nowhere.id", "the project has no stack `nowhere`"),
        ("a.own", "`a.own` is exported as `my-name`"),
        ("a.arn", "`a.arn` is the ARN of a user pool"),
        ("a.name", "`a.name` is of type `AWS::Lambda::Function`, not a user pool"),
        ("b.id", "`b.id` is an output of this very stack"),
    ];
    for (output, message) in wrong {
        assert_eq!(client(output), [message], "{output}");
    }
    let trigger = "userPools: { Users: { lambdaConfig: { preSignUp: { output: a.name } } } }";
    assert_eq!(in_project(trigger, &project), ["`a.name` is the id of a function"]);
    let value = "userPools: { Users: {} }\noutputs: { a: { join: ['', [{ output: a.idd }]] } }";
    assert_eq!(in_project(value, &project), ["stack `a` has no output `idd`"]);
}

/// What an editor does with the schema: prints the numbers of the stack files in which it finds a mistake.
const EDITOR_OF_MANY: &str = "
import json, sys, jsonschema, yaml
validator = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))
for number, text in enumerate(json.loads(sys.argv[2])):
    if not validator.is_valid(yaml.safe_load(text)):
        print(number)
";

fn refused_by_schema(texts: &[String]) -> Vec<String> {
    let python = tools::python(tools::READERS);
    let schema = root().join("docs/stack.schema.json");
    let texts_as_json = serde_json::to_string(texts).expect("texts are JSON");
    let found = tools::run(python.program("python").args(["-c", EDITOR_OF_MANY]).arg(schema).arg(texts_as_json));
    found.lines().map(|number| texts[number.parse::<usize>().expect("it prints numbers")].clone()).collect()
}

fn is_read(text: &str) -> bool {
    spec::read("some.yaml", text.as_bytes()).is_ok()
}

/// Texts without quotes, the spelling of CloudFormation, and nothing where a list or a map may be empty.
const TAKEN: &[&str] = &[
    "userPools: { Users: {} }\nparameters: { Days: { type: Number, default: 30, allowedValues: [30, 60] } }",
    "userPools: { Users: {} }\nparameters: { On: { default: true } }",
    "userPools: { Users: {} }\ntags: { version: 1.10, live: true }\ndescription: 2024",
    "userPools: { Users: { userPoolTags: { cost: 42 } } }",
    "userPools: { Users: {} }\noutputs: { a: { Ref: Users }, b: { 'Fn::GetAtt': Users.Arn }, c: { 'Fn::Sub': '${Users}' } }",
    "userPools: { Users: {} }\noutputs: { a: { 'Fn::Join': ['', [a, { Ref: Users }]] } }",
    "userPools: { Users: {} }\nconditions: { A: { 'Fn::Equals': [a, b] }, B: { 'Fn::Not': [{ Condition: A }] } }",
    "resources: { Queue: { type: 'AWS::SQS::Queue', deletionPolicy: Delete } }",
    "tables:\nuserPools:\n  Users:\n",
    "userPools: { Users: {} }\nuserPoolClients: { Web: { userPool: Users, accessTokenValidity: ' 1h ' } }",
    "functions: { Hello: { crate: hello } }\n\
     httpApis: { Api: { payloadFormat: 2.0, routes: { GET /: { function: Hello, public: true } } } }",
];

/// What is out of range, or none of what there is.
const REFUSED: &[&str] = &[
    "userPools: { Users: { passwordPolicy: { minimumLength: 8, passwordHistorySize: 25 } } }",
    "userPools: { Users: { passwordPolicy: { minimumLength: 8, temporaryPasswordValidityDays: 366 } } }",
    "userPools: { Users: {} }\nuserPoolClients: { Web: { userPool: Users, authSessionValidity: 2 } }",
    "userPools: { Users: {} }\nuserPoolClients: { Web: { userPool: Users, authSessionValidity: 16 } }",
    "userPools: { Users: { customAttributes: { size: { maxLength: 3000 } } } }",
    "userPools: { a-b: {} }",
    "functions: { Hello: {} }",
    "functions: { Hello: { crate: hello, zip: hello.zip } }",
    "functions: { Hello: { crate: hello, logRetentionDays: 2 } }",
    "functions: { Hello: { crate: hello, policies: [{ sid: a b, actions: ['s3:GetObject'], resources: ['*'] }] } }",
    "functions: { Hello: { crate: hello } }\n\
     httpApis: { Api: { payloadFormat: 3.0, routes: { GET /: { function: Hello, public: true } } } }",
    "functions: { Hello: { crate: hello } }\nhttpApis: { Api: { routes: { get /: { function: Hello, public: true } } } }",
    "functions: { Hello: { crate: hello } }\n\
     httpApis: { Api: { routes: { GET /: { function: Hello, public: true, timeoutInMillis: 10 } } } }",
    "functions: { Hello: { crate: hello } }\n\
     httpApis: { Api: { cors: { allowOrigins: ['https://a.b'], maxAge: 90000 }, routes: { GET /: { function: Hello, public: true } } } }",
    "resources: { Queue: { type: 'AWS::SQS::Queue', deletionPolicy: forget } }",
];

#[test]
fn the_schema_takes_what_is_read_and_refuses_what_is_not() {
    let long = "x".repeat(1_025);
    let many: Vec<String> = (0..51).map(|number| format!("a{number}: {{}}")).collect();
    let lengths = [
        format!("userPools: {{ Users: {{ inviteMessage: {{ emailSubject: {} }} }} }}", "x".repeat(141)),
        format!("userPools: {{ Users: {{ customAttributes: {{ {} }} }} }}", many.join(", ")),
        format!("userPools: {{ Users: {{}} }}\noutputs: {{ a: {{ value: b, description: {long} }} }}"),
    ];
    let taken: Vec<String> = TAKEN.iter().map(|text| (*text).to_owned()).collect();
    let refused: Vec<String> = REFUSED.iter().map(|text| (*text).to_owned()).chain(lengths).collect();
    assert_eq!(taken.iter().filter(|text| !is_read(text)).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(refused.iter().filter(|text| is_read(text)).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(refused_by_schema(&taken), Vec::<String>::new());
    assert_eq!(refused_by_schema(&refused), refused);
}

/// Prints every default that is none of the values that its field takes.
const DEFAULTS: &str = "
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
def look(node, way):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if key == 'default' and 'properties' not in way[-1:]:
            field = {**node, '$defs': schema['$defs']}
            if value is None or not jsonschema.Draft202012Validator(field).is_valid(value):
                print('/'.join(map(str, way)))
        elif isinstance(value, (dict, list)):
            look(value, way + [key])
look(schema, [])
";

#[test]
fn every_default_of_the_schema_is_one_that_can_be_written() {
    let python = tools::python(tools::READERS);
    let schema = root().join("docs/stack.schema.json");
    assert_eq!(tools::run(python.program("python").args(["-c", DEFAULTS]).arg(schema)), "");
}

#[test]
fn no_bound_of_the_model_is_hidden_from_the_schema() {
    let mut folders = vec![root().join("src/model")];
    let mut hidden: Vec<String> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the source tree is readable") {
            let path = entry.expect("the source tree is readable").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            // What is inside an `Option` the schema does not look at.
            let bounds = ["#[garde(inner(range(", "#[garde(inner(length("].into_iter();
            let found = bounds.filter(|bound| text.contains(bound));
            hidden.extend(found.map(|bound| format!("{bound} in {}", path.display())));
        }
    }
    assert_eq!(hidden, Vec::<String>::new());
}

#[test]
fn no_more_mistakes_are_told_than_anybody_reads() {
    let unknown: String = (0..60).map(|number| format!("  a{number}: {{ nothing: 1 }}\n")).collect();
    // What follows from a key that is set aside is told no more, but has to be found.
    let merged: String = (0..5_000).map(|number| format!("  a{number}: {{ <<: x }}\n")).collect();
    for text in [
        format!("tags:\n{}", "  a: x\n".repeat(20_000)),
        format!("userPools:\n{unknown}"),
        format!("userPoolClients:\n{merged}"),
    ] {
        let report = spec::read("many.yaml", text.as_bytes()).expect_err("it is full of mistakes");
        assert_eq!(report.findings().count(), 50);
        assert_eq!(report.to_string(), "`many.yaml` has more than 50 mistakes; these are the first");
    }
}

#[test]
fn however_many_conditions_are_read_and_a_circle_of_them_is_told_once() {
    let chain: String = (1..8_000).map(|number| format!("  C{number}: {{ condition: C{} }}\n", number - 1)).collect();
    let stack = |first: &str| format!("userPools: {{ Users: {{}} }}\nconditions:\n  C0: {first}\n{chain}");
    assert!(spec::read("chain.yaml", stack("{ equals: [a, a] }").as_bytes()).is_ok());
    let report = spec::read("circle.yaml", stack("{ condition: C7999 }").as_bytes()).expect_err("it is a circle");
    let told: Vec<_> = report.findings().map(|(finding, _)| finding.message().to_owned()).collect();
    assert_eq!(told, ["the conditions `C0`, `C1`, `C10`, `C100` and 7996 others depend on each other"]);
}

/// Where tags stand, with what must be around them.
const TAGGED: &[(&str, &str)] = &[
    ("", ""),
    ("userPools: { Users: { userPoolTags: ", " } }"),
    ("secrets: { Key: { tags: ", " } }"),
    ("tables: { Notes: { partitionKey: { name: id, type: string }, tags: ", " } }"),
    ("emailIdentities: { Mail: { emailIdentity: example.com, tags: ", " } }"),
    ("httpApis: { Api: { routes: {}, tags: ", " } }"),
    ("httpApis: { Api: { routes: {}, stages: { beta: { tags: ", " } } } }"),
    ("webSocketApis: { Api: { routes: {}, tags: ", " } }"),
    ("webSocketApis: { Api: { routes: {}, stages: { beta: { tags: ", " } } } }"),
    ("restApis: { Api: { routes: {}, tags: ", " } }"),
    ("restApis: { Api: { routes: {}, stages: { beta: { tags: ", " } } } }"),
    ("restApis: { Api: { routes: {}, usagePlans: { Basic: { tags: ", " } } } }"),
    ("restApis: { Api: { routes: {}, apiKeys: { Mine: { tags: ", " } } } }"),
];

#[test]
fn whatever_has_tags_has_50_at_most() {
    for (before, after) in TAGGED {
        let told = |count: usize| {
            let tags: Vec<String> = (0..count).map(|number| format!("t{number}: x")).collect();
            let text = format!("{before}{{ {} }}{after}", tags.join(", "));
            let text = if before.is_empty() { format!("userPools: {{ Users: {{}} }}\ntags: {text}") } else { text };
            let report = spec::read("tags.yaml", text.as_bytes()).err();
            let told: Vec<String> =
                report.iter().flat_map(|it| it.findings().map(|(finding, _)| finding.message().to_owned())).collect();
            told.into_iter().filter(|message| message.contains("tags")).collect::<Vec<_>>()
        };
        assert_eq!(told(50), Vec::<String>::new(), "{before}");
        assert_eq!(told(51), ["these are 51 tags"], "{before}");
    }
}

#[test]
fn a_huge_file_is_refused_before_it_is_read() {
    let text = "a".repeat(spec::MAX_BYTES + 1);
    let report = spec::read("huge.yaml", text.as_bytes()).expect_err("it is too large");
    assert!(report.to_string().contains("more than the 1000000"), "{report}");
}

#[test]
fn a_place_is_found_by_its_path() {
    let text =
        fs::read_to_string(root().join("stacks/protected-api.yaml")).expect("the file is part of the repository");
    let line = spec::line(&text, &["httpApis", "Api", "routes", "GET /protected"]).expect("the route is declared");
    let found = text.lines().nth(line - 1).expect("the line exists");
    assert!(found.contains("GET /protected"), "{found}");
}

#[test]
fn of_a_long_line_only_what_is_around_a_mistake_is_shown() {
    let tags: Vec<String> = (0..20_000).map(|number| format!("t{number}: x")).collect();
    let tags = tags.join(", ");
    let text = format!("{{ userPools: {{ Users: {{ mfa: never }} }}, tags: {{ again: x, {tags}, again: {tags:?} }} }}");
    let report = spec::read("line.yaml", text.as_bytes()).expect_err("it has mistakes");
    let shown = shown(&report);
    assert!(shown.contains("mfa: never") && shown.contains("`again` is here twice"), "{shown}");
    assert!(shown.len() < 4_000, "{} bytes are shown", shown.len());
}

/// A stack file in which some bytes are changed.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let cases: Vec<Vec<u8>> = files("tests/suite/spec")
        .iter()
        .chain(&files("stacks"))
        .map(|file| fs::read(file).expect("it was listed"))
        .collect();
    let edits = prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(EDITS)), 1..8);
    (prop::sample::select(cases), edits).prop_map(|(mut text, edits)| {
        for (at, edit) in edits {
            let at = at.index(text.len() + 1);
            let end = text.len().min(at + edit.len() % 3);
            text.splice(at..end, edit.bytes());
        }
        text
    })
}

const EDITS: &[&str] = &[
    "", "a", "\n", "\n  ", ": ", "- ", "{", "}", "[", "]", "\"", "'", "&a ", "*a", "!Sub ", "#", "|", "? ", "\u{e9}",
    "~", "0", "-1e999",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(text in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(spec::read("any.yaml", &text).map_or_else(|report| !shown(&report).is_empty(), |_| true));
    }

    #[test]
    fn no_mutated_stack_file_panics(text in mutated()) {
        prop_assert!(spec::read("any.yaml", &text).map_or_else(|report| !shown(&report).is_empty(), |_| true));
    }
}
