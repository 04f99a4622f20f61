//! Every error that an app answers with; the only type that has a status.

use std::io::Cursor;
use std::sync::Arc;

use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use rocket::{Catcher, catch, catchers};
use serde_json::{Value as Json, json};

use super::{RequestId, refused};
use crate::bucket::BucketName;
use crate::query::InvalidQuery;
use crate::record::checks::InvalidRecord;
use crate::record::sent::InvalidBody;
use crate::room::NoRoom;
use crate::storage::{StorageError, StorageErrorKind};

/// How long a client should wait before it tries again, in seconds.
const RETRY_AFTER: &str = "5";
/// The same where all that is wanting is room, which there is as soon as others are done.
const RETRY_AFTER_BUSY: &str = "1";

/// An error as a client sees it: 4xx say what was wrong, 5xx say nothing of what is inside.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each variant's message says what it is")]
pub enum ApiError {
    #[error("{0}")]
    Query(#[from] InvalidQuery),
    #[error("{0}")]
    Body(#[from] InvalidBody),
    #[error("{} faults of records", .0.len())]
    Records(Vec<InvalidRecord>),
    #[error("No record found with id {0}")]
    NoRecord(String),
    #[error("Expected a record (a JSON object)")]
    PatchOfNoRecord,
    #[error("Not implemented: you can only pass an empty JSON list")]
    PutOfRecords,
    #[error("Expected header: Content-type: application/json")]
    ContentType,
    #[error("Content-Encoding \"{0}\" is not supported; send gzip, or none")]
    ContentEncoding(String),
    #[error("The body could not be decompressed: it is not gzip, or damaged, or cut short")]
    CorruptGzip,
    #[error("The body could not be read to its end")]
    InterruptedBody,
    #[error("The body is larger than {max} bytes (decompressed); send fewer records at a time")]
    BodyTooLarge { max: usize },
    #[error("Expected header of form: Authorization: Bearer <token>")]
    MissingAuthorization,
    #[error(
        "This bucket does not allow raw queries, so explain needs its token: send the header Authorization: \
         Bearer <token>"
    )]
    ExplainWithoutToken,
    #[error("Unauthorized: Invalid bearer token for \"{0}\"")]
    Unauthorized(String),
    #[error("bucket not found")]
    BucketNotFound,
    #[error("The schema of this bucket cannot be used until it is changed, so no record can be checked: {0}")]
    UnusableSchema(String),
    #[error("No data is stored in bucket \"{0}\"")]
    NoData(BucketName),
    #[error("not found")]
    NotFound,
    #[error("the method is not allowed here; allowed: {allowed}")]
    MethodNotAllowed { allowed: String },
    #[error("the request is not one that this server understands")]
    BadRequest,
    #[error("the client went away")]
    ClientGone,
    #[error("the app is busy, please try again in a moment")]
    Busy,
    #[error("{0}")]
    Storage(#[from] StorageError),
    #[error("internal server error")]
    Internal,
    /// What several requests that asked the same are answered with.
    #[error("{0}")]
    Shared(Arc<Self>),
}

impl ApiError {
    /// The status that it is answered with.
    pub fn status(&self) -> Status {
        match self {
            Self::Query(_)
            | Self::Body(_)
            | Self::Records(_)
            | Self::NoRecord(_)
            | Self::PatchOfNoRecord
            | Self::PutOfRecords
            | Self::ContentType
            | Self::CorruptGzip
            | Self::InterruptedBody
            | Self::BadRequest => Status::BadRequest,
            Self::MissingAuthorization | Self::ExplainWithoutToken | Self::Unauthorized(_) => {
                Status::Unauthorized
            }
            Self::BucketNotFound | Self::NoData(_) | Self::NotFound => Status::NotFound,
            Self::MethodNotAllowed { .. } => Status::MethodNotAllowed,
            Self::BodyTooLarge { .. } => Status::PayloadTooLarge,
            Self::ContentEncoding(_) => Status::UnsupportedMediaType,
            // Nobody receives it, so it is for the log only, where others write it as well.
            Self::ClientGone => Status::new(499),
            Self::Shared(error) => error.status(),
            Self::Internal | Self::UnusableSchema(_) => Status::InternalServerError,
            Self::Busy => Status::ServiceUnavailable,
            Self::Storage(error) => match error.kind() {
                StorageErrorKind::TooManyRows => Status::BadRequest,
                StorageErrorKind::NotFound => Status::NotFound,
                StorageErrorKind::Unavailable | StorageErrorKind::Busy => Status::ServiceUnavailable,
                StorageErrorKind::AlreadyExists | StorageErrorKind::Changed | StorageErrorKind::Internal => {
                    Status::InternalServerError
                }
            },
        }
    }

    /// The error that is shared, if it is.
    fn itself(&self) -> &Self {
        if let Self::Shared(error) = self { error.itself() } else { self }
    }

    fn body(&self, request_id: &str) -> Json {
        let of_request = |message: String| json!({"status": "error", "message": message});
        match self {
            Self::Records(faults) => {
                let messages: Vec<_> = faults.iter().map(ToString::to_string).collect();
                json!({"messages": messages})
            }
            Self::NoRecord(_) => json!({"messages": [self.to_string()]}),
            Self::Storage(error) => match error.kind() {
                StorageErrorKind::TooManyRows => of_request(error.to_string()),
                // It was there when the request began.
                StorageErrorKind::NotFound => of_request(Self::BucketNotFound.to_string()),
                StorageErrorKind::Busy => of_request(Self::Busy.to_string()),
                StorageErrorKind::Unavailable => {
                    of_request("the store is unavailable, please try again later".to_owned())
                }
                StorageErrorKind::AlreadyExists | StorageErrorKind::Changed | StorageErrorKind::Internal => {
                    internal(request_id)
                }
            },
            Self::Internal => internal(request_id),
            other => of_request(other.to_string()),
        }
    }

    /// What is wrong, in a word for the log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Query(error) => error.into(),
            Self::Body(error) => error.into(),
            Self::Records(faults) => faults.first().map_or("records", Into::into),
            Self::Storage(error) => error.kind().into(),
            Self::Shared(error) => error.reason(),
            other => other.into(),
        }
    }

    /// Logs what the client is not told.
    fn log(&self, request_id: &str) {
        if let Self::ClientGone = self {
            tracing::info!(target: "backdrop::request", request_id, "{self}");
        }
        if let Self::Storage(error) = self {
            match error.kind() {
                StorageErrorKind::Unavailable => {
                    tracing::error!(target: "backdrop::error", request_id, %error, "the store is unavailable");
                }
                StorageErrorKind::AlreadyExists | StorageErrorKind::Changed | StorageErrorKind::Internal => {
                    tracing::error!(target: "backdrop::error", request_id, %error, "a request failed");
                }
                // Whoever has no room says so once, not for each request.
                StorageErrorKind::NotFound | StorageErrorKind::TooManyRows | StorageErrorKind::Busy => {}
            }
        }
    }
}

impl From<NoRoom> for ApiError {
    fn from(none: NoRoom) -> Self {
        match none {
            NoRoom::Now => Self::Busy,
            NoRoom::Ever { max } => Self::Query(InvalidQuery::TooMuchMemory { max }),
        }
    }
}

fn internal(request_id: &str) -> Json {
    json!({"status": "error", "message": "internal server error", "request_id": request_id})
}

impl<'r> Responder<'r, 'static> for ApiError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let request_id = RequestId::of(request).as_str();
        let error = self.itself();
        error.log(request_id);
        refused(request, error.reason());
        let body = error.body(request_id).to_string();
        let mut response = Response::build();
        response.status(error.status()).header(ContentType::JSON).sized_body(body.len(), Cursor::new(body));
        match error {
            Self::MissingAuthorization | Self::ExplainWithoutToken | Self::Unauthorized(_) => {
                response.header(Header::new("WWW-Authenticate", "bearer"));
            }
            Self::MethodNotAllowed { allowed } => {
                response.header(Header::new("Allow", allowed.clone()));
            }
            Self::Storage(error) if error.kind() == StorageErrorKind::Unavailable => {
                response.header(Header::new("Retry-After", RETRY_AFTER));
            }
            Self::Busy => {
                response.header(Header::new("Retry-After", RETRY_AFTER_BUSY));
            }
            Self::Storage(error) if error.kind() == StorageErrorKind::Busy => {
                response.header(Header::new("Retry-After", RETRY_AFTER_BUSY));
            }
            // Rocket could not read the request, so no fairing sees the answer.
            Self::BadRequest => {
                response.header(Header::new("Cache-Control", "no-cache"));
            }
            _ => {}
        }
        response.ok()
    }
}

/// What Rocket answers by itself, in our form.
pub fn catchers() -> Vec<Catcher> {
    catchers![not_found, internal_server_error, other]
}

#[catch(404)]
fn not_found() -> ApiError {
    ApiError::NotFound
}

#[catch(500)]
fn internal_server_error() -> ApiError {
    ApiError::Internal
}

#[catch(default)]
fn other(status: Status, _: &Request<'_>) -> (Status, ApiError) {
    // A request that Rocket cannot parse; nothing of ours answers with another status by itself.
    let status = if status.class().is_client_error() { status } else { Status::InternalServerError };
    let error = if status.class().is_client_error() { ApiError::BadRequest } else { ApiError::Internal };
    (status, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_a_word_of_its_own_kind() {
        let fault = InvalidRecord::Key("tok-secret".to_owned());
        for (error, reason) in [
            (ApiError::Unauthorized("tok-secret".to_owned()), "unauthorized"),
            (ApiError::Query(InvalidQuery::CollectMethod), "query_collect_method"),
            (ApiError::Query(InvalidQuery::RawQuery), "query_raw_query"),
            (ApiError::Body(InvalidBody::Empty), "body_empty"),
            (ApiError::Records(vec![fault]), "record_key"),
            (ApiError::BodyTooLarge { max: 5 }, "body_too_large"),
            (ApiError::Shared(Arc::new(ApiError::Busy)), "busy"),
            (ApiError::Storage(StorageError::new(StorageErrorKind::Unavailable, "")), "store_unavailable"),
        ] {
            assert_eq!(error.reason(), reason);
        }
    }

    #[test]
    fn nothing_from_inside_is_shown() {
        let cause = "/var/lib/backdrop.db: disk I/O error";
        for kind in
            [StorageErrorKind::Unavailable, StorageErrorKind::Internal, StorageErrorKind::AlreadyExists]
        {
            let error = ApiError::Storage(StorageError::new(kind, cause));
            assert!(error.status().class().is_server_error());
            assert!(!error.body("r1").to_string().contains("backdrop.db"), "{kind:?}");
        }
        let internal = ApiError::Internal.body("r1").to_string();
        assert_eq!(internal, r#"{"message":"internal server error","request_id":"r1","status":"error"}"#);
    }
}
