//! Storing records through the engine: what is acknowledged is on the disk.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use backdrop_bench::embedded::{Embedded, parse};
use backdrop_bench::records::json_batch;
use backdrop_common::record::Record;
use backdrop_common::storage::StorageError;
use backdrop_common::timestamp::Timestamp;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::task::JoinSet;

fn batches(criterion: &mut Criterion) {
    let database = Embedded::new().expect("a database");
    let mut group = criterion.benchmark_group("ingest");
    group.sample_size(20);
    for records in [1, 100, 500, 10_000] {
        let batch = parse(&json_batch(0, records)).expect("the generator breaks no rule");
        group.throughput(Throughput::Elements(records));
        group.bench_with_input(BenchmarkId::new("one client", records), &batch, |bencher, batch| {
            bencher.iter_batched(
                || batch.clone(),
                |batch| database.store(batch).expect("room on the disk"),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// Clients that each store one record at the same time.
fn clients(criterion: &mut Criterion) {
    let database = Embedded::new().expect("a database");
    let record = parse(&json_batch(0, 1)).expect("the generator breaks no rule");
    let mut group = criterion.benchmark_group("ingest");
    group.sample_size(20);
    for clients in [16, 64] {
        group.throughput(Throughput::Elements(clients));
        group.bench_function(BenchmarkId::new("one record at a time by clients", clients), |bencher| {
            bencher.iter_custom(|times| {
                let start = Instant::now();
                for _ in 0..times {
                    database.run(store_at_once(&database, clients, &record)).expect("room on the disk");
                }
                start.elapsed()
            });
        });
    }
    group.finish();
}

async fn store_at_once(database: &Embedded, clients: u64, record: &[Record]) -> anyhow::Result<()> {
    let mut storing = JoinSet::new();
    for _ in 0..clients {
        let (engine, bucket) = (Arc::clone(&database.writer), database.bucket.clone());
        let record = record.to_vec();
        storing.spawn(async move {
            engine.store(&bucket, record, Timestamp::now()).await?;
            Ok::<_, StorageError>(())
        });
    }
    while let Some(stored) = storing.join_next().await {
        stored.context("a client ended badly")??;
    }
    Ok(())
}

criterion_group!(benches, batches, clients);
criterion_main!(benches);
