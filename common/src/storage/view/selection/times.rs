//! A test of the time of a record, or of the start of the period that holds it, as spans of times.

use super::Rows;
use crate::period::Period;
use crate::query::{Test, Wanted};
use crate::storage::view::chunk::Chunk;
use crate::timestamp::Timestamp;

/// The spans of times that pass, in order and apart from one another: each from a first millisecond up to, not
/// including, another.
pub(super) struct TimeTest(Vec<(i64, i64)>);

/// So few spans are compared faster than looked through.
const FEW: usize = 4;

impl TimeTest {
    pub(super) fn new(period: Option<Period>, test: &Test) -> Self {
        // A prefix is of text only.
        let Test::AnyOf(wanted) = test else { return Self(Vec::new()) };
        let times = wanted.iter().filter_map(|wanted| match wanted {
            Wanted::Text { time, .. } => *time,
            Wanted::Bool(_) => None,
        });
        let mut spans: Vec<(i64, i64)> = times.filter_map(|time| span(period, time)).collect();
        spans.sort_unstable();
        spans.dedup();
        Self(spans)
    }

    pub(super) fn select(&self, chunk: &Chunk, rows: &mut Rows) {
        let first = self.0.partition_point(|(_, end)| *end <= chunk.span.first);
        let after = self.0.partition_point(|(start, _)| *start <= chunk.span.last);
        let times = &chunk.times[..];
        match self.0.get(first..after).unwrap_or_default() {
            [] => rows.clear(),
            [(start, end)] => rows.retain(|row| (*start..*end).contains(&times[row])),
            few if few.len() <= FEW => rows.retain(|row| {
                let time = times[row];
                few.iter().any(|(start, end)| (*start..*end).contains(&time))
            }),
            spans => rows.retain(|row| {
                let time = times[row];
                let after = spans.partition_point(|(start, _)| *start <= time);
                after > 0 && time < spans[after - 1].1
            }),
        }
    }
}

/// The times that a wanted one stands for: itself, or all of the period that it is the start of.
fn span(period: Option<Period>, time: Timestamp) -> Option<(i64, i64)> {
    match period {
        None => Some((time.millis(), time.millis() + 1)),
        Some(period) if period.start(time) != time => None,
        // After the last period comes no other, and its last millisecond is in it.
        Some(period) => {
            let next = period.shift(time, 1).map_or(Timestamp::MAX.millis() + 1, Timestamp::millis);
            Some((time.millis(), next))
        }
    }
}
