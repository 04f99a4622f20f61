//! Stored records: BSON documents that hold what was sent, `_id`, `_timestamp` and `_updated_at`.
//!
//! The starts of the periods are not stored but derived from the time when a record is shown,
//! filtered or sorted: that makes a record a third smaller. This file alone knows how a record is
//! encoded; engines hand the bytes on.

use bson::RawBsonRef;
use bson::raw::{CStr, RawDocument, RawDocumentBuf};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{StorageError, StorageErrorKind};
use crate::field::UPDATED_AT;
use crate::period::Period;
use crate::record::{Record, RecordId};
use crate::timestamp::Timestamp;
use crate::value::ValueRef;

const ID: &str = "_id";
const TIMESTAMP: &str = "_timestamp";

/// Encodes a record.
pub(crate) fn encode(id: &str, record: &Record, updated_at: Timestamp) -> Vec<u8> {
    let mut document = RawDocumentBuf::new();
    append(&mut document, ID, ValueRef::Text(id));
    if let Some(timestamp) = record.timestamp {
        append(&mut document, TIMESTAMP, ValueRef::Time(timestamp));
    }
    for (key, value) in &record.fields {
        append(&mut document, key, value.as_ref());
    }
    append(&mut document, UPDATED_AT, ValueRef::Time(updated_at));
    document.into_bytes()
}

fn append(document: &mut RawDocumentBuf, key: &str, value: ValueRef<'_>) {
    let key = <&CStr>::try_from(key).expect("a field's name has no NUL");
    let value = match value {
        ValueRef::Null => RawBsonRef::Null,
        ValueRef::Bool(value) => RawBsonRef::Boolean(value),
        ValueRef::Int(value) => RawBsonRef::Int64(value),
        ValueRef::Float(value) => RawBsonRef::Double(value),
        ValueRef::Text(value) => RawBsonRef::String(value),
        ValueRef::Time(value) => RawBsonRef::DateTime(bson::DateTime::from_millis(value.millis())),
    };
    document.append(key, value);
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

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The records, in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Document<'_>, StorageError>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| Document::new(&self.bytes[start..*end]))
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
            Ok((element.key().as_str(), decode(element.value().map_err(damaged)?)?))
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
                visit(index, decode(element.value().map_err(damaged)?)?);
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

    /// The value of a field, stored or derived.
    pub(crate) fn get(self, key: &str) -> Result<Option<ValueRef<'a>>, StorageError> {
        let value = |key: &str| {
            let key = <&CStr>::try_from(key).map_err(damaged)?;
            self.0.get(key).map_err(damaged)?.map(decode).transpose()
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

fn decode(value: RawBsonRef<'_>) -> Result<ValueRef<'_>, StorageError> {
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

fn damaged(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StorageError {
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
