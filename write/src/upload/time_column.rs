//! Which column says when a row happened, in files that were not made for Backdrop.
//!
//! The values of the column that a person chooses become the `_timestamp` of the records. It stays
//! a field under its own name too: nothing that was in the file is lost.

use backdrop_common::record::sent::SentValue;
use backdrop_common::timestamp::Timestamp;

use super::table::{Column, Row, Table};

/// The field that a time column is stored as.
pub const TIMESTAMP: &str = "_timestamp";

/// A column that may be the one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeColumn {
    /// Its heading.
    pub heading: String,
    /// Rows in which it is empty, whose records would have no time.
    pub empty: usize,
}

/// How many columns somebody has to choose from at the most.
const CHOICES: usize = 100;

/// The first columns that hold nothing but times, from the left; none where there is a `_timestamp`.
pub fn candidates(table: &Table) -> Vec<TimeColumn> {
    if table.column(TIMESTAMP).is_some() {
        return Vec::new();
    }
    // Row by row, since a table of JSON may have many columns and almost no cells. None where a value
    // is no time.
    let mut times = vec![Some(0); table.columns.len()];
    for (column, value) in table.rows.iter().flat_map(Row::values) {
        times[column] = times[column].filter(|_| is_time(value)).map(|count| count + 1);
    }
    let counted = table.columns.iter().zip(times);
    let candidate = |(column, times): (&Column, Option<usize>)| {
        let empty = table.rows.len() - times.filter(|times| *times > 0)?;
        Some(TimeColumn { heading: column.heading.clone(), empty })
    };
    counted.filter_map(candidate).take(CHOICES).collect()
}

/// The candidate that is taken until the person chooses: the first of those with the fewest empty
/// cells, since a bucket may want a time of every record.
pub fn preferred(candidates: &[TimeColumn]) -> Option<&TimeColumn> {
    candidates.iter().min_by_key(|column| column.empty)
}

/// Whether a value is a time as a `_timestamp` may be spelled.
pub(crate) fn is_time(value: &SentValue<'_>) -> bool {
    matches!(value, SentValue::Text(text) if Timestamp::parse(text).is_ok())
}
