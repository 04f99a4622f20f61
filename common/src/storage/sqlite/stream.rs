//! An answer of many records on its way: read page by page within one snapshot, on a thread of its own.
//!
//! Up to the first page it is a query like others. Then it leaves its turn to the next, since how long it
//! takes is up to whoever receives it, and takes one of the places for such answers.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::storage::pages::PageSender;
use crate::storage::{Document, Names, NamesSeen, StorageError, StorageErrorKind, WantedNames};

/// How many answers of several pages there may be at once. Each has a thread, a connection, and pages.
pub(super) const STREAMS: usize = 32;

/// The pages of an answer, and its right to take up a thread.
pub(super) struct Stream {
    pages: PageSender,
    /// Until the first page is full, the turn that it has; then a place among its like.
    turn: OwnedSemaphorePermit,
    places: Arc<Semaphore>,
    has_place: bool,
}

/// Calls what it is given with record after record of an answer, in order.
type EachRecord<'a> =
    dyn Fn(&mut dyn FnMut(&[u8]) -> Result<(), StorageError>) -> Result<(), StorageError> + 'a;

impl Stream {
    pub(super) fn new(pages: PageSender, turn: OwnedSemaphorePermit, places: Arc<Semaphore>) -> Self {
        Self { pages, turn, places, has_place: false }
    }

    /// Sends the records that `each` goes through, having gone through them for their names first if those
    /// are wanted and there is more than a page.
    pub(super) fn send(
        &mut self,
        connection: &Connection,
        names: WantedNames,
        each: &EachRecord<'_>,
    ) -> Result<(), StorageError> {
        match names {
            WantedNames::None => self.send_all(connection, each),
            WantedNames::All => {
                let Some(names) = self.first_page_or_names(connection, each)? else { return Ok(()) };
                self.pages.send_names_blocking(names)?;
                self.send_all(connection, each)
            }
        }
    }

    /// Says how it ended.
    pub(super) fn end(self, done: Result<(), StorageError>) {
        let Self { pages, turn, .. } = self;
        pages.end_blocking(done);
        drop(turn);
    }

    /// Makes the connection what it was, for others.
    pub(super) fn leave_connection(&self, connection: &Connection) -> Result<(), StorageError> {
        if !self.has_place {
            return Ok(());
        }
        Ok(connection.execute_batch("PRAGMA cache_size = -16384")?)
    }

    fn send_all(&mut self, connection: &Connection, each: &EachRecord<'_>) -> Result<(), StorageError> {
        each(&mut |document| {
            if self.pages.is_full() {
                self.take_place(connection)?;
                self.pages.send_page_blocking()?;
            }
            self.pages.push(document);
            Ok(())
        })
    }

    /// Fills the first page; if there is more, the names of all fields.
    fn first_page_or_names(
        &mut self,
        connection: &Connection,
        each: &EachRecord<'_>,
    ) -> Result<Option<Names>, StorageError> {
        let mut names = NamesSeen::default();
        each(&mut |document| {
            names.add(Document::new(document)?)?;
            if self.pages.is_full() {
                self.take_place(connection)?;
                self.pages.clear();
            }
            if !self.has_place {
                self.pages.push(document);
            }
            Ok(())
        })?;
        Ok(self.has_place.then(|| names.into_names()))
    }

    /// Changes the turn for a place. Each record is read once, so little of the file is kept at hand.
    fn take_place(&mut self, connection: &Connection) -> Result<(), StorageError> {
        if self.has_place {
            return Ok(());
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!(max = STREAMS, "no place for more answers of many records: some are refused");
            return Err(StorageError::new(
                StorageErrorKind::Busy,
                "others receive as many answers as may be",
            ));
        };
        (self.turn, self.has_place) = (place, true);
        Ok(connection.execute_batch("PRAGMA cache_size = -2048")?)
    }
}
