//! OpenAPI documents, of which API Gateway makes an API: whether all of it asks who is calling.

use super::matrix::Kind;
use crate::model::Json;
use crate::model::apigatewayv2::VERBS;

/// What a document says about its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Callers {
    /// Every operation asks who they are.
    Asked,
    /// Everyone may call this operation, such as `GET /notes`.
    Anyone(String),
    /// Not all of it is to be seen.
    Untold,
}

/// What is an operation among the members of a path, and the method that it is for.
fn methods() -> impl Iterator<Item = (String, &'static str)> {
    let named = VERBS.into_iter().chain(["TRACE"]).map(|method| (method.to_ascii_lowercase(), method));
    named.chain([("x-amazon-apigateway-any-method".to_owned(), "ANY")])
}

/// Who may call what a document declares, its functions worked out.
///
/// An operation asks by the security schemes that it names, on an HTTP API also by those of the document; API Gateway
/// looks only at those that name an authorizer, and an API key is none. What a document says for all of its operations
/// guards none of a REST API.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html>
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>
pub(super) fn callers(kind: Kind, document: &Json) -> Callers {
    let Some(paths) = document.get("paths").and_then(Json::as_object) else { return Callers::Untold };
    for (path, operations) in paths {
        let Some(operations) = operations.as_object() else { return Callers::Untold };
        for (member, method) in methods() {
            match operations.get(&member) {
                Some(Json::Object(_)) | None => {}
                Some(_) => return Callers::Untold,
            }
            let open = operations.get(&member).filter(|operation| !is_preflight(method, operation));
            if open.is_some_and(|operation| !asks(kind, document, operation)) {
                return Callers::Anyone(format!("{method} {path}"));
            }
        }
    }
    Callers::Asked
}

/// What only tells browsers what is allowed: nothing but the gateway answers.
fn is_preflight(method: &str, operation: &Json) -> bool {
    let kind = operation.get("x-amazon-apigateway-integration").and_then(|it| it.get("type")).and_then(Json::as_str);
    method == "OPTIONS" && kind.is_none_or(|kind| kind.eq_ignore_ascii_case("mock"))
}

fn asks(kind: Kind, document: &Json, operation: &Json) -> bool {
    let auth = operation.get("x-amazon-apigateway-auth").and_then(|it| it.get("type")).and_then(Json::as_str);
    if auth.is_some_and(|auth| auth.eq_ignore_ascii_case("AWS_IAM")) {
        return true;
    }
    let of_all = document.get("security").filter(|_| kind != Kind::Rest);
    let security = operation.get("security").or(of_all).and_then(Json::as_array);
    let ways = security.map(Vec::as_slice).unwrap_or_default();
    // Any one of the ways is enough, so none of them may be open.
    !ways.is_empty() && ways.iter().all(|way| names_authorizer(document, way))
}

fn names_authorizer(document: &Json, way: &Json) -> bool {
    let schemes = [document.pointer("/components/securitySchemes"), document.get("securityDefinitions")];
    let declared = |name: &str| schemes.into_iter().flatten().find_map(|all| all.get(name));
    let is_looked_at = |scheme: &Json| {
        ["x-amazon-apigateway-authorizer", "x-amazon-apigateway-authtype"].iter().any(|name| scheme.get(name).is_some())
    };
    way.as_object().into_iter().flatten().any(|(name, _)| declared(name).is_some_and(is_looked_at))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Callers, Kind, callers};
    use crate::model::Json;

    fn with(kind: Kind, operation: Json, more: Json) -> Callers {
        let mut document = json!({
            "paths": { "/notes": { "parameters": [], "get": operation } },
            "components": { "securitySchemes": {
                "members": { "type": "oauth2", "x-amazon-apigateway-authorizer": { "type": "jwt" } },
                "signed": { "type": "apiKey", "x-amazon-apigateway-authtype": "awsSigv4" },
                "key": { "type": "apiKey", "name": "x-api-key", "in": "header" },
                "plain": { "type": "oauth2" },
            } },
        });
        document.as_object_mut().expect("it is one").extend(more.as_object().cloned().unwrap_or_default());
        callers(kind, &document)
    }

    #[test]
    fn an_operation_asks_by_an_authorizer() {
        let open = || Callers::Anyone("GET /notes".to_owned());
        for (operation, expected) in [
            (json!({}), open()),
            (json!({ "security": [] }), open()),
            (json!({ "security": [{ "members": ["a/b"] }] }), Callers::Asked),
            (json!({ "security": [{ "signed": [] }] }), Callers::Asked),
            (json!({ "security": [{ "key": [], "members": [] }] }), Callers::Asked),
            (json!({ "security": [{ "key": [] }] }), open()),
            (json!({ "security": [{ "plain": [] }] }), open()),
            (json!({ "security": [{ "unheard": [] }] }), open()),
            (json!({ "security": [{ "members": [] }, {}] }), open()),
            (json!({ "x-amazon-apigateway-auth": { "type": "aws_iam" } }), Callers::Asked),
            (json!({ "x-amazon-apigateway-auth": { "type": "NONE" } }), open()),
            (json!("${Fn::Transform(x)}"), Callers::Untold),
        ] {
            for kind in [Kind::Http, Kind::Rest] {
                assert_eq!(with(kind, operation.clone(), json!({})), expected, "{kind:?} {operation}");
            }
        }
    }

    #[test]
    fn a_document_asks_for_operations_that_say_nothing_on_an_http_api_only() {
        let all = json!({ "security": [{ "members": [] }] });
        let open = Callers::Anyone("GET /notes".to_owned());
        assert_eq!(with(Kind::Http, json!({}), all.clone()), Callers::Asked);
        assert_eq!(with(Kind::Rest, json!({}), all.clone()), open);
        assert_eq!(with(Kind::Http, json!({ "security": [] }), all), open);
    }

    #[test]
    fn a_preflight_answer_asks_nobody() {
        let options = |kind: &str| {
            let integration = json!({ "x-amazon-apigateway-integration": { "type": kind } });
            callers(Kind::Rest, &json!({ "paths": { "/a": { "options": integration } } }))
        };
        assert_eq!(options("MOCK"), Callers::Asked);
        assert_eq!(options("aws_proxy"), Callers::Anyone("OPTIONS /a".to_owned()));
    }

    #[test]
    fn what_is_no_document_tells_nothing() {
        for document in [json!("${Fn::Transform(x)}"), json!({}), json!({ "paths": { "/a": "x" } })] {
            assert_eq!(callers(Kind::Http, &document), Callers::Untold, "{document}");
        }
    }
}
