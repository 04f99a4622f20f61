//! A table: headings that are keys, and rows of typed cells with the numbers that people see.
//!
//! Every reader puts its rows into a `TableBuilder`, so what a heading may be, which rows are
//! left out and how much is too much is decided here, once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;

use backdrop_common::record::sent::{SentRecord, SentValue};

use super::Limits;
use super::fault::{Faults, Rule, Unit};
use super::heading;

/// The heading of a column that is for people only.
const COMMENT: &str = "comment";

/// A cell as a reader found it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Nothing: its record has no such field.
    Empty,
    /// A value.
    Value(SentValue<'static>),
    /// A cell that nothing can be made of.
    Bad(Rule),
}

impl Cell {
    /// A text; what shows nothing is empty.
    pub(crate) fn text(text: String) -> Self {
        if text.trim().is_empty() { Self::Empty } else { Self::Value(SentValue::Text(text.into())) }
    }

    /// What it shows, as a heading.
    fn shown(&self) -> &str {
        match self {
            Self::Value(SentValue::Text(text) | SentValue::Number(text)) => text.trim(),
            Self::Value(SentValue::Bool(true)) => "true",
            Self::Value(SentValue::Bool(false)) => "false",
            Self::Bad(Rule::CellError(shown)) => shown,
            Self::Empty | Self::Value(_) | Self::Bad(_) => "",
        }
    }
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading, the key of its values.
    pub heading: String,
    /// The letters that a spreadsheet program shows above it; none in JSON.
    pub letter: Option<String>,
}

impl Column {
    /// How a fault names it: `B "temp_max"`.
    pub(crate) fn label(&self) -> String {
        match &self.letter {
            Some(letter) => format!("{letter} \"{}\"", self.heading),
            None => format!("\"{}\"", self.heading),
        }
    }
}

/// A row with something in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number, from 1, as a spreadsheet program or an editor counts.
    pub number: usize,
    /// A cell for each column; those that are missing at the end are empty.
    cells: Vec<Option<SentValue<'static>>>,
}

impl Row {
    /// The value in a column; none where the cell is empty.
    pub fn value(&self, column: usize) -> Option<&SentValue<'static>> {
        self.cells.get(column)?.as_ref()
    }

    /// The values with the columns that they are in, from the left.
    pub(crate) fn values(&self) -> impl Iterator<Item = (usize, &SentValue<'static>)> {
        self.cells.iter().enumerate().filter_map(|(column, value)| Some((column, value.as_ref()?)))
    }
}

/// A file that could be read: what is in it, not yet checked as records.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The sheet that was read, in a workbook.
    pub sheet: Option<String>,
    /// The columns that are stored, from the left.
    pub columns: Vec<Column>,
    /// The rows, from the top; there is one at least.
    pub rows: Vec<Row>,
    /// Whether a column `comment` was left out.
    pub has_comments: bool,
    /// What its rows are called.
    pub(crate) unit: Unit,
}

impl Table {
    /// The place of the column with a heading.
    pub fn column(&self, heading: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.heading == heading)
    }

    /// The fields of the record in a row.
    pub(crate) fn fields<'t>(&'t self, row: &'t Row) -> Vec<(Cow<'t, str>, SentValue<'t>)> {
        let cells = self.columns.iter().zip(&row.cells);
        let field = |(column, value): (&'t Column, &'t Option<_>)| {
            Some((column.heading.as_str().into(), borrowed(value.as_ref()?)))
        };
        cells.filter_map(field).collect()
    }
}

/// The same value without a copy of its text.
fn borrowed<'t>(value: &'t SentValue<'_>) -> SentValue<'t> {
    match value {
        SentValue::Null => SentValue::Null,
        SentValue::Bool(value) => SentValue::Bool(*value),
        SentValue::Number(text) => SentValue::Number((&**text).into()),
        SentValue::Text(text) => SentValue::Text((&**text).into()),
        SentValue::Nested(text) => SentValue::Nested((&**text).into()),
    }
}

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
    /// Of a table with headings: what becomes of each column. Empty before the headings.
    slots: Vec<Slot>,
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
        let table = Table { sheet, columns: Vec::new(), rows: Vec::new(), has_comments: false, unit };
        Self { table, limits, faults, slots: Vec::new(), keys: HashMap::new(), cells: 0, text: 0 }
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
        if self.slots.is_empty() {
            self.headings(number, &cells);
            return self.count(given);
        }
        if cells.len() > self.slots.len() {
            self.long_row(number, &cells);
            return self.count(given);
        }
        self.count(given.saturating_sub(self.table.columns.len()))?;
        let mut row = Row { number, cells: vec![None; self.table.columns.len()] };
        for (place, cell) in cells.into_iter().enumerate() {
            self.cell(&mut row, place, cell);
        }
        self.row(row)
    }

    /// Takes a record; keys that are new become columns.
    pub(crate) fn push_record(&mut self, number: usize, record: &SentRecord<'_>) -> Flow {
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
        if self.table.sheet.is_none() {
            return self.fault(row, Rule::LongRow { cells: cells.len(), headings });
        }
        let beyond = cells[headings..].iter().position(|cell| *cell != Cell::Empty).unwrap_or_default();
        self.faults.add(Some(row), || Some(heading::letter(headings + beyond)), Rule::NoHeading);
    }

    fn cell(&mut self, row: &mut Row, place: usize, cell: Cell) {
        match (&mut self.slots[place], cell) {
            (_, Cell::Empty) | (Slot::LeftOut | Slot::NoHeading { is_reported: true }, _) => {}
            (Slot::NoHeading { is_reported }, _) => {
                *is_reported = true;
                self.faults.add(Some(row.number), || Some(heading::letter(place)), Rule::NoHeading);
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
