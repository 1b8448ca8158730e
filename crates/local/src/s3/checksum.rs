//! The checksums that S3 verifies and keeps.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use crate::wire::Fault;

/// A kind of checksum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    /// What AWS computes when nobody asks for another.
    #[default]
    Crc64Nvme,
    Sha1,
    Sha256,
}

const ALL: [Algorithm; 5] =
    [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

/// A checksum of an object or a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checksum {
    pub(super) algorithm: Algorithm,
    /// Base64; followed by `-` and the number of parts when it is a checksum of their checksums.
    pub(super) value: String,
}

impl Algorithm {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn header(self) -> String {
        format!("x-amz-checksum-{}", self.name().to_ascii_lowercase())
    }

    /// Name of its element in XML.
    pub(super) fn element(self) -> String {
        format!("Checksum{}", self.name())
    }

    fn crc(self) -> Option<(CrcAlgorithm, usize)> {
        match self {
            Self::Crc32 => Some((CrcAlgorithm::Crc32IsoHdlc, 4)),
            Self::Crc32c => Some((CrcAlgorithm::Crc32Iscsi, 4)),
            Self::Crc64Nvme => Some((CrcAlgorithm::Crc64Nvme, 8)),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    fn bytes(self, content: &[u8]) -> Vec<u8> {
        match (self.crc(), self) {
            (Some((algorithm, width)), _) => big_endian(crc_fast::checksum(algorithm, content), width),
            (None, Self::Sha1) => digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, content).as_ref().to_vec(),
            (None, _) => digest::digest(&digest::SHA256, content).as_ref().to_vec(),
        }
    }

    pub(super) fn of(self, content: &[u8]) -> Checksum {
        Checksum { algorithm: self, value: STANDARD.encode(self.bytes(content)) }
    }

    /// The checksum of a whole made of parts: exact for a CRC, else a checksum of checksums.
    pub(super) fn of_parts(self, parts: &[(Checksum, u64)], composite: bool) -> Option<Checksum> {
        let decoded = |checksum: &Checksum| STANDARD.decode(&checksum.value).ok();
        let value = match self.crc() {
            Some((algorithm, width)) if !composite => {
                let numbers = parts.iter().map(|(checksum, size)| Some((number(&decoded(checksum)?), *size)));
                let numbers: Vec<(u64, u64)> = numbers.collect::<Option<_>>()?;
                let whole = numbers.into_iter().reduce(|(left, _), (right, size)| {
                    (crc_fast::checksum_combine(algorithm, left, right, size), size)
                })?;
                STANDARD.encode(big_endian(whole.0, width))
            }
            _ => {
                let all: Vec<Vec<u8>> = parts.iter().map(|(checksum, _)| decoded(checksum)).collect::<Option<_>>()?;
                format!("{}-{}", STANDARD.encode(self.bytes(&all.concat())), parts.len())
            }
        };
        Some(Checksum { algorithm: self, value })
    }
}

fn big_endian(number: u64, width: usize) -> Vec<u8> {
    number.to_be_bytes().into_iter().skip(8 - width).collect()
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl Checksum {
    /// `FULL_OBJECT`, or `COMPOSITE` for a checksum of checksums.
    pub(super) fn kind(&self) -> &'static str {
        if self.value.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" }
    }
}

/// Verifies what the client says of a body, and answers the checksum to keep.
pub(super) fn verified(headers: &HeaderMap, body: &[u8], default: Algorithm) -> Result<Checksum, Fault> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(stated) = text("content-md5") {
        let stated = STANDARD
            .decode(stated)
            .map_err(|_| Fault::new("InvalidDigest", "The Content-MD5 you specified is not valid."))?;
        if stated != Md5::digest(body).as_slice() {
            return Err(Fault::new("BadDigest", "The Content-MD5 you specified did not match what we received."));
        }
    }
    let stated = ALL.into_iter().find_map(|algorithm| Some((algorithm, text(&algorithm.header())?)));
    let asked = text("x-amz-sdk-checksum-algorithm").and_then(Algorithm::named);
    let checksum = stated.map(|(algorithm, _)| algorithm).or(asked).unwrap_or(default).of(body);
    match stated {
        Some((algorithm, value)) if value != checksum.value => {
            let message = format!("The {} you specified did not match the calculated checksum.", algorithm.name());
            Err(Fault::new("BadDigest", message))
        }
        _ => Ok(checksum),
    }
}

/// The entity tag of a body: its MD5 in hexadecimal, which is no security feature.
pub(super) fn etag(body: &[u8]) -> String {
    hex::encode(Md5::digest(body))
}

/// The entity tag of a whole made of parts with these tags.
pub(super) fn etag_of_parts(parts: &[String]) -> String {
    let digests: Vec<u8> = parts.iter().filter_map(|part| hex::decode(part).ok()).flatten().collect();
    format!("{}-{}", etag(&digests), parts.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_clients() {
        let of = |algorithm: Algorithm| algorithm.of(b"hello world").value;
        assert_eq!(of(Algorithm::Crc32), "DUoRhQ==");
        assert_eq!(of(Algorithm::Crc32c), "yZRlqg==");
        assert_eq!(of(Algorithm::Sha1), "Kq5sNclPz7QV2+lfQIuc6R7oRu0=");
        assert_eq!(etag(b"hello world"), "5eb63bbbe01eeed093cb22bb8f5acdc3");
    }

    #[test]
    fn parts_combine_to_the_checksum_of_the_whole() {
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let parts = [(algorithm.of(b"hel"), 3), (algorithm.of(b"lo "), 3), (algorithm.of(b"world"), 5)];
            assert_eq!(algorithm.of_parts(&parts, false), Some(algorithm.of(b"hello world")), "{algorithm:?}");
        }
    }
}
