//! What an API is made of, in either generation of API Gateway: things that it holds under ids of their own.

pub(crate) mod resources;

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::apigatewayv2::{conflict, identifier};
use crate::wire::Fault;

/// A kind of thing that an API holds.
pub(crate) trait Part: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What holds it.
    type Api: Parts;
    /// As it is called in messages, such as `Route`.
    const KIND: &'static str;
    /// The member of its wire form that names it, such as `routeId`.
    const ID: &'static str;

    /// Those that an API holds.
    fn parts(api: &Self::Api) -> &BTreeMap<String, Self>;

    /// Those that an API holds, to be changed.
    fn parts_mut(api: &mut Self::Api) -> &mut BTreeMap<String, Self>;

    /// Fills in what AWS fills in, and checks the rules against the rest of the API. `id` is its own.
    fn settle(&mut self, api: &Self::Api, id: &str) -> Result<(), Fault>;

    /// The id of a new one.
    fn new_id(&self) -> String {
        identifier(7)
    }

    /// Why the one of this id may not be removed.
    fn removable(_api: &Self::Api, _id: &str) -> Result<(), Fault> {
        Ok(())
    }

    /// What follows for the rest of the API once it is in place.
    fn placed(&self, _api: &mut Self::Api, _id: &str) {}

    /// What an update by CloudFormation leaves as it was, given the members that the template states.
    fn keep(&mut self, _old: &Self, _stated: &Map<String, Value>) {}

    /// Its wire form, id included.
    fn wire(&self, id: &str) -> Value {
        let mut wire = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = wire.as_object_mut() {
            members.insert(Self::ID.to_owned(), id.into());
        }
        wire
    }
}

/// An API that holds parts.
pub(crate) trait Parts: Sized {
    /// The refusal of a request for a part that it does not hold.
    fn missing(kind: &str, id: &str) -> Fault;

    /// Adds a part and returns its id.
    fn add<P: Part<Api = Self>>(&mut self, mut part: P) -> Result<String, Fault> {
        let id = part.new_id();
        if P::parts(self).contains_key(&id) {
            return Err(conflict(format!("{} already exists", P::KIND)));
        }
        part.settle(self, &id)?;
        self.place(&id, part);
        Ok(id)
    }

    /// Puts a part in the place of the one with this id.
    fn replace<P: Part<Api = Self>>(&mut self, id: &str, mut part: P) -> Result<(), Fault> {
        self.part::<P>(id)?;
        part.settle(self, id)?;
        self.place(id, part);
        Ok(())
    }

    /// The part of this id.
    fn part<P: Part<Api = Self>>(&self, id: &str) -> Result<&P, Fault> {
        P::parts(self).get(id).ok_or_else(|| Self::missing(P::KIND, id))
    }

    /// Removes the part of this id.
    fn remove<P: Part<Api = Self>>(&mut self, id: &str) -> Result<(), Fault> {
        self.part::<P>(id)?;
        P::removable(self, id)?;
        P::parts_mut(self).remove(id);
        Ok(())
    }

    /// Puts a part that is checked under its id.
    fn place<P: Part<Api = Self>>(&mut self, id: &str, part: P) {
        P::parts_mut(self).insert(id.to_owned(), part.clone());
        part.placed(self, id);
    }
}
