//! Exports and restores between two embedded stores, and restores of dumps that are not ours.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bson::doc;
use bson::oid::ObjectId;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::audit::{AuditAction, AuditEntry, AuditFilter, AuditLine, AuditPosition};
use crate::bucket::{
    Bucket, BucketAddress, BucketConfig, BucketName, BucketTokens, RetiringToken, TokenChange,
};
use crate::record::checks::check_records;
use crate::record::sent::SentBody;
use crate::storage::audit_document::encode as encode_audit;
use crate::storage::{BucketSave, SqliteEngine, StorageEngine};
use crate::timestamp::Timestamp;
use crate::token::TokenHash;
use crate::user::User;

#[cfg(unix)]
mod hostile;

fn name(text: &str) -> BucketName {
    BucketName::parse(text).expect("a name")
}

fn now() -> Timestamp {
    Timestamp::parse("2030-01-01").expect("a time")
}

/// A store to export from, another one to restore into, and a place for the dump.
struct Stores {
    folder: TempDir,
    from: SqliteEngine,
    to: SqliteEngine,
}

impl Stores {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let open = |name: &str| SqliteEngine::open(&folder.path().join(name)).expect("a store");
        Self { from: open("from.db"), to: open("to.db"), folder }
    }

    fn dump(&self) -> PathBuf {
        self.folder.path().join("dump")
    }

    /// The path of a file of the dump.
    fn file(&self, name: &str) -> PathBuf {
        self.dump().join("backdrop").join(name)
    }

    async fn export(&self, gzip: bool) -> Moved {
        self.try_export(gzip, Selection::default()).await.expect("an export")
    }

    async fn try_export(&self, gzip: bool, selection: Selection) -> Result<Moved, TransferError> {
        let options = ExportOptions { database: database(), gzip, selection };
        export(&self.from, &self.dump(), &options, &nobody()).await
    }

    async fn restore(&self) -> Result<Moved, TransferError> {
        self.restore_with(false, Selection::default()).await
    }

    async fn restore_with(&self, drop: bool, selection: Selection) -> Result<Moved, TransferError> {
        let plan = self.plan(drop, selection).await?;
        restore(&self.to, &plan, &nobody()).await
    }

    async fn plan(&self, drop: bool, selection: Selection) -> Result<RestorePlan, TransferError> {
        let options = RestoreOptions { database: database(), drop, selection };
        plan(&self.to, &self.dump(), &options, now(), &nobody()).await
    }

    async fn refused(&self) -> String {
        let message = self.restore().await.expect_err("a dump that is refused").to_string();
        message.replace(&self.dump().display().to_string(), "DIR")
    }

    /// Writes documents into a file of the dump, as `mongodump` does.
    fn write(&self, name: &str, documents: &[bson::Document]) {
        let bytes: Vec<u8> =
            documents.iter().flat_map(|document| document.to_vec().expect("bytes")).collect();
        fs::create_dir_all(self.dump().join("backdrop")).expect("a folder");
        fs::write(self.file(name), bytes).expect("a file");
    }
}

fn nobody() -> Watcher {
    Arc::new(())
}

fn database() -> DatabaseName {
    "backdrop".parse().expect("a name")
}

fn only(names: &[&str]) -> Selection {
    Selection { only: names.iter().map(|name| (*name).to_owned()).collect(), exclude: Vec::new() }
}

fn excluding(names: &[&str]) -> Selection {
    Selection { exclude: only(names).only, only: Vec::new() }
}

async fn save(engine: &SqliteEngine, config: BucketConfig, token: TokenChange) {
    engine.save_buckets(vec![BucketSave::new(config, token)]).await.expect("a bucket");
}

async fn bucket(engine: &SqliteEngine, text: &str, json: &str) {
    save(engine, BucketConfig::new(name(text)), TokenChange::Keep).await;
    store(engine, text, json, "2020-02-02T02:02:02.022Z").await;
}

async fn store(engine: &SqliteEngine, text: &str, json: &str, at: &str) {
    let sent = SentBody::parse(json.as_bytes()).expect(json).into_records();
    let records = check_records(&sent, &[], None).expect(json);
    engine.store(&name(text), records, Timestamp::parse(at).expect("a time")).await.expect("stored");
}

/// The records of a bucket in the order of writing, as JSON.
async fn records(engine: &SqliteEngine, text: &str) -> Vec<String> {
    let (sender, mut pages) = mpsc::channel(64);
    engine.export(&name(text), sender).await.expect("records");
    let mut shown = Vec::new();
    while let Some(page) = pages.recv().await {
        shown.extend(page.iter().map(|found| serde_json::to_string(&found.expect("one")).expect("JSON")));
    }
    shown
}

async fn ids(engine: &SqliteEngine, text: &str) -> String {
    let id = |record: &String| {
        let record: serde_json::Value = serde_json::from_str(record).expect("JSON");
        record["_id"].as_str().expect("an id").to_owned()
    };
    records(engine, text).await.iter().map(id).collect::<Vec<_>>().join(" ")
}

async fn bucket_named(engine: &SqliteEngine, text: &str) -> Option<Bucket> {
    engine.bucket(&BucketAddress::Name(name(text))).await.expect("an answer")
}

/// A store with all that there can be in one.
async fn fill(engine: &SqliteEngine) {
    let hash = |token: &str| TokenHash::new(&token.to_owned().into());
    let retiring = RetiringToken { hash: hash("tok-old"), until: now() };
    let tokens = BucketTokens { retiring: vec![retiring], ..BucketTokens::only(hash("tok-full")) };
    let full = BucketConfig {
        data_group: Some("group".to_owned()),
        data_type: Some("type".to_owned()),
        raw_queries_allowed: true,
        published: false,
        realtime: true,
        capped_size: Some(100_000),
        auto_ids: vec!["kind".to_owned()],
        max_age_expected: None,
        schema: Some(
            serde_json::json!({"$schema": "http://json-schema.org/draft-04/schema#", "type": "object"})
                .into(),
        ),
        ..BucketConfig::new(name("full"))
    };
    save(engine, full, TokenChange::Replace(tokens)).await;
    let json = r#"[{"_id": "zz", "_timestamp": "2014-11-19T13:45:59.123Z", "size": 9007199254740993, "share": 2.0,
                    "kind": "a\u0000é", "note": null, "open": false, "_start_at": "2014-11-19"}, {"size": 1}]"#;
    store(engine, "full", json, "2020-02-02T02:02:02.022Z").await;
    store(engine, "full", r#"{"_id": "aa"}"#, "2019-01-01").await;
    for odd in ["users", "buckets", "system.users", &"x".repeat(300)] {
        bucket(engine, odd, r#"{"_id": "odd"}"#).await;
    }
    save(engine, BucketConfig::new(name("never")), TokenChange::Keep).await;
    bucket(engine, "emptied", r#"{"_id": "aa"}"#).await;
    engine.empty(&name("emptied")).await.expect("emptied");
    let user = |email: &str, buckets: &[&str]| User {
        email: email.to_owned(),
        buckets: buckets.iter().map(|bucket| name(bucket)).collect(),
    };
    let users = vec![user("ann@example.org", &["never", "full"]), user("bob@example.org", &[])];
    engine.save_users(users).await.expect("users");
    for detail in ["first", "second", "last"] {
        engine.record_audit(audit_entry(detail)).await.expect("recorded");
    }
}

fn audit_entry(detail: &str) -> AuditEntry {
    AuditEntry {
        at: Timestamp::parse("2020-02-02T02:02:02.022Z").expect("a time"),
        by: "ann@example.org".to_owned(),
        action: AuditAction::Upload,
        bucket: BucketName::parse("full").ok(),
        detail: detail.to_owned(),
        address: "192.0.2.1".parse().ok(),
        request_id: None,
    }
}

async fn audit_log(engine: &SqliteEngine) -> Vec<AuditLine> {
    engine.audit(&AuditFilter { limit: 1_000_000, ..AuditFilter::default() }).await.expect("a log")
}

/// The details of all entries, the newest first.
async fn audit_details(engine: &SqliteEngine) -> String {
    audit_log(engine).await.iter().map(|line| line.entry.detail.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn everything_moves() {
    for gzip in [false, true] {
        let stores = Stores::new();
        fill(&stores.from).await;
        let moved = stores.export(gzip).await;
        assert_eq!(moved, Moved { buckets: 7, records: 7, users: 2, audit_entries: 3 });
        assert_eq!(stores.restore().await.expect("restored"), moved);
        assert_same(&stores.from, &stores.to).await;
        assert_eq!(stores.restore().await.expect("restored again"), moved);
        assert_same(&stores.from, &stores.to).await;
    }
}

async fn assert_same(from: &SqliteEngine, to: &SqliteEngine) {
    let (one, other) = (from.buckets().await.expect("buckets"), to.buckets().await.expect("buckets"));
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(&other) {
        assert_eq!((&one.config, &one.tokens), (&other.config, &other.tokens));
        let text = one.name().as_str();
        assert_eq!(records(from, text).await, records(to, text).await, "{text}");
        let written =
            |engine: SqliteEngine| async move { engine.is_written(&name(text)).await.expect("an answer") };
        assert_eq!(written(from.clone()).await, written(to.clone()).await, "{text}");
    }
    assert_eq!(from.users().await.expect("users"), to.users().await.expect("users"));
    assert_eq!(audit_log(from).await, audit_log(to).await);
}

#[tokio::test]
async fn a_dump_has_the_layout_of_mongodump() {
    let stores = Stores::new();
    bucket(&stores.from, "foo", r#"{"_id": "aa", "_timestamp": "2014-11-19T13:45:59Z", "size": 1}"#).await;
    save(&stores.from, BucketConfig::new(name("never")), TokenChange::Keep).await;
    stores.export(false).await;
    let files = |path: &Path| {
        let mut names: Vec<String> = fs::read_dir(path)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names.join(" ")
    };
    assert_eq!(files(&stores.dump()), "backdrop manifest.json");
    assert_eq!(
        files(&stores.dump().join("backdrop")),
        "buckets.bson buckets.metadata.json foo.bson foo.metadata.json users.bson users.metadata.json"
    );
    let read = |name: &str| fs::read(stores.file(name)).expect("a file");
    let time = |text| bson::DateTime::from_millis(Timestamp::parse(text).expect("a time").millis());
    let expected = doc! {
        "_id": "aa", "_timestamp": time("2014-11-19T13:45:59Z"), "size": 1_i64,
        "_updated_at": time("2020-02-02T02:02:02.022Z"),
        "_hour_start_at": time("2014-11-19T13:00"), "_day_start_at": time("2014-11-19"),
        "_week_start_at": time("2014-11-17"), "_month_start_at": time("2014-11-01"),
        "_quarter_start_at": time("2014-10-01"), "_year_start_at": time("2014-01-01"),
    };
    assert_eq!(bson::Document::from_reader(&*read("foo.bson")).expect("a document"), expected);
    let metadata: serde_json::Value = serde_json::from_slice(&read("foo.metadata.json")).expect("JSON");
    assert_eq!(
        metadata,
        serde_json::json!({
            "options": {}, "indexes": [{"v": 2, "key": {"_id": 1}, "name": "_id_"}],
            "collectionName": "foo", "type": "collection",
        })
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_dump_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let stores = Stores::new();
    bucket(&stores.from, "foo", r#"{"_id": "aa"}"#).await;
    stores.export(false).await;
    let mode = |path: PathBuf| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(stores.dump()), 0o700);
    assert_eq!(mode(stores.dump().join("manifest.json")), 0o600);
    for file in ["foo.bson", "foo.metadata.json", "buckets.bson", "users.bson"] {
        assert_eq!(mode(stores.file(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn an_export_needs_an_empty_folder() {
    let stores = Stores::new();
    bucket(&stores.from, "foo", r#"{"_id": "aa"}"#).await;
    fs::create_dir(stores.dump()).expect("a folder");
    stores.export(false).await;
    let refused = stores.try_export(false, Selection::default()).await.expect_err("a folder with an export");
    assert!(matches!(refused, TransferError::NotEmpty(_)), "{refused}");
    assert!(stores.restore().await.is_ok(), "the export is as it was");
}

#[tokio::test]
async fn many_records_keep_their_order() {
    let stores = Stores::new();
    let many: Vec<_> =
        (0..12_000).map(|size| serde_json::json!({"size": size, "kind": "x".repeat(100)})).collect();
    bucket(&stores.from, "foo", &serde_json::Value::from(many).to_string()).await;
    let moved = stores.export(true).await;
    assert_eq!(moved.records, 12_000);
    assert_eq!(stores.restore().await.expect("restored"), moved);
    assert_eq!(records(&stores.from, "foo").await, records(&stores.to, "foo").await);
}

#[tokio::test]
async fn progress_is_told() {
    #[derive(Default)]
    struct Told(Mutex<(Vec<String>, u64)>);
    impl Progress for Told {
        fn begin(&self, step: Step, collection: &str, bytes: Option<u64>) {
            let known = if bytes.is_some() { "known" } else { "unknown" };
            self.0.lock().expect("a lock").0.push(format!("{step:?} {collection} {known}"));
        }

        fn advance(&self, bytes: u64) {
            self.0.lock().expect("a lock").1 += bytes;
        }
    }
    let stores = Stores::new();
    bucket(&stores.from, "foo", r#"{"_id": "aa"}"#).await;
    let told = Arc::new(Told::default());
    let watcher: Watcher = Arc::clone(&told) as Watcher;
    let selection = Selection::default;
    let options = ExportOptions { database: database(), gzip: true, selection: selection() };
    export(&stores.from, &stores.dump(), &options, &watcher).await.expect("an export");
    let options = RestoreOptions { database: database(), drop: false, selection: selection() };
    let planned = plan(&stores.to, &stores.dump(), &options, now(), &watcher).await.expect("a plan");
    restore(&stores.to, &planned, &watcher).await.expect("restored");
    let told = told.0.lock().expect("a lock");
    assert_eq!(told.0, ["Export foo unknown", "Verify foo known", "Restore foo known"]);
    assert!(told.1 > 0);
}

/// A damaged export is refused with a message, and nothing of it is stored.
async fn check_damage(damage: impl Fn(&Stores), message: &str) {
    let stores = Stores::new();
    bucket(&stores.from, "foo", r#"[{"_id": "aa", "size": 1}, {"_id": "bb", "size": 2}]"#).await;
    stores.export(false).await;
    damage(&stores);
    assert_eq!(stores.refused().await, message);
    assert!(stores.to.buckets().await.expect("buckets").is_empty(), "{message}");
}

fn change(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("a file");
    change(&mut bytes);
    fs::write(path, bytes).expect("a file");
}

#[tokio::test]
async fn damaged_exports() {
    let foo =
        |change_it: fn(&mut Vec<u8>)| move |stores: &Stores| change(&stores.file("foo.bson"), change_it);
    check_damage(foo(|bytes| bytes.truncate(60)), "DIR/backdrop/foo.bson, byte 52: the file is cut off")
        .await;
    check_damage(
        foo(|bytes| bytes.truncate(52)),
        "DIR/backdrop/foo.bson: it holds 1 documents and should hold 2",
    )
    .await;
    check_damage(
        foo(|bytes| bytes[55] = 0xff),
        "DIR/backdrop/foo.bson, byte 52: damaged: a document of -16777164 bytes",
    )
    .await;
    check_damage(
        foo(|bytes| bytes[51] = 1),
        "DIR/backdrop/foo.bson, byte 0: damaged: a document does not end where it should",
    )
    .await;
    check_damage(
        foo(|bytes| bytes[26] ^= 1),
        "DIR/backdrop/foo.bson: its checksum is not the one it should have",
    )
    .await;
    check_damage(
        |stores| fs::remove_file(stores.file("foo.bson")).expect("removed"),
        "DIR/manifest.json: the file of the collection foo, which was exported, is missing",
    )
    .await;
    check_damage(
        |stores| stores.write("bar.bson", &[doc! {"_id": "aa"}]),
        "DIR/manifest.json: the file of the collection bar was not exported with it",
    )
    .await;
    check_damage(
        |stores| stores.write("foo.bson.gz", &[]),
        "DIR/backdrop/foo.bson is there beside its compressed form; leave one of them",
    )
    .await;
    check_damage(
        |stores| change(&stores.file("users.bson"), |bytes| bytes.extend([5, 0, 0, 0, 0])),
        "DIR/backdrop/users.bson, byte 0: a user: \"\" is not an email address: text with one \"@\" and no \
         white space",
    )
    .await;
    check_damage(
        |stores| change(&stores.file("buckets.bson"), Vec::clear),
        "DIR/backdrop/buckets.bson: it holds 0 documents and should hold 1",
    )
    .await;
}

#[tokio::test]
async fn damaged_manifests() {
    let manifest = |stores: &Stores| stores.dump().join("manifest.json");
    check_damage(
        |stores| {
            fs::rename(manifest(stores), stores.dump().join("manifest.json.unfinished")).expect("renamed");
        },
        "DIR was not finished: the export was cut off, and must be made again",
    )
    .await;
    check_damage(
        |stores| fs::write(manifest(stores), "{}").expect("written"),
        "DIR/manifest.json: it is damaged: missing field `format` at line 1 column 2",
    )
    .await;
    check_damage(
        |stores| fs::write(manifest(stores), r#"{"format": 2}"#).expect("written"),
        "DIR/manifest.json: it is of format 2, and this version reads format 1",
    )
    .await;
}

#[tokio::test]
async fn a_cut_off_compressed_file() {
    let stores = Stores::new();
    bucket(&stores.from, "foo", r#"[{"_id": "aa", "size": 1}, {"_id": "bb", "size": 2}]"#).await;
    stores.export(true).await;
    change(&stores.file("foo.bson.gz"), |bytes| bytes.truncate(bytes.len() - 4));
    assert!(stores.refused().await.ends_with("the file is cut off"));
    let mut unpacked = Vec::new();
    let packed = fs::File::open(stores.file("users.bson.gz")).expect("a file");
    flate2::read::GzDecoder::new(packed).read_to_end(&mut unpacked).expect("a whole file");
    assert!(unpacked.is_empty());
}

/// A database of the original Backdrop, as `mongodump` writes it.
fn write_original(stores: &Stores) {
    let id = ObjectId::parse_str("507f1f77bcf86cd799439011").expect("an id");
    let time = bson::DateTime::from_millis(0);
    stores.write(
        "foo.bson",
        &[
            doc! {"_id": id, "_timestamp": time, "_week_start_at": time, "size": 3_i32, "kind": "x"},
            doc! {"size": 1.5, "_id": "aa", "_updated_at": time, "big": 5_i64, "none": bson::Bson::Null},
        ],
    );
    stores.write("system.indexes.bson", &[doc! {"v": 1}]);
    stores.write("_backdrop.bson", &[doc! {"nested": {}}]);
    fs::write(stores.file("prelude.json"), "{}").expect("a file");
    fs::write(stores.dump().join("prelude.json"), "{}").expect("a file");
}

#[tokio::test]
async fn a_dump_of_the_original_is_restored() {
    let stores = Stores::new();
    write_original(&stores);
    stores.write(
        "buckets.bson",
        &[doc! {
            "_id": "foo", "name": "foo", "data_group": "group", "data_type": "type", "bearer_token": "tok-foo",
            "raw_queries_allowed": true, "capped_size": 5040.0, "max_age_expected": 60_i32, "old": ["x"],
            "schema": {"type": "object"}, "auto_ids": bson::Bson::Null,
        }],
    );
    stores.write("users.bson", &[doc! {"_id": "Ann@example.org", "buckets": ["foo", "gone"]}]);
    let plan = stores.plan(false, Selection::default()).await.expect("a plan");
    assert_eq!(plan.left_out_grants(), [("ann@example.org".to_owned(), name("gone"))]);
    let moved = restore(&stores.to, &plan, &nobody()).await.expect("restored");
    assert_eq!(moved, Moved { buckets: 1, records: 2, users: 1, audit_entries: 0 });

    let bucket = bucket_named(&stores.to, "foo").await.expect("a bucket");
    assert!(bucket.tokens.allows("tok-foo", Timestamp::MIN));
    assert_eq!(bucket.config.capped_size, Some(5040));
    let found = records(&stores.to, "foo").await;
    assert!(
        found[0].starts_with(r#"{"_id":"507f1f77bcf86cd799439011","_timestamp":"1970-01-01"#),
        "{found:?}"
    );
    assert!(found[0].contains(r#""kind":"x","size":3,"_updated_at":"2030-01-01"#), "{found:?}");
    assert_eq!(
        found[1],
        r#"{"_id":"aa","big":5,"none":null,"size":1.5,"_updated_at":"1970-01-01T00:00:00+00:00"}"#
    );
}

#[tokio::test]
async fn records_need_a_bucket() {
    let stores = Stores::new();
    write_original(&stores);
    stores.write("bar.bson", &[]);
    assert_eq!(
        stores.refused().await,
        "there is no bucket for the collections bar, foo: neither the dump nor the store has a configuration; \
         import them first with \"bucket import\", or leave them out with --exclude"
    );
    save(&stores.to, BucketConfig::new(name("foo")), TokenChange::Keep).await;
    let moved = stores.restore_with(false, excluding(&["bar"])).await.expect("restored");
    assert_eq!(moved, Moved { buckets: 1, records: 2, users: 0, audit_entries: 0 });
}

#[tokio::test]
async fn what_is_no_record_is_refused() {
    for (document, fault) in [
        (doc! {"_id": "aa", "size": {"a": 1}}, "\"size\" is a value of type EmbeddedDocument"),
        (doc! {"_id": 5}, "_id is not text without white space"),
    ] {
        let stores = Stores::new();
        save(&stores.to, BucketConfig::new(name("foo")), TokenChange::Keep).await;
        stores.write("foo.bson", &[doc! {"_id": "first"}, document]);
        assert_eq!(stores.refused().await, format!("DIR/backdrop/foo.bson, byte 20: {fault}"));
        assert!(!stores.to.is_written(&name("foo")).await.expect("an answer"));
    }
}

#[tokio::test]
async fn records_are_added_or_take_the_place_of_all() {
    let stores = Stores::new();
    bucket(&stores.from, "foo", r#"[{"_id": "aa", "size": 1}, {"_id": "bb"}]"#).await;
    save(&stores.from, BucketConfig::new(name("never")), TokenChange::Keep).await;
    stores.export(false).await;
    bucket(&stores.to, "foo", r#"[{"_id": "aa", "size": 2}, {"_id": "cc"}]"#).await;
    let token = TokenChange::Set(TokenHash::new(&"old".to_owned().into()));
    save(&stores.to, BucketConfig { queryable: false, ..BucketConfig::new(name("foo")) }, token).await;
    for stays in ["other", "never"] {
        bucket(&stores.to, stays, r#"{"_id": "aa"}"#).await;
    }

    stores.restore().await.expect("restored");
    assert_eq!(ids(&stores.to, "foo").await, "cc aa bb");
    assert_eq!(records(&stores.to, "foo").await[1], records(&stores.from, "foo").await[0]);
    assert_eq!(ids(&stores.to, "never").await, "aa");
    let replaced = bucket_named(&stores.to, "foo").await.expect("a bucket");
    assert!(replaced.config.queryable && replaced.tokens.allow_nothing(Timestamp::MIN));

    stores.restore_with(true, Selection::default()).await.expect("restored");
    assert_eq!(ids(&stores.to, "foo").await, "aa bb");
    assert!(!stores.to.is_written(&name("never")).await.expect("an answer"));
    assert_eq!(ids(&stores.to, "other").await, "aa");
}

#[tokio::test]
async fn a_plan_stores_nothing() {
    let stores = Stores::new();
    fill(&stores.from).await;
    stores.export(false).await;
    let plan = stores.plan(true, Selection::default()).await.expect("a plan");
    assert_eq!(plan.total(), Moved { buckets: 7, records: 7, users: 2, audit_entries: 3 });
    let [full, ..] = plan.buckets() else { panic!("no bucket") };
    assert_eq!((full.name(), full.is_new(), full.records()), (&name("full"), true, 3));
    assert!(stores.to.buckets().await.expect("buckets").is_empty());
    assert!(stores.to.users().await.expect("users").is_empty());
}

#[tokio::test]
async fn collections_are_chosen() {
    let stores = Stores::new();
    for text in ["one", "two", "three"] {
        bucket(&stores.from, text, r#"{"_id": "aa"}"#).await;
    }
    let user = User { email: "ann@example.org".to_owned(), buckets: vec![name("one"), name("two")] };
    stores.from.save_users(vec![user]).await.expect("a user");
    let refused = stores.try_export(false, only(&["for"])).await.expect_err("an unknown name").to_string();
    assert!(refused.ends_with("there are: one, two, three, users, _audit"), "{refused}");
    assert!(!stores.dump().exists());
    let moved = stores.try_export(false, excluding(&["three", "four"])).await.expect("an export");
    assert_eq!(moved, Moved { buckets: 2, records: 2, users: 1, audit_entries: 0 });
    assert!(!stores.file("three.bson").exists());

    assert!(stores.restore_with(false, only(&["three"])).await.is_err());
    let moved = stores.restore_with(false, only(&["two"])).await.expect("restored");
    assert_eq!(moved, Moved { buckets: 1, records: 1, users: 0, audit_entries: 0 });
    assert!(bucket_named(&stores.to, "one").await.is_none());
    stores.restore_with(false, only(&["users"])).await.expect("restored");
    assert_eq!(stores.to.users().await.expect("users")[0].buckets, [name("two")]);
}

#[tokio::test]
async fn a_taken_address_stores_nothing() {
    let stores = Stores::new();
    fill(&stores.from).await;
    stores.export(false).await;
    let full = bucket_named(&stores.from, "full").await.expect("a bucket").config;
    save(&stores.to, BucketConfig { name: name("rival"), ..full }, TokenChange::Keep).await;
    assert!(stores.refused().await.contains("\"rival\" has the address group/type"));
    assert_eq!(stores.to.buckets().await.expect("buckets").len(), 1);
}

#[tokio::test]
async fn another_database_of_a_dump() {
    let stores = Stores::new();
    fs::create_dir_all(stores.dump().join("stats")).expect("a folder");
    assert_eq!(stores.refused().await, "there is no folder \"backdrop\" in DIR; --db names another: stats");
    for text in ["", ".", "..", "a/b", "a b", "a.b", &"x".repeat(64)] {
        assert!(text.parse::<DatabaseName>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn secrets_are_not_told() {
    let stores = Stores::new();
    stores.write("buckets.bson", &[doc! {"_id": "foo", "bearer_token": "se cret"}]);
    assert!(!stores.refused().await.contains("cret"));
    stores.write("buckets.bson", &[doc! {"_id": "foo", "token_hash": "sha256:secret"}]);
    assert!(!stores.refused().await.contains("cret"));
    let mut file = fs::File::options().append(true).open(stores.file("buckets.bson")).expect("a file");
    file.write_all(b"secret").expect("written");
    assert!(!stores.refused().await.contains("cret"));
}

#[tokio::test]
async fn audit_logs_are_brought_together() {
    let stores = Stores::new();
    stores.to.record_audit(audit_entry("here")).await.expect("recorded");
    for detail in ["there.1", "there.2"] {
        stores.from.record_audit(audit_entry(detail)).await.expect("recorded");
    }
    stores.export(false).await;
    for times in ["once", "twice"] {
        let moved = stores.restore_with(true, Selection::default()).await.expect(times);
        assert_eq!(moved.audit_entries, 2);
        assert_eq!(audit_details(&stores.to).await, "there.2 there.1 here", "{times}");
    }
}

#[tokio::test]
async fn an_audit_log_of_many_pages_moves() {
    let stores = Stores::new();
    let line = |number| AuditLine { position: AuditPosition(number), entry: audit_entry("one of many") };
    stores.from.restore_audit((1..=12_345).map(line).collect()).await.expect("a log");
    let moved = stores.export(true).await;
    assert_eq!((moved.audit_entries, stores.restore().await.expect("restored")), (12_345, moved));
    assert_eq!(audit_log(&stores.to).await, audit_log(&stores.from).await);
}

#[tokio::test]
async fn an_audit_log_may_be_left_out() {
    let stores = Stores::new();
    bucket(&stores.from, "foo", "[]").await;
    stores.from.record_audit(audit_entry("there")).await.expect("recorded");
    stores.export(false).await;
    assert!(stores.file("_audit.bson").exists() && stores.file("_audit.metadata.json").exists());
    let left_out = stores.restore_with(false, excluding(&["_audit"])).await.expect("restored");
    assert_eq!((left_out.audit_entries, audit_details(&stores.to).await.as_str()), (0, ""));
    let moved = stores.restore_with(false, only(&["_audit"])).await.expect("restored");
    assert_eq!(moved, Moved { audit_entries: 1, ..Moved::default() });
    assert_eq!(audit_details(&stores.to).await, "there");
    fs::remove_dir_all(stores.dump()).expect("no dump");
    let moved = stores.try_export(false, excluding(&["_audit"])).await.expect("an export");
    assert_eq!(moved.audit_entries, 0);
    assert!(!stores.file("_audit.bson").exists());
}

#[tokio::test]
async fn a_damaged_audit_log_is_refused() {
    for (key, value, message) in [
        ("action", "levitate", "\"levitate\" is no action that this version knows"),
        ("_id", "first", "expected type Int64"),
    ] {
        let stores = Stores::new();
        let line = AuditLine { position: AuditPosition(1), entry: audit_entry("damaged") };
        let mut document = encode_audit(&line);
        document.insert(key, value);
        stores.write("_audit.bson", &[document]);
        let refused = stores.refused().await;
        assert!(
            refused.starts_with("DIR/backdrop/_audit.bson, byte 0: ") && refused.contains(message),
            "{refused}"
        );
        assert!(audit_log(&stores.to).await.is_empty());
    }
}
