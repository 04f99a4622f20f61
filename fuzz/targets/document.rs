//! Stored records, as a damaged or foreign file may hold them: an error, never a panic.
#![no_main]

use backdrop_common::storage::Document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(document) = Document::new(bytes) {
        let _ = document.fields();
    }
});
