//! DynamoDB makes or removes one global index of a table in an update.

use std::collections::{BTreeMap, BTreeSet};

use super::{Find, Rule, Verdict};
use crate::model::dynamodb::Table;
use crate::model::{Complaint, Json, Resource};

pub(super) const RULE: Rule = Rule {
    id: "several-indexes-at-once",
    verdict: Verdict::Refused,
    title: "an update adds or removes one global index of a table",
    why: "DynamoDB refuses more than one, which CloudFormation finds out in the middle of the update and takes everything \
          back.",
    page: "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html",
    good: "\
tables:
  Items: { partitionKey: { name: id, type: string } }
---
tables:
  Items:
    partitionKey: { name: id, type: string }
    globalSecondaryIndexes: { ByUser: { partitionKey: { name: userId, type: string } } }
",
    bad: "\
tables:
  Items: { partitionKey: { name: id, type: string } }
---
tables:
  Items:
    partitionKey: { name: id, type: string }
    globalSecondaryIndexes:
      ByUser: { partitionKey: { name: userId, type: string } }
      ByDay: { partitionKey: { name: day, type: string } }
",
    find: Find::Change(find),
};

fn find(deployed: &Json, next: &Json) -> Vec<Complaint> {
    let deployed: BTreeMap<&str, &Json> = super::resources(deployed, Table::TYPE).collect();
    let kept = super::resources(next, Table::TYPE).filter_map(|(id, table)| {
        let old = deployed.get(id)?;
        is_same(old, table).then_some((id, names(old), names(table)))
    });
    kept.filter_map(|(id, before, after)| several(id, &before, &after)).collect()
}

fn several(id: &str, before: &BTreeSet<&str>, after: &BTreeSet<&str>) -> Option<Complaint> {
    let told = |word: &str, names: BTreeSet<&str>| {
        let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")))
    };
    let added = told("get the indexes", after - before);
    let removed = told("lose the indexes", before - after);
    let count = before.symmetric_difference(after).count();
    let changes = added.into_iter().chain(removed).collect::<Vec<_>>().join(" and ");
    let path = ["Resources", id, "Properties", "GlobalSecondaryIndexes"];
    let help = "DynamoDB makes or removes one index of a table in an update: deploy one after the other";
    (count > 1).then(|| Complaint::new(&path, format!("table `{id}` would {changes} at once"), help))
}

fn names(table: &Json) -> BTreeSet<&str> {
    let indexes = table["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
    indexes.filter_map(|index| index["IndexName"].as_str()).collect()
}

/// Whether CloudFormation changes the table instead of making a new one, which may have any number of indexes.
fn is_same(old: &Json, new: &Json) -> bool {
    ["TableName", "KeySchema", "LocalSecondaryIndexes"].iter().all(|property| old[*property] == new[*property])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(key: &str, indexes: &[&str]) -> Json {
        let indexes: Vec<Json> = indexes.iter().map(|name| json!({ "IndexName": name })).collect();
        json!({ "Resources": { "Notes": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": { "KeySchema": [{ "AttributeName": key }], "GlobalSecondaryIndexes": indexes },
        } } })
    }

    fn told(before: &Json, after: &Json) -> Vec<String> {
        find(before, after).into_iter().map(|complaint| complaint.message).collect()
    }

    #[test]
    fn one_index_at_a_time_is_fine() {
        assert!(told(&template("id", &["A"]), &template("id", &["A", "B"])).is_empty());
        assert!(told(&template("id", &["A"]), &template("id", &[])).is_empty());
        assert!(told(&json!({}), &template("id", &["A", "B"])).is_empty());
    }

    #[test]
    fn two_indexes_at_once_are_refused_by_name() {
        let told = |before: &[&str], after: &[&str]| told(&template("id", before), &template("id", after));
        assert_eq!(told(&[], &["A", "B"]), ["table `Notes` would get the indexes `A`, `B` at once"]);
        assert_eq!(told(&["A"], &["B"]), ["table `Notes` would get the indexes `B` and lose the indexes `A` at once"]);
    }

    #[test]
    fn a_new_table_may_have_any_indexes() {
        assert!(told(&template("id", &[]), &template("other", &["A", "B"])).is_empty());
    }
}
