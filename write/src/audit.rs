//! The audit log: a line for each write that was done, with the target `backdrop::audit`. It says
//! which bucket, how many records, what span of time and who, and never shows a token.

use std::net::IpAddr;

use backdrop_common::bucket::BucketName;
use backdrop_common::http::RequestId;
use backdrop_common::record::RecordId;
use backdrop_common::storage::Stored;
use backdrop_common::timestamp::Timestamp;

/// Who wrote: the holder of which token, from which address, in which request.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'r> {
    pub(crate) request_id: &'r RequestId,
    pub(crate) address: Option<IpAddr>,
}

impl Writer<'_> {
    fn address(&self) -> String {
        self.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string())
    }

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
            by = "bucket token",
            address = self.address(),
            request_id = self.request_id.as_str(),
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
            by = "bucket token",
            address = self.address(),
            request_id = self.request_id.as_str(),
        );
    }

    /// All records of a bucket were deleted.
    pub(crate) fn bucket(&self, action: &'static str, bucket: &BucketName, by: &'static str) {
        tracing::info!(
            target: "backdrop::audit",
            action,
            %bucket,
            by,
            address = self.address(),
            request_id = self.request_id.as_str(),
        );
    }
}
