//! CSV and its kin: lines starting with `#` are for people, and cells that are spelled like a JSON
//! number are numbers.

use backdrop_common::record::sent::SentValue;
use csv::{ReaderBuilder, StringRecord};
use serde::de::IgnoredAny;

use super::fault::Rule;
use super::table::{Cell, Flow, TableBuilder};

/// Reads rows of cells. The number of a row is that of the line that it starts on.
pub(crate) fn read(text: &str, delimiter: u8, table: &mut TableBuilder) -> Flow {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .comment(Some(b'#'))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut lines = Lines { text: text.as_bytes(), at: 0, number: 1 };
    let mut record = StringRecord::new();
    loop {
        let start = content_start(text.as_bytes(), offset(&reader));
        // The text is UTF-8 and rows may be of any length, so nothing that csv refuses is left.
        if !reader.read_record(&mut record).unwrap_or(false) {
            return Flow::Continue(());
        }
        let number = lines.number_at(start);
        if offset(&reader) == text.len() && ends_in_quotes(&text[start..], delimiter) {
            table.fault(number, Rule::OpenQuote);
            return Flow::Break(());
        }
        table.push(number, record.iter().map(cell))?;
    }
}

fn offset(reader: &csv::Reader<&[u8]>) -> usize {
    usize::try_from(reader.position().byte()).unwrap_or(usize::MAX)
}

/// Where the row begins that is read next: csv counts what it passes over as part of it.
fn content_start(text: &[u8], mut at: usize) -> usize {
    loop {
        match text.get(at) {
            Some(b'\r' | b'\n') => at += 1,
            Some(b'#') => at += text[at..].iter().position(|byte| *byte == b'\n').unwrap_or(text.len() - at),
            _ => return at.min(text.len()),
        }
    }
}

/// Counts lines.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    number: usize,
}

impl Lines<'_> {
    /// The number of the line that a place further on is in.
    fn number_at(&mut self, place: usize) -> usize {
        let passed = &self.text[self.at..place];
        let is_end = |(index, byte): &(usize, &u8)| match byte {
            b'\n' => true,
            // Alone it ends a line too, in files from old computers.
            b'\r' => self.text.get(self.at + index + 1) != Some(&b'\n'),
            _ => false,
        };
        self.number += passed.iter().enumerate().filter(is_end).count();
        self.at = place;
        self.number
    }
}

/// Whether the last row ends within a cell in quotes. csv takes that for the end of the cell, which
/// may be most of the file.
fn ends_in_quotes(row: &str, delimiter: u8) -> bool {
    let mut in_quotes = false;
    let mut at_start = true;
    for byte in row.bytes() {
        if byte == b'"' && (in_quotes || at_start) {
            in_quotes = !in_quotes;
            // A second quote goes on with the cell.
            at_start = !in_quotes;
        } else if !in_quotes {
            at_start = byte == delimiter;
        }
    }
    in_quotes
}

fn cell(text: &str) -> Cell {
    let trimmed = text.trim();
    if is_number(trimmed) {
        Cell::Value(SentValue::Number(trimmed.to_owned().into()))
    } else {
        Cell::text(text.to_owned())
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

    #[test]
    fn quotes_that_stay_open() {
        for row in ["\"", "a,\"b\nc,d\n", "a,\"b\"\"", "\"a\"\"b"] {
            assert!(ends_in_quotes(row, b','), "{row:?}");
        }
        for row in ["", "\"\"", "a,\"b\"", "5\" pipe", "a,\"b\"\"\"", "a\"b\nc"] {
            assert!(!ends_in_quotes(row, b','), "{row:?}");
        }
    }
}
