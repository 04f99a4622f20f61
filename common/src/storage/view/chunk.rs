//! Some records in the order of writing: their numbers, their times, and a segment for each column.

use super::segment::Segment;
use crate::timestamp::Timestamp;

/// The time of a record that has none.
pub(super) const UNTIMED: i64 = i64::MIN;

/// Some records, those written first first. A chunk does not know which of them are deleted.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    pub(super) seqs: Seqs,
    /// Milliseconds since 1970, or [`UNTIMED`].
    pub(super) times: Vec<i64>,
    pub(super) span: Span,
    /// By column. Columns that came later have none; all rows lack their fields.
    pub(super) segments: Vec<Segment>,
}

/// The numbers of records in the order of writing; often they follow one another.
#[derive(Clone, Debug)]
pub(super) enum Seqs {
    /// So many from a first one.
    Run { first: i64, len: usize },
    /// Ascending, with numbers left out.
    List(Vec<i64>),
}

/// Which times there are in a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
    /// Whether some records have none.
    pub(super) has_untimed: bool,
}

impl Default for Seqs {
    fn default() -> Self {
        Self::Run { first: 0, len: 0 }
    }
}

impl Default for Span {
    fn default() -> Self {
        Self { first: i64::MAX, last: i64::MIN, has_untimed: false }
    }
}

impl Seqs {
    pub(super) fn at(&self, row: usize) -> i64 {
        match self {
            Self::Run { first, .. } => first + i64::try_from(row).unwrap_or(i64::MAX),
            Self::List(seqs) => seqs[row],
        }
    }

    fn push(&mut self, seq: i64) {
        match self {
            Self::Run { first, len } => {
                if *len == 0 {
                    *first = seq;
                }
                if i64::try_from(*len).is_ok_and(|len| *first + len == seq) {
                    *len += 1;
                } else {
                    *self = Self::List((0..*len).map(|row| self.at(row)).chain([seq]).collect());
                }
            }
            Self::List(seqs) => seqs.push(seq),
        }
    }

    /// The row of a record, if it is here.
    pub(super) fn row(&self, seq: i64) -> Option<usize> {
        match self {
            Self::Run { first, len } => {
                usize::try_from(seq.checked_sub(*first)?).ok().filter(|row| row < len)
            }
            Self::List(seqs) => seqs.binary_search(&seq).ok(),
        }
    }
}

impl Chunk {
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// Adds the number and the time of a record; its fields are added to the segments.
    pub(super) fn push(&mut self, seq: i64, time: Option<Timestamp>) {
        self.seqs.push(seq);
        if let Some(time) = time {
            self.span.first = self.span.first.min(time.millis());
            self.span.last = self.span.last.max(time.millis());
        } else {
            self.span.has_untimed = true;
        }
        self.times.push(time.map_or(UNTIMED, Timestamp::millis));
    }

    /// The number of the first record.
    pub(super) fn first_seq(&self) -> i64 {
        self.seqs.at(0)
    }

    /// Whether some column has fewer rows than there are.
    pub(super) fn is_ragged(&self) -> bool {
        self.segments.iter().any(|segment| segment.len() < self.len())
    }

    /// Takes as little memory as it can, when no rows are to come.
    pub(super) fn seal(&mut self) {
        self.times.shrink_to_fit();
        if let Seqs::List(seqs) = &mut self.seqs {
            seqs.shrink_to_fit();
        }
        self.segments.iter_mut().for_each(Segment::seal);
    }

    /// How much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        let seqs = if let Seqs::List(seqs) = &self.seqs { seqs.capacity() * 8 } else { 0 };
        let segments = self.segments.iter().map(|segment| segment.bytes() + size_of::<Segment>());
        size_of::<Self>() + seqs + self.times.capacity() * 8 + segments.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_one_another_take_no_memory() {
        let mut seqs = Seqs::default();
        (7..10).for_each(|seq| seqs.push(seq));
        assert!(matches!(seqs, Seqs::Run { first: 7, len: 3 }));
        assert_eq!([6, 7, 9, 10, i64::MIN].map(|seq| seqs.row(seq)), [None, Some(0), Some(2), None, None]);
        seqs.push(12);
        assert_eq!([7, 9, 10, 12].map(|seq| seqs.row(seq)), [Some(0), Some(2), None, Some(3)]);
        assert_eq!(seqs.at(3), 12);
    }
}
