//! The real CDK CLI reads what stackgen writes, and deploys it to an emulator.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use stackgen::assembly::{self, Code, Format, Stack};
use stackgen::bundle::{self, Architecture, FunctionSource, Progress, Purpose, Stop};
use stackgen::project::Project;
use stackgen::template::{Output, Parameter, Resource, Template, function};

use crate::project::{STACK, succeeded, told};
use crate::tools::{Auth, Ministack, READERS, npm, python, run};

/// The version whose behaviour the assembly is written for. The registry's `latest` is an older one, wrongly tagged.
const CDK: &str = "aws-cdk@2.1148.1";

/// The CDK CLI with a home and an account of its own, and kept off the network.
struct Cdk<'a> {
    environment: Vec<(String, String)>,
    folder: &'a Path,
}

impl<'a> Cdk<'a> {
    fn of(ministack: &Ministack, folder: &'a Path) -> Self {
        let environment = ministack.environment().into_iter().map(|(name, value)| (name.to_owned(), value));
        Self { environment: environment.collect(), folder }
    }

    /// Bootstraps the account.
    fn bootstrap(&self) {
        self.run(&["bootstrap", "aws://000000000000/us-east-1"]);
    }

    fn run(&self, arguments: &[&str]) -> String {
        run(self.command().args(arguments))
    }

    fn command(&self) -> Command {
        let mut cdk = npm(&[CDK]).program("cdk");
        cdk.args(["--no-notices", "--no-version-reporting", "--app", "stackgen.out"])
            .current_dir(self.folder)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("HOME", self.folder)
            .env("CDK_DISABLE_CLI_TELEMETRY", "true")
            .env("CDK_DISABLE_VERSION_CHECK", "true")
            .env("CI", "true");
        cdk
    }

    fn deploy(&self, stack: &str) -> Value {
        self.run(&["deploy", stack, "--require-approval", "never", "--outputs-file", "outputs.json"]);
        let outputs = fs::read_to_string(self.folder.join("outputs.json")).expect("the CLI wrote it");
        serde_json::from_str(&outputs).expect("the CLI writes JSON")
    }
}

/// A function whose code comes by parameters, as synthesis writes it.
fn template() -> Template {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": { "Service": "lambda.amazonaws.com" },
        }],
    });
    let bucket = function::if_(
        "UsesCdkBucket",
        function::sub("cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"),
        function::reference("AssetBucket"),
    );
    let hello = Resource::new("AWS::Lambda::Function")
        .property("Runtime", "provided.al2023")
        .property("Handler", "bootstrap")
        .property("Role", function::get_att("HelloRole", "Arn"))
        .property("Code", json!({ "S3Bucket": bucket, "S3Key": function::reference("HelloCodeKey") }));
    let mut template = Template::default().description("A function.");
    template.parameters.insert("AssetBucket".into(), Parameter::new("String").default(""));
    template.parameters.insert("HelloCodeKey".into(), Parameter::new("String"));
    template.conditions.insert("UsesCdkBucket".into(), function::equals(function::reference("AssetBucket"), ""));
    let role = Resource::new("AWS::IAM::Role").property("AssumeRolePolicyDocument", trust);
    template.resources.insert("HelloRole".into(), role);
    template.resources.insert("Hello".into(), hello);
    template.outputs.insert("key".into(), Output::new(function::reference("HelloCodeKey")));
    template
}

/// Writes the assembly of a function that is built from this source, and returns the key of its code.
fn build(project: &Project, word: &str, format: Format) -> String {
    let main = project.root().join("functions/hello/src/main.rs");
    fs::write(main, format!("fn main() {{ println!(\"{word}\") }}")).expect("the project is writable");
    let code = bundle::Code::Crate { name: "functions/hello".into(), binary: None };
    let hello = FunctionSource { id: "Hello".into(), code, architecture: Architecture::host() };
    let assets =
        bundle::bundle(project, &[hello], Purpose::Deploy, Progress::Hidden, &Stop::default()).expect("it builds");
    let code = Code { function: "Hello".into(), parameter: "HelloCodeKey".into(), digest: assets[0].digest.clone() };
    let stack = Stack { code: vec![code], ..Stack::new("hello-api", template()) };
    assembly::write(&project.out(), &[stack], format).expect("the project is writable");
    assets[0].key()
}

fn sketch(folder: &Path) -> Project {
    fs::create_dir_all(folder.join("stacks")).expect("the folder is writable");
    fs::create_dir_all(folder.join("functions/hello/src")).expect("the folder is writable");
    let manifest = "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    fs::write(folder.join("functions/hello/Cargo.toml"), manifest).expect("the folder is writable");
    Project::discover(folder).expect("it has stacks")
}

#[test]
fn the_cdk_lists_deploys_changes_and_destroys_it() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let project = sketch(folder.path());
    let ministack = Ministack::start(Auth::Off);
    let cdk = Cdk::of(&ministack, folder.path());
    let first = build(&project, "first", Format::Json);
    cdk.bootstrap();
    assert_eq!(cdk.run(&["ls"]).trim(), "hello-api");
    assert_eq!(cdk.deploy("hello-api"), json!({ "hello-api": { "key": first } }));

    let second = build(&project, "second", Format::Yaml);
    assert_ne!(first, second);
    assert_eq!(cdk.deploy("hello-api"), json!({ "hello-api": { "key": second } }));
    cdk.run(&["destroy", "hello-api", "--force"]);
}

/// The main job's project, with the function's code there already.
fn prebuilt(project: crate::project::Project) -> crate::project::Project {
    project.edit("crate: functions/protected", "directory: code");
    let bootstrap = project.path().join("code/bootstrap");
    fs::create_dir(project.path().join("code")).expect("the folder is ours");
    fs::write(&bootstrap, "#!/bin/sh\n").expect("the folder is ours");
    fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    project
}

/// The CDK deploys what `bundle` writes, and `stackgen` finds it there and gone.
fn deploys_and_destroys(cdk: &Cdk, project: &crate::project::Project) {
    project.done(&["bundle", STACK]);
    cdk.bootstrap();
    assert_eq!(cdk.run(&["ls"]).trim(), STACK);

    let outputs = cdk.deploy(STACK)[STACK].clone();
    let names: Vec<&String> = outputs.as_object().into_iter().flatten().map(|(name, _)| name).collect();
    assert_eq!(names, ["apiUrl", "region", "userPoolClientId", "userPoolId"]);
    let status = |program: &mut Command| succeeded(told(&program.output().expect("it runs"))).answer;
    assert_eq!(status(&mut project.targeted(&["outputs"]))[STACK], outputs, "stackgen finds what the CDK has deployed");
    let listed = || status(&mut project.targeted(&["list"]))["stacks"][0]["status"].clone();
    assert_eq!(listed(), "CREATE_COMPLETE");

    cdk.run(&["destroy", STACK, "--force"]);
    assert_eq!(listed(), Value::Null);
}

#[test]
fn the_cdk_deploys_and_destroys_what_bundle_writes() {
    let ministack = Ministack::start(Auth::Off);
    let project = prebuilt(crate::project::Project::at(STACK, &ministack));
    deploys_and_destroys(&Cdk::of(&ministack, project.path()), &project);
}

#[test]
fn the_cdk_bootstraps_the_local_cloud_and_deploys_to_it() {
    let project = prebuilt(crate::project::Project::local());
    let cdk = Cdk { environment: project.local_environment(), folder: project.path() };
    deploys_and_destroys(&cdk, &project);
}

#[test]
fn the_cdk_refuses_to_deploy_what_has_no_code_yet() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let project = sketch(folder.path());
    let ministack = Ministack::start(Auth::Off);
    let cdk = Cdk::of(&ministack, folder.path());
    let stack = Stack::new("hello-api", template());
    assembly::write(&project.out(), &[stack], Format::Json).expect("the project is writable");
    cdk.bootstrap();
    assert_eq!(cdk.run(&["ls"]).trim(), "hello-api");
    let output = cdk.command().args(["deploy", "--require-approval", "never"]).output().expect("it is installed");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("missing a value: HelloCodeKey"), "{said}");
}

/// PyYAML reads YAML 1.1, as most tools around CloudFormation do.
#[test]
fn yaml_templates_say_the_same_to_readers_of_yaml_1_1() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let words = [
        "yes",
        "no",
        "on",
        "off",
        "y",
        "N",
        "~",
        "null",
        "2012-10-17",
        "1_000",
        "017",
        "0o17",
        "0x1F",
        "1:30",
        "1e3",
        ".5",
        "=",
        "<<",
        "",
        "*",
        "&a",
        "a: b",
        "a #b",
        "- x",
        "multi\nline",
        " lead",
        "trail ",
        "!Ref x",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{7f}",
        "'\"\\",
        "arn:aws:s3:::b/*",
        "GET /items/{id}",
        "$default",
        "2001-12-14t21:59:43.10-05:00",
    ];
    let mut template = template();
    let mut role = Resource::new("AWS::IAM::Role").property("Words", words.map(Value::from).to_vec());
    for word in words {
        role = role.property(&format!("key {word}"), word).property(word, 1);
    }
    template.resources.insert("Words".into(), role);
    let stacks = [Stack::new("words", template)];
    let files: Vec<PathBuf> = [(Format::Json, "json"), (Format::Yaml, "yaml")]
        .map(|(format, ending)| {
            let name = format!("words.template.{ending}");
            let file = folder.path().join(&name);
            fs::write(&file, &assembly::files(&stacks, format)[&name]).expect("the folder is writable");
            file
        })
        .into();
    let compare = "import json, sys, yaml\n\
        one, other = json.load(open(sys.argv[1])), yaml.safe_load(open(sys.argv[2]))\n\
        sys.exit(0 if one == other else f'{one}\\n{other}')";
    run(python(READERS).program("python").args(["-c", compare]).args(files));
}
