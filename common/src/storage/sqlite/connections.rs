//! Connections to the file: one that writes, which is the [`super::writer`]'s, and as many that read as
//! are in use at once.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::layout;
use crate::storage::{Interest, StorageError, StorageErrorKind};

/// How long a connection waits for another process to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection that wants to write waits before it looks again whether another process is done.
/// One that writes all the time leaves the file alone for an instant only, so there have to be many looks;
/// SQLite's own waiting comes to ten a second.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// How many connections are kept for the next readers; each may hold 16 MB of the file.
const IDLE_READERS: usize = 16;

/// How many instructions of its own SQLite runs before it asks whether to go on; they take a
/// millisecond or so.
const INSTRUCTIONS: c_int = 10_000;

/// Opens, lends and takes back connections that read.
pub(super) struct Connections {
    path: PathBuf,
    idle_readers: Mutex<Vec<Connection>>,
    /// For [`Connections::look_up`].
    lookups: Mutex<Vec<Connection>>,
}

impl Connections {
    /// Those to a file that the writer has opened, and made if need be.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle_readers: Mutex::default(), lookups: Mutex::default() }
    }

    /// Runs work on a snapshot of the file. It fails soon after interest in it is lost.
    pub(super) fn read<T>(
        &self,
        interest: &Arc<Interest>,
        work: impl FnOnce(&Connection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let idle = lock(&self.idle_readers).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path)?,
        };
        // Each call has a flag of its own, so that none is ended in the place of another one that had
        // the connection before. (An interrupt would end whatever runs, or miss its moment.)
        let ends = Arc::clone(interest);
        connection.progress_handler(INSTRUCTIONS, Some(move || ends.is_lost()))?;
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

    /// Looks up a row or two without waiting for anything, which takes microseconds, so that it may be done
    /// where nothing may block. `None` if it would have to wait, or fails: then it is for [`Self::read`].
    pub(super) fn look_up<T>(&self, look: impl FnOnce(&Connection) -> Result<T, StorageError>) -> Option<T> {
        let idle = lock(&self.lookups).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open_lookup().ok()?,
        };
        let found = look(&connection).ok()?;
        let mut idle = lock(&self.lookups);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        Some(found)
    }

    fn open_lookup(&self) -> Result<Connection, StorageError> {
        let connection = open_reader(&self.path)?;
        connection.busy_timeout(Duration::ZERO)?;
        Ok(connection)
    }
}

/// Opens a connection that reads. It opens the file for writing all the same: WAL needs the shared-memory file
/// beside it.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StorageError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -16384;")?;
    connection.set_prepared_statement_cache_capacity(256);
    Ok(connection)
}

/// Opens the connection that writes, and makes the file, its folder and its layout where they are missing.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StorageError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| StorageError::new(StorageErrorKind::Unavailable, error))?;
    }
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    layout::use_wal(&connection)?;
    // A commit is on the disk, not on its way there, when it returns. The log is folded back
    // into the file every 10,000 pages (40 MB), which measured 11 to 25% faster than 1,000.
    // 64 MB of the file are kept at hand: with less, what comes in no order of time or id makes SQLite read
    // and write the same pages of an index again and again.
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 10000; PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -65536;",
    )?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.busy_handler(Some(wait_for_another_process()))?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    layout::prepare(&transaction)?;
    transaction.commit()?;
    Ok(connection)
}

/// Waits a little, and says whether to try again; `tries` is how often it did since it began.
fn wait_for_another_process() -> impl FnMut(i32) -> bool + Send + 'static {
    let mut begun = Instant::now();
    move |tries| {
        if tries == 0 {
            begun = Instant::now();
        }
        sleep(BUSY_PAUSE);
        begun.elapsed() < BUSY_TIMEOUT
    }
}

fn may_be_used_again<T>(done: &Result<T, StorageError>) -> bool {
    match done {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), StorageErrorKind::Unavailable | StorageErrorKind::Internal),
    }
}

/// A panic while a connection was lent dropped that connection and its transaction, so what the
/// lock guards is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does work in a transaction of a new database, for tests of what is done in one.
#[cfg(test)]
pub(super) fn in_new_database<T>(
    work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    let folder = tempfile::tempdir().expect("a folder");
    let connection = open_writer(&folder.path().join("backdrop.db"))?;
    work(&connection.unchecked_transaction()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_have_to_wait_is_not_looked_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backdrop.db");
        let writer = open_writer(&path).expect("a database");
        let connections = Connections::new(&path);
        let look_up = || connections.look_up(layout::check);
        assert!(look_up().is_some() && look_up().is_some());
        writer.execute_batch("PRAGMA locking_mode = EXCLUSIVE").expect("a mode");
        drop(std::mem::take(&mut *lock(&connections.lookups)));
        writer.execute_batch("BEGIN EXCLUSIVE; DROP TABLE audit; COMMIT").expect("a lock on the file");
        assert!(look_up().is_none());
    }

    #[test]
    fn readers_cannot_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backdrop.db");
        drop(open_writer(&path).expect("a database"));
        let refused = Connections::new(&path)
            .read(&Arc::default(), |connection| Ok(connection.execute_batch("CREATE TABLE x (y)")?));
        assert!(refused.is_err());
    }
}
