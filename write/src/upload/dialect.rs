//! What is between the cells of a text: the comma, the tab, the semicolon, which programs set up for a
//! decimal comma write into what they call CSV, and the bar; or whatever its first line says (`sep=;`).

use std::collections::BTreeMap;

use backdrop_common::field::is_field_name;

use super::rows::{Rows, TextRow, trimmed};

/// Of those that fit equally well the first is taken.
const SEPARATORS: [char; 4] = [',', '\t', ';', '|'];
/// How many rows are looked at.
const ROWS: usize = 100;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// What is between cells.
    pub(crate) separator: char,
    /// Where the rows begin: behind a line that names the separator, if there is one.
    pub(crate) start: usize,
}

impl Dialect {
    /// The dialect of a text.
    pub(crate) fn of(text: &str) -> Self {
        let line = text.split(['\r', '\n']).next().unwrap_or_default();
        let (named, start) = named(line).map_or((None, 0), |Named(separator)| (separator, line.len()));
        let fits = SEPARATORS.into_iter().map(|separator| (fit(text, start, separator), separator));
        let best = || fits.reduce(|best, next| if next.0 > best.0 { next } else { best });
        Self { separator: named.or_else(|| best().map(|(_, best)| best)).unwrap_or(','), start }
    }
}

/// What a line says that names the separator.
struct Named(Option<char>);

/// The separator in a line that names it, which may name none: `sep=`. Excel reads such a line, and other
/// programs write it for Excel. No heading has an equals sign.
fn named(line: &str) -> Option<Named> {
    let line = line.trim_start();
    let line = line.strip_prefix('"').unwrap_or(line).trim_start();
    let rest = line.get(..3).filter(|word| word.eq_ignore_ascii_case("sep")).map(|_| &line[3..])?;
    let rest = rest.trim_start_matches(' ').strip_prefix('=')?.trim_matches(['"', ' ']);
    let rest = if rest == "\\t" { "\t" } else { rest };
    let Some(separator) = rest.chars().next() else { return Some(Named(None)) };
    let is_one = rest.chars().all(|letter| letter == separator);
    (is_one && !separator.is_alphanumeric() && separator != '"').then_some(Named(Some(separator)))
}

/// How well a separator fits, in thousandths: in how many rows there are as many cells as in most, whether
/// the headings are such a row, and how many of them can be headings. Then the number of cells.
fn fit(text: &str, start: usize, separator: char) -> (usize, usize) {
    let rows: Vec<_> = Rows::new(text, start, separator)
        .filter(|row| !row.is_comment() && has_something(row))
        .take(ROWS)
        .collect();
    let mut counts = BTreeMap::<usize, usize>::new();
    for row in rows.iter().filter(|row| row.cells.len() > 1) {
        *counts.entry(row.cells.len()).or_default() += 1;
    }
    let Some((cells, most)) = counts.into_iter().max_by_key(|(_, rows)| *rows) else { return (0, 0) };
    let headings = &rows[0].cells;
    let good = headings.iter().filter(|heading| is_field_name(trimmed(&heading.text))).count();
    let fit = 1000 * most / rows.len()
        + if headings.len() == cells { 500 + 500 * good / headings.len() } else { 0 };
    (fit, cells)
}

fn has_something(row: &TextRow<'_>) -> bool {
    row.fault.is_some() || row.cells.iter().any(|cell| !cell.text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, separator: char) {
        assert_eq!(Dialect::of(text).separator, separator, "{text:?}");
    }

    #[test]
    fn all_rows_are_looked_at() {
        check("aa,bb\n1;2,3", ',');
        check("aa\tbb\n1,2\t3", '\t');
        check("aa;bb\n1,5;2,5", ';');
        check("aa|bb\n1,5|2;5", '|');
        check("aa", ',');
        check("", ',');
        check("# a; b; c\n\naa,bb", ',');
        check("\"a;b;c\",dd", ',');
        check("product;amount, in dollars\nx;1,000\ny;1,000,000", ';');
        check("day;temp, max;x\n2020;1,5;2", ';');
        check("Table 1: visits; all of them\n\naa,bb\n1,2\n3,4", ',');
        check("Table 1: visits,,\n,,\naa,bb,cc\n1,2,3", ',');
        // One row that is too short, where each has a decimal comma.
        check("day;rain\na;1,5\nb\nc;2,5", ';');
        check("aa,bb\n\"a;b\",\"c;d\"\n\"a;b\",\"c;d\"", ',');
        check("aa bb\n1 2", ',');
    }

    #[test]
    fn lines_that_name_it() {
        for (line, separator) in [
            ("sep=;", ';'),
            ("SEP=|", '|'),
            ("\"sep=;\"", ';'),
            ("sep=\t", '\t'),
            ("sep=\\t", '\t'),
            ("sep = ^", '^'),
            ("sep=,,,", ','),
            ("Sep=§", '§'),
        ] {
            let dialect = Dialect::of(&format!("{line}\r\naa;bb\r\n1;2"));
            assert_eq!(dialect, Dialect { separator, start: line.len() }, "{line}");
        }
        assert_eq!(Dialect::of("sep=\naa;bb"), Dialect { separator: ';', start: 4 });
        for line in ["sep", "sepal=;", "sep=a", "sep=;,", "separator"] {
            assert_eq!(Dialect::of(&format!("{line}\naa\tbb")).start, 0, "{line}");
        }
    }
}
