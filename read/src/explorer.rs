//! The explorer: what a browser is shown where a program is answered with data. The query is a form,
//! the answer a table and a chart, and beside them is what a program would ask for the same.
//!
//! ```text
//! accept (who is a browser) → form (query string ⇄ fields) → data::find → table, chart → page
//! ```

mod accept;
mod chart;
mod form;
mod links;
mod page;
mod table;

use backdrop_common::bucket::{Bucket, BucketAddress};
use backdrop_common::http::ApiError;
use backdrop_common::query::Query;
use backdrop_common::query::args::QueryArgs;
use backdrop_common::storage::StorageErrorKind;
use rocket::http::Status;

use crate::ReadApp;
use crate::data::{ReadRequest, checked, find, queryable};

pub(crate) use accept::wants_page;
pub(crate) use page::{Explored, refused};

use chart::{Outline, Picture};
use form::Fields;
use links::Links;
use page::{ExplorerPage, View};
use table::Tables;

/// What is shown of a bucket that nothing was asked of.
const NEWEST: &str = "sort_by=_timestamp:descending&limit=100";
/// How many records are shown at the most.
const RECORDS: usize = 100;

/// Answers a browser.
///
/// # Errors
///
/// [`ApiError`] where there is nothing that a form could be shown for. A query that is wrong has one.
pub(crate) async fn explore(
    app: &ReadApp,
    address: BucketAddress,
    request: &ReadRequest<'_>,
) -> Result<Explored, ApiError> {
    let bucket = queryable(app, &address).await?;
    if let Some(query) = form::tidied(request.query) {
        return Ok(Explored::Elsewhere(format!("{}{query}", request.path)));
    }
    let asks_nothing = request.query.is_empty();
    let query = if asks_nothing && bucket.config.raw_queries_allowed { NEWEST } else { request.query };
    let page = ExplorerPage::new(&bucket, request.path, &Fields::of(query));
    if asks_nothing && query.is_empty() {
        return View::of(&page, Status::Ok, &bucket);
    }
    let links = Links::new(&site(app, request), request.path, query);
    match answer(app, &bucket, query).await {
        Ok((tables, picture)) => View::of(&page.with_answer(tables, picture, links), Status::Ok, &bucket),
        Err(error) if is_about_the_query(&error) => {
            View::of(&page.with_error(error.to_string()), error.status(), &bucket)
        }
        Err(error) => Err(error),
    }
}

/// Where programs find us, as `http://localhost:3038`: what is set, or else where this browser did.
fn site(app: &ReadApp, request: &ReadRequest<'_>) -> String {
    let host = request.host.map_or_else(|| "localhost".to_owned(), ToString::to_string);
    app.read_url.as_ref().map_or_else(|| format!("http://{host}"), ToString::to_string)
}

/// Finds what a query asks for, or as much of it as is shown.
async fn answer(app: &ReadApp, bucket: &Bucket, query: &str) -> Result<(Tables, Option<Picture>), ApiError> {
    let mut query = checked(app, bucket, QueryArgs::parse(query)?)?;
    let outline = match &mut query {
        Query::Records(query) => {
            // One more than is shown tells whether there are more.
            query.limit = Some(query.limit.unwrap_or(usize::MAX).min(RECORDS + 1));
            None
        }
        Query::Groups(query) => Some(Outline::of(query)),
    };
    let (found, room) = find(app, bucket.name(), query).await?;
    let shown = rocket::tokio::task::spawn_blocking(move || {
        let _room = room;
        let picture = outline.and_then(|outline| outline.picture(&found));
        Ok::<_, ApiError>((Tables::of(&found)?, picture))
    });
    shown.await.map_err(|_| ApiError::Internal)?
}

fn is_about_the_query(error: &ApiError) -> bool {
    match error {
        ApiError::Query(_) => true,
        ApiError::Storage(error) => error.kind() == StorageErrorKind::TooManyRows,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use backdrop_common::aggregate::Partial;
    use backdrop_common::query::GroupQuery;
    use backdrop_common::query::args::QueryContext;
    use backdrop_common::shape::{GroupAnswer, shape};
    use backdrop_common::storage::{Interest, Row};
    use backdrop_common::timestamp::Timestamp;
    use backdrop_common::value::{Value, ValueRef};

    use super::*;

    pub(super) fn group_query(query: &str) -> GroupQuery {
        let now = Timestamp::parse("2014-06-18").expect("a time");
        let context = QueryContext { raw_queries_allowed: true, now, max_rows: 10_000 };
        match QueryArgs::parse(query).and_then(|args| args.into_query(&context)) {
            Ok(Query::Groups(query)) => query,
            other => panic!("{query} is {other:?}"),
        }
    }

    /// The answer to a query where the records are a kind, a time and a size, in the order of both.
    pub(super) fn group_answer(query: &str, records: &[(&str, &str, i64)]) -> GroupAnswer {
        let query = group_query(query);
        let mut rows: Vec<Row> = Vec::new();
        for (kind, time, size) in records {
            let time = Timestamp::parse(time).expect("a time");
            let keys: Box<[Value]> = query.keys.iter().map(|_| Value::from(*kind)).collect();
            let start = query.window.map(|window| window.period.start(time));
            let place = rows.iter().position(|row| row.keys == keys && row.start == start);
            let place = place.unwrap_or_else(|| {
                let collected =
                    query.collected_fields().iter().map(|field| Partial::new(field.wants_set)).collect();
                rows.push(Row { keys, start, count: 0, collected });
                rows.len() - 1
            });
            rows[place].count += 1;
            for partial in &mut rows[place].collected {
                partial.add(ValueRef::Int(*size));
            }
        }
        shape(&query, rows, &Interest::default()).expect("an answer")
    }
}
