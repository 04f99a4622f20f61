//! Which kind of file some bytes are, by what is in them.
//!
//! Separators are the comma, the tab, and the semicolon, which programs set up for a decimal comma
//! write into what they call CSV. The one that the headings have most of it is: no heading holds any.

use std::io::Cursor;

use super::fault::Rule;

/// A kind of file that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format<'a> {
    /// A workbook in a zip.
    Xlsx,
    /// A workbook in an OLE compound file.
    Xls,
    /// A JSON list, or one object over several lines.
    Json(&'a str),
    /// JSON objects, one a line.
    JsonLines(&'a str),
    /// Rows of cells with something between them.
    Delimited {
        /// The text, without a byte order mark.
        text: &'a str,
        /// What is between the cells.
        delimiter: u8,
    },
}

/// What files of other kinds begin with, and how people call them.
const OTHER_KINDS: [(&[u8], &str); 14] = [
    (b"%PDF", "a PDF document"),
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
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

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
        let is_binary = is_binary(bytes);
        let known = |(start, kind): &(&[u8], &'static str)| {
            // Some of the beginnings are letters, which a heading may begin with too.
            let is_certain = is_binary || !start.iter().all(u8::is_ascii_uppercase);
            (is_certain && bytes.starts_with(start)).then_some(*kind)
        };
        if let Some(kind) = OTHER_KINDS.iter().find_map(known) {
            return Err(of_file(Rule::OtherKind(kind)));
        }
        if is_utf16(bytes) {
            return Err(of_file(Rule::Utf16));
        }
        if is_binary {
            return Err(of_file(Rule::OtherKind("a file of some program")));
        }
        Self::of_text(text(bytes)?).map_err(of_file)
    }

    fn of_text(text: &'a str) -> Result<Self, Rule> {
        match text.trim_start().as_bytes().first() {
            None => Err(Rule::Empty),
            Some(b'{') if has_whole_line(text) => Ok(Self::JsonLines(text)),
            Some(b'[' | b'{') => Ok(Self::Json(text)),
            Some(b'<') => Err(Rule::OtherKind("a web page or XML")),
            Some(_) => Ok(Self::Delimited { text, delimiter: delimiter(text) }),
        }
    }
}

/// Whether the first line with anything in it is JSON by itself.
fn has_whole_line(text: &str) -> bool {
    let line = text.trim_start().lines().next().unwrap_or_default();
    serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
}

/// What separates the headings.
fn delimiter(text: &str) -> u8 {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let headings = lines.next().unwrap_or_default();
    let outside_quotes: String = headings.split('"').step_by(2).collect();
    let count = |delimiter: &u8| outside_quotes.bytes().filter(|byte| byte == delimiter).count();
    // Of equals the last is taken, which is the comma.
    b";\t,".iter().copied().max_by_key(|delimiter| count(delimiter)).unwrap_or(b',')
}

fn text(bytes: &[u8]) -> Result<&str, (Option<usize>, Rule)> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let lines = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n');
        (Some(lines.count()), Rule::NotUtf8)
    })
}

/// Whether there is a byte that no text has.
fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| *byte < b' ' && !b"\t\n\r\x0C".contains(byte))
}

/// Whether it is marked as UTF-16, or every other byte of its beginning is zero.
fn is_utf16(bytes: &[u8]) -> bool {
    let zeros = |from: usize| {
        let start = &bytes[..bytes.len().min(64)];
        start.len() >= 4 && start.iter().skip(from).step_by(2).all(|byte| *byte == 0)
    };
    bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") || zeros(0) != zeros(1)
}

fn in_zip(bytes: &[u8]) -> Result<Format<'_>, Rule> {
    let zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| Rule::Damaged(error.to_string()))?;
    let has = |start: &str| {
        let starts = |name: &[u8]| {
            name.get(..start.len()).is_some_and(|name| name.eq_ignore_ascii_case(start.as_bytes()))
        };
        zip.file_names_raw().any(starts)
    };
    if has("xl/workbook.bin") {
        Err(Rule::OtherKind("a binary workbook (.xlsb)"))
    } else if has("xl/") {
        Ok(Format::Xlsx)
    } else if has("word/") {
        Err(Rule::OtherKind("a Word document"))
    } else if has("ppt/") {
        Err(Rule::OtherKind("a PowerPoint presentation"))
    } else if has("META-INF/manifest.xml") && has("content.xml") {
        Err(Rule::OtherKind("an OpenDocument file"))
    } else if has("Index/") {
        Err(Rule::OtherKind("a Numbers, Pages or Keynote document"))
    } else {
        Err(Rule::OtherKind("a compressed folder (zip)"))
    }
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

    #[track_caller]
    fn check_delimiter(text: &str, expected: u8) {
        let Ok(Format::Delimited { delimiter, .. }) = Format::of(text.as_bytes()) else { panic!("{text}") };
        assert_eq!(char::from(delimiter), char::from(expected), "{text}");
    }

    #[test]
    fn what_is_between_cells() {
        check_delimiter("aa,bb\n1;2,3", b',');
        check_delimiter("aa\tbb\n1,2\t3", b'\t');
        check_delimiter("aa;bb\n1,5;2,5", b';');
        check_delimiter("aa", b',');
        check_delimiter("# a; b; c\n\naa,bb", b',');
        check_delimiter("\"a;b;c\",dd", b',');
        check_delimiter("\u{feff}aa;bb", b';');
        check_delimiter("BM,MZ", b',');
    }

    #[test]
    fn json_of_two_kinds() {
        let json = |text: &str| matches!(Format::of(text.as_bytes()), Ok(Format::Json(_)));
        let lines = |text: &str| matches!(Format::of(text.as_bytes()), Ok(Format::JsonLines(_)));
        assert!(json("[]") && json(" \n[{\"aa\": 1}]") && json("{\n\"aa\": 1}") && json("{aa"));
        assert!(lines("{\"aa\": 1}\n{\"aa\": 2}") && lines("\u{feff}\n{}"));
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
        check_refused(b"aa,bb\n\x01", None, "this looks like a file of some program, not like a table");
        check_refused(b"aa\nbb\ncaf\xE9\n", Some(3), "a character in this row is not UTF-8");
        let utf16 = "this is text in UTF-16, which some programs call \"Unicode text\"";
        check_refused(b"\xFF\xFEa\0", None, utf16);
        check_refused(b"a\0,\0b\0\n\0", None, utf16);
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
        assert_eq!(Format::of(&zip("xl/workbook.xml")), Ok(Format::Xlsx));
        for (name, kind) in [
            ("word/document.xml", "a Word document"),
            ("xl/workbook.bin", "a binary workbook (.xlsb)"),
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
