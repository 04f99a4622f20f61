//! What pages show of a bucket's records: how many there are, how fresh they are, and how many came
//! when.

use backdrop_common::bucket::{BucketConfig, BucketName};
use backdrop_common::field::FieldName;
use backdrop_common::period::Period;
use backdrop_common::query::{Direction, GroupQuery, RecordQuery, RecordSort, Selection, TimeRange, Window};
use backdrop_common::storage::{Document, Row, StorageEngine, StorageError, StorageErrorKind};
use backdrop_common::timestamp::Timestamp;
use backdrop_common::value::ValueRef;
use backdrop_pages::chart::{Bar, BarChart, Sparkline};

use super::words;

/// How fresh a bucket's data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// The class under which it is shown: `fresh`, `stale` or `never`.
    pub(crate) class: &'static str,
    /// What it is, in a word or two.
    pub(crate) word: &'static str,
    /// Of when the newest record is, and what is wrong with that.
    pub(crate) detail: String,
}

impl Freshness {
    /// The freshness of a bucket whose newest record is from `newest`.
    pub(crate) fn new(bucket: &BucketConfig, newest: Option<Timestamp>, now: Timestamp) -> Self {
        let Some(newest) = newest else {
            return Self { class: "never", word: "No data", detail: "no record with a time yet".to_owned() };
        };
        let age = words::ago(newest, now);
        match bucket.seconds_out_of_date(newest, now) {
            Some(late) => Self {
                class: "stale",
                word: "Out of date",
                detail: format!("{age}, {} late", words::span(late)),
            },
            None => Self { class: "fresh", word: "Up to date", detail: age },
        }
    }
}

/// The days that a sparkline shows.
const SPARKLINE_DAYS: i64 = 30;

/// How many records there are of each of the last 30 days, up to today.
pub(crate) async fn sparkline(
    engine: &dyn StorageEngine,
    bucket: &BucketName,
    now: Timestamp,
) -> Result<Sparkline, StorageError> {
    let end = Period::Day.next(Period::Day.start(now));
    let start = Period::Day.shift(end, -SPARKLINE_DAYS).unwrap_or(Timestamp::MIN);
    let window = Window { period: Period::Day, start, end, anchor: None };
    let bars = counts(engine, bucket, window).await?;
    let records: f64 = bars.iter().filter_map(|bar| bar.value).sum();
    Ok(Sparkline::new(format!("{records} records of the last {SPARKLINE_DAYS} days, by day"), bars))
}

/// The most bars that a chart by period has.
const MOST_BARS: i64 = 60;

/// How many records there are of each period up to the one with the newest record. Without a period it is
/// the shortest, from a day, in which the chart reaches back to the oldest record.
pub(crate) async fn chart(
    engine: &dyn StorageEngine,
    bucket: &BucketName,
    newest: Timestamp,
    wanted: Option<Period>,
) -> Result<(Period, BarChart), StorageError> {
    let period = if let Some(period) = wanted {
        period
    } else {
        let oldest = oldest(engine, bucket, newest).await?.unwrap_or(newest);
        shortest_period(oldest, newest)
    };
    let window = last_periods(period, newest);
    let title = format!(
        "Records by {}, {} to {}",
        period.name(),
        words::instant(window.start),
        words::instant(newest)
    );
    Ok((period, BarChart::new(title, counts(engine, bucket, window).await?)))
}

fn shortest_period(oldest: Timestamp, newest: Timestamp) -> Period {
    let fits =
        |period: &Period| period.count(period.start(oldest), period.next(period.start(newest))) <= MOST_BARS;
    [Period::Day, Period::Week, Period::Month, Period::Quarter].into_iter().find(fits).unwrap_or(Period::Year)
}

fn last_periods(period: Period, newest: Timestamp) -> Window {
    let end = period.next(period.start(newest));
    let start = period.shift(end, -MOST_BARS).unwrap_or(Timestamp::MIN);
    Window { period, start, end, anchor: None }
}

/// The newest `_timestamp` of a bucket.
pub(crate) async fn newest(
    engine: &dyn StorageEngine,
    bucket: &BucketName,
) -> Result<Option<Timestamp>, StorageError> {
    first_time(engine, bucket, &by_time(Direction::Descending, 1)).await
}

/// The oldest `_timestamp` of a bucket before another.
async fn oldest(
    engine: &dyn StorageEngine,
    bucket: &BucketName,
    before: Timestamp,
) -> Result<Option<Timestamp>, StorageError> {
    // Those without a time come first, but are in no range.
    let range = TimeRange { start: Timestamp::MIN, end: before };
    let selection = Selection { filters: Vec::new(), range: Some(range) };
    first_time(engine, bucket, &RecordQuery { selection, ..by_time(Direction::Ascending, 1) }).await
}

/// The `_timestamp` of the first record that a query finds.
async fn first_time(
    engine: &dyn StorageEngine,
    bucket: &BucketName,
    query: &RecordQuery,
) -> Result<Option<Timestamp>, StorageError> {
    let found = engine.find(bucket, query).await?;
    let Some(document) = found.iter().next() else { return Ok(None) };
    for field in document?.stored_fields() {
        if let ("_timestamp", ValueRef::Time(time)) = field? {
            return Ok(Some(time));
        }
    }
    Ok(None)
}

fn by_time(direction: Direction, limit: usize) -> RecordQuery {
    let field = FieldName::parse("_timestamp").expect("a well-formed key");
    RecordQuery { sort: Some(RecordSort { field, direction }), limit: Some(limit), ..RecordQuery::default() }
}

async fn counts(
    engine: &dyn StorageEngine,
    bucket: &BucketName,
    window: Window,
) -> Result<Vec<Bar>, StorageError> {
    let range = TimeRange { start: window.start, end: window.end };
    let query = GroupQuery {
        selection: Selection { filters: Vec::new(), range: Some(range) },
        keys: Vec::new(),
        window: Some(window),
        collect: Vec::new(),
        sort: None,
        limit: None,
        flatten: false,
        max_rows: window.len(),
    };
    Ok(bars(window, &engine.aggregate(bucket, &query).await?))
}

/// A bar for each period of a window; those without records are zero.
fn bars(window: Window, rows: &[Row]) -> Vec<Bar> {
    let bar = |start: Timestamp| {
        let row = rows.iter().find(|row| row.start == Some(start));
        #[expect(clippy::cast_precision_loss, reason = "a bar is not that exact")]
        let value = row.map_or(0.0, |row| row.count as f64);
        Bar { label: label(window.period, start), value: Some(value) }
    };
    window.starts().map(bar).collect()
}

/// A period as people name it: a day, an hour, a month or a year.
fn label(period: Period, start: Timestamp) -> String {
    let text = start.to_string();
    let length = match period {
        Period::Hour => return words::instant(start),
        Period::Day | Period::Week => 10,
        Period::Month | Period::Quarter => 7,
        Period::Year => 4,
    };
    text.get(..length).unwrap_or(&text).to_owned()
}

/// Records as a table.
pub(crate) struct RecordTable {
    /// The keys that any of them has.
    pub(crate) columns: Vec<String>,
    /// A cell for each column; empty where a record lacks the key.
    pub(crate) rows: Vec<Vec<String>>,
}

/// The records with the latest times, without what is derived from them.
pub(crate) async fn last_records(
    engine: &dyn StorageEngine,
    bucket: &BucketName,
    limit: usize,
) -> Result<RecordTable, StorageError> {
    let found = engine.find(bucket, &by_time(Direction::Descending, limit)).await?;
    let documents: Vec<Document<'_>> = found.iter().collect::<Result<_, _>>()?;
    let mut records = Vec::with_capacity(documents.len());
    for document in documents {
        records.push(document.stored_fields().collect::<Result<Vec<_>, _>>()?);
    }
    let mut columns: Vec<&str> = records.iter().flatten().map(|(key, _)| *key).collect();
    columns.sort_unstable_by_key(|key| (*key != "_timestamp", *key == "_updated_at", *key));
    columns.dedup();
    let row = |record: &Vec<(&str, ValueRef<'_>)>| {
        let cell = |column: &&str| {
            record.iter().find(|(key, _)| key == column).map_or_else(String::new, |(_, value)| cell(*value))
        };
        columns.iter().map(cell).collect()
    };
    Ok(RecordTable {
        rows: records.iter().map(row).collect(),
        columns: columns.iter().map(|key| (*key).to_owned()).collect(),
    })
}

fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Text(text) => text.to_owned(),
        ValueRef::Time(time) => time.to_string(),
        ValueRef::Bool(value) => value.to_string(),
        ValueRef::Int(number) => number.to_string(),
        ValueRef::Float(number) => number.to_string(),
    }
}

/// What was found, or nothing if the bucket went away in the meantime.
pub(crate) fn unless_gone<T>(found: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == StorageErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
