//! What is done to answer a query from the stored records: the statement, SQLite's plan for it, and in
//! plain words what is left for the scan and for what comes after.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value as Json, json};

use super::{GroupColumns, groups_statement, left_to_sort, records_statement};
use crate::bucket::BucketName;
use crate::query::{Collect, Direction, Filter, GroupQuery, Query, RecordQuery, Test, Wanted};
use crate::storage::StorageError;
use crate::storage::sqlite::statement::Statement;

/// What the stored records are asked.
pub(in crate::storage::sqlite) fn explain(
    connection: &Connection,
    bucket: &BucketName,
    query: &Query,
) -> Result<Map<String, Json>, StorageError> {
    let statement = match query {
        Query::Records(query) => records_statement(connection, bucket, query)?,
        Query::Groups(query) => {
            let fields = query.collected_fields();
            let needs_fields = GroupColumns::new(query, &fields).columns.needs_document();
            groups_statement(connection, bucket, query, needs_fields)?
        }
    };
    let parameters = statement.params.iter().map(parameter).collect::<Vec<_>>();
    let plan = plan(connection, &statement)?;
    let parts = [("sql", json!(statement.sql)), ("parameters", json!(parameters)), ("plan", json!(plan))];
    Ok(parts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// What is done with the records, wherever they come from.
pub(in crate::storage::sqlite) fn then(query: &Query) -> Vec<String> {
    match query {
        Query::Records(query) => after_records(query),
        Query::Groups(query) => after_groups(query),
    }
}

/// What SQLite says that it will do.
fn plan(connection: &Connection, statement: &Statement) -> Result<Vec<String>, StorageError> {
    let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql))?;
    let details = explained.query_map(params_from_iter(&statement.params), |row| row.get("detail"))?;
    Ok(details.collect::<Result<_, _>>()?)
}

fn parameter(value: &SqlValue) -> Json {
    match value {
        SqlValue::Null => Json::Null,
        SqlValue::Integer(number) => json!(number),
        SqlValue::Real(number) => json!(number),
        SqlValue::Text(text) => json!(text),
        SqlValue::Blob(bytes) => json!(bytes),
    }
}

/// What is done with the rows of a query for records.
fn after_records(query: &RecordQuery) -> Vec<String> {
    let mut then: Vec<_> = query.selection.filters.iter().map(filtered).collect();
    let sort = left_to_sort(query);
    then.extend(sort.map(|sort| sorted(sort.field.as_str(), sort.direction)));
    then.extend(query.limit.map(|limit| match sort {
        Some(_) => format!("limited to {limit}"),
        None => format!("stopped after {limit}"),
    }));
    then
}

/// What is done with the rows of a query for groups.
fn after_groups(query: &GroupQuery) -> Vec<String> {
    let mut then: Vec<_> = query.selection.filters.iter().map(filtered).collect();
    let period = query.window.map(|window| window.period.name());
    let keys: Vec<_> = query.keys.iter().map(ToString::to_string).chain(period.map(str::to_owned)).collect();
    then.push(format!("grouped by {}", keys.join(", ")));
    let collected: Vec<_> = query.collect.iter().map(Collect::column).collect();
    if !collected.is_empty() {
        then.push(format!("collected: {}", collected.join(", ")));
    }
    then.extend(query.sort.as_ref().map(|sort| sorted(&sort.column, sort.direction)));
    then.extend(query.limit.map(|limit| format!("limited to {limit}")));
    then
}

fn filtered(filter: &Filter) -> String {
    let field = &filter.field;
    match &filter.test {
        Test::AnyOf(wanted) => format!("filtered by {field}: {}", alternatives(wanted.iter().map(shown))),
        Test::AnyPrefix(prefixes) => {
            let prefixes = prefixes.iter().map(|prefix| format!("{prefix:?}"));
            format!("filtered by {field} that starts with {}", alternatives(prefixes))
        }
    }
}

fn shown(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Bool(wanted) => wanted.to_string(),
        Wanted::Text { text, .. } => format!("{text:?}"),
    }
}

fn alternatives(spellings: impl Iterator<Item = String>) -> String {
    spellings.collect::<Vec<_>>().join(" or ")
}

fn sorted(column: &str, direction: Direction) -> String {
    let direction = match direction {
        Direction::Ascending => "ascending",
        Direction::Descending => "descending",
    };
    format!("sorted by {column}, {direction}")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::bucket::{BucketConfig, TokenChange};
    use crate::query::args::{QueryArgs, QueryContext};
    use crate::record::checks::check_records;
    use crate::record::sent::SentBody;
    use crate::storage::{BucketSave, SqliteEngine, StorageEngine};
    use crate::timestamp::Timestamp;

    /// A bucket with a record a day for a hundred days from the year 2014.
    async fn engine(folder: &tempfile::TempDir, bucket: &BucketName) -> SqliteEngine {
        let engine = SqliteEngine::open(&folder.path().join("backdrop.db")).expect("a database");
        let config = BucketConfig::new(bucket.clone());
        let token = TokenChange::Keep;
        engine.save_buckets(vec![BucketSave::new(config, token)]).await.expect("a bucket");
        let first = Timestamp::parse("2014-01-01").expect("a time").millis();
        let time = |day: i64| Timestamp::saturating(first + day * 86_400_000);
        let body: Json = (0..100).map(|day| json!({"_timestamp": time(day)})).collect();
        let body = body.to_string();
        let sent = SentBody::parse(body.as_bytes()).expect("a body").into_records();
        let records = check_records(&sent, &[], None).expect("records");
        engine.store(bucket, records, Timestamp::now()).await.expect("stored");
        engine
    }

    #[tokio::test]
    async fn what_is_done() {
        let folder = tempfile::tempdir().expect("a folder");
        let bucket = BucketName::parse("foo").expect("a name");
        let engine = engine(&folder, &bucket).await;
        let parse = |text: &str| {
            let now = Timestamp::parse("2014-06-18").expect("a time");
            let context = QueryContext { raw_queries_allowed: true, now, max_rows: 100 };
            QueryArgs::parse(text).and_then(|args| args.into_query(&context))
        };
        let explain = async |text: &str| {
            let query = parse(text).expect(text);
            let explained = engine.explain(&bucket, &query).await.expect(text);
            let explained: Json = serde_json::from_str(explained.get()).expect("JSON");
            assert_eq!(explained["engine"], "sqlite");
            let lines = ["sql", "parameters", "plan", "looks_at_first", "view", "then"]
                .iter()
                .filter_map(|key| Some(format!("{key}: {}", explained.get(key)?)));
            lines.collect::<Vec<_>>().join("\n")
        };
        let week = "start_at=2014-01-06T00:00:00Z&end_at=2014-01-13T00:00:00Z";
        let quarter = "start_at=2014-01-01T00:00:00Z&end_at=2014-04-01T00:00:00Z";
        assert_snapshot!(explain("limit=3").await, @r#"
        sql: "SELECT seq, ts, doc, sum FROM record_1"
        parameters: []
        plan: ["SCAN record_1"]
        then: ["stopped after 3"]
        "#);
        assert_snapshot!(explain(&format!("{week}&filter_by=kind:x&filter_by=kind:true&sort_by=size:descending&limit=3")).await, @r#"
        sql: "SELECT seq, ts, doc, sum FROM record_1 WHERE ts >= ? AND ts < ?"
        parameters: [1388966400000,1389571200000]
        plan: ["SEARCH record_1 USING INDEX record_1_ts (ts>? AND ts<?)"]
        looks_at_first: 20000
        view: {"fields":["kind","size"],"state":"cold, so it is made first"}
        then: ["filtered by kind: \"x\" or true","sorted by size, descending","limited to 3"]
        "#);
        assert_snapshot!(explain("filter_by=_id:a&sort_by=_timestamp:ascending").await, @r#"
        sql: "SELECT seq, ts, doc, sum FROM record_1 WHERE (id IN (?) OR seq IN ()) ORDER BY ts, seq"
        parameters: ["a"]
        plan: ["SEARCH record_1 USING INDEX record_1_id (id=?)"]
        then: ["filtered by _id: \"a\""]
        "#);
        assert_snapshot!(explain(&format!("{quarter}&filter_by_prefix=kind:x&group_by=kind&period=month&collect=size:sum&collect=size&sort_by=size:sum:descending&limit=2")).await, @r#"
        sql: "SELECT seq, ts, doc, sum FROM record_1 WHERE +ts >= ? AND +ts < ?"
        parameters: [1388534400000,1396310400000]
        plan: ["SCAN record_1"]
        then: ["filtered by kind that starts with \"x\"","grouped by kind, month","collected: size:sum, size:set","sorted by size:sum, descending","limited to 2"]
        "#);
        assert_snapshot!(explain(&format!("{quarter}&period=month")).await, @r#"
        sql: "SELECT seq, ts FROM record_1 WHERE ts >= ? AND ts < ?"
        parameters: [1388534400000,1396310400000]
        plan: ["SEARCH record_1 USING COVERING INDEX record_1_ts (ts>? AND ts<?)"]
        then: ["grouped by month"]
        "#);
        // Without a range so short that an index finds it, groups come from the view.
        let groups = "group_by=kind&collect=size:sum";
        assert_snapshot!(explain(groups).await, @r#"
        view: {"fields":["kind","size"],"state":"cold, so it is made first"}
        then: ["grouped by kind","collected: size:sum"]
        "#);
        let Ok(Query::Groups(query)) = parse(groups) else { panic!("{groups} asks for groups") };
        engine.aggregate(&bucket, &query).await.expect("groups");
        let ready = explain(groups).await;
        assert!(ready.contains(r#""records":100,"state":"ready""#), "{ready}");
        assert_snapshot!(explain("sort_by=size:descending&limit=3").await.replace(char::is_numeric, "0"), @r#"
        sql: "SELECT seq, ts, doc, sum FROM record_0"
        parameters: []
        plan: ["SCAN record_0"]
        looks_at_first: 0
        view: {"bytes":0000,"fields":["size"],"records":000,"state":"ready"}
        then: ["sorted by size, descending","limited to 0"]
        "#);
    }
}
