//! The records that a query finds, page by page.

use std::fmt::Write;

use super::{TestBucket, record_query};
use crate::room::Room;
use crate::storage::{
    Documents, NamesSeen, PAGE_BYTES, RecordPages, StorageEngine, StorageError, WantedNames,
};

/// How many records there are; some pages of them.
const RECORDS: usize = 3000;

pub(super) async fn suite(engine: &dyn StorageEngine) {
    let bucket = large_bucket(engine, "pages").await;
    all_pages_together_are_the_answer(&bucket).await;
    names_come_before_the_records(&bucket).await;
    what_is_small_is_one_page(&bucket).await;
    who_receives_nothing_is_left_alone(&bucket).await;
    what_was_there_all_the_while_comes_once(&bucket).await;
}

/// A bucket with some pages of records.
pub(crate) async fn large_bucket<'e>(engine: &'e dyn StorageEngine, name: &str) -> TestBucket<'e> {
    let bucket = TestBucket::new(engine, name).await;
    let mut json = String::from("[");
    for number in 0..RECORDS {
        let (kind, size) = (number % 2, number * 7 % RECORDS);
        let second = number % 60;
        let text = "x".repeat(100);
        let _ = write!(
            json,
            r#"{{"_id": "r{number:04}", "_timestamp": "2014-01-01T00:00:{second:02}Z", "kind": "k{kind}",
            "size": {size}, "f{}": "{text}"}},"#,
            number / 1000
        );
    }
    json.pop();
    bucket.store(&(json + "]")).await;
    bucket
}

/// The pages of a query.
pub(crate) async fn pages(
    bucket: &TestBucket<'_>,
    query: &str,
    names: WantedNames,
) -> Result<RecordPages, StorageError> {
    let room = Room::endless().reserve();
    bucket.engine.find_pages(&bucket.name, &record_query(query), names, room).await
}

/// How many pages are left, and all of the records on them.
pub(crate) async fn rest(pages: &mut RecordPages) -> Result<(usize, Documents), StorageError> {
    let (mut count, mut all) = (0, Documents::default());
    while let Some(page) = pages.next().await? {
        assert!(page.bytes() < PAGE_BYTES + 1000, "{}", page.bytes());
        count += 1;
        all.append(&page);
    }
    Ok((count, all))
}

/// The ids of some records.
fn ids(documents: &Documents) -> Vec<String> {
    let id = |document: crate::storage::Document<'_>| {
        document.get("_id").expect("a field").map(|id| format!("{id:?}")).expect("an id")
    };
    documents.iter().map(|document| id(document.expect("a document"))).collect()
}

async fn all_pages_together_are_the_answer(bucket: &TestBucket<'_>) {
    for (query, expected) in [
        ("", RECORDS),
        ("sort_by=_timestamp:descending", RECORDS),
        ("sort_by=_timestamp:ascending&limit=2000", 2000),
        ("sort_by=size:ascending", RECORDS),
        ("sort_by=size:descending&filter_by=kind:k1", RECORDS / 2),
        ("filter_by=kind:k0", RECORDS / 2),
        ("filter_by=kind:k0&limit=1200", 1200),
        ("start_at=2014-01-01T00:00:00Z&end_at=2014-01-01T00:00:30Z", RECORDS / 2),
        ("sort_by=_id:descending", RECORDS),
        ("filter_by=_updated_at:nothing", 0),
    ] {
        for names in [WantedNames::None, WantedNames::All] {
            let mut pages = pages(bucket, query, names).await.expect(query);
            assert_eq!(pages.is_whole(), expected == 0, "{query}");
            let (count, documents) = rest(&mut pages).await.expect(query);
            assert_eq!((documents.len(), count > 1), (expected, expected > 0), "{query}");
            let whole = bucket.engine.find(&bucket.name, &record_query(query)).await.expect(query);
            assert_eq!(ids(&documents), ids(&whole), "{query}");
        }
    }
    let sorted = bucket.find("sort_by=size:ascending").await;
    assert!(sorted.iter().map(|record| record["size"].as_u64()).eq((0..RECORDS as u64).map(Some)));
}

async fn names_come_before_the_records(bucket: &TestBucket<'_>) {
    let mut all = pages(bucket, "sort_by=_timestamp:ascending", WantedNames::All).await.expect("pages");
    let names = all.names().expect("names");
    let mut seen = NamesSeen::default();
    let (_, documents) = rest(&mut all).await.expect("records");
    documents.iter().for_each(|document| seen.add(document.expect("a document")).expect("a few names"));
    assert_eq!(names, seen.into_names());
    assert!(["f0", "f1", "f2", "_week_start_at", "_id"].iter().all(|name| names.contains(*name)));
    let few = pages(bucket, "filter_by=size:5", WantedNames::All).await.expect("pages").names();
    assert_eq!(few, None, "whoever has all records can look");
}

async fn what_is_small_is_one_page(bucket: &TestBucket<'_>) {
    for query in ["limit=3", "filter_by=size:5", "filter_by=_id:r0001", "sort_by=size:descending&limit=10"] {
        let pages = pages(bucket, query, WantedNames::None).await.expect(query);
        assert!(pages.is_whole() && !pages.is_empty(), "{query}");
    }
}

async fn who_receives_nothing_is_left_alone(bucket: &TestBucket<'_>) {
    for query in ["", "sort_by=size:ascending"] {
        for _ in 0..40 {
            drop(pages(bucket, query, WantedNames::None).await);
        }
    }
    assert_eq!(bucket.find("limit=1").await.len(), 1);
}

async fn what_was_there_all_the_while_comes_once(bucket: &TestBucket<'_>) {
    let mut pages = pages(bucket, "", WantedNames::None).await.expect("pages");
    let first = pages.next().await.expect("a page").expect("records");
    bucket.store(r#"[{"_id": "new", "kind": "k0"}]"#).await;
    let (_, others) = rest(&mut pages).await.expect("records");
    let mut found = [ids(&first), ids(&others)].concat();
    found.retain(|id| !id.contains("new"));
    let count = found.len();
    found.sort_unstable();
    found.dedup();
    assert_eq!((count, found.len()), (RECORDS, RECORDS));
}
