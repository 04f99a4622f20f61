//! Who a token is for, in both languages; and signing out.

use std::sync::Arc;

use backdrop_pages::Page;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::Redirect;
use rocket::{State, async_trait, get};
use serde_json::{Value as Json, json};

use crate::Store;
use crate::authorize::{Granted, message};
use crate::client::{is_client, loopback_url};
use crate::mode::{Answer, Endpoint, Mode, failure};
use crate::shape::change;
use crate::store::User;

/// The bearer token of a request.
pub(crate) struct Bearer<'r>(Option<&'r str>);

#[async_trait]
impl<'r> FromRequest<'r> for Bearer<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let header = request.headers().get_one("Authorization");
        Outcome::Success(Self(header.and_then(|header| header.strip_prefix("Bearer "))))
    }
}

impl Bearer<'_> {
    /// Whose token it is.
    async fn user(&self, store: &Store) -> Result<User, Answer> {
        if let Some(failure) = failure(store, Endpoint::Person).await {
            return Err(failure);
        }
        let known = store.lock();
        let grant = self.0.and_then(|token| known.access.get(token));
        let user = grant.and_then(|grant| known.user(&grant.email)).cloned();
        user.ok_or_else(|| Answer::error(Status::Unauthorized, "invalid_token"))
    }
}

#[get("/user.json?<client_id>")]
pub(crate) async fn user_json(
    client_id: Option<&str>,
    bearer: Bearer<'_>,
    store: &State<Arc<Store>>,
) -> Result<Answer, Answer> {
    let user = bearer.user(store).await?;
    if !client_id.is_some_and(is_client) {
        return Err(Answer::error(Status::Forbidden, "invalid_client"));
    }
    let User { uid, name, email, permissions, .. } = user;
    Ok(Answer::json(&json!({"user": {"uid": uid, "name": name, "email": email, "permissions": permissions}})))
}

#[get("/userinfo")]
pub(crate) async fn user_info(bearer: Bearer<'_>, store: &State<Arc<Store>>) -> Result<Answer, Answer> {
    let User { uid, name, email, email_verified, permissions } = bearer.user(store).await?;
    let mut claims = json!({
        "sub": uid,
        "name": name,
        "email": email,
        "email_verified": email_verified,
        "groups": permissions,
    });
    change(&mut claims, store.shape().user_info(&permissions));
    let left_out = match store.mode(Endpoint::Person) {
        Mode::NoGroups => "groups",
        Mode::NoEmail => "email",
        _ => "",
    };
    if let Json::Object(claims) = &mut claims {
        claims.remove(left_out);
    }
    Ok(Answer::json(&claims))
}

#[get("/users/sign_out")]
pub(crate) fn sign_out() -> Result<Page, Status> {
    message(Status::Ok, "You are signed out", "The test sign-in service remembers nobody anyway.")
}

/// Signs out as OpenID has it, and sends the person back to where the client wants.
#[get("/oauth/sign_out?<post_logout_redirect_uri>&<id_token_hint>")]
pub(crate) fn sign_out_of_session(
    post_logout_redirect_uri: Option<&str>,
    id_token_hint: Option<&str>,
    store: &State<Arc<Store>>,
) -> Result<Granted, Status> {
    if store.shape().wants_hint() && id_token_hint.is_none_or(|token| token.split('.').count() != 3) {
        return message(Status::BadRequest, "This is no sign-out", "id_token_hint is missing.")
            .map(Granted::Wrong);
    }
    match post_logout_redirect_uri.and_then(loopback_url) {
        Some(url) => Ok(Granted::Back(Box::new(Redirect::to(String::from(url))))),
        None => sign_out().map(Granted::Wrong),
    }
}
