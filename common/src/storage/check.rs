//! What a check of a store looks at, and what it finds.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Documents, StorageEngine, StorageError, StorageErrorKind};
use crate::audit::AuditFilter;
use crate::bucket::BucketName;

/// A part of a store that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it is: `bucket "foo"`, `the users`, ….
    pub part: String,
    /// How many records, entries or the like were read of it.
    pub read: u64,
    /// What is wrong with it; nothing if it is right.
    pub faults: Vec<String>,
}

/// How far a check is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckStep {
    /// A part is begun, of about so many bytes where that is known.
    Begin(String, Option<u64>),
    /// So many more bytes of it were read.
    Advance(u64),
}

/// Who is told how far a check is.
pub type CheckWatcher = Arc<dyn Fn(CheckStep) + Send + Sync>;

/// The name of a bucket as a part.
pub(super) fn bucket_part(bucket: &BucketName) -> String {
    format!("bucket \"{bucket}\"")
}

/// Checks what a server keeps, which has checksums of its own: whether all of it can be read and understood,
/// and whether it is as much as the server says.
pub(super) async fn by_reading(
    engine: &dyn StorageEngine,
    watcher: &CheckWatcher,
) -> Result<Vec<Checked>, StorageError> {
    let buckets = engine.buckets().await?;
    let mut checked = vec![part("the buckets", Ok(buckets.len()))?];
    checked.push(part("the users", engine.users().await.map(|users| users.len()))?);
    let filter = AuditFilter { limit: usize::MAX, ..AuditFilter::default() };
    checked.push(part("the audit log", engine.audit(&filter).await.map(|lines| lines.len()))?);
    for bucket in &buckets {
        watcher(CheckStep::Begin(bucket_part(bucket.name()), None));
        checked.push(by_reading_bucket(engine, bucket.name(), watcher).await?);
    }
    Ok(checked)
}

/// A part of which so many were read, or what was wrong with one of them.
pub(super) fn part(part: &str, read: Result<usize, StorageError>) -> Result<Checked, StorageError> {
    let (read, faults) = match read {
        Ok(read) => (u64::try_from(read).unwrap_or(u64::MAX), Vec::new()),
        Err(error) if error.kind() == StorageErrorKind::Internal => (0, vec![error.cause().to_string()]),
        Err(error) => return Err(error),
    };
    Ok(Checked { part: part.to_owned(), read, faults })
}

async fn by_reading_bucket(
    engine: &dyn StorageEngine,
    bucket: &BucketName,
    watcher: &CheckWatcher,
) -> Result<Checked, StorageError> {
    let (sender, mut pages) = mpsc::channel::<Documents>(4);
    let read = async {
        let (mut read, mut damaged) = (0_u64, 0_u64);
        while let Some(page) = pages.recv().await {
            watcher(CheckStep::Advance(u64::try_from(page.bytes()).unwrap_or(0)));
            for document in page.iter() {
                read += 1;
                damaged += u64::from(document.and_then(super::Document::to_record).is_err());
            }
        }
        (read, damaged)
    };
    let (sent, (read, damaged)) = tokio::join!(engine.export(bucket, sender), read);
    let mut checked = part(&bucket_part(bucket), sent.map(|()| 0))?;
    checked.read = read;
    if damaged > 0 {
        checked.faults.push(format!("{damaged} of its records cannot be read"));
    }
    let count = engine.count(bucket).await?;
    if count != read && checked.faults.is_empty() {
        let fault =
            format!("{read} records were read, and the store counts {count} (others may write meanwhile)");
        checked.faults.push(fault);
    }
    Ok(checked)
}
