//! Rows and records → a table. What a heading may be, which rows are left out and how much is too much is
//! decided here, once for all readers.

use std::collections::HashMap;
use std::ops::ControlFlow;

use backdrop_common::record::bounds::OutOfBounds;
use backdrop_common::record::checks::InvalidRecord;
use backdrop_common::record::sent::{SentRecord, SentValue};

use super::above::{Above, HeldRow, Next};
use super::{Cell, Column, Row, Table};
use crate::upload::Limits;
use crate::upload::fault::{Faults, Rule, Unit, excerpt};
use crate::upload::heading;
use crate::upload::notes::{About, Notes};

/// The heading of a column that is for people only.
const COMMENT: &str = "comment";
/// What the first cell of a row says that adds up others, in small letters.
const TOTALS: [&str; 8] =
    ["total", "totals", "grand total", "subtotal", "sub-total", "sum", "summe", "gesamt"];

/// What becomes of the cells below a heading.
enum Slot {
    /// They are the values of this column.
    Column(usize),
    /// They are for people only.
    LeftOut,
    /// There must be none.
    NoHeading {
        /// Whether that was said already.
        is_reported: bool,
    },
}

/// Whether a reader should go on. It need not once the table is full.
pub(crate) type Flow = ControlFlow<()>;

/// Makes a table of rows.
pub(crate) struct TableBuilder {
    table: Table,
    limits: Limits,
    faults: Faults,
    /// Rows that are headings, or what is above them: that is seen further down.
    above: Above,
    /// Of a table with headings: what becomes of each column. Empty before the headings.
    slots: Vec<Slot>,
    /// What the headings show.
    headings: Vec<String>,
    /// Of JSON: the columns by their keys.
    keys: HashMap<String, usize>,
    cells: usize,
    text: usize,
}

impl TableBuilder {
    /// An empty table, of a sheet or a text.
    pub(crate) fn new(sheet: Option<String>, limits: Limits) -> Self {
        Self::with_unit(sheet, Unit::Row, limits)
    }

    /// An empty table whose columns come with its records.
    pub(crate) fn of_records(limits: Limits) -> Self {
        Self::with_unit(None, Unit::Line, limits)
    }

    fn with_unit(sheet: Option<String>, unit: Unit, limits: Limits) -> Self {
        let faults = Faults::new(sheet.clone(), unit);
        let (columns, rows, notes) = (Vec::new(), Vec::new(), Notes::default());
        let table = Table { sheet, columns, rows, has_comments: false, notes, unit };
        let (slots, keys) = (Vec::new(), HashMap::new());
        Self {
            table,
            limits,
            faults,
            above: Above::default(),
            slots,
            headings: Vec::new(),
            keys,
            cells: 0,
            text: 0,
        }
    }

    /// Counts the text of a cell, before it is copied.
    pub(crate) fn weigh(&mut self, bytes: usize) -> Flow {
        self.text = self.text.saturating_add(bytes);
        if self.text <= self.limits.unpacked {
            return Flow::Continue(());
        }
        self.full(Rule::Unpacked { max: self.limits.unpacked })
    }

    /// Adds a fault of a row.
    pub(crate) fn fault(&mut self, row: usize, rule: Rule) {
        self.faults.add(Some(row), || None, rule);
    }

    /// Says something about the file.
    pub(crate) fn note(&mut self, about: About, place: impl FnOnce() -> String) {
        self.table.notes.add(about, place);
    }

    /// Takes the cells of a row. The first with anything in it names the columns; empty ones are
    /// left out. Whatever becomes of them, all cells count that a reader made room for.
    pub(crate) fn push(&mut self, number: usize, cells: impl IntoIterator<Item = Cell>) -> Flow {
        let mut cells: Vec<Cell> = cells.into_iter().collect();
        let given = cells.len();
        let length = cells.iter().rposition(|cell| *cell != Cell::Empty).map_or(0, |last| last + 1);
        if length == 0 {
            return self.count(given);
        }
        cells.truncate(length);
        if !self.slots.is_empty() {
            return self.below(number, cells, given);
        }
        match self.above.take(number, cells, given) {
            Next::More => Flow::Continue(()),
            Next::Rows(rows) => self.first_rows(rows),
            Next::Title { row, title, headings } => {
                self.fault(row, Rule::TitleAbove { title, headings });
                Flow::Break(())
            }
        }
    }

    /// Takes the headings, and what is below them.
    fn first_rows(&mut self, rows: Vec<HeldRow>) -> Flow {
        let mut rows = rows.into_iter();
        if let Some((number, cells, given)) = rows.next() {
            self.headings(number, &cells);
            self.count(given)?;
        }
        rows.try_for_each(|(number, cells, given)| self.below(number, cells, given))
    }

    /// Takes a row below the headings.
    fn below(&mut self, number: usize, cells: Vec<Cell>, given: usize) -> Flow {
        if cells.len() > self.slots.len() {
            self.long_row(number, &cells);
            return self.count(given);
        }
        self.count(given.saturating_sub(self.table.columns.len()))?;
        if self.repeats_headings(&cells) {
            self.note(About::RepeatedHeadings, || number.to_string());
            return Flow::Continue(());
        }
        if self.table.sheet.is_none() && given < self.slots.len() {
            self.note(About::ShortRows, || number.to_string());
        }
        if let Some(total) = total(&cells) {
            self.table.notes.add(About::Totals, || format!("{number} “{}”", excerpt(total)));
        }
        let mut row = Row { number, cells: vec![None; self.table.columns.len()] };
        for (place, cell) in cells.into_iter().enumerate() {
            self.cell(&mut row, place, cell);
        }
        self.row(row)
    }

    /// Whether a row has nothing but the headings, two at least: tables that go over several pages have
    /// them on each.
    fn repeats_headings(&self, cells: &[Cell]) -> bool {
        let shown = cells.iter().map(Cell::shown);
        cells.len() > 1
            && cells.len() == self.headings.len()
            && shown.eq(self.headings.iter().map(String::as_str))
    }

    /// Takes a record; keys that are new become columns.
    pub(crate) fn push_record(&mut self, number: usize, record: &SentRecord<'_>) -> Flow {
        if let Some(fields) = record.too_many_fields() {
            let fault = InvalidRecord::Bounds { index: 0, fault: OutOfBounds::Fields { fields } };
            self.fault(number, Rule::Record { given: None, fault });
            return Flow::Continue(());
        }
        let mut row = Row { number, cells: Vec::new() };
        for (key, value) in record.fields() {
            let column = self.keys.get(&**key).copied().unwrap_or_else(|| {
                self.table.columns.push(Column { heading: key.to_string(), letter: None });
                self.keys.insert(key.to_string(), self.table.columns.len() - 1);
                self.table.columns.len() - 1
            });
            if row.cells.len() <= column {
                row.cells.resize(column + 1, None);
            }
            row.cells[column] = Some(value.clone().into_owned());
        }
        self.row(row)
    }

    /// The table.
    ///
    /// # Errors
    ///
    /// The faults that came up, or that there is nothing to store.
    pub(crate) fn finish(mut self) -> Result<Table, Faults> {
        let held = self.above.rest();
        // A full table has its fault already.
        let _ = self.first_rows(held);
        if self.faults.is_empty() && self.table.rows.is_empty() {
            let is_bare = self.table.unit == Unit::Row && self.slots.is_empty();
            self.faults.add(None, || None, if is_bare { Rule::NoHeadings } else { Rule::NoRows });
        }
        if self.faults.is_empty() { Ok(self.table) } else { Err(self.faults) }
    }

    /// Ends a table that cannot be read on.
    pub(crate) fn fail(mut self, rule: Rule) -> Faults {
        self.faults.add(None, || None, rule);
        self.faults
    }

    fn headings(&mut self, row: usize, cells: &[Cell]) {
        self.headings = cells.iter().map(|cell| cell.shown().to_owned()).collect();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for (place, heading) in cells.iter().map(Cell::shown).enumerate() {
            let slot = match heading {
                "" => Slot::NoHeading { is_reported: false },
                COMMENT => {
                    self.table.has_comments = true;
                    Slot::LeftOut
                }
                _ => {
                    if let Some(rule) = heading::fault(heading, known.get(heading).copied()) {
                        self.faults.add(Some(row), || Some(heading::letter(place)), rule);
                    }
                    known.entry(heading).or_insert(place);
                    let letter = Some(heading::letter(place));
                    self.table.columns.push(Column { heading: heading.to_owned(), letter });
                    Slot::Column(self.table.columns.len() - 1)
                }
            };
            self.slots.push(slot);
        }
    }

    /// In a sheet a cell is where it is; in a text it may be there because of a separator before it.
    fn long_row(&mut self, row: usize, cells: &[Cell]) {
        let headings = self.slots.len();
        let beyond = cells[headings..].iter().position(|cell| *cell != Cell::Empty).unwrap_or_default();
        let given = excerpt(cells[headings + beyond].shown());
        if self.table.sheet.is_none() {
            return self.fault(row, Rule::LongRow { cells: cells.len(), headings, beyond: given });
        }
        self.faults.add(Some(row), || Some(heading::letter(headings + beyond)), Rule::NoHeading { given });
    }

    fn cell(&mut self, row: &mut Row, place: usize, cell: Cell) {
        match (&mut self.slots[place], cell) {
            (_, Cell::Empty) | (Slot::LeftOut | Slot::NoHeading { is_reported: true }, _) => {}
            (Slot::NoHeading { is_reported }, cell) => {
                *is_reported = true;
                let rule = Rule::NoHeading { given: excerpt(cell.shown()) };
                self.faults.add(Some(row.number), || Some(heading::letter(place)), rule);
            }
            (Slot::Column(column), Cell::Bad(rule)) => {
                let label = || Some(self.table.columns[*column].label());
                self.faults.add(Some(row.number), label, rule);
            }
            (Slot::Column(column), Cell::Value(value)) => {
                let is_id = self.table.columns[*column].heading == "_id";
                row.cells[*column] = Some(if is_id { id(value) } else { value });
            }
        }
    }

    fn row(&mut self, row: Row) -> Flow {
        // One more for the row itself: those without cells are not free.
        self.count(row.cells.len() + 1)?;
        if self.table.rows.len() == self.limits.rows {
            return self.full(Rule::TooManyRows { max: self.limits.rows });
        }
        self.table.rows.push(row);
        Flow::Continue(())
    }

    fn count(&mut self, cells: usize) -> Flow {
        self.cells = self.cells.saturating_add(cells);
        if self.cells <= self.limits.cells {
            return Flow::Continue(());
        }
        self.full(Rule::TooManyCells { max: self.limits.cells })
    }

    fn full(&mut self, rule: Rule) -> Flow {
        self.faults.add(None, || None, rule);
        Flow::Break(())
    }
}

/// An `_id` is text, though a table has no other way to spell 17 than as a number.
fn id(value: SentValue<'static>) -> SentValue<'static> {
    match value {
        SentValue::Number(text) => SentValue::Text(text),
        other => other,
    }
}

/// What the first cell of a row says, if that is a word for what others come to.
fn total(cells: &[Cell]) -> Option<&str> {
    let first = cells.iter().find(|cell| **cell != Cell::Empty)?.shown();
    let word = first.trim_end_matches([':', '.', ' ']);
    (word.len() <= 12 && TOTALS.contains(&word.to_lowercase().as_str())).then_some(first)
}
