//! What the engine asks of a resource type. Each service module implements it for its own types.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::cloud::Account;
use crate::dynamodb;
use crate::wire::Fault;

/// Properties of one resource, with every intrinsic function resolved.
pub type Properties = Map<String, Value>;

/// A property that is text.
pub(crate) fn text<'a>(properties: &'a Properties, name: &str) -> Option<&'a str> {
    properties.get(name).and_then(Value::as_str)
}

/// Where and when a resource is provisioned.
#[derive(Debug, Clone)]
pub struct Context {
    /// ARN of the stack.
    pub stack_id: String,
    /// Name of the stack.
    pub stack_name: String,
    /// Id of the resource in its template.
    pub logical_id: String,
    /// The stack's tags, which AWS hands on to each resource that can be tagged.
    pub tags: BTreeMap<String, String>,
    /// The cloud's own base URL, such as `http://127.0.0.1:4599`.
    pub endpoint: String,
    /// Folder of the cloud's state, where big contents are files: [`crate::cloud::Cloud::data`].
    pub data: PathBuf,
    /// The database that holds the items of tables.
    pub(crate) store: dynamodb::Store,
    /// The cloud's clock.
    pub now: OffsetDateTime,
}

impl Context {
    /// A name that CloudFormation makes up: stack, logical id and twelve random characters, cut to `limit`.
    #[must_use]
    pub fn physical_name(&self, limit: usize) -> String {
        let room = limit.saturating_sub(14);
        let logical = room.saturating_sub(self.stack_name.len()).max(room / 2);
        let logical: String = self.logical_id.chars().take(logical).collect();
        let stack: String = self.stack_name.chars().take(room.saturating_sub(logical.len())).collect();
        format!("{stack}-{logical}-{}", crate::iam::key::key_id("", &crate::iam::key::random::<12>()))
    }

    /// A name that CloudFormation makes up without the stack's, as it does for secrets: logical id and twelve random
    /// characters.
    #[must_use]
    pub fn short_name(&self) -> String {
        format!("{}-{}", self.logical_id, crate::iam::key::key_id("", &crate::iam::key::random::<12>()))
    }

    /// The stack's tags and those of the resource itself, which win.
    #[must_use]
    pub(crate) fn tags_with(&self, own: &Tags) -> BTreeMap<String, String> {
        self.tags.iter().chain(&own.0).map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

#[cfg(test)]
impl Context {
    /// Somewhere in a stack, without tags.
    pub(crate) fn sample(logical_id: &str) -> Self {
        let data = PathBuf::from(".");
        Self {
            stack_id: "arn:aws:cloudformation:us-east-1:000000000000:stack/s/1".to_owned(),
            stack_name: "s".to_owned(),
            logical_id: logical_id.to_owned(),
            tags: BTreeMap::new(),
            endpoint: "http://127.0.0.1:1".to_owned(),
            store: dynamodb::Store::of(&data),
            data,
            now: OffsetDateTime::UNIX_EPOCH,
        }
    }
}

/// The `Tags` of a resource.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(from = "Vec<Tag>")]
pub(crate) struct Tags(pub(crate) BTreeMap<String, String>);

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

impl Tags {
    /// Those among the properties of a resource.
    pub(crate) fn of(properties: &Properties) -> Self {
        let tags = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
        let value = |tag: &Value| tag.get("Value").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self(tags.filter_map(|tag| Some((tag.get("Key")?.as_str()?.to_owned(), value(tag)))).collect())
    }
}

impl From<Vec<Tag>> for Tags {
    fn from(tags: Vec<Tag>) -> Self {
        Self(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }
}

/// A resource that exists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Provisioned {
    /// What `Ref` returns.
    pub physical_id: String,
    /// What `Fn::GetAtt` returns, by attribute name (`Arn`, `Endpoint.Address`).
    pub attributes: BTreeMap<String, Value>,
}

impl Provisioned {
    /// A resource that `Ref` calls so, without attributes.
    pub(crate) fn named(physical_id: impl Into<String>) -> Self {
        Self { physical_id: physical_id.into(), attributes: BTreeMap::new() }
    }

    /// The same with another attribute.
    #[must_use]
    pub(crate) fn with(mut self, attribute: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(attribute.to_owned(), value.into());
        self
    }
}

/// Why a resource could not be made, changed or removed: the text of its stack event's `ResourceStatusReason`.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    /// What a service has said, in the words of the handler that calls it.
    pub(crate) fn of(service: &str, fault: &Fault) -> Self {
        Self(format!("{} (Service: {service}, Status Code: {})", fault.message, fault.status.as_u16()))
    }

    /// The same in the words of a handler of the newer kind.
    pub(crate) fn of_handler(service: &str, handler_code: &str, fault: &Fault) -> Self {
        let (message, status) = (fault.message.trim_end(), fault.status.as_u16());
        Self(format!(
            "Resource handler returned message: \"{message} (Service: {service}, Status Code: {status}, Request ID: {}) \
             (SDK Attempt Count: 1)\" (RequestToken: {}, HandlerErrorCode: {handler_code})",
            Uuid::new_v4(),
            Uuid::new_v4(),
        ))
    }
}

/// Why a handler does not do what it is asked.
#[derive(Debug, Clone, PartialEq, Error)]
pub(crate) enum Refused {
    /// Its service does not let it.
    #[error("{0}")]
    Service(#[from] Fault),
    /// It sees for itself that it cannot be done.
    #[error("{0}")]
    Handler(String),
}

/// How handlers pass on what the service of this name says.
pub(crate) type Wording = fn(&str, &Fault) -> Failure;

/// One CloudFormation resource type.
///
/// Synchronous and given the whole account: the engine runs each call in one transaction together with the stack
/// event that records it, so a kill at any moment leaves neither without the other.
pub trait ResourceType: Sync {
    /// Its name, such as `AWS::Cognito::UserPool`.
    fn name(&self) -> &'static str;

    /// Its schema in the form of the CloudFormation registry (JSON text): `properties`, `definitions`, `required`,
    /// `createOnlyProperties`, `readOnlyProperties`, `additionalProperties: false`. The engine checks properties
    /// against it strictly, and takes from it which changes replace the resource.
    fn schema(&self) -> &'static str;

    /// Whether the name that the properties give the resource is taken already, by a resource of any origin. AWS asks
    /// this while it makes a change set, and fails it.
    fn exists(&self, _account: &Account, _properties: &Properties) -> bool {
        false
    }

    /// Makes the resource.
    ///
    /// # Errors
    /// When the service refuses; the reason is worded as AWS words it where that is known.
    fn create(&self, account: &mut Account, context: &Context, properties: &Properties)
    -> Result<Provisioned, Failure>;

    /// Changes the resource in place, from `old` to `new` properties.
    ///
    /// # Errors
    /// When the service refuses.
    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure>;

    /// Removes the resource. One that is gone already is no error.
    ///
    /// # Errors
    /// When the service refuses, for example a bucket that is not empty.
    fn delete(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure>;
}

/// A resource type that leaves its frame to the implementation below: its properties come typed, what its service refuses
/// comes as it is, and what is gone already need not be removed.
pub(crate) trait Kind: Sync {
    /// Its name, such as `AWS::DynamoDB::Table`.
    const TYPE: &'static str;
    /// Its schema, as [`ResourceType::schema`].
    const SCHEMA: &'static str;
    /// What the handlers call its service.
    const SERVICE: &'static str;
    /// How they pass on what it says.
    const WORDING: Wording = Failure::of;
    /// Its properties: a type of their own, or [`Properties`] as they are.
    type Properties: DeserializeOwned;

    /// As [`ResourceType::exists`].
    fn exists(_account: &Account, _properties: &Properties) -> bool {
        false
    }

    /// As [`ResourceType::create`].
    fn create(account: &mut Account, context: &Context, new: Self::Properties) -> Result<Provisioned, Refused>;

    /// As [`ResourceType::update`]. A type whose every property makes a new one has nothing to change in place.
    fn update(
        _account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _change: Change<Self::Properties>,
    ) -> Result<Provisioned, Refused> {
        Ok(Provisioned::named(physical_id))
    }

    /// As [`ResourceType::delete`]; that there is no such thing any more is no refusal.
    fn delete(account: &mut Account, context: &Context, physical_id: &str, last: &Properties) -> Result<(), Refused>;
}

/// From which properties to which.
pub(crate) struct Change<P> {
    pub(crate) old: P,
    pub(crate) new: P,
}

impl<K: Kind> ResourceType for K {
    fn name(&self) -> &'static str {
        K::TYPE
    }

    fn schema(&self) -> &'static str {
        K::SCHEMA
    }

    fn exists(&self, account: &Account, properties: &Properties) -> bool {
        K::exists(account, properties)
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        K::create(account, context, typed::<K>(properties)?).map_err(worded::<K>)
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        let change = Change { old: typed::<K>(old)?, new: typed::<K>(new)? };
        K::update(account, context, physical_id, change).map_err(worded::<K>)
    }

    fn delete(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        match K::delete(account, context, physical_id, properties) {
            Err(Refused::Service(fault)) if is_absence(&fault) => Ok(()),
            outcome => outcome.map_err(worded::<K>),
        }
    }
}

/// Whether a service says that there is no such thing: some by the status, others by the name only.
fn is_absence(fault: &Fault) -> bool {
    let names = ["ResourceNotFoundException", "UserNotFoundException"];
    fault.status == StatusCode::NOT_FOUND || names.contains(&fault.code.as_str())
}

fn worded<K: Kind>(refused: Refused) -> Failure {
    match refused {
        Refused::Service(fault) => (K::WORDING)(K::SERVICE, &fault),
        Refused::Handler(reason) => Failure(reason),
    }
}

fn typed<K: Kind>(properties: &Properties) -> Result<K::Properties, Failure> {
    serde_json::from_value(Value::Object(properties.clone())).map_err(|error| Failure(error.to_string()))
}

/// A type that is known and refused, so that its stack fails with a reason instead of doing half of what it says.
pub(crate) struct NotOffered {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its schema.
    pub(crate) schema: &'static str,
    /// Why it is refused.
    pub(crate) reason: &'static str,
}

impl ResourceType for NotOffered {
    fn name(&self) -> &'static str {
        self.name
    }

    fn schema(&self) -> &'static str {
        self.schema
    }

    fn create(&self, _: &mut Account, _: &Context, _: &Properties) -> Result<Provisioned, Failure> {
        Err(Failure(self.reason.to_owned()))
    }

    fn update(
        &self,
        _: &mut Account,
        _: &Context,
        _: &str,
        _: &Properties,
        _: &Properties,
    ) -> Result<Provisioned, Failure> {
        Err(Failure(self.reason.to_owned()))
    }

    fn delete(&self, _: &mut Account, _: &Context, _: &str, _: &Properties) -> Result<(), Failure> {
        Ok(())
    }
}

/// A resource type for tests, which fails where its properties say so.
#[cfg(test)]
pub(super) mod things {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    pub(in crate::cloudformation) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&Thing];

    struct Thing;

    fn refuse(properties: &Properties, act: &str) -> Result<(), Failure> {
        if properties.get("Fail").and_then(Value::as_str) == Some(act) {
            return Err(Failure(format!("the thing does not {act}")));
        }
        Ok(())
    }

    impl ResourceType for Thing {
        fn name(&self) -> &'static str {
            "Test::Things::Thing"
        }

        fn schema(&self) -> &'static str {
            r##"{
                "typeName": "Test::Things::Thing",
                "properties": {
                    "Name": { "type": "string" },
                    "Fail": { "type": "string", "enum": ["create", "update", "restore", "delete"] },
                    "Size": { "type": "integer" },
                    "Value": { "type": "string" },
                    "Arn": { "type": "string" },
                    "Tags": { "type": "array", "items": { "type": "object" } }
                },
                "additionalProperties": false,
                "createOnlyProperties": ["/properties/Name", "/properties/Size"],
                "readOnlyProperties": ["/properties/Arn"],
                "primaryIdentifier": ["/properties/Name"]
            }"##
        }

        fn create(&self, _: &mut Account, context: &Context, properties: &Properties) -> Result<Provisioned, Failure> {
            refuse(properties, "create")?;
            let name = properties.get("Name").and_then(Value::as_str).map(str::to_owned);
            let physical_id = name.unwrap_or_else(|| format!("{}-{}", context.logical_id, Uuid::new_v4()));
            let arn = json!(format!("arn:thing/{physical_id}"));
            Ok(Provisioned { physical_id, attributes: BTreeMap::from([("Arn".to_owned(), arn)]) })
        }

        fn update(
            &self,
            _: &mut Account,
            _: &Context,
            physical_id: &str,
            old: &Properties,
            new: &Properties,
        ) -> Result<Provisioned, Failure> {
            refuse(new, "update")?;
            refuse(old, "restore")?;
            let arn = json!(format!("arn:thing/{physical_id}"));
            Ok(Provisioned {
                physical_id: physical_id.to_owned(),
                attributes: BTreeMap::from([("Arn".to_owned(), arn)]),
            })
        }

        fn delete(&self, _: &mut Account, _: &Context, _: &str, properties: &Properties) -> Result<(), Failure> {
            refuse(properties, "delete")
        }
    }
}
