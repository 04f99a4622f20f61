//! Seed files of buckets and users.
#![no_main]

use backdrop_common::bucket::seed::parse_seeds;
use backdrop_common::user::parse_users;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| {
    let _ = parse_users(json);
    let _ = parse_seeds(json);
});
