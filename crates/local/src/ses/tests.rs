use serde_json::json;
use time::OffsetDateTime;

use super::message::Sending;
use super::*;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn account() -> Account {
    let mut account = Account { id: "000000000000".to_owned(), region: "us-east-1".to_owned(), ..Account::default() };
    for name in ["sender@example.com", "example.org"] {
        account.ses.create(name, Identity::verified(name)).expect("it is new");
    }
    account
}

fn sent(account: &mut Account, request: Value) -> Result<Message, String> {
    let sending: Sending = serde_json::from_value(request).expect("it is a request");
    sending.deliver(account, NOW).map_err(|fault| format!("{}: {}", fault.code, fault.message))?;
    Ok(account.mail.messages().last().expect("it was sent").clone())
}

fn request(from: &str, to: &[&str]) -> Value {
    json!({
        "FromEmailAddress": from, "Destination": { "ToAddresses": to },
        "Content": { "Simple": { "Subject": { "Data": "Hello" }, "Body": { "Text": { "Data": "text" } } } },
    })
}

#[test]
fn verified_identities_send_and_no_others() {
    let mut account = account();
    for from in ["sender@example.com", "Me <sender@example.com>", "anybody@example.org", "x@sub.Example.org"] {
        let message = sent(&mut account, request(from, &["a@b.example", "C <c@d.example>"])).expect(from);
        assert_eq!((message.to.as_str(), message.subject.as_str()), ("a@b.example, c@d.example", "Hello"));
        assert_eq!(message.from.as_deref(), Some(from));
    }
    for from in ["other@example.com", "sender@notexample.com", "x@badexample.org", "x@org"] {
        let told = sent(&mut account, request(from, &["a@b.example"])).expect_err(from);
        assert!(told.starts_with("MessageRejected: Email address is not verified."), "{told}");
        assert!(told.ends_with(&format!("in region US-EAST-1: {from}")), "{told}");
    }
}

#[test]
fn headers_cannot_be_smuggled_in() {
    let mut account = account();
    let mut split = request("sender@example.com", &["a@b.example"]);
    split["Content"]["Simple"]["Subject"]["Data"] = json!("Hello\r\nBcc: all@example.com");
    assert!(sent(&mut account, split).is_err_and(|told| told.contains("Control characters")));
    for address in ["a@b.example\nBcc: c@d.example", "a@b.example, c@d.example", "a", "@b", "a@", "a b@c.example"] {
        assert!(sent(&mut account, request("sender@example.com", &[address])).is_err(), "{address}");
    }
    assert!(sent(&mut account, request("sender@example.com", &[])).is_err());
    assert!(sent(&mut account, request("sender@example.com", &["a@b.example"; 51])).is_err());
    assert!(account.mail.messages().is_empty());
}

#[test]
fn a_raw_message_tells_its_own_sender_and_recipients() {
    let mut account = account();
    let raw = "From: Me\r\n <sender@example.com>\r\nTo: a@b.example,\r\n\tc@d.example\r\nSubject: Raw\r\n\r\nbody\r\n";
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, raw);
    let message = sent(&mut account, json!({ "Content": { "Raw": { "Data": data } } })).expect("it is whole");
    assert_eq!((message.to.as_str(), message.subject.as_str()), ("a@b.example, c@d.example", "Raw"));
    assert_eq!((message.body.as_str(), message.from.as_deref()), ("body\r\n", Some("Me <sender@example.com>")));
}

#[test]
fn templates_are_filled_in() {
    let mut account = account();
    let template =
        Template { subject: "Hi {{name}}".to_owned(), text: Some("{{a.b}} {{gone}}.".to_owned()), html: None };
    account.ses.templates.insert("greeting".to_owned(), template);
    let mut request = request("sender@example.com", &["a@b.example"]);
    let data = json!({ "name": "Ann", "a": { "b": 5 } }).to_string();
    request["Content"] = json!({ "Template": { "TemplateName": "greeting", "TemplateData": data } });
    let message = sent(&mut account, request.clone()).expect("it is there");
    assert_eq!((message.subject.as_str(), message.body.as_str()), ("Hi Ann", "5 ."));
    let split = json!({ "name": "Ann\r\nBcc: c@d.example" }).to_string();
    request["Content"]["Template"]["TemplateData"] = json!(split);
    assert!(sent(&mut account, request).is_err_and(|told| told.contains("Control characters")));
}

#[test]
fn an_address_waits_for_its_link() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let cloud = Cloud::new(account(), folder.path().to_owned(), "http://127.0.0.1:1".to_owned());
    let link = cloud.write(|account| {
        account.ses.create("new@example.net", Identity::verified("new@example.net"))?;
        ask_for_verification(account, "http://127.0.0.1:1", "new@example.net", NOW);
        Ok::<_, Fault>(account.mail.messages().last().expect("it was sent").body.clone())
    });
    let link = link.expect("it is saved");
    let token = link.rsplit('/').next().expect("it ends with a token").to_owned();
    let may_send = || cloud.read(|account| account.ses.identities["new@example.net"].is_verified());
    assert!(!may_send());
    assert_eq!(verify(&cloud, "").status(), 404);
    assert_eq!(verify(&cloud, &token[1..]).status(), 404);
    assert!(!may_send());
    assert_eq!(verify(&cloud, &token).status(), 200);
    assert!(may_send());
    assert_eq!(verify(&cloud, &token).status(), 404);
}

#[test]
fn an_identity_is_an_address_or_a_domain() {
    let mut ses = Ses::default();
    for name in ["a@b.example", "example.com", "x-1.example.com"] {
        ses.create(name, Identity::verified(name)).expect(name);
        assert_eq!(ses.create(name, Identity::default()).expect_err("it is taken").code, "AlreadyExistsException");
    }
    for name in ["", "@b.example", "a@", "example", "a b@c.example", "-a.example", "a..example", "a@b.example\n"] {
        assert!(ses.create(name, Identity::default()).is_err(), "{name:?}");
    }
}

#[test]
fn a_configuration_set_may_stop_the_post() {
    let mut account = account();
    let mut request = request("sender@example.com", &["a@b.example"]);
    request["ConfigurationSetName"] = json!("set");
    assert!(sent(&mut account, request.clone()).is_err_and(|told| told.starts_with("NotFoundException")));
    let set = ConfigurationSet { sends: false, tags: BTreeMap::new() };
    account.ses.configuration_sets.insert("set".to_owned(), set);
    assert!(sent(&mut account, request).is_err_and(|told| told.starts_with("SendingPausedException")));
}
