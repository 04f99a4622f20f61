//! Workbooks, with calamine. It trusts what a file says about itself, so `unpack` and `biff` look
//! first, and whatever makes it panic all the same is a damaged workbook.

use std::fmt::Display;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Data, DataRef, Reader, SheetType, SheetVisible, Xls, XlsError, Xlsx, XlsxError};

use super::fault::{Faults, Rule};
use super::filters::{self, Filter, Sheet};
use super::table::{Cell, Flow, Table, TableBuilder};
use super::{Limits, biff, excel, unpack};

/// How many columns and rows a sheet can have.
const MAX_COLUMNS: u32 = 16_384;
const MAX_ROWS: u32 = 1_048_576;

/// Reads a sheet of an `.xlsx`, cell by cell.
pub(crate) fn read_xlsx(bytes: &[u8], filters: &[&Filter], limits: Limits) -> Result<Table, Faults> {
    unpack::check(bytes, limits.unpacked).map_err(Faults::of_file)?;
    contained(|| {
        let mut book = Xlsx::new(Cursor::new(bytes)).map_err(|error| match error {
            XlsxError::Password => Faults::of_file(Rule::Protected),
            other => damaged(&other),
        })?;
        let sheet = choose(filters, book.sheets_metadata())?;
        let mut table = TableBuilder::new(Some(sheet.name.clone()), limits);
        match stream(&mut book, &sheet.name, &mut table) {
            Ok(_) => table.finish(),
            Err(error) => Err(table.fail(Rule::Damaged(error.to_string()))),
        }
    })
}

fn stream(book: &mut Xlsx<Cursor<&[u8]>>, sheet: &str, table: &mut TableBuilder) -> Result<Flow, XlsxError> {
    let mut cells = book.worksheet_cells_reader(sheet)?;
    let mut row: Vec<Cell> = Vec::new();
    let mut number = 0;
    while let Some(cell) = cells.next_cell()? {
        let (at, column) = cell.get_position();
        // calamine takes any letters for a column, and room is made for all columns before it.
        if at >= MAX_ROWS || column >= MAX_COLUMNS {
            return Err(XlsxError::Unexpected("a cell where no sheet has one"));
        }
        if at < number {
            return Err(XlsxError::Unexpected("a row after one that comes later"));
        }
        if at > number {
            if table.push(row_number(number), row.drain(..)).is_break() {
                return Ok(Flow::Break(()));
            }
            number = at;
        }
        let value = cell.get_value();
        // Cells that have nothing but a border or a colour may go on to the last column.
        if matches!(value, DataRef::Empty) {
            continue;
        }
        if table.weigh(length(value)).is_break() {
            return Ok(Flow::Break(()));
        }
        let place = column as usize;
        if row.len() <= place {
            row.resize(place + 1, Cell::Empty);
        }
        row[place] = excel::cell(Data::from(value.clone()));
    }
    Ok(table.push(row_number(number), row))
}

/// Bytes of a cell's text, which many cells may share.
fn length(value: &DataRef<'_>) -> usize {
    match value {
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.len(),
        DataRef::SharedString(text) => text.len(),
        DataRef::Int(_)
        | DataRef::Float(_)
        | DataRef::Bool(_)
        | DataRef::DateTime(_)
        | DataRef::Error(_)
        | DataRef::Empty => 0,
    }
}

/// The number that people see of a row that is counted from 0.
fn row_number(index: u32) -> usize {
    index as usize + 1
}

/// Reads a sheet of an `.xls`. calamine has all sheets in memory by then, within what `biff` let
/// through.
pub(crate) fn read_xls(bytes: &[u8], filters: &[&Filter], limits: Limits) -> Result<Table, Faults> {
    let vetted = biff::vet(bytes, limits).map_err(Faults::of_file)?;
    contained(|| {
        let mut book = Xls::new(Cursor::new(vetted)).map_err(|error| match error {
            XlsError::Password => Faults::of_file(Rule::Protected),
            other => damaged(&other),
        })?;
        let sheet = choose(filters, book.sheets_metadata())?;
        let range = book.worksheet_range(&sheet.name).map_err(|error| damaged(&error))?;
        let mut table = TableBuilder::new(Some(sheet.name), limits);
        let (top, left) = range.start().unwrap_or_default();
        for (row, number) in range.rows().zip(row_number(top)..) {
            let margin = std::iter::repeat_n(Cell::Empty, left as usize);
            if table.push(number, margin.chain(row.iter().cloned().map(excel::cell))).is_break() {
                break;
            }
        }
        table.finish()
    })
}

fn choose(filters: &[&Filter], sheets: &[calamine::Sheet]) -> Result<Sheet, Faults> {
    let sheets = sheets
        .iter()
        .filter(|sheet| sheet.typ == SheetType::WorkSheet)
        .map(|sheet| Sheet { name: sheet.name.clone(), is_hidden: sheet.visible != SheetVisible::Visible });
    filters::choose(filters, sheets.collect()).ok_or_else(|| Faults::of_file(Rule::NoSheet))
}

fn damaged(error: &dyn Display) -> Faults {
    Faults::of_file(Rule::Damaged(error.to_string()))
}

/// Runs what may panic over a file that nobody foresaw. Nothing that it had its hands on is used
/// afterwards.
fn contained(read: impl FnOnce() -> Result<Table, Faults>) -> Result<Table, Faults> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(damaged(&"calamine panicked")))
}
