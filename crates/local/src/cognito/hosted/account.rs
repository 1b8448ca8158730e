//! Signing up through the pages, and coming by a new password.

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cognito::fault;
use crate::cognito::hosted::asked::{Asked, Refusal};
use crate::cognito::hosted::call::Call;
use crate::cognito::hosted::page::{Page, redirect};
use crate::cognito::hosted::visit::check_own;
use crate::cognito::pool::UserPool;
use crate::cognito::sign_in::Door;
use crate::cognito::srp::Verifier;
use crate::cognito::{recovery, sign_up as joining};
use crate::wire::{Fault, Response};

/// What people sign in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Login {
    /// A name of their own choice, or an alias.
    Name,
    /// The email address.
    Email,
    /// The phone number.
    Phone,
    /// Either address.
    Either,
}

impl Login {
    /// What a pool wants.
    pub(super) fn of(pool: &UserPool) -> Self {
        let names = &pool.settings.username_attributes;
        let has = |name: &str| names.iter().any(|known| known == name);
        match (has("email"), has("phone_number")) {
            (true, true) => Self::Either,
            (true, false) => Self::Email,
            (false, true) => Self::Phone,
            (false, false) => Self::Name,
        }
    }

    /// As an input.
    pub(super) fn field(self) -> Value {
        let (label, kind) = match self {
            Self::Name => ("User name", "text"),
            Self::Email => ("Email", "email"),
            Self::Phone => ("Phone number", "tel"),
            Self::Either => ("Email or phone number", "text"),
        };
        json!({ "label": label, "kind": kind })
    }
}

/// The rules for passwords in a sentence.
pub(super) fn policy(pool: &UserPool) -> String {
    let policy = pool.settings.password_policy();
    let rules = [
        (policy.require_lowercase, "a small letter"),
        (policy.require_uppercase, "a capital letter"),
        (policy.require_numbers, "a digit"),
        (policy.require_symbols, "a symbol"),
    ];
    let needed: Vec<&str> = rules.into_iter().filter(|(needed, _)| *needed).map(|(_, words)| words).collect();
    let with = match needed.split_last() {
        None => String::new(),
        Some((only, [])) => format!(", with {only}"),
        Some((last, rest)) => format!(", with {} and {last}", rest.join(", ")),
    };
    format!("At least {} characters{with}.", policy.minimum_length)
}

/// An attribute as an input.
pub(super) fn attribute_field(name: &str) -> Value {
    let (kind, autocomplete) = match name {
        "email" => ("email", "email"),
        "phone_number" => ("tel", "tel"),
        "birthdate" => ("date", "bday"),
        "given_name" => ("text", "given-name"),
        "family_name" => ("text", "family-name"),
        "name" => ("text", "name"),
        _ => ("text", "off"),
    };
    let words = name.trim_start_matches("custom:").replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let hint = (name == "phone_number").then_some("With the country's code, such as +15555550123.");
    json!({
        "name": format!("attribute.{name}"), "label": format!("{first}{}", letters.as_str()), "kind": kind,
        "autocomplete": autocomplete, "hint": hint, "value": "",
    })
}

/// The attributes that somebody who signs up is asked for, besides the name.
fn asked_for(pool: &UserPool) -> Vec<String> {
    let named = &pool.settings.username_attributes;
    let schema = pool.settings.attributes();
    let verified = pool.settings.auto_verified_attributes.iter().map(String::as_str).filter(|_| named.is_empty());
    let mut names: Vec<String> = Vec::new();
    for name in verified.chain(schema.required()).filter(|name| !named.iter().any(|known| known == name)) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn check_open(call: &Call<'_>, asked: &Asked) -> Result<(), Refusal> {
    check_own(asked)?;
    call.read(|pool| match pool.settings.admin_create_user_config.allow_admin_create_user_only {
        true => Err(Refusal::page(StatusCode::FORBIDDEN, "Nobody can sign up here", "An administrator creates users.")),
        false => Ok(()),
    })
}

/// `GET /signup`.
pub(super) fn sign_up_page(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    check_open(call, &asked)?;
    Ok(sign_up_form(call, &asked)?.html())
}

fn sign_up_form(call: &Call<'_>, asked: &Asked) -> Result<Page, Refusal> {
    let data = call.read(|pool| {
        let mut login = Login::of(pool).field();
        (login["name"], login["autocomplete"]) = (json!("username"), json!("username"));
        let names = asked_for(pool);
        let fields = std::iter::once(login).chain(names.iter().map(|name| attribute_field(name)));
        let filled = fields.map(|mut field| {
            let typed = field.get("name").and_then(Value::as_str).and_then(|name| call.form.get(name));
            field["value"] = json!(typed.unwrap_or_default());
            field
        });
        Ok(json!({ "fields": filled.collect::<Value>(), "policy": policy(pool) }))
    })?;
    let lead = format!("to go on to {}", asked.client.settings.client_name);
    Ok(call.page("sign_up", "Create an account", asked, data).lead(&lead))
}

/// A request of an operation, which always has the shape that the operation wants.
fn request<T: DeserializeOwned>(value: Value) -> Result<T, Fault> {
    serde_json::from_value(value).map_err(|_| fault::internal())
}

/// `POST /signup`.
pub(super) async fn sign_up(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    check_open(call, &asked)?;
    let name = call.form.get("username").unwrap_or_default();
    let names = call.read(|pool| Ok(asked_for(pool)))?;
    let typed = |name: &String| Some(json!({ "Name": name, "Value": call.form.get(&format!("attribute.{name}"))? }));
    let password = call.form.get("password").unwrap_or_default();
    let body = json!({
        "ClientId": asked.client.id, "Username": name, "Password": password, "SecretHash": asked.client.proof(name),
        "UserAttributes": names.iter().filter_map(typed).collect::<Value>(),
    });
    match joining::sign_up(call.cloud, request(body)?).await {
        Ok(made) if made.get("UserConfirmed") == Some(&Value::Bool(true)) => Ok(signed_up(call, &asked, "confirmed")),
        Ok(made) => {
            let to = made.pointer("/CodeDeliveryDetails/Destination").and_then(Value::as_str);
            Ok(told_of_code(confirm_form(call, &asked, name), to).html())
        }
        Err(fault) if fault.code == "UsernameExistsException" && asked.client.settings.hides_users() => {
            // Whoever has the address already gets no code, and nobody else learns that. It takes as long.
            let door = Door::of_pages(&call.site.pool, &asked.client);
            Verifier::new(door.identity(name), password);
            let details = joining::stranger(&asked.client, name)?;
            let to = details.get("Destination").and_then(Value::as_str);
            Ok(told_of_code(confirm_form(call, &asked, name), to).html())
        }
        Err(fault) => Ok(sign_up_form(call, &asked)?.error(&fault.message).html()),
    }
}

fn told_of_code(page: Page, to: Option<&str>) -> Page {
    match to {
        Some(to) => page.lead(&format!("We sent a code to {to}. Enter it to confirm that the address is yours.")),
        None => page.lead("Your account waits for an administrator, who can confirm it."),
    }
}

fn signed_up(call: &Call<'_>, asked: &Asked, notice: &str) -> Response {
    redirect(&format!("{}/login?{}&notice={notice}", call.site.base, asked.query), Vec::new())
}

/// The page for the code of a sign-up.
pub(super) fn confirm_form(call: &Call<'_>, asked: &Asked, name: &str) -> Page {
    call.page("confirm", "Confirm your account", asked, json!({ "username": name }))
}

/// `POST /confirmUser`.
pub(super) async fn confirm(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    let name = call.form.get("username").unwrap_or_default();
    let code = call.form.get("code").unwrap_or_default().trim();
    let body = json!({
        "ClientId": asked.client.id, "Username": name, "ConfirmationCode": code, "SecretHash": asked.client.proof(name),
    });
    match joining::confirm_sign_up(call.cloud, request(body)?).await {
        Ok(_) => Ok(signed_up(call, &asked, "confirmed")),
        Err(fault) => {
            let words = hidden(&asked, fault).message;
            Ok(confirm_form(call, &asked, name).error(&words).html())
        }
    }
}

/// What a stranger would tell users from others by, said as of others.
fn hidden(asked: &Asked, fault: Fault) -> Fault {
    let telling = ["NotAuthorizedException", "CodeMismatchException", "LimitExceededException"];
    if asked.client.settings.hides_users() && telling.contains(&fault.code.as_str()) {
        return fault::stale_code();
    }
    fault
}

/// `GET /confirmUser`: the link in a message. It names the client alone, so that it leads to no application.
pub(super) async fn confirm_by_link(call: &Call<'_>) -> Result<Response, Refusal> {
    let field = |name: &str| call.query.get(name).unwrap_or_default();
    let name = field("user_name");
    let proof = call.read(|pool| Ok(pool.client(field("client_id"))?.proof(name)))?;
    let body = json!({
        "ClientId": field("client_id"), "Username": name, "ConfirmationCode": field("confirmation_code"), "SecretHash": proof,
    });
    match joining::confirm_sign_up(call.cloud, request(body)?).await {
        Ok(_) => {
            let words = "You can go back to the application and sign in.";
            Ok(Page::message(StatusCode::OK, "Your account is confirmed", words).html())
        }
        Err(_) => {
            let words = "The link is too old, or it was used before.";
            Err(Refusal::page(StatusCode::BAD_REQUEST, "That did not work", words))
        }
    }
}

/// `POST /resendcode`.
pub(super) async fn resend(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    let name = call.form.get("username").unwrap_or_default();
    let body = json!({ "ClientId": asked.client.id, "Username": name, "SecretHash": asked.client.proof(name) });
    let page = confirm_form(call, &asked, name);
    match joining::resend(call.cloud, request(body)?).await {
        Err(fault) if !asked.client.settings.hides_users() => Ok(page.error(&fault.message).html()),
        _ => Ok(page.lead("We sent another code. The older one does not work any more.").html()),
    }
}

/// `GET /forgotPassword`.
pub(super) fn forgot_page(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    check_own(&asked)?;
    Ok(forgot_form(call, &asked)?.html())
}

fn forgot_form(call: &Call<'_>, asked: &Asked) -> Result<Page, Refusal> {
    let data = call.read(|pool| Ok(json!({ "login": Login::of(pool).field() })))?;
    let lead = "We will send you a code with which you can set a new one.";
    Ok(call.page("forgot", "Forgot your password?", asked, data).lead(lead))
}

/// `POST /forgotPassword`.
pub(super) async fn forgot(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    check_own(&asked)?;
    let name = call.form.get("username").unwrap_or_default();
    let body = json!({ "ClientId": asked.client.id, "Username": name, "SecretHash": asked.client.proof(name) });
    match recovery::forgot(call.cloud, request(body)?).await {
        Ok(_) => Ok(reset_form(call, &asked, name)?.html()),
        Err(fault) => Ok(forgot_form(call, &asked)?.error(&fault.message).html()),
    }
}

fn reset_form(call: &Call<'_>, asked: &Asked, name: &str) -> Result<Page, Refusal> {
    let data = call.read(|pool| Ok(json!({ "username": name, "policy": policy(pool) })))?;
    let lead = "If there is such an account, a code is on its way to its address.";
    Ok(call.page("reset", "Set a new password", asked, data).lead(lead))
}

/// `POST /confirmForgotPassword`.
pub(super) async fn reset(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = call.asked()?;
    check_own(&asked)?;
    let name = call.form.get("username").unwrap_or_default();
    let password = call.form.get("password").unwrap_or_default();
    // Before anything is looked up: a stranger must not learn who is a user from whose password is too weak.
    if let Err(fault) =
        call.cloud.read(|account| account.cognito.pool(&call.site.pool)?.settings.password_policy().check(password))
    {
        return Ok(reset_form(call, &asked, name)?.error(&fault.message).html());
    }
    let body = json!({
        "ClientId": asked.client.id, "Username": name, "SecretHash": asked.client.proof(name),
        "ConfirmationCode": call.form.get("code").unwrap_or_default().trim(), "Password": password,
    });
    match recovery::confirm(call.cloud, request(body)?).await {
        Ok(_) => Ok(signed_up(call, &asked, "password")),
        Err(fault) => {
            let words = hidden(&asked, fault).message;
            Ok(reset_form(call, &asked, name)?.error(&words).html())
        }
    }
}
