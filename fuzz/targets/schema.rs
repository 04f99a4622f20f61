//! Schemas: what is compiled has a bounded cost, and checks a record within it; what is said of a violation is short.
#![no_main]

use backdrop_common::limits::{SCHEMA_STEPS, VIOLATIONS, VIOLATION_CHARACTERS};
use backdrop_common::record::checks::{InvalidRecord, check_records};
use backdrop_common::record::schema::RecordSchema;
use backdrop_common::record::sent::SentBody;
use libfuzzer_sys::fuzz_target;

/// Records of several kinds, so that a schema has something to say.
const RECORDS: &str = r#"[{}, {"kind": "x", "size": 5}, {"aa": null, "kind": [1, {"a": [2]}], "size": 1.5}]"#;

fuzz_target!(|text: &str| {
    let Ok(schema) = serde_json::from_str(text) else { return };
    let Ok(schema) = RecordSchema::compile(&schema) else { return };
    assert!(schema.cost() <= SCHEMA_STEPS as u64);
    let records = SentBody::parse(RECORDS.as_bytes()).expect("records").into_records();
    let Err(faults) = check_records(&records, &[], Some(&schema)) else { return };
    assert!(faults.len() <= records.len() * (VIOLATIONS + 2));
    for fault in faults {
        if let InvalidRecord::Schema { violation, .. } = fault {
            assert!(violation.message.chars().count() <= VIOLATION_CHARACTERS + 1);
        }
    }
});
