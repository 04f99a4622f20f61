//! Which period of a query a time is in, counted from the first that has data.
//!
//! Months differ in length, so a table has the period of each day. Hours, days and weeks are divisions
//! by constants, which compilers turn into multiplications.

use super::selection::Rows;
use crate::period::Period;
use crate::timestamp::Timestamp;

const MILLIS_PER_HOUR: u64 = 3_600_000;
const MILLIS_PER_DAY: u64 = 24 * MILLIS_PER_HOUR;
const MILLIS_PER_WEEK: u64 = 7 * MILLIS_PER_DAY;

/// The periods between two times.
pub(super) struct Periods {
    period: Period,
    /// The start of the first.
    origin: Timestamp,
    len: usize,
    /// By day from the origin, where periods are months.
    of_day: Vec<u32>,
}

impl Periods {
    /// The periods that hold the times from `first` to `last`.
    pub(super) fn between(period: Period, first: Timestamp, last: Timestamp) -> Self {
        let origin = period.start(first);
        let len = usize::try_from(period.count(origin, period.start(last)) + 1).unwrap_or(1);
        let of_day = match period {
            Period::Hour | Period::Day | Period::Week => Vec::new(),
            Period::Month | Period::Quarter | Period::Year => table(period, origin, len),
        };
        Self { period, origin, len, of_day }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The start of one.
    pub(super) fn start(&self, place: u64) -> Timestamp {
        let count = i64::try_from(place).unwrap_or(i64::MAX);
        self.period.shift(self.origin, count).unwrap_or(Timestamp::MAX)
    }

    /// Makes `number * len + period` of each row's number.
    pub(super) fn combine(&self, rows: &Rows, times: &[i64], numbers: &mut [u64]) {
        match self.period {
            Period::Hour => self.combine_by(rows, times, numbers, |millis| millis / MILLIS_PER_HOUR),
            Period::Day => self.combine_by(rows, times, numbers, |millis| millis / MILLIS_PER_DAY),
            Period::Week => self.combine_by(rows, times, numbers, |millis| millis / MILLIS_PER_WEEK),
            Period::Month | Period::Quarter | Period::Year => {
                let of_day = &self.of_day[..];
                let period = |millis| of_day[usize::try_from(millis / MILLIS_PER_DAY).unwrap_or(0)].into();
                self.combine_by(rows, times, numbers, period);
            }
        }
    }

    #[inline]
    fn combine_by(&self, rows: &Rows, times: &[i64], numbers: &mut [u64], period: impl Fn(u64) -> u64) {
        let (origin, len) = (self.origin.millis(), self.len as u64);
        rows.each(|place, row| {
            numbers[place] = numbers[place] * len + period((times[row] - origin).cast_unsigned());
        });
    }
}

/// The period of each day, from the first day of the first period to the last of the last.
fn table(period: Period, origin: Timestamp, len: usize) -> Vec<u32> {
    let mut of_day = Vec::new();
    let mut start = origin;
    for place in 0..u32::try_from(len).unwrap_or(u32::MAX) {
        let next = period.next(start);
        let days = (next.millis() - start.millis()).cast_unsigned().div_ceil(MILLIS_PER_DAY);
        of_day.extend(std::iter::repeat_n(place, usize::try_from(days).unwrap_or(0)));
        start = next;
    }
    of_day
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_is_in_the_period_that_starts_before_it(
            first in Timestamp::MIN.millis()..=Timestamp::MAX.millis(),
            length in 0_i64..100_000_000_000,
            fraction in 0.0..=1.0,
            period in prop::sample::select(Period::ALL.to_vec()),
        ) {
            let last = Timestamp::saturating(first + length);
            let first = Timestamp::saturating(first);
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any time will do")]
            let between = ((last.millis() - first.millis()) as f64 * fraction) as i64;
            let periods = Periods::between(period, first, last);
            for time in [first, Timestamp::saturating(first.millis() + between), last] {
                let mut numbers = [3];
                let mut rows = Rows::new();
                rows.reset(0..1);
                periods.combine(&rows, &[time.millis()], &mut numbers);
                let place = numbers[0] - 3 * periods.len() as u64;
                prop_assert!(place < periods.len() as u64);
                prop_assert_eq!(periods.start(place), period.start(time));
            }
        }
    }
}
