//! The headers of what the read app answers.

use std::sync::Arc;

use backdrop_common::bucket::{Bucket, BucketConfig, BucketName, BucketTokens};
use backdrop_common::settings::Settings;
use backdrop_common::storage::StorageErrorKind;
use backdrop_common::storage::failing::FailingEngine;
use rocket::http::{Accept, Status};
use rocket::local::blocking::Client;

fn client(settings: &Settings) -> Client {
    let config = BucketConfig::new(BucketName::parse("foo").expect("a name"));
    let bucket = Some(Bucket { config, tokens: BucketTokens::default() });
    let engine = FailingEngine { kind: StorageErrorKind::Internal, bucket, endless: None, pages: 0 };
    Client::untracked(backdrop_read::rocket(settings, Arc::new(engine), 0)).expect("the app")
}

fn at(read_url: &str) -> Settings {
    Settings { read_url: Some(read_url.parse().expect("a URL")), ..Settings::default() }
}

#[test]
fn an_app_behind_https_says_so() {
    let https = at("https://data.example.org");
    let only_ours = Settings { hsts_subdomains: false, ..https.clone() };
    for (settings, expected) in [
        (https, Some("max-age=31536000; includeSubDomains")),
        (only_ours, Some("max-age=31536000")),
        (at("http://data.example.org"), None),
        (Settings::default(), None),
    ] {
        let client = client(&settings);
        for path in ["/foo?limit=x", "/_status", "/nothing/here", "/backdrop.css"] {
            let answer = client.get(path).dispatch();
            assert_eq!(answer.headers().get_one("Strict-Transport-Security"), expected, "{path}");
        }
    }
}

#[test]
fn a_redirect_of_the_explorer_has_the_headers_of_its_pages() {
    let client = client(&Settings::default());
    let answer = client.get("/foo?group_by=&limit=5").header(Accept::HTML).dispatch();
    assert_eq!(answer.status(), Status::SeeOther);
    assert_eq!(answer.headers().get_one("Location"), Some("/foo?limit=5"));
    assert_eq!(answer.headers().get_one("Cache-Control"), Some("no-cache"));
    let policy = answer.headers().get_one("Content-Security-Policy").expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
}
