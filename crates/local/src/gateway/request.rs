//! What can be said of a request, whichever kind of API it is for.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::{HOST, HeaderName, HeaderValue};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use uuid::Uuid;

use crate::wire::Request;

/// The address of every client: the cloud listens on the loopback interface only.
pub(super) const SOURCE_IP: &str = "127.0.0.1";
/// The largest request line and headers together, in bytes.
pub(super) const LARGEST_HEAD: usize = 10_240;
/// The largest body, in bytes.
pub(crate) const LARGEST_BODY: usize = 10_485_760;

/// As web servers write times in their logs.
const LOG_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

/// Headers that are about one connection, so end at the gateway.
const HOP_BY_HOP: [&str; 8] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"];

/// Whether a header is about one connection only.
pub(super) fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

/// The headers that go on beyond the gateway: those that are neither about the connection nor about its ends.
pub(super) fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let about_the_connection = |name: &str| is_hop_by_hop(name) || name == "host" || name == "content-length";
    headers
        .iter()
        .filter(|(name, _)| !about_the_connection(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Bytes of the request line and the headers. The path is the one that the client meant.
pub(super) fn head_size(request: &Request, path: &str) -> usize {
    let line = request.method.as_str().len() + path.len() + request.query.len();
    line + request.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>()
}

/// A header as text, the first where it is repeated.
pub(super) fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Query parameters decoded, with all values of each.
pub(super) fn query(raw: &str) -> BTreeMap<String, Vec<String>> {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(raw.as_bytes()).into_owned() {
        parameters.entry(name).or_default().push(value);
    }
    parameters
}

/// What tells the value that an expression names, such as `method.request.header.X-Id` or `$request.querystring.id`, from
/// others. Of a header or a parameter of the query every value counts, since functions see them all.
pub(super) fn told_apart(request: &Request, expression: &str, value: String) -> String {
    every_value(request, expression).map_or(value, |values| json!(values).to_string())
}

fn every_value(request: &Request, expression: &str) -> Option<Vec<String>> {
    let named = expression.strip_prefix("method.request.").or_else(|| expression.strip_prefix("$request."))?;
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    match named.split_once('.')? {
        ("header", name) => Some(request.headers.get_all(name.to_ascii_lowercase()).iter().map(text).collect()),
        ("querystring", name) => query(&request.query).remove(name),
        _ => None,
    }
}

/// The last value of each name, where an event has but one.
pub(super) fn last(values: &BTreeMap<String, Vec<String>>) -> Value {
    values.iter().map(|(name, values)| (name.clone(), values.last().cloned())).collect()
}

/// The name that the client called, as on AWS where it called the path form.
pub(super) fn domain(headers: &HeaderMap, api: &str, region: &str) -> String {
    called(headers, &own_domain(api, region))
}

/// The name under which AWS serves an API.
pub(super) fn own_domain(api: &str, region: &str) -> String {
    format!("{api}.execute-api.{region}.amazonaws.com")
}

/// The name that the client called, if it has the first word of `own`, else `own`.
pub(super) fn called(headers: &HeaderMap, own: &str) -> String {
    let host = header(headers, &HOST).unwrap_or_default();
    let name = host.split(':').next().unwrap_or_default();
    if domain_prefix(name) == domain_prefix(own) { name.to_owned() } else { own.to_owned() }
}

/// The first word of a domain name.
pub(super) fn domain_prefix(domain: &str) -> &str {
    domain.split('.').next().unwrap_or_default()
}

/// A time as access logs and events have it.
pub(super) fn log_time(time: OffsetDateTime) -> String {
    time.format(LOG_TIME).unwrap_or_default()
}

/// Milliseconds since 1970.
pub(super) fn epoch_milliseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

/// The root of a new trace.
pub(super) fn trace(time: OffsetDateTime) -> String {
    let random = Uuid::new_v4().simple().to_string();
    let random = random.get(..24).unwrap_or_default();
    format!("Root=1-{:08x}-{random}", time.unix_timestamp())
}

/// A header's name as it is written in prose, such as `Content-Type`.
pub(super) fn titled(name: &str) -> String {
    let words: Vec<String> = name
        .split('-')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
        })
        .collect();
    words.join("-")
}
