//! What a storage engine does when records are stored, changed and deleted.

use std::sync::Arc;

use serde_json::json;

use super::{
    TestBucket, at, config, group_query, id_of, name, now, patched, record_id, record_query, records, save,
};
use crate::bucket::BucketConfig;
use crate::period::Period;
use crate::query::Window;
use crate::record::Record;
use crate::record::checks::InvalidRecord;
use crate::storage::{Changed, StorageEngine, StorageErrorKind, Stored};
use crate::value::Value;

pub(super) async fn suite(engine: &dyn StorageEngine) {
    a_record_is_shown_with_everything_about_it(engine).await;
    new_and_replaced_records_are_counted(engine).await;
    a_record_is_replaced_whole(engine).await;
    ids_are_those_of_one_bucket(engine).await;
    made_ids_are_unique_and_sort_by_time(engine).await;
    a_made_id_names_its_record(engine).await;
    now_becomes_updated_at(engine).await;
    a_changed_record_keeps_its_id(engine).await;
    a_change_may_be_refused(engine).await;
    changes_of_one_record_all_count(engine).await;
    a_record_is_deleted_once(engine).await;
    an_emptied_bucket_was_written_to(engine).await;
    only_a_realtime_bucket_is_capped(engine).await;
    a_cap_drops_what_was_written_first(engine).await;
    a_record_larger_than_the_cap_stays_alone(engine).await;
    a_new_cap_waits_for_the_next_write(engine).await;
    newest_timestamps_are_of_dated_records(engine).await;
    records_are_counted(engine).await;
    an_unknown_bucket_is_not_found(engine).await;
}

async fn a_record_is_shown_with_everything_about_it(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "shown").await;
    let dated = r#"{"_id": "dated", "_timestamp": "2014-11-19T13:45:59.123+01:00", "_start_at": "2014-11-19",
                    "_end_at": "2014-11-20", "size": 9007199254740993, "share": 2.0, "kind": "a\u0000é",
                    "note": null, "open": false}"#;
    bucket.store(&format!(r#"[{dated}, {{"_id": "undated"}}]"#)).await;
    let found = bucket.find("sort_by=_id:ascending").await;
    assert_eq!(
        found[0],
        json!({
            "_id": "dated", "size": 9_007_199_254_740_993_i64, "share": 2.0, "kind": "a\0é", "note": null,
            "open": false,
            "_timestamp": "2014-11-19T12:45:59.123+00:00",
            "_start_at": "2014-11-19T00:00:00+00:00",
            "_end_at": "2014-11-20T00:00:00+00:00",
            "_updated_at": "2020-02-02T02:02:02+00:00",
            "_hour_start_at": "2014-11-19T12:00:00+00:00",
            "_day_start_at": "2014-11-19T00:00:00+00:00",
            "_week_start_at": "2014-11-17T00:00:00+00:00",
            "_month_start_at": "2014-11-01T00:00:00+00:00",
            "_quarter_start_at": "2014-10-01T00:00:00+00:00",
            "_year_start_at": "2014-01-01T00:00:00+00:00",
        })
    );
    assert_eq!(found[1], json!({"_id": "undated", "_updated_at": "2020-02-02T02:02:02+00:00"}));
}

async fn new_and_replaced_records_are_counted(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "counted").await;
    let steps = [
        ("[]", (0, 0), ""),
        (r#"{"_id": "aa"}"#, (1, 0), "aa"),
        (r#"[{"_id": "aa"}, {"_id": "bb"}]"#, (1, 1), "aa bb"),
        (r#"[{"_id": "cc"}, {"_id": "cc"}, {"_id": "cc"}]"#, (1, 2), "aa bb cc"),
        (r#"[{"_id": "Aa"}, {"_id": "é"}]"#, (2, 0), "Aa aa bb cc é"),
    ];
    for (json, (new, replaced), ids) in steps {
        assert_eq!(bucket.store(json).await, Stored { new, replaced }, "{json}");
        assert_eq!(bucket.ids("").await, ids, "{json}");
    }
    assert_eq!(bucket.store(r#"[{"size": 1}, {"size": 1}]"#).await, Stored { new: 2, replaced: 0 });
}

async fn a_record_is_replaced_whole(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "whole").await;
    bucket
        .store(r#"[{"_id": "aa", "_timestamp": "2014-01-01", "size": 1, "kind": "x"}, {"_id": "bb"}]"#)
        .await;
    bucket.store(r#"[{"_id": "aa", "size": 2}, {"_id": "bb", "size": 1}, {"_id": "bb", "size": 3}]"#).await;
    let found = bucket.find("filter_by=_id:aa").await;
    assert_eq!(found, [json!({"_id": "aa", "size": 2, "_updated_at": "2020-02-02T02:02:02+00:00"})]);
    let found = bucket.find("filter_by=_id:bb").await;
    assert_eq!(found[0]["size"], 3, "the later one of a call stands");
    let range = "start_at=2014-01-01T00:00:00Z&end_at=2015-01-01T00:00:00Z";
    assert_eq!(bucket.ids(range).await, "", "the old time is gone");
}

async fn ids_are_those_of_one_bucket(engine: &dyn StorageEngine) {
    let one = TestBucket::new(engine, "ids.one").await;
    let two = TestBucket::new(engine, "ids.two").await;
    one.store(r#"{"_id": "aa", "size": 1}"#).await;
    assert_eq!(two.store(r#"{"_id": "aa", "size": 2}"#).await, Stored { new: 1, replaced: 0 });
    two.change("aa", r#"{"size": 3}"#).await;
    assert_eq!(one.find("").await[0]["size"], 1);
    assert!(two.delete("aa").await);
    assert_eq!(one.ids("").await, "aa");
    engine.empty(&two.name).await.expect("an empty bucket");
    assert_eq!(one.ids("").await, "aa");
}

async fn made_ids_are_unique_and_sort_by_time(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "made").await;
    bucket.store_at(r#"[{"size": 0}, {"size": 1}, {"size": 2}]"#, at("2020-01-01")).await;
    bucket.store_at(r#"[{"size": 3}, {"size": 4, "_timestamp": "1999-01-01"}]"#, at("2020-01-01")).await;
    bucket.store_at(r#"[{"size": 5}]"#, at("2020-01-01T00:00:00.001Z")).await;
    bucket.store_at(r#"[{"size": 6}]"#, at("2030-01-01")).await;
    let found = bucket.find("sort_by=_id:ascending").await;
    let sizes: Vec<_> = found.iter().filter_map(|record| record["size"].as_i64()).collect();
    assert_eq!(sizes, [0, 1, 2, 3, 4, 5, 6]);
    let ids: Vec<String> = found.iter().map(id_of).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert!(ids.iter().all(|id| !id.is_empty() && !id.contains(char::is_whitespace)), "{ids:?}");
}

async fn a_made_id_names_its_record(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "made.named").await;
    bucket.store(r#"[{"size": 0}, {"size": 1}, {"size": 2}, {"size": 3}]"#).await;
    let ids: Vec<String> = bucket.find("sort_by=size:ascending").await.iter().map(id_of).collect();
    for (size, id) in ids.iter().enumerate() {
        assert_eq!(bucket.find(&format!("filter_by=_id:{id}")).await[0]["size"], size);
        let another = another_id(id);
        assert_eq!(bucket.ids(&format!("filter_by=_id:{another}")).await, "");
        assert_eq!(bucket.change(&another, r#"{"size": 9}"#).await, Changed::NotFound);
        assert!(!bucket.delete(&another).await);
    }
    let replaced = bucket.store(&format!(r#"{{"_id": "{}", "size": 10}}"#, ids[0])).await;
    assert_eq!(replaced, Stored { new: 0, replaced: 1 });
    assert_eq!(bucket.change(&ids[1], r#"{"size": 11}"#).await, Changed::Stored);
    assert_eq!(bucket.change(&ids[1], r#"{"kind": "twice"}"#).await, Changed::Stored);
    assert!(bucket.delete(&ids[2]).await);
    assert!(!bucket.delete(&ids[2]).await);
    for (id, size) in [(&ids[0], 10), (&ids[1], 11), (&ids[3], 3)] {
        let found = bucket.find(&format!("filter_by=_id:{id}")).await;
        assert_eq!(found.len(), 1, "{id}");
        assert_eq!(found[0]["size"], size, "{id}");
    }
    let both = format!("filter_by=_id:{}&filter_by=_id:{}&filter_by=_id:{}", ids[1], ids[2], ids[3]);
    assert_eq!(bucket.find(&both).await.len(), 2);
    assert!(bucket.delete(&ids[0]).await, "also after it was replaced");
    assert!(bucket.delete(&ids[1]).await, "also after it was changed");
    assert_eq!(bucket.ids("").await, ids[3]);
}

/// An id that differs from a made one in its last character only.
fn another_id(id: &str) -> String {
    let last = if id.ends_with('0') { "1" } else { "0" };
    format!("{}{last}", &id[..id.len() - 1])
}

async fn now_becomes_updated_at(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "updated").await;
    bucket.store_at(r#"[{"_id": "aa"}, {"_id": "bb"}]"#, at("2020-01-01")).await;
    bucket.store_at(r#"{"_id": "aa"}"#, at("2020-01-02")).await;
    let change = patched("bb", "{}");
    engine.change_record(&bucket.name, &record_id("bb"), change, at("2020-01-03")).await.expect("changed");
    let cases = [("2020-01-01", ""), ("2020-01-02", "aa"), ("2020-01-03", "bb")];
    for (day, ids) in cases {
        assert_eq!(bucket.ids(&format!("filter_by=_updated_at:{day}T00:00:00Z")).await, ids, "{day}");
    }
}

async fn a_changed_record_keeps_its_id(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "changed").await;
    bucket
        .store(r#"[{"_id": "aa", "size": 1, "kind": "x", "_timestamp": "2014-01-15"}, {"_id": "bb"}]"#)
        .await;
    assert_eq!(bucket.change("zz", "{}").await, Changed::NotFound);
    let patch = r#"{"size": null, "share": 0.5, "_timestamp": "2014-05-15"}"#;
    assert_eq!(bucket.change("aa", patch).await, Changed::Stored);
    let found = bucket.find("filter_by=_id:aa").await.remove(0);
    for (key, value) in [
        ("size", json!(null)),
        ("kind", json!("x")),
        ("share", json!(0.5)),
        ("_timestamp", json!("2014-05-15T00:00:00+00:00")),
        ("_month_start_at", json!("2014-05-01T00:00:00+00:00")),
    ] {
        assert_eq!(found[key], value, "{key}");
    }
    assert_eq!(bucket.ids("start_at=2014-05-01T00:00:00Z&end_at=2014-06-01T00:00:00Z").await, "aa");
    assert_eq!(bucket.ids("start_at=2014-01-01T00:00:00Z&end_at=2014-02-01T00:00:00Z").await, "");

    let without_id = |stored: &Record| Ok(Record { id: None, ..stored.clone() });
    let done = engine.change_record(&bucket.name, &record_id("aa"), Arc::new(without_id), now()).await;
    assert_eq!(done.expect("a change"), Changed::Stored);
    assert_eq!(bucket.ids("").await, "aa bb");
}

async fn a_change_may_be_refused(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "refused").await;
    bucket.store(r#"[{"_id": "aa", "size": 1}, {"size": 2}]"#).await;
    let before = bucket.find("sort_by=size:ascending").await;
    for record in &before {
        let refused = bucket.change(&id_of(record), r#"{"size": 5, "$key": 1}"#).await;
        assert_eq!(refused, Changed::Refused(vec![InvalidRecord::Key("$key".to_owned())]));
    }
    assert_eq!(bucket.find("sort_by=size:ascending").await, before);
}

async fn changes_of_one_record_all_count(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "contended").await;
    changes_do_not_run_into_each_other(&bucket, &bucket).await;
}

/// Adds one to the same field many times at once, through two engines on one store or through one.
pub(super) async fn changes_do_not_run_into_each_other(one: &TestBucket<'_>, two: &TestBucket<'_>) {
    one.store(r#"[{"_id": "counter", "size": 0}]"#).await;
    tokio::join!(count_up(one), count_up(two), count_up(one), count_up(two));
    assert_eq!(one.find("").await[0]["size"], 20);
}

async fn count_up(bucket: &TestBucket<'_>) {
    let add_one = |stored: &Record| {
        let mut changed = stored.clone();
        if let [(_, Value::Int(size))] = &mut changed.fields[..] {
            *size += 1;
        }
        Ok(changed)
    };
    let counter = record_id("counter");
    for _ in 0..5 {
        let done = bucket.engine.change_record(&bucket.name, &counter, Arc::new(add_one), now()).await;
        assert_eq!(done.expect("a change"), Changed::Stored);
    }
}

async fn a_record_is_deleted_once(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "deleted").await;
    bucket.store(r#"[{"_id": "aa", "size": 1, "_timestamp": "2014-01-01"}, {"_id": "bb", "size": 1}]"#).await;
    assert!(!bucket.delete("cc").await);
    assert!(bucket.delete("aa").await);
    assert!(!bucket.delete("aa").await);
    assert_eq!(bucket.ids("").await, "bb");
    assert_eq!(bucket.rows("group_by=size").await, ["[1] 1"]);
    assert_eq!(bucket.store(r#"{"_id": "aa"}"#).await, Stored { new: 1, replaced: 0 });
    assert!(bucket.delete("aa").await);
    assert!(bucket.delete("bb").await);
    assert!(engine.delete_data(&bucket.name).await.expect("an answer"), "it was written to all the same");
}

async fn an_emptied_bucket_was_written_to(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "emptied").await;
    let empty = || async { engine.empty(&bucket.name).await.expect("an empty bucket") };
    let delete_data = || async { engine.delete_data(&bucket.name).await.expect("an answer") };
    assert!(!delete_data().await, "never written to");
    bucket.store("[]").await;
    assert!(!delete_data().await, "of no records none are stored");
    empty().await;
    assert!(delete_data().await, "emptying it counts");
    assert!(!delete_data().await, "deleted already");
    bucket.store(r#"[{"_id": "aa", "size": 1, "_timestamp": "2014-01-01"}, {"size": 2}]"#).await;
    empty().await;
    assert_eq!(bucket.ids("").await, "");
    assert_eq!(bucket.rows("group_by=size").await, [""; 0]);
    assert_eq!(bucket.store(r#"{"_id": "aa"}"#).await, Stored { new: 1, replaced: 0 });
    assert!(delete_data().await);
    assert_eq!(bucket.ids("").await, "");
    assert!(!delete_data().await);
}

/// Records of some 10,000 bytes each, of which a cap of 35,000 holds three in any encoding.
fn large(ids: &[&str]) -> String {
    let record = |id: &&str| format!(r#"{{"_id": "{id}", "text": "{}"}}"#, "x".repeat(10_000));
    format!("[{}]", ids.iter().map(record).collect::<Vec<_>>().join(","))
}

fn capped(name: &str, realtime: bool) -> BucketConfig {
    BucketConfig { realtime, capped_size: Some(35_000), ..config(name) }
}

async fn only_a_realtime_bucket_is_capped(engine: &dyn StorageEngine) {
    let bucket = TestBucket::configured(engine, capped("cap.none", false)).await;
    bucket.store(&large(&["aa", "bb", "cc", "dd", "ee"])).await;
    assert_eq!(bucket.ids("").await, "aa bb cc dd ee");
}

async fn a_cap_drops_what_was_written_first(engine: &dyn StorageEngine) {
    let bucket = TestBucket::configured(engine, capped("cap.some", true)).await;
    let steps = [
        (&["aa", "bb", "cc"][..], "aa bb cc"),
        (&["dd"], "bb cc dd"),
        (&["bb"], "bb cc dd"),
        // `bb` was written again, so `cc` is the oldest now.
        (&["ee"], "bb dd ee"),
        (&["ff", "gg", "hh", "ii", "jj"], "hh ii jj"),
        (&["kk", "kk", "kk", "kk"], "ii jj kk"),
    ];
    for (sent, kept) in steps {
        bucket.store(&large(sent)).await;
        assert_eq!(bucket.ids("").await, kept, "{sent:?}");
    }
    assert!(bucket.delete("jj").await);
    bucket.store(&large(&["ll"])).await;
    assert_eq!(bucket.ids("").await, "ii kk ll", "what was deleted makes room");
    engine.empty(&bucket.name).await.expect("an empty bucket");
    bucket.store(&large(&["mm", "nn", "oo"])).await;
    assert_eq!(bucket.ids("").await, "mm nn oo", "emptying makes room for all");
}

async fn a_record_larger_than_the_cap_stays_alone(engine: &dyn StorageEngine) {
    let config = BucketConfig { capped_size: Some(5_000), ..capped("cap.small", true) };
    let bucket = TestBucket::configured(engine, config).await;
    bucket.store(&large(&["aa", "bb"])).await;
    assert_eq!(bucket.ids("").await, "bb", "a client was told that it is stored");
    bucket.store(r#"{"_id": "cc"}"#).await;
    assert_eq!(bucket.ids("").await, "cc");
}

async fn a_new_cap_waits_for_the_next_write(engine: &dyn StorageEngine) {
    let bucket = TestBucket::configured(engine, capped("cap.later", false)).await;
    bucket.store(&large(&["aa", "bb", "cc", "dd", "ee"])).await;
    save(engine, capped("cap.later", true)).await;
    assert_eq!(bucket.ids("").await, "aa bb cc dd ee");
    bucket.store(&large(&["ff"])).await;
    assert_eq!(bucket.ids("").await, "dd ee ff");
}

async fn newest_timestamps_are_of_dated_records(engine: &dyn StorageEngine) {
    let buckets = [
        ("newest.zz", r#"[{"_timestamp": "2014-03-01"}, {"_timestamp": "2014-01-01"}, {"size": 1}]"#),
        ("newest.undated", r#"[{"size": 1}]"#),
        ("newest.none", "[]"),
        ("newest.aa", r#"[{"_id": "aa", "_timestamp": "1969-12-31T23:59:59.999Z"}]"#),
    ];
    for (bucket, json) in buckets {
        TestBucket::new(engine, bucket).await.store(json).await;
    }
    let newest = || async {
        let newest = engine.newest_timestamps().await.expect("timestamps");
        let shown = newest.iter().map(|(config, time)| format!("{} {time}", config.name));
        shown.filter(|shown| shown.starts_with("newest.")).collect::<Vec<_>>()
    };
    let zz = "newest.zz 2014-03-01T00:00:00+00:00";
    assert_eq!(newest().await, [zz, "newest.aa 1969-12-31T23:59:59.999+00:00"]);
    let span = async |bucket: &str| engine.time_span(&name(bucket)).await.expect("times");
    assert_eq!(span("newest.zz").await, Some((at("2014-01-01"), at("2014-03-01"))));
    assert_eq!((span("newest.undated").await, span("newest.none").await), (None, None));
    let month = Period::Month;
    let window = Window { period: month, start: at("2014-01-01"), end: at("2014-03-01"), anchor: None };
    let counts = engine.count_by_period(&name("newest.zz"), window).await.expect("counts");
    assert_eq!(counts, [(at("2014-01-01"), 1)], "of the window only");
    assert!(engine.delete_record(&name("newest.aa"), &record_id("aa")).await.expect("deleted"));
    assert_eq!(newest().await, [zz]);
}

async fn records_are_counted(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "count.records").await;
    let count = || async { engine.count(&bucket.name).await.expect("a count") };
    assert_eq!(count().await, 0, "never written to");
    bucket.store(r#"[{"_id": "aa"}, {"_id": "bb"}, {"size": 1}]"#).await;
    assert_eq!(count().await, 3);
    bucket.store(r#"[{"_id": "aa", "size": 2}, {"_id": "cc"}]"#).await;
    assert_eq!(count().await, 4);
    bucket.change("aa", r#"{"size": 3}"#).await;
    assert!(bucket.delete("bb").await);
    assert_eq!(count().await, 3);
    engine.empty(&bucket.name).await.expect("emptied");
    assert_eq!(count().await, 0);
    bucket.store(r#"{"_id": "aa"}"#).await;
    assert_eq!(count().await, 1);
    assert!(engine.delete_data(&bucket.name).await.expect("deleted"));
    assert_eq!(count().await, 0);
}

async fn an_unknown_bucket_is_not_found(engine: &dyn StorageEngine) {
    let (bucket, id) = (name("nowhere"), record_id("aa"));
    let groups = group_query("group_by=size", 10);
    let calls = [
        ("store", engine.store(&bucket, records(r#"{"_id": "aa"}"#), now()).await.map(drop)),
        ("store of nothing", engine.store(&bucket, Vec::new(), now()).await.map(drop)),
        ("change_record", engine.change_record(&bucket, &id, patched("aa", "{}"), now()).await.map(drop)),
        ("delete_record", engine.delete_record(&bucket, &id).await.map(drop)),
        ("empty", engine.empty(&bucket).await),
        ("delete_data", engine.delete_data(&bucket).await.map(drop)),
        ("count", engine.count(&bucket).await.map(drop)),
        ("find", engine.find(&bucket, &record_query("")).await.map(drop)),
        ("aggregate", engine.aggregate(&bucket, &groups).await.map(drop)),
    ];
    for (call, done) in calls {
        assert_eq!(done.map_err(|error| error.kind()), Err(StorageErrorKind::NotFound), "{call}");
    }
}
