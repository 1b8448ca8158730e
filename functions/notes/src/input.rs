//! What requests ask for, checked before the table is touched.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lambda_http::http::header::IF_NONE_MATCH;
use lambda_http::{Request, RequestExt};
use serde::Deserialize;

use crate::Problem;

/// Longest partition key of DynamoDB, in bytes.
const USER_ID_LIMIT: usize = 2_048;

/// Longest sort key of DynamoDB, in bytes.
const NOTE_ID_LIMIT: usize = 1_024;

/// Longest note, in bytes: an item of DynamoDB has 400 kB, keys and names included.
const NOTE_LIMIT: usize = 256 * 1024;

/// Notes on a page where the request does not say.
const PAGE: i32 = 20;

/// Most notes on a page.
const LARGEST_PAGE: i32 = 100;

/// Which note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Whose.
    pub user_id: String,
    /// Which of theirs.
    pub note_id: String,
}

/// A note to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Which note.
    pub key: Key,
    /// Its text.
    pub note: String,
}

/// Which page of whose notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Whose.
    pub user_id: String,
    /// Most notes on the page.
    pub limit: i32,
    /// The note that ended the page before.
    pub after: Option<String>,
}

/// The body of a request that writes a note.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    user_id: String,
    note_id: String,
    note: String,
}

impl Key {
    /// Reads the query parameters.
    ///
    /// # Errors
    /// [`Problem::Request`] for one that is missing or no key of the table.
    pub fn read(request: &Request) -> Result<Self, Problem> {
        Self::checked(required(request, "userId")?, required(request, "noteId")?)
    }

    fn checked(user_id: String, note_id: String) -> Result<Self, Problem> {
        check("userId", &user_id, USER_ID_LIMIT)?;
        check("noteId", &note_id, NOTE_ID_LIMIT)?;
        Ok(Self { user_id, note_id })
    }
}

impl Note {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Problem::Request`] for a body that is no such note.
    pub fn read(request: &Request) -> Result<Self, Problem> {
        let written: Written = serde_json::from_slice(request.body())
            .map_err(|error| Problem::Request(format!("the body is not {{userId, noteId, note}} as JSON: {error}")))?;
        check("note", &written.note, NOTE_LIMIT)?;
        Ok(Self { key: Key::checked(written.user_id, written.note_id)?, note: written.note })
    }
}

impl Listing {
    /// Reads the query parameters.
    ///
    /// # Errors
    /// [`Problem::Request`] for one that is missing or means nothing.
    pub fn read(request: &Request) -> Result<Self, Problem> {
        let user_id = required(request, "userId")?;
        check("userId", &user_id, USER_ID_LIMIT)?;
        let limit = match parameter(request, "limit")? {
            None => PAGE,
            Some(text) => text.parse().ok().filter(|limit| (1..=LARGEST_PAGE).contains(limit)).ok_or_else(|| {
                Problem::Request(format!("the query parameter `limit` is not a number from 1 to {LARGEST_PAGE}"))
            })?,
        };
        let after = parameter(request, "nextToken")?.map(|token| note_before(&token)).transpose()?;
        Ok(Self { user_id, limit, after })
    }
}

/// The token of the page after this note. It says no more than where the page begins: whose notes are listed is said by
/// `userId` alone, so that no token opens another user's.
pub(crate) fn token_after(note_id: &str) -> String {
    URL_SAFE_NO_PAD.encode(note_id)
}

fn note_before(token: &str) -> Result<String, Problem> {
    let note_id = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let note_id = note_id.filter(|note_id| check("nextToken", note_id, NOTE_ID_LIMIT).is_ok());
    note_id.ok_or_else(|| Problem::Request("the query parameter `nextToken` is none that was given out".to_owned()))
}

/// Whether the note may not be there yet: `if-none-match: *` (RFC 9110, section 13.1.2).
pub(crate) fn must_be_new(request: &Request) -> bool {
    request.headers().get(IF_NONE_MATCH).is_some_and(|value| value == "*")
}

fn required(request: &Request, name: &str) -> Result<String, Problem> {
    parameter(request, name)?.ok_or_else(|| Problem::Request(format!("the query parameter `{name}` is missing")))
}

fn parameter(request: &Request, name: &str) -> Result<Option<String>, Problem> {
    let all = request.query_string_parameters_ref().and_then(|parameters| parameters.all(name)).unwrap_or_default();
    match all[..] {
        [] => Ok(None),
        [value] => Ok(Some(value.to_owned())),
        _ => Err(Problem::Request(format!("the query parameter `{name}` is there more than once"))),
    }
}

fn check(name: &str, value: &str, limit: usize) -> Result<(), Problem> {
    if value.is_empty() {
        return Err(Problem::Request(format!("`{name}` is empty")));
    }
    match value.len() > limit {
        true => Err(Problem::Request(format!("`{name}` is longer than {limit} bytes"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::Request;
    use serde_json::{Value, json};

    use super::{Key, Listing, NOTE_ID_LIMIT, NOTE_LIMIT, Note, must_be_new, token_after};
    use crate::Problem;

    fn request(event: &Value) -> Request {
        lambda_http::request::from_str(&event.to_string()).expect("the event is well formed")
    }

    /// The event of a REST API, with a query and a body.
    fn rest(query: Value, body: Value) -> Request {
        request(&json!({
            "resource": "/notes", "path": "/notes", "httpMethod": "GET",
            "headers": { "Host": "api.example.com" }, "multiValueHeaders": { "Host": ["api.example.com"] },
            "queryStringParameters": query,
            "multiValueQueryStringParameters": null,
            "requestContext": { "httpMethod": "GET", "identity": {}, "requestTimeEpoch": 0 },
            "pathParameters": null, "stageVariables": null, "body": body, "isBase64Encoded": false
        }))
    }

    /// The event of an HTTP API, payload 2.0.
    fn http(query: &str) -> Request {
        request(&json!({
            "version": "2.0", "routeKey": "GET /notes", "rawPath": "/notes", "rawQueryString": query,
            "headers": { "host": "api.example.com", "if-none-match": "*" },
            "requestContext": {
                "http": { "method": "GET", "path": "/notes", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "" },
                "timeEpoch": 0
            },
            "isBase64Encoded": false
        }))
    }

    fn complaint<T>(read: Result<T, Problem>) -> String {
        match read {
            Err(Problem::Request(complaint)) => complaint,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("the request is fine"),
        }
    }

    fn key(user_id: &str, note_id: &str) -> Key {
        Key { user_id: user_id.to_owned(), note_id: note_id.to_owned() }
    }

    #[test]
    fn both_apis_are_understood() {
        let expected = Ok(key("ann b", "1"));
        assert_eq!(Key::read(&rest(json!({ "userId": "ann b", "noteId": "1" }), Value::Null)), expected);
        assert_eq!(Key::read(&http("userId=ann%20b&noteId=1")), expected);
    }

    #[test]
    fn a_parameter_that_is_missing_is_named() {
        assert_eq!(complaint(Key::read(&http("noteId=1"))), "the query parameter `userId` is missing");
        assert_eq!(complaint(Key::read(&http("userId=a"))), "the query parameter `noteId` is missing");
        assert_eq!(complaint(Key::read(&http("userId=a&noteId="))), "`noteId` is empty");
        let long = format!("userId=a&noteId={}", "n".repeat(NOTE_ID_LIMIT + 1));
        assert_eq!(complaint(Key::read(&http(&long))), "`noteId` is longer than 1024 bytes");
        let twice = complaint(Key::read(&http("userId=a&userId=b&noteId=1")));
        assert_eq!(twice, "the query parameter `userId` is there more than once");
    }

    #[test]
    fn a_body_is_checked() {
        let read = |body: Value| Note::read(&rest(Value::Null, body.to_string().into()));
        let whole = json!({ "userId": "ann", "noteId": "1", "note": "milk" });
        assert_eq!(read(whole.clone()), Ok(Note { key: key("ann", "1"), note: "milk".to_owned() }));
        let with = |name: &str, value: Value| {
            let mut body = whole.clone();
            body[name] = value;
            complaint(read(body))
        };
        assert!(with("note", json!(1)).contains("invalid type"));
        assert!(with("admin", json!(true)).contains("unknown field `admin`"));
        assert_eq!(with("noteId", json!("")), "`noteId` is empty");
        assert_eq!(with("note", json!("n".repeat(NOTE_LIMIT + 1))), "`note` is longer than 262144 bytes");
        assert!(complaint(Note::read(&rest(Value::Null, Value::Null))).contains("the body is not"));
    }

    #[test]
    fn a_page_has_a_limit_and_begins_after_a_note() {
        let read = |query: &str| Listing::read(&http(query));
        let listing = |limit, after: Option<&str>| {
            Ok(Listing { user_id: "ann".to_owned(), limit, after: after.map(str::to_owned) })
        };
        assert_eq!(read("userId=ann"), listing(20, None));
        assert_eq!(read(&format!("userId=ann&limit=5&nextToken={}", token_after("ü/1"))), listing(5, Some("ü/1")));
        for limit in ["0", "101", "-1", "x", "1e2", ""] {
            assert!(complaint(read(&format!("userId=ann&limit={limit}"))).contains("`limit`"), "{limit}");
        }
        for token in ["%25", "_w", "", "AAAA="] {
            assert!(complaint(read(&format!("userId=ann&nextToken={token}"))).contains("`nextToken`"), "{token}");
        }
    }

    #[test]
    fn a_new_note_can_be_asked_for() {
        assert!(must_be_new(&http("")));
        assert!(!must_be_new(&rest(Value::Null, Value::Null)));
    }
}
