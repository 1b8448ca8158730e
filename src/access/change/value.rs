//! Orders of plain values.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Verdict, neutral, strengthened, weakened};
use crate::access::matrix::{Cors, Limits, Setting, readable};

/// Whether something is on: `weak` is the weaker of the two.
pub(super) fn flag(
    old: &Setting<bool>,
    new: &Setting<bool>,
    weak: bool,
    words: impl Fn(bool) -> String,
) -> Option<Finding> {
    match (old, new) {
        (old, new) if old == new => None,
        (_, Setting::Known(now)) if *now == weak => Some(weakened(words(*now))),
        // Whatever it was, nothing is stronger.
        (_, Setting::Known(now)) => Some(strengthened(words(*now))),
        // It was the weakest already.
        (Setting::Known(before), Setting::Unknown { unknown }) if *before == weak => {
            Some(neutral(format!("{}, unless {} says otherwise", words(weak), readable(unknown))))
        }
        (_, Setting::Unknown { unknown }) => {
            Some(weakened(format!("{}, where {} says so", words(weak), readable(unknown))))
        }
    }
}

/// Where more is weaker, or less: nothing at all is the weakest of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weaker {
    More,
    Less,
}

/// A number.
pub(super) fn number(old: &Setting<f64>, new: &Setting<f64>, weaker: Weaker) -> Option<Verdict> {
    match (old, new) {
        (old, new) if old == new => None,
        (Setting::Known(old), Setting::Known(new)) if (new > old) == (weaker == Weaker::More) => {
            Some(Verdict::Weakened)
        }
        (Setting::Known(_), Setting::Known(_)) => Some(Verdict::Strengthened),
        _ => Some(Verdict::Weakened),
    }
}

/// A number in words.
pub(super) fn shown(number: &Setting<f64>) -> String {
    match number {
        Setting::Known(number) => number.to_string(),
        Setting::Unknown { unknown } => readable(unknown),
    }
}

/// A number that bounds something; without one, the bound is the account's.
pub(super) fn bound(
    old: Option<&Setting<f64>>,
    new: Option<&Setting<f64>>,
    words: impl Fn(&str, &str) -> String,
) -> Option<Finding> {
    let said = |bound: Option<&Setting<f64>>| bound.map_or_else(|| "none but the account's".to_owned(), shown);
    let verdict = match (old, new) {
        (Some(old), Some(new)) => number(old, new, Weaker::More)?,
        (None, Some(_)) => Verdict::Strengthened,
        (Some(_), None) => Verdict::Weakened,
        (None, None) => return None,
    };
    Some(Finding { verdict, words: words(&said(old), &said(new)) })
}

/// The throttle and the caching of answers.
pub(super) fn limits(old: &Limits, new: &Limits, of: &str) -> Vec<Finding> {
    let rate =
        bound(old.rate.as_ref(), new.rate.as_ref(), |old, new| format!("requests a second of {of} {old} -> {new}"));
    let burst =
        bound(old.burst.as_ref(), new.burst.as_ref(), |old, new| format!("requests at once of {of} {old} -> {new}"));
    let zero = Setting::Known(0.0);
    let (before, after) = (old.cached.as_ref().unwrap_or(&zero), new.cached.as_ref().unwrap_or(&zero));
    let cached = number(before, after, Weaker::More).map(|verdict| Finding {
        verdict,
        words: format!("answers of {of} are kept {} s -> {} s", shown(before), shown(after)),
    });
    [rate, burst, cached].into_iter().flatten().collect()
}

/// Texts in words.
pub(super) fn listed(texts: &BTreeSet<String>) -> String {
    texts.iter().map(|text| readable(text)).collect::<Vec<_>>().join(", ")
}

/// A set of which each member lets somebody in: one more is weaker. Each side in words, those that came or went.
pub(super) fn admits(
    old: &BTreeSet<String>,
    new: &BTreeSet<String>,
    more: impl Fn(&str) -> String,
    fewer: impl Fn(&str) -> String,
) -> Vec<Finding> {
    let came: BTreeSet<String> = new.difference(old).cloned().collect();
    let went: BTreeSet<String> = old.difference(new).cloned().collect();
    let came = (!came.is_empty()).then(|| weakened(more(&listed(&came))));
    let went = (!went.is_empty()).then(|| strengthened(fewer(&listed(&went))));
    came.into_iter().chain(went).collect()
}

/// A set of which each member keeps somebody out: one fewer is weaker.
pub(super) fn demands(
    old: &BTreeSet<String>,
    new: &BTreeSet<String>,
    more: impl Fn(&str) -> String,
    fewer: impl Fn(&str) -> String,
) -> Vec<Finding> {
    let swapped = |verdict| match verdict {
        Verdict::Weakened => Verdict::Strengthened,
        Verdict::Strengthened => Verdict::Weakened,
        Verdict::Neutral => Verdict::Neutral,
    };
    let findings = admits(old, new, more, fewer).into_iter();
    findings.map(|finding| Finding { verdict: swapped(finding.verdict), ..finding }).collect()
}

/// The origins of pages that may read answers. `*` is every one, `https://*` every one that begins so.
fn origins(old: &BTreeSet<String>, new: &BTreeSet<String>, at: &str) -> Vec<Finding> {
    let every = |set: &BTreeSet<String>| set.contains("*");
    if every(new) && !every(old) {
        return vec![weakened(format!("CORS now admits every origin{at}"))];
    }
    if every(old) && !every(new) {
        return vec![strengthened(format!("CORS admits only {} now{at}", listed(new)))];
    }
    let beyond = |these: &BTreeSet<String>, those: &BTreeSet<String>| -> BTreeSet<String> {
        these.iter().filter(|origin| !those.iter().any(|other| admits_all_of(other, origin))).cloned().collect()
    };
    let findings = admits(
        &beyond(old, new),
        &beyond(new, old),
        |came| format!("CORS now admits {came}{at}"),
        |went| format!("CORS admits {went} no more{at}"),
    );
    match findings.is_empty() && old != new {
        true => vec![neutral(format!("CORS admits the same origins, written as {}{at}", listed(new)))],
        false => findings,
    }
}

/// Whether all that one origin of a list stands for is admitted by another.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>
fn admits_all_of(wide: &str, narrow: &str) -> bool {
    let is_scheme = ["https://*", "http://*"].contains(&wide);
    wide == "*" || wide == narrow || is_scheme && narrow.starts_with(wide.trim_end_matches('*'))
}

/// Which pages of other origins may read answers. `at` is where, with a space before it, or nothing.
pub(super) fn cors(old: &Cors, new: &Cors, at: &str) -> Vec<Finding> {
    let every = |set: &BTreeSet<String>| set.contains("*");
    let mut findings = origins(&old.origins, &new.origins, at);
    findings.extend(flag(&old.credentials, &new.credentials, true, |are_sent| match are_sent {
        true => format!("CORS now admits cookies of other origins' pages{at}"),
        false => format!("CORS admits no cookies any more{at}"),
    }));
    if old.template != new.template {
        findings.push(weakened(format!("CORS is answered by other templates, which are not read{at}")));
    }
    if old.origins.is_empty() {
        // Where nobody was admitted, what they may do is told by who is.
        return findings;
    }
    let parts = [("methods", &old.methods, &new.methods), ("headers", &old.headers, &new.headers)];
    for (what, old, new) in parts {
        if every(old) {
            // To browsers `*` is every header but this one.
            if what == "headers" && new.contains("authorization") && !old.contains("authorization") {
                findings.push(weakened(format!("CORS now admits the headers authorization{at}")));
            }
            continue;
        }
        findings.extend(admits(
            old,
            new,
            |came| format!("CORS now admits the {what} {came}{at}"),
            |went| format!("CORS admits the {what} {went} no more{at}"),
        ));
    }
    findings
}

/// Properties of which only a change can be told.
pub(super) fn others(name: &str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Finding> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differ = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    differ.map(|key| weakened(format!("{key} of {name} changes, which is not read"))).collect()
}
