//! DynamoDB makes or removes one global index of a table in an update. CloudFormation finds that out in the middle of
//! it, and takes everything back; here it is told before.

use std::collections::BTreeSet;

use miette::Diagnostic;
use serde_json::Value;
use thiserror::Error;

/// A table would be given, or lose, several global indexes at once.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("table `{table}` would {} at once", changes(added, removed))]
#[diagnostic(
    code(stackgen::deploy::indexes),
    help("DynamoDB makes or removes one index of a table in an update: deploy one after the other")
)]
#[expect(missing_docs, reason = "the message names the fields")]
pub struct TooManyAtOnce {
    pub table: String,
    pub added: Vec<String>,
    pub removed: Vec<String>,
}

fn changes(added: &[String], removed: &[String]) -> String {
    let of = |word: &str, names: &[String]| {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")))
    };
    let told: Vec<_> = of("get the indexes", added).into_iter().chain(of("lose the indexes", removed)).collect();
    told.join(" and ")
}

/// Whether a template has tables, so that it is worth looking at what is deployed.
pub(super) fn concern(template: &Value) -> bool {
    tables(template).next().is_some()
}

/// Refuses an update in which a table that stays the same table changes more than one of its global indexes.
pub(super) fn check(deployed: &Value, template: &Value) -> Result<(), TooManyAtOnce> {
    for (id, table) in tables(template) {
        let Some((_, old)) = tables(deployed).find(|(other, _)| *other == id) else { continue };
        let (before, after) = (names(old), names(table));
        let added: Vec<_> = after.difference(&before).cloned().collect();
        let removed: Vec<_> = before.difference(&after).cloned().collect();
        if added.len() + removed.len() > 1 && is_same(old, table) {
            return Err(TooManyAtOnce { table: id.to_owned(), added, removed });
        }
    }
    Ok(())
}

fn tables(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let resources = template.get("Resources").and_then(Value::as_object).into_iter().flatten();
    let tables = resources.filter(|(_, resource)| resource["Type"] == "AWS::DynamoDB::Table");
    tables.map(|(id, resource)| (id.as_str(), &resource["Properties"]))
}

fn names(table: &Value) -> BTreeSet<String> {
    let indexes = table["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
    indexes.filter_map(|index| index["IndexName"].as_str()).map(str::to_owned).collect()
}

/// Whether CloudFormation changes the table instead of making a new one, which may have any number of indexes.
fn is_same(old: &Value, new: &Value) -> bool {
    ["TableName", "KeySchema", "LocalSecondaryIndexes"].iter().all(|property| old[*property] == new[*property])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(key: &str, indexes: &[&str]) -> Value {
        let indexes: Vec<Value> = indexes.iter().map(|name| json!({ "IndexName": name })).collect();
        json!({ "Resources": { "Notes": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": { "KeySchema": [{ "AttributeName": key }], "GlobalSecondaryIndexes": indexes },
        } } })
    }

    #[test]
    fn one_index_at_a_time_is_fine() {
        assert_eq!(check(&template("id", &["A"]), &template("id", &["A", "B"])), Ok(()));
        assert_eq!(check(&template("id", &["A"]), &template("id", &[])), Ok(()));
        assert_eq!(check(&json!({}), &template("id", &["A", "B"])), Ok(()));
    }

    #[test]
    fn two_indexes_at_once_are_refused_by_name() {
        let told = |before: &[&str], after: &[&str]| {
            check(&template("id", before), &template("id", after)).map_err(|error| error.to_string())
        };
        let both = "table `Notes` would get the indexes `A`, `B` at once";
        assert_eq!(told(&[], &["A", "B"]), Err(both.to_owned()));
        let one_each = "table `Notes` would get the indexes `B` and lose the indexes `A` at once";
        assert_eq!(told(&["A"], &["B"]), Err(one_each.to_owned()));
    }

    #[test]
    fn a_new_table_may_have_any_indexes() {
        assert_eq!(check(&template("id", &[]), &template("other", &["A", "B"])), Ok(()));
    }
}
