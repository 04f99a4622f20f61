//! How the provider fails, as tests tell it to.

use std::io::Cursor;
use std::str::FromStr;
use std::time::Duration;

use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use rocket::tokio::time::sleep;
use serde_json::Value as Json;

use crate::Store;

/// What can be told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "their names say what they are")]
pub enum Endpoint {
    Discovery,
    Keys,
    Token,
    /// `user.json`, and userinfo.
    Person,
}

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As it should.
    Ok,
    /// With status 500.
    Error,
    /// After half a minute.
    Slow,
    /// With a page.
    Page,
    /// With more than anybody wants.
    Huge,
    /// Elsewhere.
    Redirect,
    /// With status 401.
    Refuse,
    /// With an ID token that has the nonce of another sign-in.
    WrongNonce,
    /// With an ID token that is for another client.
    WrongAudience,
    /// With an ID token that has expired.
    Expired,
    /// With an ID token that somebody else has signed.
    WrongSignature,
    /// Without a refresh token.
    NoRefreshToken,
    /// With userinfo that does not say what the person may do; the ID token does.
    NoGroups,
    /// With userinfo that has no email address; the ID token has.
    NoEmail,
}

impl FromStr for Endpoint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "discovery" => Ok(Self::Discovery),
            "keys" => Ok(Self::Keys),
            "token" => Ok(Self::Token),
            "person" => Ok(Self::Person),
            _ => Err(()),
        }
    }
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "ok" => Ok(Self::Ok),
            "error" => Ok(Self::Error),
            "slow" => Ok(Self::Slow),
            "page" => Ok(Self::Page),
            "huge" => Ok(Self::Huge),
            "redirect" => Ok(Self::Redirect),
            "refuse" => Ok(Self::Refuse),
            "wrong-nonce" => Ok(Self::WrongNonce),
            "wrong-audience" => Ok(Self::WrongAudience),
            "expired" => Ok(Self::Expired),
            "wrong-signature" => Ok(Self::WrongSignature),
            "no-refresh-token" => Ok(Self::NoRefreshToken),
            "no-groups" => Ok(Self::NoGroups),
            "no-email" => Ok(Self::NoEmail),
            _ => Err(()),
        }
    }
}

/// An answer of an endpoint.
pub(crate) struct Answer {
    status: Status,
    content_type: ContentType,
    location: Option<&'static str>,
    body: String,
}

impl Answer {
    pub(crate) fn json(body: &Json) -> Self {
        Self::with(Status::Ok, ContentType::JSON, body.to_string())
    }

    /// An error in the form of OAuth 2 (RFC 6749, section 5.2).
    pub(crate) fn error(status: Status, error: &str) -> Self {
        Self::with(status, ContentType::JSON, serde_json::json!({"error": error}).to_string())
    }

    fn with(status: Status, content_type: ContentType, body: String) -> Self {
        Self { status, content_type, location: None, body }
    }
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response
            .status(self.status)
            .header(self.content_type)
            .header(Header::new("Cache-Control", "no-store"));
        if let Some(location) = self.location {
            response.header(Header::new("Location", location));
        }
        response.sized_body(self.body.len(), Cursor::new(self.body)).ok()
    }
}

/// What an endpoint answers instead, if it was told to.
pub(crate) async fn failure(store: &Store, endpoint: Endpoint) -> Option<Answer> {
    let answer = match store.mode(endpoint) {
        Mode::Ok
        | Mode::WrongNonce
        | Mode::WrongAudience
        | Mode::Expired
        | Mode::WrongSignature
        | Mode::NoRefreshToken
        | Mode::NoGroups
        | Mode::NoEmail => return None,
        Mode::Error => Answer::error(Status::InternalServerError, "server_error"),
        Mode::Slow => {
            sleep(Duration::from_secs(30)).await;
            return None;
        }
        Mode::Page => Answer::with(Status::Ok, ContentType::HTML, "<h1>Please log in</h1>".to_owned()),
        Mode::Huge => Answer::with(Status::Ok, ContentType::JSON, format!("\"{}\"", "x".repeat(2_000_000))),
        Mode::Redirect => Answer {
            location: Some("/_status"),
            ..Answer::with(Status::Found, ContentType::JSON, String::new())
        },
        Mode::Refuse => Answer::error(Status::Unauthorized, "invalid_token"),
    };
    Some(answer)
}
