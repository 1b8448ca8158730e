//! A user's notes, in a table of DynamoDB with the keys `userId` and `noteId`: four functions, of which each needs one
//! action on the table.
//!
//! | function | request | answer | action |
//! |---|---|---|---|
//! | `get-notes` | `?userId=&noteId=` | 200 `{userId, noteId, message, note}`, 404 | `dynamodb:GetItem` |
//! | `put-note` | `{userId, noteId, note}` as the body | 200; 412 where `if-none-match: *` asks for a new one | `dynamodb:PutItem` |
//! | `list-notes` | `?userId=&limit=&nextToken=` | 200 `{userId, notes: [{noteId, note}], nextToken?}` | `dynamodb:Query` |
//! | `delete-note` | `?userId=&noteId=` | 204, 404 | `dynamodb:DeleteItem` |
//!
//! The functions believe the `userId` of a request: whoever may call them may read and write the notes of every user. That is
//! as it should be behind one token that all callers share, and wrong behind an authorizer that tells callers apart: there
//! the user is whom the authorizer has verified (`requestContext.authorizer`), not whom the request names.
//!
//! A request that is wrong is a 400 whose `message` says what is wrong with it. The table's name is `NOTES_TABLE`. Both
//! kinds of event are read: those of a REST API's proxy integration and those of an HTTP API.

mod answer;
mod input;
mod table;

use std::convert::Infallible;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use lambda_http::{Body, Request, Response};
use serde_json::{Value, json};

pub use answer::Problem;
pub use input::{Key, Listing, Note};

/// The environment does not name the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`NOTES_TABLE` is not set: it is the name of the table")]
pub struct NoTable;

/// The table and how it is reached.
pub struct Notes {
    client: Client,
    table: String,
}

impl Notes {
    /// The table that the environment of the function names.
    ///
    /// # Errors
    /// [`NoTable`] where it names none.
    pub async fn from_environment() -> Result<Self, NoTable> {
        let table = std::env::var("NOTES_TABLE").ok().filter(|table| !table.is_empty()).ok_or(NoTable)?;
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Ok(Self::new(Client::new(&config), table))
    }

    /// A table with this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Answers a request for one note.
    ///
    /// # Errors
    /// Never: the runtime asks for a `Result`.
    pub async fn get(&self, request: &Request) -> Result<Response<Body>, Infallible> {
        answer::of(self.found(request).await)
    }

    /// Answers a request that writes a note.
    ///
    /// # Errors
    /// Never: the runtime asks for a `Result`.
    pub async fn put(&self, request: &Request) -> Result<Response<Body>, Infallible> {
        answer::of(self.written(request).await)
    }

    /// Answers a request for a user's notes.
    ///
    /// # Errors
    /// Never: the runtime asks for a `Result`.
    pub async fn list(&self, request: &Request) -> Result<Response<Body>, Infallible> {
        answer::of(self.listed(request).await)
    }

    /// Answers a request that deletes a note.
    ///
    /// # Errors
    /// Never: the runtime asks for a `Result`.
    pub async fn delete(&self, request: &Request) -> Result<Response<Body>, Infallible> {
        answer::of(self.deleted(request).await)
    }

    async fn found(&self, request: &Request) -> Result<Option<Value>, Problem> {
        let key = Key::read(request)?;
        let Key { user_id, note_id } = &key;
        let note = self.get_item(&key).await?.ok_or_else(|| Problem::absent(&key))?;
        let message = "Successfully retrieved database content";
        Ok(Some(json!({ "userId": user_id, "noteId": note_id, "message": message, "note": note })))
    }

    async fn written(&self, request: &Request) -> Result<Option<Value>, Problem> {
        let note = Note::read(request)?;
        self.put_item(&note, input::must_be_new(request)).await?;
        let Key { user_id, note_id } = &note.key;
        Ok(Some(json!({ "userId": user_id, "noteId": note_id, "message": "Successfully stored database content" })))
    }

    async fn listed(&self, request: &Request) -> Result<Option<Value>, Problem> {
        let listing = Listing::read(request)?;
        let (notes, next) = self.query(&listing).await?;
        let mut page = json!({ "userId": listing.user_id, "notes": notes });
        if let Some(note_id) = next {
            page["nextToken"] = input::token_after(&note_id).into();
        }
        Ok(Some(page))
    }

    async fn deleted(&self, request: &Request) -> Result<Option<Value>, Problem> {
        let key = Key::read(request)?;
        self.delete_item(&key).await?.then_some(None).ok_or_else(|| Problem::absent(&key))
    }
}
