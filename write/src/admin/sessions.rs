//! Ending sessions: a person's own, or by an administrator those of anybody, in every browser at once.

use askama::Template;
use backdrop_common::audit::AuditAction;
use backdrop_common::user::User;
use backdrop_pages::Page;
use rocket::http::CookieJar;
use rocket::{FromForm, State, get, post};

use super::notice::{Noted, Reply};
use super::sent_form::Form;
use super::session::end_of_all;
use super::sign_in::Forgets;
use super::users::{GrantForm, users_page};
use super::{Administrator, Frame, PageError, SignedIn};
use crate::WriteApp;
use crate::audit::{self, Visit};

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    email: String,
}

/// Ends all sessions of who sends it.
#[derive(FromForm)]
pub(crate) struct EndOwn {
    #[field(default = "")]
    form_token: String,
}

/// Ends all sessions of somebody.
#[derive(FromForm)]
pub(crate) struct EndOfSomebody {
    #[field(default = "")]
    form_token: String,
    #[field(default = "")]
    email: String,
}

#[get("/_user/sessions")]
pub(crate) fn own_sessions(person: Result<SignedIn, PageError>) -> Result<Page, PageError> {
    let person = person?;
    Ok(Page::render(&SessionsPage { frame: person.frame(), email: person.email })?)
}

#[post("/_user/sessions/end", data = "<form>")]
pub(crate) async fn end_own_sessions(
    form: Form<EndOwn>,
    person: Result<SignedIn, PageError>,
    visit: Visit,
    jar: &CookieJar<'_>,
    app: &State<WriteApp>,
) -> Result<Forgets, PageError> {
    let person = person?;
    person.check_form(&form.form_token)?;
    let sign_in = app.sign_in.as_ref().ok_or(PageError::NotSetUp)?;
    end_all(app, &visit, &person, &person.email).await?;
    sign_in.cookies(jar).sign_out();
    // Not to the provider's page: the answer to a form leads to us only.
    Ok(Forgets::new("/_user/signed_out".to_owned()))
}

#[post("/_user/users/end-sessions", data = "<form>")]
pub(crate) async fn end_sessions(
    form: Form<EndOfSomebody>,
    person: Result<Administrator, PageError>,
    visit: Visit,
    app: &State<WriteApp>,
) -> Result<Reply, PageError> {
    let Administrator(person) = person?;
    person.check_form(&form.form_token)?;
    let email = match User::new(form.email.trim()) {
        Ok(user) => user.email,
        Err(invalid) => {
            let fault = invalid.to_string();
            return users_page(app, &person, "", None, Some((GrantForm::default(), fault)))
                .await
                .map(Reply::Page);
        }
    };
    end_all(app, &visit, &person, &email).await?;
    Ok(Reply::Done(Noted::new("/_user/users", format!("All sessions of {email} are ended."))))
}

/// Ends all sessions of a person, which somebody asked for.
async fn end_all(app: &WriteApp, visit: &Visit, by: &SignedIn, email: &str) -> Result<(), PageError> {
    let now = (app.clock)();
    app.engine.end_sessions(end_of_all(email, now), now).await?;
    audit::record(app, visit, &by.email, AuditAction::EndSessions, None, &format!("of {email}")).await;
    Ok(())
}
