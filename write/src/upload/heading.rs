//! Headings: which are keys, what to call those that are not, and the letters above them.

use backdrop_common::excerpt::beginning;
use backdrop_common::field::{ReservedKey, is_field_name};
use backdrop_common::limits::FIELD_NAME_BYTES;

use super::fault::Rule;

/// What is wrong with a heading; `first` is the place of the column that had it already.
pub(crate) fn fault(heading: &str, first: Option<usize>) -> Option<Rule> {
    let given = || beginning(heading).into_owned();
    if heading.len() > FIELD_NAME_BYTES {
        return Some(Rule::LongHeading { beginning: given(), bytes: heading.len() });
    }
    if let Some(first) = first {
        return Some(Rule::RepeatedHeading { heading: given(), other: letter(first) });
    }
    if !is_field_name(heading) {
        return Some(Rule::Heading { given: given(), suggestion: suggestion(heading) });
    }
    let is_ours = heading.starts_with('_') && ReservedKey::parse(heading).is_none();
    is_ours.then(|| Rule::ReservedHeading { given: given(), suggestion: suggestion(heading) })
}

/// The letters above the column at a place, from 0: A to Z, AA, and so on.
pub(crate) fn letter(place: usize) -> String {
    let mut letters = Vec::new();
    let mut left = place + 1;
    while left > 0 {
        left -= 1;
        letters.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[left % 26]));
        left /= 26;
    }
    letters.iter().rev().collect()
}

/// A key that is close to a heading: "Temp Max (°C)" → `temp_max_c`.
fn suggestion(heading: &str) -> String {
    let lower = heading.to_lowercase();
    if ReservedKey::parse(&lower).is_some() {
        return lower;
    }
    let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let key = words.collect::<Vec<_>>().join("_");
    if is_field_name(&key) { key } else { format!("column_{key}").trim_end_matches('_').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_as_spreadsheet_programs_show_them() {
        for (place, letters) in [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (701, "ZZ"), (16_383, "XFD")] {
            assert_eq!(letter(place), letters);
        }
    }

    #[test]
    fn what_is_suggested_works() {
        for (heading, key) in [
            ("Temp Max", "temp_max"),
            ("Temp Max (°C)", "temp_max_c"),
            ("2013", "column_2013"),
            ("x", "column_x"),
            ("%", "column"),
            ("_Timestamp", "_timestamp"),
            ("_foo", "foo"),
            ("foo.bar-baz", "foo_bar_baz"),
            ("Größe", "gr_e"),
        ] {
            assert_eq!(suggestion(heading), key);
            assert_eq!(fault(key, None), None, "{key}");
            assert!(fault(heading, None).is_some(), "{heading}");
        }
    }

    #[test]
    fn headings_have_a_length() {
        let longest = "h".repeat(FIELD_NAME_BYTES);
        assert_eq!(fault(&longest, None), None);
        for long in [format!("{longest}h"), "é".repeat(50_000)] {
            let fault = fault(&long, None).expect("a fault").to_string();
            assert!(fault.contains(&format!("has {} bytes", long.len())) && fault.len() < 300, "{fault}");
        }
    }

    #[test]
    fn headings_that_are_keys() {
        for heading in ["temp_max", "_timestamp", "_id", "_start_at", "_end_at", "camelCase"] {
            assert_eq!(fault(heading, None), None);
        }
    }
}
