//! What can go wrong in a storage engine: a kind for the caller, the cause for the log.

use std::error::Error;
use std::fmt;

use crate::query::InvalidQuery;
use crate::room::NoRoom;

/// What a caller can make of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "store_")]
pub enum StorageErrorKind {
    /// What the call is about does not exist.
    NotFound,
    /// It would be there twice.
    AlreadyExists,
    /// Something else is there than the caller expects.
    Changed,
    /// The answer would have more rows than the query allows.
    TooManyRows,
    /// The store cannot be reached or written just now; the same call may succeed later.
    Unavailable,
    /// More calls wait than there is room for; the same call may succeed in a moment.
    Busy,
    /// Anything else; a fault of the program or of the stored data.
    Internal,
}

/// An error of a storage engine. `Display` is for logs and for the command line, never for clients
/// of the apps.
#[derive(Debug)]
pub struct StorageError {
    kind: StorageErrorKind,
    source: Box<dyn Error + Send + Sync>,
}

impl StorageError {
    /// An error of a kind with its cause.
    pub fn new(kind: StorageErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: source.into() }
    }

    /// What went wrong, as whoever made the error knows it, without what that means for the store.
    pub(crate) fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.source
    }

    /// What a caller can make of it.
    pub fn kind(&self) -> StorageErrorKind {
        self.kind
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            StorageErrorKind::Unavailable => write!(formatter, "the store is unavailable: {}", self.source),
            StorageErrorKind::Internal => write!(formatter, "the store failed: {}", self.source),
            StorageErrorKind::NotFound
            | StorageErrorKind::AlreadyExists
            | StorageErrorKind::Changed
            | StorageErrorKind::TooManyRows
            | StorageErrorKind::Busy => self.source.fmt(formatter),
        }
    }
}

impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

impl From<NoRoom> for StorageError {
    fn from(none: NoRoom) -> Self {
        match none {
            NoRoom::Now => Self::new(StorageErrorKind::Busy, none),
            NoRoom::Ever { max } => {
                Self::new(StorageErrorKind::TooManyRows, InvalidQuery::TooMuchMemory { max })
            }
        }
    }
}
