//! What an engine that reads has to do before it can answer: for a bucket that it has not seen, and
//! after others have written.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use backdrop_bench::embedded::{Embedded, parse, query};
use backdrop_bench::queries::{BenchQuery, Variant};
use backdrop_bench::records::{json_batch, json_batch_with_ids};
use backdrop_common::record::RecordId;
use criterion::{Criterion, criterion_group, criterion_main};

const RECORDS: u64 = 200_000;
const CHANGED: u64 = 1000;

/// An engine that was just opened, until its first answer.
fn build(criterion: &mut Criterion) {
    let database = Embedded::with_records(RECORDS, &json_batch).expect("a database");
    let mut group = criterion.benchmark_group("view");
    group.sample_size(10);
    for query_kind in [BenchQuery::B, BenchQuery::C, BenchQuery::D] {
        let query = query(&query_kind.query_string(Variant(0))).expect("a query");
        group.bench_function(format!("build, query ({})", query_kind.letter()), |bencher| {
            bencher.iter_custom(|times| {
                let mut took = Duration::ZERO;
                for _ in 0..times {
                    let engine = database.open_again().expect("a database");
                    let start = Instant::now();
                    database.ask(&*engine, &query).expect("an answer");
                    took += start.elapsed();
                }
                took
            });
        });
    }
    group.finish();
}

/// The first query after a write of another engine; the write itself is not measured.
fn catch_up(criterion: &mut Criterion) {
    let database = Embedded::with_records(RECORDS, &json_batch_with_ids).expect("a database");
    let reader = database.open_again().expect("a database");
    let mut variant = 0;
    let mut group = criterion.benchmark_group("view");
    group.sample_size(10);
    let mut bench = |name: &str, change: &mut dyn FnMut(), restore: &mut dyn FnMut()| {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let mut took = Duration::ZERO;
                for _ in 0..times {
                    let mut next = || {
                        variant += 1;
                        query(&BenchQuery::B.query_string(Variant(variant))).expect("a query")
                    };
                    database.ask(&*reader, &next()).expect("an answer");
                    change();
                    let query = next();
                    let start = Instant::now();
                    database.ask(&*reader, &query).expect("an answer");
                    took += start.elapsed();
                    restore();
                }
                took
            });
        });
    };
    let store = |body: &str| {
        let records = parse(body).expect("the generator breaks no rule");
        database.store(records).expect("room on the disk");
    };
    let nothing = &mut || ();
    bench("catch up with nothing", &mut || (), nothing);
    bench("catch up with 1 insert", &mut || store(&json_batch(RECORDS, 1)), nothing);
    bench("catch up with 1,000 inserts", &mut || store(&json_batch(RECORDS, CHANGED)), nothing);
    bench("catch up with 1,000 replacements", &mut || store(&json_batch_with_ids(0, CHANGED)), nothing);
    bench(
        "catch up with 1,000 deletions",
        &mut || (CHANGED..2 * CHANGED).for_each(|index| delete(&database, index)),
        &mut || store(&json_batch_with_ids(CHANGED, CHANGED)),
    );
    group.finish();
}

fn delete(database: &Embedded, index: u64) {
    let id = RecordId::parse(&format!("record-{index:08}")).expect("an id");
    let deleted =
        database.run(database.writer.delete_record(&database.bucket, &id)).expect("room on the disk");
    assert!(deleted, "record {index} is there");
}

criterion_group!(benches, build, catch_up);
criterion_main!(benches);
