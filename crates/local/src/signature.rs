//! Signatures, nearly all of Version 4: who signed a request, and whether it is as it was signed.

mod chunked;
mod version2;

use aws_lc_rs::{digest, hmac};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use subtle::ConstantTimeEq;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use crate::iam::{AccessKey, Iam, key};
use crate::s3;
use crate::wire::{Caller, Fault};

pub(crate) use chunked::decode as decode_chunks;
use version2::Presigned;

/// Everything but what RFC 3986 leaves unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same for a path, whose slashes stay.
const ENCODED_PATH: &AsciiSet = &ENCODED.remove(b'/');

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TIMESTAMP: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

/// How far a clock may be off.
const SKEW: Duration = Duration::minutes(5);
/// The longest that a presigned URL may live.
const LONGEST_PRESIGNED: i64 = 7 * 24 * 3600;

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// There is none.
    Missing,
    /// It is not of the form.
    Incomplete(String),
    /// No such key, or a session token that is not ours.
    UnknownKey,
    /// It is not what the key makes of this request.
    Mismatch,
    /// A header that matters is not covered.
    Uncovered(String),
    /// Made too long ago or too far ahead, or a presigned URL past its time.
    Expired(String),
    /// The session has ended.
    ExpiredToken,
    /// Made for another region.
    Region { signed: String, here: String },
    /// The body is not the one that was signed.
    Body,
}

/// How a service words its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Query,
    Json,
    RestJson,
    S3,
}

impl Problem {
    /// The error as the services of that dialect word it.
    pub(crate) fn fault(self, dialect: Dialect) -> Fault {
        let (code, message) = self.worded(dialect);
        let status = match dialect {
            Dialect::Json => StatusCode::BAD_REQUEST,
            Dialect::S3
                if matches!(self, Self::Incomplete(_) | Self::Region { .. } | Self::ExpiredToken | Self::Body) =>
            {
                StatusCode::BAD_REQUEST
            }
            _ => StatusCode::FORBIDDEN,
        };
        Fault::new(code, message).with_status(status)
    }

    fn worded(&self, dialect: Dialect) -> (&'static str, String) {
        match self {
            Self::Missing => missing(dialect),
            Self::Incomplete(what) => (by(dialect, INCOMPLETE), what.clone()),
            Self::UnknownKey => unknown_key(dialect),
            Self::Mismatch => mismatch(dialect),
            Self::Uncovered(name) => uncovered(dialect, name),
            Self::Expired(what) => expired(dialect, what),
            Self::ExpiredToken => expired_token(dialect),
            Self::Region { signed, here } => region(dialect, signed, here),
            Self::Body => body(dialect),
        }
    }
}

/// Codes in the order query, JSON, REST-JSON, S3.
type Codes = [&'static str; 4];

const INCOMPLETE: Codes = [
    "IncompleteSignature",
    "IncompleteSignatureException",
    "IncompleteSignatureException",
    "AuthorizationHeaderMalformed",
];
const INVALID: Codes =
    ["SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignatureException", "SignatureDoesNotMatch"];

fn by(dialect: Dialect, codes: Codes) -> &'static str {
    let [query, json, rest_json, s3] = codes;
    match dialect {
        Dialect::Query => query,
        Dialect::Json => json,
        Dialect::RestJson => rest_json,
        Dialect::S3 => s3,
    }
}

fn missing(dialect: Dialect) -> (&'static str, String) {
    const CODES: Codes = [
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "MissingAuthenticationTokenException",
        "AccessDenied",
    ];
    let message = match dialect {
        Dialect::Query => "Request is missing Authentication Token",
        Dialect::Json | Dialect::RestJson => "Missing Authentication Token",
        Dialect::S3 => "Access Denied",
    };
    (by(dialect, CODES), message.to_owned())
}

fn unknown_key(dialect: Dialect) -> (&'static str, String) {
    const CODES: Codes =
        ["InvalidClientTokenId", "UnrecognizedClientException", "UnrecognizedClientException", "InvalidAccessKeyId"];
    let message = match dialect {
        Dialect::S3 => "The AWS Access Key Id you provided does not exist in our records.",
        _ => "The security token included in the request is invalid.",
    };
    (by(dialect, CODES), message.to_owned())
}

fn mismatch(dialect: Dialect) -> (&'static str, String) {
    let message = match dialect {
        Dialect::S3 => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method."
        }
        _ => {
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
             Key and signing method. Consult the service documentation for details."
        }
    };
    (by(dialect, INVALID), message.to_owned())
}

fn uncovered(dialect: Dialect, name: &str) -> (&'static str, String) {
    match dialect {
        Dialect::S3 => ("AccessDenied", "There were headers present in the request which were not signed".to_owned()),
        _ => (by(dialect, INVALID), format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")),
    }
}

fn expired(dialect: Dialect, what: &str) -> (&'static str, String) {
    const CODES: Codes =
        ["RequestExpired", "InvalidSignatureException", "InvalidSignatureException", "RequestTimeTooSkewed"];
    match dialect {
        Dialect::S3 if what == PRESIGNED_EXPIRED => ("AccessDenied", what.to_owned()),
        Dialect::S3 => {
            let message = "The difference between the request time and the current time is too large.";
            ("RequestTimeTooSkewed", message.to_owned())
        }
        _ => (by(dialect, CODES), what.to_owned()),
    }
}

fn expired_token(dialect: Dialect) -> (&'static str, String) {
    const CODES: Codes = ["ExpiredToken", "ExpiredTokenException", "ExpiredTokenException", "ExpiredToken"];
    let message = match dialect {
        Dialect::S3 => "The provided token has expired.",
        _ => "The security token included in the request is expired",
    };
    (by(dialect, CODES), message.to_owned())
}

fn region(dialect: Dialect, signed: &str, here: &str) -> (&'static str, String) {
    match dialect {
        Dialect::S3 => (
            "AuthorizationHeaderMalformed",
            format!("The authorization header is malformed; the region '{signed}' is wrong; expecting '{here}'"),
        ),
        _ => (
            by(dialect, INVALID),
            format!("Credential should be scoped to a valid region, not '{signed}'; this cloud is '{here}'."),
        ),
    }
}

fn body(dialect: Dialect) -> (&'static str, String) {
    match dialect {
        Dialect::S3 => (
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.".to_owned(),
        ),
        _ => mismatch(dialect),
    }
}

const PRESIGNED_EXPIRED: &str = "Request has expired";

/// A signature as a request carries it, not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Service that it was made for, such as `sts`.
    pub(crate) service: String,
    key_id: String,
    date: String,
    region: String,
    signed_headers: Vec<String>,
    signature: String,
    timestamp: String,
    token: Option<String>,
    /// Seconds that a presigned URL lives; `None` for a signature in the header.
    lifetime: Option<i64>,
    /// What takes the place of all this but service, key and token in a URL of S3 that is presigned the older way.
    presigned: Option<Presigned>,
}

/// A signature that holds: who made it, and what goes on being signed with it.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Who.
    pub(crate) caller: Caller,
    /// Checks what a chunked body carries.
    pub(crate) chain: Chain,
}

/// The state that signatures of chunks continue from.
#[derive(Debug)]
pub(crate) struct Chain {
    key: hmac::Tag,
    timestamp: String,
    scope: String,
    previous: String,
}

impl Signature {
    /// The signature of a request, from its `Authorization` header or its query string.
    pub(crate) fn of(parts: &Parts) -> Result<Option<Self>, Problem> {
        if let Some(header) = parts.headers.get(http::header::AUTHORIZATION) {
            let header = header.to_str().unwrap_or_default();
            return if header.starts_with("AWS4-") {
                Self::in_header(header, &parts.headers).map(Some)
            } else {
                Ok(None)
            };
        }
        let query = decoded_query(parts.uri.query().unwrap_or_default());
        if query.iter().any(|(name, _)| name == "X-Amz-Signature") {
            Self::in_query(&query).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The older signature of a URL of S3.
    pub(crate) fn of_url(parts: &Parts) -> Option<Self> {
        let presigned = Presigned::of(&decoded_query(parts.uri.query().unwrap_or_default()))?;
        Some(Self {
            service: "s3".to_owned(),
            key_id: presigned.key_id.clone(),
            date: String::new(),
            region: String::new(),
            signed_headers: Vec::new(),
            signature: String::new(),
            timestamp: String::new(),
            token: presigned.token.clone(),
            lifetime: None,
            presigned: Some(presigned),
        })
    }

    fn in_header(header: &str, headers: &HeaderMap) -> Result<Self, Problem> {
        let fields = header.strip_prefix(ALGORITHM).ok_or_else(|| Problem::Incomplete(unsupported(header)))?;
        let field = |name: &str| {
            let find = |part: &'_ str| part.trim().strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
            let missing = || Problem::Incomplete(format!("Authorization header requires '{name}' parameter."));
            fields.split(',').find_map(find).ok_or_else(missing)
        };
        let timestamp = text(headers, "x-amz-date").ok_or_else(|| {
            Problem::Incomplete(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_owned(),
            )
        })?;
        let token = text(headers, "x-amz-security-token").map(str::to_owned);
        let raw =
            Raw { signed_headers: field("SignedHeaders")?, signature: field("Signature")?, token, lifetime: None };
        Self::scoped(&field("Credential")?, timestamp, raw)
    }

    fn in_query(query: &[(String, String)]) -> Result<Self, Problem> {
        let optional = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let field = |name: &str| {
            optional(name).ok_or_else(|| Problem::Incomplete(format!("the query string lacks the parameter {name}")))
        };
        if field("X-Amz-Algorithm")? != ALGORITHM {
            return Err(Problem::Incomplete(unsupported(&field("X-Amz-Algorithm")?)));
        }
        let lifetime = field("X-Amz-Expires")?.parse().ok().filter(|seconds| (1..=LONGEST_PRESIGNED).contains(seconds));
        let lifetime = lifetime.ok_or_else(|| Problem::Incomplete("X-Amz-Expires must be 1 to 604800".to_owned()))?;
        let raw = Raw {
            signed_headers: field("X-Amz-SignedHeaders")?,
            signature: field("X-Amz-Signature")?,
            token: optional("X-Amz-Security-Token"),
            lifetime: Some(lifetime),
        };
        Self::scoped(&field("X-Amz-Credential")?, &field("X-Amz-Date")?, raw)
    }

    fn scoped(credential: &str, timestamp: &str, raw: Raw) -> Result<Self, Problem> {
        let parts: Vec<&str> = credential.split('/').collect();
        let &[key_id, date, region, service, "aws4_request"] = parts.as_slice() else {
            let message = format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
            );
            return Err(Problem::Incomplete(message));
        };
        Ok(Self {
            service: service.to_owned(),
            key_id: key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            signed_headers: raw.signed_headers.split(';').map(str::to_owned).collect(),
            signature: raw.signature,
            timestamp: timestamp.to_owned(),
            token: raw.token,
            lifetime: raw.lifetime,
            presigned: None,
        })
    }

    /// Id of the key that it says it was made with.
    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whether the signature rides in the query string.
    pub(crate) fn is_presigned(&self) -> bool {
        self.lifetime.is_some() || self.presigned.is_some()
    }

    /// Verifies the signature over the head of a request and the hash of its body.
    pub(crate) fn verify(&self, parts: &Parts, body_hash: &str, trust: &Trust<'_>) -> Result<Verified, Problem> {
        if let Some(presigned) = &self.presigned {
            return self.verify_url(presigned, parts, trust);
        }
        self.check_time(trust.now)?;
        self.check_coverage(&parts.headers)?;
        let (caller, key) = self.signer(trust)?;
        // Services that have no region of their own are signed for us-east-1 from everywhere.
        if self.region != trust.region && !matches!(self.service.as_str(), "iam" | "sts") {
            return Err(Problem::Region { signed: self.region.clone(), here: trust.region.to_owned() });
        }
        let signing_key = self.signing_key(&key.secret);
        let matches = self.canonical_paths(parts.uri.path()).iter().any(|path| {
            let canonical = self.canonical_request(parts, path, body_hash);
            self.is_signature_of(&signing_key, &canonical)
        });
        if !matches {
            return Err(Problem::Mismatch);
        }
        let chain = Chain {
            key: signing_key,
            timestamp: self.timestamp.clone(),
            scope: self.scope(),
            previous: self.signature.clone(),
        };
        Ok(Verified { caller, chain })
    }

    fn verify_url(&self, presigned: &Presigned, parts: &Parts, trust: &Trust<'_>) -> Result<Verified, Problem> {
        presigned.check_time(trust.now)?;
        let (caller, key) = self.signer(trust)?;
        let bucket = text(&parts.headers, "host").and_then(s3::bucket_of_host);
        if !presigned.is_of(&key.secret, parts, bucket.as_deref()) {
            return Err(Problem::Mismatch);
        }
        // No chunk can follow such a signature: nothing that a client may know continues from this.
        let chain = Chain {
            key: self.signing_key(&key.secret),
            timestamp: String::new(),
            scope: String::new(),
            previous: String::new(),
        };
        Ok(Verified { caller, chain })
    }

    fn check_time(&self, now: OffsetDateTime) -> Result<(), Problem> {
        let malformed =
            || Problem::Incomplete(format!("Date must be in ISO-8601 'basic format', got '{}'", self.timestamp));
        let signed = PrimitiveDateTime::parse(&self.timestamp, TIMESTAMP).map_err(|_| malformed())?.assume_utc();
        if !self.timestamp.starts_with(&self.date) {
            let message = format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}'",
                self.date
            );
            return Err(Problem::Incomplete(message));
        }
        let age = now - signed;
        let stamp = |time: OffsetDateTime| time.format(TIMESTAMP).unwrap_or_default();
        match self.lifetime {
            Some(seconds) if age > Duration::seconds(seconds) => Err(Problem::Expired(PRESIGNED_EXPIRED.to_owned())),
            None if age > SKEW => {
                let (now, limit) = (stamp(now), stamp(now - SKEW));
                Err(Problem::Expired(format!(
                    "Signature expired: {} is now earlier than {limit} ({now} - 5 min.)",
                    self.timestamp
                )))
            }
            _ if age < -SKEW => {
                let (now, limit) = (stamp(now), stamp(now + SKEW));
                Err(Problem::Expired(format!(
                    "Signature not yet current: {} is still later than {limit} ({now} + 5 min.)",
                    self.timestamp
                )))
            }
            _ => Ok(()),
        }
    }

    /// The host and what steers the operation must be covered, or a proxy could change them.
    fn check_coverage(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let is_signed = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        if !is_signed("host") {
            return Err(Problem::Uncovered("Host".to_owned()));
        }
        let steering = |name: &&str| match self.service.as_str() {
            "s3" => name.starts_with("x-amz-") && *name != "x-amz-user-agent",
            _ => matches!(*name, "x-amz-date" | "x-amz-target" | "x-amz-security-token" | "x-amz-content-sha256"),
        };
        match headers.keys().map(http::HeaderName::as_str).filter(steering).find(|name| !is_signed(name)) {
            Some(name) => Err(Problem::Uncovered(name.to_owned())),
            None => Ok(()),
        }
    }

    fn signer(&self, trust: &Trust<'_>) -> Result<(Caller, AccessKey), Problem> {
        let Some(token) = &self.token else {
            let held = trust.iam.holder(&self.key_id);
            return held.map(|(caller, key)| (caller, key.clone())).ok_or(Problem::UnknownKey);
        };
        let (session, key) = key::unseal(trust.iam, token).ok_or(Problem::UnknownKey)?;
        if key.id != self.key_id {
            return Err(Problem::UnknownKey);
        }
        if session.is_expired(trust.now) { Err(Problem::ExpiredToken) } else { Ok((session.caller(), key)) }
    }

    fn signing_key(&self, secret: &str) -> hmac::Tag {
        let date = sign(format!("AWS4{secret}").as_bytes(), self.date.as_bytes());
        let region = sign(date.as_ref(), self.region.as_bytes());
        let service = sign(region.as_ref(), self.service.as_bytes());
        sign(service.as_ref(), b"aws4_request")
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }

    /// The forms of the path that a client may have signed: S3 encodes once, all others encode the encoded path again;
    /// and a client may send characters bare that it encodes for signing.
    fn canonical_paths(&self, path: &str) -> [String; 2] {
        // Each segment for itself: an escaped slash is no slash.
        let encoded: Vec<String> = path
            .split('/')
            .map(|segment| {
                let plain = percent_decode_str(segment).decode_utf8_lossy();
                utf8_percent_encode(&plain, ENCODED).to_string()
            })
            .collect();
        let encoded = encoded.join("/");
        match self.service.as_str() {
            "s3" => [path.to_owned(), encoded],
            _ => [twice_encoded(path), twice_encoded(&encoded)],
        }
    }

    fn canonical_request(&self, parts: &Parts, path: &str, body_hash: &str) -> String {
        let headers: String = self
            .signed_headers
            .iter()
            .map(|name| format!("{name}:{}\n", canonical_value(&parts.headers, name)))
            .collect();
        let query = canonical_query(parts.uri.query().unwrap_or_default());
        format!("{}\n{path}\n{query}\n{headers}\n{}\n{body_hash}", parts.method, self.signed_headers.join(";"))
    }

    fn is_signature_of(&self, key: &hmac::Tag, canonical: &str) -> bool {
        let hash = sha256_hex(canonical.as_bytes());
        let text = format!("{ALGORITHM}\n{}\n{}\n{hash}", self.timestamp, self.scope());
        is_equal(&hex::encode(sign(key.as_ref(), text.as_bytes())), &self.signature)
    }
}

struct Raw {
    signed_headers: String,
    signature: String,
    token: Option<String>,
    lifetime: Option<i64>,
}

/// What a signature is verified against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trust<'a> {
    /// The keys.
    pub(crate) iam: &'a Iam,
    /// The account's region.
    pub(crate) region: &'a str,
    /// The time.
    pub(crate) now: OffsetDateTime,
}

impl Chain {
    /// Whether `signature` continues the chain over a chunk, and makes it the new end.
    fn covers_chunk(&mut self, chunk: &[u8], signature: &str) -> bool {
        let text = format!("{}\n{}", sha256_hex(b""), sha256_hex(chunk));
        self.covers("AWS4-HMAC-SHA256-PAYLOAD", &text, signature)
    }

    /// Whether `signature` ends the chain over the trailing headers.
    fn covers_trailer(&mut self, trailer: &str, signature: &str) -> bool {
        self.covers("AWS4-HMAC-SHA256-TRAILER", &sha256_hex(trailer.as_bytes()), signature)
    }

    fn covers(&mut self, kind: &str, hashes: &str, signature: &str) -> bool {
        let text = format!("{kind}\n{}\n{}\n{}\n{hashes}", self.timestamp, self.scope, self.previous);
        let expected = hex::encode(sign(self.key.as_ref(), text.as_bytes()));
        let equal = is_equal(&expected, signature);
        self.previous = expected;
        equal
    }
}

/// The SHA-256 of some bytes, in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// Compares without telling by its time how much is equal.
pub(crate) fn is_equal(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn sign(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

fn unsupported(header: &str) -> String {
    let algorithm = header.split_whitespace().next().unwrap_or_default();
    format!("Unsupported AWS 'algorithm': '{algorithm}'.")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn twice_encoded(path: &str) -> String {
    utf8_percent_encode(path, ENCODED_PATH).to_string()
}

/// Values of a header, trimmed, runs of spaces made one, joined by commas.
fn canonical_value(headers: &HeaderMap, name: &str) -> String {
    let trimmed = |value: &http::HeaderValue| {
        String::from_utf8_lossy(value.as_bytes()).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    };
    headers.get_all(name).iter().map(trimmed).collect::<Vec<_>>().join(",")
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let mut pairs: Vec<(String, String)> = decoded_query(query)
        .into_iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encode(&name), encode(&value)))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Names and values of a query string. A plus stays a plus, as in AWS's own form.
fn decoded_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests;
