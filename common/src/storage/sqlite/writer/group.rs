//! Calls that share a transaction, and the connection that it runs on.
//!
//! If one of them fails, the transaction is undone and the others are done again without it. That is rare;
//! a savepoint for each would have SQLite copy every page that it changes, always.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use super::Queue;
use super::call::{Ran, Turn};
use crate::storage::sqlite::connections::open_writer;
use crate::storage::{StorageError, StorageErrorKind};

/// How many calls share a commit. Whoever comes first waits for the rest of its group.
const MAX_CALLS: usize = 512;
/// How much they write, about, in bytes; the last of them may write more.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// The file, and the connection that writes to it.
pub(super) struct Store {
    path: PathBuf,
    /// None after an error that only a new connection gets over.
    connection: Option<Connection>,
}

/// How an attempt to do the work of a group ended.
enum Attempt {
    /// All of it is on the disk.
    Committed,
    /// The call at this place failed, and all is undone.
    Failed(usize),
}

impl Store {
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        Ok(Self { path: path.to_owned(), connection: Some(open_writer(path)?) })
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
        // Taken out, so that a connection that failed is closed; it would remember, for instance,
        // that the file was read-only when it was opened.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => open_writer(&self.path)?,
        };
        // Immediate: a transaction that read first and then waited to write could not go on.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut place, mut bytes) = (0, 0);
        while let Some(call) = group.get_mut(place) {
            let ran = call.run(&transaction);
            if matches!(ran, Ran::Failed(_) | Ran::Panicked) {
                drop(transaction);
                if is_usable_after(ran) && connection.is_autocommit() {
                    self.connection = Some(connection);
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
        transaction.commit().map_err(|error| failed(&error))?;
        self.connection = Some(connection);
        Ok(Attempt::Committed)
    }
}

/// The error of those whose own work is done, and undone again.
fn failed(cause: &dyn std::fmt::Display) -> StorageError {
    StorageError::new(StorageErrorKind::Unavailable, format!("the transaction failed: {cause}"))
}

/// Whether a connection may be used again: what failed was not its fault, and nothing broke off in the middle.
fn is_usable_after(ran: Ran) -> bool {
    !matches!(ran, Ran::Panicked | Ran::Failed(StorageErrorKind::Unavailable | StorageErrorKind::Internal))
}
