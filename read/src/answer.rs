//! Answers as bytes: JSON or CSV, with the headers that say how long they may be kept.

use std::io::Cursor;

use backdrop_common::bucket::BucketConfig;
use backdrop_common::csv_export;
use backdrop_common::http::{ApiError, etag, is_fresh};
use backdrop_common::shape::AnswerRow;
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
    Groups(Vec<AnswerRow>),
}

/// An answer with its headers.
pub(crate) struct Answer {
    /// None if the client has it already.
    body: Option<Vec<u8>>,
    /// None if it is not worth asking whether it changed.
    etag: Option<String>,
    cache_control: &'static str,
    is_csv: bool,
}

impl Answer {
    /// Makes the answer of a bucket. Large ones take a while, so it is done on a thread for that.
    pub(crate) async fn new(
        bucket: &BucketConfig,
        found: Found,
        as_csv: bool,
        if_none_match: &str,
    ) -> Result<Self, ApiError> {
        let published = bucket.published;
        // An unpublished bucket always answers JSON, which has room for the warning.
        let is_csv = as_csv && published;
        let written = rocket::tokio::task::spawn_blocking(move || {
            let body = if is_csv { csv(&found) } else { json(&found, published) }?;
            let etag = etag(&body);
            Ok::<_, StorageError>((body, etag))
        });
        let (body, etag) = written.await.map_err(|_| ApiError::Internal)??;
        let fresh = is_fresh(if_none_match, &etag);
        let body = (!fresh).then_some(body);
        Ok(Self { body, etag: Some(etag), cache_control: cache_control(bucket), is_csv })
    }

    /// What would be done to answer a query. It tells of the store as it is now, so nobody keeps it.
    pub(crate) fn explained(explained: &RawValue) -> Self {
        let body = format!(r#"{{"explain":{explained}}}"#).into_bytes();
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
        Found::Groups(rows) => Ok(csv_export::groups(rows)),
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
        Found::Groups(rows) => to_writer(&mut body, rows).map_err(damaged)?,
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
            response.header(Header::new("ETag", etag));
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
