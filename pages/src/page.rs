//! A page as an answer, with the headers that keep a browser from doing more with it than we mean.

use std::io::Cursor;

use askama::Template;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};

/// What every page and every redirect to one has: nothing but our own stylesheet and forms that lead back to us, and no script at all.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
    form-action 'self'; frame-ancestors 'self'; base-uri 'none'";

/// A rendered page. Rocket adds `X-Frame-Options: SAMEORIGIN` and `X-Content-Type-Options: nosniff` to
/// every answer.
pub struct Page {
    status: Status,
    cache_control: &'static str,
    html: String,
}

impl Page {
    /// Renders a page that belongs to the person who sees it, which nothing keeps.
    ///
    /// # Errors
    ///
    /// Those of the values that are shown, none of which fails.
    pub fn render(template: &impl Template) -> Result<Self, askama::Error> {
        let html = template.render()?;
        Ok(Self { status: Status::Ok, cache_control: "no-store", html })
    }

    /// The same page with another status.
    #[must_use]
    pub fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// The same page with another rule of who may keep it.
    #[must_use]
    pub fn with_cache_control(self, cache_control: &'static str) -> Self {
        Self { cache_control, ..self }
    }

    /// What it says.
    pub fn html(&self) -> &str {
        &self.html
    }
}

/// `X-Frame-Options` and `X-Content-Type-Options` are in all answers already, from Rocket.
impl<'r> Responder<'r, 'static> for Page {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build()
            .status(self.status)
            .header(ContentType::HTML)
            .header(Header::new("Cache-Control", self.cache_control))
            .header(Header::new("Content-Security-Policy", CONTENT_SECURITY_POLICY))
            .header(Header::new("Referrer-Policy", "same-origin"))
            .header(Header::new("Cross-Origin-Opener-Policy", "same-origin"))
            .sized_body(self.html.len(), Cursor::new(self.html))
            .ok()
    }
}
