//! Bytes → text: marks of byte order, UTF-16, what old programs put at the end, and what is no text.

use std::borrow::Cow;

use encoding_rs::{UTF_16BE, UTF_16LE};

use super::fault::{Rule, excerpt};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// How many bytes around one that is not UTF-8 are shown.
const AROUND: usize = 16;

/// The text of a file.
///
/// # Errors
///
/// The rule that it breaks, with the row where it is in one.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, (Option<usize>, Rule)> {
    if bytes.starts_with(b"\xFF\xFE\0\0") || bytes.starts_with(b"\0\0\xFE\xFF") {
        return Err((None, Rule::OtherEncoding("UTF-32")));
    }
    if let Some(encoding) = utf16(bytes) {
        // A mark of byte order is taken off; half of a character is an error.
        return match encoding.decode_without_bom_handling_and_without_replacement(without_mark(bytes)) {
            Some(text) => Ok(Cow::Owned(ended(&text).to_owned())),
            None => Err((None, Rule::OtherEncoding("UTF-16"))),
        };
    }
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(ended(text))),
        Err(error) => {
            let place = error.valid_up_to();
            let around = excerpt(&String::from_utf8_lossy(around(bytes, place)));
            Err((Some(lines(&bytes[..place]) + 1), Rule::NotUtf8 { around }))
        }
    }
}

/// Whether it has so many bytes that no text has that it is a file of some program. One or two of them are a
/// fault of the row that they are in.
pub(crate) fn is_of_a_program(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(4096)];
    let controls = start.iter().filter(|byte| is_control(**byte)).count();
    utf16(bytes).is_none() && controls > 3 && controls * 20 > start.len()
}

/// Whether there is a byte that no text has.
pub(crate) fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| is_control(*byte))
}

fn is_control(byte: u8) -> bool {
    byte < b' ' && !b"\t\n\r\x0C".contains(&byte)
}

/// The first character of a text that a computer obeys, and nobody sees.
pub(crate) fn control_character(text: &str) -> Option<char> {
    text.chars()
        .find(|letter| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r' | '\x0C' | '\u{85}'))
}

/// The text without what old programs end a file with: Ctrl-Z, and zeros up to the end of a block.
fn ended(text: &str) -> &str {
    let is_end = |letter: char| letter == '\u{1a}' || letter == '\0';
    if text.trim_end().ends_with(is_end) {
        text.trim_end_matches(|letter: char| is_end(letter) || letter.is_whitespace())
    } else {
        text
    }
}

/// Which UTF-16 it is: marked as such, or every other byte of its beginning is zero.
fn utf16(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let start = &bytes[..bytes.len().min(64)];
    let zeros = |from: usize| start.len() >= 4 && start.iter().skip(from).step_by(2).all(|byte| *byte == 0);
    let no_zeros = |from: usize| start.iter().skip(from).step_by(2).all(|byte| *byte != 0);
    if bytes.starts_with(b"\xFF\xFE") || (zeros(1) && no_zeros(0)) {
        Some(UTF_16LE)
    } else if bytes.starts_with(b"\xFE\xFF") || (zeros(0) && no_zeros(1)) {
        Some(UTF_16BE)
    } else {
        None
    }
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xFF\xFE").or(bytes.strip_prefix(b"\xFE\xFF")).unwrap_or(bytes)
}

/// A few bytes of the line that a byte is in.
fn around(bytes: &[u8], place: usize) -> &[u8] {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let from = bytes[..place].iter().rposition(is_end).map_or(0, |end| end + 1);
    let to = bytes[place..].iter().position(is_end).map_or(bytes.len(), |end| place + end);
    &bytes[from.max(place.saturating_sub(AROUND))..to.min(place + AROUND)]
}

/// How many lines end in some bytes: with LF, CR LF, or CR alone, in files from old computers.
pub(crate) fn lines(bytes: &[u8]) -> usize {
    let ends = bytes.iter().enumerate().filter(|(index, byte)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(index + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], text: &str) {
        assert_eq!(decode(bytes).as_deref(), Ok(text));
    }

    fn utf16(text: &str, bytes_of: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes_of).collect()
    }

    #[test]
    fn texts() {
        check(b"aa", "aa");
        check(b"\xEF\xBB\xBFaa", "aa");
        check(&utf16("\u{feff}aa\té😀", u16::to_le_bytes), "aa\té😀");
        check(&utf16("\u{feff}aa\té", u16::to_be_bytes), "aa\té");
        check(&utf16("aa,bb\n1,2", u16::to_le_bytes), "aa,bb\n1,2");
        check(&utf16("aa,bb\n1,2", u16::to_be_bytes), "aa,bb\n1,2");
        check("aa,b\u{1a}b\n".as_bytes(), "aa,b\u{1a}b\n");
    }

    #[test]
    fn ends_of_old_programs() {
        for end in ["\u{1a}", "\r\n\u{1a}", "\u{1a}\r\n", "\u{1a}\0\0\0", "\0", "\n\u{1a}\u{1a}\n"] {
            check(format!("aa\r\n5{end}").as_bytes(), "aa\r\n5");
        }
        check(b"aa\r\n5\r\n", "aa\r\n5\r\n");
    }

    #[track_caller]
    fn check_refused(bytes: &[u8], row: Option<usize>, rule: &str) {
        let (at, broken) = decode(bytes).expect_err(rule);
        assert_eq!((at, broken.to_string().as_str()), (row, rule));
    }

    #[test]
    fn what_is_no_text() {
        let utf8 = |around: &str| format!("a character in this row is not UTF-8: “{around}”");
        check_refused(b"aa\nbb\ncaf\xE9,1\nx", Some(3), &utf8("caf\u{fffd},1"));
        check_refused(b"aa\rb\xFC\rcc", Some(2), &utf8("b\u{fffd}"));
        check_refused(b"aa\r\n\r\n\x80", Some(3), &utf8("\u{fffd}"));
        check_refused(b"\xFF\xFEa\0\x00\xD8b\0", None, "this is text in UTF-16 that cannot be read");
        check_refused(b"\xFF\xFE\0\0a\0\0\0", None, "this is text in UTF-32 that cannot be read");
    }

    #[test]
    fn files_of_programs() {
        assert!(is_of_a_program(b"\x01\x02\0\x03\0\0abc") && !is_of_a_program(b"aa,b\0b\n1,\x012"));
        assert!(!is_of_a_program(b"\xFF\xFEa\0b\0\n\0c\0"));
        assert_eq!(control_character("a\tb\r\n"), None);
        assert_eq!(control_character("a\u{7f}b"), Some('\u{7f}'));
    }
}
