//! What is known of AWS's behaviour, as data, held against the embedded cloud.
//!
//! Every file of `tests/cases`, or of the folder that `STACKGEN_CASES` names, is read; each case's set-up is stood up
//! in a cloud of its own and what happens is compared with what is expected. Recorded and documented cases must hold;
//! folklore is reported. A case that uses a word that nobody here knows is counted as not runnable, by name.

mod authorized;
mod cfn;
pub(crate) mod client;
mod engine;
mod gateway_v1;
mod gateway_v2;
mod issuer;
mod jwt;
mod matchers;
mod mint;
mod modelled;
mod report;
pub(crate) mod setup;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) use matchers::{Findings, Unknown};
pub(crate) use mint::Mint;
pub(crate) use report::Report;

/// One file of cases.
pub(crate) struct Document {
    /// Name of the file.
    pub(crate) file: String,
    /// What it is about, such as `gateway_v2`.
    pub(crate) kind: String,
    /// What its cases refer to.
    pub(crate) fixtures: Value,
    /// Its cases.
    pub(crate) cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Its id, such as `V2-ROUTE-02`.
    pub(crate) id: String,
    /// What it shows.
    pub(crate) title: String,
    /// The case as it is written.
    pub(crate) body: Value,
}

impl Case {
    fn read(body: &Value) -> Option<Self> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self { id: text("id")?, title: text("title").unwrap_or_default(), body: body.clone() })
    }

    /// A member of the case.
    pub(crate) fn member(&self, name: &str) -> &Value {
        self.body.get(name).unwrap_or(&Value::Null)
    }

    /// Whether the claim that carries this confidence must hold.
    pub(crate) fn must_hold(claim: &Value) -> bool {
        let confidence = claim.get("confidence").and_then(Value::as_str);
        let soft = claim.get("soft").and_then(Value::as_bool) == Some(true);
        let measured = claim.get("measured_claim").and_then(Value::as_bool) == Some(true);
        matches!(confidence, Some("recorded" | "documented")) && !soft && !measured
    }
}

/// The folder of the cases.
pub(crate) fn folder() -> PathBuf {
    match std::env::var_os("STACKGEN_CASES") {
        Some(folder) => PathBuf::from(folder),
        None => own_folder(),
    }
}

fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// A data file that belongs to the cases: that of their folder, else the one of this repository.
pub(crate) fn data_file(name: &str) -> Value {
    let own = folder().join(name);
    let path = if own.exists() { own } else { own_folder().join(name) };
    read(&path)
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files that cases refer to.
const DATA: [&str; 2] = ["jwt_keys.json", "limits.json"];

/// Every file of a folder that is no data, in the order of their names. One without cases is a document all the same.
fn documents(folder: &Path) -> Vec<Document> {
    let listing = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = listing.map(|entry| entry.expect("the folder can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.retain(|path| !DATA.iter().any(|name| path.ends_with(name)));
    paths.sort();
    paths.iter().map(|path| document(path)).collect()
}

fn document(path: &Path) -> Document {
    let content = read(path);
    let cases = content.get("cases").and_then(Value::as_array).cloned().unwrap_or_default();
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let read = |body: &Value| Case::read(body).unwrap_or_else(|| panic!("{file}: a case has no id: {body}"));
    Document {
        kind: content.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned(),
        fixtures: content.get("fixtures").cloned().unwrap_or_default(),
        cases: cases.iter().map(read).collect(),
        file,
    }
}

/// The documents of a kind. This repository has some of each kind that is asked for.
pub(crate) fn documents_of(kind: &str) -> Vec<Document> {
    let found: Vec<Document> = documents(&folder()).into_iter().filter(|document| document.kind == kind).collect();
    assert!(!found.is_empty() || folder() != own_folder(), "there are no cases of kind {kind}");
    found
}

/// The kinds of cases that a test of this module runs.
const RUN: [&str; 5] = ["cloudformation", "cognito_hosted", "gateway_v1", "gateway_v2", "jwt"];

/// What nobody runs in a folder: cases of other kinds, and files without cases.
fn not_run(folder: &Path) -> Report {
    let mut report = Report::new("not-run");
    for Document { file, kind, cases, .. } in documents(folder) {
        if cases.is_empty() {
            report.leave_out(&file, format!("{file}: there are no cases in it"));
        }
        for case in cases.iter().filter(|_| !RUN.contains(&kind.as_str())) {
            report.add(case, Err(Unknown::new(format!("{file}: cases of kind `{kind}` are not run"))));
        }
    }
    report
}

#[test]
fn what_nobody_runs_is_named() {
    not_run(&folder()).finish();
    let strange = tempfile::tempdir().expect("a temporary folder can be made");
    let files = [
        ("a.json", r#"{ "kind": "other", "cases": [{ "id": "A-1" }, { "id": "A-2" }] }"#),
        ("b.json", r#"{ "kind": "jwt", "cases": [{ "id": "B-1" }] }"#),
        ("c.json", r#"{ "kind": "jwt", "case": [{ "id": "C-1" }] }"#),
        ("d.json", r#"{ "kind": "jwt", "cases": [] }"#),
        ("limits.json", "{}"),
    ];
    for (name, text) in files {
        std::fs::write(strange.path().join(name), text).expect("the folder is ours");
    }
    assert_eq!(not_run(strange.path()).left_out().into_iter().collect::<Vec<_>>(), ["A-1", "A-2", "c.json", "d.json"]);
}
