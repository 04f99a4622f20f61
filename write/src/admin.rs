//! The admin pages: for people who sign in to look after buckets and to upload spreadsheets.
//!
//! ```text
//! admin.rs ── home, bucket_*, tokens, users, sessions, audit_log, upload  the pages
//!         ├── bucket_form, figures, grants, words               what they are made of
//!         └── session (SignedIn) ← sign_in ← provider/{signon,oidc}
//!                └── error (PageError), form (FormToken), limit (PerMinute)
//! ```

mod audit_log;
mod bucket_changes;
mod bucket_deletion;
mod bucket_form;
mod bucket_page;
pub(crate) mod error;
mod figures;
mod form;
mod grants;
mod home;
pub(crate) mod limit;
pub(crate) mod message;
mod notice;
pub(crate) mod provider;
mod sent_form;
pub(crate) mod session;
mod sessions;
mod sign_in;
#[cfg(test)]
mod tests;
mod tokens;
pub(crate) mod upload;
mod users;
mod words;

pub(crate) use error::PageError;
pub(crate) use session::{Administrator, Frame, SignedIn};
pub(crate) use sign_in::SignIn;

use backdrop_common::http::ApiError;
use rocket::http::Status;
use rocket::{Catcher, Request, Route, catch, catchers, routes};

/// The pages, below `/_user` and elsewhere.
pub(crate) fn routes() -> Vec<Route> {
    routes![
        home::home,
        bucket_page::show_bucket,
        bucket_changes::new_bucket,
        bucket_changes::create_bucket,
        bucket_changes::edit_bucket,
        bucket_changes::change_bucket,
        bucket_deletion::ask_before_deleting,
        bucket_deletion::delete_bucket,
        tokens::change_token,
        users::users,
        users::grant,
        users::revoke,
        sessions::own_sessions,
        sessions::end_own_sessions,
        sessions::end_sessions,
        audit_log::audit_log,
        sign_in::sign_in,
        sign_in::authorized,
        sign_in::sign_out,
        sign_in::signed_out,
        sign_in::not_authorized,
    ]
}

/// What is answered below `/_user` where no page answers.
pub(crate) fn catchers() -> Vec<Catcher> {
    catchers![no_page, failed]
}

#[catch(404)]
fn no_page() -> PageError {
    PageError::NotFound
}

#[catch(default)]
fn failed(status: Status, _: &Request<'_>) -> (Status, PageError) {
    if status.class().is_client_error() {
        return (status, PageError::NotTaken(status));
    }
    (status, PageError::Api(ApiError::Internal))
}
