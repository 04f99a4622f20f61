//! An `.xlsx` made anew for calamine: its shared texts, its formats and the one sheet that is read, in the
//! places where calamine looks for them.
//!
//! Programs write parts under other names than Excel does, refer to cells as `$A$2`, and know errors,
//! kinds of sheets and styles that calamine does not, which then refuses the whole workbook. So what it
//! has no need of is left away, and the rest is spelled as it expects.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{Cursor, Write};

use quick_xml::events::BytesStart;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::fault::Rule;
use super::filters::Sheet;
use super::format::part_name;
use super::sheet::{self, Facts};
use super::unpack::Parts;
use super::xml::{Elements, attribute, damaged, is_set, name, text};

/// What the one sheet is called in the new file.
pub(crate) const SHEET: &str = "sheet";

/// A workbook that was unpacked.
pub(crate) struct Package {
    parts: Parts,
    /// The sheets of cells, with the names of their parts, in the order in which people see them.
    sheets: Vec<(Sheet, String)>,
    is_1904: bool,
    shared_texts: Option<String>,
    styles: Option<String>,
}

/// What a part refers to.
struct Relation {
    id: String,
    /// The last word of its kind, which is the same in both dialects of the format.
    kind: String,
    /// The name of the part.
    part: String,
}

impl Package {
    /// Looks through the parts of a workbook for its sheets.
    ///
    /// # Errors
    ///
    /// [`Rule::Damaged`]
    pub(crate) fn read(parts: Parts) -> Result<Self, Rule> {
        let of_kind = |relations: &[Relation], kind: &str| {
            relations.iter().find(|relation| relation.kind == kind).map(|relation| relation.part.clone())
        };
        let book = of_kind(&relations(&parts, "")?, "officedocument").unwrap_or("xl/workbook.xml".to_owned());
        let relations = relations(&parts, &book)?;
        let missing = || Rule::Damaged("there is no workbook in it".to_owned());
        let book = text(parts.get(&book).ok_or_else(missing)?);
        let mut elements = Elements::new(&book);
        let (mut sheets, mut is_1904) = (Vec::new(), false);
        while let Some(start) = elements.next_start()? {
            match name(&start) {
                "sheet" => sheets.extend(sheet_of(&start, &relations)),
                "workbookPr" => is_1904 |= is_set(&start, "date1904"),
                _ => {}
            }
        }
        let (shared_texts, styles) = (of_kind(&relations, "sharedstrings"), of_kind(&relations, "styles"));
        let usual = |part: &str| parts.contains_key(part).then(|| part.to_owned());
        let shared_texts = shared_texts.or_else(|| usual("xl/sharedstrings.xml"));
        let styles = styles.or_else(|| usual("xl/styles.xml"));
        Ok(Self { parts, sheets, is_1904, shared_texts, styles })
    }

    /// The sheets.
    pub(crate) fn sheets(&self) -> Vec<Sheet> {
        self.sheets.iter().map(|(sheet, _)| sheet.clone()).collect()
    }

    /// A workbook that has the sheet at a place only, and what calamine does not say about it.
    ///
    /// # Errors
    ///
    /// [`Rule::Damaged`], or [`Rule::Unpacked`] past `max` bytes of a part.
    pub(crate) fn with_sheet(&self, place: usize, max: usize) -> Result<(Vec<u8>, Facts), Rule> {
        let (_, part) = self.sheets.get(place).ok_or(Rule::NoSheet)?;
        let part_of = |name: &Option<String>| name.as_ref().and_then(|name| self.parts.get(name));
        let formats = part_of(&self.styles).map_or_else(Cow::default, |part| text(part));
        let (styles, per_cent) = styles(&formats)?;
        let texts = part_of(&self.shared_texts).map(|part| shared_texts(&text(part))).transpose()?;
        let missing = || Rule::Damaged("a sheet is not in the file".to_owned());
        let sheet = sheet::read(&text(self.parts.get(part).ok_or_else(missing)?), &per_cent, max)?;
        let mut entries = vec![
            ("_rels/.rels", relations_of(&[("officeDocument", "xl/workbook.xml")])),
            (
                "xl/_rels/workbook.xml.rels",
                relations_of(&[("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml")]),
            ),
            ("xl/workbook.xml", workbook(self.is_1904)),
            ("xl/styles.xml", styles),
            ("xl/worksheets/sheet1.xml", sheet.xml),
        ];
        entries.extend(texts.map(|texts| ("xl/sharedStrings.xml", texts)));
        Ok((zipped(&entries).map_err(|error| damaged(&error))?, sheet.facts))
    }
}

/// A sheet in the list of a workbook; none for charts, dialogs and macros, and for what is not there.
fn sheet_of(start: &BytesStart<'_>, relations: &[Relation]) -> Option<(Sheet, String)> {
    let id = attribute(start, "id")?;
    let relation = relations.iter().find(|relation| relation.id == id && relation.kind == "worksheet")?;
    let state = attribute(start, "state").unwrap_or_default().to_lowercase();
    let is_hidden = matches!(state.as_str(), "hidden" | "veryhidden");
    Some((Sheet { name: attribute(start, "name").unwrap_or_default(), is_hidden }, relation.part.clone()))
}

/// What a part refers to; the package as a whole where it has no name.
fn relations(parts: &Parts, part: &str) -> Result<Vec<Relation>, Rule> {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    let Some(list) = parts.get(&resolved(folder, &format!("_rels/{file}.rels"))) else {
        return Ok(Vec::new());
    };
    let list = text(list);
    let mut elements = Elements::new(&list);
    let mut relations = Vec::new();
    while let Some(start) = elements.next_start()? {
        if name(&start) == "Relationship" {
            let value = |name| attribute(&start, name).unwrap_or_default();
            let kind = value("Type").rsplit('/').next().unwrap_or_default().to_lowercase();
            relations.push(Relation { id: value("Id"), kind, part: resolved(folder, &value("Target")) });
        }
    }
    Ok(relations)
}

/// The name of a part that another one in a folder refers to.
fn resolved(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let mut names: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    part_name(&names.join("/"))
}

/// The shared texts without what is said about how many there are.
fn shared_texts(part: &str) -> Result<String, Rule> {
    let mut elements = Elements::new(part);
    let mut texts = String::with_capacity(part.len());
    texts.push_str("<sst>");
    while let Some(start) = elements.next_start()? {
        if name(&start) == "si" {
            texts.push_str("<si>");
            texts.push_str(elements.inside(&start)?);
            texts.push_str("</si>");
        }
    }
    texts.push_str("</sst>");
    Ok(texts)
}

/// The formats of numbers, which say what is a date, and which of them are per cent.
fn styles(part: &str) -> Result<(String, Vec<bool>), Rule> {
    let mut elements = Elements::new(part);
    let (mut formats, mut cells) = (String::new(), String::new());
    let (mut with_per_cent, mut per_cent) = (vec!["9".to_owned(), "10".to_owned()], Vec::new());
    let mut is_in_cells = false;
    while let Some(element) = elements.next()? {
        let start = match element {
            super::xml::Element::End(end) => {
                is_in_cells &= end != "cellXfs";
                continue;
            }
            super::xml::Element::Start(start) => start,
        };
        let value = |name| attribute(&start, name).unwrap_or_default();
        match name(&start) {
            "cellXfs" => is_in_cells = true,
            "numFmt" => {
                let (id, code) = (value("numFmtId"), value("formatCode"));
                let (shown, code) = (escaped(&id), escaped(&code));
                let _ = write!(formats, "<numFmt numFmtId=\"{shown}\" formatCode=\"{code}\"/>");
                with_per_cent.extend(
                    value("formatCode").split('"').step_by(2).any(|code| code.contains('%')).then_some(id),
                );
            }
            "xf" if is_in_cells => {
                let id = value("numFmtId");
                per_cent.push(with_per_cent.contains(&id));
                let _ = write!(cells, "<xf numFmtId=\"{}\"/>", escaped(&id));
            }
            _ => {}
        }
    }
    Ok((format!("<styleSheet><numFmts>{formats}</numFmts><cellXfs>{cells}</cellXfs></styleSheet>"), per_cent))
}

fn escaped(text: &str) -> Cow<'_, str> {
    quick_xml::escape::escape(text)
}

fn workbook(is_1904: bool) -> String {
    format!(
        "<workbook><workbookPr date1904=\"{}\"/><sheets><sheet name=\"{SHEET}\" sheetId=\"1\" r:id=\"r0\"/></sheets></workbook>",
        u8::from(is_1904)
    )
}

fn relations_of(relations: &[(&str, &str)]) -> String {
    const KINDS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let list = relations.iter().enumerate().map(|(index, (kind, target))| {
        format!("<Relationship Id=\"r{index}\" Type=\"{KINDS}/{kind}\" Target=\"{target}\"/>")
    });
    format!("<Relationships>{}</Relationships>", list.collect::<String>())
}

/// A zip that is read again at once, so that nothing of it is packed.
fn zipped(entries: &[(&str, String)]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, text) in entries {
        zip.start_file(*name, options)?;
        zip.write_all(text.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts() {
        for (folder, target, part) in [
            ("xl", "worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl", "/xl/Worksheets/Sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl", "..\\data\\sheet.xml", "data/sheet.xml"),
            ("", "xl\\workbook.xml", "xl/workbook.xml"),
            ("", "./../../book.xml", "book.xml"),
        ] {
            assert_eq!(resolved(folder, target), part, "{folder} {target}");
        }
    }

    #[test]
    fn formats_of_numbers() {
        let (styles, per_cent) = styles(
            "<styleSheet><numFmts><numFmt numFmtId='164' formatCode='yyyy \"%\" &amp;'/><numFmt numFmtId='165' \
             formatCode='0.0%'/></numFmts><fonts><font><color rgb='nonsense'/></font></fonts><cellStyleXfs><xf \
             numFmtId='9'/></cellStyleXfs><cellXfs><xf numFmtId='164'/><xf numFmtId='165'><alignment/></xf><xf \
             numFmtId='9'/><xf/></cellXfs></styleSheet>",
        )
        .expect("XML");
        assert_eq!(per_cent, [false, true, true, false]);
        assert_eq!(
            styles,
            "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"yyyy &quot;%&quot; &amp;\"/><numFmt \
             numFmtId=\"165\" formatCode=\"0.0%\"/></numFmts><cellXfs><xf numFmtId=\"164\"/><xf numFmtId=\"165\"/><xf \
             numFmtId=\"9\"/><xf numFmtId=\"\"/></cellXfs></styleSheet>"
        );
    }
}
