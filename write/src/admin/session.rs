//! Sessions: who is signed in, in encrypted cookies.
//!
//! Each request that needs a person reads the session from its cookie, asks the provider again if its word
//! is too old, and renews the cookie now and then.

mod checks;
mod content;
mod cookies;

use std::sync::Arc;

use backdrop_common::http::{ApiError, RequestId};
use rocket::async_trait;
use rocket::http::{Method, Status};
use rocket::request::{FromRequest, Outcome, Request};

pub(super) use self::checks::Checks;
use self::content::Standing;
pub(super) use self::content::{Lifetimes, Session, end_of_all};
pub(super) use self::cookies::{Cookies, full_name};
use super::PageError;
use super::form::FormToken;
use super::provider::ProviderError;
use super::sign_in::SignIn;
use crate::WriteApp;

/// A person who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    /// The person's name, for people to read.
    pub(crate) name: String,
    /// The address by which grants are looked up, in lower case.
    pub(crate) email: String,
    /// Whether they may manage buckets and users.
    pub(crate) is_admin: bool,
    /// Goes into every form; the same in all sessions of theirs in this browser, until they sign out.
    form_token: FormToken,
}

impl SignedIn {
    /// What every form of this person has in its field `form_token`.
    pub(crate) fn form_token(&self) -> &str {
        self.form_token.as_str()
    }

    /// Checks the field `form_token` of a form, in constant time.
    ///
    /// # Errors
    ///
    /// [`PageError::ForeignForm`] if it is not that of this person here.
    pub(crate) fn check_form(&self, form_token: &str) -> Result<(), PageError> {
        self.form_token.check(form_token)
    }

    /// What the frame around every page shows.
    pub(crate) fn frame(&self) -> Frame {
        Frame { name: self.name.clone(), is_admin: self.is_admin, form_token: self.form_token().to_owned() }
    }
}

impl From<Session> for SignedIn {
    fn from(session: Session) -> Self {
        let Session { name, email, is_admin, form_token, .. } = session;
        Self { name, email, is_admin, form_token }
    }
}

/// What every page of somebody who is signed in shows.
pub(crate) struct Frame {
    pub(crate) name: String,
    pub(crate) is_admin: bool,
    pub(crate) form_token: String,
}

/// Why nobody is signed in.
#[derive(Clone, Debug)]
enum NobodySignedIn {
    NotSetUp,
    NoSession,
    /// The provider says that the person may sign in no more.
    NotAuthorized,
    Provider(ProviderError),
    /// Whether the session was ended cannot be found out.
    Store(Arc<ApiError>),
}

impl NobodySignedIn {
    fn page_error(self, request: &Request<'_>) -> (Status, PageError) {
        match self {
            Self::NotSetUp => (Status::ServiceUnavailable, PageError::NotSetUp),
            Self::NoSession if matches!(request.method(), Method::Get | Method::Head) => {
                let (back_to, says_so) = (request.uri().to_string(), is_from_our_page(request));
                let status = if says_so { Status::Unauthorized } else { Status::SeeOther };
                (status, PageError::SignInNeeded { back_to, says_so })
            }
            Self::NoSession => (Status::Unauthorized, PageError::SessionEnded),
            Self::NotAuthorized => (Status::Forbidden, PageError::NotAuthorized),
            Self::Provider(error) => (Status::ServiceUnavailable, PageError::Provider(error)),
            Self::Store(error) => (error.status(), PageError::Api(ApiError::Shared(error))),
        }
    }
}

/// Whether one of our own pages leads here, with a form it may be. The pages say that their forms lead to us
/// only, which browsers apply to every redirect after a form as well: one to the provider would do nothing,
/// without a word.
fn is_from_our_page(request: &Request<'_>) -> bool {
    request.headers().get_one("Sec-Fetch-Site") == Some("same-origin")
}

/// The session that a request was sent with, if it holds without a word of the provider: it is neither too old
/// nor was it ended, here or by another instance.
async fn held(app: &WriteApp, cookies: &Cookies<'_>) -> Result<(Session, Standing), NobodySignedIn> {
    let sign_in = app.sign_in.as_ref().ok_or(NobodySignedIn::NotSetUp)?;
    let session = cookies.session().ok_or(NobodySignedIn::NoSession)?;
    let standing = session.standing((app.clock)().millis() / 1_000, &sign_in.lifetimes);
    let is_over = standing == Standing::Expired || {
        let ended = app.engine.sessions_ended(&session.id, &session.email).await;
        session.is_ended_by(ended.map_err(|error| NobodySignedIn::Store(Arc::new(error.into())))?)
    };
    if is_over {
        cookies.end();
        return Err(NobodySignedIn::NoSession);
    }
    Ok((session, standing))
}

/// Whether somebody is signed in, so that they need not do so again.
pub(super) async fn is_signed_in(request: &Request<'_>) -> bool {
    request.local_cache_async(signed_in(request)).await.is_ok()
}

/// The session of a request. The provider is asked at most once for it.
async fn signed_in(request: &Request<'_>) -> Result<SignedIn, NobodySignedIn> {
    let app: &WriteApp = request.rocket().state().ok_or(NobodySignedIn::NotSetUp)?;
    let sign_in = app.sign_in.as_ref().ok_or(NobodySignedIn::NotSetUp)?;
    let cookies = sign_in.cookies(request.cookies());
    let now = (app.clock)().millis() / 1_000;
    let session = match held(app, &cookies).await? {
        (session, Standing::CheckDue { overdue }) => {
            checked(sign_in, &cookies, session, now, overdue, request).await?
        }
        (session, _) => session,
    };
    let session = session.renewed(now, &sign_in.lifetimes).map_or(session, |session| {
        cookies.renew(&session);
        session
    });
    Ok(session.into())
}

/// The session as the provider would have it now. While the provider cannot be asked, its last word is taken
/// for one interval more.
async fn checked(
    sign_in: &SignIn,
    cookies: &Cookies<'_>,
    session: Session,
    now: i64,
    overdue: bool,
    request: &Request<'_>,
) -> Result<Session, NobodySignedIn> {
    let request_id = RequestId::of(request).as_str();
    let asked = sign_in.checks.ask(&sign_in.provider, &session, cookies.tokens(), now).await;
    match asked {
        Ok(word) if word.profile.may_sign_in => {
            let session = session.checked(word.profile, word.at, now);
            cookies.start(&session, &word.tokens).map_err(NobodySignedIn::Provider)?;
            Ok(session)
        }
        Ok(_) | Err(ProviderError::UnverifiedEmail) => {
            end(cookies, &session, "the permission to sign in was taken away", request_id);
            Err(NobodySignedIn::NotAuthorized)
        }
        Err(ProviderError::Refused(_)) => {
            end(cookies, &session, "the provider knows of it no more", request_id);
            Err(NobodySignedIn::NoSession)
        }
        // It is no word against the person, who is asked for at the provider instead.
        Err(ProviderError::Silent(_)) => {
            end(cookies, &session, "the provider does not say whether it still holds", request_id);
            Err(NobodySignedIn::NoSession)
        }
        Err(error) if overdue => Err(NobodySignedIn::Provider(error)),
        Err(error) => {
            tracing::warn!(target: "backdrop::error", request_id, %error, "a session goes on unchecked");
            Ok(session)
        }
    }
}

/// Ends a session that the provider no longer stands behind.
fn end(cookies: &Cookies<'_>, session: &Session, detail: &'static str, request_id: &str) {
    cookies.end();
    let by = &session.email;
    tracing::info!(target: "backdrop::audit", action = "session ended", by, detail, request_id);
}

#[async_trait]
impl<'r> FromRequest<'r> for SignedIn {
    type Error = PageError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, PageError> {
        match request.local_cache_async(signed_in(request)).await {
            Ok(person) => Outcome::Success(person.clone()),
            Err(nobody) => Outcome::Error(nobody.clone().page_error(request)),
        }
    }
}

/// Somebody who is signed in and has the permission `admin`.
pub(crate) struct Administrator(pub(crate) SignedIn);

#[async_trait]
impl<'r> FromRequest<'r> for Administrator {
    type Error = PageError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, PageError> {
        match SignedIn::from_request(request).await {
            Outcome::Success(person) if person.is_admin => Outcome::Success(Self(person)),
            Outcome::Success(_) => Outcome::Error((Status::Forbidden, PageError::NotAuthorized)),
            Outcome::Error(error) => Outcome::Error(error),
            Outcome::Forward(status) => Outcome::Forward(status),
        }
    }
}
