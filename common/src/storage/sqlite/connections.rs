//! Connections to the file: one that writes, as many that read as are in use at once.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::layout;
use crate::storage::{StorageError, StorageErrorKind};

/// How long a connection waits for another process to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many connections are kept for the next readers; each may hold 16 MB of the file.
const IDLE_READERS: usize = 16;

/// How many instructions of its own SQLite runs before it asks whether to go on; they take a
/// millisecond or so.
const INSTRUCTIONS: c_int = 10_000;

/// Opens, lends and takes back connections.
pub(super) struct Connections {
    path: PathBuf,
    /// None after an error that only a new connection gets over.
    writer: Mutex<Option<Connection>>,
    idle_readers: Mutex<Vec<Connection>>,
}

impl Connections {
    /// Opens the file, and makes it and its layout where they are missing.
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| StorageError::new(StorageErrorKind::Unavailable, error))?;
        }
        let connections =
            Self { path: path.to_owned(), writer: Mutex::new(None), idle_readers: Mutex::new(Vec::new()) };
        connections.write(|_| Ok(()))?;
        Ok(connections)
    }

    /// Runs work in a transaction that is on disk when this returns, or undone.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let mut slot = lock(&self.writer);
        // Taken out, so that a connection that failed is closed; it would remember, for instance,
        // that the file was read-only when it was opened.
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.open_writer()?,
        };
        let done = in_transaction(&mut connection, work);
        if may_be_used_again(&done) {
            *slot = Some(connection);
        }
        done
    }

    /// Runs work on a snapshot of the file. It fails soon after `unwanted` becomes true.
    pub(super) fn read<T>(
        &self,
        unwanted: Arc<AtomicBool>,
        work: impl FnOnce(&Connection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let idle = lock(&self.idle_readers).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.open_reader()?,
        };
        // Each call has a flag of its own, so that none is ended in the place of another one that had
        // the connection before. (An interrupt would end whatever runs, or miss its moment.)
        connection.progress_handler(INSTRUCTIONS, Some(move || unwanted.load(Ordering::Relaxed)))?;
        let transaction = connection.transaction()?;
        let done = work(&transaction);
        transaction.finish()?;
        if may_be_used_again(&done) {
            let mut idle = lock(&self.idle_readers);
            if idle.len() < IDLE_READERS {
                idle.push(connection);
            }
        }
        done
    }

    fn open_writer(&self) -> Result<Connection, StorageError> {
        let mut connection = Connection::open_with_flags(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        layout::use_wal(&connection)?;
        // A commit is on the disk, not on its way there, when it returns. The log is folded back
        // into the file every 10,000 pages (40 MB), which measured 11 to 25% faster than 1,000.
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 10000; PRAGMA foreign_keys = ON;",
        )?;
        connection.set_prepared_statement_cache_capacity(256);
        in_transaction(&mut connection, layout::prepare)?;
        Ok(connection)
    }

    /// A reader opens the file for writing all the same: WAL needs the shared-memory file beside it.
    fn open_reader(&self) -> Result<Connection, StorageError> {
        let connection = Connection::open_with_flags(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -16384;")?;
        connection.set_prepared_statement_cache_capacity(256);
        Ok(connection)
    }
}

fn may_be_used_again<T>(done: &Result<T, StorageError>) -> bool {
    match done {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), StorageErrorKind::Unavailable | StorageErrorKind::Internal),
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    // Immediate: a transaction that read first and then waited to write could not go on.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// A panic while a connection was lent dropped that connection and its transaction, so what the
/// lock guards is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections() -> (tempfile::TempDir, Connections) {
        let folder = tempfile::tempdir().expect("a folder");
        let connections = Connections::open(&folder.path().join("backdrop.db")).expect("a database");
        (folder, connections)
    }

    fn wanted() -> Arc<AtomicBool> {
        Arc::default()
    }

    #[test]
    fn a_full_disk_is_unavailable_and_works_again_with_room() {
        let (_folder, connections) = connections();
        let fill = |transaction: &Transaction<'_>| {
            // Stands for a full disk: SQLite answers the same error where the file may not grow.
            let pages: u32 = transaction.pragma_query_value(None, "page_count", |row| row.get(0))?;
            transaction.pragma_update(None, "max_page_count", pages)?;
            transaction.execute_batch("CREATE TABLE filler AS SELECT zeroblob(1000000) AS bytes")?;
            Ok(())
        };
        let refused = connections.write(fill).expect_err("a full disk");
        assert_eq!(refused.kind(), StorageErrorKind::Unavailable);
        assert!(refused.to_string().contains("full"), "{refused}");
        connections.write(|_| Ok(())).expect("a fresh connection has room");
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'filler'";
        let fillers: u32 = connections
            .read(wanted(), |connection| Ok(connection.query_row(tables, [], |row| row.get(0))?))
            .expect("a count");
        assert_eq!(fillers, 0, "nothing of the failed write is stored");
    }

    #[test]
    fn readers_cannot_write() {
        let (_folder, connections) = connections();
        let refused =
            connections.read(wanted(), |connection| Ok(connection.execute_batch("CREATE TABLE x (y)")?));
        assert!(refused.is_err());
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let (_folder, connections) = connections();
        let half = |transaction: &Transaction<'_>| -> Result<(), StorageError> {
            transaction.execute_batch("CREATE TABLE half (done)")?;
            panic!("in the middle");
        };
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| connections.write(half)));
        assert!(panicked.is_err());
        connections
            .write(|transaction| Ok(transaction.execute_batch("CREATE TABLE half (done)")?))
            .expect("a write");
    }
}
