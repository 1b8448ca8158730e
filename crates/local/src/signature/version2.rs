//! Signature Version 2 in the query string of S3: what boto3 and the AWS CLI presign by default.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html>

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::request::Parts;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::{PRESIGNED_EXPIRED, Problem, decoded_query, text};
use crate::s3;

/// Query parameters that are signed, beside the settings of buckets and what sets headers of the answer.
const SIGNED: &[&str] = &[
    "delete",
    "location",
    "partNumber",
    "requestPayment",
    "restore",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versions",
];

/// Whether a query parameter says what is done. Every setting of a bucket that is served does, also one that is younger than
/// this kind of signature: otherwise a URL for the bucket would be one for all of its settings.
fn is_signed(name: &str) -> bool {
    SIGNED.contains(&name) || s3::is_setting(name) || name.starts_with("response-")
}

/// A signature of this kind, not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Presigned {
    pub(super) key_id: String,
    pub(super) token: Option<String>,
    signature: String,
    /// Seconds since 1970, as they are signed.
    expires: String,
}

impl Presigned {
    /// The signature that a query string holds, if it is whole.
    pub(super) fn of(query: &[(String, String)]) -> Option<Self> {
        let field = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Some(Self {
            key_id: field("AWSAccessKeyId")?,
            signature: field("Signature")?,
            expires: field("Expires")?,
            token: field("x-amz-security-token"),
        })
    }

    /// Refuses a URL that is past its time.
    pub(super) fn check_time(&self, now: OffsetDateTime) -> Result<(), Problem> {
        let expires: i64 = self.expires.parse().map_err(|_| {
            Problem::Incomplete(format!("Invalid date (should be seconds since epoch): {}", self.expires))
        })?;
        if now.unix_timestamp() > expires { Err(Problem::Expired(PRESIGNED_EXPIRED.to_owned())) } else { Ok(()) }
    }

    /// Whether the key makes this signature of this request.
    pub(super) fn is_of(&self, secret: &str, parts: &Parts, bucket: Option<&str>) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
        let expected = STANDARD.encode(hmac::sign(&key, self.string_to_sign(parts, bucket).as_bytes()));
        expected.as_bytes().ct_eq(self.signature.as_bytes()).into()
    }

    fn string_to_sign(&self, parts: &Parts, bucket: Option<&str>) -> String {
        let header = |name: &str| text(&parts.headers, name).unwrap_or_default();
        let (method, expires) = (&parts.method, &self.expires);
        let (digest, kind) = (header("content-md5"), header("content-type"));
        let (headers, resource) = (self.headers(&parts.headers), resource(parts, bucket));
        format!("{method}\n{digest}\n{kind}\n{expires}\n{headers}{resource}")
    }

    /// The headers of Amazon's own, in order; the session's token is one, wherever it rides.
    fn headers(&self, headers: &HeaderMap) -> String {
        let own = headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
        let mut lines: Vec<(String, String)> =
            own.map(|name| (name.to_owned(), super::canonical_value(headers, name))).collect();
        if let Some(token) = &self.token {
            lines.push(("x-amz-security-token".to_owned(), token.clone()));
        }
        lines.sort();
        lines.into_iter().map(|(name, value)| format!("{name}:{value}\n")).collect()
    }
}

/// The path, below the bucket that the host may name, and the signed part of the query string.
fn resource(parts: &Parts, bucket: Option<&str>) -> String {
    let mut query = decoded_query(parts.uri.query().unwrap_or_default());
    query.retain(|(name, _)| is_signed(name));
    query.sort();
    let pair = |(name, value): (String, String)| if value.is_empty() { name } else { format!("{name}={value}") };
    let query = query.into_iter().map(pair).collect::<Vec<_>>().join("&");
    let bucket = bucket.map(|bucket| format!("/{bucket}")).unwrap_or_default();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{bucket}{}{mark}{query}", parts.uri.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn parts(method: &str, uri: &str) -> Parts {
        let request = http::Request::builder().method(method).uri(uri).header("host", "johnsmith.s3.localhost");
        request.body(()).expect("it is a request").into_parts().0
    }

    fn presigned(parts: &Parts) -> Presigned {
        let query = decoded_query(parts.uri.query().unwrap_or_default());
        Presigned::of(&query).expect("it is whole")
    }

    /// The worked example of AWS's documentation.
    const EXAMPLE: &str = "/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1175139620&\
                           Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D";

    #[test]
    fn the_documented_example_verifies() {
        let get = parts("GET", EXAMPLE);
        assert!(presigned(&get).is_of(SECRET, &get, Some("johnsmith")));
    }

    #[test]
    fn any_change_breaks_it() {
        for (method, uri, bucket) in [
            ("DELETE", EXAMPLE.to_owned(), "johnsmith"),
            ("GET", EXAMPLE.replace("puppy", "kitten"), "johnsmith"),
            ("GET", EXAMPLE.replace("1175139620", "1175139621"), "johnsmith"),
            ("GET", format!("{EXAMPLE}&versionId=1"), "johnsmith"),
            ("GET", format!("{EXAMPLE}&encryption"), "johnsmith"),
            ("PUT", format!("{EXAMPLE}&publicAccessBlock"), "johnsmith"),
            ("GET", EXAMPLE.to_owned(), "another"),
        ] {
            let parts = parts(method, &uri);
            assert!(!presigned(&parts).is_of(SECRET, &parts, Some(bucket)), "{method} {uri} {bucket}");
        }
        let get = parts("GET", EXAMPLE);
        assert!(!presigned(&get).is_of("another", &get, Some("johnsmith")));
    }

    #[test]
    fn a_url_ends() {
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).expect("it is a time");
        let url = presigned(&parts("GET", EXAMPLE));
        assert_eq!(url.check_time(at(1_175_139_620)), Ok(()));
        assert!(matches!(url.check_time(at(1_175_139_621)), Err(Problem::Expired(_))));
        let endless = presigned(&parts("GET", &EXAMPLE.replace("1175139620", "never")));
        assert!(matches!(endless.check_time(at(0)), Err(Problem::Incomplete(_))));
    }
}
