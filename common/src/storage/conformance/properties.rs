//! Random records, random writes and random queries: an engine gives the answers of the model, and
//! two engines give the same.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestCaseResult, TestError, TestRunner};
use serde_json::{Map, Value as Json};
use tokio::runtime::Runtime;

use super::histories::{Asked, History, Write, history};
use super::model::{Model, Written};
use super::{TestBucket, at, id_of, record_id};
use crate::aggregate::Partial;
use crate::query::args::{QueryArgs, QueryContext};
use crate::query::{GroupQuery, InvalidQuery, Query, RecordQuery};
use crate::record::Record;
use crate::shape;
use crate::storage::mongo::tests::TestDatabase;
use crate::storage::sqlite::ViewLimits;
use crate::storage::{Changed, Document, Interest, Row, SqliteEngine, StorageEngine, StorageErrorKind};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// How many histories a run tries, and how many queries it asks after each: two thousand in all.
const HISTORIES: u32 = 200;
const QUERIES: usize = 10;

#[test]
fn sqlite_answers_like_the_model() {
    for limits in [ViewLimits::for_testing(), ViewLimits::none()] {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = SqliteEngine::with_view_limits(&folder.path().join("backdrop.db"), limits);
        answers_like_the_model(&runtime(), &engine.expect("a database"));
    }
}

#[test]
fn mongodb_answers_like_the_model() {
    let runtime = runtime();
    let database = runtime.block_on(TestDatabase::new("model"));
    answers_like_the_model(&runtime, &database.engine);
    runtime.block_on(database.drop());
}

#[test]
fn both_engines_answer_alike() {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = SqliteEngine::open(&folder.path().join("backdrop.db")).expect("a database");
    let mongo = runtime.block_on(TestDatabase::new("alike"));
    let one = runtime.block_on(TestBucket::new(&sqlite, "alike"));
    let other = runtime.block_on(TestBucket::new(&mongo.engine, "alike"));
    for_all_histories(|history| runtime.block_on(compare_engines(&one, &other, history)));
    runtime.block_on(mongo.drop());
}

pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn answers_like_the_model(runtime: &Runtime, engine: &dyn StorageEngine) {
    let bucket = runtime.block_on(TestBucket::new(engine, "model"));
    for_all_histories(|history| runtime.block_on(check(&bucket, history)));
}

fn for_all_histories(check: impl Fn(History) -> TestCaseResult) {
    let config = Config { cases: HISTORIES, failure_persistence: None, ..Config::default() };
    match TestRunner::new(config).run(&history(QUERIES), check) {
        Ok(()) => {}
        Err(TestError::Fail(reason, history)) => panic!("{reason}\n{history:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

async fn check(bucket: &TestBucket<'_>, history: History) -> TestCaseResult {
    let model = replay(bucket, history.writes).await?;
    for asked in history.queries {
        let text = asked.text_for(&model);
        match asked.query(&text)? {
            Some(Query::Records(query)) => compare_records(bucket, &model, &query, &text).await?,
            Some(Query::Groups(query)) => compare_groups(bucket, &model, &query, &text).await?,
            None => {}
        }
    }
    Ok(())
}

/// Writes a history to an empty bucket, and to a model.
async fn replay(bucket: &TestBucket<'_>, writes: Vec<Write>) -> Result<Model, TestCaseError> {
    bucket.engine.empty(&bucket.name).await.expect("an empty bucket");
    let mut model = Model::default();
    for (place, write) in writes.into_iter().enumerate() {
        // Some writes come at the same time.
        let now = at(&format!("2020-01-01T00:00:{:02}Z", place / 2));
        apply(bucket, &mut model, write, now).await?;
    }
    Ok(model)
}

impl Asked {
    /// The query string. A filter in it may name a record that is there, also by an id that the
    /// engine made.
    fn text_for(&self, model: &Model) -> String {
        let first = model.records.first().and_then(|written| written.record.id.as_ref());
        self.text.replace("{first}", first.map_or("none", |id| id.as_str()))
    }

    /// What it asks for; none if that is refused for its size.
    pub(super) fn query(&self, text: &str) -> Result<Option<Query>, TestCaseError> {
        let context =
            QueryContext { raw_queries_allowed: true, now: at("2014-04-20T10:30"), max_rows: self.max_rows };
        match QueryArgs::parse(text).and_then(|args| args.into_query(&context)) {
            Ok(query) => Ok(Some(query)),
            Err(InvalidQuery::TooManyPeriods { .. }) => Ok(None),
            Err(error) => Err(TestCaseError::fail(format!("{text}: {error}"))),
        }
    }
}

/// Compares what clients of two engines see after the same writes.
async fn compare_engines(one: &TestBucket<'_>, other: &TestBucket<'_>, history: History) -> TestCaseResult {
    // Ids that engines make differ, so all are given here.
    let mut writes = history.writes;
    let records = writes.iter_mut().flat_map(|write| match write {
        Write::Store(records) => records.as_mut_slice(),
        Write::Change(..) | Write::Delete(_) | Write::Empty => &mut [],
    });
    for (place, record) in records.enumerate() {
        record.id.get_or_insert_with(|| record_id(&format!("m{place}")));
    }
    let model = replay(one, writes.clone()).await?;
    replay(other, writes).await?;
    for asked in history.queries {
        let text = asked.text_for(&model);
        let Some(query) = asked.query(&text)? else { continue };
        let (found, expected) = (answer(one, &query).await, answer(other, &query).await);
        let (Some(found), Some(expected)) = (found, expected) else {
            // One engine may hold fewer groups than the other for the same answer.
            prop_assert!(asked.max_rows < 1000, "{}: too many rows", text);
            continue;
        };
        prop_assert!(is_alike(&found, &expected), "{}\none    {}\nother  {}", text, found, expected);
    }
    Ok(())
}

/// What a client sees; none if that is refused for its size. Records whose order is not promised
/// come sorted, or as their number if a limit leaves open which they are.
pub(super) async fn answer(bucket: &TestBucket<'_>, query: &Query) -> Option<Json> {
    match query {
        Query::Records(query) => {
            let found = bucket.engine.find(&bucket.name, query).await.expect("records");
            let shown = |document: Result<Document<'_>, _>| {
                serde_json::to_value(document.expect("a document")).expect("JSON")
            };
            let mut records: Vec<Json> = found.iter().map(shown).collect();
            match (&query.sort, query.limit) {
                (Some(_), _) => {}
                (None, None) => records.sort_by_key(id_of),
                (None, Some(_)) => return Some(records.len().into()),
            }
            Some(records.into())
        }
        Query::Groups(query) => groups(bucket, query).await,
    }
}

async fn groups(bucket: &TestBucket<'_>, query: &GroupQuery) -> Option<Json> {
    let rows = rows(bucket, query).await?;
    let (query, rows) = match shape::shift(query, &rows) {
        0 => (query.clone(), rows),
        periods => {
            let moved = query.moved(periods).expect("a window in the calendar");
            let rows = self::rows(bucket, &moved).await?;
            (moved, rows)
        }
    };
    Some(shaped(&query, rows))
}

async fn rows(bucket: &TestBucket<'_>, query: &GroupQuery) -> Option<Vec<Row>> {
    match bucket.engine.aggregate(&bucket.name, query).await {
        Ok(rows) => Some(rows),
        Err(error) if error.kind() == StorageErrorKind::TooManyRows => None,
        Err(error) => panic!("{error}"),
    }
}

async fn apply(bucket: &TestBucket<'_>, model: &mut Model, write: Write, now: Timestamp) -> TestCaseResult {
    let (engine, name) = (bucket.engine, &bucket.name);
    match write {
        Write::Store(records) => {
            let stored = engine.store(name, records.clone(), now).await.expect("stored");
            prop_assert_eq!(stored, model.store(records, now));
            take_over_made_ids(bucket, model).await;
        }
        Write::Change(..) | Write::Delete(_) if model.records.is_empty() => {}
        Write::Change(index, value, timestamp) => {
            let old = model.records.remove(index.index(model.records.len())).record;
            let fields = old.fields.iter().map(|(key, kept)| {
                (key.clone(), if **key == *"place" { value.clone() } else { kept.clone() })
            });
            let new = Record { timestamp, fields: fields.collect(), ..old.clone() };
            model.store(vec![new.clone()], now);
            let id = old.id.clone().expect("every record of the model has an id");
            let read_back = move |stored: &Record| {
                assert_eq!(*stored, old, "a change is shown the record as it was stored");
                Ok(new.clone())
            };
            let changed = engine.change_record(name, &id, Arc::new(read_back), now).await;
            prop_assert_eq!(changed.expect("an answer"), Changed::Stored);
        }
        Write::Delete(index) => {
            let gone = model.records.remove(index.index(model.records.len()));
            let id = gone.record.id.expect("every record of the model has an id");
            for exists in [true, false] {
                prop_assert_eq!(engine.delete_record(name, &id).await.expect("an answer"), exists);
            }
        }
        Write::Empty => {
            engine.empty(name).await.expect("an empty bucket");
            model.records.clear();
        }
    }
    Ok(())
}

/// Tells the model which ids the engine made, in the order of writing.
async fn take_over_made_ids(bucket: &TestBucket<'_>, model: &mut Model) {
    let known: Vec<String> =
        model.records.iter().filter_map(|written| Some(written.record.id.as_ref()?.to_string())).collect();
    let found = bucket.find("sort_by=_id:ascending").await;
    let made = found.iter().map(id_of).filter(|id| !known.contains(id));
    let nameless = model.records.iter_mut().filter(|written| written.record.id.is_none());
    for (written, id) in nameless.zip(made) {
        written.record.id = Some(record_id(&id));
    }
}

async fn compare_records(
    bucket: &TestBucket<'_>,
    model: &Model,
    query: &RecordQuery,
    text: &str,
) -> TestCaseResult {
    let shown = |written: &Written| -> Json {
        let json = |value: &Value| serde_json::to_value(value).expect("JSON");
        written.fields().iter().map(|(key, value)| (key.clone(), json(value))).collect::<Map<_, _>>().into()
    };
    let found = bucket.find(text).await;
    let expected: Vec<Json> = model.find(query).iter().map(shown).collect();
    if query.sort.is_some() {
        prop_assert_eq!(found, expected, "{}", text);
        return Ok(());
    }
    let all: Vec<Json> =
        model.find(&RecordQuery { limit: None, ..query.clone() }).iter().map(shown).collect();
    prop_assert_eq!(found.len(), expected.len(), "{}", text);
    for (place, record) in found.iter().enumerate() {
        prop_assert!(all.contains(record), "{}: {} is not among {:?}", text, record, all);
        prop_assert!(!found[..place].contains(record), "{}: {} comes twice", text, record);
    }
    Ok(())
}

async fn compare_groups(
    bucket: &TestBucket<'_>,
    model: &Model,
    query: &GroupQuery,
    text: &str,
) -> TestCaseResult {
    let moved_by = compare_rows(bucket, model, query, text).await?;
    if moved_by != 0 {
        // The read app asks again, for the window that it moved.
        let moved = query.moved(moved_by).expect("a window in the calendar");
        compare_rows(bucket, model, &moved, text).await?;
    }
    Ok(())
}

/// Compares the answers to one query. Says by how many periods its window must move.
async fn compare_rows(
    bucket: &TestBucket<'_>,
    model: &Model,
    query: &GroupQuery,
    text: &str,
) -> Result<i64, TestCaseError> {
    let expected = model.aggregate(query);
    let found = match bucket.engine.aggregate(&bucket.name, query).await {
        Ok(found) => found,
        Err(error) => {
            prop_assert_eq!(error.kind(), StorageErrorKind::TooManyRows, "{}: {}", text, error);
            let members: usize = expected.iter().flat_map(|row| &row.collected).map(Partial::members).sum();
            prop_assert!(expected.len().max(members) > query.max_rows, "{}", text);
            return Ok(0);
        }
    };
    prop_assert!(found.len() <= query.max_rows, "{}", text);
    // An engine may have limited the groups itself, and left some more that are equal to the last.
    let limit = query.limit.filter(|_| query.window.is_none()).unwrap_or(usize::MAX);
    let lengths = expected.len().min(limit)..=expected.len();
    prop_assert!(lengths.contains(&found.len()), "{}: {} rows, not {:?}", text, found.len(), lengths);
    let moved_by = shape::shift(query, &expected);
    prop_assert_eq!(shape::shift(query, &found), moved_by, "{}", text);
    // The model holds every group, and may do so.
    let unbounded = GroupQuery { max_rows: usize::MAX, ..query.clone() };
    compare_answers(&unbounded, found, expected, text)?;
    Ok(moved_by)
}

fn compare_answers(query: &GroupQuery, found: Vec<Row>, expected: Vec<Row>, text: &str) -> TestCaseResult {
    let (found, expected) = (shaped(query, found), shaped(query, expected));
    prop_assert!(is_alike(&found, &expected), "{}\nfound    {}\nexpected {}", text, found, expected);
    Ok(())
}

fn shaped(query: &GroupQuery, rows: Vec<Row>) -> Json {
    match shape::shape(query, rows, &Interest::default()) {
        Ok(answer) => serde_json::to_value(answer).expect("JSON"),
        Err(error) => error.to_string().into(),
    }
}

/// Whether two answers are the same, but for what rounding does to sums of floats that were added
/// in another order.
pub(super) fn is_alike(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_alike(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_alike(a, b)))
        }
        (a, b) => a == b,
    }
}
