//! The first rows of a table, until it is known which of them are the headings.
//!
//! People put titles above their tables. A title for headings would be a fault in each row below, none of
//! which says what is wrong. So where the first row cannot be the headings, a few rows are waited for.

use super::Cell;
use crate::upload::fault::excerpt;
use crate::upload::heading;

/// How many rows are waited for.
const ROWS: usize = 10;

/// A row with its number, its cells up to the last that has something, and how many were given.
pub(crate) type HeldRow = (usize, Vec<Cell>, usize);

/// Rows that wait.
#[derive(Default)]
pub(crate) struct Above(Vec<HeldRow>);

/// What is known with one row more.
pub(crate) enum Next {
    /// Nothing yet.
    More,
    /// The first of these rows is the headings.
    Rows(Vec<HeldRow>),
    /// The first row is a title.
    Title {
        /// Its number.
        row: usize,
        /// What is in it.
        title: String,
        /// The number of the row that looks like the headings.
        headings: usize,
    },
}

impl Above {
    /// Takes the next row with anything in it.
    pub(crate) fn take(&mut self, number: usize, cells: Vec<Cell>, given: usize) -> Next {
        if let Some((row, title)) = self.title(&cells) {
            self.0.clear();
            return Next::Title { row, title, headings: number };
        }
        self.0.push((number, cells, given));
        let (_, first, _) = &self.0[0];
        let is_wider = self.0.iter().any(|(_, cells, _)| filled(cells) > filled(first));
        let wait = match (filled(first), bad(first)) {
            // A word may be a title or the only heading, which the next row shows.
            (1, 0) => {
                if is_wider {
                    ROWS
                } else {
                    1
                }
            }
            (_, 0) => 0,
            _ => ROWS,
        };
        if self.0.len() > wait { Next::Rows(self.rest()) } else { Next::More }
    }

    /// The rows that wait.
    pub(crate) fn rest(&mut self) -> Vec<HeldRow> {
        std::mem::take(&mut self.0)
    }

    /// The first row, if it is a title above this one: it has fewer cells, and either this one looks like
    /// headings, or it is a cell alone that is none.
    fn title(&self, cells: &[Cell]) -> Option<(usize, String)> {
        let (row, first, _) = self.0.first()?;
        let is_alone = filled(first) == 1 && bad(first) == 1;
        let is_title = filled(cells) > filled(first) && (is_alone || bad(cells) == 0);
        let shown = first.iter().map(Cell::shown).find(|shown| !shown.is_empty())?;
        is_title.then(|| (*row, excerpt(shown)))
    }
}

fn filled(cells: &[Cell]) -> usize {
    cells.iter().filter(|cell| **cell != Cell::Empty).count()
}

/// How many cells cannot be headings.
fn bad(cells: &[Cell]) -> usize {
    let is_bad = |cell: &&Cell| **cell != Cell::Empty && heading::fault(cell.shown(), None).is_some();
    cells.iter().filter(is_bad).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known after each of some rows: `+` for nothing yet.
    #[track_caller]
    fn check(rows: &[&[&str]], expected: &str) {
        let mut above = Above::default();
        let mut known = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            known.push(match above.take(index + 1, row.iter().map(Cell::text).collect(), row.len()) {
                Next::More => "+".to_owned(),
                Next::Rows(rows) => format!("{} rows", rows.len()),
                Next::Title { row, title, headings } => format!("{title} in {row}, headings in {headings}"),
            });
        }
        assert_eq!(known.concat(), expected);
    }

    #[test]
    fn titles_and_headings() {
        check(&[&["aa", "bb"]], "1 rows");
        check(&[&["aa"], &["1"]], "+2 rows");
        check(&[&["Table 1"], &["aa", "bb"]], "+Table 1 in 1, headings in 2");
        check(&[&["Table 1"], &["of 2020"], &["aa", "Not good"]], "++Table 1 in 1, headings in 3");
        check(&[&["visits"], &["aa", "bb"]], "+visits in 1, headings in 2");
        check(&[&["visits"], &["1", "2"]], "++");
        check(&[&["Report"], &["made by", "Ann"], &["aa", "bb", "cc"]], "++Report in 1, headings in 3");
        check(&[&["Report:", "Visits"], &["aa", "bb", "cc"]], "+Report: in 1, headings in 2");
        check(&[&["Temp Max", "bb"], &["1", "2"]], "++");
        let rows = [&["Temp Max"][..]; 11];
        check(&rows, "++++++++++11 rows");
    }
}
