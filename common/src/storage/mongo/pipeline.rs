//! From a query to the stages of an aggregation pipeline.
//!
//! Pure: a query in, documents out; nothing here talks to a server. Whatever a server can do is
//! done there, so that what it sends is as small as the answer.
//!
//! ```text
//! records   $match → $sort → $limit → $project
//! groups    $match → $group → $limit                          one group too many is a refusal
//!           $match → $group → [$set →] $sort → $limit         where the server can limit them
//! ```
//!
//! A group comes as `{_id: {k0, k1, …, start}, count, k0_int, …, c0_values, c0_ints, …}`: keys and
//! collected fields go by their places in the query, and [`super::rows`] reads them back.

use mongodb::bson::{Bson, Document, doc};

use super::selection;
use crate::period::Period;
use crate::query::{CollectMethod, Direction, GroupQuery, GroupSort, RecordQuery, RecordSort};
use crate::storage::CollectedField;
use crate::storage::document::SEQ;

/// The stages for a query for records.
pub(super) fn records(query: &RecordQuery) -> Vec<Document> {
    let mut stages = Vec::new();
    stages.extend(match_stage(selection::conditions(&query.selection)));
    stages.extend(query.sort.as_ref().map(record_sort_stage));
    stages.extend(query.limit.map(limit_stage));
    stages.push(project_stage());
    stages
}

/// The stages for a query for groups.
pub(super) fn groups(query: &GroupQuery) -> Vec<Document> {
    let fields = query.collected_fields();
    let mut conditions = selection::conditions(&query.selection);
    // Null also stands for a field that is missing.
    conditions.extend(query.keys.iter().map(|key| doc! { key.as_str(): { "$ne": null } }));
    let mut stages = Vec::new();
    stages.extend(match_stage(conditions));
    stages.push(group_stage(query, &fields));
    match limited_on_the_server(query, &fields) {
        Some(limited) => stages.extend(limited),
        None => stages.push(limit_stage(query.max_rows.saturating_add(1))),
    }
    stages
}

fn match_stage(mut conditions: Vec<Document>) -> Option<Document> {
    match conditions.len() {
        0 => None,
        1 => conditions.pop().map(|condition| doc! { "$match": condition }),
        _ => Some(doc! { "$match": { "$and": conditions } }),
    }
}

/// Sorts as the contract says: by type, then value, with nulls for what is missing, which is
/// MongoDB's own order; then by the order of writing.
fn record_sort_stage(sort: &RecordSort) -> Document {
    let mut order = doc! { sort.field.as_str(): sign(sort.direction) };
    // Ids are unique, and without a second key their index has the order.
    if sort.field.as_str() != "_id" {
        order.insert(SEQ, 1);
    }
    doc! { "$sort": order }
}

fn sign(direction: Direction) -> i32 {
    match direction {
        Direction::Ascending => 1,
        Direction::Descending => -1,
    }
}

fn limit_stage(limit: usize) -> Document {
    doc! { "$limit": i64::try_from(limit).unwrap_or(i64::MAX) }
}

/// Leaves out what is not shown, and what can be told from the time.
fn project_stage() -> Document {
    let mut left_out = doc! { SEQ: 0 };
    left_out.extend(without_periods());
    doc! { "$project": left_out }
}

/// The projection that leaves out what can be told from the time.
pub(super) fn without_periods() -> Document {
    Period::ALL.into_iter().map(|period| (period.start_key().to_owned(), Bson::Int32(0))).collect()
}

fn group_stage(query: &GroupQuery, fields: &[CollectedField]) -> Document {
    let mut id = Document::new();
    let mut group = doc! { "count": { "$sum": 1 } };
    for (place, key) in query.keys.iter().enumerate() {
        let path = format!("${key}");
        group.insert(format!("k{place}_int"), doc! { "$max": is_int(&path) });
        id.insert(format!("k{place}"), path);
    }
    if let Some(window) = query.window {
        id.insert("start", start_of(window.period));
    }
    for (place, field) in fields.iter().enumerate() {
        accumulate(&mut group, place, field);
    }
    let mut stage = doc! { "_id": id };
    stage.extend(group);
    doc! { "$group": stage }
}

/// The start of a record's period: as it is stored, or worked out where it is not, as in records
/// that the original Backdrop wrote before it had that period.
pub(super) fn start_of(period: Period) -> Bson {
    let mut start = doc! { "date": "$_timestamp", "unit": period.name() };
    if period == Period::Week {
        start.insert("startOfWeek", "monday");
    }
    doc! { "$ifNull": [format!("${}", period.start_key()), { "$dateTrunc": start }] }.into()
}

/// Adds up what is wanted of a collected field. Integers and floats are kept apart, since they add
/// up differently: integers as decimals, of which 34 digits are exact.
fn accumulate(group: &mut Document, place: usize, field: &CollectedField) {
    let path = format!("${}", field.field);
    let (is_int, is_float) = (is_int(&path), is_float(&path));
    let mut add = |name: &str, accumulator| group.insert(format!("c{place}_{name}"), accumulator);
    let sum_where = |condition: &Bson, value: Bson| doc! { "$sum": { "$cond": [condition, value, 0] } };
    let set_where =
        |condition: &Bson, yes: &str, no: &str| doc! { "$addToSet": { "$cond": [condition, yes, no] } };
    if field.wants_count || field.wants_sum {
        let is_missing = doc! { "$eq": [{ "$type": &path }, "missing"] };
        add("values", doc! { "$sum": { "$cond": [is_missing, 0, 1] } });
    }
    if field.wants_sum {
        add("ints", sum_where(&is_int, 1.into()));
        add("int_sum", sum_where(&is_int, doc! { "$toDecimal": &path }.into()));
        add("floats", sum_where(&is_float, 1.into()));
        add("float_sum", sum_where(&is_float, path.as_str().into()));
    }
    if field.wants_set {
        // 1 and 1.0 are one value, of which a set shows the integer; so both are needed.
        add("set_ints", set_where(&is_int, &path, REMOVE));
        add("set_rest", set_where(&is_int, REMOVE, &path));
    }
}

/// Nothing at all; not even null.
const REMOVE: &str = "$$REMOVE";

fn is_int(path: &str) -> Bson {
    doc! { "$in": [{ "$type": path }, ["int", "long"]] }.into()
}

fn is_float(path: &str) -> Bson {
    doc! { "$eq": [{ "$type": path }, "double"] }.into()
}

/// The stages that sort and limit groups, where one group is one line of the answer and the server
/// knows the order.
fn limited_on_the_server(query: &GroupQuery, fields: &[CollectedField]) -> Option<Vec<Document>> {
    let limit = query.limit?;
    if query.window.is_some() {
        return None;
    }
    let mut set = Document::new();
    let mut order = Document::new();
    // A sum of what is no number is refused, whichever group it is in: those come first, so that
    // one of them is always seen.
    if let Some(bad) = any_without_numbers(fields) {
        set.insert("bad", bad);
        order.insert("bad", -1);
    }
    if let Some(sort) = &query.sort {
        let (column, computed) = sort_column(query, fields, sort)?;
        set.extend(computed.map(|computed| ("by".to_owned(), computed)));
        order.insert(column, sign(sort.direction));
    }
    for place in 0..query.keys.len() {
        // A key that is sorted by already has its place in the order.
        order.entry(format!("_id.k{place}")).or_insert(Bson::Int32(1));
    }
    let set = (!set.is_empty()).then(|| doc! { "$set": set });
    Some(set.into_iter().chain([doc! { "$sort": order }, limit_stage(limit)]).collect())
}

fn any_without_numbers(fields: &[CollectedField]) -> Option<Bson> {
    let sums = fields.iter().enumerate().filter(|(_, field)| field.wants_sum);
    let bad: Vec<Bson> =
        sums.map(|(place, _)| doc! { "$ne": [format!("$c{place}_values"), numbers(place)] }.into()).collect();
    (!bad.is_empty()).then(|| doc! { "$or": bad }.into())
}

/// Where the server finds the value of the column that groups are sorted by, or what it must work
/// out under the name `by`; none for the columns whose order only `shape` knows.
fn sort_column(
    query: &GroupQuery,
    fields: &[CollectedField],
    sort: &GroupSort,
) -> Option<(String, Option<Bson>)> {
    if sort.column == "_count" {
        return Some(("count".to_owned(), None));
    }
    if let Some(place) = query.keys.iter().position(|key| key.as_str() == sort.column) {
        return Some((format!("_id.k{place}"), None));
    }
    let collect = query.collect.iter().find(|collect| collect.column() == sort.column)?;
    let place = fields.iter().position(|field| field.field == collect.field)?;
    match collect.effective_method() {
        CollectMethod::Count => Some((format!("c{place}_values"), None)),
        CollectMethod::Sum => Some(("by".to_owned(), Some(sum(place)))),
        CollectMethod::Mean => Some(("by".to_owned(), Some(mean(place)))),
        CollectMethod::Set => None,
    }
}

/// The sum as `aggregate` reduces it: an integer if all are and 64 bits hold it.
fn sum(place: usize) -> Bson {
    let int_sum = format!("$c{place}_int_sum");
    let is_int = doc! { "$and": [
        { "$eq": [format!("$c{place}_floats"), 0] },
        { "$gte": [&int_sum, i64::MIN] },
        { "$lte": [&int_sum, i64::MAX] },
    ] };
    doc! { "$cond": [is_int, int_sum, float_sum(place)] }.into()
}

/// The mean as `aggregate` reduces it: null where there are no numbers.
fn mean(place: usize) -> Bson {
    let none = doc! { "$eq": [numbers(place), 0] };
    let mean = doc! { "$divide": [float_sum(place), numbers(place)] };
    doc! { "$cond": [none, null, mean] }.into()
}

fn float_sum(place: usize) -> Bson {
    doc! { "$add": [{ "$toDouble": format!("$c{place}_int_sum") }, format!("$c{place}_float_sum")] }.into()
}

fn numbers(place: usize) -> Bson {
    doc! { "$add": [format!("$c{place}_ints"), format!("$c{place}_floats")] }.into()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::extended_json;
    use super::*;
    use crate::query::Query;
    use crate::query::args::{QueryArgs, QueryContext};
    use crate::timestamp::Timestamp;

    /// The pipeline of a query string, a stage a line, but for the `$project` that all those of
    /// records end with.
    fn plan(text: &str) -> String {
        let stages = stages(text).into_iter().filter(|stage| *stage != project_stage());
        let line = |stage| extended_json::to_text(&[stage]).expect("JSON").get().to_owned();
        stages.map(line).map(|line| line[1..line.len() - 1].to_owned()).collect::<Vec<_>>().join("\n")
    }

    fn stages(text: &str) -> Vec<Document> {
        let now = Timestamp::parse("2014-06-18").expect("a time");
        let context = QueryContext { raw_queries_allowed: true, now, max_rows: 100 };
        let query = QueryArgs::parse(text).and_then(|args| args.into_query(&context)).expect(text);
        match query {
            Query::Records(query) => records(&query),
            Query::Groups(query) => groups(&query),
        }
    }

    const MONTHS: &str = "start_at=2014-01-01T00:00:00Z&end_at=2014-03-01T00:00:00Z";

    #[test]
    fn records_as_they_are() {
        assert_eq!(stages(""), [project_stage()]);
        let left_out = extended_json::to_text(&[project_stage()]).expect("JSON");
        assert_snapshot!(left_out.get(), @r#"[{"$project":{"-seq":0,"_hour_start_at":0,"_day_start_at":0,"_week_start_at":0,"_month_start_at":0,"_quarter_start_at":0,"_year_start_at":0}}]"#);
        assert_snapshot!(plan(""), @"");
        assert_snapshot!(plan("limit=3"), @r#"{"$limit":3}"#);
        assert_snapshot!(plan("limit=0"), @"");
        assert_snapshot!(plan(MONTHS), @r#"{"$match":{"_timestamp":{"$gte":{"$date":"2014-01-01T00:00:00Z"},"$lt":{"$date":"2014-03-01T00:00:00Z"}}}}"#);
        assert_snapshot!(plan(&format!("{MONTHS}&inclusive=true&limit=3&sort_by=_timestamp:descending")), @r#"
        {"$match":{"_timestamp":{"$gte":{"$date":"2014-01-01T00:00:00Z"},"$lt":{"$date":"2014-03-01T00:00:00.001Z"}}}}
        {"$sort":{"_timestamp":-1,"-seq":1}}
        {"$limit":3}
        "#);
        assert_snapshot!(plan("sort_by=size:ascending"), @r#"{"$sort":{"size":1,"-seq":1}}"#);
        assert_snapshot!(plan("sort_by=_id:descending"), @r#"{"$sort":{"_id":-1}}"#);
        assert_snapshot!(plan("sort_by=_month_start_at:descending&filter_by=kind:x&limit=1"), @r#"
        {"$match":{"kind":{"$eq":"x"}}}
        {"$sort":{"_month_start_at":-1,"-seq":1}}
        {"$limit":1}
        "#);
    }

    #[test]
    fn filters() {
        assert_snapshot!(plan("filter_by=kind:x"), @r#"{"$match":{"kind":{"$eq":"x"}}}"#);
        assert_snapshot!(plan("filter_by=kind:"), @r#"{"$match":{"kind":{"$eq":""}}}"#);
        assert_snapshot!(plan("filter_by=kind:$where"), @r#"{"$match":{"kind":{"$eq":"$where"}}}"#);
        assert_snapshot!(plan("filter_by=kind:true"), @r#"{"$match":{"kind":{"$eq":true}}}"#);
        assert_snapshot!(plan("filter_by=size:5"), @r#"{"$match":{"size":{"$in":["5",5]}}}"#);
        assert_snapshot!(plan("filter_by=size:-2.5"), @r#"{"$match":{"size":{"$in":["-2.5",-2.5]}}}"#);
        assert_snapshot!(plan("filter_by=_start_at:2014-01-01T00:00:00Z"), @r#"{"$match":{"_start_at":{"$in":["2014-01-01T00:00:00Z",{"$date":"2014-01-01T00:00:00Z"}]}}}"#);
        assert_snapshot!(plan("filter_by=kind:x&filter_by=kind:false&filter_by=size:5"), @r#"{"$match":{"$and":[{"kind":{"$in":["x",false]}},{"size":{"$in":["5",5]}}]}}"#);
        assert_snapshot!(plan("filter_by=_id:53f1c1f5e4b0a1b2c3d4e5f6"), @r#"{"$match":{"_id":{"$in":["53f1c1f5e4b0a1b2c3d4e5f6",{"$oid":"53f1c1f5e4b0a1b2c3d4e5f6"}]}}}"#);
        assert_snapshot!(plan(&format!("filter_by=_timestamp:2014-01-01T00:00:00Z&{MONTHS}")), @r#"{"$match":{"$and":[{"_timestamp":{"$in":["2014-01-01T00:00:00Z",{"$date":"2014-01-01T00:00:00Z"}]}},{"_timestamp":{"$gte":{"$date":"2014-01-01T00:00:00Z"},"$lt":{"$date":"2014-03-01T00:00:00Z"}}}]}}"#);
        assert_snapshot!(plan("filter_by_prefix=kind:ab"), @r#"{"$match":{"kind":{"$gte":"ab","$lt":"ac"}}}"#);
        assert_snapshot!(plan("filter_by_prefix=kind:.*"), @r#"{"$match":{"kind":{"$gte":".*","$lt":".+"}}}"#);
        assert_snapshot!(plan("filter_by_prefix=kind:"), @r#"{"$match":{"kind":{"$type":"string"}}}"#);
        assert_snapshot!(plan("filter_by_prefix=kind:%F4%8F%BF%BF"), @r#"{"$match":{"kind":{"$gte":"􏿿","$type":"string"}}}"#);
        assert_snapshot!(plan("filter_by_prefix=kind:a&filter_by_prefix=kind:b&filter_by_prefix=_id:r"), @r#"{"$match":{"$and":[{"$or":[{"kind":{"$gte":"a","$lt":"b"}},{"kind":{"$gte":"b","$lt":"c"}}]},{"_id":{"$gte":"r","$lt":"s"}}]}}"#);
    }

    #[test]
    fn groups_by_key() {
        assert_snapshot!(plan("group_by=kind"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan("group_by=kind&group_by=size"), @r#"
        {"$match":{"$and":[{"kind":{"$ne":null}},{"size":{"$ne":null}}]}}
        {"$group":{"_id":{"k0":"$kind","k1":"$size"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}},"k1_int":{"$max":{"$in":[{"$type":"$size"},["int","long"]]}}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan(&format!("group_by=kind&{MONTHS}&filter_by=size:5")), @r#"
        {"$match":{"$and":[{"size":{"$in":["5",5]}},{"_timestamp":{"$gte":{"$date":"2014-01-01T00:00:00Z"},"$lt":{"$date":"2014-03-01T00:00:00Z"}}},{"kind":{"$ne":null}}]}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan("group_by=kind&flatten=true"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}}}}
        {"$limit":101}
        "#);
    }

    #[test]
    fn groups_by_period() {
        assert_snapshot!(plan(&format!("period=month&{MONTHS}")), @r#"
        {"$match":{"_timestamp":{"$gte":{"$date":"2014-01-01T00:00:00Z"},"$lt":{"$date":"2014-03-01T00:00:00Z"}}}}
        {"$group":{"_id":{"start":{"$ifNull":["$_month_start_at",{"$dateTrunc":{"date":"$_timestamp","unit":"month"}}]}},"count":{"$sum":1}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan(&format!("period=week&group_by=kind&{MONTHS}")), @r#"
        {"$match":{"$and":[{"_timestamp":{"$gte":{"$date":"2014-01-01T00:00:00Z"},"$lt":{"$date":"2014-03-01T00:00:00Z"}}},{"kind":{"$ne":null}}]}}
        {"$group":{"_id":{"k0":"$kind","start":{"$ifNull":["$_week_start_at",{"$dateTrunc":{"date":"$_timestamp","unit":"week","startOfWeek":"monday"}}]}},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan("period=hour&flatten=true&start_at=2014-01-01T00:00:00Z&duration=3"), @r#"
        {"$match":{"_timestamp":{"$gte":{"$date":"2014-01-01T00:00:00Z"},"$lt":{"$date":"2014-01-01T03:00:00Z"}}}}
        {"$group":{"_id":{"start":{"$ifNull":["$_hour_start_at",{"$dateTrunc":{"date":"$_timestamp","unit":"hour"}}]}},"count":{"$sum":1}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan("period=day&duration=2&end_at=2014-01-03T06:00:00Z"), @r#"
        {"$match":{"_timestamp":{"$gte":{"$date":"2014-01-01T00:00:00Z"},"$lt":{"$date":"2014-01-03T00:00:00Z"}}}}
        {"$group":{"_id":{"start":{"$ifNull":["$_day_start_at",{"$dateTrunc":{"date":"$_timestamp","unit":"day"}}]}},"count":{"$sum":1}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan("period=quarter&duration=1"), @r#"
        {"$match":{"_timestamp":{"$gte":{"$date":"2014-01-01T00:00:00Z"},"$lt":{"$date":"2014-04-01T00:00:00Z"}}}}
        {"$group":{"_id":{"start":{"$ifNull":["$_quarter_start_at",{"$dateTrunc":{"date":"$_timestamp","unit":"quarter"}}]}},"count":{"$sum":1}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan("period=year&duration=1"), @r#"
        {"$match":{"_timestamp":{"$gte":{"$date":"2013-01-01T00:00:00Z"},"$lt":{"$date":"2014-01-01T00:00:00Z"}}}}
        {"$group":{"_id":{"start":{"$ifNull":["$_year_start_at",{"$dateTrunc":{"date":"$_timestamp","unit":"year"}}]}},"count":{"$sum":1}}}
        {"$limit":101}
        "#);
    }

    #[test]
    fn collected_fields() {
        assert_snapshot!(plan("group_by=kind&collect=size:count"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}},"c0_values":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"missing"]},0,1]}}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan("group_by=kind&collect=size:sum"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}},"c0_values":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"missing"]},0,1]}},"c0_ints":{"$sum":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},1,0]}},"c0_int_sum":{"$sum":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},{"$toDecimal":"$size"},0]}},"c0_floats":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"double"]},1,0]}},"c0_float_sum":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"double"]},"$size",0]}}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan("group_by=kind&collect=size:mean"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}},"c0_values":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"missing"]},0,1]}},"c0_ints":{"$sum":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},1,0]}},"c0_int_sum":{"$sum":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},{"$toDecimal":"$size"},0]}},"c0_floats":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"double"]},1,0]}},"c0_float_sum":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"double"]},"$size",0]}}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan("group_by=kind&collect=size:set"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}},"c0_set_ints":{"$addToSet":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},"$size","$$REMOVE"]}},"c0_set_rest":{"$addToSet":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},"$$REMOVE","$size"]}}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan("group_by=kind&collect=size"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}},"c0_set_ints":{"$addToSet":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},"$size","$$REMOVE"]}},"c0_set_rest":{"$addToSet":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},"$$REMOVE","$size"]}}}}
        {"$limit":101}
        "#);
        assert_snapshot!(plan("group_by=kind&collect=size:sum&collect=size:mean&collect=place:count"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}},"c0_values":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"missing"]},0,1]}},"c0_ints":{"$sum":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},1,0]}},"c0_int_sum":{"$sum":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},{"$toDecimal":"$size"},0]}},"c0_floats":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"double"]},1,0]}},"c0_float_sum":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"double"]},"$size",0]}},"c1_values":{"$sum":{"$cond":[{"$eq":[{"$type":"$place"},"missing"]},0,1]}}}}
        {"$limit":101}
        "#);
    }

    #[test]
    fn groups_are_sorted_and_limited_where_the_server_can() {
        assert_snapshot!(plan("group_by=kind&limit=2"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}}}}
        {"$sort":{"_id.k0":1}}
        {"$limit":2}
        "#);
        assert_snapshot!(plan("group_by=kind&sort_by=_count:descending&limit=2"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}}}}
        {"$sort":{"count":-1,"_id.k0":1}}
        {"$limit":2}
        "#);
        assert_snapshot!(plan("group_by=kind&group_by=size&sort_by=size:descending&limit=2"), @r#"
        {"$match":{"$and":[{"kind":{"$ne":null}},{"size":{"$ne":null}}]}}
        {"$group":{"_id":{"k0":"$kind","k1":"$size"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}},"k1_int":{"$max":{"$in":[{"$type":"$size"},["int","long"]]}}}}
        {"$sort":{"_id.k1":-1,"_id.k0":1}}
        {"$limit":2}
        "#);
        assert_snapshot!(plan("group_by=kind&collect=size:count&sort_by=size:count:descending&limit=2"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}},"c0_values":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"missing"]},0,1]}}}}
        {"$sort":{"c0_values":-1,"_id.k0":1}}
        {"$limit":2}
        "#);
        assert_snapshot!(plan("group_by=kind&collect=size:sum&sort_by=size:sum:descending&limit=2"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}},"c0_values":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"missing"]},0,1]}},"c0_ints":{"$sum":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},1,0]}},"c0_int_sum":{"$sum":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},{"$toDecimal":"$size"},0]}},"c0_floats":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"double"]},1,0]}},"c0_float_sum":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"double"]},"$size",0]}}}}
        {"$set":{"bad":{"$or":[{"$ne":["$c0_values",{"$add":["$c0_ints","$c0_floats"]}]}]},"by":{"$cond":[{"$and":[{"$eq":["$c0_floats",0]},{"$gte":["$c0_int_sum",-9223372036854775808]},{"$lte":["$c0_int_sum",9223372036854775807]}]},"$c0_int_sum",{"$add":[{"$toDouble":"$c0_int_sum"},"$c0_float_sum"]}]}}}
        {"$sort":{"bad":-1,"by":-1,"_id.k0":1}}
        {"$limit":2}
        "#);
        assert_snapshot!(plan("group_by=kind&collect=size:mean&sort_by=size:mean:ascending&limit=2"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}},"c0_values":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"missing"]},0,1]}},"c0_ints":{"$sum":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},1,0]}},"c0_int_sum":{"$sum":{"$cond":[{"$in":[{"$type":"$size"},["int","long"]]},{"$toDecimal":"$size"},0]}},"c0_floats":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"double"]},1,0]}},"c0_float_sum":{"$sum":{"$cond":[{"$eq":[{"$type":"$size"},"double"]},"$size",0]}}}}
        {"$set":{"bad":{"$or":[{"$ne":["$c0_values",{"$add":["$c0_ints","$c0_floats"]}]}]},"by":{"$cond":[{"$eq":[{"$add":["$c0_ints","$c0_floats"]},0]},null,{"$divide":[{"$add":[{"$toDouble":"$c0_int_sum"},"$c0_float_sum"]},{"$add":["$c0_ints","$c0_floats"]}]}]}}}
        {"$sort":{"bad":-1,"by":1,"_id.k0":1}}
        {"$limit":2}
        "#);
        assert_snapshot!(plan("group_by=kind&flatten=true&sort_by=_count:ascending&limit=2"), @r#"
        {"$match":{"kind":{"$ne":null}}}
        {"$group":{"_id":{"k0":"$kind"},"count":{"$sum":1},"k0_int":{"$max":{"$in":[{"$type":"$kind"},["int","long"]]}}}}
        {"$sort":{"count":1,"_id.k0":1}}
        {"$limit":2}
        "#);
    }

    #[test]
    fn and_not_where_it_cannot() {
        let check = |query: &str| {
            let stages = stages(query);
            assert_eq!(stages.last(), Some(&doc! { "$limit": 101_i64 }), "{query}");
            assert!(!stages.iter().any(|stage| stage.contains_key("$sort")), "{query}");
        };
        check("group_by=kind&sort_by=_count:descending");
        check("group_by=kind&collect=size:set&sort_by=size:set:ascending&limit=2");
        check("group_by=kind&collect=size&sort_by=size:ascending&limit=2");
        check(&format!("group_by=kind&period=month&{MONTHS}&sort_by=_count:descending&limit=2"));
        check(&format!("group_by=kind&period=month&{MONTHS}&flatten=true&limit=2"));
    }
}
