//! Records on their way into a store: checked, and encoded already in the bare form, one after the other
//! in one piece of memory. Whoever checks them encodes them, so that an engine's one writer need not.

use std::ops::Range;

use super::document::Document;
use super::document::encoding::{ID_START, append, append_document};
use super::made_id;
use super::{StorageError, StoredRecord};
use crate::record::checks::RecordSink;
use crate::record::{Record, RecordId};
use crate::timestamp::Timestamp;
use crate::value::ValueRef;

/// Some records that are ready to be stored, each with its time of writing.
#[derive(Clone, Debug)]
pub struct NewRecords {
    updated_at: Timestamp,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// The encoded fields of the record that is being added.
    fields: Vec<u8>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where its document ends; it starts where the one before ends.
    end: usize,
    id_length: usize,
    /// Whether the id was sent, or follows from what was. Others name a `seq`, which the store knows.
    has_id: bool,
    timestamp: Option<Timestamp>,
}

impl NewRecords {
    /// None yet. `updated_at` is that of those that come.
    pub fn new(updated_at: Timestamp) -> Self {
        Self { updated_at, bytes: Vec::new(), entries: Vec::new(), fields: Vec::new() }
    }

    /// Adds a record that was not encoded.
    pub(crate) fn push(&mut self, record: &Record, updated_at: Timestamp) {
        self.updated_at = updated_at;
        for (key, value) in &record.fields {
            self.field(key, value.as_ref());
        }
        self.end(record.id.as_ref(), record.timestamp);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes they are, all together.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// How much memory they take, in bytes.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// The earliest and the latest `_timestamp`, for the audit log.
    pub fn time_span(&self) -> Option<(Timestamp, Timestamp)> {
        let times = || self.entries.iter().filter_map(|entry| entry.timestamp);
        Some((times().min()?, times().max()?))
    }

    /// Each of them, in order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = NewRecord<'_>> {
        let mut rest = self.bytes.as_mut_slice();
        let mut start = 0;
        self.entries.iter().map(move |entry| {
            let (document, behind) = std::mem::take(&mut rest).split_at_mut(entry.end - start);
            (rest, start) = (behind, entry.end);
            NewRecord { document, entry: *entry }
        })
    }

    /// What they are, for an engine that keeps them in another form.
    pub(crate) fn to_stored(&self) -> Result<Vec<StoredRecord>, StorageError> {
        let mut start = 0;
        let records = self.entries.iter().map(|entry| {
            let document = &self.bytes[std::mem::replace(&mut start, entry.end)..entry.end];
            let mut stored = Document::new(document)?.to_stored(self.updated_at)?;
            stored.record.id = stored.record.id.filter(|_| entry.has_id);
            Ok(stored)
        });
        records.collect()
    }
}

impl RecordSink for NewRecords {
    fn field(&mut self, key: &str, value: ValueRef<'_>) {
        append(&mut self.fields, key, value);
    }

    fn end(&mut self, id: Option<&RecordId>, timestamp: Option<Timestamp>) {
        let made = if id.is_none() { made_id::make(0, self.updated_at) } else { String::new() };
        let text = id.map_or(&*made, RecordId::as_str);
        append_document(&mut self.bytes, text, timestamp, &self.fields, self.updated_at);
        self.fields.clear();
        let (end, id_length) = (self.bytes.len(), text.len());
        self.entries.push(Entry { end, id_length, has_id: id.is_some(), timestamp });
    }
}

/// One record, where it lies. Its document is ready when it has its `seq`.
pub(crate) struct NewRecord<'a> {
    document: &'a mut [u8],
    entry: Entry,
}

impl NewRecord<'_> {
    fn id_range(&self) -> Range<usize> {
        ID_START..ID_START + self.entry.id_length
    }

    /// The id that was sent, or follows from what was.
    pub(crate) fn id(&self) -> Option<&str> {
        let id = &self.document[self.id_range()];
        self.entry.has_id.then(|| std::str::from_utf8(id).expect("it was made of text"))
    }

    pub(crate) fn timestamp(&self) -> Option<Timestamp> {
        self.entry.timestamp
    }

    /// Gives it its `seq`, which an id that we make names.
    pub(crate) fn set_seq(&mut self, seq: i64) {
        let id = self.id_range();
        if !self.entry.has_id {
            made_id::set_seq(&mut self.document[id], seq);
        }
    }

    /// The whole of it.
    pub(crate) fn document(&self) -> &[u8] {
        self.document
    }
}
