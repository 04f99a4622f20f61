//! Storing, changing and deleting records. Every function runs in one transaction.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, params};

use super::sound::Sound;
use super::state::BucketState;
use super::sums::{self, Place, damaged, from_column, of_record, sealed, to_column};
use super::{layout, registry};
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
/// How many records a write drops at most for the cap of its bucket, so that no other waits for long; the
/// next write goes on. It matters only where a cap was made much smaller.
const DROPPED_AT_ONCE: usize = 20_000;

pub(super) fn store(
    transaction: &Transaction<'_>,
    bucket: &BucketName,
    records: &mut NewRecords,
    sound: &Sound,
) -> Result<Stored, StorageError> {
    let mut writer = Writer::new(transaction, bucket, sound)?;
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
    sound: &Sound,
) -> Result<Changed, StorageError> {
    let mut writer = Writer::new(transaction, bucket, sound)?;
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
    sound: &Sound,
) -> Result<bool, StorageError> {
    let mut writer = Writer::new(transaction, bucket, sound)?;
    let existed = writer.remove(id.as_str())?;
    if existed {
        writer.finish()?;
    }
    Ok(existed)
}

pub(super) fn empty(transaction: &Transaction<'_>, bucket: &BucketName) -> Result<(), StorageError> {
    clear(transaction, &registry::state(transaction, bucket)?, true)
}

pub(super) fn delete_data(transaction: &Transaction<'_>, bucket: &BucketName) -> Result<bool, StorageError> {
    let state = registry::state(transaction, bucket)?;
    if state.written {
        clear(transaction, &state, false)?;
    }
    Ok(state.written)
}

pub(super) fn is_written(connection: &Connection, bucket: &BucketName) -> Result<bool, StorageError> {
    Ok(registry::state(connection, bucket)?.written)
}

pub(super) fn count(connection: &Connection, bucket: &BucketName) -> Result<u64, StorageError> {
    Ok(u64::try_from(registry::state(connection, bucket)?.totals.records).unwrap_or(0))
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

fn clear(transaction: &Transaction<'_>, state: &BucketState, written: bool) -> Result<(), StorageError> {
    let number = layout::clear_bucket_tables(transaction, state.number, state.totals.records)?;
    // The last numbers stay, so that none ever means two things.
    let cleared = BucketState {
        number,
        written,
        generation: state.generation + 1,
        stored_bytes: 0,
        totals: sums::Totals::default(),
        ..*state
    };
    cleared.save(transaction)
}

pub(super) fn newest_timestamps(
    connection: &Connection,
    sound: &Sound,
) -> Result<Vec<(BucketConfig, Timestamp)>, StorageError> {
    let mut newest = Vec::new();
    for bucket in registry::buckets(connection)?.0 {
        sound.ensure(connection, bucket.name())?;
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
    /// Whether it has left tombstones, so that there may be too many now.
    leaves_tombstones: bool,
    insert: CachedStatement<'a>,
    remove_by_id: CachedStatement<'a>,
}

/// A record as its row has it, but for its bytes.
struct Removed {
    place: Place,
    id: Option<String>,
    bytes: i64,
    sum: u32,
}

impl Removed {
    /// Reads a row with the columns `seq, id, ts, length(doc), sum`.
    fn read(row: &rusqlite::Row<'_>, tables: i64) -> Result<Self, StorageError> {
        let place = Place { tables, seq: row.get(0)?, time: row.get(2)? };
        let sum = from_column(row.get(4)?).ok_or_else(|| damaged(&format!("record {}", place.seq)))?;
        Ok(Self { place, id: row.get(1)?, bytes: row.get(3)?, sum })
    }
}

impl<'a> Writer<'a> {
    fn new(
        transaction: &'a Transaction<'a>,
        bucket: &BucketName,
        sound: &Sound,
    ) -> Result<Self, StorageError> {
        let state = registry::state(transaction, bucket)?;
        sound.ensure_state(transaction, bucket, &state)?;
        let number = state.number;
        Ok(Self {
            transaction,
            leaves_tombstones: false,
            insert: transaction.prepare_cached(&format!(
                "INSERT INTO record_{number} (seq, id, ts, sum, doc) VALUES (?1, ?2, ?3, ?4, ?5)"
            ))?,
            remove_by_id: transaction.prepare_cached(&format!(
                "DELETE FROM record_{number} WHERE id = ?1 RETURNING seq, id, ts, length(doc), sum"
            ))?,
            state,
        })
    }

    fn insert(&mut self, mut record: NewRecord<'_>) -> Result<(), StorageError> {
        self.state.last_seq += 1;
        let seq = self.state.last_seq;
        record.set_seq(seq);
        let time = record.timestamp().map(Timestamp::millis);
        let place = Place { tables: self.state.number, seq, time };
        let sum = of_record(place, record.document());
        self.insert.execute(params![seq, record.id(), time, to_column(sum), record.document()])?;
        self.state.totals.add(place, record.id(), sum);
        self.state.stored_bytes += i64::try_from(record.document().len()).unwrap_or(i64::MAX);
        Ok(())
    }

    /// Deletes the record with an id and leaves a tombstone. Says whether there was one.
    fn remove(&mut self, id: &str) -> Result<bool, StorageError> {
        let tables = self.state.number;
        let removed = self.remove_by_id.query_row([id], |row| Ok(Removed::read(row, tables))).optional()?;
        let removed = match removed {
            Some(removed) => Some(removed?),
            None => self.remove_made(id)?,
        };
        let Some(removed) = removed else { return Ok(false) };
        self.bury(&removed)?;
        Ok(true)
    }

    /// Leaves a tombstone of a record that was deleted, and counts it no more.
    fn bury(&mut self, removed: &Removed) -> Result<(), StorageError> {
        let Removed { place, id, bytes, sum } = removed;
        self.state.stored_bytes -= bytes;
        self.state.totals.remove(*place, id.as_deref(), *sum);
        self.state.last_tombstone += 1;
        let sql =
            format!("INSERT INTO tombstone_{} (position, seq, sum) VALUES (?1, ?2, ?3)", self.state.number);
        self.transaction.prepare_cached(&sql)?.execute(params![
            self.state.last_tombstone,
            place.seq,
            to_column(sealed(place.tables, place.seq, *sum))
        ])?;
        self.leaves_tombstones = true;
        Ok(())
    }

    fn remove_made(&self, id: &str) -> Result<Option<Removed>, StorageError> {
        let Some((seq, _)) = self.made(id)? else { return Ok(None) };
        let number = self.state.number;
        let sql =
            format!("DELETE FROM record_{number} WHERE seq = ?1 RETURNING seq, id, ts, length(doc), sum");
        self.transaction
            .prepare_cached(&sql)?
            .query_row([seq], |row| Ok(Removed::read(row, number)))?
            .map(Some)
    }

    /// The record whose id we made, found by the `seq` in it.
    fn made(&self, id: &str) -> Result<Option<(i64, Vec<u8>)>, StorageError> {
        let Some(seq) = made_id::seq(id) else { return Ok(None) };
        let condition = "seq = ?1 AND id IS NULL";
        let Some(document) = self.checked(condition, seq)? else { return Ok(None) };
        let same = Document::new(&document)?.get("_id")? == Some(ValueRef::Text(id));
        Ok(same.then_some((seq, document)))
    }

    fn document(&self, id: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let Some(document) = self.checked("id = ?1", id)? else {
            return Ok(self.made(id)?.map(|(_, document)| document));
        };
        if Document::new(&document)?.get("_id")? == Some(ValueRef::Text(id)) {
            return Ok(Some(document));
        }
        Err(damaged("an index says that a record has another id than it has"))
    }

    /// The bytes of the record for which a condition holds, if it is as it was stored.
    fn checked(&self, condition: &str, param: impl rusqlite::ToSql) -> Result<Option<Vec<u8>>, StorageError> {
        let number = self.state.number;
        let sql = format!("SELECT seq, ts, doc, sum FROM record_{number} WHERE {condition}");
        let mut statement = self.transaction.prepare_cached(&sql)?;
        let mut rows = statement.query([param])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        check_record(row, number).map(|(document, _)| Some(document.to_owned()))
    }

    fn finish(mut self) -> Result<(), StorageError> {
        let number = self.state.number;
        if let Some(cap) = self.state.cap
            && self.state.stored_bytes > cap
        {
            self.drop_oldest(cap)?;
        }
        self.state.written = true;
        self.state.save(self.transaction)?;
        if self.leaves_tombstones {
            self.transaction
                .prepare_cached(&format!("DELETE FROM tombstone_{number} WHERE position <= ?1"))?
                .execute([self.state.last_tombstone - TOMBSTONES_KEPT])?;
        }
        Ok(())
    }

    /// Drops the records written first until the rest fit the cap. The one written last stays even
    /// if it does not fit alone: its client was told that it is stored.
    fn drop_oldest(&mut self, cap: i64) -> Result<(), StorageError> {
        let number = self.state.number;
        let mut dropped = Vec::new();
        {
            let mut bytes = self.state.stored_bytes;
            let sql = format!(
                "SELECT seq, id, ts, length(doc), sum FROM record_{number} WHERE seq < ?1 ORDER BY seq"
            );
            let mut statement = self.transaction.prepare_cached(&sql)?;
            let mut rows = statement.query([self.state.last_seq])?;
            while bytes > cap
                && dropped.len() < DROPPED_AT_ONCE
                && let Some(row) = rows.next()?
            {
                let oldest = Removed::read(row, number)?;
                bytes -= oldest.bytes;
                dropped.push(oldest);
            }
        }
        let Some(last) = dropped.last().map(|last| last.place.seq) else { return Ok(()) };
        dropped.iter().try_for_each(|oldest| self.bury(oldest))?;
        self.transaction.execute(&format!("DELETE FROM record_{number} WHERE seq <= ?1"), [last])?;
        Ok(())
    }
}

/// The bytes of a record in a row with the columns `seq, ts, doc, sum`, if they are what was stored, and
/// their checksum.
pub(super) fn check_record<'r>(
    row: &'r rusqlite::Row<'_>,
    tables: i64,
) -> Result<(&'r [u8], u32), StorageError> {
    let place = Place { tables, seq: row.get(0)?, time: row.get(1)? };
    let document = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
    let sum = of_record(place, document);
    if from_column(row.get(3)?) == Some(sum) {
        return Ok((document, sum));
    }
    Err(damaged(&format!("record {} in the tables {tables}", place.seq)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::bucket::TokenChange;
    use crate::record::Record;
    use crate::storage::BucketSave;
    use crate::storage::sqlite::connections::new_writer;
    use crate::storage::sqlite::sound;
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
                store(transaction, bucket, &mut encoded, &Sound::default()).map(drop)
            }
            Write::Change(id, new) => {
                change(transaction, bucket, &id, &|_| Ok(new.clone()), now, &Sound::default()).map(drop)
            }
            Write::Refuse(id) => {
                change(transaction, bucket, &id, &|_| Err(Vec::new()), now, &Sound::default()).map(drop)
            }
            Write::Delete(id) => delete(transaction, bucket, &id, &Sound::default()).map(drop),
            Write::DeleteFirst => match first_id(transaction, bucket)? {
                Some(id) => delete(transaction, bucket, &id, &Sound::default())
                    .map(|existed| assert!(existed, "{id}")),
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
            sound::check(&transaction, &bucket, &state).expect("totals of what is there");
            let fits = records == 1 || bytes <= state.cap.unwrap_or(i64::MAX);
            assert!(!caps || fits, "{bytes} after {shown}");
        }
        Ok(())
    }

    #[test]
    fn the_running_count_of_bytes_is_what_sqlite_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = new_writer(&folder.path().join("backdrop.db"));
        let writes = prop::collection::vec(write(), 0..20);
        proptest!(|(writes in writes)| {
            check(&connection, writes).expect("a working store");
        });
    }
}
