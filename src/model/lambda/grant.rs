//! What a function may do with another resource of the project.

use std::borrow::Cow;
use std::fmt;

use garde::Validate;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::StrDeserializer;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::model::apigatewayv2::WebSocketApi;
use crate::model::cognito::UserPool;
use crate::model::dynamodb::Table;
use crate::model::reference::Target;
use crate::model::secretsmanager::Secret;
use crate::model::ses::EmailIdentity;
use crate::model::{Declared, Ref, Value};

/// Lets a function do something with a resource, and tells it by an environment variable which one.
///
/// Exactly one of `table`, `secret`, `emailIdentity`, `userPool` and `webSocketApi` names the resource. Synthesis derives one statement
/// of the function's role, with the exact actions on the exact ARNs (the indexes of a table included where the access can
/// use them, and the key that encrypts it), and the environment variable: `NOTES_TABLE` with the name of table `Notes`,
/// `API_TOKEN_SECRET` with the ARN of secret `ApiToken`, `SENDER_IDENTITY` with the address or domain of `Sender`,
/// `USERS_USER_POOL` with the id of pool `Users`, `CHAT_WEB_SOCKET_ENDPOINT` with the URL below which `@connections` of
/// the only stage of `Chat` is.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Grant {
    /// A table: `get`, `query`, `scan`, `put`, `update`, `delete`, `read`, `write`, `readWrite`.
    #[serde(default)]
    #[garde(dive)]
    pub table: Option<Ref<Table>>,
    /// A secret: `read`, `write`, `readWrite`.
    #[serde(default)]
    #[garde(dive)]
    pub secret: Option<Ref<Secret>>,
    /// An address or a domain: `send`.
    #[serde(default)]
    #[garde(dive)]
    pub email_identity: Option<Ref<EmailIdentity>>,
    /// A user pool: `read`, `manage`.
    #[serde(default)]
    #[garde(dive)]
    pub user_pool: Option<Ref<UserPool>>,
    /// The connections of a WebSocket API: `send`, `read`, `delete`, `manage`.
    #[serde(default)]
    #[garde(dive)]
    pub web_socket_api: Option<Ref<WebSocketApi>>,
    /// What the function may do: one word, or a list of them.
    pub access: AccessList,
    /// The environment variable, where it is not the usual one.
    #[serde(default)]
    pub variable: Option<String>,
}

/// What a grant is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Granted<'a> {
    /// A table.
    Table(&'a Ref<Table>),
    /// A secret.
    Secret(&'a Ref<Secret>),
    /// An address or a domain.
    EmailIdentity(&'a Ref<EmailIdentity>),
    /// A user pool.
    UserPool(&'a Ref<UserPool>),
    /// The connections of a WebSocket API.
    WebSocketApi(&'a Ref<WebSocketApi>),
}

impl<'a> Granted<'a> {
    /// What the function may be let do with it.
    pub fn offers(self) -> &'static [Access] {
        use Access::{Delete, Get, Manage, Put, Query, Read, ReadWrite, Scan, Send, Update, Write};
        match self {
            Self::Table(_) => &[Get, Query, Scan, Put, Update, Delete, Read, Write, ReadWrite],
            Self::Secret(_) => &[Read, Write, ReadWrite],
            Self::EmailIdentity(_) => &[Send],
            Self::UserPool(_) => &[Read, Manage],
            Self::WebSocketApi(_) => &[Send, Read, Delete, Manage],
        }
    }

    /// Where it is declared.
    pub fn target(self) -> &'a Target {
        match self {
            Self::Table(it) => it.target(),
            Self::Secret(it) => it.target(),
            Self::EmailIdentity(it) => it.target(),
            Self::UserPool(it) => it.target(),
            Self::WebSocketApi(it) => it.target(),
        }
    }

    /// What the environment variable holds; of a WebSocket API, its id, which synthesis makes the URL of its stage.
    pub fn value(self) -> Value {
        match self {
            Self::Table(it) => it.into(),
            Self::Secret(it) => Secret::arn(it),
            Self::EmailIdentity(it) => it.into(),
            Self::UserPool(it) => it.into(),
            Self::WebSocketApi(it) => it.into(),
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Table(_) => "TABLE",
            Self::Secret(_) => "SECRET",
            Self::EmailIdentity(_) => "IDENTITY",
            Self::UserPool(_) => "USER_POOL",
            Self::WebSocketApi(_) => "WEB_SOCKET_ENDPOINT",
        }
    }
}

impl Grant {
    fn of(access: AccessList) -> Self {
        Self {
            table: None,
            secret: None,
            email_identity: None,
            user_pool: None,
            web_socket_api: None,
            access,
            variable: None,
        }
    }

    /// Access to a table.
    pub fn table(table: impl Into<Ref<Table>>, access: impl Into<AccessList>) -> Self {
        Self { table: Some(table.into()), ..Self::of(access.into()) }
    }

    /// Access to a secret.
    pub fn secret(secret: impl Into<Ref<Secret>>, access: impl Into<AccessList>) -> Self {
        Self { secret: Some(secret.into()), ..Self::of(access.into()) }
    }

    /// Access to an address or a domain.
    pub fn email_identity(identity: impl Into<Ref<EmailIdentity>>, access: impl Into<AccessList>) -> Self {
        Self { email_identity: Some(identity.into()), ..Self::of(access.into()) }
    }

    /// Access to a user pool.
    pub fn user_pool(pool: impl Into<Ref<UserPool>>, access: impl Into<AccessList>) -> Self {
        Self { user_pool: Some(pool.into()), ..Self::of(access.into()) }
    }

    /// Access to the connections of a WebSocket API.
    pub fn web_socket_api(api: impl Into<Ref<WebSocketApi>>, access: impl Into<AccessList>) -> Self {
        Self { web_socket_api: Some(api.into()), ..Self::of(access.into()) }
    }

    /// Chooses the environment variable.
    pub fn variable(mut self, name: impl Into<String>) -> Self {
        self.variable = Some(name.into());
        self
    }

    /// Everything that it is said to be about, by the field that says so; the checks refuse more or fewer than one.
    pub fn said(&self) -> Vec<(&'static str, Granted<'_>)> {
        let said = [
            ("table", self.table.as_ref().map(Granted::Table)),
            ("secret", self.secret.as_ref().map(Granted::Secret)),
            ("emailIdentity", self.email_identity.as_ref().map(Granted::EmailIdentity)),
            ("userPool", self.user_pool.as_ref().map(Granted::UserPool)),
            ("webSocketApi", self.web_socket_api.as_ref().map(Granted::WebSocketApi)),
        ];
        said.into_iter().filter_map(|(field, granted)| Some((field, granted?))).collect()
    }

    /// What it is about; `None` unless exactly one field says so.
    pub fn granted(&self) -> Option<Granted<'_>> {
        match self.said().as_slice() {
            [(_, granted)] => Some(*granted),
            _ => None,
        }
    }

    /// The environment variable that names a resource.
    pub fn variable_for(&self, granted: Granted<'_>) -> String {
        let usual = || {
            let id = match granted.target() {
                Target::Local(id) => id,
                Target::Output(output) => &output.name,
            };
            format!("{}_{}", upper_snake_case(id), granted.suffix())
        };
        self.variable.clone().unwrap_or_else(usual)
    }
}

/// `ApiToken` as `API_TOKEN`, `HTTPServer2` as `HTTP_SERVER2`.
fn upper_snake_case(id: &str) -> String {
    let chars: Vec<char> = id.chars().collect();
    let begins_word = |at: usize| {
        let here = |at: usize, test: fn(&char) -> bool| chars.get(at).is_some_and(test);
        let after_word = at > 0 && here(at - 1, |c| !c.is_ascii_uppercase());
        here(at, char::is_ascii_uppercase) && at > 0 && (after_word || here(at + 1, char::is_ascii_lowercase))
    };
    let letters = chars.iter().enumerate();
    letters.flat_map(|(at, c)| begins_word(at).then_some('_').into_iter().chain([c.to_ascii_uppercase()])).collect()
}

/// Something that a function may be let do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// Get an item of a table by its key.
    Get,
    /// Find the items of a table, or of its indexes, that share a partition key.
    Query,
    /// Go through all items of a table, or of its indexes.
    Scan,
    /// Put an item into a table, over an older one with its key.
    Put,
    /// Change attributes of an item of a table.
    Update,
    /// Delete an item of a table, or end a connection.
    Delete,
    /// Read, in every way there is; ask about a connection.
    Read,
    /// Write, in every way there is.
    Write,
    /// Read and write, in every way there is.
    ReadWrite,
    /// Send mail, or messages to connections.
    Send,
    /// Read and change users and their groups; do all that can be done with connections.
    Manage,
}

impl Access {
    /// The word for it in a stack file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Query => "query",
            Self::Scan => "scan",
            Self::Put => "put",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Read => "read",
            Self::Write => "write",
            Self::ReadWrite => "readWrite",
            Self::Send => "send",
            Self::Manage => "manage",
        }
    }
}

/// What a function may do: one word of a stack file, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessList(pub Vec<Access>);

impl From<Access> for AccessList {
    fn from(access: Access) -> Self {
        Self(vec![access])
    }
}

impl<const N: usize> From<[Access; N]> for AccessList {
    fn from(access: [Access; N]) -> Self {
        Self(access.into())
    }
}

impl<'de> Deserialize<'de> for AccessList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(AccessVisitor)
    }
}

struct AccessVisitor;

impl<'de> Visitor<'de> for AccessVisitor {
    type Value = AccessList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word such as `read`, or a list of them")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<AccessList, E> {
        Access::deserialize(StrDeserializer::new(word)).map(AccessList::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<AccessList, A::Error> {
        let mut access = Vec::new();
        while let Some(one) = list.next_element()? {
            access.push(one);
        }
        Ok(AccessList(access))
    }
}

impl JsonSchema for AccessList {
    fn schema_name() -> Cow<'static, str> {
        "AccessList".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let access = generator.subschema_for::<Access>();
        schemars::json_schema!({
            "description": "What a function may do: one word, or a list of them.",
            "anyOf": [access, { "type": "array", "items": access, "minItems": 1 }]
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error as ValueError, SeqDeserializer};

    use super::*;

    #[test]
    fn an_id_becomes_a_variable() {
        let variables = ["Notes", "ApiToken", "HTTPServer2", "A", "notes", "Notes2Archive"].map(upper_snake_case);
        assert_eq!(variables, ["NOTES", "API_TOKEN", "HTTP_SERVER2", "A", "NOTES", "NOTES2_ARCHIVE"]);
    }

    #[test]
    fn a_word_or_a_list_is_what_a_function_may_do() {
        let word = |word| AccessList::deserialize(StrDeserializer::<ValueError>::new(word)).ok();
        assert_eq!(word("readWrite"), Some(AccessList::from(Access::ReadWrite)));
        assert_eq!(word("reed"), None);
        let list = SeqDeserializer::<_, ValueError>::new(["get", "put"].into_iter());
        assert_eq!(AccessList::deserialize(list), Ok(AccessList::from([Access::Get, Access::Put])));
    }
}
