//! Workbooks of before 2007, looked through before calamine reads them.
//!
//! An `.xls` is a stream of records (type, length, data) in an OLE compound file. calamine makes
//! room for the rectangle between the outermost cells of every sheet, and for what a sheet says its
//! size is, and copies a shared text for each cell that shows it; a file of some hundred bytes can
//! have it ask for more memory than there is, which ends a program. So the records are counted
//! here, in the way in which calamine reads them, and it is given a file made of these very records
//! instead of the one that was sent.

use std::io::{Cursor, Read, Write};

use cfb::{CompoundFile, Version};

use super::Limits;
use super::fault::Rule;
use super::sheet::Facts;

const FORMULA: u16 = 0x0006;
const END: u16 = 0x000A;
const CONTINUE: u16 = 0x003C;
const BOUND_SHEET: u16 = 0x0085;
const SHARED_TEXTS: u16 = 0x00FC;
const LABEL_SHARED: u16 = 0x00FD;
const MANY_NUMBERS: u16 = 0x00BD;
const COLUMNS: u16 = 0x007D;
const MERGED: u16 = 0x00E5;
const ERROR: u16 = 0x0205;
/// The error `#N/A`, which stands for all that have no name of their own.
const NOT_AVAILABLE: u8 = 0x2A;
const ROW: u16 = 0x0208;
const DIMENSIONS: u16 = 0x0200;
const FORMULA_TEXT: u16 = 0x0207;
const START: u16 = 0x0809;
/// Records that are a cell, whose row and column they begin with.
const CELLS: [u16; 8] = [FORMULA, MANY_NUMBERS, 0x00D6, LABEL_SHARED, 0x0203, 0x0204, 0x0205, 0x027E];
/// A type that no record has, for those that calamine should pass over.
const NONE: [u8; 2] = [0xFF, 0xFF];
/// Into how many records one may go on. calamine moves all that are left for each; a text as long as
/// the file goes on once in 8000 bytes.
const MAX_CONTINUED: usize = 10_000;
/// How wide a sheet can be.
const MAX_COLUMNS: usize = 256;

/// The workbook in a file, made safe to read, and what calamine does not say of each of its sheets.
///
/// # Errors
///
/// [`Rule::TooManyCells`], [`Rule::Unpacked`] or [`Rule::Damaged`].
pub(crate) fn vet(bytes: &[u8], limits: Limits) -> Result<(Vec<u8>, Vec<Facts>), Rule> {
    let mut stream = workbook_stream(bytes).map_err(|error| Rule::Damaged(error.to_string()))?;
    let globals = Globals::read(&stream)?;
    let mut budget = Budget { cells: limits.cells, text: limits.unpacked, records: limits.cells };
    let mut changes = Changes::default();
    let mut facts = Vec::new();
    for start in globals.sheets {
        let vetted = vet_sheet(&stream, start, &globals.texts, &mut budget, &mut changes);
        facts.push(vetted.map_err(|over| match over {
            Over::Cells => Rule::TooManyCells { max: limits.cells },
            Over::Text => Rule::Unpacked { max: limits.unpacked },
            Over::Damaged(reason) => Rule::Damaged(reason.to_owned()),
        })?);
    }
    for at in changes.left_out {
        stream[at..at + 2].copy_from_slice(&NONE);
    }
    for at in changes.unknown_errors {
        stream[at] = NOT_AVAILABLE;
    }
    let wrapped = wrapped(&stream).map_err(|error| Rule::Damaged(error.to_string()))?;
    Ok((wrapped, facts))
}

/// What calamine is given otherwise than it was sent.
#[derive(Default)]
struct Changes {
    /// Where records begin that it should pass over.
    left_out: Vec<usize>,
    /// Where errors are that it does not know, and would refuse the whole workbook for.
    unknown_errors: Vec<usize>,
}

/// What a record says about the sheet that calamine does not. Says how many rows, columns and groups of cells
/// that is about.
fn look(record: &Record<'_>, facts: &mut Facts) -> usize {
    let number = |at| read_u16(record.data, at).unwrap_or_default();
    let column = |at| u16::try_from(number(at).min(MAX_COLUMNS - 1)).unwrap_or_default();
    match record.kind {
        ROW if number(12) & 0x20 != 0 => {
            facts.hide_row(u32::try_from(number(0)).unwrap_or_default());
            1
        }
        COLUMNS if number(8) & 1 != 0 => {
            (column(0)..=column(2)).for_each(|column| facts.hide_column(column));
            MAX_COLUMNS
        }
        MERGED => {
            let parts = record.data.get(2..).unwrap_or_default().chunks_exact(8).take(number(0));
            let count = parts.len();
            for part in parts {
                let number = |at| u16::from_le_bytes([part[at], part[at + 1]]);
                facts.merge((number(0).into(), number(4)), (number(2).into(), number(6)));
            }
            count
        }
        _ => 0,
    }
}

/// Where in the stream the error of a cell is, if it is one that this format has no name for.
fn unknown_error(record: &Record<'_>) -> Option<usize> {
    let (code, place) = match (record.kind, record.data) {
        (ERROR, [_, _, _, _, _, _, code, 1, ..]) => (*code, 6),
        (FORMULA, [_, _, _, _, _, _, 2, _, code, _, _, _, 0xFF, 0xFF, ..]) => (*code, 8),
        _ => return None,
    };
    let is_known = matches!(code, 0x00 | 0x07 | 0x0F | 0x17 | 0x1D | 0x24 | NOT_AVAILABLE | 0x2B);
    (!is_known).then_some(record.at + 4 + place)
}

fn workbook_stream(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut file = CompoundFile::open(Cursor::new(bytes))?;
    let name = if file.is_stream("Workbook") { "Workbook" } else { "Book" };
    let mut stream = Vec::new();
    // A stream is a part of the file, however often its sectors are linked.
    file.open_stream(name)?.take(bytes.len() as u64).read_to_end(&mut stream)?;
    Ok(stream)
}

fn wrapped(stream: &[u8]) -> std::io::Result<Vec<u8>> {
    // calamine takes a file of version 4 without short streams for one without a root.
    let mut file = CompoundFile::create_with_version(Version::V3, Cursor::new(Vec::new()))?;
    file.create_stream("Workbook")?.write_all(stream)?;
    file.flush()?;
    Ok(file.into_inner().into_inner())
}

/// What may still come.
struct Budget {
    cells: usize,
    text: usize,
    /// Several sheets may be the same records.
    records: usize,
}

/// What was too much.
enum Over {
    Cells,
    Text,
    Damaged(&'static str),
}

/// What stands before the sheets.
struct Globals {
    /// Where each sheet begins.
    sheets: Vec<usize>,
    /// The lengths of the shared texts, in bytes at most.
    texts: Vec<usize>,
}

impl Globals {
    fn read(stream: &[u8]) -> Result<Self, Rule> {
        let damaged = || Rule::Damaged("the shared texts are not in order".to_owned());
        let mut globals = Self { sheets: Vec::new(), texts: Vec::new() };
        for record in Records::new(stream, 0) {
            if record.continued.len() > MAX_CONTINUED {
                return Err(damaged());
            }
            match record.kind {
                END => break,
                BOUND_SHEET => globals.sheets.extend(read_u32(record.data, 0)),
                SHARED_TEXTS => globals.texts = text_lengths(&record).ok_or_else(damaged)?,
                _ => {}
            }
        }
        Ok(globals)
    }
}

fn vet_sheet(
    stream: &[u8],
    start: usize,
    texts: &[usize],
    budget: &mut Budget,
    changes: &mut Changes,
) -> Result<Facts, Over> {
    let mut facts = Facts::default();
    let mut depth = 0_usize;
    let mut area = Area::default();
    // Where the text of a formula goes that comes in a record of its own.
    let mut formula = (0, 0);
    for record in Records::new(stream, start) {
        let records = 1 + record.continued.len();
        budget.records = budget.records.checked_sub(records).ok_or(Over::Cells)?;
        match record.kind {
            START => depth += 1,
            END if depth <= 1 => break,
            END => depth -= 1,
            // Inside a chart.
            _ if depth > 1 => {}
            DIMENSIONS => changes.left_out.push(record.at),
            ROW | COLUMNS | MERGED => {
                let seen = look(&record, &mut facts);
                budget.records = budget.records.checked_sub(seen).ok_or(Over::Cells)?;
            }
            kind if CELLS.contains(&kind) => {
                let column = read_u16(record.data, 2).unwrap_or_default();
                let width = if kind == MANY_NUMBERS { record.data.len().saturating_sub(6) / 6 } else { 1 };
                let row = read_u16(record.data, 0).unwrap_or_default();
                area.add(row, column, width).ok_or(Over::Damaged("a cell beyond the last column"))?;
                changes.unknown_errors.extend(unknown_error(&record));
                if kind == FORMULA {
                    formula = (row, column);
                }
                if kind == LABEL_SHARED {
                    let text = read_u32(record.data, 6).and_then(|index| texts.get(index));
                    budget.text =
                        budget.text.checked_sub(text.copied().unwrap_or_default()).ok_or(Over::Text)?;
                }
            }
            FORMULA_TEXT => {
                area.add(formula.0, formula.1, 1).ok_or(Over::Damaged("a text beyond the last column"))?;
            }
            _ => {}
        }
    }
    budget.cells = budget.cells.checked_sub(area.size()).ok_or(Over::Cells)?;
    Ok(facts)
}

/// The rectangle between the outermost cells, which calamine fills.
#[derive(Default)]
struct Area(Option<[usize; 4]>);

impl Area {
    fn add(&mut self, row: usize, column: usize, width: usize) -> Option<()> {
        let end = column + width.max(1) - 1;
        if end >= MAX_COLUMNS {
            return None;
        }
        let [top, left, bottom, right] = self.0.unwrap_or([row, column, row, end]);
        self.0 = Some([top.min(row), left.min(column), bottom.max(row), right.max(end)]);
        Some(())
    }

    fn size(&self) -> usize {
        self.0.map_or(0, |[top, left, bottom, right]| (bottom - top + 1) * (right - left + 1))
    }
}

/// A record, with those that continue it.
struct Record<'a> {
    at: usize,
    kind: u16,
    data: &'a [u8],
    continued: Vec<&'a [u8]>,
}

/// The records from a place on, until one is cut short.
struct Records<'a> {
    stream: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    fn new(stream: &'a [u8], at: usize) -> Self {
        Self { stream, at }
    }

    fn one(&mut self) -> Option<(u16, &'a [u8])> {
        let kind = u16::from_le_bytes(*self.stream.get(self.at..)?.first_chunk()?);
        let length = read_u16(self.stream, self.at + 2)?;
        let data = self.stream.get(self.at + 4..self.at + 4 + length)?;
        self.at += 4 + length;
        Some((kind, data))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let at = self.at;
        let (kind, data) = self.one()?;
        let mut continued = Vec::new();
        while read_u16(self.stream, self.at) == Some(CONTINUE.into()) {
            let Some((_, data)) = self.one() else { break };
            continued.push(data);
        }
        Some(Record { at, kind, data, continued })
    }
}

/// The lengths of the shared texts; none if they are not as they should be.
///
/// ```text
/// text  = characters:u16 flags:u8 [ runs:u16 ] [ extra:u32 ] character* run{4}* extra*
/// flags = 1: characters of two bytes, 4: extra, 8: runs
/// ```
///
/// Where the characters go on in another record, it begins with flags of its own.
fn text_lengths(record: &Record<'_>) -> Option<Vec<usize>> {
    let mut lengths = Vec::new();
    let mut rest = record.continued.iter();
    let mut data = record.data.get(8..)?;
    loop {
        if data.is_empty() {
            match rest.next() {
                Some(next) => data = next,
                None => return Some(lengths),
            }
            if data.is_empty() {
                continue;
            }
        }
        let mut characters = read_u16(data, 0)?;
        let mut flags = *data.get(2)?;
        let mut at = 3;
        let mut trailing = 0;
        if flags & 8 != 0 {
            trailing += 4 * read_u16(data, at)?;
            at += 2;
        }
        if flags & 4 != 0 {
            trailing += read_u32(data, at)?;
            at += 4;
        }
        // A character is three bytes of UTF-8 at most.
        lengths.push(characters * 3);
        data = data.get(at..)?;
        loop {
            let width = 1 + usize::from(flags & 1);
            let here = characters.min(data.len() / width);
            characters -= here;
            data = &data[here * width..];
            if characters == 0 {
                break;
            }
            (flags, data) = rest.next()?.split_first().map(|(flags, data)| (*flags, data))?;
        }
        while trailing > data.len() {
            trailing -= data.len();
            data = rest.next()?;
        }
        data = &data[trailing..];
    }
}

fn read_u16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)))
}

fn read_u32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parts: &[&[u8]], lengths: Option<&[usize]>) {
        let data = [&[0; 8], parts[0]].concat();
        let record = Record { at: 0, kind: SHARED_TEXTS, data: &data, continued: parts[1..].to_vec() };
        assert_eq!(text_lengths(&record).as_deref(), lengths);
    }

    #[test]
    fn shared_texts() {
        check(&[b""], Some(&[]));
        check(&[b"\x02\0\0ab\x01\0\x01a\0"], Some(&[6, 3]));
        // With runs, with more at the end, with both.
        check(&[b"\x01\0\x08\x01\0aRUNS\x01\0\x04\x02\0\0\0aXX"], Some(&[3, 3]));
        check(&[b"\x01\0\x0D\x01\0\x02\0\0\0a\0RUNSXX\0\0\0"], Some(&[3, 0]));
        // Going on in other records, in characters of another width.
        check(&[b"\x03\0\0a", b"\x01b\0", b"\0c\x01\0\0d"], Some(&[9, 3]));
        check(&[b"\x01\0\x08\x01\0aRU", b"NS\x01\0\0b"], Some(&[3, 3]));
        check(&[b"\x01\0\0a", b"\x01\0\0b"], Some(&[3, 3]));
        for cut in [&b"\x02\0\0a"[..], b"\x02", b"\x01\0\x08\x01\0a", b"\x01\0\x04\xFF\xFF\xFF\xFFa"] {
            check(&[cut], None);
        }
    }

    #[test]
    fn areas() {
        let mut area = Area::default();
        assert_eq!(area.size(), 0);
        assert_eq!(area.add(3, 2, 1).and_then(|()| area.add(1, 4, 2)), Some(()));
        assert_eq!(area.size(), 3 * 4);
        assert_eq!(area.add(0, 255, 2), None);
    }
}
