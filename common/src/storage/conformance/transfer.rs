//! What a storage engine does when its records go to another store, or come from one.

use tokio::sync::mpsc;

use super::{TestBucket, at, config, name, parse_query, records};
use crate::bucket::BucketConfig;
use crate::storage::{Documents, StorageEngine, StorageErrorKind, Stored, StoredRecord};

pub(super) async fn suite(engine: &dyn StorageEngine) {
    every_record_is_sent_once_in_order(engine).await;
    more_than_one_page_is_sent(engine).await;
    nobody_need_receive_all(engine).await;
    a_restored_record_keeps_its_time_of_writing(engine).await;
    restored_records_are_counted_and_come_last(engine).await;
    a_cap_drops_restored_records_too(engine).await;
    a_bucket_is_written_to_until_its_data_is_deleted(engine).await;
    an_unknown_bucket_is_not_found(engine).await;
}

/// The pages of a bucket.
async fn pages(bucket: &TestBucket<'_>) -> Vec<Documents> {
    let (sender, mut receiver) = mpsc::channel(1);
    let receive = async {
        let mut pages = Vec::new();
        while let Some(page) = receiver.recv().await {
            pages.push(page);
        }
        pages
    };
    let (sent, pages) = tokio::join!(bucket.engine.export(&bucket.name, sender), receive);
    sent.expect("all records");
    pages
}

/// The records of a bucket as they are sent, in their order.
async fn sent(bucket: &TestBucket<'_>) -> Vec<StoredRecord> {
    let pages = pages(bucket).await;
    let documents = pages.iter().flat_map(Documents::iter);
    let never = at("1970-01-01");
    documents.map(|document| document.expect("one").to_stored(never).expect("a record")).collect()
}

fn ids(records: &[StoredRecord]) -> String {
    let ids = records.iter().map(|stored| stored.record.id.as_ref().expect("an id").as_str());
    ids.collect::<Vec<_>>().join(" ")
}

/// Records as a dump has them.
fn stored(json: &str, updated_at: &str) -> Vec<StoredRecord> {
    let updated_at = at(updated_at);
    records(json).into_iter().map(|record| StoredRecord { record, updated_at }).collect()
}

async fn every_record_is_sent_once_in_order(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "sent").await;
    assert!(sent(&bucket).await.is_empty());
    let json = r#"[{"_id": "zz", "_timestamp": "2014-11-19T13:45:59.123Z", "_start_at": "2014-11-19", "aa": 1,
                    "bb": 2.5, "cc": null, "dd": "a\u0000é", "ee": true}, {"_id": "mm"}]"#;
    bucket.store_at(json, at("2020-01-01T00:00:00.001Z")).await;
    bucket.store_at(r#"[{"_id": "aa"}, {"_id": "gone"}, {"_id": "mm"}]"#, at("2019-01-01")).await;
    bucket.change("aa", r#"{"size": 1}"#).await;
    bucket.delete("gone").await;
    let sent = sent(&bucket).await;
    assert_eq!(ids(&sent), "zz mm aa", "what was replaced or changed was written last");
    assert_eq!(sent[0], stored(json, "2020-01-01T00:00:00.001Z")[0]);
    assert_eq!(sent[1], stored(r#"{"_id": "mm"}"#, "2019-01-01")[0]);
}

async fn more_than_one_page_is_sent(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "sent.pages").await;
    let text = "x".repeat(1_000);
    let record = |number: usize| serde_json::json!({"_id": format!("{number:05}"), "text": text});
    for call in 0..10 {
        let some: Vec<_> = (call * 300..(call + 1) * 300).map(record).collect();
        bucket.store(&serde_json::Value::from(some).to_string()).await;
    }
    let pages = pages(&bucket).await;
    assert!(pages.len() > 1 && pages.iter().all(|page| !page.is_empty()), "{} pages", pages.len());
    let expected: Vec<_> = (0..3_000).map(|number| format!("{number:05}")).collect();
    assert_eq!(ids(&sent(&bucket).await), expected.join(" "));
}

async fn nobody_need_receive_all(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "sent.unreceived").await;
    bucket.store(r#"[{"_id": "aa"}, {"_id": "bb"}]"#).await;
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    engine.export(&bucket.name, sender).await.expect("no error");
}

async fn a_restored_record_keeps_its_time_of_writing(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "restored").await;
    let mut given = stored(r#"{"_id": "aa", "_timestamp": "2014-01-01", "kind": "x"}"#, "2001-02-03");
    given.extend(stored(r#"{"_id": "bb"}"#, "2031-02-03T04:05:06.789Z"));
    engine.restore(&bucket.name, given.clone()).await.expect("restored");
    assert_eq!(sent(&bucket).await, given);
    assert_eq!(bucket.find("filter_by=kind:x").await[0]["_updated_at"], "2001-02-03T00:00:00+00:00");
    assert_eq!(bucket.ids("start_at=2014-01-01T00:00:00Z&end_at=2014-01-02T00:00:00Z").await, "aa");
}

async fn restored_records_are_counted_and_come_last(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "restored.counted").await;
    bucket.store(r#"[{"_id": "aa"}, {"_id": "bb"}, {"_id": "cc"}]"#).await;
    let given =
        stored(r#"[{"_id": "bb", "size": 2}, {"_id": "dd"}, {"_id": "dd", "size": 4}]"#, "2000-01-01");
    let done = engine.restore(&bucket.name, given).await.expect("restored");
    assert_eq!(done, Stored { new: 1, replaced: 2 });
    assert_eq!(ids(&sent(&bucket).await), "aa cc bb dd");
    assert_eq!(bucket.find("filter_by=_id:dd").await[0]["size"], 4);
    let done = engine.restore(&bucket.name, Vec::new()).await.expect("nothing restored");
    assert_eq!(done, Stored::default());
}

async fn a_cap_drops_restored_records_too(engine: &dyn StorageEngine) {
    let capped = BucketConfig { realtime: true, capped_size: Some(1_000), ..config("restored.capped") };
    let bucket = TestBucket::configured(engine, capped).await;
    let record = |number: usize| serde_json::json!({"_id": format!("{number:03}"), "text": "x".repeat(100)});
    let many = serde_json::Value::from((0..100).map(record).collect::<Vec<_>>()).to_string();
    let done = engine.restore(&bucket.name, stored(&many, "2000-01-01")).await.expect("restored");
    assert_eq!(done, Stored { new: 100, replaced: 0 }, "all were stored, then some dropped");
    let kept = ids(&sent(&bucket).await);
    assert!(kept.ends_with("098 099") && !kept.contains("050"), "{kept}");
}

async fn a_bucket_is_written_to_until_its_data_is_deleted(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "written").await;
    let is_written = || async { engine.is_written(&bucket.name).await.expect("an answer") };
    assert!(!is_written().await);
    bucket.store("[]").await;
    assert!(!is_written().await, "nothing was written");
    engine.restore(&bucket.name, stored(r#"{"_id": "aa"}"#, "2000-01-01")).await.expect("restored");
    assert!(is_written().await);
    assert!(engine.delete_data(&bucket.name).await.expect("deleted"));
    assert!(!is_written().await);
    engine.empty(&bucket.name).await.expect("emptied");
    assert!(is_written().await);
}

async fn an_unknown_bucket_is_not_found(engine: &dyn StorageEngine) {
    let bucket = name("nowhere");
    let (sender, _receiver) = mpsc::channel(1);
    let query = parse_query("group_by=size", 10);
    let calls = [
        ("is_written", engine.is_written(&bucket).await.map(drop)),
        ("export", engine.export(&bucket, sender).await),
        ("restore", engine.restore(&bucket, stored(r#"{"_id": "aa"}"#, "2000-01-01")).await.map(drop)),
        ("restore of nothing", engine.restore(&bucket, Vec::new()).await.map(drop)),
        ("explain", engine.explain(&bucket, &query).await.map(drop)),
    ];
    for (call, done) in calls {
        assert_eq!(done.map_err(|error| error.kind()), Err(StorageErrorKind::NotFound), "{call}");
    }
}
