//! The queries (a) to (f) through the engine, and data that is less kind.

#![forbid(unsafe_code)]

use backdrop_bench::embedded::{Embedded, query};
use backdrop_bench::queries::{BenchQuery, Variant};
use backdrop_bench::records::json_batch;
use backdrop_bench::shapes::Shape;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const RECORDS: u64 = 1_000_000;
const RECORDS_OF_SHAPE: u64 = 100_000;

fn kinds(criterion: &mut Criterion) {
    let database = Embedded::with_records(RECORDS, &json_batch).expect("a database");
    let reader = database.open_again().expect("a database");
    let mut group = criterion.benchmark_group("queries");
    group.sample_size(10).throughput(Throughput::Elements(RECORDS));
    let mut variant = 0;
    for kind in BenchQuery::ALL {
        group.bench_function(format!("({}) {}", kind.letter(), kind.description()), |bencher| {
            bencher.iter(|| {
                // Nothing that keeps answers must be able to help.
                variant += 1;
                let query = query(&kind.query_string(Variant(variant))).expect("a query");
                database.ask(&*reader, &query).expect("an answer")
            });
        });
    }
    group.finish();
}

fn shapes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shapes");
    group.sample_size(10).throughput(Throughput::Elements(RECORDS_OF_SHAPE));
    for shape in Shape::ALL {
        let batches = |first, count| shape.json_batch(first, count);
        let database = Embedded::with_records(RECORDS_OF_SHAPE, &batches).expect("a database");
        let reader = database.open_again().expect("a database");
        let query = query(shape.query()).expect("a query");
        group.bench_function(shape.name(), |bencher| {
            bencher.iter(|| database.ask(&*reader, &query).expect("an answer"));
        });
    }
    group.finish();
}

criterion_group!(benches, kinds, shapes);
criterion_main!(benches);
