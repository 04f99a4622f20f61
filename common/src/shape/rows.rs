//! The rows of an answer and their cells, as who looks at them sees them. Nothing is kept of them.

use super::answer::{Combinations, FlatRow, Group, GroupAnswer, List, WithData};
use super::columns::{Column, Columns, Part};
use super::keys::GroupKeys;
use crate::value::{Value, ValueRef};

/// The rows of an answer, or the periods of one of its groups.
#[derive(Clone, Copy, Debug)]
pub struct AnswerRows<'a> {
    answer: &'a GroupAnswer,
    list: ListRef<'a>,
}

#[derive(Clone, Copy, Debug)]
enum ListRef<'a> {
    Groups(&'a GroupKeys),
    Nested(&'a GroupKeys, &'a [Group]),
    /// Of all periods, those with data; the columns are those of nested periods if they are.
    Periods(&'a [WithData], &'a [Column]),
    Flat(&'a Combinations, &'a [FlatRow]),
}

/// A row: named cells, in the order in which they are shown.
#[derive(Clone, Copy, Debug)]
pub struct AnswerRow<'a> {
    answer: &'a GroupAnswer,
    columns: &'a [Column],
    keys: Keys<'a>,
    /// Where periods are nested in it.
    group: Option<&'a Group>,
    pub(super) period: usize,
    /// None if it is a gap.
    tally: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Keys<'a> {
    /// Those of a period are those of its group.
    None,
    Of(&'a GroupKeys, usize),
    Combination(&'a Combinations, usize),
}

/// What a cell holds.
#[derive(Clone, Copy, Debug)]
pub enum Cell<'a> {
    /// One value.
    Value(ValueRef<'a>),
    /// A set.
    List(&'a [Value]),
    /// The periods of a group.
    Rows(AnswerRows<'a>),
}

impl GroupAnswer {
    /// Its rows.
    pub fn rows(&self) -> AnswerRows<'_> {
        let list = match &self.list {
            List::Groups(keys) => ListRef::Groups(keys),
            List::Nested(keys, groups) => ListRef::Nested(keys, groups),
            List::Periods(with_data) => ListRef::Periods(with_data, &self.columns.rows),
            List::Flat(combinations, rows) => ListRef::Flat(combinations, rows),
        };
        AnswerRows { answer: self, list }
    }

    /// The names of the columns that its rows may have.
    pub fn columns(&self) -> impl Iterator<Item = &str> + Clone {
        self.columns.rows.iter().map(|column| &*column.name)
    }

    pub(super) fn group_row<'a>(&'a self, keys: &'a GroupKeys, place: usize) -> AnswerRow<'a> {
        AnswerRow { keys: Keys::Of(keys, place), tally: Some(place), ..self.row() }
    }

    pub(super) fn nested_row<'a>(
        &'a self,
        keys: &'a GroupKeys,
        place: usize,
        group: &'a Group,
    ) -> AnswerRow<'a> {
        AnswerRow { group: Some(group), tally: Some(group.tally), ..self.group_row(keys, place) }
    }

    pub(super) fn flat_row<'a>(&'a self, combinations: &'a Combinations, row: FlatRow) -> AnswerRow<'a> {
        let (period, combination) = (row.place / combinations.len(), row.place % combinations.len());
        AnswerRow {
            keys: Keys::Combination(combinations, combination),
            period,
            tally: row.tally,
            ..self.row()
        }
    }

    pub(super) fn period_row<'a>(
        &'a self,
        columns: &'a [Column],
        period: usize,
        tally: Option<usize>,
    ) -> AnswerRow<'a> {
        AnswerRow { columns, period, tally, ..self.row() }
    }

    fn row(&self) -> AnswerRow<'_> {
        let columns = &self.columns.rows;
        AnswerRow { answer: self, columns, keys: Keys::None, group: None, period: 0, tally: None }
    }
}

impl<'a> AnswerRows<'a> {
    /// How many there are.
    pub fn len(self) -> usize {
        match self.list {
            ListRef::Groups(keys) | ListRef::Nested(keys, _) => keys.len(),
            ListRef::Periods(..) => self.answer.periods.len(),
            ListRef::Flat(_, rows) => rows.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// They one after the other.
    pub fn iter(self) -> impl ExactSizeIterator<Item = AnswerRow<'a>> + Clone {
        (0..self.len()).map(move |place| self.at(place))
    }

    /// The one at a place, of which there has to be one.
    pub fn at(self, place: usize) -> AnswerRow<'a> {
        let answer = self.answer;
        match self.list {
            ListRef::Groups(keys) => answer.group_row(keys, place),
            ListRef::Nested(keys, groups) => answer.nested_row(keys, place, &groups[place]),
            ListRef::Flat(combinations, rows) => answer.flat_row(combinations, rows[place]),
            ListRef::Periods(with_data, columns) => {
                let found = with_data.binary_search_by_key(&place, |with_data| with_data.period);
                answer.period_row(columns, place, found.ok().map(|found| with_data[found].tally))
            }
        }
    }
}

impl<'a> AnswerRow<'a> {
    /// The cells with their names.
    pub fn cells(self) -> impl Iterator<Item = (&'a str, Cell<'a>)> + Clone {
        self.columns.iter().filter_map(move |column| Some((&*column.name, self.cell(column.part)?)))
    }

    /// The cells that say which group it is, with their names.
    pub fn keys(self) -> impl Iterator<Item = (&'a str, Cell<'a>)> + Clone {
        let keys = self.columns.iter().take_while(|column| matches!(column.part, Part::Key(_)));
        keys.filter_map(move |column| Some((&*column.name, self.cell(column.part)?)))
    }

    /// The cell with that name.
    pub fn get(self, column: &str) -> Option<Cell<'a>> {
        self.cell(Columns::part(self.columns, column)?)
    }

    /// The periods of the group, where they are nested in it.
    pub fn periods(self) -> Option<AnswerRows<'a>> {
        match self.get("values")? {
            Cell::Rows(rows) => Some(rows),
            // A field may have that name where nothing is nested.
            Cell::Value(_) | Cell::List(_) => None,
        }
    }

    /// What a column shows; none where the row does not have it.
    pub(super) fn cell(self, part: Part) -> Option<Cell<'a>> {
        let AnswerRow { answer, tally, .. } = self;
        Some(Cell::Value(match part {
            Part::Key(place) => self.keys.get(place)?,
            Part::Start => ValueRef::Time(answer.periods.start(self.period)),
            Part::End => ValueRef::Time(answer.periods.end(self.period)),
            Part::Count => ValueRef::Int(tally.map_or(0, |tally| answer.tallies.count(tally))),
            // A period without data has null for what is collected, and nothing under a bare name.
            Part::Bare(place) => return Some(answer.tallies.cell(tally?, place)),
            Part::Collected(place) => match tally {
                Some(tally) => return Some(answer.tallies.cell(tally, place)),
                None => ValueRef::Null,
            },
            Part::GroupCount => ValueRef::Int(i64::try_from(self.group?.periods.len()).unwrap_or(i64::MAX)),
            Part::Values => {
                let list = ListRef::Periods(&self.group?.periods, &answer.columns.periods);
                return Some(Cell::Rows(AnswerRows { answer, list }));
            }
        }))
    }
}

impl<'a> Keys<'a> {
    fn get(self, place: usize) -> Option<ValueRef<'a>> {
        match self {
            Keys::None => None,
            Keys::Of(keys, group) => Some(keys.get(group, place)),
            Keys::Combination(combinations, combination) => {
                Some(combinations.value(combination, place).as_ref())
            }
        }
    }
}
