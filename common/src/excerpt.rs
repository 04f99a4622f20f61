//! The beginnings of texts that may be long, so that no message and no page is as long as what it is about.

use std::borrow::Cow;

/// How many characters of a text a message shows.
const OF_MESSAGES: usize = 100;

/// As much of a text as a message shows.
pub fn beginning(text: &str) -> Cow<'_, str> {
    match cut(text, OF_MESSAGES) {
        Some(beginning) => format!("{beginning}…").into(),
        None => text.into(),
    }
}

/// So many characters of a text, and how long all of it is if it has more.
pub fn excerpt(text: &str, characters: usize) -> Cow<'_, str> {
    match cut(text, characters) {
        Some(beginning) => format!("{beginning}… ({} bytes)", text.len()).into(),
        None => text.into(),
    }
}

/// The first characters of a text that has more.
fn cut(text: &str, characters: usize) -> Option<&str> {
    if text.len() <= characters {
        return None;
    }
    let (end, _) = text.char_indices().nth(characters)?;
    Some(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_between_characters() {
        for (text, characters, shown) in [
            ("", 0, ""),
            ("a", 0, "… (1 bytes)"),
            ("abc", 3, "abc"),
            ("abcd", 3, "abc… (4 bytes)"),
            ("ééé", 3, "ééé"),
            ("éééé", 3, "ééé… (8 bytes)"),
            ("雪\u{301}雪", 1, "雪… (8 bytes)"),
        ] {
            assert_eq!(excerpt(text, characters), shown, "{text}");
        }
    }

    #[test]
    fn a_message_shows_what_people_can_read() {
        let hundred = "é".repeat(OF_MESSAGES);
        assert_eq!(beginning(&hundred), hundred);
        assert_eq!(beginning(&format!("{hundred}!")), format!("{hundred}…"));
    }
}
