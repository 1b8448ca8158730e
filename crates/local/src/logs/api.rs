//! The wire face of CloudWatch Logs, JSON 1.1.

use std::collections::BTreeMap;

use crc_fast::CrcAlgorithm;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Event, LogGroup, events, milliseconds, unwritable};
use crate::cloud::{Account, Cloud};
use crate::wire::{Fault, Request, Response, json_answer};

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    // Reading events is disk work, though short.
    let answered = tokio::task::spawn_blocking(move || answer(&cloud, &request)).await;
    json_answer(answered.unwrap_or_else(|error| Err(Fault::new("ServiceUnavailableException", error.to_string()))))
}

/// The members of all operations together: they agree in name and type.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Input {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_class: Option<String>,
    log_stream_name: Option<String>,
    log_stream_names: Vec<String>,
    log_stream_name_prefix: Option<String>,
    log_events: Vec<Sent>,
    retention_in_days: Option<u32>,
    kms_key_id: Option<String>,
    order_by: Option<String>,
    descending: bool,
    start_time: Option<i64>,
    end_time: Option<i64>,
    start_from_head: bool,
    filter_pattern: Option<String>,
    limit: Option<usize>,
    next_token: Option<String>,
    resource_arn: Option<String>,
    tags: Value,
    tag_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Sent {
    timestamp: i64,
    message: String,
}

impl Input {
    fn group(&self) -> Result<&str, Fault> {
        let name =
            self.log_group_name.as_deref().or(self.log_group_identifier.as_deref()).or(self.resource_arn.as_deref());
        let name = name.ok_or_else(|| required("logGroupName"))?;
        let name = name.split_once(":log-group:").map_or(name, |(_, name)| name);
        Ok(name.strip_suffix(":*").unwrap_or(name))
    }

    fn stream(&self) -> Result<&str, Fault> {
        self.log_stream_name.as_deref().ok_or_else(|| required("logStreamName"))
    }

    fn tags(&self) -> BTreeMap<String, String> {
        serde_json::from_value(self.tags.clone()).unwrap_or_default()
    }

    /// Position from which a page goes on.
    fn offset(&self) -> Result<usize, Fault> {
        let Some(token) = &self.next_token else { return Ok(0) };
        token.parse().map_err(|_| Fault::new("InvalidParameterException", "The specified nextToken is invalid."))
    }

    fn is_begun(&self, event: &Event) -> bool {
        self.start_time.is_none_or(|start| event.time >= start)
    }
}

fn required(member: &str) -> Fault {
    let message = format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    );
    Fault::new("InvalidParameterException", message)
}

fn answer(cloud: &Cloud, request: &Request) -> Result<Value, Fault> {
    let input: Input = request.json()?;
    let operation = request.operation().unwrap_or_default();
    match operation {
        "DescribeLogGroups" => cloud.read(|account| describe_groups(cloud, account, &input)),
        "DescribeLogStreams" => cloud.read(|account| {
            describe_streams(cloud, account.logs.group(input.group()?)?, &account_arn(account, &input)?, &input)
        }),
        "GetLogEvents" => get_events(cloud, &input),
        "FilterLogEvents" => filter_events(cloud, &input),
        "PutLogEvents" => put_events(cloud, &input),
        "ListTagsForResource" | "ListTagsLogGroup" => {
            cloud.read(|account| Ok(json!({ "tags": account.logs.group(input.group()?)?.tags })))
        }
        "DeleteLogGroup" => {
            let group = cloud.write(|account| account.logs.delete(input.group()?))?;
            events::remove_group(cloud.data(), &group.id);
            Ok(json!({}))
        }
        "DeleteLogStream" => delete_stream(cloud, &input),
        "CreateLogGroup"
        | "CreateLogStream"
        | "PutRetentionPolicy"
        | "DeleteRetentionPolicy"
        | "TagResource"
        | "TagLogGroup"
        | "UntagResource"
        | "UntagLogGroup" => cloud.write(|account| change(account, operation, &input, cloud.now())).map(|()| json!({})),
        other => Err(Fault::unknown_operation("logs", other)),
    }
}

fn change(account: &mut Account, operation: &str, input: &Input, now: time::OffsetDateTime) -> Result<(), Fault> {
    let name = input.group()?;
    if operation == "CreateLogGroup" {
        let group = account.logs.create(name, now)?;
        group.tags = input.tags();
        group.kms_key.clone_from(&input.kms_key_id);
        group.class = input.log_group_class.clone().unwrap_or_else(|| "STANDARD".to_owned());
        return Ok(());
    }
    let group = account.logs.group_mut(name)?;
    match operation {
        "CreateLogStream" => group.create_stream(input.stream()?, now)?,
        "PutRetentionPolicy" => group.retain(input.retention_in_days.ok_or_else(|| required("retentionInDays"))?)?,
        "DeleteRetentionPolicy" => group.retention = None,
        "TagResource" | "TagLogGroup" => group.tags.extend(input.tags()),
        _ => {
            // The older operation calls its list of keys `tags`.
            let older: Vec<String> = serde_json::from_value(input.tags.clone()).unwrap_or_default();
            group.tags.retain(|key, _| !input.tag_keys.contains(key) && !older.contains(key));
        }
    }
    Ok(())
}

fn delete_stream(cloud: &Cloud, input: &Input) -> Result<Value, Fault> {
    let (group, stream) = cloud.write(|account| {
        let group = account.logs.group_mut(input.group()?)?;
        let id = group.stream(input.stream()?)?.id.clone();
        group.streams.remove(input.stream()?);
        Ok::<_, Fault>((group.id.clone(), id))
    })?;
    events::remove_stream(cloud.data(), &group, &stream);
    Ok(json!({}))
}

fn account_arn(account: &Account, input: &Input) -> Result<String, Fault> {
    Ok(LogGroup::arn(account, input.group()?))
}

fn describe_groups(cloud: &Cloud, account: &Account, input: &Input) -> Result<Value, Fault> {
    let prefix = input.log_group_name_prefix.as_deref().unwrap_or_default();
    let pattern = input.log_group_name_pattern.as_deref().unwrap_or_default();
    let found = account.logs.groups.iter().filter(|(name, _)| name.starts_with(prefix) && name.contains(pattern));
    let page = Page::of(found.collect(), input)?;
    let groups = page.items.iter().map(|(name, group)| described_group(cloud, account, name, group));
    Ok(json!({ "logGroups": groups.collect::<Vec<_>>(), "nextToken": page.next }))
}

fn described_group(cloud: &Cloud, account: &Account, name: &str, group: &LogGroup) -> Value {
    let arn = LogGroup::arn(account, name);
    let size: u64 = group.streams.values().map(|stream| events::size(cloud.data(), &group.id, &stream.id)).sum();
    json!({
        "logGroupName": name, "arn": format!("{arn}:*"), "logGroupArn": arn, "creationTime": group.created,
        "retentionInDays": group.retention, "metricFilterCount": 0, "storedBytes": size,
        "logGroupClass": group.class, "kmsKeyId": group.kms_key,
    })
}

fn describe_streams(cloud: &Cloud, group: &LogGroup, arn: &str, input: &Input) -> Result<Value, Fault> {
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let mut streams: Vec<(i64, Value)> = Vec::new();
    for (name, stream) in group.streams.iter().filter(|(name, _)| name.starts_with(prefix)) {
        let events = events::read(cloud.data(), &group.id, &stream.id);
        let (first, last) = (events.first().map(|event| event.time), events.last());
        let description = json!({
            "logStreamName": name, "creationTime": stream.created, "storedBytes": 0,
            "arn": format!("{arn}:log-stream:{name}"), "firstEventTimestamp": first,
            "lastEventTimestamp": last.map(|event| event.time), "lastIngestionTime": last.map(|event| event.ingested),
            "uploadSequenceToken": stream.id,
        });
        streams.push((last.map_or(stream.created, |event| event.time), description));
    }
    if input.order_by.as_deref() == Some("LastEventTime") {
        streams.sort_by_key(|(last, _)| *last);
    }
    if input.descending {
        streams.reverse();
    }
    let page = Page::of(streams.into_iter().map(|(_, stream)| stream).collect(), input)?;
    Ok(json!({ "logStreams": page.items, "nextToken": page.next }))
}

/// A part of a list, and the token of the next one.
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

impl<T> Page<T> {
    fn of(items: Vec<T>, input: &Input) -> Result<Self, Fault> {
        let (offset, limit) = (input.offset()?, input.limit.unwrap_or(50).clamp(1, 10_000));
        let end = offset.saturating_add(limit);
        let next = (end < items.len()).then(|| end.to_string());
        Ok(Self { items: items.into_iter().skip(offset).take(limit).collect(), next })
    }
}

fn put_events(cloud: &Cloud, input: &Input) -> Result<Value, Fault> {
    if input.log_events.is_empty() {
        return Err(required("logEvents"));
    }
    let (group, stream) = cloud.read(|account| {
        let group = account.logs.group(input.group()?)?;
        Ok::<_, Fault>((group.id.clone(), group.stream(input.stream()?)?.id.clone()))
    })?;
    let ingested = milliseconds(cloud.now());
    let event = |sent: &Sent| Event { time: sent.timestamp, ingested, message: sent.message.clone(), place: 0 };
    let events: Vec<Event> = input.log_events.iter().map(event).collect();
    events::append(cloud.data(), &group, &stream, &events).map_err(unwritable)?;
    Ok(json!({ "nextSequenceToken": stream }))
}

/// The events of some streams that are within the group's retention, with the name of their stream.
fn kept(cloud: &Cloud, input: &Input, is_asked: impl Fn(&str) -> bool) -> Result<Vec<(String, Event)>, Fault> {
    let group = cloud.read(|account| account.logs.group(input.group()?).cloned())?;
    let day = 24 * 3600 * 1000;
    let oldest = group.retention.map_or(i64::MIN, |days| milliseconds(cloud.now()) - i64::from(days) * day);
    let mut found = Vec::new();
    for (name, stream) in group.streams.iter().filter(|(name, _)| is_asked(name)) {
        let events = events::read(cloud.data(), &group.id, &stream.id).into_iter();
        let events = events.filter(|event| event.time >= oldest && input.is_begun(event));
        found.extend(events.map(|event| (name.clone(), event)));
    }
    found.sort_by_key(|(_, event)| event.time);
    Ok(found)
}

fn get_events(cloud: &Cloud, input: &Input) -> Result<Value, Fault> {
    let stream = input.stream()?;
    cloud.read(|account| account.logs.group(input.group()?)?.stream(stream).map(drop))?;
    let mut events = kept(cloud, input, |name| name == stream)?;
    // An event of the end itself is not among them, while `FilterLogEvents` has it:
    // https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html.
    events.retain(|(_, event)| input.end_time.is_none_or(|end| event.time < end));
    let limit = input.limit.unwrap_or(10_000).clamp(1, 10_000);
    let (start, end) = window(input, events.len(), limit)?;
    let page = events.iter().take(end).skip(start).map(|(_, event)| described(event));
    let (forward, backward) = (format!("f/{end}"), format!("b/{start}"));
    Ok(json!({
        "events": page.collect::<Vec<_>>(), "nextForwardToken": forward, "nextBackwardToken": backward,
    }))
}

/// Which events a page holds: tokens are positions with a direction, and the last page answers its own token.
fn window(input: &Input, total: usize, limit: usize) -> Result<(usize, usize), Fault> {
    let invalid = || Fault::new("InvalidParameterException", "The specified nextToken is invalid.");
    let position = |text: &str| text.parse::<usize>().map(|position| position.min(total)).map_err(|_| invalid());
    match input.next_token.as_deref().map(|token| token.split_once('/')) {
        Some(Some(("f", at))) => position(at).map(|start| (start, start.saturating_add(limit).min(total))),
        Some(Some(("b", at))) => position(at).map(|end| (end.saturating_sub(limit), end)),
        Some(_) => Err(invalid()),
        None if input.start_from_head => Ok((0, limit.min(total))),
        None => Ok((total.saturating_sub(limit), total)),
    }
}

fn described(event: &Event) -> Value {
    json!({ "timestamp": event.time, "ingestionTime": event.ingested, "message": event.message })
}

fn filter_events(cloud: &Cloud, input: &Input) -> Result<Value, Fault> {
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())?;
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let is_asked = |name: &str| {
        name.starts_with(prefix)
            && (input.log_stream_names.is_empty() || input.log_stream_names.iter().any(|asked| asked == name))
    };
    let mut found = kept(cloud, input, is_asked)?;
    found.retain(|(_, event)| input.end_time.is_none_or(|end| event.time <= end) && pattern.matches(&event.message));
    let mut page = Page::of(
        found,
        &Input { limit: input.limit.or(Some(10_000)), next_token: input.next_token.clone(), ..Input::default() },
    )?;
    let events: Vec<Value> = page
        .items
        .drain(..)
        .map(|(stream, event)| {
            let mut described = described(&event);
            described["eventId"] = json!(event_id(&stream, &event));
            described["logStreamName"] = json!(stream);
            described
        })
        .collect();
    Ok(json!({ "events": events, "searchedLogStreams": [], "nextToken": page.next }))
}

/// The id of an event, whatever the question that finds it: its time, its stream and its place there, in 56 digits.
fn event_id(stream: &str, event: &Event) -> String {
    let hash = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, stream.as_bytes());
    format!("{:028}{hash:020}{:08}", event.time, event.place)
}

/// A filter pattern of terms: all plain ones, any of those with `?`, none of those with `-`.
struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, Fault> {
        let mut pattern = Self { all: vec![], any: vec![], none: vec![] };
        let mut rest = text.trim();
        if rest.starts_with(['{', '[', '%']) {
            let message = "the local cloud filters by terms only, not by fields or regular expressions";
            return Err(Fault::new("InvalidParameterException", message));
        }
        while !rest.is_empty() {
            let (terms, after) = match rest.strip_prefix('?') {
                Some(after) => (&mut pattern.any, after),
                None => match rest.strip_prefix('-') {
                    Some(after) => (&mut pattern.none, after),
                    None => (&mut pattern.all, rest),
                },
            };
            let (term, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            terms.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has) && !self.none.iter().any(has) && (self.any.is_empty() || self.any.iter().any(has))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_required_alternative_or_excluded() {
        for (pattern, message, found) in [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR here", "here is an ERROR", true),
            ("\"ERROR here\"", "here is an ERROR", false),
            ("?a ?b", "xbx", true),
            ("ERROR -quiet", "ERROR quiet", false),
            ("error", "ERROR", false),
        ] {
            let matches = Pattern::parse(pattern).expect("it is a pattern").matches(message);
            assert_eq!(matches, found, "{pattern} {message}");
        }
        assert!(Pattern::parse("{ $.a = 1 }").is_err());
    }

    #[test]
    fn pages_go_both_ways_and_end_at_their_own_token() {
        let input = |token: Option<&str>| Input { next_token: token.map(str::to_owned), ..Input::default() };
        let at = |token: Option<&str>| window(&input(token), 5, 2).expect("the token is ours");
        assert_eq!(at(None), (3, 5));
        assert_eq!(at(Some("b/3")), (1, 3));
        assert_eq!(at(Some("b/1")), (0, 1));
        assert_eq!(at(Some("f/5")), (5, 5));
        assert_eq!(at(Some("f/99999999")), (5, 5));
        for broken in ["", "x/1", "f/-1", "f/a"] {
            assert!(window(&input(Some(broken)), 5, 2).is_err(), "{broken}");
        }
    }
}
