//! What a storage engine must do, and the rows that it answers with.
//!
//! The comments on [`StorageEngine`] are the contract; `storage/conformance.rs` is the suite that
//! holds every engine to it.

#[cfg(test)]
mod conformance;
pub mod document;
mod error;
#[cfg(feature = "testing")]
pub mod failing;
mod sqlite;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::aggregate::Partial;
use crate::bucket::{Bucket, BucketAddress, BucketConfig, BucketName, TokenChange};
use crate::field::FieldName;
use crate::query::{CollectMethod, GroupQuery, RecordQuery};
use crate::record::checks::InvalidRecord;
use crate::record::{Record, RecordId};
use crate::timestamp::Timestamp;
use crate::token::TokenHash;
use crate::user::{GrantChange, User};
use crate::value::Value;

pub use document::{Document, Documents};
pub use error::{StorageError, StorageErrorKind};
pub use sqlite::SqliteEngine;

/// One group of an answer: flat, with partial aggregates.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The values of the query's keys, none of them null.
    pub keys: Box<[Value]>,
    /// The start of the period, if the query has a window.
    pub start: Option<Timestamp>,
    /// How many records.
    pub count: u64,
    /// A partial for each of [`GroupQuery::collected_fields`].
    pub collected: Box<[Partial]>,
}

/// A field that a query collects, by whichever methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectedField {
    /// The field.
    pub field: FieldName,
    /// Whether its distinct values are wanted.
    pub wants_set: bool,
}

impl GroupQuery {
    /// The fields that are collected, each once, in the order in which a [`Row`] has them.
    pub fn collected_fields(&self) -> Vec<CollectedField> {
        let mut fields: Vec<CollectedField> = Vec::new();
        for collect in &self.collect {
            let wants_set = collect.effective_method() == CollectMethod::Set;
            match fields.iter_mut().find(|known| known.field == collect.field) {
                Some(known) => known.wants_set |= wants_set,
                None => fields.push(CollectedField { field: collect.field.clone(), wants_set }),
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
}

/// A store for buckets, their records, and users.
///
/// Every method is atomic: what it does is done whole or not at all, also after a crash. What a
/// method changed is durable, and seen by every later call in any process, when it returns. Errors
/// are of kind [`Unavailable`](StorageErrorKind::Unavailable) when the same call may succeed later.
/// The methods about the records of a bucket answer [`NotFound`](StorageErrorKind::NotFound) if
/// there is no such bucket.
#[async_trait]
pub trait StorageEngine: Send + Sync {
    /// Whether the store can be reached.
    async fn ping(&self) -> Result<(), StorageError>;

    /// The bucket at an address.
    async fn bucket(&self, address: &BucketAddress) -> Result<Option<Bucket>, StorageError>;

    /// All buckets, in the order in which they were first saved.
    async fn buckets(&self) -> Result<Vec<Bucket>, StorageError>;

    /// Saves some buckets, new ones and ones that exist. Records stay as they are, except those
    /// that a cap drops when something is written next.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](StorageErrorKind::AlreadyExists), naming the bucket, if another one has its
    /// data group and type.
    async fn save_buckets(&self, buckets: Vec<BucketSave>) -> Result<(), StorageError>;

    /// Sets the token of a bucket and nothing else of it. Says whether it exists.
    async fn set_token(&self, bucket: &BucketName, token: TokenHash) -> Result<bool, StorageError>;

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
    ) -> Result<Stored, StorageError>;

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

    /// The records that a query asks for, sorted and limited. Sorting is stable in the order in
    /// which records were written, whichever way.
    async fn find(&self, bucket: &BucketName, query: &RecordQuery) -> Result<Documents, StorageError>;

    /// The groups that a query asks for, in any order and not limited: one row for each
    /// combination of keys and period that a record has. Records where a key is missing or null are
    /// in none, nor those outside the window.
    ///
    /// # Errors
    ///
    /// [`TooManyRows`](StorageErrorKind::TooManyRows) beyond [`GroupQuery::max_rows`].
    async fn aggregate(&self, bucket: &BucketName, query: &GroupQuery) -> Result<Vec<Row>, StorageError>;
}

/// Where buckets are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite://FILE`
    Sqlite(PathBuf),
}

/// A text is no database URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a database URL is sqlite://FILE")]
pub struct InvalidDatabaseUrl;

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self::Sqlite("data/backdrop.db".into())
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(url: &str) -> Result<Self, InvalidDatabaseUrl> {
        let file = url.strip_prefix("sqlite://").filter(|file| !file.is_empty());
        file.map(|file| Self::Sqlite(file.into())).ok_or(InvalidDatabaseUrl)
    }
}

/// Shows the URL without credentials.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite://{}", path.display()),
        }
    }
}

/// Opens the engine that a URL names.
///
/// # Errors
///
/// If the store cannot be reached or made, or was made by a newer version of this program.
pub fn open(url: &DatabaseUrl) -> Result<Arc<dyn StorageEngine>, StorageError> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(Arc::new(SqliteEngine::open(path)?)),
    }
}
