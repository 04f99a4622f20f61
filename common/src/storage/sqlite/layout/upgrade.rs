//! What a step of the layout does that SQL alone cannot: checksums are given to what is there.
//!
//! All of it is one transaction. SQLite writes what it has changed to its log as it goes, so it takes little
//! memory, however large the file is; the log is as large as the file then, for a while.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::bucket::BucketName;
use crate::storage::StorageError;
use crate::storage::sqlite::census::{self, Census};
use crate::storage::sqlite::registry::{self, BucketRow};
use crate::storage::sqlite::state::BucketState;
use crate::storage::sqlite::sums::{Place, Totals, damaged, of_record, to_column};
use crate::storage::sqlite::{audit, identity};

/// How many records are looked at before their checksums are stored.
const PAGE: usize = 1000;

/// Gives everything its checksum.
pub(super) fn to_version_3(transaction: &Transaction<'_>) -> Result<(), StorageError> {
    let last_tables = last_number(transaction, "bucket")?;
    census::write(transaction, &Census { last_tables, ..Census::default() })?;
    identity::create(transaction)?;
    let buckets = names_and_numbers(transaction)?;
    for (name, number) in &buckets {
        tracing::info!(bucket = %name, "giving the records of a file of an earlier version their checksums");
        seal_bucket(transaction, name, *number)?;
    }
    for email in emails(transaction)? {
        registry::seal_user(transaction, &email)?;
    }
    seal_audit(transaction)
}

fn names_and_numbers(connection: &Connection) -> Result<Vec<(BucketName, i64)>, StorageError> {
    let mut statement = connection.prepare("SELECT name, number FROM bucket ORDER BY number")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    rows.map(|row| {
        let (name, number) = row?;
        Ok((BucketName::parse(&name).map_err(|_| damaged("the name of a bucket"))?, number))
    })
    .collect()
}

fn emails(connection: &Connection) -> Result<Vec<String>, StorageError> {
    let mut statement = connection.prepare("SELECT email FROM user")?;
    let emails = statement.query_map([], |row| row.get(0))?;
    Ok(emails.collect::<Result<_, _>>()?)
}

/// The largest number that SQLite ever gave to a row of a table.
fn last_number(connection: &Connection, table: &str) -> Result<i64, StorageError> {
    let mut statement = connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = ?1")?;
    Ok(statement.query_row([table], |row| row.get(0)).optional()?.unwrap_or(0))
}

fn seal_bucket(transaction: &Transaction<'_>, name: &BucketName, number: i64) -> Result<(), StorageError> {
    // What is gone has no checksum, so whoever has a view of it starts over.
    transaction.execute_batch(&format!(
        "ALTER TABLE record_{number} ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE tombstone_{number} ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
         DELETE FROM tombstone_{number};"
    ))?;
    let totals = seal_records(transaction, number)?;
    let (cap, written, generation, stored_bytes) = transaction.query_row(
        "SELECT cap, written, generation, stored_bytes FROM bucket WHERE number = ?1",
        [number],
        |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?, row.get(3)?)),
    )?;
    let state = BucketState {
        bucket: number,
        number,
        cap,
        written,
        generation: generation + 1,
        stored_bytes,
        last_seq: last_number(transaction, &format!("record_{number}"))?,
        last_tombstone: last_number(transaction, &format!("tombstone_{number}"))?,
        totals,
    };
    state.save(transaction)?;
    BucketRow::seal(transaction, name)
}

fn seal_records(transaction: &Transaction<'_>, number: i64) -> Result<Totals, StorageError> {
    let mut totals = Totals::default();
    let mut last = i64::MIN;
    let sql =
        format!("SELECT seq, id, ts, doc FROM record_{number} WHERE seq > ?1 ORDER BY seq LIMIT {PAGE}");
    let mut read = transaction.prepare(&sql)?;
    let mut write = transaction.prepare(&format!("UPDATE record_{number} SET sum = ?2 WHERE seq = ?1"))?;
    loop {
        let mut sealed = Vec::with_capacity(PAGE);
        let mut rows = read.query([last])?;
        while let Some(row) = rows.next()? {
            let place = Place { tables: number, seq: row.get(0)?, time: row.get(2)? };
            let sum = of_record(place, row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?);
            totals.add(place, row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)?, sum);
            sealed.push((place.seq, sum));
        }
        drop(rows);
        for (seq, sum) in &sealed {
            write.execute(params![seq, to_column(*sum)])?;
        }
        let Some((seq, _)) = sealed.last() else { return Ok(totals) };
        last = *seq;
    }
}

fn seal_audit(transaction: &Transaction<'_>) -> Result<(), StorageError> {
    let mut position = i64::MIN;
    let sql = format!("SELECT {} FROM audit WHERE position > ?1 ORDER BY position LIMIT 1", audit::COLUMNS);
    let mut read = transaction.prepare(&sql)?;
    let mut write = transaction.prepare("UPDATE audit SET sum = ?2 WHERE position = ?1")?;
    let mut counted = (0_i64, 0_i64);
    loop {
        let mut rows = read.query([position])?;
        let Some(row) = rows.next()? else { break };
        let (sum, _) = audit::sums_of(row)?;
        position = row.get("position")?;
        drop(rows);
        write.execute([position, sum])?;
        counted = (counted.0 + 1, counted.1.wrapping_add(sum));
    }
    census::change(transaction, |census| (census.entries, census.entry_sums) = counted)
}
