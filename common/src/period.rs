//! Calendar periods in UTC: where one starts, which is next, how many lie between two times.
//!
//! Pure arithmetic on [`Timestamp`]s; no clock, no IO.

use std::fmt;

use chrono::{Datelike, NaiveDate};

use crate::timestamp::Timestamp;

const MILLIS_PER_HOUR: i64 = 3_600_000;
const MILLIS_PER_DAY: i64 = 24 * MILLIS_PER_HOUR;
const MILLIS_PER_WEEK: i64 = 7 * MILLIS_PER_DAY;
/// 1970-01-01 was a Thursday; the Monday of its week is three days earlier.
const FIRST_MONDAY: i64 = -3 * MILLIS_PER_DAY;

/// A calendar period. Weeks start on Monday; quarters in January, April, July and October.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// 60 minutes from minute 0.
    Hour,
    /// 24 hours from midnight, UTC.
    Day,
    /// Seven days from Monday.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months.
    Quarter,
    /// A calendar year.
    Year,
}

impl Period {
    /// All periods, shortest first.
    pub const ALL: [Self; 6] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// The word that a query uses for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// The period with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.name() == name)
    }

    /// The reserved key under which a record shows the start of the period that holds its time.
    pub fn start_key(self) -> &'static str {
        match self {
            Self::Hour => "_hour_start_at",
            Self::Day => "_day_start_at",
            Self::Week => "_week_start_at",
            Self::Month => "_month_start_at",
            Self::Quarter => "_quarter_start_at",
            Self::Year => "_year_start_at",
        }
    }

    /// The start of the period that holds `time`.
    pub fn start(self, time: Timestamp) -> Timestamp {
        match self.length() {
            Length::Fixed { millis, origin } => {
                let since = time.millis() - origin;
                Timestamp::saturating(origin + since.div_euclid(millis) * millis)
            }
            Length::Months(months) => {
                let index = month_index(time.date());
                month_start(index.div_euclid(months) * months).unwrap_or(Timestamp::MIN)
            }
        }
    }

    /// The start of the first period that starts at `time` or later.
    pub fn ceiling(self, time: Timestamp) -> Timestamp {
        let start = self.start(time);
        if start == time { time } else { self.next(start) }
    }

    /// The start of the period after the one that starts at `start`.
    pub fn next(self, start: Timestamp) -> Timestamp {
        self.shift(start, 1).unwrap_or(Timestamp::MAX)
    }

    /// The start of the period that is `count` periods after (before, when negative) the one that
    /// starts at `start`; none outside the years 1 to 10000.
    pub fn shift(self, start: Timestamp, count: i64) -> Option<Timestamp> {
        match self.length() {
            Length::Fixed { millis, .. } => {
                let moved = start.millis().checked_add(count.checked_mul(millis)?)?;
                Timestamp::from_millis(moved)
            }
            Length::Months(months) => {
                month_start(month_index(start.date()).checked_add(count.checked_mul(months)?)?)
            }
        }
    }

    /// How many periods lie between two starts; negative if `to` is the earlier.
    pub fn count(self, from: Timestamp, to: Timestamp) -> i64 {
        match self.length() {
            Length::Fixed { millis, .. } => (to.millis() - from.millis()).div_euclid(millis),
            Length::Months(months) => (month_index(to.date()) - month_index(from.date())).div_euclid(months),
        }
    }

    /// The starts of the periods from `start` (a start itself) up to, not including, `end`.
    pub fn starts(self, start: Timestamp, end: Timestamp) -> impl Iterator<Item = Timestamp> {
        let first = (start < end).then_some(start);
        std::iter::successors(first, move |start| {
            Some(self.next(*start)).filter(|next| *next < end && next > start)
        })
    }

    fn length(self) -> Length {
        match self {
            Self::Hour => Length::Fixed { millis: MILLIS_PER_HOUR, origin: 0 },
            Self::Day => Length::Fixed { millis: MILLIS_PER_DAY, origin: 0 },
            Self::Week => Length::Fixed { millis: MILLIS_PER_WEEK, origin: FIRST_MONDAY },
            Self::Month => Length::Months(1),
            Self::Quarter => Length::Months(3),
            Self::Year => Length::Months(12),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

enum Length {
    /// Always as long, counted from an origin.
    Fixed { millis: i64, origin: i64 },
    /// So many calendar months, counted from January of the year 0.
    Months(i64),
}

/// Months since January of the year 0.
fn month_index(date: NaiveDate) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

fn month_start(index: i64) -> Option<Timestamp> {
    let year = i32::try_from(index.div_euclid(12)).ok()?;
    let month = u32::try_from(index.rem_euclid(12)).ok()? + 1;
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    (1..=10_000).contains(&year).then(|| Timestamp::from_date(first))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[track_caller]
    fn check_start(period: Period, time: &str, start: &str) {
        assert_eq!(period.start(at(time)), at(start), "{period} of {time}");
    }

    #[test]
    fn starts_of_periods() {
        let time = "2014-11-19T13:45:59.999Z";
        check_start(Period::Hour, time, "2014-11-19T13:00");
        check_start(Period::Day, time, "2014-11-19");
        check_start(Period::Week, time, "2014-11-17");
        check_start(Period::Month, time, "2014-11-01");
        check_start(Period::Quarter, time, "2014-10-01");
        check_start(Period::Year, time, "2014-01-01");
    }

    #[test]
    fn weeks_start_on_monday_across_years_and_before_1970() {
        check_start(Period::Week, "2015-01-04T23:59:59Z", "2014-12-29");
        check_start(Period::Week, "2015-01-05", "2015-01-05");
        check_start(Period::Week, "1969-12-31", "1969-12-29");
        check_start(Period::Week, "0001-01-01", "0001-01-01");
    }

    #[test]
    fn shifting_over_leap_days_and_years() {
        assert_eq!(Period::Day.next(at("2016-02-28")), at("2016-02-29"));
        assert_eq!(Period::Month.shift(at("2016-01-01"), 14), Some(at("2017-03-01")));
        assert_eq!(Period::Quarter.shift(at("2016-01-01"), -1), Some(at("2015-10-01")));
        assert_eq!(Period::Year.shift(at("2016-01-01"), -2016), None);
        assert_eq!(Period::Year.shift(at("2016-01-01"), i64::MAX), None);
        assert_eq!(Period::Hour.shift(at("2016-01-01"), i64::MIN), None);
        assert_eq!(Period::Year.next(at("9999-01-01")).to_string(), "10000-01-01T00:00:00+00:00");
    }

    fn any_period() -> impl Strategy<Value = Period> {
        prop::sample::select(&Period::ALL[..])
    }

    prop_compose! {
        fn any_time()(millis in -62_135_596_800_000_i64..=253_402_300_799_999) -> Timestamp {
            Timestamp::from_millis(millis).expect("in range")
        }
    }

    proptest! {
        #[test]
        fn a_time_lies_in_its_period(period in any_period(), time in any_time()) {
            let start = period.start(time);
            prop_assert!(start <= time && time < period.next(start));
            prop_assert_eq!(period.start(start), start);
        }

        #[test]
        fn the_ceiling_is_the_first_start_not_before(period in any_period(), time in any_time()) {
            let ceiling = period.ceiling(time);
            prop_assert!(ceiling >= time);
            prop_assert!(ceiling == time || period.start(time) < time);
            prop_assert_eq!(period.start(ceiling), ceiling);
        }

        #[test]
        fn shifting_there_and_back(period in any_period(), time in any_time(), count in -500_i64..500) {
            let start = period.start(time);
            if let Some(moved) = period.shift(start, count) {
                prop_assert_eq!(period.shift(moved, -count), Some(start));
                prop_assert_eq!(period.count(start, moved), count);
            }
        }

        #[test]
        fn a_span_lists_as_many_starts_as_it_counts(period in any_period(), time in any_time(), count in 0_i64..200) {
            let start = period.start(time);
            if let Some(end) = period.shift(start, count) {
                let starts: Vec<_> = period.starts(start, end).collect();
                prop_assert_eq!(i64::try_from(starts.len()), Ok(count));
                prop_assert!(starts.windows(2).all(|pair| period.next(pair[0]) == pair[1]));
            }
        }
    }
}
