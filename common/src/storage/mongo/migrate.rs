//! Migrations: what brings a database of an earlier version, or one of the original Backdrop's, up
//! to date.
//!
//! Each looks for documents that lack something and gives it to them, some at a time. So it can be
//! cut off and run again, and a database that is up to date has nothing left to find, also when
//! somebody restored old documents into it since.
//!
//! | number | what it does |
//! | --- | --- |
//! | 1 | keeps bearer tokens as hashes only |
//! | 2 | gives records their periods and `_updated_at` |
//! | 3 | makes the indexes |

use mongodb::bson::{Document, doc};
use mongodb::{Collection, Database};

use super::layout;
use super::registry::{self, PREPARED};
use crate::bucket::{Bucket, BucketName};
use crate::field::UPDATED_AT;
use crate::period::Period;
use crate::storage::collection::{self, BUCKETS};
use crate::storage::registry_document::{decode_bucket, encode_tokens};
use crate::storage::{Migration, MigrationMode, MigrationReport, StorageError};

/// How many there are.
pub(super) const MIGRATIONS: i32 = 3;
/// How many records are changed at once.
const BATCH: usize = 1000;

/// Runs all migrations, in their order.
pub(super) async fn run(
    database: &Database,
    mode: MigrationMode,
    report: MigrationReport<'_>,
) -> Result<(), StorageError> {
    let (buckets, _) = registry::buckets(database).await?;
    let migrating = Migrating { database, mode, report };
    migrating.hash_tokens().await?;
    migrating.complete_records(&buckets).await?;
    migrating.make_indexes(&buckets).await?;
    match mode {
        MigrationMode::DryRun => Ok(()),
        MigrationMode::Run => layout::set_version(database).await,
    }
}

struct Migrating<'a> {
    database: &'a Database,
    mode: MigrationMode,
    report: MigrationReport<'a>,
}

/// A migration under way.
struct Progress<'a> {
    report: MigrationReport<'a>,
    migration: Migration,
}

impl Progress<'_> {
    fn advance(&mut self, done: u64) {
        // Somebody may have written more of them meanwhile.
        self.migration.done += done;
        self.migration.total = self.migration.total.max(self.migration.done);
        (self.report)(self.migration);
    }
}

impl<'a> Migrating<'a> {
    /// Reports that a migration begins. None if there is nothing to do, or only that was asked.
    fn begin(&self, number: u32, name: &'static str, total: u64) -> Option<Progress<'a>> {
        if total == 0 {
            return None;
        }
        let migration = Migration { number, name, done: 0, total };
        (self.report)(migration);
        (self.mode == MigrationMode::Run).then_some(Progress { report: self.report, migration })
    }

    async fn hash_tokens(&self) -> Result<(), StorageError> {
        let buckets = self.database.collection::<Document>(BUCKETS);
        let in_clear = doc! { "bearer_token": { "$type": "string" } };
        let total = buckets.count_documents(in_clear.clone()).await?;
        let Some(mut progress) = self.begin(1, "keep bearer tokens as hashes only", total) else {
            return Ok(());
        };
        let mut found = buckets.find(in_clear).await?;
        while found.advance().await? {
            let stored = found.deserialize_current()?;
            let tokens = decode_bucket(&stored)?.tokens;
            // As it was read: somebody may set another token meanwhile.
            let id = doc! { "_id": stored.get("_id"), "bearer_token": stored.get("bearer_token") };
            let change = doc! { "$set": encode_tokens(&tokens), "$unset": { "bearer_token": "" } };
            buckets.update_one(id, change).await?;
            progress.advance(1);
        }
        Ok(())
    }

    async fn complete_records(&self, buckets: &[Bucket]) -> Result<(), StorageError> {
        let mut total = 0;
        for bucket in buckets {
            total += self.records(bucket.name()).count_documents(is_incomplete()).await?;
        }
        let Some(mut progress) = self.begin(2, "give records their periods and _updated_at", total) else {
            return Ok(());
        };
        for bucket in buckets {
            complete(&self.records(bucket.name()), &mut progress).await?;
        }
        Ok(())
    }

    async fn make_indexes(&self, buckets: &[Bucket]) -> Result<(), StorageError> {
        let mut lacking = Vec::new();
        for bucket in buckets {
            let name = collection::of_bucket(bucket.name());
            // A bucket that nothing was written to has no collection to index.
            if layout::is_written(self.database, bucket.name()).await?
                && layout::lacks_indexes(self.database, &name).await?
            {
                lacking.push(bucket);
            }
        }
        let Some(mut progress) = self.begin(3, "make the indexes", lacking.len() as u64) else {
            return Ok(());
        };
        layout::prepare_registry(self.database).await?;
        for bucket in lacking {
            let name = collection::of_bucket(bucket.name());
            layout::create_indexes(self.database, &name, layout::record_indexes()).await?;
            registry::change_bucket(self.database, bucket.name(), doc! { "$set": { PREPARED: true } })
                .await?;
            progress.advance(1);
        }
        Ok(())
    }

    fn records(&self, bucket: &BucketName) -> Collection<Document> {
        self.database.collection(&collection::of_bucket(bucket))
    }
}

/// The condition of a record that lacks what every record has now.
fn is_incomplete() -> Document {
    let lacks = |key: &str| doc! { key: { "$exists": false } };
    let lacks_a_period = Period::ALL.map(|period| lacks(period.start_key())).to_vec();
    let dated = doc! { "_timestamp": { "$type": "date" }, "$or": lacks_a_period };
    doc! { "$or": [lacks(UPDATED_AT), dated] }
}

/// Completes the records of one collection, in one pass over those that lack something.
async fn complete(records: &Collection<Document>, progress: &mut Progress<'_>) -> Result<(), StorageError> {
    let mut found = records.find(is_incomplete()).projection(doc! { "_id": 1 }).await?;
    let mut ids = Vec::with_capacity(BATCH);
    loop {
        let more = found.advance().await?;
        if more {
            ids.push(found.deserialize_current()?.get("_id").cloned());
        }
        if ids.len() == BATCH || (!more && !ids.is_empty()) {
            // Only those that still lack something: it may have been written again meanwhile.
            let lacking = doc! { "$and": [{ "_id": { "$in": &ids } }, is_incomplete()] };
            records.update_many(lacking, completion()).await?;
            progress.advance(ids.len() as u64);
            ids.clear();
        }
        if !more {
            return Ok(());
        }
    }
}

/// Gives a record what it lacks, and changes nothing that it has.
fn completion() -> Vec<Document> {
    let mut set = doc! { UPDATED_AT: { "$ifNull": [format!("${UPDATED_AT}"), "$$NOW"] } };
    let is_dated = doc! { "$eq": [{ "$type": "$_timestamp" }, "date"] };
    for period in Period::ALL {
        let start = super::pipeline::start_of(period);
        set.insert(period.start_key(), doc! { "$cond": [is_dated.clone(), start, "$$REMOVE"] });
    }
    vec![doc! { "$set": set }]
}
