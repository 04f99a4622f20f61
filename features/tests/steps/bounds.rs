//! Records that are as large as records may be, and those that are larger.

use std::fs;

use anyhow::ensure;
use bson::doc;
use cucumber::{given, then, when};
use reqwest::Method;
use serde_json::{Map, Value as Json, json};

use super::write::write;
use crate::support::http::Request;
use crate::support::program::App;
use crate::world::BackdropWorld;

async fn post(world: &mut BackdropWorld, path: String, record: Json) -> anyhow::Result<()> {
    write(world, Method::POST, path, record.to_string().into_bytes(), &[]).await
}

async fn change(world: &mut BackdropWorld, path: String, record: Json) -> anyhow::Result<()> {
    write(world, Method::PATCH, path, record.to_string().into_bytes(), &[]).await
}

fn letters(count: usize) -> String {
    "x".repeat(count)
}

/// So many fields, each with the same value.
fn fields(count: usize, value: &Json) -> Json {
    let field = |number: usize| (format!("field_{number:04}"), value.clone());
    Json::Object((0..count).map(field).collect::<Map<_, _>>())
}

#[when(expr = "I post a record with a name of {int} bytes to {string}")]
async fn post_name(world: &mut BackdropWorld, bytes: usize, path: String) -> anyhow::Result<()> {
    post(world, path, json!({letters(bytes): 1})).await
}

#[when(expr = "I post a record with a text of {int} bytes to {string}")]
async fn post_text(world: &mut BackdropWorld, bytes: usize, path: String) -> anyhow::Result<()> {
    post(world, path, json!({"text": letters(bytes)})).await
}

#[when(expr = "I post a record with an id of {int} bytes to {string}")]
async fn post_id(world: &mut BackdropWorld, bytes: usize, path: String) -> anyhow::Result<()> {
    post(world, path, json!({"_id": letters(bytes)})).await
}

#[when(expr = "I post a record with {int} fields to {string}")]
async fn post_fields(world: &mut BackdropWorld, count: usize, path: String) -> anyhow::Result<()> {
    post(world, path, fields(count, &json!(1))).await
}

#[when(expr = "I post a record with {int} texts of {int} bytes to {string}")]
async fn post_texts(
    world: &mut BackdropWorld,
    count: usize,
    bytes: usize,
    path: String,
) -> anyhow::Result<()> {
    post(world, path, fields(count, &json!(letters(bytes)))).await
}

#[when(expr = "I post a record with {int} bad keys to {string}")]
async fn post_bad_keys(world: &mut BackdropWorld, count: usize, path: String) -> anyhow::Result<()> {
    let record: Map<_, _> = (0..count).map(|number| (format!("bad-{number}"), json!(1))).collect();
    post(world, path, Json::Object(record)).await
}

#[when(expr = "I change {string} to have {int} fields more")]
async fn change_fields(world: &mut BackdropWorld, path: String, count: usize) -> anyhow::Result<()> {
    change(world, path, fields(count, &json!(1))).await
}

#[when(expr = "I change {string} to have {int} texts more of {int} bytes")]
async fn change_texts(
    world: &mut BackdropWorld,
    path: String,
    count: usize,
    bytes: usize,
) -> anyhow::Result<()> {
    change(world, path, fields(count, &json!(letters(bytes)))).await
}

#[when(expr = "I read {string} with {int} times {string}")]
async fn read_with(
    world: &mut BackdropWorld,
    path: String,
    times: usize,
    parameter: String,
) -> anyhow::Result<()> {
    let repeated: Vec<_> =
        (0..times).map(|number| parameter.replace("<number>", &number.to_string())).collect();
    let path = format!("{path}&{}", repeated.join("&"));
    world.send(App::Read, Request { path, ..Request::default() }).await
}

/// As an earlier version exported it.
#[given(expr = "a dump {string} of a bucket {string} with a record {string} that has a text of {int} bytes")]
fn large_dump(
    world: &mut BackdropWorld,
    dump: String,
    bucket: String,
    id: String,
    bytes: usize,
) -> anyhow::Result<()> {
    let folder = world.installation.folder().join(dump).join("backdrop");
    fs::create_dir_all(&folder)?;
    let config = doc! {"_id": &bucket, "name": &bucket, "raw_queries_allowed": true};
    fs::write(folder.join("buckets.bson"), config.to_vec()?)?;
    let records = [doc! {"_id": "small"}.to_vec()?, doc! {"_id": id, "text": letters(bytes)}.to_vec()?];
    fs::write(folder.join(format!("{bucket}.bson")), records.concat())?;
    Ok(())
}

#[then(expr = "a message says {string}")]
fn message_says(world: &mut BackdropWorld, part: String) -> anyhow::Result<()> {
    let answer = world.answer()?;
    ensure!(answer.status == 400, "the status is {}: {}", answer.status, answer.text());
    let json = answer.json()?;
    let messages = json["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let says = |message: &Json| message.as_str().is_some_and(|message| message.contains(&part));
    ensure!(messages.iter().any(says), "the answer is {}", answer.text());
    Ok(())
}

#[then(expr = "the answer has fewer than {int} bytes")]
fn short_answer(world: &mut BackdropWorld, bytes: usize) -> anyhow::Result<()> {
    let length = world.answer()?.text().len();
    ensure!(length < bytes, "the answer has {length} bytes");
    Ok(())
}
