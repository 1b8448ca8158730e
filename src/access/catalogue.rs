//! The rules as a page: `docs/rules.md`, which a test keeps true.

use std::fmt::Write;

use super::rules::{ALL, BESIDE, Rule, Verdict};

const HEAD: &str = "\
# Rules of authorization

`stackgen check`, `synth` and `deploy` hold every stack against these rules; `stackgen explain RULE` shows one of them. An error keeps a stack from being deployed: AWS
would refuse it, or a door would stand open or stay shut. A warning says that something is only likely wrong.

Where something is as it should be, the stack file says why. What is named is what was declared: by its id, with the name of a part, or by a type:

```yaml
suppressions:
  implicit-flow:
    resources: [Web]                       # or `Api.GET /notes` for one route, or a type such as `AWS::Cognito::UserPoolClient`
    reason: The old application cannot exchange a code.
```

Rules marked with \u{2020} have no excuse: AWS refuses what they find, or the file says two things at once. A suppression that suppresses nothing is told.

The good and the bad example of each rule are its tests. They are parts of a stack file that also has, unless they say otherwise,

```yaml
";

/// The page, in Markdown.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for (_, section) in BESIDE {
        page.push_str(section);
        page.push('\n');
    }
    page.push_str("```\n\n| rule | is | a stack that keeps it |\n|---|---|---|\n");
    for rule in ALL {
        let Rule { id, title, .. } = rule;
        let _infallible = writeln!(page, "| [{id}](#{id}) | {} | {title} |", severity(rule));
    }
    ALL.iter().for_each(|rule| page.push_str(&section(rule)));
    page
}

fn severity(rule: &Rule) -> String {
    let mark = if rule.verdict == Verdict::Refused { " \u{2020}" } else { "" };
    format!("{}{mark}", rule.severity().word())
}

fn section(rule: &Rule) -> String {
    let Rule { id, title, why, page, good, bad, .. } = rule;
    let severity = severity(rule);
    format!(
        "\n## {id}\n\n{severity}: {title}.\n\n{why}\n\n<{page}>\n\nGood:\n\n```yaml\n{good}```\n\nBad:\n\n```yaml\n{bad}```\n"
    )
}
