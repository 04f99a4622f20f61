//! Whether the file can be read, asked over a connection and a thread of its own: so no query, however many there
//! are, makes the answer wait for its turn.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::connections::open_reader;
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
    /// Starts the thread, for a file that the writer has opened.
    pub(super) fn start(path: &Path) -> Result<Self, StorageError> {
        let (questions, asked) = channel();
        let look = Look { path: path.to_owned(), connection: None };
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
    path: PathBuf,
    connection: Option<Connection>,
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
            None => open_reader(&self.path)?,
        };
        layout::check(&connection)?;
        self.connection = Some(connection);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::connections::open_writer;
    use super::*;

    #[tokio::test]
    async fn a_file_is_well_until_it_is_another_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backdrop.db");
        let writer = open_writer(&path).expect("a database");
        let health = Health::start(&path).expect("a thread");
        let (one, other) = tokio::join!(health.ping(), health.ping());
        one.and(other).expect("it is well");
        writer.pragma_update(None, "application_id", 1).expect("a change");
        let error = health.ping().await.expect_err("it is not ours");
        assert_eq!(error.kind(), StorageErrorKind::Internal);
        assert!(error.to_string().ends_with("of another program"), "{error}");
    }
}
