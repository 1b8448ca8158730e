//! The `aws-chunked` encoding in which the S3 clients send bodies.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::{Chain, Problem};

/// Decodes an `aws-chunked` body and hands back its trailing headers. When the body is signed, each chunk must continue
/// the chain of signatures.
pub(crate) fn decode(body: Bytes, mode: &str, mut chain: Chain) -> Result<(Bytes, HeaderMap), Problem> {
    let is_signed = mode.starts_with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    if !is_signed && mode != "STREAMING-UNSIGNED-PAYLOAD-TRAILER" {
        return Err(malformed());
    }
    let mut rest = body;
    let mut decoded = BytesMut::with_capacity(rest.len());
    loop {
        let line = take_line(&mut rest)?;
        let (size, signature) = chunk_head(&line)?;
        if size > rest.len() {
            return Err(malformed());
        }
        let chunk = rest.split_to(size);
        if is_signed && !chain.covers_chunk(&chunk, signature.ok_or_else(malformed)?) {
            return Err(Problem::Mismatch);
        }
        if size == 0 {
            break;
        }
        decoded.extend_from_slice(&chunk);
        if !take_line(&mut rest)?.is_empty() {
            return Err(malformed());
        }
    }
    let trailer = trailer(&mut rest, is_signed.then_some(&mut chain))?;
    Ok((decoded.freeze(), trailer))
}

/// `10000;chunk-signature=...` or `10000`.
fn chunk_head(line: &str) -> Result<(usize, Option<&str>), Problem> {
    let (size, extension) = line.split_once(';').unwrap_or((line, ""));
    let size = usize::from_str_radix(size.trim(), 16).map_err(|_| malformed())?;
    Ok((size, extension.trim().strip_prefix("chunk-signature=")))
}

fn trailer(rest: &mut Bytes, chain: Option<&mut Chain>) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    let mut canonical = String::new();
    let mut signature = None;
    while !rest.is_empty() {
        let line = take_line(rest)?;
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if name == "x-amz-trailer-signature" {
            signature = Some(value.to_owned());
            continue;
        }
        canonical.push_str(&format!("{name}:{value}\n"));
        let name = http::HeaderName::try_from(name).map_err(|_| malformed())?;
        headers.insert(name, http::HeaderValue::from_str(value).map_err(|_| malformed())?);
    }
    let is_covered = match (chain, signature) {
        (Some(chain), Some(signature)) => chain.covers_trailer(&canonical, &signature),
        (Some(_), None) => headers.is_empty(),
        (None, _) => true,
    };
    if is_covered { Ok(headers) } else { Err(Problem::Mismatch) }
}

/// Takes a line and its CRLF; the last line may lack it.
fn take_line(rest: &mut Bytes) -> Result<String, Problem> {
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let line = rest.split_to(end);
    if !rest.is_empty() {
        rest.advance(1);
    }
    let line = std::str::from_utf8(&line).map_err(|_| malformed())?;
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn malformed() -> Problem {
    Problem::Incomplete("The chunked body is malformed.".to_owned())
}
