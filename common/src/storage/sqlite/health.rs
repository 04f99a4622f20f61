//! Whether the file can be read, asked over a connection and a thread of its own: so no query, however many there
//! are, makes the answer wait for its turn.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::connections::open_reader;
use super::guard::Guard;
use super::layout;
use super::turns::not_in_time;
use super::writer::PATIENCE;
use crate::storage::{StorageError, StorageErrorKind};

/// The answer for all who ask at once; an error has its kind and its words.
type Answer = Result<(), (StorageErrorKind, String)>;

/// The way to the thread. It ends when this is dropped.
pub(super) struct Health {
    questions: Sender<oneshot::Sender<Answer>>,
}

impl Health {
    /// Starts the thread, for a file that is open.
    pub(super) fn start(guard: &Arc<Guard>) -> Result<Self, StorageError> {
        let (questions, asked) = channel();
        let look = Look { guard: Arc::clone(guard), connection: None };
        let started =
            thread::Builder::new().name("backdrop-health".to_owned()).spawn(move || look.answer(&asked));
        started.map_err(|error| StorageError::new(StorageErrorKind::Unavailable, error))?;
        Ok(Self { questions })
    }

    /// Whether the file can be read now.
    pub(super) async fn ping(&self) -> Result<(), StorageError> {
        let ended = || StorageError::new(StorageErrorKind::Internal, "the thread for health has ended");
        let (sender, answer) = oneshot::channel();
        self.questions.send(sender).map_err(|_| ended())?;
        let answer = timeout(PATIENCE, answer).await.map_err(|_| not_in_time())?;
        answer.map_err(|_| ended())?.map_err(|(kind, message)| StorageError::new(kind, message))
    }
}

/// What the thread has.
struct Look {
    guard: Arc<Guard>,
    connection: Option<Connection>,
}

impl Drop for Look {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.guard.close(connection);
        }
    }
}

impl Look {
    fn answer(mut self, asked: &Receiver<oneshot::Sender<Answer>>) {
        while let Ok(first) = asked.recv() {
            let others: Vec<_> = asked.try_iter().collect();
            let answer = self.look().map_err(|error| (error.kind(), error.cause().to_string()));
            for sender in others.into_iter().chain([first]) {
                // Whoever asked may have gone.
                let _ = sender.send(answer.clone());
            }
        }
    }

    /// Looks at the file. A connection over which that failed is not used again.
    fn look(&mut self) -> Result<(), StorageError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.guard.check_path()?;
                open_reader(&self.guard.path)?
            }
        };
        // Whether it is the right file, too.
        match self.guard.check(&connection).and_then(|()| layout::check(&connection)) {
            Ok(_) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(error) => {
                self.guard.close(connection);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::connections::{open, open_writer};
    use super::*;

    #[tokio::test]
    async fn a_file_is_well_until_it_is_another_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backdrop.db");
        let guard = open(&path).expect("a database");
        let writer = open_writer(&guard).expect("a connection");
        let health = Health::start(&guard).expect("a thread");
        let (one, other) = tokio::join!(health.ping(), health.ping());
        one.and(other).expect("it is well");
        writer.pragma_update(None, "application_id", 1).expect("a change");
        let error = health.ping().await.expect_err("it is not ours");
        assert_eq!(error.kind(), StorageErrorKind::Internal);
        assert!(error.to_string().ends_with("of another program"), "{error}");
    }
}
