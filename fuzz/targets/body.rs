//! Bodies: whatever is sent, records or faults come out, and a record that is taken can be stored
//! and patched with itself. Records that are encoded as they are parsed are the same ones.
#![no_main]

use backdrop_common::record::RecordId;
use backdrop_common::record::checks::{RecordChecks, check_patch, check_records};
use backdrop_common::record::sent::{SentBody, each_record, is_empty_list};
use backdrop_common::storage::NewRecords;
use backdrop_common::timestamp::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = is_empty_list(body);
    let Ok(sent) = SentBody::parse(body) else { return };
    let sent = sent.into_records();
    let _ = check_records(&sent, &["_timestamp".to_owned(), "kind".to_owned()], None);
    let checked = check_records(&sent, &[], None);
    let mut checks = RecordChecks::new(NewRecords::new(Timestamp::MIN), &[], None);
    each_record(body, |record| checks.check(record)).expect("it is a body");
    assert_eq!(checks.finish().map(|encoded| encoded.len()), checked.as_ref().map(Vec::len).map_err(Clone::clone));
    let Ok(records) = checked else { return };
    for (record, sent) in records.iter().zip(&sent) {
        let id = record.id.clone().or_else(|| RecordId::parse("made")).expect("an id");
        assert_eq!(check_patch(&id, record, sent, None).as_ref(), Ok(record));
    }
});
