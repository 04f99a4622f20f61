//! Storing, changing and deleting records. Every function runs in one transaction.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, params};

use super::registry::{self, BucketState};
use crate::bucket::{BucketConfig, BucketName};
use crate::query::Window;
use crate::record::checks::InvalidRecord;
use crate::record::{Record, RecordId};
use crate::storage::document::Document;
use crate::storage::made_id;
use crate::storage::new_records::{NewRecord, NewRecords};
use crate::storage::{Changed, StorageError, Stored};
use crate::timestamp::Timestamp;
use crate::value::ValueRef;

/// How many tombstones a bucket keeps. A reader that is further behind starts over, which takes
/// about as long as catching up by so many.
const TOMBSTONES_KEPT: i64 = 1_000_000;

pub(super) fn store(
    transaction: &Transaction<'_>,
    bucket: &BucketName,
    records: &mut NewRecords,
) -> Result<Stored, StorageError> {
    let mut writer = Writer::new(transaction, bucket)?;
    if records.is_empty() {
        return Ok(Stored::default());
    }
    let mut stored = Stored::default();
    for record in records.iter_mut() {
        let replaces = match record.id() {
            Some(id) => writer.remove(id)?,
            None => false,
        };
        writer.insert(record)?;
        if replaces { stored.replaced += 1 } else { stored.new += 1 }
    }
    writer.finish()?;
    Ok(stored)
}

pub(super) fn change(
    transaction: &Transaction<'_>,
    bucket: &BucketName,
    id: &RecordId,
    change: &(dyn Fn(&Record) -> Result<Record, Vec<InvalidRecord>> + Send + Sync),
    now: Timestamp,
) -> Result<Changed, StorageError> {
    let mut writer = Writer::new(transaction, bucket)?;
    let Some(document) = writer.document(id.as_str())? else { return Ok(Changed::NotFound) };
    let changed = match change(&Document::new(&document)?.to_record()?) {
        Ok(changed) => changed,
        Err(faults) => return Ok(Changed::Refused(faults)),
    };
    writer.remove(id.as_str())?;
    let mut records = NewRecords::new(now);
    // The document has its id, whoever made that.
    records.push(&Record { id: Some(id.clone()), ..changed }, now);
    for record in records.iter_mut() {
        writer.insert(record)?;
    }
    writer.finish()?;
    Ok(Changed::Stored)
}

pub(super) fn delete(
    transaction: &Transaction<'_>,
    bucket: &BucketName,
    id: &RecordId,
) -> Result<bool, StorageError> {
    let mut writer = Writer::new(transaction, bucket)?;
    let existed = writer.remove(id.as_str())?;
    if existed {
        writer.finish()?;
    }
    Ok(existed)
}

pub(super) fn empty(transaction: &Transaction<'_>, bucket: &BucketName) -> Result<(), StorageError> {
    clear(transaction, registry::state(transaction, bucket)?.number, true)
}

pub(super) fn delete_data(transaction: &Transaction<'_>, bucket: &BucketName) -> Result<bool, StorageError> {
    let written = is_written(transaction, bucket)?;
    if written {
        clear(transaction, registry::state(transaction, bucket)?.number, false)?;
    }
    Ok(written)
}

pub(super) fn is_written(connection: &Connection, bucket: &BucketName) -> Result<bool, StorageError> {
    let number = registry::state(connection, bucket)?.number;
    let sql = "SELECT written FROM bucket WHERE number = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([number], |row| row.get(0))?)
}

pub(super) fn count(connection: &Connection, bucket: &BucketName) -> Result<u64, StorageError> {
    let number = registry::state(connection, bucket)?.number;
    let count: i64 = connection.prepare_cached(&count_statement(number))?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

fn count_statement(number: i64) -> String {
    format!("SELECT count(*) FROM record_{number}")
}

/// The oldest and the newest time of a record, from the two ends of the index on them.
pub(super) fn time_span(
    connection: &Connection,
    bucket: &BucketName,
) -> Result<Option<(Timestamp, Timestamp)>, StorageError> {
    let number = registry::state(connection, bucket)?.number;
    let sql = time_span_statement(number);
    let ends = connection.prepare_cached(&sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let time = |millis: Option<i64>| millis.and_then(Timestamp::from_millis);
    Ok(time(ends.0).zip(time(ends.1)))
}

fn time_span_statement(number: i64) -> String {
    format!("SELECT (SELECT min(ts) FROM record_{number}), (SELECT max(ts) FROM record_{number})")
}

/// How many records there are of each period of a window that has any, counted in the index on times: no record
/// is looked at, and no period without one.
pub(super) fn count_by_period(
    connection: &Connection,
    bucket: &BucketName,
    window: &Window,
) -> Result<Vec<(Timestamp, u64)>, StorageError> {
    let number = registry::state(connection, bucket)?.number;
    let [next, count] = count_statements(number);
    let (mut next, mut count) = (connection.prepare_cached(&next)?, connection.prepare_cached(&count)?);
    let (mut counts, mut from) = (Vec::new(), window.start);
    loop {
        let found: Option<i64> = next.query_row([from.millis(), window.end.millis()], |row| row.get(0))?;
        let Some(time) = found.and_then(Timestamp::from_millis) else { return Ok(counts) };
        let start = window.period.start(time);
        from = window.period.next(start);
        let records: i64 = count.query_row([start.millis(), from.millis()], |row| row.get(0))?;
        counts.push((start, u64::try_from(records).unwrap_or(0)));
    }
}

/// The next time in a range, and how many records one has.
fn count_statements(number: i64) -> [String; 2] {
    ["min(ts)", "count(*)"]
        .map(|what| format!("SELECT {what} FROM record_{number} WHERE ts >= ?1 AND ts < ?2"))
}

fn clear(transaction: &Transaction<'_>, number: i64, written: bool) -> Result<(), StorageError> {
    // The counters of `seq` and `position` go on, so no number ever means two things.
    transaction.execute_batch(&format!("DELETE FROM record_{number}; DELETE FROM tombstone_{number};"))?;
    transaction.execute(
        "UPDATE bucket SET generation = generation + 1, stored_bytes = 0, written = ?2 WHERE number = ?1",
        params![number, written],
    )?;
    Ok(())
}

pub(super) fn newest_timestamps(
    connection: &Connection,
) -> Result<Vec<(BucketConfig, Timestamp)>, StorageError> {
    let mut newest = Vec::new();
    for bucket in registry::buckets(connection)?.0 {
        let number = registry::state(connection, bucket.name())?.number;
        let millis: Option<i64> = connection
            .prepare_cached(&format!("SELECT max(ts) FROM record_{number}"))?
            .query_row([], |row| row.get(0))?;
        if let Some(timestamp) = millis.and_then(Timestamp::from_millis) {
            newest.push((bucket.config, timestamp));
        }
    }
    Ok(newest)
}

/// Writes to one bucket's tables and keeps count of the bytes in them.
struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    state: BucketState,
    next_seq: i64,
    /// Whether it has left tombstones, so that there may be too many now.
    leaves_tombstones: bool,
    insert: CachedStatement<'a>,
    remove_by_id: CachedStatement<'a>,
}

impl<'a> Writer<'a> {
    fn new(transaction: &'a Transaction<'a>, bucket: &BucketName) -> Result<Self, StorageError> {
        let state = registry::state(transaction, bucket)?;
        let number = state.number;
        let last_seq: Option<i64> = transaction
            .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = ?1")?
            .query_row([format!("record_{number}")], |row| row.get(0))
            .optional()?;
        Ok(Self {
            transaction,
            next_seq: last_seq.unwrap_or(0) + 1,
            leaves_tombstones: false,
            insert: transaction.prepare_cached(&format!(
                "INSERT INTO record_{number} (seq, id, ts, doc) VALUES (?1, ?2, ?3, ?4)"
            ))?,
            remove_by_id: transaction.prepare_cached(&format!(
                "DELETE FROM record_{number} WHERE id = ?1 RETURNING seq, length(doc)"
            ))?,
            state,
        })
    }

    fn insert(&mut self, mut record: NewRecord<'_>) -> Result<(), StorageError> {
        let seq = self.next_seq;
        self.next_seq += 1;
        record.set_seq(seq);
        let timestamp = record.timestamp().map(Timestamp::millis);
        self.insert.execute(params![seq, record.id(), timestamp, record.document()])?;
        self.state.stored_bytes += i64::try_from(record.document().len()).unwrap_or(i64::MAX);
        Ok(())
    }

    /// Deletes the record with an id and leaves a tombstone. Says whether there was one.
    fn remove(&mut self, id: &str) -> Result<bool, StorageError> {
        let removed = self.remove_by_id.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let removed = match removed {
            Some(removed) => Some(removed),
            None => self.remove_made(id)?,
        };
        let Some((seq, bytes)) = removed else { return Ok(false) };
        self.state.stored_bytes -= bytes;
        let sql = format!("INSERT INTO tombstone_{} (seq) VALUES (?1)", self.state.number);
        self.transaction.prepare_cached(&sql)?.execute([seq])?;
        self.leaves_tombstones = true;
        Ok(true)
    }

    fn remove_made(&self, id: &str) -> Result<Option<(i64, i64)>, StorageError> {
        let Some((seq, document)) = self.made(id)? else { return Ok(None) };
        let sql = format!("DELETE FROM record_{} WHERE seq = ?1", self.state.number);
        self.transaction.prepare_cached(&sql)?.execute([seq])?;
        Ok(Some((seq, i64::try_from(document.len()).unwrap_or(i64::MAX))))
    }

    /// The record whose id we made, found by the `seq` in it.
    fn made(&self, id: &str) -> Result<Option<(i64, Vec<u8>)>, StorageError> {
        let Some(seq) = made_id::seq(id) else { return Ok(None) };
        let sql = format!("SELECT doc FROM record_{} WHERE seq = ?1 AND id IS NULL", self.state.number);
        let document: Option<Vec<u8>> =
            self.transaction.prepare_cached(&sql)?.query_row([seq], |row| row.get(0)).optional()?;
        let Some(document) = document else { return Ok(None) };
        let same = Document::new(&document)?.get("_id")? == Some(ValueRef::Text(id));
        Ok(same.then_some((seq, document)))
    }

    fn document(&self, id: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let sql = format!("SELECT doc FROM record_{} WHERE id = ?1", self.state.number);
        let document = self.transaction.prepare_cached(&sql)?.query_row([id], |row| row.get(0)).optional()?;
        match document {
            Some(document) => Ok(Some(document)),
            None => Ok(self.made(id)?.map(|(_, document)| document)),
        }
    }

    fn finish(mut self) -> Result<(), StorageError> {
        let number = self.state.number;
        if let Some(cap) = self.state.cap
            && self.state.stored_bytes > cap
        {
            self.drop_oldest(cap)?;
        }
        self.transaction
            .prepare_cached("UPDATE bucket SET stored_bytes = ?2, written = 1 WHERE number = ?1")?
            .execute(params![number, self.state.stored_bytes])?;
        if self.leaves_tombstones {
            self.transaction
                .prepare_cached(&format!(
                    "DELETE FROM tombstone_{number}
                     WHERE position <= (SELECT max(position) FROM tombstone_{number}) - ?1"
                ))?
                .execute([TOMBSTONES_KEPT])?;
        }
        Ok(())
    }

    /// Drops the records written first until the rest fit the cap. The one written last stays even
    /// if it does not fit alone: its client was told that it is stored.
    fn drop_oldest(&mut self, cap: i64) -> Result<(), StorageError> {
        let number = self.state.number;
        let mut last_dropped = None;
        self.leaves_tombstones = true;
        {
            let sql = format!("SELECT seq, length(doc) FROM record_{number} WHERE seq < ?1 ORDER BY seq");
            let mut statement = self.transaction.prepare_cached(&sql)?;
            let mut rows = statement.query([self.next_seq - 1])?;
            while self.state.stored_bytes > cap
                && let Some(row) = rows.next()?
            {
                self.state.stored_bytes -= row.get::<_, i64>(1)?;
                last_dropped = Some(row.get::<_, i64>(0)?);
            }
        }
        self.transaction.execute(
            &format!("INSERT INTO tombstone_{number} (seq) SELECT seq FROM record_{number} WHERE seq <= ?1"),
            [last_dropped],
        )?;
        self.transaction.execute(&format!("DELETE FROM record_{number} WHERE seq <= ?1"), [last_dropped])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::bucket::TokenChange;
    use crate::record::Record;
    use crate::storage::BucketSave;
    use crate::storage::sqlite::connections::open_writer;
    use crate::value::Value;

    #[test]
    fn figures_come_from_the_index_on_times() {
        let folder = tempfile::tempdir().expect("a folder");
        let writer = open_writer(&folder.path().join("backdrop.db")).expect("a database");
        let transaction = writer.unchecked_transaction().expect("a transaction");
        let bucket = BucketName::parse("counted").expect("a name");
        apply(&transaction, &bucket, Write::Cap(None)).expect("a bucket");
        let plan = |sql: &str| -> String {
            let mut explained = transaction.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a plan");
            let parameters = vec![0; explained.parameter_count()];
            let lines = explained
                .query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>("detail"))
                .expect("a plan");
            lines.map(|line| line.expect("a line")).collect::<Vec<_>>().join("\n")
        };
        let [next, count] = count_statements(1);
        for sql in [next, count, count_statement(1), time_span_statement(1)] {
            for line in plan(&sql).lines().filter(|line| line.contains("record_1")) {
                assert!(
                    line.ends_with("COVERING INDEX record_1_ts")
                        || line.contains("COVERING INDEX record_1_ts ("),
                    "{sql}: {line}"
                );
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Write {
        Store(Vec<Record>),
        Change(RecordId, Record),
        Refuse(RecordId),
        Delete(RecordId),
        /// Deletes the record with the least id, often a made one.
        DeleteFirst,
        Empty,
        DeleteData,
        Cap(Option<u64>),
    }

    fn id() -> impl Strategy<Value = RecordId> {
        select(vec!["a", "b", "c", "dd", "eee"]).prop_map(|id| RecordId::parse(id).expect("an id"))
    }

    prop_compose! {
        fn record()(id in prop::option::of(id()), text in "[a-zé]{0,40}") -> Record {
            Record { id, timestamp: None, fields: vec![("text".into(), Value::Text(text.into()))] }
        }
    }

    fn write() -> impl Strategy<Value = Write> {
        prop_oneof![
            6 => prop::collection::vec(record(), 0..8).prop_map(Write::Store),
            2 => (id(), record()).prop_map(|(id, record)| Write::Change(id, record)),
            1 => id().prop_map(Write::Refuse),
            2 => id().prop_map(Write::Delete),
            2 => Just(Write::DeleteFirst),
            1 => Just(Write::Empty),
            1 => Just(Write::DeleteData),
            2 => prop::option::of(0_u64..1000).prop_map(Write::Cap),
        ]
    }

    fn apply(transaction: &Transaction<'_>, bucket: &BucketName, write: Write) -> Result<(), StorageError> {
        let now = Timestamp::parse("2020-01-01").expect("a time");
        match write {
            Write::Store(records) => {
                let mut encoded = NewRecords::new(now);
                for record in &records {
                    encoded.push(record, now);
                }
                store(transaction, bucket, &mut encoded).map(drop)
            }
            Write::Change(id, new) => change(transaction, bucket, &id, &|_| Ok(new.clone()), now).map(drop),
            Write::Refuse(id) => change(transaction, bucket, &id, &|_| Err(Vec::new()), now).map(drop),
            Write::Delete(id) => delete(transaction, bucket, &id).map(drop),
            Write::DeleteFirst => match first_id(transaction, bucket)? {
                Some(id) => delete(transaction, bucket, &id).map(|existed| assert!(existed, "{id}")),
                None => Ok(()),
            },
            Write::Empty => empty(transaction, bucket),
            Write::DeleteData => delete_data(transaction, bucket).map(drop),
            Write::Cap(capped_size) => {
                let config =
                    BucketConfig { realtime: true, capped_size, ..BucketConfig::new(bucket.clone()) };
                registry::save_buckets(transaction, &[BucketSave::new(config, TokenChange::Keep)])
            }
        }
    }

    fn first_id(connection: &Connection, bucket: &BucketName) -> Result<Option<RecordId>, StorageError> {
        let sql = format!("SELECT doc FROM record_{}", registry::state(connection, bucket)?.number);
        let mut statement = connection.prepare(&sql)?;
        let mut documents = statement.query([])?;
        let mut ids = Vec::new();
        while let Some(row) = documents.next()? {
            let document: Vec<u8> = row.get(0)?;
            ids.extend(Document::new(&document)?.to_record()?.id);
        }
        Ok(ids.into_iter().min())
    }

    /// The stored bytes and the number of records as SQLite has them, to hold the running count to.
    fn counted(connection: &Connection, state: &BucketState) -> Result<(i64, i64), StorageError> {
        let sql = format!("SELECT coalesce(sum(length(doc)), 0), count(*) FROM record_{}", state.number);
        Ok(connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// All of a case happens in one transaction, which is much faster than one for each write.
    fn check(connection: &Connection, writes: Vec<Write>) -> Result<(), StorageError> {
        let transaction = connection.unchecked_transaction()?;
        let bucket = BucketName::parse("counted").expect("a name");
        apply(&transaction, &bucket, Write::Cap(None))?;
        for write in writes {
            let shown = format!("{write:?}");
            let caps = matches!(&write, Write::Store(records) if !records.is_empty());
            apply(&transaction, &bucket, write)?;
            let state = registry::state(&transaction, &bucket)?;
            let (bytes, records) = counted(&transaction, &state)?;
            assert_eq!(state.stored_bytes, bytes, "after {shown}");
            let fits = records == 1 || bytes <= state.cap.unwrap_or(i64::MAX);
            assert!(!caps || fits, "{bytes} after {shown}");
        }
        Ok(())
    }

    #[test]
    fn the_running_count_of_bytes_is_what_sqlite_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = open_writer(&folder.path().join("backdrop.db")).expect("a database");
        let writes = prop::collection::vec(write(), 0..20);
        proptest!(|(writes in writes)| {
            check(&connection, writes).expect("a working store");
        });
    }
}
