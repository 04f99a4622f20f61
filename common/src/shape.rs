//! From an engine's flat rows to the rows of an answer: groups sorted and limited, periods nested
//! in them or laid out flat, gaps filled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::aggregate::{Partial, Reduced};
use crate::query::{Anchor, Collect, CollectMethod, GroupQuery, InvalidQuery, Window};
use crate::storage::{CollectedField, Row};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// A row of an answer: named cells, in the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswerRow(Vec<(Arc<str>, Cell)>);

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// One value.
    Value(Value),
    /// A set.
    List(Vec<Value>),
    /// The periods of a group.
    Rows(Vec<AnswerRow>),
}

impl AnswerRow {
    /// The cells with their names.
    pub fn cells(&self) -> &[(Arc<str>, Cell)] {
        &self.0
    }

    fn get(&self, column: &str) -> Option<&Cell> {
        self.0.iter().find(|(name, _)| **name == *column).map(|(_, cell)| cell)
    }
}

impl Serialize for AnswerRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, cell) in &self.0 {
            map.serialize_entry(&**column, cell)?;
        }
        map.end()
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::List(values) => values.serialize(serializer),
            Self::Rows(rows) => rows.serialize(serializer),
        }
    }
}

/// By how many periods the window must move, so that it does not start (or end) with periods in
/// which no group has data: forward when positive. Zero for a window that was not asked for by
/// `duration`, for a flat answer, and where there is no data at all.
pub fn shift(query: &GroupQuery, rows: &[Row]) -> i64 {
    let Some(Window { period, start, end, anchor: Some(anchor) }) = query.window else { return 0 };
    if query.flatten {
        return 0;
    }
    // The smallest move of any group is the one that its outermost period asks for.
    let starts = rows.iter().filter_map(|row| row.start);
    match anchor {
        Anchor::Start => starts.min().map_or(0, |first| period.count(start, first)),
        Anchor::End => starts.max().map_or(0, |last| period.count(end, period.next(last))),
    }
}

/// Shapes the answer to a query from the rows of an engine.
///
/// # Errors
///
/// [`InvalidQuery`] where values cannot be collected as asked, or the answer would be too long.
pub fn shape(query: &GroupQuery, rows: Vec<Row>) -> Result<Vec<AnswerRow>, InvalidQuery> {
    let shaper = Shaper::new(query);
    let mut answer = match &query.window {
        None => shaper.groups(rows)?,
        Some(window) if query.keys.is_empty() => shaper.periods(window, rows)?,
        Some(window) if query.flatten => shaper.flat(window, rows)?,
        Some(window) => shaper.nested(window, rows)?,
    };
    if let Some(sort) = &query.sort {
        answer.sort_by(|a, b| sort.direction.apply(compare_cells(a.get(&sort.column), b.get(&sort.column))));
    }
    if let Some(limit) = query.limit {
        answer.truncate(limit);
    }
    Ok(answer)
}

/// A filled gap has null, or under a bare name nothing, where other rows have a set; it comes first.
fn compare_cells(a: Option<&Cell>, b: Option<&Cell>) -> std::cmp::Ordering {
    match (a, b) {
        (Some(Cell::Value(a)), Some(Cell::Value(b))) => a.cmp(b),
        (Some(Cell::List(a)), Some(Cell::List(b))) => a.cmp(b),
        (Some(Cell::List(_)), Some(Cell::Value(_)) | None) => std::cmp::Ordering::Greater,
        (Some(Cell::Value(_)) | None, Some(Cell::List(_))) => std::cmp::Ordering::Less,
        _ => std::cmp::Ordering::Equal,
    }
}

/// The names that an answer's columns have, made once and shared by its rows.
struct Shaper<'a> {
    query: &'a GroupQuery,
    keys: Vec<Arc<str>>,
    collected: Vec<Column>,
    count: Arc<str>,
    group_count: Arc<str>,
    start_at: Arc<str>,
    end_at: Arc<str>,
    values: Arc<str>,
}

/// A `collect` of the query: which partial it reduces, how, and under which names it stands.
struct Column {
    partial: usize,
    method: CollectMethod,
    bare: Option<Arc<str>>,
    full: Arc<str>,
}

impl Column {
    fn new(collect: &Collect, fields: &[CollectedField]) -> Self {
        Self {
            partial: fields.iter().position(|field| field.field == collect.field).unwrap_or_default(),
            method: collect.effective_method(),
            bare: collect.bare_column().map(Arc::from),
            full: collect.column().into(),
        }
    }
}

/// The count and the partials of a group or of one of its periods.
struct Tally {
    count: u64,
    collected: Box<[Partial]>,
}

/// The periods that have data, by their starts.
type Periods = BTreeMap<Timestamp, Tally>;

/// The rows of one group.
struct Group {
    keys: Box<[Value]>,
    periods: Periods,
}

impl Tally {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        for (partial, other) in self.collected.iter_mut().zip(&other.collected) {
            partial.merge(other);
        }
    }
}

impl<'a> Shaper<'a> {
    fn new(query: &'a GroupQuery) -> Self {
        let fields = query.collected_fields();
        Self {
            query,
            keys: query.keys.iter().map(|key| key.as_str().into()).collect(),
            collected: query.collect.iter().map(|collect| Column::new(collect, &fields)).collect(),
            count: "_count".into(),
            group_count: "_group_count".into(),
            start_at: "_start_at".into(),
            end_at: "_end_at".into(),
            values: "values".into(),
        }
    }

    fn groups(&self, mut rows: Vec<Row>) -> Result<Vec<AnswerRow>, InvalidQuery> {
        rows.sort_unstable_by(|a, b| a.keys.cmp(&b.keys));
        self.check_length(rows.len())?;
        rows.into_iter()
            .map(|row| {
                let mut answer = self.keys_of(&row.keys);
                self.tally(&mut answer, &Tally { count: row.count, collected: row.collected })?;
                Ok(answer)
            })
            .collect()
    }

    fn periods(&self, window: &Window, rows: Vec<Row>) -> Result<Vec<AnswerRow>, InvalidQuery> {
        let tallies = rows
            .into_iter()
            .filter_map(|row| Some((row.start?, Tally { count: row.count, collected: row.collected })))
            .collect();
        self.fill(window, &tallies, &AnswerRow::default())
    }

    fn nested(&self, window: &Window, rows: Vec<Row>) -> Result<Vec<AnswerRow>, InvalidQuery> {
        let groups = by_keys(rows);
        self.check_length(groups.len().saturating_mul(window.len()))?;
        groups
            .into_values()
            .map(|group| {
                let mut answer = self.keys_of(&group.keys);
                let mut total = Tally { count: 0, collected: self.no_values() };
                for tally in group.periods.values() {
                    total.merge(tally);
                }
                self.tally(&mut answer, &total)?;
                let with_data = i64::try_from(group.periods.len()).unwrap_or(i64::MAX);
                answer.0.push((self.group_count.clone(), Cell::Value(Value::Int(with_data))));
                let periods = self.fill(window, &group.periods, &AnswerRow::default())?;
                answer.0.push((self.values.clone(), Cell::Rows(periods)));
                Ok(answer)
            })
            .collect()
    }

    /// Every period with every combination of the values that a key has anywhere in the span.
    fn flat(&self, window: &Window, rows: Vec<Row>) -> Result<Vec<AnswerRow>, InvalidQuery> {
        let mut seen = vec![BTreeSet::new(); self.keys.len()];
        for row in &rows {
            for (seen, key) in seen.iter_mut().zip(&row.keys) {
                see(seen, key);
            }
        }
        let combinations = seen.iter().fold(1, |product: usize, values| product.saturating_mul(values.len()));
        self.check_length(combinations.saturating_mul(window.len()))?;
        let groups = by_keys(rows);
        let no_data = BTreeMap::new();
        let of_groups: Result<Vec<_>, _> = product(&seen)
            .map(|keys| {
                let periods = groups.get(&*keys).map_or(&no_data, |group| &group.periods);
                self.fill(window, periods, &self.keys_of(&keys)).map(IntoIterator::into_iter)
            })
            .collect();
        let mut of_groups = of_groups?;
        // Turned from periods of groups to groups of periods: by time, then by keys.
        let turned = (0..window.len())
            .flat_map(|_| of_groups.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>());
        Ok(turned.collect())
    }

    /// A row for each period of the window, each beginning with the same cells.
    fn fill(
        &self,
        window: &Window,
        periods: &Periods,
        first: &AnswerRow,
    ) -> Result<Vec<AnswerRow>, InvalidQuery> {
        window
            .starts()
            .map(|start| {
                let mut row = first.clone();
                row.0.push((self.start_at.clone(), Cell::Value(Value::Time(start))));
                row.0.push((self.end_at.clone(), Cell::Value(Value::Time(window.period.next(start)))));
                match periods.get(&start) {
                    Some(tally) => self.tally(&mut row, tally)?,
                    None => self.gap(&mut row),
                }
                Ok(row)
            })
            .collect()
    }

    fn keys_of(&self, keys: &[Value]) -> AnswerRow {
        let cells = self.keys.iter().cloned().zip(keys.iter().cloned().map(Cell::Value));
        AnswerRow(cells.collect())
    }

    fn tally(&self, row: &mut AnswerRow, tally: &Tally) -> Result<(), InvalidQuery> {
        let count = i64::try_from(tally.count).unwrap_or(i64::MAX);
        row.0.push((self.count.clone(), Cell::Value(Value::Int(count))));
        for column in &self.collected {
            let cell = match tally.collected[column.partial].reduce(column.method)? {
                Reduced::Value(value) => Cell::Value(value),
                Reduced::Set(values) => Cell::List(values),
            };
            if let Some(bare) = &column.bare {
                row.0.push((bare.clone(), cell.clone()));
            }
            row.0.push((column.full.clone(), cell));
        }
        Ok(())
    }

    /// A period without data: null for what is collected, and nothing under a bare name.
    fn gap(&self, row: &mut AnswerRow) {
        row.0.push((self.count.clone(), Cell::Value(Value::Int(0))));
        for column in &self.collected {
            row.0.push((column.full.clone(), Cell::Value(Value::Null)));
        }
    }

    fn no_values(&self) -> Box<[Partial]> {
        self.query.collected_fields().iter().map(|field| Partial::new(field.wants_set)).collect()
    }

    fn check_length(&self, rows: usize) -> Result<(), InvalidQuery> {
        let max = self.query.max_rows;
        if rows > max { Err(InvalidQuery::TooManyRows { max }) } else { Ok(()) }
    }
}

/// The groups in the order of their keys.
fn by_keys(rows: Vec<Row>) -> BTreeMap<Box<[Value]>, Group> {
    let mut groups = BTreeMap::new();
    for row in rows {
        let Some(start) = row.start else { continue };
        let group = groups
            .entry(row.keys.clone())
            .or_insert_with(|| Group { keys: row.keys.clone(), periods: Periods::new() });
        for (shown, key) in group.keys.iter_mut().zip(&row.keys) {
            shown.prefer_spelling(key.as_ref());
        }
        group.periods.insert(start, Tally { count: row.count, collected: row.collected });
    }
    groups
}

/// Notes that a key has a value, in the spelling that is shown.
fn see(seen: &mut BTreeSet<Value>, key: &Value) {
    if matches!(key, Value::Int(_)) {
        seen.replace(key.clone());
    } else {
        seen.insert(key.clone());
    }
}

/// Every combination of one value from each set, in order; the first set varies slowest.
fn product(sets: &[BTreeSet<Value>]) -> impl Iterator<Item = Box<[Value]>> {
    let combinations = sets.iter().fold(vec![Vec::new()], |combinations, values| {
        let extended = |combination: &Vec<Value>| {
            let extend = |value: &Value| [&combination[..], std::slice::from_ref(value)].concat();
            values.iter().map(extend).collect::<Vec<_>>()
        };
        combinations.iter().flat_map(extended).collect()
    });
    combinations.into_iter().map(Vec::into_boxed_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Query;
    use crate::query::args::{QueryArgs, QueryContext};
    use crate::value::ValueRef;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn query(text: &str) -> GroupQuery {
        let context = QueryContext { raw_queries_allowed: true, now: at("2014-06-18"), max_rows: 100 };
        match QueryArgs::parse(text).and_then(|args| args.into_query(&context)) {
            Ok(Query::Groups(query)) => query,
            other => panic!("{text}: {other:?}"),
        }
    }

    /// A row of an engine: keys, month, count, and the values of the one collected field.
    fn row(keys: &[Value], month: Option<u32>, count: u64, values: &[i64]) -> Row {
        let mut partial = Partial::new(true);
        for value in values {
            partial.add(ValueRef::Int(*value));
        }
        Row {
            keys: keys.into(),
            start: month.map(|month| at(&format!("2014-{month:02}-01"))),
            count,
            collected: Box::new([partial]),
        }
    }

    #[track_caller]
    fn check(text: &str, rows: Vec<Row>, answer: &[&str]) {
        let shown: Vec<_> = match shape(&query(text), rows) {
            Ok(rows) => rows.iter().map(|row| serde_json::to_string(row).expect("JSON")).collect(),
            Err(error) => vec![error.to_string()],
        };
        let shown: Vec<_> = shown.iter().map(|row| row.replace("T00:00:00+00:00", "")).collect();
        assert_eq!(shown, answer, "{text}");
    }

    const MONTHS: &str = "period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-04-01T00:00:00Z";

    #[test]
    fn groups_are_sorted_by_key_then_as_asked() {
        let rows = || {
            vec![
                row(&[Value::from("b")], None, 2, &[7]),
                row(&[Value::from("a")], None, 2, &[1, 2]),
                row(&[Value::Int(10)], None, 1, &[]),
            ]
        };
        check(
            "group_by=kind&collect=size:sum",
            rows(),
            &[
                r#"{"kind":10,"_count":1,"size:sum":0}"#,
                r#"{"kind":"a","_count":2,"size:sum":3}"#,
                r#"{"kind":"b","_count":2,"size:sum":7}"#,
            ],
        );
        check(
            "group_by=kind&collect=size&sort_by=_count:descending&limit=2",
            rows(),
            &[
                r#"{"kind":"a","_count":2,"size":[1,2],"size:set":[1,2]}"#,
                r#"{"kind":"b","_count":2,"size":[7],"size:set":[7]}"#,
            ],
        );
        check(
            "group_by=kind&collect=size:mean&sort_by=size:mean:ascending&limit=1",
            rows(),
            &[r#"{"kind":10,"_count":1,"size:mean":null}"#],
        );
    }

    #[test]
    fn gaps_between_periods_are_filled() {
        check(
            &format!("{MONTHS}&collect=size&collect=size:sum"),
            vec![row(&[], Some(2), 3, &[1, 2])],
            &[
                r#"{"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":0,"size:set":null,"size:sum":null}"#,
                r#"{"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":3,"size":[1,2],"size:set":[1,2],"size:sum":3}"#,
                r#"{"_start_at":"2014-03-01","_end_at":"2014-04-01","_count":0,"size:set":null,"size:sum":null}"#,
            ],
        );
    }

    #[test]
    fn a_group_has_its_own_values_and_those_of_its_periods() {
        check(
            &format!("{MONTHS}&group_by=kind&collect=size:sum&sort_by=_group_count:descending&limit=1"),
            vec![
                row(&[Value::from("b")], Some(1), 1, &[1]),
                row(&[Value::from("b")], Some(3), 2, &[2, 3]),
                row(&[Value::from("a")], Some(3), 9, &[9]),
            ],
            &[concat!(
                r#"{"kind":"b","_count":3,"size:sum":6,"_group_count":2,"values":["#,
                r#"{"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":1,"size:sum":1},"#,
                r#"{"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":0,"size:sum":null},"#,
                r#"{"_start_at":"2014-03-01","_end_at":"2014-04-01","_count":2,"size:sum":5}]}"#,
            )],
        );
    }

    #[test]
    fn flat_rows_fill_every_combination_before_they_are_sorted_and_limited() {
        let rows = || {
            vec![
                row(&[Value::from("a"), Value::Int(1)], Some(1), 1, &[]),
                row(&[Value::from("b"), Value::Int(2)], Some(2), 5, &[]),
            ]
        };
        let two = "period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-03-01T00:00:00Z";
        check(
            &format!("{two}&group_by=kind&group_by=size&flatten=true"),
            rows(),
            &[
                r#"{"kind":"a","size":1,"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":1}"#,
                r#"{"kind":"a","size":2,"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":0}"#,
                r#"{"kind":"b","size":1,"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":0}"#,
                r#"{"kind":"b","size":2,"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":0}"#,
                r#"{"kind":"a","size":1,"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":0}"#,
                r#"{"kind":"a","size":2,"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":0}"#,
                r#"{"kind":"b","size":1,"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":0}"#,
                r#"{"kind":"b","size":2,"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":5}"#,
            ],
        );
        check(
            &format!("{two}&group_by=kind&group_by=size&flatten=true&sort_by=_count:descending&limit=2"),
            rows(),
            &[
                r#"{"kind":"b","size":2,"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":5}"#,
                r#"{"kind":"a","size":1,"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":1}"#,
            ],
        );
        check(&format!("{two}&group_by=kind&flatten=true"), Vec::new(), &[]);
    }

    /// An order in which a gap equalled every set was none, and sorting by it could panic.
    #[test]
    fn gaps_come_first_by_the_bare_name_that_they_lack() {
        let rows: Vec<_> = (0..30)
            .zip([1, 2, 3].into_iter().cycle())
            .map(|(key, month)| row(&[Value::Int(key)], Some(month), 1, &[key * 7 % 30]))
            .collect();
        for (direction, gaps) in [("ascending", 0..60), ("descending", 30..90)] {
            let text = format!("{MONTHS}&group_by=kind&flatten=true&collect=size&sort_by=size:{direction}");
            let answer = shape(&query(&text), rows.clone()).expect("rows");
            for (place, row) in answer.iter().enumerate() {
                assert_eq!(row.get("size").is_none(), gaps.contains(&place), "{direction} {place}");
            }
            let mut sets: Vec<_> = answer.iter().filter_map(|row| row.get("size")).collect();
            if direction == "descending" {
                sets.reverse();
            }
            let sorted: Vec<_> = (0..30).map(|value| Cell::List(vec![Value::Int(value)])).collect();
            assert_eq!(sets, sorted.iter().collect::<Vec<_>>(), "{direction}");
        }
    }

    #[test]
    fn a_whole_number_is_shown_as_an_integer_if_any_record_held_one() {
        let rows = vec![
            row(&[Value::Float(1.0)], Some(1), 1, &[]),
            row(&[Value::Int(1)], Some(2), 1, &[]),
            row(&[Value::Float(2.0)], Some(2), 1, &[]),
        ];
        let groups = shape(&query(&format!("{MONTHS}&group_by=size")), rows).expect("groups");
        let keys: Vec<_> = groups.iter().map(|group| format!("{:?}", group.cells()[0].1)).collect();
        assert_eq!(keys, ["Value(Int(1))", "Value(Float(2.0))"]);
    }

    #[test]
    fn one_bad_group_refuses_the_whole_query() {
        let mut bad = row(&[Value::from("z")], None, 1, &[]);
        bad.collected[0].add(ValueRef::Null);
        let rows = vec![row(&[Value::from("a")], None, 1, &[1]), bad];
        check("group_by=kind&collect=size:sum&limit=1", rows, &["invalid collect function"]);
    }

    #[test]
    fn answers_that_would_be_too_long() {
        let rows: Vec<_> = (0..34).map(|key| row(&[Value::Int(key)], Some(1), 1, &[])).collect();
        check(
            &format!("{MONTHS}&group_by=size"),
            rows,
            &["The query would list more than 100 groups or periods; narrow it, or group by fewer fields"],
        );
    }

    #[track_caller]
    fn check_shift(text: &str, months: &[u32], periods: i64) {
        let rows: Vec<_> = months.iter().map(|month| row(&[], Some(*month), 1, &[])).collect();
        assert_eq!(shift(&query(text), &rows), periods, "{text} {months:?}");
    }

    #[test]
    fn windows_move_to_where_the_data_is() {
        let after = "period=month&duration=3&start_at=2014-01-01T00:00:00Z";
        check_shift(after, &[1, 3], 0);
        check_shift(after, &[2, 3], 1);
        check_shift(after, &[3], 2);
        check_shift(after, &[], 0);
        let before = "period=month&duration=3&end_at=2014-04-01T00:00:00Z";
        check_shift(before, &[3], 0);
        check_shift(before, &[1, 2], -1);
        check_shift(before, &[1], -2);
        check_shift(&format!("{before}&flatten=true"), &[1], 0);
        check_shift(MONTHS, &[3], 0);
    }
}
