//! What stackgen makes of a REST API with all that it may have, deployed to the embedded cloud and called.

use aws_sdk_cloudformation::types::Parameter;
use serde_json::{Value, json};

use crate::cases::client::{Received, Sent};
use crate::cases::setup::{ARCHIVE, BUCKET, Standing, World};
use crate::project::Project;

struct Api {
    world: World,
    standing: Standing,
}

impl Api {
    async fn deployed() -> Self {
        let mut template: Value =
            serde_json::from_str(include_str!("rest/everything.json")).expect("the template is JSON");
        template["Outputs"]["Api"] = json!({ "Value": { "Ref": "Api" } });
        let parameter =
            |(name, value): (&str, &str)| Parameter::builder().parameter_key(name).parameter_value(value).build();
        let parameters = [("AssetBucket", BUCKET), ("DecideCodeKey", ARCHIVE), ("OrdersCodeKey", ARCHIVE)];
        let world = World::new().await;
        let standing = world.deploy(&[], |_| (template, parameters.map(parameter).to_vec())).await;
        Self { standing: standing.expect("the stack can be deployed"), world }
    }

    async fn call(&self, method: &str, target: &str) -> Received {
        let sent = Sent { method: method.to_owned(), target: target.to_owned(), ..Sent::default() };
        self.world.call(&self.standing, &sent).await
    }
}

fn header(received: &Received, name: &str) -> String {
    received.header(name, false).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_with_everything_is_served() {
    let api = Api::deployed().await;
    assert!(api.standing.outputs["url"].contains("/_aws/execute-api/"), "{:?}", api.standing.outputs);

    let open = api.call("GET", "/prod/").await;
    assert_eq!((open.status, open.text().as_str()), (200, "{\"ok\": true}"));
    assert_eq!(header(&open, "cache-control"), "no-store");

    let preflight = api.call("OPTIONS", "/prod/orders").await;
    assert_eq!(
        (preflight.status, header(&preflight, "access-control-allow-methods").as_str()),
        (204, "GET,OPTIONS,POST")
    );

    for (method, target) in [("GET", "/prod/orders?page=1"), ("POST", "/prod/orders"), ("GET", "/prod/orders/1")] {
        let refused = api.call(method, target).await;
        assert_eq!(refused.status, 401, "{method} {target}");
        assert_eq!(header(&refused, "www-authenticate"), "Bearer", "{method} {target}");
        assert_eq!(header(&refused, "access-control-allow-origin"), "https://example.com", "{method} {target}");
    }

    let unsigned = api.call("DELETE", "/prod/orders/1").await;
    assert_eq!(
        (unsigned.status, header(&unsigned, "x-amzn-errortype").as_str()),
        (403, "MissingAuthenticationTokenException")
    );
    let denied = api.call("GET", "/test/").await;
    assert_eq!((denied.status, header(&denied, "x-amzn-errortype").as_str()), (403, "AccessDeniedException"));
    api.world.end().await;
}

/// An API with what is mock, with one more route or without it.
fn api_with(route: &str) -> String {
    format!(
        "\
restApis:
  Api:
    name: api
    cloudWatchRole: destroy
    stages: {{ test: {{}} }}
    routes:
      GET /kept: {{ mock: {{ status: 200 }}, public: true }}
{route}outputs: {{ url: {{ url: Api }} }}
"
    )
}

#[test]
fn a_route_that_leaves_a_rest_api_is_closed_at_once() {
    let project = Project::local_with("protected-api");
    let write = |route: &str| std::fs::write(project.stack_file(), api_with(route)).expect("it is writable");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let status = |path: &str| {
        let outputs = project.done(&["outputs", project.stack()]);
        let url = outputs[project.stack()]["url"].as_str().expect("it has a URL").to_owned();
        let called = runtime.block_on(reqwest::get(format!("{}{path}", url.trim_end_matches('/'))));
        called.expect("it answers").status().as_u16()
    };
    write("      GET /old: { mock: { status: 200 }, public: true }\n");
    project.deploy();
    assert_eq!((status("/kept"), status("/old")), (200, 200));

    write("");
    let told = project.deploy();
    assert!(told.said.contains("two steps:"), "{}", told.said);
    assert_eq!((status("/kept"), status("/old")), (200, 403));
    let again = project.deploy();
    assert_eq!(again.answer["stacks"][0]["result"], "unchanged", "{}", again.answer);

    write("      GET /new: { mock: { status: 200 }, public: true }\n");
    assert!(!project.deploy_accepting("GET /new").said.contains("two steps:"), "something comes and nothing goes");
    assert_eq!((status("/kept"), status("/new")), (200, 200));
    project.destroy();
}
