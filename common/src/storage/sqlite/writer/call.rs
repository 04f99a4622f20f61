//! One call: its work, which either the thread takes or the caller gives up, and its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Transaction;
use tokio::sync::oneshot;

use crate::storage::{StorageError, StorageErrorKind};

/// Work that waits for its turn. Whoever takes it out first has it: the thread to do it, or the caller
/// to give it up. So no work is done of which the caller was told that it is not.
struct Work<W>(Arc<Mutex<Option<W>>>);

impl<W> Work<W> {
    fn lock(&self) -> MutexGuard<'_, Option<W>> {
        // It is locked for a moment, in which nothing panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<W> {
        self.lock().take()
    }
}

/// A call as the thread has it.
pub(super) trait Turn: Send {
    /// About how many bytes it writes.
    fn bytes(&self) -> usize;

    /// Whether nobody waited for it any more before it had its turn.
    fn is_given_up(&self) -> bool;

    /// Does the work, once more if need be, and keeps what came of it.
    fn run(&mut self, transaction: &Transaction<'_>) -> Ran;

    /// Answers the caller, now that the transaction is committed or has failed. An error of its own
    /// goes before that of the transaction.
    fn answer(self: Box<Self>, committed: Result<(), &StorageError>);
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// The work is done.
    Done,
    /// It failed, with an error of this kind.
    Failed(StorageErrorKind),
    /// It panicked.
    Panicked,
    /// There was nobody who waits for it.
    GivenUp,
}

pub(super) struct Call<T, W> {
    bytes: usize,
    waiting: Work<W>,
    /// The work, once it has its turn.
    taken: Option<W>,
    done: Option<Result<T, StorageError>>,
    answer: oneshot::Sender<Result<T, StorageError>>,
}

/// The caller's end. When it is dropped, work that waits is given up.
pub(super) struct Caller<T, W> {
    work: Work<W>,
    answered: oneshot::Receiver<Result<T, StorageError>>,
}

impl<T, W> Call<T, W>
where
    T: Send + 'static,
    W: FnMut(&Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
{
    pub(super) fn prepare(bytes: usize, work: W) -> (Box<dyn Turn>, Caller<T, W>) {
        let work = Arc::new(Mutex::new(Some(work)));
        let (answer, answered) = oneshot::channel();
        let call = Self { bytes, waiting: Work(Arc::clone(&work)), taken: None, done: None, answer };
        (Box::new(call), Caller { work: Work(work), answered })
    }
}

impl<T, W> Turn for Call<T, W>
where
    T: Send,
    W: FnMut(&Transaction<'_>) -> Result<T, StorageError> + Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_given_up(&self) -> bool {
        self.taken.is_none() && self.waiting.lock().is_none()
    }

    fn run(&mut self, transaction: &Transaction<'_>) -> Ran {
        self.taken = self.taken.take().or_else(|| self.waiting.take());
        let Some(work) = &mut self.taken else { return Ran::GivenUp };
        // What the work leaves half done is in the transaction, which is undone.
        let (ran, done) = match catch_unwind(AssertUnwindSafe(|| work(transaction))) {
            Ok(Ok(done)) => (Ran::Done, Ok(done)),
            Ok(Err(error)) => (Ran::Failed(error.kind()), Err(error)),
            Err(_) => (Ran::Panicked, Err(StorageError::new(StorageErrorKind::Internal, "a write panicked"))),
        };
        self.done = Some(done);
        ran
    }

    fn answer(self: Box<Self>, committed: Result<(), &StorageError>) {
        let answer = match (self.done, committed) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(StorageError::new(error.kind(), error.cause().to_string())),
            (Some(Ok(done)), Ok(())) => Ok(done),
            (None, Ok(())) => return,
        };
        // Whoever does not wait any more does not get it.
        let _ = self.answer.send(answer);
    }
}

impl<T, W> Caller<T, W> {
    /// Waits for the answer.
    pub(super) async fn answer(&mut self) -> Result<T, StorageError> {
        (&mut self.answered).await.unwrap_or_else(|_| {
            Err(StorageError::new(StorageErrorKind::Internal, "the thread that writes has ended"))
        })
    }

    /// Gives the work up. False if it has its turn, or had it.
    pub(super) fn gives_up(&self) -> bool {
        self.work.take().is_some()
    }
}

impl<T, W> Drop for Caller<T, W> {
    fn drop(&mut self) {
        self.gives_up();
    }
}
