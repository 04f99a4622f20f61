//! Answers as CSV: a header of all keys, sorted; rows that end CR LF (RFC 4180); times in ISO 8601,
//! booleans and numbers as in JSON, lists as JSON, null and missing empty. No rows, no header.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::shape::{AnswerRow, Cell};
use crate::storage::{Documents, StorageError};
use crate::value::ValueRef;

/// Groups as CSV.
pub fn groups(rows: &[AnswerRow]) -> Vec<u8> {
    let header: BTreeSet<&str> =
        rows.iter().flat_map(|row| row.cells().iter().map(|(column, _)| &**column)).collect();
    let records = rows.iter().map(|row| {
        let cells: BTreeMap<&str, &Cell> =
            row.cells().iter().map(|(column, cell)| (&**column, cell)).collect();
        header
            .iter()
            .map(|column| cells.get(column).map_or_else(String::new, |cell| cell_text(cell)))
            .collect()
    });
    write(&header, records)
}

/// Records as CSV.
///
/// # Errors
///
/// [`StorageError`] if a stored record is damaged.
pub fn records(documents: &Documents) -> Result<Vec<u8>, StorageError> {
    let mut header = BTreeSet::new();
    for document in documents.iter() {
        header.extend(document?.fields()?.into_iter().map(|(key, _)| key));
    }
    let mut records: Vec<Vec<String>> = Vec::with_capacity(documents.len());
    for document in documents.iter() {
        let fields: BTreeMap<_, _> = document?.fields()?.into_iter().collect();
        let text = |key: &&str| fields.get(key).map_or_else(String::new, |value| value_text(*value));
        records.push(header.iter().map(text).collect());
    }
    Ok(write(&header, records.into_iter()))
}

fn write(header: &BTreeSet<&str>, records: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory does not fail.
    if !header.is_empty() {
        let _ = writer.write_record(header);
    }
    for record in records {
        let _ = writer.write_record(record);
    }
    writer.into_inner().unwrap_or_default()
}

fn cell_text(cell: &Cell) -> String {
    match cell {
        Cell::Value(value) => value_text(value.as_ref()),
        Cell::List(values) => json(values),
        Cell::Rows(rows) => json(rows),
    }
}

fn value_text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        // The sum of floats may be past all of them; in JSON that is null.
        ValueRef::Float(value) if !value.is_finite() => String::new(),
        ValueRef::Text(text) => text.to_owned(),
        ValueRef::Time(time) => time.to_string(),
        ValueRef::Bool(_) | ValueRef::Int(_) | ValueRef::Float(_) => json(&value),
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::storage::document::encode;
    use crate::timestamp::Timestamp;
    use crate::value::Value;

    #[test]
    fn records_with_different_fields() {
        let now = Timestamp::parse("2020-01-01").expect("a time");
        let mut documents = Documents::default();
        let mut push = |id: &str, fields: &[(&str, Value)]| {
            let fields = fields.iter().map(|(key, value)| (Box::from(*key), value.clone())).collect();
            documents.push(&encode(id, &Record { id: None, timestamp: None, fields }, now));
        };
        push("a", &[("name", Value::from("x, \"y\"\nz")), ("size", Value::Float(2.0))]);
        push("b", &[("flag", Value::Bool(true)), ("name", Value::Null)]);
        let text = String::from_utf8(records(&documents).expect("CSV")).expect("text");
        assert_eq!(
            text,
            "_id,_updated_at,flag,name,size\r\n\
             a,2020-01-01T00:00:00+00:00,,\"x, \"\"y\"\"\nz\",2.0\r\n\
             b,2020-01-01T00:00:00+00:00,true,,\r\n"
        );
    }

    #[test]
    fn no_rows_no_header() {
        assert_eq!(records(&Documents::default()).expect("CSV"), b"");
        assert_eq!(groups(&[]), b"");
    }
}
