//! A bucket's tokens: made, rotated so that both are taken for a while, revoked. A token is shown
//! once, by the answer to the form that made it.

use askama::Template;
use backdrop_common::audit::AuditAction;
use backdrop_common::bucket::{BucketName, TokenChange};
use backdrop_common::http::ApiError;
use backdrop_common::timestamp::Timestamp;
use backdrop_common::token::{TokenHash, make_token};
use backdrop_pages::Page;
use rocket::form::FromFormField;
use rocket::{FromForm, State, post};
use secrecy::{ExposeSecret, SecretString};

use super::bucket_page::page_of;
use super::notice::{Noted, Reply};
use super::sent_form::Form;
use super::{Administrator, Frame, PageError, words};
use crate::WriteApp;
use crate::audit::{self, Visit};

/// A token that was just made, to be shown once.
pub(crate) struct NewToken {
    pub(crate) frame: Frame,
    pub(crate) bucket: BucketName,
    pub(crate) token: SecretString,
    /// Whether the bucket was made with it.
    pub(crate) created: bool,
    /// Until when the one before is taken, if it is.
    pub(crate) until: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "token.html")]
struct TokenPage<'a> {
    frame: Frame,
    bucket: &'a BucketName,
    token: &'a str,
    created: bool,
    until: Option<String>,
    write_url: String,
}

impl NewToken {
    /// The page that shows it, which nothing keeps.
    pub(crate) fn page(self, app: &WriteApp) -> Result<Page, PageError> {
        let page = TokenPage {
            frame: self.frame,
            bucket: &self.bucket,
            token: self.token.expose_secret(),
            created: self.created,
            until: self.until.map(words::instant),
            write_url: app.public_url.to_string(),
        };
        Ok(Page::render(&page)?.with_cache_control("no-store"))
    }
}

/// What is done to a bucket's tokens.
#[derive(Clone, Copy, FromFormField)]
pub(crate) enum TokenAction {
    /// Makes one, in place of any other.
    Make,
    /// Makes one; the one before is taken for a while.
    Rotate,
    /// Ends that while.
    #[field(value = "end-overlap")]
    EndOverlap,
    /// Takes all of them away.
    Revoke,
}

#[derive(FromForm)]
pub(crate) struct TokenForm {
    #[field(default = "")]
    form_token: String,
    action: Option<TokenAction>,
}

#[post("/_user/buckets/<name>/token", data = "<form>")]
pub(crate) async fn change_token(
    name: Result<BucketName, ApiError>,
    form: Form<TokenForm>,
    person: Result<Administrator, PageError>,
    visit: Visit,
    app: &State<WriteApp>,
) -> Result<Reply, PageError> {
    let Administrator(person) = person?;
    person.check_form(&form.form_token)?;
    let bucket = name.map_err(|_| PageError::NotFound)?;
    let (action, now) = (form.action.ok_or(PageError::NotFound)?, (app.clock)());
    let (token, until) = (make_token(), now.later(app.token_overlap));
    if !app.engine.change_tokens(&bucket, action.change(TokenHash::new(&token), now, until)).await? {
        return Err(PageError::NotFound);
    }
    let (recorded, detail) = action.recorded();
    audit::record(app, &visit, &person.email, recorded, Some(&bucket), detail).await;
    let new_token =
        |until| NewToken { frame: person.frame(), bucket: bucket.clone(), token, created: false, until };
    let done = match action {
        TokenAction::Make => return new_token(None).page(app).map(Reply::Page),
        TokenAction::Rotate => return new_token(Some(until)).page(app).map(Reply::Page),
        TokenAction::EndOverlap => "The replaced tokens have ended.",
        TokenAction::Revoke => "All tokens are revoked: no program can write any more.",
    };
    Ok(Reply::Done(Noted::new(page_of(&bucket), done)))
}

impl TokenAction {
    /// What happens to the tokens, where `hash` is that of a new one.
    fn change(self, hash: TokenHash, now: Timestamp, until: Timestamp) -> TokenChange {
        match self {
            Self::Make => TokenChange::Set(hash),
            Self::Rotate => TokenChange::Rotate { hash, now, until },
            Self::EndOverlap => TokenChange::EndOverlap,
            Self::Revoke => TokenChange::Remove,
        }
    }

    /// What the audit log has of it.
    fn recorded(self) -> (AuditAction, &'static str) {
        match self {
            Self::Make => (AuditAction::MakeToken, "the one before ended"),
            Self::Rotate => (AuditAction::RotateToken, "the one before retires"),
            Self::EndOverlap => (AuditAction::RevokeToken, "those that retire"),
            Self::Revoke => (AuditAction::RevokeToken, "all of them"),
        }
    }
}
