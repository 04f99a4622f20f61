//! Calls that share a transaction, and the connection that it runs on.
//!
//! If one of them fails, the transaction is undone and the others are done again without it. That is rare;
//! a savepoint for each would have SQLite copy every page that it changes, always.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::Queue;
use super::call::{Ran, Turn};
use crate::storage::sqlite::connections::{open_writer, use_patience};
use crate::storage::sqlite::file::{Log, Salts};
use crate::storage::sqlite::guard::Guard;
use crate::storage::sqlite::{identity, layout};
use crate::storage::{StorageError, StorageErrorKind};

/// How many calls share a commit. Whoever comes first waits for the rest of its group.
const MAX_CALLS: usize = 512;
/// How much they write, about, in bytes; the last of them may write more.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// The file, and the connection that writes to it.
pub(super) struct Store {
    guard: Arc<Guard>,
    /// None before the first call, and after an error that only a new connection gets over.
    connection: Option<Writing>,
    /// Whether this process has made its first log one that fits no older copy of the file.
    has_begun: bool,
    /// Beyond so many bytes of the log it is said again how large it is.
    large: u64,
}

/// A connection that writes, with the log that it writes to.
struct Writing {
    connection: Connection,
    /// None before the first commit.
    log: Option<Log>,
    /// The log that is known to be begun.
    begun: Option<Salts>,
}

/// So large a log is said to be large. It is made smaller when nobody reads what is in it.
const LARGE_LOG: u64 = 256 << 20;

/// How an attempt to do the work of a group ended.
enum Attempt {
    /// All of it is on the disk.
    Committed,
    /// The call at this place failed, and all is undone.
    Failed(usize),
}

impl Store {
    pub(super) fn new(guard: &Arc<Guard>) -> Self {
        Self { guard: Arc::clone(guard), connection: None, has_begun: false, large: LARGE_LOG }
    }

    /// Does the work of a call, and of those that wait behind it, in one transaction, and answers them.
    pub(super) fn run_group(&mut self, first: Box<dyn Turn>, queue: &Queue) {
        let mut group = vec![first];
        let mut more = Some(queue);
        let committed = loop {
            group.retain(|call| !call.is_given_up());
            if group.is_empty() {
                return;
            }
            match self.attempt(&mut group, more) {
                Ok(Attempt::Committed) => break Ok(()),
                Ok(Attempt::Failed(place)) => group.remove(place).answer(Ok(())),
                Err(error) => break Err(error),
            }
            more = None;
        };
        for call in group {
            call.answer(committed.as_ref().copied());
        }
    }

    /// Drops a piece of what was discarded. Says whether there was something to drop.
    pub(super) fn drop_a_piece(&mut self) -> bool {
        let Ok(mut writing) = self.take() else { return false };
        match drop_a_piece(&mut writing.connection) {
            Ok(dropped) => {
                self.connection = Some(writing);
                dropped
            }
            Err(error) => {
                tracing::warn!(%error, "what was deleted still takes room in the file: it is dropped later");
                self.guard.close(writing.connection);
                false
            }
        }
    }

    /// Opens the file anew if that has to be done before it is used again. Says whether it still has to.
    pub(super) fn is_suspended(&mut self) -> bool {
        if self.guard.is_suspended()
            && let Ok(writing) = self.take()
        {
            self.connection = Some(writing);
        }
        self.guard.is_suspended()
    }

    /// The connection, once it was checked that it leads to the file at the path.
    fn take(&mut self) -> Result<Writing, StorageError> {
        // Taken out, so that a connection that failed is closed; it would remember, for instance,
        // that the file was read-only when it was opened.
        if let Some(writing) = self.connection.take_if(|_| !self.guard.is_suspended()) {
            return match self.guard.check(&writing.connection) {
                Ok(()) => Ok(writing),
                Err(error) => {
                    self.guard.close(writing.connection);
                    Err(error)
                }
            };
        }
        if let Some(old) = self.connection.take() {
            self.guard.close(old.connection);
        }
        Ok(Writing { connection: open_writer(&self.guard)?, log: None, begun: None })
    }

    /// Sees to what the log needs, now that something was written to it.
    fn look_after_log(&mut self) {
        let Some(mut writing) = self.connection.take() else { return };
        match writing.begin_log(&self.guard) {
            Ok(true) if !self.has_begun => {
                self.has_begun = true;
                // Not in the file of which somebody may have made a copy while it was at rest.
                writing.fold_log();
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the beginning of a log could not be noted: it is later"),
        }
        let size = writing.log.as_ref().and_then(|log| log.size().ok()).unwrap_or(0);
        if size < LARGE_LOG {
            self.large = LARGE_LOG;
        } else if size >= self.large {
            self.large = size.saturating_mul(2);
            let megabytes = size >> 20;
            tracing::warn!(megabytes, "the log of the database file is large: somebody reads for long");
            writing.fold_log();
        }
        self.connection = Some(writing);
    }

    /// Does the work of a group, which those who wait join until it is enough.
    ///
    /// # Errors
    ///
    /// If it is the fault of none of them: the transaction can be neither begun nor committed.
    fn attempt(
        &mut self,
        group: &mut Vec<Box<dyn Turn>>,
        queue: Option<&Queue>,
    ) -> Result<Attempt, StorageError> {
        let mut writing = self.take()?;
        let connection = &mut writing.connection;
        // Immediate: a transaction that read first and then waited to write could not go on.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut place, mut bytes) = (0, 0);
        while let Some(call) = group.get_mut(place) {
            let ran = call.run(&transaction);
            if matches!(ran, Ran::Failed(_) | Ran::Panicked) {
                drop(transaction);
                if is_usable_after(ran) && connection.is_autocommit() {
                    self.connection = Some(writing);
                }
                return Ok(Attempt::Failed(place));
            }
            if transaction.is_autocommit() {
                return Err(failed(&"it ended too early"));
            }
            (place, bytes) = (place + 1, bytes + call.bytes());
            if place == group.len() && place < MAX_CALLS && bytes < MAX_BYTES {
                group.extend(queue.and_then(|queue| queue.try_recv().ok()));
            }
        }
        if let Err(error) = transaction.commit() {
            if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
                // What the disk has of it, nobody knows.
                self.guard.suspend("a commit failed");
            }
            return Err(failed(&error));
        }
        self.connection = Some(writing);
        // Before anybody is told, so that no acknowledged record is in a log whose beginning is not noted.
        self.look_after_log();
        Ok(Attempt::Committed)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(writing) = self.connection.take() {
            self.guard.close(writing.connection);
        }
    }
}

impl Writing {
    /// Notes that a log was begun, if it was. Says whether it is noted now.
    fn begin_log(&mut self, guard: &Guard) -> Result<bool, StorageError> {
        if self.log.is_none() {
            self.log = Log::open(&guard.path).ok();
        }
        let Some(salts) = self.log.as_ref().and_then(Log::salts) else { return Ok(false) };
        if self.begun == Some(salts) {
            return Ok(false);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        identity::begin_log(&transaction, &guard.path, salts)?;
        transaction.commit()?;
        self.begun = Some(salts);
        Ok(true)
    }

    /// Folds the log into the file and makes it empty, if nobody reads what is in it just now.
    fn fold_log(&mut self) {
        let mut fold = || {
            self.connection.busy_timeout(Duration::from_millis(50))?;
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            use_patience(&mut self.connection)
        };
        if let Err(error) = fold() {
            tracing::warn!(%error, "the log could not be folded into the database file: it is later");
        }
    }
}

fn drop_a_piece(connection: &mut Connection) -> Result<bool, StorageError> {
    if !layout::has_discarded(connection)? {
        return Ok(false);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let dropped = layout::drop_a_piece(&transaction)?;
    transaction.commit()?;
    Ok(dropped)
}

/// The error of those whose own work is done, and undone again.
fn failed(cause: &dyn std::fmt::Display) -> StorageError {
    StorageError::new(StorageErrorKind::Unavailable, format!("the transaction failed: {cause}"))
}

/// Whether a connection may be used again: what failed was not its fault, and nothing broke off in the middle.
fn is_usable_after(ran: Ran) -> bool {
    !matches!(ran, Ran::Panicked | Ran::Failed(StorageErrorKind::Unavailable | StorageErrorKind::Internal))
}
