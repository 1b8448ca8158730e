//! What a request to DynamoDB does, as far as IAM is concerned.

use serde_json::Value;

use super::{place, text};
use crate::cloud::Account;
use crate::iam::authorize::Deed;
use crate::wire::Request;

/// Operations on a table that is named by `TableName`, whose action has the same name.
const ON_TABLE: &[&str] = &[
    "CreateTable",
    "DeleteItem",
    "DeleteTable",
    "DescribeContinuousBackups",
    "DescribeTable",
    "DescribeTimeToLive",
    "GetItem",
    "PutItem",
    "UpdateContinuousBackups",
    "UpdateItem",
    "UpdateTable",
    "UpdateTimeToLive",
];

/// Operations on a table or on the index that is named by `IndexName`.
const ON_INDEX: &[&str] = &["Query", "Scan"];

/// Operations on what `ResourceArn` or `StreamArn` names.
const ON_ARN: &[&str] = &[
    "DeleteResourcePolicy",
    "DescribeStream",
    "GetResourcePolicy",
    "GetShardIterator",
    "ListTagsOfResource",
    "PutResourcePolicy",
    "TagResource",
    "UntagResource",
];

/// Operations on nothing in particular. A shard iterator does not tell its stream to anyone but DynamoDB.
const ON_ALL: &[&str] = &["DescribeLimits", "GetRecords", "ListStreams", "ListTables"];

/// Kinds of members of a transaction, and their actions.
const TRANSACTED: &[(&str, &str)] = &[
    ("ConditionCheck", "ConditionCheckItem"),
    ("Delete", "DeleteItem"),
    ("Get", "GetItem"),
    ("Put", "PutItem"),
    ("Update", "UpdateItem"),
];

/// The deeds of a request; none for an operation that is not listed here.
pub(crate) fn deeds(account: &Account, request: &Request) -> Option<Vec<Deed>> {
    let body: Value = request.json().unwrap_or_default();
    let operation = request.operation().unwrap_or_default();
    let action = format!("dynamodb:{operation}");
    Some(match operation {
        known if ON_TABLE.contains(&known) => {
            let table = text(&body, "TableName");
            let keys = [body.get("Key"), body.get("Item")];
            vec![about(account, &action, table, keys.into_iter().flatten(), &body)]
        }
        known if ON_INDEX.contains(&known) => {
            let resource = indexed(account, text(&body, "TableName"), body.get("IndexName").and_then(Value::as_str));
            vec![selecting(Deed::new(action, resource), &body)]
        }
        known if ON_ARN.contains(&known) => {
            let arn = body.get("ResourceArn").or(body.get("StreamArn")).and_then(Value::as_str);
            vec![Deed::new(action, arn.unwrap_or_default())]
        }
        known if ON_ALL.contains(&known) => vec![Deed::new(action, "*")],
        "BatchGetItem" | "BatchWriteItem" => batch(account, &action, &body),
        "TransactGetItems" | "TransactWriteItems" => transaction(account, operation, &body),
        "ExecuteStatement" => vec![statement(account, &body)],
        "BatchExecuteStatement" => statements(account, &body, "Statements"),
        "ExecuteTransaction" => statements(account, &body, "TransactStatements"),
        // Where DynamoDB is may be asked by anybody.
        "DescribeEndpoints" => Vec::new(),
        _ => return None,
    })
}

/// ARN of a table that is given by name or by ARN.
fn resource(account: &Account, table: &str) -> String {
    if table.starts_with("arn:") { table.to_owned() } else { format!("{}{table}", place(account)) }
}

fn indexed(account: &Account, table: &str, index: Option<&str>) -> String {
    let table = resource(account, table);
    index.map_or(table.clone(), |index| format!("{table}/index/{index}"))
}

/// A deed on items, of which those that are known by their keys are told.
fn about<'a>(
    account: &Account,
    action: &str,
    table: &str,
    items: impl Iterator<Item = &'a Value>,
    request: &Value,
) -> Deed {
    let name = table.rsplit('/').next().unwrap_or(table);
    let key = account.dynamodb.tables.get(name).map(|table| table.partition_key.as_str()).unwrap_or_default();
    let leading = items.filter_map(|item| item.get(key)?.as_object()?.values().next()?.as_str());
    let leading: Vec<String> = leading.map(str::to_owned).collect();
    let deed = Deed::new(action, resource(account, table));
    let deed = if leading.is_empty() { deed } else { deed.knowing("dynamodb:LeadingKeys", leading) };
    selecting(deed, request)
}

/// What a request wants to see of items.
fn selecting(deed: Deed, request: &Value) -> Deed {
    let member = |name: &str| request.get(name).and_then(Value::as_str).map(str::to_owned);
    deed.knowing("dynamodb:Select", member("Select"))
        .knowing("dynamodb:ReturnValues", member("ReturnValues"))
        .knowing("dynamodb:ReturnConsumedCapacity", member("ReturnConsumedCapacity"))
}

fn batch(account: &Account, action: &str, body: &Value) -> Vec<Deed> {
    let tables = body.get("RequestItems").and_then(Value::as_object).into_iter().flatten();
    tables
        .map(|(table, asked)| {
            let keys = asked.get("Keys").and_then(Value::as_array).into_iter().flatten();
            let writes = asked.as_array().into_iter().flatten();
            let written = writes
                .filter_map(|write| write.pointer("/PutRequest/Item").or_else(|| write.pointer("/DeleteRequest/Key")));
            about(account, action, table, keys.chain(written), body)
        })
        .collect()
}

fn transaction(account: &Account, operation: &str, body: &Value) -> Vec<Deed> {
    let items = body.get("TransactItems").and_then(Value::as_array).into_iter().flatten();
    // An item of two kinds is refused later, but is both until then.
    let kinds =
        items.flat_map(|item| TRANSACTED.iter().filter_map(move |(kind, action)| Some((item.get(kind)?, action))));
    kinds
        .map(|(asked, action)| {
            let keys = [asked.get("Key"), asked.get("Item")];
            let action = format!("dynamodb:{action}");
            about(account, &action, text(asked, "TableName"), keys.into_iter().flatten(), asked)
                .knowing("dynamodb:EnclosingOperation", [operation.to_owned()])
        })
        .collect()
}

fn statements(account: &Account, body: &Value, member: &str) -> Vec<Deed> {
    let listed = body.get(member).and_then(Value::as_array);
    listed.into_iter().flatten().map(|one| statement(account, one)).collect()
}

/// The deed of a PartiQL statement. One whose table cannot be told is a deed on everything that PartiQL can do.
fn statement(account: &Account, body: &Value) -> Deed {
    read(text(body, "Statement")).map_or_else(
        || Deed::new("dynamodb:PartiQL*", "*"),
        |(action, table, index)| Deed::new(format!("dynamodb:{action}"), indexed(account, &table, index.as_deref())),
    )
}

/// Action, table and index of a statement.
fn read(statement: &str) -> Option<(&'static str, String, Option<String>)> {
    let (verb, rest) = word(statement)?;
    let (action, rest) = match verb.to_ascii_uppercase().as_str() {
        "SELECT" => ("PartiQLSelect", after(rest, "FROM")?),
        "INSERT" => ("PartiQLInsert", after(rest, "INTO")?),
        "UPDATE" => ("PartiQLUpdate", rest),
        "DELETE" => ("PartiQLDelete", after(rest, "FROM")?),
        _ => return None,
    };
    let (table, rest) = name(rest)?;
    let index = rest.trim_start().strip_prefix('.').and_then(name).map(|(index, _)| index);
    Some((action, table, index))
}

fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace)?;
    text.split_at_checked(end)
}

/// What follows a keyword that stands outside of quotes.
fn after<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    let mut quote = None;
    let mut start = true;
    for (at, character) in text.char_indices() {
        match quote {
            Some(open) => quote = Some(open).filter(|open| *open != character),
            None if matches!(character, '"' | '\'') => quote = Some(character),
            None => {
                let rest = text.get(at..)?;
                let head = rest.get(..keyword.len()).is_some_and(|head| head.eq_ignore_ascii_case(keyword));
                let tail = rest.get(keyword.len()..).unwrap_or_default();
                if start && head && tail.starts_with(|next: char| next.is_whitespace() || next == '"') {
                    return Some(tail);
                }
            }
        }
        start = character.is_whitespace();
    }
    None
}

/// A name, in double quotes or bare.
fn name(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    if let Some(quoted) = text.strip_prefix('"') {
        let (name, rest) = quoted.split_once('"')?;
        return Some((name.to_owned(), rest));
    }
    let is_part = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    let end = text.find(|character| !is_part(character)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    (!name.is_empty()).then(|| (name.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use serde_json::json;

    use super::*;
    use crate::dynamodb::{Table, Tables};
    use crate::wire::Caller;

    fn told(operation: &str, body: &Value) -> Option<Vec<(String, String)>> {
        let notes = Table { partition_key: "userId".to_owned(), ..Table::default() };
        let account = Account {
            id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            dynamodb: Tables { tables: [("notes".to_owned(), notes)].into() },
            ..Account::default()
        };
        let mut headers = HeaderMap::new();
        let target = format!("DynamoDB_20120810.{operation}");
        headers.insert("x-amz-target", target.parse().expect("it is printable"));
        let request = Request {
            id: String::new(),
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers,
            spelling: std::collections::BTreeMap::new(),
            body: Bytes::from(body.to_string()),
            caller: Caller::Anonymous,
        };
        let place = "arn:aws:dynamodb:us-east-1:000000000000:table/";
        let short = |resource: String| resource.replace(place, "");
        let deeds = deeds(&account, &request)?;
        Some(deeds.into_iter().map(|deed| (deed.action, short(deed.resource))).collect())
    }

    #[test]
    fn each_table_and_index_is_a_deed_of_its_own() {
        let cases = [
            ("GetItem", json!({ "TableName": "notes", "Key": {} }), vec![("GetItem", "notes")]),
            ("Query", json!({ "TableName": "notes" }), vec![("Query", "notes")]),
            ("Scan", json!({ "TableName": "notes", "IndexName": "i" }), vec![("Scan", "notes/index/i")]),
            (
                "BatchGetItem",
                json!({ "RequestItems": { "a": { "Keys": [] }, "b": { "Keys": [] } } }),
                vec![("BatchGetItem", "a"), ("BatchGetItem", "b")],
            ),
            (
                "TransactWriteItems",
                json!({ "TransactItems": [
                    { "Put": { "TableName": "a" } }, { "ConditionCheck": { "TableName": "b" } }, { "Delete": { "TableName": "c" } },
                ] }),
                vec![("PutItem", "a"), ("ConditionCheckItem", "b"), ("DeleteItem", "c")],
            ),
            ("TransactGetItems", json!({ "TransactItems": [{ "Get": { "TableName": "a" } }] }), vec![("GetItem", "a")]),
            ("ListTables", json!({}), vec![("ListTables", "*")]),
            ("TransactWriteItems", json!({ "TransactItems": [{ "Other": {} }] }), vec![]),
            ("DescribeEndpoints", json!({}), vec![]),
        ];
        for (operation, body, expected) in cases {
            let expected: Vec<_> =
                expected.into_iter().map(|(action, of)| (format!("dynamodb:{action}"), of.to_owned())).collect();
            assert_eq!(told(operation, &body), Some(expected), "{operation}");
        }
        assert_eq!(told("ExportTableToPointInTime", &json!({})), None);
    }

    #[test]
    fn every_operation_of_the_database_has_its_deeds() {
        for operation in crate::dynamodb::store::OPERATIONS {
            assert!(told(operation, &json!({})).is_some(), "{operation}");
        }
    }

    #[test]
    fn a_statement_tells_its_table() {
        let cases = [
            ("SELECT * FROM notes WHERE a = 'FROM x'", "PartiQLSelect", "notes"),
            ("select \"FROM\" from \"no.tes\".\"by-id\" where a=1", "PartiQLSelect", "no.tes/index/by-id"),
            ("INSERT INTO \"notes\" value {'a': 1}", "PartiQLInsert", "notes"),
            ("UPDATE notes SET a = 1", "PartiQLUpdate", "notes"),
            ("DELETE FROM notes WHERE a = 1", "PartiQLDelete", "notes"),
            ("EXISTS(SELECT * FROM notes)", "PartiQL*", "*"),
            ("SELECT 'x FROM y'", "PartiQL*", "*"),
            ("", "PartiQL*", "*"),
        ];
        for (statement, action, resource) in cases {
            let expected = vec![(format!("dynamodb:{action}"), resource.to_owned())];
            assert_eq!(told("ExecuteStatement", &json!({ "Statement": statement })), Some(expected), "{statement}");
        }
    }
}
