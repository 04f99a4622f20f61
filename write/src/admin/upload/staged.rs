//! Files between their preview and being stored, in the memory of this process.
//!
//! A file is kept as it came, and read again when it is stored: it is small, and its records are
//! many times as large. Of one that is stored only the receipt stays, so that a page that is loaded
//! again, or a button that is pressed twice, stores nothing twice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backdrop_common::bucket::BucketName;
use backdrop_common::timestamp::Timestamp;
use uuid::Uuid;

use super::Receipt;

/// How long a file waits, in milliseconds.
const WAITING: i64 = 15 * 60 * 1000;
/// How long storing one can take, in milliseconds. It ends before, unless something broke.
const STORING: i64 = 60 * 60 * 1000;
/// How long a receipt is kept, in milliseconds.
const RECEIPTS: i64 = 24 * 60 * 60 * 1000;
/// Bytes of all files that wait.
const MAX_BYTES: usize = 64_000_000;
/// Files and receipts.
const MAX_ENTRIES: usize = 1000;
/// Files of one person that wait.
const MAX_OF_PERSON: usize = 5;

/// A file as it came.
#[derive(Clone, Debug)]
pub(crate) struct UploadedFile {
    /// What the person's computer calls it: to be shown, and nothing else.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) bytes: Arc<[u8]>,
}

/// Whose upload it is, and into which bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The person's email address.
    pub(crate) email: String,
    /// The bucket.
    pub(crate) bucket: BucketName,
}

/// What became of an upload that is to be stored.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It can be stored, by whoever got this.
    File(UploadedFile),
    /// It is stored.
    Receipt(Receipt),
    /// It is being stored just now.
    Busy,
    /// It is forgotten, or never was this person's.
    Gone,
}

enum State {
    Waiting(UploadedFile),
    Storing(UploadedFile),
    Stored(Receipt),
}

impl State {
    fn bytes(&self) -> usize {
        match self {
            Self::Waiting(file) | Self::Storing(file) => file.bytes.len(),
            Self::Stored(_) => 0,
        }
    }

    /// How long it is kept.
    fn lifetime(&self) -> i64 {
        match self {
            Self::Waiting(_) => WAITING,
            Self::Storing(_) => STORING,
            Self::Stored(_) => RECEIPTS,
        }
    }
}

struct Entry {
    id: Uuid,
    owner: Owner,
    /// Since when it is what it is.
    since: Timestamp,
    state: State,
}

/// All of them, the oldest first.
#[derive(Default)]
pub(crate) struct StagedUploads(Mutex<Vec<Entry>>);

impl StagedUploads {
    /// Keeps a file for its person. The oldest go where there is no room.
    pub(crate) fn stage(&self, owner: Owner, file: UploadedFile, now: Timestamp) -> Uuid {
        let mut entries = self.current(now);
        let is_of_person =
            |entry: &Entry| matches!(entry.state, State::Waiting(_)) && entry.owner.email == owner.email;
        while entries.iter().filter(|entry| is_of_person(entry)).count() >= MAX_OF_PERSON {
            drop_first(&mut entries, is_of_person);
        }
        let is_file = |entry: &Entry| matches!(entry.state, State::Waiting(_));
        let bytes = |entries: &[Entry]| entries.iter().map(|entry| entry.state.bytes()).sum::<usize>();
        while bytes(&entries) + file.bytes.len() > MAX_BYTES && drop_first(&mut entries, is_file) {}
        let may_go = |entry: &Entry| !matches!(entry.state, State::Storing(_));
        while entries.len() >= MAX_ENTRIES && drop_first(&mut entries, may_go) {}
        let id = Uuid::new_v4();
        entries.push(Entry { id, owner, since: now, state: State::Waiting(file) });
        id
    }

    /// Takes a file to store it. Whoever gets it must say how that went, with
    /// [`StagedUploads::stored`] or [`StagedUploads::release`].
    pub(crate) fn take(&self, id: Uuid, owner: &Owner, now: Timestamp) -> Taken {
        let mut entries = self.current(now);
        let found = entries.iter_mut().find(|entry| entry.id == id && entry.owner == *owner);
        let Some(entry) = found else { return Taken::Gone };
        match &entry.state {
            State::Waiting(file) => {
                let file = file.clone();
                entry.state = State::Storing(file.clone());
                Taken::File(file)
            }
            State::Storing(_) => Taken::Busy,
            State::Stored(receipt) => Taken::Receipt(receipt.clone()),
        }
    }

    /// It is stored.
    pub(crate) fn stored(&self, id: Uuid, receipt: Receipt, now: Timestamp) {
        self.change(id, now, |_| State::Stored(receipt));
    }

    /// It is not stored, and may be tried again.
    pub(crate) fn release(&self, id: Uuid, now: Timestamp) {
        self.change(id, now, |state| match state {
            State::Storing(file) => State::Waiting(file),
            other => other,
        });
    }

    fn change(&self, id: Uuid, now: Timestamp, change: impl FnOnce(State) -> State) {
        let mut entries = self.current(now);
        if let Some(place) = entries.iter().position(|entry| entry.id == id) {
            let Entry { owner, state, .. } = entries.remove(place);
            entries.push(Entry { id, owner, since: now, state: change(state) });
        }
    }

    /// Those that are not too old.
    fn current(&self, now: Timestamp) -> MutexGuard<'_, Vec<Entry>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| now.millis() - entry.since.millis() < entry.state.lifetime());
        entries
    }
}

/// Drops the oldest of some kind. Says whether there was one.
fn drop_first(entries: &mut Vec<Entry>, is_of_kind: impl Fn(&Entry) -> bool) -> bool {
    let first = entries.iter().position(is_of_kind);
    first.map(|place| entries.remove(place)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * MINUTE).expect("a time")
    }

    fn owner(email: &str) -> Owner {
        Owner { email: email.to_owned(), bucket: BucketName::parse("foo").expect("a name") }
    }

    fn file(length: usize) -> UploadedFile {
        UploadedFile { name: "a.csv".to_owned(), bytes: vec![0; length].into() }
    }

    #[track_caller]
    fn check(staged: &StagedUploads, id: Uuid, email: &str, minutes: i64, expected: &str) {
        let taken = match staged.take(id, &owner(email), at(minutes)) {
            Taken::File(_) => "file",
            Taken::Receipt(_) => "receipt",
            Taken::Busy => "busy",
            Taken::Gone => "gone",
        };
        assert_eq!(taken, expected);
    }

    #[test]
    fn a_file_is_stored_once() {
        let staged = StagedUploads::default();
        let id = staged.stage(owner("ann@x"), file(1), at(0));
        check(&staged, id, "ben@x", 1, "gone");
        check(&staged, Uuid::new_v4(), "ann@x", 1, "gone");
        check(&staged, id, "ann@x", 1, "file");
        check(&staged, id, "ann@x", 1, "busy");
        staged.release(id, at(2));
        check(&staged, id, "ann@x", 2, "file");
        staged.stored(id, Receipt::default(), at(3));
        staged.release(id, at(3));
        check(&staged, id, "ann@x", 60, "receipt");
        check(&staged, id, "ann@x", 24 * 60 + 3, "gone");
    }

    #[test]
    fn a_file_waits_for_a_quarter_of_an_hour() {
        let staged = StagedUploads::default();
        let id = staged.stage(owner("ann@x"), file(1), at(0));
        let other = staged.stage(owner("ann@x"), file(1), at(1));
        check(&staged, id, "ann@x", 15, "gone");
        check(&staged, other, "ann@x", 15, "file");
        check(&staged, other, "ann@x", 60, "busy");
    }

    #[test]
    fn the_oldest_make_room() {
        let staged = StagedUploads::default();
        let ids: Vec<_> = (0..6).map(|_| staged.stage(owner("ann@x"), file(1), at(0))).collect();
        check(&staged, ids[0], "ann@x", 0, "gone");
        check(&staged, ids[1], "ann@x", 0, "file");
        let large = staged.stage(owner("ben@x"), file(MAX_BYTES - 1), at(0));
        check(&staged, ids[5], "ann@x", 0, "gone");
        check(&staged, ids[1], "ann@x", 0, "busy");
        check(&staged, large, "ben@x", 0, "file");
    }
}
