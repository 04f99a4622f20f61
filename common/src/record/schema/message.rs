//! What is said of a violation: short, whatever the record and the schema are like.

use std::fmt::{self, Write};

use jsonschema::ValidationError;

use crate::limits::VIOLATION_CHARACTERS;

/// So much of a value is shown where all of it is too much.
const SHOWN: usize = 40;

/// A text that takes so many characters and no more.
struct Short {
    text: String,
    left: usize,
}

impl Short {
    fn new(characters: usize) -> Self {
        Self { text: String::new(), left: characters }
    }

    /// The text, with an ellipsis if not all of it has room.
    fn of(characters: usize, whole: &impl fmt::Display) -> (String, bool) {
        let mut short = Self::new(characters);
        let is_whole = write!(short, "{whole}").is_ok();
        (if is_whole { short.text } else { short.text + "…" }, is_whole)
    }
}

impl Write for Short {
    /// Fails where there is no more room, so that whoever writes stops.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(char);
        }
        Ok(())
    }
}

/// The message of a violation. A long value is shown by its beginning.
pub(super) fn of(error: &ValidationError<'_>) -> String {
    let (text, is_whole) = Short::of(VIOLATION_CHARACTERS, error);
    if is_whole {
        return text;
    }
    let (value, _) = Short::of(SHOWN, error.instance());
    Short::of(VIOLATION_CHARACTERS, &error.masked_with(value)).0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    #[track_caller]
    fn check(schema: &Json, value: &Json, expected: &str) {
        let error = jsonschema::validator_for(schema).expect("a schema");
        assert_eq!(of(&error.validate(value).expect_err("a violation")), expected);
    }

    #[test]
    fn long_values_are_shown_by_their_beginning() {
        let long = "é".repeat(1000);
        check(&json!({"type": "integer"}), &json!("aa"), "\"aa\" is not of type \"integer\"");
        let begun = "é".repeat(39);
        check(&json!({"type": "integer"}), &json!(long), &format!("\"{begun}… is not of type \"integer\""));
        let record: Json = (0..1000).map(|number| (format!("key{number:04}"), json!(number))).collect();
        check(
            &json!({"anyOf": [{"required": ["aa"]}, {"required": ["bb"]}]}),
            &record,
            "{\"key0000\":0,\"key0001\":1,\"key0002\":2,\"ke… is not valid under any of the schemas listed in the \
             'anyOf' keyword",
        );
    }

    #[test]
    fn long_messages_are_cut() {
        let long = "x".repeat(1000);
        let (message, is_whole) = Short::of(10, &long);
        assert_eq!((message.as_str(), is_whole), ("xxxxxxxxxx…", false));
        check(&json!({"const": long}), &json!(1), &format!("\"{}…", "x".repeat(VIOLATION_CHARACTERS - 1)));
    }
}
