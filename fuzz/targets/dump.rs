//! Files of dumps: records, or entries of the audit log, or one fault come out, and what was read before the fault is what the
//! file has up to there.
#![no_main]

use backdrop_common::timestamp::Timestamp;
use backdrop_common::transfer::reader::DumpReader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = DumpReader::new(bytes);
    while let Ok(Some(_)) = reader.read_record(Timestamp::MIN) {}
    let mut reader = DumpReader::new(bytes);
    while let Ok(Some(_)) = reader.read_audit() {}
    let mut reader = DumpReader::new(bytes);
    let mut read = Vec::new();
    let fault = loop {
        match reader.read() {
            Ok(Some((_, document))) => read.extend_from_slice(document),
            Ok(None) => break None,
            Err(fault) => break Some(fault),
        }
    };
    assert!(bytes.starts_with(&read));
    let end = fault.map_or(bytes.len() as u64, |fault| fault.offset);
    assert_eq!(read.len() as u64, end);
});
