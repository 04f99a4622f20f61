//! Answering queries by reading the stored bytes: only the fields that a query names are looked
//! at, and groups are added up as records pass by. No record is ever built in memory.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};
use rusqlite::{Connection, params_from_iter};

use super::registry;
use super::statement::{self, Statement, TimeIndex};
use crate::aggregate::Partial;
use crate::bucket::BucketName;
use crate::period::Period;
use crate::query::{
    Filter, GroupQuery, InvalidQuery, RecordQuery, RecordSort, Selection, Test, TimeRange, Window,
};
use crate::storage::{CollectedField, Document, Documents, Row, StorageError, StorageErrorKind};
use crate::timestamp::Timestamp;
use crate::value::{Value, ValueRef};

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

/// The fields that a query looks at, each in a place of its own.
#[derive(Default)]
struct Columns<'q> {
    stored: Vec<(&'q str, usize)>,
    derived: Vec<(Period, usize)>,
    timestamp: Option<usize>,
    len: usize,
}

impl<'q> Columns<'q> {
    /// The place of a field, which is added if it is new.
    fn add(&mut self, field: &'q str) -> usize {
        let period = Period::ALL.into_iter().find(|period| period.start_key() == field);
        let known = match period {
            Some(period) => self.derived.iter().find(|(known, _)| *known == period).map(|(_, place)| *place),
            None if field == "_timestamp" => self.timestamp,
            None => self.stored.iter().find(|(known, _)| *known == field).map(|(_, place)| *place),
        };
        if let Some(place) = known {
            return place;
        }
        let place = self.len;
        self.len += 1;
        match period {
            Some(period) => self.derived.push((period, place)),
            None if field == "_timestamp" => self.timestamp = Some(place),
            None => self.stored.push((field, place)),
        }
        place
    }

    fn needs_document(&self) -> bool {
        !self.stored.is_empty()
    }

    /// The values of a record, by place.
    fn read<'a>(
        &self,
        timestamp: Option<Timestamp>,
        document: Option<Document<'a>>,
    ) -> Result<Values<'a>, StorageError> {
        let mut values = Values::new(self.len);
        if let Some(timestamp) = timestamp {
            if let Some(place) = self.timestamp {
                values[place] = Some(ValueRef::Time(timestamp));
            }
            for (period, place) in &self.derived {
                values[*place] = Some(ValueRef::Time(period.start(timestamp)));
            }
        }
        if let Some(document) = document.filter(|_| self.needs_document()) {
            let place_of =
                |key: &str| self.stored.iter().find(|(field, _)| *field == key).map(|(_, place)| *place);
            document.extract(place_of, |place, value| values[place] = Some(value))?;
        }
        Ok(values)
    }
}

/// The values of one record. Most queries look at few fields, so they stay on the stack.
struct Values<'a> {
    few: [Option<ValueRef<'a>>; FEW],
    many: Vec<Option<ValueRef<'a>>>,
}

/// How many values are kept on the stack.
const FEW: usize = 8;

impl Values<'_> {
    fn new(len: usize) -> Self {
        Self { few: [None; FEW], many: vec![None; if len > FEW { len } else { 0 }] }
    }
}

impl<'a> std::ops::Deref for Values<'a> {
    type Target = [Option<ValueRef<'a>>];

    fn deref(&self) -> &Self::Target {
        if self.many.is_empty() { &self.few } else { &self.many }
    }
}

impl std::ops::DerefMut for Values<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        if self.many.is_empty() { &mut self.few } else { &mut self.many }
    }
}

/// The filters of a query, with the places of their fields.
struct Filters<'q>(Vec<(usize, &'q Test)>);

impl<'q> Filters<'q> {
    fn new(filters: &'q [Filter], columns: &mut Columns<'q>) -> Self {
        Self(filters.iter().map(|filter| (columns.add(filter.field.as_str()), &filter.test)).collect())
    }

    fn pass(&self, values: &Values<'_>) -> bool {
        self.0.iter().all(|(place, test)| test.passes(values[*place]))
    }
}

/// The records that a query for records found so far.
struct Found<'q> {
    sort: Option<&'q RecordSort>,
    limit: Option<usize>,
    /// In the order of the answer, where nothing is left to sort.
    documents: Documents,
    /// Where something is: with their keys, in the order of writing.
    unsorted: Vec<(Value, i64, Box<[u8]>)>,
}

impl<'q> Found<'q> {
    fn new(sort: Option<&'q RecordSort>, limit: Option<usize>) -> Self {
        Self { sort, limit, documents: Documents::default(), unsorted: Vec::new() }
    }

    fn push(&mut self, key: ValueRef<'_>, seq: i64, document: &[u8]) {
        if self.sort.is_none() {
            self.documents.push(document);
            return;
        }
        self.unsorted.push((key.to_value(), seq, document.into()));
        // Now and then all but the best are let go, so that a limited answer needs little memory.
        if let Some(limit) = self.limit
            && self.unsorted.len() >= limit.saturating_mul(2).max(1024)
        {
            self.sort_and_limit();
        }
    }

    /// Whether enough was found to stop; not while a better record may follow.
    fn is_complete(&self) -> bool {
        self.sort.is_none() && self.limit.is_some_and(|limit| self.documents.len() >= limit)
    }

    fn sort_and_limit(&mut self) {
        if let Some(sort) = self.sort {
            self.unsorted.sort_unstable_by(|(a, a_seq, _), (b, b_seq, _)| {
                sort.direction.apply(a.cmp(b)).then_with(|| a_seq.cmp(b_seq))
            });
        }
        if let Some(limit) = self.limit {
            self.unsorted.truncate(limit);
        }
    }

    fn into_documents(mut self) -> Documents {
        self.sort_and_limit();
        for (_, _, document) in &self.unsorted {
            self.documents.push(document);
        }
        self.documents
    }
}

/// The groups that a query for groups found so far.
struct Groups<'q> {
    rows: Vec<Row>,
    /// Places in `rows`, found by the hash of keys and period.
    places: HashTable<usize>,
    hasher: DefaultHashBuilder,
    window: Option<Window>,
    /// The places of the keys among a record's values.
    keys: &'q [usize],
    fields: &'q [CollectedField],
    max_rows: usize,
}

impl<'q> Groups<'q> {
    fn new(query: &GroupQuery, keys: &'q [usize], fields: &'q [CollectedField]) -> Self {
        Self {
            rows: Vec::new(),
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            window: query.window,
            keys,
            fields,
            max_rows: query.max_rows,
        }
    }

    /// The row of the group that a record is in, which is added if it is new. A record where a key
    /// is missing or null is in none.
    fn group(
        &mut self,
        values: &Values<'_>,
        timestamp: Option<Timestamp>,
    ) -> Result<Option<&mut Row>, StorageError> {
        let start = self.window.zip(timestamp).map(|(window, timestamp)| window.period.start(timestamp));
        let key = |place: &usize| values[*place].unwrap_or(ValueRef::Null);
        let key_places = self.keys;
        let keys = || key_places.iter().map(key);
        if keys().any(ValueRef::is_null) {
            return Ok(None);
        }
        let hash = hash_of(&self.hasher, keys(), start);
        let is_it = |place: &usize| {
            let row = &self.rows[*place];
            row.start == start && row.keys.iter().zip(keys()).all(|(known, key)| known.as_ref() == key)
        };
        let known = self.places.find(hash, is_it).copied();
        let place = match known {
            Some(place) => place,
            None => self.add(hash, keys(), start)?,
        };
        let row = &mut self.rows[place];
        for (shown, key) in row.keys.iter_mut().zip(keys()) {
            shown.prefer_spelling(key);
        }
        Ok(Some(row))
    }

    fn add<'a>(
        &mut self,
        hash: u64,
        keys: impl Iterator<Item = ValueRef<'a>>,
        start: Option<Timestamp>,
    ) -> Result<usize, StorageError> {
        let place = self.rows.len();
        if place == self.max_rows {
            let error = InvalidQuery::TooManyRows { max: self.max_rows };
            return Err(StorageError::new(StorageErrorKind::TooManyRows, error));
        }
        self.rows.push(Row {
            keys: keys.map(ValueRef::to_value).collect(),
            start,
            count: 0,
            collected: self.fields.iter().map(|field| Partial::new(field.wants_set)).collect(),
        });
        let (rows, hasher) = (&self.rows, &self.hasher);
        let rehash = |place: &usize| {
            let row = &rows[*place];
            hash_of(hasher, row.keys.iter().map(Value::as_ref), row.start)
        };
        self.places.insert_unique(hash, place, rehash);
        Ok(place)
    }
}

fn hash_of<'a>(
    hasher: &DefaultHashBuilder,
    keys: impl Iterator<Item = ValueRef<'a>>,
    start: Option<Timestamp>,
) -> u64 {
    let mut state = hasher.build_hasher();
    for key in keys {
        key.hash(&mut state);
    }
    start.hash(&mut state);
    state.finish()
}
