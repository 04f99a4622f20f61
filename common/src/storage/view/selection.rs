//! Which rows a query is about: a block of rows at a time, filter after filter.
//!
//! A test looks its values up in a dictionary, or looks once at each value of it, not at each record: what is
//! left to do for a row is to look its code up in a table.

use std::ops::Range;

mod column;
mod numbers;
mod times;

use super::chunk::{Chunk, UNTIMED};
use super::columns::{Place, TIMESTAMP};
use super::{Part, View};
use crate::period::Period;
use crate::query::{Filter, Selection, TimeRange};
use crate::storage::{Interest, StorageError};
use crate::timestamp::Timestamp;
use crate::value::ValueRef;

use column::ColumnTest;
use times::TimeTest;

/// Rows that are worked on together: few enough that what is noted of each stays in the processor's
/// cache.
pub(super) const BLOCK: usize = 4096;

/// Does something with the code of each row, whatever their width: once for each width, so that no row is
/// asked for it.
macro_rules! with_codes {
    ($codes:expr, $code:ident => $body:expr) => {
        match $codes {
            $crate::storage::view::segment::Codes::U8(codes) => {
                let $code = |row: usize| u32::from(codes[row]);
                $body
            }
            $crate::storage::view::segment::Codes::U16(codes) => {
                let $code = |row: usize| u32::from(codes[row]);
                $body
            }
            $crate::storage::view::segment::Codes::U32(codes) => {
                let $code = |row: usize| codes[row];
                $body
            }
        }
    };
}
pub(super) use with_codes;

/// Does something with the integer of each row, in the same way.
macro_rules! with_ints {
    ($ints:expr, $value:ident => $body:expr) => {{
        let least = $ints.least;
        match &$ints.packed {
            $crate::storage::view::segment::Packed::U8(values) => {
                let $value = |row: usize| least.wrapping_add(i64::from(values[row]));
                $body
            }
            $crate::storage::view::segment::Packed::U16(values) => {
                let $value = |row: usize| least.wrapping_add(i64::from(values[row]));
                $body
            }
            $crate::storage::view::segment::Packed::U32(values) => {
                let $value = |row: usize| least.wrapping_add(i64::from(values[row]));
                $body
            }
            $crate::storage::view::segment::Packed::I64(values) => {
                let $value = |row: usize| values[row];
                $body
            }
        }
    }};
}
pub(super) use with_ints;

/// The rows of a block that are left.
#[derive(Debug)]
pub(super) struct Rows {
    block: Range<usize>,
    /// Whether all are.
    is_all: bool,
    left: Vec<u32>,
}

impl Rows {
    pub(super) fn new() -> Self {
        Self { block: 0..0, is_all: true, left: Vec::with_capacity(BLOCK) }
    }

    /// Begins with all rows of a block.
    pub(super) fn reset(&mut self, block: Range<usize>) {
        self.block = block;
        self.is_all = true;
    }

    pub(super) fn len(&self) -> usize {
        if self.is_all { self.block.len() } else { self.left.len() }
    }

    /// Calls `visit` with each row, and how many came before it.
    #[inline]
    pub(super) fn each(&self, mut visit: impl FnMut(usize, usize)) {
        if self.is_all {
            for (place, row) in self.block.clone().enumerate() {
                visit(place, row);
            }
        } else {
            for (place, row) in self.left.iter().enumerate() {
                visit(place, *row as usize);
            }
        }
    }

    /// Keeps the rows that pass. Written without a jump: whether a row passes is a number that is added.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a chunk has fewer rows than that")]
    pub(super) fn retain(&mut self, mut passes: impl FnMut(usize) -> bool) {
        let mut count = 0;
        if self.is_all {
            self.left.resize(self.block.len(), 0);
            for row in self.block.clone() {
                self.left[count] = row as u32;
                count += usize::from(passes(row));
            }
            self.is_all = false;
        } else {
            for place in 0..self.left.len() {
                let row = self.left[place];
                self.left[count] = row;
                count += usize::from(passes(row as usize));
            }
        }
        self.left.truncate(count);
    }

    fn clear(&mut self) {
        self.is_all = false;
        self.left.clear();
    }
}

/// What a query asks of each row.
pub(super) struct Selector<'q> {
    range: Option<TimeRange>,
    tests: Vec<RowTest<'q>>,
}

/// One filter of a query.
enum RowTest<'q> {
    /// No record passes.
    Never,
    /// It is about the time, or about the start of the period that holds it.
    Time(TimeTest),
    /// It is about a column.
    Column(Box<ColumnTest<'q>>),
}

impl<'q> Selector<'q> {
    /// None if the view lacks a field.
    ///
    /// # Errors
    ///
    /// As [`Interest::check`].
    pub(super) fn new(
        view: &View,
        selection: &'q Selection,
        interest: &Interest,
    ) -> Result<Option<Self>, StorageError> {
        let mut tests = Vec::with_capacity(selection.filters.len());
        for (place, filter) in selection.filters.iter().enumerate() {
            interest.check_at(place)?;
            let Some(test) = RowTest::new(view, filter, interest)? else { return Ok(None) };
            tests.push(test);
        }
        Ok(Some(Self { range: selection.range, tests }))
    }

    /// Whether a chunk may hold a row that is selected.
    pub(super) fn may_select(&self, chunk: &Chunk) -> bool {
        self.range.is_none_or(|range| {
            chunk.span.first < range.end.millis() && range.start.millis() <= chunk.span.last
        })
    }

    /// Keeps the rows that are selected.
    pub(super) fn select(&self, part: &Part, view: &View, rows: &mut Rows) {
        let chunk = &*part.chunk;
        if part.dead > 0 {
            rows.retain(|row| !part.deleted.contains(row));
        }
        if let Some(TimeRange { start, end }) = self.range {
            let (start, end) = (start.millis(), end.millis());
            let span = chunk.span;
            if span.has_untimed || span.first < start || span.last >= end {
                let times = &chunk.times[..];
                rows.retain(|row| (start..end).contains(&times[row]));
            }
        }
        for test in &self.tests {
            if rows.len() == 0 {
                return;
            }
            test.select(chunk, view, rows);
        }
    }
}

impl<'q> RowTest<'q> {
    fn new(view: &View, filter: &'q Filter, interest: &Interest) -> Result<Option<Self>, StorageError> {
        let field = filter.field.as_str();
        let period = Period::ALL.into_iter().find(|period| period.start_key() == field);
        if period.is_some() || field == TIMESTAMP {
            return Ok(Some(Self::Time(TimeTest::new(period, &filter.test))));
        }
        Ok(match view.columns.place(field) {
            Place::LeftOut => None,
            Place::Nowhere => Some(Self::Never),
            Place::Column(place) => {
                Some(Self::Column(Box::new(ColumnTest::new(view, place, &filter.test, interest)?)))
            }
        })
    }

    fn select(&self, chunk: &Chunk, view: &View, rows: &mut Rows) {
        match self {
            Self::Never => rows.clear(),
            Self::Time(test) => test.select(chunk, rows),
            Self::Column(test) => test.select(chunk, view, rows),
        }
    }
}

pub(super) fn time(chunk: &Chunk, row: usize, period: Option<Period>) -> Option<ValueRef<'static>> {
    let time = Timestamp::from_millis(chunk.times[row]).filter(|time| time.millis() != UNTIMED)?;
    Some(ValueRef::Time(period.map_or(time, |period| period.start(time))))
}
