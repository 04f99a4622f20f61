//! Numbers and times as people read them.

use backdrop_common::timestamp::Timestamp;

/// A number with its thousands apart: `1,461`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 record`, `1,461 records`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// A span of time, in the largest unit of which it has at least two, or in days: `3 hours`.
pub(crate) fn span(seconds: i64) -> String {
    let units = [(YEAR, "year"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")];
    let (length, unit) = units.into_iter().find(|(length, _)| seconds >= 2 * length).unwrap_or((1, "second"));
    counted(seconds.max(0).unsigned_abs() / length.unsigned_abs(), unit)
}

/// How long ago an instant was, or how far it is ahead.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = (now.millis() - then.millis()).div_euclid(1000);
    match seconds {
        ..0 => format!("in {}", span(-seconds)),
        0..=1 => "just now".to_owned(),
        _ => format!("{} ago", span(seconds)),
    }
}

/// An instant to the minute: `2015-12-31 00:00 UTC`.
pub(crate) fn instant(time: Timestamp) -> String {
    let text = time.to_string();
    let (day, rest) = text.split_once('T').unwrap_or((&text, "00:00"));
    format!("{day} {} UTC", rest.get(..5).unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(counted(1, "record"), "1 record");
        assert_eq!(counted(0, "record"), "0 records");
    }

    #[test]
    fn spans() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (2 * HOUR - 1, "119 minutes"),
            (3 * HOUR, "3 hours"),
            (2 * DAY, "2 days"),
            (700 * DAY, "700 days"),
            (800 * DAY, "2 years"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn instants() {
        let at = |text| Timestamp::parse(text).expect("a time");
        let now = at("2014-06-01T12:00:00");
        assert_eq!(ago(at("2014-06-01T09:00"), now), "3 hours ago");
        assert_eq!(ago(now, now), "just now");
        assert_eq!(ago(at("2014-06-04"), now), "in 2 days");
        assert_eq!(instant(at("2014-06-01T09:05:07.123")), "2014-06-01 09:05 UTC");
    }
}
