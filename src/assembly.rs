//! `stackgen.out/`: the synthesized stacks as a CDK cloud assembly, which `cdk deploy --app stackgen.out` and every
//! tool around it understand. <https://github.com/aws/aws-cdk-cli/tree/main/packages/%40aws-cdk/cloud-assembly-schema>
//!
//! Without code, a template asks for each function's key by a parameter, as synthesis made it. With code, the keys
//! stand in the template: the CDK CLI neither passes the manifest's `parameters` to CloudFormation nor lets a changed
//! default count in an update, where it keeps the value that the stack had.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::Diagnostic;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::project::output_file;
use crate::synth::code::{ASSET_BUCKET, CDK_QUALIFIER, USES_CDK_BUCKET, cdk_bucket_of_template};
use crate::template::Template;

/// Version of the format: old enough for every CDK CLI of the last years.
const SCHEMA: &str = "36.0.0";
/// The version of the bootstrap that has all of these roles.
const BOOTSTRAP_VERSION: u32 = 6;

/// How long a zip that no stack needs any more is kept for another command that may be uploading it.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// Why an assembly could not be written.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The folder or one of its files cannot be written.
    #[error("cannot write `{}`", file.display())]
    #[diagnostic(help("check that you may write there and that the disk is not full"))]
    Unwritable { file: PathBuf, source: io::Error },
}

/// A stack on its way into the assembly.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// What it consists of.
    pub template: Template,
    /// Tags of the stack, which CloudFormation hands on to its resources.
    pub tags: BTreeMap<String, String>,
    /// Names of the stacks that must be deployed first.
    pub dependencies: Vec<String>,
    /// Whether CloudFormation refuses to delete it.
    pub protection: Protection,
    /// The functions' code, where it is built.
    pub code: Vec<Code>,
}

/// Whether CloudFormation refuses to delete a stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protection {
    /// It can be deleted.
    #[default]
    Off,
    /// Termination protection is on.
    On,
}

/// The code of one function, as a zip `asset.<digest>.zip` in the folder of the assembly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The function's id in the stack.
    pub function: String,
    /// The parameter that the template asks for the key by.
    pub parameter: String,
    /// What the zip is named by.
    pub digest: String,
}

/// How templates are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON, the only form that the CDK CLI reads.
    #[default]
    Json,
    /// YAML too, beside the JSON.
    Yaml,
}

impl Stack {
    /// A stack without tags, dependencies and code.
    #[must_use]
    pub fn new(name: &str, template: Template) -> Self {
        Self {
            name: name.to_owned(),
            template,
            tags: BTreeMap::new(),
            dependencies: Vec::new(),
            protection: Protection::Off,
            code: Vec::new(),
        }
    }
}

/// The files of an assembly, by name. Equal stacks give equal bytes.
#[must_use]
pub fn files(stacks: &[Stack], format: Format) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut artifacts = BTreeMap::new();
    for stack in stacks {
        let template = with_code(stack);
        if format == Format::Yaml {
            files.insert(format!("{}.template.yaml", stack.name), template.to_yaml());
        }
        let rendered = Rendered::new(&stack.name, &template);
        artifacts.insert(stack.name.clone(), rendered.stack_artifact(stack));
        artifacts.insert(asset_artifact_name(&stack.name), rendered.asset_artifact());
        files.insert(rendered.assets_file.clone(), pretty(&rendered.assets(stack)));
        files.insert(rendered.template_file, rendered.template);
    }
    files.insert(MANIFEST.to_owned(), pretty(&json!({ "version": SCHEMA, "artifacts": artifacts })));
    files
}

/// The list of what an assembly holds.
const MANIFEST: &str = "manifest.json";

/// A stack's template as text, under the name of its digest.
struct Rendered {
    template: String,
    template_file: String,
    assets_file: String,
    /// Key of the template in the bucket.
    key: String,
    digest: String,
}

impl Rendered {
    fn new(stack: &str, template: &Template) -> Self {
        let template = template.to_json();
        let digest = hex::encode(Sha256::digest(&template));
        Self {
            template,
            template_file: format!("{stack}.template.json"),
            assets_file: format!("{stack}.assets.json"),
            key: format!("{digest}.json"),
            digest,
        }
    }

    fn stack_artifact(&self, stack: &Stack) -> Value {
        let assets = asset_artifact_name(&stack.name);
        let dependencies: Vec<&String> = stack.dependencies.iter().chain([&assets]).collect();
        json!({
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/unknown-region",
            "displayName": stack.name,
            "dependencies": dependencies,
            "properties": {
                "templateFile": self.template_file,
                "stackName": stack.name,
                "tags": stack.tags,
                "terminationProtection": stack.protection == Protection::On,
                "validateOnSynth": false,
                "assumeRoleArn": role("deploy-role"),
                "cloudFormationExecutionRoleArn": role("cfn-exec-role"),
                "stackTemplateAssetObjectUrl": format!("s3://{}/{}", cdk_bucket_of_template(), self.key),
                "requiresBootstrapStackVersion": BOOTSTRAP_VERSION,
                "bootstrapStackVersionSsmParameter": bootstrap_parameter(),
                "additionalDependencies": [assets],
            },
        })
    }

    fn asset_artifact(&self) -> Value {
        json!({
            "type": "cdk:asset-manifest",
            "properties": {
                "file": self.assets_file,
                "requiresBootstrapStackVersion": BOOTSTRAP_VERSION,
                "bootstrapStackVersionSsmParameter": bootstrap_parameter(),
            },
        })
    }

    /// What is to be uploaded: the template, and the code that is built.
    fn assets(&self, stack: &Stack) -> Value {
        let template = asset(&format!("template of {}", stack.name), &self.template_file, &self.key);
        let mut assets = BTreeMap::from([(self.digest.clone(), template)]);
        for code in &stack.code {
            let label = format!("code of {}", code.function);
            assets.insert(code.digest.clone(), asset(&label, &code.file_name(), &code.key()));
        }
        json!({ "version": SCHEMA, "files": assets, "dockerImages": {} })
    }
}

impl Code {
    fn key(&self) -> String {
        format!("{}.zip", self.digest)
    }

    fn file_name(&self) -> String {
        format!("asset.{}.zip", self.digest)
    }
}

fn asset_artifact_name(stack: &str) -> String {
    format!("{stack}.assets")
}

fn asset(label: &str, file: &str, key: &str) -> Value {
    json!({
        "displayName": label,
        "source": { "path": file, "packaging": "file" },
        "destinations": {
            "current_account-current_region": {
                "bucketName": cdk_bucket_of_template(),
                "objectKey": key,
                "assumeRoleArn": role("file-publishing-role"),
            },
        },
    })
}

/// A role that `cdk bootstrap` makes; who may not take it goes on with the credentials at hand.
fn role(name: &str) -> String {
    format!(
        "arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/cdk-{CDK_QUALIFIER}-{name}-${{AWS::AccountId}}-${{AWS::Region}}"
    )
}

/// Where the CDK CLI looks the version of the bootstrap up.
fn bootstrap_parameter() -> String {
    format!("/cdk-bootstrap/{CDK_QUALIFIER}/version")
}

/// The template with the keys of its code in it; once they are all there, in the CDK's bucket.
fn with_code(stack: &Stack) -> Template {
    let mut template = stack.template.clone();
    for code in &stack.code {
        template.settle(&code.parameter, &code.key());
    }
    if !stack.code.is_empty() {
        template.assume(USES_CDK_BUCKET);
        template.settle(ASSET_BUCKET, "");
    }
    template
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Writes an assembly, and removes what an earlier one left in the folder and this one does not need.
///
/// Each file is written whole or not at all, the manifest last; what is there already is left alone.
///
/// # Errors
/// When something cannot be written.
pub fn write(folder: &Path, stacks: &[Stack], format: Format) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|source| Error::Unwritable { file: folder.to_owned(), source })?;
    let files = files(stacks, format);
    let (manifest, others): (Vec<_>, Vec<_>) = files.iter().partition(|(name, _)| *name == MANIFEST);
    for (name, text) in others.into_iter().chain(manifest) {
        let file = folder.join(name);
        write_changed(&file, folder, text).map_err(|source| Error::Unwritable { file, source })?;
    }
    remove_stale(folder, &files, stacks);
    Ok(())
}

fn write_changed(file: &Path, folder: &Path, text: &str) -> io::Result<()> {
    if fs::read(file).is_ok_and(|bytes| bytes == text.as_bytes()) {
        return Ok(());
    }
    let mut beside = output_file(folder)?;
    beside.write_all(text.as_bytes())?;
    beside.persist(file)?;
    Ok(())
}

fn remove_stale(folder: &Path, files: &BTreeMap<String, String>, stacks: &[Stack]) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let zips: Vec<String> = stacks.iter().flat_map(|stack| &stack.code).map(Code::file_name).collect();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_left = is_ours(&name) || (is_zip(&name) && is_old(&entry));
        if is_left && !files.contains_key(&name) && !zips.contains(&name) {
            // What cannot be removed now is removed next time.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether an assembly has files of that name, besides code.
fn is_ours(name: &str) -> bool {
    [".template.json", ".template.yaml", ".assets.json"].iter().any(|ending| name.ends_with(ending))
}

fn is_zip(name: &str) -> bool {
    name.starts_with("asset.") && name.ends_with(".zip")
}

/// Whether no deployment can be uploading it any more.
fn is_old(entry: &fs::DirEntry) -> bool {
    let written = entry.metadata().and_then(|metadata| metadata.modified());
    written.is_ok_and(|written| written.elapsed().is_ok_and(|age| age > KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Parameter, Resource, function};

    fn stack(name: &str) -> Stack {
        let mut template = Template::default();
        template.parameters.insert(ASSET_BUCKET.into(), Parameter::new("String").default(""));
        template.parameters.insert("HelloCodeKey".into(), Parameter::new("String"));
        let own = function::equals(function::reference(ASSET_BUCKET), "");
        template.conditions.insert(USES_CDK_BUCKET.into(), own);
        let bucket =
            function::if_(USES_CDK_BUCKET, function::sub(&cdk_bucket_of_template()), function::reference(ASSET_BUCKET));
        let code = json!({ "S3Bucket": bucket, "S3Key": function::reference("HelloCodeKey") });
        let hello = Resource::new("AWS::Lambda::Function").property("Code", code);
        template.resources.insert("Hello".into(), hello);
        Stack::new(name, template)
    }

    fn built(name: &str) -> Stack {
        let code = Code { function: "Hello".into(), parameter: "HelloCodeKey".into(), digest: "d1".into() };
        Stack { code: vec![code], ..stack(name) }
    }

    fn json(files: &BTreeMap<String, String>, name: &str) -> Value {
        serde_json::from_str(&files[name]).expect("we wrote it")
    }

    #[test]
    fn every_stack_has_its_template_and_its_assets() {
        let files = files(&[stack("one"), stack("two")], Format::Json);
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        let expected =
            ["manifest.json", "one.assets.json", "one.template.json", "two.assets.json", "two.template.json"];
        assert_eq!(names, expected);
        let artifacts = &json(&files, "manifest.json")["artifacts"];
        assert_eq!(artifacts["one"]["properties"]["templateFile"], "one.template.json");
        assert_eq!(artifacts["one.assets"]["properties"]["file"], "one.assets.json");
    }

    #[test]
    fn the_template_is_an_asset_under_its_digest() {
        let files = files(&[stack("one")], Format::Json);
        let digest = hex::encode(Sha256::digest(&files["one.template.json"]));
        let asset = &json(&files, "one.assets.json")["files"][&digest];
        assert_eq!(asset["source"]["path"], "one.template.json");
        let url = format!("s3://{}/{digest}.json", cdk_bucket_of_template());
        assert_eq!(json(&files, "manifest.json")["artifacts"]["one"]["properties"]["stackTemplateAssetObjectUrl"], url);
    }

    #[test]
    fn without_code_the_template_asks_for_it() {
        let files = files(&[stack("one")], Format::Json);
        assert!(json(&files, "one.template.json")["Parameters"]["HelloCodeKey"].is_object());
    }

    #[test]
    fn with_code_nothing_is_left_to_ask() {
        let files = files(&[built("one")], Format::Json);
        let template = json(&files, "one.template.json");
        assert_eq!(template["Parameters"], Value::Null);
        assert_eq!(template["Conditions"], Value::Null);
        let code = &template["Resources"]["Hello"]["Properties"]["Code"];
        assert_eq!(code, &json!({ "S3Bucket": function::sub(&cdk_bucket_of_template()), "S3Key": "d1.zip" }));
        assert_eq!(json(&files, "one.assets.json")["files"]["d1"]["source"]["path"], "asset.d1.zip");
    }

    #[test]
    fn what_an_assembly_does_not_need_is_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for name in ["asset.old.zip", "asset.d1.zip", "notes.txt", "asset.new.zip"] {
            let file = fs::File::create(folder.path().join(name)).expect("the folder is writable");
            if name != "asset.new.zip" {
                file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("it is ours");
            }
        }
        write(folder.path(), &[built("one"), stack("two")], Format::Yaml).expect("the folder is writable");
        write(folder.path(), &[built("one")], Format::Json).expect("the folder is writable");
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .expect("it is there")
            .map(|entry| entry.expect("it is readable").file_name().into_string().expect("names are UTF-8"))
            .collect();
        names.sort();
        let expected =
            ["asset.d1.zip", "asset.new.zip", "manifest.json", "notes.txt", "one.assets.json", "one.template.json"];
        assert_eq!(names, expected);
    }

    #[test]
    fn what_did_not_change_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let time =
            |name| fs::metadata(folder.path().join(name)).and_then(|file| file.modified()).expect("it was written");
        write(folder.path(), &[stack("one")], Format::Json).expect("the folder is writable");
        let before = [time("manifest.json"), time("one.template.json")];
        write(folder.path(), &[stack("one")], Format::Json).expect("the folder is writable");
        assert_eq!([time("manifest.json"), time("one.template.json")], before);
    }
}
