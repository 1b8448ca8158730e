//! What all kinds of APIs have, for checks that are the same for each.

use std::collections::BTreeMap;

use crate::model::{Stack, Value, apigatewayv2};

/// An API of any kind.
pub(super) struct Api<'a> {
    /// The section of the stack file.
    pub(super) section: &'static str,
    pub(super) id: &'a str,
    pub(super) tags: &'a BTreeMap<String, String>,
    pub(super) stages: Vec<Stage<'a>>,
    /// The name of its domain, and the ARN of the certificate.
    pub(super) domain: Option<(&'a Value, &'a Value)>,
}

/// A stage of an API of any kind.
pub(super) struct Stage<'a> {
    pub(super) name: &'a str,
    pub(super) tags: &'a BTreeMap<String, String>,
    /// The line that is logged of each request, where it is not ours.
    pub(super) log_format: Option<&'a str>,
}

/// All APIs of a stack.
pub(super) fn apis(stack: &Stack) -> impl Iterator<Item = Api<'_>> {
    let http = stack.http_apis.iter().map(|(id, it)| Api {
        section: "httpApis",
        id,
        tags: &it.tags,
        stages: stages(&it.stages),
        domain: it.custom_domain.as_ref().map(|domain| (&domain.name, &domain.certificate_arn)),
    });
    let web_socket = stack.web_socket_apis.iter().map(|(id, it)| Api {
        section: "webSocketApis",
        id,
        tags: &it.tags,
        stages: stages(&it.stages),
        domain: it.custom_domain.as_ref().map(|domain| (&domain.name, &domain.certificate_arn)),
    });
    let rest = stack.rest_apis.iter().map(|(id, it)| Api {
        section: "restApis",
        id,
        tags: &it.tags,
        stages: it.stages.iter().map(|(name, it)| stage(name, &it.tags, it.access_logs.format.as_deref())).collect(),
        domain: it.custom_domain.as_ref().map(|domain| (&domain.name, &domain.certificate_arn)),
    });
    http.chain(web_socket).chain(rest)
}

fn stages(stages: &BTreeMap<String, apigatewayv2::Stage>) -> Vec<Stage<'_>> {
    stages.iter().map(|(name, it)| stage(name, &it.tags, it.access_logs.format.as_deref())).collect()
}

fn stage<'a>(name: &'a str, tags: &'a BTreeMap<String, String>, log_format: Option<&'a str>) -> Stage<'a> {
    Stage { name, tags, log_format }
}
