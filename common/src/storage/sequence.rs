//! Numbers that say in which order things were written, where the store has no counter of its own.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::timestamp::Timestamp;

/// Gives out numbers that only grow: microseconds since 1970, or the next number where the clock
/// stands still or goes back. So what one process writes is in its order, and what several write is
/// as far apart as their clocks tell.
#[derive(Debug, Default)]
pub(crate) struct Sequence(AtomicI64);

impl Sequence {
    /// Takes as many consecutive numbers, and answers the first.
    pub(crate) fn take(&self, count: usize) -> i64 {
        self.take_at(Timestamp::now(), count)
    }

    fn take_at(&self, now: Timestamp, count: usize) -> i64 {
        let micros = now.millis().saturating_mul(1000);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let next = |last: i64| Some(last.max(micros).saturating_add(count));
        // Always `Ok`, since `next` never declines.
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        before.unwrap_or_else(|last| last).max(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_only_grow() {
        let sequence = Sequence::default();
        let at = |text| Timestamp::parse(text).expect("a time");
        let noon = at("2014-01-01T12:00").millis() * 1000;
        assert_eq!(sequence.take_at(at("2014-01-01T12:00"), 3), noon);
        assert_eq!(sequence.take_at(at("2014-01-01T12:00"), 1), noon + 3);
        assert_eq!(sequence.take_at(at("2013-01-01"), 2), noon + 4, "the clock went back");
        let later = at("2014-01-01T12:00:01Z").millis() * 1000;
        assert_eq!(sequence.take_at(at("2014-01-01T12:00:01Z"), 1), later);
    }
}
