//! Answers with the headers that say how long they may be kept.

use std::io::Cursor;

use backdrop_common::bucket::BucketConfig;
use backdrop_common::http::{RequestId, etag, is_fresh};
use backdrop_common::room::Reservation;
use backdrop_common::shape::GroupAnswer;
use backdrop_common::storage::Documents;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use serde_json::value::RawValue;
use tokio_util::io::StreamReader;

use crate::answers::Question;
use crate::body::{Body, Whole};
use crate::text::PIECE;

/// What is said of the data of a bucket that is not published.
pub(crate) const WARNING: &str =
    "Warning: This data-set is unpublished. Data may be subject to change or be inaccurate.";

/// What a query found, as much of it as a page shows.
pub(crate) enum Found {
    /// Records as they are stored.
    Records(Documents),
    /// Groups.
    Groups(GroupAnswer),
}

/// How what a query found is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) is_csv: bool,
    pub(crate) is_published: bool,
}

impl Form {
    /// The form of a bucket's answers.
    pub(crate) fn new(bucket: &BucketConfig, as_csv: bool) -> Self {
        // An unpublished bucket always answers JSON, which has room for the warning.
        Self { is_csv: as_csv && bucket.published, is_published: bucket.published }
    }
}

/// The tag of an answer that is not hashed, since it was sent before it was made to its end: it follows from
/// what the answer follows from.
pub(crate) fn tag_of(question: &Question) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let tag = etag(format!("{version} {question:?}").as_bytes());
    format!("{TAG_OF_QUESTION}{}", tag.trim_start_matches('"'))
}

/// What such a tag begins with.
const TAG_OF_QUESTION: &str = "\"from-";

/// An answer with its headers.
pub(crate) struct Answer {
    /// None if the client has it already.
    body: Option<Body>,
    /// None if it is not worth asking whether it changed, or not known.
    etag: Option<String>,
    cache_control: &'static str,
    is_csv: bool,
}

impl Answer {
    /// The answer of a bucket, to a client that may have it already. `tag` is that of a body that is on its
    /// way.
    pub(crate) fn new(
        bucket: &BucketConfig,
        body: Body,
        tag: Option<String>,
        form: Form,
        if_none_match: &str,
    ) -> Self {
        let etag = match &body {
            Body::Whole(whole) => Some(whole.etag().to_owned()),
            Body::OnItsWay(_) => tag,
        };
        let is_fresh = etag.as_ref().is_some_and(|etag| is_fresh(if_none_match, etag));
        let body = (!is_fresh).then_some(body);
        Self { body, etag, cache_control: cache_control(bucket), is_csv: form.is_csv }
    }

    /// The answer to a client that has it already, which is known without making it; none if it has not.
    pub(crate) fn known(
        bucket: &BucketConfig,
        question: &Question,
        form: Form,
        if_none_match: &str,
    ) -> Option<Self> {
        if !if_none_match.contains(TAG_OF_QUESTION) {
            return None;
        }
        let etag = Some(tag_of(question)).filter(|tag| is_fresh(if_none_match, tag))?;
        let cache_control = cache_control(bucket);
        Some(Self { body: None, etag: Some(etag), cache_control, is_csv: form.is_csv })
    }

    /// What would be done to answer a query. It tells of the store as it is now, so nobody keeps it.
    pub(crate) fn explained(explained: &RawValue, room: Reservation) -> Self {
        let bytes = format!(r#"{{"explain":{explained}}}"#).into_bytes();
        let body = Some(Body::Whole(Whole::made(bytes, room)));
        Self { body, etag: None, cache_control: "no-cache", is_csv: false }
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

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
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
        response.max_chunk_size(PIECE);
        match body {
            Body::Whole(body) => response.sized_body(body.len(), Cursor::new(body)),
            Body::OnItsWay(body) => {
                let request_id = RequestId::of(request).as_str().to_owned();
                response.streamed_body(StreamReader::new(Box::pin(body.into_pieces(request_id))))
            }
        };
        response.ok()
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
