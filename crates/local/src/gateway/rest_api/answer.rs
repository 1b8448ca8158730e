//! What a function's result and an endpoint's answer become.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::call::Call;
use crate::gateway::answer::{
    Answer, Malformed, append, body_text, decoded, is_base64, members, single_headers, status, text,
};
use crate::gateway::request::is_hop_by_hop;

/// What a result may hold; anything else makes it malformed.
const MEMBERS: [&str; 5] = ["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"];
/// Headers that are the gateway's own: those of integrations go on under another name.
const REMAPPED: [&str; 16] = [
    "authorization",
    "connection",
    "content-length",
    "content-md5",
    "date",
    "expect",
    "host",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "te",
    "upgrade",
    "user-agent",
    "via",
    "warn",
    "www-authenticate",
];

/// The answer that the result of a proxy integration's function stands for, and how the function spelled the names of its
/// headers, by the name in lower case.
pub(super) fn of_function(payload: &Bytes, call: &Call) -> Result<(Answer, BTreeMap<String, String>), Malformed> {
    let result: Map<String, Value> = serde_json::from_slice(payload).map_err(|_| Malformed)?;
    if result.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(Malformed);
    }
    let status = match result.get("statusCode") {
        None | Some(Value::Null) => StatusCode::OK,
        Some(value) => status(value)?,
    };
    let mut headers = remapped(&headers(&result)?);
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Ok((Answer { status, headers, body: body(&result, call)? }, spelling(&result)))
}

/// Where a name is spelled in two ways, that of the several values counts.
fn spelling(result: &Map<String, Value>) -> BTreeMap<String, String> {
    let names = |member: &str| result.get(member).and_then(Value::as_object).into_iter().flatten();
    let all = names("headers").chain(names("multiValueHeaders")).map(|(name, _)| name);
    all.map(|name| (name.to_ascii_lowercase(), name.clone())).collect()
}

/// Several values go first, then the single one where it is not among them.
fn headers(result: &Map<String, Value>) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::new();
    for (name, values) in members(result.get("multiValueHeaders"))? {
        for value in values.as_array().ok_or(Malformed)? {
            append(&mut headers, name, &text(value)?.ok_or(Malformed)?)?;
        }
    }
    for (name, value) in &single_headers(result.get("headers"))? {
        if !headers.get_all(name).iter().any(|held| held == value) {
            headers.append(name, value.clone());
        }
    }
    Ok(headers)
}

/// The headers of an integration's answer under the names that a client sees.
pub(super) fn remapped(headers: &HeaderMap) -> HeaderMap {
    let mut seen = HeaderMap::new();
    for (name, value) in headers {
        let kept = !REMAPPED.contains(&name.as_str());
        let new = format!("x-amzn-remapped-{name}");
        let new = if kept { Some(name.clone()) } else { HeaderName::try_from(new).ok() };
        if let Some(new) = new.filter(|new| !is_hop_by_hop(new.as_str())) {
            seen.append(new, value.clone());
        }
    }
    seen
}

/// Bytes where the result says that its body is in base64 and the client asks first of all for a binary media type;
/// else the text as it is.
fn body(result: &Map<String, Value>, call: &Call) -> Result<Bytes, Malformed> {
    let text = body_text(result)?;
    let accepted = call.header("accept").unwrap_or_default();
    let accepted = accepted.split([',', ';']).next().unwrap_or_default().trim();
    match is_base64(result)? && call.is_binary(accepted) {
        true => decoded(text),
        false => Ok(Bytes::from(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method, StatusCode};
    use time::OffsetDateTime;

    use super::of_function;
    use crate::gateway::answer::{Answer, Malformed};
    use crate::gateway::rest_api::call::{Bound, Call};
    use crate::wire::{Caller, Request};

    fn call(accept: &'static str) -> Call {
        let request = Request {
            id: "i".to_owned(),
            method: Method::GET,
            path: "/".to_owned(),
            query: String::new(),
            headers: HeaderMap::from_iter([(http::header::ACCEPT, accept.parse().expect("it is a value"))]),
            spelling: Default::default(),
            body: Bytes::new(),
            caller: Caller::Anonymous,
        };
        let bound = Bound { binary_media_types: vec!["image/png".to_owned()], ..Bound::default() };
        Call::new(request, "/".to_owned(), bound, OffsetDateTime::UNIX_EPOCH)
    }

    fn answer(payload: &str, accept: &'static str) -> Result<Answer, Malformed> {
        of_function(&Bytes::from(payload.to_owned()), &call(accept)).map(|(answer, _)| answer)
    }

    #[test]
    fn an_empty_result_is_an_empty_answer() {
        let answer = answer("{}", "*/*").expect("it is well formed");
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
        assert_eq!(answer.headers["content-type"], "application/json");
    }

    #[test]
    fn a_result_of_the_wrong_form_is_malformed() {
        for payload in [
            "null",
            "\"text\"",
            "[]",
            r#"{"statusCode":200,"cookies":[]}"#,
            r#"{"statusCode":0}"#,
            r#"{"statusCode":"x"}"#,
            r#"{"multiValueHeaders":{"a":"b"}}"#,
            r#"{"headers":{"a b":"c"}}"#,
            r#"{"body":{}}"#,
        ] {
            assert_eq!(answer(payload, "*/*"), Err(Malformed), "{payload}");
        }
    }

    #[test]
    fn several_values_go_before_the_single_one() {
        let payload = r#"{"headers":{"a":"1","b":"x"},"multiValueHeaders":{"A":["2","1"],"c":["y"]}}"#;
        let (answer, spelling) = of_function(&Bytes::from(payload), &call("*/*")).expect("it is well formed");
        assert_eq!(answer.headers.get_all("a").iter().collect::<Vec<_>>(), ["2", "1"]);
        assert_eq!(spelling["a"], "A");
    }

    #[test]
    fn bytes_are_for_who_asks_for_them_first() {
        let payload = r#"{"isBase64Encoded":true,"body":"aGk=","headers":{"Content-Type":"image/png"}}"#;
        for (accept, body) in
            [("image/png", "hi"), ("image/png;q=0.9, */*", "hi"), ("image/*", "aGk="), ("text/html,image/png", "aGk=")]
        {
            assert_eq!(answer(payload, accept).expect("it is well formed").body, body, "{accept}");
        }
    }

    #[test]
    fn what_is_the_gateways_own_goes_under_another_name() {
        let answer = answer(r#"{"headers":{"WWW-Authenticate":"Basic","X-A":"1"}}"#, "*/*").expect("it is well formed");
        assert_eq!(answer.headers["x-amzn-remapped-www-authenticate"], "Basic");
        assert!(!answer.headers.contains_key("www-authenticate") && answer.headers.contains_key("x-a"));
    }
}
