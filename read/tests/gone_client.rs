//! What the read app does when a client goes away before it is answered.

#![cfg(target_os = "linux")]

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use backdrop_common::bucket::{Bucket, BucketConfig, BucketName, BucketTokens};
use backdrop_common::http::launch_on;
use backdrop_common::settings::Settings;
use backdrop_common::storage::StorageErrorKind;
use backdrop_common::storage::failing::{FailingEngine, UnderWay};
use rocket::tokio::net::TcpListener;
use rocket::tokio::time::timeout;
use rocket::tokio::{self, spawn};

/// Starts the app on a free port, with an engine that never answers.
async fn start(under_way: UnderWay) -> u16 {
    let name = BucketName::parse("foo").expect("a name");
    let config = BucketConfig { raw_queries_allowed: true, ..BucketConfig::new(name) };
    let engine = FailingEngine {
        kind: StorageErrorKind::Internal,
        bucket: Some(Bucket { config, tokens: BucketTokens::default() }),
        endless: Some(under_way),
        pages: 0,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let rocket = backdrop_read::rocket(&Settings::default(), Arc::new(engine), port);
    spawn(async { launch_on(rocket, listener, 16).await.expect("the app runs") });
    port
}

fn ask(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
    stream.write_all(b"GET /foo HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_when_its_client_goes_away() {
    let under_way = UnderWay::new(0);
    let mut count = under_way.subscribe();
    let mut wait_for = async |expected| {
        let reached = count.wait_for(|count| *count == expected);
        timeout(Duration::from_secs(30), reached).await.expect("it is reached").expect("a count");
    };
    let port = start(under_way.clone()).await;
    let (staying, leaving) = (ask(port), ask(port));
    wait_for(2).await;
    drop(leaving);
    wait_for(1).await;
    drop(staying);
    wait_for(0).await;
}
