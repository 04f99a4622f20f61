//! Uploaded files: a table or faults come out, as many faults as are counted, and a table can be
//! shown and checked.
#![no_main]

use backdrop_write::upload::check::{Rules, check};
use backdrop_write::upload::preview::Preview;
use backdrop_write::upload::time_column::candidates;
use backdrop_write::upload::{Faults, Limits, fault, read};
use libfuzzer_sys::fuzz_target;

fn is_well_counted(faults: &Faults) -> bool {
    faults.first.len() == faults.total.min(fault::MAX_SHOWN) && faults.total > 0
}

fuzz_target!(
    // A panic of calamine is caught, and is a damaged workbook; one of ours still ends the program.
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| {
        match read(bytes, &[], Limits::of(10_000)) {
            Err(faults) => assert!(is_well_counted(&faults)),
            Ok(table) => {
                assert!(!table.rows.is_empty());
                assert_eq!(Preview::of(&table).total, table.rows.len());
                let times = candidates(&table);
                let time_column = times.first().map(|column| column.heading.as_str());
                match check(&table, &Rules { time_column, ..Rules::default() }) {
                    Ok(checked) => assert_eq!(checked.records.len(), table.rows.len()),
                    Err(faults) => assert!(is_well_counted(&faults)),
                }
            }
        }
    }
);
