//! What goes wrong on a page, in words for the person who sees it. The only type of the pages that
//! has a status.

use std::borrow::Cow;

use backdrop_common::http::{ApiError, RequestId, refused};
use backdrop_common::storage::StorageError;
use rocket::http::{Header, Status};
use rocket::request::Request;
use rocket::response::{self, Redirect, Responder, Response};

use super::message::Message;
use super::provider::ProviderError;

/// A reason why a page is not shown.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "page_")]
pub(crate) enum PageError {
    /// Nobody is signed in; leads to signing in and back to this address of ours.
    #[error("Your session has ended")]
    SignInNeeded {
        /// Where the person wanted to go: a path with its query.
        back_to: String,
        /// Whether it is a page that leads there, with a link, and no redirect.
        says_so: bool,
    },
    /// Nobody is signed in any more, and a form was sent that would have to be sent again.
    #[error("Your session has ended")]
    SessionEnded,
    /// The person is not allowed to do this.
    #[error("You are not allowed to do this")]
    NotAuthorized,
    /// A form came without the token of the session that it belongs to.
    #[error("This form is not from your session")]
    ForeignForm,
    /// There is no such page or bucket, or none that this person may see.
    #[error("There is no such page")]
    NotFound,
    /// What was sent is too large, or not what a form of ours sends.
    #[error("This cannot be taken")]
    NotTaken(Status),
    /// Too many tries within a short time.
    #[error("Too many requests")]
    TooMany {
        /// In so many seconds the next one is taken.
        retry_after: u64,
    },
    /// Somebody comes back from the provider with an answer that belongs to no sign-in that their browser
    /// knows of, or to one of too long ago.
    #[error("This sign-in cannot be finished")]
    StaleSignIn,
    /// The person, or the provider in their place, chose not to sign in.
    #[error("You are not signed in")]
    SignInDenied,
    /// The sign-in provider did not do what it should.
    #[error("The sign-in service cannot be used just now")]
    Provider(#[from] ProviderError),
    /// No provider is set up.
    #[error("Signing in is not set up")]
    NotSetUp,
    /// The store, or something inside.
    #[error("{0}")]
    Api(#[from] ApiError),
}

impl From<StorageError> for PageError {
    fn from(error: StorageError) -> Self {
        Self::Api(error.into())
    }
}

impl From<askama::Error> for PageError {
    fn from(_: askama::Error) -> Self {
        Self::Api(ApiError::Internal)
    }
}

impl PageError {
    fn status(&self) -> Status {
        match self {
            Self::SignInNeeded { says_so: false, .. } => Status::SeeOther,
            Self::SignInNeeded { says_so: true, .. } | Self::SessionEnded => Status::Unauthorized,
            Self::NotAuthorized
            | Self::ForeignForm
            | Self::SignInDenied
            | Self::Provider(ProviderError::UnverifiedEmail) => Status::Forbidden,
            Self::StaleSignIn => Status::BadRequest,
            Self::NotFound => Status::NotFound,
            Self::NotTaken(status) => *status,
            Self::TooMany { .. } => Status::TooManyRequests,
            Self::Provider(ProviderError::Unavailable(_) | ProviderError::TimedOut) | Self::NotSetUp => {
                Status::ServiceUnavailable
            }
            Self::Provider(
                ProviderError::Refused(_) | ProviderError::Silent(_) | ProviderError::Unexpected(_),
            ) => Status::BadGateway,
            Self::Api(error) => error.status(),
        }
    }

    /// What is wrong, in a word for the log.
    fn reason(&self) -> &'static str {
        match self {
            Self::Api(error) => error.reason(),
            other => other.into(),
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::SignInNeeded { .. } => "Sign in again to go on.",
            Self::SessionEnded => {
                "Nothing of what you sent was stored. Sign in again in another tab, come back to this one, \
                 go back to the form and send it again."
            }
            Self::NotAuthorized => {
                "Your account may not do this. Ask an administrator of Backdrop, or whoever manages the \
                 permissions of your account."
            }
            Self::ForeignForm => {
                "Nothing of it was stored. The form may be from before you signed out, or another person's. Open \
                 the page again and send its form."
            }
            Self::NotFound => "There is nothing at this address, or nothing that your account may see.",
            Self::NotTaken(status) if *status == Status::PayloadTooLarge => {
                "What you sent is larger than is taken. Nothing of it was stored."
            }
            Self::NotTaken(_) => {
                "What you sent is nothing that one of our pages sends. Nothing of it was stored."
            }
            Self::TooMany { .. } => {
                "That was more than is taken in such a short time. Try again in a moment."
            }
            Self::StaleSignIn => {
                "It was begun in another browser or tab, or too long ago, or is finished already. Sign in again."
            }
            Self::SignInDenied => "The sign-in service says that you did not agree to sign in to Backdrop.",
            Self::Provider(ProviderError::UnverifiedEmail) => {
                "The sign-in service has not verified your email address, by which you are known here. Have it \
                 verified there, then sign in again."
            }
            Self::Provider(_) => {
                "The service that knows your account did not answer as it should. Nothing is wrong with your \
                 account. Try again in a few minutes."
            }
            Self::NotSetUp => {
                "The operator of this installation has set up no sign-in service. The README of Backdrop \
                 says how."
            }
            Self::Api(error) if error.status() == Status::ServiceUnavailable => {
                "The store cannot be reached just now. Try again in a few seconds."
            }
            Self::Api(_) => "Something went wrong that is not your fault. The operator's log says what.",
        }
    }

    fn link(&self) -> (Cow<'static, str>, &'static str) {
        match self {
            Self::SignInNeeded { back_to, .. } => (sign_in_uri(back_to).into(), "Sign in"),
            Self::SessionEnded | Self::StaleSignIn | Self::SignInDenied => {
                ("/_user/sign_in".into(), "Sign in")
            }
            _ => ("/_user".into(), "Back to the start"),
        }
    }
}

/// Where to sign in, and which page to come back to.
fn sign_in_uri(back_to: &str) -> String {
    let query: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("back_to", back_to).finish();
    format!("/_user/sign_in?{query}")
}

impl<'r> Responder<'r, 'static> for PageError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        refused(request, self.reason());
        if let Self::SignInNeeded { back_to, says_so: false } = &self {
            return Redirect::to(sign_in_uri(back_to)).respond_to(request);
        }
        let title = match &self {
            Self::Api(error) => error.status().reason_lossy().to_owned(),
            other => other.to_string(),
        };
        let message = Message {
            title,
            text: self.text(),
            detail: matches!(self, Self::Api(_) | Self::Provider(_))
                .then(|| format!("Request id: {}", RequestId::of(request).as_str())),
            link: self.link(),
        };
        if let Self::Provider(error) = &self {
            let request_id = RequestId::of(request).as_str();
            tracing::error!(target: "backdrop::error", request_id, %error, "nobody can be asked who a person is");
        }
        let Ok(page) = message.page(self.status()) else { return Err(Status::InternalServerError) };
        let mut response = Response::build_from(page.respond_to(request)?);
        match self {
            Self::TooMany { retry_after } => {
                response.header(Header::new("Retry-After", retry_after.to_string()));
            }
            Self::Api(error) => {
                // Made for what it does besides: it says in the log what nobody else is told.
                let answer = error.respond_to(request)?;
                if let Some(seconds) = answer.headers().get_one("Retry-After") {
                    response.header(Header::new("Retry-After", seconds.to_owned()));
                }
            }
            _ => {}
        }
        response.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backdrop_common::settings::Settings;
    use backdrop_common::storage::failing::FailingEngine;
    use backdrop_common::storage::{StorageErrorKind, failing};
    use rocket::http::ContentType;
    use rocket::local::blocking::Client;

    use super::*;

    #[test]
    fn a_store_that_is_away_is_tried_again_later() {
        let kind = StorageErrorKind::Unavailable;
        let engine = FailingEngine { kind, bucket: None, endless: None, pages: 0 };
        let app = crate::rocket(&Settings::default(), Arc::new(engine), 0);
        let client = Client::untracked(app).expect("the app");
        let request = client.get("/_user");
        let error = PageError::from(StorageError::new(kind, failing::CAUSE));
        let mut answer = error.respond_to(request.inner()).expect("a page");
        assert_eq!(answer.status(), Status::ServiceUnavailable);
        assert_eq!(answer.headers().get_one("Retry-After"), Some("5"));
        let page = rocket::tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(answer.body_mut().to_string())
            .expect("text");
        assert!(page.contains("The store cannot be reached just now"), "{page}");
        assert!(!page.contains(failing::CAUSE), "{page}");
    }

    #[test]
    fn a_form_that_is_too_large_is_told_so() {
        let engine =
            FailingEngine { kind: StorageErrorKind::Internal, bucket: None, endless: None, pages: 0 };
        let app = crate::rocket(&Settings::default(), Arc::new(engine), 0);
        let client = Client::untracked(app).expect("the app");
        let form = format!("email={}", "a".repeat(600 * 1024));
        let answer = client.post("/_user/users").header(ContentType::Form).body(form).dispatch();
        assert_eq!(answer.status(), Status::PayloadTooLarge);
        let page = answer.into_string().expect("a page");
        assert!(page.contains("What you sent is larger than is taken."), "{page}");
    }
}
