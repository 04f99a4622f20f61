//! The records that a query found, page by page, so that no answer is in memory whole.
//!
//! Whoever finds them sends pages through a channel that has room for a few. If nobody takes a page for a
//! while, finding ends, so that a slow receiver keeps neither a snapshot nor a thread. The end is said: a
//! channel that is closed without it means that there would have been more.

use std::mem::take;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;

use super::document::{Documents, Names};
use super::{StorageError, StorageErrorKind};

/// About how many bytes of records a page has. An answer that has no more is one page.
pub const PAGE_BYTES: usize = 128 * 1024;
/// How many pages of one answer there may be at once: one that is filled, those that lie ready, and one that
/// the receiver has.
pub const PAGES: usize = READY + 2;
/// How many pages lie ready.
const READY: usize = 2;
/// How long a page may wait to be taken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the names of all fields are wanted before the first record, where there is more than a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedNames {
    /// They are.
    All,
    /// They are not.
    None,
}

/// The records that a query found, in the order of the answer. Dropping it ends the finding.
pub struct RecordPages {
    first: Option<Documents>,
    rest: Option<Receiver<Piece>>,
    names: Option<Names>,
    /// Ends the work of whoever finds the records, when it is dropped.
    _work: Box<dyn Send + Sync>,
}

/// What is told by whoever finds records.
enum Piece {
    Names(Names),
    Page(Documents),
    Last(Documents),
    Failed(StorageError),
}

impl RecordPages {
    /// Records that are all there.
    pub fn whole(documents: Documents) -> Self {
        Self { first: Some(documents), rest: None, names: None, _work: Box::new(()) }
    }

    /// Whether the first page, which was not taken yet, is all there is.
    pub fn is_whole(&self) -> bool {
        self.rest.is_none()
    }

    /// Whether there are no records; known as long as no page was taken.
    pub fn is_empty(&self) -> bool {
        self.is_whole() && self.first.as_ref().is_none_or(Documents::is_empty)
    }

    /// The names of the fields of all records, where they were wanted and there is more than a page.
    pub fn names(&mut self) -> Option<Names> {
        self.names.take()
    }

    /// The next page; none after the last.
    ///
    /// # Errors
    ///
    /// What went wrong meanwhile: what was received until then is not the whole answer.
    pub async fn next(&mut self) -> Result<Option<Documents>, StorageError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some(rest) = &mut self.rest else { return Ok(None) };
        match rest.recv().await {
            Some(Piece::Page(page)) => Ok(Some(page)),
            Some(Piece::Last(page)) => {
                self.rest = None;
                Ok(Some(page))
            }
            Some(Piece::Failed(error)) => Err(error),
            Some(Piece::Names(_)) | None => Err(cut_off()),
        }
    }

    /// All of them, for who knows that they are not many.
    ///
    /// # Errors
    ///
    /// As [`RecordPages::next`].
    pub async fn collect(mut self) -> Result<Documents, StorageError> {
        let mut all = Documents::default();
        while let Some(page) = self.next().await? {
            if all.is_empty() { all = page } else { all.append(&page) }
        }
        Ok(all)
    }

    /// Waits for the first page.
    async fn first(mut self) -> Result<Self, StorageError> {
        while self.first.is_none() {
            let Some(rest) = &mut self.rest else { return Err(cut_off()) };
            match rest.recv().await {
                Some(Piece::Names(names)) => self.names = Some(names),
                Some(Piece::Page(page)) => self.first = Some(page),
                Some(Piece::Last(page)) => {
                    self.first = Some(page);
                    self.rest = None;
                }
                Some(Piece::Failed(error)) => return Err(error),
                None => return Err(cut_off()),
            }
        }
        Ok(self)
    }
}

fn cut_off() -> StorageError {
    StorageError::new(StorageErrorKind::Unavailable, "the records were not read to their end")
}

/// Fills pages with records and sends them.
pub(super) struct PageSender {
    pieces: Sender<Piece>,
    patience: Duration,
    page: Documents,
}

/// The receiving end, before the first page is there.
pub(super) struct Expected(Receiver<Piece>);

/// A sender, and what is received of it.
pub(super) fn pages(patience: Duration) -> (PageSender, Expected) {
    let (pieces, received) = mpsc::channel(READY);
    (PageSender { pieces, patience, page: Documents::default() }, Expected(received))
}

impl Expected {
    /// Waits for the first page. `work` ends the finding when it is dropped.
    ///
    /// # Errors
    ///
    /// What went wrong before there was one.
    pub(super) async fn begun(self, work: impl Send + Sync + 'static) -> Result<RecordPages, StorageError> {
        let pages = RecordPages { first: None, rest: Some(self.0), names: None, _work: Box::new(work) };
        pages.first().await
    }
}

impl PageSender {
    /// Adds a record to the page.
    pub(super) fn push(&mut self, document: &[u8]) {
        self.page.push(document);
    }

    /// Whether the page is to be sent before another record is added.
    pub(super) fn is_full(&self) -> bool {
        self.page.bytes() >= PAGE_BYTES
    }

    /// Throws the page away.
    pub(super) fn clear(&mut self) {
        self.page = Documents::default();
    }

    /// Sends the names of all fields.
    ///
    /// # Errors
    ///
    /// If nobody takes them, as with every piece.
    pub(super) fn send_names_blocking(&self, names: Names) -> Result<(), StorageError> {
        self.send_blocking(Piece::Names(names))
    }

    /// Sends the page, on a thread that may wait.
    ///
    /// # Errors
    ///
    /// If nobody takes it.
    pub(super) fn send_page_blocking(&mut self) -> Result<(), StorageError> {
        let page = take(&mut self.page);
        self.send_blocking(Piece::Page(page))
    }

    /// Says how it ended, and gives what is left, on a thread that may wait.
    pub(super) fn end_blocking(self, done: Result<(), StorageError>) {
        let Self { pieces, patience, page } = self;
        let last = done.map_or_else(Piece::Failed, |()| Piece::Last(page));
        // Nobody is left to be told that nobody took it.
        let _ = send_blocking(&pieces, patience, last);
    }

    fn send_blocking(&self, piece: Piece) -> Result<(), StorageError> {
        send_blocking(&self.pieces, self.patience, piece)
    }

    /// Sends the names of all fields.
    ///
    /// # Errors
    ///
    /// If nobody takes them.
    pub(super) async fn send_names(&self, names: Names) -> Result<(), StorageError> {
        send(&self.pieces, self.patience, Piece::Names(names)).await
    }

    /// Sends the page.
    ///
    /// # Errors
    ///
    /// If nobody takes it.
    pub(super) async fn send_page(&mut self) -> Result<(), StorageError> {
        let page = take(&mut self.page);
        send(&self.pieces, self.patience, Piece::Page(page)).await
    }

    /// Says how it ended, and gives what is left.
    pub(super) async fn end(self, done: Result<(), StorageError>) {
        let last = done.map_or_else(Piece::Failed, |()| Piece::Last(self.page));
        let _ = send(&self.pieces, self.patience, last).await;
    }
}

fn send_blocking(pieces: &Sender<Piece>, patience: Duration, piece: Piece) -> Result<(), StorageError> {
    match pieces.try_send(piece) {
        Ok(()) => Ok(()),
        Err(mpsc::error::TrySendError::Full(piece)) => {
            Handle::current().block_on(send(pieces, patience, piece))
        }
        Err(mpsc::error::TrySendError::Closed(_)) => Err(not_taken()),
    }
}

async fn send(pieces: &Sender<Piece>, patience: Duration, piece: Piece) -> Result<(), StorageError> {
    match timeout(patience, pieces.send(piece)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(not_taken()),
        Err(_) => {
            tracing::info!(seconds = patience.as_secs(), "an answer was given up: nobody took the next page");
            Err(not_taken())
        }
    }
}

fn not_taken() -> StorageError {
    StorageError::new(StorageErrorKind::Unavailable, "nobody takes the records any more")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills pages until nobody takes one; how many were sent.
    fn send_all(mut sender: PageSender) -> usize {
        let document = [5, 0, 0, 0, 0];
        for sent in 0.. {
            while !sender.is_full() {
                sender.push(&document);
            }
            if sender.send_page_blocking().is_err() {
                return sent;
            }
        }
        usize::MAX
    }

    #[tokio::test]
    async fn there_are_never_more_pages_than_that_and_finding_ends() {
        let (sender, expected) = pages(Duration::from_millis(1));
        let sent = tokio::task::spawn_blocking(|| send_all(sender)).await.expect("an end");
        assert_eq!(sent, PAGES - 2, "one more is filled, and one would be received");
        let mut pages = expected.begun(()).await.expect("the first page");
        for _ in 0..sent {
            assert!(pages.next().await.expect("a page").is_some());
        }
        assert!(pages.next().await.is_err(), "what is cut off is not taken for the whole");
    }

    #[tokio::test]
    async fn finding_ends_when_nobody_receives_it() {
        let (sender, expected) = pages(Duration::from_hours(1));
        let sent = tokio::task::spawn_blocking(|| send_all(sender));
        drop(expected.begun(()).await.expect("the first page"));
        assert!(sent.await.expect("an end") <= PAGES);
    }

    #[tokio::test]
    async fn what_goes_wrong_before_the_first_page_is_known_at_once() {
        let (sender, expected) = pages(PATIENCE);
        sender.end(Err(cut_off())).await;
        assert!(expected.begun(()).await.is_err());
        let (sender, expected) = pages(PATIENCE);
        drop(sender);
        assert!(expected.begun(()).await.is_err());
    }

    #[tokio::test]
    async fn an_error_in_the_middle_is_no_end() {
        let (mut sender, expected) = pages(PATIENCE);
        sender.push(&[5, 0, 0, 0, 0]);
        sender.send_page().await.expect("it has a place");
        sender.end(Err(cut_off())).await;
        let mut pages = expected.begun(()).await.expect("the first page");
        assert!(pages.next().await.is_ok() && pages.next().await.is_err() && pages.next().await.is_err());
    }
}
