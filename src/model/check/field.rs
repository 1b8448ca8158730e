//! Rules for the value of a single field.

use crate::model::{Declared, Value};

use super::declared::error;

/// Days that CloudWatch Logs can keep events for.
pub(in crate::model) const RETENTION: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// A text of so many characters of a kind, unless it is known only when the stack is deployed.
pub(in crate::model) fn text(
    what: &'static str,
    min: usize,
    max: usize,
    allowed: fn(char) -> bool,
) -> impl Fn(&Value, &Declared) -> garde::Result {
    move |value, declared| {
        resolved(value, declared)?;
        let Some(text) = value.text() else { return Ok(()) };
        if let Some(c) = text.chars().find(|c| !allowed(*c)) {
            return Err(error(format!("`{}` cannot be in {what}", c.escape_debug()), "leave it out"));
        }
        match text.chars().count() {
            0 if min > 0 => Err(error(format!("{what} cannot be empty"), "leave the field out to have one made up")),
            count if count < min => {
                Err(error(format!("{what} has at least {min} characters"), format!("these are {count}")))
            }
            count if count > max => {
                Err(error(format!("{what} has at most {max} characters"), format!("these are {count}")))
            }
            _ => Ok(()),
        }
    }
}

/// Days that CloudWatch Logs can keep events for.
pub(in crate::model) fn retention(days: &u32, _: &Declared) -> garde::Result {
    if RETENTION.contains(days) {
        return Ok(());
    }
    let nearest = RETENTION.into_iter().min_by_key(|it| it.abs_diff(*days)).unwrap_or(30);
    Err(error(
        format!("logs cannot be kept for {days} days"),
        format!("the nearest that CloudWatch offers is {nearest}"),
    ))
}

/// A message with the code in it.
pub(in crate::model) fn holds_code(message: &str, _: &Declared) -> garde::Result {
    holds(message, &["{####}"])
}

/// A message with the link in it.
pub(in crate::model) fn holds_link(message: &str, _: &Declared) -> garde::Result {
    match message.split_once("{##").is_some_and(|(_, rest)| rest.contains("##}")) {
        true => Ok(()),
        false => {
            Err(error("the message does not hold the link", "put `{##Verify your address##}` where the link belongs"))
        }
    }
}

/// An invitation with the user's name and first password in it.
pub(in crate::model) fn holds_invitation(message: &str, _: &Declared) -> garde::Result {
    holds(message, &["{username}", "{####}"])
}

fn holds(message: &str, marks: &[&str]) -> garde::Result {
    match marks.iter().find(|mark| !message.contains(**mark)) {
        Some(mark) => {
            Err(error(format!("the message does not hold `{mark}`"), format!("put `{mark}` where it belongs")))
        }
        None => Ok(()),
    }
}

fn resolved(value: &Value, declared: &Declared) -> garde::Result {
    declared.dangling(value).into_iter().next().map_or(Ok(()), Err)
}

/// The https URL of a service.
pub(in crate::model) fn endpoint(value: &Value, declared: &Declared) -> garde::Result {
    resolved(value, declared)?;
    let Some(text) = value.text() else { return Ok(()) };
    match url::Url::parse(text) {
        Ok(url) if url.scheme() == "https" && url.host_str().is_some() => Ok(()),
        _ => Err(error(format!("`{text}` is not an https URL"), "write it whole: `https://login.example.com/keys`")),
    }
}

/// The ARN of a key.
pub(in crate::model) fn key_arn(value: &Value, declared: &Declared) -> garde::Result {
    resolved(value, declared)?;
    match value {
        Value::Text(text) if !(text.starts_with("arn:") && text.contains(":key/")) => Err(error(
            format!("`{}` is not the ARN of a key", text.escape_debug()),
            "write `arn:aws:kms:<region>:<account>:key/<id>`: who may use the key is said by its ARN",
        )),
        Value::Ref(id) if declared.is_resource(id) => {
            Err(error(format!("`{id}` gives its id here, not its ARN"), format!("write `{{ get: {id}.Arn }}`")))
        }
        _ => Ok(()),
    }
}

/// The attributes that an index names.
pub(in crate::model) fn projected(names: &[String], _: &Declared) -> garde::Result {
    match names.len() {
        0 => Err(error("the index names no attribute", "use `projection: keysOnly`, or name some")),
        1..=20 => Ok(()),
        more => {
            Err(error(format!("an index names 20 attributes at most, and these are {more}"), "use `projection: all`"))
        }
    }
}

/// An address or a domain.
pub(in crate::model) fn email_identity(value: &Value, declared: &Declared) -> garde::Result {
    resolved(value, declared)?;
    let Some(text) = value.text() else { return Ok(()) };
    let (local, domain) = text.rsplit_once('@').unwrap_or(("a", text));
    let label = |label: &str| {
        let inner = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        !label.is_empty() && label.len() <= 63 && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_domain = domain.contains('.') && domain.len() <= 253 && domain.split('.').all(label);
    let plain = |c: char| c.is_ascii_graphic() && !"@<>,;:\"()[]\\".contains(c);
    if is_domain && (1..=64).contains(&local.len()) && local.chars().all(plain) {
        return Ok(());
    }
    Err(error(
        format!("`{}` is neither an address nor a domain", text.escape_debug()),
        "write `sender@example.com`, or `example.com` for all its addresses",
    ))
}

/// A version of Facebook's interface.
pub(in crate::model) fn facebook_version(text: &str, _: &Declared) -> garde::Result {
    let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let fits =
        text.strip_prefix('v').and_then(|rest| rest.split_once('.')).is_some_and(|(a, b)| digits(a) && digits(b));
    match fits {
        true => Ok(()),
        false => Err(error(format!("`{}` is no version", text.escape_debug()), "write it as Facebook does: `v17.0`")),
    }
}

/// Where a message of a WebSocket API says which route it means.
pub(in crate::model) fn selection(expression: &str, _: &Declared) -> garde::Result {
    let member = |path: &str| path.split('.').all(|name| !name.is_empty() && name.chars().all(is_member));
    let selects = match expression.strip_prefix("$request.body.") {
        Some(path) => member(path),
        None => {
            let mut parts = expression.split("${").skip(1).peekable();
            let inner = |part: &str| {
                part.split_once('}').and_then(|(inner, _)| inner.strip_prefix("request.body.").map(member))
            };
            parts.peek().is_some() && parts.all(|part| inner(part) == Some(true))
        }
    };
    if selects {
        return Ok(());
    }
    let message = format!("`{}` does not say where a message names its route", expression.escape_debug());
    Err(error(message, "write `$request.body.action` for the member `action` of a JSON message"))
}

fn is_member(c: char) -> bool {
    c.is_alphanumeric() || "-_".contains(c)
}

/// The name of a statement:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html>
pub(in crate::model) fn sid(name: &str, _: &Declared) -> garde::Result {
    let Some(wrong) = name.chars().find(|c| !c.is_ascii_alphanumeric()) else { return Ok(()) };
    let better: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let help = if better.is_empty() { "leave it out".to_owned() } else { format!("write `{better}`") };
    Err(error(format!("`{}` cannot be in the name of a statement", wrong.escape_debug()), help))
}

/// An action of a policy.
pub(in crate::model) fn action(action: &str, _: &Declared) -> garde::Result {
    let service = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name = |c: char| c.is_ascii_alphanumeric() || "*?".contains(c);
    let fits = |(before, after): (&str, &str)| {
        !before.is_empty() && !after.is_empty() && before.chars().all(service) && after.chars().all(name)
    };
    if action == "*" || action.split_once(':').is_some_and(fits) {
        return Ok(());
    }
    Err(error(
        format!("`{}` is not an action", action.escape_debug()),
        "write the service, a colon and the action: `dynamodb:GetItem`",
    ))
}

/// A condition that the stack has.
pub(in crate::model) fn condition(name: &str, declared: &Declared) -> garde::Result {
    declared.expect_condition(name)
}

/// A logical id that the stack has.
pub(in crate::model) fn exists(id: &str, declared: &Declared) -> garde::Result {
    declared.expect(id)
}

/// What a suppression is about: a logical id that the stack has, alone or with the name of something inside, or a type of
/// which it has resources.
pub(in crate::model) fn covered(name: &str, declared: &Declared) -> garde::Result {
    if !name.contains("::") {
        return declared.expect(name.split_once('.').map_or(name, |(id, _)| id));
    }
    match declared.has_type(name) {
        true => Ok(()),
        false => Err(error(format!("the stack has no resource of type `{}`", name.escape_debug()), "remove it")),
    }
}

/// Rewords the bounds of numbers and lengths so that they name the field and say what to do.
pub(super) fn bounds(field: &str, message: &str) -> (String, Option<String>) {
    let field = camel_case(field);
    let words = [
        ("lower than ", "is lower than", "the least is"),
        ("greater than ", "is greater than", "the most is"),
        ("length is lower than ", "is shorter than", "the shortest is"),
        ("length is greater than ", "is longer than", "the longest is"),
    ];
    let found = words.iter().find_map(|(prefix, says, help)| Some((message.strip_prefix(prefix)?, says, help)));
    match found {
        Some((bound, says, help)) => (format!("`{field}` {says} {bound}"), Some(format!("{help} {bound}"))),
        None => (format!("`{field}`: {message}"), None),
    }
}

/// The name of a field as a stack file has it.
fn camel_case(field: &str) -> String {
    let mut words = field.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at_checked(1).unwrap_or((word, ""));
        name + &head.to_ascii_uppercase() + tail
    })
}
