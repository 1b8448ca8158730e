use super::*;
use crate::cloudformation::resource::{Context, Failure, Properties, Provisioned, ResourceType};

/// An account with a database of its own.
struct Place {
    account: Account,
    context: Context,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let account =
            Account { id: "000000000000".to_owned(), region: "eu-central-1".to_owned(), ..Account::default() };
        let context = Context { store: Store::of(folder.path()), ..Context::sample("Notes") };
        Self { account, context, folder }
    }

    fn create(&mut self, properties: &Value) -> Result<Provisioned, Failure> {
        kind().create(&mut self.account, &self.context, &members(properties))
    }

    fn update(&mut self, old: &Value, new: &Value) -> Result<Provisioned, Failure> {
        kind().update(&mut self.account, &self.context, "notes", &members(old), &members(new))
    }

    fn run(&self, operation: &str, request: Value) -> Result<Value, Refusal> {
        self.context.store.run(operation, request)
    }

    fn described(&self) -> Value {
        self.run("DescribeTable", json!({ "TableName": "notes" })).expect("it is there")["Table"].take()
    }
}

fn kind() -> &'static dyn ResourceType {
    RESOURCE_TYPES[0]
}

fn members(value: &Value) -> Properties {
    value.as_object().cloned().expect("properties are an object")
}

fn notes() -> Value {
    json!({
        "TableName": "notes",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [
            { "AttributeName": "userId", "KeyType": "HASH" }, { "AttributeName": "noteId", "KeyType": "RANGE" },
        ],
        "AttributeDefinitions": [
            { "AttributeName": "userId", "AttributeType": "S" }, { "AttributeName": "noteId", "AttributeType": "S" },
        ],
    })
}

fn with(change: Value) -> Value {
    let mut properties = notes();
    for (name, value) in change.as_object().expect("a change is an object") {
        properties[name] = value.clone();
    }
    properties
}

fn index(name: &str) -> Value {
    json!({
        "IndexName": name,
        "KeySchema": [{ "AttributeName": "noteId", "KeyType": "HASH" }],
        "Projection": { "ProjectionType": "ALL" },
    })
}

#[test]
fn a_table_is_made_as_declared() {
    let mut place = Place::new();
    let declared = with(json!({
        "StreamSpecification": { "StreamViewType": "NEW_IMAGE" },
        "TimeToLiveSpecification": { "AttributeName": "until", "Enabled": true },
        "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
        "SSESpecification": { "SSEEnabled": true, "KMSMasterKeyId": "alias/aws/dynamodb" },
        "GlobalSecondaryIndexes": [index("one"), index("two")],
        "Tags": [{ "Key": "team", "Value": "blue" }],
    }));
    let made = place.create(&declared).expect("it is legal");
    assert_eq!(made.physical_id, "notes");
    let arn = "arn:aws:dynamodb:eu-central-1:000000000000:table/notes";
    assert_eq!(made.attributes["Arn"], arn);
    assert!(made.attributes["StreamArn"].as_str().is_some_and(|stream| stream.starts_with(&format!("{arn}/stream/"))));
    let table = &place.account.dynamodb.tables["notes"];
    assert_eq!((table.partition_key.as_str(), table.recovery_days), ("userId", Some(35)));
    let expiry = place.run("DescribeTimeToLive", json!({ "TableName": "notes" })).expect("it is there");
    assert_eq!(expiry["TimeToLiveDescription"]["AttributeName"], "until");
    let tags = place.run("ListTagsOfResource", json!({ "ResourceArn": arn })).expect("it is there");
    assert_eq!(tags["Tags"], json!([{ "Key": "team", "Value": "blue" }]));
    assert_eq!(place.described()["SSEDescription"]["Status"], "ENABLED");
    assert!(place.create(&declared).expect_err("it is taken").0.contains("Table already exists: notes"));
}

#[test]
fn a_table_changes_in_place_and_keeps_its_items() {
    let mut place = Place::new();
    place.create(&notes()).expect("it is legal");
    let item = json!({ "userId": { "S": "u" }, "noteId": { "S": "n" }, "note": { "S": "text" } });
    place.run("PutItem", json!({ "TableName": "notes", "Item": item })).expect("it is put");
    let changed = with(json!({
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": { "ReadCapacityUnits": 2, "WriteCapacityUnits": 3 },
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "DeletionProtectionEnabled": true,
        "StreamSpecification": { "StreamViewType": "KEYS_ONLY" },
        "GlobalSecondaryIndexes": [index("one")],
        "Tags": [{ "Key": "team", "Value": "red" }],
    }));
    let made = place.update(&notes(), &changed).expect("it is legal");
    assert!(made.attributes.contains_key("StreamArn"));
    let table = place.described();
    assert_eq!(table["ProvisionedThroughput"]["WriteCapacityUnits"], 3);
    assert_eq!(table["TableClassSummary"]["TableClass"], "STANDARD_INFREQUENT_ACCESS");
    assert_eq!((&table["ItemCount"], &table["DeletionProtectionEnabled"]), (&json!(1), &json!(true)));
    let query = json!({
        "TableName": "notes", "IndexName": "one", "KeyConditionExpression": "noteId = :n",
        "ExpressionAttributeValues": { ":n": { "S": "n" } },
    });
    assert_eq!(place.run("Query", query).expect("the index is there")["Items"], json!([item]));
    // The same again, as after a kill, changes nothing.
    place.update(&notes(), &changed).expect("it is as it should be");
    let protected = kind().delete(&mut place.account, &place.context, "notes", &Properties::new());
    assert!(protected.expect_err("it is protected").0.contains("protected against deletion"));
    place.update(&changed, &notes()).expect("the way back");
    assert_eq!(place.described()["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    assert!(place.described().get("GlobalSecondaryIndexes").is_none_or(|indexes| *indexes == json!([])));
    kind().delete(&mut place.account, &place.context, "notes", &Properties::new()).expect("it goes");
    assert!(place.account.dynamodb.tables.is_empty());
}

#[test]
fn two_indexes_at_once_are_refused_as_on_aws() {
    let mut place = Place::new();
    place.create(&notes()).expect("it is legal");
    let two = with(json!({ "GlobalSecondaryIndexes": [index("one"), index("two")] }));
    let refused = place.update(&notes(), &two).expect_err("there is one at a time");
    assert!(refused.0.contains("Cannot perform more than one GSI creation or deletion"), "{refused}");
    let one = with(json!({ "GlobalSecondaryIndexes": [index("one")] }));
    place.update(&notes(), &one).expect("one is legal");
    let mut keys = index("one");
    keys["Projection"]["ProjectionType"] = json!("KEYS_ONLY");
    let changed = with(json!({ "GlobalSecondaryIndexes": [keys] }));
    let refused = place.update(&one, &changed).expect_err("an index does not change");
    assert!(refused.0.contains("Cannot update GSI's properties"), "{refused}");
}

#[test]
fn a_key_keeps_its_type() {
    let mut place = Place::new();
    place.create(&notes()).expect("it is legal");
    let mut number = notes();
    number["AttributeDefinitions"][1]["AttributeType"] = json!("N");
    let refused = place.update(&notes(), &number).expect_err("it would be another table");
    assert!(refused.0.contains("`noteId` cannot change in place"), "{refused}");
}

#[test]
fn what_is_left_of_a_cut_creation_gives_way() {
    let mut place = Place::new();
    place.create(&with(json!({ "DeletionProtectionEnabled": true }))).expect("it is legal");
    // As if the process had been killed before the account was saved.
    place.account.dynamodb.tables.clear();
    place.create(&notes()).expect("nobody knows the other one");
    assert_eq!(place.described()["DeletionProtectionEnabled"], false);
}

#[test]
fn what_is_left_of_a_cut_removal_is_removed() {
    let mut place = Place::new();
    for by_stack in [true, false] {
        place.create(&notes()).expect("nobody has it");
        // As if the account could not be saved after the table had gone.
        place.context.store.forget("notes").expect("it goes");
        if by_stack {
            kind().delete(&mut place.account, &place.context, "notes", &Properties::new()).expect("it goes");
        } else {
            delete(&mut place.account, &place.context.store, "notes").expect("it goes");
        }
        assert!(place.account.dynamodb.tables.is_empty());
    }
    let refusal = delete(&mut place.account, &place.context.store, "notes").expect_err("nobody knows it");
    assert_eq!(refusal.fault.code, "ResourceNotFoundException");
}

#[test]
fn errors_are_worded_as_on_aws() {
    let mut place = Place::new();
    place.create(&notes()).expect("it is legal");
    let cases = [
        ("GetItem", json!({ "TableName": "gone", "Key": {} }), "ResourceNotFoundException"),
        ("GetItem", json!({ "TableName": 5 }), "SerializationException"),
        ("PutItem", json!({ "TableName": "notes", "Item": { "userId": { "S": "u" } } }), "ValidationException"),
        ("PutItem", json!({ "TableName": "notes" }), "ValidationException"),
        ("CreateTable", json!({ "TableName": "n" }), "ValidationException"),
    ];
    for (operation, request, code) in cases {
        let refusal = place.run(operation, request.clone()).expect_err(code);
        assert_eq!(refusal.fault.code, code, "{operation} {request}: {refusal}");
        assert!(!refusal.fault.message.contains("VALIDATION"), "{refusal}");
    }
}

#[test]
fn the_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let mut place = Place::new();
    place.create(&notes()).expect("it is legal");
    for entry in std::fs::read_dir(place.folder.path()).expect("it is readable") {
        let entry = entry.expect("it is readable");
        let mode = entry.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
    }
}

#[test]
fn arns_are_told_of_this_account() {
    let place = Place::new();
    let mut answer = json!({ "a": [{ "Arn": "arn:aws:dynamodb:dynoxide:000000000000:table/t/index/i" }], "b": "arn:aws:dynamodb:x" });
    localized(&place.account, &mut answer);
    let expected = json!({ "a": [{ "Arn": "arn:aws:dynamodb:eu-central-1:000000000000:table/t/index/i" }], "b": "arn:aws:dynamodb:x" });
    assert_eq!(answer, expected);
    assert_eq!(table_of(&place.account, expected["a"][0]["Arn"].as_str().unwrap_or_default()), Some("t"));
    assert_eq!(table_of(&place.account, "arn:aws:dynamodb:us-east-1:000000000000:table/t"), None);
}
