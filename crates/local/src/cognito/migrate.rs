//! Users who are fetched from somewhere else when they first sign in.

use serde_json::{Map, Value, json};

use crate::cloud::Cloud;
use crate::cognito::attribute::Attributes;
use crate::cognito::moment::Moment;
use crate::cognito::pool::UserPool;
use crate::cognito::sign_in::Door;
use crate::cognito::srp::Verifier;
use crate::cognito::trigger::{self, Call, Subject};
use crate::cognito::user::{Status, User};
use crate::wire::Fault;

/// Asks the `UserMigration` trigger about somebody whom the pool does not know, and takes him in. Returns his name.
pub(crate) async fn user(
    cloud: &Cloud,
    door: &Door,
    login: &str,
    password: Option<&str>,
) -> Result<Option<String>, Fault> {
    let Some(call) = door.read(cloud, |pool| Ok(call(pool, door, login, password)))? else { return Ok(None) };
    let response = trigger::run(cloud, call).await?;
    let now = cloud.now().into();
    let Some(mut user) = door.read(cloud, |pool| migrated(pool, login, &response, now))? else { return Ok(None) };
    if let Some(password) = password {
        user.credential = Some(Verifier::new(door.identity(&user.username), password));
    }
    door.write(cloud, |pool| {
        pool.new_user(login, user.attributes.clone(), now)?;
        let username = user.username.clone();
        pool.users.insert(username.clone(), user);
        Ok(Some(username))
    })
}

fn call(pool: &UserPool, door: &Door, login: &str, password: Option<&str>) -> Option<Call> {
    let nobody = User { username: login.to_owned(), ..User::default() };
    let subject = Subject { user: &nobody, client: &door.client.id, metadata: &door.metadata };
    let source = if password.is_some() { "UserMigration_Authentication" } else { "UserMigration_ForgotPassword" };
    let request = json!({ "password": password, "validationData": door.metadata, "clientMetadata": door.metadata });
    let response = json!({ "userAttributes": null, "finalUserStatus": null, "messageAction": null });
    Call::new(pool, "UserMigration", source, &subject, request, response)
}

/// The user that a trigger describes, unless it describes none.
fn migrated(pool: &UserPool, login: &str, response: &Map<String, Value>, now: Moment) -> Result<Option<User>, Fault> {
    let Some(given) = response.get("userAttributes").and_then(Value::as_object) else { return Ok(None) };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let given = given.iter().filter(|(name, _)| !matches!(name.as_str(), "sub" | "username" | "cognito:user_status"));
    let attributes: Attributes = given.map(|(name, value)| (name.clone(), text(value))).collect();
    let mut user = pool.new_user(login, attributes, now)?;
    user.status = match response.get("finalUserStatus").and_then(Value::as_str) {
        Some("CONFIRMED") => Status::Confirmed,
        _ => Status::ResetRequired,
    };
    Ok(Some(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cognito::pool::tests::pool;

    #[test]
    fn a_trigger_may_describe_a_user_or_none() {
        let pool = pool(json!({}));
        let read = |response: Value| {
            let response = response.as_object().cloned().unwrap_or_default();
            migrated(&pool, "alice", &response, Moment::default())
        };
        assert!(read(json!({})).is_ok_and(|user| user.is_none()));
        let user = read(
            json!({ "userAttributes": { "email": "a@example.com", "sub": "evil" }, "finalUserStatus": "CONFIRMED" }),
        );
        let user = user.expect("attributes that conform").expect("a user");
        assert_eq!((user.username.as_str(), user.status), ("alice", Status::Confirmed));
        assert_ne!(user.sub, "evil");
        assert!(read(json!({ "userAttributes": { "email": "nonsense" } })).is_err());
    }
}
