//! What is stored, seen by reading it.

use std::collections::HashSet;

use anyhow::ensure;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cucumber::gherkin::Step;
use cucumber::then;
use serde_json::Value as Json;

use crate::support::compare::same_in_any_order;
use crate::table;
use crate::world::BackdropWorld;

/// What a bucket holds, in any order; only the keys of the table are looked at.
#[then(expr = "{string} now holds")]
async fn holds(world: &mut BackdropWorld, bucket: String, step: &Step) -> anyhow::Result<()> {
    let (expected, got) = (table::expected(step)?, table::shown(&world.stored(&bucket).await?, step)?);
    ensure!(same_in_any_order(&expected, &got), "it holds {:#}", Json::Array(got));
    Ok(())
}

#[then(expr = "{int} record(s) is/are stored in {string}")]
async fn stored(world: &mut BackdropWorld, count: usize, bucket: String) -> anyhow::Result<()> {
    let stored = world.stored(&bucket).await?;
    ensure!(stored.len() == count, "there are {}: {:#}", stored.len(), Json::Array(stored));
    Ok(())
}

#[then(expr = "nothing is stored in {string}")]
async fn nothing_stored(world: &mut BackdropWorld, bucket: String) -> anyhow::Result<()> {
    stored(world, 0, bucket).await
}

#[then(expr = "every record in {string} has an id of its own")]
async fn own_ids(world: &mut BackdropWorld, bucket: String) -> anyhow::Result<()> {
    let ids = world.stored_ids(&bucket).await?;
    let different: HashSet<_> = ids.iter().collect();
    ensure!(different.len() == ids.len() && !different.contains(&String::new()), "the ids are {ids:?}");
    Ok(())
}

#[then(expr = "{string} has a record with the base64 id of {string}")]
async fn base64_id(world: &mut BackdropWorld, bucket: String, text: String) -> anyhow::Result<()> {
    let ids = world.stored_ids(&bucket).await?;
    ensure!(ids == [STANDARD.encode(text)], "the ids are {ids:?}");
    Ok(())
}

/// For records that were posted by their number.
#[then(expr = "{string} holds fewer than {int} records, with the last of {int}")]
async fn last_of(world: &mut BackdropWorld, bucket: String, max: usize, posted: usize) -> anyhow::Result<()> {
    let stored = world.stored(&bucket).await?;
    let mut numbers: Vec<_> = stored.iter().filter_map(|record| record["number"].as_u64()).collect();
    numbers.sort_unstable();
    let last = (posted - stored.len()..posted).map(|number| number as u64);
    ensure!(
        !stored.is_empty() && stored.len() < max && last.eq(numbers.iter().copied()),
        "it has {numbers:?}"
    );
    Ok(())
}
