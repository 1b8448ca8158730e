//! Quick create: an HTTP API that is made together with the one thing that it leads to.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Api, DEFAULT_STAGE, Integration, Route, Stage, bad_request, declared, function_arn};
use crate::part::Parts;
use crate::wire::Fault;

/// What a request says of it:
/// <https://docs.aws.amazon.com/apigateway/latest/api-reference/apis.html>.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct QuickCreate {
    target: Option<String>,
    route_key: Option<String>,
    credentials_arn: Option<String>,
}

impl QuickCreate {
    /// What the members of a request ask for.
    pub(super) fn of(members: &Map<String, Value>) -> Result<Self, Fault> {
        let quick: Self = declared(members.clone())?;
        match quick.credentials_arn {
            Some(_) => Err(bad_request("CredentialsArn of an API is not offered by the local cloud")),
            None => Ok(quick),
        }
    }

    /// Refuses to change what an API was made with: its parts can be changed themselves.
    pub(super) fn refused_in_update(members: &Map<String, Value>) -> Result<(), Fault> {
        let quick = Self::of(members)?;
        let stated = [("Target", quick.target.is_some()), ("RouteKey", quick.route_key.is_some())];
        match stated.iter().find(|(_, stated)| *stated) {
            Some((name, _)) => Err(bad_request(format!("{name} in an update is not offered by the local cloud"))),
            None => Ok(()),
        }
    }

    /// Makes the integration, the route that leads to it, and a stage that deploys by itself.
    pub(super) fn complete(self, api: &mut Api) -> Result<(), Fault> {
        let Some(target) = self.target else { return Ok(()) };
        if api.is_web_socket() {
            return Err(bad_request("Target is not supported for WEBSOCKET APIs"));
        }
        let integration = api.add(integration(target))?;
        let route_key = self.route_key.unwrap_or_else(|| "$default".to_owned());
        api.add(Route { route_key, target: Some(format!("integrations/{integration}")), ..Route::default() })?;
        api.add(Stage { stage_name: DEFAULT_STAGE.to_owned(), auto_deploy: true, ..Stage::default() })?;
        Ok(())
    }
}

fn integration(target: String) -> Integration {
    let (kind, method, version) = match function_arn(&target) {
        Some(_) => ("AWS_PROXY", "POST", "2.0"),
        None => ("HTTP_PROXY", "ANY", "1.0"),
    };
    Integration {
        integration_type: kind.to_owned(),
        integration_method: Some(method.to_owned()),
        payload_format_version: Some(version.to_owned()),
        integration_uri: Some(target),
        ..Integration::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::apigatewayv2::Settings;

    fn made(protocol: &str, members: Value) -> Result<Api, String> {
        let mut api = Api::default();
        let route_selection_expression = Some("$request.body.action".to_owned()).filter(|_| protocol == "WEBSOCKET");
        let settings = Settings {
            name: "a".to_owned(),
            protocol_type: protocol.to_owned(),
            route_selection_expression,
            ..Settings::default()
        };
        api.configure(settings).expect("it is an API");
        let Value::Object(members) = members else { return Ok(api) };
        QuickCreate::of(&members).and_then(|quick| quick.complete(&mut api)).map_err(|fault| fault.message)?;
        Ok(api)
    }

    #[test]
    fn an_api_leads_to_its_target() {
        let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
        for (target, kind) in [(function, "AWS_PROXY"), ("https://example.com", "HTTP_PROXY")] {
            let api = made("HTTP", json!({ "target": target, "routeKey": "GET /x" })).expect("it is made");
            let (id, integration) = api.live.integrations.first_key_value().expect("an integration");
            assert_eq!(
                (integration.integration_type.as_str(), integration.integration_uri.as_deref()),
                (kind, Some(target))
            );
            let route = api.live.routes.values().next().expect("a route");
            assert_eq!(
                (route.route_key.as_str(), route.target.clone()),
                ("GET /x", Some(format!("integrations/{id}")))
            );
            assert!(api.stages[DEFAULT_STAGE].auto_deploy);
        }
        let api = made("HTTP", json!({ "target": function })).expect("it is made");
        assert!(api.live.routes.values().all(|route| route.route_key == "$default"));
        assert!(made("HTTP", json!({})).is_ok_and(|api| api.live.routes.is_empty() && api.stages.is_empty()));
    }

    #[test]
    fn what_is_not_offered_is_named() {
        let refused = |protocol: &str, members: Value| made(protocol, members).expect_err("it is refused");
        assert!(refused("WEBSOCKET", json!({ "target": "https://example.com" })).contains("Target"));
        assert!(
            refused("HTTP", json!({ "credentialsArn": "arn:aws:iam::000000000000:role/r" })).contains("CredentialsArn")
        );
        let update = json!({ "routeKey": "GET /x" });
        let refused = QuickCreate::refused_in_update(update.as_object().expect("members"));
        assert!(refused.is_err_and(|fault| fault.message.contains("RouteKey")));
    }
}
