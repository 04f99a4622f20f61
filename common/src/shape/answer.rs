//! What an answer keeps.

use super::columns::Columns;
use super::keys::GroupKeys;
use super::tallies::Tallies;
use crate::query::{GroupQuery, Window};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// The answer to a query for groups: the groups as they were found, from which its rows are read.
#[derive(Clone, Debug)]
pub struct GroupAnswer {
    pub(super) columns: Columns,
    pub(super) periods: Periods,
    pub(super) tallies: Tallies,
    pub(super) list: List,
}

/// What there is a row for.
#[derive(Clone, Debug)]
pub(super) enum List {
    /// Each group. The tallies are in the same order.
    Groups(GroupKeys),
    /// Each group, with all periods.
    Nested(GroupKeys, Vec<Group>),
    /// Each period; of these some have data.
    Periods(Vec<WithData>),
    /// Each period with each combination of keys, as far as a limit lets them.
    Flat(Combinations, Vec<FlatRow>),
}

/// A group with periods.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// That of all of its periods together.
    pub(super) tally: usize,
    /// Those that have data, in order.
    pub(super) periods: Vec<WithData>,
}

/// A period that has data, by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct WithData {
    pub(super) period: usize,
    pub(super) tally: usize,
}

/// A row of a flat answer. Its place among all of them, by period and then by keys, says which it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FlatRow {
    pub(super) place: usize,
    /// None if it is a gap.
    pub(super) tally: Option<usize>,
}

/// The periods of a window.
#[derive(Clone, Debug, Default)]
pub(super) struct Periods {
    /// Their starts, and the end of the last.
    bounds: Vec<Timestamp>,
}

/// Every combination of one value of each key, in order; the first key varies slowest.
#[derive(Clone, Debug)]
pub(super) struct Combinations {
    keys: Vec<KeyValues>,
    len: usize,
}

/// The values of a key in a flat answer, sorted.
#[derive(Clone, Debug)]
struct KeyValues {
    values: Vec<Value>,
    /// How many combinations have the same value one after the other.
    step: usize,
}

impl GroupAnswer {
    pub(super) fn new(query: &GroupQuery, periods: Periods, tallies: Tallies, list: List) -> Self {
        Self { columns: Columns::of(query), periods, tallies, list }
    }
}

impl Periods {
    /// How many bytes they take.
    pub(super) fn memory(&self) -> usize {
        self.bounds.capacity() * size_of::<Timestamp>()
    }

    pub(super) fn of(window: &Window) -> Self {
        let mut bounds: Vec<Timestamp> = Vec::with_capacity(window.len() + 1);
        bounds.extend(window.starts());
        bounds.extend(bounds.last().map(|last| window.period.next(*last)));
        Self { bounds }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    /// The number of the one that starts then.
    pub(super) fn find(&self, start: Option<Timestamp>) -> Option<usize> {
        self.bounds[..self.len()].binary_search(&start?).ok()
    }

    pub(super) fn start(&self, period: usize) -> Timestamp {
        self.bounds[period]
    }

    pub(super) fn end(&self, period: usize) -> Timestamp {
        self.bounds[period + 1]
    }
}

impl Combinations {
    /// Those of the values of each key, which are sorted.
    pub(super) fn of(values: Vec<Vec<Value>>) -> Self {
        let mut len: usize = 1;
        let mut keys = Vec::with_capacity(values.len());
        for values in values.into_iter().rev() {
            let step = len;
            len = len.saturating_mul(values.len());
            keys.push(KeyValues { values, step });
        }
        keys.reverse();
        Self { keys, len }
    }

    /// How many there are; the largest number there is, if that has no room for them.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The combination of values with such places among those of their keys.
    pub(super) fn find(&self, places: impl Iterator<Item = usize>) -> usize {
        self.keys.iter().zip(places).fold(0, |found: usize, (key, place)| {
            // Past the largest number they are not listed but refused.
            found.saturating_add(key.step.saturating_mul(place))
        })
    }

    /// All values of all keys.
    pub(super) fn values(&self) -> impl Iterator<Item = &[Value]> {
        self.keys.iter().map(|key| &*key.values)
    }

    /// The value of a key in a combination.
    pub(super) fn value(&self, combination: usize, key: usize) -> &Value {
        let key = &self.keys[key];
        &key.values[combination / key.step % key.values.len()]
    }
}
