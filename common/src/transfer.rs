//! Moving everything between stores: an export is a folder in the layout of `mongodump`, and such a
//! folder, ours or of the original Backdrop, is restored into any store.
//!
//! ```text
//! FOLDER/manifest.json                       what was exported, with checksums; written last
//! FOLDER/<database>/<collection>.bson        documents, one after the other
//! FOLDER/<database>/<collection>.metadata.json
//! ```
//!
//! Each of the latter may end in `.gz`. The collection `buckets` has the configurations, `users` the
//! users, `_audit` the audit log, every other one the records of a bucket. Everything is streamed: a few pages of records
//! are in memory at a time, never a file. Nothing is printed here; who wants to watch gives a
//! [`Progress`].

mod dump;
mod error;
mod export;
mod folder;
mod manifest;
mod plan;
pub mod reader;
mod restore;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

pub use error::TransferError;
pub use export::{ExportOptions, Exported, LargeRecord, export};
pub use folder::{DatabaseName, InvalidDatabaseName};
pub use plan::{PlannedBucket, RestoreOptions, RestorePlan, plan};
pub use restore::restore;

/// How much was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many buckets, with or without records.
    pub buckets: u64,
    /// How many records, of all of them.
    pub records: u64,
    /// How many users.
    pub users: u64,
    /// How many entries of the audit log.
    pub audit_entries: u64,
}

/// What is done with a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Its records are written to a file.
    Export,
    /// Its file is read and checked.
    Verify,
    /// The records of its file are stored.
    Restore,
}

/// Is told how far things are.
pub trait Progress: Send + Sync {
    /// A collection is begun, of so many bytes if that is known.
    fn begin(&self, step: Step, collection: &str, bytes: Option<u64>);

    /// So many bytes more are done.
    fn advance(&self, bytes: u64);
}

/// Nobody watches.
impl Progress for () {
    fn begin(&self, _: Step, _: &str, _: Option<u64>) {}

    fn advance(&self, _: u64) {}
}

/// Who watches, shared with the threads that read and write files.
pub type Watcher = Arc<dyn Progress>;

/// Which collections are moved; all of them by default.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// If there are any, these only.
    pub only: Vec<String>,
    /// Never these.
    pub exclude: Vec<String>,
}

impl Selection {
    fn includes(&self, collection: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|name| name == collection);
        (self.only.is_empty() || named(&self.only)) && !named(&self.exclude)
    }

    /// Refuses to choose what there is not: a misspelt name would move too little. Leaving out what
    /// there is not is fine, so that one list does for several databases.
    fn check<'a>(&self, known: impl Iterator<Item = &'a str> + Clone) -> Result<(), TransferError> {
        let mut unknown = self.only.iter().filter(|name| known.clone().all(|known| known != name.as_str()));
        match unknown.next() {
            Some(name) => Err(TransferError::NoSuchCollection {
                name: name.clone(),
                known: known.map(str::to_owned).collect(),
            }),
            None => Ok(()),
        }
    }
}

/// Runs blocking work on a thread for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TransferError> + Send + 'static,
) -> Result<T, TransferError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(TransferError::Panic(panic)))
}
