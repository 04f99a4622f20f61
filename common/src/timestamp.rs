//! Instants: UTC, to the millisecond.
//!
//! Owns the two spellings of a time that reach us from outside and the one that we give back. Knows
//! nothing of periods, records or clocks: the current time is always an argument.
//!
//! ```text
//! record time  = date [ ("T" | "t" | " ") hour ":" minute [ ":" second [ "." digit+ ] ] [ zone ] ]
//! query time   = date "T" hour ":" minute ":" second ( "Z" | offset )
//! date         = year4 "-" month2 "-" day2
//! zone         = "Z" | "z" | offset
//! offset       = ("+" | "-") hour2 [ ":" ] minute2
//! ```
//!
//! A record time without a zone is UTC (ISO 8601 calls it local time; Backdrop read it as UTC).

mod text;

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::{Serialize, Serializer};

pub(crate) use text::TimestampText;

const MILLIS_PER_SECOND: i64 = 1_000;
const MILLIS_PER_MINUTE: i64 = 60 * MILLIS_PER_SECOND;
const MILLIS_PER_HOUR: i64 = 60 * MILLIS_PER_MINUTE;
const MILLIS_PER_DAY: i64 = 24 * MILLIS_PER_HOUR;

/// An instant in UTC, to the millisecond, in the years 1 to 10000.
///
/// Times that come from outside lie in the years 1 to 9999; the year 10000 is there so that the
/// last period of 9999 has an end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not a record time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidTimestamp {
    /// The text does not look like a time at all.
    NotATime,
    /// It looks like one, but there is no such day, time of day or offset.
    NoSuchTime,
}

impl Timestamp {
    /// The first instant of the year 1.
    pub const MIN: Self = Self(-62_135_596_800_000);
    /// The last millisecond of the year 10000.
    pub const MAX: Self = Self(253_433_923_199_999);
    /// The last millisecond of the year 9999, the latest time that is accepted from outside.
    const LAST_ACCEPTED: Self = Self(253_402_300_799_999);

    /// The instant that many milliseconds after 1970-01-01T00:00:00Z, if it is in range.
    pub fn from_millis(millis: i64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&millis).then_some(Self(millis))
    }

    /// Like [`Timestamp::from_millis`], with times out of range moved to the nearest in range.
    pub(crate) fn saturating(millis: i64) -> Self {
        Self(millis.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The wall clock's time. Only the apps call this; everything else takes it as an argument.
    pub fn now() -> Self {
        Self::saturating(Utc::now().timestamp_millis())
    }

    /// The instant so much later, or the last there is.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self::saturating(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Reads a record time (the grammar is at the top of this file). Digits past the millisecond
    /// are cut.
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp`] says whether the text looked like a time at all.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let civil = Scanner(text.as_bytes()).record_time().ok_or(InvalidTimestamp::NotATime)?;
        civil.to_timestamp().ok_or(InvalidTimestamp::NoSuchTime)
    }

    /// Reads a time as a query spells it: with `T`, seconds and an offset, without a fraction.
    pub fn parse_in_query(text: &str) -> Option<Self> {
        Scanner(text.as_bytes()).query_time()?.to_timestamp()
    }

    /// The instant as it is shown.
    pub(crate) fn text(self) -> TimestampText {
        TimestampText::of(self)
    }

    /// The calendar day in UTC.
    pub(crate) fn date(self) -> NaiveDate {
        DateTime::from_timestamp_millis(self.0).expect("a Timestamp is within chrono's range").date_naive()
    }

    /// Midnight (UTC) of a day.
    pub(crate) fn from_date(date: NaiveDate) -> Self {
        let days = i64::from(date.num_days_from_ce()) - DAYS_BEFORE_1970;
        Self::saturating(days * MILLIS_PER_DAY)
    }
}

/// Days from 0000-12-31 to 1970-01-01, chrono's "common era" count.
const DAYS_BEFORE_1970: i64 = 719_163;

/// Shows the instant as Backdrop did: `2013-03-11T00:00:00+00:00`, with three digits of a second
/// where they are not zero.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text().as_str())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text().as_str())
    }
}

/// The parts of a time as spelled; they may name no day or time that exists.
struct CivilTime {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    millis: u32,
    offset: Offset,
}

struct Offset {
    sign: i64,
    hours: u32,
    minutes: u32,
}

impl Offset {
    const UTC: Self = Self { sign: 1, hours: 0, minutes: 0 };
}

impl CivilTime {
    fn to_timestamp(&self) -> Option<Timestamp> {
        let year = i32::try_from(self.year).ok()?;
        let date = NaiveDate::from_ymd_opt(year, self.month, self.day)?;
        let clock = self.hour < 24 && self.minute < 60 && self.second < 60;
        let offset = self.offset.hours < 24 && self.offset.minutes < 60;
        if !clock || !offset {
            return None;
        }
        let days = i64::from(date.num_days_from_ce()) - DAYS_BEFORE_1970;
        let local = days * MILLIS_PER_DAY
            + i64::from(self.hour) * MILLIS_PER_HOUR
            + i64::from(self.minute) * MILLIS_PER_MINUTE
            + i64::from(self.second) * MILLIS_PER_SECOND
            + i64::from(self.millis);
        let east = i64::from(self.offset.hours) * MILLIS_PER_HOUR
            + i64::from(self.offset.minutes) * MILLIS_PER_MINUTE;
        let utc = local - self.offset.sign * east;
        (Timestamp::MIN.0..=Timestamp::LAST_ACCEPTED.0).contains(&utc).then_some(Timestamp(utc))
    }
}

/// Reads a text from its beginning; what is left stays in the slice.
struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn record_time(mut self) -> Option<CivilTime> {
        let mut time = self.date()?;
        if self.0.is_empty() {
            return Some(time);
        }
        self.one_of(b"Tt ")?;
        (time.hour, time.minute) = self.hour_and_minute()?;
        if self.one_of(b":").is_some() {
            time.second = self.number(2)?;
            if self.one_of(b".").is_some() {
                time.millis = self.fraction()?;
            }
        }
        if !self.0.is_empty() {
            time.offset = self.zone(b"Zz")?;
        }
        self.0.is_empty().then_some(time)
    }

    fn query_time(mut self) -> Option<CivilTime> {
        let mut time = self.date()?;
        self.one_of(b"T")?;
        (time.hour, time.minute) = self.hour_and_minute()?;
        self.one_of(b":")?;
        time.second = self.number(2)?;
        time.offset = self.zone(b"Z")?;
        self.0.is_empty().then_some(time)
    }

    fn date(&mut self) -> Option<CivilTime> {
        let year = self.number(4)?;
        self.one_of(b"-")?;
        let month = self.number(2)?;
        self.one_of(b"-")?;
        let day = self.number(2)?;
        let midnight =
            CivilTime { year, month, day, hour: 0, minute: 0, second: 0, millis: 0, offset: Offset::UTC };
        Some(midnight)
    }

    fn hour_and_minute(&mut self) -> Option<(u32, u32)> {
        let hour = self.number(2)?;
        self.one_of(b":")?;
        Some((hour, self.number(2)?))
    }

    fn zone(&mut self, utc: &[u8]) -> Option<Offset> {
        if self.one_of(utc).is_some() {
            return Some(Offset::UTC);
        }
        let sign = if self.one_of(b"+-")? == b'+' { 1 } else { -1 };
        let hours = self.number(2)?;
        self.one_of(b":");
        Some(Offset { sign, hours, minutes: self.number(2)? })
    }

    /// One digit or more; the first three are milliseconds and the rest is cut.
    fn fraction(&mut self) -> Option<u32> {
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        let digit = |place: usize| digits.get(place).map_or(0, |byte| u32::from(byte - b'0'));
        (length > 0).then(|| digit(0) * 100 + digit(1) * 10 + digit(2))
    }

    fn number(&mut self, length: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        digits
            .iter()
            .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
    }

    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        allowed.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(given: &str, shown: &str) {
        let parsed = Timestamp::parse(given).map(|timestamp| timestamp.to_string());
        assert_eq!(parsed.as_deref(), Ok(shown), "{given}");
    }

    #[track_caller]
    fn check_refused(given: &str, reason: InvalidTimestamp) {
        assert_eq!(Timestamp::parse(given), Err(reason), "{given}");
    }

    #[test]
    fn record_times_in_every_spelling() {
        check("2014-01-02", "2014-01-02T00:00:00+00:00");
        check("2014-01-02T03:04", "2014-01-02T03:04:00+00:00");
        check("2014-01-02 03:04:05", "2014-01-02T03:04:05+00:00");
        check("2014-01-02t03:04:05z", "2014-01-02T03:04:05+00:00");
        check("2014-01-02T03:04+01:00", "2014-01-02T02:04:00+00:00");
        check("2014-01-02T03:04:05+0530", "2014-01-01T21:34:05+00:00");
        check("2014-01-02T03:04:05-05:00", "2014-01-02T08:04:05+00:00");
        check("2014-01-02T03:04:05.6Z", "2014-01-02T03:04:05.600+00:00");
        check("2014-01-02T03:04:05.1239999", "2014-01-02T03:04:05.123+00:00");
        check("2016-02-29", "2016-02-29T00:00:00+00:00");
        check("0001-01-01", "0001-01-01T00:00:00+00:00");
        check("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999+00:00");
        check("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999+00:00");
    }

    #[test]
    fn texts_that_are_no_times() {
        for given in [
            "",
            " ",
            "2020",
            "12",
            "tomorrow",
            "03/02/2020",
            "2014-W01-1",
            "2014-1-2",
            "2014-01-02T",
            "2014-01-02Z",
            "2014-01-02T03",
            "2014-01-02T03:04:",
            "2014-01-02T03:04:05.",
            "2014-01-02T03:04:05Zjunk",
            "2014-01-02T03:04:05 +01:00",
            "2014-01-02T03:04:05+1",
            "2014-01-02T03:04:05+01:",
            " 2014-01-02",
            "2014-01-02\n",
            "２０１４-01-02",
        ] {
            check_refused(given, InvalidTimestamp::NotATime);
        }
    }

    #[test]
    fn later_instants() {
        let noon = Timestamp::parse("2014-01-01T12:00").expect("a time");
        assert_eq!(noon.later(Duration::from_millis(1500)).millis() - noon.millis(), 1500);
        assert_eq!(noon.later(Duration::ZERO), noon);
        assert_eq!(noon.later(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.later(Duration::from_millis(1)), Timestamp::MAX);
    }

    #[test]
    fn times_that_do_not_exist() {
        for given in [
            "2014-02-30T00:00:00Z",
            "2014-02-29",
            "2014-13-01",
            "2014-00-10",
            "0000-01-01",
            "2014-01-02T24:00:00Z",
            "2014-01-02T23:60",
            "2016-12-31T23:59:60Z",
            "2014-01-02T03:04:05+25:00",
            "2014-01-02T03:04:05+01:60",
            "9999-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00+00:01",
        ] {
            check_refused(given, InvalidTimestamp::NoSuchTime);
        }
    }

    #[test]
    fn query_times_are_spelled_in_full() {
        let parsed = |text| Timestamp::parse_in_query(text).map(|timestamp| timestamp.to_string());
        for given in ["2014-01-02T03:04:05Z", "2014-01-02T04:04:05+01:00", "2014-01-02T04:04:05+0100"] {
            assert_eq!(parsed(given).as_deref(), Some("2014-01-02T03:04:05+00:00"), "{given}");
        }
        for given in [
            "2014-01-02",
            "2014-01-02T03:04Z",
            "2014-01-02T03:04:05",
            "2014-01-02T03:04:05z",
            "2014-01-02t03:04:05Z",
            "2014-01-02 03:04:05Z",
            "2014-01-02T03:04:05.5Z",
            "2014-01-02T03:04:05Z ",
            "2014-02-30T00:00:00Z",
        ] {
            assert_eq!(parsed(given), None, "{given}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(millis in Timestamp::MIN.0..=Timestamp::LAST_ACCEPTED.0) {
            let timestamp = Timestamp(millis);
            prop_assert_eq!(Timestamp::parse(&timestamp.to_string()), Ok(timestamp));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Timestamp::parse(&text);
            let _ = Timestamp::parse_in_query(&text);
        }

        #[test]
        fn near_misses_do_not_panic(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.+zZ-]{0,16}") {
            let _ = Timestamp::parse(&text);
            let _ = Timestamp::parse_in_query(&text);
        }
    }
}
