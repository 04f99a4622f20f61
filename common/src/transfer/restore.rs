//! Storing what a plan says: configurations and users first, then records, bucket by bucket, then the
//! audit log.

use tokio::sync::mpsc;

use super::dump::VerifiedFile;
use super::folder::FileReader;
use super::manifest::Contents;
use super::plan::{PlannedBucket, RestorePlan};
use super::reader::DumpFault;
use super::{Moved, Step, TransferError, Watcher, blocking};
use crate::audit::AuditLine;
use crate::bucket::{Bucket, TokenChange};
use crate::storage::collection::AUDIT;
use crate::storage::{BucketSave, StorageEngine, StoredRecord};
use crate::timestamp::Timestamp;

/// How large the transactions are that records are stored in: large enough for speed, small enough
/// that others who write need not wait for long.
const BATCH_BYTES: u64 = 1 << 20;
const BATCH_ITEMS: usize = 5_000;
/// How many batches wait to be stored.
const BATCHES_AHEAD: usize = 2;

/// Some of what is in a file.
struct Batch<T> {
    items: Vec<T>,
    bytes: u64,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { items: Vec::new(), bytes: 0 }
    }
}

/// Restores what was planned.
///
/// Configurations and users replace those in the store; a bucket that has no token in the dump has
/// none after. A record replaces the one with its id. Entries of the audit log are added, unless they
/// are there. What is not in the dump stays as it is, except for the records of its buckets if they
/// are to be dropped.
///
/// # Errors
///
/// The first thing that fails. What was stored until then stays; restoring again does the rest.
pub async fn restore(
    engine: &dyn StorageEngine,
    plan: &RestorePlan,
    watcher: &Watcher,
) -> Result<Moved, TransferError> {
    let configured = plan.buckets.iter().filter_map(|bucket| bucket.configured.as_ref());
    engine.save_buckets(configured.map(save).collect()).await?;
    engine.save_users(plan.users.clone()).await?;
    for bucket in &plan.buckets {
        if plan.drop {
            engine.delete_data(&bucket.name).await?;
        }
        if let Some(file) = &bucket.file {
            restore_records(engine, bucket, file, plan.now, watcher).await?;
        }
    }
    if let Some(file) = &plan.audit {
        restore_audit(engine, file, watcher).await?;
    }
    Ok(plan.total())
}

fn save(Bucket { config, tokens }: &Bucket) -> BucketSave {
    BucketSave::new(config.clone(), TokenChange::Replace(tokens.clone()))
}

/// Stores the records of a file, and checks that they are as many as were counted in it.
async fn restore_records(
    engine: &dyn StorageEngine,
    bucket: &PlannedBucket,
    file: &VerifiedFile,
    now: Timestamp,
    watcher: &Watcher,
) -> Result<(), TransferError> {
    watcher.begin(Step::Restore, &bucket.collection, Some(file.contents.bytes));
    let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
    let read = file.clone();
    let next = move |reader: &mut FileReader| reader.read_record(now);
    let reading = blocking(move || send_batches(&read, next, &sender));
    let (read, stored) = tokio::join!(reading, store_batches(engine, bucket, batches, watcher));
    // The store first: if it failed, nobody took what was read after that.
    let stored = stored?;
    read?.check(&file.contents, &file.file.path)?;
    let given = file.contents.documents;
    if stored != given {
        return Err(TransferError::Miscounted { bucket: bucket.name.to_string(), given, stored });
    }
    if given == 0 && !engine.is_written(&bucket.name).await? {
        // It was written to and is empty.
        engine.empty(&bucket.name).await?;
    }
    Ok(())
}

/// Stores batches as they come. Says how many records they had.
async fn store_batches(
    engine: &dyn StorageEngine,
    bucket: &PlannedBucket,
    mut batches: mpsc::Receiver<Batch<StoredRecord>>,
    watcher: &Watcher,
) -> Result<u64, TransferError> {
    let mut stored = 0;
    while let Some(batch) = batches.recv().await {
        let done = engine.restore(&bucket.name, batch.items).await?;
        stored += (done.new + done.replaced) as u64;
        watcher.advance(batch.bytes);
    }
    Ok(stored)
}

/// Stores the entries of a file.
async fn restore_audit(
    engine: &dyn StorageEngine,
    file: &VerifiedFile,
    watcher: &Watcher,
) -> Result<(), TransferError> {
    watcher.begin(Step::Restore, AUDIT, Some(file.contents.bytes));
    let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
    let read = file.clone();
    let reading = blocking(move || send_batches(&read, FileReader::read_audit, &sender));
    let storing = async move {
        while let Some(Batch { mut items, bytes }) = batches.recv().await {
            // Those whose places others have keep their order.
            items.sort_unstable_by_key(|line: &AuditLine| line.position);
            engine.restore_audit(items).await?;
            watcher.advance(bytes);
        }
        Ok::<_, TransferError>(())
    };
    let (read, stored) = tokio::join!(reading, storing);
    stored?;
    read?.check(&file.contents, &file.file.path)
}

/// Reads a file and sends what `next` finds in it until nobody takes it any more.
fn send_batches<T>(
    VerifiedFile { file, .. }: &VerifiedFile,
    next: impl Fn(&mut FileReader) -> Result<Option<T>, DumpFault>,
    sender: &mpsc::Sender<Batch<T>>,
) -> Result<Contents, TransferError> {
    let mut reader = file.open()?;
    let mut batch = Batch::default();
    let mut sent = 0;
    while let Some(item) = next(&mut reader).map_err(|fault| file.damaged(fault))? {
        batch.items.push(item);
        batch.bytes = reader.offset() - sent;
        if batch.bytes >= BATCH_BYTES || batch.items.len() == BATCH_ITEMS {
            sent = reader.offset();
            if sender.blocking_send(std::mem::take(&mut batch)).is_err() {
                return Ok(reader.contents());
            }
        }
    }
    if !batch.items.is_empty() {
        // Whoever took the batches has gone, and says why.
        let _ = sender.blocking_send(batch);
    }
    Ok(reader.contents())
}
