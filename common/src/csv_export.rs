//! Answers as CSV: a header of all keys, sorted; rows that end CR LF (RFC 4180); times in ISO 8601,
//! booleans and numbers as in JSON, lists as JSON, null and missing empty. No rows, no header.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::shape::{AnswerRow, Cell, GroupAnswer};
use crate::storage::{Documents, StorageError};
use crate::value::ValueRef;

/// Groups as CSV.
pub fn groups(answer: &GroupAnswer) -> Vec<u8> {
    let rows = answer.rows();
    // A column that none of the rows has is left out.
    let mut header: Vec<&str> =
        answer.columns().filter(|column| rows.iter().any(|row| row.get(column).is_some())).collect();
    header.sort_unstable();
    let cell = |row: AnswerRow<'_>, column: &str| row.get(column).map_or_else(String::new, cell_text);
    let records = rows.iter().map(|row| header.iter().map(move |column| cell(row, column)));
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
    let header: Vec<&str> = header.into_iter().collect();
    Ok(write(&header, records.into_iter()))
}

fn write<R>(header: &[&str], records: impl Iterator<Item = R>) -> Vec<u8>
where
    R: IntoIterator<Item = String>,
{
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

fn cell_text(cell: Cell<'_>) -> String {
    match cell {
        Cell::Value(value) => value_text(value),
        Cell::List(values) => json(&values),
        Cell::Rows(rows) => json(&rows),
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
    use crate::aggregate::Partial;
    use crate::query::Query;
    use crate::query::args::{QueryArgs, QueryContext};
    use crate::record::Record;
    use crate::shape::shape;
    use crate::storage::Row;
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
        check_groups("group_by=kind", Vec::new(), "");
    }

    #[track_caller]
    fn check_groups(text: &str, rows: Vec<Row>, expected: &str) {
        let now = Timestamp::parse("2020-01-01").expect("a time");
        let context = QueryContext { raw_queries_allowed: true, now, max_rows: 100 };
        let query = QueryArgs::parse(text).and_then(|args| args.into_query(&context));
        let Ok(Query::Groups(query)) = query else { panic!("{text}: {query:?}") };
        let answer = shape(&query, rows).expect("an answer");
        assert_eq!(String::from_utf8(groups(&answer)).expect("text"), expected, "{text}");
    }

    #[test]
    fn groups_with_sets_gaps_and_periods() {
        let row = |kind: &str, month: &str| {
            let mut partial = Partial::new(true);
            partial.add(ValueRef::Text("x"));
            partial.add(ValueRef::Float(2.0));
            let keys = Box::new([Value::from(kind)]);
            Row { keys, start: Timestamp::parse(month).ok(), count: 2, collected: Box::new([partial]) }
        };
        let months = "period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-03-01T00:00:00Z";
        let flat = format!("group_by=kind&collect=size&flatten=true&{months}");
        check_groups(
            &flat,
            vec![row("a", "2014-02-01")],
            "_count,_end_at,_start_at,kind,size,size:set\r\n\
             0,2014-02-01T00:00:00+00:00,2014-01-01T00:00:00+00:00,a,,\r\n\
             2,2014-03-01T00:00:00+00:00,2014-02-01T00:00:00+00:00,a,\"[2.0,\"\"x\"\"]\",\"[2.0,\"\"x\"\"]\"\r\n",
        );
        // No row has anything under the bare name.
        check_groups(
            &format!("{flat}&sort_by=_count:ascending&limit=1"),
            vec![row("a", "2014-02-01")],
            "_count,_end_at,_start_at,kind,size:set\r\n\
             0,2014-02-01T00:00:00+00:00,2014-01-01T00:00:00+00:00,a,\r\n",
        );
        check_groups(
            &format!("group_by=kind&collect=size:count&{months}").replace("03-01", "02-01"),
            vec![row("a", "2014-01-01")],
            "_count,_group_count,kind,size:count,values\r\n\
             2,1,a,2,\"[{\"\"_start_at\"\":\"\"2014-01-01T00:00:00+00:00\"\",\
             \"\"_end_at\"\":\"\"2014-02-01T00:00:00+00:00\"\",\"\"_count\"\":2,\"\"size:count\"\":2}]\"\r\n",
        );
    }
}
