//! Texts that somebody gave us as they are shown in messages: their beginning.

use std::borrow::Cow;

/// So many characters of a text are shown.
const SHOWN: usize = 200;

/// A text that is short, or the beginning of a long one.
pub fn beginning(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        for (text, shown) in [
            (String::new(), String::new()),
            ("é".repeat(200), "é".repeat(200)),
            ("é".repeat(201), format!("{}…", "é".repeat(200))),
        ] {
            assert_eq!(beginning(&text), shown);
        }
    }
}
