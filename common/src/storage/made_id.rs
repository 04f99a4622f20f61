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

    #[test]
    fn made_ids_sort_by_time_and_name_their_seq() {
        let at = |text| Timestamp::parse(text).expect("a time");
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
