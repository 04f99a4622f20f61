//! What a person should know of a file that can be stored: what is left out of it, and what may be other
//! than it looks. The preview says it, and the receipt again.

use std::fmt;

/// How many places of a note are shown; the others are counted.
const PLACES: usize = 5;

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The line that names the separator, `sep=;`.
    SeparatorLine,
    /// Lines that start with `#`.
    CommentLines,
    /// Headings that were taken from such a line.
    HeadingsBehindHash,
    /// The headings again, further down.
    RepeatedHeadings,
    /// Rows with fewer cells than headings.
    ShortRows,
    /// Rows that look like a sum of those above.
    Totals,
    /// Cells with an end of a line in them.
    LineBreaks,
    /// Cells in quotes with a backslash before a quote.
    Backslashes,
    /// Texts that begin as a formula does.
    FormulaTexts,
    /// Cells with U+FFFD, which stands for what was lost.
    LostCharacters,
    /// Formulas of a workbook whose value is not in it.
    FormulasWithoutValue,
    /// Cells of a workbook that are merged.
    MergedCells,
    /// Rows of a sheet that are not shown, of a filter or by hand.
    HiddenRows,
    /// Columns of a sheet that are not shown.
    HiddenColumns,
    /// Columns of a sheet that are shown as per cent.
    PerCent,
    /// Sheets that are not read.
    OtherSheets,
    /// Keys that a JSON object has more than once.
    RepeatedKeys,
    /// The key of the list that was read, in an object.
    ListInside,
    /// What else is in that object.
    BesideList,
}

impl About {
    /// What is said, for one and for several.
    fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::SeparatorLine => {
                let text = "The first line says what is between cells, and is left out";
                (text, text)
            }
            Self::CommentLines => (
                "One line that starts with # is left out; quotes around its first cell would keep it. It is line",
                "{} lines that start with # are left out; quotes around their first cells would keep them. They are lines",
            ),
            Self::HeadingsBehindHash => {
                let text =
                    "The headings are taken from a line that starts with #, without that sign. It is line";
                (text, text)
            }
            Self::RepeatedHeadings => (
                "One row repeats the headings and is left out. It is row",
                "{} rows repeat the headings and are left out. They are rows",
            ),
            Self::ShortRows => (
                "One row has fewer cells than there are headings; the missing ones are empty. It is row",
                "{} rows have fewer cells than there are headings; the missing ones are empty. They are rows",
            ),
            Self::Totals => (
                "One row looks like a total of others, and is stored as any other row. Delete it if its numbers should not count twice. It is row",
                "{} rows look like totals of others, and are stored as any other rows. Delete them if their numbers should not count twice. They are rows",
            ),
            Self::LineBreaks => (
                "One cell in quotes goes on over the end of its line. If rows are missing, a quote may be too many or too few. It begins in row",
                "{} cells in quotes go on over the ends of their lines. If rows are missing, a quote may be too many or too few. They begin in rows",
            ),
            Self::Backslashes => (
                "One cell has a backslash before a quote, which stays there. It is in row",
                "{} cells have a backslash before a quote, which stays there. They are in rows",
            ),
            Self::FormulaTexts => (
                "One cell begins as a formula does. Nobody works it out; it is stored as text. It is",
                "{} cells begin as formulas do. Nobody works them out; they are stored as text. They are",
            ),
            Self::LostCharacters => (
                "One cell has the sign \u{fffd}, which stands for a character that was lost before. It is",
                "{} cells have the sign \u{fffd}, which stands for characters that were lost before. They are",
            ),
            Self::FormulasWithoutValue => (
                "One cell has a formula and no value, and is left empty. Open the workbook in a spreadsheet program and save it, and it has one. It is",
                "{} cells have a formula and no value, and are left empty. Open the workbook in a spreadsheet program and save it, and they have one. They are",
            ),
            Self::MergedCells => (
                "There are merged cells: what they show is in the first of them only, and the others are empty. They are",
                "There are {} groups of merged cells: what each shows is in its first cell only, and the others are empty. They are",
            ),
            Self::HiddenRows => (
                "One row is hidden in the sheet, by hand or by a filter, and is stored too. It is row",
                "{} rows are hidden in the sheet, by hand or by a filter, and are stored too. They are rows",
            ),
            Self::HiddenColumns => (
                "One column is hidden in the sheet, and is stored too. It is column",
                "{} columns are hidden in the sheet, and are stored too. They are columns",
            ),
            Self::PerCent => (
                "One column is shown as per cent; it is stored as it is calculated with, 50 % as 0.5. It is column",
                "{} columns are shown as per cent; they are stored as they are calculated with, 50 % as 0.5. They are columns",
            ),
            Self::OtherSheets => (
                "The workbook has another sheet, which is left out",
                "The workbook has {} other sheets, which are left out",
            ),
            Self::RepeatedKeys => (
                "A key is there twice in one record; the last value stands. It is in line",
                "{} keys are there twice in one record; the last values stand. They are in lines",
            ),
            Self::ListInside => {
                let text = "The records are taken from a list inside of an object, under the key";
                (text, text)
            }
            Self::BesideList => (
                "What else is in that object is left out. It is under the key",
                "What else is in that object is left out. It is under the keys",
            ),
        }
    }
}

/// Something to know, with the places that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is about.
    pub about: About,
    /// The first places.
    places: Vec<String>,
    /// How many there are.
    total: usize,
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, several) = self.about.text();
        let text =
            if self.total == 1 { one.to_owned() } else { several.replace("{}", &self.total.to_string()) };
        write!(formatter, "{text}")?;
        formatter.write_str(if self.about.is_followed() { " " } else { ": " })?;
        let hidden = self.total - self.places.len();
        match (self.places.as_slice(), hidden) {
            ([], _) => write!(formatter, "{hidden}"),
            ([places @ .., last], 0) if !places.is_empty() => {
                write!(formatter, "{} and {last}", places.join(", "))
            }
            (places, 0) => formatter.write_str(&places.join(", ")),
            (places, more) => write!(formatter, "{} and {more} more", places.join(", ")),
        }?;
        formatter.write_str(".")
    }
}

impl About {
    /// Whether the places are the end of its last sentence.
    fn is_followed(self) -> bool {
        !matches!(self, Self::SeparatorLine | Self::OtherSheets)
    }
}

/// The notes of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes(Vec<Note>);

impl Notes {
    /// Adds a place to the note about something, or counts it where there are too many to show.
    pub(crate) fn add(&mut self, about: About, place: impl FnOnce() -> String) {
        let at = self.0.iter().position(|note| note.about == about).unwrap_or_else(|| {
            self.0.push(Note { about, places: Vec::new(), total: 0 });
            self.0.len() - 1
        });
        let note = &mut self.0[at];
        note.total += 1;
        if note.places.len() < PLACES {
            note.places.push(place());
        }
    }

    /// The notes, in the order in which they came up.
    pub fn all(&self) -> impl Iterator<Item = &Note> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(about: About, places: &[&str], expected: &str) {
        let mut notes = Notes::default();
        for place in places {
            notes.add(about, || (*place).to_owned());
        }
        assert_eq!(notes.all().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn places_are_listed_and_counted() {
        let start = "rows are hidden in the sheet, by hand or by a filter, and are stored too. They are rows";
        check(About::HiddenRows, &["3", "5"], &format!("2 {start} 3 and 5."));
        check(
            About::HiddenRows,
            &["1", "2", "3", "4", "5", "6", "7"],
            &format!("7 {start} 1, 2, 3, 4, 5 and 2 more."),
        );
        check(
            About::OtherSheets,
            &["“Notes”"],
            "The workbook has another sheet, which is left out: “Notes”.",
        );
        check(
            About::SeparatorLine,
            &["sep=;"],
            "The first line says what is between cells, and is left out: sep=;.",
        );
    }
}
