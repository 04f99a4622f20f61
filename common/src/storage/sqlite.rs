//! The embedded engine: one SQLite file in WAL mode that both apps open at the same time.
//!
//! SQLite keeps and guards the records; what is asked of them is worked out here, over the stored
//! bytes. Everything blocking runs on tokio's threads for that.
//!
//! ```text
//! sqlite.rs ── registry   buckets and users      ← tokens
//!          ├── records    storing, changing, deleting
//!          ├── audit      the audit log
//!          └── scan       finding, aggregating  ← statement (query → SQL)
//!                 └── connections, layout, error
//! ```

mod audit;
mod connections;
mod error;
mod layout;
mod records;
mod registry;
mod scan;
mod statement;
mod tokens;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use self::connections::Connections;
use super::{
    BucketSave, Changed, Documents, MigrationMode, MigrationReport, RecordChange, Row, StorageEngine,
    StorageError, StorageErrorKind, Stored, StoredRecord,
};
use crate::audit::{AuditEntry, AuditFilter, AuditLine};
use crate::bucket::{Bucket, BucketAddress, BucketConfig, BucketName, TokenChange};
use crate::query::{GroupQuery, Query, RecordQuery};
use crate::record::RecordId;
use crate::timestamp::Timestamp;
use crate::user::{GrantChange, User};

/// The embedded engine. Cloning it is cheap; clones share their connections.
#[derive(Clone)]
pub struct SqliteEngine {
    connections: Arc<Connections>,
    /// Lets writers in one at a time and in their order. SQLite's own lock is for other processes.
    writing: Arc<Semaphore>,
    /// Lets in as many readers as there is use for; more would only take memory from each other.
    reading: Arc<Semaphore>,
}

/// How long a call waits for its turn before it is answered that the store is unavailable.
const PATIENCE: Duration = Duration::from_secs(10);
/// Readers at once, for each processor: they wait for the disk at times.
const READERS_PER_PROCESSOR: usize = 4;

impl SqliteEngine {
    /// Opens a database file, making it and the folder that it is in where they do not exist.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or made, is of another program, or was made by a newer version.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self {
            connections: Arc::new(Connections::open(path)?),
            writing: Arc::new(Semaphore::new(1)),
            reading: Arc::new(Semaphore::new(processors * READERS_PER_PROCESSOR)),
        })
    }

    /// Reads in turn, for as long as somebody waits for it.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let connections = Arc::clone(&self.connections);
        let waiting = Waiting::default();
        let unwanted = Arc::clone(&waiting.unwanted);
        in_turn(&self.reading, move || connections.read(unwanted, work)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let connections = Arc::clone(&self.connections);
        in_turn(&self.writing, move || connections.write(work)).await
    }
}

/// Somebody who waits for an answer. The answer is unwanted as soon as this is dropped.
#[derive(Default)]
struct Waiting {
    unwanted: Arc<AtomicBool>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }
}

/// Runs blocking work when its turn comes.
async fn in_turn<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let waited = timeout(PATIENCE, Arc::clone(turns).acquire_owned()).await;
    let Ok(Ok(turn)) = waited else {
        let message = format!("others were not done within {} s", PATIENCE.as_secs());
        return Err(StorageError::new(StorageErrorKind::Unavailable, message));
    };
    let work = move || {
        // The turn lasts as long as the work, also if nobody waits for it any more.
        let _turn = turn;
        work()
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(StorageError::new(StorageErrorKind::Internal, panic)))
}

#[async_trait]
impl StorageEngine for SqliteEngine {
    async fn ping(&self) -> Result<(), StorageError> {
        self.read(layout::check).await.map(drop)
    }

    async fn bucket(&self, address: &BucketAddress) -> Result<Option<Bucket>, StorageError> {
        let address = address.clone();
        self.read(move |connection| registry::bucket(connection, &address)).await
    }

    async fn buckets(&self) -> Result<Vec<Bucket>, StorageError> {
        self.read(registry::buckets).await
    }

    async fn save_buckets(&self, buckets: Vec<BucketSave>) -> Result<(), StorageError> {
        self.write(move |transaction| registry::save_buckets(transaction, &buckets)).await
    }

    async fn change_tokens(&self, bucket: &BucketName, change: TokenChange) -> Result<bool, StorageError> {
        let bucket = bucket.clone();
        self.write(move |transaction| tokens::change(transaction, &bucket, &change)).await
    }

    async fn delete_bucket(&self, bucket: &BucketName) -> Result<bool, StorageError> {
        let bucket = bucket.clone();
        self.write(move |transaction| registry::delete_bucket(transaction, &bucket)).await
    }

    async fn users(&self) -> Result<Vec<User>, StorageError> {
        self.read(registry::users).await
    }

    async fn save_users(&self, users: Vec<User>) -> Result<(), StorageError> {
        self.write(move |transaction| registry::save_users(transaction, &users)).await
    }

    async fn change_grants(&self, email: &str, change: GrantChange) -> Result<User, StorageError> {
        let email = email.to_owned();
        self.write(move |transaction| registry::change_grants(transaction, &email, &change)).await
    }

    async fn change_record(
        &self,
        bucket: &BucketName,
        id: &RecordId,
        change: RecordChange,
        now: Timestamp,
    ) -> Result<Changed, StorageError> {
        let (bucket, id) = (bucket.clone(), id.clone());
        self.write(move |transaction| records::change(transaction, &bucket, &id, &*change, now)).await
    }

    async fn delete_record(&self, bucket: &BucketName, id: &RecordId) -> Result<bool, StorageError> {
        let (bucket, id) = (bucket.clone(), id.clone());
        self.write(move |transaction| records::delete(transaction, &bucket, &id)).await
    }

    async fn empty(&self, bucket: &BucketName) -> Result<(), StorageError> {
        let bucket = bucket.clone();
        self.write(move |transaction| records::empty(transaction, &bucket)).await
    }

    async fn delete_data(&self, bucket: &BucketName) -> Result<bool, StorageError> {
        let bucket = bucket.clone();
        self.write(move |transaction| records::delete_data(transaction, &bucket)).await
    }

    async fn newest_timestamps(&self) -> Result<Vec<(BucketConfig, Timestamp)>, StorageError> {
        self.read(records::newest_timestamps).await
    }

    async fn count(&self, bucket: &BucketName) -> Result<u64, StorageError> {
        let bucket = bucket.clone();
        self.read(move |connection| records::count(connection, &bucket)).await
    }

    async fn find(&self, bucket: &BucketName, query: &RecordQuery) -> Result<Documents, StorageError> {
        let (bucket, query) = (bucket.clone(), query.clone());
        self.read(move |connection| scan::find(connection, &bucket, &query)).await
    }

    async fn aggregate(&self, bucket: &BucketName, query: &GroupQuery) -> Result<Vec<Row>, StorageError> {
        let (bucket, query) = (bucket.clone(), query.clone());
        self.read(move |connection| scan::aggregate(connection, &bucket, &query)).await
    }

    async fn explain(&self, bucket: &BucketName, query: &Query) -> Result<Box<RawValue>, StorageError> {
        let (bucket, query) = (bucket.clone(), query.clone());
        let explained = self.read(move |connection| scan::explain(connection, &bucket, &query)).await?;
        to_raw_value(&explained).map_err(|error| StorageError::new(StorageErrorKind::Internal, error))
    }

    async fn is_written(&self, bucket: &BucketName) -> Result<bool, StorageError> {
        let bucket = bucket.clone();
        self.read(move |connection| records::is_written(connection, &bucket)).await
    }

    async fn export(&self, bucket: &BucketName, pages: mpsc::Sender<Documents>) -> Result<(), StorageError> {
        let bucket = bucket.clone();
        // One snapshot for all of it. The log cannot be folded back into the file meanwhile, so it
        // grows if much is written while a large bucket is exported; it shrinks after.
        self.read(move |connection| scan::export(connection, &bucket, &pages)).await
    }

    async fn restore(&self, bucket: &BucketName, records: Vec<StoredRecord>) -> Result<Stored, StorageError> {
        let bucket = bucket.clone();
        self.write(move |transaction| records::store(transaction, &bucket, &records)).await
    }

    async fn record_audit(&self, entry: AuditEntry) -> Result<(), StorageError> {
        self.write(move |transaction| audit::record(transaction, &entry)).await
    }

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditLine>, StorageError> {
        let filter = filter.clone();
        self.read(move |connection| audit::find(connection, &filter)).await
    }

    async fn restore_audit(&self, lines: Vec<AuditLine>) -> Result<(), StorageError> {
        self.write(move |transaction| audit::restore(transaction, &lines)).await
    }

    async fn migrate(&self, _: MigrationMode, _: MigrationReport<'_>) -> Result<(), StorageError> {
        // Opening the file did all there is to do, which takes no time.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::conformance;

    fn engine(folder: &tempfile::TempDir) -> SqliteEngine {
        SqliteEngine::open(&folder.path().join("data/backdrop.db")).expect("a database")
    }

    #[tokio::test]
    async fn conforms() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        conformance::suite(&engine).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_turn_does_not_come_is_unavailable() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        let _turn = engine.writing.acquire().await.expect("a turn");
        let refused = engine.save_users(Vec::new()).await.expect_err("no turn");
        assert_eq!(refused.kind(), StorageErrorKind::Unavailable);
        engine.ping().await.expect("readers do not wait for writers");
    }

    #[tokio::test]
    async fn a_query_that_nobody_waits_for_ends() {
        const ENDLESS: &str =
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number) SELECT n FROM number";
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        let turns = u32::try_from(engine.reading.available_permits()).expect("a few");
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let query = engine.read(move |connection| {
            begun.send(()).expect("somebody waits for it");
            let mut endless = connection.prepare(ENDLESS)?;
            let mut rows = endless.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        });
        tokio::select! {
            _ = query => panic!("it has no end"),
            begun = has_begun => begun.expect("it began"),
        }
        let all = timeout(Duration::from_secs(30), engine.reading.acquire_many(turns)).await;
        drop(all.expect("its turn ends").expect("turns"));
        engine.ping().await.expect("the next one is answered");
        assert!(engine.buckets().await.expect("the one after it as well").is_empty());
    }

    #[tokio::test]
    async fn two_engines_on_one_file_see_each_others_writes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (writer, reader) = (engine(&folder), engine(&folder));
        conformance::writes_are_seen_by_another(&writer, &reader).await;
    }
}
