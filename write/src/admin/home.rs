//! The first page: what Backdrop is, or the buckets of whoever is signed in.

use askama::Template;
use backdrop_common::bucket::{Bucket, BucketAddress, BucketName};
use backdrop_common::storage::UnreadableBucket;
use backdrop_pages::Page;
use backdrop_pages::chart::Sparkline;
use rocket::futures::future::try_join_all;
use rocket::{State, get};

use super::figures::{Freshness, newest, sparkline, unless_gone};
use super::notice::Notice;
use super::{Frame, PageError, SignedIn, grants, words};
use crate::WriteApp;

/// Buckets on one page: each costs two looks at its records.
const PAGE: usize = 20;

#[derive(Template)]
#[template(path = "landing.html")]
struct Landing;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
    /// The person's address, by which buckets are granted.
    email: String,
    notice: Option<String>,
    /// For administrators: what is not among the lines, since it cannot be read.
    unreadable: Vec<UnreadableBucket>,
    /// What the names on this page contain.
    search: String,
    lines: Vec<Line>,
    /// How many there are on all pages.
    total: usize,
    pager: Pager,
}

/// A bucket on the page.
struct Line {
    name: BucketName,
    /// Its second address, if it has one.
    address: Option<BucketAddress>,
    records: String,
    freshness: Freshness,
    sparkline: Sparkline,
}

/// Links to the pages before and after this one.
struct Pager {
    newer: Option<usize>,
    older: Option<usize>,
}

#[get("/_user?<q>&<page>")]
pub(crate) async fn home(
    q: Option<&str>,
    page: Option<usize>,
    person: Result<SignedIn, PageError>,
    notice: Notice,
    app: &State<WriteApp>,
) -> Result<Page, PageError> {
    let person = match person {
        Err(PageError::SignInNeeded { .. }) => return Ok(Page::render(&Landing)?),
        person => person?,
    };
    let search = q.unwrap_or_default().trim().to_owned();
    let mut buckets = grants::visible(app, &person).await?;
    buckets.retain(|bucket| matches(bucket, &search));
    let total = buckets.len();
    let page = page.unwrap_or(0).min(total.saturating_sub(1) / PAGE);
    let shown: Vec<Bucket> = buckets.into_iter().skip(page * PAGE).take(PAGE).collect();
    let pager = Pager { newer: page.checked_sub(1), older: (total > (page + 1) * PAGE).then_some(page + 1) };
    let Notice(notice) = notice;
    let lines = lines(app, shown).await?;
    let unreadable = if person.is_admin { app.engine.unreadable_buckets().await? } else { Vec::new() };
    Ok(Page::render(&Home {
        frame: person.frame(),
        email: person.email,
        notice,
        unreadable,
        search,
        lines,
        total,
        pager,
    })?)
}

/// Whether a bucket's name or second address contains what was searched for, in any case.
fn matches(bucket: &Bucket, search: &str) -> bool {
    let search = search.to_lowercase();
    let config = &bucket.config;
    let texts = [Some(config.name.as_str()), config.data_group.as_deref(), config.data_type.as_deref()];
    texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&search))
}

async fn lines(app: &WriteApp, buckets: Vec<Bucket>) -> Result<Vec<Line>, PageError> {
    let now = (app.clock)();
    let line = async |bucket: Bucket| {
        let name = bucket.name().clone();
        let Some(newest) = unless_gone(newest(&*app.engine, &name).await)? else { return Ok(None) };
        let Some(records) = unless_gone(app.engine.count(&name).await)? else { return Ok(None) };
        let Some(sparkline) = unless_gone(sparkline(&*app.engine, &name, now).await)? else {
            return Ok(None);
        };
        Ok::<_, PageError>(Some(Line {
            address: bucket.config.data_type_address(),
            records: words::count(records),
            freshness: Freshness::new(&bucket.config, newest, now),
            sparkline,
            name,
        }))
    };
    let lines = try_join_all(buckets.into_iter().map(line)).await?;
    Ok(lines.into_iter().flatten().collect())
}
