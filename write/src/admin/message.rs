//! A page that only says something, and where to go from there.

use std::borrow::Cow;

use askama::Template;
use backdrop_pages::Page;
use rocket::http::Status;

/// What such a page says. None of them is kept by a browser: what they say may pass.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct Message {
    pub(crate) title: String,
    pub(crate) text: Cow<'static, str>,
    pub(crate) detail: Option<String>,
    /// Where to go from here, and how that is called.
    pub(crate) link: (Cow<'static, str>, &'static str),
}

impl Message {
    /// The page.
    ///
    /// # Errors
    ///
    /// As [`Page::render`].
    pub(crate) fn page(&self, status: Status) -> Result<Page, askama::Error> {
        Ok(Page::render(self)?.with_status(status).with_cache_control("no-store"))
    }
}
