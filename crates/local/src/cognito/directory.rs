//! What administrators do with users and groups.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cognito::UserPools;
use crate::cognito::attribute::{Attributes, Author, NamedValue, collected};
use crate::cognito::fault::invalid;
use crate::cognito::moment::Moment;
use crate::cognito::own;
use crate::cognito::pool::{Group, UserPool};
use crate::cognito::user::User;
use crate::wire::Fault;

/// A request that names a user.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ByUser {
    user_pool_id: String,
    username: String,
}

/// One user.
pub(crate) fn get_user(pools: &UserPools, request: ByUser, _now: Moment) -> Result<Value, Fault> {
    Ok(pools.pool(&request.user_pool_id)?.known_user(&request.username)?.description())
}

/// Removes a user.
pub(crate) fn delete_user(pools: &mut UserPools, request: ByUser, _now: Moment) -> Result<Value, Fault> {
    pools.pool_mut(&request.user_pool_id)?.remove_user(&request.username)?;
    Ok(json!({}))
}

/// Switches a user off, and voids his tokens.
pub(crate) fn disable_user(pools: &mut UserPools, request: ByUser, now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool_mut(&request.user_pool_id)?;
    let user = pool.user_mut(&request.username)?;
    user.enabled = false;
    user.modified = now;
    own::sign_out(pool, &request.username, now)
}

/// Switches a user on.
pub(crate) fn enable_user(pools: &mut UserPools, request: ByUser, now: Moment) -> Result<Value, Fault> {
    let user = pools.pool_mut(&request.user_pool_id)?.user_mut(&request.username)?;
    user.enabled = true;
    user.modified = now;
    Ok(json!({}))
}

/// Voids all tokens of a user.
pub(crate) fn sign_out(pools: &mut UserPools, request: ByUser, now: Moment) -> Result<Value, Fault> {
    own::sign_out(pools.pool_mut(&request.user_pool_id)?, &request.username, now)
}

/// A request of `AdminUpdateUserAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateAttributes {
    user_pool_id: String,
    username: String,
    user_attributes: Vec<NamedValue>,
}

/// Changes a user's attributes.
pub(crate) fn update_attributes(pools: &mut UserPools, request: UpdateAttributes, now: Moment) -> Result<Value, Fault> {
    let changes = collected(request.user_attributes);
    change(pools.pool_mut(&request.user_pool_id)?, &request.username, changes, now)
}

/// A request of `AdminDeleteUserAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteAttributes {
    user_pool_id: String,
    username: String,
    user_attribute_names: Vec<String>,
}

/// Removes a user's attributes.
pub(crate) fn delete_attributes(pools: &mut UserPools, request: DeleteAttributes, now: Moment) -> Result<Value, Fault> {
    let changes = request.user_attribute_names.into_iter().map(|name| (name, String::new())).collect();
    change(pools.pool_mut(&request.user_pool_id)?, &request.username, changes, now)
}

fn change(pool: &mut UserPool, login: &str, changes: Attributes, now: Moment) -> Result<Value, Fault> {
    let user = pool.known_user(login)?;
    pool.settings.attributes().check_changes(&changes, Author::Administrator)?;
    own::check_kept(pool, &changes)?;
    own::check_free(pool, user, &changes)?;
    let mut changed = user.clone();
    let flags: Attributes = changes.iter().filter(|(name, _)| name.ends_with("_verified")).map(owned).collect();
    changed.set_attributes(changes, now);
    // Who sets an address and says that it is verified in one breath means the new address.
    changed.attributes.extend(flags);
    for attribute in ["email", "phone_number"] {
        if changed.verified(attribute) && pool.rival(&changed, attribute).is_some() {
            return Err(super::pool::alias_taken(attribute));
        }
    }
    *pool.user_mut(login)? = changed;
    Ok(json!({}))
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// A request that names a user and a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Membership {
    user_pool_id: String,
    username: String,
    group_name: String,
}

/// Puts a user into a group.
pub(crate) fn add_to_group(pools: &mut UserPools, request: Membership, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool_mut(&request.user_pool_id)?;
    pool.join(&request.username, &request.group_name)?;
    Ok(json!({}))
}

/// Takes a user out of a group.
pub(crate) fn remove_from_group(pools: &mut UserPools, request: Membership, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool_mut(&request.user_pool_id)?;
    pool.group(&request.group_name)?;
    pool.user_mut(&request.username)?.groups.remove(&request.group_name);
    Ok(json!({}))
}

impl UserPool {
    /// Puts a user into a group.
    pub(crate) fn join(&mut self, login: &str, group: &str) -> Result<(), Fault> {
        self.group(group)?;
        self.user_mut(login)?.groups.insert(group.to_owned());
        Ok(())
    }
}

/// How much of a list is wanted, from where on.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Page {
    limit: Option<usize>,
    #[serde(alias = "MaxResults")]
    max_results: Option<usize>,
    next_token: Option<String>,
    pagination_token: Option<String>,
}

impl Page {
    /// One page of a list, and where the next begins. The token is the number of entries before it.
    pub(crate) fn cut<T>(&self, entries: Vec<T>) -> Result<(Vec<T>, Option<String>), Fault> {
        let token = self.next_token.as_ref().or(self.pagination_token.as_ref());
        let start = match token {
            Some(token) => token.parse::<usize>().map_err(|_| invalid("Invalid pagination token."))?,
            None => 0,
        };
        let limit = self.limit.or(self.max_results).unwrap_or(60);
        if limit > 60 {
            return Err(invalid(format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have \
                 value less than or equal to 60"
            )));
        }
        let end = start.saturating_add(limit);
        let next = (end < entries.len() && limit > 0).then(|| end.to_string());
        Ok((entries.into_iter().skip(start).take(limit).collect(), next))
    }

    /// A page as an answer, under `member`, with the token under `token`.
    pub(crate) fn answer(&self, member: &str, token: &str, entries: Vec<Value>) -> Result<Value, Fault> {
        let (page, next) = self.cut(entries)?;
        let mut answer = json!({ member: page });
        if let Some(next) = next {
            answer[token] = json!(next);
        }
        Ok(answer)
    }
}

/// A request of `AdminListGroupsForUser`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupsOfUser {
    user_pool_id: String,
    username: String,
    #[serde(flatten)]
    page: Page,
}

/// A user's groups.
pub(crate) fn groups_of_user(pools: &UserPools, request: GroupsOfUser, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool(&request.user_pool_id)?;
    let groups = pool.groups_of(pool.known_user(&request.username)?);
    let groups = groups.into_iter().map(|group| group.description(&pool.id)).collect();
    request.page.answer("Groups", "NextToken", groups)
}

/// A request that makes or changes a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutGroup {
    user_pool_id: String,
    group_name: String,
    description: Option<String>,
    role_arn: Option<String>,
    precedence: Option<i64>,
}

/// Makes a group.
pub(crate) fn create_group(pools: &mut UserPools, request: PutGroup, now: Moment) -> Result<Value, Fault> {
    let PutGroup { user_pool_id, group_name, description, role_arn, precedence } = request;
    let group = Group { group_name, description, role_arn, precedence, created: now, modified: now };
    let group = pools.pool_mut(&user_pool_id)?.add_group(group)?.description(&user_pool_id);
    Ok(json!({ "Group": group }))
}

/// Changes a group; what is left out stays.
pub(crate) fn update_group(pools: &mut UserPools, request: PutGroup, now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool_mut(&request.user_pool_id)?;
    let group = pool.groups.get_mut(&request.group_name).ok_or_else(super::fault::no_group)?;
    group.description = request.description.or_else(|| group.description.take());
    group.role_arn = request.role_arn.or_else(|| group.role_arn.take());
    group.precedence = request.precedence.or(group.precedence);
    group.modified = now;
    Ok(json!({ "Group": group.description(&request.user_pool_id) }))
}

/// A request that names a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ByGroup {
    user_pool_id: String,
    group_name: String,
    #[serde(flatten)]
    page: Page,
}

/// One group.
pub(crate) fn get_group(pools: &UserPools, request: ByGroup, _now: Moment) -> Result<Value, Fault> {
    let group = pools.pool(&request.user_pool_id)?.group(&request.group_name)?;
    Ok(json!({ "Group": group.description(&request.user_pool_id) }))
}

/// Removes a group.
pub(crate) fn delete_group(pools: &mut UserPools, request: ByGroup, _now: Moment) -> Result<Value, Fault> {
    pools.pool_mut(&request.user_pool_id)?.remove_group(&request.group_name)?;
    Ok(json!({}))
}

/// The users in a group.
pub(crate) fn users_in_group(pools: &UserPools, request: ByGroup, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool(&request.user_pool_id)?;
    pool.group(&request.group_name)?;
    let members = pool.users.values().filter(|user| user.groups.contains(&request.group_name));
    request.page.answer("Users", "NextToken", members.map(|user| user.listing(None)).collect())
}

/// A request that names a pool, for a list of something in it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InPool {
    pub(crate) user_pool_id: String,
    #[serde(flatten)]
    pub(crate) page: Page,
}

/// The groups of a pool.
pub(crate) fn list_groups(pools: &UserPools, request: InPool, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool(&request.user_pool_id)?;
    let groups = pool.groups.values().map(|group| group.description(&pool.id)).collect();
    request.page.answer("Groups", "NextToken", groups)
}

/// A request of `ListUsers`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListUsers {
    user_pool_id: String,
    filter: Option<String>,
    attributes_to_get: Option<Vec<String>>,
    #[serde(flatten)]
    page: Page,
}

/// The users of a pool, or those that a filter finds.
pub(crate) fn list_users(pools: &UserPools, request: ListUsers, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool(&request.user_pool_id)?;
    let filter = request.filter.as_deref().filter(|text| !text.trim().is_empty()).map(Filter::parse).transpose()?;
    let found = pool.users.values().filter(|user| filter.as_ref().is_none_or(|filter| filter.finds(user)));
    let wanted = request.attributes_to_get.as_deref();
    request.page.answer("Users", "PaginationToken", found.map(|user| user.listing(wanted)).collect())
}

/// What a list of users is narrowed to: an attribute that is, or begins with, a value.
#[derive(Debug, PartialEq, Eq)]
struct Filter {
    attribute: String,
    prefix: bool,
    value: String,
}

impl Filter {
    fn parse(text: &str) -> Result<Self, Fault> {
        const SEARCHABLE: [&str; 10] = [
            "username",
            "email",
            "phone_number",
            "name",
            "given_name",
            "family_name",
            "preferred_username",
            "cognito:user_status",
            "status",
            "sub",
        ];
        let wrong = || invalid("Error while parsing filter.");
        let (left, right) = text.split_once('=').ok_or_else(wrong)?;
        let (left, prefix) = left.trim_end().strip_suffix('^').map_or((left, false), |left| (left, true));
        let quoted = right.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(wrong)?;
        let attribute = left.trim().trim_matches('"').to_owned();
        if !SEARCHABLE.contains(&attribute.as_str()) {
            return Err(invalid(format!("Invalid search attribute: {attribute}")));
        }
        Ok(Self { attribute, prefix, value: quoted.replace("\\\"", "\"") })
    }

    fn finds(&self, user: &User) -> bool {
        let enabled = if user.enabled { "Enabled" } else { "Disabled" };
        let value = match self.attribute.as_str() {
            "username" => Some(user.username.as_str()),
            "sub" => Some(user.sub.as_str()),
            "status" => Some(enabled),
            "cognito:user_status" => Some(user.status.name()),
            name => user.attributes.get(name).map(String::as_str),
        };
        // Only these two are compared letter by letter.
        let exact = matches!(self.attribute.as_str(), "username" | "status");
        let fold = |text: &str| if exact { text.to_owned() } else { text.to_lowercase() };
        let wanted = fold(&self.value);
        value.map(fold).is_some_and(|value| if self.prefix { value.starts_with(&wanted) } else { value == wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_compares_one_attribute() {
        let attributes = [("email".to_owned(), "Alice@example.com".to_owned())].into();
        let user = User { username: "alice".to_owned(), attributes, enabled: true, ..User::default() };
        let finds =
            |filter: &str| Filter::parse(filter).map(|filter| filter.finds(&user)).map_err(|fault| fault.message);
        assert_eq!(finds("email = \"alice@example.com\""), Ok(true));
        assert_eq!(finds("email ^= \"alice\""), Ok(true));
        assert_eq!(finds("email = \"alice\""), Ok(false));
        assert_eq!(finds("username = \"Alice\""), Ok(false));
        assert_eq!(finds("status = \"Enabled\""), Ok(true));
        assert_eq!(finds("cognito:user_status=\"unconfirmed\""), Ok(true));
        assert_eq!(finds("custom:a = \"b\""), Err("Invalid search attribute: custom:a".to_owned()));
        for nonsense in ["email", "email = alice", "email = \"", "="] {
            assert!(finds(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn pages_follow_each_other() {
        let mut page = Page { limit: Some(2), ..Page::default() };
        let mut all = Vec::new();
        loop {
            let (entries, next) = page.cut(vec![1, 2, 3, 4, 5]).expect("a page");
            all.extend(entries);
            let Some(next) = next else { break };
            page.next_token = Some(next);
        }
        assert_eq!(all, [1, 2, 3, 4, 5]);
        assert!(Page { next_token: Some("x".to_owned()), ..Page::default() }.cut(vec![1]).is_err());
    }
}
