//! The password exchange: SRP-6a in the variant that Cognito's clients speak.
//!
//! The group is the 3,072-bit one of RFC 3526, the generator 2, the hash SHA-256. Numbers are hashed as the shortest
//! big-endian bytes whose highest bit is clear. Passwords are kept as verifiers only, and one that arrives in clear is
//! checked against the verifier too.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use num_bigint::BigUint;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::hidden::Hidden;

const PRIME: &str = concat!(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74",
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437",
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED",
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05",
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB",
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B",
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718",
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33",
    "A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7",
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864",
    "D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2",
    "08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
);

/// The group and its multiplier.
struct Group {
    n: BigUint,
    g: BigUint,
    k: BigUint,
}

static GROUP: LazyLock<Group> = LazyLock::new(|| {
    let n = BigUint::parse_bytes(PRIME.as_bytes(), 16).expect("the prime is written in hexadecimal");
    let g = BigUint::from(2_u8);
    let k = hash(&[&padded(&n), &padded(&g)]);
    Group { n, g, k }
});

/// Longest `SRP_A` that can be meant: the prime has 768 digits, and clients may pad.
const LONGEST_PUBLIC: usize = 1024;

/// Whose password it is. The names enter the verifier, so it is worth nothing for another user or pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    /// What follows the underscore in the pool's id.
    pub(crate) pool: &'a str,
    /// The user's internal name.
    pub(crate) user: &'a str,
}

/// What is kept of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verifier {
    salt: String,
    value: Hidden,
}

impl Verifier {
    /// The verifier of a password.
    pub(crate) fn new(identity: Identity<'_>, password: &str) -> Self {
        let mut salt: [u8; 16] = rand::random();
        // Some clients hash the salt as a number, some as the digits that they were sent: the two differ for leading zeros.
        salt[0] |= 1;
        let salt = BigUint::from_bytes_be(&salt);
        let value = GROUP.g.modpow(&private_key(&salt, identity, password), &GROUP.n);
        Self { salt: hex(&salt), value: hex(&value).into() }
    }

    /// Whether this is the password.
    pub(crate) fn matches(&self, identity: Identity<'_>, password: &str) -> bool {
        let (Some(salt), Some(value)) = (parse(&self.salt), parse(&self.value)) else { return false };
        let claimed = GROUP.g.modpow(&private_key(&salt, identity, password), &GROUP.n);
        padded(&claimed).ct_eq(&padded(&value)).into()
    }

    /// A verifier that no password matches, for somebody who does not exist.
    pub(crate) fn decoy(salt: &[u8]) -> Self {
        let value = BigUint::from_bytes_be(&rand::random::<[u8; 384]>()) % &GROUP.n;
        Self { salt: hex(&(BigUint::from_bytes_be(salt) | BigUint::from(1_u8) << 120_u8)), value: hex(&value).into() }
    }

    /// Salt, in hexadecimal.
    pub(crate) fn salt(&self) -> &str {
        &self.salt
    }
}

/// The server's half of one exchange. It is kept in memory only, and used once.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    client: BigUint,
    secret: Hidden<BigUint>,
    public: BigUint,
    verifier: Hidden<BigUint>,
}

impl Exchange {
    /// Begins an exchange with the client's public value, in hexadecimal. `None` when that value is no number, or one that would fix
    /// the shared secret.
    pub(crate) fn begin(client: &str, verifier: &Verifier) -> Option<Self> {
        let client = parse(client)?;
        if (&client % &GROUP.n) == BigUint::ZERO {
            return None;
        }
        let verifier = parse(&verifier.value)?;
        let secret = BigUint::from_bytes_be(&rand::random::<[u8; 32]>());
        let public = (&GROUP.k * &verifier + GROUP.g.modpow(&secret, &GROUP.n)) % &GROUP.n;
        Some(Self { client, secret: secret.into(), public, verifier: verifier.into() })
    }

    /// The server's public value, in hexadecimal.
    pub(crate) fn public(&self) -> String {
        hex(&self.public)
    }

    /// Whether the client proves that it knows the password.
    pub(crate) fn proves(&self, identity: Identity<'_>, block: &[u8], timestamp: &str, signature: &[u8]) -> bool {
        let Some(key) = self.key() else { return false };
        let message = [identity.pool.as_bytes(), identity.user.as_bytes(), block, timestamp.as_bytes()].concat();
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), &message, signature).is_ok()
    }

    fn key(&self) -> Option<Vec<u8>> {
        let u = hash(&[&padded(&self.client), &padded(&self.public)]);
        if u == BigUint::ZERO {
            return None;
        }
        let base = &self.client * self.verifier.modpow(&u, &GROUP.n);
        let shared = base.modpow(&self.secret, &GROUP.n);
        Some(derived(&shared, &u))
    }
}

/// The first block of HKDF with Cognito's label: the sixteen bytes that sign the claim.
fn derived(shared: &BigUint, u: &BigUint) -> Vec<u8> {
    let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &padded(u)), &padded(shared));
    let expanded = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref()), b"Caldera Derived Key\x01");
    expanded.as_ref().iter().take(16).copied().collect()
}

fn private_key(salt: &BigUint, identity: Identity<'_>, password: &str) -> BigUint {
    let inner = Sha256::digest(format!("{}{}:{password}", identity.pool, identity.user));
    hash(&[&padded(salt), &inner])
}

fn hash(parts: &[&[u8]]) -> BigUint {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    BigUint::from_bytes_be(&digest.finalize())
}

fn padded(number: &BigUint) -> Vec<u8> {
    let mut bytes = number.to_bytes_be();
    if bytes.first().is_some_and(|first| *first >= 0x80) {
        bytes.insert(0, 0);
    }
    bytes
}

fn hex(number: &BigUint) -> String {
    format!("{number:x}")
}

fn parse(digits: &str) -> Option<BigUint> {
    let plain = digits.len() <= LONGEST_PUBLIC && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    plain.then(|| BigUint::parse_bytes(digits.as_bytes(), 16)).flatten()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const ALICE: Identity<'static> = Identity { pool: "AbCdEfGhI", user: "alice" };

    /// A client, as the browser libraries have it.
    pub(crate) struct Client {
        secret: BigUint,
        public: BigUint,
    }

    impl Client {
        pub(crate) fn new() -> Self {
            let secret = BigUint::from_bytes_be(&rand::random::<[u8; 128]>());
            let public = GROUP.g.modpow(&secret, &GROUP.n);
            Self { secret, public }
        }

        pub(crate) fn public(&self) -> String {
            hex(&self.public)
        }

        pub(crate) fn sign(
            &self,
            identity: Identity<'_>,
            password: &str,
            salt: &str,
            server: &str,
            block: &[u8],
            timestamp: &str,
        ) -> Vec<u8> {
            let server = parse(server).expect("the server sends a number");
            let u = hash(&[&padded(&self.public), &padded(&server)]);
            let x = private_key(&parse(salt).expect("the server sends a salt"), identity, password);
            let known = &GROUP.k * GROUP.g.modpow(&x, &GROUP.n) % &GROUP.n;
            let base = (server + &GROUP.n - known) % &GROUP.n;
            let shared = base.modpow(&(&self.secret + &u * &x), &GROUP.n);
            let message = [identity.pool.as_bytes(), identity.user.as_bytes(), block, timestamp.as_bytes()].concat();
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &derived(&shared, &u)), &message).as_ref().to_vec()
        }
    }

    fn proven(password: &str, tamper: impl FnOnce(&mut Vec<u8>)) -> bool {
        let verifier = Verifier::new(ALICE, "Correct-horse1");
        let client = Client::new();
        let exchange = Exchange::begin(&client.public(), &verifier).expect("an honest client");
        let mut signature =
            client.sign(ALICE, password, verifier.salt(), &exchange.public(), b"block", "Fri Nov 20 11:00:00 UTC 2026");
        tamper(&mut signature);
        exchange.proves(ALICE, b"block", "Fri Nov 20 11:00:00 UTC 2026", &signature)
    }

    #[test]
    fn the_right_password_is_proven() {
        assert!(proven("Correct-horse1", |_| {}));
    }

    #[test]
    fn a_wrong_password_or_signature_is_not() {
        assert!(!proven("correct-horse1", |_| {}));
        assert!(!proven("Correct-horse1", |signature| signature[0] ^= 1));
        assert!(!proven("Correct-horse1", Vec::clear));
    }

    #[test]
    fn a_verifier_knows_its_password_and_its_owner() {
        let verifier = Verifier::new(ALICE, "secret");
        assert!(verifier.matches(ALICE, "secret"));
        assert!(!verifier.matches(ALICE, "Secret"));
        assert!(!verifier.matches(Identity { user: "mallory", ..ALICE }, "secret"));
    }

    #[test]
    fn a_public_value_that_fixes_the_secret_is_refused() {
        let verifier = Verifier::new(ALICE, "secret");
        for hostile in ["0", "000", PRIME, "", "xyz", "-1"] {
            assert!(Exchange::begin(hostile, &verifier).is_none(), "{hostile}");
        }
        assert!(Exchange::begin(&"f".repeat(5000), &verifier).is_none());
    }
}
