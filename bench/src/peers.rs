//! Other stores that answer the same queries on the same data: Python programs in `bench/peers`, which
//! are told what to do on their standard input. They end when it is closed, and stop their servers.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use backdrop_bench::queries::{BenchQuery, Variant};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::places::Places;

/// Which store a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum PeerKind {
    /// In process, native table, one thread.
    #[value(name = "duckdb")]
    DuckDb,
    /// The same with two threads.
    #[value(name = "duckdb2")]
    DuckDbTwoThreads,
    /// A server, records as jsonb, two parallel workers.
    #[value(name = "postgres")]
    PostgreSql,
    /// A server.
    #[value(name = "mongo")]
    MongoDb,
}

impl PeerKind {
    /// How it is called in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DuckDb => "DuckDB, 1 thread",
            Self::DuckDbTwoThreads => "DuckDB, 2 threads",
            Self::PostgreSql => "PostgreSQL jsonb",
            Self::MongoDb => "MongoDB",
        }
    }

    /// Whether it is worth waiting for with so many records.
    pub(crate) fn takes(self, records: u64) -> bool {
        records <= 1_000_000 || matches!(self, Self::DuckDb | Self::DuckDbTwoThreads)
    }

    /// How often it is asked, one round in so many; the slow ones would keep everybody waiting.
    pub(crate) fn one_round_in(self) -> usize {
        if matches!(self, Self::DuckDb | Self::DuckDbTwoThreads) { 1 } else { 3 }
    }

    fn command(self, places: &Places, python: &Path, records: u64) -> Command {
        let (program, threads) = match self {
            Self::DuckDb => ("duckdb_peer.py", Some("1")),
            Self::DuckDbTwoThreads => ("duckdb_peer.py", Some("2")),
            Self::PostgreSql => ("postgres_peer.py", None),
            Self::MongoDb => ("mongo_peer.py", None),
        };
        let mut command = Command::new(python);
        command.arg(Places::peer(program)).env("PYTHONDONTWRITEBYTECODE", "1");
        match threads {
            Some(threads) => command.arg(places.folder.join(format!("{records}.duckdb"))).arg(threads),
            None => command.arg(&places.folder),
        };
        command
    }
}

/// A peer that has been started. Dropping it closes its input, so that it ends by itself, with its server.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Which store.
    pub(crate) kind: PeerKind,
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts a peer, for so many records.
    pub(crate) fn start(kind: PeerKind, places: &Places, records: u64) -> anyhow::Result<Self> {
        let python = places.python().context("the peers' Python is missing; bench/run.sh installs it")?;
        let mut child =
            kind.command(places, &python, records).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().context("a peer without an input")?;
        let output = BufReader::new(child.stdout.take().context("a peer without an output")?).lines();
        Ok(Self { kind, child, input, output })
    }

    /// The name and version of the store.
    pub(crate) async fn about(&mut self) -> anyhow::Result<String> {
        let reply = self.ask(&json!({"do": "about"})).await?;
        Ok(reply["about"].as_str().context("a peer without a name")?.to_owned())
    }

    /// Loads the records of a CSV file; says how long that took, unless an earlier run had done it.
    pub(crate) async fn load(&mut self, csv: &Path, records: u64) -> anyhow::Result<Option<Duration>> {
        let reply = self.ask(&json!({"do": "load", "csv": csv, "records": records})).await?;
        Ok(reply["seconds"].as_f64().map(Duration::from_secs_f64))
    }

    /// Asks a query; says how long it took.
    pub(crate) async fn time(&mut self, query: BenchQuery, variant: Variant) -> anyhow::Result<Duration> {
        Ok(self.query(query, variant, false).await?.0)
    }

    /// Asks a query; the rows of the answer.
    pub(crate) async fn rows(&mut self, query: BenchQuery, variant: Variant) -> anyhow::Result<Json> {
        Ok(self.query(query, variant, true).await?.1)
    }

    async fn query(
        &mut self,
        query: BenchQuery,
        variant: Variant,
        rows: bool,
    ) -> anyhow::Result<(Duration, Json)> {
        let name = query.letter().to_string();
        let request = json!({"do": "query", "query": name, "span": query.span(variant), "rows": rows});
        let mut reply = self.ask(&request).await?;
        let millis = reply["ms"].as_f64().context("a peer that answered in no time")?;
        Ok((Duration::from_secs_f64(millis / 1000.0), reply["rows"].take()))
    }

    async fn ask(&mut self, request: &Json) -> anyhow::Result<Json> {
        self.input.write_all(format!("{request}\n").as_bytes()).await?;
        let line = self.output.next_line().await?;
        let line = line.with_context(|| format!("{} has ended", self.kind.name()))?;
        let reply: Json = serde_json::from_str(&line)?;
        if let Some(error) = reply["error"].as_str() {
            bail!("{}: {error}", self.kind.name());
        }
        Ok(reply)
    }

    /// Lets it end, with its server.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let Self { mut child, input, .. } = self;
        drop(input);
        child.wait().await?;
        Ok(())
    }
}
