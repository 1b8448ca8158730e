//! Bodies that come compressed, and those that go so.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html>.

use std::io::{self, Read, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue};

use super::call::Call;
use super::refusal::Refusal;
use crate::gateway::answer::Answer;
use crate::gateway::request::LARGEST_BODY;

/// How bodies may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    /// As HTTP means it: the format of zlib.
    Deflate,
}

/// Puts the body of a compressed request in its place, so that templates, models and integrations see what it says.
pub(super) fn unpack(call: &mut Call) -> Result<(), Refusal> {
    let Some(coding) = call.header(CONTENT_ENCODING.as_str()) else { return Ok(()) };
    let (coding, body) = (coding.trim(), &call.request.body);
    let least = call.bound.minimum_compression_size.unwrap_or_default();
    if body.is_empty() || body.len() < least || coding.eq_ignore_ascii_case("identity") {
        return Ok(());
    }
    let coding = Coding::named(coding).ok_or(Refusal::UnsupportedMediaType)?;
    let unpacked = coding.unpacked(body, LARGEST_BODY).map_err(|_| Refusal::UnsupportedMediaType)?;
    call.request.body = unpacked.ok_or(Refusal::BodyTooLarge)?;
    call.request.headers.remove(CONTENT_ENCODING);
    call.request.headers.remove(CONTENT_LENGTH);
    Ok(())
}

/// The answer as it goes to the client: compressed where the API says so, the client asks for it first of all, and the
/// integration has not done it.
pub(super) fn packed(answer: Answer, call: &Call) -> Answer {
    let Some(least) = call.bound.minimum_compression_size else { return answer };
    if answer.body.is_empty() || answer.body.len() < least || answer.headers.contains_key(CONTENT_ENCODING) {
        return answer;
    }
    let accepted = call.header(ACCEPT_ENCODING.as_str()).unwrap_or_default();
    let packed = preferred(&accepted).and_then(|coding| Some((coding, coding.packed(&answer.body).ok()?)));
    let Some((coding, body)) = packed else { return answer };
    let Answer { status, mut headers, .. } = answer;
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    Answer { status, headers, body }
}

/// The coding that a client prefers, if it is one of ours. Of several with the same weight the first counts.
fn preferred(accepted: &str) -> Option<Coding> {
    let mut best = ("", 0.0);
    for choice in accepted.split(',') {
        let (name, weight) = choice.split_once(';').unwrap_or((choice, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
        if let Some(weight) = weight.filter(|weight| *weight > best.1) {
            best = (name.trim(), weight);
        }
    }
    Coding::named(best.0)
}

impl Coding {
    fn named(name: &str) -> Option<Self> {
        [Self::Gzip, Self::Deflate].into_iter().find(|coding| coding.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    fn packed(self, body: &[u8]) -> io::Result<Bytes> {
        let level = Compression::default();
        let packed = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), level);
                encoder.write_all(body)?;
                encoder.finish()
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(body)?;
                encoder.finish()
            }
        };
        packed.map(Bytes::from)
    }

    /// What a body says; `None` when that is more than so many bytes. Whatever follows the compressed part makes it invalid.
    fn unpacked(self, body: &[u8], most: usize) -> io::Result<Option<Bytes>> {
        match self {
            Self::Gzip => within_bounds(&mut MultiGzDecoder::new(body), most),
            Self::Deflate => {
                let mut decoder = ZlibDecoder::new(body);
                let unpacked = within_bounds(&mut decoder, most)?;
                match unpacked.is_none() || decoder.get_ref().is_empty() {
                    true => Ok(unpacked),
                    false => Err(io::ErrorKind::InvalidData.into()),
                }
            }
        }
    }
}

/// All that there is to read, if that is at most so many bytes; no more than one beyond is ever read.
fn within_bounds(reader: &mut impl Read, most: usize) -> io::Result<Option<Bytes>> {
    let mut read = Vec::new();
    let beyond = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(beyond).read_to_end(&mut read)?;
    Ok((read.len() <= most).then(|| read.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks_again() {
        for coding in [Coding::Gzip, Coding::Deflate] {
            for body in [&b""[..], b"a", &[b'x'; 100_000]] {
                let packed = coding.packed(body).expect("memory takes all");
                assert_eq!(
                    coding.unpacked(&packed, LARGEST_BODY).expect("it is valid").as_deref(),
                    Some(body),
                    "{coding:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_packed_by_its_coding_is_invalid() {
        for coding in [Coding::Gzip, Coding::Deflate] {
            let whole = coding.packed(b"some words").expect("memory takes all");
            let short = whole.slice(..whole.len() - 1);
            let long = Bytes::from([&whole[..], b"more"].concat());
            let mut wrong = whole.to_vec();
            *wrong.last_mut().expect("it is not empty") ^= 1;
            for body in [short, long, Bytes::from(wrong), Bytes::from_static(b"some words")] {
                assert!(coding.unpacked(&body, LARGEST_BODY).is_err(), "{coding:?}: {body:?}");
            }
        }
    }

    #[test]
    fn a_bomb_goes_off_nowhere() {
        for coding in [Coding::Gzip, Coding::Deflate] {
            let packed = coding.packed(&[0; 100_000]).expect("memory takes all");
            let unpacked = |most| coding.unpacked(&packed, most).expect("it is valid").map(|body| body.len());
            assert_eq!(unpacked(100_000), Some(100_000), "{coding:?}");
            assert_eq!(unpacked(99_999), None, "{coding:?}");
            assert_eq!(unpacked(1_000), None, "{coding:?}");
        }
    }

    #[test]
    fn the_client_says_which_coding_it_prefers() {
        for (accepted, expected) in [
            ("", None),
            ("*", None),
            ("identity", None),
            ("br", None),
            ("br, gzip", None),
            ("gzip", Some(Coding::Gzip)),
            ("GZIP", Some(Coding::Gzip)),
            ("gzip, deflate, br", Some(Coding::Gzip)),
            ("deflate,gzip", Some(Coding::Deflate)),
            ("deflate;q=0.5,gzip;q=1.0", Some(Coding::Gzip)),
            ("gzip;q=1.0,identity;q=0.5,*;q=0", Some(Coding::Gzip)),
            ("gzip;q=0.5, br;q=0.9", None),
            ("gzip;q=0", None),
            ("gzip;q=x", None),
        ] {
            assert_eq!(preferred(accepted), expected, "{accepted}");
        }
    }
}
