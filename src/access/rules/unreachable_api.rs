//! An API answers somewhere.

use super::{Find, Rule, Verdict};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "unreachable-api",
    verdict: Verdict::Unsafe,
    title: "an API that does not answer at its own address has a custom domain",
    why: "`disableExecuteApiEndpoint` closes the address that every API has. Without a domain of its own there is no other \
          way in. A reason may be that another stack leads a domain to it.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-disable-default-endpoint.html",
    good: "\
httpApis:
  Api:
    disableExecuteApiEndpoint: true
    customDomain:
      name: api.example.com
      certificateArn: \"arn:aws:acm:us-east-1:000000000000:certificate/a\"
    routes:
      GET /notes: { function: Notes, public: true }
",
    bad: "\
httpApis:
  Api:
    disableExecuteApiEndpoint: true
    routes:
      GET /notes: { function: Notes, public: true }
",
    find: Find::Stack(find),
};

/// What leads a domain to an API.
const MAPPINGS: [&str; 2] = ["AWS::ApiGateway::BasePathMapping", "AWS::ApiGatewayV2::ApiMapping"];

fn find(stack: &Stack) -> Vec<Complaint> {
    let http = stack.http_apis.iter();
    let http = http.filter(|(_, api)| api.disable_execute_api_endpoint && api.custom_domain.is_none());
    let rest = stack.rest_apis.iter();
    let rest = rest.filter(|(_, api)| api.disable_execute_api_endpoint && api.custom_domain.is_none());
    let sockets = stack.web_socket_apis.iter();
    let sockets = sockets.filter(|(_, api)| api.disable_execute_api_endpoint && api.custom_domain.is_none());
    let closed = http.map(|(id, _)| ("httpApis", id));
    let closed = closed.chain(rest.map(|(id, _)| ("restApis", id))).chain(sockets.map(|(id, _)| ("webSocketApis", id)));
    let lost = closed.filter(|_| !stack.resources.values().any(|raw| MAPPINGS.contains(&raw.kind.as_str())));
    lost.map(|(section, id)| {
        let path = [section, id, "disableExecuteApiEndpoint"];
        Complaint::new(&path, "the API could not be reached at all", "add a `customDomain`, or remove this")
    })
    .collect()
}
