//! Answers that a stage keeps, and gives again instead of asking the integration.
//!
//! Whoever is answered has been let in first: the cache is the last question before the integration. As on AWS it keeps
//! whatever the integration answered, an error too, and heeds no `Cache-Control` of the integration.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html>.

use std::collections::BTreeMap;

use http::Method as Verb;
use http::header::{HeaderValue, WARNING};

use super::call::{Call, Routed};
use super::mapping::{self, Place};
use super::refusal::Refusal;
use super::{Notes, context, integration, policy};
use crate::apigateway::{Integration, MethodSetting};
use crate::cloud::Cloud;
use crate::gateway::answer::Answer;
use crate::gateway::request::told_apart;
use crate::gateway::store::{Store, Weighed};

/// The answers of all stages.
pub(in crate::gateway) type Caches = Store<Kept>;

/// The largest body that is kept.
const LARGEST: usize = 1_048_576;
/// Seconds for which answers are kept where nothing else is said.
const USUAL: u32 = 300;
/// What a client is told whose wish for a fresh answer is not heard.
const UNHEARD: HeaderValue =
    HeaderValue::from_static("199 Cache-control headers were ignored because the caller was unauthorized.");

/// An answer that may be given again.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::gateway) struct Kept {
    answer: Answer,
    /// How the function spelled the names of its headers.
    spelling: BTreeMap<String, String>,
}

impl Weighed for Kept {
    fn bytes(&self) -> usize {
        let headers = self.answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        self.answer.body.len() + headers.sum::<usize>()
    }
}

/// How answers of a method are kept.
struct Terms<'a> {
    setting: &'a MethodSetting,
    key: Vec<String>,
    seconds: u32,
}

/// What becomes of a client's wish for a fresh answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// There is none, or it is not heard.
    Silent,
    /// The integration is asked, and its answer kept in the place of the old one.
    Granted,
    /// It is not heard, and the client is told so.
    Unheard,
}

/// Lets the stage's cache answer, or else the integration.
pub(super) async fn answer(cloud: &Cloud, call: &Call, routed: &Routed, notes: &mut Notes) -> Result<Answer, Refusal> {
    let Some(terms) = Terms::of(call, routed, notes) else {
        return integration::answer(cloud, call, routed, notes).await;
    };
    let wish = terms.wish(cloud, call)?;
    let caches = &cloud.gateway().rest_answers;
    let kept = caches.get(&terms.key, call.time).filter(|_| wish != Wish::Granted);
    let mut answer = match kept {
        Some(kept) => {
            notes.spelling.clone_from(&kept.spelling);
            kept.answer.clone()
        }
        None => {
            let answer = integration::answer(cloud, call, routed, notes).await?;
            if answer.body.len() <= LARGEST {
                let kept = Kept { answer: answer.clone(), spelling: notes.spelling.clone() };
                caches.keep(terms.key, kept, call.time, terms.seconds);
            }
            answer
        }
    };
    if wish == Wish::Unheard {
        answer.headers.insert(WARNING, UNHEARD);
    }
    Ok(answer)
}

impl<'a> Terms<'a> {
    /// The terms of a method whose answers are kept.
    fn of(call: &'a Call, routed: &Routed, notes: &Notes) -> Option<Self> {
        let integration = routed.method.method_integration.as_ref()?;
        let setting = setting(call, routed)?;
        let seconds = setting.cache_ttl_in_seconds.unwrap_or(USUAL);
        let kept = call.bound.stage.cache_cluster_enabled && setting.caching_enabled == Some(true) && seconds > 0;
        kept.then(|| Self { setting, key: key(call, routed, integration, notes), seconds })
    }

    /// Whether the client wants a fresh answer, and may have it.
    fn wish(&self, cloud: &Cloud, call: &Call) -> Result<Wish, Refusal> {
        let guarded = self.setting.require_authorization_for_cache_control.unwrap_or(true);
        if !wants_fresh(call) {
            return Ok(Wish::Silent);
        }
        if !guarded {
            return Ok(Wish::Granted);
        }
        let Err(refusal) = policy::check_renewal(cloud, call) else { return Ok(Wish::Granted) };
        match self.setting.unauthorized_cache_control_header_strategy.as_deref() {
            Some("FAIL_WITH_403") => Err(refusal),
            Some("SUCCEED_WITHOUT_RESPONSE_HEADER") => Ok(Wish::Silent),
            _ => Ok(Wish::Unheard),
        }
    }
}

/// The stage's settings of the method; those of every method are about caching `GET` only.
fn setting<'a>(call: &'a Call, routed: &Routed) -> Option<&'a MethodSetting> {
    let (settings, verb) = (&call.bound.stage.method_settings, &call.request.method);
    let own = settings.get(&routed.setting_key(verb));
    own.or_else(|| settings.get("*/*").filter(|_| *verb == Verb::GET))
}

fn wants_fresh(call: &Call) -> bool {
    let header = call.header("cache-control").unwrap_or_default();
    header.split(',').any(|directive| directive.trim().eq_ignore_ascii_case("max-age=0"))
}

/// What tells one answer from another: the stage and what it serves, the namespace, the method, and the value of each
/// parameter that the integration names, or that there is none. A deployment or a cache of another size begins empty.
fn key(call: &Call, routed: &Routed, integration: &Integration, notes: &Notes) -> Vec<String> {
    let stage = &call.bound.stage;
    let mut key = vec![
        call.bound.api.clone(),
        stage.stage_name.clone(),
        stage.deployment_id.clone(),
        stage.cache_cluster_size.clone().unwrap_or_default(),
        integration.cache_namespace.clone().unwrap_or_else(|| routed.resource_id.clone()),
        call.request.method.to_string(),
    ];
    let context = context::of(call, notes);
    let place = Place { call, context: &context, input: &call.request.body };
    for name in &integration.cache_key_parameters {
        let value = value(integration.request_parameters.get(name).unwrap_or(name), &place);
        key.extend([name.clone(), value.map_or_else(String::new, |value| format!("={value}"))]);
    }
    key
}

fn value(expression: &str, place: &Place<'_>) -> Option<String> {
    let value = mapping::parameter(expression, place)?;
    Some(told_apart(&place.call.request, expression, value))
}
