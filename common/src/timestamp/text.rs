//! A time as text, without formatting machinery: answers are full of times.

use chrono::Datelike;

use super::{MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE, MILLIS_PER_SECOND, Timestamp};

/// What a [`Timestamp`] shows, in as many bytes as the longest has.
#[derive(Clone, Copy)]
pub(crate) struct TimestampText {
    bytes: [u8; LONGEST],
    length: usize,
}

/// That of `10000-12-31T23:59:59.999+00:00`.
const LONGEST: usize = 30;

impl TimestampText {
    pub(super) fn of(timestamp: Timestamp) -> Self {
        let date = timestamp.date();
        let of_day = timestamp.0.rem_euclid(MILLIS_PER_DAY);
        let millis = of_day % MILLIS_PER_SECOND;
        let mut text = Self { bytes: [0; LONGEST], length: 0 };
        // The year has four digits, but for the last one.
        if date.year() >= 10_000 {
            text.digits::<1>(date.year() / 10_000);
        }
        text.digits::<4>(date.year());
        text.character(b'-');
        text.digits::<2>(date.month());
        text.character(b'-');
        text.digits::<2>(date.day());
        text.character(b'T');
        text.digits::<2>(of_day / MILLIS_PER_HOUR);
        text.character(b':');
        text.digits::<2>(of_day / MILLIS_PER_MINUTE % 60);
        text.character(b':');
        text.digits::<2>(of_day / MILLIS_PER_SECOND % 60);
        if millis > 0 {
            text.character(b'.');
            text.digits::<3>(millis);
        }
        b"+00:00".iter().for_each(|character| text.character(*character));
        text
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).expect("digits and signs are ASCII")
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn character(&mut self, character: u8) {
        self.bytes[self.length] = character;
        self.length += 1;
    }

    /// The last so many digits of a number that is not negative.
    fn digits<const COUNT: usize>(&mut self, number: impl Into<i64>) {
        let mut rest = number.into();
        for place in (self.length..self.length + COUNT).rev() {
            self.bytes[place] = DIGITS[usize::try_from(rest % 10).unwrap_or_default()];
            rest /= 10;
        }
        self.length += COUNT;
    }
}

const DIGITS: [u8; 10] = *b"0123456789";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by the means of the standard library.
    fn formatted(timestamp: Timestamp) -> String {
        let date = timestamp.date();
        let of_day = timestamp.millis().rem_euclid(MILLIS_PER_DAY);
        let (hour, minute) = (of_day / MILLIS_PER_HOUR, of_day / MILLIS_PER_MINUTE % 60);
        let (second, millis) = (of_day / MILLIS_PER_SECOND % 60, of_day % MILLIS_PER_SECOND);
        let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
        let (year, month, day) = (date.year(), date.month(), date.day());
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}+00:00")
    }

    #[track_caller]
    fn check(millis: i64) {
        let timestamp = Timestamp::from_millis(millis).expect("a time");
        assert_eq!(timestamp.text().as_str(), formatted(timestamp));
        assert_eq!(timestamp.to_string(), formatted(timestamp));
    }

    #[test]
    fn the_first_and_the_last() {
        check(Timestamp::MIN.0);
        check(Timestamp::LAST_ACCEPTED.0);
        check(Timestamp::LAST_ACCEPTED.0 + 1);
        check(Timestamp::MAX.0);
        assert_eq!(Timestamp::MAX.to_string(), "10000-12-31T23:59:59.999+00:00");
    }

    proptest! {
        #[test]
        fn all_others(millis in Timestamp::MIN.0..=Timestamp::MAX.0, whole in any::<bool>()) {
            let millis = if whole { millis - millis.rem_euclid(MILLIS_PER_SECOND) } else { millis };
            let timestamp = Timestamp(millis);
            let text = timestamp.text();
            prop_assert_eq!(text.as_str(), formatted(timestamp));
        }
    }
}
