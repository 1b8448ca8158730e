//! The keys that sign a pool's tokens.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse, RSAKeyParameters,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::cognito::fault;
use crate::hidden::Hidden;
use crate::wire::Fault;

/// An RSA key pair with its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SigningKey {
    kid: String,
    pkcs8: Hidden,
    modulus: String,
    exponent: String,
}

impl SigningKey {
    fn generate() -> Option<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).ok()?;
        let public = pair.public_key();
        Some(Self {
            kid: STANDARD.encode(rand::random::<[u8; 32]>()),
            pkcs8: STANDARD.encode(pkcs8.as_ref()).into(),
            modulus: URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            exponent: URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        })
    }

    /// A signed token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, Fault> {
        self.sign_under(&json!({ "kid": self.kid, "alg": "RS256" }), claims)
    }

    /// A signed token that does not say which key signed it. Cognito makes none.
    pub(crate) fn sign_nameless(&self, claims: &Value) -> Result<String, Fault> {
        self.sign_under(&json!({ "alg": "RS256" }), claims)
    }

    fn sign_under(&self, header: &Value, claims: &Value) -> Result<String, Fault> {
        let header = header.to_string();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.signature(signed.as_bytes()).ok_or_else(fault::internal)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn signature(&self, message: &[u8]) -> Option<Vec<u8>> {
        let pair = KeyPair::from_pkcs8(&STANDARD.decode(&*self.pkcs8).ok()?).ok()?;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }

    fn public(&self) -> Jwk {
        let common = CommonParameters {
            public_key_use: Some(PublicKeyUse::Signature),
            key_algorithm: Some(KeyAlgorithm::RS256),
            key_id: Some(self.kid.clone()),
            ..CommonParameters::default()
        };
        let key = RSAKeyParameters { n: self.modulus.clone(), e: self.exponent.clone(), ..RSAKeyParameters::default() };
        Jwk { common, algorithm: AlgorithmParameters::RSA(key) }
    }
}

/// A pool's two keys: Cognito signs identity and access tokens with different ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SigningKeys {
    /// Signs identity tokens.
    pub(crate) id: SigningKey,
    /// Signs access tokens.
    pub(crate) access: SigningKey,
}

impl SigningKeys {
    fn generate() -> Option<Self> {
        Some(Self { id: SigningKey::generate()?, access: SigningKey::generate()? })
    }

    /// The public halves.
    pub(crate) fn public(&self) -> JwkSet {
        JwkSet { keys: vec![self.id.public(), self.access.public()] }
    }
}

/// Where the keys of a new pool are made. It takes a moment, for which neither a deployment nor the account's lock should wait; nobody
/// has seen the keys before they are first asked for, so losing them to a restart is no loss.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forge(Arc<OnceLock<Option<SigningKeys>>>);

impl Forge {
    /// Begins to make the keys on a thread of its own, which ends with them.
    pub(crate) fn light(&self) {
        let forge = self.clone();
        std::thread::spawn(move || forge.keys());
    }

    fn keys(&self) -> Option<SigningKeys> {
        self.0.get_or_init(SigningKeys::generate).clone()
    }
}

/// The keys of a pool, made now if they were not before.
pub(crate) async fn of_pool(cloud: &Cloud, pool: &str) -> Result<SigningKeys, Fault> {
    let known = cloud.read(|account| {
        let pool = account.cognito.pool(pool)?;
        Ok::<_, Fault>(pool.keys.clone().map_or_else(|| Err(pool.forge.clone()), Ok))
    })?;
    let forge = match known {
        Ok(keys) => return Ok(keys),
        Err(forge) => forge,
    };
    let keys = tokio::task::spawn_blocking(move || forge.keys()).await.ok().flatten().ok_or_else(fault::internal)?;
    cloud.write(|account| Ok(account.cognito.pool_mut(pool)?.keys.get_or_insert(keys).clone()))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    use super::*;

    #[test]
    fn a_token_verifies_with_its_own_key_only() {
        let keys = SigningKeys::generate().expect("two key pairs");
        let token = keys.id.sign(&json!({ "sub": "alice" })).expect("a token");
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let verify = |key: &SigningKey| {
            let key = DecodingKey::from_jwk(&key.public()).expect("a public key");
            jsonwebtoken::decode::<Value>(&token, &key, &validation).map(|token| token.claims["sub"].clone())
        };
        assert_eq!(verify(&keys.id).ok(), Some(json!("alice")));
        assert!(verify(&keys.access).is_err());
    }
}
