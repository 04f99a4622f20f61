//! The engine for a MongoDB database: replica sets, sharded clusters and single servers.
//!
//! Documents are as the original Backdrop stored them, one collection for a bucket, so that its
//! databases are read as they are. What is asked becomes aggregation pipelines.
//!
//! ```text
//! mongo.rs ── registry   buckets and users
//!         ├── records    storing, changing, deleting     ← transaction (units of work)
//!         ├── audit      the audit log
//!         ├── layout     collections, indexes, version   ← migrate
//!         ├── pipeline   query → stages                  ← selection (filters → $match)
//!         ├── rows       groups → rows
//!         └── database, error
//! ```

mod audit;
mod database;
mod error;
mod extended_json;
mod layout;
mod migrate;
mod pipeline;
mod records;
mod registry;
mod rows;
mod selection;
#[cfg(test)]
pub(super) mod tests;
mod transaction;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use mongodb::bson::doc;
use rocket::futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc;
use tracing::warn;

use self::database::Connection;
use self::error::Failure;
use self::records::{Batch, Change, Delete, Store, Target};
use self::registry::{ChangeGrants, ChangeTokens, DeleteBucket, SaveBuckets, SaveUsers};
use self::rows::RowReader;
use self::transaction::{Atomicity, Existed, Unit, perform};
use super::sequence::Sequence;
use super::url::{MongoUrl, StorageOptions};
use super::{
    BucketSave, Changed, Documents, MigrationMode, MigrationReport, RecordChange, RecordPages, Row,
    StorageEngine, StorageError, StorageErrorKind, Stored, StoredRecord, UnreadableBucket, WantedNames,
    collection,
};
use crate::audit::{AuditEntry, AuditFilter, AuditLine, AuditPosition};
use crate::bucket::{Bucket, BucketAddress, BucketConfig, BucketName, TokenChange};
use crate::query::{GroupQuery, InvalidQuery, Query, RecordQuery};
use crate::record::RecordId;
use crate::room::Reservation;
use crate::timestamp::Timestamp;
use crate::user::{GrantChange, User};

/// How many buckets are asked for their newest record at once.
const ASKED_AT_ONCE: usize = 8;
/// How long to wait before what failed for a reason that passes is tried again; then twice as long
/// each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How often it is tried again …
const TRIES_AGAIN: usize = 4;
/// … unless it took longer than that: the driver tried again itself then, and waited for a server.
const PATIENCE: Duration = Duration::from_secs(5);
/// About how many bytes of records an export sends at once.
const PAGE_BYTES: usize = 1 << 20;

/// The engine for a MongoDB database.
pub struct MongoEngine {
    connection: Connection,
    sequence: Sequence,
}

impl MongoEngine {
    /// Connects to a database.
    ///
    /// # Errors
    ///
    /// If no server can be reached, or the database was made by a newer version.
    pub async fn open(url: &MongoUrl, options: &StorageOptions) -> Result<Self, StorageError> {
        Self::with(Connection::open(url, options).await?).await
    }

    async fn with(connection: Connection) -> Result<Self, StorageError> {
        layout::check_version(&connection.database).await?;
        Ok(Self { connection, sequence: Sequence::default() })
    }

    /// Does a unit of work, having done first what it turns out to need.
    async fn write<U: Unit>(&self, bucket: &BucketName, unit: &U) -> Result<U::Done, StorageError> {
        let database = &self.connection.database;
        let mut atomicity = self.connection.atomicity;
        // Somebody may delete the bucket's data as often as its collection is prepared.
        for _ in 0..5 {
            match perform(database, atomicity, unit).await {
                Err(Failure::Unprepared) => self.again(|| layout::prepare(database, bucket)).await?,
                Err(failure) if atomicity == Atomicity::Transactions && failure.is_not_for_transactions() => {
                    atomicity = Atomicity::Commands;
                }
                done => return Ok(done?),
            }
        }
        Err(Failure::Unprepared.into())
    }

    /// Drops what a cap has no room for. The write that came before is done either way.
    async fn keep_cap(&self, bucket: &BucketName, target: &Target) {
        if let Err(error) = self.again(|| target.drop_oldest(&self.connection.database)).await {
            warn!(%error, %bucket, "the cap is not kept until the next write");
        }
    }

    async fn write_registry<U: Unit>(&self, unit: &U) -> Result<U::Done, StorageError> {
        Ok(perform(&self.connection.database, self.connection.atomicity, unit).await?)
    }

    /// Does what can be done again, until it is done or fails for a reason that does not pass.
    async fn again<T, F>(&self, work: impl Fn() -> F) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, StorageError>>,
    {
        let pauses =
            ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_max_times(TRIES_AGAIN).with_jitter();
        let begun = Instant::now();
        let is_worth_it = |error: &StorageError| error::may_pass_at_once(error) && begun.elapsed() < PATIENCE;
        work.retry(pauses).when(is_worth_it).await
    }

    /// An empty answer may be one of a bucket that there is not.
    async fn require(&self, bucket: &BucketName, is_empty: bool) -> Result<(), StorageError> {
        if is_empty { layout::require(&self.connection.database, bucket).await } else { Ok(()) }
    }
}

#[async_trait]
impl StorageEngine for MongoEngine {
    async fn ping(&self) -> Result<(), StorageError> {
        layout::check_version(&self.connection.database).await
    }

    async fn bucket(&self, address: &BucketAddress) -> Result<Option<Bucket>, StorageError> {
        self.again(|| registry::bucket(&self.connection.database, address)).await
    }

    async fn buckets(&self) -> Result<Vec<Bucket>, StorageError> {
        self.again(|| registry::buckets(&self.connection.database)).await
    }

    async fn unreadable_buckets(&self) -> Result<Vec<UnreadableBucket>, StorageError> {
        self.again(|| registry::unreadable(&self.connection.database)).await
    }

    async fn save_buckets(&self, buckets: Vec<BucketSave>) -> Result<(), StorageError> {
        self.again(|| layout::prepare_registry(&self.connection.database)).await?;
        let seq = self.sequence.take(buckets.len());
        self.write_registry(&SaveBuckets { buckets: &buckets, seq }).await
    }

    async fn change_tokens(&self, bucket: &BucketName, change: TokenChange) -> Result<bool, StorageError> {
        self.write_registry(&ChangeTokens { bucket, change: &change }).await
    }

    async fn delete_bucket(&self, bucket: &BucketName) -> Result<bool, StorageError> {
        let database = &self.connection.database;
        let address = BucketAddress::Name(bucket.clone());
        // A collection of that name may be somebody else's.
        if self.bucket(&address).await?.is_none() {
            return Ok(false);
        }
        // The records first: what is left of a call that is cut off can be deleted by the next.
        self.again(|| layout::drop_collection(database, bucket)).await?;
        let existed = self.write_registry(&DeleteBucket { bucket, existed: Existed::default() }).await?;
        // Somebody may have stored into it in between.
        self.again(|| layout::drop_collection(database, bucket)).await?;
        Ok(existed)
    }

    async fn users(&self) -> Result<Vec<User>, StorageError> {
        self.again(|| registry::users(&self.connection.database)).await
    }

    async fn save_users(&self, users: Vec<User>) -> Result<(), StorageError> {
        self.write_registry(&SaveUsers(&users)).await
    }

    async fn change_grants(&self, email: &str, change: GrantChange) -> Result<User, StorageError> {
        self.write_registry(&ChangeGrants { email, change: &change }).await
    }

    async fn change_record(
        &self,
        bucket: &BucketName,
        id: &RecordId,
        change: RecordChange,
        now: Timestamp,
    ) -> Result<Changed, StorageError> {
        let seq = self.sequence.take(1);
        let (changed, target) = self.write(bucket, &Change { bucket, id, apply: &change, now, seq }).await?;
        self.keep_cap(bucket, &target).await;
        Ok(changed)
    }

    async fn delete_record(&self, bucket: &BucketName, id: &RecordId) -> Result<bool, StorageError> {
        self.write(bucket, &Delete { bucket, id, existed: Existed::default() }).await
    }

    async fn empty(&self, bucket: &BucketName) -> Result<(), StorageError> {
        self.again(|| layout::empty(&self.connection.database, bucket)).await
    }

    async fn delete_data(&self, bucket: &BucketName) -> Result<bool, StorageError> {
        let database = &self.connection.database;
        let existed = self.again(|| layout::is_written(database, bucket)).await?;
        self.again(|| layout::delete_data(database, bucket)).await?;
        Ok(existed)
    }

    async fn newest_timestamps(&self) -> Result<Vec<(BucketConfig, Timestamp)>, StorageError> {
        let newest = |bucket: Bucket| async move {
            let newest = self.newest_timestamp(bucket.name()).await?;
            Ok::<_, StorageError>(newest.map(|newest| (bucket.config, newest)))
        };
        let asked = stream::iter(self.buckets().await?).map(newest).buffered(ASKED_AT_ONCE);
        asked.try_filter_map(|newest| async { Ok(newest) }).try_collect().await
    }

    async fn count(&self, bucket: &BucketName) -> Result<u64, StorageError> {
        self.again(|| layout::count(&self.connection.database, bucket)).await
    }

    async fn find_pages(
        &self,
        bucket: &BucketName,
        query: &RecordQuery,
        names: WantedNames,
        _: Reservation,
    ) -> Result<RecordPages, StorageError> {
        let (name, pipeline) = (collection::of_bucket(bucket), pipeline::records(query));
        let found = self.again(|| self.connection.pages(&name, pipeline.clone(), names)).await?;
        self.require(bucket, found.is_empty()).await?;
        Ok(found)
    }

    async fn aggregate(&self, bucket: &BucketName, query: &GroupQuery) -> Result<Vec<Row>, StorageError> {
        let (name, pipeline) = (collection::of_bucket(bucket), pipeline::groups(query));
        let rows: Vec<Row> = self
            .again(|| {
                let reader = RowReader::new(query.clone());
                self.connection.read(&name, pipeline.clone(), move |rows: &mut Vec<Row>, group| {
                    rows.push(reader.read(group)?);
                    Ok(())
                })
            })
            .await
            .map_err(|error| if error::is_too_large(&error) { too_many_rows(query) } else { error })?;
        self.require(bucket, rows.is_empty()).await?;
        if rows.len() > query.max_rows {
            return Err(too_many_rows(query));
        }
        Ok(rows)
    }

    async fn explain(&self, bucket: &BucketName, query: &Query) -> Result<Box<RawValue>, StorageError> {
        layout::require(&self.connection.database, bucket).await?;
        explain(bucket, query).map_err(|error| StorageError::new(StorageErrorKind::Internal, error))
    }

    async fn is_written(&self, bucket: &BucketName) -> Result<bool, StorageError> {
        layout::is_written(&self.connection.database, bucket).await
    }

    async fn export(&self, bucket: &BucketName, pages: mpsc::Sender<Documents>) -> Result<(), StorageError> {
        layout::require(&self.connection.database, bucket).await?;
        self.connection.export(&collection::of_bucket(bucket), &pages, PAGE_BYTES).await
    }

    async fn restore(&self, bucket: &BucketName, records: Vec<StoredRecord>) -> Result<Stored, StorageError> {
        let batch = Batch::new(&records, self.sequence.take(records.len()));
        let (stored, target) = self.write(bucket, &Store { bucket, batch: &batch }).await?;
        self.keep_cap(bucket, &target).await;
        Ok(stored)
    }

    async fn record_audit(&self, entry: AuditEntry) -> Result<(), StorageError> {
        let database = &self.connection.database;
        self.again(|| audit::prepare(database)).await?;
        let last = self.again(|| audit::last(database)).await?;
        self.put_audit(AuditLine { position: AuditPosition::after(last, entry.at), entry }).await
    }

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditLine>, StorageError> {
        self.again(|| audit::find(&self.connection.database, filter)).await
    }

    async fn restore_audit(&self, lines: Vec<AuditLine>) -> Result<(), StorageError> {
        let database = &self.connection.database;
        self.again(|| audit::prepare(database)).await?;
        for place in self.again(|| audit::put_all(database, &lines)).await? {
            self.put_audit(lines[place].clone()).await?;
        }
        Ok(())
    }

    async fn migrate(&self, mode: MigrationMode, report: MigrationReport<'_>) -> Result<(), StorageError> {
        migrate::run(&self.connection.database, mode, report).await
    }
}

impl MongoEngine {
    /// Puts an entry at its position, or at the next one that is free.
    async fn put_audit(&self, mut line: AuditLine) -> Result<(), StorageError> {
        while !self.again(|| audit::put(&self.connection.database, &line)).await? {
            line.position = line.position.next();
        }
        Ok(())
    }

    async fn newest_timestamp(&self, bucket: &BucketName) -> Result<Option<Timestamp>, StorageError> {
        let pipeline = vec![
            doc! { "$match": { "_timestamp": { "$type": "date" } } },
            doc! { "$sort": { "_timestamp": -1 } },
            doc! { "$limit": 1 },
            doc! { "$project": { "_id": 0, "_timestamp": 1 } },
        ];
        let newest = |newest: &mut Option<Timestamp>, document: &mongodb::bson::raw::RawDocument| {
            *newest = document
                .get_datetime("_timestamp")
                .ok()
                .and_then(|time| Timestamp::from_millis(time.timestamp_millis()));
            Ok(())
        };
        let name = collection::of_bucket(bucket);
        self.again(|| self.connection.read(&name, pipeline.clone(), newest)).await
    }
}

fn too_many_rows(query: &GroupQuery) -> StorageError {
    let error = InvalidQuery::TooManyRows { max: query.max_rows };
    StorageError::new(StorageErrorKind::TooManyRows, error)
}

/// What is explained: the pipeline that answers a query.
#[derive(Serialize)]
struct Explanation {
    engine: &'static str,
    collection: String,
    pipeline: Box<RawValue>,
}

fn explain(bucket: &BucketName, query: &Query) -> serde_json::Result<Box<RawValue>> {
    let pipeline = match query {
        Query::Records(query) => pipeline::records(query),
        Query::Groups(query) => pipeline::groups(query),
    };
    to_raw_value(&Explanation {
        engine: "mongodb",
        collection: collection::of_bucket(bucket),
        pipeline: extended_json::to_text(&pipeline)?,
    })
}
