//! Answers of a provider to a code or a refresh token (RFC 6749, sections 5.1 and 5.2). Only what is used of
//! them is looked at: providers spell `expires_in`, `scope` and the like in many ways.

use std::fmt;
use std::time::Duration;

use oauth2::basic::{BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType};
use oauth2::{
    AccessToken, EndpointNotSet, EndpointSet, ErrorResponse, RefreshToken, RequestTokenError, Scope,
    StandardRevocableToken, TokenResponse,
};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

use super::{Fault, IdToken, ProviderError};

/// What such an answer is called in the log.
const NAME: &str = "the answer of the token endpoint";

/// Us, as a provider knows us.
pub(super) type Client = oauth2::Client<
    TokenRefusal,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Tokens. `Debug` does not show them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TokenAnswer {
    access: AccessToken,
    refresh: Option<RefreshToken>,
    id: Option<IdToken>,
}

impl TokenAnswer {
    /// The ID token, if there is one.
    pub(super) fn id_token(&self) -> Option<&IdToken> {
        self.id.as_ref()
    }
}

impl<'de> Deserialize<'de> for TokenAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let answer = Json::deserialize(deserializer)?;
        let text = |member: &str| answer[member].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        if !answer.is_object() {
            return Err(D::Error::custom("it is JSON, but no object"));
        }
        let access_token = text("access_token").ok_or_else(|| D::Error::custom("access_token is missing"))?;
        Ok(Self {
            access: AccessToken::new(access_token),
            refresh: text("refresh_token").map(RefreshToken::new),
            id: text("id_token").map(IdToken),
        })
    }
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

/// Why there are none: the code of an error, as `invalid_grant`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TokenRefusal(String);

impl<'de> Deserialize<'de> for TokenRefusal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let answer = Json::deserialize(deserializer)?;
        let error = answer["error"].as_str().unwrap_or_default();
        Ok(Self(plain(error).unwrap_or("an error without a name").to_owned()))
    }
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl ErrorResponse for TokenRefusal {}

/// The code of an error, if it is fit for the log.
pub(crate) fn plain(error: &str) -> Option<&str> {
    let is_plain = error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (is_plain && (1..50).contains(&error.len())).then_some(error)
}

/// What the error of a token endpoint says of what must be done.
fn advice(error: &str) -> Option<&'static str> {
    match error {
        "invalid_client" | "unauthorized_client" => Some(
            "The provider does not know this installation, or not by this secret: whoever set up signing in \
             must compare BACKDROP_OAUTH_CLIENT_ID and BACKDROP_OAUTH_CLIENT_SECRET with what the provider \
             has, where a secret may have expired.",
        ),
        "invalid_scope" => Some(
            "Whoever set up signing in must take out of BACKDROP_OIDC_SCOPES what the provider does not know.",
        ),
        _ => None,
    }
}

/// What is wrong, without what the answer may quote.
impl From<RequestTokenError<Self, TokenRefusal>> for ProviderError {
    fn from(error: RequestTokenError<Self, TokenRefusal>) -> Self {
        match error {
            RequestTokenError::Request(error) => error,
            RequestTokenError::ServerResponse(TokenRefusal(error)) if error == "invalid_grant" => {
                Self::Refused(error)
            }
            // It does not know us, or not like this, which says nothing of the person.
            RequestTokenError::ServerResponse(TokenRefusal(error)) => {
                let fault = Fault::new(NAME, format_args!("there is no token, but the error {error}"));
                Self::Unexpected(match advice(&error) {
                    Some(advice) => fault.advising(advice),
                    None => fault,
                })
            }
            RequestTokenError::Parse(error, body) => {
                let inner = error.into_inner();
                let fault = super::fault::Answer::parse(NAME, &body).err();
                // What is no object is said there; else it is one of ours, which quotes nothing.
                Self::Unexpected(fault.unwrap_or_else(|| Fault::new(NAME, missing(&inner))))
            }
            RequestTokenError::Other(_) => Self::Unexpected(Fault::new(NAME, "it is empty")),
        }
    }
}

fn missing(error: &serde_json::Error) -> &'static str {
    if error.to_string().contains("access_token") { "access_token is missing" } else { "it cannot be read" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_used_is_looked_at() {
        let read = |json: &str| serde_json::from_str::<TokenAnswer>(json);
        for json in [
            r#"{"access_token": "a"}"#,
            r#"{"access_token": "a", "token_type": "Bearer", "expires_in": "3599", "ext_expires_in": "x"}"#,
            r#"{"access_token": "a", "token_type": null, "expires_in": 3599.5, "scope": ["openid", "email"]}"#,
            r#"{"access_token": "a", "token_type": 5, "scope": null, "refresh_token": null, "id_token": ""}"#,
            r#"{"access_token": "a", "refresh_token": {"odd": true}, "id_token": 5}"#,
        ] {
            let answer = read(json).expect(json);
            assert_eq!(answer.access_token().secret(), "a");
            assert!(answer.refresh_token().is_none() && answer.id_token().is_none(), "{json}");
        }
        for json in ["{}", r#"{"access_token": null}"#, r#"{"access_token": ""}"#, "[]", "5", r#""secret""#] {
            let error = read(json).expect_err(json).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let refusal = |json: &str| serde_json::from_str::<TokenRefusal>(json).expect(json).0;
        assert_eq!(refusal(r#"{"error": "invalid_client", "error_description": ["odd"]}"#), "invalid_client");
        for odd in [r#"{"error": "line\nbreak"}"#, r#"{"error": {"code": 5}}"#, "[]"] {
            assert_eq!(refusal(odd), "an error without a name");
        }
    }
}
