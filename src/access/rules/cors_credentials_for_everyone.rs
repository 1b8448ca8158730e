//! Cookies are for pages that are known.

use super::{Find, Rule, Verdict};
use crate::model::apigatewayv2::Cors;
use crate::model::{Complaint, Stack, Value};

pub(super) const RULE: Rule = Rule {
    id: "cors-credentials-for-everyone",
    verdict: Verdict::Refused,
    title: "`cors` allows cookies to origins that it names, not to `*`",
    why: "With cookies, any page that a user looks at could act as that user. So browsers refuse an answer that allows both, \
          and API Gateway refuses to be told to give one.",
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
    cors: { allowOrigins: [\"*\"], allowMethods: [GET], allowCredentials: true }
    routes:
      GET /notes: { function: Notes, public: true }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let http = stack.http_apis.iter().filter_map(|(id, api)| Some(("httpApis", id, api.cors.as_ref()?, "origins")));
    let rest = stack.rest_apis.iter().filter_map(|(id, api)| Some(("restApis", id, api.cors.as_ref()?, "origin")));
    let open = http.chain(rest).filter(|(_, _, cors, _)| is_open(cors));
    open.map(|(section, id, _, origins)| {
        let message = "pages of any origin cannot be allowed to send cookies";
        let help = format!("name the {origins}, or remove `allowCredentials`");
        Complaint::new(&[section, id, "cors", "allowOrigins"], message, help)
    })
    .collect()
}

fn is_open(cors: &Cors) -> bool {
    cors.allow_credentials && cors.allow_origins.contains(&Value::from("*"))
}
