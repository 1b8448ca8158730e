//! What came of the cases: shown, and written beside the build's other products.

use std::fmt::Write as _;
use std::path::Path;

use super::{Case, Findings, Unknown};

/// What came of the cases of one kind.
pub(crate) struct Report {
    name: &'static str,
    passed: usize,
    reported: Vec<String>,
    unrunnable: Vec<String>,
    failed: Vec<String>,
}

impl Report {
    /// An empty one.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, passed: 0, reported: Vec::new(), unrunnable: Vec::new(), failed: Vec::new() }
    }

    /// Takes down what came of one case.
    pub(crate) fn add(&mut self, case: &Case, outcome: Result<Findings, Unknown>) {
        let line = |what: &str| format!("{} {}: {what}", case.id, case.title);
        match outcome {
            Err(unknown) => self.unrunnable.push(line(unknown.reason())),
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

    /// Shows the report, and fails where a claim that must hold does not.
    pub(crate) fn finish(self) {
        let text = self.text();
        println!("{text}");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cases");
        std::fs::create_dir_all(&folder).expect("the build's folder can be written to");
        std::fs::write(folder.join(format!("{}.txt", self.name)), &text).expect("the report can be written");
        assert!(self.failed.is_empty(), "{} cases do not hold:\n{}", self.failed.len(), self.failed.join("\n"));
    }

    fn text(&self) -> String {
        let Self { name, passed, reported, unrunnable, failed } = self;
        let mut text = format!(
            "{name}: {passed} passed, {} failed, {} reported, {} not runnable\n",
            failed.len(),
            reported.len(),
            unrunnable.len()
        );
        for (title, lines) in [("failed", failed), ("reported", reported), ("not runnable", unrunnable)] {
            for line in lines {
                let _ = writeln!(text, "  {title}: {line}");
            }
        }
        text
    }
}
