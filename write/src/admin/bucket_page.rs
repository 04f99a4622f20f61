//! The page of a bucket: what it holds, how fresh that is, how it is set up, and how programs reach it.

use std::time::Duration;

use askama::Template;
use backdrop_common::bucket::{Bucket, BucketConfig, BucketName};
use backdrop_common::http::ApiError;
use backdrop_common::period::Period;
use backdrop_common::timestamp::Timestamp;
use backdrop_pages::Page;
use backdrop_pages::chart::BarChart;
use rocket::{State, get};

use super::figures::{self, Freshness, LastRecords};
use super::notice::Notice;
use super::{Frame, PageError, SignedIn, grants, words};
use crate::WriteApp;

/// Records that a bucket's page shows.
const LAST_RECORDS: usize = 10;

#[derive(Template)]
#[template(path = "bucket.html")]
struct BucketPage {
    frame: Frame,
    notice: Option<String>,
    config: BucketConfig,
    facts: Vec<(&'static str, String)>,
    tokens: TokenState,
    freshness: Freshness,
    records: String,
    chart: Option<BarChart>,
    period: Option<Period>,
    last: LastRecords,
    write_url: String,
    read_url: String,
}

/// What is known of a bucket's tokens, which are kept as hashes only.
struct TokenState {
    has_one: bool,
    /// Until when replaced ones are still taken.
    retiring: Vec<String>,
    /// How long one that is rotated is still taken.
    overlap: String,
}

impl TokenState {
    fn of(bucket: &Bucket, now: Timestamp, overlap: Duration) -> Self {
        let tokens = &bucket.tokens;
        let retiring = tokens.retiring.iter().filter(|token| token.until > now);
        Self {
            has_one: tokens.current.is_some(),
            retiring: retiring.map(|token| words::instant(token.until)).collect(),
            overlap: words::span(i64::try_from(overlap.as_secs()).unwrap_or(i64::MAX)),
        }
    }
}

#[get("/_user/buckets/<name>?<period>")]
pub(crate) async fn show_bucket(
    name: Result<BucketName, ApiError>,
    period: Option<&str>,
    person: Result<SignedIn, PageError>,
    notice: Notice,
    app: &State<WriteApp>,
) -> Result<Page, PageError> {
    let person = person?;
    let bucket = grants::granted(app, &person, name).await?;
    let (engine, name, now) = (&*app.engine, bucket.name(), (app.clock)());
    let newest = figures::newest(engine, name).await?;
    let wanted = period.and_then(Period::parse);
    let (period, chart) = match newest {
        Some(newest) => Some(figures::chart(engine, name, newest, wanted).await?),
        None => None,
    }
    .unzip();
    Ok(Page::render(&BucketPage {
        frame: person.frame(),
        notice: notice.0,
        facts: facts(&bucket.config),
        tokens: TokenState::of(&bucket, now, app.token_overlap),
        freshness: Freshness::new(&bucket.config, newest, now),
        records: words::counted(engine.count(name).await?, "record"),
        chart,
        period,
        last: figures::last_records(engine, name, LAST_RECORDS).await?,
        write_url: app.public_url.to_string(),
        read_url: app.read_url.to_string(),
        config: bucket.config,
    })?)
}

/// A configuration in words, without what says nothing.
fn facts(config: &BucketConfig) -> Vec<(&'static str, String)> {
    let yes_or_no = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    let or_none =
        |texts: &[String], none: &str| if texts.is_empty() { none.to_owned() } else { texts.join(", ") };
    let mut facts = vec![
        (
            "Second address",
            config
                .data_type_address()
                .map_or_else(|| "none".to_owned(), |address| format!("/data/{address}")),
        ),
        ("Answered by the read app", yes_or_no(config.queryable)),
        ("Published", yes_or_no(config.published)),
        ("Raw queries allowed", yes_or_no(config.raw_queries_allowed)),
        ("Realtime", yes_or_no(config.realtime)),
    ];
    if let Some(cap) = config.cap() {
        facts.push(("Keeps at the most", words::counted(cap, "byte")));
    }
    let age = config.max_age_expected.map(|age| i64::try_from(age).unwrap_or(i64::MAX));
    facts.push((
        "New data expected",
        age.map_or_else(|| "not checked".to_owned(), |age| format!("within {}", words::span(age))),
    ));
    facts.push(("Fields that make the id", or_none(&config.auto_ids, "none")));
    facts.push(("Upload filters", or_none(&config.upload_filters, "none")));
    facts
}

/// The address of a bucket's page.
pub(super) fn page_of(bucket: &BucketName) -> String {
    format!("/_user/buckets/{bucket}")
}
