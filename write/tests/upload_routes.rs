//! Where uploads are, beside the API.

use std::sync::Arc;

use backdrop_common::settings::Settings;
use backdrop_common::storage::StorageErrorKind;
use backdrop_common::storage::failing::FailingEngine;
use rocket::http::{ContentType, Method, Status};
use rocket::local::blocking::Client;

#[test]
fn beside_the_api() {
    let engine = FailingEngine { kind: StorageErrorKind::Internal, bucket: None, endless: None, pages: 0 };
    let app = backdrop_write::rocket(&Settings::default(), Arc::new(engine), 0);
    let client = Client::untracked(app).expect("the app");
    let check = |method, path: &str, status: Status| {
        let form = "multipart/form-data; boundary=edge".parse::<ContentType>().expect("a type");
        let response = client.req(method, path).header(form).body("--edge--").dispatch();
        assert_eq!(response.status(), status, "{method} {path}");
    };
    // Nobody can sign in here.
    check(Method::Get, "/foo/upload", Status::ServiceUnavailable);
    check(Method::Post, "/foo/upload", Status::ServiceUnavailable);
    check(Method::Post, "/foo/upload/store", Status::ServiceUnavailable);
    check(Method::Get, "/foo/upload/store", Status::MethodNotAllowed);
    check(Method::Put, "/foo/upload", Status::MethodNotAllowed);
    // Below the bucket's page every bucket can be uploaded to, whatever it is called.
    for bucket in ["foo", "data", "data-sets", "upload"] {
        check(Method::Get, &format!("/_user/buckets/{bucket}/upload"), Status::ServiceUnavailable);
        check(Method::Post, &format!("/_user/buckets/{bucket}/upload"), Status::ServiceUnavailable);
        check(Method::Post, &format!("/_user/buckets/{bucket}/upload/store"), Status::ServiceUnavailable);
        check(Method::Put, &format!("/_user/buckets/{bucket}/upload"), Status::MethodNotAllowed);
    }
    // The data of a bucket that is called "upload".
    check(Method::Delete, "/data-sets/upload", Status::InternalServerError);
    check(Method::Get, "/data-sets/upload", Status::MethodNotAllowed);
    check(Method::Post, "/data/upload/store", Status::InternalServerError);
}
