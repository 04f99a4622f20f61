//! Columnar views against the scan: while one engine writes, others on the same file answer every query
//! alike, with views of any size and without.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseResult, TestError, TestRunner};

use super::histories::{Asked, Write, asked, write};
use super::properties::{answer, is_alike, runtime};
use super::{TestBucket, at, config, name, record_id, save};
use crate::bucket::{BucketConfig, BucketName};
use crate::record::Record;
use crate::storage::sqlite::ViewLimits;
use crate::storage::{SqliteEngine, StorageEngine, StorageErrorKind};

/// How many histories a run tries.
const HISTORIES: u32 = 120;

/// What happens to one of two buckets.
#[derive(Clone, Debug)]
enum Step {
    Write(Write),
    DeleteData,
    /// The bucket drops its oldest records beyond so many bytes, or does not any more.
    Cap(Option<u64>),
    /// The bucket is deleted, and there is a new one of that name.
    Recreate,
    Ask(Asked),
}

fn step() -> impl Strategy<Value = (bool, Step)> {
    let step = prop_oneof![
        20 => write().prop_map(Step::Write),
        1 => Just(Step::DeleteData),
        2 => prop::option::of(200_u64..3000).prop_map(Step::Cap),
        1 => Just(Step::Recreate),
        30 => asked().prop_map(Step::Ask),
    ];
    (prop::bool::weighted(0.2), step)
}

/// The engines that answer: the first by the scan alone, the others from views.
fn readers(path: &std::path::Path) -> Vec<SqliteEngine> {
    let testing = ViewLimits::for_testing();
    let all = [
        ViewLimits::none(),
        testing,
        // So small that columns are left out, views of other buckets dropped, or no view fits at all.
        ViewLimits { max_bytes: 6000, ..testing },
        ViewLimits { max_bytes: 2500, ..testing },
        // As in production, but for how much is found through an index.
        ViewLimits { few: 3, ..ViewLimits::new(1 << 20) },
    ];
    all.map(|limits| SqliteEngine::with_view_limits(path, limits).expect("a database")).into()
}

#[test]
fn views_answer_like_the_scan_while_others_write() {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("backdrop.db");
    let writer = SqliteEngine::open(&path).expect("a database");
    let readers = readers(&path);
    let settings = Config { cases: HISTORIES, failure_persistence: None, ..Config::default() };
    let check = |steps| runtime.block_on(check(&writer, &readers, steps));
    match TestRunner::new(settings).run(&prop::collection::vec(step(), 4..60), check) {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => panic!("{reason}\n{steps:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

async fn check(writer: &SqliteEngine, readers: &[SqliteEngine], steps: Vec<(bool, Step)>) -> TestCaseResult {
    for bucket in ["one", "other"] {
        recreate(writer, &name(bucket)).await;
    }
    for (is_other, step) in steps {
        let bucket = name(if is_other { "other" } else { "one" });
        match step {
            Step::Ask(asked) => compare(readers, &bucket, &asked).await?,
            Step::Write(write) => apply(writer, &bucket, write).await,
            Step::DeleteData => drop(writer.delete_data(&bucket).await.expect("an answer")),
            Step::Cap(capped_size) => {
                save(writer, BucketConfig { realtime: true, capped_size, ..BucketConfig::new(bucket) }).await;
            }
            Step::Recreate => recreate(writer, &bucket).await,
        }
    }
    Ok(())
}

async fn recreate(writer: &SqliteEngine, bucket: &BucketName) {
    writer.delete_bucket(bucket).await.expect("an answer");
    save(writer, config(bucket.as_str())).await;
}

async fn apply(writer: &SqliteEngine, bucket: &BucketName, write: Write) {
    let now = at("2020-01-01");
    let id = |index: Index| record_id(["r0", "r1", "r2", "r3", "s4", "s5"][index.index(6)]);
    match write {
        Write::Store(records) => drop(writer.store(bucket, records, now).await.expect("stored")),
        Write::Change(index, value, timestamp) => {
            let change = move |stored: &Record| {
                let mut changed = Record { timestamp, ..stored.clone() };
                changed.set("place", value.clone());
                Ok(changed)
            };
            drop(writer.change_record(bucket, &id(index), Arc::new(change), now).await.expect("an answer"));
        }
        Write::Delete(index) => drop(writer.delete_record(bucket, &id(index)).await.expect("an answer")),
        Write::Empty => writer.empty(bucket).await.expect("an empty bucket"),
    }
}

async fn compare(readers: &[SqliteEngine], bucket: &BucketName, asked: &Asked) -> TestCaseResult {
    let text = asked.text.replace("{first}", "r1");
    let Some(query) = asked.query(&text)? else { return Ok(()) };
    let mut answers = Vec::new();
    for reader in readers {
        answers.push(answer(&TestBucket { engine: reader, name: bucket.clone() }, &query).await);
    }
    for (place, found) in answers.iter().enumerate() {
        let same = match (found, &answers[0]) {
            (Some(found), Some(expected)) => is_alike(found, expected),
            (found, expected) => found == expected,
        };
        prop_assert!(same, "{}\nreader {}: {:?}\nthe scan: {:?}", text, place, found, answers[0]);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_never_in_a_view_is_answered_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("backdrop.db");
    let engine = SqliteEngine::with_view_limits(&path, ViewLimits::for_testing()).expect("a database");
    let bucket = TestBucket::new(&engine, "foo").await;
    bucket.store(r#"[{"_id": "a1", "size": 1}, {"_id": "b2", "size": 2}]"#).await;
    assert_eq!(bucket.ids("filter_by_prefix=_id:a").await, "a1");
    assert_eq!(bucket.ids("sort_by=_updated_at:ascending&filter_by=size:2").await, "b2");
    assert!(engine.delete_bucket(&bucket.name).await.expect("an answer"));
    let gone = bucket.aggregate("group_by=size", 10).await.map(drop).map_err(|error| error.kind());
    assert_eq!(gone, Err(StorageErrorKind::NotFound));
}
