//! Pages of another origin may send the header that carries the token.

use super::{Find, Rule, Verdict};
use crate::access::doors::Decider;
use crate::model::apigatewayv2::{Authorizer, HttpApi};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "cors-blocks-token",
    verdict: Verdict::Unsafe,
    title: "`cors` allows the headers in which routes expect tokens and signatures",
    why: "A browser asks beforehand which headers a page may send, and keeps a request back that would carry another one. \
          An API whose `cors` leaves out the header of the token is shut for every page, and open for curl, which makes it \
          hard to find. `*` is every header but `Authorization`, which has to be named (fetch.spec.whatwg.org).",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html",
    good: "\
httpApis:
  Api:
    cors: { allowOrigins: [https://example.com], allowMethods: [GET], allowHeaders: [authorization] }
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /notes: { function: Notes, authorizer: Members }
",
    bad: "\
httpApis:
  Api:
    cors: { allowOrigins: [https://example.com], allowMethods: [GET], allowHeaders: [content-type] }
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
    routes:
      GET /notes: { function: Notes, authorizer: Members }
",
    find: Find::Stack(find),
};

/// A REST API is given these headers by synthesis, so that HTTP APIs alone can lack one.
fn find(stack: &Stack) -> Vec<Complaint> {
    stack.http_apis.iter().filter_map(|(id, api)| blocked(id, api)).collect()
}

fn blocked(id: &str, api: &HttpApi) -> Option<Complaint> {
    let cors = api.cors.as_ref()?;
    let used = api.routes.values().filter_map(|route| api.authorizers.get(route.authorizer.as_ref()?));
    let is_allowed = |header: &str| cors.allow_headers.iter().any(|allowed| covers(allowed, header));
    let (authorizer, header) =
        used.flat_map(|it| it.headers().into_iter().map(move |header| (it, header))).find(|(_, it)| !is_allowed(it))?;
    let what = if matches!(Decider::from(authorizer), Decider::Iam) { "signature" } else { "token" };
    let message = format!("pages of other origins cannot send their {what}: `{header}` is not allowed");
    let path = ["httpApis", id, "cors", "allowHeaders"];
    Some(Complaint::new(&path, message, help(header, authorizer)).at_key())
}

/// Whether an allowed header lets a page send another one. Browsers take `*` for all but the one that holds credentials:
/// <https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name>.
fn covers(allowed: &str, header: &str) -> bool {
    allowed.eq_ignore_ascii_case(header) || allowed == "*" && !header.eq_ignore_ascii_case("authorization")
}

fn help(header: &str, authorizer: &Authorizer) -> String {
    match authorizer {
        Authorizer::Iam(_) => {
            let headers: Vec<String> = authorizer.headers().iter().map(|header| format!("`{header}`")).collect();
            format!("add {} to `allowHeaders`", headers.join(", "))
        }
        _ => format!("add `{header}` to `allowHeaders`"),
    }
}
