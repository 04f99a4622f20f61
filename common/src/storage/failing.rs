//! An engine that fails as it is told to, or never answers, for tests of what an app then does.

use async_trait::async_trait;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};

use super::{
    BucketSave, Changed, CheckWatcher, Checked, Documents, MigrationMode, MigrationReport, RecordChange,
    RecordPages, Row, SessionsEnd, StorageEngine, StorageError, StorageErrorKind, Stored, StoredRecord,
    UnreadableBucket, WantedNames, pages,
};
use crate::audit::{AuditEntry, AuditFilter, AuditLine};
use crate::bucket::{Bucket, BucketAddress, BucketConfig, BucketName, TokenChange};
use crate::query::{GroupQuery, Query, RecordQuery};
use crate::record::{Record, RecordId};
use crate::room::Reservation;
use crate::storage::document::encode;
use crate::timestamp::Timestamp;
use crate::user::{GrantChange, User};

/// Fails every call with an error of one kind, except that it may know a bucket.
pub struct FailingEngine {
    /// The kind of every error.
    pub kind: StorageErrorKind,
    /// The bucket at every address; without one, looking for it fails like the rest.
    pub bucket: Option<Bucket>,
    /// With this, a query for records does not fail but goes on until nobody waits for it.
    pub endless: Option<UnderWay>,
    /// So many pages of records are answered before a query for records fails.
    pub pages: usize,
}

/// How many queries are under way.
pub type UnderWay = watch::Sender<usize>;

/// One query that is under way until it is dropped.
struct Entry<'a>(&'a UnderWay);

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// What must not reach a client.
pub const CAUSE: &str = "cannot write /var/lib/backdrop.db";

impl FailingEngine {
    fn fail<T>(&self) -> Result<T, StorageError> {
        Err(StorageError::new(self.kind, CAUSE))
    }
}

#[async_trait]
impl StorageEngine for FailingEngine {
    async fn ping(&self) -> Result<(), StorageError> {
        self.fail()
    }

    async fn bucket(&self, _: &BucketAddress) -> Result<Option<Bucket>, StorageError> {
        if self.bucket.is_some() { Ok(self.bucket.clone()) } else { self.fail() }
    }

    async fn buckets(&self) -> Result<Vec<Bucket>, StorageError> {
        self.fail()
    }

    async fn unreadable_buckets(&self) -> Result<Vec<UnreadableBucket>, StorageError> {
        self.fail()
    }

    async fn save_buckets(&self, _: Vec<BucketSave>) -> Result<(), StorageError> {
        self.fail()
    }

    async fn change_tokens(&self, _: &BucketName, _: TokenChange) -> Result<bool, StorageError> {
        self.fail()
    }

    async fn delete_bucket(&self, _: &BucketName) -> Result<bool, StorageError> {
        self.fail()
    }

    async fn users(&self) -> Result<Vec<User>, StorageError> {
        self.fail()
    }

    async fn save_users(&self, _: Vec<User>) -> Result<(), StorageError> {
        self.fail()
    }

    async fn change_grants(&self, _: &str, _: GrantChange) -> Result<User, StorageError> {
        self.fail()
    }

    async fn store(&self, _: &BucketName, _: Vec<Record>, _: Timestamp) -> Result<Stored, StorageError> {
        self.fail()
    }

    async fn change_record(
        &self,
        _: &BucketName,
        _: &RecordId,
        _: RecordChange,
        _: Timestamp,
    ) -> Result<Changed, StorageError> {
        self.fail()
    }

    async fn delete_record(&self, _: &BucketName, _: &RecordId) -> Result<bool, StorageError> {
        self.fail()
    }

    async fn empty(&self, _: &BucketName) -> Result<(), StorageError> {
        self.fail()
    }

    async fn delete_data(&self, _: &BucketName) -> Result<bool, StorageError> {
        self.fail()
    }

    async fn newest_timestamps(&self) -> Result<Vec<(BucketConfig, Timestamp)>, StorageError> {
        self.fail()
    }

    async fn time_span(&self, _: &BucketName) -> Result<Option<(Timestamp, Timestamp)>, StorageError> {
        self.fail()
    }

    async fn count(&self, _: &BucketName) -> Result<u64, StorageError> {
        self.fail()
    }

    async fn find_pages(
        &self,
        _: &BucketName,
        _: &RecordQuery,
        _: WantedNames,
        _: Reservation,
    ) -> Result<RecordPages, StorageError> {
        if let Some(under_way) = &self.endless {
            under_way.send_modify(|count| *count += 1);
            let _entry = Entry(under_way);
            return std::future::pending().await;
        }
        let (mut sender, expected) = pages::pages(pages::PATIENCE);
        let (pages, failed) = (self.pages, self.fail());
        tokio::spawn(async move {
            let record = Record { id: None, timestamp: None, fields: Vec::new() };
            for _ in 0..pages {
                while !sender.is_full() {
                    sender.push(&encode("r1", &record, Timestamp::MIN));
                }
                if sender.send_page().await.is_err() {
                    return;
                }
            }
            sender.end(failed).await;
        });
        expected.begun(()).await
    }

    async fn aggregate(&self, _: &BucketName, _: &GroupQuery) -> Result<Vec<Row>, StorageError> {
        self.fail()
    }

    async fn explain(&self, _: &BucketName, _: &Query) -> Result<Box<RawValue>, StorageError> {
        self.fail()
    }

    async fn is_written(&self, _: &BucketName) -> Result<bool, StorageError> {
        self.fail()
    }

    async fn export(&self, _: &BucketName, _: mpsc::Sender<Documents>) -> Result<(), StorageError> {
        self.fail()
    }

    async fn restore(&self, _: &BucketName, _: Vec<StoredRecord>) -> Result<Stored, StorageError> {
        self.fail()
    }

    async fn record_audit(&self, _: AuditEntry) -> Result<(), StorageError> {
        self.fail()
    }

    async fn audit(&self, _: &AuditFilter) -> Result<Vec<AuditLine>, StorageError> {
        self.fail()
    }

    async fn restore_audit(&self, _: Vec<AuditLine>) -> Result<(), StorageError> {
        self.fail()
    }

    async fn end_sessions(&self, _: SessionsEnd, _: Timestamp) -> Result<(), StorageError> {
        self.fail()
    }

    async fn sessions_ended(&self, _: &str, _: &str) -> Result<Option<Timestamp>, StorageError> {
        self.fail()
    }

    async fn check(&self, _: CheckWatcher) -> Result<Vec<Checked>, StorageError> {
        self.fail()
    }

    async fn migrate(&self, _: MigrationMode, _: MigrationReport<'_>) -> Result<(), StorageError> {
        self.fail()
    }
}
