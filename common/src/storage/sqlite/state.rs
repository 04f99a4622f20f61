//! The state of a bucket's records, kept in the bucket's row: how many there are, what they come to, and
//! the last numbers that were given. It has a checksum of its own.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::sums::{RowSum, Totals, damaged};
use crate::bucket::BucketName;
use crate::storage::{Revision, StorageError, StorageErrorKind};

/// What the tables of a bucket are called after, and what the store keeps of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BucketState {
    /// The bucket's own number.
    pub(super) bucket: i64,
    /// The number of its tables, which are others after the bucket was emptied.
    pub(super) number: i64,
    pub(super) cap: Option<i64>,
    pub(super) written: bool,
    /// How often it was emptied.
    pub(super) generation: i64,
    pub(super) stored_bytes: i64,
    /// The number of the record that was written last, whether it is there still or not.
    pub(super) last_seq: i64,
    /// The position of the tombstone that was written last.
    pub(super) last_tombstone: i64,
    pub(super) totals: Totals,
}

const COLUMNS: &str = "number, tables, cap, written, generation, stored_bytes, last_seq, last_tombstone,
    records, sums, times, ids, state_sum";

impl BucketState {
    /// That of a bucket without records.
    pub(super) fn new(bucket: i64, number: i64) -> Self {
        Self {
            bucket,
            number,
            cap: None,
            written: false,
            generation: 0,
            stored_bytes: 0,
            last_seq: 0,
            last_tombstone: 0,
            totals: Totals::default(),
        }
    }

    /// The state of a bucket that a caller found before.
    ///
    /// # Errors
    ///
    /// [`StorageErrorKind::NotFound`] if it is gone.
    pub(super) fn of(connection: &Connection, bucket: &BucketName) -> Result<Self, StorageError> {
        let (state, sum) = connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM bucket WHERE name = ?1"))?
            .query_row([bucket.as_str()], Self::read)
            .optional()?
            .ok_or_else(|| not_found(bucket))?;
        if state.sum() == sum {
            return Ok(state);
        }
        Err(damaged(&format!("what is kept of the records of bucket \"{bucket}\"")))
    }

    /// What is different if any record is.
    pub(super) fn revision(&self) -> Revision {
        // Numbers are never used twice, so no two states have all four in common.
        Revision([self.number, self.generation, self.last_seq, self.last_tombstone])
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<(Self, i64)> {
        let totals =
            Totals { records: row.get(8)?, sums: row.get(9)?, times: row.get(10)?, ids: row.get(11)? };
        let state = Self {
            bucket: row.get(0)?,
            number: row.get(1)?,
            cap: row.get(2)?,
            written: row.get(3)?,
            generation: row.get(4)?,
            stored_bytes: row.get(5)?,
            last_seq: row.get(6)?,
            last_tombstone: row.get(7)?,
            totals,
        };
        Ok((state, row.get(12)?))
    }

    fn sum(&self) -> i64 {
        // Taken apart, so that a new part is not forgotten here.
        let Self {
            bucket,
            number,
            cap,
            written,
            generation,
            stored_bytes,
            last_seq,
            last_tombstone,
            totals: Totals { records, sums, times, ids },
        } = *self;
        let numbers = [bucket, number, written.into(), generation, stored_bytes, last_seq, last_tombstone];
        RowSum::default().number(cap).numbers(numbers).numbers([records, sums, times, ids]).stored()
    }

    /// Stores it.
    pub(super) fn save(&self, transaction: &Transaction<'_>) -> Result<(), StorageError> {
        let Totals { records, sums, times, ids } = self.totals;
        transaction
            .prepare_cached(
                "UPDATE bucket SET tables = ?2, cap = ?3, written = ?4, generation = ?5, stored_bytes = ?6,
                     last_seq = ?7, last_tombstone = ?8, records = ?9, sums = ?10, times = ?11, ids = ?12,
                     state_sum = ?13
                 WHERE number = ?1",
            )?
            .execute(params![
                self.bucket,
                self.number,
                self.cap,
                self.written,
                self.generation,
                self.stored_bytes,
                self.last_seq,
                self.last_tombstone,
                records,
                sums,
                times,
                ids,
                self.sum()
            ])?;
        Ok(())
    }
}

pub(super) fn not_found(bucket: &BucketName) -> StorageError {
    StorageError::new(StorageErrorKind::NotFound, format!("there is no bucket \"{bucket}\""))
}
