//! What handlers do once they know who asks.

use backdrop_common::bucket::{BucketAddress, BucketTokens, TokenChange};
use backdrop_common::storage::failing::FailingEngine;
use backdrop_common::storage::{BucketSave, SqliteEngine, StorageErrorKind};
use tempfile::TempDir;

use super::*;

const FILE: &str = "_id,day,temp_max\nr1,2012-01-01,12.8\nr2,2012-01-02,10.6\n";

fn app(engine: Arc<dyn StorageEngine>) -> WriteApp {
    WriteApp::new(&Settings::default(), engine, 0)
}

/// An app with the bucket `foo`, and the folder of its store.
async fn app_with_bucket() -> (WriteApp, Bucket, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let app = app(Arc::new(SqliteEngine::open(&folder.path().join("db")).expect("an engine")));
    let config = BucketConfig::new(BucketName::parse("foo").expect("a name"));
    let save = BucketSave::new(config.clone(), TokenChange::Keep);
    app.engine.save_buckets(vec![save]).await.expect("a bucket");
    let address = BucketAddress::Name(config.name);
    let bucket = app.engine.bucket(&address).await.expect("an answer").expect("a bucket");
    (app, bucket, folder)
}

fn owner() -> Owner {
    Owner { email: "ann@x".to_owned(), bucket: BucketName::parse("foo").expect("a name") }
}

fn visit() -> Visit {
    Visit { address: None, request_id: "r1".to_owned() }
}

fn file(text: &str) -> UploadedFile {
    UploadedFile { name: "weather.csv".to_owned(), bytes: text.as_bytes().into() }
}

fn stage(app: &WriteApp, text: &str) -> Uuid {
    app.uploads.staged.stage(owner(), file(text), Timestamp::now())
}

async fn store(app: &WriteApp, bucket: &Bucket, id: Uuid, time_column: &str) -> Result<Receipt, Problem> {
    let time_column = Some(time_column.to_owned());
    store_staged(app, bucket, owner(), id, time_column, visit()).await.expect("an answer")
}

#[rocket::async_test]
async fn a_file_is_stored_once_however_often_it_is_sent() {
    let (app, bucket, _folder) = app_with_bucket().await;
    let id = stage(&app, FILE);
    let receipt = store(&app, &bucket, id, "day").await.ok().expect("a receipt");
    assert_eq!(receipt.stored, Stored { new: 2, replaced: 0 });
    let (from, to) = receipt.span.expect("times");
    assert_eq!(
        format!("{} {from} {to}", receipt.file),
        "weather.csv 2012-01-01T00:00:00+00:00 2012-01-02T00:00:00+00:00"
    );
    assert_eq!(store(&app, &bucket, id, "day").await.ok(), Some(receipt));
    // The same file, uploaded anew, changes nothing.
    let again = store(&app, &bucket, stage(&app, FILE), "").await.ok().expect("a receipt");
    assert_eq!((again.stored, again.span), (Stored { new: 0, replaced: 2 }, None));
}

#[rocket::async_test]
async fn a_file_with_faults_waits_on() {
    let (app, bucket, _folder) = app_with_bucket().await;
    let id = stage(&app, FILE);
    let Err(Problem::Faults { faults, .. }) = store(&app, &bucket, id, "_id").await else { panic!("faults") };
    assert_eq!(faults.total, 2);
    assert!(store(&app, &bucket, id, "day").await.is_ok());
    assert!(matches!(store(&app, &bucket, Uuid::new_v4(), "").await, Err(Problem::Gone)));
}

#[rocket::async_test]
async fn where_the_store_fails_the_file_waits_on() {
    let bucket = Bucket { config: BucketConfig::new(owner().bucket), tokens: BucketTokens::default() };
    let kind = StorageErrorKind::Unavailable;
    let app = app(Arc::new(FailingEngine { kind, bucket: Some(bucket.clone()), endless: None, pages: 0 }));
    let id = stage(&app, FILE);
    for _ in 0..2 {
        let stored = store_staged(&app, &bucket, owner(), id, None, visit()).await;
        assert!(matches!(stored, Err(PageError::Api(ApiError::Storage(_)))));
    }
}

#[rocket::async_test]
async fn a_column_of_times_is_chosen_for_the_preview() {
    let (app, mut bucket, _folder) = app_with_bucket().await;
    bucket.config.schema = Some(serde_json::json!({"required": ["_timestamp"]}).into());
    let reader = Reader::of(&app, &bucket).await.expect("a schema");
    let looked = reader.look(&file(FILE), Choice::Preferred).await.expect("an answer");
    let looked = looked.expect("a table");
    assert_eq!((looked.times.len(), looked.checked.records.len()), (1, 2));
    // The first column would leave a record without a time, and nobody would see where to choose another.
    let partly = file("opened,day\n2012-01-01,2012-01-01\n,2012-01-02\n");
    let looked = reader.look(&partly, Choice::Preferred).await.expect("an answer").expect("a table");
    assert_eq!(looked.time_column.as_deref(), Some("day"));
    let none = reader.look(&file(FILE), Choice::Column(None)).await.expect("an answer");
    assert_eq!(none.err().map(|faults| faults.total), Some(2));
}
