//! When two JSON values say the same.
//!
//! - integers exactly, other numbers to 1e-9 relative; times as instants, to the millisecond
//! - in messages `data_set`, `data-set` and `bucket` are the same word
//! - `"<any>"` and `{"$any": true}`: any value; `{"$regex": R}`: text that R finds;
//!   `{"$absent_ok": true}`: any value, or no such key

use std::cmp::max_by;

use chrono::DateTime;
use serde_json::{Map, Number, Value as Json, json};

/// Whether an expected value and one that was got say the same.
pub(crate) fn same(expected: &Json, got: &Json) -> bool {
    same_under(None, expected, got)
}

/// Whether two lists hold the same values in any order.
pub(crate) fn same_in_any_order(expected: &[Json], got: &[Json]) -> bool {
    let mut left: Vec<_> = got.iter().collect();
    let all_found = expected.iter().all(|expected| {
        let found = left.iter().position(|got| same(expected, got));
        found.map(|index| left.swap_remove(index)).is_some()
    });
    all_found && left.is_empty()
}

/// As [`same`], for the values of a key.
fn same_under(key: Option<&str>, expected: &Json, got: &Json) -> bool {
    if let Some(matches) = wildcard(expected, got) {
        return matches;
    }
    match (expected, got) {
        (Json::Number(expected), Json::Number(got)) => same_number(expected, got),
        (Json::String(expected), Json::String(got)) => same_text(key, expected, got),
        (Json::Array(expected), Json::Array(got)) => {
            expected.len() == got.len()
                && expected.iter().zip(got).all(|(expected, got)| same_under(key, expected, got))
        }
        (Json::Object(expected), Json::Object(got)) => same_object(expected, got),
        _ => expected == got,
    }
}

/// Whether a value matches, where what is expected stands for many.
fn wildcard(expected: &Json, got: &Json) -> Option<bool> {
    if expected == "<any>" || expected.get("$any").is_some() || is_optional(expected) {
        return Some(true);
    }
    let pattern = expected.get("$regex")?;
    Some(jsonschema::is_valid(&json!({"type": "string", "pattern": pattern}), got))
}

fn is_optional(expected: &Json) -> bool {
    expected.get("$absent_ok").is_some()
}

fn same_object(expected: &Map<String, Json>, got: &Map<String, Json>) -> bool {
    got.keys().all(|key| expected.contains_key(key))
        && expected.iter().all(|(key, expected)| match got.get(key) {
            Some(got) => same_under(Some(key), expected, got),
            None => is_optional(expected),
        })
}

fn same_number(expected: &Number, got: &Number) -> bool {
    if !expected.is_f64() && !got.is_f64() {
        return expected == got;
    }
    // An integer that a float cannot hold is not to come back as one.
    let exact = expected.as_i64().is_none_or(|int| int.unsigned_abs() < 1 << 53);
    let (Some(expected), Some(got)) = (expected.as_f64(), got.as_f64()) else { return false };
    let larger = max_by(expected.abs(), got.abs(), f64::total_cmp);
    exact && (expected - got).abs() <= (larger * 1e-9).max(1e-12)
}

fn same_text(key: Option<&str>, expected: &str, got: &str) -> bool {
    let is_message = key.is_some_and(|key| ["message", "messages", "warning"].contains(&key));
    let same_instant = || instant(expected).is_some_and(|expected| Some(expected) == instant(got));
    expected == got || (is_message && words(expected) == words(got)) || same_instant()
}

fn words(text: &str) -> String {
    ["data_set", "data-set", "data set"]
        .into_iter()
        .fold(text.to_owned(), |text, word| text.replace(word, "bucket"))
}

/// The milliseconds of a time with an offset.
fn instant(text: &str) -> Option<i64> {
    let text = text.replace('Z', "+00:00");
    let time = DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z").ok()?;
    Some(time.timestamp_millis())
}
