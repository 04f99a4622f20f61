//! What a query for groups reads of a view, and how its groups are numbered.

use super::View;
use super::chunk::Chunk;
use super::columns::Place;
use super::keys::Key;
use super::periods::Periods;
use super::selection::Selector;
use super::tallies::Tally;
use crate::query::GroupQuery;
use crate::storage::{CollectedField, Interest, StorageError};
use crate::timestamp::Timestamp;

/// So many numbers of groups are worth an array of them all, however few records there are.
const FEW: u64 = 1 << 16;
/// How much memory such arrays may take, in bytes: what fits a cache is what makes them fast.
const MAX_BYTES: u64 = 1 << 24;

/// How many forms an equal number may have: 0, 0.0 and -0.0.
pub(super) const FORMS: usize = 3;

/// How a query for groups is answered.
pub(super) struct Plan<'q> {
    pub(super) selector: Selector<'q>,
    /// None if no record has one of the keys.
    pub(super) keys: Option<Vec<Key>>,
    pub(super) periods: Option<Periods>,
    pub(super) collected: Vec<Collected>,
    /// One more than the largest number that keys and period can make together.
    pub(super) numbers: u64,
    pub(super) max_rows: usize,
}

/// A collected field: its column, if any record has it, and what is wanted of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Collected {
    pub(super) place: Option<usize>,
    pub(super) wants_tally: bool,
    pub(super) wants_sum: bool,
    pub(super) wants_set: bool,
}

impl<'q> Plan<'q> {
    /// None if the view lacks a field, or there are more combinations of keys than 64 bits count.
    ///
    /// # Errors
    ///
    /// As [`Interest::check`].
    pub(super) fn new(
        view: &View,
        query: &'q GroupQuery,
        fields: &[CollectedField],
        interest: &Interest,
    ) -> Result<Option<Self>, StorageError> {
        let selector = Selector::new(view, &query.selection, interest)?;
        Ok(selector.and_then(|selector| Self::with(selector, view, query, fields)))
    }

    fn with(
        selector: Selector<'q>,
        view: &View,
        query: &GroupQuery,
        fields: &[CollectedField],
    ) -> Option<Self> {
        let mut keys = Some(Vec::new());
        for key in &query.keys {
            match view.columns.place(key.as_str()) {
                Place::LeftOut => return None,
                Place::Nowhere => keys = None,
                Place::Column(place) => {
                    if let Some(keys) = &mut keys {
                        keys.push(Key::new(view, place));
                    }
                }
            }
        }
        let collected = fields.iter().map(|field| Collected::new(view, field)).collect::<Option<_>>()?;
        let periods = match query.window {
            None => None,
            // Without a time range a record without a time would be in no period and yet counted.
            Some(window) => {
                let range = query.selection.range?;
                Some(Periods::between(window.period, first(view, range.start)?, last(view, range.end)?))
            }
        };
        let of_keys = keys.iter().flatten().try_fold(1_u64, |product, key| product.checked_mul(key.radix))?;
        let numbers = of_keys.checked_mul(periods.as_ref().map_or(1, |periods| periods.len() as u64))?;
        Some(Self { selector, keys, periods, collected, numbers, max_rows: query.max_rows })
    }

    /// How many groups there can be, if that is few enough for an array of them all.
    pub(super) fn dense_groups(&self, rows: usize) -> Option<usize> {
        let tallied = self.collected.iter().filter(|field| field.is_tallied()).count();
        let bytes = self.numbers.checked_mul((size_of::<u64>() + tallied * size_of::<Tally>()) as u64)?;
        let is_dense = self.numbers <= FEW.max(rows as u64 / 2) && bytes <= MAX_BYTES;
        usize::try_from(self.numbers).ok().filter(|_| is_dense)
    }

    /// How many groups may be held: of equal keys, as 0, 0.0 and -0.0 are, each has a group until the end.
    pub(super) fn max_groups(&self, view: &View) -> usize {
        let keys = self.keys.iter().flatten().filter(|key| key.has_equals(view));
        keys.fold(self.max_rows, |max, _| max.saturating_mul(FORMS))
    }

    /// How many fields sets are wanted of.
    pub(super) fn sets(&self) -> usize {
        self.collected.iter().filter(|field| field.wants_set).count()
    }
}

impl Collected {
    /// Whether there is something to be added up.
    pub(super) fn is_tallied(&self) -> bool {
        self.wants_tally && self.place.is_some()
    }

    fn new(view: &View, field: &CollectedField) -> Option<Self> {
        let place = match view.columns.place(field.field.as_str()) {
            Place::LeftOut => return None,
            Place::Nowhere => None,
            Place::Column(place) => Some(place),
        };
        let wants_tally = field.wants_count || field.wants_sum;
        Some(Self { place, wants_tally, wants_sum: field.wants_sum, wants_set: field.wants_set })
    }
}

/// The first time from `start` on that a record may have; `start` where there is no record.
fn first(view: &View, start: Timestamp) -> Option<Timestamp> {
    let first = chunks(view).map(|chunk| chunk.span.first).min().filter(|first| *first != i64::MAX);
    Timestamp::from_millis(first.unwrap_or(start.millis()).max(start.millis()))
}

/// The last time before `end` that a record may have.
fn last(view: &View, end: Timestamp) -> Option<Timestamp> {
    let last = chunks(view).map(|chunk| chunk.span.last).max().filter(|last| *last != i64::MIN);
    let before = end.millis().saturating_sub(1).max(Timestamp::MIN.millis());
    Timestamp::from_millis(last.unwrap_or(before).min(before))
}

fn chunks(view: &View) -> impl Iterator<Item = &Chunk> {
    view.parts.iter().map(|part| &*part.chunk)
}
