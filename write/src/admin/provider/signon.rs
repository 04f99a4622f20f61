//! Signonotron2, the provider of the original Backdrop: OAuth 2 with codes, and `user.json`.

use backdrop_common::settings::{ProviderUrl, SignInSettings};
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, PkceCodeChallenge,
    RedirectUrl, TokenResponse, TokenUrl,
};
use secrecy::ExposeSecret;
use serde_json::Value as Json;
use url::{Url, form_urlencoded};

use super::fault::Answer;
use super::http::Http;
use super::tokens::{Client, TokenAnswer};
use super::{Challenge, Fault, Profile, ProviderError, Tokens};

/// What says who a person is.
const NAME: &str = "user.json";

/// A Signonotron2.
pub(crate) struct Signon {
    base_url: ProviderUrl,
    client: Client,
    http: Http,
}

impl Signon {
    pub(super) fn new(settings: &SignInSettings, redirect_url: String, http: Http) -> Self {
        let base_url = settings.base_url.clone();
        let is_url = "settings and public URLs are URLs, with a path too";
        let client: Client = oauth2::Client::new(ClientId::new(settings.client_id.clone()))
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
        let address = self.base_url.join(&format!("/user.json?{query}"));
        let response = self.http.get(&address, Some(access)).await?;
        let status = response.status();
        match status.as_u16() {
            200 => Ok(profile(response.body())?),
            401 | 403 => Err(ProviderError::Refused(format!("user.json has status {status}"))),
            _ => Err(Fault::new(NAME, format_args!("the status is {status}")).into()),
        }
    }
}

fn tokens(answer: &TokenAnswer) -> Tokens {
    let (access, refresh) = (answer.access_token().clone(), answer.refresh_token().cloned());
    Tokens { access: Some(access), refresh, id_token: None }
}

/// Who a person is. What is not used may be anything; a name that is none is not shown.
fn profile(json: &[u8]) -> Result<Profile, ProviderError> {
    let answer = Answer::parse(NAME, json)?;
    let user = answer.get("user").and_then(Json::as_object).ok_or_else(|| answer.fault("user is missing"))?;
    let uid = match user.get("uid") {
        Some(Json::String(uid)) => uid.clone(),
        Some(Json::Number(uid)) if !uid.is_f64() => uid.to_string(),
        _ => return Err(answer.fault("user.uid is missing, or no text").into()),
    };
    let email = user.get("email").and_then(Json::as_str);
    let email = email.ok_or_else(|| answer.fault("user.email is missing, or no text"))?;
    let permissions = user.get("permissions").and_then(Json::as_array);
    let permissions = permissions.ok_or_else(|| answer.fault("user.permissions is missing, or no list"))?;
    let may = |permission: &str| permissions.iter().any(|given| given == permission);
    let name = user.get("name").and_then(Json::as_str).unwrap_or_default();
    Profile::new(&uid, name, email, (may("signin"), may("admin")))
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
        for odd in [
            r#"{"user": {"uid": 17, "name": null, "email": "ann@example.org", "permissions": ["signin", 5]}}"#,
            r#"{"user": {"uid": "u1", "email": " ann@example.org ", "permissions": ["signin"], "name": {}}}"#,
            r#"{"user": {"uid": "u1", "email": "ann@example.org", "permissions": ["signin"],
                "organisation_slug": 5, "disabled": "no"}, "more": []}"#,
            "\u{feff}{\"user\": {\"uid\": \"u1\", \"email\": \"ann@example.org\", \"permissions\": [\"signin\"]}}",
        ] {
            check(odd, Some(("ann@example.org", true, false)));
        }
        for (json, field) in [
            ("{}", "user is missing"),
            (r#"{"user": []}"#, "user is missing"),
            (r#"{"user": {"email": "a@b", "permissions": []}}"#, "user.uid is missing"),
            (r#"{"user": {"uid": {}, "email": "a@b", "permissions": []}}"#, "user.uid is missing"),
            (r#"{"user": {"uid": "u1", "permissions": []}}"#, "user.email is missing"),
            (
                r#"{"user": {"uid": "u1", "email": "a@b", "permissions": "signin"}}"#,
                "user.permissions is missing",
            ),
        ] {
            let said = profile(json.as_bytes()).expect_err(json).to_string();
            assert!(said.contains(&format!("user.json: {field}")), "{said}");
        }
        check("<html>", None);
    }
}
