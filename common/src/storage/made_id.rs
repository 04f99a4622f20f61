//! The ids of records that came without one.
//!
//! ```text
//! made id = millis12 "-" seq12 "-" chance8        (lower-case hexadecimal)
//! ```
//!
//! They sort by the time of storing, then by the order of writing. The embedded store finds a record
//! by the `seq` in them, its primary key, which spares an index entry for each; the chance keeps a
//! client from naming a record before it exists.

use crate::timestamp::Timestamp;

/// Makes the id of the record that will be stored under `seq`.
pub(super) fn make(seq: i64, now: Timestamp) -> String {
    format!("{:012x}-{seq:012x}-{:08x}", now.millis().max(0), rand::random::<u32>())
}

/// Where the `seq` is in a made id.
const SEQ: std::ops::Range<usize> = 13..25;

/// Puts another `seq` into a made id.
pub(super) fn set_seq(id: &mut [u8], seq: i64) {
    let bytes = seq.to_be_bytes();
    for (digit, place) in id[SEQ].iter_mut().rev().zip(0..) {
        let byte = bytes[bytes.len() - 1 - place / 2];
        let half = if place % 2 == 0 { byte & 0xf } else { byte >> 4 };
        *digit = b"0123456789abcdef"[usize::from(half)];
    }
}

/// The `seq` in an id that may be a made one. Whether the record under it has that id is for the
/// caller to check.
pub(super) fn seq(id: &str) -> Option<i64> {
    let mut parts = id.split('-');
    let lengths = [12, 12, 8];
    let well_formed = |(part, length): (&str, usize)| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let matching = parts.clone().count() == 3 && parts.clone().zip(lengths).all(well_formed);
    matching.then(|| i64::from_str_radix(parts.nth(1)?, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn made_ids_sort_by_time_and_name_their_seq() {
        let ids = [
            make(9, at("2014-01-01")),
            make(10, at("2014-01-01")),
            make(11, at("2014-01-01T00:00:00.001Z")),
            make(12, at("2026-01-01")),
        ];
        assert!(ids.is_sorted());
        assert_eq!(seq(&ids[1]), Some(10));
        assert_ne!(make(1, at("2014-01-01")), make(1, at("2014-01-01")));
    }

    #[test]
    fn a_seq_takes_the_place_of_another() {
        for number in [0, 1, 0xabc, 0xffff_ffff_ffff] {
            let made = make(7, at("2014-01-01"));
            let mut changed = made.clone().into_bytes();
            set_seq(&mut changed, number);
            let changed = String::from_utf8(changed).expect("text");
            assert_eq!(seq(&changed), Some(number));
            assert_eq!((&changed[..13], &changed[25..]), (&made[..13], &made[25..]));
        }
    }

    #[test]
    fn other_ids_name_none() {
        for id in [
            "",
            "r1",
            "--",
            "0-0-0",
            "00000000000A-000000000001-00000000",
            "000000000000-000000000001-00000000-",
        ] {
            assert_eq!(seq(id), None, "{id}");
        }
    }
}
