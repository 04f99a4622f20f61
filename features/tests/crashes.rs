//! What is stored when the write app is killed in the middle of its work, on the embedded engine.
//!
//! Again and again, on one file: clients store batches as fast as they can, and the app is killed after
//! some acknowledgements. All that was acknowledged is there then, and no batch in part. The same with two write
//! apps on the file, of which one is killed while the other goes on.
//!
//! `BACKDROP_TEST_KILLS` says how often an app is killed, in each of both tests.

#![forbid(unsafe_code)]

#[path = "support/ledger.rs"]
mod ledger;
#[allow(dead_code, reason = "the feature runner needs more of it")]
mod support;

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use ledger::{Batch, Ledger, STORED, Stored, number, part, stored};
use support::database::Engine;
use support::http::Client;
use support::installation::Installation;
use support::program::{App, Program};

/// How often an app is killed, unless the variable says so.
const KILLS: u64 = 50;
const CLIENTS: u64 = 6;
/// After how many acknowledgements it is killed, at the most.
const MAX_ACKNOWLEDGED: u64 = 40;
/// How many records a batch adds, if any.
const ADDED: [u64; 6] = [0, 1, 2, 10, 60, 300];
/// How many records each client has that it replaces.
const NAMED: [u64; 6] = [1, 1, 2, 10, 40, 150];

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_is_killed() -> anyhow::Result<()> {
    kill_again_and_again(1, 5).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_of_one_file_are_killed() -> anyhow::Result<()> {
    kill_again_and_again(2, 6).await
}

fn kills() -> anyhow::Result<u64> {
    match std::env::var("BACKDROP_TEST_KILLS") {
        Ok(number) => number.parse().context("BACKDROP_TEST_KILLS is no number"),
        Err(_) => Ok(KILLS),
    }
}

/// In each round as many apps write as are wanted, and all of them are killed, one after the other.
async fn kill_again_and_again(writers: u64, seed: u64) -> anyhow::Result<()> {
    let site = Site::start().await?;
    let mut ledger = Ledger::default();
    let mut random = StdRng::seed_from_u64(seed);
    let rounds = kills()?.div_ceil(writers);
    for round in 0..rounds {
        let acknowledgements: Vec<u64> =
            (0..writers).map(|_| random.random_range(1..=MAX_ACKNOWLEDGED)).collect();
        for (batch, acknowledged) in site.crash_after(&acknowledgements, round).await? {
            ledger.record(batch, acknowledged);
        }
        let checked = ledger.check(&site.stored().await?);
        checked.with_context(|| format!("round {round}, killed after {acknowledgements:?}"))?;
    }
    ensure!(ledger.stored() as u64 >= rounds, "{} batches are stored in all", ledger.stored());
    site.check_each(&ledger).await?;
    site.read.terminate().await?;
    site.read.ended().await.map(drop)
}

/// An installation whose read app runs all the time.
struct Site {
    installation: Installation,
    read: Program,
}

impl Site {
    async fn start() -> anyhow::Result<Self> {
        let installation = Installation::new(Engine::Sqlite)?;
        let bucket = json!([{"name": "foo", "bearer_token": "token", "raw_queries_allowed": true}]);
        let imported = installation.run(App::Write, &["bucket", "import", "-"], &bucket.to_string()).await?;
        ensure!(imported.succeeded, "bucket import: {}", imported.errors);
        let read = installation.start(App::Read).await?;
        Ok(Self { installation, read })
    }

    /// Starts write apps and their clients, and kills one app after the other, each after so many
    /// acknowledgements more, while the clients go on. Answers which batches they sent, and whether each was
    /// acknowledged.
    async fn crash_after(&self, acknowledgements: &[u64], round: u64) -> anyhow::Result<Vec<(Batch, bool)>> {
        let mut apps = Vec::new();
        for _ in acknowledgements {
            apps.push(self.installation.start(App::Write).await?);
        }
        let (acknowledge, mut acknowledged) = mpsc::unbounded_channel();
        let mut clients = JoinSet::new();
        for ((client, named), app) in (0..CLIENTS).zip(NAMED).zip(apps.iter().cycle()) {
            let pipeline = Pipeline::new(Client::new(app.port())?, client, named, round);
            clients.spawn(pipeline.send_until_killed(acknowledge.clone()));
        }
        drop(acknowledge);
        for (app, acknowledgements) in apps.into_iter().zip(acknowledgements) {
            for _ in 0..*acknowledgements {
                if acknowledged.recv().await.is_none() {
                    // The clients have ended, and say why.
                    break;
                }
            }
            app.kill().await?;
        }
        let sent: Vec<_> = clients.join_all().await.into_iter().collect::<anyhow::Result<_>>()?;
        Ok(sent.into_iter().flatten().collect())
    }

    async fn get(&self, query: &str) -> anyhow::Result<Vec<Json>> {
        let answer = Client::new(self.read.port())?.get(&format!("/foo{query}")).await?;
        ensure!(answer.status == 200, "reading: {} {}", answer.status, answer.text());
        answer.json()?["data"].as_array().cloned().context("no data")
    }

    async fn stored(&self) -> anyhow::Result<Stored> {
        stored(&self.get(STORED).await?)
    }

    /// Looks at every single record: none is there twice, and each is of a batch as large as it says.
    async fn check_each(&self, ledger: &Ledger) -> anyhow::Result<()> {
        let mut seen = BTreeSet::new();
        for record in self.get("").await? {
            let batch = number(&record, "batch")?;
            ensure!(ledger.size_of(batch) == Some(number(&record, "size")?), "{record}");
            let place = number(&record, "place")?;
            ensure!(seen.insert((batch, part(&record)?, place)), "there twice: {record}");
        }
        let counted: u64 = self.stored().await?.values().map(|(count, _)| count).sum();
        ensure!(counted == seen.len() as u64, "{counted} records are counted, {} read", seen.len());
        Ok(())
    }
}

/// A client, as long as one app runs.
struct Pipeline {
    http: Client,
    client: u64,
    /// How many records it has that it replaces.
    named: u64,
    random: StdRng,
    /// The number of its next batch.
    number: u64,
}

impl Pipeline {
    fn new(http: Client, client: u64, named: u64, round: u64) -> Self {
        let place = round * CLIENTS + client;
        Self { http, client, named, random: StdRng::seed_from_u64(place), number: place * 1_000_000 }
    }

    /// Sends batch after batch, until there is no answer any more. Answers which, and whether each was
    /// acknowledged.
    async fn send_until_killed(
        mut self,
        acknowledge: mpsc::UnboundedSender<()>,
    ) -> anyhow::Result<Vec<(Batch, bool)>> {
        let mut sent = Vec::new();
        loop {
            let batch = self.make_batch();
            // It breaks off wherever it is when the app is killed.
            let Ok(answer) = self.http.send(batch.post()).await else {
                sent.push((batch, false));
                return Ok(sent);
            };
            ensure!(answer.status == 200, "{batch:?}: {} {}", answer.status, answer.text());
            sent.push((batch, true));
            // Nobody counts any more once the app is killed.
            let _ = acknowledge.send(());
        }
    }

    fn make_batch(&mut self) -> Batch {
        let added = *ADDED.choose(&mut self.random).expect("there are some");
        let named = if added == 0 || self.random.random() { self.named } else { 0 };
        self.number += 1;
        Batch { number: self.number, client: self.client, added, named }
    }
}
