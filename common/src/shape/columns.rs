//! The columns of an answer: their names, once, and what of a row each shows.

use crate::query::GroupQuery;

/// The columns in the order in which they are shown.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// Those of the rows.
    pub(super) rows: Vec<Column>,
    /// Those of the periods that are nested in the rows.
    pub(super) periods: Vec<Column>,
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: Box<str>,
    pub(super) part: Part,
}

/// What of a row a column shows. Numbers are places in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key(usize),
    Start,
    End,
    Count,
    /// What is collected, under the bare name of its field.
    Bare(usize),
    /// What is collected, under its full name.
    Collected(usize),
    GroupCount,
    Values,
}

impl Columns {
    pub(super) fn of(query: &GroupQuery) -> Self {
        let keys = query.keys.iter().enumerate().map(|(place, key)| column(key.as_str(), Part::Key(place)));
        let keys: Vec<Column> = keys.collect();
        let times = || [column("_start_at", Part::Start), column("_end_at", Part::End)];
        let tally = tally(query);
        if query.window.is_none() {
            return Self { rows: [keys, tally].concat(), periods: Vec::new() };
        }
        if query.flatten || keys.is_empty() {
            return Self { rows: [&keys[..], &times(), &tally].concat(), periods: Vec::new() };
        }
        let nesting = [column("_group_count", Part::GroupCount), column("values", Part::Values)];
        Self { rows: [&keys[..], &tally, &nesting].concat(), periods: [&times()[..], &tally].concat() }
    }

    /// The part of a row that has a name.
    pub(super) fn part(columns: &[Column], name: &str) -> Option<Part> {
        columns.iter().find(|column| *column.name == *name).map(|column| column.part)
    }
}

/// The columns of the count and of what is collected.
fn tally(query: &GroupQuery) -> Vec<Column> {
    let mut columns = vec![column("_count", Part::Count)];
    for (place, collect) in query.collect.iter().enumerate() {
        columns.extend(collect.bare_column().map(|name| column(name, Part::Bare(place))));
        columns.push(column(&collect.column(), Part::Collected(place)));
    }
    columns
}

fn column(name: &str, part: Part) -> Column {
    Column { name: name.into(), part }
}
