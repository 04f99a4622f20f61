//! The queries that are measured, (a) to (f), and how one is varied so that no answer that was kept
//! can be given again though the work is the same.

use backdrop_common::timestamp::Timestamp;

use crate::records::{END_MILLIS, START_MILLIS};

/// One of the queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BenchQuery {
    /// Count by month.
    A,
    /// By `channel`, sum of `volume`.
    B,
    /// By `service` and week with `channel` filtered, sum of `volume`, mean of `duration`.
    C,
    /// By `page_path`, count and set of `service`, the ten with the highest counts.
    D,
    /// Raw, `channel` filtered, the newest hundred.
    E,
    /// By day and `device` over one month.
    F,
}

/// What of a query differs from one time that it is asked to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant(pub u32);

/// 2023-06-01T00:00:00Z and 2023-07-01T00:00:00Z, the month of query (f).
const MONTH: [i64; 2] = [1_685_577_600_000, 1_688_169_600_000];

impl BenchQuery {
    /// All of them, in their order.
    pub const ALL: [Self; 6] = [Self::A, Self::B, Self::C, Self::D, Self::E, Self::F];

    /// The letter by which it is known.
    pub fn letter(self) -> char {
        match self {
            Self::A => 'a',
            Self::B => 'b',
            Self::C => 'c',
            Self::D => 'd',
            Self::E => 'e',
            Self::F => 'f',
        }
    }

    /// What it asks, in a few words.
    pub fn description(self) -> &'static str {
        match self {
            Self::A => "count by month",
            Self::B => "by channel, sum of volume",
            Self::C => "by service and week, channel filtered; sum, mean",
            Self::D => "by page, count and set of services, top 10",
            Self::E => "raw, channel filtered, newest 100",
            Self::F => "by day and device, one month",
        }
    }

    /// How it is varied, for whoever reads the results.
    pub fn variation(self) -> &'static str {
        match self {
            Self::A | Self::C => "`end_at` moves by seconds past the newest record",
            Self::B => "`limit` grows, always above the number of groups",
            Self::D => "`start_at` moves by seconds before the oldest record: a filter that all records pass",
            Self::E => "a second value of the filter, which no record has",
            Self::F => "`start_at` moves by seconds into the first day",
        }
    }

    /// The time that it spans, as milliseconds since 1970, from and to; what a peer is asked too.
    pub fn span(self, Variant(variant): Variant) -> [i64; 2] {
        let seconds = i64::from(variant) * 1000;
        match self {
            Self::A | Self::C => [START_MILLIS, END_MILLIS + seconds],
            Self::D => [START_MILLIS - seconds, END_MILLIS],
            Self::B | Self::E => [START_MILLIS, END_MILLIS],
            Self::F => [MONTH[0] + seconds % 80_000_000, MONTH[1]],
        }
    }

    /// The query string.
    pub fn query_string(self, variant: Variant) -> String {
        let [from, to] = self.span(variant).map(in_query);
        let span = format!("start_at={from}&end_at={to}");
        let number = variant.0;
        match self {
            Self::A => format!("period=month&{span}"),
            Self::B => format!("group_by=channel&collect=volume:sum&limit={}", 1000 + number),
            Self::C => format!(
                "group_by=service&period=week&filter_by=channel:web&collect=volume:sum\
                 &collect=duration:mean&{span}"
            ),
            Self::D => {
                format!("group_by=page_path&collect=service:set&sort_by=_count:descending&limit=10&{span}")
            }
            Self::E => format!(
                "filter_by=channel:web&filter_by=channel:none-{number}&sort_by=_timestamp:descending&limit=100"
            ),
            Self::F => format!("group_by=device&period=day&{span}"),
        }
    }
}

/// A time as a query spells it.
fn in_query(millis: i64) -> String {
    let time = Timestamp::from_millis(millis).unwrap_or(Timestamp::MIN);
    time.to_string().replace("+00:00", "Z")
}

/// Queries that name every field between them, so that all of a bucket is in memory after them.
pub const ALL_FIELDS: [&str; 4] = [
    "group_by=service&group_by=channel&collect=volume:sum",
    "group_by=device&group_by=stage&collect=duration:mean",
    "group_by=page_path&collect=service:set&sort_by=_count:descending&limit=10",
    "period=month&start_at=2022-01-01T00:00:00Z&end_at=2024-01-01T00:00:00Z",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use backdrop_common::query::args::{QueryArgs, QueryContext};

    use super::*;

    fn parse(query: &str) -> backdrop_common::query::Query {
        let context = QueryContext { raw_queries_allowed: true, now: Timestamp::MIN, max_rows: 1_000_000 };
        let query = QueryArgs::parse(query).and_then(|args| args.into_query(&context));
        query.expect("a query")
    }

    #[test]
    fn the_first_variant_of_each() {
        let queries = BenchQuery::ALL.map(|query| query.query_string(Variant(0)));
        assert_eq!(
            queries,
            [
                "period=month&start_at=2022-01-01T00:00:00Z&end_at=2024-01-01T00:00:00Z",
                "group_by=channel&collect=volume:sum&limit=1000",
                "group_by=service&period=week&filter_by=channel:web&collect=volume:sum\
                 &collect=duration:mean&start_at=2022-01-01T00:00:00Z&end_at=2024-01-01T00:00:00Z",
                "group_by=page_path&collect=service:set&sort_by=_count:descending&limit=10\
                 &start_at=2022-01-01T00:00:00Z&end_at=2024-01-01T00:00:00Z",
                "filter_by=channel:web&filter_by=channel:none-0&sort_by=_timestamp:descending&limit=100",
                "group_by=device&period=day&start_at=2023-06-01T00:00:00Z&end_at=2023-07-01T00:00:00Z",
            ]
        );
    }

    /// Also to something that keeps answers by what a query means and not by how it is spelled.
    #[test]
    fn no_variant_is_asked_twice() {
        for query in BenchQuery::ALL {
            let asked: BTreeSet<_> = (0..5000)
                .map(|number| format!("{:?}", parse(&query.query_string(Variant(number)))))
                .collect();
            assert_eq!(asked.len(), 5000, "{query:?}");
        }
    }

    #[test]
    fn the_queries_for_all_fields_can_be_asked() {
        for query in ALL_FIELDS {
            parse(query);
        }
    }
}
