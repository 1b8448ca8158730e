//! Whatever API Gateway were to send, an authorizer reads it without falling over, and its answer stays within the API.
//!
//! `cargo +nightly fuzz run authorizer_event`

#![no_main]

use authorizer::{Caller, Event, Question, Settings, Verdict};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|event: &[u8]| {
    let Ok(event) = serde_json::from_slice::<Value>(event) else { return };
    let arn = event["routeArn"].as_str().or(event["methodArn"].as_str()).unwrap_or_default().to_owned();
    let Ok(event) = serde_json::from_value::<Event>(event) else { return };
    for (query, simple) in [(None, true), (Some("t".to_owned()), false)] {
        let settings = Settings { header: Some("Authorization".to_owned()), query, simple };
        let Ok(question) = Question::read(&event, &settings) else { continue };
        assert!(question.token().is_none_or(|token| !token.is_empty() && token.trim() == token));
        let allowed = question.answer(&Verdict::Allow(Caller::new("alice"))).expect("who may pass is answered");
        for verdict in [Verdict::Deny("alice".to_owned()), Verdict::Unauthorized] {
            let answer = question.answer(&verdict).unwrap_or_default();
            assert_ne!(answer["isAuthorized"], true);
            assert_ne!(answer["policyDocument"]["Statement"][0]["Effect"], "Allow");
        }
        if let Some(resource) = allowed["policyDocument"]["Statement"][0]["Resource"].as_str() {
            let stage: Vec<&str> = arn.splitn(3, '/').take(2).collect();
            assert!(resource.starts_with(&format!("{}/", stage.join("/"))), "{resource} for {arn}");
            assert!(!stage[0].contains('*') || !stage[0].ends_with('*'), "{resource}");
        }
    }
});
