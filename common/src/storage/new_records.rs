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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::checks::RecordChecks;
    use crate::record::sent::each_record;
    use crate::value::Value;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn checked(json: &str, now: Timestamp) -> NewRecords {
        let mut checks = RecordChecks::new(NewRecords::new(now), &[], None);
        each_record(json.as_bytes(), |record| checks.check(record)).expect("records");
        checks.finish().expect("no faults")
    }

    const RECORDS: &str = r#"[
        {"Zz": 1, "text": "é\n", "_id": "r1", "_timestamp": "2014-01-02", "_end_at": "2014-01-03"},
        {},
        {"none": null, "yes": true, "float": -0.0, "_timestamp": "2013-05-06T07:08:09Z"}
    ]"#;

    #[test]
    fn what_is_checked_is_what_is_stored() {
        let now = at("2020-01-01");
        let records = checked(RECORDS, now);
        let record = |id: Option<&str>, timestamp: Option<&str>, fields: &[(&str, Value)]| StoredRecord {
            record: Record {
                id: id.and_then(RecordId::parse),
                timestamp: timestamp.map(at),
                fields: fields.iter().map(|(key, value)| ((*key).into(), value.clone())).collect(),
            },
            updated_at: now,
        };
        let end_at = ("_end_at", Value::Time(at("2014-01-03")));
        let first = [("Zz", Value::Int(1)), end_at, ("text", Value::from("é\n"))];
        let last = [("float", Value::Float(0.0)), ("none", Value::Null), ("yes", Value::Bool(true))];
        let expected = [
            record(Some("r1"), Some("2014-01-02"), &first),
            record(None, None, &[]),
            record(None, Some("2013-05-06T07:08:09Z"), &last),
        ];
        assert_eq!(records.to_stored().expect("records"), expected);
        assert_eq!(records.time_span(), Some((at("2013-05-06T07:08:09Z"), at("2014-01-02"))));
        assert!(records.memory() >= records.bytes());
    }

    #[test]
    fn a_record_takes_as_many_bytes_as_its_bounds_count() {
        let mut records = checked(RECORDS, at("2020-01-01"));
        let counted: Vec<usize> =
            records.to_stored().expect("records").iter().map(|stored| stored.record.stored_bytes()).collect();
        let stored: Vec<usize> = records.iter_mut().map(|record| record.document().len()).collect();
        assert_eq!(counted, stored);
    }

    #[test]
    fn ids_that_we_make_name_the_seq() {
        let mut records = checked(RECORDS, at("2020-01-01"));
        let mut ids = Vec::new();
        for (mut record, seq) in records.iter_mut().zip(7..) {
            record.set_seq(seq);
            let document = Document::new(record.document()).expect("a document");
            let id = document.to_record().expect("a record").id.expect("an id");
            assert_eq!(record.id().is_some(), id.as_str() == "r1");
            ids.push(made_id::seq(id.as_str()));
        }
        assert_eq!(ids, [None, Some(8), Some(9)]);
    }

    #[test]
    fn each_has_its_own_time_of_writing() {
        let mut records = NewRecords::new(Timestamp::MIN);
        let stored = checked(RECORDS, at("2020-01-01")).to_stored().expect("records");
        for (written, year) in stored.iter().zip(["2021-01-01", "2019-01-01", "2020-01-01"]) {
            records.push(&written.record, at(year));
        }
        let times: Vec<_> =
            records.to_stored().expect("records").iter().map(|stored| stored.updated_at).collect();
        assert_eq!(times, [at("2021-01-01"), at("2019-01-01"), at("2020-01-01")]);
    }
}
