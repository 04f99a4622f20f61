//! Answering queries by reading the stored bytes: only the fields that a query names are looked
//! at, and groups are added up as records pass by. No record is ever built in memory.

mod columns;
mod explain;
mod found;
mod groups;

use rusqlite::{Connection, params_from_iter};
use tokio::sync::mpsc;

pub(super) use self::explain::{explain, then};

use self::columns::{Columns, Filters};
use self::found::Found;
use self::groups::Groups;
use super::records::check_record;
use super::registry;
use super::statement::{self, Statement, TimeIndex};
use super::sums::damaged;
use crate::bucket::BucketName;
use crate::query::{GroupQuery, RecordQuery, RecordSort, Selection, TimeRange};
use crate::room::Reservation;
use crate::storage::{CollectedField, Document, Documents, Row, StorageError};
use crate::timestamp::Timestamp;
use crate::value::ValueRef;

/// Where the records are that were found.
pub(super) enum Source {
    /// Wherever SQLite brings them, in the order of the answer.
    All,
    /// Here, in the order of the answer.
    Records(Documents),
    /// Those with these numbers, in this order.
    Numbers(Vec<i64>),
}

impl Source {
    /// How many bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Records(documents) => documents.bytes(),
            Self::Numbers(seqs) => size_of_val(&**seqs),
        }
    }
}

/// Finds what a query for records asks for, as far as it has to be found before the first can be shown.
pub(super) fn find(
    connection: &Connection,
    bucket: &BucketName,
    query: &RecordQuery,
    room: &mut Reservation,
) -> Result<Source, StorageError> {
    if left_to_sort(query).is_none() {
        return Ok(Source::All);
    }
    // No bucket has more.
    Ok(find_among(connection, bucket, query, usize::MAX, room)?.unwrap_or(Source::All))
}

/// Calls `visit` with each record that a query asks for, where SQLite brings them in order.
pub(super) fn each(
    connection: &Connection,
    bucket: &BucketName,
    query: &RecordQuery,
    visit: &mut dyn FnMut(&[u8]) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let statement = records_statement(connection, bucket, query)?;
    let mut columns = Columns::default();
    let filters = Filters::new(&query.selection.filters, &mut columns);
    let mut wanted = query.limit.unwrap_or(usize::MAX);
    if wanted == 0 {
        return Ok(());
    }
    scan(connection, &statement, |row| {
        let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let values = columns.read(timestamp(row, 1)?, Some(Document::new(bytes)?))?;
        if filters.pass(&values) {
            visit(bytes)?;
            wanted -= 1;
        }
        Ok(wanted > 0)
    })
}

/// What a query for records finds, if it is found among the first so many that SQLite brings; none if there
/// are more to look at, or more found than is kept at hand.
pub(super) fn find_among(
    connection: &Connection,
    bucket: &BucketName,
    query: &RecordQuery,
    max: usize,
    room: &mut Reservation,
) -> Result<Option<Source>, StorageError> {
    let statement = records_statement(connection, bucket, query)?;
    let mut columns = Columns::default();
    let filters = Filters::new(&query.selection.filters, &mut columns);
    let sort = left_to_sort(query);
    let mut found = Found::new(sort, query.limit, room);
    let key = sort.map(|sort| columns.add(sort.field.as_str()));
    let mut looked_at = 0;
    scan(connection, &statement, |row| {
        looked_at += 1;
        if looked_at > max {
            return Ok(false);
        }
        let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let values = columns.read(timestamp(row, 1)?, Some(Document::new(bytes)?))?;
        if filters.pass(&values) {
            let key = key.and_then(|key| values.get(key)).unwrap_or(ValueRef::Null);
            found.push(key, row.get(0)?, bytes)?;
        }
        Ok(!found.is_complete() && !found.is_too_much())
    })?;
    Ok((looked_at <= max && !found.is_too_much()).then(|| found.into_source()))
}

/// Calls `visit` with the records that have some numbers, in the order of those.
pub(super) fn by_number(
    connection: &Connection,
    bucket: &BucketName,
    seqs: &[i64],
    mut visit: impl FnMut(&[u8]) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let number = registry::state(connection, bucket)?.number;
    let mut prepared = connection.prepare_cached(&statement::by_seq(number))?;
    for seq in seqs {
        let mut rows = prepared.query([seq])?;
        // Of the same snapshot, so it is there.
        let row = rows.next()?.ok_or_else(|| damaged(&format!("record {seq} of bucket \"{bucket}\"")))?;
        visit(check_record(row, number)?.0)?;
    }
    Ok(())
}

/// How many records a time range has, counted up to a number.
pub(super) fn count_up_to(
    connection: &Connection,
    bucket: &BucketName,
    range: TimeRange,
    max: usize,
) -> Result<usize, StorageError> {
    let number = registry::state(connection, bucket)?.number;
    let selection = Selection { filters: Vec::new(), range: Some(range) };
    let mut count = 0;
    scan(connection, &statement::groups(number, &selection, false, TimeIndex::Use), |_| {
        count += 1;
        Ok(count < max)
    })?;
    Ok(count)
}

pub(super) fn aggregate(
    connection: &Connection,
    bucket: &BucketName,
    query: &GroupQuery,
) -> Result<Vec<Row>, StorageError> {
    let fields = query.collected_fields();
    let GroupColumns { columns, filters, keys, collected } = GroupColumns::new(query, &fields);
    let needs_fields = columns.needs_document();
    let statement = groups_statement(connection, bucket, query, needs_fields)?;
    let mut groups = Groups::new(query, &keys, &collected, &fields);
    scan(connection, &statement, |row| {
        let timestamp = timestamp(row, 1)?;
        let document = if needs_fields {
            Some(Document::new(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?)?)
        } else {
            None
        };
        let values = columns.read(timestamp, document)?;
        if !filters.pass(&values) {
            return Ok(true);
        }
        groups.add(&values, timestamp)?;
        Ok(true)
    })?;
    Ok(groups.rows)
}

/// Sends every record in the order of writing, until nobody receives them any more.
pub(super) fn export(
    connection: &Connection,
    bucket: &BucketName,
    pages: &mpsc::Sender<Documents>,
) -> Result<(), StorageError> {
    /// Large enough for speed, small enough to have a few of them in memory.
    const PAGE_BYTES: usize = 1 << 20;
    let number = registry::state(connection, bucket)?.number;
    let mut page = Documents::default();
    let mut received = true;
    scan(connection, &statement::in_order_of_writing(number), |row| {
        page.push(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?);
        if page.bytes() >= PAGE_BYTES {
            received = pages.blocking_send(std::mem::take(&mut page)).is_ok();
        }
        Ok(received)
    })?;
    if received && !page.is_empty() {
        // Whoever asked has gone, and needs no answer.
        let _ = pages.blocking_send(page);
    }
    Ok(())
}

/// What SQLite is asked for a query for records.
fn records_statement(
    connection: &Connection,
    bucket: &BucketName,
    query: &RecordQuery,
) -> Result<Statement, StorageError> {
    let number = registry::state(connection, bucket)?.number;
    // A sort by time reads through the index and may stop early, whatever the range.
    let index = match statement::order_by_time(query) {
        Some(_) => TimeIndex::Use,
        None => time_index(connection, number, &query.selection)?,
    };
    Ok(statement::records(number, query, index))
}

/// The order that SQLite does not bring the records in by itself.
fn left_to_sort(query: &RecordQuery) -> Option<&RecordSort> {
    query.sort.as_ref().filter(|_| statement::order_by_time(query).is_none())
}

/// What SQLite is asked for a query for groups.
fn groups_statement(
    connection: &Connection,
    bucket: &BucketName,
    query: &GroupQuery,
    needs_fields: bool,
) -> Result<Statement, StorageError> {
    let number = registry::state(connection, bucket)?.number;
    let index = time_index(connection, number, &query.selection)?;
    Ok(statement::groups(number, &query.selection, needs_fields, index))
}

/// The fields that a query for groups looks at, and what for.
struct GroupColumns<'q> {
    columns: Columns<'q>,
    filters: Filters<'q>,
    /// The places of the keys.
    keys: Vec<usize>,
    /// The places of the collected fields.
    collected: Vec<usize>,
}

impl<'q> GroupColumns<'q> {
    fn new(query: &'q GroupQuery, fields: &'q [CollectedField]) -> Self {
        let mut columns = Columns::default();
        let filters = Filters::new(&query.selection.filters, &mut columns);
        let keys = query.keys.iter().map(|key| columns.add(key.as_str())).collect();
        let collected = fields.iter().map(|field| columns.add(field.field.as_str())).collect();
        Self { columns, filters, keys, collected }
    }
}

/// Runs a statement and calls `visit` with each row until it answers false. Rows with a record are checked.
fn scan(
    connection: &Connection,
    statement: &Statement,
    mut visit: impl FnMut(&rusqlite::Row<'_>) -> Result<bool, StorageError>,
) -> Result<(), StorageError> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    let has_records = prepared.column_count() > 2;
    let mut rows = prepared.query(params_from_iter(&statement.params))?;
    while let Some(row) = rows.next()? {
        if has_records {
            check_record(row, statement.tables)?;
        }
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
