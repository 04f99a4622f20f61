//! What a person sees of a file before it is stored: its first rows, and what each column holds.

use std::collections::BTreeMap;
use std::fmt;

use backdrop_common::record::sent::SentValue;

use super::looks::Seen;
use super::table::{Column, Row, Table};
use super::time_column::is_time;

/// How many rows are shown.
pub const ROWS: usize = 10;
/// How many columns are shown.
const COLUMNS: usize = 100;
/// How many characters of a cell are shown.
const CHARACTERS: usize = 80;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A number.
    Number,
    /// A time as `_timestamp` takes it.
    Time,
    /// `true` or `false`.
    YesNo,
    /// Any other text.
    Text,
    /// A `null` in JSON.
    Null,
    /// A list or an object in JSON, which no record may hold.
    Nested,
}

impl Kind {
    fn of(value: &SentValue<'_>) -> Self {
        match value {
            SentValue::Null => Self::Null,
            SentValue::Bool(_) => Self::YesNo,
            SentValue::Number(_) => Self::Number,
            SentValue::Text(_) if is_time(value) => Self::Time,
            SentValue::Text(_) => Self::Text,
            SentValue::Nested(_) => Self::Nested,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Number => "number",
            Self::Time => "time",
            Self::YesNo => "yes/no",
            Self::Text => "text",
            Self::Null => "null",
            Self::Nested => "list or object",
        })
    }
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnPreview {
    /// The column.
    pub column: Column,
    /// The kinds of its values, with how many there are of each.
    pub found: Vec<(Kind, usize)>,
    /// In how many rows there is nothing.
    pub empty: usize,
    /// What the person should know of its values.
    pub hints: Vec<String>,
}

impl ColumnPreview {
    /// Whether it holds numbers beside something else, which nobody can add up.
    pub fn is_mixed(&self) -> bool {
        self.found.len() > 1 && self.found[0].0 == Kind::Number
    }
}

/// One of the first rows, as it will be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPreview {
    /// Its number.
    pub number: usize,
    /// Its cells, empty where there is nothing.
    pub cells: Vec<String>,
}

/// What a person sees of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// What each column holds, from the left.
    pub columns: Vec<ColumnPreview>,
    /// How many columns there are beyond those that are shown.
    pub hidden_columns: usize,
    /// The first rows.
    pub rows: Vec<RowPreview>,
    /// How many there are.
    pub total: usize,
}

impl Preview {
    /// Looks through a table, row by row: one of JSON may have many columns and almost no cells.
    pub fn of(table: &Table) -> Self {
        let mut found = vec![(BTreeMap::new(), Seen::default()); table.columns.len()];
        for (place, value) in table.rows.iter().flat_map(Row::values) {
            let (kinds, seen) = &mut found[place];
            let kind = Kind::of(value);
            *kinds.entry(kind).or_insert(0) += 1;
            if let (Kind::Text, SentValue::Text(text)) = (kind, value) {
                seen.add(text);
            }
        }
        let shown_columns = table.columns.len().min(COLUMNS);
        let columns = table.columns.iter().zip(found).take(shown_columns).map(|(column, (found, seen))| {
            let empty = table.rows.len() - found.values().sum::<usize>();
            let (column, found) = (column.clone(), found.into_iter().collect::<Vec<_>>());
            // Nobody adds up ids.
            let hints = if column.heading == "_id" { Vec::new() } else { seen.hints().collect() };
            ColumnPreview { column, found, empty, hints }
        });
        let rows = table.rows.iter().take(ROWS).map(|row| RowPreview {
            number: row.number,
            cells: (0..shown_columns).map(|place| row.value(place).map_or_else(String::new, shown)).collect(),
        });
        Self {
            columns: columns.collect(),
            hidden_columns: table.columns.len() - shown_columns,
            rows: rows.collect(),
            total: table.rows.len(),
        }
    }
}

fn shown(value: &SentValue<'_>) -> String {
    let text = match value {
        SentValue::Null => "null",
        SentValue::Bool(true) => "yes",
        SentValue::Bool(false) => "no",
        SentValue::Number(text) | SentValue::Text(text) | SentValue::Nested(text) => text,
    };
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
