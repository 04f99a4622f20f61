//! Which kind of file some bytes are, by what is in them.

use std::borrow::Cow;
use std::io::Cursor;

use super::fault::Rule;
use super::text;

/// A kind of file that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format<'a> {
    /// A workbook in a zip.
    Xlsx,
    /// A workbook in an OLE compound file.
    Xls,
    /// A JSON list, or one object over several lines.
    Json(Cow<'a, str>),
    /// JSON objects, one a line.
    JsonLines(Cow<'a, str>),
    /// Rows of cells with something between them.
    Delimited(Cow<'a, str>),
}

/// What files of other kinds begin with, and how people call them.
const OTHER_KINDS: [(&[u8], &str); 19] = [
    (b"%PDF", "a PDF document"),
    (b"PK\x05\x06", "an empty compressed folder (zip)"),
    (b"BZh", "a compressed file (bzip2)"),
    (b"\xFD7zXZ", "a compressed file (xz)"),
    (b"\x28\xB5\x2F\xFD", "a compressed file (zstd)"),
    (b"ARROW1", "an Arrow file"),
    (b"\x89PNG", "an image (PNG)"),
    (b"\xFF\xD8\xFF", "an image (JPEG)"),
    (b"GIF8", "an image (GIF)"),
    (b"BM", "an image (BMP)"),
    (b"\x1F\x8B", "a compressed file (gzip)"),
    (b"7z\xBC\xAF\x27\x1C", "a compressed folder (7z)"),
    (b"Rar!", "a compressed folder (rar)"),
    (b"SQLite format 3\0", "a database (SQLite)"),
    (b"PAR1", "a Parquet file"),
    (b"{\\rtf", "a text document (RTF)"),
    (b"\x7FELF", "a program"),
    (b"MZ", "a program"),
    (b"\x09\x08\x10\0\0\x06", "a workbook without its wrapping"),
];

const ZIP: &[u8] = b"PK\x03\x04";
const OLE: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

impl<'a> Format<'a> {
    /// The kind of a file.
    ///
    /// # Errors
    ///
    /// The rule that it breaks, with the row where it is in one.
    pub fn of(bytes: &'a [u8]) -> Result<Self, (Option<usize>, Rule)> {
        let of_file = |rule| (None, rule);
        if bytes.starts_with(ZIP) {
            return in_zip(bytes).map_err(of_file);
        }
        if bytes.starts_with(OLE) {
            return in_ole(bytes).map_err(of_file);
        }
        let is_binary = text::has_control(bytes) || std::str::from_utf8(bytes).is_err();
        let known = |(start, kind): &(&[u8], &'static str)| {
            // Some of the beginnings are letters, which a heading may begin with too.
            let is_certain = is_binary || !start.iter().all(u8::is_ascii_alphanumeric);
            (is_certain && bytes.starts_with(start)).then_some(*kind)
        };
        if let Some(kind) = OTHER_KINDS.iter().find_map(known) {
            return Err(of_file(Rule::OtherKind(kind)));
        }
        if text::is_of_a_program(bytes) {
            return Err(of_file(Rule::OtherKind("a file of some program")));
        }
        Self::of_text(text::decode(bytes)?).map_err(of_file)
    }

    fn of_text(text: Cow<'a, str>) -> Result<Self, Rule> {
        match text.trim_start().as_bytes().first() {
            None => Err(Rule::Empty),
            Some(b'{') if has_whole_line(&text) => Ok(Self::JsonLines(text)),
            Some(b'[' | b'{') => Ok(Self::Json(text)),
            Some(b'<') => Err(Rule::OtherKind("a web page or XML")),
            Some(_) => Ok(Self::Delimited(text)),
        }
    }
}

/// Whether the first line with anything in it is JSON by itself, and not the only one.
fn has_whole_line(text: &str) -> bool {
    let text = text.trim();
    let line = text.lines().next().unwrap_or_default();
    line.len() < text.len() && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
}

fn in_zip(bytes: &[u8]) -> Result<Format<'_>, Rule> {
    let zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| Rule::Damaged(error.to_string()))?;
    let names: Vec<String> =
        zip.file_names_raw().map(|name| part_name(&String::from_utf8_lossy(name))).collect();
    let has = |start: &str| names.iter().any(|name| name.starts_with(start));
    if has("xl/workbook.bin") {
        Err(Rule::OtherKind("a binary workbook (.xlsb)"))
    } else if has("xl/") {
        Ok(Format::Xlsx)
    } else if has("word/") {
        Err(Rule::OtherKind("a Word document"))
    } else if has("ppt/") {
        Err(Rule::OtherKind("a PowerPoint presentation"))
    } else if has("meta-inf/manifest.xml") && has("content.xml") {
        Err(Rule::OtherKind("an OpenDocument file"))
    } else if has("[content_types].xml") && has("_rels/.rels") {
        // Its parts may be anywhere.
        Ok(Format::Xlsx)
    } else if has("index/") || has("index.zip") {
        Err(Rule::OtherKind("a Numbers, Pages or Keynote document"))
    } else {
        Err(Rule::OtherKind("a compressed folder (zip)"))
    }
}

/// The name of a part of a package. Some programs write it with backslashes, as an absolute one, or in other
/// letters, and every spreadsheet program reads that.
pub(crate) fn part_name(name: &str) -> String {
    let name = name.replace('\\', "/").to_lowercase();
    name.trim_start_matches("./").trim_start_matches('/').to_owned()
}

fn in_ole(bytes: &[u8]) -> Result<Format<'_>, Rule> {
    let file =
        cfb::CompoundFile::open(Cursor::new(bytes)).map_err(|error| Rule::Damaged(error.to_string()))?;
    if file.is_stream("Workbook") || file.is_stream("Book") {
        Ok(Format::Xls)
    } else if file.is_stream("EncryptedPackage") {
        Err(Rule::Protected)
    } else if file.is_stream("WordDocument") {
        Err(Rule::OtherKind("an old Word document"))
    } else if file.is_stream("PowerPoint Document") {
        Err(Rule::OtherKind("an old PowerPoint presentation"))
    } else {
        Err(Rule::OtherKind("a document of an old Office program"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_text() {
        let delimited = |bytes: &[u8]| matches!(Format::of(bytes), Ok(Format::Delimited(_)));
        assert!(delimited(b"aa,bb") && delimited(b"BM,MZ") && delimited(b"BZh\n1") && delimited(b"ARROW1"));
        assert!(delimited(b"\xFF\xFEa\0a\0\n\0") && delimited(b"aa,bb\n\x01"));
    }

    #[test]
    fn json_of_two_kinds() {
        let json = |text: &str| matches!(Format::of(text.as_bytes()), Ok(Format::Json(_)));
        let lines = |text: &str| matches!(Format::of(text.as_bytes()), Ok(Format::JsonLines(_)));
        assert!(
            json("[]")
                && json(" \n[{\"aa\": 1}]")
                && json("{\n\"aa\": 1}")
                && json("{aa")
                && json("\u{feff}\n{}")
        );
        assert!(lines("{\"aa\": 1}\n{\"aa\": 2}") && lines("\u{feff}\n{}\n\n{}"));
    }

    #[track_caller]
    fn check_refused(bytes: &[u8], row: Option<usize>, rule: &str) {
        let (at, broken) = Format::of(bytes).expect_err(rule);
        assert_eq!((at, broken.to_string().as_str()), (row, rule));
    }

    #[test]
    fn what_no_table_is() {
        check_refused(b"", None, "there is nothing in the file");
        check_refused(b" \n\t", None, "there is nothing in the file");
        check_refused(b"%PDF-1.7", None, "this looks like a PDF document, not like a table");
        check_refused(b"\x89PNG\r\n\x1a\n", None, "this looks like an image (PNG), not like a table");
        check_refused(b"MZ\x90\0", None, "this looks like a program, not like a table");
        check_refused(b"<html>", None, "this looks like a web page or XML, not like a table");
        check_refused(b"\x01\x02\x03\0x", None, "this looks like a file of some program, not like a table");
        check_refused(b"aa\nbb\ncaf\xE9\n", Some(3), "a character in this row is not UTF-8: “caf\u{fffd}”");
        check_refused(ZIP, None, "the workbook cannot be read; it may be damaged");
        check_refused(OLE, None, "the workbook cannot be read; it may be damaged");
    }

    #[test]
    fn what_is_in_a_zip() {
        let zip = |name: &str| {
            let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
            zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("an entry");
            zip.finish().expect("a zip").into_inner()
        };
        for name in ["xl/workbook.xml", "xl\\workbook.xml", "/xl/workbook.xml", "./XL/Workbook.xml"] {
            assert_eq!(Format::of(&zip(name)), Ok(Format::Xlsx), "{name}");
        }
        for (name, kind) in [
            ("word/document.xml", "a Word document"),
            ("xl/workbook.bin", "a binary workbook (.xlsb)"),
            ("XL\\Workbook.bin", "a binary workbook (.xlsb)"),
            ("Index/Document.iwa", "a Numbers, Pages or Keynote document"),
            ("photo.jpg", "a compressed folder (zip)"),
        ] {
            assert_eq!(Format::of(&zip(name)), Err((None, Rule::OtherKind(kind))));
        }
    }

    #[test]
    fn what_is_in_an_old_document() {
        let ole = |name: &str| {
            let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).expect("a file");
            file.create_stream(name).expect("a stream");
            file.into_inner().into_inner()
        };
        assert_eq!(Format::of(&ole("Workbook")), Ok(Format::Xls));
        assert_eq!(Format::of(&ole("EncryptedPackage")), Err((None, Rule::Protected)));
        assert_eq!(Format::of(&ole("WordDocument")), Err((None, Rule::OtherKind("an old Word document"))));
    }
}
