//! The next query after a write of a thousand records: it must see them, and be quick.

use anyhow::{Context, ensure};
use backdrop_bench::answer::Rows;
use backdrop_bench::http::{Connection, get};
use backdrop_bench::queries::{BenchQuery, Variant};
use backdrop_bench::records::json_batch;
use backdrop_bench::statistics::Durations;

use super::queries::Series;
use super::{Variants, ask, path};
use crate::store::Store;

/// How many records are written before each query.
pub(crate) const WRITTEN: u64 = 1000;

/// Measures each query after so many writes, on a copy of the bucket.
pub(crate) async fn measure(store: &Store, records: u64, rounds: usize) -> anyhow::Result<Series> {
    let copy = store.copy()?;
    let (read, write) = (copy.start_read().await?, copy.start_write().await?);
    let (mut reading, mut writing) = (read.connect().await?, write.connect().await?);
    let mut series = Series::new();
    let mut variants = Variants::default();
    let mut written = records;
    for query in BenchQuery::ALL {
        // Whatever it needs of the bucket is in memory before.
        ask(&mut reading, query, variants.next()).await?;
        let mut durations = Durations::default();
        for _ in 0..rounds {
            writing.send(&copy.post(&json_batch(written, WRITTEN))).await?.expect(200)?;
            written += WRITTEN;
            durations.push(ask(&mut reading, query, variants.next()).await?);
        }
        series.insert(query, durations);
    }
    check_count(&mut reading, written).await?;
    read.stop().await?;
    write.stop().await?;
    Ok(series)
}

/// What was fast is worth nothing if it was not the answer.
async fn check_count(reading: &mut Connection, written: u64) -> anyhow::Result<()> {
    let query = "group_by=channel";
    let answer = reading.send(&get(&path(query), None)).await?.expect(200)?;
    let json: serde_json::Value = serde_json::from_slice(answer.body)?;
    let groups = json["data"].as_array().context("an answer without data")?;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    let written = written as f64;
    let found: f64 = groups.iter().filter_map(|group| group["_count"].as_f64()).sum();
    ensure!((found - written).abs() < 0.5, "{found} records are seen of {written} written");
    let months = path(&BenchQuery::A.query_string(Variant(0)));
    let answer = reading.send(&get(&months, None)).await?.expect(200)?;
    ensure!(!Rows::of_backdrop(BenchQuery::A, answer.body)?.is_empty(), "no months are seen");
    Ok(())
}
