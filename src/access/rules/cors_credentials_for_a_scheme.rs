//! Cookies are for pages that are known, however the others are written.

use super::{Find, Rule, Verdict};
use crate::model::apigatewayv2::{Cors, HttpApi};
use crate::model::{Complaint, Stack, Value};

pub(super) const RULE: Rule = Rule {
    id: "cors-credentials-for-a-scheme",
    verdict: Verdict::Unsafe,
    title: "`cors` of an HTTP API allows cookies to origins that it names, not to `https://*` or `http://*`",
    why: "On an HTTP API `https://*` is every origin that begins so, which is any page of the web. API Gateway takes it \
          together with cookies, since it names the very origin that asks in its answer, and browsers believe that. So \
          any page that a user looks at can act as that user.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html",
    good: "\
httpApis:
  Api:
    cors: { allowOrigins: [https://example.com], allowMethods: [GET], allowCredentials: true }
    routes:
      GET /notes: { function: Notes, public: true }
",
    bad: "\
httpApis:
  Api:
    cors: { allowOrigins: [\"https://*\"], allowMethods: [GET], allowCredentials: true }
    routes:
      GET /notes: { function: Notes, public: true }
",
    find: Find::Stack(find),
};

/// All origins of a scheme, as HTTP APIs have them. On a REST API they are texts like others, which no origin is.
const SCHEMES: [&str; 2] = ["https://*", "http://*"];

fn find(stack: &Stack) -> Vec<Complaint> {
    stack.http_apis.iter().flat_map(|(id, api)| open(id, api)).collect()
}

fn open(id: &str, api: &HttpApi) -> Vec<Complaint> {
    let cors = api.cors.iter().filter(|cors| cors.allow_credentials);
    cors.flat_map(schemes)
        .map(|(index, scheme)| {
            let path = ["httpApis", id, "cors", "allowOrigins", &index.to_string()];
            let message = format!("pages of any origin could send cookies: `{scheme}` is all of them");
            Complaint::new(&path, message, "name the origins, or remove `allowCredentials`")
        })
        .collect()
}

fn schemes(cors: &Cors) -> impl Iterator<Item = (usize, &'static str)> {
    let origins = cors.allow_origins.iter().enumerate();
    origins.filter_map(|(index, origin)| {
        let scheme = SCHEMES.into_iter().find(|scheme| *origin == Value::from(*scheme))?;
        Some((index, scheme))
    })
}
