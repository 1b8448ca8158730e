//! Cognito's variant of the Secure Remote Password protocol: a sign-in in which the password never travels.
//!
//! It differs from RFC 5054 in its hash (SHA-256), its padding, its key derivation and its proof.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use num_bigint::BigUint;
use time::OffsetDateTime;
use time::macros::format_description;

/// The 3,072-bit prime of RFC 3526, hexadecimal.
const PRIME: &str = concat!(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD",
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED",
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F",
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B",
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510",
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7",
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C",
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
);

/// Our half of one exchange.
pub(crate) struct Exchange {
    secret: BigUint,
    public: BigUint,
}

/// What Cognito answers to our half.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Challenge<'a> {
    /// `SRP_B`, hexadecimal.
    pub(crate) public: &'a str,
    /// `SALT`, hexadecimal.
    pub(crate) salt: &'a str,
    /// `SECRET_BLOCK`, base64.
    pub(crate) secret_block: &'a str,
    /// `USER_ID_FOR_SRP`.
    pub(crate) user: &'a str,
}

/// Our proof, as the challenge wants it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proof {
    /// `PASSWORD_CLAIM_SIGNATURE`.
    pub(crate) signature: String,
    /// `TIMESTAMP`.
    pub(crate) timestamp: String,
}

impl Exchange {
    /// An exchange with a fresh secret.
    pub(crate) fn new() -> Self {
        let mut secret = [0_u8; 128];
        rand::fill(&mut secret);
        Self::with_secret(BigUint::from_bytes_be(&secret))
    }

    fn with_secret(secret: BigUint) -> Self {
        let public = BigUint::from(2_u8).modpow(&secret, &prime());
        Self { secret, public }
    }

    /// `SRP_A`, hexadecimal.
    pub(crate) fn public(&self) -> String {
        format!("{:x}", self.public)
    }

    /// The proof that we know the password. `pool` is the part of the pool's id after the underscore. Nothing when the
    /// challenge is malformed.
    pub(crate) fn prove(
        &self,
        pool: &str,
        challenge: Challenge<'_>,
        password: &str,
        now: OffsetDateTime,
    ) -> Option<Proof> {
        let theirs = BigUint::parse_bytes(challenge.public.as_bytes(), 16)?;
        let salt = BigUint::parse_bytes(challenge.salt.as_bytes(), 16)?;
        let block = BASE64.decode(challenge.secret_block).ok()?;
        let prime = prime();
        if &theirs % &prime == BigUint::ZERO {
            return None;
        }
        let scramble = hash(&[&padded(&self.public), &padded(&theirs)]);
        let identity = digest::digest(&digest::SHA256, format!("{pool}{}:{password}", challenge.user).as_bytes());
        let private = hash(&[&padded(&salt), identity.as_ref()]);
        let multiplier = hash(&[&padded(&prime), &[2]]);
        let verifier = BigUint::from(2_u8).modpow(&private, &prime);
        let base = (&theirs + &prime * &multiplier - (&multiplier * verifier) % (&prime * &multiplier)) % &prime;
        let shared = base.modpow(&(&self.secret + &scramble * private), &prime);
        let timestamp = timestamp(now)?;
        let message = [pool.as_bytes(), challenge.user.as_bytes(), &block, timestamp.as_bytes()].concat();
        let signature = hmac::sign(&key(&shared, &scramble), &message);
        Some(Proof { signature: BASE64.encode(signature), timestamp })
    }
}

/// What a client with a secret must send along: a keyed hash of the user's name and the client's id.
pub(crate) fn secret_hash(secret: &str, user: &str, client: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    BASE64.encode(hmac::sign(&key, format!("{user}{client}").as_bytes()))
}

fn prime() -> BigUint {
    BigUint::parse_bytes(PRIME.as_bytes(), 16).expect("the constant is hexadecimal")
}

/// Big-endian, with a zero byte before a first byte that would make a signed number negative.
fn padded(number: &BigUint) -> Vec<u8> {
    let mut bytes = number.to_bytes_be();
    if bytes.first().is_some_and(|first| *first >= 0x80) {
        bytes.insert(0, 0);
    }
    bytes
}

fn hash(parts: &[&[u8]]) -> BigUint {
    BigUint::from_bytes_be(digest::digest(&digest::SHA256, &parts.concat()).as_ref())
}

/// HKDF over the shared secret, cut to 16 bytes.
fn key(shared: &BigUint, scramble: &BigUint) -> hmac::Key {
    let extract = hmac::Key::new(hmac::HMAC_SHA256, &padded(scramble));
    let extracted = hmac::sign(&extract, &padded(shared));
    let expand = hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref());
    let expanded = hmac::sign(&expand, b"Caldera Derived Key\x01");
    hmac::Key::new(hmac::HMAC_SHA256, &expanded.as_ref()[..16])
}

/// Cognito accepts one form only, with a day that is not padded.
fn timestamp(now: OffsetDateTime) -> Option<String> {
    let form = format_description!(
        "[weekday repr:short] [month repr:short] [day padding:none] [hour]:[minute]:[second] UTC [year]"
    );
    now.to_offset(time::UtcOffset::UTC).format(form).ok()
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use time::macros::datetime;

    use super::{BASE64, Challenge, Exchange, hash, hmac, key, padded, prime, secret_hash, timestamp};
    use base64::Engine as _;

    /// The other half, as a pool computes it from a stored verifier.
    fn server_signature(exchange: &Exchange, secret: &BigUint, password: &str, stamp: &str) -> (String, String) {
        let prime = prime();
        let two = BigUint::from(2_u8);
        let salt = BigUint::from(0xabcd_ef01_u32);
        let identity = hash(&[format!("POOLalice:{password}").as_bytes()]);
        let mut identity_bytes = identity.to_bytes_be();
        while identity_bytes.len() < 32 {
            identity_bytes.insert(0, 0);
        }
        let private = hash(&[&padded(&salt), &identity_bytes]);
        let verifier = two.modpow(&private, &prime);
        let multiplier = hash(&[&padded(&prime), &[2]]);
        let public = (&multiplier * &verifier + two.modpow(secret, &prime)) % &prime;
        let scramble = hash(&[&padded(&exchange.public), &padded(&public)]);
        let shared = (&exchange.public * verifier.modpow(&scramble, &prime)).modpow(secret, &prime);
        let message = ["POOLalice".as_bytes(), b"block", stamp.as_bytes()].concat();
        (format!("{public:x}"), BASE64.encode(hmac::sign(&key(&shared, &scramble), &message)))
    }

    #[test]
    fn both_halves_come_to_the_same_proof() {
        let now = datetime!(2026-03-05 07:08:09 UTC);
        let exchange = Exchange::with_secret(BigUint::from(123_456_789_u64));
        let stamp = timestamp(now).expect("the form is right");
        let (public, expected) = server_signature(&exchange, &BigUint::from(987_654_321_u64), "secret", &stamp);
        let block = BASE64.encode("block");
        let challenge = Challenge { public: &public, salt: "abcdef01", secret_block: &block, user: "alice" };
        let right = exchange.prove("POOL", challenge, "secret", now).expect("the challenge is sound");
        assert_eq!(right.signature, expected);
        let wrong = exchange.prove("POOL", challenge, "Secret", now).expect("the challenge is sound");
        assert_ne!(wrong.signature, expected);
    }

    #[test]
    fn a_malformed_challenge_proves_nothing() {
        let exchange = Exchange::with_secret(BigUint::from(5_u8));
        let now = datetime!(2026-03-05 07:08:09 UTC);
        let challenge = Challenge { public: "0", salt: "ab", secret_block: "", user: "alice" };
        assert_eq!(exchange.prove("POOL", challenge, "p", now), None, "a public value of zero gives the secret away");
        let challenge = Challenge { public: "xyz", ..challenge };
        assert_eq!(exchange.prove("POOL", challenge, "p", now), None);
    }

    #[test]
    fn the_timestamp_has_cognitos_form() {
        assert_eq!(timestamp(datetime!(2026-03-05 07:08:09 UTC)).as_deref(), Some("Thu Mar 5 07:08:09 UTC 2026"));
    }

    #[test]
    fn a_secret_hash_depends_on_user_and_client() {
        assert_ne!(secret_hash("s", "alice", "c"), secret_hash("s", "bob", "c"));
        assert_ne!(secret_hash("s", "alice", "c"), secret_hash("s", "alice", "d"));
    }
}
