//! The keys of an OpenID provider, and what they signed. Signatures are checked by `openidconnect`; nothing of
//! cryptography is here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::AccessToken;
use openidconnect::core::{CoreJsonWebKey, CoreJsonWebKeyType, CoreJwsSigningAlgorithm};
use openidconnect::{AccessTokenHash, JsonWebKey, JwsSigningAlgorithm};
use serde_json::Value as Json;

use crate::admin::provider::Fault;
use crate::admin::provider::fault::{Answer, shown};

/// What they are called in the log.
pub(super) const NAME: &str = "the keys (jwks_uri)";

/// What tokens are checked with.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    public: Vec<CoreJsonWebKey>,
    /// The client's secret, for tokens that are signed with that.
    secret: CoreJsonWebKey,
    /// What may be signed with; empty means anything.
    algorithms: Vec<String>,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadToken {
    /// None of these keys signed it; there may be newer ones.
    NoKey(Fault),
    /// It is no token of this provider, whatever its keys are.
    Wrong(Fault),
}

/// A token whose signature is right.
pub(super) struct Opened<'k> {
    pub(super) claims: Answer,
    key: &'k CoreJsonWebKey,
    algorithm: CoreJwsSigningAlgorithm,
}

impl Keys {
    /// Reads a set of keys (RFC 7517). One that cannot be read is left out, as one for something else is.
    ///
    /// # Errors
    ///
    /// If it is no set of keys at all.
    pub(super) fn parse(
        body: Option<&[u8]>,
        client_secret: &str,
        algorithms: Vec<String>,
    ) -> Result<Self, Fault> {
        let mut public = Vec::new();
        if let Some(body) = body {
            let answer = Answer::parse(NAME, body)?;
            let keys = answer.get("keys").and_then(Json::as_array);
            let keys = keys.ok_or_else(|| answer.fault("keys is missing, or no list"))?;
            public.extend(
                keys.iter().filter_map(|key| serde_json::from_value::<CoreJsonWebKey>(key.clone()).ok()),
            );
        }
        // A symmetric key that anybody can read signs nothing.
        public.retain(|key| *key.key_type() != CoreJsonWebKeyType::Symmetric);
        Ok(Self { public, secret: CoreJsonWebKey::new_symmetric(client_secret.into()), algorithms })
    }

    /// Checks a token's signature (RFC 7515, section 5.2) and reads its claims.
    pub(super) fn open(&self, name: &'static str, token: &str) -> Result<Opened<'_>, BadToken> {
        let wrong = |problem: &str| BadToken::Wrong(Fault::new(name, problem));
        let (message, signature) = token.rsplit_once('.').ok_or_else(|| wrong("it is no JSON Web Token"))?;
        let (header, payload) = message.split_once('.').ok_or_else(|| wrong("it is no JSON Web Token"))?;
        if payload.contains('.') {
            return Err(BadToken::Wrong(Fault::new(name, "it is encrypted").advising(
                "Backdrop reads signed tokens only: whoever set up signing in must have the provider not encrypt \
                 those for it.",
            )));
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| wrong("it is no base64"));
        let header = Answer::parse(name, &decode(header)?).map_err(BadToken::Wrong)?;
        let algorithm = self.algorithm(&header)?;
        let signature = decode(signature)?;
        let verifies =
            |key: &&CoreJsonWebKey| key.verify_signature(&algorithm, message.as_bytes(), &signature).is_ok();
        let key = self.candidates(&algorithm, header.text("kid")).find(verifies);
        let key = key.ok_or_else(|| {
            let problem = format_args!(
                "none of the provider's keys signed it (alg {})",
                shown(&header.get("alg").cloned().unwrap_or_default())
            );
            BadToken::NoKey(header.fault(problem))
        })?;
        let claims = Answer::parse(name, &decode(payload)?).map_err(BadToken::Wrong)?;
        Ok(Opened { claims, key, algorithm })
    }

    /// With what a token says that it is signed, if that is allowed.
    fn algorithm(&self, header: &Answer) -> Result<CoreJwsSigningAlgorithm, BadToken> {
        let name = header.required("alg").map_err(BadToken::Wrong)?;
        let refused = |problem: &str| {
            let alg = shown(&name.into());
            BadToken::Wrong(header.fault(format_args!("alg is {alg}, {problem}")).advising(
                "Whoever set up signing in must have the provider sign ID tokens for Backdrop with one of the \
                 algorithms that its discovery lists, RS256 for one.",
            ))
        };
        if header.get("crit").is_some() {
            return Err(BadToken::Wrong(header.fault("crit asks for what is not known here")));
        }
        let algorithm = serde_json::from_value(name.into()).ok();
        let algorithm = algorithm.filter(|algorithm| *algorithm != CoreJwsSigningAlgorithm::None);
        let algorithm: CoreJwsSigningAlgorithm =
            algorithm.ok_or_else(|| refused("with which nothing is signed that is taken here"))?;
        let is_listed = self.algorithms.iter().any(|listed| listed == name);
        // Whichever it is, the key is of its kind: with the client's secret nobody but the provider signs, and a
        // public key is never taken for a secret.
        if is_listed || self.algorithms.is_empty() {
            return Ok(algorithm);
        }
        Err(refused("which discovery does not list (id_token_signing_alg_values_supported)"))
    }

    /// The keys that may have signed a token, by the name of the key that it says.
    fn candidates<'k>(
        &'k self,
        algorithm: &CoreJwsSigningAlgorithm,
        kid: Option<&str>,
    ) -> impl Iterator<Item = &'k CoreJsonWebKey> {
        let keys =
            if algorithm.uses_shared_secret() { std::slice::from_ref(&self.secret) } else { &self.public };
        keys.iter().filter(move |key| match (kid, key.key_id()) {
            (Some(kid), Some(known)) => known.as_str() == kid,
            _ => true,
        })
    }
}

impl Opened<'_> {
    /// Checks that a token is about an access token, if it says about which (OpenID Connect Core 1.0, section
    /// 3.1.3.6).
    pub(super) fn is_about(&self, access: &AccessToken) -> Result<(), Fault> {
        let Some(expected) = self.claims.text("at_hash") else { return Ok(()) };
        let found = AccessTokenHash::from_token(access, &self.algorithm, self.key);
        match found {
            Ok(found) if found.as_str() == expected => Ok(()),
            Ok(_) => Err(self.claims.fault("at_hash is that of another access token")),
            Err(_) => Err(self.claims.fault("at_hash cannot be checked with this alg")),
        }
    }
}

#[cfg(test)]
mod tests {
    use openidconnect::PrivateSigningKey;
    use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreHmacKey};
    use serde_json::json;

    use super::*;

    const NAME: &str = "the ID token";
    const SECRET: &str = "client-secret";

    /// An Ed25519 key made of one byte (RFC 8410, section 7).
    fn ed25519(byte: u8) -> CoreEdDsaPrivateSigningKey {
        let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let key: Vec<u8> = prefix.into_iter().chain([byte; 32]).collect();
        let text = base64::engine::general_purpose::STANDARD.encode(key);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, None).expect("a key")
    }

    fn public(byte: u8, kid: Option<&str>) -> Json {
        let mut key = serde_json::to_value(ed25519(byte).as_verification_key()).expect("JSON");
        if let Some(kid) = kid {
            key["kid"] = kid.into();
        }
        key
    }

    fn keys(list: &Json, algorithms: &[&str]) -> Keys {
        let body = json!({ "keys": list }).to_string();
        let algorithms = algorithms.iter().map(|name| (*name).to_owned()).collect();
        Keys::parse(Some(body.as_bytes()), SECRET, algorithms).expect("keys")
    }

    fn unsigned(header: &Json) -> String {
        let encode = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}", encode(header), encode(&json!({"sub": "u1"})))
    }

    fn by_ed25519(byte: u8, header: &Json) -> String {
        let message = unsigned(header);
        let signature = ed25519(byte).sign(&CoreJwsSigningAlgorithm::EdDsa, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.expect("a signature")))
    }

    fn by_secret(secret: &[u8], header: &Json) -> String {
        let message = unsigned(header);
        let signature =
            CoreHmacKey::new(secret).sign(&CoreJwsSigningAlgorithm::HmacSha256, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.expect("a signature")))
    }

    /// What is wrong with a token: `no key` or the fault.
    fn fault(keys: &Keys, token: &str) -> Option<String> {
        match keys.open(NAME, token) {
            Ok(opened) => {
                assert_eq!(opened.claims.text("sub"), Some("u1"));
                None
            }
            Err(BadToken::NoKey(_)) => Some("no key".to_owned()),
            Err(BadToken::Wrong(fault)) => Some(fault.to_string()),
        }
    }

    #[test]
    fn what_one_of_the_keys_signed_is_taken() {
        let odd = json!([
            {"kty": "AKP", "alg": "ML-DSA-44", "kid": "a"},
            {"kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "kid": "a", "n": "AQAB", "e": "AQAB"},
            "no key", {}, null, public(2, Some("b")), public(1, Some("a")), public(3, None),
        ]);
        let keys = keys(&odd, &["EdDSA", "HS256"]);
        for token in [
            by_ed25519(1, &json!({"alg": "EdDSA", "kid": "a"})),
            by_ed25519(1, &json!({"alg": "EdDSA"})),
            by_ed25519(2, &json!({"alg": "EdDSA", "typ": "odd", "x5t": 5})),
            by_ed25519(3, &json!({"alg": "EdDSA", "kid": "z"})),
            by_secret(SECRET.as_bytes(), &json!({"alg": "HS256", "kid": "anything"})),
        ] {
            assert_eq!(fault(&keys, &token), None, "{token}");
        }
    }

    #[test]
    fn what_no_key_signed_is_not() {
        let list = json!([public(1, Some("a")), {"kty": "oct", "k": URL_SAFE_NO_PAD.encode("known to all")}]);
        let keys = keys(&list, &["EdDSA", "HS256"]);
        let good = by_ed25519(1, &json!({"alg": "EdDSA", "kid": "a"}));
        let (message, signature) = good.rsplit_once('.').expect("a token");
        let (header, _) = message.split_once('.').expect("a token");
        let changed = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode("{\"sub\": \"u2\"}"));
        let x = serde_json::to_value(ed25519(1).as_verification_key()).expect("JSON")["x"].to_string();
        for token in [
            changed,
            format!("{message}."),
            by_ed25519(1, &json!({"alg": "EdDSA", "kid": "b"})),
            by_ed25519(2, &json!({"alg": "EdDSA", "kid": "a"})),
            // A public key is no secret, and a key that is published is none either.
            by_secret(
                URL_SAFE_NO_PAD.decode(x.trim_matches('"')).expect("a key").as_slice(),
                &json!({"alg": "HS256"}),
            ),
            by_secret(b"known to all", &json!({"alg": "HS256"})),
            by_secret(b"", &json!({"alg": "HS256"})),
            by_ed25519(1, &json!({"alg": "RS256", "kid": "a"})),
        ] {
            let said = fault(&keys, &token).unwrap_or_else(|| panic!("{token}"));
            assert!(said == "no key" || said.contains("does not list"), "{said}");
        }
    }

    #[test]
    fn what_is_no_token_for_us_is_said() {
        let listed = keys(&json!([public(1, None)]), &["EdDSA"]);
        let unlisted = keys(&json!([public(1, None)]), &[]);
        let secret = by_secret(SECRET.as_bytes(), &json!({"alg": "HS256"}));
        for (keys, token, expected) in [
            (&listed, "x".to_owned(), "it is no JSON Web Token"),
            (&listed, "x.y".to_owned(), "it is no JSON Web Token"),
            (&listed, "a.b.c.d.e".to_owned(), "it is encrypted"),
            (&listed, "!.b.c".to_owned(), "it is no base64"),
            (&listed, "AAAA.b.c".to_owned(), "it is no JSON"),
            (&listed, format!("{}.", unsigned(&json!({"alg": "none"}))), "alg is \"none\""),
            (&unlisted, format!("{}.", unsigned(&json!({"alg": "none"}))), "alg is \"none\""),
            (&listed, format!("{}.AA", unsigned(&json!({}))), "alg is missing"),
            (&listed, format!("{}.AA", unsigned(&json!({"alg": "XY1"}))), "alg is \"XY1\""),
            (&listed, by_ed25519(1, &json!({"alg": "EdDSA", "crit": ["x"]})), "crit asks"),
            (&listed, secret.clone(), "which discovery does not list"),
        ] {
            let said = fault(keys, &token).unwrap_or_else(|| panic!("{token}"));
            assert!(said.starts_with("the ID token: ") && said.contains(expected), "{said}");
        }
        assert_eq!(fault(&unlisted, &secret), None, "nor does the client's secret");
        assert_eq!(
            fault(&unlisted, &by_ed25519(1, &json!({"alg": "EdDSA"}))),
            None,
            "a public key needs no list"
        );
        for body in ["[]", "{}", "<html>", "{\"keys\": {}}"] {
            assert!(Keys::parse(Some(body.as_bytes()), SECRET, Vec::new()).is_err(), "{body}");
        }
        assert!(Keys::parse(None, SECRET, Vec::new()).is_ok());
    }

    #[test]
    fn a_token_is_about_its_access_token() {
        let keys = keys(&json!([public(1, None)]), &["EdDSA"]);
        let access = AccessToken::new("access".to_owned());
        let key = ed25519(1).as_verification_key();
        let hash =
            AccessTokenHash::from_token(&access, &CoreJwsSigningAlgorithm::EdDsa, &key).expect("a hash");
        for (claim, is_right) in
            [(json!(hash.as_str()), true), (json!("other"), false), (json!(null), true), (json!(5), true)]
        {
            let encode = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
            let message =
                format!("{}.{}", encode(&json!({"alg": "EdDSA"})), encode(&json!({"at_hash": claim})));
            let signature =
                ed25519(1).sign(&CoreJwsSigningAlgorithm::EdDsa, message.as_bytes()).expect("one");
            let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
            let Ok(opened) = keys.open(NAME, &token) else { panic!("{token}") };
            assert_eq!(opened.is_about(&access).is_ok(), is_right, "{claim}");
        }
    }
}
