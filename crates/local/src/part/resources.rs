//! The parts of an API as CloudFormation's resources, in either generation of API Gateway.

use std::marker::PhantomData;

use serde_json::{Map, Value};

use super::{Part, Parts};
use crate::apigatewayv2::declared;
use crate::cloud::Account;
use crate::cloudformation::resource::{Change, Context, Kind, Properties, Provisioned, Refused, Tags, Wording, text};
use crate::wire::{Fault, lower_first};

/// An API whose parts CloudFormation provisions.
pub(crate) trait Provisions: Parts {
    /// The property by which a part says which API it belongs to.
    const PROPERTY: &'static str;
    /// As [`Kind::SERVICE`].
    const SERVICE: &'static str;
    /// As [`Kind::WORDING`].
    const WORDING: Wording;

    /// The API of this id, to be changed.
    fn of<'a>(account: &'a mut Account, id: &str) -> Result<&'a mut Self, Fault>;
}

/// What CloudFormation must know of a part of an API.
pub(crate) trait PartResource: Part<Api: Provisions> {
    /// As [`Kind::TYPE`].
    const TYPE: &'static str;
    /// As [`Kind::SCHEMA`].
    const SCHEMA: &'static str;
    /// The attribute that holds its id, where there is one.
    const ATTRIBUTE: Option<&'static str>;

    /// The service's own members for these properties.
    fn members(properties: &Properties, context: &Context) -> Result<Map<String, Value>, Fault> {
        Ok(members(properties, context, Self::SCHEMA))
    }

    /// What it asks of the account as a whole.
    fn check(&self, _account: &Account) -> Result<(), Fault> {
        Ok(())
    }
}

/// The resource type of a part.
pub(crate) struct PartType<P>(PhantomData<fn() -> P>);

impl<P: PartResource> PartType<P> {
    /// The one of its kind.
    pub(crate) const NEW: Self = Self(PhantomData);

    fn part(account: &Account, stated: Map<String, Value>) -> Result<P, Fault> {
        let part: P = declared(stated)?;
        part.check(account)?;
        Ok(part)
    }

    fn api<'a>(account: &'a mut Account, properties: &Properties) -> Result<&'a mut P::Api, Fault> {
        P::Api::of(account, text(properties, P::Api::PROPERTY).unwrap_or_default())
    }

    fn provisioned(id: &str) -> Provisioned {
        let part = Provisioned::named(id);
        match P::ATTRIBUTE {
            Some(attribute) => part.with(attribute, id),
            None => part,
        }
    }
}

impl<P: PartResource> Kind for PartType<P> {
    const TYPE: &'static str = P::TYPE;
    const SCHEMA: &'static str = P::SCHEMA;
    const SERVICE: &'static str = P::Api::SERVICE;
    const WORDING: Wording = P::Api::WORDING;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let part = Self::part(account, P::members(&new, context)?)?;
        Ok(Self::provisioned(&Self::api(account, &new)?.add(part)?))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let stated = P::members(&new, context)?;
        let mut part = Self::part(account, stated.clone())?;
        let api = Self::api(account, &new)?;
        part.keep(api.part::<P>(physical_id)?, &stated);
        api.replace(physical_id, part)?;
        Ok(Self::provisioned(physical_id))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, last: &Properties) -> Result<(), Refused> {
        Ok(Self::api(account, last)?.remove::<P>(physical_id)?)
    }
}

/// The properties of a resource as the service's own members, with the stack's tags where it can be tagged.
pub(crate) fn members(properties: &Properties, context: &Context, schema: &str) -> Map<String, Value> {
    let mut members = lowered(properties);
    if schema.contains("\"Tags\"") {
        members.insert("tags".to_owned(), tags(properties, context));
    }
    members
}

/// The tags of REST APIs are a list of pairs, those of the other APIs a map.
fn tags(properties: &Properties, context: &Context) -> Value {
    let listed = context.tags_with(&Tags::of(properties));
    let mut tags: Map<String, Value> = listed.into_iter().map(|(key, value)| (key, value.into())).collect();
    let mapped = properties.get("Tags").and_then(Value::as_object);
    tags.extend(mapped.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    Value::Object(tags)
}

/// Properties whose keys are the user's own.
const MAPS: [&str; 11] = [
    "Policy",
    "RequestModels",
    "RequestParameters",
    "RequestTemplates",
    "ResponseModels",
    "ResponseParameters",
    "ResponseTemplates",
    "Schema",
    "StageVariables",
    "Tags",
    "Variables",
];
/// Properties that hold settings under names of the user's own, where they hold nothing but objects.
const MAPS_OF_SETTINGS: [&str; 2] = ["RouteSettings", "Throttle"];

/// CloudFormation's names are the service's own with a capital first letter.
pub(crate) fn lowered(properties: &Properties) -> Map<String, Value> {
    properties.iter().map(|(name, value)| (lower_first(name), lowered_value(name, value))).collect()
}

fn lowered_value(name: &str, value: &Value) -> Value {
    match value {
        value if MAPS.contains(&name) => value.clone(),
        Value::Object(settings) if MAPS_OF_SETTINGS.contains(&name) && settings.values().all(Value::is_object) => {
            settings.iter().map(|(key, settings)| (key.clone(), lowered_value("", settings))).collect()
        }
        Value::Object(object) => Value::Object(lowered(object)),
        Value::Array(items) => items.iter().map(|item| lowered_value("", item)).collect(),
        value => value.clone(),
    }
}
