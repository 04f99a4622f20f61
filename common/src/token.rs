//! Bearer tokens: made at random, kept as salted hashes, compared in constant time.
//!
//! SHA-256 and not a slow password hash: the tokens that we make have 256 bits of chance, so there
//! is nothing to guess, and every POST pays for the check. The salt keeps a weak token that an
//! operator imported from being looked up in a table.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What is kept of a bearer token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash {
    salt: [u8; 16],
    digest: [u8; 32],
}

impl TokenHash {
    /// Hashes a token with a fresh salt.
    pub fn new(token: &SecretString) -> Self {
        let salt = rand::random();
        Self { salt, digest: digest(&salt, token.expose_secret()) }
    }

    /// Whether this is the hash of that token; takes as long either way.
    pub fn matches(&self, token: &str) -> bool {
        self.digest.ct_eq(&digest(&self.salt, token)).into()
    }

    /// The text under which it is stored.
    pub fn to_text(&self) -> String {
        format!("sha256:{}:{}", URL_SAFE_NO_PAD.encode(self.salt), URL_SAFE_NO_PAD.encode(self.digest))
    }
}

fn digest(salt: &[u8], token: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(token).finalize().into()
}

/// The text is not one that [`TokenHash::to_text`] wrote.
#[derive(Debug, thiserror::Error)]
#[error("a stored token hash is damaged")]
pub struct DamagedTokenHash;

impl FromStr for TokenHash {
    type Err = DamagedTokenHash;

    fn from_str(text: &str) -> Result<Self, DamagedTokenHash> {
        let (salt, digest) =
            text.strip_prefix("sha256:").and_then(|rest| rest.split_once(':')).ok_or(DamagedTokenHash)?;
        Ok(Self { salt: decode(salt)?, digest: decode(digest)? })
    }
}

fn decode<const N: usize>(text: &str) -> Result<[u8; N], DamagedTokenHash> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| DamagedTokenHash)?;
    bytes.try_into().map_err(|_| DamagedTokenHash)
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash(…)")
    }
}

/// Makes a token of 256 random bits, as 43 characters that need no escaping anywhere.
pub fn make_token() -> SecretString {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()).into()
}

/// Compares a secret with what a client sent, in constant time.
pub fn is_secret(secret: &SecretString, given: &str) -> bool {
    secret.expose_secret().as_bytes().ct_eq(given.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_token_only() {
        let hash = TokenHash::new(&"tok-one".to_owned().into());
        assert!(hash.matches("tok-one"));
        for other in ["", "tok-on", "tok-one ", "TOK-ONE", "tok-two"] {
            assert!(!hash.matches(other), "{other}");
        }
    }

    #[test]
    fn a_hash_is_stored_and_read_back_and_never_shown() {
        let hash = TokenHash::new(&make_token());
        assert_eq!(hash.to_text().parse::<TokenHash>().ok(), Some(hash.clone()));
        assert_eq!(format!("{hash:?}"), "TokenHash(…)");
        for damaged in ["", "sha256:", "md5:aa:bb", "sha256:AAAA:AAAA"] {
            assert!(damaged.parse::<TokenHash>().is_err(), "{damaged}");
        }
    }

    #[test]
    fn tokens_differ() {
        let (one, two) = (make_token(), make_token());
        assert_ne!(one.expose_secret(), two.expose_secret());
        assert_eq!(one.expose_secret().len(), 43);
    }
}
