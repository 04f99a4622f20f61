//! What is measured, a file each. All of them print what they do to the log, and answer figures.

pub(crate) mod cold;
pub(crate) mod freshness;
pub(crate) mod hostile;
pub(crate) mod ingest;
pub(crate) mod queries;
pub(crate) mod unchanged;

use std::time::Duration;

use backdrop_bench::http::{Connection, get};
use backdrop_bench::queries::{BenchQuery, Variant};

use crate::store::BUCKET;

/// The path of a query.
fn path(query: &str) -> String {
    format!("/{BUCKET}?{query}")
}

/// Hands out variants, none of them twice.
#[derive(Debug, Default)]
struct Variants(u32);

impl Variants {
    fn next(&mut self) -> Variant {
        self.0 += 1;
        Variant(self.0)
    }
}

/// Asks a query; says how long it took.
async fn ask(connection: &mut Connection, query: BenchQuery, variant: Variant) -> anyhow::Result<Duration> {
    let request = get(&path(&query.query_string(variant)), None);
    Ok(connection.send(&request).await?.expect(200)?.took)
}
