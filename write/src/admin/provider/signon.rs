//! Signonotron2, the provider of the original Backdrop: OAuth 2 with codes, and `user.json`.

use ::http::header::{ACCEPT, AUTHORIZATION};
use ::http::{Request, StatusCode};
use backdrop_common::settings::{ProviderUrl, SignInSettings};
use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, PkceCodeChallenge, RedirectUrl, TokenResponse, TokenUrl,
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::http::Http;
use super::{Challenge, Profile, ProviderError, Tokens};

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// A Signonotron2.
pub(crate) struct Signon {
    base_url: ProviderUrl,
    client: Client,
    http: Http,
}

/// The answer of `user.json`.
#[derive(Deserialize)]
struct Answer {
    user: Person,
}

#[derive(Deserialize)]
struct Person {
    uid: String,
    name: String,
    email: String,
    permissions: Vec<String>,
}

impl Signon {
    pub(super) fn new(settings: &SignInSettings, redirect_url: String, http: Http) -> Self {
        let base_url = settings.base_url.clone();
        let is_url = "settings and public URLs are URLs, with a path too";
        let client = BasicClient::new(ClientId::new(settings.client_id.clone()))
            .set_client_secret(ClientSecret::new(settings.client_secret.expose_secret().to_owned()))
            .set_auth_uri(AuthUrl::new(base_url.join("/oauth/authorize")).expect(is_url))
            .set_token_uri(TokenUrl::new(base_url.join("/oauth/token")).expect(is_url))
            .set_redirect_uri(RedirectUrl::new(redirect_url).expect(is_url))
            .set_auth_type(AuthType::RequestBody);
        Self { base_url, client, http }
    }

    pub(super) fn begin(&self) -> (Url, Challenge) {
        let (pkce, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state) = self.client.authorize_url(CsrfToken::new_random).set_pkce_challenge(pkce).url();
        (url, Challenge { state, verifier, nonce: None })
    }

    pub(super) async fn sign_in(
        &self,
        code: String,
        challenge: Challenge,
    ) -> Result<(Profile, Tokens), ProviderError> {
        let code = self.client.exchange_code(AuthorizationCode::new(code));
        let answer = code.set_pkce_verifier(challenge.verifier).request_async(&self.http).await?;
        let tokens = tokens(&answer);
        Ok((self.profile(answer.access_token()).await?, tokens))
    }

    /// A token that is refused may only be old; then the refresh token, if there is one, gets another.
    pub(super) async fn check(&self, tokens: &Tokens) -> Result<(Profile, Tokens), ProviderError> {
        let refused = match &tokens.access {
            Some(access) => match self.profile(access).await {
                Ok(profile) => return Ok((profile, tokens.clone())),
                Err(error @ ProviderError::Refused(_)) => error,
                Err(error) => return Err(error),
            },
            None => ProviderError::Refused("there is no token".to_owned()),
        };
        let Some(refresh) = &tokens.refresh else { return Err(refused) };
        let answer = self.client.exchange_refresh_token(refresh).request_async(&self.http).await?;
        let mut tokens = self::tokens(&answer);
        tokens.refresh = tokens.refresh.or_else(|| Some(refresh.clone()));
        Ok((self.profile(answer.access_token()).await?, tokens))
    }

    pub(super) fn sign_out_url(&self) -> String {
        self.base_url.join("/users/sign_out")
    }

    async fn profile(&self, access: &AccessToken) -> Result<Profile, ProviderError> {
        let client_id = self.client.client_id().as_str();
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("client_id", client_id).finish();
        let request = Request::get(self.base_url.join(&format!("/user.json?{query}")))
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", access.secret()))
            .body(Vec::new())
            .map_err(|_| ProviderError::Unexpected("its token cannot be sent in a header".to_owned()))?;
        let response = self.http.send(request).await?;
        match response.status() {
            StatusCode::OK => profile(response.body()),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Err(ProviderError::Refused(format!("user.json has status {status}")))
            }
            status => Err(ProviderError::Unexpected(format!("user.json has status {status}"))),
        }
    }
}

fn tokens(answer: &BasicTokenResponse) -> Tokens {
    Tokens { access: Some(answer.access_token().clone()), refresh: answer.refresh_token().cloned() }
}

fn profile(json: &[u8]) -> Result<Profile, ProviderError> {
    let Answer { user } = serde_json::from_slice(json)
        .map_err(|error| ProviderError::Unexpected(format!("user.json: {:?}", error.classify())))?;
    let may = |permission: &str| user.permissions.iter().any(|given| given == permission);
    Profile::new(&user.uid, &user.name, &user.email, (may("signin"), may("admin")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Option<(&str, bool, bool)>) {
        let found = profile(json.as_bytes()).ok();
        let found = found.as_ref().map(|found| (found.email.as_str(), found.may_sign_in, found.is_admin));
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    fn what_user_json_says() {
        let user = |email: &str, permissions: &str| {
            format!(
                r#"{{"user": {{"uid": "u1", "name": "Ann", "email": "{email}", "permissions": {permissions}}}}}"#
            )
        };
        check(&user("Ann@Example.org", r#"["signin", "admin"]"#), Some(("ann@example.org", true, true)));
        check(&user("ann@example.org", r#"["signin"]"#), Some(("ann@example.org", true, false)));
        check(&user("ann@example.org", r#"["admin"]"#), Some(("ann@example.org", false, true)));
        check(&user("ann@example.org", r#"["Signin"]"#), Some(("ann@example.org", false, false)));
        check(&user("ann@example.org", "[]"), Some(("ann@example.org", false, false)));
        check(&user("ann", "[]"), None);
        check(&user("", "[]"), None);
        check(&user(&format!("{}@example.org", "x".repeat(200)), "[]"), None);
        check(&user("ann@example.org", "null"), None);
        check(r#"{"uid": "u1"}"#, None);
        check("<html>", None);
    }
}
