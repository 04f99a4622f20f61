//! SQLite's errors as ours: which may pass, and which are faults.

use rusqlite::{Error, ErrorCode};

use crate::storage::{StorageError, StorageErrorKind};

impl From<Error> for StorageError {
    fn from(error: Error) -> Self {
        Self::new(kind(&error), error)
    }
}

fn kind(error: &Error) -> StorageErrorKind {
    match error.sqlite_error_code() {
        // Another process holds the lock for too long, the disk is full or read-only or fails, or
        // there is no memory or no file handle: an operator can mend all of these. Or nobody waits
        // for the answer, and then nobody sees this either.
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::ReadOnly
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted,
        ) => StorageErrorKind::Unavailable,
        _ => StorageErrorKind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[track_caller]
    fn check(code: i32, expected: StorageErrorKind) {
        assert_eq!(kind(&Error::SqliteFailure(ffi::Error::new(code), None)), expected, "{code}");
    }

    #[test]
    fn what_may_pass_and_what_is_a_fault() {
        check(ffi::SQLITE_FULL, StorageErrorKind::Unavailable);
        check(ffi::SQLITE_READONLY_DBMOVED, StorageErrorKind::Unavailable);
        check(ffi::SQLITE_IOERR_WRITE, StorageErrorKind::Unavailable);
        check(ffi::SQLITE_BUSY_SNAPSHOT, StorageErrorKind::Unavailable);
        check(ffi::SQLITE_INTERRUPT, StorageErrorKind::Unavailable);
        check(ffi::SQLITE_CANTOPEN, StorageErrorKind::Unavailable);
        check(ffi::SQLITE_CORRUPT, StorageErrorKind::Internal);
        check(ffi::SQLITE_CONSTRAINT_UNIQUE, StorageErrorKind::Internal);
    }
}
