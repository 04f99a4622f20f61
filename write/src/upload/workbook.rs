//! Workbooks, with calamine. It trusts what a file says about itself, so `unpack` and `biff` look
//! first, and whatever makes it panic all the same is a damaged workbook.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Data, DataRef, Reader, SheetType, SheetVisible, Xls, XlsError, Xlsx};

use super::fault::{Faults, Rule, excerpt};
use super::filters::{self, Filter, Sheet};
use super::notes::About;
use super::package::{Package, SHEET};
use super::sheet::Facts;
use super::table::{Cell, Flow, Table, TableBuilder};
use super::{Limits, biff, excel, unpack};

/// How many columns and rows a sheet can have.
pub(crate) const MAX_COLUMNS: u32 = 16_384;
pub(crate) const MAX_ROWS: u32 = 1_048_576;

/// Reads a sheet of an `.xlsx`, cell by cell.
pub(crate) fn read_xlsx(bytes: &[u8], filters: &[&Filter], limits: Limits) -> Result<Table, Faults> {
    let parts = unpack::unpack(bytes, limits.unpacked).map_err(Faults::of_file)?;
    let package = Package::read(parts).map_err(Faults::of_file)?;
    let sheets = package.sheets();
    let place = choose(filters, &sheets)?;
    let mut table = TableBuilder::new(Some(sheets[place].name.clone()), limits);
    let (book, facts) = match package.with_sheet(place, limits.unpacked) {
        Ok(book) => book,
        Err(rule) => return Err(table.fail(rule)),
    };
    drop(package);
    contained(|| {
        other_sheets(&sheets, place, &mut table);
        match stream(book, &facts, &mut table) {
            Ok(_) => table.finish(),
            Err(rule) => Err(table.fail(rule)),
        }
    })
}

fn stream(book: Vec<u8>, facts: &Facts, table: &mut TableBuilder) -> Result<Flow, Rule> {
    let damaged = |error: calamine::XlsxError| Rule::Damaged(error.to_string());
    let mut book = Xlsx::new(Cursor::new(book)).map_err(damaged)?;
    let mut cells = book.worksheet_cells_reader(SHEET).map_err(damaged)?;
    let mut errors = facts.errors().peekable();
    let mut rows = Rows::new(facts, table);
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        let (row, column) = cell.get_position();
        while let Some((at, place, shown)) = errors.next_if(|(at, place, _)| (*at, *place) < (row, column)) {
            if rows.put(at, place, Cell::Bad(Rule::CellError(shown.to_owned())))?.is_break() {
                return Ok(Flow::Break(()));
            }
        }
        let value = cell.get_value();
        if matches!(value, DataRef::Empty) {
            continue;
        }
        if rows.table.weigh(length(value)).is_break() {
            return Ok(Flow::Break(()));
        }
        if rows.put(row, column, excel::cell(Data::from(value.clone())))?.is_break() {
            return Ok(Flow::Break(()));
        }
    }
    for (row, column, shown) in errors {
        if rows.put(row, column, Cell::Bad(Rule::CellError(shown.to_owned())))?.is_break() {
            return Ok(Flow::Break(()));
        }
    }
    Ok(rows.finish())
}

/// Cells → rows. The cells of a row may come in any order, the rows in theirs only.
struct Rows<'t> {
    facts: &'t Facts,
    table: &'t mut TableBuilder,
    number: u32,
    row: Vec<Cell>,
    /// The columns in which there is anything.
    columns: BTreeSet<u32>,
}

impl<'t> Rows<'t> {
    fn new(facts: &'t Facts, table: &'t mut TableBuilder) -> Self {
        Self { facts, table, number: 0, row: Vec::new(), columns: BTreeSet::new() }
    }

    fn put(&mut self, row: u32, column: u32, cell: Cell) -> Result<Flow, Rule> {
        // Room is made for all columns before a cell.
        if row >= MAX_ROWS || column >= MAX_COLUMNS || row < self.number {
            return Err(Rule::Damaged(
                "a cell where no sheet has one, or in a row after a later one".to_owned(),
            ));
        }
        if row > self.number {
            if self.end().is_break() {
                return Ok(Flow::Break(()));
            }
            self.number = row;
        }
        let place = column as usize;
        if self.row.len() <= place {
            self.row.resize(place + 1, Cell::Empty);
        }
        self.row[place] = cell;
        self.columns.insert(column);
        Ok(Flow::Continue(()))
    }

    fn end(&mut self) -> Flow {
        let number = row_number(self.number);
        if self.facts.is_hidden(self.number) && self.row.iter().any(|cell| *cell != Cell::Empty) {
            self.table.note(About::HiddenRows, || number.to_string());
        }
        self.table.push(number, self.row.drain(..))
    }

    fn finish(mut self) -> Flow {
        let flow = self.end();
        self.facts.tell(&self.columns, self.table);
        flow
    }
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
    let (vetted, mut facts) = biff::vet(bytes, limits).map_err(Faults::of_file)?;
    contained(|| {
        let mut book = Xls::new(Cursor::new(vetted)).map_err(|error| match error {
            XlsError::Password => Faults::of_file(Rule::Protected),
            other => damaged(&other),
        })?;
        let listed = book.sheets_metadata().to_vec();
        let places: Vec<usize> =
            (0..listed.len()).filter(|place| listed[*place].typ == SheetType::WorkSheet).collect();
        let sheet = |place: &usize| Sheet {
            name: listed[*place].name.clone(),
            is_hidden: listed[*place].visible != SheetVisible::Visible,
        };
        let sheets: Vec<Sheet> = places.iter().map(sheet).collect();
        let chosen = choose(filters, &sheets)?;
        let name = &sheets[chosen].name;
        let range = book.worksheet_range(name).map_err(|error| damaged(&error))?;
        let mut table = TableBuilder::new(Some(name.clone()), limits);
        other_sheets(&sheets, chosen, &mut table);
        let place = places[chosen];
        let facts = if place < facts.len() { facts.swap_remove(place) } else { Facts::default() };
        let (top, left) = range.start().unwrap_or_default();
        let mut rows = Rows::new(&facts, &mut table);
        for (number, row) in (top..).zip(range.rows()) {
            for (column, value) in (left..).zip(row).filter(|(_, value)| **value != Data::Empty) {
                match rows.put(number, column, excel::cell(value.clone())) {
                    Ok(Flow::Continue(())) => {}
                    Ok(Flow::Break(())) => return table.finish(),
                    Err(rule) => return Err(table.fail(rule)),
                }
            }
        }
        let _ = rows.finish();
        table.finish()
    })
}

/// The place of the sheet to read.
fn choose(filters: &[&Filter], sheets: &[Sheet]) -> Result<usize, Faults> {
    let chosen = filters::choose(filters, sheets.to_vec());
    let place = chosen.and_then(|chosen| sheets.iter().position(|sheet| *sheet == chosen));
    place.ok_or_else(|| Faults::of_file(Rule::NoSheet))
}

/// Says which sheets are not read.
fn other_sheets(sheets: &[Sheet], chosen: usize, table: &mut TableBuilder) {
    for (_, sheet) in sheets.iter().enumerate().filter(|(place, _)| *place != chosen) {
        let hidden = if sheet.is_hidden { " (hidden)" } else { "" };
        table.note(About::OtherSheets, || format!("“{}”{hidden}", excerpt(&sheet.name)));
    }
}

fn damaged(error: &dyn Display) -> Faults {
    Faults::of_file(Rule::Damaged(error.to_string()))
}

/// Runs what may panic over a file that nobody foresaw. Nothing that it had its hands on is used
/// afterwards.
fn contained(read: impl FnOnce() -> Result<Table, Faults>) -> Result<Table, Faults> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(damaged(&"calamine panicked")))
}
