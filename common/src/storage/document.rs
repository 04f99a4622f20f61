//! Stored records: BSON documents that hold what was sent, `_id`, `_timestamp` and `_updated_at`.
//!
//! There are two forms. The bare form leaves the starts of the periods out and derives them from the
//! time when a record is shown, filtered or sorted: that makes a record a third smaller. It is what
//! the embedded store keeps and what every engine answers with. The whole form has them too, as the
//! original Backdrop stored them: that is what MongoDB groups by, and what an export holds. This
//! file and its `encoding` alone know how a record is encoded; engines hand the bytes on.

pub(crate) mod encoding;
mod names;

use bson::RawBsonRef;
use bson::raw::{CStr, RawDocument, RawDocumentBuf};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use self::encoding::{append, append_document};
pub use self::names::{Names, NamesSeen};
use super::{StorageError, StorageErrorKind, StoredRecord};
use crate::field::{ReservedKey, UPDATED_AT, is_field_name};
use crate::period::Period;
use crate::record::{Record, RecordId};
use crate::shown::beginning;
use crate::timestamp::Timestamp;
use crate::value::ValueRef;

const ID: &str = "_id";
const TIMESTAMP: &str = "_timestamp";

/// Where MongoDB keeps the order in which records were written. No field can have this name, so no
/// query sees it.
pub(crate) const SEQ: &str = "-seq";

/// Encodes a record in its whole form.
pub(crate) fn encode_whole(id: &str, record: &Record, updated_at: Timestamp) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::from_bytes(encode(id, record, updated_at))
        .expect("what is encoded here is a document");
    append_periods(&mut document, record.timestamp);
    document
}

fn append_periods(document: &mut RawDocumentBuf, timestamp: Option<Timestamp>) {
    let Some(timestamp) = timestamp else { return };
    for period in Period::ALL {
        let key = <&CStr>::try_from(period.start_key()).expect("a period's name has no NUL");
        document.append(key, bson::DateTime::from_millis(period.start(timestamp).millis()));
    }
}

/// The bare form of a document in either form. An `ObjectId`, which the original Backdrop left
/// MongoDB to make for records without an id, becomes its text.
///
/// # Errors
///
/// [`StorageErrorKind::Internal`] if the document is damaged.
pub(crate) fn to_bare(document: &RawDocument) -> Result<RawDocumentBuf, StorageError> {
    let mut bare = RawDocumentBuf::new();
    for element in document.iter_elements() {
        let element = element.map_err(damaged)?;
        let key = element.key();
        if key.as_str() == SEQ || is_derived(key.as_str()) {
            continue;
        }
        match element.value().map_err(damaged)? {
            RawBsonRef::ObjectId(id) => bare.append(key, id.to_hex()),
            value => bare.append(key, value),
        }
    }
    Ok(bare)
}

/// Reads a record in either form, as another program may have written it. Its time of writing is
/// `now` where it has none.
///
/// # Errors
///
/// [`StorageErrorKind::Internal`], saying what is wrong with it.
pub(crate) fn read_foreign(bytes: &[u8], now: Timestamp) -> Result<StoredRecord, StorageError> {
    let bare = to_bare(RawDocument::from_bytes(bytes).map_err(damaged)?)?;
    let mut stored = Document(&bare).to_stored(now)?;
    let record = &mut stored.record;
    record.fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    record.fields.retain(|(key, value)| **key != *TIMESTAMP || !value.as_ref().is_null());
    if record.id.is_none() {
        return Err(damaged("_id is not text without white space"));
    }
    if record.get(TIMESTAMP).is_some() {
        return Err(damaged("_timestamp is not a time"));
    }
    if let Some((key, _)) = record.fields.iter().find(|(key, _)| !is_key(key)) {
        return Err(damaged(format!("\"{}\" is no key that a record may have", beginning(key))));
    }
    match record.fields.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(damaged(format!("it has \"{}\" twice", pair[0].0))),
        None => Ok(stored),
    }
}

/// Whether a client could have sent the key.
fn is_key(key: &str) -> bool {
    is_field_name(key) && (!key.starts_with('_') || ReservedKey::parse(key).is_some())
}

fn is_derived(key: &str) -> bool {
    Period::ALL.into_iter().any(|period| period.start_key() == key)
}

/// Encodes a record in its bare form.
pub(crate) fn encode(id: &str, record: &Record, updated_at: Timestamp) -> Vec<u8> {
    let (mut bytes, mut fields) = (Vec::new(), Vec::new());
    for (key, value) in &record.fields {
        append(&mut fields, key, value.as_ref());
    }
    append_document(&mut bytes, id, record.timestamp, &fields, updated_at);
    bytes
}

/// Some stored records, one after the other in one piece of memory.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Documents {
    /// Adds the bytes of a record.
    pub fn push(&mut self, document: &[u8]) {
        self.bytes.extend_from_slice(document);
        self.ends.push(self.bytes.len());
    }

    /// Adds other records.
    pub fn append(&mut self, others: &Self) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(&others.bytes);
        self.ends.extend(others.ends.iter().map(|end| before + end));
    }

    /// How many bytes they are, all together.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of each record, in order.
    pub(crate) fn iter_bytes(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    /// The records, in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Document<'_>, StorageError>> {
        self.iter_bytes().map(Document::new)
    }
}

/// A stored record, read where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a>(&'a RawDocument);

impl<'a> Document<'a> {
    /// Reads the bytes of a record.
    ///
    /// # Errors
    ///
    /// [`StorageErrorKind::Internal`] if they are damaged.
    pub fn new(bytes: &'a [u8]) -> Result<Self, StorageError> {
        RawDocument::from_bytes(bytes).map(Self).map_err(damaged)
    }

    /// The fields that are stored, in their order.
    pub fn stored_fields(self) -> impl Iterator<Item = Result<(&'a str, ValueRef<'a>), StorageError>> {
        self.0.iter_elements().map(|element| {
            let element = element.map_err(damaged)?;
            let key = element.key().as_str();
            let value = value_of(element.value().map_err(damaged)?);
            Ok((key, value.map_err(|error| damaged(format!("\"{key}\" is {}", error.cause())))?))
        })
    }

    /// Calls `visit` with the index of each wanted field that the record holds, and its value.
    /// Other fields are passed over without being read.
    pub(crate) fn extract(
        self,
        index_of: impl Fn(&str) -> Option<usize>,
        mut visit: impl FnMut(usize, ValueRef<'a>),
    ) -> Result<(), StorageError> {
        for element in self.0.iter_elements() {
            let element = element.map_err(damaged)?;
            if let Some(index) = index_of(element.key().as_str()) {
                visit(index, value_of(element.value().map_err(damaged)?)?);
            }
        }
        Ok(())
    }

    /// The fields that a client sees: those stored, and the starts of the periods that hold its
    /// time.
    ///
    /// # Errors
    ///
    /// [`StorageErrorKind::Internal`] if the record is damaged.
    pub fn fields(self) -> Result<Vec<(&'a str, ValueRef<'a>)>, StorageError> {
        let mut fields = Vec::with_capacity(16);
        let mut timestamp = None;
        for field in self.stored_fields() {
            let (key, value) = field?;
            if let (TIMESTAMP, ValueRef::Time(time)) = (key, value) {
                timestamp = Some(time);
            }
            fields.push((key, value));
        }
        if let Some(timestamp) = timestamp {
            let start = |period: Period| (period.start_key(), ValueRef::Time(period.start(timestamp)));
            fields.extend(Period::ALL.into_iter().map(start));
        }
        Ok(fields)
    }

    /// The record as it was checked, to change it.
    pub(crate) fn to_record(self) -> Result<Record, StorageError> {
        let mut record = Record { id: None, timestamp: None, fields: Vec::new() };
        for field in self.stored_fields() {
            match field? {
                (ID, ValueRef::Text(id)) => record.id = RecordId::parse(id),
                (TIMESTAMP, ValueRef::Time(time)) => record.timestamp = Some(time),
                (UPDATED_AT, _) => {}
                (key, value) => record.fields.push((key.into(), value.to_value())),
            }
        }
        Ok(record)
    }

    /// The record in its whole form.
    pub(crate) fn to_whole(self) -> Result<Vec<u8>, StorageError> {
        let mut whole = self.0.to_owned();
        let timestamp = match self.get(TIMESTAMP)? {
            Some(ValueRef::Time(timestamp)) => Some(timestamp),
            _ => None,
        };
        append_periods(&mut whole, timestamp);
        Ok(whole.into_bytes())
    }

    /// The record with its time of writing, to store it elsewhere; `now` where it has none.
    pub(crate) fn to_stored(self, now: Timestamp) -> Result<StoredRecord, StorageError> {
        let updated_at = match self.get(UPDATED_AT)? {
            Some(ValueRef::Time(time)) => time,
            _ => now,
        };
        Ok(StoredRecord { record: self.to_record()?, updated_at })
    }

    /// The value of a field, stored or derived.
    pub(crate) fn get(self, key: &str) -> Result<Option<ValueRef<'a>>, StorageError> {
        let value = |key: &str| {
            let key = <&CStr>::try_from(key).map_err(damaged)?;
            self.0.get(key).map_err(damaged)?.map(value_of).transpose()
        };
        let Some(period) = Period::ALL.into_iter().find(|period| period.start_key() == key) else {
            return value(key);
        };
        Ok(match value(TIMESTAMP)? {
            Some(ValueRef::Time(timestamp)) => Some(ValueRef::Time(period.start(timestamp))),
            _ => None,
        })
    }
}

/// As a JSON object, with everything that a client sees.
impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.fields().map_err(serde::ser::Error::custom)?;
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (key, value) in fields {
            map.serialize_entry(key, &value)?;
        }
        map.end()
    }
}

/// A field's value as ours.
///
/// # Errors
///
/// [`StorageErrorKind::Internal`] for a type that no record has.
pub(crate) fn value_of(value: RawBsonRef<'_>) -> Result<ValueRef<'_>, StorageError> {
    Ok(match value {
        RawBsonRef::Null => ValueRef::Null,
        RawBsonRef::Boolean(value) => ValueRef::Bool(value),
        RawBsonRef::Int32(value) => ValueRef::Int(value.into()),
        RawBsonRef::Int64(value) => ValueRef::Int(value),
        RawBsonRef::Double(value) => ValueRef::Float(value),
        RawBsonRef::String(value) => ValueRef::Text(value),
        RawBsonRef::DateTime(value) => {
            let millis = value.timestamp_millis();
            ValueRef::Time(Timestamp::from_millis(millis).ok_or_else(|| damaged("a time out of range"))?)
        }
        other => return Err(damaged(format!("a value of type {:?}", other.element_type()))),
    })
}

/// The error that stored data, or what a server says of it, is not what it must be.
pub(super) fn damaged(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StorageError {
    StorageError::new(StorageErrorKind::Internal, cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn record() -> Record {
        Record {
            id: RecordId::parse("r1"),
            timestamp: Timestamp::parse("2014-11-19T13:45:59Z").ok(),
            fields: vec![
                ("aa".into(), Value::Int(1)),
                ("bb".into(), Value::Float(2.0)),
                ("cc".into(), Value::Null),
                ("dd".into(), Value::from("x\0y")),
                ("ee".into(), Value::Bool(true)),
            ],
        }
    }

    fn encoded() -> Vec<u8> {
        encode("r1", &record(), Timestamp::parse("2020-01-01").expect("a time"))
    }

    #[test]
    fn a_record_is_shown_with_its_periods() {
        let bytes = encoded();
        let json = serde_json::to_string(&Document::new(&bytes).expect("a document")).expect("JSON");
        insta::assert_snapshot!(json, @r#"{"_id":"r1","_timestamp":"2014-11-19T13:45:59+00:00","aa":1,"bb":2.0,"cc":null,"dd":"x\u0000y","ee":true,"_updated_at":"2020-01-01T00:00:00+00:00","_hour_start_at":"2014-11-19T13:00:00+00:00","_day_start_at":"2014-11-19T00:00:00+00:00","_week_start_at":"2014-11-17T00:00:00+00:00","_month_start_at":"2014-11-01T00:00:00+00:00","_quarter_start_at":"2014-10-01T00:00:00+00:00","_year_start_at":"2014-01-01T00:00:00+00:00"}"#);
    }

    #[test]
    fn a_record_reads_back() {
        let bytes = encoded();
        let document = Document::new(&bytes).expect("a document");
        assert_eq!(document.to_record().ok(), Some(record()));
        assert_eq!(document.get("aa").ok().flatten(), Some(ValueRef::Int(1)));
        assert_eq!(document.get("nope").ok().flatten(), None);
        let month = Timestamp::parse("2014-11-01").map(ValueRef::Time).ok();
        assert_eq!(document.get("_month_start_at").ok().flatten(), month);
    }

    #[test]
    fn the_whole_form_reads_back() {
        let now = Timestamp::parse("2030-01-01").expect("a time");
        let bytes = encoded();
        let document = Document::new(&bytes).expect("a document");
        let whole = document.to_whole().expect("a whole document");
        let written = document.to_stored(now).expect("a record");
        assert_eq!(encode_whole("r1", &record(), written.updated_at).as_bytes(), whole);
        assert_eq!(read_foreign(&whole, now).ok(), Some(written));
    }

    #[test]
    fn a_record_of_backdrop_is_read() {
        let now = Timestamp::parse("2030-01-01").expect("a time");
        let id = bson::oid::ObjectId::parse_str("507f1f77bcf86cd799439011").expect("an id");
        let read = |document: bson::Document| read_foreign(&document.to_vec().expect("bytes"), now);
        let time = bson::DateTime::from_millis(0);
        let stored = read(bson::doc! {
            "zz": 5_i32, "_week_start_at": time, "_id": id, "aa": 1.5, "_timestamp": time, "-seq": 1,
        })
        .expect("a record");
        assert_eq!(stored.updated_at, now);
        assert_eq!(stored.record.timestamp, Timestamp::from_millis(0));
        assert_eq!(stored.record.id, RecordId::parse("507f1f77bcf86cd799439011"));
        let fields = [("aa".into(), Value::Float(1.5)), ("zz".into(), Value::Int(5))];
        assert_eq!(stored.record.fields, fields);
        assert!(read(bson::doc! {"_id": "aa", "_timestamp": bson::Bson::Null}).is_ok());
    }

    #[test]
    fn faults_of_foreign_records() {
        let message = |document: bson::Document| {
            let bytes = document.to_vec().expect("bytes");
            read_foreign(&bytes, Timestamp::MIN).expect_err("a fault").cause().to_string()
        };
        let mut twice = encoded();
        let place = twice.windows(3).position(|part| part == b"bb\0").expect("a key");
        twice[place..place + 2].copy_from_slice(b"aa");
        let messages = [
            message(bson::doc! {"aa": 1}),
            message(bson::doc! {"_id": 5}),
            message(bson::doc! {"_id": "a b"}),
            message(bson::doc! {"_id": "aa", "_timestamp": "2014-01-01"}),
            message(bson::doc! {"_id": "aa", "aa": {"bb": 1}}),
            message(bson::doc! {"_id": "aa", "aa": [1]}),
            message(bson::doc! {"_id": "aa", "aa": bson::DateTime::MAX}),
            read_foreign(&twice, Timestamp::MIN).expect_err("a fault").cause().to_string(),
        ];
        insta::assert_snapshot!(messages.join("\n"), @r#"
        _id is not text without white space
        _id is not text without white space
        _id is not text without white space
        _timestamp is not a time
        "aa" is a value of type EmbeddedDocument
        "aa" is a value of type Array
        "aa" is a time out of range
        it has "aa" twice
        "#);
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        let bytes = encoded();
        assert!(Document::new(&bytes[..bytes.len() - 1]).is_err());
        let mut bytes = bytes;
        bytes[4] = 0x7e;
        let document = Document::new(&bytes).expect("a frame");
        assert!(document.fields().is_err());
    }

    #[test]
    fn documents_lie_one_after_the_other() {
        let mut documents = Documents::default();
        assert!(documents.is_empty());
        documents.push(&encoded());
        documents.push(&encoded());
        assert_eq!(documents.len(), 2);
        assert_eq!(documents.iter().filter_map(Result::ok).count(), 2);
    }
}
