//! What texts look like that are no numbers and no times, and are not read as such: `1,234`, `50 %`,
//! `01/02/2020`, `N/A`. Nobody can tell 1,234 from 1.234, or the first of February from January the second,
//! so they stay text; the person is told.

use std::collections::BTreeMap;

use super::fault::excerpt;
use super::rows::trimmed;

/// What a text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Looks {
    /// A number with separators, a unit, or in a cell of text.
    Number,
    /// A date as some country writes it.
    Date,
    /// A word for nothing.
    Nothing,
    /// A word for true or false.
    YesNo,
}

/// Words for nothing, in small letters.
const NOTHING: [&str; 16] = [
    "-", "--", "–", "—", "n/a", "na", "#n/a", "null", "none", "nil", "nan", "inf", "-inf", "infinity", ".",
    "?",
];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

impl Looks {
    /// What a text looks like, if it looks like anything.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let text = trimmed(text);
        // None of them is long, and texts may be.
        if text.len() > 40 {
            return None;
        }
        let small = text.to_lowercase();
        if NOTHING.contains(&small.as_str()) {
            Some(Self::Nothing)
        } else if matches!(small.as_str(), "true" | "false" | "yes" | "no") {
            Some(Self::YesNo)
        } else if is_date(&small) {
            Some(Self::Date)
        } else {
            is_number(text).then_some(Self::Number)
        }
    }

    /// What the person is told of a column with such texts: how many, and one of them.
    fn hint(self, count: usize, example: &str) -> String {
        match self {
            Self::Number => format!(
                "Texts that look like numbers ({count}, as “{example}”) cannot be added up. Numbers are written \
                 1234 or 0.5, without separators and units."
            ),
            Self::Date => format!(
                "Texts that look like dates ({count}, as “{example}”) are not read as times, since nobody can tell \
                 the day from the month. Times are written 2013-01-31."
            ),
            Self::Nothing => format!(
                "Words for nothing ({count}, as “{example}”) are stored as text. Cells without a value are left empty."
            ),
            Self::YesNo => format!("Words for yes and no ({count}, as “{example}”) are stored as text."),
        }
    }
}

/// What the texts of a column look like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(BTreeMap<Looks, (usize, String)>);

impl Seen {
    /// Looks at a text.
    pub(crate) fn add(&mut self, text: &str) {
        if let Some(looks) = Looks::of(text) {
            self.0.entry(looks).or_insert_with(|| (0, excerpt(text))).0 += 1;
        }
    }

    /// What the person is told of it.
    pub(crate) fn hints(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(looks, (count, example))| looks.hint(*count, example))
    }
}

/// A number: sign, digits, perhaps in groups, perhaps a fraction; around them signs and letters of
/// currencies, and per cent. Digits that begin with 0 are codes.
fn is_number(text: &str) -> bool {
    let is_around = |letter: char| {
        is_sign(letter) || letter.is_whitespace() || "%‰$€£¥₹()'’".contains(letter) || is_currency(letter)
    };
    let digits = text.trim_matches(is_around);
    let letters = without_code(digits);
    let number = letters.trim_matches(is_around);
    is_plain_number(number)
}

fn is_sign(letter: char) -> bool {
    matches!(letter, '+' | '-' | '\u{2212}')
}

/// The sign of a currency, as Unicode has them in one place.
fn is_currency(letter: char) -> bool {
    ('\u{20a0}'..='\u{20cf}').contains(&letter)
}

/// A text without the three letters of a currency before or behind it: `USD 5`.
fn without_code(text: &str) -> &str {
    let is_code =
        |code: Option<&str>| code.is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_uppercase()));
    if is_code(text.get(..3)) {
        text[3..].trim_start()
    } else if is_code(text.len().checked_sub(3).and_then(|at| text.get(at..))) {
        text[..text.len() - 3].trim_end()
    } else {
        text
    }
}

fn is_plain_number(text: &str) -> bool {
    let is_other = |letter: char| !letter.is_ascii_digit();
    let parts: Vec<&str> = text.split(is_other).collect();
    let separators: Vec<char> = text.chars().filter(|letter| is_other(*letter)).collect();
    let is_group = |part: &&str| (2..=3).contains(&part.len());
    match (parts.as_slice(), separators.as_slice()) {
        ([digits], []) => !digits.is_empty() && (digits.len() == 1 || !digits.starts_with('0')),
        // One separator: of a fraction or of thousands.
        ([whole, part], ['.' | ',' | '\'' | '’']) => !(whole.is_empty() && part.is_empty()),
        ([whole, part], [letter]) => letter.is_whitespace() && is_groups(whole, &[part]),
        ([whole, groups @ .., last], [first, others @ .., end]) => {
            let same = others.iter().all(|letter| letter == first);
            let is_grouping = ".,'’_".contains(*first) || first.is_whitespace();
            let thousands = groups.iter().all(is_group) && is_grouping && same && whole.len() <= 3;
            // The last is a group too, or a fraction behind another sign.
            thousands && !whole.is_empty() && if end == first { last.len() == 3 } else { ".,".contains(*end) }
        }
        _ => false,
    }
}

fn is_groups(whole: &str, groups: &[&str]) -> bool {
    (1..=3).contains(&whole.len()) && groups.iter().all(|group| group.len() == 3)
}

/// A date with the day, the month and the year in some order, and perhaps a time behind it; or with the
/// name of a month.
fn is_date(small: &str) -> bool {
    let first = small.split([' ', 't']).next().unwrap_or_default();
    let parts: Vec<&str> = first.split(['/', '.', '-']).collect();
    let is_part =
        |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let numeric = parts.len() == 3
        && parts.iter().all(is_part)
        && matches!(lengths[..], [1 | 2, 1 | 2, 2 | 4] | [4, 1 | 2, 1 | 2]);
    let words: Vec<&str> =
        small.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let is_month =
        |word: &&str| word.get(..3).is_some_and(|start| MONTHS.contains(&start)) && word.len() <= 9;
    let is_digits = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit()) && word.len() <= 4;
    let named = (2..=3).contains(&words.len())
        && words.iter().filter(|word| is_month(word)).count() == 1
        && words.iter().filter(|word| is_digits(word)).count() == words.len() - 1;
    numeric || named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(looks: Option<Looks>, texts: &[&str]) {
        for text in texts {
            assert_eq!(Looks::of(text), looks, "{text:?}");
        }
    }

    #[test]
    fn texts_that_look_like_numbers() {
        check(
            Some(Looks::Number),
            &[
                "1,234",
                "1.234,5",
                "1 234",
                "1\u{a0}234\u{a0}567",
                "1'234.50",
                "12",
                "-12.5",
                "+1",
                ".5",
                "5.",
                "1,5",
                "50%",
                "50 %",
                "$1,234.50",
                "€5",
                "5 €",
                "USD 5",
                "5.5 EUR",
                "(1,234)",
                "−5",
                "12,34,567.00",
                "1_000_000",
                "1\u{202f}234,5",
                "£ 3",
                "₽5",
            ],
        );
    }

    #[test]
    fn texts_that_look_like_dates() {
        check(
            Some(Looks::Date),
            &[
                "01/02/2020",
                "1.2.2020",
                "31-12-20",
                "2020/01/02",
                "01/02/2020 14:30",
                "1 Feb 2020",
                "Feb 2020",
                "February 1, 2020",
                "2020-1-2",
            ],
        );
    }

    #[test]
    fn words_for_nothing_and_for_yes() {
        check(Some(Looks::Nothing), &["N/A", "-", "NULL", "NaN", "inf", "none", "–"]);
        check(Some(Looks::YesNo), &["true", "FALSE", "Yes", "no"]);
    }

    #[test]
    fn texts_that_look_like_themselves() {
        let long = "1".repeat(50);
        check(
            None,
            &[
                "",
                "Alki",
                "007",
                "00123",
                "12:30",
                "1.2.3.4",
                "1 2",
                "a1",
                "north, 5",
                "12-34",
                "A-1",
                "may",
                "+44 20 7946 0958 x",
                "5\" pipe",
                "e5",
                "1e",
                &long,
            ],
        );
    }
}
