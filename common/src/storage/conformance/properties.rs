//! Random records, random writes and random queries: an engine gives the answers of the model.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestCaseResult, TestError, TestRunner};
use serde_json::{Map, Value as Json};

use super::histories::{History, Write, history};
use super::model::{Model, Written};
use super::{TestBucket, at, id_of, record_id};
use crate::query::args::{QueryArgs, QueryContext};
use crate::query::{GroupQuery, InvalidQuery, Query, RecordQuery};
use crate::record::Record;
use crate::shape;
use crate::storage::{Changed, Row, SqliteEngine, StorageEngine, StorageErrorKind};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// How many histories a run tries, and how many queries it asks after each: two thousand in all.
const HISTORIES: u32 = 200;
const QUERIES: usize = 10;

#[test]
fn sqlite_answers_like_the_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = SqliteEngine::open(&folder.path().join("backdrop.db")).expect("a database");
    answers_like_the_model(&engine);
}

fn answers_like_the_model(engine: &dyn StorageEngine) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let bucket = runtime.block_on(TestBucket::new(engine, "model"));
    let config = Config { cases: HISTORIES, failure_persistence: None, ..Config::default() };
    let done =
        TestRunner::new(config).run(&history(QUERIES), |history| runtime.block_on(check(&bucket, history)));
    match done {
        Ok(()) => {}
        Err(TestError::Fail(reason, history)) => panic!("{reason}\n{history:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

async fn check(bucket: &TestBucket<'_>, history: History) -> TestCaseResult {
    bucket.engine.empty(&bucket.name).await.expect("an empty bucket");
    let mut model = Model::default();
    for (place, write) in history.writes.into_iter().enumerate() {
        // Some writes come at the same time.
        let now = at(&format!("2020-01-01T00:00:{:02}Z", place / 2));
        apply(bucket, &mut model, write, now).await?;
    }
    for asked in history.queries {
        // So that a filter may name a record that is there, also by an id that the engine made.
        let first = model.records.first().and_then(|written| written.record.id.as_ref());
        let text = asked.text.replace("{first}", first.map_or("none", |id| id.as_str()));
        let context =
            QueryContext { raw_queries_allowed: true, now: at("2014-04-20T10:30"), max_rows: asked.max_rows };
        match QueryArgs::parse(&text).and_then(|args| args.into_query(&context)) {
            Ok(Query::Records(query)) => compare_records(bucket, &model, &query, &text).await?,
            Ok(Query::Groups(query)) => compare_groups(bucket, &model, &query, &text).await?,
            Err(InvalidQuery::TooManyPeriods { .. }) => {}
            Err(error) => prop_assert!(false, "{text}: {error}"),
        }
    }
    Ok(())
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
            prop_assert!(expected.len() > query.max_rows, "{}", text);
            return Ok(0);
        }
    };
    prop_assert!(found.len() <= query.max_rows, "{}", text);
    prop_assert_eq!(found.len(), expected.len(), "{}", text);
    let moved_by = shape::shift(query, &expected);
    prop_assert_eq!(shape::shift(query, &found), moved_by, "{}", text);
    compare_answers(query, found, expected, text)?;
    Ok(moved_by)
}

fn compare_answers(query: &GroupQuery, found: Vec<Row>, expected: Vec<Row>, text: &str) -> TestCaseResult {
    let answer = |rows| match shape::shape(query, rows) {
        Ok(answer) => serde_json::to_value(answer).expect("JSON"),
        Err(error) => error.to_string().into(),
    };
    let (found, expected) = (answer(found), answer(expected));
    prop_assert!(is_alike(&found, &expected), "{}\nfound    {}\nexpected {}", text, found, expected);
    Ok(())
}

/// Whether two answers are the same, but for what rounding does to sums of floats that were added
/// in another order.
fn is_alike(a: &Json, b: &Json) -> bool {
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
