//! What can go wrong with an export or a restore, for the command line.

use std::io;
use std::path::{Path, PathBuf};

use super::reader::DumpFault;
use crate::storage::{StorageError, UnreadableBucket};

/// An export or a restore failed. `Display` has no token and no hash in it.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A file or a folder cannot be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// An export needs a folder of its own.
    #[error("{} is not empty; an export needs a new or an empty folder", .0.display())]
    NotEmpty(PathBuf),
    /// A dump has no folder of that name.
    #[error("there is no folder \"{name}\" in {}; --db names another: {}", .folder.display(), listed(.there))]
    NoSuchDatabase {
        /// The name of the database.
        name: String,
        /// The dump.
        folder: PathBuf,
        /// What it has.
        there: Vec<String>,
    },
    /// A collection that is named is not there.
    #[error("there is no collection \"{name}\" to choose or to leave out; there are: {}", listed(.known))]
    NoSuchCollection {
        /// The name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A link in a dump leads to what is no part of it.
    #[error("{} is a link that leads out of the dump", .0.display())]
    LeadsElsewhere(PathBuf),
    /// A bucket of the store cannot be exported.
    #[error("{0}; delete the bucket, or leave it out with --exclude")]
    Unreadable(UnreadableBucket),
    /// An export was not finished.
    #[error("{} was not finished: the export was cut off, and must be made again", .0.display())]
    CutOff(PathBuf),
    /// What the manifest says is not readable, or not known to this version.
    #[error("{}: {fault}", .path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// A collection is there twice, once compressed.
    #[error("{} is there beside its compressed form; leave one of them", .0.display())]
    Twice(PathBuf),
    /// A file is damaged, or holds what cannot be stored.
    #[error("{}, {fault}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and what.
        fault: DumpFault,
    },
    /// A bucket has a schema that may not be saved.
    #[error("{}: {fault}", .path.display())]
    Schema {
        /// The file of the configurations.
        path: PathBuf,
        /// Which bucket, and what is wrong with its schema.
        fault: String,
    },
    /// A file is whole and not the one that was exported.
    #[error("{}: {difference}", .path.display())]
    Different {
        /// The file.
        path: PathBuf,
        /// In what it differs.
        difference: String,
    },
    /// Nobody knows what buckets some collections are of.
    #[error(
        "there is no bucket for the collections {}: neither the dump nor the store has a configuration; \
         import them first with \"bucket import\", or leave them out with --exclude",
        listed(.0)
    )]
    NoBuckets(Vec<String>),
    /// A record is larger than a dump can hold.
    #[error("bucket \"{bucket}\" has a record of {bytes} bytes, and a dump holds none larger than {max}")]
    TooLarge {
        /// The bucket's name.
        bucket: String,
        /// The record's size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The store took fewer or more records than it was given.
    #[error("bucket \"{bucket}\": {given} records were to be stored, and {stored} are")]
    Miscounted {
        /// The bucket's name.
        bucket: String,
        /// How many are in the file.
        given: u64,
        /// How many were stored.
        stored: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A fault of the program.
    #[error("a thread ended early: {0}")]
    Panic(tokio::task::JoinError),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Says on what path something failed.
pub(super) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TransferError {
    let path = path.to_owned();
    move |source| TransferError::Io { action, path, source }
}
