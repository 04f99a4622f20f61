//! Random histories of a bucket: records, what is written of them, and valid query strings.
//!
//! Everything is drawn from few values, so that records share ids, keys and times, and queries find
//! some of them.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{at, record_id};
use crate::query::Direction;
use crate::record::Record;
use crate::timestamp::Timestamp;
use crate::value::Value;

/// What was written to a bucket, and what is asked of it then.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) writes: Vec<Write>,
    pub(super) queries: Vec<Asked>,
}

#[derive(Clone, Debug)]
pub(super) enum Write {
    Store(Vec<Record>),
    /// Changes one of the records there are: sets a field, and the time or takes it away.
    Change(Index, Value, Option<Timestamp>),
    Delete(Index),
    Empty,
}

/// A query string, and how many rows its answer may have.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) text: String,
    pub(super) max_rows: usize,
}

pub(super) fn history(queries: usize) -> impl Strategy<Value = History> {
    let writes = prop::collection::vec(write(), 1..6);
    let queries = prop::collection::vec(asked(), queries);
    (writes, queries).prop_map(|(writes, queries)| History { writes, queries })
}

pub(super) fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        8 => prop::collection::vec(record(), 0..14).prop_map(Write::Store),
        3 => (any::<Index>(), mixed_value(), prop::option::of(time()))
            .prop_map(|(index, value, timestamp)| Write::Change(index, value, timestamp)),
        3 => any::<Index>().prop_map(Write::Delete),
        1 => Just(Write::Empty),
    ]
}

prop_compose! {
    fn record()(
        id in prop::option::weighted(0.5, select(vec!["r0", "r1", "r2", "r3", "s4", "s5"])),
        timestamp in prop::option::weighted(0.85, time()),
        flag in prop::option::of(any::<bool>().prop_map(Value::Bool)),
        kind in prop::option::weighted(0.9, mixed_value()),
        place in prop::option::weighted(0.9, mixed_value()),
        size in prop::option::weighted(0.8, number()),
        start_at in prop::option::weighted(0.2, time().prop_map(Value::Time)),
    ) -> Record {
        // Sorted by key, as in every record.
        let fields = [("_start_at", start_at), ("flag", flag), ("kind", kind), ("place", place), ("size", size)];
        let present = fields.into_iter().filter_map(|(key, value)| Some((Box::from(key), value?)));
        Record { id: id.map(record_id), timestamp, fields: present.collect() }
    }
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-1_i64..4).prop_map(Value::Int),
        1 => select(vec![i64::MAX, i64::MIN, 9_007_199_254_740_993]).prop_map(Value::Int),
        4 => select(vec![1.0, 2.0, 0.5, -2.5, 0.1, 1e17]).prop_map(Value::Float),
    ]
}

fn mixed_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => Just(Value::Null),
        2 => any::<bool>().prop_map(Value::Bool),
        3 => (0_i64..3).prop_map(Value::Int),
        3 => select(vec![0.0, 1.0, 2.0, 0.5]).prop_map(Value::Float),
        6 => select(vec!["", "a", "ab", "b", "1", "true", "é"]).prop_map(Value::from),
    ]
}

/// A time in the first months of 2014, often on the boundary of a period.
fn time() -> impl Strategy<Value = Timestamp> {
    let of_day = select(vec!["00:00:00", "00:00:00", "00:00:00.001", "06:00:00", "06:30:00", "23:59:59.999"]);
    (day(), of_day).prop_map(|(day, time)| at(&format!("{day}T{time}Z")))
}

fn day() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => select(vec!["2014-01-01", "2014-01-06", "2014-02-01", "2014-03-03", "2014-04-01"])
            .prop_map(str::to_owned),
        3 => (1..5, 1..29).prop_map(|(month, day)| format!("2014-{month:02}-{day:02}")),
    ]
}

/// A time as a query spells it, with some offset.
fn query_time() -> impl Strategy<Value = String> {
    let of_day = select(vec!["00:00:00Z", "00:00:00Z", "06:00:00Z", "01:00:00%2B01:00", "23:59:59Z"]);
    (day(), of_day).prop_map(|(day, time)| format!("{day}T{time}"))
}

/// The time that a query asks for.
#[derive(Clone, Debug)]
enum Span {
    All,
    Between { pairs: String, period: Option<&'static str>, inclusive: bool },
    Counted { pairs: String },
}

fn span() -> impl Strategy<Value = Span> {
    let periods = || select(vec!["hour", "day", "week", "month", "quarter", "year"]);
    // Mostly the right way round: as text too, a time sorts by day.
    let times = (query_time(), query_time(), 0..8)
        .prop_map(|(a, b, order)| if order > 0 && a > b { (b, a) } else { (a, b) })
        .prop_map(|(start, end)| format!("start_at={start}&end_at={end}"));
    let between = (times, prop::option::weighted(0.6, periods()), any::<bool>())
        .prop_map(|(pairs, period, inclusive)| Span::Between { pairs, period, inclusive });
    let from = (select(vec!["start_at", "end_at"]), query_time());
    let counted = (periods(), 1..30, prop::option::of(from)).prop_map(|(period, duration, from)| {
        let from = from.map(|(end, time)| format!("&{end}={time}")).unwrap_or_default();
        Span::Counted { pairs: format!("period={period}&duration={duration}{from}") }
    });
    prop_oneof![2 => Just(Span::All), 5 => between, 4 => counted]
}

/// Filters, of one kind or the other.
fn filters() -> impl Strategy<Value = Vec<String>> {
    let value =
        select(vec!["", "a", "ab", "b", "1", "1.0", "0", "2", "0.5", "true", "false", "null", "%C3%A9", "x"]);
    let field = select(vec!["kind", "place", "size", "flag", "kind"]);
    let by_value = (field, value).prop_map(|(field, value)| format!("filter_by={field}:{value}"));
    let by_other = select(vec![
        "_id:r1",
        "_id:{first}",
        "_id:r0",
        "_updated_at:2020-01-01T00:00:00Z",
        "_month_start_at:2014-02-01T00:00:00Z",
        "_week_start_at:2014-01-06T00:00:00Z",
        "_year_start_at:2014-01-01T00:00:00Z",
        "_timestamp:2014-01-01T00:00:00Z",
        "_start_at:2014-02-01T00:00:00Z",
    ])
    .prop_map(|filter| format!("filter_by={filter}"));
    let prefix =
        (select(vec!["kind", "place", "_id", "_timestamp"]), select(vec!["", "a", "r", "s", "1", "0"]))
            .prop_map(|(field, prefix)| format!("filter_by_prefix={field}:{prefix}"));
    prop_oneof![
        4 => Just(Vec::new()),
        4 => prop::collection::vec(prop_oneof![3 => by_value, 1 => by_other], 1..4),
        1 => prop::collection::vec(prefix, 1..3),
    ]
}

/// Everything that a query may ask for; what does not go together is left out of its text.
#[derive(Clone, Debug)]
struct Parts {
    filters: Vec<String>,
    span: Span,
    keys: Vec<&'static str>,
    collect: Vec<(&'static str, &'static str)>,
    sort: Option<(Index, Direction)>,
    limit: Option<usize>,
    flatten: Option<bool>,
}

prop_compose! {
    pub(super) fn asked()(
        filters in filters(),
        span in span(),
        keys in select(vec![&[][..], &["kind"], &["place"], &["kind", "place"], &["flag", "kind"], &["size"]]),
        collect in prop::collection::vec(
            (select(vec!["size", "size", "size", "place", "flag"]), select(vec!["", ":sum", ":count", ":mean", ":set"])),
            0..4,
        ),
        sort in prop::option::of((any::<Index>(), select(vec![Direction::Ascending, Direction::Descending]))),
        limit in prop::option::weighted(0.4, 0_usize..6),
        flatten in prop::option::of(any::<bool>()),
        max_rows in prop_oneof![9 => Just(1000_usize), 1 => 0_usize..5],
    ) -> Asked {
        let parts = Parts { filters, span, keys: keys.to_vec(), collect, sort, limit, flatten };
        Asked { text: parts.text(), max_rows }
    }
}

impl Parts {
    fn text(&self) -> String {
        let mut pairs = self.filters.clone();
        match &self.span {
            Span::All => {}
            Span::Counted { pairs: counted } => pairs.push(counted.clone()),
            Span::Between { pairs: between, period, inclusive } => {
                pairs.push(format!("{between}&inclusive={inclusive}"));
                pairs.extend(period.map(|period| format!("period={period}")));
            }
        }
        pairs.extend(self.keys.iter().map(|key| format!("group_by={key}")));
        pairs.extend(self.flatten.map(|flatten| format!("flatten={flatten}")));
        if !self.is_raw() {
            pairs.extend(self.collects().map(|(field, method)| format!("collect={field}{method}")));
        }
        if self.is_raw() || !self.keys.is_empty() {
            pairs.extend(self.sort().map(|sort| format!("sort_by={sort}")));
            pairs.extend(self.limit.map(|limit| format!("limit={limit}")));
        }
        pairs.join("&")
    }

    fn has_period(&self) -> bool {
        matches!(self.span, Span::Counted { .. } | Span::Between { period: Some(_), .. })
    }

    fn is_raw(&self) -> bool {
        self.keys.is_empty() && !self.has_period()
    }

    /// What is collected: no field that is grouped by.
    fn collects(&self) -> impl Iterator<Item = &(&'static str, &'static str)> {
        self.collect.iter().filter(|(field, _)| !self.keys.contains(field))
    }

    fn sort(&self) -> Option<String> {
        let (index, direction) = &self.sort?;
        let columns = if self.is_raw() { record_columns() } else { self.group_columns() };
        let direction = match direction {
            Direction::Ascending => "ascending",
            Direction::Descending => "descending",
        };
        Some(format!("{}:{direction}", index.get(&columns)))
    }

    fn group_columns(&self) -> Vec<String> {
        let mut columns = vec!["_count".to_owned()];
        let of_periods = match (self.has_period(), self.flatten) {
            (false, _) => &[][..],
            (true, Some(true)) => &["_start_at", "_end_at"],
            (true, _) => &["_group_count"],
        };
        columns.extend(of_periods.iter().chain(&self.keys).map(ToString::to_string));
        for (field, method) in self.collects() {
            let method = if method.is_empty() { ":set" } else { method };
            columns.push(format!("{field}{method}"));
        }
        columns.extend(
            self.collects().filter(|(_, method)| method.is_empty()).map(|(field, _)| field.to_string()),
        );
        columns
    }
}

fn record_columns() -> Vec<String> {
    let columns = [
        "kind",
        "place",
        "size",
        "nowhere",
        "_timestamp",
        "_id",
        "_updated_at",
        "_week_start_at",
        "_timestamp",
    ];
    columns.map(str::to_owned).into()
}
