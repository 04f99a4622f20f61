//! MongoDB's errors as ours: which pass if the same is tried again, which may pass later, and which
//! are faults.

use mongodb::error::{
    Error, ErrorKind, IndexedWriteError, InsertManyError, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR,
    WriteFailure,
};

use crate::storage::registry_document::InvalidRegistryDocument;
use crate::storage::{StorageError, StorageErrorKind};

/// What the codes of MongoDB's servers are that tell of a server going away, or of an operation
/// that another got in the way of. From the server's own list of error codes.
const PASSING: [i32; 28] = [
    6,      // HostUnreachable
    7,      // HostNotFound
    24,     // LockTimeout
    43,     // CursorNotFound
    64,     // WriteConcernFailed
    89,     // NetworkTimeout
    91,     // ShutdownInProgress
    112,    // WriteConflict
    133,    // FailedToSatisfyReadPreference
    134,    // ReadConcernMajorityNotAvailableYet
    175,    // QueryPlanKilled
    189,    // PrimarySteppedDown
    202,    // NetworkInterfaceExceededTimeLimit
    237,    // CursorKilled
    246,    // SnapshotUnavailable
    251,    // NoSuchTransaction
    262,    // ExceededTimeLimit
    290,    // TransactionExceededLifetimeLimitSeconds
    365,    // TemporarilyUnavailable
    9001,   // SocketException
    10_107, // NotWritablePrimary
    11_600, // InterruptedAtShutdown
    11_601, // Interrupted
    11_602, // InterruptedDueToReplStateChange
    12_587, // BackgroundOperationInProgressForNamespace
    13_388, // StaleConfig
    13_435, // NotPrimaryNoSecondaryOk
    13_436, // NotPrimaryOrSecondary
];

/// A query ran into its time limit.
const MAX_TIME_EXPIRED: i32 = 50;
/// A transaction cannot write to a capped collection …
const NOT_SUPPORTED_IN_TRANSACTION: i32 = 263;
/// … nor delete from one.
const ILLEGAL_OPERATION: i32 = 20;
/// A group, or all of them, need more memory than a server gives a query …
const EXCEEDED_MEMORY_LIMIT: i32 = 146;
/// … or than a document can have.
const OBJECT_TOO_LARGE: i32 = 10_334;
/// A document with the same unique key is there.
const DUPLICATE_KEY: i32 = 11_000;

/// There is an index with another name, or other options …
const INDEX_OPTIONS_CONFLICT: i32 = 85;
/// … or of another key.
const INDEX_KEY_SPECS_CONFLICT: i32 = 86;

/// Why a unit of work was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// What the server or the way to it said.
    Server(Error),
    /// What the server said of one write among several.
    Write {
        /// The server's code of the error.
        code: i32,
        /// What it says.
        message: String,
    },
    /// Somebody else was in between; the same work may succeed at once.
    Conflict,
    /// The bucket's collection has to be prepared first.
    Unprepared,
    /// What we found.
    Storage(StorageError),
}

impl Failure {
    /// Whether the same work may succeed if it is done again at once.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Conflict => true,
            Self::Write { code, .. } => PASSING.contains(code),
            Self::Unprepared | Self::Storage(_) => false,
            Self::Server(error) => is_worth_a_try(error),
        }
    }

    /// Whether a document with the same unique key is there.
    pub(super) fn is_duplicate_key(&self) -> bool {
        self.code() == Some(DUPLICATE_KEY)
    }

    /// Whether the collection is one that transactions cannot write to: one of MongoDB's capped
    /// ones, in which the original Backdrop kept realtime buckets.
    pub(super) fn is_not_for_transactions(&self) -> bool {
        matches!(self.code(), Some(NOT_SUPPORTED_IN_TRANSACTION | ILLEGAL_OPERATION))
    }

    /// The server's code of the error, if it was the server's.
    pub(super) fn code(&self) -> Option<i32> {
        match self {
            Self::Server(error) => code(error),
            Self::Write { code, .. } => Some(*code),
            Self::Conflict | Self::Unprepared | Self::Storage(_) => None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<InvalidRegistryDocument> for Failure {
    fn from(error: InvalidRegistryDocument) -> Self {
        Self::Storage(error.into())
    }
}

impl From<InvalidRegistryDocument> for StorageError {
    fn from(error: InvalidRegistryDocument) -> Self {
        Self::new(StorageErrorKind::Internal, error)
    }
}

impl From<Failure> for StorageError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Server(error) => error.into(),
            Failure::Write { code, message } => {
                let kind = kind(PASSING.contains(&code));
                Self::new(kind, format!("MongoDB refused a write with code {code}: {message}"))
            }
            Failure::Conflict => {
                Self::new(StorageErrorKind::Unavailable, "others changed the same documents all the time")
            }
            Failure::Unprepared => {
                Self::new(StorageErrorKind::Unavailable, "others deleted the bucket's data all the time")
            }
            Failure::Storage(error) => error,
        }
    }
}

impl From<Error> for StorageError {
    fn from(error: Error) -> Self {
        let may_pass = is_passing(&error) || code(&error) == Some(MAX_TIME_EXPIRED);
        Self::new(kind(may_pass), error)
    }
}

fn kind(may_pass: bool) -> StorageErrorKind {
    if may_pass { StorageErrorKind::Unavailable } else { StorageErrorKind::Internal }
}

/// The code of an error of the server.
pub(super) fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
        _ => None,
    }
}

/// Whether a document with the same unique key is there.
pub(super) fn is_duplicate_key(error: &Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}

/// The places of the documents that were not inserted among others, if that is because there are some
/// with their keys.
pub(super) fn duplicates(error: &Error) -> Option<Vec<usize>> {
    let ErrorKind::InsertMany(InsertManyError { write_errors, write_concern_error: None, .. }) = &*error.kind
    else {
        return None;
    };
    let place = |error: &IndexedWriteError| (error.code == DUPLICATE_KEY).then_some(error.index);
    write_errors.as_ref()?.iter().map(place).collect()
}

/// Whether the same call may succeed if it is made again at once.
pub(super) fn may_pass_at_once(error: &StorageError) -> bool {
    error.cause().downcast_ref().is_some_and(is_worth_a_try)
}

/// Whether the groups of a query are too much for a server.
pub(super) fn is_too_large(error: &StorageError) -> bool {
    let code = error.cause().downcast_ref().and_then(code);
    matches!(code, Some(EXCEEDED_MEMORY_LIMIT | OBJECT_TOO_LARGE))
}

/// Whether an index cannot be made because of what is there: documents that are alike, or another
/// index.
pub(super) fn prevents_an_index(error: &StorageError) -> bool {
    let code = error.cause().downcast_ref().and_then(code);
    matches!(code, Some(DUPLICATE_KEY | INDEX_OPTIONS_CONFLICT | INDEX_KEY_SPECS_CONFLICT))
}

/// Where no server was found, the driver has looked for one long enough.
fn is_worth_a_try(error: &Error) -> bool {
    is_passing(error) && !matches!(*error.kind, ErrorKind::ServerSelection { .. })
}

fn is_passing(error: &Error) -> bool {
    let by_kind = matches!(
        *error.kind,
        ErrorKind::Io(_)
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::DnsResolve { .. }
    );
    by_kind
        || error.contains_label(TRANSIENT_TRANSACTION_ERROR)
        || error.contains_label(RETRYABLE_WRITE_ERROR)
        || code(error).is_some_and(|code| PASSING.contains(&code))
}
