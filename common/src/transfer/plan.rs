//! What a restore will do, found out before anything is stored: every file that counts is read to
//! its end and checked.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::dump::{Dump, VerifiedFile};
use super::folder::DatabaseName;
use super::{Moved, Selection, TransferError, Watcher};
use crate::bucket::{Bucket, BucketName};
use crate::storage::StorageEngine;
use crate::storage::collection::{self, AUDIT, USERS};
use crate::timestamp::Timestamp;
use crate::user::User;

/// What is restored, and how.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// Which database of the dump.
    pub database: DatabaseName,
    /// Whether buckets are emptied before their records are stored.
    pub drop: bool,
    /// Which collections are restored.
    pub selection: Selection,
}

/// A bucket that will be restored.
#[derive(Debug)]
pub struct PlannedBucket {
    pub(super) name: BucketName,
    pub(super) collection: String,
    /// As the dump has it; if it does not, the store has the bucket.
    pub(super) configured: Option<Bucket>,
    /// None if the dump has no file of it: it was never written to.
    pub(super) file: Option<VerifiedFile>,
    is_new: bool,
}

impl PlannedBucket {
    fn new(name: BucketName, configured: Option<Bucket>, is_new: bool) -> Self {
        Self { collection: collection::of_bucket(&name), name, configured, file: None, is_new }
    }

    /// Its name.
    pub fn name(&self) -> &BucketName {
        &self.name
    }

    /// Whether the store does not have it yet.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// How many records the dump has of it.
    pub fn records(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.contents.documents)
    }
}

/// What a restore will do.
#[derive(Debug)]
pub struct RestorePlan {
    pub(super) buckets: Vec<PlannedBucket>,
    pub(super) users: Vec<User>,
    /// None if the dump has no audit log.
    pub(super) audit: Option<VerifiedFile>,
    pub(super) drop: bool,
    /// The time of writing of records that have none.
    pub(super) now: Timestamp,
    left_out: Vec<(String, BucketName)>,
}

impl RestorePlan {
    /// The buckets.
    pub fn buckets(&self) -> &[PlannedBucket] {
        &self.buckets
    }

    /// Grants in the dump, by the user's address, of buckets that there will not be.
    pub fn left_out_grants(&self) -> &[(String, BucketName)] {
        &self.left_out
    }

    /// How much there is to restore.
    pub fn total(&self) -> Moved {
        Moved {
            buckets: self.buckets.len() as u64,
            records: self.buckets.iter().map(PlannedBucket::records).sum(),
            users: self.users.len() as u64,
            audit_entries: self.audit.as_ref().map_or(0, |file| file.contents.documents),
        }
    }
}

/// Finds out what restoring a dump into a store means. Nothing is stored.
///
/// # Errors
///
/// If anything in the dump is damaged, missing or cannot be stored.
pub async fn plan(
    engine: &dyn StorageEngine,
    folder: &Path,
    options: &RestoreOptions,
    now: Timestamp,
    watcher: &Watcher,
) -> Result<RestorePlan, TransferError> {
    let dump = Dump::open(folder, &options.database)?;
    let known: BTreeSet<BucketName> =
        engine.buckets().await?.into_iter().map(|bucket| bucket.config.name).collect();
    let mut buckets = chosen_buckets(&dump, &known, &options.selection)?;
    for configured in buckets.iter().filter_map(|bucket| bucket.configured.as_ref()) {
        dump.check_schema(configured)?;
    }
    let mut users = if options.selection.includes(USERS) { dump.users()? } else { Vec::new() };
    let planned: HashSet<&BucketName> = buckets.iter().map(|bucket| &bucket.name).collect();
    let exists = |name: &BucketName| known.contains(name) || planned.contains(name);
    let left_out = take_unknown_grants(&mut users, exists);
    for bucket in &mut buckets {
        bucket.file = dump.verify(&bucket.collection, now, watcher).await?;
    }
    let audit = if options.selection.includes(AUDIT) { dump.verify_audit(watcher).await? } else { None };
    Ok(RestorePlan { buckets, users, audit, drop: options.drop, now, left_out })
}

/// The buckets that are chosen: those that the dump configures, in its order, then those with
/// records in it that the store knows.
fn chosen_buckets(
    dump: &Dump,
    known: &BTreeSet<BucketName>,
    selection: &Selection,
) -> Result<Vec<PlannedBucket>, TransferError> {
    let mut buckets: Vec<PlannedBucket> = Vec::new();
    for bucket in dump.buckets()? {
        let name = bucket.config.name.clone();
        let is_new = !known.contains(&name);
        buckets.push(PlannedBucket::new(name, Some(bucket), is_new));
    }
    let configured: HashSet<BucketName> = buckets.iter().map(|bucket| bucket.name.clone()).collect();
    for name in known {
        let bucket = PlannedBucket::new(name.clone(), None, false);
        if dump.has_records(&bucket.collection) && !configured.contains(name) {
            buckets.push(bucket);
        }
    }
    let collections = buckets.iter().map(|bucket| bucket.collection.as_str());
    selection.check(collections.clone().chain(dump.collections()).chain([USERS, AUDIT]))?;
    let planned: HashSet<&str> = collections.collect();
    let orphans = dump
        .collections()
        .filter(|collection| selection.includes(collection) && !planned.contains(collection));
    let orphans: Vec<String> = orphans.map(str::to_owned).collect();
    if !orphans.is_empty() {
        return Err(TransferError::NoBuckets(orphans));
    }
    buckets.retain(|bucket| selection.includes(&bucket.collection));
    Ok(buckets)
}

/// Takes the grants of buckets that do not exist: the original Backdrop kept them when a bucket was
/// deleted, and no store takes them.
fn take_unknown_grants(
    users: &mut [User],
    exists: impl Fn(&BucketName) -> bool,
) -> Vec<(String, BucketName)> {
    let mut left_out = Vec::new();
    for User { email, buckets } in users {
        let (kept, unknown) = buckets.drain(..).partition(|bucket| exists(bucket));
        *buckets = kept;
        let unknown: Vec<BucketName> = unknown;
        left_out.extend(unknown.into_iter().map(|bucket| (email.clone(), bucket)));
    }
    left_out
}
