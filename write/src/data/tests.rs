use std::fmt::Write;

use backdrop_common::bucket::{BucketConfig, TokenChange};
use backdrop_common::room::{Reservation, Room};
use backdrop_common::settings::Settings;
use backdrop_common::storage::{BucketSave, SqliteEngine, StorageEngine};
use backdrop_common::token::TokenHash;
use flate2::Compression;
use flate2::write::GzEncoder;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};

use super::*;

/// How much room there is for requests.
const ROOM: u32 = 100_000;

/// The app on a store of its own, with the bucket "foo".
struct Site {
    client: Client,
    engine: Arc<dyn StorageEngine>,
    room: Arc<Room>,
    bucket: BucketName,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = SqliteEngine::open(&folder.path().join("backdrop.db")).expect("a database");
        let engine: Arc<dyn StorageEngine> = Arc::new(engine);
        let bucket = BucketName::parse("foo").expect("a name");
        let token = TokenChange::Set(TokenHash::new(&"tok-foo".to_owned().into()));
        let save = BucketSave::new(BucketConfig::new(bucket.clone()), token);
        engine.save_buckets(vec![save]).await.expect("saved");
        let settings = Settings { max_ingest_bytes: ROOM.try_into().expect("some"), ..Settings::default() };
        let app = WriteApp::new(&settings, Arc::clone(&engine), 0);
        let room = Arc::clone(&app.room);
        let client = Client::untracked(crate::build(&settings, app, 0)).await.expect("the app");
        Self { client, engine, room, bucket, _folder: folder }
    }

    /// What other requests have of the room, but for so many bytes.
    fn others_leave(&self, bytes: u32) -> Reservation {
        let mut others = self.room.reserve();
        others.cover((ROOM - bytes) as usize).expect("it is alone");
        others
    }

    async fn post(&self, body: Vec<u8>, encoding: &'static str) -> LocalResponse<'_> {
        self.client
            .post("/foo")
            .header(ContentType::JSON)
            .header(Header::new("Authorization", "Bearer tok-foo"))
            .header(Header::new("Content-Encoding", encoding))
            .body(body)
            .dispatch()
            .await
    }

    async fn count(&self) -> u64 {
        self.engine.count(&self.bucket).await.expect("a count")
    }

    /// Posts a body while others leave little room, and then again.
    async fn check_refused(&self, body: Vec<u8>, encoding: &'static str, left: u32) {
        let before = self.count().await;
        let others = self.others_leave(left);
        let refused = self.post(body.clone(), encoding).await;
        assert_eq!(refused.status(), Status::ServiceUnavailable);
        assert_eq!(refused.headers().get_one("Retry-After"), Some("1"));
        let text = refused.into_string().await.expect("a body");
        assert_eq!(text, r#"{"message":"the app is busy, please try again in a moment","status":"error"}"#);
        assert_eq!(self.count().await, before, "nothing of it is stored");
        drop(others);
        assert_eq!(self.post(body, encoding).await.status(), Status::Ok);
        assert!(self.count().await > before);
        let mut all = self.room.reserve();
        let mut other = self.room.reserve();
        all.cover(1).and_then(|()| other.cover(ROOM as usize - 1)).expect("all of it was given back");
    }
}

/// A list of so many records.
fn records(count: usize) -> Vec<u8> {
    let mut json = String::from("[");
    for number in 0..count {
        let comma = if number > 0 { "," } else { "" };
        write!(json, r#"{comma}{{"number":{number}}}"#).expect("memory");
    }
    (json + "]").into_bytes()
}

#[rocket::async_test]
async fn what_there_is_no_room_for_is_refused_and_taken_later() {
    let site = Site::new().await;
    site.check_refused(records(100), "identity", 1000).await;
    // Large ones are checked on another thread.
    site.check_refused(records(5000), "identity", 50_000).await;
}

#[rocket::async_test]
async fn what_a_body_unpacks_to_is_counted() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    std::io::Write::write_all(&mut encoder, &vec![b' '; 20_000]).expect("memory");
    std::io::Write::write_all(&mut encoder, &records(1)).expect("memory");
    let packed = encoder.finish().expect("memory");
    assert!(packed.len() < 200);
    Site::new().await.check_refused(packed, "gzip", 20_000).await;
}

#[rocket::async_test]
async fn what_is_made_of_a_body_is_counted() {
    // Each of these takes many times as much memory as there is of it in the body.
    let body = format!("[{}]", vec!["{}"; 300].join(",")).into_bytes();
    let read = u32::try_from(body.len() * crate::body::PER_BYTE).expect("a little");
    Site::new().await.check_refused(body, "identity", read).await;
}

#[rocket::async_test]
async fn one_that_is_alone_is_taken_whatever_its_size() {
    let site = Site::new().await;
    assert_eq!(site.post(records(20_000), "identity").await.status(), Status::Ok);
    assert_eq!(site.count().await, 20_000);
}
