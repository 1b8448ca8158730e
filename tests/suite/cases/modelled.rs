//! The same set-ups as stackgen's own model has them, so that what is tried is what stackgen synthesizes.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use stackgen::model::apigatewayv2::{AccessLogs, Cors, HttpApi, JwtAuthorizer, PayloadFormat, Route, Stage, Throttle};
use stackgen::model::lambda::{Architecture, Function};
use stackgen::model::raw::Parameter;
use stackgen::model::{Ref, Stack, Value};
use stackgen::synth;

use super::setup::{Guard, LOG_FORMAT, Setup};

/// The template that stackgen synthesizes for a set-up; `None` where its model cannot say what a case needs, such as
/// an API without the permission to invoke its function.
pub(crate) fn template(setup: &Setup, journal: &str) -> Option<Json> {
    let stack = stack(setup, journal)?;
    let template = synth::synthesize("case", &stack).ok()?;
    let mut template: Json = serde_json::from_str(&template.to_json()).expect("a template is JSON");
    if let Some(group) = log_group(&template) {
        template["Outputs"]["Log"] = serde_json::json!({ "Value": { "Ref": group } });
    }
    Some(template)
}

fn stack(setup: &Setup, journal: &str) -> Option<Stack> {
    if !setup.permission || setup.function_url {
        return None;
    }
    let mut stack = Stack::default();
    let architecture = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };
    let function = Function::from_zip("function.zip")
        .timeout(u32::try_from(setup.function_timeout).ok()?)
        .architecture(architecture)
        .variable("CASE_JOURNAL", format!("{journal}.function"));
    let function = stack.add("Function", function);
    let mut api = HttpApi::default().name("case").payload_format(payload_format(&setup.payload)?);
    let authorizer = match &setup.guard {
        Guard::Open => None,
        Guard::Jwt { source, issuer, audience } => {
            // The model wants an encrypted connection to an issuer whose URL it sees.
            stack.parameters.insert("Issuer".to_owned(), parameter(issuer));
            let trusting = JwtAuthorizer::trusting(Value::Ref("Issuer".to_owned()), audience.clone());
            api = api.authorizer("Tokens", trusting.identity_source(source.as_str()));
            Some("Tokens")
        }
        Guard::Iam | Guard::Request { .. } => return None,
    };
    for (key, scopes) in &setup.routes {
        api = api.route(key, route(setup, &function, authorizer, scopes)?);
    }
    api.stages = stages(setup)?;
    api.cors = setup.cors.as_ref().map(cors);
    stack.add("Api", api);
    stack.output("Api", Value::Ref("Api".to_owned()));
    Some(stack)
}

fn parameter(value: &str) -> Parameter {
    Parameter { default: Some(value.into()), ..Parameter::default() }
}

fn payload_format(name: &str) -> Option<PayloadFormat> {
    match name {
        "1.0" => Some(PayloadFormat::V1),
        "2.0" => Some(PayloadFormat::V2),
        _ => None,
    }
}

fn route(setup: &Setup, function: &Ref<Function>, authorizer: Option<&str>, scopes: &[String]) -> Option<Route> {
    let mut route = Route::new(function.clone()).scopes(scopes.to_vec());
    route = match authorizer {
        Some(name) => route.authorizer(name),
        None => route.public(),
    };
    if let Some(timeout) = setup.integration_timeout {
        route = route.timeout_in_millis(u32::try_from(timeout).ok()?);
    }
    if let Some((burst, rate)) = &setup.throttle {
        route = route.throttle(Throttle::new(rate.as_f64()?, u32::try_from(burst.as_u64()?).ok()?));
    }
    Some(route)
}

fn stages(setup: &Setup) -> Option<BTreeMap<String, Stage>> {
    let variables = setup.variables.as_object()?.iter();
    let variables: BTreeMap<String, Value> =
        variables.map(|(name, value)| Some((name.clone(), value.as_str()?.into()))).collect::<Option<_>>()?;
    let logs = AccessLogs { enabled: setup.logged, ..AccessLogs::default() };
    let stage = Stage::default().stage_variables(variables).access_logs(logs.format(LOG_FORMAT));
    Some(setup.stages.iter().map(|name| (name.clone(), stage.clone())).collect())
}

fn cors(declared: &Json) -> Cors {
    let texts = |name: &str| -> Vec<String> {
        let items = declared[name].as_array().into_iter().flatten();
        items.filter_map(Json::as_str).map(str::to_owned).collect()
    };
    let origins: Vec<Value> = texts("AllowOrigins").into_iter().map(Value::from).collect();
    let mut cors = Cors::default()
        .allow_origins(origins)
        .allow_methods(texts("AllowMethods"))
        .allow_headers(texts("AllowHeaders"))
        .expose_headers(texts("ExposeHeaders"))
        .allow_credentials(declared["AllowCredentials"] == true);
    cors.max_age = declared["MaxAge"].as_i64().and_then(|age| i32::try_from(age).ok());
    cors
}

/// The id of the log group that a stage of a template writes to.
fn log_group(template: &Json) -> Option<String> {
    let stages = template["Resources"].as_object()?.values();
    let mut stages = stages.filter(|resource| resource["Type"] == "AWS::ApiGatewayV2::Stage");
    let log = stages.find_map(|stage| {
        let arn = stage["Properties"]["AccessLogSettings"].get("DestinationArn")?;
        arn["Fn::GetAtt"][0].as_str().or_else(|| arn["Fn::GetAtt"].as_str()?.split('.').next())
    });
    log.map(str::to_owned)
}
