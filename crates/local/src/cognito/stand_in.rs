//! What stands for Google and every other identity provider that is not on this machine: a page on which whoever tests an
//! application says as whom to sign in, at `/_aws/stand-in/{provider}/authorize`.

use http::header::ORIGIN;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::cloud::Cloud;
use crate::cognito::federation::Claims;
use crate::cognito::hosted::{Arrival, Fields, Page, TRIP, Trip, redirect};
use crate::cognito::moment::Moment;
use crate::cognito::provider::{Kind, Provider};
use crate::cognito::user::User;
use crate::wire::{Request, Response};

/// Answers one request. Its `state`, which nobody can guess, says which sign-in it is for.
pub(crate) fn handle(cloud: &Cloud, name: &str, request: &Request) -> Response {
    let name = percent_decode_str(name).decode_utf8_lossy();
    let (query, form) = (Fields::read(request.query.as_bytes()), Fields::read(&request.body));
    let posts = request.method == Method::POST;
    let state = if posts { form.get("state") } else { query.get("state") }.unwrap_or_default();
    let trip = cloud.pages().trips.look(state, cloud.now().into()).filter(|trip| trip.provider == name);
    let found = trip.and_then(|trip| Some((provider(cloud, &trip)?, trip)));
    let Some((provider, trip)) = found else {
        let words = "No sign-in leads here, or it began too long ago. Go back to the application and try again.";
        return Page::message(StatusCode::BAD_REQUEST, "That did not work", words).html();
    };
    let play = Play { cloud, state, trip: &trip, provider: &provider };
    if !posts {
        return play.page("").html();
    }
    let foreign = request.headers.get(ORIGIN).is_some_and(|origin| !trip.callback.starts_with(&own(origin)));
    if foreign {
        let words = "This form did not come from this page.";
        return Page::message(StatusCode::FORBIDDEN, "That did not work", words).html();
    }
    play.answer(&form)
}

/// An origin as an address of it begins.
fn own(origin: &http::HeaderValue) -> String {
    format!("{}/", origin.to_str().unwrap_or("null"))
}

fn provider(cloud: &Cloud, trip: &Trip) -> Option<Provider> {
    cloud.read(|account| account.cognito.pool(&trip.pool).ok()?.providers.get(&trip.provider).cloned())
}

/// One provider, played for one sign-in.
struct Play<'a> {
    cloud: &'a Cloud,
    state: &'a str,
    trip: &'a Trip,
    provider: &'a Provider,
}

impl Play<'_> {
    fn page(&self, error: &str) -> Page {
        let Self { state, trip, provider, .. } = self;
        let data = json!({
            "action": "authorize", "state": state, "people": self.people(), "fields": self.fields(),
        });
        let page = Page::new("stand_in", &format!("Sign in with {} as …", provider.name), data)
            .lead(&format!("This page stands for {}. Nothing leaves your machine: say who you are.", provider.name))
            .leading_to(&trip.application);
        if error.is_empty() { page } else { page.error(error) }
    }

    /// Those who signed in this way before, with the claims that they had then.
    fn people(&self) -> Value {
        self.cloud.read(|account| {
            let users = account.cognito.pool(&self.trip.pool).map(|pool| &pool.users).ok();
            users.into_iter().flat_map(|users| users.values()).filter_map(|user| self.person(user)).collect()
        })
    }

    fn person(&self, user: &User) -> Option<Value> {
        let identity = user.identities.iter().find(|known| known.provider == self.provider.name && known.primary)?;
        let mapped = self.provider.attribute_mapping.iter();
        let known =
            mapped.filter_map(|(attribute, claim)| Some((claim.clone(), json!(user.attributes.get(attribute)?))));
        let mut claims: Map<String, Value> = known.collect();
        claims.insert(self.provider.subject_claim().to_owned(), json!(identity.user_id));
        let name = user.attributes.get("email").or_else(|| user.attributes.get("name")).unwrap_or(&identity.user_id);
        Some(json!({ "name": name, "claims": Value::Object(claims).to_string() }))
    }

    /// The claims that matter to the pool: who it is, and what becomes an attribute.
    fn fields(&self) -> Value {
        let subject = self.provider.subject_claim();
        let first = json!({
            "name": format!("claim.{subject}"), "label": subject, "value": "", "required": true,
            "hint": format!("The name by which {} knows the person.", self.provider.name),
        });
        let usual: &[&str] = if self.provider.kind == Kind::Saml { &[] } else { &["email", "name"] };
        let mapped = self.provider.attribute_mapping.values().map(String::as_str);
        let mut names: Vec<&str> = mapped.chain(usual.iter().copied()).filter(|name| *name != subject).collect();
        names.sort_unstable();
        names.dedup();
        let field = |name: &str| {
            let mapping = self.provider.attribute_mapping.iter().find(|(_, claim)| *claim == name);
            let hint = mapping.map(|(attribute, _)| format!("Becomes the attribute {attribute}."));
            json!({ "name": format!("claim.{name}"), "label": name, "value": "", "hint": hint, "required": false })
        };
        std::iter::once(first).chain(names.into_iter().map(field)).collect()
    }

    fn answer(&self, form: &Fields) -> Response {
        if form.get("decision") == Some("deny") {
            return self.back(&[("error", "access_denied"), ("error_description", "The user went back")]);
        }
        match claims(form) {
            Ok(claims) if claims.get(self.provider.subject_claim()).is_some_and(|subject| !subject.is_null()) => {
                let arrival = Arrival { trip: self.state.to_owned(), claims };
                let now = Moment::from(self.cloud.now());
                self.back(&[("code", &self.cloud.pages().arrivals.keep(arrival, TRIP, now))])
            }
            Ok(_) => self.page(&format!("Say at least who it is: {}.", self.provider.subject_claim())).html(),
            Err(words) => self.page(words).html(),
        }
    }

    fn back(&self, parameters: &[(&str, &str)]) -> Response {
        let pairs = parameters.iter().copied().chain([("state", self.state)]);
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        redirect(&format!("{}?{query}", self.trip.callback), Vec::new())
    }
}

/// The claims of a form: those with a field of their own, over those that are written as JSON.
fn claims(form: &Fields) -> Result<Claims, &'static str> {
    let mut claims: Claims = match form.get("claims").map(serde_json::from_str) {
        None => Claims::new(),
        Some(Ok(Value::Object(claims))) => claims,
        Some(_) => return Err("The further claims are no JSON object."),
    };
    let typed = form.iter().filter_map(|(name, value)| Some((name.strip_prefix("claim.")?, value)));
    claims.extend(typed.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), json!(value))));
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_come_from_fields_and_from_json() {
        let read = |form: &str| claims(&Fields::read(form.as_bytes()));
        let all =
            read("claim.sub=1&claim.email=&claims=%7B%22email%22%3A%22a%40x.y%22%2C%22sub%22%3A2%7D").expect("claims");
        assert_eq!(Value::Object(all), json!({ "sub": "1", "email": "a@x.y" }));
        assert!(read("claims=%5B%5D").is_err());
        assert_eq!(read("").map(|claims| claims.len()), Ok(0));
    }
}
