//! An OpenID provider, as Keycloak is one: discovery, ID tokens, userinfo.

mod claims;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backdrop_common::settings::{PublicUrl, SignInSettings};
use oauth2::RefreshToken;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreResponseType,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError,
    Client, ClientId, ClientSecret, CsrfToken, DiscoveryError, EmptyExtraTokenFields, EndSessionUrl,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IssuerUrl, LogoutRequest, Nonce,
    NonceVerifier, OAuth2TokenResponse, PkceCodeChallenge, PostLogoutRedirectUrl, ProviderMetadataWithLogout,
    RedirectUrl, Scope, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
    SubjectIdentifier, TokenResponse, UserInfoClaims, UserInfoError,
};
use rocket::tokio::sync::Mutex;
use secrecy::ExposeSecret;
use serde_json::Value as Json;
use url::Url;

use self::claims::{ClaimNames, Claims};
use super::http::Http;
use super::{AUTHORIZED, Challenge, Profile, ProviderError, SIGNED_OUT, Tokens};

/// How long what discovery said is taken for granted.
const KEPT: Duration = Duration::from_hours(1);
/// How long it is not looked up again although a key is missing in it.
const KEPT_AT_LEAST: Duration = Duration::from_secs(10);

/// An ID token is signed with a key that is not in what discovery said.
const NO_MATCHING_KEY: ClaimsVerificationError =
    ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey);

type Answer = StandardTokenResponse<
    IdTokenFields<
        Claims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type OidcClient = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Answer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// An OpenID provider.
pub(crate) struct Oidc {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: ClientSecret,
    scopes: Vec<Scope>,
    redirect_url: RedirectUrl,
    signed_out_url: PostLogoutRedirectUrl,
    names: ClaimNames,
    http: Http,
    discovered: Mutex<Option<Arc<Discovered>>>,
}

/// What the provider says of itself.
struct Discovered {
    at: Instant,
    client: OidcClient,
    end_session: Option<EndSessionUrl>,
}

impl Oidc {
    pub(super) fn new(settings: &SignInSettings, public_url: &PublicUrl, http: Http) -> Self {
        let is_url = "settings and public URLs are URLs, with a path too";
        Self {
            issuer: IssuerUrl::new(settings.base_url.as_str().to_owned()).expect(is_url),
            client_id: ClientId::new(settings.client_id.clone()),
            client_secret: ClientSecret::new(settings.client_secret.expose_secret().to_owned()),
            scopes: settings.scopes.split_whitespace().map(|scope| Scope::new(scope.to_owned())).collect(),
            redirect_url: RedirectUrl::new(public_url.join(AUTHORIZED)).expect(is_url),
            signed_out_url: PostLogoutRedirectUrl::new(public_url.join(SIGNED_OUT)).expect(is_url),
            names: ClaimNames::new(settings),
            http,
            discovered: Mutex::default(),
        }
    }

    pub(super) async fn begin(&self) -> Result<(Url, Challenge), ProviderError> {
        let discovered = self.discovered().await?;
        let (pkce, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let request = discovered.client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        // The client adds this one by itself.
        let scopes = self.scopes.iter().filter(|scope| scope.as_str() != "openid").cloned();
        let (url, state, nonce) = request
            .add_scopes(scopes)
            .set_pkce_challenge(pkce)
            .set_redirect_uri(Cow::Borrowed(&self.redirect_url))
            .url();
        Ok((url, Challenge { state, verifier, nonce: Some(nonce) }))
    }

    pub(super) async fn sign_in(
        &self,
        code: String,
        challenge: Challenge,
    ) -> Result<(Profile, Tokens), ProviderError> {
        let discovered = self.discovered().await?;
        let answer = discovered
            .client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(unexpected)?
            .set_pkce_verifier(challenge.verifier)
            .set_redirect_uri(Cow::Borrowed(&self.redirect_url))
            .request_async(&self.http)
            .await?;
        let nonce = challenge.nonce.ok_or_else(|| unexpected("the sign-in began with another provider"))?;
        let id_token =
            self.id_token(&answer, &nonce).await?.ok_or_else(|| unexpected("there is no ID token in it"))?;
        let user_info = match self.user_info(answer.access_token(), None).await {
            Ok(user_info) => Some(user_info),
            Err(NoUserInfo::NoEndpoint) => None,
            Err(NoUserInfo::Failed(error)) => return Err(error),
        };
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

    pub(super) async fn check(&self, uid: &str, tokens: &Tokens) -> Result<(Profile, Tokens), ProviderError> {
        if let Some(refresh) = &tokens.refresh {
            return self.refresh(uid, refresh).await;
        }
        let nothing = || ProviderError::Refused("there is no token to ask with".to_owned());
        let access = tokens.access.as_ref().ok_or_else(nothing)?;
        match self.user_info(access, Some(uid)).await {
            Ok(user_info) => Ok((self.still(None, Some(&user_info))?, tokens.clone())),
            Err(NoUserInfo::NoEndpoint) => {
                Err(ProviderError::Silent("it has neither a refresh token nor userinfo".to_owned()))
            }
            Err(NoUserInfo::Failed(error)) => Err(error),
        }
    }

    async fn refresh(&self, uid: &str, refresh: &RefreshToken) -> Result<(Profile, Tokens), ProviderError> {
        let discovered = self.discovered().await?;
        let request = discovered.client.exchange_refresh_token(refresh).map_err(unexpected)?;
        let answer = request.request_async(&self.http).await?;
        // It need not have the nonce of the sign-in, which is long gone.
        let any_nonce = |_: Option<&Nonce>| Ok::<(), String>(());
        let id_token = self.id_token(&answer, any_nonce).await?;
        let user_info = match self.user_info(answer.access_token(), Some(uid)).await {
            Ok(user_info) => Some(user_info),
            Err(NoUserInfo::NoEndpoint) => None,
            Err(NoUserInfo::Failed(error)) => return Err(error),
        };
        let still = self.still(id_token.as_ref(), user_info.as_ref());
        if let Err(ProviderError::Silent(_)) = &still
            && let Some(claim) = self.names.missing(id_token.as_ref(), user_info.as_ref())
        {
            log_silence(claim);
        }
        Ok((still?, tokens(&answer, Some(refresh))))
    }

    /// What claims say of a person who signed in with more of them, perhaps: one that is not there any more
    /// is no word against them.
    fn still(&self, id_token: Option<&Json>, user_info: Option<&Json>) -> Result<Profile, ProviderError> {
        match self.names.missing(id_token, user_info) {
            Some(claim) => Err(ProviderError::Silent(format!("the claim {claim} is missing"))),
            None => self.names.profile(id_token, user_info),
        }
    }

    /// Where a person signs out of the provider, and comes back from.
    pub(super) async fn sign_out_url(&self) -> Option<String> {
        let end_session = self.discovered().await.ok()?.end_session.clone()?;
        let request = LogoutRequest::from(end_session)
            .set_client_id(self.client_id.clone())
            .set_post_logout_redirect_uri(self.signed_out_url.clone());
        Some(request.http_get_url().into())
    }

    /// The claims of the ID token of an answer, if it has one, checked.
    async fn id_token(
        &self,
        answer: &Answer,
        nonce: impl NonceVerifier + Clone,
    ) -> Result<Option<Json>, ProviderError> {
        let Some(id_token) = answer.id_token() else { return Ok(None) };
        let mut discovered = self.discovered().await?;
        let mut claims = id_token.claims(&discovered.client.id_token_verifier(), nonce.clone());
        if claims.as_ref().is_err_and(|error| *error == NO_MATCHING_KEY)
            && discovered.at.elapsed() > KEPT_AT_LEAST
        {
            // The provider may have a new key since it was asked.
            discovered = self.discover().await?;
            claims = id_token.claims(&discovered.client.id_token_verifier(), nonce);
        }
        let claims = claims.map_err(unexpected)?;
        if let Some(expected) = claims.access_token_hash() {
            let verifier = discovered.client.id_token_verifier();
            let algorithm = id_token.signing_alg().map_err(unexpected)?;
            let key = id_token.signing_key(&verifier).map_err(unexpected)?;
            let found =
                AccessTokenHash::from_token(answer.access_token(), algorithm, key).map_err(unexpected)?;
            if found != *expected {
                return Err(unexpected("the ID token is for another access token"));
            }
        }
        serde_json::to_value(claims).map(Some).map_err(unexpected)
    }

    async fn user_info(&self, access: &AccessToken, uid: Option<&str>) -> Result<Json, NoUserInfo> {
        let discovered = self.discovered().await?;
        let subject = uid.map(|uid| SubjectIdentifier::new(uid.to_owned()));
        let request =
            discovered.client.user_info(access.clone(), subject).map_err(|_| NoUserInfo::NoEndpoint)?;
        let claims: UserInfoClaims<Claims, CoreGenderClaim> =
            request.request_async(&self.http).await.map_err(ProviderError::from)?;
        Ok(serde_json::to_value(claims).map_err(unexpected)?)
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
        let metadata = ProviderMetadataWithLogout::discover_async(self.issuer.clone(), &self.http).await?;
        let methods = metadata.token_endpoint_auth_methods_supported();
        // Without a list it is in the header (OpenID Connect Discovery 1.0, section 3).
        let in_header =
            methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let auth_type = if in_header { AuthType::BasicAuth } else { AuthType::RequestBody };
        let end_session = metadata.additional_metadata().end_session_endpoint.clone();
        let client = OidcClient::from_provider_metadata(
            metadata,
            self.client_id.clone(),
            Some(self.client_secret.clone()),
        )
        .set_auth_type(auth_type);
        let discovered = Arc::new(Discovered { at: Instant::now(), client, end_session });
        *self.discovered.lock().await = Some(Arc::clone(&discovered));
        Ok(discovered)
    }
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

/// Why there is no userinfo.
enum NoUserInfo {
    /// The provider has none for anybody.
    NoEndpoint,
    Failed(ProviderError),
}

impl From<ProviderError> for NoUserInfo {
    fn from(error: ProviderError) -> Self {
        Self::Failed(error)
    }
}

/// What is kept: a refresh token if there is one, since it is smaller than many an access token and lasts
/// longer.
fn tokens(answer: &Answer, before: Option<&RefreshToken>) -> Tokens {
    match answer.refresh_token().or(before) {
        Some(refresh) => Tokens { access: None, refresh: Some(refresh.clone()) },
        None => Tokens { access: Some(answer.access_token().clone()), refresh: None },
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so it is what `map_err` wants")]
fn unexpected(error: impl ToString) -> ProviderError {
    ProviderError::Unexpected(error.to_string())
}

impl From<DiscoveryError<Self>> for ProviderError {
    fn from(error: DiscoveryError<Self>) -> Self {
        match error {
            DiscoveryError::Request(error) => error,
            DiscoveryError::Response(status, ..) => unexpected(format!("discovery has status {status}")),
            other => unexpected(format!("discovery: {other}")),
        }
    }
}

impl From<UserInfoError<Self>> for ProviderError {
    fn from(error: UserInfoError<Self>) -> Self {
        match error {
            UserInfoError::Request(error) => error,
            UserInfoError::Response(status, ..) if matches!(status.as_u16(), 401 | 403) => {
                Self::Refused(format!("userinfo has status {status}"))
            }
            UserInfoError::Response(status, ..) => unexpected(format!("userinfo has status {status}")),
            UserInfoError::ClaimsVerification(error) => unexpected(format!("userinfo: {error}")),
            other => unexpected(format!("userinfo: {other}")),
        }
    }
}
