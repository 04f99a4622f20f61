//! CSV and its kin: lines starting with `#` are for people, and cells that are spelled like a JSON
//! number are numbers.

use backdrop_common::field::is_field_name;
use backdrop_common::record::sent::SentValue;
use serde::de::IgnoredAny;

use super::dialect::Dialect;
use super::fault::{Rule, excerpt};
use super::heading::letter;
use super::notes::About;
use super::rows::{QuoteFault, Rows, TextCell, TextRow, trimmed};
use super::table::{Cell, Flow, TableBuilder};
use super::text::control_character;

/// Reads rows of cells. The number of a row is that of the line that it starts on.
pub(crate) fn read(text: &str, table: &mut TableBuilder) -> Flow {
    let Dialect { separator, start } = Dialect::of(text);
    if start > 0 {
        table.note(About::SeparatorLine, || trimmed(&text[..start]).to_owned());
    }
    let mut rows = Rows::new(text, start, separator);
    let mut comments = Vec::new();
    let first = rows.find(|row| {
        let is_first = !row.is_comment() && row.cells.iter().any(|cell| !cell.text.is_empty());
        comments.extend(row.is_comment().then_some((row.line, row.written)));
        is_first || row.fault.is_some()
    });
    if let Some(row) = &first {
        headings_behind_hash(&mut comments, row, separator, table)?;
    }
    for (line, written) in comments {
        comment(line, written, table);
    }
    first.into_iter().chain(rows).try_for_each(|row| push(&row, table))
}

fn comment(line: usize, written: &str, table: &mut TableBuilder) {
    table.note(About::CommentLines, || format!("{line} “{}”", excerpt(written)));
}

/// Some programs write a `#` before the headings. The last of the lines that start so is taken for them where
/// it can be, and the first row cannot.
fn headings_behind_hash(
    comments: &mut Vec<(usize, &str)>,
    first: &TextRow<'_>,
    separator: char,
    table: &mut TableBuilder,
) -> Flow {
    let Some((line, written)) = comments.last().copied() else { return Flow::Continue(()) };
    let written = written.trim_start_matches('#');
    let Some(headings) = Rows::new(written, 0, separator).next() else { return Flow::Continue(()) };
    let are_headings =
        |row: &TextRow<'_>| row.cells.iter().all(|cell| cell.text.is_empty() || is_field_name(&cell.text));
    if headings.fault.is_some()
        || headings.cells.len() != first.cells.len()
        || !are_headings(&headings)
        || are_headings(first)
    {
        return Flow::Continue(());
    }
    comments.pop();
    table.note(About::HeadingsBehindHash, || line.to_string());
    table.push(line, headings.cells.iter().map(cell))
}

fn push(row: &TextRow<'_>, table: &mut TableBuilder) -> Flow {
    if row.is_comment() {
        comment(row.line, row.written, table);
        return Flow::Continue(());
    }
    match row.fault {
        Some(QuoteFault::Open) => {
            table.fault(row.line, Rule::OpenQuote { given: excerpt(row.written) });
            Flow::Break(())
        }
        Some(QuoteFault::Stray) => {
            table.fault(row.line, Rule::StrayQuote { given: excerpt(row.written) });
            Flow::Continue(())
        }
        None => {
            for (place, cell) in row.cells.iter().enumerate() {
                note(row.line, place, cell, table);
            }
            table.push(row.line, row.cells.iter().map(cell))
        }
    }
}

/// Says what is unusual about a cell.
fn note(line: usize, place: usize, cell: &TextCell<'_>, table: &mut TableBuilder) {
    let text = &*cell.text;
    let address = || format!("{}{line} “{}”", letter(place), excerpt(text));
    if text.contains(['\n', '\r']) {
        table.note(About::LineBreaks, || format!("{line} “{}”", excerpt(text)));
    }
    if text.contains("\\\"") {
        table.note(About::Backslashes, || format!("{line} “{}”", excerpt(text)));
    }
    if !cell.is_text && text.starts_with('=') && text.len() > 1 {
        table.note(About::FormulaTexts, address);
    }
    if text.contains('\u{fffd}') {
        table.note(About::LostCharacters, address);
    }
}

fn cell(cell: &TextCell<'_>) -> Cell {
    let text = trimmed(&cell.text);
    if let Some(letter) = control_character(text) {
        Cell::Bad(Rule::ControlCharacter { letter, given: excerpt(text) })
    } else if !cell.is_text && is_number(text) {
        Cell::Value(SentValue::Number(text.to_owned().into()))
    } else {
        Cell::text(text)
    }
}

/// Whether a text is a number as JSON spells it: `007`, `+1`, `.5` and `1,000` are text.
fn is_number(text: &str) -> bool {
    let may_be = text.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    may_be && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_json_spells_them() {
        for number in ["0", "-0", "7", "-12.50", "0.5", "1e5", "1E-5", "2.5e+10", "123456789012345678901"] {
            assert!(is_number(number), "{number}");
        }
        for text in
            ["", "-", "007", "+1", ".5", "5.", "1,000", "1e", "0x10", "NaN", "inf", "1 2", "--1", "1.e5"]
        {
            assert!(!is_number(text), "{text}");
        }
    }
}
