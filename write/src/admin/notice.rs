//! What a form did, said on the page that it leads to: in an encrypted cookie on the way there, since it
//! names people and buckets.

use backdrop_pages::Page;
use rocket::http::{Cookie, SameSite};
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::{self, Redirect};
use rocket::time::Duration;
use rocket::{Responder, async_trait};

use super::session::full_name;
use crate::WriteApp;

const NAME: &str = "backdrop_notice";
/// How long the way may take.
const WAY: Duration = Duration::minutes(1);

/// The answer to a form.
#[derive(Responder)]
pub(crate) enum Reply {
    /// It is done; another page says so.
    Done(Noted),
    /// A page of its own: with a token that is shown once, or with the form and what is wrong with it.
    Page(Page),
}

/// Leads to a page that says what was done.
pub(crate) struct Noted {
    to: String,
    done: String,
}

impl Noted {
    /// Leads to an address of ours.
    pub(crate) fn new(to: impl Into<String>, done: impl Into<String>) -> Self {
        Self { to: to.into(), done: done.into() }
    }
}

impl<'r> response::Responder<'r, 'static> for Noted {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let in_production = in_production(request);
        let cookie = Cookie::build((full_name(NAME, in_production), self.done))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(in_production)
            .max_age(WAY);
        request.cookies().add_private(cookie);
        Redirect::to(self.to).respond_to(request)
    }
}

fn in_production(request: &Request<'_>) -> bool {
    request.rocket().state::<WriteApp>().is_some_and(|app| app.public_url.is_production())
}

/// What the form before did, if there was one. It is said once.
pub(crate) struct Notice(pub(crate) Option<String>);

#[async_trait]
impl<'r> FromRequest<'r> for Notice {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let cookies = request.cookies();
        let in_production = in_production(request);
        let name = full_name(NAME, in_production);
        let notice = cookies.get_private(&name).map(|cookie| cookie.value().to_owned());
        if notice.is_some() {
            cookies.remove_private(Cookie::build(name).path("/").secure(in_production));
        }
        Outcome::Success(Self(notice))
    }
}
