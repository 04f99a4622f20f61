//! What an OpenID provider says of itself. Pure.

use oauth2::{AuthType, AuthUrl, TokenUrl};
use url::Url;

use crate::admin::provider::Fault;
use crate::admin::provider::fault::{Answer, shown};

/// What it is called in the log.
pub(super) const NAME: &str = "discovery (/.well-known/openid-configuration)";

/// What is used of it.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    /// As the provider spells it, which is how ID tokens have it.
    pub(super) issuer: String,
    pub(super) authorization: AuthUrl,
    pub(super) token: TokenUrl,
    pub(super) keys: Option<Url>,
    pub(super) user_info: Option<Url>,
    pub(super) end_session: Option<Url>,
    pub(super) auth_type: AuthType,
    /// With what ID tokens are signed; empty if that is not said.
    pub(super) algorithms: Vec<String>,
}

impl Metadata {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// If it is of another issuer, or lacks something that is needed. What is not needed may be anything.
    pub(super) fn parse(body: &[u8], base_url: &str) -> Result<Self, Fault> {
        let answer = Answer::parse(NAME, body)?;
        let issuer = issuer(&answer, base_url)?;
        // Without a list it is in the header (OpenID Connect Discovery 1.0, section 3).
        let in_header = answer
            .texts("token_endpoint_auth_methods_supported")
            .is_none_or(|methods| methods.is_empty() || methods.contains(&"client_secret_basic"));
        let algorithms = answer.texts("id_token_signing_alg_values_supported").unwrap_or_default();
        Ok(Self {
            issuer,
            authorization: AuthUrl::from_url(needed(&answer, "authorization_endpoint")?),
            token: TokenUrl::from_url(needed(&answer, "token_endpoint")?),
            keys: optional(&answer, "jwks_uri"),
            user_info: optional(&answer, "userinfo_endpoint"),
            end_session: optional(&answer, "end_session_endpoint"),
            auth_type: if in_header { AuthType::BasicAuth } else { AuthType::RequestBody },
            algorithms: algorithms.into_iter().map(str::to_owned).collect(),
        })
    }
}

/// The issuer, which is the base URL but for a slash at the end: one that is somewhere else could speak for
/// people whom it does not know.
fn issuer(answer: &Answer, base_url: &str) -> Result<String, Fault> {
    let issuer = answer.required("issuer")?;
    if issuer.trim_end_matches('/') == base_url.trim_end_matches('/') {
        return Ok(issuer.to_owned());
    }
    let problem = format!("issuer is {}, but oauth_base_url is \"{base_url}\"", shown(&issuer.into()));
    Err(answer.fault(problem).advising(if issuer.contains('{') {
        "This is the address for all tenants, which is no issuer: whoever set up signing in must set \
         BACKDROP_OAUTH_BASE_URL to that of one tenant (https://login.microsoftonline.com/TENANT-ID/v2.0)."
    } else {
        "Whoever set up signing in must set BACKDROP_OAUTH_BASE_URL to the issuer, as discovery spells it."
    }))
}

fn needed(answer: &Answer, member: &str) -> Result<Url, Fault> {
    let text = answer.required(member)?;
    address(text).ok_or_else(|| answer.fault(format_args!("{member} is no http or https URL")))
}

/// What is empty or odd counts as missing.
fn optional(answer: &Answer, member: &str) -> Option<Url> {
    answer.text(member).and_then(address)
}

fn address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    const BASE: &str = "https://id.example.org/realm";

    fn parse(change: &Json) -> Result<Metadata, Fault> {
        let mut metadata = json!({
            "issuer": BASE,
            "authorization_endpoint": "https://id.example.org/authorize",
            "token_endpoint": "https://id.example.org/token",
            "userinfo_endpoint": "https://id.example.org/userinfo",
            "jwks_uri": "https://id.example.org/keys",
            "end_session_endpoint": "https://id.example.org/logout",
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        });
        let members = metadata.as_object_mut().expect("an object");
        members.extend(change.as_object().expect("an object").clone());
        Metadata::parse(metadata.to_string().as_bytes(), BASE)
    }

    #[test]
    fn what_is_not_used_may_be_anything() {
        for change in [
            json!({"end_session_endpoint": "", "userinfo_endpoint": "", "jwks_uri": ""}),
            json!({"end_session_endpoint": null, "userinfo_endpoint": 5, "jwks_uri": {}}),
            json!({"end_session_endpoint": "/logout", "userinfo_endpoint": "ftp://x", "jwks_uri": "x"}),
        ] {
            let metadata = parse(&change).expect("metadata");
            assert!(
                metadata.end_session.is_none() && metadata.user_info.is_none() && metadata.keys.is_none()
            );
        }
        for change in [
            json!({"subject_types_supported": "public", "response_types_supported": null}),
            json!({"registration_endpoint": "", "service_documentation": "", "op_policy_uri": ""}),
            json!({"scopes_supported": 5, "claims_supported": {}, "acr_values_supported": "x"}),
            json!({"issuer": format!("{BASE}/")}),
        ] {
            let metadata = parse(&change).unwrap_or_else(|fault| panic!("{change}: {fault}"));
            assert!(metadata.end_session.is_some());
            assert_eq!(metadata.algorithms, ["RS256", "ES256"]);
        }
        let odd = parse(&json!({"id_token_signing_alg_values_supported": "RS256"})).expect("metadata");
        assert!(odd.algorithms.is_empty());
    }

    #[test]
    fn what_is_needed_is_named() {
        for (change, expected) in [
            (json!({"issuer": null}), "issuer is missing"),
            (json!({"issuer": 5}), "issuer is no text, or an empty one"),
            (
                json!({"issuer": "https://evil.example.org"}),
                "issuer is \"https://evil.example.org\", but oauth_base_url is",
            ),
            (json!({"issuer": format!("{BASE}x")}), "but oauth_base_url is"),
            (json!({"authorization_endpoint": ""}), "authorization_endpoint is no text, or an empty one"),
            (json!({"token_endpoint": null}), "token_endpoint is missing"),
            (json!({"token_endpoint": "/token"}), "token_endpoint is no http or https URL"),
            (json!({"token_endpoint": "javascript:alert(1)"}), "token_endpoint is no http or https URL"),
        ] {
            let fault = parse(&change).expect_err("a fault").to_string();
            assert!(fault.starts_with("discovery") && fault.contains(expected), "{fault}");
        }
    }

    #[test]
    fn where_the_secret_goes() {
        for (methods, in_header) in [
            (json!(null), true),
            (json!([]), true),
            (json!("client_secret_post"), true),
            (json!(["client_secret_post", "client_secret_basic"]), true),
            (json!(["client_secret_post", "private_key_jwt"]), false),
        ] {
            let change = json!({"token_endpoint_auth_methods_supported": methods});
            let found = parse(&change).expect("metadata").auth_type;
            assert_eq!(matches!(found, AuthType::BasicAuth), in_header, "{change}");
        }
    }
}
