//! The table.

use aws_sdk_dynamodb::error::{DisplayErrorContext, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::input::{Key, Listing, Note};
use crate::{Notes, Problem};

const USER_ID: &str = "userId";
const NOTE_ID: &str = "noteId";
const NOTE: &str = "noteContent";

impl Notes {
    pub(crate) async fn get_item(&self, key: &Key) -> Result<Option<String>, Problem> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(USER_ID, string(&key.user_id))
            .key(NOTE_ID, string(&key.note_id))
            .consistent_read(true);
        let found = get.send().await.map_err(|error| unreachable(&error))?;
        Ok(found.item.map(|item| text(item.get(NOTE))))
    }

    pub(crate) async fn put_item(&self, note: &Note, must_be_new: bool) -> Result<(), Problem> {
        let Note { key, note } = note;
        let put = self.client.put_item().table_name(&self.table).item(NOTE, string(note));
        let put = put.item(USER_ID, string(&key.user_id)).item(NOTE_ID, string(&key.note_id));
        let condition = must_be_new.then(|| format!("attribute_not_exists({NOTE_ID})"));
        match put.set_condition_expression(condition).send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Err(Problem::Present)
            }
            Err(error) => Err(unreachable(&error)),
        }
    }

    /// A page of notes, and the note after which the next one begins.
    pub(crate) async fn query(&self, listing: &Listing) -> Result<(Vec<Value>, Option<String>), Problem> {
        let user = string(&listing.user_id);
        let mut query = self.client.query().table_name(&self.table).limit(listing.limit);
        if let Some(note_id) = &listing.after {
            query = query.exclusive_start_key(USER_ID, user.clone()).exclusive_start_key(NOTE_ID, string(note_id));
        }
        let query = query.key_condition_expression("#user = :user").expression_attribute_names("#user", USER_ID);
        let query = query.expression_attribute_values(":user", user);
        let page = query.send().await.map_err(|error| unreachable(&error))?;
        let notes =
            page.items().iter().map(|item| json!({ "noteId": text(item.get(NOTE_ID)), "note": text(item.get(NOTE)) }));
        Ok((notes.collect(), page.last_evaluated_key.map(|key| text(key.get(NOTE_ID)))))
    }

    /// Whether there was such a note.
    pub(crate) async fn delete_item(&self, key: &Key) -> Result<bool, Problem> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete.key(USER_ID, string(&key.user_id)).key(NOTE_ID, string(&key.note_id));
        match delete.condition_expression(format!("attribute_exists({NOTE_ID})")).send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => Ok(false),
            Err(error) => Err(unreachable(&error)),
        }
    }
}

fn string(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// An attribute's text; somebody else may have written an item without it.
fn text(value: Option<&AttributeValue>) -> String {
    value.and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}

/// The log has what the caller is not told.
fn unreachable<E, R>(error: &SdkError<E, R>) -> Problem
where
    SdkError<E, R>: std::error::Error,
{
    eprintln!("the table cannot be reached: {}", DisplayErrorContext(error));
    Problem::Unreachable
}
