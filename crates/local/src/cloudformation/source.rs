//! Where a template's text comes from: the request itself, or an object in S3.

use url::Url;

use crate::cloud::Cloud;
use crate::cloudformation::invalid;
use crate::s3;
use crate::wire::{Fault, Form};
use stackgen_template::check::{INLINE_BYTES, MOST_BYTES};

/// The template that a request brings, if it brings one.
///
/// # Errors
/// `ValidationError` when it is too large, or when it is not where the request says.
pub(super) fn template(cloud: &Cloud, form: &Form) -> Result<Option<String>, Fault> {
    match (form.get("TemplateBody"), form.get("TemplateURL")) {
        (Some(_), Some(_)) => Err(invalid("Only one of Template URL or Template Body may be specified.")),
        (Some(body), None) => body_of(body).map(Some),
        (None, Some(url)) => fetched(cloud, url).map(Some),
        (None, None) => Ok(None),
    }
}

fn body_of(body: &str) -> Result<String, Fault> {
    if body.is_empty() {
        return Err(invalid(
            "1 validation error detected: Value '' at 'templateBody' failed to satisfy constraint: Member must have length \
             greater than or equal to 1",
        ));
    }
    if body.len() > INLINE_BYTES {
        return Err(invalid(format!(
            "1 validation error detected: Value '{body}' at 'templateBody' failed to satisfy constraint: Member must have \
             length less than or equal to {INLINE_BYTES}"
        )));
    }
    Ok(body.to_owned())
}

/// An object in S3.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    bucket: String,
    key: String,
}

fn fetched(cloud: &Cloud, url: &str) -> Result<String, Fault> {
    let place = place(url, cloud.endpoint())?;
    let bytes = object(cloud, &place)?;
    if bytes.len() > MOST_BYTES {
        return Err(invalid(format!("Template may not exceed {MOST_BYTES} bytes in size.")));
    }
    String::from_utf8(bytes).map_err(|_| invalid("Template format error: unsupported structure."))
}

/// The bucket and key of a template's URL, with a slash between, whatever the port of this cloud is.
pub(super) fn object_of(url: &str) -> Option<String> {
    let place = place(url, "http://127.0.0.1:1").or_else(|_| place(url, url)).ok()?;
    Some(format!("{}/{}", place.bucket, place.key))
}

/// The object behind a URL, path-style or virtual-host-style, of AWS or of this cloud.
fn place(url: &str, endpoint: &str) -> Result<Place, Fault> {
    let unsupported = || invalid("TemplateURL must be a supported URL.");
    let parsed = Url::parse(url).map_err(|_| unsupported())?;
    let host = parsed.host_str().unwrap_or_default();
    if parsed.scheme() == "s3" {
        return Err(invalid(format!("S3 error: Domain name specified in {host} is not a valid S3 domain")));
    }
    let own = Url::parse(endpoint).ok().and_then(|own| own.port_or_known_default()) == parsed.port_or_known_default();
    let bucket = match (own, parsed.scheme()) {
        (true, "http" | "https") if is_loopback(host) => Some(String::new()),
        (true, "http" | "https") => host.strip_suffix(".localhost").map(local_bucket),
        (false, "https") => aws_bucket(host),
        _ => None,
    };
    let path = percent_encoding::percent_decode_str(parsed.path().trim_start_matches('/')).decode_utf8_lossy();
    let bucket = bucket.ok_or_else(unsupported)?;
    let found = match bucket.is_empty() {
        false => Some((bucket, path.to_string())),
        true => path.split_once('/').map(|(bucket, key)| (bucket.to_owned(), key.to_owned())),
    };
    let (bucket, key) = found.filter(|(_, key)| !key.is_empty()).ok_or_else(unsupported)?;
    Ok(Place { bucket, key })
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// The bucket of `{bucket}.s3.localhost` or `{bucket}.localhost`.
fn local_bucket(name: &str) -> String {
    let bucket = name.strip_suffix(".s3").unwrap_or(name);
    if bucket == "s3" { String::new() } else { bucket.to_owned() }
}

/// The bucket that a host of AWS names, empty when the path names it; none for a host that is not S3's.
fn aws_bucket(host: &str) -> Option<String> {
    let front = host.strip_suffix(".amazonaws.com")?;
    let labels: Vec<&str> = front.split('.').collect();
    let at = labels.iter().rposition(|label| *label == "s3" || label.starts_with("s3-"))?;
    // What follows is a region at most.
    (labels.len().saturating_sub(at) <= 2).then(|| labels.get(..at).unwrap_or_default().join("."))
}

/// The content of an object.
fn object(cloud: &Cloud, place: &Place) -> Result<Vec<u8>, Fault> {
    let refused = |reason: &str| {
        invalid(format!(
            "S3 error: {reason}\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
        ))
    };
    let file = cloud
        .read(|account| s3::content_file(account, &place.bucket, &place.key, None))
        .map_err(|fault| refused(&fault.message))?;
    std::fs::read(cloud.data().join(file)).map_err(|error| refused(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_behind_every_form_of_url() {
        let endpoint = "http://127.0.0.1:4599";
        for url in [
            "http://127.0.0.1:4599/b/a/t.json",
            "http://localhost:4599/b/a/t.json",
            "http://b.s3.localhost:4599/a/t.json",
            "http://b.localhost:4599/a/t.json",
            "https://s3.amazonaws.com/b/a/t.json",
            "https://s3.us-east-1.amazonaws.com/b/a/t.json",
            "https://s3-us-west-2.amazonaws.com/b/a/t.json",
            "https://b.s3.amazonaws.com/a/t.json",
            "https://b.s3.us-east-1.amazonaws.com/a/t.json",
        ] {
            let expected = Place { bucket: "b".to_owned(), key: "a/t.json".to_owned() };
            assert_eq!(place(url, endpoint), Ok(expected), "{url}");
        }
        let dotted = place("https://my.own.bucket.s3.amazonaws.com/k", endpoint).expect("it is S3's");
        assert_eq!(dotted.bucket, "my.own.bucket");
    }

    #[test]
    fn other_urls_are_refused_as_aws_refuses_them() {
        let told = |url: &str| place(url, "http://127.0.0.1:4599").expect_err(url).message;
        assert_eq!(told("https://example.com/t.yaml"), "TemplateURL must be a supported URL.");
        assert_eq!(told("http://s3.amazonaws.com/b/k"), "TemplateURL must be a supported URL.");
        assert_eq!(told("https://127.0.0.1:4598/b/k"), "TemplateURL must be a supported URL.");
        assert_eq!(told("s3://bucket/t.yaml"), "S3 error: Domain name specified in bucket is not a valid S3 domain");
    }
}
