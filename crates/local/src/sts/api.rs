//! The wire face of STS, the query protocol.

use http::StatusCode;
use serde_json::{Value, json};
use time::Duration;
use time::format_description::well_known::Rfc3339;

use super::NAMESPACE;
use crate::cloud::{Account, Cloud};
use crate::iam::authorize::may_assume;
use crate::iam::key::{self, Session};
use crate::iam::policy::Principal;
use crate::iam::{self, SessionCredentials};
use crate::wire::{Caller, Fault, Form, Request, Response, query_answer};

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    let form = Form::of(&request);
    let action = form.get("Action").unwrap_or_default();
    query_answer(&request.id, NAMESPACE, action, answer(&cloud, &request, &form))
}

fn answer(cloud: &Cloud, request: &Request, form: &Form) -> Result<Value, Fault> {
    match form.action()? {
        "GetCallerIdentity" => Ok(caller_identity(cloud, &request.caller)),
        "GetSessionToken" => session_token(cloud, &request.caller, form),
        "AssumeRole" => assume_role(cloud, &request.caller, form),
        other => Err(Fault::unknown_operation("sts", other)),
    }
}

fn caller_identity(cloud: &Cloud, caller: &Caller) -> Value {
    let account = cloud.read(|account| account.id.clone());
    let (user, arn) = match caller {
        Caller::Root | Caller::Anonymous => (account.clone(), format!("arn:aws:iam::{account}:root")),
        Caller::Role { name, session } => {
            let id = cloud.read(|account| account.iam.roles.get(name).map(|role| role.id.clone())).unwrap_or_default();
            (format!("{id}:{session}"), format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"))
        }
        Caller::User { name } => {
            let known = |user: &iam::User| (user.id.clone(), user.arn(&account));
            cloud.read(|state| state.iam.users.get(name).map(known)).unwrap_or_default()
        }
    };
    json!({ "Account": account, "Arn": arn, "UserId": user })
}

fn session_token(cloud: &Cloud, caller: &Caller, form: &Form) -> Result<Value, Fault> {
    if *caller != Caller::Root {
        let message = match caller {
            Caller::User { .. } => "the local cloud gives session tokens to the account itself only",
            _ => "Cannot call GetSessionToken with session credentials",
        };
        return Err(Fault::new("AccessDenied", message).with_status(StatusCode::FORBIDDEN));
    }
    // The account itself gets an hour at most, as on AWS.
    let expires = cloud.now() + duration(form, 3600, 900..=129_600)?.min(Duration::hours(1));
    let credentials = cloud.read(|account| key::seal(&account.iam, &Session::of_root(expires)));
    Ok(json!({ "Credentials": described(&credentials) }))
}

fn assume_role(cloud: &Cloud, caller: &Caller, form: &Form) -> Result<Value, Fault> {
    let (arn, session) = (form.required("RoleArn")?, form.required("RoleSessionName")?);
    check_session_name(session)?;
    cloud.read(|account| {
        let refused = || {
            let message = format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
                caller_arn(account, caller)
            );
            Fault::new("AccessDenied", message).with_status(StatusCode::FORBIDDEN)
        };
        let role = account.iam.role_of(arn).ok_or_else(refused)?;
        let names = principal_names(account, caller);
        if !may_assume(&account.iam, &role.name, Principal { kind: "AWS", names: &names }) {
            return Err(refused());
        }
        let longest = i64::from(role.max_session);
        let expires = cloud.now() + duration(form, 3600, 900..=longest)?;
        let credentials = iam::session_credentials(account, &role.name, session, expires);
        let assumed = format!("arn:aws:sts::{}:assumed-role/{}/{session}", account.id, role.name);
        let user = json!({ "AssumedRoleId": format!("{}:{session}", role.id), "Arn": assumed });
        Ok(json!({ "Credentials": described(&credentials), "AssumedRoleUser": user }))
    })
}

/// The names under which a trust policy may mean the caller.
fn principal_names(account: &Account, caller: &Caller) -> Vec<String> {
    let mut names = vec![account.id.clone(), format!("arn:aws:iam::{}:root", account.id), caller_arn(account, caller)];
    if let Caller::Role { name, .. } = caller {
        names.extend(account.iam.roles.get(name).map(|role| role.arn(&account.id)));
    }
    names
}

fn caller_arn(account: &Account, caller: &Caller) -> String {
    let id = &account.id;
    match caller {
        Caller::Root | Caller::Anonymous => format!("arn:aws:iam::{id}:root"),
        Caller::Role { name, session } => format!("arn:aws:sts::{id}:assumed-role/{name}/{session}"),
        Caller::User { name } => account.iam.users.get(name).map(|user| user.arn(id)).unwrap_or_default(),
    }
}

fn check_session_name(name: &str) -> Result<(), Fault> {
    let is_legal = |character: char| character.is_ascii_alphanumeric() || "_=,.@-".contains(character);
    if (2..=64).contains(&name.len()) && name.chars().all(is_legal) {
        return Ok(());
    }
    let message = format!(
        "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
    );
    Err(Fault::new("ValidationError", message))
}

fn duration(form: &Form, default: i64, range: std::ops::RangeInclusive<i64>) -> Result<Duration, Fault> {
    let Some(seconds) = form.get("DurationSeconds") else { return Ok(Duration::seconds(default.min(*range.end()))) };
    let seconds = seconds.parse().ok().filter(|seconds| range.contains(seconds)).ok_or_else(|| {
        let message = format!("The requested DurationSeconds must be {} to {}.", range.start(), range.end());
        Fault::new("ValidationError", message)
    })?;
    Ok(Duration::seconds(seconds))
}

fn described(credentials: &SessionCredentials) -> Value {
    json!({
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expires.format(&Rfc3339).unwrap_or_default(),
    })
}
