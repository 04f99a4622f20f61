//! What a storage engine must do, and the rows that it answers with.
//!
//! The comments on [`StorageEngine`] are the contract; `storage/conformance.rs` is the suite that
//! holds every engine to it.

pub(crate) mod audit_document;
pub(crate) mod collection;
#[cfg(test)]
mod conformance;
pub mod document;
mod error;
#[cfg(feature = "testing")]
pub mod failing;
mod made_id;
mod mongo;
mod new_records;
mod pages;
pub(crate) mod registry_document;
mod sequence;
mod sqlite;
mod unreadable;
pub mod url;
mod view;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::aggregate::Partial;
use crate::audit::{AuditEntry, AuditFilter, AuditLine};
use crate::bucket::{Bucket, BucketAddress, BucketConfig, BucketName, TokenChange};
use crate::field::FieldName;
use crate::query::{CollectMethod, GroupQuery, Query, RecordQuery};
use crate::record::checks::InvalidRecord;
use crate::record::{Record, RecordId};
use crate::room::{Reservation, Room};
use crate::timestamp::Timestamp;
use crate::user::{GrantChange, User};
use crate::value::Value;

pub use document::{Document, Documents, Names, NamesSeen};
pub use error::{StorageError, StorageErrorKind};
pub use mongo::MongoEngine;
pub use new_records::NewRecords;
pub use pages::{PAGE_BYTES, PAGES, RecordPages, WantedNames};
pub use sqlite::SqliteEngine;
pub use unreadable::UnreadableBucket;
pub use url::{DatabaseUrl, StorageOptions};

/// One group of an answer: flat, with partial aggregates.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The values of the query's keys, none of them null.
    pub keys: Box<[Value]>,
    /// The start of the period, if the query has a window.
    pub start: Option<Timestamp>,
    /// How many records.
    pub count: u64,
    /// A partial for each of [`GroupQuery::collected_fields`], in which at least what is wanted of
    /// it is known.
    pub collected: Box<[Partial]>,
}

impl Row {
    /// How many bytes it takes, about.
    pub fn memory(&self) -> usize {
        let heap = |value: &Value| if let Value::Text(text) = value { text.len() } else { 0 };
        let set = |partial: &Partial| {
            let values = partial.set.iter().flatten();
            values.map(|value| 2 * size_of::<Value>() + heap(value)).sum::<usize>()
        };
        size_of::<Self>()
            + size_of_val(&*self.keys)
            + size_of_val(&*self.collected)
            + self.keys.iter().map(heap).sum::<usize>()
            + self.collected.iter().map(set).sum::<usize>()
    }

    /// Adds a row of the same group, whose keys may be spelled in another way.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        for (shown, key) in self.keys.iter_mut().zip(&other.keys) {
            shown.prefer_spelling(key.as_ref());
        }
        for (partial, other) in self.collected.iter_mut().zip(&other.collected) {
            partial.merge(other);
        }
    }
}

/// A state of a bucket's records. While it is the same, so is every answer; a state that was left does not
/// come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision([i64; 4]);

/// A field that a query collects, by whichever methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectedField {
    /// The field.
    pub field: FieldName,
    /// Whether the number of its values is wanted.
    pub wants_count: bool,
    /// Whether their sum is, alone or for a mean.
    pub wants_sum: bool,
    /// Whether the distinct ones are.
    pub wants_set: bool,
}

impl GroupQuery {
    /// The fields that are collected, each once, in the order in which a [`Row`] has them.
    pub fn collected_fields(&self) -> Vec<CollectedField> {
        let mut fields: Vec<CollectedField> = Vec::new();
        for collect in &self.collect {
            let place = fields.iter().position(|known| known.field == collect.field).unwrap_or_else(|| {
                fields.push(CollectedField {
                    field: collect.field.clone(),
                    wants_count: false,
                    wants_sum: false,
                    wants_set: false,
                });
                fields.len() - 1
            });
            match collect.effective_method() {
                CollectMethod::Count => fields[place].wants_count = true,
                CollectMethod::Sum | CollectMethod::Mean => fields[place].wants_sum = true,
                CollectMethod::Set => fields[place].wants_set = true,
            }
        }
        fields
    }
}

/// What storing some records did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// How many are new.
    pub new: usize,
    /// How many took the place of one with the same id, in the bucket or earlier in the request.
    pub replaced: usize,
}

/// A record with the time at which it was last written, as one store tells another.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecord {
    /// The record, with its id.
    pub record: Record,
    /// Its `_updated_at`.
    pub updated_at: Timestamp,
}

/// One step of bringing a database up to date, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its number; migrations run in their order.
    pub number: u32,
    /// What it does.
    pub name: &'static str,
    /// How many documents are done.
    pub done: u64,
    /// How many there are to do, all in all.
    pub total: u64,
}

/// Whether a migration is done or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationMode {
    /// Says what there is to do and does nothing.
    DryRun,
    /// Does it.
    Run,
}

/// What is told of migrations while they run.
pub type MigrationReport<'a> = &'a (dyn Fn(Migration) + Send + Sync);

/// A change of one record, which an engine may run more than once: it must depend on the record
/// only.
pub type RecordChange = Arc<dyn Fn(&Record) -> Result<Record, Vec<InvalidRecord>> + Send + Sync>;

/// What became of a [`RecordChange`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is stored.
    Stored,
    /// There is no such record.
    NotFound,
    /// The changed record was refused; nothing is stored.
    Refused(Vec<InvalidRecord>),
}

/// A bucket to save.
#[derive(Clone, Debug)]
pub struct BucketSave {
    /// Its configuration, which replaces the one there is.
    pub config: BucketConfig,
    /// What happens to its token.
    pub token: TokenChange,
    /// What there must be for it to be saved.
    pub expected: Expected,
}

/// What there must be of a bucket for it to be saved, so that nobody undoes what somebody else has just done.
#[derive(Clone, Debug)]
pub enum Expected {
    /// Whatever there is, it is saved.
    Anything,
    /// There must be none of that name.
    Nothing,
    /// There must be one with this configuration.
    This(Box<BucketConfig>),
}

impl BucketSave {
    /// A bucket to save, whatever there is.
    pub fn new(config: BucketConfig, token: TokenChange) -> Self {
        Self { config, token, expected: Expected::Anything }
    }

    /// The same, if there is what is expected.
    #[must_use]
    pub fn expecting(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    /// Checks what there is. It may be what this very call has left behind, where an engine tries again
    /// what only seemed to fail.
    ///
    /// # Errors
    ///
    /// [`Changed`](StorageErrorKind::Changed), naming the bucket.
    pub(crate) fn check(&self, known: Option<&Bucket>) -> Result<(), StorageError> {
        let is_saved = || {
            known.is_some_and(|known| {
                let mut tokens = known.tokens.clone();
                tokens.change(&self.token);
                known.config == self.config && known.tokens == tokens
            })
        };
        let name = &self.config.name;
        let message = match (&self.expected, known) {
            (Expected::Anything, _) | (Expected::Nothing, None) => return Ok(()),
            (Expected::This(expected), Some(known)) if known.config == **expected => return Ok(()),
            _ if is_saved() => return Ok(()),
            (Expected::Nothing, Some(_)) => format!("there is a bucket \"{name}\" already"),
            (Expected::This(_), Some(_)) => format!("bucket \"{name}\" was changed in the meantime"),
            (Expected::This(_), None) => format!("bucket \"{name}\" was deleted in the meantime"),
        };
        Err(StorageError::new(StorageErrorKind::Changed, message))
    }
}

/// A store for buckets, their records, and users.
///
/// Every method is atomic: what it does is done whole or not at all, also after a crash. What a
/// method changed is durable, and seen by every later call in any process, when it returns. Errors
/// are of kind [`Unavailable`](StorageErrorKind::Unavailable) when the same call may succeed later, and
/// [`Busy`](StorageErrorKind::Busy) when it may in a moment; nothing of it is done then.
/// The methods about the records of a bucket answer [`NotFound`](StorageErrorKind::NotFound) if
/// there is no such bucket.
#[async_trait]
pub trait StorageEngine: Send + Sync {
    /// Whether the store can be reached.
    async fn ping(&self) -> Result<(), StorageError>;

    /// The bucket at an address.
    async fn bucket(&self, address: &BucketAddress) -> Result<Option<Bucket>, StorageError>;

    /// The bucket at an address, and the state of its records; none of the latter where to find it out would
    /// take as long as a query.
    async fn bucket_with_revision(
        &self,
        address: &BucketAddress,
    ) -> Result<Option<(Bucket, Option<Revision>)>, StorageError> {
        Ok(self.bucket(address).await?.map(|bucket| (bucket, None)))
    }

    /// All buckets, in the order in which they were first saved, but for those that
    /// [`StorageEngine::unreadable_buckets`] has.
    async fn buckets(&self) -> Result<Vec<Bucket>, StorageError>;

    /// The buckets whose stored configurations are damaged, or are none of this version's.
    async fn unreadable_buckets(&self) -> Result<Vec<UnreadableBucket>, StorageError> {
        Ok(Vec::new())
    }

    /// Saves some buckets, new ones and ones that exist. Records stay as they are, except those
    /// that a cap drops when something is written next.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](StorageErrorKind::AlreadyExists), naming the bucket, if another one has its
    /// data group and type; [`Changed`](StorageErrorKind::Changed) if there is not what is [`Expected`].
    async fn save_buckets(&self, buckets: Vec<BucketSave>) -> Result<(), StorageError>;

    /// Changes the tokens of a bucket, as [`BucketTokens::change`] says, and nothing else of it. No
    /// other change of them comes between. Says whether the bucket exists.
    ///
    /// [`BucketTokens::change`]: crate::bucket::BucketTokens::change
    async fn change_tokens(&self, bucket: &BucketName, change: TokenChange) -> Result<bool, StorageError>;

    /// Deletes a bucket with its records and the grants of it. Says whether it existed.
    async fn delete_bucket(&self, bucket: &BucketName) -> Result<bool, StorageError>;

    /// All users, by email.
    async fn users(&self) -> Result<Vec<User>, StorageError>;

    /// Saves some users; each replaces the one with its email.
    ///
    /// # Errors
    ///
    /// [`NotFound`](StorageErrorKind::NotFound) if a bucket that one is granted does not exist.
    async fn save_users(&self, users: Vec<User>) -> Result<(), StorageError>;

    /// Changes what a user is granted, and answers the user as changed. No other change of the user
    /// comes between reading and writing. Who is granted a bucket is made if new.
    ///
    /// # Errors
    ///
    /// [`NotFound`](StorageErrorKind::NotFound) if a bucket that is granted does not exist, or nobody
    /// has the email of whom one is taken.
    async fn change_grants(&self, email: &str, change: GrantChange) -> Result<User, StorageError>;

    /// Stores records, in order. One whose id exists replaces that record whole, also if it came
    /// earlier in the same call; one without an id gets a text one that no other has and that sorts
    /// by time. `now` becomes their `_updated_at`. Afterwards a realtime bucket with a cap drops
    /// those written first until the rest fit it; the one written last always stays.
    async fn store(
        &self,
        bucket: &BucketName,
        records: Vec<Record>,
        now: Timestamp,
    ) -> Result<Stored, StorageError> {
        let stored = |record| StoredRecord { record, updated_at: now };
        self.restore(bucket, records.into_iter().map(stored).collect()).await
    }

    /// Stores records as [`StorageEngine::store`] does, which whoever checked them has encoded already.
    async fn store_new(&self, bucket: &BucketName, records: NewRecords) -> Result<Stored, StorageError> {
        // A large request takes a while.
        let stored = tokio::task::spawn_blocking(move || records.to_stored()).await;
        let stored = stored.map_err(|panic| StorageError::new(StorageErrorKind::Internal, panic))?;
        self.restore(bucket, stored?).await
    }

    /// Changes one record. No other change of it comes between reading and writing. The record keeps
    /// its id, counts as written now, and `now` becomes its `_updated_at`.
    async fn change_record(
        &self,
        bucket: &BucketName,
        id: &RecordId,
        change: RecordChange,
        now: Timestamp,
    ) -> Result<Changed, StorageError>;

    /// Deletes one record. Says whether it existed.
    async fn delete_record(&self, bucket: &BucketName, id: &RecordId) -> Result<bool, StorageError>;

    /// Deletes all records. Afterwards the bucket has been written to, though it is empty.
    async fn empty(&self, bucket: &BucketName) -> Result<(), StorageError>;

    /// Deletes all records, as if the bucket had never been written to. Says whether it had been.
    async fn delete_data(&self, bucket: &BucketName) -> Result<bool, StorageError>;

    /// The newest `_timestamp` of each bucket that has one, by bucket in the order of
    /// [`StorageEngine::buckets`].
    async fn newest_timestamps(&self) -> Result<Vec<(BucketConfig, Timestamp)>, StorageError>;

    /// How many records a bucket has; none if it was never written to. Where others write meanwhile,
    /// as many as there were at some moment of it.
    async fn count(&self, bucket: &BucketName) -> Result<u64, StorageError>;

    /// The records that a query asks for, sorted and limited, page by page. Sorting is stable in the order
    /// in which records were written, whichever way. Where others write meanwhile, each record that is
    /// there all the while comes once; an engine that has snapshots gives those of one.
    ///
    /// What is found on the first page, or goes wrong before it, is known at once. While nobody takes a
    /// page there are at most [`PAGES`], and finding ends after a while. `room` is for what the engine
    /// has to hold besides.
    ///
    /// # Errors
    ///
    /// [`Busy`](StorageErrorKind::Busy) if there are as many answers of several pages as there may be at
    /// once; [`TooManyRows`](StorageErrorKind::TooManyRows) if names are wanted and are too many.
    async fn find_pages(
        &self,
        bucket: &BucketName,
        query: &RecordQuery,
        names: WantedNames,
        room: Reservation,
    ) -> Result<RecordPages, StorageError>;

    /// The same, all of them at once: for queries whose limit is small.
    async fn find(&self, bucket: &BucketName, query: &RecordQuery) -> Result<Documents, StorageError> {
        let room = Room::endless().reserve();
        self.find_pages(bucket, query, WantedNames::None, room).await?.collect().await
    }

    /// The groups that a query asks for, in any order: one row for each combination of keys and
    /// period that a record has. Records where a key is missing or null are in none, nor those
    /// outside the window. An engine may leave out rows that the query's limit cuts off.
    ///
    /// # Errors
    ///
    /// [`TooManyRows`](StorageErrorKind::TooManyRows) beyond [`GroupQuery::max_rows`], which counts
    /// what the engine has to hold: not the rows that it never had to.
    async fn aggregate(&self, bucket: &BucketName, query: &GroupQuery) -> Result<Vec<Row>, StorageError>;

    /// What would be done to answer a query, as JSON in the engine's own terms, for people who look for the
    /// reason why one is slow. Nothing of it is promised to stay.
    async fn explain(&self, bucket: &BucketName, query: &Query) -> Result<Box<RawValue>, StorageError>;

    /// Whether the bucket has been written to; see [`StorageEngine::delete_data`].
    async fn is_written(&self, bucket: &BucketName) -> Result<bool, StorageError>;

    /// Sends all records of a bucket, in the order in which they were written, some at a time, until
    /// nobody receives them any more. Each record that is there all the while is sent once.
    async fn export(&self, bucket: &BucketName, pages: mpsc::Sender<Documents>) -> Result<(), StorageError>;

    /// Stores records as [`StorageEngine::store`] does, but leaves their times of writing as they
    /// are.
    async fn restore(&self, bucket: &BucketName, records: Vec<StoredRecord>) -> Result<Stored, StorageError>;

    /// Adds an entry to the audit log, after all that are there.
    async fn record_audit(&self, entry: AuditEntry) -> Result<(), StorageError>;

    /// The entries of the audit log that a filter lets through, the newest first. What has an action
    /// that only a newer version knows is left out, and does not count towards the limit.
    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditLine>, StorageError>;

    /// Adds entries of another store's audit log, at their positions. One that is there already is
    /// not added again; one whose place another entry has comes to the next that is free.
    async fn restore_audit(&self, lines: Vec<AuditLine>) -> Result<(), StorageError>;

    /// Brings a database of an earlier version up to date. What was done once is not done again; a
    /// run that was cut off is finished by the next. Reports each migration that has something to
    /// do, at its start, while it runs, and at its end.
    async fn migrate(&self, mode: MigrationMode, report: MigrationReport<'_>) -> Result<(), StorageError>;
}

/// Opens the engine that a URL names.
///
/// # Errors
///
/// If the store cannot be reached or made, or was made by a newer version of this program.
pub async fn open(
    url: &DatabaseUrl,
    options: &StorageOptions,
) -> Result<Arc<dyn StorageEngine>, StorageError> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(Arc::new(SqliteEngine::open_with(path, options)?)),
        DatabaseUrl::Mongo(url) => Ok(Arc::new(MongoEngine::open(url, options).await?)),
    }
}
