//! `backdrop-bench`: measures Backdrop over HTTP, with its peers, and prints what came out as Markdown.
//!
//! ```text
//! main ── measure/{queries,cold,freshness,unchanged,hostile,ingest} ← store, program, load, peers
//!      └─ results → bars, report
//! ```

#![forbid(unsafe_code)]

mod bars;
mod load;
mod machine;
mod measure;
mod peers;
mod places;
mod program;
mod report;
mod results;
mod store;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use crate::measure::queries::Effort;
use crate::measure::{cold, freshness, hostile, ingest, queries, unchanged};
use crate::peers::PeerKind;
use crate::places::Places;
use crate::results::{Results, SizeResults};
use crate::store::Store;

/// Measures Backdrop over HTTP, with its peers, and prints the results as Markdown.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Numbers of records.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000,10000000")]
    records: Vec<u64>,
    /// What to measure; everything where none is named.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Section>,
    /// The peers; those that are installed where none is named. `none` is none.
    #[arg(long, value_delimiter = ',', default_value = "duckdb,duckdb2,postgres,mongo")]
    peers: Vec<String>,
    /// Rounds of queries at the most.
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// Seconds for the rounds of one number of records.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Seconds for each case of storing.
    #[arg(long, default_value_t = 5)]
    ingest_seconds: u64,
    /// A file for the results, whose notes are kept.
    #[arg(long)]
    output: Option<PathBuf>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    /// The queries of a bucket in memory, and the peers.
    Queries,
    /// First queries, and memory.
    Cold,
    /// Queries after writes.
    Fresh,
    /// `If-None-Match`.
    Unchanged,
    /// Requests of an enemy, and answers as large as a bucket.
    Hostile,
    /// Storing.
    Ingest,
}

/// One thread, so that the client takes as little as it can from what it measures.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // Whichever way this ends, what was started is dropped with the future, and ends too.
    let results = tokio::select! {
        results = measure(&arguments) => results?,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    };
    let report = report::report(&results);
    println!("{report}");
    if let Some(output) = &arguments.output {
        let before = std::fs::read_to_string(output).unwrap_or_default();
        let text = report::with_notes(&report, &before);
        std::fs::write(output, text).with_context(|| format!("{}", output.display()))?;
    }
    Ok(())
}

impl Arguments {
    fn wants(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }

    /// The peers that are asked for and there.
    fn peers(&self, places: &Places) -> anyhow::Result<Vec<PeerKind>> {
        let named = self.peers.iter().filter(|name| *name != "none");
        let kinds = named.map(|name| PeerKind::from_str(name, false).map_err(anyhow::Error::msg));
        let mut kinds: Vec<_> = kinds.collect::<anyhow::Result<_>>()?;
        kinds.sort_unstable();
        kinds.dedup();
        if !kinds.is_empty() && places.python().is_none() {
            bail!("the peers are not installed: use bench/run.sh, or --peers none");
        }
        if kinds.contains(&PeerKind::MongoDb) && !has_mongodb() {
            eprintln!("MongoDB is left out: there is no mongod in the PATH");
            kinds.retain(|kind| *kind != PeerKind::MongoDb);
        }
        Ok(kinds)
    }
}

fn has_mongodb() -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::var_os("BACKDROP_BENCH_MONGODB_URL").is_some()
        || std::env::split_paths(&paths).any(|path| path.join("mongod").exists())
}

async fn measure(arguments: &Arguments) -> anyhow::Result<Results> {
    let places = Places::find()?;
    let peers = arguments.peers(&places)?;
    let mut results = Results { machine: machine::describe()?, ..Results::default() };
    results.machine.push(("Before".to_owned(), machine::condition(&places.folder)?));
    if arguments.wants(Section::Ingest) {
        results.ingest = ingest::measure(&places, Duration::from_secs(arguments.ingest_seconds)).await?;
    }
    let of_buckets = [Section::Queries, Section::Cold, Section::Fresh, Section::Unchanged, Section::Hostile];
    if of_buckets.into_iter().any(|section| arguments.wants(section)) {
        for &records in &arguments.records {
            let size = measure_size(arguments, &places, &peers, records).await;
            results.sizes.insert(records, size.with_context(|| format!("with {records} records"))?);
        }
    }
    results.machine.push(("After".to_owned(), machine::condition(&places.folder)?));
    Ok(results)
}

async fn measure_size(
    arguments: &Arguments,
    places: &Places,
    peers: &[PeerKind],
    records: u64,
) -> anyhow::Result<SizeResults> {
    /// What is only of interest where it is measured in a reasonable time.
    const LARGE: u64 = 1_000_000;
    eprintln!("loading {records} records");
    let (store, loading) = Store::kept(places, records).await?;
    let mut size = SizeResults { loading: Some(loading), ..SizeResults::default() };
    if arguments.wants(Section::Cold) {
        eprintln!("cold, {records} records");
        size.cold = Some(cold::measure(&store, if records > LARGE { 1 } else { 5 }).await?);
    }
    if arguments.wants(Section::Queries) {
        eprintln!("queries, {records} records");
        let effort = Effort { rounds: arguments.rounds, lasting: Duration::from_secs(arguments.seconds) };
        size.queries = Some(queries::measure(places, &store, records, peers, effort).await?);
    }
    if arguments.wants(Section::Fresh) && records <= LARGE {
        eprintln!("after writes, {records} records");
        size.fresh = Some(freshness::measure(&store, records, 20).await?);
    }
    if arguments.wants(Section::Unchanged) {
        eprintln!("If-None-Match, {records} records");
        size.unchanged = Some(unchanged::measure(&store, Duration::from_secs(3)).await?);
    }
    if arguments.wants(Section::Hostile) && records <= LARGE {
        eprintln!("requests of an enemy, {records} records");
        size.hostile = Some(hostile::measure(places, records).await?);
    }
    Ok(size)
}
