//! The groups that a query for groups found: added up as records pass by.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::columns::Values;
use crate::aggregate::Partial;
use crate::query::{GroupQuery, InvalidQuery, Window};
use crate::storage::{CollectedField, Row, StorageError, StorageErrorKind};
use crate::timestamp::Timestamp;
use crate::value::{Value, ValueRef};

/// The groups that a query for groups found so far.
pub(super) struct Groups<'q> {
    pub(super) rows: Vec<Row>,
    /// Places in `rows`, found by the hash of keys and period.
    places: HashTable<usize>,
    hasher: DefaultHashBuilder,
    window: Option<Window>,
    /// The places of the keys among a record's values.
    keys: &'q [usize],
    /// By place among a record's values: the place among the collected fields.
    collected: Vec<Option<usize>>,
    fields: &'q [CollectedField],
    /// How many members all sets have.
    members: usize,
    max_rows: usize,
}

impl<'q> Groups<'q> {
    /// `keys` and `collected` are the places of the keys and of the collected fields among a record's values.
    pub(super) fn new(
        query: &GroupQuery,
        keys: &'q [usize],
        collected: &[usize],
        fields: &'q [CollectedField],
    ) -> Self {
        let mut places = vec![None; collected.iter().max().map_or(0, |last| last + 1)];
        for (field, place) in collected.iter().enumerate() {
            places[*place] = Some(field);
        }
        Self {
            rows: Vec::new(),
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            window: query.window,
            keys,
            collected: places,
            fields,
            members: 0,
            max_rows: query.max_rows,
        }
    }

    /// Adds a record to its group. One where a key is missing or null is in none.
    pub(super) fn add(
        &mut self,
        values: &Values<'_>,
        timestamp: Option<Timestamp>,
    ) -> Result<(), StorageError> {
        let Some(place) = self.group(values, timestamp)? else { return Ok(()) };
        let row = &mut self.rows[place];
        row.count += 1;
        values.each(|place, value| {
            if let Some(field) = self.collected.get(place).copied().flatten() {
                self.members += usize::from(row.collected[field].add(value));
            }
        });
        if self.members > self.max_rows {
            let error = InvalidQuery::TooManyMembers { max: self.max_rows };
            return Err(StorageError::new(StorageErrorKind::TooManyRows, error));
        }
        Ok(())
    }

    /// The place of the row of the group that a record is in, which is added if it is new.
    fn group(
        &mut self,
        values: &Values<'_>,
        timestamp: Option<Timestamp>,
    ) -> Result<Option<usize>, StorageError> {
        let start = self.window.zip(timestamp).map(|(window, timestamp)| window.period.start(timestamp));
        let key = |place: &usize| values.get(*place).unwrap_or(ValueRef::Null);
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
            None => self.add_group(hash, keys(), start)?,
        };
        let row = &mut self.rows[place];
        for (shown, key) in row.keys.iter_mut().zip(keys()) {
            shown.prefer_spelling(key);
        }
        Ok(Some(place))
    }

    fn add_group<'a>(
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
