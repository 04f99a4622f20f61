//! Who a person is and what they may do, as a sign-in provider says.
//!
//! ```text
//! begin   → the provider's page, and a Challenge that only our answer to this person's browser has
//! sign_in   the code that the browser brings back, and the Challenge → Profile, Tokens
//! check     Tokens → Profile, Tokens: whether all that still holds
//! ```
//!
//! Knows nothing of sessions, cookies or pages.

mod fault;
mod http;
mod oidc;
mod signon;
mod tokens;

use std::fmt;

use backdrop_common::settings::{ProviderKind, PublicUrl, SignInSettings};
use backdrop_common::user::User;
use oauth2::{AccessToken, CsrfToken, PkceCodeVerifier, RefreshToken};
use openidconnect::Nonce;
use serde::{Deserialize, Serialize};
use url::Url;

pub(crate) use self::fault::Fault;
use self::http::Http;
pub(crate) use self::http::Timeouts;
use self::oidc::Oidc;
use self::signon::Signon;
pub(crate) use self::tokens::plain;

/// Where the provider sends people's browsers back to.
const AUTHORIZED: &str = "/_user/authorized";
/// Where an OpenID provider sends them after it has signed them out.
const SIGNED_OUT: &str = "/_user/signed_out";

/// A sign-in provider.
pub(crate) enum Provider {
    Signon(Box<Signon>),
    Oidc(Box<Oidc>),
}

/// What a provider says of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// What the provider calls the person, always.
    pub(crate) uid: String,
    /// The person's name, for people to read.
    pub(crate) name: String,
    /// In lower case.
    pub(crate) email: String,
    /// Whether they may sign in here.
    pub(crate) may_sign_in: bool,
    /// Whether they may manage buckets and users.
    pub(crate) is_admin: bool,
}

/// What a provider is asked with whether its word still holds. `Debug` does not show it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tokens {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access: Option<AccessToken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh: Option<RefreshToken>,
    /// What a person signs out of an OpenID provider with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_token: Option<IdToken>,
}

/// An ID token as it came. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdToken(pub(crate) String);

impl fmt::Debug for IdToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IdToken(…)")
    }
}

/// What ties an answer of the provider to the browser that was sent there. `Debug` does not show it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Challenge {
    /// What the provider sends back with the code.
    pub(crate) state: CsrfToken,
    /// What proves to it that the code is ours.
    verifier: PkceCodeVerifier,
    /// What an ID token has in it.
    nonce: Option<Nonce>,
}

/// Why a provider did not tell. None shows a code, a token or a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProviderError {
    /// It cannot be reached, or says that it cannot answer just now.
    #[error("the sign-in provider is unavailable: {0}")]
    Unavailable(String),
    /// It does not answer in time.
    #[error("the sign-in provider did not answer in time")]
    TimedOut,
    /// It takes the code or the token for none of its own, any more or at all.
    #[error("the sign-in provider refused: {0}")]
    Refused(String),
    /// It does not say whether its word still holds, which is not that it holds no more.
    #[error("the sign-in provider does not say enough of the person: {0}")]
    Silent(String),
    /// It answers what cannot be used: it, or we, are not set up as the other expects.
    #[error("the sign-in provider gave an answer that cannot be used: {0}")]
    Unexpected(#[from] Fault),
    /// It does not vouch for the address by which people are known here.
    #[error("the sign-in provider has not verified the person's email address")]
    UnverifiedEmail,
}

impl Provider {
    /// The provider that is set, which sends people back to an address of ours.
    pub(crate) fn new(settings: &SignInSettings, public_url: &PublicUrl, timeouts: Timeouts) -> Self {
        let http = Http::new(settings.base_url.as_str(), timeouts);
        match settings.kind {
            ProviderKind::Signon => {
                Self::Signon(Box::new(Signon::new(settings, public_url.join(AUTHORIZED), http)))
            }
            ProviderKind::Oidc => Self::Oidc(Box::new(Oidc::new(settings, public_url, http))),
        }
    }

    /// The address of the provider's page on which a person signs in.
    pub(crate) async fn begin(&self) -> Result<(Url, Challenge), ProviderError> {
        match self {
            Self::Signon(signon) => Ok(signon.begin()),
            Self::Oidc(oidc) => oidc.begin().await,
        }
    }

    /// Who it was that came back with a code.
    pub(crate) async fn sign_in(
        &self,
        code: String,
        challenge: Challenge,
    ) -> Result<(Profile, Tokens), ProviderError> {
        match self {
            Self::Signon(signon) => signon.sign_in(code, challenge).await,
            Self::Oidc(oidc) => oidc.sign_in(code, challenge).await,
        }
    }

    /// What the provider says now of the person it once gave some tokens for.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Refused`] if it takes them no more; [`ProviderError::Silent`] if it tells less than it
    /// did when the person signed in, so that only signing in again helps.
    pub(crate) async fn check(&self, uid: &str, tokens: &Tokens) -> Result<(Profile, Tokens), ProviderError> {
        let (profile, tokens) = match self {
            Self::Signon(signon) => signon.check(tokens).await?,
            Self::Oidc(oidc) => oidc.check(tokens).await?,
        };
        if profile.uid != uid {
            return Err(
                Fault::new("the check of a session", "its token is for another person than before").into()
            );
        }
        Ok((profile, tokens))
    }

    /// Where a person signs out of the provider too, with the ID token that they signed in with if that is
    /// known; none where there is no such place.
    pub(crate) async fn sign_out_url(&self, id_token: Option<&IdToken>) -> Option<String> {
        match self {
            Self::Signon(signon) => Some(signon.sign_out_url()),
            Self::Oidc(oidc) => oidc.sign_out_url(id_token).await,
        }
    }
}

/// How long a name or an id of a person may be, in characters.
const MAX_LENGTH: usize = 200;

impl Profile {
    /// Checks what a provider says of a person before anything relies on it.
    fn new(
        uid: &str,
        name: &str,
        email: &str,
        (may_sign_in, is_admin): (bool, bool),
    ) -> Result<Self, ProviderError> {
        let fault = |problem: String| Fault::new("what the provider says of the person", problem);
        if uid.is_empty() || uid.len() > MAX_LENGTH {
            return Err(fault("their id is empty or too long".to_owned()).into());
        }
        if email.len() > MAX_LENGTH {
            return Err(fault("their email address is too long".to_owned()).into());
        }
        let email = User::new(email.trim()).map_err(|_| {
            fault("their email address is none: text with one \"@\" and no white space".to_owned())
        });
        let email = email?.email;
        let name: String = name.trim().chars().take(MAX_LENGTH).collect();
        let name = if name.is_empty() { email.clone() } else { name };
        Ok(Self { uid: uid.to_owned(), name, email, may_sign_in, is_admin })
    }
}
