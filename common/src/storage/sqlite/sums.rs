//! Checksums: of a record, of other rows, and the totals of a bucket, by which damage to the file is
//! told from data. Pure.
//!
//! SQLite keeps none of its own: a bit that a disk turns over is answered as it is. A record's checksum
//! is in its row. The totals are in the bucket's, so a record that is missing or there twice is found
//! too, and so is an index that does not say what the records do.

use crate::storage::{StorageError, StorageErrorKind};

/// The checksum of a record: of its bytes, and of the table, number and time that it is stored under.
pub(super) fn of_record(place: Place, document: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(place.folded());
    hasher.update(document);
    hasher.finalize()
}

/// Where a record is: the number of its bucket's tables, its own, and its time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) tables: i64,
    pub(super) seq: i64,
    pub(super) time: Option<i64>,
}

impl Place {
    /// A number that stands for it, as an entry of the index on times has it too.
    pub(super) fn mixed(self) -> u64 {
        let time = self.time.map_or(0x5bd1_e995, |time| mix(time.cast_unsigned()));
        mix(mix(mix(self.tables.cast_unsigned()) ^ self.seq.cast_unsigned()) ^ time)
    }

    fn folded(self) -> u32 {
        let mixed = self.mixed();
        #[expect(clippy::cast_possible_truncation, reason = "both halves are in it")]
        let folded = (mixed ^ (mixed >> 32)) as u32;
        folded
    }
}

/// A number that stands for an entry of the index on ids.
pub(super) fn of_id(tables: i64, seq: i64, id: &str) -> u64 {
    let place = mix(mix(tables.cast_unsigned()) ^ seq.cast_unsigned());
    mix(place ^ u64::from(crc32fast::hash(id.as_bytes())))
}

/// The checksum of a record that is gone, made one with the number of it that the tombstone names.
pub(super) fn sealed(tables: i64, seq: i64, sum: u32) -> u32 {
    sum ^ Place { tables, seq, time: None }.folded()
}

/// Every bit of the answer depends on every bit of the number (the end of SplitMix64).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The checksum of a row that is no record, part by part.
#[derive(Clone, Debug, Default)]
pub(super) struct RowSum(crc32fast::Hasher);

impl RowSum {
    /// A text, or that there is none.
    pub(super) fn text(mut self, text: Option<&str>) -> Self {
        let length = text.map_or(-1, |text| i64::try_from(text.len()).unwrap_or(i64::MAX));
        self.0.update(&length.to_le_bytes());
        self.0.update(text.unwrap_or_default().as_bytes());
        self
    }

    /// Some numbers, how many of which there are is always the same.
    pub(super) fn numbers<const N: usize>(mut self, numbers: [i64; N]) -> Self {
        self.0.update(numbers.map(i64::to_le_bytes).as_flattened());
        self
    }

    /// A number, or that there is none.
    pub(super) fn number(mut self, number: Option<i64>) -> Self {
        self.0.update(&[u8::from(number.is_some())]);
        self.0.update(&number.unwrap_or_default().to_le_bytes());
        self
    }

    /// As a column has it. It is never 0, which is what a row has that was never given one.
    pub(super) fn stored(self) -> i64 {
        i64::from(self.0.finalize()) + 1
    }
}

/// How a checksum is stored: as a number of four bytes.
pub(super) fn to_column(sum: u32) -> i64 {
    i64::from(sum.cast_signed())
}

/// One that was stored; none if no checksum was ever stored like that.
pub(super) fn from_column(sum: i64) -> Option<u32> {
    i32::try_from(sum).ok().map(i32::cast_unsigned)
}

/// What the records of a bucket come to, all together. All of it wraps around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// How many there are.
    pub(super) records: i64,
    /// Their checksums.
    pub(super) sums: i64,
    /// The entries of the index on times.
    pub(super) times: i64,
    /// Those of the index on ids.
    pub(super) ids: i64,
}

impl Totals {
    pub(super) fn add(&mut self, place: Place, id: Option<&str>, sum: u32) {
        self.change(place, id, sum, 1);
    }

    pub(super) fn remove(&mut self, place: Place, id: Option<&str>, sum: u32) {
        self.change(place, id, sum, -1);
    }

    fn change(&mut self, place: Place, id: Option<&str>, sum: u32, by: i64) {
        let id = id.map_or(0, |id| of_id(place.tables, place.seq, id).cast_signed());
        self.records = self.records.wrapping_add(by);
        self.sums = self.sums.wrapping_add(i64::from(sum).wrapping_mul(by));
        self.times = self.times.wrapping_add(place.mixed().cast_signed().wrapping_mul(by));
        self.ids = self.ids.wrapping_add(id.wrapping_mul(by));
    }
}

/// The error of what does not have the checksum that it should have. It says what that is.
pub(super) fn damaged(what: &str) -> StorageError {
    let message =
        format!("the database file is damaged: {what} (`backdrop-write check` looks at everything)");
    StorageError::new(StorageErrorKind::Internal, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Place = Place { tables: 3, seq: 7, time: Some(1_400_000_000_000) };

    #[test]
    fn a_record_at_another_place_has_another_checksum() {
        let others = [
            Place { tables: 4, ..PLACE },
            Place { seq: 8, ..PLACE },
            Place { time: Some(1_400_000_000_001), ..PLACE },
            Place { time: Some(0), ..PLACE },
            Place { time: None, ..PLACE },
            Place { tables: 7, seq: 3, ..PLACE },
        ];
        let sums: std::collections::BTreeSet<u32> =
            others.into_iter().chain([PLACE]).map(|place| of_record(place, b"record")).collect();
        assert_eq!(sums.len(), others.len() + 1);
    }

    #[test]
    fn parts_of_a_row_are_told_apart() {
        let sums = [
            RowSum::default().text(Some("ab")).text(Some("c")),
            RowSum::default().text(Some("a")).text(Some("bc")),
            RowSum::default().text(Some("abc")).text(None),
            RowSum::default().text(Some("abc")).text(Some("")),
            RowSum::default().number(Some(0)),
            RowSum::default().number(None),
        ];
        let different: std::collections::BTreeSet<i64> = sums.into_iter().map(RowSum::stored).collect();
        assert_eq!(different.len(), 6);
        assert!(!different.contains(&0));
    }

    proptest! {
        #[test]
        fn one_bit_changes_the_checksum(bytes in prop::collection::vec(any::<u8>(), 1..300), bit in any::<usize>()) {
            let mut changed = bytes.clone();
            let bit = bit % (bytes.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(of_record(PLACE, &bytes), of_record(PLACE, &changed));
        }

        #[test]
        fn what_is_stored_is_read(sum in any::<u32>(), seq in any::<i64>()) {
            prop_assert_eq!(from_column(to_column(sum)), Some(sum));
            prop_assert_eq!(sealed(1, seq, sealed(1, seq, sum)), sum);
        }

        #[test]
        fn what_is_removed_was_never_there(seqs in prop::collection::vec((any::<i64>(), any::<Option<i64>>(), "[a-c]{0,3}"), 0..20)) {
            let mut totals = Totals::default();
            let id = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
            for (seq, time, text) in &seqs {
                totals.add(Place { tables: 1, seq: *seq, time: *time }, id(text).as_deref(), 9);
            }
            for (seq, time, text) in seqs.iter().rev() {
                totals.remove(Place { tables: 1, seq: *seq, time: *time }, id(text).as_deref(), 9);
            }
            prop_assert_eq!(totals, Totals::default());
        }
    }
}
