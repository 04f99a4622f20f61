//! The bare form of a record, written by hand: it is a few lines, and most of what a writer does.
//!
//! ```text
//! document = length "_id" [ "_timestamp" ] field* "_updated_at" NUL
//! element  = type name NUL value          text = length bytes NUL          (numbers little-endian)
//! ```

use bson::spec::ElementType;

use super::{ID, TIMESTAMP};
use crate::field::UPDATED_AT;
use crate::timestamp::Timestamp;
use crate::value::ValueRef;

/// Where the text of the id is in a document: behind the document's length, a type, `_id` with its NUL,
/// and the text's length.
pub(crate) const ID_START: usize = 4 + 1 + 4 + 4;

/// Adds a document to others. Its fields are there already, each as [`append`] writes it.
pub(crate) fn append_document(
    bytes: &mut Vec<u8>,
    id: &str,
    timestamp: Option<Timestamp>,
    fields: &[u8],
    updated_at: Timestamp,
) {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    append(bytes, ID, ValueRef::Text(id));
    if let Some(timestamp) = timestamp {
        append(bytes, TIMESTAMP, ValueRef::Time(timestamp));
    }
    bytes.extend_from_slice(fields);
    append(bytes, UPDATED_AT, ValueRef::Time(updated_at));
    bytes.push(0);
    let length = length(bytes.len() - start);
    bytes[start..start + 4].copy_from_slice(&length);
}

/// Adds a field. Its name has no NUL, which would end it.
pub(crate) fn append(bytes: &mut Vec<u8>, key: &str, value: ValueRef<'_>) {
    let mut element = |kind: ElementType, parts: &[&[u8]]| {
        bytes.push(kind as u8);
        for part in [key.as_bytes(), &[0]].iter().chain(parts) {
            bytes.extend_from_slice(part);
        }
    };
    match value {
        ValueRef::Null => element(ElementType::Null, &[]),
        ValueRef::Bool(value) => element(ElementType::Boolean, &[&[value.into()]]),
        ValueRef::Int(value) => element(ElementType::Int64, &[&value.to_le_bytes()]),
        ValueRef::Float(value) => element(ElementType::Double, &[&value.to_le_bytes()]),
        ValueRef::Time(value) => element(ElementType::DateTime, &[&value.millis().to_le_bytes()]),
        ValueRef::Text(value) => {
            element(ElementType::String, &[&length(value.len() + 1), value.as_bytes(), &[0]]);
        }
    }
}

/// A length as BSON has it. No store takes a record of 2 GiB, so it does not matter what it says of its length.
fn length(length: usize) -> [u8; 4] {
    i32::try_from(length).unwrap_or(i32::MAX).to_le_bytes()
}
