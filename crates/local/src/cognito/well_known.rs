//! The documents by which others verify a pool's tokens.

use http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::cognito::pool::UserPool;
use crate::cognito::{hosted, keys};
use crate::wire::{Fault, Response, text};

/// Answers `/{pool}/.well-known/{document}`.
pub(crate) async fn well_known(cloud: &Cloud, pool: &str, document: &str) -> Response {
    let answer = match document {
        "jwks.json" => keys::of_pool(cloud, pool).await.map(|keys| json!(keys.public())),
        "openid-configuration" => {
            cloud.read(|account| Ok(configuration(account.cognito.pool(pool)?, cloud.endpoint())))
        }
        _ => Err(Fault::new("ResourceNotFoundException", "There is no such document.")),
    };
    match answer {
        Ok(document) => {
            let mut response = text(StatusCode::OK, "application/json", document.to_string());
            // Pages that sign people in read these documents from wherever they are.
            response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            response
        }
        Err(fault) => {
            let status = if fault.status.is_server_error() { fault.status } else { StatusCode::NOT_FOUND };
            fault.with_status(status).into_json()
        }
    }
}

/// The issuer is the name that tokens have on AWS; the places are those of this cloud.
fn configuration(pool: &UserPool, endpoint: &str) -> Value {
    let mut document = json!({
        "issuer": pool.issuer(),
        "jwks_uri": format!("{endpoint}/{}/.well-known/jwks.json", pool.id),
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "token"],
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    });
    if let Some(domain) = pool.domains.keys().next() {
        let base = hosted::address(endpoint, domain);
        let places = [
            ("authorization_endpoint", "oauth2/authorize"),
            ("token_endpoint", "oauth2/token"),
            ("userinfo_endpoint", "oauth2/userInfo"),
            ("revocation_endpoint", "oauth2/revoke"),
            ("end_session_endpoint", "logout"),
        ];
        for (name, path) in places {
            document[name] = json!(format!("{base}/{path}"));
        }
    }
    document
}
