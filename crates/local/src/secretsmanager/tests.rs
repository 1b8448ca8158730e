use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::cloudformation::resource::{Context, Properties, Provisioned};

const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

fn account() -> Account {
    Account { id: "000000000000".to_owned(), region: "us-east-1".to_owned(), ..Account::default() }
}

fn made(account: &mut Account, name: &str) -> String {
    let secret = create(account, Making { name: name.to_owned(), ..Making::default() }, NOW).expect("it is free");
    put(secret, "one", "first");
    let (name, secret) = find(account, name, NOW).expect("it was made");
    arn(account, name, secret)
}

fn put(secret: &mut Secret, id: &str, text: &str) {
    let value = Sealed::Text(text.to_owned().into());
    secret.put(id.to_owned(), value, [CURRENT.to_owned()].into(), NOW).expect("it is new");
}

fn text(account: &Account, id: &str) -> Result<String, String> {
    text_of(account, id, None, None, NOW).map_err(|fault| fault.message)
}

#[test]
fn a_secret_is_found_by_name_and_by_either_arn() {
    let mut account = account();
    let arn = made(&mut account, "app/token");
    let partial = arn.strip_suffix(&arn[arn.len() - 7..]).expect("it ends with a hyphen and six characters");
    for id in ["app/token", &arn, partial] {
        assert_eq!(text(&account, id), Ok("first".to_owned()), "{id}");
    }
    let elsewhere = arn.replace("us-east-1", "eu-west-1");
    for id in ["app", "app/token-", &arn[..arn.len() - 1], &elsewhere, ""] {
        assert!(text(&account, id).is_err(), "{id}");
    }
}

#[test]
fn what_was_current_becomes_the_previous_value() {
    let mut account = account();
    made(&mut account, "s");
    let secret = find_mut(&mut account, "s", NOW).expect("it was made");
    put(secret, "two", "second");
    put(secret, "three", "third");
    let of = |stage| text_of(&account, "s", Some(stage), None, NOW).map_err(|fault| fault.message);
    assert_eq!((of(CURRENT), of(PREVIOUS)), (Ok("third".to_owned()), Ok("second".to_owned())));
    assert_eq!(text_of(&account, "s", None, Some("one"), NOW), Ok("first".to_owned()));
    assert!(of("OTHER").is_err_and(|told| told.ends_with("for staging label: OTHER")));
    let secret = find_mut(&mut account, "s", NOW).expect("it was made");
    let again = secret.put("one".to_owned(), Sealed::Text("x".to_owned().into()), BTreeSet::new(), NOW);
    assert_eq!(again.expect_err("the id is taken").code, "ResourceExistsException");
}

#[test]
fn a_deleted_secret_keeps_its_name_until_its_time_is_over() {
    let mut account = account();
    made(&mut account, "s");
    let end = removal(Some(7), false, NOW).expect("seven days are legal");
    find_mut(&mut account, "s", NOW).expect("it was made").removal = Some(end);
    assert!(text(&account, "s").is_err_and(|told| told.contains("marked for deletion")));
    let again = Making { name: "s".to_owned(), ..Making::default() };
    let refused = create(&mut account, again.clone(), NOW).expect_err("it waits");
    assert!(refused.message.contains("already scheduled for deletion"), "{refused}");
    assert!(find(&account, "s", end).is_err(), "it is gone by then");
    create(&mut account, again, end).expect("the name is free");
    for days in [6, 31, -1] {
        assert!(removal(Some(days), false, NOW).is_err(), "{days}");
    }
    assert!(removal(Some(7), true, NOW).is_err());
}

#[test]
fn values_do_not_show_in_debugging_output() {
    let mut account = account();
    made(&mut account, "s");
    assert!(!format!("{account:?}").contains("first"));
}

fn declared(account: &mut Account, properties: &Value) -> Result<Provisioned, String> {
    let properties = properties.as_object().cloned().expect("properties are an object");
    let context = Context { now: NOW, ..Context::sample("Token") };
    RESOURCE_TYPES[0].create(account, &context, &properties).map_err(|failure| failure.0)
}

#[test]
fn a_template_generates_a_secret() {
    let mut account = account();
    let made = declared(&mut account, &json!({ "GenerateSecretString": { "PasswordLength": 48 } })).expect("legal");
    assert_eq!(text(&account, &made.physical_id).map(|text| text.len()), Ok(48));
    assert_eq!(made.attributes["Id"], made.physical_id.as_str());
    let user = json!({ "GenerateSecretString": {
        "SecretStringTemplate": "{\"user\":\"admin\"}", "GenerateStringKey": "password", "ExcludePunctuation": true,
    } });
    let made = declared(&mut account, &user).expect("legal");
    let value: Value = serde_json::from_str(&text(&account, &made.physical_id).expect("it has one")).expect("JSON");
    assert_eq!(value["user"], "admin");
    assert!(value["password"].as_str().is_some_and(|one| one.len() == 32 && one.chars().all(char::is_alphanumeric)));
    let empty = declared(&mut account, &json!({})).expect("it is filled by hand");
    assert!(text(&account, &empty.physical_id).is_err_and(|told| told.contains("AWSCURRENT")));
}

#[test]
fn what_a_template_cannot_mean_is_told() {
    let mut account = account();
    for (properties, told) in [
        (json!({ "SecretString": "a", "GenerateSecretString": {} }), "both SecretString and GenerateSecretString"),
        (json!({ "GenerateSecretString": { "GenerateStringKey": "a" } }), "or neither"),
        (
            json!({ "GenerateSecretString": { "GenerateStringKey": "a", "SecretStringTemplate": "[]" } }),
            "not an object",
        ),
        (json!({ "Name": "a b" }), "Invalid name"),
        (json!({ "ReplicaRegions": [{ "Region": "eu-west-1" }] }), "one region"),
    ] {
        let failure = declared(&mut account, &properties).expect_err(told);
        assert!(failure.contains(told), "{failure}");
    }
    declared(&mut account, &json!({ "Name": "a" })).expect("legal");
    let again = declared(&mut account, &json!({ "Name": "a" })).expect_err("it is taken");
    assert!(again.contains("already exists"), "{again}");
}

#[test]
fn a_new_value_comes_only_with_what_makes_it() {
    let mut account = account();
    let old = json!({ "GenerateSecretString": { "PasswordLength": 20 } });
    let id = declared(&mut account, &old).expect("legal").physical_id;
    let before = text(&account, &id);
    let mut update = |old: &Value, new: &Value| {
        let properties = |value: &Value| -> Properties { value.as_object().cloned().unwrap_or_default() };
        let context = Context { now: NOW, ..Context::sample("Token") };
        let kind = RESOURCE_TYPES[0];
        kind.update(&mut account, &context, &id, &properties(old), &properties(new)).expect("legal");
        text(&account, &id)
    };
    let described = json!({ "GenerateSecretString": { "PasswordLength": 20 }, "Description": "a token" });
    assert_eq!(update(&old, &described), before);
    let longer = json!({ "GenerateSecretString": { "PasswordLength": 21 } });
    assert_eq!(update(&described, &longer).map(|text| text.len()), Ok(21));
}
