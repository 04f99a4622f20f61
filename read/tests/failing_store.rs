//! What the read app answers when its store fails.

use std::sync::Arc;

use backdrop_common::bucket::{Bucket, BucketConfig, BucketName, BucketTokens};
use backdrop_common::settings::Settings;
use backdrop_common::storage::StorageErrorKind;
use backdrop_common::storage::failing::{CAUSE, FailingEngine};
use rocket::http::{ContentType, Header, Status};
use rocket::local::blocking::Client;

fn client(kind: StorageErrorKind, bucket: Option<Bucket>) -> Client {
    let engine = Arc::new(FailingEngine { kind, bucket, endless: None, pages: 0 });
    Client::untracked(backdrop_read::rocket(&Settings::default(), engine, 0)).expect("the app")
}

fn bucket() -> Bucket {
    let name = BucketName::parse("foo").expect("a name");
    Bucket {
        config: BucketConfig { raw_queries_allowed: true, ..BucketConfig::new(name) },
        tokens: BucketTokens::default(),
    }
}

#[track_caller]
fn check(kind: StorageErrorKind, path: &str, status: Status, retry_after: Option<&str>, message: &str) {
    for bucket in [None, Some(bucket())] {
        let client = client(kind, bucket);
        let request = client.get(path.to_owned()).header(Header::new("X-Request-Id", "r-1"));
        let response = request.dispatch();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers().get_one("Retry-After"), retry_after);
        assert_eq!(response.headers().get_one("Access-Control-Allow-Origin"), Some("*"));
        assert_eq!(response.headers().get_one("X-Request-Id"), Some("r-1"));
        let body = response.into_string().expect("a body");
        assert_eq!(body, message, "{path}");
        assert!(!body.contains(CAUSE));
    }
}

#[test]
fn an_unavailable_store_is_503_and_worth_another_try() {
    let message = r#"{"message":"the store is unavailable, please try again later","status":"error"}"#;
    for path in ["/_status", "/_status/data-sets", "/foo", "/data/g/t?group_by=kind"] {
        check(StorageErrorKind::Unavailable, path, Status::ServiceUnavailable, Some("5"), message);
    }
}

#[test]
fn a_failing_store_is_500_with_the_requests_id_and_nothing_from_inside() {
    let message = r#"{"message":"internal server error","request_id":"r-1","status":"error"}"#;
    for path in ["/_status", "/foo", "/foo?period=day&duration=3"] {
        check(StorageErrorKind::Internal, path, Status::InternalServerError, None, message);
    }
}

#[track_caller]
fn check_page(kind: StorageErrorKind, status: Status, retry_after: Option<&str>, text: &str) {
    for bucket in [None, Some(bucket())] {
        let client = client(kind, bucket);
        let request = client.get("/foo").header(Header::new("X-Request-Id", "r-1"));
        let response = request.header(Header::new("Accept", "text/html,*/*;q=0.8")).dispatch();
        assert_eq!(response.status(), status);
        assert_eq!(response.content_type(), Some(ContentType::HTML));
        assert_eq!(response.headers().get_one("Retry-After"), retry_after);
        assert_eq!(response.headers().get_one("Vary"), Some("Accept"));
        assert_eq!(response.headers().get_one("Cache-Control"), Some("no-cache"));
        let body = response.into_string().expect("a body");
        assert!(body.contains(text) && body.contains("Request id: r-1"), "{body}");
        assert!(!body.contains(CAUSE));
    }
}

#[test]
fn a_browser_is_told_so_on_a_page() {
    let kind = StorageErrorKind::Unavailable;
    check_page(kind, Status::ServiceUnavailable, Some("5"), "The data cannot be read just now");
    check_page(StorageErrorKind::Internal, Status::InternalServerError, None, "Something went wrong");
}

#[test]
fn a_store_that_fails_in_the_middle_breaks_the_answer() {
    // What is kept is made whole first.
    let settings = Settings { answer_bytes: 0, ..Settings::default() };
    for (path, first) in
        [("/foo", &b"{\"data\":[{\"_id\":\"r1\""[..]), ("/foo?format=csv", b"_id,_updated_at\r\n")]
    {
        let kind = StorageErrorKind::Unavailable;
        let engine = Arc::new(FailingEngine { kind, bucket: Some(bucket()), endless: None, pages: 3 });
        let client = Client::untracked(backdrop_read::rocket(&settings, engine, 0)).expect("the app");
        let mut response = client.get(path).dispatch();
        assert_eq!(response.status(), Status::Ok);
        assert_eq!(response.headers().get_one("ETag"), None);
        let mut body = Vec::new();
        let read = std::io::Read::read_to_end(&mut response, &mut body);
        assert!(read.is_err(), "{path} ends as if it were whole, after {} bytes", body.len());
        assert!(body.starts_with(first) && body.len() > 200_000);
    }
}
