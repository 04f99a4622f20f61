//! Whether the app is up, and whether the buckets' data is fresh.

use backdrop_common::bucket::BucketConfig;
use backdrop_common::http::{ApiError, health as app_health, liveness};
use backdrop_common::timestamp::Timestamp;
use rocket::http::{ContentType, Header};
use rocket::{Responder, State, get};
use serde_json::{Value as Json, json};

use crate::ReadApp;

/// A status is never cached.
#[derive(Responder)]
pub(crate) struct Status {
    body: String,
    content_type: ContentType,
    cache_control: Header<'static>,
}

impl Status {
    fn new(body: &Json) -> Self {
        Self {
            body: body.to_string(),
            content_type: ContentType::JSON,
            cache_control: Header::new("Cache-Control", "no-cache"),
        }
    }
}

#[get("/_status")]
pub(crate) async fn health(app: &State<ReadApp>) -> Result<Status, ApiError> {
    Ok(Status::new(&app_health(&*app.engine).await?))
}

/// Whether the process answers, and nothing else: it waits for no store and for no turn.
#[get("/_status/live")]
pub(crate) fn live() -> Status {
    Status::new(&liveness())
}

#[get("/_status/data-sets")]
pub(crate) async fn data_sets(app: &State<ReadApp>) -> Result<Status, ApiError> {
    freshness(app, "data_sets").await
}

#[get("/_status/buckets")]
pub(crate) async fn buckets(app: &State<ReadApp>) -> Result<Status, ApiError> {
    freshness(app, "buckets").await
}

async fn freshness(app: &ReadApp, key: &str) -> Result<Status, ApiError> {
    let newest = app.engine.newest_timestamps().await?;
    let now = Timestamp::now();
    let stale: Vec<_> =
        newest.iter().filter_map(|(bucket, newest)| staleness(bucket, *newest, now)).collect();
    let (status, message) = match stale.len() {
        0 => ("ok", format!("All {key} are in date")),
        1 => ("not okay", "1 data-set is out of date".to_owned()),
        count => ("not okay", format!("{count} data-sets are out of date")),
    };
    let unreadable = app.engine.unreadable_buckets().await?;
    let (status, message) = match unreadable.len() {
        0 => (status, message),
        1 => ("not okay", format!("{message}; the configuration of 1 bucket cannot be read")),
        count => ("not okay", format!("{message}; the configurations of {count} buckets cannot be read")),
    };
    let stale = if stale.is_empty() { Json::Null } else { Json::Array(stale) };
    let mut body = json!({"status": status, "message": message});
    body[key] = stale;
    if !unreadable.is_empty() {
        body["unreadable"] = unreadable.into_iter().map(|bucket| bucket.name).collect();
    }
    Ok(Status::new(&body))
}

/// What is said of a bucket whose newest record is older than expected.
fn staleness(bucket: &BucketConfig, newest: Timestamp, now: Timestamp) -> Option<Json> {
    let seconds = bucket.seconds_out_of_date(newest, now)?;
    Some(json!({
        "name": bucket.name,
        "seconds-out-of-date": seconds,
        "last-updated": newest,
        "max-age-expected": bucket.max_age_expected,
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;

    use backdrop_common::settings::Settings;
    use backdrop_common::storage::StorageErrorKind;
    use backdrop_common::storage::failing::FailingEngine;
    use rocket::local::asynchronous::Client;
    use rocket::tokio::runtime::Builder;
    use rocket::tokio::task::spawn_blocking;

    #[test]
    fn an_app_is_alive_without_its_store_and_without_a_thread_to_spare() {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
        let (ends, held) = mpsc::channel::<()>();
        runtime.expect("a runtime").block_on(async {
            let engine = FailingEngine { kind: StorageErrorKind::Unavailable, bucket: None, endless: None };
            let app = crate::rocket(&Settings::default(), Arc::new(engine), 0);
            let client = Client::untracked(app).await.expect("an app");
            spawn_blocking(move || held.recv());
            for (path, status) in [("/_status", 503), ("/_status/live", 200)] {
                assert_eq!(client.get(path).dispatch().await.status().code, status, "{path}");
            }
            drop(ends);
        });
    }
}
