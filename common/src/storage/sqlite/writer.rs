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

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Transaction;
use tokio::time::timeout;

use self::call::{Call, Turn};
#[cfg(test)]
use self::group::MAX_BYTES as MAX_GROUP_BYTES;
use self::group::Store;
use super::guard::Guard;
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
    /// Starts the thread. It opens the file when there is something to write.
    pub(super) fn new(guard: &Arc<Guard>) -> Result<Self, StorageError> {
        Self::with_room(guard, QUEUE)
    }

    /// The same, with room for so many calls in the queue.
    pub(super) fn with_room(guard: &Arc<Guard>, room: usize) -> Result<Self, StorageError> {
        let store = Store::new(guard);
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

/// Serves calls until nobody can make any. What is to be dropped is dropped a piece at a time: while nobody
/// waits, and now and then while somebody does.
fn serve(mut store: Store, calls: &Queue, is_short: &AtomicBool) {
    /// How many groups there are to a piece.
    const GROUPS: u32 = 16;
    for turn in 1_u32.. {
        let Some(first) = calls.try_recv().ok().or_else(|| {
            is_short.store(false, Ordering::Relaxed);
            next_while_tidying(&mut store, calls)
        }) else {
            return;
        };
        store.run_group(first, calls);
        if turn.is_multiple_of(GROUPS) {
            store.drop_a_piece();
        }
    }
}

fn next_while_tidying(store: &mut Store, calls: &Queue) -> Option<Box<dyn Turn>> {
    /// How often a file that could not be written to is opened anew, to see whether it can be.
    const PAUSE: Duration = Duration::from_secs(1);
    while store.drop_a_piece() {
        match calls.try_recv() {
            Ok(call) => return Some(call),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return None,
        }
    }
    while store.is_suspended() {
        match calls.recv_timeout(PAUSE) {
            Ok(call) => return Some(call),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    calls.recv().ok()
}

#[cfg(test)]
mod tests;
