//! What there is of buckets, users and entries of the audit log: how many, and what their checksums come
//! to. By this a row that is missing is found, which has no checksum any more.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::registry;
use super::sums::{RowSum, damaged};
use crate::storage::StorageError;

/// The counts, in a row of a table of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) buckets: i64,
    pub(super) bucket_sums: i64,
    pub(super) users: i64,
    pub(super) user_sums: i64,
    pub(super) entries: i64,
    pub(super) entry_sums: i64,
    /// The largest number that tables of a bucket were ever given.
    pub(super) last_tables: i64,
}

impl Census {
    fn parts(&self) -> [i64; 7] {
        let Self { buckets, bucket_sums, users, user_sums, entries, entry_sums, last_tables } = *self;
        [buckets, bucket_sums, users, user_sums, entries, entry_sums, last_tables]
    }

    fn sum(&self) -> i64 {
        RowSum::default().numbers(self.parts()).stored()
    }
}

/// The counts as they are stored.
pub(super) fn read(connection: &Connection) -> Result<Census, StorageError> {
    let mut statement = connection.prepare_cached(
        "SELECT buckets, bucket_sums, users, user_sums, entries, entry_sums, last_tables, sum FROM census",
    )?;
    let found = statement.query_row([], |row| {
        let census = Census {
            buckets: row.get(0)?,
            bucket_sums: row.get(1)?,
            users: row.get(2)?,
            user_sums: row.get(3)?,
            entries: row.get(4)?,
            entry_sums: row.get(5)?,
            last_tables: row.get(6)?,
        };
        Ok((census, row.get::<_, i64>(7)?))
    });
    let found = found.optional()?.filter(|(census, sum)| census.sum() == *sum);
    found.map(|(census, _)| census).ok_or_else(|| damaged("the counts of what there is"))
}

/// Changes the counts.
pub(super) fn change(
    transaction: &Transaction<'_>,
    change: impl FnOnce(&mut Census),
) -> Result<(), StorageError> {
    let mut census = read(transaction)?;
    change(&mut census);
    write(transaction, &census)
}

/// Stores the counts.
pub(super) fn write(transaction: &Transaction<'_>, census: &Census) -> Result<(), StorageError> {
    let [buckets, bucket_sums, users, user_sums, entries, entry_sums, last_tables] = census.parts();
    transaction
        .prepare_cached(
            "REPLACE INTO census (one, buckets, bucket_sums, users, user_sums, entries, entry_sums, last_tables, sum)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            buckets, bucket_sums, users, user_sums, entries, entry_sums, last_tables, census.sum()
        ])?;
    Ok(())
}

/// Checks that every bucket is there and is found, before one is said not to exist.
pub(super) fn check_buckets(connection: &Connection) -> Result<(), StorageError> {
    registry::check_buckets(connection)
}
