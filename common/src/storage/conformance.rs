//! The suite that every storage engine passes: the sentences of the contract on [`StorageEngine`],
//! each checked through the trait alone.
//!
//! Every check has buckets of its own, so that all of them run on one engine one after the other.
//! Records are given as the JSON that a client sends, queries as query strings.
//!
//! ```text
//! conformance.rs ── buckets     saving and deleting buckets and users
//!               ├── tokens      the tokens of buckets
//!               ├── audit       the audit log
//!               ├── sessions    the ends of sessions
//!               ├── records     storing, changing and deleting records
//!               ├── queries     finding and aggregating
//!               ├── pages       finding, page by page
//!               ├── transfer    sending all records to another store, and taking them
//!               ├── interleavings   columnar views against the scan, while others write
//!               ├── properties  engines against the model ← model, histories
//!               └── server      the MongoDB server of the tests
//! ```

mod audit;
mod buckets;
mod histories;
mod interleavings;
mod model;
pub(crate) mod pages;
mod properties;
mod queries;
mod records;
pub(crate) mod server;
mod sessions;
mod tokens;
mod transfer;

use std::sync::Arc;

use serde_json::Value as Json;

use crate::aggregate::{Partial, Reduced};
use crate::bucket::{Bucket, BucketAddress, BucketConfig, BucketName, TokenChange};
use crate::query::args::{QueryArgs, QueryContext};
use crate::query::{CollectMethod, GroupQuery, Query, RecordQuery};
use crate::record::checks::{check_patch, check_records};
use crate::record::sent::SentBody;
use crate::record::{Record, RecordId};
use crate::storage::{
    BucketSave, Changed, CollectedField, Document, RecordChange, Row, StorageEngine, StorageError, Stored,
};
use crate::timestamp::Timestamp;
use crate::user::User;

/// Checks everything that one engine must do.
pub(crate) async fn suite(engine: &dyn StorageEngine) {
    engine.ping().await.expect("a store that can be reached");
    buckets::suite(engine).await;
    tokens::suite(engine).await;
    audit::suite(engine).await;
    sessions::suite(engine).await;
    records::suite(engine).await;
    queries::suite(engine).await;
    pages::suite(engine).await;
    transfer::suite(engine).await;
}

/// Checks that what one engine wrote is seen by another on the same store from then on, as the two
/// apps need it. The reader looks before each write too, so that it cannot answer from memory.
pub(crate) async fn writes_are_seen_by_another(writer: &dyn StorageEngine, reader: &dyn StorageEngine) {
    assert!(bucket_named(reader, "seen").await.is_none());
    let written = TestBucket::new(writer, "seen").await;
    let seen = TestBucket { engine: reader, name: name("seen") };
    assert!(bucket_named(reader, "seen").await.is_some());
    assert_eq!(seen.ids("").await, "");

    written.store(r#"[{"_id": "aa", "size": 1}, {"_id": "bb", "size": 2}]"#).await;
    assert_eq!(seen.ids("").await, "aa bb");
    assert_eq!(seen.rows("group_by=size").await, ["[1] 1", "[2] 1"]);
    written.change("bb", r#"{"size": 1}"#).await;
    assert_eq!(seen.rows("group_by=size").await, ["[1] 2"]);
    assert!(written.delete("aa").await);
    assert_eq!(seen.ids("").await, "bb");
    writer.empty(&written.name).await.expect("an empty bucket");
    assert_eq!(seen.ids("").await, "");
    written.store(r#"{"_id": "cc"}"#).await;
    assert_eq!(seen.ids("").await, "cc");
    assert!(writer.delete_data(&written.name).await.expect("no data"));
    assert_eq!(seen.ids("").await, "");
    assert!(!reader.delete_data(&written.name).await.expect("no data"), "it is deleted already");

    let user = User { email: "reader@seen".to_owned(), buckets: vec![written.name.clone()] };
    writer.save_users(vec![user.clone()]).await.expect("a saved user");
    assert!(reader.users().await.expect("users").contains(&user));
    records::changes_do_not_run_into_each_other(&written, &seen).await;
    assert!(writer.delete_bucket(&written.name).await.expect("a deleted bucket"));
    assert!(bucket_named(reader, "seen").await.is_none());
}

/// Checks that buckets of which some are damaged, and one called `good` is not, are listed as they are, and mended
/// by saving them anew, with their records.
pub(crate) async fn unreadable_buckets_are_apart(engine: &dyn StorageEngine, damaged: &[&str]) {
    let names = async || -> Vec<String> {
        let buckets = engine.buckets().await.expect("buckets");
        buckets.iter().map(|bucket| bucket.name().to_string()).collect()
    };
    assert_eq!(names().await, ["good"]);
    let unreadable = engine.unreadable_buckets().await.expect("the others");
    assert_eq!(unreadable.iter().map(|bucket| bucket.name.as_str()).collect::<Vec<_>>(), damaged);
    assert!(unreadable.iter().all(|bucket| !bucket.fault.is_empty()), "{unreadable:?}");
    let newest = engine.newest_timestamps().await.expect("times");
    assert_eq!(newest.len(), 1, "{newest:?}");
    for damaged in damaged {
        let token = TokenChange::Set(crate::token::TokenHash::new(&"a-new-token".to_owned().into()));
        engine.save_buckets(vec![BucketSave::new(config(damaged), token)]).await.expect("mended");
        assert_eq!(TestBucket { engine, name: name(damaged) }.ids("").await, "one");
    }
    assert_eq!(names().await.len(), damaged.len() + 1);
    assert_eq!(engine.unreadable_buckets().await.expect("none"), []);
}

/// A bucket of a check.
pub(crate) struct TestBucket<'e> {
    pub(crate) engine: &'e dyn StorageEngine,
    pub(crate) name: BucketName,
}

impl<'e> TestBucket<'e> {
    /// A new bucket with the default configuration.
    pub(crate) async fn new(engine: &'e dyn StorageEngine, name: &str) -> Self {
        Self::configured(engine, config(name)).await
    }

    /// A new bucket with that configuration.
    pub(crate) async fn configured(engine: &'e dyn StorageEngine, config: BucketConfig) -> Self {
        let name = config.name.clone();
        save(engine, config).await;
        Self { engine, name }
    }

    /// Stores records as a client sends them.
    pub(crate) async fn store(&self, json: &str) -> Stored {
        self.store_at(json, now()).await
    }

    pub(crate) async fn store_at(&self, json: &str, now: Timestamp) -> Stored {
        self.engine.store(&self.name, records(json), now).await.expect(json)
    }

    /// Changes a record as a PATCH does.
    pub(crate) async fn change(&self, id: &str, patch: &str) -> Changed {
        let change = patched(id, patch);
        self.engine.change_record(&self.name, &record_id(id), change, now()).await.expect(patch)
    }

    pub(crate) async fn delete(&self, id: &str) -> bool {
        self.engine.delete_record(&self.name, &record_id(id)).await.expect(id)
    }

    /// The records that a query finds, as a client sees them.
    pub(crate) async fn find(&self, query: &str) -> Vec<Json> {
        let found = self.engine.find(&self.name, &record_query(query)).await.expect(query);
        let shown = |found: Result<Document<'_>, _>| serde_json::to_value(found.expect("a document"));
        found.iter().map(|found| shown(found).expect("JSON")).collect()
    }

    /// The ids of the records that a query finds. Where it sorts nothing their order is not
    /// promised, so they are sorted here.
    pub(crate) async fn ids(&self, query: &str) -> String {
        let mut ids: Vec<String> = self.find(query).await.iter().map(id_of).collect();
        if !query.contains("sort_by") {
            ids.sort_unstable();
        }
        ids.join(" ")
    }

    /// The rows of a query, sorted, as [`shown_row`] shows them.
    pub(crate) async fn rows(&self, query: &str) -> Vec<String> {
        let rows = self.aggregate(query, 1000).await.expect(query);
        let fields = group_query(query, 1000).collected_fields();
        let mut shown: Vec<String> = rows.iter().map(|row| shown_row(row, &fields)).collect();
        shown.sort_unstable();
        shown
    }

    pub(crate) async fn aggregate(&self, query: &str, max_rows: usize) -> Result<Vec<Row>, StorageError> {
        self.engine.aggregate(&self.name, &group_query(query, max_rows)).await
    }
}

/// A row as `[keys] start count`, then `values/sum/set` for each collected field; what is not
/// wanted, or cannot be added up, is left out.
fn shown_row(row: &Row, fields: &[CollectedField]) -> String {
    let keys: Vec<String> = row.keys.iter().map(json_of).collect();
    let start = row.start.map(|start| format!("{start} ").replace("T00:00:00+00:00", ""));
    let collected: Vec<String> =
        row.collected.iter().zip(fields).map(|(partial, field)| shown_partial(partial, field)).collect();
    format!("[{}] {}{} {}", keys.join(","), start.unwrap_or_default(), row.count, collected.join(" "))
        .trim_end()
        .to_owned()
}

fn shown_partial(partial: &Partial, field: &CollectedField) -> String {
    let shown = |is_wanted: bool, method| match partial.reduce(method) {
        Ok(Reduced::Value(value)) if is_wanted => json_of(&value),
        Ok(Reduced::Set(values)) if is_wanted => json_of(&values),
        _ => String::new(),
    };
    let (count, sum) =
        (shown(field.wants_count, CollectMethod::Count), shown(field.wants_sum, CollectMethod::Sum));
    format!("{count}/{sum}/{}", shown(field.wants_set, CollectMethod::Set))
}

fn json_of(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("JSON")
}

fn id_of(record: &Json) -> String {
    record["_id"].as_str().expect("an id that is text").to_owned()
}

/// The time at which records are stored where a check does not say another.
fn now() -> Timestamp {
    at("2020-02-02T02:02:02Z")
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

fn name(text: &str) -> BucketName {
    BucketName::parse(text).expect("a bucket's name")
}

fn record_id(text: &str) -> RecordId {
    RecordId::parse(text).expect("a record's id")
}

fn config(text: &str) -> BucketConfig {
    BucketConfig::new(name(text))
}

/// A configuration with a second address.
fn addressed(name: &str, data_group: &str, data_type: &str) -> BucketConfig {
    let (data_group, data_type) = (Some(data_group.to_owned()), Some(data_type.to_owned()));
    BucketConfig { data_group, data_type, ..config(name) }
}

async fn save(engine: &dyn StorageEngine, config: BucketConfig) {
    let save = BucketSave::new(config, TokenChange::Keep);
    engine.save_buckets(vec![save]).await.expect("a saved bucket");
}

async fn bucket_at(engine: &dyn StorageEngine, data_group: &str, data_type: &str) -> Option<Bucket> {
    let (data_group, data_type) = (data_group.to_owned(), data_type.to_owned());
    engine.bucket(&BucketAddress::DataType { data_group, data_type }).await.expect("an answer")
}

async fn bucket_named(engine: &dyn StorageEngine, text: &str) -> Option<Bucket> {
    engine.bucket(&BucketAddress::Name(name(text))).await.expect("an answer")
}

/// The records of a body.
pub(crate) fn records(json: &str) -> Vec<Record> {
    let sent = SentBody::parse(json.as_bytes()).expect(json).into_records();
    check_records(&sent, &[], None).expect(json)
}

/// The change that a PATCH asks for.
fn patched(id: &str, patch: &str) -> RecordChange {
    let (id, patch) = (record_id(id), patch.to_owned());
    Arc::new(move |stored| {
        let sent = SentBody::parse(patch.as_bytes()).expect("a PATCH").into_records();
        check_patch(&id, stored, &sent[0], None)
    })
}

pub(crate) fn record_query(text: &str) -> RecordQuery {
    match parse_query(text, 1000) {
        Query::Records(query) => query,
        Query::Groups(_) => panic!("{text} asks for groups"),
    }
}

fn group_query(text: &str, max_rows: usize) -> GroupQuery {
    match parse_query(text, max_rows) {
        Query::Groups(query) => query,
        Query::Records(_) => panic!("{text} asks for records"),
    }
}

pub(crate) fn parse_query(text: &str, max_rows: usize) -> Query {
    let context = QueryContext { raw_queries_allowed: true, now: at("2014-06-18T12:30"), max_rows };
    QueryArgs::parse(text).and_then(|args| args.into_query(&context)).expect(text)
}
