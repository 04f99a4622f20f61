//! What was done, and who did it, never with a token.
//!
//! Everything is a line of the log with the target `backdrop::audit`. What people do, and the rare things
//! that programs do to a whole bucket, are entries of the audit log in the store as well; the writes of
//! pipelines are too many for it.

use std::net::IpAddr;

use backdrop_common::audit::{AuditAction, AuditEntry};
use backdrop_common::bucket::BucketName;
use backdrop_common::http::{ApiError, ClientAddress, RequestId, log_refused};
use backdrop_common::record::RecordId;
use backdrop_common::storage::{StorageEngine, Stored};
use backdrop_common::timestamp::Timestamp;
use rocket::async_trait;
use rocket::request::{FromRequest, Outcome, Request};

use crate::WriteApp;

/// Who holds the token of a bucket.
const BUCKET_TOKEN: &str = "bucket token";
/// Who holds the management token.
pub(crate) const MANAGEMENT_TOKEN: &str = "management token";

/// From where a request comes, and how it is called.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// Behind a reverse proxy that is not trusted, that of the proxy.
    pub(crate) address: Option<IpAddr>,
    pub(crate) request_id: String,
}

impl Visit {
    pub(crate) fn of(request: &Request<'_>) -> Self {
        let address = ClientAddress::of(request).0;
        Self { address, request_id: RequestId::of(request).as_str().to_owned() }
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for Visit {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self::of(request))
    }
}

/// Lines of the log about what the holders of tokens do.
impl Visit {
    /// Records were stored.
    pub(crate) fn stored(&self, bucket: &BucketName, stored: Stored, span: Option<(Timestamp, Timestamp)>) {
        tracing::info!(
            target: "backdrop::audit",
            action = "store",
            %bucket,
            records = stored.new + stored.replaced,
            replaced = stored.replaced,
            from = span.map(|(from, _)| tracing::field::display(from)),
            to = span.map(|(_, to)| tracing::field::display(to)),
            by = BUCKET_TOKEN,
            address = self.address.map(tracing::field::display),
            request_id = self.request_id,
        );
    }

    /// One record was changed or deleted.
    pub(crate) fn record(&self, action: &'static str, bucket: &BucketName, id: &RecordId) {
        tracing::info!(
            target: "backdrop::audit",
            action,
            %bucket,
            records = 1,
            %id,
            by = BUCKET_TOKEN,
            address = self.address.map(tracing::field::display),
            request_id = self.request_id,
        );
    }

    /// Somebody does not hold the token that they need, or none.
    pub(crate) fn refused(&self, bucket: &BucketName, reason: &ApiError) {
        log_refused(bucket, reason, ClientAddress(self.address), &self.request_id);
    }

    /// All records of a bucket were deleted, as pipelines do that send everything each time.
    pub(crate) fn emptied(&self, bucket: &BucketName) {
        tracing::info!(
            target: "backdrop::audit",
            action = "empty",
            %bucket,
            by = BUCKET_TOKEN,
            address = self.address.map(tracing::field::display),
            request_id = self.request_id,
        );
    }
}

/// Records what somebody (`by` is their email address, or says what they hold) has done, if to a bucket, to
/// which, and in a few words what exactly. It is done already, so what keeps it from being recorded is for
/// the log only.
pub(crate) async fn record(
    app: &WriteApp,
    visit: &Visit,
    by: &str,
    action: AuditAction,
    bucket: Option<&BucketName>,
    detail: &str,
) {
    record_entry(&*app.engine, visit.entry((app.clock)(), by, action, bucket, detail)).await;
}

impl Visit {
    /// What is recorded of something that was done in this request.
    pub(crate) fn entry(
        &self,
        at: Timestamp,
        by: &str,
        action: AuditAction,
        bucket: Option<&BucketName>,
        detail: &str,
    ) -> AuditEntry {
        AuditEntry {
            at,
            by: by.to_owned(),
            action,
            bucket: bucket.cloned(),
            detail: detail.to_owned(),
            address: self.address,
            request_id: Some(self.request_id.clone()),
        }
    }
}

/// Records an entry, as [`record`] does.
pub(crate) async fn record_entry(engine: &dyn StorageEngine, entry: AuditEntry) {
    let AuditEntry { at: _, by, action, bucket, detail, address, request_id } = &entry;
    let request_id = request_id.clone();
    tracing::info!(
        target: "backdrop::audit",
        action = action.name(),
        bucket = bucket.as_ref().map(tracing::field::display),
        by,
        detail,
        address = address.map(tracing::field::display),
        request_id,
    );
    if let Err(error) = engine.record_audit(entry).await {
        tracing::error!(target: "backdrop::error", request_id, %error, "the audit log lacks an entry");
    }
}
