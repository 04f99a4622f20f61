//! The one thread that writes.
//!
//! Calls wait in a queue. The thread takes what waits, does the work of each in one transaction, commits
//! once, and only then answers each. So a flush of the disk serves all who wait,
//! and nobody is told that something is stored before it is on the disk.
//!
//! ```text
//! write() ── queue ──▶ thread ── group: BEGIN, work, work, …, COMMIT ──▶ answers
//!                                  └── call: waits, is taken, or is given up
//! ```

mod call;
mod group;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Transaction;
use tokio::time::timeout;

use self::call::{Call, Turn};
#[cfg(test)]
use self::group::MAX_BYTES as MAX_GROUP_BYTES;
use self::group::Store;
use crate::storage::{StorageError, StorageErrorKind};

/// How long a call waits for its turn before it is answered that the store is unavailable.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How many calls may wait. What they hold in memory is bounded by who makes them.
const QUEUE: usize = 4096;

type Queue = Receiver<Box<dyn Turn>>;

/// The thread, and the way into its queue. When this is dropped the thread does what waits, and ends.
pub(super) struct Writer {
    /// None only while this is dropped.
    queue: Option<SyncSender<Box<dyn Turn>>>,
    /// Whether somebody was refused since the queue was empty.
    is_short: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens the file, makes it and its layout where they are missing, and starts the thread.
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        Self::with_room(path, QUEUE)
    }

    /// The same, with room for so many calls in the queue.
    pub(super) fn with_room(path: &Path, room: usize) -> Result<Self, StorageError> {
        let store = Store::open(path)?;
        let (queue, calls) = sync_channel(room);
        let is_short = Arc::new(AtomicBool::new(false));
        let was_short = Arc::clone(&is_short);
        let thread = std::thread::Builder::new()
            .name("backdrop-writer".to_owned())
            .spawn(move || serve(store, &calls, &was_short))
            .map_err(|error| StorageError::new(StorageErrorKind::Unavailable, error))?;
        Ok(Self { queue: Some(queue), is_short, thread: Some(thread) })
    }

    /// Does work in a transaction that is on the disk when this returns, or undone. `bytes` is about how
    /// much it writes: large ones share a commit with fewer others.
    ///
    /// Work that nobody waits for any more when its turn comes is not done. It is done again if another's
    /// that shares the transaction fails.
    ///
    /// # Errors
    ///
    /// That of the work; [`Busy`](StorageErrorKind::Busy) if too many wait already, and
    /// [`Unavailable`](StorageErrorKind::Unavailable) if its turn does not come, or the transaction
    /// could not be begun or committed.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnMut(&Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (call, mut caller) = Call::prepare(bytes, work);
        self.send(call)?;
        match timeout(PATIENCE, caller.answer()).await {
            Ok(answer) => answer,
            Err(_) if caller.gives_up() => {
                let message = format!("others were not done within {} s", PATIENCE.as_secs());
                Err(StorageError::new(StorageErrorKind::Unavailable, message))
            }
            // It has its turn, so there will be an answer.
            Err(_) => caller.answer().await,
        }
    }

    fn send(&self, call: Box<dyn Turn>) -> Result<(), StorageError> {
        let queue = self.queue.as_ref().expect("it is there until this is dropped");
        queue.try_send(call).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                if !self.is_short.swap(true, Ordering::Relaxed) {
                    tracing::warn!(max = QUEUE, "too many wait for their turn to write: some are refused");
                }
                StorageError::new(StorageErrorKind::Busy, "too many wait for their turn to write")
            }
            TrySendError::Disconnected(_) => {
                StorageError::new(StorageErrorKind::Internal, "the thread that writes has ended")
            }
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // The file is closed when this returns. A panic of the thread was logged when it happened.
            let _ = thread.join();
        }
    }
}

/// Serves calls until nobody can make any.
fn serve(mut store: Store, calls: &Queue, is_short: &AtomicBool) {
    loop {
        let waiting = calls.try_recv().ok();
        let Some(first) = waiting.or_else(|| {
            is_short.store(false, Ordering::Relaxed);
            calls.recv().ok()
        }) else {
            return;
        };
        store.run_group(first, calls);
    }
}

#[cfg(test)]
mod tests;
