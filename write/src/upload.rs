//! Uploads: the bytes of a file → a [`Table`] of typed cells → checked records, or [`Faults`] in
//! words for people who own numbers and write no code.
//!
//! ```text
//! bytes → format (by content) ─┬─ delimited ← text, dialect, rows   strict about quotes
//!                              ├─ json                              lists, one record a line
//!                              └─ workbook ← package, biff          calamine, on what these let through
//!                                     ↓ sheets chosen by filters
//!                               table (headings, rows, limits, notes)
//!                                     ├─ time_column, preview, looks   what the person sees
//!                                     └─ check                         rows → records
//! ```
//!
//! Nothing here knows HTTP, the store or a clock, and nothing is stored before everything is read.

mod biff;
pub mod check;
mod delimited;
mod dialect;
mod excel;
pub mod fault;
pub mod filters;
pub mod format;
mod heading;
mod json;
mod looks;
pub mod notes;
mod package;
pub mod preview;
mod rows;
mod sheet;
pub mod table;
mod text;
pub mod time_column;
mod unpack;
mod workbook;
mod xml;

pub use fault::{Fault, Faults, Rule};
pub use format::Format;
pub use table::Table;

use table::TableBuilder;

/// How much of a file is read. All of it follows from how large a file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Bytes that a workbook may unpack to, and that the texts of its cells may have together. Many
    /// cells of a workbook may share one text.
    pub unpacked: usize,
    /// Cells: for each row as many as there are columns, and one more; and those that a row has beyond
    /// them.
    pub cells: usize,
    /// Rows below the headings.
    pub rows: usize,
}

impl Limits {
    /// The limits where files of so many bytes are taken. A text whose rows are as long as its headings
    /// stays within all of them; a workbook, which packs ten times as densely, may not.
    pub fn of(max_upload_bytes: usize) -> Self {
        Self {
            bytes: max_upload_bytes,
            unpacked: max_upload_bytes.saturating_mul(32),
            cells: max_upload_bytes.saturating_mul(2),
            rows: max_upload_bytes / 2,
        }
    }
}

/// Reads a file. Which kind it is follows from its content: names, and what a browser says, are
/// guesses of other programs, and a bucket's `upload_format` is a hint for the page that asks for
/// the file.
///
/// # Errors
///
/// The first [`fault::MAX_SHOWN`] of the file's faults, and how many there are.
pub fn read(bytes: &[u8], filters: &[String], limits: Limits) -> Result<Table, Faults> {
    let filters = filters::parse(filters).map_err(Faults::of_file)?;
    match Format::of(bytes).map_err(Faults::of)? {
        Format::Xlsx => workbook::read_xlsx(bytes, &filters, limits),
        Format::Xls => workbook::read_xls(bytes, &filters, limits),
        Format::Delimited(text) => {
            let mut table = TableBuilder::new(None, limits);
            // A full table has its fault already.
            let _ = delimited::read(&text, &mut table);
            table.finish()
        }
        Format::Json(text) => json::read_list(&text, limits),
        Format::JsonLines(text) => json::read_lines(&text, limits),
    }
}

#[cfg(test)]
mod tests;
