//! What is stored when files cannot grow any more: at this byte, at that one, in the log of the database, in its
//! file, in the dump of an export.
//!
//! A limit of the kernel stands in for a disk that is full. It is taken away later, from the program that runs.

#![forbid(unsafe_code)]

#[path = "support/ledger.rs"]
mod ledger;
#[allow(dead_code, reason = "the feature runner needs more of it")]
mod support;

use anyhow::{Context, bail, ensure};
use serde_json::json;

use ledger::{Batch, Ledger, STORED, Stored, stored};
use support::database::Engine;
use support::http::Client;
use support::installation::Installation;
use support::program::{App, Program};

/// How large files may become, in kibibytes: from the first pages of a log up to where it is folded into the file.
const LIMITS: [u64; 8] = [70, 90, 150, 333, 777, 1500, 4090, 4500];
/// More batches than any of them has room for.
const BATCHES: u64 = 2_000;
/// So often it is tried again.
const REFUSALS: u64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_grow_loses_nothing() -> anyhow::Result<()> {
    for limit in LIMITS {
        check_store(limit).await.with_context(|| format!("files of {limit} KiB at the most"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_cannot_grow_is_none() -> anyhow::Result<()> {
    let mut site = site().await?;
    let write = site.start(App::Write).await?;
    let batch = Batch { number: 1, client: 1, added: 2_000, named: 0 };
    let answer = Client::new(write.port())?.send(batch.post()).await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    for limit in [40, 100, 150] {
        site.limit_files(Some(limit * 1024));
        let dump = format!("dump-{limit}");
        let exported = site.run(App::Write, &["export", &dump], "").await?;
        ensure!(!exported.succeeded, "it was exported with {limit} KiB: {}", exported.output);
        site.limit_files(None);
        let restored = site.run(App::Write, &["restore", &dump], "").await?;
        ensure!(restored.errors.contains("was not finished"), "{limit} KiB: {}", restored.errors);
    }
    let exported = site.run(App::Write, &["export", "dump"], "").await?;
    ensure!(exported.output.contains("2,000 records"), "{} {}", exported.output, exported.errors);
    end(write).await
}

/// An installation with a bucket.
async fn site() -> anyhow::Result<Installation> {
    let site = Installation::new(Engine::Sqlite)?;
    let bucket = json!([{"name": "foo", "bearer_token": "token", "raw_queries_allowed": true}]);
    let imported = site.run(App::Write, &["bucket", "import", "-"], &bucket.to_string()).await?;
    ensure!(imported.succeeded, "bucket import: {}", imported.errors);
    Ok(site)
}

/// Stores until it is refused, gives room, and stores again.
async fn check_store(limit: u64) -> anyhow::Result<()> {
    let mut site = site().await?;
    let read = site.start(App::Read).await?;
    site.limit_files(Some(limit * 1024));
    let write = site.start(App::Write).await?;
    let client = Client::new(write.port())?;
    let batch = |number| Batch { number, client: number % 3, added: 100, named: 20 };
    let (mut ledger, mut refused) = (Ledger::default(), 0);
    for number in 0..BATCHES {
        match client.send(batch(number).post()).await?.status {
            200 => ledger.record(batch(number), true),
            503 => {
                ledger.record(batch(number), false);
                refused += 1;
            }
            status => bail!("batch {number} was answered with {status}; {}", site.log()),
        }
        if refused == REFUSALS {
            break;
        }
    }
    ensure!(refused == REFUSALS, "it was refused {refused} times");
    ledger.check(&found(&read).await?)?;
    write.lift_limit().await?;
    let answer = client.send(batch(BATCHES).post()).await?;
    ensure!(answer.status == 200, "with room again: {} {}", answer.status, answer.text());
    ledger.record(batch(BATCHES), true);
    ledger.check(&found(&read).await?)?;
    end(write).await?;
    end(read).await
}

async fn found(read: &Program) -> anyhow::Result<Stored> {
    let answer = Client::new(read.port())?.get(&format!("/foo{STORED}")).await?;
    ensure!(answer.status == 200, "reading: {} {}", answer.status, answer.text());
    stored(answer.json()?["data"].as_array().context("no data")?)
}

async fn end(program: Program) -> anyhow::Result<()> {
    program.terminate().await?;
    let ended = program.ended().await?;
    ensure!(ended.success(), "it ended with {ended}");
    Ok(())
}
