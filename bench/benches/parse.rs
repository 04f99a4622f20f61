//! From the bytes of a body to records that can be stored.

#![forbid(unsafe_code)]

use std::hint::black_box;

use backdrop_bench::embedded::parse;
use backdrop_bench::records::json_batch;
use backdrop_common::record::sent::SentBody;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn bodies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for records in [1, 500, 10_000] {
        let body = json_batch(0, records);
        group.throughput(Throughput::Elements(records));
        group.bench_with_input(BenchmarkId::new("json", records), &body, |bencher, body| {
            bencher.iter(|| SentBody::parse(black_box(body.as_bytes())).expect("the generator makes JSON"));
        });
        group.bench_with_input(BenchmarkId::new("json and rules", records), &body, |bencher, body| {
            bencher.iter(|| parse(black_box(body)).expect("the generator breaks no rule"));
        });
    }
    group.finish();
}

criterion_group!(benches, bodies);
criterion_main!(benches);
