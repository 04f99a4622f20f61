//! Query strings: whatever is sent, a query or one of the messages comes out, and what comes out
//! does not depend on what was asked before.
#![no_main]

use backdrop_common::query::args::{QueryArgs, QueryContext};
use backdrop_common::timestamp::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| {
    let now = Timestamp::parse("2014-06-18T12:30").expect("a time");
    for raw_queries_allowed in [true, false] {
        let context = QueryContext { raw_queries_allowed, now, max_rows: 1000 };
        let parse = || QueryArgs::parse(query)?.into_query(&context);
        assert_eq!(parse(), parse());
    }
});
