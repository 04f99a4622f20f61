//! Sees to it that the file at the path is the one that was opened, before anything is read or written.
//!
//! A file that was deleted, moved away or replaced is still there for who has it open: what is stored into it
//! is lost, and what is read from it is not what others see. One that was copied over has other pages
//! under the same log. Both are answered with an error, and told in the log.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::file::{self, Seen, beside};
use super::identity::{self, Compared};
use crate::storage::{StorageError, StorageErrorKind};

/// The file that this process has opened.
pub(super) struct Guard {
    pub(super) path: PathBuf,
    known: Mutex<Known>,
    /// A connection that is kept open: while there is one, the log stays where it is.
    anchor: Mutex<Option<Connection>>,
    /// Whether it was said that something is wrong, so that it is said once.
    is_told: AtomicBool,
    /// Whether the store is not to be used until it was opened anew.
    is_suspended: AtomicBool,
}

/// What is known of it.
#[derive(Clone, Debug, Default)]
struct Known {
    /// As it looked when it was last found to be the right one.
    seen: Option<Seen>,
    /// Its log, at which only that it is there matters.
    log: Option<Seen>,
    id: Option<String>,
    rollovers: i64,
}

const RESTORE: &str = "If a copy was put there, stop both apps, delete the files that end in -wal and -shm, and start \
                       them again (docs/operate/backup.md)";

impl Guard {
    /// Looks at the file before SQLite does, which would make it anew or lay a log over it that is not its
    /// own. Makes it where there is none.
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        let guard = Self {
            path: path.to_owned(),
            known: Mutex::default(),
            anchor: Mutex::default(),
            is_told: AtomicBool::new(false),
            is_suspended: AtomicBool::new(false),
        };
        // The log first: whoever makes the file has written to it before there is one.
        let log = file::look(&beside(path, "-wal")).map_err(unavailable)?;
        match (file::look(path).map_err(unavailable)?, log) {
            (None, None) => {
                if file::create(path).map_err(unavailable)? {
                    tracing::info!(path = %path.display(), "made a new database file");
                }
            }
            (None, Some(_)) => return Err(guard.refused("is gone, but its log (-wal) is there")),
            (Some(seen), Some(_)) if seen.size == 0 => {
                return Err(guard.refused("is empty, but its log (-wal) is there"));
            }
            (Some(_), Some(log)) if log.size > 0 => guard.check_log()?,
            (Some(_), _) => {}
        }
        file::make_private(path);
        Ok(guard)
    }

    fn refused(&self, what: &str) -> StorageError {
        let shown = self.path.display();
        let advice = format!(
            "Put the file back that belongs to the log. If a copy is to take its place, put that there and \
             delete {shown}-wal and {shown}-shm; the same to begin anew (docs/operate/backup.md)"
        );
        StorageError::new(StorageErrorKind::Unavailable, format!("{shown} {what}. {advice}"))
    }

    /// Checks that a log that was left is that of the file.
    fn check_log(&self) -> Result<(), StorageError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        // Whatever comes of it, it is not folded into the file.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.busy_timeout(super::connections::BUSY_TIMEOUT)?;
        let shown = self.path.display();
        match identity::compare(&self.path, &connection, 20) {
            Ok(Some(_)) => Ok(()),
            Err(error) if error.kind() == StorageErrorKind::Unavailable => Err(error),
            Ok(None) => Err(unavailable(format!(
                "{shown} is not the file that its log ({shown}-wal) was written for, so nothing is read or \
                 written. If a copy was put there, delete {shown}-wal and {shown}-shm, and start again; \
                 otherwise put the right file back (docs/operate/backup.md)"
            ))),
            Err(error) => Err(unavailable(format!(
                "{shown} cannot be read together with its log ({shown}-wal): {}. If a copy was put there, \
                 delete {shown}-wal and {shown}-shm, and start again (docs/operate/backup.md)",
                error.cause()
            ))),
        }
    }

    /// Notes what a connection says of the file that was just opened, and keeps the connection.
    pub(super) fn learn(&self, connection: Connection) -> Result<(), StorageError> {
        let seen = file::look(&self.path).map_err(unavailable)?;
        let identity = identity::read(&connection)?;
        let log = file::look(&beside(&self.path, "-wal")).map_err(unavailable)?;
        let (id, rollovers) = match identity {
            Some(identity) => (Some(identity.id), identity.rollovers),
            None => (None, 0),
        };
        *self.known() = Known { seen, log, id, rollovers };
        *self.anchor() = Some(connection);
        Ok(())
    }

    fn anchor(&self) -> MutexGuard<'_, Option<Connection>> {
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close_anchor(&self) {
        let anchor = self.anchor().take();
        if let Some(connection) = anchor {
            self.close(connection);
        }
    }

    /// Closes the connection that is kept open, for tests that need all of them closed.
    #[cfg(test)]
    pub(super) fn let_go(&self) {
        drop(self.anchor().take());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the file looks as it did when it was last found to be the right one, and its log is there. It
    /// takes two looks at paths.
    pub(super) fn looks_right(&self) -> bool {
        let seen = file::look(&self.path).ok().flatten();
        let is_as_known = seen.is_some() && self.known().seen == seen;
        is_as_known && !self.is_suspended() && self.has_log()
    }

    fn has_log(&self) -> bool {
        let Some(known) = self.known().log else { return true };
        let there = file::look(&beside(&self.path, "-wal")).ok().flatten();
        there.is_some_and(|there| there.is_same_file(&known))
    }

    /// Checks that the file at the path is the one that was opened, and that its log is its own. The
    /// connection is in no transaction.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](StorageErrorKind::Unavailable), as long as it is not.
    pub(super) fn check(&self, connection: &Connection) -> Result<(), StorageError> {
        if self.looks_right() {
            return Ok(());
        }
        if self.is_suspended() {
            return Err(unavailable("the database file could not be written to, and is opened anew first"));
        }
        self.check_file(connection)
    }

    /// The same for a connection that was opened to see whether the file can be used again.
    pub(super) fn check_file(&self, connection: &Connection) -> Result<(), StorageError> {
        match self.find_fault(connection)? {
            None => {
                if self.is_told.swap(false, Ordering::Relaxed) {
                    tracing::warn!(path = %self.path.display(), "the database file is the right one again");
                }
                Ok(())
            }
            Some(fault) => Err(self.tell(fault)),
        }
    }

    fn tell(&self, fault: &str) -> StorageError {
        let message = format!("{} {fault}, so nothing is read or written. {RESTORE}", self.path.display());
        if !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::error!("{message}");
        }
        unavailable(message)
    }

    /// Checks what is at the path, before a connection is opened to it: with another file SQLite would use the
    /// log that is there.
    pub(super) fn check_path(&self) -> Result<(), StorageError> {
        match self.path_fault()? {
            None => Ok(()),
            Some(fault) => Err(self.tell(fault)),
        }
    }

    fn path_fault(&self) -> Result<Option<&'static str>, StorageError> {
        let Some(seen) = file::look(&self.path).map_err(unavailable)? else {
            return Ok(Some("is gone: it was deleted or moved away"));
        };
        let known = self.known().seen;
        if known.is_some_and(|known| !known.is_same_file(&seen)) {
            return Ok(Some("is another file than the one that was opened"));
        }
        Ok((!self.has_log()).then_some("has lost its log (-wal), which was deleted or replaced"))
    }

    fn find_fault(&self, connection: &Connection) -> Result<Option<&'static str>, StorageError> {
        if let Some(fault) = self.path_fault()? {
            return Ok(Some(fault));
        }
        let known = self.known().clone();
        let compared = identity::compare(&self.path, connection, 4)?;
        let other = Some("has other contents than this program wrote: something was copied over it");
        let Some(Compared { seen, identity: Some(identity) }) = compared else { return Ok(other) };
        if known.id.is_some_and(|id| id != identity.id) || identity.rollovers < known.rollovers {
            return Ok(other);
        }
        let (id, rollovers) = (Some(identity.id), identity.rollovers);
        *self.known() = Known { seen, log: known.log, id, rollovers };
        Ok(None)
    }

    /// Has nothing be read or written until the file is opened anew.
    pub(super) fn suspend(&self, why: &str) {
        if !self.is_suspended.swap(true, Ordering::Relaxed) {
            tracing::error!(path = %self.path.display(), "{why}: the file is opened anew before it is used again");
            self.close_anchor();
            self.known().log = None;
        }
    }

    /// The file was opened anew, and is the right one.
    pub(super) fn resume(&self, anchor: Connection) -> Result<(), StorageError> {
        if self.is_suspended.swap(false, Ordering::Relaxed) {
            self.learn(anchor)?;
            tracing::warn!(path = %self.path.display(), "the database file was opened anew, and is in use again");
        }
        Ok(())
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.is_suspended.load(Ordering::Relaxed)
    }

    /// Closes a connection. The log is folded into the file by whoever closes the last one, but never into
    /// another file than its own.
    pub(super) fn close(&self, connection: Connection) {
        if self.check(&connection).is_err() {
            // It fails only where the connection is of no use at all.
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        drop(connection);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.close_anchor();
    }
}

fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StorageError {
    StorageError::new(StorageErrorKind::Unavailable, cause)
}

#[cfg(test)]
mod tests;
