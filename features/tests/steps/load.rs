//! Many requests at once, and the end of the write app among them.

use anyhow::{Context, ensure};
use cucumber::{then, when};
use reqwest::Method;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use crate::support::http::{Client, Request};
use crate::support::program::App;
use crate::world::{BackdropWorld, ids_of};

/// Posts that are under way, each with the ids of its records where it is answered with 200.
type Posts = JoinSet<Vec<String>>;

#[when(expr = "{int} records are posted to {string} at once")]
async fn post_at_once(world: &mut BackdropWorld, count: usize, path: String) -> anyhow::Result<()> {
    let posts = start_posts(world, &path, count, 1).await?;
    finish(world, posts).await
}

#[when(expr = "{int} records are posted to {string} at once, and it is read meanwhile")]
async fn post_and_read(world: &mut BackdropWorld, count: usize, path: String) -> anyhow::Result<()> {
    let reader = world.client(App::Read).await?;
    let mut posts = start_posts(world, &path, count, 1).await?;
    while let Some(ids) = posts.join_next().await {
        world.acknowledged.extend(ids?);
        let answer = reader.get(&path).await?;
        ensure!(answer.status == 200, "a read was answered with {}", answer.status);
        let read = answer.json()?["data"].as_array().map_or(0, Vec::len);
        ensure!(read >= world.acknowledged.len(), "{read} of {} are read", world.acknowledged.len());
    }
    Ok(())
}

#[when(expr = "the write app is told to end while {int} records are posted to {string}")]
async fn end_among_posts(world: &mut BackdropWorld, count: usize, path: String) -> anyhow::Result<()> {
    let mut posts = start_posts(world, &path, count, 1).await?;
    first_answer(world, &mut posts).await?;
    let program = world.terminate(App::Write).await?;
    finish(world, posts).await?;
    let status = program.ended().await?;
    ensure!(status.success(), "the write app ended with {status}");
    Ok(())
}

#[when(expr = "the write app is killed while {int} lists of {int} records are posted to {string}")]
async fn kill_among_posts(
    world: &mut BackdropWorld,
    lists: usize,
    length: usize,
    path: String,
) -> anyhow::Result<()> {
    let mut posts = start_posts(world, &path, lists, length).await?;
    first_answer(world, &mut posts).await?;
    world.kill(App::Write).await?;
    finish(world, posts).await
}

#[then(expr = "{int} posts were answered")]
fn answered(world: &mut BackdropWorld, count: usize) -> anyhow::Result<()> {
    let acknowledged = world.acknowledged.len();
    ensure!(acknowledged == count, "{acknowledged} were");
    Ok(())
}

#[then(expr = "every acknowledged record is stored in {string}")]
async fn acknowledged(world: &mut BackdropWorld, bucket: String) -> anyhow::Result<()> {
    let stored = world.stored_ids(&bucket).await?;
    ensure!(!world.acknowledged.is_empty(), "no post was answered");
    let lost: Vec<_> = world.acknowledged.iter().filter(|id| !stored.contains(id)).collect();
    ensure!(lost.is_empty(), "of {} records these are lost: {lost:?}", world.acknowledged.len());
    Ok(())
}

#[then(expr = "every list of {int} in {string} is there whole or not at all")]
async fn whole_lists(world: &mut BackdropWorld, length: usize, bucket: String) -> anyhow::Result<()> {
    let answer = world.client(App::Read).await?.get(&format!("/{bucket}?group_by=list")).await?;
    let lists = answer.json()?["data"].as_array().cloned().context("no lists")?;
    ensure!(lists.iter().all(|list| list["_count"] == length), "the lists are {:#}", Json::Array(lists));
    Ok(())
}

/// Starts to post lists of records, each list by itself.
async fn start_posts(
    world: &mut BackdropWorld,
    path: &str,
    lists: usize,
    length: usize,
) -> anyhow::Result<Posts> {
    let client = world.client(App::Write).await?;
    let headers = world.write_headers(path);
    let mut posts = JoinSet::new();
    for list in 0..lists {
        let record = |number| json!({"_id": format!("{list}-{number}"), "list": list});
        let records: Vec<_> = (0..length).map(record).collect();
        posts.spawn(post(client.clone(), path.to_owned(), headers.clone(), records));
    }
    Ok(posts)
}

async fn post(
    client: Client,
    path: String,
    headers: Vec<(String, String)>,
    records: Vec<Json>,
) -> Vec<String> {
    let ids = ids_of(&records);
    let body = Some(Json::Array(records).to_string().into_bytes());
    let answer = client.send(Request { method: Method::POST, path, headers, body }).await;
    if answer.is_ok_and(|answer| answer.status == 200) { ids } else { Vec::new() }
}

/// Waits for an answer, which shows that the other posts are under way.
async fn first_answer(world: &mut BackdropWorld, posts: &mut Posts) -> anyhow::Result<()> {
    world.acknowledged.extend(posts.join_next().await.context("nothing was posted")??);
    Ok(())
}

/// Waits for all answers. Posts that find nobody have none.
async fn finish(world: &mut BackdropWorld, mut posts: Posts) -> anyhow::Result<()> {
    while let Some(ids) = posts.join_next().await {
        world.acknowledged.extend(ids?);
    }
    Ok(())
}
