//! Cells as the text of a CSV. A long cell may be added in pieces.

use csv_core::{Terminator, Writer, WriterBuilder};

/// Writes cells one after the other.
pub(super) struct CsvText {
    writer: Box<Writer>,
    /// Whether the row has a cell.
    has_cell: bool,
}

impl Default for CsvText {
    fn default() -> Self {
        let writer = Box::new(WriterBuilder::new().terminator(Terminator::CRLF).build());
        Self { writer, has_cell: false }
    }
}

impl CsvText {
    /// Writes the names of columns; nothing if there are none.
    pub(super) fn header<'a>(&mut self, csv: &mut Vec<u8>, names: impl Iterator<Item = &'a str>) {
        for name in names {
            self.next_cell(csv);
            self.add(csv, name.as_bytes());
        }
        if self.has_cell {
            self.end_row(csv);
        }
    }

    /// Begins a cell.
    pub(super) fn next_cell(&mut self, csv: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_cell, true) {
            self.write(csv, 2, |writer, room| writer.delimiter(room).1);
        }
    }

    /// Adds to a cell. The first piece tells whether it is quoted.
    pub(super) fn add(&mut self, csv: &mut Vec<u8>, text: &[u8]) {
        // Every byte may be a quote, and one stands before the first.
        self.write(csv, 2 * text.len() + 1, |writer, room| writer.field(text, room).2);
    }

    /// Ends a row.
    pub(super) fn end_row(&mut self, csv: &mut Vec<u8>) {
        self.write(csv, 5, |writer, room| writer.terminator(room).1);
        self.has_cell = false;
    }

    /// Lets the writer fill as much of some room as it wants.
    fn write(&mut self, csv: &mut Vec<u8>, room: usize, write: impl FnOnce(&mut Writer, &mut [u8]) -> usize) {
        let before = csv.len();
        csv.resize(before + room, 0);
        let written = write(&mut self.writer, &mut csv[before..]);
        csv.truncate(before + written);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_the_csv_crate_writes(rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n é]{0,4}", 1..4), 0..4)) {
            let mut expected =
                csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).flexible(true).from_writer(Vec::new());
            let (mut text, mut csv) = (CsvText::default(), Vec::new());
            for row in &rows {
                expected.write_record(row).expect("a row");
                for cell in row {
                    text.next_cell(&mut csv);
                    text.add(&mut csv, cell.as_bytes());
                }
                text.end_row(&mut csv);
            }
            prop_assert_eq!(csv, expected.into_inner().expect("all of it"));
        }
    }
}
