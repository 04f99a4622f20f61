//! A query for records, answered from a view by the numbers of those records.

use super::View;
use super::chunk::Chunk;
use super::columns::{Place, TIMESTAMP};
use super::selection::{BLOCK, Rows, Selector, time};
use crate::period::Period;
use crate::query::{Direction, RecordQuery};
use crate::storage::{Interest, StorageError};
use crate::value::ValueRef;

/// What records are sorted by.
enum Key {
    /// By the order of writing.
    Written,
    /// By their time, or the start of the period that holds it.
    Time(Option<Period>),
    /// By a column.
    Column(usize),
}

/// The numbers of the records that a query asks for, in the order of the answer; none if the view
/// cannot tell.
///
/// # Errors
///
/// [`Unavailable`](crate::storage::StorageErrorKind::Unavailable) soon after interest is lost.
pub(in crate::storage) fn find(
    view: &View,
    query: &RecordQuery,
    interest: &Interest,
) -> Result<Option<Vec<i64>>, StorageError> {
    let Some(selector) = Selector::new(view, &query.selection, interest)? else { return Ok(None) };
    let Some(key) = Key::new(view, query) else { return Ok(None) };
    let direction = query.sort.as_ref().map_or(Direction::Ascending, |sort| sort.direction);
    let mut best = Best::new(direction, query.limit);
    let mut rows = Rows::new();
    for part in view.parts.iter().filter(|part| selector.may_select(&part.chunk)) {
        for start in (0..part.chunk.len()).step_by(BLOCK) {
            interest.check()?;
            rows.reset(start..part.chunk.len().min(start + BLOCK));
            selector.select(part, view, &mut rows);
            rows.each(|_, row| best.push(key.value(&part.chunk, view, row), part.chunk.seqs.at(row)));
            if matches!(key, Key::Written) && best.is_complete() {
                return Ok(Some(best.into_seqs()));
            }
        }
    }
    Ok(Some(best.into_seqs()))
}

/// How many bytes [`find`] may hold at once: of those wanted, or of all, the keys and the numbers.
pub(in crate::storage) fn bytes_to_find(view: &View, query: &RecordQuery) -> usize {
    let kept = query.limit.map_or(usize::MAX, |limit| limit.saturating_mul(2).max(1024));
    view.len().min(kept) * size_of::<(ValueRef<'_>, i64)>()
}

impl Key {
    /// None if the view lacks the field.
    fn new(view: &View, query: &RecordQuery) -> Option<Self> {
        let Some(sort) = &query.sort else { return Some(Self::Written) };
        let field = sort.field.as_str();
        if field == TIMESTAMP {
            return Some(Self::Time(None));
        }
        if let Some(period) = Period::ALL.into_iter().find(|period| period.start_key() == field) {
            return Some(Self::Time(Some(period)));
        }
        match view.columns.place(field) {
            Place::LeftOut => None,
            Place::Nowhere => Some(Self::Written),
            Place::Column(place) => Some(Self::Column(place)),
        }
    }

    fn value<'v>(&self, chunk: &'v Chunk, view: &'v View, row: usize) -> ValueRef<'v> {
        let value = match self {
            Self::Written => None,
            Self::Time(period) => time(chunk, row, *period),
            Self::Column(place) => {
                let segment = chunk.segments.get(*place);
                segment.and_then(|segment| segment.at(row).value(view.columns.dictionary(*place)))
            }
        };
        value.unwrap_or(ValueRef::Null)
    }
}

/// The first records of an order, out of all that pass by.
struct Best<'v> {
    direction: Direction,
    limit: Option<usize>,
    records: Vec<(ValueRef<'v>, i64)>,
    /// What comes after this one is not among the first.
    last: Option<(ValueRef<'v>, i64)>,
}

impl<'v> Best<'v> {
    fn new(direction: Direction, limit: Option<usize>) -> Self {
        Self { direction, limit, records: Vec::new(), last: None }
    }

    fn compare(direction: Direction, a: &(ValueRef<'_>, i64), b: &(ValueRef<'_>, i64)) -> std::cmp::Ordering {
        direction.apply(a.0.cmp(&b.0)).then_with(|| a.1.cmp(&b.1))
    }

    fn push(&mut self, value: ValueRef<'v>, seq: i64) {
        let record = (value, seq);
        if self.last.is_some_and(|last| Self::compare(self.direction, &record, &last).is_gt()) {
            return;
        }
        self.records.push(record);
        // Now and then all but the first are let go, so that a limited answer needs little memory.
        if let Some(limit) = self.limit.filter(|limit| *limit > 0)
            && self.records.len() >= limit.saturating_mul(2).max(1024)
        {
            let direction = self.direction;
            self.records.select_nth_unstable_by(limit - 1, |a, b| Self::compare(direction, a, b));
            self.records.truncate(limit);
            self.last = self.records.last().copied();
        }
    }

    /// Whether there are as many as are wanted.
    fn is_complete(&self) -> bool {
        self.limit.is_some_and(|limit| self.records.len() >= limit)
    }

    fn into_seqs(mut self) -> Vec<i64> {
        let direction = self.direction;
        self.records.sort_unstable_by(|a, b| Self::compare(direction, a, b));
        self.records.truncate(self.limit.unwrap_or(usize::MAX));
        self.records.into_iter().map(|(_, seq)| seq).collect()
    }
}
