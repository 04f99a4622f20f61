//! What an engine's rows have in common: rows of the same keys, and the values that a key has.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::answer::{Combinations, Periods};
use crate::aggregate::Partial;
use crate::storage::{Interest, Row, StorageError};
use crate::value::Value;

/// The rows of a group, in the order of their periods.
pub(super) struct Gathered {
    pub(super) keys: Box<[Value]>,
    pub(super) rows: Vec<PeriodRow>,
}

/// What a row says of one period.
pub(super) struct PeriodRow {
    pub(super) period: usize,
    pub(super) count: u64,
    pub(super) collected: Box<[Partial]>,
}

/// Gathers the rows of each group, as the groups come.
pub(super) fn by_keys(
    rows: Vec<Row>,
    periods: &Periods,
    interest: &Interest,
) -> Result<Vec<Gathered>, StorageError> {
    let mut numbers = Numbers::default();
    let mut rows_of: Vec<Vec<PeriodRow>> = Vec::new();
    for (place, row) in rows.into_iter().enumerate() {
        interest.check_at(place)?;
        let Some(period) = periods.find(row.start) else { continue };
        let group = numbers.of(row.keys, |shown, other| {
            for (shown, other) in shown.iter_mut().zip(&other) {
                shown.prefer_spelling(other.as_ref());
            }
        });
        if group == rows_of.len() {
            rows_of.push(Vec::new());
        }
        rows_of[group].push(PeriodRow { period, count: row.count, collected: row.collected });
    }
    let gathered = numbers.known.into_iter().zip(rows_of).map(|(keys, mut rows)| {
        rows.sort_unstable_by_key(|row| row.period);
        Gathered { keys, rows }
    });
    Ok(gathered.collect())
}

/// The combinations of the values that each of so many keys has in some rows, and which of them each
/// row is. The keys of the rows are taken.
pub(super) fn combinations(
    keys: usize,
    rows: &mut [Row],
    interest: &Interest,
) -> Result<(Combinations, Vec<usize>), StorageError> {
    let mut numbers: Vec<Numbers<Value>> = (0..keys).map(|_| Numbers::default()).collect();
    let mut numbers_of_rows = Vec::with_capacity(keys.saturating_mul(rows.len()));
    for (place, row) in rows.iter_mut().enumerate() {
        interest.check_at(place)?;
        let keys = numbers.iter_mut().zip(std::mem::take(&mut row.keys));
        let respell = |shown: &mut Value, other: Value| shown.prefer_spelling(other.as_ref());
        numbers_of_rows.extend(keys.map(|(numbers, key)| numbers.of(key, respell)));
    }
    let (values, places): (Vec<_>, Vec<_>) = numbers.into_iter().map(Numbers::sorted).unzip();
    let combinations = Combinations::of(values);
    let found = numbers_of_rows.chunks_exact(keys.max(1)).map(|numbers| {
        let places = numbers.iter().zip(&places).map(|(number, places)| places[*number]);
        combinations.find(places)
    });
    let found = found.collect();
    Ok((combinations, found))
}

/// Numbers things in the order in which they come, equals alike.
struct Numbers<K> {
    table: HashTable<usize>,
    hasher: DefaultHashBuilder,
    known: Vec<K>,
    last: usize,
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self { table: HashTable::new(), hasher: DefaultHashBuilder::default(), known: Vec::new(), last: 0 }
    }
}

impl<K: Hash + Ord> Numbers<K> {
    /// The number of a thing; if it is known already, in whatever spelling, that is told of this one.
    fn of(&mut self, thing: K, respell: impl FnOnce(&mut K, K)) -> usize {
        match self.find(&thing) {
            Some(number) => {
                respell(&mut self.known[number], thing);
                self.last = number;
            }
            None => self.add(thing),
        }
        self.last
    }

    fn find(&self, thing: &K) -> Option<usize> {
        // Engines often have equals one after the other.
        if self.known.get(self.last) == Some(thing) {
            return Some(self.last);
        }
        let is_it = |number: &usize| self.known[*number] == *thing;
        self.table.find(self.hasher.hash_one(thing), is_it).copied()
    }

    fn add(&mut self, thing: K) {
        let Self { table, hasher, known, last } = self;
        *last = known.len();
        table.insert_unique(hasher.hash_one(&thing), *last, |number| hasher.hash_one(&known[*number]));
        known.push(thing);
    }

    /// The things sorted, and the place of each number among them.
    fn sorted(self) -> (Vec<K>, Vec<usize>) {
        let mut numbered: Vec<(K, usize)> = self.known.into_iter().zip(0..).collect();
        numbered.sort_unstable();
        let mut places = vec![0; numbered.len()];
        for (place, (_, number)) in numbered.iter().enumerate() {
            places[*number] = place;
        }
        (numbered.into_iter().map(|(thing, _)| thing).collect(), places)
    }
}
