//! What is stored, and what is said, when the connection to the MongoDB server breaks.
//!
//! A request is stored whole or not at all, wherever the connection breaks; what was acknowledged is
//! there, once; and the programs work again, without a restart, when the server is back.

#![forbid(unsafe_code)]

#[path = "support/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "the feature runner needs more of it")]
mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bson::{Document, doc};
use reqwest::Method;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use proxy::Proxy;
use support::database::Engine;
use support::http::{Answer, Client, Request};
use support::installation::Installation;
use support::program::{App, Program};

/// How many records are in the batch that is cut, and at how many points of its way.
const BATCH: usize = 500;
const CUTS: u64 = 12;
/// Within this time it is said that the store is unavailable.
const SAID: Duration = Duration::from_secs(20);
/// Within this time after the server is back everything works again.
const BACK: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// Whose ids the records of a batch have.
#[derive(Clone, Copy, Debug)]
enum Ids {
    Sent,
    Made,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_ids_is_cut() -> anyhow::Result<()> {
    cut_batches(Ids::Sent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_ids_is_cut() -> anyhow::Result<()> {
    cut_batches(Ids::Made).await
}

/// Cuts the connection at points all over the way of a batch, the last among its last bytes.
async fn cut_batches(ids: Ids) -> anyhow::Result<()> {
    let buckets: Vec<_> = (1..=CUTS).map(|cut| format!("cut{cut}")).collect();
    let site = Site::start(&buckets).await?;
    let batch = batch(BATCH, ids);
    let whole = site.bytes_to_store(&batch).await?;
    for (cut, bucket) in (1..).zip(&buckets) {
        let point = if cut == CUTS { whole - 20 } else { whole * cut / CUTS };
        site.proxy.cut_after_sent(point);
        let checked = site.check(bucket, &batch, ids).await;
        checked.with_context(|| format!("cut after {point} of {whole} bytes"))?;
        ensure!(!site.proxy.is_to_cut(), "nothing was cut after {point} of {whole} bytes");
    }
    site.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_to_a_batch_with_ids_are_lost() -> anyhow::Result<()> {
    lose_replies(Ids::Sent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_to_a_batch_without_ids_are_lost() -> anyhow::Result<()> {
    lose_replies(Ids::Made).await
}

/// Loses one reply after the other, the one to the commit among them, until there is none to lose.
async fn lose_replies(ids: Ids) -> anyhow::Result<()> {
    let buckets: Vec<_> = (1..40).map(|lost| format!("lost{lost}")).collect();
    let site = Site::start(&buckets).await?;
    for (lost, bucket) in (1..).zip(&buckets) {
        site.connect().await?;
        site.proxy.lose_reply(lost);
        let checked = site.check(bucket, &batch(10, ids), ids).await;
        checked.with_context(|| format!("reply {lost} was lost"))?;
        if site.proxy.is_to_cut() {
            ensure!(lost > 1, "a batch is stored without a reply");
            return site.end().await;
        }
    }
    bail!("there is no end of replies")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_goes_away_and_comes_back() -> anyhow::Result<()> {
    let mut site = Site::start(&["foo".to_owned()]).await?;
    site.read_through_the_proxy().await?;
    ensure!(site.post("foo", &batch(3, Ids::Sent)).await?.status == 200);

    site.proxy.refuse();
    let asked = Instant::now();
    for (app, request, answer) in site.ask_everything(&batch(3, Ids::Made)).await? {
        let asked = format!("{} {} of {app:?}", request.method, request.path);
        ensure!(is_unavailable(&answer), "{asked}: {} {}", answer.status, answer.text());
    }
    ensure!(asked.elapsed() < SAID, "the answers took {:?}", asked.elapsed());
    site.proxy.pass_all();
    let deadline = Instant::now() + BACK;
    while site.ask_everything(&batch(4, Ids::Sent)).await?.iter().any(|(_, _, answer)| answer.status != 200) {
        ensure!(Instant::now() < deadline, "not everything works {BACK:?} after the server is back");
        sleep(POLL).await;
    }
    site.are_stored("foo", 4).await?;
    site.end().await
}

/// An installation on the server, which the write app reaches by way of a proxy.
struct Site {
    read: Program,
    write: Program,
    proxy: Proxy,
    installation: Installation,
}

impl Site {
    /// Makes buckets, and one that is called "other", and starts both programs.
    async fn start(buckets: &[String]) -> anyhow::Result<Self> {
        let mut installation = Installation::new(Engine::Mongo)?;
        let names = buckets.iter().map(String::as_str).chain(["other"]);
        let configs: Vec<_> = names
            .map(|name| json!({"name": name, "bearer_token": "token", "raw_queries_allowed": true}))
            .collect();
        let configs = Json::Array(configs).to_string();
        let imported = installation.run(App::Write, &["bucket", "import", "-"], &configs).await?;
        ensure!(imported.succeeded, "bucket import: {}", imported.errors);
        let read = installation.start(App::Read).await?;
        let proxy = Proxy::start(&installation.database().url()).await?;
        installation.set("BACKDROP_DATABASE_URL", proxy.url());
        let write = installation.start(App::Write).await?;
        Ok(Self { read, write, proxy, installation })
    }

    /// Starts the read app anew, so that it reaches the server as the write app does.
    async fn read_through_the_proxy(&mut self) -> anyhow::Result<()> {
        let read = self.installation.start(App::Read).await?;
        end(std::mem::replace(&mut self.read, read)).await
    }

    fn client(&self, app: App) -> anyhow::Result<Client> {
        Client::new(if app == App::Read { self.read.port() } else { self.write.port() })
    }

    /// Posts a batch to "foo", reads it, and asks both apps for their status, all at once.
    async fn ask_everything(&self, batch: &[Json]) -> anyhow::Result<Vec<(App, Request, Answer)>> {
        let mut asked = JoinSet::new();
        for (app, request) in [
            (App::Write, post_of("foo", batch)),
            (App::Read, get_of("/foo")),
            (App::Write, get_of("/_status")),
            (App::Read, get_of("/_status")),
        ] {
            let client = self.client(app)?;
            asked.spawn(async move { anyhow::Ok((app, request.clone(), client.send(request).await?)) });
        }
        asked.join_all().await.into_iter().collect()
    }

    async fn post(&self, bucket: &str, records: &[Json]) -> anyhow::Result<Answer> {
        self.client(App::Write)?.send(post_of(bucket, records)).await
    }

    /// Makes sure that the write app has a connection and everything passes.
    async fn connect(&self) -> anyhow::Result<()> {
        self.proxy.pass_all();
        let answer = self.post("other", &batch(1, Ids::Made)).await?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        Ok(())
    }

    /// How much the write app sends to the server to store a batch.
    async fn bytes_to_store(&self, batch: &[Json]) -> anyhow::Result<u64> {
        self.connect().await?;
        self.proxy.pass_all();
        let answer = self.post("other", batch).await?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        Ok(self.proxy.passed().sent)
    }

    /// Posts a batch to an empty bucket, and checks that it is stored once if that is said, and else
    /// whole or not at all. With sent ids the client then sends it again.
    async fn check(&self, bucket: &str, batch: &[Json], ids: Ids) -> anyhow::Result<()> {
        let answer = self.post(bucket, batch).await?;
        if answer.status == 200 {
            self.are_stored(bucket, batch.len()).await?;
        } else {
            ensure!(is_unavailable(&answer), "{} {}", answer.status, answer.text());
            let stored = self.stored(bucket).await?.len();
            ensure!(stored == 0 || stored == batch.len(), "of {} records {stored} are stored", batch.len());
        }
        if matches!(ids, Ids::Sent) {
            let again = self.post(bucket, batch).await?;
            ensure!(again.status == 200, "sent again: {} {}", again.status, again.text());
            self.are_stored(bucket, batch.len()).await?;
        }
        Ok(())
    }

    /// Checks that a batch of that length is stored, once, and nothing else.
    async fn are_stored(&self, bucket: &str, length: usize) -> anyhow::Result<()> {
        let stored = self.stored(bucket).await?;
        let numbers: BTreeSet<_> = stored.iter().filter_map(|record| record["number"].as_u64()).collect();
        let expected: BTreeSet<_> = (0..length as u64).collect();
        ensure!(stored.len() == length, "{} are stored instead of {length}", stored.len());
        ensure!(numbers == expected, "these are stored: {numbers:?}");
        let documents = self.installation.database().connect().await?.collection::<Document>(bucket);
        let documents = documents.count_documents(doc! {}).await?;
        ensure!(documents == length as u64, "there are {documents} documents for {length} records");
        Ok(())
    }

    async fn stored(&self, bucket: &str) -> anyhow::Result<Vec<Json>> {
        let answer = self.client(App::Read)?.send(get_of(&format!("/{bucket}"))).await?;
        ensure!(answer.status == 200, "reading: {} {}", answer.status, answer.text());
        answer.json()?["data"].as_array().cloned().context("no data")
    }

    async fn end(self) -> anyhow::Result<()> {
        end(self.read).await?;
        end(self.write).await
    }
}

async fn end(program: Program) -> anyhow::Result<()> {
    program.terminate().await?;
    program.ended().await?;
    Ok(())
}

fn batch(length: usize, ids: Ids) -> Vec<Json> {
    let record = |number| match ids {
        Ids::Sent => json!({"_id": format!("record-{number}"), "number": number}),
        Ids::Made => json!({"number": number}),
    };
    (0..length).map(record).collect()
}

fn get_of(path: &str) -> Request {
    Request { path: path.to_owned(), ..Request::default() }
}

fn post_of(bucket: &str, records: &[Json]) -> Request {
    let headers = [("Content-Type", "application/json"), ("Authorization", "Bearer token")];
    Request {
        method: Method::POST,
        path: format!("/{bucket}"),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: Some(json!(records).to_string().into_bytes()),
    }
}

fn is_unavailable(answer: &Answer) -> bool {
    answer.status == 503 && answer.header("Retry-After").is_some()
}
