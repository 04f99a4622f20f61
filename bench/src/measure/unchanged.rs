//! `If-None-Match` on a bucket that does not change: how many answers in a second, and what one costs the
//! read app compared with a query that it has to work for.

use std::time::{Duration, Instant};

use anyhow::Context;
use backdrop_bench::http::get;
use backdrop_bench::queries::{BenchQuery, Variant};

use super::{Variants, ask, path};
use crate::load;
use crate::program::Program;
use crate::store::Store;

/// The query whose ETag is asked about: one that takes a scan.
const QUERY: BenchQuery = BenchQuery::C;
/// How many clients ask.
pub(crate) const CLIENTS: usize = 16;

/// `If-None-Match`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnchangedFigures {
    /// Answers (304) in a second.
    pub(crate) rate: f64,
    /// Their median, in milliseconds.
    pub(crate) median: f64,
    /// The processor's time for one of them.
    pub(crate) cpu: Duration,
    /// The processor's time for one query that was not asked before.
    pub(crate) cpu_of_query: Duration,
}

/// Measures either for so long.
pub(crate) async fn measure(store: &Store, lasting: Duration) -> anyhow::Result<UnchangedFigures> {
    let app = store.start_read().await?;
    let cpu_of_query = cpu_of_query(&app, lasting).await?;
    let path = path(&QUERY.query_string(Variant(0)));
    let mut connection = app.connect().await?;
    let answer = connection.send(&get(&path, None)).await?.expect(200)?;
    let etag = answer.etag.context("an answer without an ETag")?;
    let request = get(&path, Some(&etag));
    let before = app.usage()?.cpu;
    let load = load::run(app.port(), vec![vec![request]; CLIENTS], 304, lasting).await?;
    let cpu = app.usage()?.cpu.saturating_sub(before) / u32::try_from(load.answered)?.max(1);
    app.stop().await?;
    let median = load.latencies.median().context("no answers")?;
    Ok(UnchangedFigures { rate: load.rate(), median, cpu, cpu_of_query })
}

/// The processor's time for a query. The kernel counts it in hundredths of a second, so many are asked.
async fn cpu_of_query(app: &Program, lasting: Duration) -> anyhow::Result<Duration> {
    let mut connection = app.connect().await?;
    let mut variants = Variants::default();
    ask(&mut connection, QUERY, variants.next()).await?;
    let (before, start) = (app.usage()?.cpu, Instant::now());
    let mut asked = 0;
    while start.elapsed() < lasting {
        ask(&mut connection, QUERY, variants.next()).await?;
        asked += 1;
    }
    Ok(app.usage()?.cpu.saturating_sub(before) / asked.max(1))
}
