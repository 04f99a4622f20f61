//! Whose turn it is to read, and for how long: a bounded number of threads for all readers together.
//!
//! What looks up a few rows has turns of its own, so that it never waits for queries that look at many records.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use super::writer::PATIENCE;
use crate::storage::{StorageError, StorageErrorKind};

/// Readers of either kind at once, for each processor: they wait for the disk at times.
pub(super) const READERS_PER_PROCESSOR: usize = 4;

/// How much a call reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// A few rows, found by an index.
    Short,
    /// It may be all records.
    Long,
}

/// The turns of those who read, each kind in the order in which they came.
pub(super) struct Turns {
    short: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

impl Turns {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let turns = || Arc::new(Semaphore::new(processors * READERS_PER_PROCESSOR));
        Self { short: turns(), long: turns() }
    }

    pub(super) fn of(&self, length: Length) -> &Arc<Semaphore> {
        match length {
            Length::Short => &self.short,
            Length::Long => &self.long,
        }
    }

    /// Waits for a turn.
    pub(super) async fn turn(
        &self,
        length: Length,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, StorageError> {
        let waited = timeout_at(deadline, Arc::clone(self.of(length)).acquire_owned()).await;
        waited.map_err(|_| not_in_time())?.map_err(|_| not_in_time())
    }

    /// Runs blocking work when its turn comes, and waits for it no longer than the time it may take.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        length: Length,
        deadline: Instant,
        time_limit: Option<Duration>,
        work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let turn = self.turn(length, deadline).await?;
        let work = spawn_blocking(move || {
            // The turn lasts as long as the work, also if nobody waits for it any more.
            let _turn = turn;
            work()
        });
        let done = match time_limit {
            None => work.await,
            Some(limit) => timeout(limit, work).await.map_err(|_| too_slow(limit))?,
        };
        done.unwrap_or_else(|panic| Err(StorageError::new(StorageErrorKind::Internal, panic)))
    }
}

/// Until when a call waits for its turns that begins now.
pub(super) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

pub(super) fn not_in_time() -> StorageError {
    let message = format!("others were not done within {} s", PATIENCE.as_secs());
    StorageError::new(StorageErrorKind::Unavailable, message)
}

/// The same that MongoDB's engine says of a query that ran into its time limit.
pub(super) fn too_slow(limit: Duration) -> StorageError {
    let message = format!("the query was not done within max_time_ms ({} ms)", limit.as_millis());
    StorageError::new(StorageErrorKind::Unavailable, message)
}
