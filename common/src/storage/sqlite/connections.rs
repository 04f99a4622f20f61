//! Connections to the file: one that writes, which is the [`super::writer`]'s, and as many that read as
//! are in use at once.

use std::ffi::c_int;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::guard::Guard;
use super::{file, layout, registry};
use crate::storage::{Interest, StorageError, StorageErrorKind};

/// How long a connection waits for another process to finish writing.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

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
    guard: Arc<Guard>,
    idle_readers: Mutex<Vec<Connection>>,
    /// For [`Connections::look_up`].
    lookups: Mutex<Vec<Connection>>,
}

impl Connections {
    /// Those to a file that is there.
    pub(super) fn new(guard: &Arc<Guard>) -> Self {
        Self { guard: Arc::clone(guard), idle_readers: Mutex::default(), lookups: Mutex::default() }
    }

    /// Runs work on a snapshot of the file. It fails soon after interest in it is lost.
    pub(super) fn read<T>(
        &self,
        interest: &Arc<Interest>,
        work: impl FnOnce(&Connection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let mut connection = self.reader()?;
        // Each call has a flag of its own, so that none is ended in the place of another one that had
        // the connection before. (An interrupt would end whatever runs, or miss its moment.)
        let ends = Arc::clone(interest);
        connection.progress_handler(INSTRUCTIONS, Some(move || ends.is_lost()))?;
        let transaction = connection.transaction()?;
        let done = work(&transaction);
        transaction.finish()?;
        if may_be_used_again(&done) {
            self.give_back(&self.idle_readers, connection);
        } else {
            self.guard.close(connection);
        }
        done
    }

    /// A connection to the file that is at the path, which is the one that was opened.
    fn reader(&self) -> Result<Connection, StorageError> {
        let idle = lock(&self.idle_readers).pop();
        let connection = if let Some(connection) = idle {
            connection
        } else {
            self.guard.check_path()?;
            open_reader(&self.guard.path)?
        };
        match self.guard.check(&connection) {
            Ok(()) => Ok(connection),
            Err(error) => {
                self.guard.close(connection);
                self.close_idle();
                Err(error)
            }
        }
    }

    fn close_idle(&self) {
        for idle in [&self.idle_readers, &self.lookups] {
            let idle = std::mem::take(&mut *lock(idle));
            for connection in idle {
                self.guard.close(connection);
            }
        }
    }

    fn give_back(&self, idle: &Mutex<Vec<Connection>>, connection: Connection) {
        let mut idle = lock(idle);
        if idle.len() < IDLE_READERS && !self.guard.is_suspended() {
            return idle.push(connection);
        }
        drop(idle);
        self.guard.close(connection);
    }

    /// Looks up a row or two without waiting for anything, which takes microseconds, so that it may be done
    /// where nothing may block. `None` if it would have to wait, or fails: then it is for [`Self::read`].
    pub(super) fn look_up<T>(&self, look: impl FnOnce(&Connection) -> Result<T, StorageError>) -> Option<T> {
        if !self.guard.looks_right() {
            return None;
        }
        let idle = lock(&self.lookups).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open_lookup().ok()?,
        };
        let found = look(&connection).ok()?;
        self.give_back(&self.lookups, connection);
        Some(found)
    }

    fn open_lookup(&self) -> Result<Connection, StorageError> {
        self.guard.check_path()?;
        let connection = open_reader(&self.guard.path)?;
        connection.busy_timeout(Duration::ZERO)?;
        Ok(connection)
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.close_idle();
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

/// Opens a file, and makes it, its folder and its layout where they are missing. A file whose layout is there
/// is not written to, so nobody has to wait for another process that writes.
pub(super) fn open(path: &Path) -> Result<Arc<Guard>, StorageError> {
    let guard = Arc::new(Guard::open(path)?);
    let is_empty = file::look(path).ok().flatten().is_none_or(|seen| seen.size == 0);
    let reader = if is_empty { None } else { Some(open_reader(path)?) };
    match reader {
        Some(reader) if layout::is_up_to_date(&reader)? => guard.learn(reader)?,
        _ => {
            let writer = connect_writer(path)?;
            prepare(&writer, path)?;
            let reader = open_reader(path)?;
            layout::check(&reader)?;
            guard.learn(reader)?;
            guard.close(writer);
        }
    }
    Ok(guard)
}

/// Opens the connection that writes to a file that is there.
pub(super) fn open_writer(guard: &Guard) -> Result<Connection, StorageError> {
    guard.check_path()?;
    let connection = connect_writer(&guard.path)?;
    match guard.check_file(&connection).and_then(|()| reopen(guard, &connection)) {
        Ok(()) => Ok(connection),
        Err(error) => {
            guard.close(connection);
            Err(error)
        }
    }
}

/// Has the file be used again, if it could not be written to before.
fn reopen(guard: &Guard, writer: &Connection) -> Result<(), StorageError> {
    if !guard.is_suspended() {
        return Ok(());
    }
    layout::check(writer)?;
    registry::check_buckets(writer)?;
    let anchor = open_reader(&guard.path)?;
    layout::check(&anchor)?;
    guard.resume(anchor)
}

fn connect_writer(path: &Path) -> Result<Connection, StorageError> {
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    layout::use_wal(&connection)?;
    // A commit is on the disk, not on its way there, when it returns. The log is folded back
    // into the file every 10,000 pages (40 MB), which measured 11 to 25% faster than 1,000; what it was
    // larger than that is given back when it begins anew.
    // 64 MB of the file are kept at hand: with less, what comes in no order of time or id makes SQLite read
    // and write the same pages of an index again and again.
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 10000; PRAGMA journal_size_limit = 67108864;
         PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536;",
    )?;
    connection.set_prepared_statement_cache_capacity(256);
    use_patience(&mut connection)?;
    Ok(connection)
}

/// Has a connection that writes wait for another process.
pub(super) fn use_patience(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait_for_another_process()))
}

/// Brings the layout of a file up to date. Another process may write for long, and is named then.
fn prepare(connection: &Connection, path: &Path) -> Result<(), StorageError> {
    const TRIES: u32 = 12;
    let mut tried = 0;
    let transaction = loop {
        tried += 1;
        match Transaction::new_unchecked(connection, TransactionBehavior::Immediate) {
            Ok(transaction) => break transaction,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                let message = format!("{} is held by {}", path.display(), file::holder(path));
                if tried == TRIES {
                    return Err(StorageError::new(
                        StorageErrorKind::Unavailable,
                        format!(
                            "{message}, and has to be brought up to date first: end that, and start again"
                        ),
                    ));
                }
                tracing::warn!("{message}: waiting, to bring it up to date");
            }
            Err(error) => return Err(error.into()),
        }
    };
    layout::prepare(&transaction)?;
    Ok(transaction.commit()?)
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
    let connection = new_writer(&folder.path().join("backdrop.db"));
    work(&connection.unchecked_transaction()?)
}

/// Opens a database for tests, and the connection that writes to it.
#[cfg(test)]
pub(super) fn new_writer(path: &Path) -> Connection {
    open(path).and_then(|guard| open_writer(&guard)).expect("a database")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_have_to_wait_is_not_looked_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backdrop.db");
        let guard = open(&path).expect("a database");
        let writer = open_writer(&guard).expect("a connection");
        let connections = Connections::new(&guard);
        let look_up = || connections.look_up(layout::check);
        assert!(look_up().is_some() && look_up().is_some());
        writer.execute_batch("PRAGMA locking_mode = EXCLUSIVE").expect("a mode");
        drop(std::mem::take(&mut *lock(&connections.lookups)));
        guard.let_go();
        writer.execute_batch("BEGIN EXCLUSIVE; DROP TABLE audit; COMMIT").expect("a lock on the file");
        assert!(look_up().is_none());
    }

    #[test]
    fn readers_cannot_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backdrop.db");
        let refused = Connections::new(&open(&path).expect("a database"))
            .read(&Arc::default(), |connection| Ok(connection.execute_batch("CREATE TABLE x (y)")?));
        assert!(refused.is_err());
    }
}
