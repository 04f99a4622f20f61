//! Codes and refresh tokens for tokens (RFC 6749, sections 4.1.3 and 6; RFC 7636).

use std::sync::Arc;

use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use rocket::form::{Form, FromForm};
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::{State, async_trait, post};
use serde_json::json;

use crate::Store;
use crate::client::is_authentic;
use crate::mode::{Answer, Endpoint, Mode, failure};
use crate::shape::change;
use crate::store::{Grant, Known};

#[derive(FromForm)]
pub(crate) struct TokenRequest {
    grant_type: String,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    refresh_token: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// The `Authorization` header, and on which port it came.
pub(crate) struct TokenHeaders<'r>(&'r Request<'r>);

#[async_trait]
impl<'r> FromRequest<'r> for TokenHeaders<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self(request))
    }
}

#[post("/oauth/token", data = "<form>")]
pub(crate) async fn token(
    form: Form<TokenRequest>,
    headers: TokenHeaders<'_>,
    store: &State<Arc<Store>>,
) -> Answer {
    if let Some(failure) = failure(store, Endpoint::Token).await {
        return failure;
    }
    if !is_authentic(headers.0, form.client_id.as_deref(), form.client_secret.as_deref()) {
        return Answer::error(Status::Unauthorized, "invalid_client");
    }
    let mut known = store.lock();
    let (grant, is_first) = match form.grant_type.as_str() {
        "authorization_code" => (take_code(&mut known, &form), true),
        "refresh_token" => {
            (form.refresh_token.as_deref().and_then(|token| take_refresh(&mut known, token)), false)
        }
        _ => return Answer::error(Status::BadRequest, "unsupported_grant_type"),
    };
    let Some(grant) = grant else { return Answer::error(Status::BadRequest, "invalid_grant") };
    let Some(user) = known.user(&grant.email).cloned() else {
        return Answer::error(Status::BadRequest, "invalid_grant");
    };
    let (access, refresh) = known.give_tokens(&grant);
    drop(known);
    let mut answer = json!({
        "access_token": access,
        "token_type": "bearer",
        "expires_in": 7200,
    });
    let (mode, shape) = (store.mode(Endpoint::Token), store.shape());
    if mode != Mode::NoRefreshToken {
        answer["refresh_token"] = refresh.into();
    }
    if grant.openid {
        let nonce = grant.nonce.as_deref().filter(|_| is_first);
        let issuer = crate::discovery::issuer(headers.0.rocket().config());
        match store.signer.id_token(&issuer, &user, nonce, &access, mode, shape) {
            Ok(id_token) => answer["id_token"] = id_token.into(),
            Err(_) => return Answer::error(Status::InternalServerError, "server_error"),
        }
    }
    change(&mut answer, shape.tokens(is_first));
    Answer::json(&answer)
}

/// The grant of a refresh token, which is then good for nothing more, as a rule.
fn take_refresh(known: &mut Known, token: &str) -> Option<Grant> {
    if known.shape.keeps_refresh_token() {
        known.refresh.get(token).cloned()
    } else {
        known.refresh.remove(token)
    }
}

/// The grant of a code, which is then good for nothing more, if all fits it.
fn take_code(known: &mut Known, form: &TokenRequest) -> Option<Grant> {
    let grant = known.codes.remove(form.code.as_deref()?)?;
    let verifier = PkceCodeVerifier::new(form.code_verifier.clone()?);
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    let fits = challenge.as_str() == grant.code_challenge
        && form.redirect_uri.as_deref() == Some(grant.redirect_uri.as_str());
    fits.then_some(grant)
}
