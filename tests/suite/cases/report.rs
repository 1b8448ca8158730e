//! What came of the cases: shown, and written beside the build's other products.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use super::{Case, Findings, Unknown, folder, own_folder};

/// The cases of this repository that cannot be run, by report: other accounts, nested stacks, macros, most of drift,
/// and states that no template brings a stack into. Whoever makes one runnable, or stops one from being so, changes this list.
const NOT_RUNNABLE: &[(&str, &[&str])] = &[
    ("gateway_v1", &["V1-POLICY-40"]),
    (
        "cloudformation",
        &[
            "CFN-CHANGESET-29",
            "CFN-DRIFT-02",
            "CFN-DRIFT-03",
            "CFN-DRIFT-04",
            "CFN-EVENTS-13",
            "CFN-EVENTS-14",
            "CFN-STATE-04",
            "CFN-STATE-05",
            "CFN-STATE-07",
            "CFN-STATE-14",
            "CFN-THROTTLE-01",
            "CFN-TRANSFORM-01",
            "CFN-TRANSFORM-02",
            "CFN-TRANSFORM-03",
        ],
    ),
];

/// What came of the cases of one kind.
pub(crate) struct Report {
    name: &'static str,
    passed: usize,
    reported: Vec<String>,
    /// By id.
    unrunnable: BTreeMap<String, String>,
    failed: Vec<String>,
}

impl Report {
    /// An empty one.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, passed: 0, reported: Vec::new(), unrunnable: BTreeMap::new(), failed: Vec::new() }
    }

    /// Takes down what came of one case.
    pub(crate) fn add(&mut self, case: &Case, outcome: Result<Findings, Unknown>) {
        let line = |what: &str| format!("{} {}: {what}", case.id, case.title);
        match outcome {
            Err(unknown) => self.leave_out(&case.id, line(unknown.reason())),
            Ok(findings) => {
                if findings.hard.is_empty() {
                    self.passed += 1;
                } else {
                    self.failed.push(line(&findings.hard.join("; ")));
                }
                if !findings.soft.is_empty() {
                    self.reported.push(line(&findings.soft.join("; ")));
                }
            }
        }
    }

    /// Takes down that something cannot be run.
    pub(crate) fn leave_out(&mut self, id: &str, line: String) {
        self.unrunnable.insert(id.to_owned(), line);
    }

    /// What cannot be run, by id.
    pub(crate) fn left_out(&self) -> BTreeSet<&str> {
        self.unrunnable.keys().map(String::as_str).collect()
    }

    /// Shows the report, and fails where a claim that must hold does not, or where other cases of this repository than
    /// is known cannot be run.
    pub(crate) fn finish(self) {
        let text = self.text();
        println!("{text}");
        let reports = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cases");
        std::fs::create_dir_all(&reports).expect("the build's folder can be written to");
        std::fs::write(reports.join(format!("{}.txt", self.name)), &text).expect("the report can be written");
        assert!(self.failed.is_empty(), "{} cases do not hold:\n{}", self.failed.len(), self.failed.join("\n"));
        if folder() == own_folder() {
            let known = NOT_RUNNABLE.iter().filter(|(report, _)| *report == self.name).flat_map(|(_, ids)| *ids);
            assert_eq!(self.left_out(), known.copied().collect(), "not runnable: {:#?}", self.unrunnable);
        }
    }

    fn text(&self) -> String {
        let Self { name, passed, reported, unrunnable, failed } = self;
        let mut text = format!(
            "{name}: {passed} passed, {} failed, {} reported, {} not runnable\n",
            failed.len(),
            reported.len(),
            unrunnable.len()
        );
        let left_out = unrunnable.values().cloned().collect();
        for (title, lines) in [("failed", failed), ("reported", reported), ("not runnable", &left_out)] {
            for line in lines {
                let _ = writeln!(text, "  {title}: {line}");
            }
        }
        text
    }
}
