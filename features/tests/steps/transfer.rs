//! Dumps: making, moving and damaging them.

use std::fs;

use anyhow::{Context, ensure};
use cucumber::{then, when};

use crate::world::BackdropWorld;

/// It is a file, whichever the first is.
#[when("another store takes the place of this one")]
async fn another_store(world: &mut BackdropWorld) -> anyhow::Result<()> {
    world.end().await?;
    let database = world.installation.folder().join("another.db");
    world.installation.set("BACKDROP_DATABASE_URL", &format!("sqlite://{}", database.display()));
    Ok(())
}

#[when("the first store is back in its place")]
async fn first_store(world: &mut BackdropWorld) -> anyhow::Result<()> {
    world.end().await?;
    let database = world.installation.database().url();
    world.installation.set("BACKDROP_DATABASE_URL", &database);
    Ok(())
}

#[when(expr = "the end of the file {string} is lost")]
fn lose_end(world: &mut BackdropWorld, name: String) -> anyhow::Result<()> {
    let path = world.installation.folder().join(name);
    let length = fs::metadata(&path)?.len();
    fs::File::options().write(true).open(&path)?.set_len(length.checked_sub(3).context("it is short")?)?;
    Ok(())
}

#[when(expr = "the file {string} is lost")]
fn lose(world: &mut BackdropWorld, name: String) -> anyhow::Result<()> {
    Ok(fs::remove_file(world.installation.folder().join(name))?)
}

#[when(expr = "an operator notes when the records of {string} were written")]
async fn note_times(world: &mut BackdropWorld, bucket: String) -> anyhow::Result<()> {
    world.noted = times(world, &bucket).await?;
    Ok(())
}

#[then(expr = "the records of {string} were written when they were before")]
async fn same_times(world: &mut BackdropWorld, bucket: String) -> anyhow::Result<()> {
    let (noted, now) = (world.noted.clone(), times(world, &bucket).await?);
    ensure!(!noted.is_empty() && noted == now, "before: {noted:?}; now: {now:?}");
    Ok(())
}

async fn times(world: &mut BackdropWorld, bucket: &str) -> anyhow::Result<Vec<String>> {
    let stored = world.stored(bucket).await?;
    Ok(stored.iter().map(|record| record["_updated_at"].to_string()).collect())
}

#[then(expr = "no file in {string} has {string}")]
fn no_file_has(world: &mut BackdropWorld, folder: String, text: String) -> anyhow::Result<()> {
    let mut files = 0;
    for file in fs::read_dir(world.installation.folder().join(folder))? {
        let path = file?.path();
        let found = fs::read(&path)?.windows(text.len()).any(|part| part == text.as_bytes());
        ensure!(!found, "it is in {}", path.display());
        files += 1;
    }
    ensure!(files > 0, "there is no file");
    Ok(())
}
