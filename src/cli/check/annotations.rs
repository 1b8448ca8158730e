//! Findings as commands of GitHub's workflows, which show them in the lines of a pull request.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use super::{Found, words};

/// One command a line.
pub(super) fn lines(found: &[Found<'_>]) -> String {
    found.iter().map(|found| line(found) + "\n").collect()
}

fn line((file, finding, region): &Found<'_>) -> String {
    let title = finding.rule().map_or("stack file", |rule| rule.id);
    let mut properties = vec![("file", property(file))];
    if let Some(region) = region {
        properties.push(("line", region.line.to_string()));
        properties.push(("endLine", region.end_line.to_string()));
        // GitHub takes columns only where the whole is in one line.
        if region.line == region.end_line {
            properties.push(("col", region.column.to_string()));
            properties.push(("endColumn", region.end_column.to_string()));
        }
    }
    properties.push(("title", property(title)));
    let properties: Vec<String> = properties.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("::{} {}::{}", finding.severity().word(), properties.join(","), message(&words(finding)))
}

/// A line ends a command, and a percent sign begins an escape.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Commas and colons end a property besides.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{message, property};

    #[test]
    fn nothing_in_a_text_ends_the_command() {
        assert_eq!(message("100%\r\n::error::no"), "100%25%0D%0A::error::no");
        assert_eq!(property("stacks/a,b:c%.yaml"), "stacks/a%2Cb%3Ac%25.yaml");
    }

    #[test]
    fn a_finding_is_one_line_with_its_place() {
        let text =
            "userPoolClients:\n  Web: { userPool: Users, enableTokenRevocation: false }\nuserPools: { Users: {} }\n";
        let read =
            stackgen::spec::read_with_warnings("my,stacks/api.yaml", text.as_bytes(), &|_| None).expect("it is sound");
        let warnings = read.warnings.expect("a token that cannot be revoked is told");
        let found: Vec<_> = super::super::of_report(&warnings).collect();
        assert_eq!(
            super::lines(&found),
            "::warning file=my%2Cstacks/api.yaml,line=2,endLine=2,col=50,endColumn=55,title=no-token-revocation::\
             a stolen refresh token could not be revoked; remove it\n"
        );
    }
}
