//! Whether what an index or a part of the records says can be believed: a process reads all records of a
//! bucket and its indexes once, before it believes a part of them.
//!
//! A damaged record is told by its checksum. That one is missing where an index leads, or among the first
//! few, is told by the totals only, for which all has to be read.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::records::check_record;
use super::registry;
use super::state::BucketState;
use super::sums::{Place, Totals, damaged, of_id};
use crate::bucket::BucketName;
use crate::storage::{StorageError, StorageErrorKind};

/// A bucket of more bytes is not read for this alone, since a query would wait for it: what is missing of it
/// is found when its view is made, and by `backdrop-write check`.
const LARGE: i64 = 64 << 20;

/// The tables that this process has found to be sound.
#[derive(Default)]
pub(super) struct Sound(Mutex<HashSet<i64>>);

impl Sound {
    /// Reads a bucket, unless that was done before, or would take long.
    ///
    /// # Errors
    ///
    /// [`Internal`](crate::storage::StorageErrorKind::Internal) if it is damaged.
    pub(super) fn ensure(&self, connection: &Connection, bucket: &BucketName) -> Result<(), StorageError> {
        self.ensure_state(connection, bucket, &registry::state(connection, bucket)?)
    }

    /// The same, for who knows the bucket's state.
    pub(super) fn ensure_state(
        &self,
        connection: &Connection,
        bucket: &BucketName,
        state: &BucketState,
    ) -> Result<(), StorageError> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.stored_bytes > LARGE || lock().contains(&state.number) {
            return Ok(());
        }
        check(connection, bucket, state)?;
        lock().insert(state.number);
        Ok(())
    }
}

/// Reads all records of a bucket and its indexes.
///
/// # Errors
///
/// The first thing that is not as it was stored.
pub(super) fn check(
    connection: &Connection,
    bucket: &BucketName,
    state: &BucketState,
) -> Result<(), StorageError> {
    match faults(connection, state, &mut |_| {}) {
        Ok(faults) => match faults.first() {
            Some(fault) => Err(damaged(&format!("bucket \"{bucket}\": {fault}"))),
            None => Ok(()),
        },
        Err(error) => Err(error),
    }
}

/// What is not as it was stored, of a bucket's records and its indexes. `advance` is told of bytes that were
/// read.
pub(super) fn faults(
    connection: &Connection,
    state: &BucketState,
    advance: &mut dyn FnMut(usize),
) -> Result<Vec<String>, StorageError> {
    let number = state.number;
    let mut faults = Vec::new();
    faults.extend(structure(connection, &format!("record_{number}"))?);
    faults.extend(structure(connection, &format!("tombstone_{number}"))?);
    faults.extend(found(records(connection, state, advance))?);
    let index = |name: &str, right: bool| {
        (!right).then(|| format!("the index on the {name} does not say what the records do"))
    };
    faults
        .extend(found(times(connection, number).map(|sum| index("times", sum == Some(state.totals.times))))?);
    faults.extend(found(ids(connection, number).map(|sum| index("ids", sum == Some(state.totals.ids))))?);
    Ok(faults)
}

/// A fault that kept SQLite from reading is one that was found.
fn found(looked: Result<Option<String>, StorageError>) -> Result<Option<String>, StorageError> {
    match looked {
        Err(error) if error.kind() == StorageErrorKind::Internal => Ok(Some(error.cause().to_string())),
        looked => looked,
    }
}

/// What is wrong with the records themselves.
fn records(
    connection: &Connection,
    state: &BucketState,
    advance: &mut dyn FnMut(usize),
) -> Result<Option<String>, StorageError> {
    let number = state.number;
    let mut statement =
        connection.prepare(&format!("SELECT seq, ts, doc, sum, id FROM record_{number} ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    let (mut total, mut bytes, mut last) = (Totals::default(), 0_i64, None);
    let mut damaged = Vec::new();
    while let Some(row) = rows.next()? {
        let place = Place { tables: number, seq: row.get(0)?, time: row.get(1)? };
        if last >= Some(place.seq) {
            return Ok(Some("the records are not in their order".to_owned()));
        }
        last = Some(place.seq);
        let Ok((document, sum)) = check_record(row, number) else {
            damaged.push(place.seq);
            continue;
        };
        total.add(place, row.get_ref(4)?.as_str_or_null().map_err(rusqlite::Error::from)?, sum);
        bytes += i64::try_from(document.len()).unwrap_or(i64::MAX);
        advance(document.len());
    }
    if !damaged.is_empty() {
        return Ok(Some(shown(&damaged)));
    }
    let (there, all) = (total.records, state.totals.records);
    let is_right = (total, bytes) == (state.totals, state.stored_bytes);
    Ok((!is_right).then(|| format!("of {all} records {there} are there, or they are not those")))
}

/// The numbers of damaged records, the first of them.
fn shown(damaged: &[i64]) -> String {
    const SHOWN: usize = 5;
    let first: Vec<String> = damaged.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if damaged.len() > SHOWN { ", …" } else { "" };
    format!("{} of its records are damaged (numbers {}{more})", damaged.len(), first.join(", "))
}

/// What SQLite finds of how the pages of a table and its indexes hang together.
fn structure(connection: &Connection, table: &str) -> Result<Option<String>, StorageError> {
    let sql = format!("PRAGMA quick_check({table})");
    let said = connection.query_row(&sql, [], |row| row.get::<_, String>(0));
    found(said.map(|said| (said != "ok").then_some(said)).map_err(StorageError::from))
}

/// What the entries of the index on times come to; none if they are not in order.
fn times(connection: &Connection, number: i64) -> Result<Option<i64>, StorageError> {
    let sql = format!("SELECT ts, seq FROM record_{number} INDEXED BY record_{number}_ts ORDER BY ts, seq");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let (mut last, mut total) = (None, 0_i64);
    while let Some(row) = rows.next()? {
        let (time, seq): (Option<i64>, i64) = (row.get(0)?, row.get(1)?);
        if last >= Some((time, seq)) {
            return Ok(None);
        }
        last = Some((time, seq));
        total = total.wrapping_add(Place { tables: number, seq, time }.mixed().cast_signed());
    }
    Ok(Some(total))
}

/// The same of the index on ids.
fn ids(connection: &Connection, number: i64) -> Result<Option<i64>, StorageError> {
    let sql = format!(
        "SELECT id, seq FROM record_{number} INDEXED BY record_{number}_id WHERE id IS NOT NULL ORDER BY id"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let (mut last, mut total) = (String::new(), 0_i64);
    while let Some(row) = rows.next()? {
        let id = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        let seq: i64 = row.get(1)?;
        if *last >= *id {
            return Ok(None);
        }
        id.clone_into(&mut last);
        total = total.wrapping_add(of_id(number, seq, id).cast_signed());
    }
    Ok(Some(total))
}
