//! An OpenID provider, as Keycloak is one: discovery, ID tokens, userinfo.
//!
//! ```text
//! oidc.rs ── discovery   what the provider says of itself → addresses
//!        ├── keys        a token → its claims, if one of the provider's keys signed it
//!        ├── id_token    claims → whether they are for us, of now
//!        └── claims      claims → Profile
//! ```
//!
//! Only what is used of an answer is looked at: providers differ in all the rest.

mod claims;
mod discovery;
mod id_token;
mod keys;

use std::sync::Arc;
use std::time::{Duration, Instant};

use backdrop_common::settings::{PublicUrl, SignInSettings};
use backdrop_common::timestamp::Timestamp;
use oauth2::{
    AccessToken, AuthorizationCode, ClientId, ClientSecret, CsrfToken, PkceCodeChallenge, RedirectUrl,
    RefreshToken, Scope, TokenResponse,
};
use openidconnect::Nonce;
use rocket::tokio::sync::Mutex;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use url::Url;

use self::claims::ClaimNames;
use self::discovery::Metadata;
use self::id_token::Expected;
use self::keys::{BadToken, Keys, Opened};
use super::fault::Answer;
use super::http::Http;
use super::tokens::{Client, TokenAnswer};
use super::{AUTHORIZED, Challenge, Fault, IdToken, Profile, ProviderError, SIGNED_OUT, Tokens};

/// How long what discovery said is taken for granted.
const KEPT: Duration = Duration::from_hours(1);
/// How long it is not looked up again although a key is missing in it.
const KEPT_AT_LEAST: Duration = Duration::from_secs(10);
/// Where discovery is, below the issuer.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// An OpenID provider.
pub(crate) struct Oidc {
    base_url: String,
    client_id: String,
    client_secret: SecretString,
    scopes: Vec<Scope>,
    redirect_url: RedirectUrl,
    signed_out_url: String,
    audiences: Option<Vec<String>>,
    names: ClaimNames,
    http: Http,
    discovered: Mutex<Option<Arc<Discovered>>>,
}

/// What the provider says of itself.
struct Discovered {
    at: Instant,
    metadata: Metadata,
    client: Client,
    keys: Keys,
}

impl Oidc {
    pub(super) fn new(settings: &SignInSettings, public_url: &PublicUrl, http: Http) -> Self {
        let is_url = "public URLs are URLs, with a path too";
        let scopes = settings.scopes.split_whitespace().filter(|scope| *scope != "openid");
        Self {
            base_url: settings.base_url.as_str().to_owned(),
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.clone(),
            // Without this one it would be no OpenID.
            scopes: ["openid"].into_iter().chain(scopes).map(|scope| Scope::new(scope.to_owned())).collect(),
            redirect_url: RedirectUrl::new(public_url.join(AUTHORIZED)).expect(is_url),
            signed_out_url: public_url.join(SIGNED_OUT),
            audiences: settings.audiences.clone(),
            names: ClaimNames::new(settings),
            http,
            discovered: Mutex::default(),
        }
    }

    pub(super) async fn begin(&self) -> Result<(Url, Challenge), ProviderError> {
        let discovered = self.discovered().await?;
        let (pkce, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = Nonce::new_random();
        let request = discovered.client.authorize_url(CsrfToken::new_random);
        let request = request.add_scopes(self.scopes.iter().cloned()).set_pkce_challenge(pkce);
        let (url, state) = request.add_extra_param("nonce", nonce.secret().clone()).url();
        Ok((url, Challenge { state, verifier, nonce: Some(nonce) }))
    }

    pub(super) async fn sign_in(
        &self,
        code: String,
        challenge: Challenge,
    ) -> Result<(Profile, Tokens), ProviderError> {
        let discovered = self.discovered().await?;
        let code = discovered.client.exchange_code(AuthorizationCode::new(code));
        let answer = code.set_pkce_verifier(challenge.verifier).request_async(&self.http).await?;
        let nonce = challenge.nonce.ok_or_else(|| {
            Fault::new("the sign-in", "it began with another provider, before the settings were changed")
        })?;
        let id_token = self.id_token(&answer, Some(nonce.secret())).await?.ok_or_else(|| {
            Fault::new("the answer of the token endpoint", "id_token is missing").advising(
                "Whoever set up signing in must register Backdrop as an OpenID Connect client, with the scope openid.",
            )
        })?;
        let user_info = self.user_info(answer.access_token()).await?;
        let profile = self.names.profile(Some(&id_token), user_info.as_ref())?;
        let tokens = tokens(&answer, None);
        if tokens.refresh.is_none()
            && profile.may_sign_in
            && let Some(claim) = self.names.missing(None, user_info.as_ref())
        {
            log_silence(claim);
        }
        Ok((profile, tokens))
    }

    pub(super) async fn check(&self, tokens: &Tokens) -> Result<(Profile, Tokens), ProviderError> {
        if let Some(refresh) = &tokens.refresh {
            return self.refresh(refresh, tokens).await;
        }
        let nothing = || ProviderError::Refused("there is no token to ask with".to_owned());
        let access = tokens.access.as_ref().ok_or_else(nothing)?;
        match self.user_info(access).await? {
            Some(user_info) => Ok((self.still(None, Some(&user_info))?, tokens.clone())),
            None => Err(ProviderError::Silent("it has neither a refresh token nor userinfo".to_owned())),
        }
    }

    async fn refresh(
        &self,
        refresh: &RefreshToken,
        before: &Tokens,
    ) -> Result<(Profile, Tokens), ProviderError> {
        let discovered = self.discovered().await?;
        let request = discovered.client.exchange_refresh_token(refresh);
        let answer: TokenAnswer = request.request_async(&self.http).await?;
        // It need not have the nonce of the sign-in, which is long gone.
        let id_token = self.id_token(&answer, None).await?;
        let user_info = self.user_info(answer.access_token()).await?;
        let still = self.still(id_token.as_ref(), user_info.as_ref());
        if let Err(ProviderError::Silent(_)) = &still
            && let Some(claim) = self.names.missing(id_token.as_ref(), user_info.as_ref())
        {
            log_silence(claim);
        }
        Ok((still?, tokens(&answer, Some(before))))
    }

    /// What claims say of a person who signed in with more of them, perhaps: one that is not there any more
    /// is no word against them.
    fn still(&self, id_token: Option<&Json>, user_info: Option<&Json>) -> Result<Profile, ProviderError> {
        match self.names.missing(id_token, user_info) {
            Some(claim) => Err(ProviderError::Silent(format!("the claim {claim} is missing"))),
            None => self.names.profile(id_token, user_info),
        }
    }

    /// Where a person signs out of the provider, and comes back from (OpenID Connect RP-Initiated Logout 1.0).
    /// Some providers want to see the ID token for that.
    pub(super) async fn sign_out_url(&self, id_token: Option<&IdToken>) -> Option<String> {
        let mut url = self.discovered().await.ok()?.metadata.end_session.clone()?;
        let mut query = url.query_pairs_mut();
        query.append_pair("client_id", &self.client_id);
        query.append_pair("post_logout_redirect_uri", &self.signed_out_url);
        if let Some(IdToken(id_token)) = id_token {
            query.append_pair("id_token_hint", id_token);
        }
        drop(query);
        Some(url.into())
    }

    /// The claims of the ID token of an answer, if it has one, checked.
    async fn id_token(
        &self,
        answer: &TokenAnswer,
        nonce: Option<&str>,
    ) -> Result<Option<Json>, ProviderError> {
        let Some(IdToken(token)) = answer.id_token() else { return Ok(None) };
        let discovered = self.discovered_for("the ID token", token).await?;
        let opened = open(&discovered, "the ID token", token)?;
        let expected = Expected {
            issuer: &discovered.metadata.issuer,
            client_id: &self.client_id,
            audiences: self.audiences.as_deref(),
            nonce,
            now: Timestamp::now().millis() / 1_000,
        };
        expected.check(&opened.claims)?;
        opened.is_about(answer.access_token())?;
        Ok(Some(opened.claims.into_json()))
    }

    /// What the provider tells whoever has an access token; none if it has no such address. Whose it is
    /// is compared with the ID token, or with who the session is of.
    async fn user_info(&self, access: &AccessToken) -> Result<Option<Json>, ProviderError> {
        const NAME: &str = "userinfo";
        let Some(address) = self.discovered().await?.metadata.user_info.clone() else { return Ok(None) };
        let response = self.http.get(address.as_str(), Some(access)).await?;
        let status = response.status();
        match status.as_u16() {
            200 => {}
            401 | 403 => return Err(ProviderError::Refused(format!("userinfo has status {status}"))),
            _ => return Err(Fault::new(NAME, format_args!("the status is {status}")).into()),
        }
        // A provider may sign it (section 5.3.2).
        if let Some(token) = std::str::from_utf8(response.body()).ok().filter(|body| body.starts_with("ey")) {
            let discovered = self.discovered_for(NAME, token.trim()).await?;
            return Ok(Some(open(&discovered, NAME, token.trim())?.claims.into_json()));
        }
        Ok(Some(Answer::parse(NAME, response.body())?.into_json()))
    }

    /// What the provider says of itself; asked anew if none of its keys signed a token, since it may have a
    /// new one.
    async fn discovered_for(
        &self,
        name: &'static str,
        token: &str,
    ) -> Result<Arc<Discovered>, ProviderError> {
        let discovered = self.discovered().await?;
        let lacks_key = matches!(discovered.keys.open(name, token), Err(BadToken::NoKey(_)));
        if lacks_key && discovered.at.elapsed() > KEPT_AT_LEAST {
            return self.discover().await;
        }
        Ok(discovered)
    }

    /// What the provider says of itself, which is asked for now and then; while it does not answer, what
    /// it said before holds.
    async fn discovered(&self) -> Result<Arc<Discovered>, ProviderError> {
        let known = self.discovered.lock().await.clone();
        match known {
            Some(known) if known.at.elapsed() < KEPT => Ok(known),
            Some(known) => Ok(self.discover().await.unwrap_or(known)),
            None => self.discover().await,
        }
    }

    async fn discover(&self) -> Result<Arc<Discovered>, ProviderError> {
        let address = format!("{}{DISCOVERY}", self.base_url.trim_end_matches('/'));
        let body = self.document(discovery::NAME, &address).await?;
        let metadata = Metadata::parse(&body, &self.base_url)?;
        let keys = match &metadata.keys {
            Some(address) => Some(self.document(keys::NAME, address.as_str()).await?),
            None => None,
        };
        let secret = self.client_secret.expose_secret();
        let keys = Keys::parse(keys.as_deref(), secret, metadata.algorithms.clone())?;
        let client: Client = oauth2::Client::new(ClientId::new(self.client_id.clone()))
            .set_client_secret(ClientSecret::new(secret.to_owned()))
            .set_auth_uri(metadata.authorization.clone())
            .set_token_uri(metadata.token.clone())
            .set_redirect_uri(self.redirect_url.clone())
            .set_auth_type(metadata.auth_type.clone());
        let discovered = Arc::new(Discovered { at: Instant::now(), metadata, client, keys });
        *self.discovered.lock().await = Some(Arc::clone(&discovered));
        Ok(discovered)
    }

    /// What is at an address of the provider that everybody may see.
    async fn document(&self, name: &str, address: &str) -> Result<Vec<u8>, ProviderError> {
        let response = self.http.get(address, None).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(Fault::new(name, format_args!("the status is {status}"))
                .advising(
                    "Whoever set up signing in must set BACKDROP_OAUTH_BASE_URL to the provider's issuer, below \
                     which its discovery is.",
                )
                .into());
        }
        Ok(response.into_body())
    }
}

/// A token, if one of the provider's keys signed it.
fn open<'d>(discovered: &'d Discovered, name: &'static str, token: &str) -> Result<Opened<'d>, Fault> {
    discovered.keys.open(name, token).map_err(|error| match error {
        BadToken::NoKey(fault) | BadToken::Wrong(fault) => fault,
    })
}

/// Says in the log why people have to sign in again at every check.
fn log_silence(claim: &str) {
    tracing::error!(
        target: "backdrop::error",
        claim,
        "the provider does not go on saying what a person may do, so a session ends at its first check: have \
         the provider put the claim into userinfo, or, if it gives no refresh tokens, add the scope \
         offline_access to oidc_scopes"
    );
}

/// What is kept: a refresh token if there is one, since it is smaller than many an access token and lasts
/// longer; and the newest ID token, to sign out with.
fn tokens(answer: &TokenAnswer, before: Option<&Tokens>) -> Tokens {
    let refresh = answer.refresh_token().or_else(|| before?.refresh.as_ref()).cloned();
    let id_token = answer.id_token().or_else(|| before?.id_token.as_ref()).cloned();
    let access = if refresh.is_none() { Some(answer.access_token().clone()) } else { None };
    Tokens { access, refresh, id_token }
}
