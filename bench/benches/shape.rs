//! From an engine's rows to the bytes of an answer.

#![forbid(unsafe_code)]

use backdrop_bench::embedded::query;
use backdrop_common::aggregate::Partial;
use backdrop_common::query::{GroupQuery, Query};
use backdrop_common::shape::shape;
use backdrop_common::storage::{Interest, Row};
use backdrop_common::timestamp::Timestamp;
use backdrop_common::value::{Value, ValueRef};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// An answer that is written: the query, and how many groups of each key it finds; a group has data in
/// one of so many periods.
struct Case {
    name: &'static str,
    query: &'static str,
    keys: &'static [usize],
    every: usize,
    /// Whether the engine finds the periods of a group one after the other, as a view does if there are few
    /// groups; else rows come in no order.
    in_order: bool,
}

const WEEKS: Case = Case {
    name: "20 groups of 104 weeks",
    query: "group_by=service&period=week&collect=volume:sum&collect=duration:mean\
            &start_at=2023-01-02T00:00:00Z&end_at=2024-12-30T00:00:00Z",
    keys: &[20],
    every: 1,
    in_order: true,
};

const CASES: [Case; 7] = [
    WEEKS,
    Case { name: "20 groups of 104 weeks, scattered", in_order: false, ..WEEKS },
    Case {
        name: "100,000 groups",
        query: "group_by=page_path&collect=volume:sum",
        keys: &[100_000],
        every: 1,
        in_order: false,
    },
    Case {
        name: "100,000 groups, the largest first",
        query: "group_by=page_path&collect=volume:sum&sort_by=volume:sum:descending",
        keys: &[100_000],
        every: 1,
        in_order: false,
    },
    Case {
        name: "5 groups of 10,000 hours, nearly all empty",
        query: "group_by=channel&period=hour&collect=volume:sum\
                &start_at=2023-01-01T00:00:00Z&end_at=2024-02-21T16:00:00Z",
        keys: &[5],
        every: 500,
        in_order: false,
    },
    Case {
        name: "50,000 flat rows, half of them empty",
        query: "group_by=service&group_by=channel&period=day&flatten=true&collect=volume:sum\
                &start_at=2023-01-01T00:00:00Z&end_at=2024-05-15T00:00:00Z",
        keys: &[20, 5],
        every: 2,
        in_order: false,
    },
    Case {
        name: "50,000 flat rows, the 1,000 largest",
        query: "group_by=service&group_by=channel&period=day&flatten=true&collect=volume:sum\
                &start_at=2023-01-01T00:00:00Z&end_at=2024-05-15T00:00:00Z\
                &sort_by=volume:sum:descending&limit=1000",
        keys: &[20, 5],
        every: 2,
        in_order: false,
    },
];

/// The rows that an engine finds.
fn rows(case: &Case, query: &GroupQuery) -> Vec<Row> {
    let starts: Vec<Option<Timestamp>> = match &query.window {
        None => vec![None],
        Some(window) => window.starts().map(Some).collect(),
    };
    let groups: usize = case.keys.iter().product();
    let total = groups * starts.len();
    // A step that has no factor in common with the number of rows comes to each of them once.
    let step = if case.in_order { 1 } else { 7_919 };
    (0..total)
        .map(|place| place * step % total)
        .filter(|number| number % case.every == 0)
        .map(|number| row(case, query, number / starts.len(), starts[number % starts.len()], number))
        .collect()
}

fn row(case: &Case, query: &GroupQuery, group: usize, start: Option<Timestamp>, number: usize) -> Row {
    let mut rest = group;
    let keys = case.keys.iter().map(|count| {
        let key = rest % count;
        rest /= count;
        Value::Text(format!("value/{key}").into())
    });
    let value = i64::try_from(number * 31 % 1_000).unwrap_or_default();
    let collected = query.collected_fields().into_iter().map(|field| {
        let mut partial = Partial::new(field.wants_set);
        partial.add(ValueRef::Int(value));
        partial.add(ValueRef::Float(0.3));
        partial
    });
    Row { keys: keys.collect(), start, count: 2, collected: collected.collect() }
}

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shape");
    group.sample_size(20);
    for case in CASES {
        let Query::Groups(query) = query(case.query).expect("a query") else {
            panic!("groups are asked for")
        };
        let rows = rows(&case, &query);
        let listed = case.keys.iter().product::<usize>() * query.window.map_or(1, |window| window.len());
        group.throughput(Throughput::Elements(listed as u64));
        group.bench_function(case.name, |bencher| {
            bencher.iter_batched(
                || rows.clone(),
                |rows| {
                    let answer = shape(&query, rows, &Interest::default()).expect("an answer");
                    let mut json = Vec::new();
                    answer.write_json(&mut json);
                    json
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, answers);
criterion_main!(benches);
