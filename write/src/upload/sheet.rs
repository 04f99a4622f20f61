//! A sheet of an `.xlsx`: its cells spelled as calamine takes them, and what calamine does not say about
//! them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use quick_xml::events::BytesStart;

use super::fault::{Rule, excerpt};
use super::heading::letter;
use super::notes::About;
use super::table::TableBuilder;
use super::workbook::{MAX_COLUMNS, MAX_ROWS};
use super::xml::{Element, Elements, attribute, is_set, name, plain};

/// How many kinds of errors are told apart: there are about twenty.
const MAX_ERRORS: usize = 100;

/// What calamine does not say about a sheet. All of it is bounded by the cells that there are.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Cells that show an error, in the order of the sheet: row, column, and the place of its name.
    errors: Vec<(u32, u16, u8)>,
    /// The names of errors.
    names: Vec<String>,
    /// Cells with a formula and no value.
    without_value: Vec<(u32, u16)>,
    /// Rows that are not shown.
    hidden_rows: BTreeSet<u32>,
    /// Columns that are not shown.
    hidden_columns: BTreeSet<u16>,
    /// Columns that are shown as per cent.
    per_cent: BTreeSet<u16>,
    /// Groups of cells that are one, as they are written.
    merged: Vec<String>,
}

impl Facts {
    /// The errors in the order of the sheet: row and column from 0, and what the cell shows.
    pub(crate) fn errors(&self) -> impl Iterator<Item = (u32, u32, &str)> {
        let name = |index: u8| self.names.get(usize::from(index)).map_or("#ERROR!", String::as_str);
        self.errors.iter().map(move |(row, column, index)| (*row, u32::from(*column), name(*index)))
    }

    fn error(&mut self, row: u32, column: u16, shown: &str) {
        let known = self.names.iter().position(|name| name == shown).unwrap_or_else(|| {
            self.names.extend((self.names.len() < MAX_ERRORS).then(|| shown.to_owned()));
            self.names.iter().position(|name| name == shown).unwrap_or(usize::MAX)
        });
        self.errors.push((row, column, u8::try_from(known).unwrap_or(u8::MAX)));
    }

    /// A row that is not shown.
    pub(crate) fn hide_row(&mut self, row: u32) {
        self.hidden_rows.insert(row);
    }

    /// A column that is not shown.
    pub(crate) fn hide_column(&mut self, column: u16) {
        self.hidden_columns.insert(column);
    }

    /// Cells that are one: rows and columns, from 0, of the first and the last.
    pub(crate) fn merge(&mut self, first: (u32, u16), last: (u32, u16)) {
        let address = |(row, column): (u32, u16)| format!("{}{}", letter(usize::from(column)), row + 1);
        self.merged.push(format!("{}:{}", address(first), address(last)));
    }

    /// Whether nobody sees a row.
    pub(crate) fn is_hidden(&self, row: u32) -> bool {
        self.hidden_rows.contains(&row)
    }

    /// Says what is about the sheet as a whole, with the columns in which there is anything.
    pub(crate) fn tell(&self, columns: &BTreeSet<u32>, table: &mut TableBuilder) {
        for (row, column) in &self.without_value {
            table
                .note(About::FormulasWithoutValue, || format!("{}{}", letter(usize::from(*column)), row + 1));
        }
        for merged in &self.merged {
            table.note(About::MergedCells, || merged.clone());
        }
        let seen = |column: &&u16| columns.contains(&u32::from(**column));
        for column in self.hidden_columns.iter().filter(seen) {
            table.note(About::HiddenColumns, || letter(usize::from(*column)));
        }
        for column in self.per_cent.iter().filter(seen) {
            table.note(About::PerCent, || letter(usize::from(*column)));
        }
    }
}

/// A sheet for calamine.
pub(crate) struct Sheet {
    /// Its cells that have a value, each with its place.
    pub(crate) xml: String,
    /// What else there is to know.
    pub(crate) facts: Facts,
}

/// Reads a sheet. `per_cent` says of each style whether it shows numbers as per cent.
///
/// # Errors
///
/// [`Rule::Damaged`], or [`Rule::Unpacked`] where the cells come to more than `max` bytes.
pub(crate) fn read(part: &str, per_cent: &[bool], max: usize) -> Result<Sheet, Rule> {
    let mut elements = Elements::new(part);
    let mut sheet = Sheet { xml: "<worksheet><sheetData>".to_owned(), facts: Facts::default() };
    let (mut at, mut is_in_data, mut has_data) = (Place::default(), false, false);
    while let Some(element) = elements.next()? {
        let start = match element {
            Element::Start(start) => start,
            Element::End(end) if end == "sheetData" => {
                is_in_data = false;
                continue;
            }
            Element::End(_) => continue,
        };
        match name(&start) {
            "sheetData" => (is_in_data, has_data) = (true, true),
            "row" if is_in_data => {
                at.row(&start)?;
                if is_set(&start, "hidden") {
                    sheet.facts.hide_row(at.row);
                }
            }
            "c" if is_in_data => cell(&mut sheet, &mut elements, &start, &mut at, per_cent)?,
            "col" if !has_data && is_set(&start, "hidden") => hidden_columns(&start, &mut sheet.facts),
            "mergeCell" if !is_in_data => sheet.facts.merged.extend(merged(&start)),
            _ => {}
        }
        // A cell is spelled in more letters than it may have been sent with.
        if sheet.xml.len() > max.saturating_mul(2) {
            return Err(Rule::Unpacked { max });
        }
    }
    if !has_data {
        return Err(Rule::Damaged("a sheet without cells".to_owned()));
    }
    sheet.xml.push_str("</sheetData></worksheet>");
    Ok(sheet)
}

/// Where in a sheet the next cell is that does not say so.
#[derive(Default)]
struct Place {
    row: u32,
    next_row: u32,
    column: u32,
}

impl Place {
    fn row(&mut self, start: &BytesStart<'_>) -> Result<(), Rule> {
        let given = attribute(start, "r").and_then(|row| row.trim().trim_matches('$').parse::<u32>().ok());
        self.row = given.map_or(self.next_row, |row| row.saturating_sub(1));
        (self.next_row, self.column) = (self.row.saturating_add(1), 0);
        if self.row < MAX_ROWS { Ok(()) } else { Err(nowhere()) }
    }

    /// The place of a cell.
    fn cell(&mut self, start: &BytesStart<'_>) -> Result<(u32, u16), Rule> {
        if let Some(given) = attribute(start, "r") {
            (self.row, self.column) = address(&given).ok_or_else(nowhere)?;
        }
        let column = u16::try_from(self.column).ok().filter(|_| self.column < MAX_COLUMNS);
        self.column = self.column.saturating_add(1);
        column.map(|column| (self.row, column)).ok_or_else(nowhere)
    }
}

fn nowhere() -> Rule {
    Rule::Damaged("a cell where no sheet has one".to_owned())
}

/// Row and column, from 0, of a cell as it is called: `B2`, `$B$2`, `b2`.
fn address(text: &str) -> Option<(u32, u32)> {
    let text: String = text.chars().filter(|letter| *letter != '$' && !letter.is_whitespace()).collect();
    let digits = text.find(|letter: char| letter.is_ascii_digit())?;
    let (letters, row) = text.split_at(digits);
    let column = letters.bytes().try_fold(0_u32, |column, letter| {
        let letter = letter.is_ascii_alphabetic().then(|| letter.to_ascii_uppercase() - b'A')?;
        column.checked_mul(26)?.checked_add(u32::from(letter) + 1)
    })?;
    let row: u32 = row.parse().ok()?;
    let place = (row.checked_sub(1)?, column.checked_sub(1)?);
    (place.0 < MAX_ROWS && place.1 < MAX_COLUMNS).then_some(place)
}

/// Takes a cell, of which the start was read.
fn cell(
    sheet: &mut Sheet,
    elements: &mut Elements<'_>,
    start: &BytesStart<'_>,
    at: &mut Place,
    per_cent: &[bool],
) -> Result<(), Rule> {
    let (row, column) = at.cell(start)?;
    let (kind, style) = (attribute(start, "t").unwrap_or_default(), attribute(start, "s"));
    let (mut value, mut inline, mut has_formula) = (None, None, false);
    while let Some(element) = elements.next()? {
        match element {
            Element::End(end) if end == "c" => break,
            Element::End(_) => {}
            Element::Start(inner) => {
                let inside = elements.inside(&inner)?;
                match name(&inner) {
                    "v" => value = Some(inside),
                    "is" => inline = Some(inside),
                    "f" => has_formula = true,
                    _ => {}
                }
            }
        }
    }
    let style = style.and_then(|style| style.trim().parse::<usize>().ok());
    let shown = value.unwrap_or_default();
    match kind.as_str() {
        "e" => {
            let shown = excerpt(&plain(shown));
            sheet.facts.error(row, column, if shown.is_empty() { "#ERROR!" } else { &shown });
            return Ok(());
        }
        // An empty text is a value of a formula, and an empty number is none.
        "str" if value.is_some() => {}
        _ if has_formula && shown.trim().is_empty() && inline.is_none() => {
            sheet.facts.without_value.push((row, column));
            return Ok(());
        }
        _ => {}
    }
    if style.is_some_and(|style| per_cent.get(style) == Some(&true)) && !shown.is_empty() {
        sheet.facts.per_cent.insert(column);
    }
    // Of a kind that is not known, calamine takes numbers for numbers and the rest for texts.
    let kind = match (kind.as_str(), inline) {
        (_, Some(_)) => " t=\"inlineStr\"",
        ("s", _) => " t=\"s\"",
        ("b", _) => " t=\"b\"",
        ("d", _) => " t=\"d\"",
        ("str" | "inlineStr", _) => " t=\"str\"",
        _ => "",
    };
    let (tag, inside) = inline.map_or(("v", shown), |inline| ("is", inline));
    if !inside.is_empty() {
        let style = style.map_or(String::new(), |style| format!(" s=\"{style}\""));
        let address = format_args!("{}{}", letter(usize::from(column)), row + 1);
        let _ = write!(sheet.xml, "<c r=\"{address}\"{style}{kind}><{tag}>{inside}</{tag}></c>");
    }
    Ok(())
}

fn hidden_columns(start: &BytesStart<'_>, facts: &mut Facts) {
    let column = |name| attribute(start, name).and_then(|column| column.trim().parse::<u32>().ok());
    let (Some(first), Some(last)) = (column("min"), column("max")) else { return };
    // Who hides all columns to the right has nothing in them.
    for column in first.max(1)..=last.min(MAX_COLUMNS) {
        facts.hidden_columns.extend(u16::try_from(column - 1));
    }
}

/// A group of more than one cell, as people write it.
fn merged(start: &BytesStart<'_>) -> Option<String> {
    let written = attribute(start, "ref")?.replace('$', "").trim().to_uppercase();
    let (first, last) = written.split_once(':')?;
    (first != last).then(|| excerpt(&written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data: &str, cells: &str) -> Facts {
        let part = format!("<worksheet><sheetData>{data}</sheetData></worksheet>");
        let sheet = read(&part, &[false, true], 1000).expect("a sheet");
        assert_eq!(sheet.xml, format!("<worksheet><sheetData>{cells}</sheetData></worksheet>"));
        sheet.facts
    }

    #[test]
    fn cells_are_spelled_as_calamine_takes_them() {
        check(
            "<row r=\"2\"><c r=\"$B$2\"><v>5</v></c><c r='c2'><v>6</v></c></row>",
            "<c r=\"B2\"><v>5</v></c><c r=\"C2\"><v>6</v></c>",
        );
        check(
            "<row><c><v>1</v></c><c><v>2</v></c></row><row><c/><c><v>3</v></c></row>",
            "<c r=\"A1\"><v>1</v></c><c r=\"B1\"><v>2</v></c><c r=\"B2\"><v>3</v></c>",
        );
        check(
            "<x:row><x:c t=\"n\" s=\"1\"><x:f>A1</x:f><x:v>1</x:v></x:c></x:row>",
            "<c r=\"A1\" s=\"1\"><v>1</v></c>",
        );
        check(
            "<row><c t=\"inlineStr\"><is><r><t>a&amp;</t></r><r><t>b</t></r></is></c></row>",
            "<c r=\"A1\" t=\"inlineStr\"><is><r><t>a&amp;</t></r><r><t>b</t></r></is></c>",
        );
        check(
            "<row><c t=\"s\"><v>0</v><extLst><ext/></extLst></c><c t=\"odd\"><v>x</v></c></row>",
            "<c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\"><v>x</v></c>",
        );
        check("<row><c t=\"str\"><f>A1</f><v></v></c><c s=\"1\"/></row>", "");
    }

    #[test]
    fn what_calamine_does_not_say() {
        let facts = check(
            "<row r=\"1\"><c t=\"e\"><v>#SPILL!</v></c><c t=\"e\"/></row><row r=\"3\" hidden=\"1\"><c><f>A1</f><v/></c><c><f>A1</f></c></row>",
            "",
        );
        assert_eq!(facts.errors().collect::<Vec<_>>(), [(0, 0, "#SPILL!"), (0, 1, "#ERROR!")]);
        assert_eq!(facts.without_value, [(2, 0), (2, 1)]);
        assert!(facts.is_hidden(2) && !facts.is_hidden(0));
        let part = "<worksheet><dimension ref=\"$A$1:$B$2\"/><cols><col min=\"2\" max=\"3\" hidden=\"true\"/></cols><sheetData/>\
                    <mergeCells><mergeCell ref=\"$A$1:B2\"/><mergeCell ref=\"C1:C1\"/></mergeCells></worksheet>";
        let facts = read(part, &[], 1000).expect("a sheet").facts;
        assert_eq!((facts.merged, facts.hidden_columns), (vec!["A1:B2".to_owned()], BTreeSet::from([1, 2])));
    }

    #[test]
    fn places_that_no_sheet_has() {
        for place in ["XFE1", "ZZZZZZZZ1", "A1048577", "A0", "1", "A", "A-1"] {
            assert_eq!(address(place), None, "{place}");
        }
        assert_eq!((address("$XFD$1048576"), address("a1")), (Some((1_048_575, 16_383)), Some((0, 0))));
    }
}
