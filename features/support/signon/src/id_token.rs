//! ID tokens: a key made at the start, and what is signed with it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{AccessToken, AccessTokenHash, JsonWebKeyId, PrivateSigningKey};
use serde_json::{Value as Json, json};

use crate::mode::Mode;
use crate::shape::{Shape, change};
use crate::store::User;

/// What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const KEY_ID: &str = "signon-1";
/// How long an ID token is good for, in seconds.
const SECONDS: u64 = 300;

/// Signs ID tokens.
pub(crate) struct Signer {
    key: CoreEdDsaPrivateSigningKey,
    other: CoreEdDsaPrivateSigningKey,
}

impl Signer {
    pub(crate) fn new() -> Self {
        Self { key: make_key(), other: make_key() }
    }

    /// The keys that the tokens are checked with.
    pub(crate) fn keys(&self) -> CoreJsonWebKeySet {
        CoreJsonWebKeySet::new(vec![self.key.as_verification_key()])
    }

    /// An ID token, or what looks like one.
    pub(crate) fn id_token(
        &self,
        issuer: &str,
        user: &User,
        nonce: Option<&str>,
        access: &str,
        mode: Mode,
        shape: Shape,
    ) -> Result<String, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_secs();
        let (start, end) =
            if mode == Mode::Expired { (now - 2 * SECONDS, now - SECONDS) } else { (now, now + SECONDS) };
        let algorithm = CoreJwsSigningAlgorithm::EdDsa;
        let access = AccessToken::new(access.to_owned());
        let hash = AccessTokenHash::from_token(&access, &algorithm, &self.key.as_verification_key());
        let mut claims = json!({
            "iss": shape.issuer(issuer),
            "sub": user.uid,
            "aud": if mode == Mode::WrongAudience { "another" } else { "backdrop" },
            "iat": start,
            "exp": end,
            "at_hash": hash.map_err(|error| error.to_string())?,
            "name": user.name,
            "email": user.email,
            "email_verified": user.email_verified,
            "groups": user.permissions,
        });
        change(&mut claims, shape.id_token(&user.permissions, now));
        if let Some(nonce) = nonce {
            claims["nonce"] = if mode == Mode::WrongNonce { "another".into() } else { nonce.into() };
        }
        let header = json!({"alg": "EdDSA", "kid": KEY_ID, "typ": "JWT"});
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let key = if mode == Mode::WrongSignature { &self.other } else { &self.key };
        let signature = key.sign(&algorithm, signed.as_bytes()).map_err(|error| error.to_string())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn encode(json: &Json) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn make_key() -> CoreEdDsaPrivateSigningKey {
    let key: Vec<u8> = PKCS8_PREFIX.into_iter().chain(rand::random::<[u8; 32]>()).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(key));
    let key_id = JsonWebKeyId::new(KEY_ID.to_owned());
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(key_id)).expect("any 32 bytes are a key")
}
