//! Rules for tags, of the stack and of what has tags of its own.
//!
//! <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>

use std::collections::BTreeMap;

use crate::model::Stack;

use super::Complaint;
use super::api::{Api, apis};

/// How many tags anything has at most.
pub(in crate::model) const MOST_TAGS: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    let mut tagged: Vec<(Vec<&str>, &BTreeMap<String, String>)> = vec![(vec!["tags"], &stack.tags)];
    tagged.extend(stack.user_pools.iter().map(|(id, it)| (vec!["userPools", id, "userPoolTags"], &it.user_pool_tags)));
    tagged.extend(stack.secrets.iter().map(|(id, it)| (vec!["secrets", id, "tags"], &it.tags)));
    tagged.extend(stack.tables.iter().map(|(id, it)| (vec!["tables", id, "tags"], &it.tags)));
    tagged.extend(stack.email_identities.iter().map(|(id, it)| (vec!["emailIdentities", id, "tags"], &it.tags)));
    tagged.extend(of_apis(stack));
    tagged.iter().flat_map(|(path, tags)| check_tags(path, tags)).collect()
}

fn of_apis(stack: &Stack) -> Vec<(Vec<&str>, &BTreeMap<String, String>)> {
    let mut tagged: Vec<(Vec<&str>, &BTreeMap<String, String>)> = Vec::new();
    for Api { section, id, tags, stages, .. } in apis(stack) {
        tagged.push((vec![section, id, "tags"], tags));
        tagged.extend(stages.iter().map(|it| (vec![section, id, "stages", it.name, "tags"], it.tags)));
    }
    for (id, api) in &stack.rest_apis {
        let plans = api.usage_plans.iter();
        tagged.extend(plans.map(|(name, it)| (vec!["restApis", id, "usagePlans", name, "tags"], &it.tags)));
        tagged.extend(api.api_keys.iter().map(|(name, it)| (vec!["restApis", id, "apiKeys", name, "tags"], &it.tags)));
    }
    tagged
}

fn check_tags(path: &[&str], tags: &BTreeMap<String, String>) -> Vec<Complaint> {
    let mut complaints: Vec<_> = tags.iter().filter_map(|(key, value)| check_tag(path, key, value)).collect();
    if tags.len() > MOST_TAGS {
        let message = format!("these are {} tags", tags.len());
        complaints.push(Complaint::new(path, message, format!("the most is {MOST_TAGS}: remove some")).at_key());
    }
    complaints
}

fn check_tag(path: &[&str], key: &str, value: &str) -> Option<Complaint> {
    let path: Vec<&str> = path.iter().copied().chain([key]).collect();
    let at_key = |message: String, help: &str| Some(Complaint::new(&path, message, help).at_key());
    if key.to_ascii_lowercase().starts_with("aws:") {
        let message = format!("tag `{key}` is reserved: AWS alone sets tags that begin with `aws:`");
        return at_key(message, "give it another name");
    }
    match (key.chars().count(), value.chars().count()) {
        (0, _) => at_key("a tag has a name".to_owned(), "write 1 to 128 characters"),
        (length, _) if length > LONGEST_KEY => {
            at_key(format!("the name of this tag has {length} characters"), "the most is 128: shorten it")
        }
        (_, length) if length > LONGEST_VALUE => {
            let help = format!("the most is {LONGEST_VALUE}: shorten it");
            Some(Complaint::new(&path, format!("the value of this tag has {length} characters"), help))
        }
        _ => None,
    }
}
