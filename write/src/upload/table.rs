//! A table: headings that are keys, and rows of typed cells with the numbers that people see.
//!
//! Every reader puts its rows into a `TableBuilder`, so what a heading may be, which rows are
//! left out and how much is too much is decided there, once.

use std::borrow::Cow;

use backdrop_common::excerpt::beginning;
use backdrop_common::record::sent::SentValue;

use super::fault::{Rule, Unit};
use super::notes::Notes;
use super::rows::trimmed;

mod above;
mod builder;

pub(crate) use builder::{Flow, TableBuilder};

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
    /// A text, without the blanks around it: `Alki` and ` Alki` would be two groups. What shows nothing is empty.
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        match trimmed(text.as_ref()) {
            "" => Self::Empty,
            text => Self::Value(SentValue::Text(text.to_owned().into())),
        }
    }

    /// What it shows, as a heading.
    fn shown(&self) -> &str {
        match self {
            Self::Value(SentValue::Text(text) | SentValue::Number(text)) => trimmed(text),
            Self::Value(SentValue::Bool(true)) => "true",
            Self::Value(SentValue::Bool(false)) => "false",
            Self::Bad(Rule::CellError(shown) | Rule::ControlCharacter { given: shown, .. }) => shown,
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
            Some(letter) => format!("{letter} \"{}\"", beginning(&self.heading)),
            None => format!("\"{}\"", beginning(&self.heading)),
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
    /// What a person should know of it.
    pub notes: Notes,
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
