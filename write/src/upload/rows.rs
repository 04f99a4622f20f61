//! Rows of a text with separators, as RFC 4180 has them and no other way.
//!
//! ```text
//! row    = cell (separator cell)* end
//! cell   = blank* ( quoted | "=" quoted | bare ) blank*
//! quoted = '"' (any but '"' | '""')* '"'
//! end    = CR LF | CR | LF | the end of the text
//! ```
//!
//! Readers of CSV forgive what follows a closing quote, and a quote that is never closed. What they make
//! of it is another text than was meant, or one row of many, without a word. So these are faults here.
//! A quote inside of a bare cell stays what it is: `5" pipe`.

use std::borrow::Cow;

/// What is wrong with the quotes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuoteFault {
    /// A quote that opens a cell and never closes it.
    Open,
    /// Something follows a closing quote.
    Stray,
}

/// A cell as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextCell<'a> {
    /// Its text, without quotes and blanks around it.
    pub(crate) text: Cow<'a, str>,
    /// Whether it was written as a formula that is a text, `="007"`, so that no program takes it for a
    /// number.
    pub(crate) is_text: bool,
}

/// A line, or several where cells in quotes hold ends of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextRow<'a> {
    /// The number of the line that it begins on, from 1.
    pub(crate) line: usize,
    /// The cells, up to what is wrong.
    pub(crate) cells: Vec<TextCell<'a>>,
    /// All of it as it is written.
    pub(crate) written: &'a str,
    /// What is wrong with its quotes.
    pub(crate) fault: Option<QuoteFault>,
}

impl TextRow<'_> {
    /// Whether it is a line for people.
    pub(crate) fn is_comment(&self) -> bool {
        self.written.starts_with('#')
    }
}

/// The rows of a text, without empty lines.
pub(crate) struct Rows<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    separator: char,
}

impl<'a> Rows<'a> {
    /// The rows from a place in the text on, which is in its first line or at the beginning of its second.
    pub(crate) fn new(text: &'a str, start: usize, separator: char) -> Self {
        let line = 1 + super::text::lines(&text.as_bytes()[..start]);
        Self { text, at: start, line, separator }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Passes over the end of a line. Says whether there was one.
    fn pass_end(&mut self) -> bool {
        let rest = self.rest();
        let length = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with(['\r', '\n'])) };
        self.at += length;
        self.line += usize::from(length > 0);
        length > 0
    }

    fn pass_blanks(&mut self) {
        let separator = self.separator;
        let is_blank = |letter: char| is_blank(letter) && letter != separator && !is_end(letter);
        self.at = self.text.len() - self.rest().trim_start_matches(is_blank).len();
    }

    /// A cell that is not in quotes.
    fn bare(&mut self) -> TextCell<'a> {
        let rest = self.rest();
        let end = rest.find(|letter| letter == self.separator || is_end(letter)).unwrap_or(rest.len());
        self.at += end;
        TextCell { text: trimmed(&rest[..end]).into(), is_text: false }
    }

    /// A cell in quotes, of which the first is next.
    fn quoted(&mut self) -> Result<Cow<'a, str>, QuoteFault> {
        let open = self.at + 1;
        let mut from = open;
        let close = loop {
            let quote = from + self.text[from..].find('"').ok_or(QuoteFault::Open)?;
            if !self.text[quote + 1..].starts_with('"') {
                break quote;
            }
            from = quote + 2;
        };
        let inside = &self.text[open..close];
        self.at = close + 1;
        self.pass_blanks();
        if !self.rest().is_empty() && !self.rest().starts_with([self.separator, '\r', '\n']) {
            return Err(QuoteFault::Stray);
        }
        self.line += super::text::lines(inside.as_bytes());
        // Two quotes are one.
        Ok(if from == open { inside.into() } else { inside.replace("\"\"", "\"").into() })
    }

    fn cell(&mut self) -> Result<TextCell<'a>, QuoteFault> {
        self.pass_blanks();
        if self.rest().starts_with('"') {
            return self.quoted().map(in_quotes);
        }
        if self.rest().starts_with("=\"") {
            let (start, line) = (self.at, self.line);
            self.at += 1;
            if let Ok(text) = self.quoted() {
                return Ok(TextCell { text, is_text: true });
            }
            // A formula that works something out.
            (self.at, self.line) = (start, line);
        }
        Ok(self.bare())
    }

    fn cells(&mut self, cells: &mut Vec<TextCell<'a>>) -> Option<QuoteFault> {
        loop {
            match self.cell() {
                Ok(cell) => cells.push(cell),
                Err(fault) => return Some(fault),
            }
            if !self.rest().starts_with(self.separator) {
                return None;
            }
            self.at += self.separator.len_utf8();
        }
    }

    /// Where the line ends that is being read.
    fn line_end(&self) -> usize {
        self.rest().find(is_end).map_or(self.text.len(), |end| self.at + end)
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = TextRow<'a>;

    fn next(&mut self) -> Option<TextRow<'a>> {
        while self.pass_end() {}
        let (start, line) = (self.at, self.line);
        if self.rest().is_empty() {
            return None;
        }
        let mut row = TextRow { line, cells: Vec::new(), written: "", fault: None };
        if self.rest().starts_with('#') {
            self.at = self.line_end();
        } else {
            row.fault = self.cells(&mut row.cells);
        }
        match row.fault {
            // Nobody knows where the next one begins.
            Some(QuoteFault::Open) => self.at = self.text.len(),
            Some(QuoteFault::Stray) => {
                self.at = self.line_end();
                self.line = line + super::text::lines(&self.text.as_bytes()[start..self.at]);
            }
            None => {}
        }
        row.written = &self.text[start..self.at];
        Some(row)
    }
}

/// The cell of a text that was in quotes, where `="007"` may be in quotes again.
fn in_quotes(text: Cow<'_, str>) -> TextCell<'_> {
    let formula = text.trim().strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    match formula.filter(|inside| !inside.replace("\"\"", "").contains('"')) {
        Some(inside) => TextCell { text: inside.replace("\"\"", "\"").into(), is_text: true },
        None => TextCell { text: trimmed_cow(text), is_text: false },
    }
}

fn is_end(letter: char) -> bool {
    matches!(letter, '\r' | '\n')
}

/// Whether a character shows nothing: every kind of space, and those without any width.
pub(crate) fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// A text without the blanks around it.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(is_blank)
}

fn trimmed_cow(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => trimmed(text).into(),
        Cow::Owned(text) => trimmed(&text).to_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows as text: each with its line, cells in bars, and what is wrong.
    #[track_caller]
    fn check(text: &str, separator: char, expected: &[&str]) {
        let shown = Rows::new(text, 0, separator).map(|row| {
            let cells = row.cells.iter().map(|cell| cell.text.as_ref()).collect::<Vec<_>>().join("|");
            let fault = row.fault.map_or(String::new(), |fault| format!(" {fault:?}"));
            let comment = if row.is_comment() { row.written } else { "" };
            format!("{} {cells}{comment}{fault}", row.line)
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn rows_and_lines() {
        check("", ',', &[]);
        check("a,b\nc", ',', &["1 a|b", "2 c"]);
        check("a\r\n\r\nb\rc\n\rd\r\n", ',', &["1 a", "3 b", "4 c", "6 d"]);
        check("a,,\n,\n", ',', &["1 a||", "2 |"]);
        check("\"a\nb\",c\r\"d\r\ne\"\nf", ',', &["1 a\nb|c", "3 d\r\ne", "5 f"]);
        check("#a \"\r b\r#c", ',', &["1 #a \"", "2 b", "3 #c"]);
        check("\"#a\"\n #b", ',', &["1 #a", "2 #b"]);
        check("a§b", '§', &["1 a|b"]);
    }

    #[test]
    fn blanks_around_cells() {
        check(" a , b\u{a0},\u{2009}c\u{feff}", ',', &["1 a|b|c"]);
        check("a, \"b, c\" ,\u{a0}\" d \"", ',', &["1 a|b, c|d"]);
        check("a\t \"b\tc\" \t\t d", '\t', &["1 a|b\tc||d"]);
    }

    #[test]
    fn quotes() {
        check("\"\",\"\"\"\",\"a\"\"b\"", ',', &["1 |\"|a\"b"]);
        check("5\" pipe,a\"b\"", ',', &["1 5\" pipe|a\"b\""]);
        check("\"a\" b,c\nd", ',', &["1  Stray", "2 d"]);
        check("a,\"say \\\"hi\\\" ok\"\nb,c", ',', &["1 a Stray", "2 b|c"]);
        check("a\t\"open\nb\tclose\" x\nc", '\t', &["1 a Stray", "3 c"]);
        check("a\nb,\"c\nd,e\n", ',', &["1 a", "2 b Open"]);
        check("\"", ',', &["1  Open"]);
        check("\"a\"\"", ',', &["1  Open"]);
    }

    #[test]
    fn texts_written_as_formulas() {
        let texts = |text| {
            let row = Rows::new(text, 0, ',').next().expect("a row");
            row.cells.into_iter().map(|cell| (cell.text.into_owned(), cell.is_text)).collect::<Vec<_>>()
        };
        let text = |text: &str| (text.to_owned(), true);
        let other = |text: &str| (text.to_owned(), false);
        assert_eq!(texts("=\"007\",=\"1,2\" ,\"=\"\"007\"\"\""), [text("007"), text("1,2"), text("007")]);
        assert_eq!(texts("=\"a\"&\"b\",=A1"), [other("=\"a\"&\"b\""), other("=A1")]);
        assert_eq!(texts("=\"a,b"), [other("=\"a"), other("b")]);
        assert_eq!(texts("\"=\"\"a\"\"&\"\"b\"\"\""), [other("=\"a\"&\"b\"")]);
    }
}
