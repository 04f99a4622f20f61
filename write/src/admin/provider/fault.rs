//! What of a provider's answer cannot be used, and what whoever set signing in up must do about it.

use std::fmt;

use serde_json::{Map, Value as Json};

/// What helps where nothing better is known.
const COMPARE: &str = "Whoever set up signing in finds what each provider needs in docs/operate/sign-in.md.";
/// How much of a value is shown, in characters.
const SHOWN: usize = 100;

/// A fault of an answer: which answer, which field of it, and what is wrong. It has no code, token or secret
/// in it, so the log and the page may say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    what: String,
    advice: &'static str,
}

impl Fault {
    /// A fault that is said as `userinfo: the claim email is missing`.
    pub(crate) fn new(answer: &str, problem: impl fmt::Display) -> Self {
        Self { what: format!("{answer}: {problem}"), advice: COMPARE }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub(crate) fn advising(self, advice: &'static str) -> Self {
        Self { advice, ..self }
    }

    /// What whoever set signing in up must do.
    pub(crate) fn advice(&self) -> &'static str {
        self.advice
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl std::error::Error for Fault {}

/// A value of an answer, fit for a line of the log.
pub(super) fn shown(value: &Json) -> String {
    let text = value.to_string();
    let cut: String = text.chars().take(SHOWN).flat_map(char::escape_default).collect();
    // What is quoted already would be quoted twice.
    let cut = cut.replace("\\\"", "\"");
    if text.chars().count() > SHOWN { format!("{cut}…") } else { cut }
}

/// An answer of a provider that is a JSON object. Only what is asked of it is looked at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    name: &'static str,
    members: Map<String, Json>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// If it is no JSON object.
    pub(super) fn parse(name: &'static str, bytes: &[u8]) -> Result<Self, Fault> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match serde_json::from_slice(bytes) {
            Ok(Json::Object(members)) => Ok(Self { name, members }),
            Ok(_) => Err(Fault::new(name, "it is JSON, but no object")),
            Err(_) if bytes.trim_ascii_start().starts_with(b"<") => {
                Err(Fault::new(name, "it is a page and no JSON"))
            }
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                Err(Fault::new(name, format_args!("it is no JSON (line {line}, column {column})")))
            }
        }
    }

    /// A fault of this answer.
    pub(super) fn fault(&self, problem: impl fmt::Display) -> Fault {
        Fault::new(self.name, problem)
    }

    /// A member, if it is there and not null.
    pub(super) fn get(&self, member: &str) -> Option<&Json> {
        self.members.get(member).filter(|value| !value.is_null())
    }

    /// A member that is text; none if it is missing, empty, or anything else.
    pub(super) fn text(&self, member: &str) -> Option<&str> {
        self.get(member)?.as_str().filter(|text| !text.is_empty())
    }

    /// A member that must be text.
    ///
    /// # Errors
    ///
    /// If it is missing or something else.
    pub(super) fn required(&self, member: &str) -> Result<&str, Fault> {
        self.text(member).ok_or_else(|| match self.get(member) {
            None => self.fault(format_args!("{member} is missing")),
            Some(_) => self.fault(format_args!("{member} is no text, or an empty one")),
        })
    }

    /// The texts of a member that is a list; none if it is no list.
    pub(super) fn texts(&self, member: &str) -> Option<Vec<&str>> {
        Some(self.get(member)?.as_array()?.iter().filter_map(Json::as_str).collect())
    }

    /// All of it.
    pub(super) fn into_json(self) -> Json {
        Json::Object(self.members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_object_is_said() {
        for (body, expected) in [
            ("<!DOCTYPE html>", "discovery: it is a page and no JSON"),
            ("[1]", "discovery: it is JSON, but no object"),
            ("\"secret\"", "discovery: it is JSON, but no object"),
            ("{\"a\": secret}", "discovery: it is no JSON (line 1, column 7)"),
            ("", "discovery: it is no JSON (line 1, column 0)"),
        ] {
            let fault = Answer::parse("discovery", body.as_bytes()).expect_err("a fault").to_string();
            assert_eq!(fault, expected, "{body}");
        }
        assert!(Answer::parse("discovery", "\u{feff}{\"a\": 1}".as_bytes()).is_ok(), "a byte order mark");
    }

    #[test]
    fn members_are_looked_at_one_by_one() {
        let text =
            json!({"a": "x", "empty": "", "null": null, "number": 5, "list": ["y", 1, "z"]}).to_string();
        let answer = Answer::parse("userinfo", text.as_bytes()).expect("an answer");
        assert_eq!(answer.text("a"), Some("x"));
        for other in ["empty", "null", "number", "list", "none"] {
            assert_eq!(answer.text(other), None, "{other}");
        }
        assert_eq!(answer.texts("list"), Some(vec!["y", "z"]));
        assert_eq!(answer.texts("a"), None);
        let said = |member| answer.required(member).expect_err("a fault").to_string();
        assert_eq!(said("none"), "userinfo: none is missing");
        assert_eq!(said("null"), "userinfo: null is missing");
        assert_eq!(said("number"), "userinfo: number is no text, or an empty one");
    }

    #[test]
    fn what_is_shown_is_short_and_in_one_line() {
        assert_eq!(shown(&json!("https://id.example.org")), "\"https://id.example.org\"");
        assert_eq!(shown(&json!(["a", "b"])), "[\"a\",\"b\"]");
        assert!(!shown(&json!("a\nb\u{1b}[31m")).chars().any(char::is_control));
        assert!(shown(&json!("x".repeat(5_000))).chars().count() <= SHOWN + 1);
    }
}
