//! Findings as SARIF 2.1.0, which code scanners read.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use serde_json::{Value, json};
use stackgen::access::rules::{ALL, Rule};
use stackgen::spec::Region;

use super::{Found, words};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The rule of what is wrong with the shape of a stack file.
const SHAPE: &str = "stack-file";

/// One document with one run.
pub(super) fn document(found: &[Found<'_>]) -> String {
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "stackgen",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules(),
            } },
            // Ours are counted in characters.
            "columnKind": "unicodeCodePoints",
            "results": found.iter().map(result).collect::<Vec<_>>(),
        }],
    });
    format!("{document:#}\n")
}

/// Every rule, so that a scanner knows which ones were kept; and last the one for all that is no rule of authorization.
fn rules() -> Vec<Value> {
    let shape = json!({
        "id": SHAPE,
        "shortDescription": { "text": "a stack file declares what it can" },
        "defaultConfiguration": { "level": "error" },
    });
    ALL.iter().map(rule).chain([shape]).collect()
}

fn rule(rule: &Rule) -> Value {
    let help = format!("{}\n\nKeeps it:\n\n{}\nDoes not:\n\n{}", rule.why, rule.good, rule.bad);
    let markdown = format!("{}\n\n```yaml\n{}```\n\nnot\n\n```yaml\n{}```\n", rule.why, rule.good, rule.bad);
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.why },
        "help": { "text": help, "markdown": markdown },
        "helpUri": rule.page,
        "defaultConfiguration": { "level": rule.severity().word() },
    })
}

fn result((file, finding, region): &Found<'_>) -> Value {
    let index = finding.rule().and_then(|rule| ALL.iter().position(|known| known == rule)).unwrap_or(ALL.len());
    let mut place = json!({ "artifactLocation": { "uri": uri(file) } });
    if let (Some(place), Some(region)) = (place.as_object_mut(), region) {
        place.insert("region".to_owned(), shown(*region));
    }
    json!({
        "ruleId": finding.rule().map_or(SHAPE, |rule| rule.id),
        "ruleIndex": index,
        "level": finding.severity().word(),
        "message": { "text": words(finding) },
        "locations": [{ "physicalLocation": place }],
    })
}

fn shown(region: Region) -> Value {
    let Region { line, column, end_line, end_column } = region;
    json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column })
}

/// A path as a URI: with slashes, and without what would end it.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.replace('\\', "/")
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document_of(name: &str, text: &str) -> Value {
        let report = match stackgen::spec::read_with_warnings(name, text.as_bytes(), &|_| None) {
            Ok(read) => read.warnings.expect("something is likely wrong"),
            Err(report) => report,
        };
        let found: Vec<_> = super::super::of_report(&report).collect();
        serde_json::from_str(&document(&found)).expect("it is JSON")
    }

    #[test]
    fn a_result_names_its_rule_and_its_place() {
        let text = "userPools: { Users: {} }\nuserPoolClients:\n  Web: { userPool: Users, accessTokenValidity: 2d }\n";
        let document = document_of("my stacks/api.yaml", text);
        let (run, result) = (&document["runs"][0], &document["runs"][0]["results"][0]);
        assert_eq!(result["ruleId"], "token-validity");
        let index = result["ruleIndex"].as_u64().and_then(|it| usize::try_from(it).ok()).expect("it is an index");
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "token-validity");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "my%20stacks/api.yaml");
        let region = json!({ "startLine": 3, "startColumn": 48, "endLine": 3, "endColumn": 50 });
        assert_eq!(place["region"], region);
    }

    #[test]
    fn a_mistake_of_shape_has_a_rule_as_well() {
        let document = document_of("a.yaml", "userPools: { Users: { colour: red } }\n");
        let (run, result) = (&document["runs"][0], &document["runs"][0]["results"][0]);
        assert_eq!((&result["ruleId"], &result["level"]), (&json!(SHAPE), &json!("error")));
        let index = result["ruleIndex"].as_u64().and_then(|it| usize::try_from(it).ok()).expect("it is an index");
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], SHAPE);
    }
}
