//! What pages show of a bucket's records: how many there are, how fresh they are, and how many came
//! when.

use backdrop_common::bucket::{BucketConfig, BucketName};
use backdrop_common::excerpt::excerpt;
use backdrop_common::field::FieldName;
use backdrop_common::period::Period;
use backdrop_common::query::{Direction, RecordQuery, RecordSort, Window};
use backdrop_common::storage::{Documents, RecordTable, StorageEngine, StorageError, StorageErrorKind};
use backdrop_common::timestamp::Timestamp;
use backdrop_common::value::ValueRef;
use backdrop_pages::chart::{Bar, BarChart, Sparkline};
use rocket::tokio;

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
        let span = engine.time_span(bucket).await?;
        shortest_period(span.map_or(newest, |(oldest, _)| oldest.min(newest)), newest)
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
    Ok(engine.time_span(bucket).await?.map(|(_, newest)| newest))
}

fn by_time(direction: Direction, limit: usize) -> RecordQuery {
    let field = FieldName::parse("_timestamp").expect("a well-formed key");
    RecordQuery { sort: Some(RecordSort { field, direction }), limit: Some(limit), ..RecordQuery::default() }
}

/// A bar for each period of a window; those without records are zero.
async fn counts(
    engine: &dyn StorageEngine,
    bucket: &BucketName,
    window: Window,
) -> Result<Vec<Bar>, StorageError> {
    Ok(bars(window, &engine.count_by_period(bucket, window).await?))
}

fn bars(window: Window, counts: &[(Timestamp, u64)]) -> Vec<Bar> {
    let bar = |start: Timestamp| {
        let count =
            counts.binary_search_by_key(&start, |(start, _)| *start).map_or(0, |found| counts[found].1);
        #[expect(clippy::cast_precision_loss, reason = "a bar is not that exact")]
        let value = count as f64;
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

/// How many columns the last records are shown with.
const COLUMNS: usize = 40;
/// How many characters of a text are shown, and of a name.
const CHARACTERS: usize = 200;

/// Records as a table.
pub(crate) struct LastRecords {
    /// Keys that any of them has.
    pub(crate) columns: Vec<String>,
    /// How many keys there are besides.
    hidden: usize,
    /// A cell for each column; empty where a record lacks the key.
    pub(crate) rows: Vec<Vec<String>>,
}

/// The records with the latest times, without what is derived from them.
pub(crate) async fn last_records(
    engine: &dyn StorageEngine,
    bucket: &BucketName,
    limit: usize,
) -> Result<LastRecords, StorageError> {
    let found = engine.find(bucket, &by_time(Direction::Descending, limit)).await?;
    // Large records take a while to go through.
    let shown = tokio::task::spawn_blocking(move || LastRecords::of(&found, limit)).await;
    shown.map_err(|panic| StorageError::new(StorageErrorKind::Internal, panic))?
}

impl LastRecords {
    fn of(found: &Documents, limit: usize) -> Result<Self, StorageError> {
        let rank = |key: &str| match key {
            "_timestamp" => 0,
            "_updated_at" => 2,
            _ => 1,
        };
        let table = RecordTable::of(found, limit, COLUMNS, rank)?;
        let shown = |value: &Option<ValueRef<'_>>| value.map_or_else(String::new, cell);
        let row = |row: &Vec<Option<ValueRef<'_>>>| row.iter().map(shown).collect();
        Ok(Self {
            rows: table.rows.iter().map(row).collect(),
            columns: table.columns.iter().map(|key| excerpt(key, CHARACTERS).into_owned()).collect(),
            hidden: table.hidden,
        })
    }

    /// What is not shown, for people.
    pub(crate) fn note(&self) -> Option<String> {
        let more = words::counted(self.hidden as u64, "more column");
        (self.hidden > 0).then(|| format!("There are {more}, which only the read app shows."))
    }
}

fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Text(text) => excerpt(text, CHARACTERS).into_owned(),
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

#[cfg(test)]
mod tests {
    use backdrop_common::bucket::TokenChange;
    use backdrop_common::record::Record;
    use backdrop_common::storage::{BucketSave, SqliteEngine};
    use backdrop_common::value::Value;

    use super::*;

    /// The page's part about the last records, where each has so many fields with a text of so many letters
    /// under names that no other has.
    async fn last(fields: usize, letters: usize) -> LastRecords {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = SqliteEngine::open(&folder.path().join("backdrop.db")).expect("a store");
        let bucket = BucketName::parse("foo").expect("a name");
        let config = BucketConfig::new(bucket.clone());
        engine.save_buckets(vec![BucketSave::new(config, TokenChange::Keep)]).await.expect("a bucket");
        let text = "é<".repeat(letters / 3);
        let record = |record: usize| {
            let name = |place: usize| format!("name{record}_{place:05}_{}", "n".repeat(100)).into();
            let fields = (0..fields).map(|place| (name(place), Value::from(&*text))).collect();
            Record { id: None, timestamp: Some(Timestamp::MIN), fields }
        };
        engine.store(&bucket, (0..10).map(record).collect(), Timestamp::MIN).await.expect("records");
        last_records(&engine, &bucket, 10).await.expect("a table")
    }

    #[rocket::async_test]
    async fn the_last_records_take_no_more_of_a_page_however_large_they_are() {
        for (fields, letters) in [(1_000, 900), (2, 262_000), (20_000, 3)] {
            let last = last(fields, letters).await;
            assert_eq!(last.columns.len(), COLUMNS.min(fields * 10 + 3));
            assert!(last.rows.iter().all(|row| row.len() == last.columns.len()));
            let bytes: usize = last.rows.iter().flatten().chain(&last.columns).map(String::len).sum();
            assert!(bytes < 150_000, "{bytes} bytes of {fields} fields");
        }
        let last = last(1_000, 3).await;
        assert_eq!(last.columns[0], "_timestamp");
        let note = "There are 9,963 more columns, which only the read app shows.";
        assert_eq!(last.note().as_deref(), Some(note));
    }
}
