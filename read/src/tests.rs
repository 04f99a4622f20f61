//! Large answers, and how much memory they have: counted, not measured.

use backdrop_common::bucket::{BucketConfig, BucketName, TokenChange};
use backdrop_common::record::Record;
use backdrop_common::settings::Settings;
use backdrop_common::storage::{BucketSave, SqliteEngine, StorageEngine};
use backdrop_common::timestamp::Timestamp;
use backdrop_common::value::Value;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::tokio::io::AsyncReadExt;

use super::*;

/// The app with a bucket of so many records.
struct Site {
    client: Client,
    engine: Arc<SqliteEngine>,
    bucket: BucketName,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn new(settings: &Settings, records: i64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Arc::new(SqliteEngine::open(&folder.path().join("backdrop.db")).expect("a database"));
        let bucket = BucketName::parse("foo").expect("a name");
        let config = BucketConfig { raw_queries_allowed: true, ..BucketConfig::new(bucket.clone()) };
        engine.save_buckets(vec![BucketSave::new(config, TokenChange::Keep)]).await.expect("a bucket");
        let client = Client::untracked(rocket(settings, engine.clone(), 0)).await.expect("the app");
        let site = Self { client, engine, bucket, _folder: folder };
        site.store(0..records).await;
        site
    }

    async fn store(&self, numbers: std::ops::Range<i64>) {
        let mut records = Vec::new();
        for number in numbers {
            let fields =
                vec![("number".into(), Value::Int(number)), ("text".into(), Value::from("a \"text\""))];
            let timestamp = Timestamp::from_millis(number * 1000);
            records.push(Record { id: None, timestamp, fields });
        }
        self.engine.store(&self.bucket, records, Timestamp::MIN).await.expect("stored");
    }

    fn room(&self) -> &Room {
        &self.client.rocket().state::<ReadApp>().expect("the app").room
    }

    async fn get(&self, path: &str) -> LocalResponse<'_> {
        self.client.get(path.to_owned()).dispatch().await
    }
}

/// A window of a million hours and more, of which none has data.
const HOURS: &str = "period=hour&start_at=1900-01-01T00:00:00Z&end_at=2010-01-01T00:00:00Z";

fn settings(max_query_bytes: u32, max_answer_bytes: u32) -> Settings {
    Settings {
        max_query_bytes: max_query_bytes.try_into().expect("some"),
        max_answer_bytes: max_answer_bytes.try_into().expect("some"),
        ..Settings::default()
    }
}

#[rocket::async_test]
async fn a_large_answer_of_records_arrives_whole_and_takes_little() {
    let site = Site::new(&Settings::default(), 60_000).await;
    for path in ["/foo?sort_by=_timestamp:ascending", "/foo?sort_by=number:ascending"] {
        let response = site.get(path).await;
        assert!(response.headers().get_one("Content-Length").is_none(), "it is not made before it is sent");
        let text = response.into_string().await.expect("a body");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let data = json["data"].as_array().expect("a list");
        assert!(data.iter().map(|record| record["number"].as_i64()).eq((0..60_000).map(Some)), "{path}");
    }
    let csv =
        site.get("/foo?sort_by=_timestamp:ascending&format=csv").await.into_string().await.expect("CSV");
    assert_eq!(csv.lines().count(), 60_001);
    assert_eq!(csv.lines().next().map(|header| header.split(',').count()), Some(11));
    assert!(csv.lines().last().is_some_and(|last| last.contains(",59999,\"a \"\"text\"\"\"")));
    assert!(site.room().most() < 20_000_000, "{}", site.room().most());
    assert_eq!(site.room().bytes(), 0);
}

#[rocket::async_test]
async fn a_large_answer_that_a_client_has_is_not_made_again() {
    let site = Site::new(&Settings::default(), 60_000).await;
    let first = site.get("/foo").await;
    let tag = first.headers().get_one("ETag").expect("a tag").to_owned();
    assert!(tag.starts_with("\"from-"), "{tag}");
    let again = |tag: &str| site.client.get("/foo").header(Header::new("If-None-Match", tag.to_owned()));
    let before = site.room().most();
    drop(first);
    let response = again(&tag).dispatch().await;
    assert_eq!(response.status(), Status::NotModified);
    assert_eq!(response.headers().get_one("ETag"), Some(&*tag));
    assert_eq!(response.into_bytes().await.unwrap_or_default(), b"");
    assert_eq!(site.room().most(), before, "nothing was found for it");
    site.store(60_000..60_001).await;
    let response = again(&tag).dispatch().await;
    assert_eq!(response.status(), Status::Ok);
    assert_ne!(response.headers().get_one("ETag"), Some(&*tag));
    let other = site.get("/foo?limit=50000").await;
    assert_ne!(other.headers().get_one("ETag"), response.headers().get_one("ETag"));
}

#[rocket::async_test]
async fn small_answers_are_sized_and_tagged_by_their_bytes() {
    let site = Site::new(&Settings::default(), 3000).await;
    for path in ["/foo?limit=5", "/foo", "/foo?group_by=number", "/foo?format=csv"] {
        let response = site.get(path).await;
        let tag = response.headers().get_one("ETag").expect("a tag").to_owned();
        assert!(!tag.starts_with("\"from-"), "{path} {tag}");
        let head = site.client.head(path).dispatch().await;
        assert_eq!(head.headers().get_one("ETag"), Some(&*tag));
        let body = response.into_bytes().await.expect("a body");
        assert_eq!(backdrop_common::http::etag(&body), tag, "{path}");
    }
}

#[rocket::async_test]
async fn answers_that_nobody_reads_stay_within_the_room_for_all() {
    const MAX: u32 = 100_000_000;
    let site = Site::new(&settings(MAX, 268_435_456), 1).await;
    let paths: Vec<String> = (0..24).map(|name| format!("/foo?{HOURS}&collect=f{name}:sum")).collect();
    let responses = rocket::futures::future::join_all(paths.iter().map(|path| site.get(path))).await;
    let (mut answered, mut refused) = (0, 0);
    for response in &responses {
        match response.status() {
            Status::Ok => answered += 1,
            status => {
                assert_eq!(
                    (status, response.headers().get_one("Retry-After")),
                    (Status::ServiceUnavailable, Some("1"))
                );
                refused += 1;
            }
        }
    }
    assert!(answered >= 5 && refused >= 5, "{answered} answered, {refused} refused");
    assert!(site.room().most() <= MAX as usize && site.room().bytes() > 0);
    drop(responses);
    assert_eq!(site.room().bytes(), 0, "whoever has gone has nothing");
}

#[rocket::async_test]
async fn an_answer_of_groups_arrives_whole_in_pieces() {
    let site = Site::new(&Settings::default(), 1).await;
    let mut response = site.get(&format!("/foo?{HOURS}&collect=size:sum")).await;
    let (mut count, mut piece) = (0_usize, vec![0; 1 << 20]);
    let mut last = Vec::new();
    loop {
        let read = response.read(&mut piece).await.expect("a piece");
        if read == 0 {
            break;
        }
        count += piece[..read].iter().map(|byte| usize::from(*byte == b'{')).sum::<usize>();
        last = piece[..read].to_vec();
    }
    assert_eq!(count, 964_248 + 1);
    assert!(last.ends_with(b"}]}"));
    assert!(site.room().most() < 20_000_000, "{}", site.room().most());
}

#[rocket::async_test]
async fn an_answer_of_too_many_bytes_is_refused_before_it_is_made() {
    let site = Site::new(&settings(536_870_912, 50_000_000), 1).await;
    for path in [format!("/foo?{HOURS}"), format!("/foo?{HOURS}&format=csv&collect={}:sum", "f".repeat(100))]
    {
        let response = site.get(&path).await;
        let is_csv = path.contains("csv");
        assert_eq!(response.status(), Status::BadRequest, "{path}");
        let body = response.into_string().await.expect("a body");
        assert!(body.contains("at most 50000000 are given; ask for a shorter span"), "{is_csv} {body}");
    }
    assert_eq!(site.get("/foo?group_by=number").await.status(), Status::Ok);
}
