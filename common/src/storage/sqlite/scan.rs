//! Answering queries by reading the stored bytes: only the fields that a query names are looked
//! at, and groups are added up as records pass by. No record is ever built in memory.

mod columns;
mod found;
mod groups;

use rusqlite::{Connection, params_from_iter};

use self::columns::{Columns, Filters};
use self::found::Found;
use self::groups::Groups;
use super::registry;
use super::statement::{self, Statement, TimeIndex};
use crate::bucket::BucketName;
use crate::query::{GroupQuery, RecordQuery, Selection, TimeRange};
use crate::storage::{Document, Documents, Row, StorageError};
use crate::timestamp::Timestamp;
use crate::value::ValueRef;

pub(super) fn find(
    connection: &Connection,
    bucket: &BucketName,
    query: &RecordQuery,
) -> Result<Documents, StorageError> {
    let number = registry::state(connection, bucket)?.number;
    // A sort by time reads through the index and may stop early, whatever the range.
    let index = match statement::order_by_time(query) {
        Some(_) => TimeIndex::Use,
        None => time_index(connection, number, &query.selection)?,
    };
    let mut columns = Columns::default();
    let filters = Filters::new(&query.selection.filters, &mut columns);
    let sort = query.sort.as_ref().filter(|_| statement::order_by_time(query).is_none());
    let mut found = Found::new(sort, query.limit);
    let key = sort.map(|sort| columns.add(sort.field.as_str()));
    scan(connection, &statement::records(number, query, index), |row| {
        let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let values = columns.read(timestamp(row, 1)?, Some(Document::new(bytes)?))?;
        if filters.pass(&values) {
            let key = key.and_then(|key| values[key]).unwrap_or(ValueRef::Null);
            found.push(key, row.get(0)?, bytes);
        }
        Ok(!found.is_complete())
    })?;
    Ok(found.into_documents())
}

pub(super) fn aggregate(
    connection: &Connection,
    bucket: &BucketName,
    query: &GroupQuery,
) -> Result<Vec<Row>, StorageError> {
    let number = registry::state(connection, bucket)?.number;
    let mut columns = Columns::default();
    let filters = Filters::new(&query.selection.filters, &mut columns);
    let keys: Vec<usize> = query.keys.iter().map(|key| columns.add(key.as_str())).collect();
    let fields = query.collected_fields();
    let collected: Vec<usize> = fields.iter().map(|field| columns.add(field.field.as_str())).collect();
    let needs_fields = columns.needs_document();
    let index = time_index(connection, number, &query.selection)?;
    let mut groups = Groups::new(query, &keys, &fields);
    scan(connection, &statement::groups(number, &query.selection, needs_fields, index), |row| {
        let timestamp = timestamp(row, 0)?;
        let document = if needs_fields {
            Some(Document::new(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?)
        } else {
            None
        };
        let values = columns.read(timestamp, document)?;
        if !filters.pass(&values) {
            return Ok(true);
        }
        if let Some(group) = groups.group(&values, timestamp)? {
            group.count += 1;
            for (partial, field) in group.collected.iter_mut().zip(&collected) {
                if let Some(value) = values[*field] {
                    partial.add(value);
                }
            }
        }
        Ok(true)
    })?;
    Ok(groups.rows)
}

/// Runs a statement and calls `visit` with each row until it answers false.
fn scan(
    connection: &Connection,
    statement: &Statement,
    mut visit: impl FnMut(&rusqlite::Row<'_>) -> Result<bool, StorageError>,
) -> Result<(), StorageError> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    let mut rows = prepared.query(params_from_iter(&statement.params))?;
    while let Some(row) = rows.next()? {
        if !visit(row)? {
            break;
        }
    }
    Ok(())
}

fn timestamp(row: &rusqlite::Row<'_>, column: usize) -> Result<Option<Timestamp>, StorageError> {
    let millis: Option<i64> = row.get(column)?;
    Ok(millis.and_then(Timestamp::from_millis))
}

/// Whether a range is small enough for the index. The times are taken to be spread evenly, which
/// is wrong often enough, but then only the speed suffers.
fn time_index(
    connection: &Connection,
    number: i64,
    selection: &Selection,
) -> Result<TimeIndex, StorageError> {
    /// Reading through the index costs a jump for each record, about as much as reading eight.
    const SMALL: i64 = 8;
    let Some(TimeRange { start, end }) = selection.range else { return Ok(TimeIndex::Avoid) };
    let end_of = |function: &str| -> Result<Option<i64>, StorageError> {
        let sql = format!("SELECT {function}(ts) FROM record_{number}");
        Ok(connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
    };
    let (Some(first), Some(last)) = (end_of("min")?, end_of("max")?) else { return Ok(TimeIndex::Use) };
    let wanted = end.millis().min(last) - start.millis().max(first);
    Ok(if wanted > (last - first) / SMALL { TimeIndex::Avoid } else { TimeIndex::Use })
}
