//! Who can get a token: changes of user pools.

use std::collections::BTreeSet;

use super::value::{Weaker, admits, demands, flag, number, others, shown};
use super::{Finding, Found, Subject, neutral, strengthened, weakened};
use crate::access::matrix::{Client, Guard, Matrix, Pool, Setting, readable};

/// What changes about the user pools.
pub(super) fn pools(found: &mut Found<'_>, old: &Matrix, new: &Matrix) {
    for (id, pool) in &new.pools {
        let name = format!("user pool {}", readable(id));
        let Some(before) = old.pools.get(id) else {
            found.add(Subject::UserPool, &name, neutral(format!("{name} is new")));
            continue;
        };
        found.all(Subject::UserPool, &name, pool_changes(&name, before, pool));
        found.all(Subject::UserPool, &name, clients(id, &name, (before, old), (pool, new)));
    }
    for id in old.pools.keys().filter(|id| !new.pools.contains_key(*id)) {
        let name = format!("user pool {}", readable(id));
        found.add(Subject::UserPool, &name, strengthened(format!("{name} goes")));
    }
}

fn pool_changes(name: &str, old: &Pool, new: &Pool) -> Vec<Finding> {
    let mut findings: Vec<Finding> = flag(&old.self_sign_up, &new.self_sign_up, true, |on| {
        if on { format!("people may sign up by themselves in {name}") } else { format!("{name} takes no sign-ups") }
    })
    .into_iter()
    .collect();
    findings.extend(ranked(&old.mfa, &new.mfa, &["OFF", "OPTIONAL", "ON"], &format!("second factor in {name}")));
    findings.extend(ranked(
        &old.protection,
        &new.protection,
        &["OFF", "AUDIT", "ENFORCED"],
        &format!("protection against attacks in {name}"),
    ));
    findings.extend(admits(
        &old.factors,
        &new.factors,
        |came| format!("{came} counts in {name} now"),
        |went| format!("{went} counts in {name} no more"),
    ));
    findings.extend(passwords(name, old, new));
    findings.extend(admits(
        &recovery(old),
        &recovery(new),
        |came| format!("passwords of {name} can be replaced by {came}"),
        |went| format!("passwords of {name} cannot be replaced by {went} any more"),
    ));
    findings.extend(demands(
        &old.verified,
        &new.verified,
        |came| format!("{name} confirms {came}"),
        |went| format!("{name} does not confirm {went} any more"),
    ));
    findings.extend(demands(
        &old.verified_before,
        &new.verified_before,
        |came| format!("{name} keeps the old {came} until the new one is confirmed"),
        |went| format!("{name} takes a new {went} before it is confirmed"),
    ));
    findings.extend(triggers(name, old, new));
    findings.extend(others(name, &old.others, &new.others));
    findings.extend(providers(name, old, new));
    findings.extend(groups(name, old, new));
    findings
}

/// By what people replace a password themselves.
fn recovery(pool: &Pool) -> BTreeSet<String> {
    pool.recovery.iter().filter(|by| *by != "admin_only").cloned().collect()
}

/// One of several, the weakest first. What is none of them cannot be compared.
fn ranked(old: &str, new: &str, weakest_first: &[&str], what: &str) -> Option<Finding> {
    if old == new {
        return None;
    }
    let place = |text: &str| weakest_first.iter().position(|one| *one == text);
    let words = format!("{what} {} -> {}", readable(old), readable(new));
    Some(match (place(old), place(new)) {
        (Some(before), Some(after)) if after > before => strengthened(words),
        _ => weakened(words),
    })
}

fn passwords(name: &str, old: &Pool, new: &Pool) -> Vec<Finding> {
    let numbers = [
        (&old.password_length, &new.password_length, Weaker::Less, "characters of a password"),
        (&old.password_history, &new.password_history, Weaker::Less, "passwords that may not come again"),
        (
            &old.temporary_password_days,
            &new.temporary_password_days,
            Weaker::More,
            "days for which a temporary password is good",
        ),
    ];
    let numbers = numbers.into_iter().filter_map(|(before, after, weaker, what)| {
        let verdict = number(before, after, weaker)?;
        Some(Finding { verdict, words: format!("{what} in {name} {} -> {}", shown(before), shown(after)) })
    });
    let classes = demands(
        &old.password_classes,
        &new.password_classes,
        |came| format!("passwords of {name} need {came}"),
        |went| format!("passwords of {name} need no {went} any more"),
    );
    numbers.chain(classes).collect()
}

/// Functions that decide at sign-up and sign-in, or say what a token holds.
fn triggers(name: &str, old: &Pool, new: &Pool) -> Vec<Finding> {
    let keys: BTreeSet<&String> = old.triggers.keys().chain(new.triggers.keys()).collect();
    let differ = keys.into_iter().filter(|key| old.triggers.get(*key) != new.triggers.get(*key));
    let said = |function: Option<&String>| function.map_or("none".to_owned(), |function| readable(function));
    let told = differ.map(|key| {
        let (before, after) = (said(old.triggers.get(key)), said(new.triggers.get(key)));
        let words = format!("{key} of {name} is function {after} instead of {before}");
        if words_messages(key) { neutral(words) } else { weakened(words) }
    });
    let same = new.triggers.iter().filter(|(key, function)| old.triggers.get(*key) == Some(function));
    let changed = same.flat_map(|(key, _)| {
        let side = |pool: &Pool| pool.trigger_settings.get(key).cloned().unwrap_or_default();
        let (before, after) = (side(old), side(new));
        let settings = (before.settings != after.settings)
            .then(|| (format!("settings of {key} of {name} change, and are not read"), !words_messages(key)));
        let code = (before.code != after.code).then(|| (format!("{key} of {name} runs other code"), false));
        settings.into_iter().chain(code)
    });
    let changed = changed.map(|(words, decides)| if decides { weakened(words) } else { neutral(words) });
    told.chain(changed).collect()
}

/// Whether a trigger only words a message. All others can refuse somebody, or give him something, such as a group.
fn words_messages(trigger: &str) -> bool {
    trigger == "CustomMessage"
}

fn providers(name: &str, old: &Pool, new: &Pool) -> Vec<Finding> {
    let names = |pool: &Pool| -> BTreeSet<String> { pool.providers.keys().cloned().collect() };
    let mut findings = admits(
        &names(old),
        &names(new),
        |came| format!("{name} now lets in users of {came}"),
        |went| format!("{name} lets in users of {went} no more"),
    );
    let changed =
        new.providers.iter().filter(|(key, digest)| old.providers.get(*key).is_some_and(|old| old != *digest));
    findings.extend(changed.map(|(key, _)| weakened(format!("settings of {key} in {name} change"))));
    findings
}

/// Groups and scopes let nobody in by themselves: somebody has to be put into the one and be given the other.
fn groups(name: &str, old: &Pool, new: &Pool) -> Vec<Finding> {
    let sets = [("group", &old.groups, &new.groups), ("scope", &old.scopes, &new.scopes)];
    let told = sets.into_iter().flat_map(|(what, old, new)| {
        let came = admits(old, new, |came| format!("{what} {came} of {name} is new"), |_| String::new());
        came.into_iter().filter(|finding| !finding.words.is_empty()).map(|finding| neutral(finding.words))
    });
    let was = |group: &String| old.group_settings.get(group);
    let changed = new.group_settings.iter().filter(|(group, digest)| was(group).is_some_and(|old| old != *digest));
    let changed = changed.map(|(group, _)| weakened(format!("role or precedence of group {group} of {name} changes")));
    told.chain(changed).collect()
}

fn clients(id: &str, name: &str, (old, _): (&Pool, &Matrix), (new, news): (&Pool, &Matrix)) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (client, after) in &new.clients {
        match old.clients.get(client) {
            Some(before) => findings.extend(client_changes(&format!("client {client} of {name}"), before, after)),
            // Where an authorizer takes every client of the pool, one more client lets in its users.
            None if may_take_every_client(id, news) => {
                let words = format!("client {client} is new, and tokens of every client of {name} may count");
                findings.push(weakened(words));
            }
            None => findings.push(neutral(format!("client {client} of {name} is new"))),
        }
    }
    let gone = old.clients.keys().filter(|client| !new.clients.contains_key(*client));
    findings.extend(gone.map(|client| strengthened(format!("client {client} of {name} goes"))));
    findings
}

fn may_take_every_client(pool: &str, matrix: &Matrix) -> bool {
    let guards = matrix.apis.values().flat_map(|api| api.routes.values()).map(|route| &route.guard);
    guards.into_iter().any(|guard| match guard {
        Guard::Cognito(cognito) => cognito.pools.contains(pool),
        // What another function than ours looks at is not known.
        Guard::Lambda(lambda) => !lambda.is_ours(),
        _ => false,
    })
}

/// The attributes that a client may write which names none.
/// <https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html>
const STANDARD: [&str; 17] = [
    "address",
    "birthdate",
    "email",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "picture",
    "preferred_username",
    "profile",
    "updated_at",
    "website",
    "zoneinfo",
];

/// Attributes that users may change, and pass for somebody else by.
fn writable(name: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) -> Vec<Finding> {
    if old == new {
        return Vec::new();
    }
    let named = |set: &BTreeSet<String>| {
        if set.is_empty() { STANDARD.iter().map(|one| (*one).to_owned()).collect() } else { set.clone() }
    };
    let every = format!("{name} may now change every standard attribute");
    let only = format!("{name} may change only the attributes that it names");
    admits(
        &named(old),
        &named(new),
        |came| if new.is_empty() { every.clone() } else { format!("{name} may now change the attribute {came}") },
        |went| if old.is_empty() { only.clone() } else { format!("{name} may change the attribute {went} no more") },
    )
}

fn client_changes(name: &str, old: &Client, new: &Client) -> Vec<Finding> {
    let sets = [
        (&old.auth_flows, &new.auth_flows, "by"),
        (&old.oauth_flows, &new.oauth_flows, "by the flow"),
        (&old.providers, &new.providers, "with the provider"),
    ];
    let mut findings = Vec::new();
    for (before, after, how) in sets {
        findings.extend(admits(
            before,
            after,
            |came| format!("users of {name} may now sign in {how} {came}"),
            |went| format!("users of {name} may sign in {how} {went} no more"),
        ));
    }
    let sets =
        [(&old.scopes, &new.scopes, "ask for the scope"), (&old.callbacks, &new.callbacks, "send users back to")];
    for (before, after, what) in sets {
        findings.extend(admits(
            before,
            after,
            |came| format!("{name} may now {what} {came}"),
            |went| format!("{name} may {what} {went} no more"),
        ));
    }
    findings.extend(writable(name, &old.writable, &new.writable));
    findings.extend(others(name, &old.others, &new.others));
    let flags: [(&Setting<bool>, &Setting<bool>, &str); 3] = [
        (&old.secret, &new.secret, "has a secret"),
        (&old.revocation, &new.revocation, "can revoke tokens"),
        (&old.hides_users, &new.hides_users, "hides who is a user"),
    ];
    for (before, after, what) in flags {
        findings.extend(flag(before, after, false, |on| {
            if on { format!("{name} {what}") } else { format!("it is not so any more that {name} {what}") }
        }));
    }
    for (kind, after) in &new.lifetimes {
        let Some(before) = old.lifetimes.get(kind) else { continue };
        if let Some(verdict) = number(before, after, Weaker::More) {
            let words = format!("{kind} tokens of {name} are good for {} s -> {} s", shown(before), shown(after));
            findings.push(Finding { verdict, words });
        }
    }
    findings
}
