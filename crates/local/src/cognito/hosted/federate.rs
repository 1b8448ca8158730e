//! To other identity providers, and back.
//!
//! An OpenID Connect provider on this machine is really spoken to. Every other one is played by a stand-in, so that nothing
//! leaves the machine.

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::cognito::federation::{self, Claims};
use crate::cognito::hosted::asked::{Asked, Refusal};
use crate::cognito::hosted::call::{Call, Fields, hashed, secret};
use crate::cognito::hosted::oidc;
use crate::cognito::hosted::page::redirect;
use crate::cognito::hosted::shelf::{self, Trip};
use crate::cognito::hosted::visit;
use crate::cognito::provider::{Kind, Provider};
use crate::cognito::sign_in::Door;
use crate::wire::Response;

/// The cookie of a browser that is away: whoever comes back must be the one who left.
const AWAY: &str = "cognito-away";

/// Sends the browser to a provider.
pub(super) async fn leave(call: &Call<'_>, asked: &Asked, provider: &Provider) -> Result<Response, Refusal> {
    let browser = secret();
    let path = if provider.kind == Kind::Saml { "saml2" } else { "oauth2" };
    let trip = Trip {
        pool: call.site.pool.clone(),
        provider: provider.name.clone(),
        query: asked.query.clone(),
        callback: format!("{}{}/{path}/idpresponse", call.site.origin, call.site.base),
        application: asked.origin(),
        nonce: secret(),
        browser: hashed(&browser),
    };
    let state = call.cloud.pages().trips.keep(trip.clone(), shelf::TRIP, call.now());
    let location = match oidc::issuer(provider) {
        Some(issuer) => {
            oidc::location(provider, &issuer, &trip, &state).await.map_err(|broken| failed(asked, &broken))?
        }
        None => {
            let name = utf8_percent_encode(&provider.name, NON_ALPHANUMERIC);
            format!("{}/_aws/stand-in/{name}/authorize?state={state}", call.site.origin)
        }
    };
    let cookies = vec![call.site.cookie(AWAY, &browser, Some(shelf::TRIP))];
    Ok(redirect(&location, cookies))
}

fn failed(asked: &Asked, words: &str) -> Refusal {
    asked.refused("invalid_request", words)
}

/// `/oauth2/idpresponse` and `/saml2/idpresponse`: takes the browser back.
pub(super) async fn back(call: &Call<'_>) -> Result<Response, Refusal> {
    let given = if call.form.get("state").is_some() { &call.form } else { &call.query };
    let (trip, state) = returned(call, given)?;
    let (asked, provider) = call.read(|pool| {
        let asked = Asked::read(pool, &Fields::read(trip.query.as_bytes()))?;
        Ok((asked, pool.provider(&trip.provider)?.clone()))
    })?;
    if !asked.client.settings.supports(&provider.name) {
        return Err(failed(&asked, "The identity provider is not enabled for the client"));
    }
    if let Some(error) = given.get("error") {
        let words = given.get("error_description").unwrap_or(error);
        return Err(asked.refused(if error == "access_denied" { "access_denied" } else { "invalid_request" }, words));
    }
    let code = given.get("code").unwrap_or_default();
    let claims = claims(call, &provider, &trip, (&state, code)).await.map_err(|broken| failed(&asked, &broken))?;
    let door = Door::of_pages(&call.site.pool, &asked.client);
    let arrived = federation::arrive(call.cloud, &door, &provider, &claims).await;
    let username = arrived.map_err(|fault| failed(&asked, fault.message.trim_end()))?;
    visit::enter(call, &asked, &username, &provider.name).await
}

/// The trip that ends, if this is the browser that left.
fn returned(call: &Call<'_>, given: &Fields) -> Result<(Trip, String), Refusal> {
    let state = given.get("state").unwrap_or_default();
    let trip = call.cloud.pages().trips.take(state, call.now());
    let own = |trip: &Trip| {
        trip.pool == call.site.pool && call.cookie(AWAY).is_some_and(|cookie| hashed(cookie) == trip.browser)
    };
    trip.filter(own).map(|trip| (trip, state.to_owned())).ok_or_else(|| {
        let words =
            "This sign-in was begun in another browser, or too long ago. Go back to the application and try again.";
        Refusal::page(StatusCode::BAD_REQUEST, "That did not work", words)
    })
}

/// What the provider says of the person.
async fn claims(
    call: &Call<'_>,
    provider: &Provider,
    trip: &Trip,
    (state, code): (&str, &str),
) -> Result<Claims, String> {
    if let Some(issuer) = oidc::issuer(provider) {
        return oidc::claims(provider, &issuer, trip, code, call.now()).await;
    }
    let arrival = call.cloud.pages().arrivals.take(code, call.now());
    arrival
        .filter(|arrival| arrival.trip == state)
        .map(|arrival| arrival.claims)
        .ok_or_else(|| "The code is not valid".to_owned())
}
