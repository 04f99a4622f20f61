//! Records: what is stored. From a request to a record the way is one: a body is parsed into
//! [`sent::SentRecord`]s, which `checks` turns into [`Record`]s or into the list of their faults.

pub mod bounds;
pub mod checks;
pub mod schema;
pub mod sent;

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::timestamp::Timestamp;
use crate::value::{Value, ValueRef};

/// Names a record in its bucket: text, not empty, without white space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(Arc<str>);

impl RecordId {
    /// Takes the text if it is an id.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains(char::is_whitespace)).then(|| Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for RecordId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A record that passed every check and can be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The id that was sent or made from `auto_ids`; without one the engine makes one that sorts
    /// by time.
    pub id: Option<RecordId>,
    /// The `_timestamp`; a record without one is in no time range and no period.
    pub timestamp: Option<Timestamp>,
    /// Every other field, sorted by key, each once. The keys are field names; reserved ones among
    /// them are `_start_at` and `_end_at`.
    pub fields: Vec<(Box<str>, Value)>,
}

impl Record {
    /// The value of a field other than the id and the timestamp.
    pub fn get(&self, key: &str) -> Option<ValueRef<'_>> {
        let place = self.fields.binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        Some(self.fields[place].1.as_ref())
    }

    /// Sets a field, in its place by key.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        match self.fields.binary_search_by(|(other, _)| (**other).cmp(key)) {
            Ok(place) => self.fields[place].1 = value,
            Err(place) => self.fields.insert(place, (key.into(), value)),
        }
    }
}

/// The earliest and the latest `_timestamp` of some records, for the audit log.
pub fn time_span(records: &[Record]) -> Option<(Timestamp, Timestamp)> {
    let times = || records.iter().filter_map(|record| record.timestamp);
    Some((times().min()?, times().max()?))
}
