//! Rules for tables, across fields.

use std::collections::BTreeMap;

use crate::model::Stack;
use crate::model::dynamodb::{GlobalIndex, KeyType, Projection, Table};

use super::Complaint;

/// Most attributes that all the indexes of a table may name in their projections.
const MOST_PROJECTED: usize = 100;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    stack.tables.iter().flat_map(|(id, table)| check_table(id, table)).collect()
}

fn check_table(id: &str, table: &Table) -> Vec<Complaint> {
    let mut complaints = key_types(id, table);
    complaints.extend(pairs(id, table));
    complaints.extend(index_names(id, table));
    complaints.extend(local_indexes(id, table));
    complaints.extend(throughput(id, table));
    complaints.extend(projected(id, table));
    complaints.extend(time_to_live(id, table));
    complaints
}

/// An attribute has one type, whichever key it is part of.
fn key_types(id: &str, table: &Table) -> Vec<Complaint> {
    let mut known: BTreeMap<&str, KeyType> = BTreeMap::new();
    let mut complaints = Vec::new();
    for (way, key) in table.keys() {
        let first = *known.entry(&key.name).or_insert(key.kind);
        if first != key.kind {
            let message = format!("attribute `{}` is {} elsewhere", key.name, named(first));
            let path: Vec<&str> = ["tables", id].into_iter().chain(way).chain(["type"]).collect();
            complaints.push(Complaint::new(&path, message, "an attribute has one type: make the two the same"));
        }
    }
    complaints
}

fn named(kind: KeyType) -> &'static str {
    match kind {
        KeyType::String => "a `string`",
        KeyType::Number => "a `number`",
        KeyType::Binary => "`binary`",
    }
}

/// A key's two parts are two attributes.
fn pairs(id: &str, table: &Table) -> Vec<Complaint> {
    let own = table.sort_key.iter().map(|sort| (vec!["sortKey"], &table.partition_key, sort));
    let global = table.global_secondary_indexes.iter().filter_map(|(name, index)| {
        let sort = index.sort_key.as_ref()?;
        Some((vec!["globalSecondaryIndexes", name.as_str(), "sortKey"], &index.partition_key, sort))
    });
    let local = table.local_secondary_indexes.iter().map(|(name, index)| {
        (vec!["localSecondaryIndexes", name.as_str(), "sortKey"], &table.partition_key, &index.sort_key)
    });
    let same = own.chain(global).chain(local).filter(|(_, partition, sort)| partition.name == sort.name);
    same.map(|(way, partition, _)| {
        let path: Vec<&str> = ["tables", id].into_iter().chain(way).chain(["name"]).collect();
        let message = format!("`{}` is the partition key already", partition.name);
        Complaint::new(&path, message, "order the items by another attribute")
    })
    .collect()
}

fn index_names(id: &str, table: &Table) -> Vec<Complaint> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let fits = |name: &str| (3..=255).contains(&name.len()) && name.chars().all(allowed);
    let global = table.global_secondary_indexes.keys().map(|name| ("globalSecondaryIndexes", name));
    let local = table.local_secondary_indexes.keys().map(|name| ("localSecondaryIndexes", name));
    let wrong = global.chain(local).filter(|(_, name)| !fits(name)).map(|(section, name)| {
        let message = format!("`{}` cannot be the name of an index", name.escape_debug());
        let help = "3 to 255 letters, digits, hyphens, underscores and dots";
        Complaint::new(&["tables", id, section, name], message, help).at_key()
    });
    let twice = table.local_secondary_indexes.keys().filter(|name| table.global_secondary_indexes.contains_key(*name));
    let twice = twice.map(|name| {
        let message = format!("index `{name}` is among the `globalSecondaryIndexes` too");
        Complaint::new(&["tables", id, "localSecondaryIndexes", name], message, "give it another name").at_key()
    });
    wrong.chain(twice).collect()
}

fn local_indexes(id: &str, table: &Table) -> Option<Complaint> {
    let needless = table.sort_key.is_none() && !table.local_secondary_indexes.is_empty();
    let message = "a table without a sort key has no items to put in another order";
    let help = "add a `sortKey` to the table, or make it one of the `globalSecondaryIndexes`";
    needless.then(|| Complaint::new(&["tables", id, "localSecondaryIndexes"], message, help).at_key())
}

/// A table is paid either by the request or for its capacity, and its indexes are paid as it is.
fn throughput(id: &str, table: &Table) -> Vec<Complaint> {
    let indexes =
        table.global_secondary_indexes.iter().filter_map(|(name, index)| index_throughput(id, table, name, index));
    let both = table.provisioned_throughput.is_some() && table.on_demand_throughput.is_some();
    let own = both.then(|| {
        let message = "a table with capacity of its own is not paid by the request";
        Complaint::new(&["tables", id, "onDemandThroughput"], message, "keep one of the two").at_key()
    });
    own.into_iter().chain(indexes).collect()
}

fn index_throughput(id: &str, table: &Table, name: &str, index: &GlobalIndex) -> Option<Complaint> {
    let path = ["tables", id, "globalSecondaryIndexes", name];
    let below = |field| [path.as_slice(), &[field]].concat();
    match (&table.provisioned_throughput, &index.provisioned_throughput) {
        (Some(_), None) => {
            let help = "add `provisionedThroughput`: an index of such a table has its own";
            Some(Complaint::new(&path, format!("index `{name}` has no capacity"), help).at_key())
        }
        (None, Some(_)) => {
            let message = "the table is paid by the request, and so are its indexes";
            let help = "remove it, or give the table a `provisionedThroughput` too";
            Some(Complaint::new(&below("provisionedThroughput"), message, help).at_key())
        }
        (Some(_), Some(_)) if index.on_demand_throughput.is_some() => {
            let message = "an index with capacity of its own is not paid by the request";
            Some(Complaint::new(&below("onDemandThroughput"), message, "remove it").at_key())
        }
        _ => None,
    }
}

fn projected(id: &str, table: &Table) -> Option<Complaint> {
    let global = table.global_secondary_indexes.values().map(|index| &index.projection);
    let local = table.local_secondary_indexes.values().map(|index| &index.projection);
    let count = |projection: &Projection| match projection {
        Projection::Include(names) => names.len(),
        Projection::All | Projection::KeysOnly => 0,
    };
    let all: usize = global.chain(local).map(count).sum();
    let message = format!("the indexes of a table name {MOST_PROJECTED} attributes at most, and these name {all}");
    let help = "use `projection: all` where an index names most of them";
    (all > MOST_PROJECTED).then(|| Complaint::new(&["tables", id], message, help).at_key())
}

/// DynamoDB deletes an item by a number; an attribute of another type would keep all items for ever.
fn time_to_live(id: &str, table: &Table) -> Option<Complaint> {
    let name = table.time_to_live_attribute.as_ref()?;
    let keys = table.keys();
    let (_, key) = keys.iter().find(|(_, key)| key.name == *name && key.kind != KeyType::Number)?;
    let message = format!("`{name}` is {}, and items expire by a number", named(key.kind));
    Some(Complaint::new(&["tables", id, "timeToLiveAttribute"], message, "name an attribute of its own"))
}
