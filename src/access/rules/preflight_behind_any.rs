//! A route for any method takes the questions of browsers as well.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Door, of_http_api};
use crate::access::matrix::Kind;
use crate::access::routing::{Request, Routes};
use crate::model::apigatewayv2::HttpApi;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "preflight-behind-any",
    verdict: Verdict::Doubtful,
    title: "beside a guarded `ANY` of an HTTP API with `cors` there is a public `OPTIONS`",
    why: "An HTTP API with `cors` answers preflight requests by itself only where no route takes them. `ANY` takes them, and \
          its authorizer refuses what has no token, so that pages are shut out, while `GET` works and so does curl \
          (anomalyco/sst#5493). AWS's pages say so of `$default` alone.",
    page: "https://github.com/anomalyco/sst/issues/5493",
    good: "\
httpApis:
  Api:
    cors: { allowOrigins: [https://example.com], allowMethods: [\"*\"], allowHeaders: [authorization] }
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      ANY /notes/{proxy+}: { function: Notes, authorizer: Members }
      OPTIONS /notes/{proxy+}: { function: Notes, public: true }
",
    bad: "\
httpApis:
  Api:
    cors: { allowOrigins: [https://example.com], allowMethods: [\"*\"], allowHeaders: [authorization] }
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      ANY /notes/{proxy+}: { function: Notes, authorizer: Members }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    stack.http_apis.iter().filter(|(_, api)| api.cors.is_some()).flat_map(|(id, api)| shut(id, api)).collect()
}

fn shut(id: &str, api: &HttpApi) -> Vec<Complaint> {
    let routes = Routes::new(Kind::Http, api.routes.keys().map(String::as_str));
    let is_taken_by = |door: &Door<'_>, path: &str| {
        let preflight = Request::of(Kind::Http, "OPTIONS", &filled(path));
        routes.taker(&preflight) == Some(door.key)
    };
    let guarded = of_http_api(id, api).filter(|door| door.authorizer.is_some() && !door.public);
    let any = guarded.filter_map(|door| Some((door, door.key.strip_prefix("ANY ")?)));
    let refusing = any.filter(|(door, path)| is_taken_by(door, path));
    refusing
        .map(|(door, path)| {
            let message =
                format!("browsers send no token with a preflight request, which `{}` takes and would refuse", door.key);
            door.at("authorizer", message, format!("add `OPTIONS {path}: {{ function: ..., public: true }}`"))
        })
        .collect()
}

/// A path as a request has it: something in the place of each parameter.
fn filled(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "_".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}
