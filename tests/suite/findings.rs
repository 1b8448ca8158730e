//! What checking tools find in the templates of this repository: nothing that a stack file does not give a reason for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stackgen::synth::synthesize;
use stackgen::template::Template;

use crate::{stacks, tools};

/// A rule, and the logical id of the resource that does not keep it.
type Findings = BTreeSet<(String, String)>;

/// Lets cdk-nag look at templates as if they were CDK stacks, with the suppressions in their metadata. What it says of each
/// goes into the folder that is named before the template.
const NAG: &str = r"
const fs = require('fs');
const { App, Stack, Validations } = require('aws-cdk-lib');
const { CfnInclude } = require('aws-cdk-lib/cloudformation-include');
const { AwsSolutionsChecks } = require('cdk-nag');
const files = process.argv.slice(1);
while (files.length) {
  const [outdir, templateFile] = files.splice(0, 2);
  const app = new App({ outdir });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const stack = new Stack(app, 'stack', { analyticsReporting: false });
  const included = new CfnInclude(stack, 'template', { templateFile });
  const { Resources } = JSON.parse(fs.readFileSync(templateFile));
  for (const [id, { Metadata }] of Object.entries(Resources)) {
    for (const rule of Metadata?.cdk_nag?.rules_to_suppress ?? []) {
      Validations.of(included.getResource(id)).acknowledge({ id: rule.id, reason: rule.reason });
    }
  }
  // What is found is an error, which comes when the report is written.
  try { app.synth(); } catch (error) { console.error(error); }
}
";

fn templates() -> impl Iterator<Item = (&'static str, Template)> {
    stacks::ALL.into_iter().map(|(name, stack)| (name, synthesize(name, &stack()).expect("our stacks are sound")))
}

/// What a template says is as it should be, to one of the tools.
fn suppressed(template: &Template, tool: &str) -> Findings {
    let list = if tool == "checkov" { "skip" } else { "rules_to_suppress" };
    let said = template.resources.iter().flat_map(|(id, resource)| {
        let entries = resource.metadata.get(tool).and_then(|said| said[list].as_array()).into_iter().flatten();
        entries.map(move |entry| (entry["id"].as_str().unwrap_or_default().to_owned(), id.clone()))
    });
    said.collect()
}

/// The same template, which says nothing to any tool.
fn silent(mut template: Template) -> Template {
    template.resources.values_mut().for_each(|resource| resource.metadata.clear());
    template
}

/// Writes the templates into a folder, each into a file of its own.
fn write(folder: &Path, templates: &[Template]) -> Vec<PathBuf> {
    let written = templates.iter().enumerate().map(|(number, template)| {
        let file = folder.join(format!("{number}.json"));
        fs::write(&file, template.to_json()).expect("the folder is writable");
        file
    });
    written.collect()
}

/// What checkov finds in each of the templates. It takes seconds to start, so it is asked once.
fn checkov(templates: &[Template]) -> Vec<Findings> {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let files = write(folder.path(), templates);
    let mut checkov = tools::python(&["checkov==3.3.30"]).program("checkov");
    let asked = ["--framework", "cloudformation", "--output", "json", "--soft-fail", "--skip-download", "--file"];
    let told = tools::run(checkov.args(asked).args(&files).env("LOG_LEVEL", "ERROR"));
    let told: Value = serde_json::from_str(&told).expect("checkov was asked for JSON");
    let failed = told["results"]["failed_checks"].as_array().expect("checkov looked at the templates");
    let text = |check: &Value, member: &str| check[member].as_str().map(str::to_owned).expect("a check has it");
    let place = |check: &Value| files.iter().position(|file| Path::new(&text(check, "file_abs_path")) == file);
    let mut found = vec![Findings::new(); files.len()];
    for check in failed {
        let resource = text(check, "resource");
        let id = resource.rsplit('.').next().unwrap_or(&resource).to_owned();
        found[place(check).expect("it is in a template")].insert((text(check, "check_id"), id));
    }
    found
}

/// What cdk-nag finds in each of the templates. Node takes seconds to read the CDK, so it is started once.
fn nag(templates: &[Template]) -> Vec<Findings> {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let packages = tools::npm(&["aws-cdk-lib@2.276.0", "cdk-nag@3.0.2", "constructs@10.8.1"]);
    let mut node = packages.node();
    node.args(["-e", NAG, "--"]).env("CDK_DISABLE_VERSION_CHECK", "1");
    let files = write(folder.path(), templates);
    for file in &files {
        node.arg(file.with_extension("out")).arg(file);
    }
    let told = node.output().expect("node runs");
    let report = |file: &PathBuf| {
        let report = fs::read_to_string(file.with_extension("out").join("validation-report.json"));
        report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&told.stderr)))
    };
    files.iter().map(|file| violations(&report(file))).collect()
}

/// The violations that a report of the CDK tells.
fn violations(report: &str) -> Findings {
    let report: Value = serde_json::from_str(report).expect("the report is JSON");
    let reports = report["pluginReports"].as_array().into_iter().flatten();
    let nagged = reports.filter(|report| report["pluginName"] == "AwsSolutions");
    let violations = nagged.flat_map(|report| report["violations"].as_array().into_iter().flatten());
    let found = violations.flat_map(|violation| {
        let places = violation["violatingConstructs"].as_array().into_iter().flatten();
        places.map(|place| {
            let path = place["constructPath"].as_str().expect("a construct has a path");
            let rule = violation["ruleName"].as_str().expect("a rule has a name");
            (rule.to_owned(), path.rsplit('/').next().unwrap_or(path).to_owned())
        })
    });
    found.collect()
}

/// Holds a tool to find nothing in our templates, and in the same without their reasons just what these are for.
fn only_what_has_a_reason(tool: &str, found: impl Fn(&[Template]) -> Vec<Findings>) {
    let (names, ours): (Vec<_>, Vec<_>) = templates().unzip();
    let all: Vec<Template> = ours.iter().cloned().chain(ours.iter().cloned().map(silent)).collect();
    let found = found(&all);
    let (with, without) = found.split_at(ours.len());
    for (index, name) in names.into_iter().enumerate() {
        assert_eq!(with[index], Findings::new(), "{name}");
        assert_eq!(without[index], suppressed(&ours[index], tool), "{name}: a needless reason");
    }
}

#[test]
fn checkov_finds_nothing_that_has_no_reason() {
    only_what_has_a_reason("checkov", checkov);
}

#[test]
fn cdk_nag_finds_nothing_that_has_no_reason() {
    only_what_has_a_reason("cdk_nag", nag);
}

#[test]
fn every_reason_is_in_the_documentation() {
    let documented = include_str!("../../docs/findings.md");
    for (name, stack) in stacks::ALL {
        for rule in stack().suppressions.keys() {
            let rule = rule.split('[').next().unwrap_or(rule);
            assert!(documented.contains(&format!("`{rule}`")), "{rule} of {name} is not in docs/findings.md");
        }
    }
}

#[test]
fn a_reason_stands_where_its_tool_looks_for_it() {
    let (_, template) = templates().find(|(name, _)| *name == "notes").expect("it is one of ours");
    let notes = &template.resources["Notes"].metadata;
    assert_eq!(notes["checkov"]["skip"][0]["id"], "CKV_AWS_119");
    let token = &template.resources["ApiToken"].metadata;
    assert_eq!(token["cdk_nag"]["rules_to_suppress"][0]["id"], "AwsSolutions-SMG4");
    assert_ne!(token["checkov"]["skip"][0]["comment"], json!(null));
}
