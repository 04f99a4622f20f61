//! The pages of the explorer as answers.

use askama::Template;
use backdrop_common::bucket::{Bucket, BucketConfig};
use backdrop_common::http::{ApiError, RequestId, etag, is_fresh};
use backdrop_pages::{CONTENT_SECURITY_POLICY, Page};
use rocket::http::{Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};

use super::chart::Picture;
use super::form::{Fields, Form, Input};
use super::links::Links;
use super::table::Tables;
use crate::answer::{WARNING, cache_control};

/// What a browser is answered.
pub(crate) enum Explored {
    /// The same query is at another address of ours.
    Elsewhere(String),
    /// A page.
    View(View),
}

/// A bucket, a form, and an answer or what was wrong.
#[derive(Template)]
#[template(path = "explorer.html")]
pub(crate) struct ExplorerPage {
    bucket: BucketConfig,
    path: String,
    form: Form,
    error: Option<String>,
    answer: Option<Answered>,
}

/// What a query found.
struct Answered {
    tables: Tables,
    picture: Option<Picture>,
    links: Links,
}

impl ExplorerPage {
    pub(crate) fn new(bucket: &Bucket, path: &str, fields: &Fields) -> Self {
        Self {
            bucket: bucket.config.clone(),
            path: path.to_owned(),
            form: Form::of(fields),
            error: None,
            answer: None,
        }
    }

    pub(crate) fn with_answer(self, tables: Tables, picture: Option<Picture>, links: Links) -> Self {
        Self { answer: Some(Answered { tables, picture, links }), ..self }
    }

    pub(crate) fn with_error(mut self, error: String) -> Self {
        self.form.mark(&error);
        Self { error: Some(error), ..self }
    }
}

/// A page, and for how long it may be kept.
pub(crate) struct View {
    page: Page,
    status: Status,
    cache_control: &'static str,
}

impl View {
    /// A page of a bucket, kept for as long as its data.
    pub(crate) fn of(page: &ExplorerPage, status: Status, bucket: &Bucket) -> Result<Explored, ApiError> {
        let cache_control = if status == Status::Ok { cache_control(&bucket.config) } else { "no-cache" };
        let page = Page::render(page).map_err(|_| ApiError::Internal)?;
        let page = page.with_status(status).with_cache_control(cache_control);
        Ok(Explored::View(Self { page, status, cache_control }))
    }
}

impl<'r> Responder<'r, 'static> for Explored {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let view = match self {
            Self::Elsewhere(location) => {
                let location = Header::new("Location", location);
                // It depends on the address only; a browser need not ask again for the same.
                return Response::build()
                    .status(Status::SeeOther)
                    .header(location)
                    .header(Header::new("Cache-Control", "no-cache"))
                    .header(Header::new("Content-Security-Policy", CONTENT_SECURITY_POLICY))
                    .ok();
            }
            Self::View(view) => view,
        };
        if view.status != Status::Ok {
            return view.page.respond_to(request);
        }
        let tag = etag(view.page.html().as_bytes());
        let known = request.headers().get("If-None-Match").collect::<Vec<_>>().join(",");
        let mut response = if is_fresh(&known, &tag) {
            let kept = Header::new("Cache-Control", view.cache_control);
            Response::build().status(Status::NotModified).header(kept).finalize()
        } else {
            view.page.respond_to(request)?
        };
        response.set_header(Header::new("ETag", tag));
        Ok(response)
    }
}

/// What a page without anything else on it says.
#[derive(Template)]
#[template(path = "explorer_message.html")]
struct Message {
    title: &'static str,
    text: &'static str,
    /// By which the operator finds the line of the log.
    request_id: Option<String>,
}

/// An error as a page, with the status and the headers that a program would get.
pub(crate) fn refused(error: ApiError, request: &Request<'_>) -> response::Result<'static> {
    let status = error.status();
    let (title, text) = match status.code {
        404 => (
            "Bucket not found",
            "There is no bucket at this address, or none that may be read. Names are case-sensitive.",
        ),
        503 => ("The data cannot be read just now", "The store is unavailable. Try again in a few seconds."),
        _ => ("Something went wrong", "It is not your fault. The operator's log says what it was."),
    };
    let request_id = status.class().is_server_error().then(|| RequestId::of(request).as_str().to_owned());
    // It says in the log what the client is not told.
    let answered = error.respond_to(request)?;
    let Ok(page) = Page::render(&Message { title, text, request_id }) else { return Ok(answered) };
    let mut response = page.with_status(status).with_cache_control("no-cache").respond_to(request)?;
    for retry_after in answered.headers().get("Retry-After") {
        response.set_header(Header::new("Retry-After", retry_after.to_owned()));
    }
    Ok(response)
}
