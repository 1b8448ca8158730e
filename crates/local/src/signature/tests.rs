use super::*;

/// The worked example of AWS's documentation.
const EXAMPLE: &str = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";

fn documented() -> Parts {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, Signature={EXAMPLE}"
    );
    let request = http::Request::get("/?Action=ListUsers&Version=2010-05-08")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("host", "iam.amazonaws.com")
        .header("x-amz-date", "20150830T123600Z")
        .header("authorization", authorization);
    request.body(()).expect("it is a request").into_parts().0
}

fn keys() -> Iam {
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned();
    Iam {
        root: AccessKey { id: "AKIDEXAMPLE".to_owned(), secret: secret.into() },
        session_seed: "seed".to_owned().into(),
        ..Iam::default()
    }
}

fn verified_at(parts: &Parts, now: OffsetDateTime) -> Result<Caller, Problem> {
    let trust = Trust { iam: &keys(), region: "us-east-1", now };
    let signature = Signature::of(parts)?.ok_or(Problem::Missing)?;
    signature.verify(parts, &sha256_hex(b""), &trust).map(|verified| verified.caller)
}

fn verified(parts: &Parts) -> Result<Caller, Problem> {
    verified_at(parts, time::macros::datetime!(2015-08-30 12:36:10 UTC))
}

#[test]
fn the_documented_example_verifies() {
    assert_eq!(verified(&documented()), Ok(Caller::Root));
}

#[test]
fn any_change_breaks_it() {
    let mut parts = documented();
    parts.uri = "/?Action=ListRoles&Version=2010-05-08".parse().expect("it is a path");
    assert_eq!(verified(&parts), Err(Problem::Mismatch));
    let mut parts = documented();
    parts.method = http::Method::POST;
    assert_eq!(verified(&parts), Err(Problem::Mismatch));
    let mut parts = documented();
    parts.headers.insert("host", http::HeaderValue::from_static("evil.example"));
    assert_eq!(verified(&parts), Err(Problem::Mismatch));
    let mut parts = documented();
    parts.headers.insert("x-amz-target", http::HeaderValue::from_static("A.B"));
    assert_eq!(verified(&parts), Err(Problem::Uncovered("x-amz-target".to_owned())));
}

#[test]
fn an_escaped_slash_is_no_slash() {
    let signature = Signature::of(&documented()).expect("it is well-formed").expect("it is there");
    let forms = |path: &str| signature.canonical_paths(path);
    assert!(forms("/a%2Fb").iter().all(|form| !forms("/a/b").contains(form)));
    assert_eq!(forms("/a:b/c")[1], forms("/a%3Ab/c")[0], "a client may send bare what it signs encoded");
}

#[test]
fn time_is_checked_both_ways() {
    let signed = time::macros::datetime!(2015-08-30 12:36:00 UTC);
    for (offset, good) in [(299, true), (-299, true), (301, false), (-301, false)] {
        let outcome = verified_at(&documented(), signed + Duration::seconds(offset));
        assert_eq!(outcome.is_ok(), good, "{offset}: {outcome:?}");
    }
}

#[test]
fn broken_headers_are_told_and_never_panic() {
    let broken = [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=, Signature=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=x",
        "AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=x",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/9/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x",
    ];
    for header in broken {
        let mut parts = documented();
        parts.headers.insert("authorization", header.parse().expect("it is a header"));
        assert!(matches!(verified(&parts), Err(Problem::Incomplete(_))), "{header}");
    }
}

#[test]
fn chunks_are_decoded_with_their_trailer() {
    let body = bytes::Bytes::from_static(b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n");
    let (decoded, trailer) = decode_chunks(body, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", chain()).expect("it is whole");
    assert_eq!(decoded, "hello world");
    assert_eq!(trailer["x-amz-checksum-crc32"], "DUoRhQ==");
}

#[test]
fn broken_chunks_are_refused() {
    for body in ["", "5\r\nhell", "zz\r\n", "ffffffffffffffffff\r\n", "5\r\nhelloworld\r\n0\r\n", "5\r\nhello\r\n"] {
        let outcome = decode_chunks(body.into(), "STREAMING-UNSIGNED-PAYLOAD-TRAILER", chain());
        assert!(outcome.is_err(), "{body}");
    }
    let unsigned = decode_chunks("0\r\n\r\n".into(), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", chain());
    assert!(unsigned.is_err());
}

/// The chunked upload of AWS's documentation: 66,560 bytes of `a`.
#[test]
fn the_documented_chunk_signatures_verify() {
    let signature = Signature {
        service: "s3".to_owned(),
        key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        date: "20130524".to_owned(),
        region: "us-east-1".to_owned(),
        signed_headers: vec![],
        signature: String::new(),
        timestamp: String::new(),
        token: None,
        lifetime: None,
        presigned: None,
    };
    let mut chain = Chain {
        key: signature.signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        timestamp: "20130524T000000Z".to_owned(),
        scope: signature.scope(),
        previous: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9".to_owned(),
    };
    let signatures = [
        (65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        (1_024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    ];
    for (size, signature) in signatures {
        assert!(chain.covers_chunk(&vec![b'a'; size], signature), "{size}");
    }
    assert!(!chain.covers_chunk(b"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"));
}

fn chain() -> Chain {
    let (timestamp, scope, previous) = (String::new(), String::new(), String::new());
    Chain { key: sign(b"key", b""), timestamp, scope, previous }
}
