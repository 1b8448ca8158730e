//! What each limit is tried on.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use stackgen::model::apigateway::{self as rest, ApiKey, Mock, PolicyStatement, RestApi, TokenAuthorizer, UsagePlan};
use stackgen::model::apigatewayv2::{
    AccessLogs, CustomDomain, HttpApi, JwtAuthorizer, MessageRoute, Route, Stage, WebSocketApi,
};
use stackgen::model::lambda::Function;
use stackgen::model::raw::{Output, Parameter, RawResource};
use stackgen::model::{Ref, Stack, Value};
use stackgen::synth::synthesize;
use stackgen::template::{Resource, Template};

use super::{Bound, Subject, Trial};

/// Every trial, in the order of the file. Where AWS has one limit for several kinds of APIs, each kind is tried.
pub(super) const TRIALS: &[Trial] = &[
    ("LIM-01", Bound::Most(0), Subject::Stack(resources)),
    ("LIM-02", Bound::Most(0), Subject::Stack(parameters)),
    ("LIM-03", Bound::Most(0), Subject::Stack(outputs)),
    ("LIM-04", Bound::Most(0), Subject::Template(mappings)),
    ("LIM-05", Bound::Most(0), Subject::Template(attributes_of_a_mapping)),
    ("LIM-06", Bound::Most(0), Subject::Stack(|length| queue(&"a".repeat(length)))),
    ("LIM-06", Bound::Most(0), Subject::Stack(long_parameter_name)),
    ("LIM-06", Bound::Most(0), Subject::Stack(long_output_name)),
    ("LIM-06", Bound::Most(0), Subject::Template(|length| mapped(&"a".repeat(length), 1))),
    ("LIM-07", Bound::None, Subject::Pattern(&["a", "Z9"], BAD_IDS, |id| ("test".to_owned(), queue(id)))),
    ("LIM-08", Bound::Most(0), Subject::Name(|length| "a".repeat(length))),
    ("LIM-09", Bound::None, Subject::Pattern(&["a", "A-9"], BAD_NAMES, |name| (name.to_owned(), smallest()))),
    ("LIM-10", Bound::Most(0), Subject::Stack(long_parameter)),
    ("LIM-11", Bound::Most(0), Subject::Stack(|bytes| smallest().description("a".repeat(bytes)))),
    ("LIM-13", Bound::Most(0), Subject::Stack(template_of)),
    ("LIM-17", Bound::Most(0), Subject::Stack(|count| http(routed(count)))),
    ("LIM-18", Bound::Most(0), Subject::Stack(integrations)),
    ("LIM-19", Bound::Most(0), Subject::Stack(|count| http(guarded(count)))),
    ("LIM-20", Bound::Most(0), Subject::Stack(audiences)),
    ("LIM-21", Bound::Most(0), Subject::Stack(scopes)),
    ("LIM-22", Bound::Most(0), Subject::Stack(|count| http(HttpApi::default().stages(named(count, Stage::default()))))),
    ("LIM-22", Bound::Most(0), Subject::Stack(stages_of_a_web_socket_api)),
    ("LIM-23", Bound::Most(0), Subject::Stack(|count| staged(with_variables(count)))),
    ("LIM-24", Bound::Most(0), Subject::Stack(|length| staged(with_variable(length, 1)))),
    ("LIM-24", Bound::Most(1), Subject::Stack(|length| staged(with_variable(1, length)))),
    ("LIM-24", Bound::Most(0), Subject::Stack(|length| rest_staged(variable(length, 1), 0))),
    ("LIM-24", Bound::Most(1), Subject::Stack(|length| rest_staged(variable(1, length), 0))),
    ("LIM-25", Bound::Most(0), Subject::Stack(|count| staged(Stage::default().tags(named(count, "v".to_owned()))))),
    ("LIM-25", Bound::Most(0), Subject::Stack(|count| rest_staged(BTreeMap::new(), count))),
    ("LIM-26", Bound::Most(0), Subject::Stack(timeout)),
    ("LIM-33", Bound::Most(0), Subject::Stack(log_line)),
    ("LIM-34", Bound::Most(0), Subject::Stack(domains)),
    ("LIM-35", Bound::Most(0), Subject::Stack(mappings_of_a_domain)),
    ("LIM-36", Bound::Most(0), Subject::Stack(paths)),
    ("LIM-37", Bound::Most(0), Subject::Stack(rest_authorizers)),
    ("LIM-38", Bound::Most(0), Subject::Stack(rest_stages)),
    ("LIM-39", Bound::Most(0), Subject::Stack(|count| rest_staged(named(count, "v".into()), 0))),
    ("LIM-40", Bound::Least(0), Subject::Stack(rest_timeout)),
    ("LIM-40", Bound::Most(1), Subject::Stack(rest_timeout)),
    ("LIM-43", Bound::Most(0), Subject::Stack(policy)),
    ("LIM-45", Bound::Most(0), Subject::Stack(|count| plans(count, 0))),
    ("LIM-45", Bound::Most(1), Subject::Stack(|count| plans(count, count))),
    ("LIM-46", Bound::Most(0), Subject::Stack(throttles_of_a_plan)),
    ("LIM-47", Bound::Most(1), Subject::Stack(remembered)),
    ("LIM-50", Bound::Most(0), Subject::Stack(|seconds| function(code().timeout(number(seconds))))),
    ("LIM-51", Bound::Least(0), Subject::Stack(|size| function(code().memory_size(number(size))))),
    ("LIM-51", Bound::Most(1), Subject::Stack(|size| function(code().memory_size(number(size))))),
    ("LIM-52", Bound::Most(0), Subject::Stack(environment)),
    ("LIM-53", Bound::Most(0), Subject::Stack(layers)),
];

const BAD_IDS: &[&str] = &["", "my-queue", "my_queue", "queue.one", "Größe"];
const BAD_NAMES: &[&str] = &["", "1a", "-a", "a_b", "a.b", "größe"];

fn number(number: usize) -> u32 {
    u32::try_from(number).expect("limits are smaller")
}

/// So many things under names of their own.
fn named<T: Clone>(count: usize, thing: T) -> BTreeMap<String, T> {
    (0..count).map(|at| (format!("n{at}"), thing.clone())).collect()
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("t{at}")).collect()
}

fn raw(kind: &str, properties: &[(&str, Json)]) -> RawResource {
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    RawResource { properties: properties.collect(), ..RawResource::new(kind) }
}

/// A stack with one queue.
fn queue(id: &str) -> Stack {
    let mut stack = Stack::default();
    stack.resources.insert(id.to_owned(), RawResource::new("AWS::SQS::Queue"));
    stack
}

/// A stack that nobody has anything against.
pub(super) fn smallest() -> Stack {
    queue("Queue")
}

fn resources(count: usize) -> Stack {
    Stack::default().resources(named(count, RawResource::new("AWS::SQS::Queue")))
}

fn parameters(count: usize) -> Stack {
    smallest().parameters(named(count, Parameter::default().default_value("v")))
}

fn outputs(count: usize) -> Stack {
    smallest().outputs(named(count, Output::from(Value::from("v"))))
}

fn long_parameter_name(length: usize) -> Stack {
    smallest().parameters(BTreeMap::from([("a".repeat(length), Parameter::default().default_value("v"))]))
}

fn long_output_name(length: usize) -> Stack {
    smallest().outputs(BTreeMap::from([("a".repeat(length), Output::from(Value::from("v")))]))
}

fn long_parameter(bytes: usize) -> Stack {
    // Two bytes a letter: it is not letters that are counted.
    let text = "ä".repeat(bytes / 2) + &"a".repeat(bytes % 2);
    smallest().parameters(BTreeMap::from([("Text".to_owned(), Parameter::default().default_value(text))]))
}

/// A stack whose template has so many bytes.
fn template_of(bytes: usize) -> Stack {
    let with = |text: String| {
        let mut stack = smallest();
        stack.resources.insert("Text".to_owned(), raw("AWS::SSM::Parameter", &[("Value", text.into())]));
        stack
    };
    let without = synthesize("test", &with(String::new())).expect("it is small").to_json().len();
    with("a".repeat(bytes - without))
}

fn template() -> Template {
    let mut template = Template::default();
    template.resources.insert("Queue".to_owned(), Resource::new("AWS::SQS::Queue"));
    template
}

fn mapped(name: &str, rows: usize) -> Template {
    let mut template = template();
    template.mappings.insert(name.to_owned(), json!(named(rows, json!({ "a": "b" }))));
    template
}

fn mappings(count: usize) -> Template {
    template().mappings(named(count, json!({ "a": { "b": "c" } })))
}

fn attributes_of_a_mapping(count: usize) -> Template {
    mapped("Map", count)
}

fn code() -> Function {
    Function::from_directory("code")
}

fn function(function: Function) -> Stack {
    let mut stack = Stack::default();
    stack.add("F", function);
    stack
}

fn answers() -> Ref<Function> {
    Ref::new("F")
}

fn open() -> Route {
    Route::new(answers()).public()
}

fn http(api: HttpApi) -> Stack {
    let mut stack = function(code());
    stack.add("Api", api);
    stack
}

fn routed(count: usize) -> HttpApi {
    (0..count).fold(HttpApi::default(), |api, at| api.route(format!("GET /r{at}"), open()))
}

/// An API with one integration too many has too many resources, if each belongs to a route: these belong to none.
fn integrations(count: usize) -> Stack {
    let integration = raw(
        "AWS::ApiGatewayV2::Integration",
        &[
            ("ApiId", json!({ "Ref": "Api" })),
            ("IntegrationType", "HTTP_PROXY".into()),
            ("IntegrationMethod", "GET".into()),
            ("IntegrationUri", "https://example.com".into()),
            ("PayloadFormatVersion", "1.0".into()),
        ],
    );
    http(HttpApi::default()).resources(named(count, integration))
}

fn trusting(audience: usize) -> JwtAuthorizer {
    JwtAuthorizer::trusting("https://login.example.com/", texts(audience))
}

fn guarded(count: usize) -> HttpApi {
    (0..count).fold(HttpApi::default(), |api, at| {
        let name = format!("A{at}");
        api.authorizer(&name, trusting(1)).route(format!("GET /r{at}"), Route::new(answers()).authorizer(name))
    })
}

fn audiences(count: usize) -> Stack {
    let api = HttpApi::default().authorizer("A", trusting(count));
    http(api.route("GET /", Route::new(answers()).authorizer("A")))
}

fn scopes(count: usize) -> Stack {
    let api = HttpApi::default().authorizer("A", trusting(1));
    http(api.route("GET /", Route::new(answers()).authorizer("A").scopes(texts(count))))
}

fn stages_of_a_web_socket_api(count: usize) -> Stack {
    let mut stack = function(code());
    let api = WebSocketApi::default().route("$connect", MessageRoute::new(answers()).public());
    stack.add("Api", api.stages(named(count, Stage::default())));
    stack
}

fn staged(stage: Stage) -> Stack {
    http(HttpApi::default().stage("beta", stage))
}

fn variable(name: usize, value: usize) -> BTreeMap<String, Value> {
    BTreeMap::from([("a".repeat(name), "b".repeat(value).into())])
}

fn with_variable(name: usize, value: usize) -> Stage {
    Stage::default().stage_variables(variable(name, value))
}

fn with_variables(count: usize) -> Stage {
    Stage::default().stage_variables(named(count, "v".into()))
}

fn timeout(milliseconds: usize) -> Stack {
    http(HttpApi::default().route("GET /", open().timeout_in_millis(number(milliseconds))))
}

fn log_line(bytes: usize) -> Stack {
    staged(Stage::default().access_logs(AccessLogs::default().format(format!("{:a<bytes$}", "$context.requestId"))))
}

fn quiet() -> Stage {
    Stage::default().access_logs(AccessLogs::default().enabled(false))
}

/// So many APIs with domains of their own.
fn domains(count: usize) -> Stack {
    let mut stack = Stack::default();
    for at in 0..count {
        let domain = CustomDomain {
            name: format!("a{at}.example.com").into(),
            certificate_arn: "arn:aws:acm:us-east-1:000000000000:certificate/a".into(),
            mapping: None,
            stage: None,
        };
        stack.add(format!("Api{at}"), HttpApi::default().stage("$default", quiet()).custom_domain(domain));
    }
    stack
}

/// So many mappings below two steps of a path, and one below a single step, which does not count.
fn mappings_of_a_domain(count: usize) -> Stack {
    let mapping = |key: String| {
        let properties =
            [("ApiId", "a".into()), ("ApiMappingKey", key.into()), ("DomainName", "d".into()), ("Stage", "s".into())];
        raw("AWS::ApiGatewayV2::ApiMapping", &properties)
    };
    let mut stack = Stack::default();
    stack.resources.insert("Single".to_owned(), mapping("single".to_owned()));
    stack.resources.extend((0..count).map(|at| (format!("M{at}"), mapping(format!("a/m{at}")))));
    stack
}

fn rest_api(api: RestApi) -> Stack {
    let mut stack = function(code());
    stack.add("Api", api.cloud_watch_role(rest::CloudWatchRole::Existing));
    stack
}

fn mocked() -> rest::Route {
    rest::Route::mock(Mock::default()).public()
}

/// So many resources of API Gateway, which are steps of paths.
fn paths(count: usize) -> Stack {
    const DEEP: usize = 50;
    let routes = (0..count).step_by(DEEP).map(|at| {
        let steps = (0..DEEP.min(count - at)).map(|_| format!("/s{at}")).collect::<String>();
        (format!("GET {steps}"), mocked())
    });
    rest_api(RestApi::default().routes(routes.collect::<BTreeMap<_, _>>()))
}

fn rest_authorizers(count: usize) -> Stack {
    let api = (0..count).fold(RestApi::default(), |api, at| {
        let name = format!("A{at}");
        let guarded = rest::Route::mock(Mock::default()).authorizer(&*name);
        api.authorizer(&name, TokenAuthorizer::new(answers())).route(format!("GET /r{at}"), guarded)
    });
    rest_api(api)
}

fn rest_stages(count: usize) -> Stack {
    rest_api(RestApi::default().route("GET /", mocked()).stages(named(count, rest::Stage::default())))
}

fn rest_staged(variables: BTreeMap<String, Value>, tags: usize) -> Stack {
    let stage = rest::Stage::default().variables(variables).tags(named(tags, "v".to_owned()));
    rest_api(RestApi::default().route("GET /", mocked()).stage("prod", stage))
}

fn rest_timeout(milliseconds: usize) -> Stack {
    let route = rest::Route::new(answers()).public().timeout_in_millis(number(milliseconds));
    rest_api(RestApi::default().route("GET /", route))
}

/// An API with a policy of so many characters.
fn policy(length: usize) -> Stack {
    let with = |principal: String| {
        let allow = PolicyStatement::allow([format!("arn:aws:iam::000000000000:role/{principal}")]);
        rest_api(RestApi::default().route("GET /", mocked()).policy([allow]))
    };
    let template = synthesize("test", &with(String::new())).expect("it is short");
    let without = template.resources["Api"].properties["Policy"].to_string().len();
    with("a".repeat(length - without))
}

/// An API with so many usage plans, of which some have its only key.
fn plans(count: usize, with_key: usize) -> Stack {
    let plan = |at: usize| {
        let keys: Vec<String> = (at < with_key).then(|| "Key".to_owned()).into_iter().collect();
        (format!("n{at}"), UsagePlan::default().api_keys(keys))
    };
    let api = RestApi::default().route("GET /", mocked()).api_key("Key", ApiKey::default());
    rest_api(api.usage_plans((0..count).map(plan).collect::<BTreeMap<_, _>>()))
}

fn throttles_of_a_plan(count: usize) -> Stack {
    let routes = (0..count).fold(RestApi::default(), |api, at| api.route(format!("GET /r{at}"), mocked()));
    let throttles: BTreeMap<_, _> = (0..count).map(|at| (format!("GET /r{at}"), rest::Throttle::new(1.0, 1))).collect();
    rest_api(routes.usage_plan("Basic", UsagePlan::default().routes(throttles)))
}

fn remembered(seconds: usize) -> Stack {
    let token = TokenAuthorizer::new(answers()).authorizer_result_ttl_in_seconds(number(seconds));
    let guarded = rest::Route::mock(Mock::default()).authorizer("A");
    rest_api(RestApi::default().authorizer("A", token).route("GET /", guarded))
}

/// A function with an environment of so many bytes, as Lambda measures it.
fn environment(bytes: usize) -> Stack {
    let text = "a".repeat(bytes - json!({ "TEXT": "" }).to_string().len());
    function(code().variable("TEXT", text))
}

fn layers(count: usize) -> Stack {
    let layer = |at: usize| Value::from(format!("arn:aws:lambda:us-east-1:000000000000:layer:l{at}:1"));
    function(code().layers((0..count).map(layer).collect::<Vec<_>>()))
}
