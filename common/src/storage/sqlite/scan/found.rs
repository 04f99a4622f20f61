//! The records that a query for records found: sorted and limited as they come.

use super::Source;
use crate::query::RecordSort;
use crate::room::Reservation;
use crate::storage::{Documents, StorageError};
use crate::value::{Value, ValueRef};

/// How many bytes of records are kept at hand to be sorted. Of more, their numbers are, by which they are
/// read once more.
const AT_HAND: usize = 8 << 20;
/// How many records are found before it is looked again whether there is room for more.
const STEP: usize = 4096;

/// The records that a query for records found so far.
pub(super) struct Found<'q> {
    sort: Option<&'q RecordSort>,
    limit: Option<usize>,
    /// In the order of the answer, where nothing is left to sort.
    documents: Documents,
    /// Where something is: with their keys, in the order of writing.
    unsorted: Vec<Unsorted>,
    /// How many bytes the unsorted records have; none of which is kept if they are too many.
    bytes: usize,
    are_numbers: bool,
    /// How many bytes the keys have besides.
    key_bytes: usize,
    room: &'q mut Reservation,
}

struct Unsorted {
    key: Value,
    seq: i64,
    /// Empty if it is to be read once more.
    document: Box<[u8]>,
}

impl<'q> Found<'q> {
    pub(super) fn new(sort: Option<&'q RecordSort>, limit: Option<usize>, room: &'q mut Reservation) -> Self {
        Self {
            sort,
            limit,
            documents: Documents::default(),
            unsorted: Vec::new(),
            bytes: 0,
            are_numbers: false,
            key_bytes: 0,
            room,
        }
    }

    pub(super) fn push(&mut self, key: ValueRef<'_>, seq: i64, document: &[u8]) -> Result<(), StorageError> {
        if self.sort.is_none() {
            self.documents.push(document);
            return Ok(());
        }
        self.key_bytes += text_bytes(key);
        let document: Box<[u8]> = if self.are_numbers { Box::default() } else { document.into() };
        self.bytes += document.len();
        self.unsorted.push(Unsorted { key: key.to_value(), seq, document });
        if self.bytes > AT_HAND {
            self.keep_numbers();
        }
        // Now and then all but the best are let go, so that a limited answer needs little memory.
        if let Some(limit) = self.limit
            && self.unsorted.len() >= limit.saturating_mul(2).max(1024)
        {
            self.sort_and_limit();
        }
        if self.unsorted.len().is_multiple_of(STEP) {
            self.room
                .cover(self.unsorted.capacity() * size_of::<Unsorted>() + self.bytes + self.key_bytes)?;
        }
        Ok(())
    }

    /// Lets the records go, since they are more than is kept at hand.
    fn keep_numbers(&mut self) {
        for unsorted in &mut self.unsorted {
            unsorted.document = Box::default();
        }
        self.are_numbers = true;
        self.bytes = 0;
    }

    /// Whether enough was found to stop; not while a better record may follow.
    pub(super) fn is_complete(&self) -> bool {
        self.sort.is_none() && self.limit.is_some_and(|limit| self.documents.len() >= limit)
    }

    /// Whether there is more than is kept at hand, of records that are in order.
    pub(super) fn is_too_much(&self) -> bool {
        self.documents.bytes() > AT_HAND
    }

    fn sort_and_limit(&mut self) {
        if let Some(sort) = self.sort {
            self.unsorted.sort_unstable_by(|a, b| {
                sort.direction.apply(a.key.cmp(&b.key)).then_with(|| a.seq.cmp(&b.seq))
            });
        }
        if let Some(limit) = self.limit
            && limit < self.unsorted.len()
        {
            self.unsorted.truncate(limit);
            self.bytes = self.unsorted.iter().map(|unsorted| unsorted.document.len()).sum();
            self.key_bytes = self.unsorted.iter().map(|unsorted| text_bytes(unsorted.key.as_ref())).sum();
        }
    }

    pub(super) fn into_source(mut self) -> Source {
        self.sort_and_limit();
        if self.are_numbers {
            return Source::Numbers(self.unsorted.into_iter().map(|unsorted| unsorted.seq).collect());
        }
        for Unsorted { document, .. } in self.unsorted {
            self.documents.push(&document);
        }
        Source::Records(self.documents)
    }
}

fn text_bytes(key: ValueRef<'_>) -> usize {
    if let ValueRef::Text(text) = key { text.len() } else { 0 }
}
