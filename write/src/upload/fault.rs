//! What is wrong with a file: where, and which rule it breaks, in plain words.

use std::fmt;

use backdrop_common::record::checks::InvalidRecord;

/// How many faults are kept of a file; the others are counted.
pub const MAX_SHOWN: usize = 50;

/// A rule that a file breaks; `Display` says how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// There are no bytes, or nothing but white space.
    #[error("there is nothing in the file")]
    Empty,
    /// It is a file of another kind.
    #[error("this looks like {0}, not like a table")]
    OtherKind(&'static str),
    /// It is text in an encoding that is not read, or not as it should be.
    #[error("this is text in {0} that cannot be read")]
    OtherEncoding(&'static str),
    /// It is text in some old encoding.
    #[error("a character in this row is not UTF-8: “{around}”")]
    NotUtf8 {
        /// What is around it, with U+FFFD in its place.
        around: String,
    },
    /// A character that no text has.
    #[error("“{given}” has a character that no text has (U+{:04X})", u32::from(*.letter))]
    ControlCharacter {
        /// It.
        letter: char,
        /// The beginning of the cell.
        given: String,
    },
    /// A workbook that needs a password to be read.
    #[error("the workbook is encrypted, with a password or to protect it against changes")]
    Protected,
    /// A workbook that cannot be read, with the reason for the log.
    #[error("the workbook cannot be read; it may be damaged")]
    Damaged(String),
    /// A workbook that is far larger than the file.
    #[error("the workbook unpacks to more than {} bytes", grouped(*.max))]
    Unpacked {
        /// What it may unpack to.
        max: usize,
    },
    /// A sheet with too many cells.
    #[error("there are more than {} cells", grouped(*.max))]
    TooManyCells {
        /// How many there may be.
        max: usize,
    },
    /// A table with too many rows.
    #[error("there are more than {} rows", grouped(*.max))]
    TooManyRows {
        /// How many there may be.
        max: usize,
    },
    /// A filter in the bucket's configuration that there is not.
    #[error("the bucket is set up with the upload filter \"{0}\", which does not exist")]
    UnknownFilter(String),
    /// A workbook without sheets, or of which the filters leave none.
    #[error("there is no sheet with cells to read")]
    NoSheet,
    /// A sheet or a text without any row.
    #[error("there are no headings: the first row with anything in it must name the columns")]
    NoHeadings,
    /// Headings and nothing below them, or an empty list.
    #[error("there are no rows to store")]
    NoRows,
    /// Text that begins as JSON and goes on as something else.
    #[error("this is not valid JSON at character {column}: {reason}")]
    NotJson {
        /// What is wrong.
        reason: String,
        /// Where in its line.
        column: usize,
    },
    /// JSON with more than one list of records in it.
    #[error("there are several lists of records: {0}")]
    SeveralLists(String),
    /// JSON where a record should be and is none.
    #[error("here should be a record (a JSON object), but there is {kind}: “{given}”")]
    NotARecord {
        /// What it is.
        kind: &'static str,
        /// How it begins.
        given: String,
    },
    /// A row of something else above the headings.
    #[error(
        "“{title}” looks like a title: the first row with anything in it must name the columns, as row {headings} seems to do"
    )]
    TitleAbove {
        /// What is in it.
        title: String,
        /// The row that looks like the headings.
        headings: usize,
    },
    /// Cells below a heading that is empty.
    #[error("there is something in this column, “{given}”, but it has no heading")]
    NoHeading {
        /// What is in the first of them.
        given: String,
    },
    /// Two columns of the same name.
    #[error("the heading \"{heading}\" is there twice; the other one is column {other}")]
    RepeatedHeading {
        /// The heading.
        heading: String,
        /// The first column that has it.
        other: String,
    },
    /// A heading that is no key.
    #[error("\"{given}\" cannot be a heading")]
    Heading {
        /// The heading.
        given: String,
        /// One that works.
        suggestion: String,
    },
    /// A heading that is a reserved key.
    #[error("\"{given}\" cannot be a heading: names that start with an underscore are Backdrop's own")]
    ReservedHeading {
        /// The heading.
        given: String,
        /// One that works.
        suggestion: String,
    },
    /// A row that goes on beyond the last heading.
    #[error(
        "this row has {cells} cells, but there are {headings} headings; “{beyond}” is in none of their columns"
    )]
    LongRow {
        /// The first cell with something in it that is beyond the headings.
        beyond: String,
        /// How many it has, up to the last that is not empty.
        cells: usize,
        /// How many headings there are.
        headings: usize,
    },
    /// A quote that opens a cell and never closes it.
    #[error("a cell of this row starts with a quote that is never closed: “{given}”")]
    OpenQuote {
        /// The beginning of the row.
        given: String,
    },
    /// Something between a closing quote and the next separator.
    #[error("something follows the quote that closes a cell of this row: “{given}”")]
    StrayQuote {
        /// The beginning of the row.
        given: String,
    },
    /// What a spreadsheet program shows where a formula fails.
    #[error("the cell shows the error {0}")]
    CellError(String),
    /// A date before 1900, after 9999, or one that the calendar does not have.
    #[error("the date in this cell does not exist: {0}")]
    NoSuchDate(String),
    /// A list or an object where a value should be.
    #[error("“{given}” is {kind}, and no value of a record")]
    NestedValue {
        /// Which of them.
        kind: &'static str,
        /// How it begins.
        given: String,
    },
    /// A rule of records that is the same for everything that is stored.
    #[error("{}{}", .given.as_ref().map(|given| format!("“{given}”: ")).unwrap_or_default(), of_record(.fault))]
    Record {
        /// The rule.
        fault: InvalidRecord,
        /// The value that it is about, where the rule does not show it.
        given: Option<String>,
    },
}

/// How many characters of a value are shown.
const EXCERPT: usize = 40;

/// The beginning of a text, on one line, for a fault or a note that is about it.
pub(crate) fn excerpt(text: &str) -> String {
    let text = super::rows::trimmed(text);
    let seen = |letter: char| match letter {
        '\n' | '\r' | '\t' => ' ',
        letter if letter.is_control() => '\u{fffd}',
        letter => letter,
    };
    let more = if text.chars().nth(EXCERPT).is_some() { "…" } else { "" };
    text.chars().take(EXCERPT).map(seen).collect::<String>() + more
}

/// A number with a comma before each three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let commas = |(place, digit): (usize, char)| {
        let is_start = place > 0 && (digits.len() - place).is_multiple_of(3);
        is_start.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(commas).collect()
}

/// A violation of the schema names its place by itself, and not as people do.
fn of_record(fault: &InvalidRecord) -> String {
    match fault {
        InvalidRecord::Schema { violation, .. } => violation.message.clone(),
        InvalidRecord::MoreViolations { more, .. } => {
            format!("{more} more violations of the bucket's schema are not listed")
        }
        other => other.to_string(),
    }
}

impl Rule {
    /// What to do about it, where that does not follow from the fault.
    pub fn hint(&self) -> Option<String> {
        let fixed = |text: &str| Some(text.to_owned());
        match self {
            Self::OtherKind(_) => fixed(
                "Open it in the program that it is from, and save or export it as CSV (UTF-8) or as an Excel \
                     workbook (.xlsx or .xls); JSON works too.",
            ),
            Self::OtherEncoding(_) | Self::NotUtf8 { .. } => fixed(
                "In Excel, choose File, Save As, and \"CSV UTF-8 (Comma delimited)\"; in LibreOffice, the \
                 character set \"Unicode (UTF-8)\".",
            ),
            Self::ControlCharacter { .. } => fixed(
                "Nobody sees it. Type the cell anew, or export the file again from the program that it is from.",
            ),
            Self::Protected => fixed(
                "Save a copy without a password. If you never saw one, the workbook is protected against changes \
                 (write-protected), which encrypts it too: in Excel, choose Review, Unprotect Workbook, and save.",
            ),
            Self::Damaged(_) => {
                fixed("Open it in your spreadsheet program, save it under another name, and choose that.")
            }
            Self::Unpacked { .. } | Self::TooManyCells { .. } | Self::TooManyRows { .. } => {
                fixed("Split it into several files. Sheets that nobody needs here can be deleted.")
            }
            Self::UnknownFilter(_) => Some(format!(
                "Nothing is wrong with your file. Ask whoever looks after this bucket; the filters that \
                 exist: {}.",
                super::filters::names().join(", ")
            )),
            Self::NotJson { reason, .. } => fixed(json_hint(reason)),
            Self::SeveralLists(_) => fixed("Send a file for each of them."),
            Self::TitleAbove { .. } => {
                fixed("Delete what is above the headings: titles, notes, and what the table is about.")
            }
            Self::NoHeadings | Self::NoRows | Self::NoSheet => fixed(
                "Lines that start with # do not count. Of a workbook the first sheet is read that is not hidden \
                     and is no chart.",
            ),
            Self::NestedValue { .. } => fixed(
                "A value of a record is a text, a number, true, false or null. Give what is inside a field of its own.",
            ),
            Self::OpenQuote { .. } | Self::StrayQuote { .. } => fixed(
                "A cell that begins with a double quote ends with one, and a quote inside it is written twice: \
                 \"say \"\"hi\"\"\". A backslash before it does not count.",
            ),
            Self::NoHeading { .. } => fixed("Give it one in the first row, or empty the cells below."),
            Self::RepeatedHeading { .. } => fixed("Rename one of the two."),
            Self::Heading { suggestion, .. } | Self::ReservedHeading { suggestion, .. } => Some(format!(
                "The first row with anything in it names the columns; lines that start with # do not count. Use letters without accents, digits and \
                 underscores, at least two and no digit first. \"{suggestion}\" works."
            )),
            Self::LongRow { .. } => {
                fixed("In a text file, a cell that holds the separator must be in double quotes.")
            }
            Self::CellError(_) => fixed("Correct the formula, or empty the cell."),
            Self::Record { fault, .. } => of_record_hint(fault),
            Self::Empty | Self::NotARecord { .. } | Self::NoSuchDate(_) => None,
        }
    }
}

fn json_hint(reason: &str) -> &'static str {
    if reason.starts_with("trailing comma") {
        "Take away the comma before the bracket."
    } else if reason.starts_with("trailing characters") {
        "A line holds one record and nothing behind it; or all of them are in one list: [ … , … ]."
    } else if reason.contains("surrogate") || reason.contains("hex escape") {
        "Half of a character is here, such as an emoji that was cut in two."
    } else {
        "A comma or a quote may be missing, here or just before."
    }
}

fn of_record_hint(fault: &InvalidRecord) -> Option<String> {
    let text = match fault {
        InvalidRecord::MissingIdFields(_) => "The ids of this bucket's records are made of them.",
        InvalidRecord::NotADate { .. } | InvalidRecord::NotADatetime(_) => {
            "Write it as 2013-01-31 or 2013-01-31T14:30:00Z."
        }
        InvalidRecord::Value(_) => {
            "Whole numbers have 18 digits at most. Longer ones are text: put a letter before the digits."
        }
        InvalidRecord::Id(_) => "An id is text without spaces.",
        InvalidRecord::Schema { .. } => "This is a rule of this bucket only.",
        InvalidRecord::NoSuchDate { .. }
        | InvalidRecord::MoreViolations { .. }
        | InvalidRecord::Key(_)
        | InvalidRecord::ReservedKey(_)
        | InvalidRecord::Unchecked { .. }
        | InvalidRecord::ChangedId { .. } => return None,
    };
    Some(text.to_owned())
}

/// What the lines of a file are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Of a spreadsheet.
    Row,
    /// Of a text that people do not see as a table.
    Line,
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Row => "row",
            Self::Line => "line",
        })
    }
}

/// One fault: where it is, as far as it is somewhere, and which rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The sheet, in a workbook.
    pub sheet: Option<String>,
    /// The row as a spreadsheet program or an editor counts it, from 1.
    pub row: Option<usize>,
    /// The column: its letter and its heading, as far as it has them.
    pub column: Option<String>,
    /// The rule.
    pub rule: Rule,
    unit: Unit,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sheet = self.sheet.as_ref().map(|sheet| format!("sheet \"{sheet}\""));
        let row = self.row.map(|row| format!("{} {row}", self.unit));
        let column = self.column.as_ref().map(|column| format!("column {column}"));
        let mut place = [sheet, row, column].into_iter().flatten().collect::<Vec<_>>().join(", ");
        if let Some(first) = place.get_mut(..1) {
            first.make_ascii_uppercase();
            write!(formatter, "{place}: ")?;
        }
        write!(formatter, "{}", self.rule)
    }
}

/// The faults of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The first of them, [`MAX_SHOWN`] at most.
    pub first: Vec<Fault>,
    /// How many there are.
    pub total: usize,
    sheet: Option<String>,
    unit: Unit,
}

impl Faults {
    /// None yet, of a sheet or a text.
    pub(crate) fn new(sheet: Option<String>, unit: Unit) -> Self {
        Self { first: Vec::new(), total: 0, sheet, unit }
    }

    /// One that is about the file as a whole.
    pub(crate) fn of_file(rule: Rule) -> Self {
        Self::of((None, rule))
    }

    /// One, in a row if it is in one.
    pub(crate) fn of((row, rule): (Option<usize>, Rule)) -> Self {
        let mut faults = Self::new(None, Unit::Row);
        faults.add(row, || None, rule);
        faults
    }

    /// Adds a fault, or counts it where there are too many to show.
    pub(crate) fn add(&mut self, row: Option<usize>, column: impl FnOnce() -> Option<String>, rule: Rule) {
        self.total += 1;
        if self.first.len() < MAX_SHOWN {
            let (sheet, unit) = (self.sheet.clone(), self.unit);
            self.first.push(Fault { sheet, row, column: column(), rule, unit });
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// How many are not shown.
    pub fn hidden(&self) -> usize {
        self.total - self.first.len()
    }

    /// Whether any is in a sheet, as those of workbooks are.
    pub fn have_sheets(&self) -> bool {
        self.first.iter().any(|fault| fault.sheet.is_some())
    }

    /// What stands before numbers of rows.
    pub fn unit(&self) -> Unit {
        self.unit
    }
}
