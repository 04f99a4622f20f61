//! Answers as bytes: JSON or CSV, with the headers that say how long they may be kept.

use std::io::Cursor;
use std::sync::Arc;

use backdrop_common::bucket::BucketConfig;
use backdrop_common::csv_export;
use backdrop_common::http::{ApiError, etag, is_fresh};
use backdrop_common::shape::GroupAnswer;
use backdrop_common::storage::{Documents, StorageError, StorageErrorKind};
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use serde_json::to_writer;
use serde_json::value::RawValue;

/// What is said of the data of a bucket that is not published.
pub(crate) const WARNING: &str =
    "Warning: This data-set is unpublished. Data may be subject to change or be inaccurate.";

/// What a query found.
pub(crate) enum Found {
    /// Records as they are stored.
    Records(Documents),
    /// Groups.
    Groups(GroupAnswer),
}

/// The body of an answer and its tag. Clones share the bytes.
#[derive(Clone)]
pub(crate) struct Body {
    bytes: Arc<[u8]>,
    etag: Arc<str>,
}

impl Body {
    /// Writes the body of an answer. Large ones take a while, so that is done on a thread for that.
    pub(crate) async fn write(found: Found, form: Form) -> Result<Self, ApiError> {
        let written = rocket::tokio::task::spawn_blocking(move || {
            let bytes = if form.is_csv { csv(&found) } else { json(&found, form.is_published) }?;
            let etag = etag(&bytes).into();
            Ok::<_, StorageError>(Self { bytes: bytes.into(), etag })
        });
        Ok(written.await.map_err(|_| ApiError::Internal)??)
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// How what a query found is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    is_csv: bool,
    is_published: bool,
}

impl Form {
    /// The form of a bucket's answers.
    pub(crate) fn new(bucket: &BucketConfig, as_csv: bool) -> Self {
        // An unpublished bucket always answers JSON, which has room for the warning.
        Self { is_csv: as_csv && bucket.published, is_published: bucket.published }
    }
}

/// An answer with its headers.
pub(crate) struct Answer {
    /// None if the client has it already.
    body: Option<Body>,
    /// None if it is not worth asking whether it changed.
    etag: Option<Arc<str>>,
    cache_control: &'static str,
    is_csv: bool,
}

impl Answer {
    /// The answer of a bucket, to a client that may have it already.
    pub(crate) fn new(bucket: &BucketConfig, body: Body, form: Form, if_none_match: &str) -> Self {
        let etag = Arc::clone(&body.etag);
        let body = (!is_fresh(if_none_match, &etag)).then_some(body);
        Self { body, etag: Some(etag), cache_control: cache_control(bucket), is_csv: form.is_csv }
    }

    /// What would be done to answer a query. It tells of the store as it is now, so nobody keeps it.
    pub(crate) fn explained(explained: &RawValue) -> Self {
        let bytes = format!(r#"{{"explain":{explained}}}"#).into_bytes().into();
        let body = Body { bytes, etag: "".into() };
        Self { body: Some(body), etag: None, cache_control: "no-cache", is_csv: false }
    }
}

/// For how long the data of a bucket may be kept.
pub(crate) fn cache_control(bucket: &BucketConfig) -> &'static str {
    match (bucket.published, bucket.realtime) {
        (false, _) => "no-cache",
        (true, true) => "max-age=120, must-revalidate",
        (true, false) => "max-age=1800, must-revalidate",
    }
}

fn csv(found: &Found) -> Result<Vec<u8>, StorageError> {
    match found {
        Found::Records(documents) => csv_export::records(documents),
        Found::Groups(answer) => Ok(csv_export::groups(answer)),
    }
}

/// Written piece by piece, so that no answer is held in memory twice.
fn json(found: &Found, published: bool) -> Result<Vec<u8>, StorageError> {
    let damaged = |error: serde_json::Error| StorageError::new(StorageErrorKind::Internal, error);
    let mut body = Vec::with_capacity(1024);
    body.extend_from_slice(b"{");
    if !published {
        body.extend_from_slice(b"\"warning\":");
        to_writer(&mut body, WARNING).map_err(damaged)?;
        body.push(b',');
    }
    body.extend_from_slice(b"\"data\":");
    match found {
        Found::Groups(answer) => answer.write_json(&mut body),
        Found::Records(documents) => {
            body.push(b'[');
            for (index, document) in documents.iter().enumerate() {
                if index > 0 {
                    body.push(b',');
                }
                to_writer(&mut body, &document?).map_err(damaged)?;
            }
            body.push(b']');
        }
    }
    body.push(b'}');
    Ok(body)
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response.header(Header::new("Cache-Control", self.cache_control));
        if let Some(etag) = self.etag {
            response.header(Header::new("ETag", etag.to_string()));
        }
        let Some(body) = self.body else {
            return response.status(Status::NotModified).ok();
        };
        if self.is_csv {
            response
                .header(ContentType::CSV)
                .header(Header::new("Content-Disposition", "attachment; filename=export.csv"));
        } else {
            response.header(ContentType::JSON);
        }
        response.sized_body(body.len(), Cursor::new(body)).ok()
    }
}

#[cfg(test)]
mod tests {
    use backdrop_common::bucket::BucketName;

    use super::*;

    #[test]
    fn how_long_an_answer_may_be_kept() {
        let name = BucketName::parse("foo").expect("a name");
        let check = |published, realtime, expected| {
            let bucket = BucketConfig { published, realtime, ..BucketConfig::new(name.clone()) };
            assert_eq!(cache_control(&bucket), expected);
        };
        check(true, false, "max-age=1800, must-revalidate");
        check(true, true, "max-age=120, must-revalidate");
        check(false, false, "no-cache");
        check(false, true, "no-cache");
    }
}
