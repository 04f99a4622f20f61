//! From a query to SQL: what SQLite finds by itself, through an index or in its own order. The
//! rest of the query is for `scan` to do over the stored bytes.
//!
//! Pure: text in, text out.

use rusqlite::types::Value as SqlValue;

use crate::query::{Direction, RecordQuery, Selection, Test, TimeRange, Wanted};
use crate::storage::made_id;

/// A statement with its parameters.
#[derive(Debug, PartialEq)]
pub(super) struct Statement {
    /// The number of the tables.
    pub(super) tables: i64,
    pub(super) sql: String,
    pub(super) params: Vec<SqlValue>,
}

/// Whether a range of times is better found through the index on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeIndex {
    /// It holds a small part of the records.
    Use,
    /// It holds so many that reading all of them in their order is faster than jumping to each.
    Avoid,
}

/// The statement for a query for records; columns [`RECORD`].
pub(super) fn records(number: i64, query: &RecordQuery, index: TimeIndex) -> Statement {
    let mut statement = select(RECORD, number, &query.selection, index);
    match order_by_time(query) {
        Some(Direction::Ascending) => statement.sql.push_str(" ORDER BY ts, seq"),
        Some(Direction::Descending) => statement.sql.push_str(" ORDER BY ts DESC, seq"),
        None => {}
    }
    statement
}

/// The direction of a sort that SQLite does itself: by time, through the index.
pub(super) fn order_by_time(query: &RecordQuery) -> Option<Direction> {
    query.sort.as_ref().filter(|sort| sort.field.as_str() == "_timestamp").map(|sort| sort.direction)
}

/// The statement for a query for groups; columns [`RECORD`], or only `seq, ts` where no field is needed.
pub(super) fn groups(number: i64, selection: &Selection, needs_fields: bool, index: TimeIndex) -> Statement {
    // Without fields the index alone answers, which is always the shorter way.
    let (columns, index) = if needs_fields { (RECORD, index) } else { ("seq, ts", TimeIndex::Use) };
    select(columns, number, selection, index)
}

/// The columns of a record, and what it is checked by.
const RECORD: &str = "seq, ts, doc, sum";

/// The statement for all records in the order in which they were written; columns [`RECORD`].
pub(super) fn in_order_of_writing(number: i64) -> Statement {
    Statement {
        tables: number,
        sql: format!("SELECT {RECORD} FROM record_{number} ORDER BY seq"),
        params: Vec::new(),
    }
}

/// The statement for the record with a number, its parameter; columns [`RECORD`].
pub(super) fn by_seq(number: i64) -> String {
    format!("SELECT {RECORD} FROM record_{number} WHERE seq = ?1")
}

fn select(columns: &str, number: i64, selection: &Selection, index: TimeIndex) -> Statement {
    let mut params = Vec::new();
    let mut conditions = Vec::new();
    if let Some(condition) = ids(selection, &mut params) {
        conditions.push(condition);
    }
    if let Some(TimeRange { start, end }) = selection.range {
        // A plus before a column keeps SQLite from using its index.
        let column = if index == TimeIndex::Avoid { "+ts" } else { "ts" };
        conditions.push(format!("{column} >= ? AND {column} < ?"));
        params.extend([start.millis().into(), end.millis().into()]);
    }
    let mut sql = format!("SELECT {columns} FROM record_{number}");
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    Statement { tables: number, sql, params }
}

/// A filter by `_id` names few records; both kinds of id have a way to find them. The filter itself
/// is still applied to what is found.
fn ids(selection: &Selection, params: &mut Vec<SqlValue>) -> Option<String> {
    let filter = selection.filters.iter().find(|filter| filter.field.as_str() == "_id")?;
    let Test::AnyOf(wanted) = &filter.test else { return None };
    let texts = || {
        wanted.iter().filter_map(|wanted| match wanted {
            Wanted::Text { text, .. } => Some(&**text),
            Wanted::Bool(_) => None,
        })
    };
    let seqs: Vec<i64> = texts().filter_map(made_id::seq).collect();
    let marks = |count: usize| vec!["?"; count].join(", ");
    let condition = format!("(id IN ({}) OR seq IN ({}))", marks(texts().count()), marks(seqs.len()));
    params.extend(texts().map(|text| SqlValue::from(text.to_owned())));
    params.extend(seqs.into_iter().map(SqlValue::from));
    Some(condition)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::query::Query;
    use crate::query::args::{QueryArgs, QueryContext};
    use crate::timestamp::Timestamp;

    fn plan(text: &str, index: TimeIndex) -> String {
        let now = Timestamp::parse("2014-06-18").expect("a time");
        let context = QueryContext { raw_queries_allowed: true, now, max_rows: 100 };
        let query = QueryArgs::parse(text).and_then(|args| args.into_query(&context)).expect(text);
        let statement = match query {
            Query::Records(query) => records(7, &query, index),
            Query::Groups(query) => groups(7, &query.selection, !query.keys.is_empty(), index),
        };
        format!("{} {:?}", statement.sql, statement.params)
    }

    const SPAN: &str = "start_at=1970-01-01T00:00:01Z&end_at=1970-01-01T00:00:02Z";

    #[test]
    fn plans_of_queries_for_records() {
        let check = |text: &str| plan(text, TimeIndex::Use);
        assert_snapshot!(check(""), @"SELECT seq, ts, doc, sum FROM record_7 []");
        assert_snapshot!(check(SPAN), @"SELECT seq, ts, doc, sum FROM record_7 WHERE ts >= ? AND ts < ? [Integer(1000), Integer(2000)]");
        assert_snapshot!(plan(SPAN, TimeIndex::Avoid), @"SELECT seq, ts, doc, sum FROM record_7 WHERE +ts >= ? AND +ts < ? [Integer(1000), Integer(2000)]");
        assert_snapshot!(check("sort_by=_timestamp:descending&limit=3"), @"SELECT seq, ts, doc, sum FROM record_7 ORDER BY ts DESC, seq []");
        assert_snapshot!(check("sort_by=_timestamp:ascending"), @"SELECT seq, ts, doc, sum FROM record_7 ORDER BY ts, seq []");
        assert_snapshot!(check("sort_by=size:ascending&filter_by=kind:x"), @"SELECT seq, ts, doc, sum FROM record_7 []");
        assert_snapshot!(check("filter_by=_id:a&filter_by=_id:000000000001-00000000000f-00000000"), @r#"SELECT seq, ts, doc, sum FROM record_7 WHERE (id IN (?, ?) OR seq IN (?)) [Text("a"), Text("000000000001-00000000000f-00000000"), Integer(15)]"#);
        assert_snapshot!(check("filter_by=_id:true"), @"SELECT seq, ts, doc, sum FROM record_7 WHERE (id IN () OR seq IN ()) []");
        assert_snapshot!(check("filter_by_prefix=_id:a"), @"SELECT seq, ts, doc, sum FROM record_7 []");
    }

    #[test]
    fn plans_of_queries_for_groups() {
        assert_snapshot!(plan(&format!("group_by=kind&{SPAN}"), TimeIndex::Avoid), @"SELECT seq, ts, doc, sum FROM record_7 WHERE +ts >= ? AND +ts < ? [Integer(1000), Integer(2000)]");
        assert_snapshot!(plan(&format!("period=day&{SPAN}"), TimeIndex::Avoid), @"SELECT seq, ts FROM record_7 WHERE ts >= ? AND ts < ? [Integer(1000), Integer(2000)]");
        assert_snapshot!(plan("group_by=kind", TimeIndex::Use), @"SELECT seq, ts, doc, sum FROM record_7 []");
    }
}
