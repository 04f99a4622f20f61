//! The engine against a server.

use std::sync::Mutex;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document};
use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;
use mongodb::options::{ClientOptions, ServerMonitoringMode};
use serde_json::Value as Json;

use super::*;
use crate::storage::Migration;
use crate::storage::conformance::{self, TestBucket, server::mongo_url};

/// An engine on a database of its own.
pub(in crate::storage) struct TestDatabase {
    pub(in crate::storage) engine: MongoEngine,
    url: MongoUrl,
}

impl TestDatabase {
    pub(in crate::storage) async fn new(test: &str) -> Self {
        let url = mongo_url(test);
        Self { engine: open(&url).await, url }
    }

    /// Drops the database.
    pub(in crate::storage) async fn drop(self) {
        self.engine.connection.database.drop().await.expect("a dropped database");
    }

    fn collection(&self, name: &str) -> mongodb::Collection<Document> {
        self.engine.connection.database.collection(name)
    }

    fn bucket(&self, name: &str) -> TestBucket<'_> {
        TestBucket { engine: &self.engine, name: BucketName::parse(name).expect("a name") }
    }

    /// A new bucket.
    async fn save(&self, name: &str) -> TestBucket<'_> {
        TestBucket::new(&self.engine, name).await
    }

    async fn ids(&self, query: &str) -> String {
        self.bucket("licensing").ids(query).await
    }

    async fn rows(&self, query: &str) -> Vec<String> {
        self.bucket("licensing").rows(query).await
    }

    async fn find(&self, query: &str) -> Vec<Json> {
        self.bucket("licensing").find(query).await
    }

    /// What is reported of migrations.
    async fn migrations(&self, mode: MigrationMode) -> Vec<String> {
        let reported = Mutex::new(Vec::new());
        let report = |Migration { number, name, done, total }| {
            reported.lock().expect("no panic").push(format!("{number}: {name} {done}/{total}"));
        };
        self.engine.migrate(mode, &report).await.expect("migrated");
        reported.into_inner().expect("no panic")
    }
}

async fn open(url: &MongoUrl) -> MongoEngine {
    MongoEngine::open(url, &StorageOptions::default()).await.expect("an engine")
}

#[tokio::test]
async fn conforms() {
    let database = TestDatabase::new("conforms").await;
    conformance::suite(&database.engine).await;
    database.drop().await;
}

/// As on a single server: each command is atomic by itself, and what is refused changes nothing.
#[tokio::test]
async fn conforms_without_transactions() {
    let mut database = TestDatabase::new("commands").await;
    database.engine.connection.atomicity = Atomicity::Commands;
    conformance::suite(&database.engine).await;
    database.drop().await;
}

#[tokio::test]
async fn two_engines_on_one_database_see_each_others_writes() {
    let database = TestDatabase::new("two-engines").await;
    let reader = open(&database.url).await;
    conformance::writes_are_seen_by_another(&database.engine, &reader).await;
    database.drop().await;
}

#[tokio::test]
async fn one_bucket_that_cannot_be_read_takes_no_list_along() {
    let database = TestDatabase::new("unreadable").await;
    for name in ["good", "broken", "torn"] {
        let bucket = database.save(name).await;
        bucket.store(r#"{"_timestamp": "2014-01-01", "_id": "one"}"#).await;
    }
    let buckets = database.engine.connection.database.collection::<Document>("buckets");
    for (name, damage) in [("broken", doc! { "capped_size": "x" }), ("torn", doc! { "token_hash": "x" })] {
        buckets.update_one(doc! { "_id": name }, doc! { "$set": damage }).await.expect("damage");
    }
    conformance::unreadable_buckets_are_apart(&database.engine, &["broken", "torn"]).await;
    database.drop().await;
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let database = TestDatabase::new("newer").await;
    let newer = doc! { "_id": "layout", "version": layout::VERSION + 1 };
    database.collection("_backdrop").insert_one(newer).await.expect("a version");
    let refused = MongoEngine::open(&database.url, &StorageOptions::default()).await.map(drop);
    assert_eq!(
        refused.expect_err("it is newer").to_string(),
        "the store failed: the database is of version 4; this program knows versions up to 3"
    );
    database.drop().await;
}

#[tokio::test]
async fn a_new_database_is_up_to_date() {
    let database = TestDatabase::new("new").await;
    assert_eq!(layout::version(&database.engine.connection.database).await.ok(), Some(0));
    database.save("foo").await;
    assert_eq!(layout::version(&database.engine.connection.database).await.ok(), Some(layout::VERSION));
    assert_eq!(database.migrations(MigrationMode::DryRun).await, [""; 0]);
    database.drop().await;
}

/// Records as the original Backdrop stored them: one without an id, one before there were quarters,
/// one without a time; and one that lacks everything.
fn original_records() -> Vec<Document> {
    let date = |text: &str| selection::date(Timestamp::parse(text).expect("a time"));
    let updated = date("2014-05-01T10:00:00Z");
    vec![
        doc! { "_id": ObjectId::parse_str(MADE).expect("an id"), "_timestamp": date("2014-03-10T05:00:00Z"),
        "_day_start_at": date("2014-03-10"), "_hour_start_at": date("2014-03-10T05:00:00Z"),
        "_week_start_at": date("2014-03-10"), "_month_start_at": date("2014-03-01"),
        "_quarter_start_at": date("2014-01-01"), "_year_start_at": date("2014-01-01"),
        "_updated_at": updated, "size": 3, "kind": "a" },
        doc! { "_id": "old", "_timestamp": date("2014-03-31T23:00:00Z"), "_week_start_at": date("2014-03-31"),
        "_month_start_at": date("2014-03-01"), "_updated_at": updated, "size": 2.5, "kind": "a" },
        doc! { "_id": "undated", "_updated_at": updated, "size": Bson::Null, "kind": "b" },
        doc! { "_id": "bare", "_timestamp": date("2014-04-01"), "kind": "a" },
    ]
}

const MADE: &str = "53f1c1f5e4b0a1b2c3d4e5f6";

/// A database of the original Backdrop, with a bucket and somebody who may see it.
async fn original(test: &str) -> TestDatabase {
    let database = TestDatabase::new(test).await;
    let bucket = doc! {
        "_id": "licensing", "name": "licensing", "data_group": "licensing", "data_type": "journey",
        "bearer_token": "licensing-token", "raw_queries_allowed": true, "queryable": true,
        "realtime": false, "capped_size": 5040, "auto_ids": Bson::Null, "upload_format": "csv",
        "upload_filters": ["backdrop.core.upload.filters.first_sheet_filter"], "max_age_expected": 2_678_400.0,
        "published": true,
    };
    database.collection("buckets").insert_one(bucket).await.expect("a bucket");
    let user = doc! { "_id": "ann@example.org", "email": "ann@example.org", "buckets": ["licensing"] };
    database.collection("users").insert_one(user).await.expect("a user");
    database.collection("licensing").insert_many(original_records()).await.expect("records");
    database
}

#[tokio::test]
async fn a_database_of_the_original_is_read_as_it_is() {
    let database = original("original").await;
    let engine = &database.engine;
    let bucket = engine.buckets().await.expect("buckets").remove(0);
    assert!(bucket.tokens.allows("licensing-token", Timestamp::MIN));
    assert_eq!(engine.users().await.expect("users")[0].buckets, [bucket.config.name]);

    assert_eq!(database.ids("").await, format!("{MADE} bare old undated"));
    assert_eq!(database.ids(&format!("filter_by=_id:{MADE}")).await, MADE);
    assert_eq!(database.ids("sort_by=_timestamp:ascending").await, format!("undated {MADE} old bare"));
    let months = "period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-07-01T00:00:00Z";
    assert_eq!(database.rows(months).await, ["[] 2014-03-01 2", "[] 2014-04-01 1"]);
    let quarters = months.replace("month", "quarter");
    assert_eq!(database.rows(&quarters).await, ["[] 2014-01-01 2", "[] 2014-04-01 1"]);
    assert_eq!(database.rows("group_by=kind&collect=size:sum").await, [r#"["a"] 3 /5.5/"#, r#"["b"] 1 //"#]);
    database.drop().await;
}

#[tokio::test]
async fn a_record_without_an_id_of_its_own_is_changed_replaced_and_deleted() {
    let database = original("object-ids").await;
    let bucket = database.bucket("licensing");
    assert_eq!(bucket.change(MADE, r#"{"size": 4}"#).await, Changed::Stored);
    assert_eq!(bucket.change(MADE, r#"{"size": 5}"#).await, Changed::Stored);
    assert_eq!(database.ids("filter_by=size:5").await, MADE);
    assert!(bucket.delete(MADE).await);
    assert!(!bucket.delete(MADE).await);
    database.collection("licensing").insert_many([original_records().remove(0)]).await.expect("a record");
    let stored = bucket.store(&format!(r#"[{{"_id": "{MADE}", "size": 6}}, {{"_id": "new"}}]"#)).await;
    assert_eq!(stored, Stored { new: 1, replaced: 1 });
    assert_eq!(database.ids("").await, format!("{MADE} bare new old undated"));
    database.drop().await;
}

#[tokio::test]
async fn migrations_complete_a_database_of_the_original() {
    let database = original("migrated").await;
    let expected = [
        "1: keep bearer tokens as hashes only 0/1",
        "2: give records their periods and _updated_at 0/2",
        "3: make the indexes 0/1",
    ];
    assert_eq!(database.migrations(MigrationMode::DryRun).await, expected);
    assert_eq!(database.migrations(MigrationMode::DryRun).await, expected, "nothing was done");
    let before = database.find("sort_by=_id:ascending").await;
    assert_eq!(
        database.migrations(MigrationMode::Run).await,
        [
            "1: keep bearer tokens as hashes only 0/1",
            "1: keep bearer tokens as hashes only 1/1",
            "2: give records their periods and _updated_at 0/2",
            "2: give records their periods and _updated_at 2/2",
            "3: make the indexes 0/1",
            "3: make the indexes 1/1",
        ]
    );
    assert_eq!(database.migrations(MigrationMode::Run).await, [""; 0], "nothing is left to do");

    let bucket = database.collection("buckets").find_one(doc! {}).await.expect("an answer");
    assert!(!bucket.expect("a bucket").to_string().contains("licensing-token"));
    let bucket = database.engine.buckets().await.expect("buckets").remove(0);
    assert!(bucket.tokens.allows("licensing-token", Timestamp::MIN));
    let complete = doc! { "_id": { "$in": ["old", "bare"] }, "_quarter_start_at": { "$type": "date" },
    "_hour_start_at": { "$type": "date" }, "_updated_at": { "$type": "date" } };
    let complete = database.collection("licensing").count_documents(complete).await;
    assert_eq!(complete.ok(), Some(2));
    let undated = doc! { "_id": "undated", "_year_start_at": { "$exists": false } };
    assert_eq!(database.collection("licensing").count_documents(undated).await.ok(), Some(1));
    let after = database.find("sort_by=_id:ascending").await;
    // The first one had no `_updated_at`.
    assert_eq!(before[1..], after[1..]);
    database.drop().await;
}

#[tokio::test]
async fn a_capped_collection_of_the_original_is_written_to_as_well() {
    let database = TestDatabase::new("capped").await;
    let command = doc! { "create": "foo", "capped": true, "size": 100_000 };
    database.engine.connection.database.run_command(command).await.expect("a collection");
    let bucket = database.save("foo").await;
    let stored = bucket.store(r#"[{"_id": "aa"}, {"_id": "bb"}]"#).await;
    assert_eq!(stored, Stored { new: 2, replaced: 0 });
    assert_eq!(bucket.ids("").await, "aa bb");
    assert!(bucket.delete("aa").await);
    database.drop().await;
}

#[tokio::test]
async fn collections_have_their_indexes() {
    let database = TestDatabase::new("indexes").await;
    let bucket = database.save("foo").await;
    let names = || async {
        let mut names = database.collection("foo").list_index_names().await.expect("names");
        names.sort_unstable();
        names.join(" ")
    };
    let expected = "-seq_1 _day_start_at_1_-seq_1 _hour_start_at_1_-seq_1 _id_ _month_start_at_1_-seq_1 \
                    _quarter_start_at_1_-seq_1 _timestamp_-1_-seq_1 _updated_at_1_-seq_1 \
                    _week_start_at_1_-seq_1 _year_start_at_1_-seq_1";
    bucket.store(r#"{"size": 1}"#).await;
    assert_eq!(names().await, expected);
    database.engine.empty(&bucket.name).await.expect("an empty bucket");
    assert_eq!(names().await, expected);
    database.engine.delete_data(&bucket.name).await.expect("no data");
    bucket.store(r#"{"size": 1}"#).await;
    assert_eq!(names().await, expected);
    database.drop().await;
}

#[tokio::test]
async fn buckets_may_be_called_as_our_own_collections_are() {
    let database = TestDatabase::new("names").await;
    for name in ["users", "buckets", "system.users"] {
        let bucket = database.save(name).await;
        bucket.store(r#"{"_id": "aa"}"#).await;
        assert_eq!(bucket.ids("").await, "aa");
    }
    assert_eq!(database.engine.buckets().await.expect("buckets").len(), 3);
    assert!(database.engine.users().await.expect("users").is_empty());
    database.drop().await;
}

#[tokio::test]
async fn a_collection_of_somebody_else_is_left_alone() {
    let database = TestDatabase::new("others").await;
    database.collection("invoices").insert_one(doc! { "_id": 1 }).await.expect("a document");
    let invoices = BucketName::parse("invoices").expect("a name");
    assert!(!database.engine.delete_bucket(&invoices).await.expect("no such bucket"));
    assert!(database.engine.delete_data(&invoices).await.is_err());
    assert_eq!(database.collection("invoices").count_documents(doc! {}).await.ok(), Some(1));
    database.drop().await;
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_is_ended() {
    let url = mongo_url("ended");
    let (started, mut commands) = mpsc::unbounded_channel();
    let mut options = ClientOptions::parse(url.expose()).await.expect("options");
    options.command_event_handler = Some(EventHandler::callback(move |event| {
        if let CommandEvent::Started(event) = event {
            // Nobody listens any more at the end of the test.
            let _ = started.send(event.command_name);
        }
    }));
    let connection = Connection::with(options, url.database(), &StorageOptions::default()).await;
    let engine = MongoEngine::with(connection.expect("a connection")).await.expect("an engine");
    let (bucket, query) = (BucketName::parse("foo").expect("a name"), RecordQuery::default());
    tokio::select! {
        biased;
        () = async { while commands.recv().await.as_deref() != Some("aggregate") {} } => {}
        _ = engine.find(&bucket, &query) => panic!("the query was to be dropped before its answer"),
    }
    let killed = async { while commands.recv().await.as_deref() != Some("killSessions") {} };
    tokio::time::timeout(Duration::from_secs(30), killed).await.expect("the server is told");
}

/// What a server does to some commands of one client, as MongoDB's own tests have it done.
async fn fail(database: &TestDatabase, client: &str, times: i32, mut how: Document) {
    how.insert("appName", client);
    let mode = if times > 0 { doc! { "times": times }.into() } else { Bson::String("alwaysOn".to_owned()) };
    let command = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": how };
    let admin = database.engine.connection.database.client().database("admin");
    admin.run_command(command).await.expect("a server with test commands enabled");
}

#[tokio::test]
async fn a_step_down_in_the_middle_of_a_batch_loses_nothing_and_stores_nothing_twice() {
    const STEPPED_DOWN: i32 = 189;
    let database = TestDatabase::new("step-down").await;
    let client = database.url.database().to_owned();
    let mut options = ClientOptions::parse(database.url.expose()).await.expect("options");
    options.app_name = Some(client.clone());
    // So that the driver soon sees that the server is back, which is all that takes time here.
    options.heartbeat_freq = Some(Duration::from_millis(500));
    options.server_monitoring_mode = Some(ServerMonitoringMode::Poll);
    let connection = Connection::with(options, database.url.database(), &StorageOptions::default()).await;
    let engine = MongoEngine::with(connection.expect("a connection")).await.expect("an engine");
    let bucket = TestBucket::new(&engine, "foo").await;
    bucket.store(r#"{"_id": "kept"}"#).await;

    let stepped_down = |command: &str| doc! { "failCommands": [command], "errorCode": STEPPED_DOWN };
    let cut = |command: &str| doc! { "failCommands": [command], "closeConnection": true };
    let cases = [
        (1, stepped_down("find")),
        (1, stepped_down("update")),
        (3, stepped_down("update")),
        (1, stepped_down("commitTransaction")),
        (4, stepped_down("commitTransaction")),
        (1, cut("update")),
        (2, cut("commitTransaction")),
    ];
    // The first write to a bucket prepares its collection.
    for command in ["listCollections", "create", "createIndexes", "update"] {
        let bucket = TestBucket::new(&engine, &format!("first.{command}")).await;
        fail(&database, &client, 1, cut(command)).await;
        let stored = bucket.store(r#"[{"_id": "aa"}, {"size": 1}]"#).await;
        assert_eq!(stored, Stored { new: 2, replaced: 0 }, "{command}");
    }
    let mut count = 1;
    for (place, (times, how)) in cases.into_iter().enumerate() {
        fail(&database, &client, times, how.clone()).await;
        let records =
            format!(r#"[{{"_id": "sent{place}"}}, {{"size": 1}}, {{"size": 2}}, {{"_id": "kept"}}]"#);
        assert_eq!(bucket.store(&records).await, Stored { new: 3, replaced: 1 }, "{how}");
        count += 3;
        assert_eq!(bucket.find("").await.len(), count, "{how}");
    }
    fail(&database, &client, 0, stepped_down("update")).await;
    let refused = engine.store(&bucket.name, conformance::records(r#"{"size": 3}"#), Timestamp::now()).await;
    assert_eq!(refused.expect_err("no primary").kind(), StorageErrorKind::Unavailable);
    let admin = database.engine.connection.database.client().database("admin");
    let off = doc! { "configureFailPoint": "failCommand", "mode": "off" };
    admin.run_command(off).await.expect("a server with test commands enabled");
    assert_eq!(bucket.find("").await.len(), count, "nothing of it is stored");
    database.drop().await;
}
