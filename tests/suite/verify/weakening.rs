//! Weakenings of a deployment, and what verification says of each.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{Capability, Parameter, StackStatus};
use aws_sdk_s3::Client as Store;
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use super::{assert_proved, doors, nobody_is_left, verify, with_outcome};
use crate::project::{Project, Told};

/// Something that is done to a deployed template.
struct Weakening {
    /// What is done.
    what: &'static str,
    /// The door that stands open, or stays shut, then.
    door: &'static str,
    act: fn(&mut Template),
}

/// What cannot be seen from outside, with the reason. What is weaker in the template is told all the same.
const UNSEEN: &[(&str, &str)] = &[
    ("decisions are remembered for longer", "whoever passes, passes; how long after a revocation takes hours to see"),
    ("an identity source is dropped", "the function refuses then what the gateway refused before"),
    ("a limit is raised", "reaching a limit on purpose would keep others out"),
    ("a function may do more", "what a function may do is not the caller's to try"),
    ("a pool lets people sign up by themselves", "it would leave users behind that nobody can remove"),
    ("a policy of an API loses a condition", "the file does not tell whether a caller fulfils it"),
];

const WEAKENINGS: &[Weakening] = &[
    Weakening { what: "a route becomes public", door: "GET /opened of Http", act: |t| t.public("HttpGetOpened") },
    Weakening {
        what: "scopes are dropped",
        door: "GET /unscoped of Http",
        act: |t| t.drop("HttpGetUnscoped", "AuthorizationScopes"),
    },
    Weakening {
        what: "another scope is enough",
        door: "GET /alternative of Http",
        act: |t| t.set("HttpGetAlternative", "AuthorizationScopes", json!(["notes/read", "notes/write"])),
    },
    Weakening {
        what: "another client is an audience",
        door: "GET /widened of Http",
        act: |t| {
            t.set("HttpWidenedAuthorizer", "JwtConfiguration/Audience", json!([{ "Ref": "Web" }, { "Ref": "Other" }]));
        },
    },
    Weakening {
        what: "another pool issues the tokens",
        door: "GET /moved of Http",
        act: |t| {
            let issuer = json!({ "Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${Strangers}" });
            t.set("HttpMovedAuthorizer", "JwtConfiguration/Issuer", issuer);
            t.set("HttpMovedAuthorizer", "JwtConfiguration/Audience", json!([{ "Ref": "Stranger" }]));
        },
    },
    Weakening {
        what: "a function that lets all pass takes the place of a JWT authorizer",
        door: "GET /replaced of Http",
        act: |t| {
            t.yes("HttpClientsAuthorizer", "HttpYesAuthorizer");
            t.set("HttpGetReplaced", "AuthorizationType", json!("CUSTOM"));
            t.set("HttpGetReplaced", "AuthorizerId", json!({ "Ref": "HttpYesAuthorizer" }));
        },
    },
    Weakening { what: "IAM is not asked", door: "GET /unsigned of Http", act: |t| t.public("HttpGetUnsigned") },
    Weakening {
        what: "groups are not looked at",
        door: "GET /groups of Http",
        act: |t| t.variable("Groups", "REQUIRED_GROUPS", None),
    },
    Weakening {
        what: "an authorizer takes more clients",
        door: "GET /clients of Http",
        act: |t| t.variable("Clients", "CLIENT_IDS", Some(json!({ "Fn::Sub": "${Web},${Other}" }))),
    },
    Weakening {
        what: "an authorizer asks for no scope",
        door: "GET /scopes of Http",
        act: |t| t.variable("Scopes", "REQUIRED_SCOPES", None),
    },
    Weakening {
        what: "an authorizer takes ID tokens",
        door: "GET /use of Http",
        act: |t| t.variable("Use", "TOKEN_USE", Some(json!("any"))),
    },
    Weakening {
        what: "another function decides",
        door: "GET /yes of Http",
        act: |t| t.yes("HttpOtherAuthorizer", "HttpOtherAuthorizer"),
    },
    Weakening {
        what: "another method of the path is public",
        door: "GET /method of Http",
        act: |t| t.open_beside("HttpGetMethod", "DELETE /method"),
    },
    Weakening {
        what: "another spelling of the path is public",
        door: "GET /case of Http",
        act: |t| t.open_beside("HttpGetCase", "GET /CASE"),
    },
    Weakening {
        what: "a route that writes becomes public",
        door: "POST /written of Http",
        act: |t| t.public("HttpPostWritten"),
    },
    Weakening {
        what: "a public greedy route takes the place of a guarded one",
        door: "GET /below of Greedy",
        act: |t| {
            t.open_beside("GreedyGetBelow", "GET /{proxy+}");
            t.remove("GreedyGetBelow");
        },
    },
    Weakening {
        what: "a public default route is added",
        door: "GET /only of Default",
        act: |t| t.open_beside("DefaultGetOnly", "$default"),
    },
    Weakening {
        what: "every origin may read answers",
        door: "CORS of Http",
        act: |t| t.set("Http", "CorsConfiguration/AllowOrigins", json!(["*"])),
    },
    Weakening {
        what: "browsers may send cookies",
        door: "CORS of Cookies",
        act: |t| t.set("Cookies", "CorsConfiguration/AllowCredentials", json!(true)),
    },
    Weakening {
        what: "every origin of a scheme may read answers",
        door: "CORS of Schemes",
        act: |t| t.set("Schemes", "CorsConfiguration/AllowOrigins", json!(["https://*"])),
    },
    Weakening {
        what: "an API answers at the address that API Gateway gives it",
        door: "address of Closed",
        act: |t| t.set("Closed", "DisableExecuteApiEndpoint", json!(false)),
    },
    Weakening {
        what: "a method becomes public",
        door: "GET /opened of Rest at prod",
        act: |t| t.public("RestGetOpened"),
    },
    Weakening {
        what: "a method asks for no scope",
        door: "GET /unscoped of Rest at prod",
        act: |t| t.drop("RestGetUnscoped", "AuthorizationScopes"),
    },
    Weakening {
        what: "another scope of a method is enough",
        door: "GET /alternative of Rest at prod",
        act: |t| t.set("RestGetAlternative", "AuthorizationScopes", json!(["notes/read", "notes/write"])),
    },
    Weakening {
        what: "an authorizer takes another pool",
        door: "GET /widened of Rest at prod",
        act: |t| {
            let pools = ["Users", "Strangers"].map(|pool| json!({ "Fn::GetAtt": [pool, "Arn"] }));
            t.set("RestWidenedAuthorizer", "ProviderARNs", json!(pools));
        },
    },
    Weakening {
        what: "a method asks for no signature",
        door: "GET /unsigned of Rest at prod",
        act: |t| t.public("RestGetUnsigned"),
    },
    Weakening {
        what: "a method asks for no API key",
        door: "GET /keyed of Rest at prod",
        act: |t| t.set("RestGetKeyed", "ApiKeyRequired", json!(false)),
    },
    Weakening {
        what: "the policy of an API is dropped",
        door: "GET /denied of Denied at prod",
        act: |t| t.drop("Denied", "Policy"),
    },
    Weakening {
        what: "every origin may read what a REST API answers",
        door: "CORS of /shared of Shared at prod",
        act: |t| t.replace("'https://good.example'", "'*'"),
    },
    Weakening {
        what: "everybody may connect",
        door: "$connect of Socket at prod",
        act: |t| t.public("SocketConnectRoute"),
    },
    Weakening {
        what: "a function gets an address of its own",
        door: "address of function Echo",
        act: |t| {
            let properties = json!({ "TargetFunctionArn": { "Ref": "Echo" }, "AuthType": "AWS_IAM" });
            t.0["Resources"]["EchoUrl"] = json!({ "Type": "AWS::Lambda::Url", "Properties": properties });
        },
    },
];

/// A template as CloudFormation has it.
struct Template(Value);

impl Template {
    fn resource(&mut self, id: &str) -> &mut Value {
        let resources = self.0["Resources"].as_object_mut().expect("it has resources");
        let known: Vec<String> = resources.keys().cloned().collect();
        resources.get_mut(id).unwrap_or_else(|| panic!("no `{id}` in {known:?}"))
    }

    fn set(&mut self, id: &str, path: &str, value: Value) {
        let properties = &mut self.resource(id)["Properties"];
        *path.split('/').fold(properties, |inside, part| &mut inside[part]) = value;
    }

    fn drop(&mut self, id: &str, property: &str) {
        let properties = self.resource(id)["Properties"].as_object_mut().expect("it has some");
        assert!(properties.remove(property).is_some(), "{id} has no {property}");
    }

    fn public(&mut self, route: &str) {
        let properties = self.resource(route)["Properties"].as_object_mut().expect("it has some");
        properties.remove("AuthorizerId");
        properties.remove("AuthorizationScopes");
        properties.insert("AuthorizationType".to_owned(), json!("NONE"));
    }

    fn variable(&mut self, function: &str, name: &str, value: Option<Value>) {
        let variables = &mut self.resource(function)["Properties"]["Environment"]["Variables"];
        let variables = variables.as_object_mut().expect("it has some");
        variables.remove(name).expect("it is set");
        variables.extend(value.map(|value| (name.to_owned(), value)));
    }

    /// A copy of a Lambda authorizer that asks the function which lets all pass.
    fn yes(&mut self, authorizer: &str, copy: &str) {
        let mut own = self.resource(authorizer).clone();
        let address =
            "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Yes.Arn}/invocations";
        own["Properties"]["AuthorizerUri"] = json!({ "Fn::Sub": address });
        own["Properties"]["Name"] = json!(copy);
        let permission = json!({ "Type": "AWS::Lambda::Permission", "Properties": {
            "Action": "lambda:InvokeFunction", "FunctionName": { "Ref": "Yes" }, "Principal": "apigateway.amazonaws.com" } });
        self.0["Resources"][copy] = own;
        self.0["Resources"]["YesPermission"] = permission;
    }

    /// A public route of another key that does what a route does.
    fn open_beside(&mut self, route: &str, key: &str) {
        let mut own = self.resource(route).clone();
        own["Properties"]["RouteKey"] = json!(key);
        let id = format!("{route}Beside");
        self.0["Resources"][&id] = own;
        self.public(&id);
    }

    fn remove(&mut self, id: &str) {
        self.0["Resources"].as_object_mut().expect("it has resources").remove(id).expect("it is there");
    }

    fn replace(&mut self, old: &str, new: &str) {
        let text = self.0.to_string();
        assert!(text.contains(old), "`{old}` is not in the template");
        self.0 = serde_json::from_str(&text.replace(old, new)).expect("it is JSON still");
    }

    /// Has REST APIs deployed anew: a deployment is a copy, made once under its logical id.
    fn deploy_anew(&mut self) {
        let resources = self.0["Resources"].as_object().expect("it has resources");
        let is_deployment = |value: &Value| value["Type"] == "AWS::ApiGateway::Deployment";
        let ids: Vec<String> =
            resources.iter().filter(|(_, value)| is_deployment(value)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.replace(&format!("\"{id}\""), &format!("\"{id}Anew\""));
        }
    }
}

/// A deployed stack that somebody changes without stackgen.
struct Deployed {
    project: Project,
    endpoint: String,
    client: Client,
    store: Store,
}

impl Deployed {
    fn new() -> Self {
        let project = doors();
        project.deploy();
        let config = project.local_config();
        let endpoint = config.endpoint_url().expect("it is local").to_owned();
        let store = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        Self { project, endpoint, client: Client::new(&config), store: Store::from_conf(store) }
    }

    async fn template(&self) -> Template {
        let asked = self.client.get_template().stack_name(self.project.stack()).send().await;
        let body = asked.expect("it is deployed").template_body().expect("there is one").to_owned();
        Template(serde_json::from_str(&body).expect("we write JSON"))
    }

    async fn update(&self, template: &Template) {
        let names = template.0["Parameters"].as_object().expect("the code is a parameter").keys();
        let kept = names.map(|name| Parameter::builder().parameter_key(name).use_previous_value(true).build());
        let update = self.client.update_stack().stack_name(self.project.stack()).template_url(self.put(template).await);
        let update = update.set_parameters(Some(kept.collect())).capabilities(Capability::CapabilityNamedIam);
        update.send().await.expect("the template is sound");
        loop {
            let told =
                self.client.describe_stacks().stack_name(self.project.stack()).send().await.expect("it is there");
            let status = told.stacks().first().and_then(|stack| stack.stack_status()).cloned();
            match status {
                Some(StackStatus::UpdateComplete) => return,
                Some(StackStatus::UpdateInProgress | StackStatus::UpdateCompleteCleanupInProgress) => {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                other => panic!("{other:?}: {}", self.events().await),
            }
        }
    }

    /// Puts a template, which is too long for a request, where CloudFormation finds it.
    async fn put(&self, template: &Template) -> String {
        let buckets = self.store.list_buckets().send().await.expect("they are listed");
        let bucket = buckets.buckets().first().and_then(|bucket| bucket.name()).expect("a deployment has made one");
        let body = ByteStream::from(template.0.to_string().into_bytes());
        let put = self.store.put_object().bucket(bucket).key("weakened.json").body(body).send().await;
        put.expect("the bucket is ours");
        format!("{}/{bucket}/weakened.json", self.endpoint)
    }

    async fn events(&self) -> String {
        let told =
            self.client.describe_stack_events().stack_name(self.project.stack()).send().await.expect("it is there");
        let failed = told.stack_events().iter().filter_map(|event| {
            let reason = event.resource_status_reason()?;
            Some(format!("{}: {reason}", event.logical_resource_id().unwrap_or_default()))
        });
        failed.collect::<Vec<_>>().join("\n")
    }
}

/// The doors at which something came out otherwise, with what.
fn failed(told: &Told) -> BTreeMap<String, Vec<String>> {
    let mut doors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for call in ["leaked", "shut"].iter().flat_map(|outcome| with_outcome(told, outcome)) {
        let (door, what) = call.split_once(": ").expect("the door stands before it");
        doors.entry(door.to_owned()).or_default().push(what.to_owned());
    }
    doors
}

#[tokio::test]
async fn every_weakening_that_can_be_seen_is_caught_at_its_door() {
    let deployed = Deployed::new();
    let whole = verify(&deployed.project, &["--write"]);
    assert_proved(&whole);

    let mut template = deployed.template().await;
    WEAKENINGS.iter().for_each(|weakening| (weakening.act)(&mut template));
    template.deploy_anew();
    deployed.update(&template).await;
    let weakened = verify(&deployed.project, &["--write"]);
    let failed = failed(&weakened);
    let caught: Vec<&str> = WEAKENINGS.iter().filter(|one| failed.contains_key(one.door)).map(|one| one.what).collect();
    let missed: Vec<&str> = WEAKENINGS.iter().map(|one| one.what).filter(|what| !caught.contains(what)).collect();
    assert_eq!(missed, Vec::<&str>::new(), "{} of {} were caught: {failed:#?}", caught.len(), WEAKENINGS.len());
    let expected: BTreeSet<&str> = WEAKENINGS.iter().map(|one| one.door).collect();
    let others: BTreeSet<&str> = failed.keys().map(String::as_str).filter(|door| !expected.contains(door)).collect();
    assert_eq!(others, BTreeSet::new(), "what was left alone is not accused: {failed:#?}");
    assert_eq!(weakened.code, Some(1));
    assert_eq!(with_outcome(&weakened, "untold"), Vec::<String>::new());
    println!("{} of {} weakenings were caught by calls:", caught.len(), WEAKENINGS.len());
    WEAKENINGS.iter().for_each(|one| println!("- {}: {}: {:?}", one.what, one.door, failed[one.door]));
    println!("not to be seen from outside:");
    UNSEEN.iter().for_each(|(what, why)| println!("- {what}: {why}"));
    nobody_is_left(&deployed.project, "Users");
    nobody_is_left(&deployed.project, "Strangers");
}

#[tokio::test]
async fn what_cannot_be_seen_from_outside_is_told_by_the_template() {
    let deployed = Deployed::new();
    let mut template = deployed.template().await;
    template.set("HttpClientsAuthorizer", "AuthorizerResultTtlInSeconds", json!(3600));
    template.set("HttpDefaultStage", "DefaultRouteSettings/ThrottlingRateLimit", json!(9999));
    template.set("Users", "AdminCreateUserConfig/AllowAdminCreateUserOnly", json!(false));
    deployed.update(&template).await;
    let weakened = verify(&deployed.project, &["--only", "GET /clients"]);
    assert_eq!((failed(&weakened).len(), weakened.code), (0, Some(1)), "{}", weakened.answer);
    let weaker = weakened.answer["weakerThanFile"].as_array().expect("it lists them");
    let names: BTreeSet<&str> = weaker.iter().filter_map(|change| change["name"].as_str()).collect();
    assert!(names.len() >= 3, "{weaker:#?}");
    assert_eq!(weakened.answer["proved"], false);
}
