//! Bodies: whatever is sent, records or faults come out, and a record that is taken can be stored
//! and patched with itself.
#![no_main]

use backdrop_common::record::RecordId;
use backdrop_common::record::checks::{check_patch, check_records};
use backdrop_common::record::sent::{SentBody, is_empty_list};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = is_empty_list(body);
    let Ok(sent) = SentBody::parse(body) else { return };
    let sent = sent.into_records();
    let _ = check_records(&sent, &["_timestamp".to_owned(), "kind".to_owned()], None);
    let Ok(records) = check_records(&sent, &[], None) else { return };
    for (record, sent) in records.iter().zip(&sent) {
        let id = record.id.clone().or_else(|| RecordId::parse("made")).expect("an id");
        assert_eq!(check_patch(&id, record, sent, None).as_ref(), Ok(record));
    }
});
