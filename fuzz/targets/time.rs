//! Times: what is read is shown so that it reads back, and a query's spelling means the same to a
//! record.
#![no_main]

use backdrop_common::timestamp::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let of_record = Timestamp::parse(text);
    if let Ok(timestamp) = of_record {
        assert_eq!(Timestamp::parse(&timestamp.to_string()), Ok(timestamp));
    }
    if let Some(timestamp) = Timestamp::parse_in_query(text) {
        assert_eq!(of_record, Ok(timestamp));
    }
});
