//! `stackgen explain`: what a rule of authorization asks for, and why.

use clap::Args;
use miette::Diagnostic;
use serde_json::{Value, json};
use stackgen::access::rules::{self, BESIDE, Rule, Severity, Verdict};
use stackgen::similar::closest;
use thiserror::Error;

use super::output::{bold, dim, green, red, yellow};
use super::{Failure, Outcome, Session, Table};

/// Arguments of `stackgen explain`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The rule, as reports name it; a list of all when absent.
    #[arg(value_name = "RULE")]
    rule: Option<String>,
}

/// Why nothing is explained.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// There is no such rule.
    #[error("no rule `{}`", rule.escape_debug())]
    #[diagnostic(code(stackgen::explain::unknown), help("{}", help(rule)))]
    Unknown { rule: String },
}

fn help(rule: &str) -> String {
    match closest(rule, rules::ALL.iter().map(|rule| rule.id)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`stackgen explain` lists the rules that there are".to_owned(),
    }
}

impl Arguments {
    /// Explains.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let Some(name) = &self.rule else {
            let document = json!({ "rules": rules::ALL.iter().map(document).collect::<Vec<_>>() });
            session.screen.answer(&document, || list().to_string());
            return Ok(());
        };
        let unknown = || Failure::refused(Error::Unknown { rule: name.clone() });
        let rule = rules::named(name).ok_or_else(unknown)?;
        session.screen.answer(&document(rule), || explained(rule));
        Ok(())
    }
}

fn document(rule: &Rule) -> Value {
    json!({
        "rule": rule.id,
        "severity": rule.severity().word(),
        "suppressible": rule.verdict != Verdict::Refused,
        "title": rule.title,
        "why": rule.why,
        "page": rule.page,
        "good": rule.good,
        "bad": rule.bad,
    })
}

fn list() -> Table<3> {
    let mut table = Table::new(["rule", "is", "what a stack does that keeps it"]);
    rules::ALL.iter().for_each(|rule| table.row([rule.id.to_owned(), severity(rule), rule.title.to_owned()]));
    table
}

fn severity(rule: &Rule) -> String {
    match rule.severity() {
        Severity::Error => red("error"),
        Severity::Warning => yellow("warning"),
    }
}

fn explained(rule: &Rule) -> String {
    let excuse = match rule.verdict {
        Verdict::Refused => "no reason makes it right".to_owned(),
        Verdict::Unsafe | Verdict::Doubtful => {
            format!("`suppressions: {{ {}: {{ resources: [Id], reason: ... }} }}` says why it is meant so", rule.id)
        }
    };
    let blocks = [
        format!("{} ({}): {}", bold(rule.id), severity(rule), rule.title),
        wrapped(rule.why),
        format!("{}\n{}", green("keeps it"), indented(rule.good)),
        format!("{}\n{}", red("does not"), indented(rule.bad)),
        format!("{excuse}\n{}", rule.page),
        dim(beside(rule)),
    ];
    blocks.iter().filter(|block| !block.is_empty()).map(|block| format!("{block}\n")).collect::<Vec<_>>().join("\n")
}

/// What the examples name and do not show.
fn beside(rule: &Rule) -> String {
    let missing = BESIDE.iter().filter(|(section, _)| !rule.good.contains(&format!("{section}:")));
    let missing: Vec<_> = missing.map(|(_, text)| format!("  {text}")).collect();
    if missing.is_empty() { String::new() } else { format!("beside them in the file:\n{}", missing.join("\n")) }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Most characters of a line of prose.
const WIDTH: usize = 100;

fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, wrapped};

    #[test]
    fn prose_stays_within_its_width() {
        let text = "word ".repeat(100);
        assert!(wrapped(&text).lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(wrapped(&text).split_whitespace().count(), 100);
    }
}
