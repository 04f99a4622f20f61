//! What the write app answers when its store fails.

use std::sync::Arc;

use backdrop_common::bucket::{Bucket, BucketConfig, BucketName, BucketTokens};
use backdrop_common::settings::Settings;
use backdrop_common::storage::StorageErrorKind;
use backdrop_common::storage::failing::{CAUSE, FailingEngine};
use backdrop_common::token::TokenHash;
use rocket::http::{ContentType, Header, Method, Status};
use rocket::local::blocking::Client;

fn client(kind: StorageErrorKind) -> Client {
    let name = BucketName::parse("foo").expect("a name");
    let token = TokenHash::new(&"tok-foo".to_owned().into());
    let bucket = Some(Bucket { config: BucketConfig::new(name), tokens: BucketTokens::only(token) });
    let engine = Arc::new(FailingEngine { kind, bucket, endless: None, pages: 0 });
    Client::untracked(backdrop_write::rocket(&Settings::default(), engine, 0)).expect("the app")
}

#[track_caller]
fn check(kind: StorageErrorKind, status: Status, retry_after: Option<&str>) {
    let client = client(kind);
    let writes = [
        (Method::Post, "/foo", "{\"aa\": 1}"),
        (Method::Put, "/data/g/t", "[]"),
        (Method::Patch, "/data/g/t/r1", "{\"aa\": 1}"),
        (Method::Delete, "/data/g/t/r1", ""),
    ];
    for (method, path, body) in writes {
        let response = client
            .req(method, path)
            .header(ContentType::JSON)
            .header(Header::new("Authorization", "Bearer tok-foo"))
            .body(body)
            .dispatch();
        assert_eq!(response.status(), status, "{method} {path}");
        assert_eq!(response.headers().get_one("Retry-After"), retry_after, "{method} {path}");
        assert_eq!(response.headers().get_one("Cache-Control"), Some("no-cache"));
        let body = response.into_string().expect("a body");
        assert!(!body.contains(CAUSE) && !body.contains("tok-foo"), "{body}");
    }
}

#[test]
fn an_unavailable_store_is_503_and_worth_another_try() {
    check(StorageErrorKind::Unavailable, Status::ServiceUnavailable, Some("5"));
}

#[test]
fn a_store_with_too_many_callers_is_503_and_worth_another_try_soon() {
    check(StorageErrorKind::Busy, Status::ServiceUnavailable, Some("1"));
}

#[test]
fn a_failing_store_is_500_and_says_nothing_from_inside() {
    check(StorageErrorKind::Internal, Status::InternalServerError, None);
}

#[test]
fn a_bucket_that_was_deleted_meanwhile_is_404() {
    check(StorageErrorKind::NotFound, Status::NotFound, None);
}
