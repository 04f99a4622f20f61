//! What somebody writes: records, changes, deletions.
//!
//! Requests have the headers of somebody who may write and writes JSON, but for those that the step
//! gives.

use std::io::Write;

use anyhow::Context;
use cucumber::gherkin::Step;
use cucumber::when;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;

use crate::support::http::Request;
use crate::support::installation::MANAGEMENT_TOKEN;
use crate::support::program::App;
use crate::table;
use crate::world::{BackdropWorld, fixture, name_and_value};

#[when(expr = "I post to {string}")]
async fn post(world: &mut BackdropWorld, path: String, step: &Step) -> anyhow::Result<()> {
    let body = table::sent(step)?;
    write(world, Method::POST, path, body.into_bytes(), &[]).await
}

#[when(expr = "I post the records of {string} to {string}")]
async fn post_fixture(world: &mut BackdropWorld, file: String, path: String) -> anyhow::Result<()> {
    write(world, Method::POST, path, fixture(&file)?.into_bytes(), &[]).await
}

#[when(expr = "I post to {string} with the header {string}")]
async fn post_with_header(
    world: &mut BackdropWorld,
    path: String,
    header: String,
    step: &Step,
) -> anyhow::Result<()> {
    let body = table::sent(step)?;
    write(world, Method::POST, path, body.into_bytes(), &[name_and_value(&header)?]).await
}

#[when(expr = "I post to {string} without the header {string}")]
async fn post_without_header(
    world: &mut BackdropWorld,
    path: String,
    header: String,
    step: &Step,
) -> anyhow::Result<()> {
    let mut headers = world.write_headers(&path);
    headers.retain(|(name, _)| *name != header);
    let body = Some(table::sent(step)?.into_bytes());
    world.send(App::Write, Request { method: Method::POST, path, headers, body }).await
}

#[when(expr = "I post to {string} with the token that was shown")]
async fn post_with_shown_token(world: &mut BackdropWorld, path: String, step: &Step) -> anyhow::Result<()> {
    let (body, header) = (table::sent(step)?, shown_token(world)?);
    write(world, Method::POST, path, body.into_bytes(), &[header]).await
}

#[when(expr = "I post the records of {string} to {string} with the token that was shown")]
async fn post_fixture_with_shown_token(
    world: &mut BackdropWorld,
    file: String,
    path: String,
) -> anyhow::Result<()> {
    let (body, header) = (fixture(&file)?, shown_token(world)?);
    write(world, Method::POST, path, body.into_bytes(), &[header]).await
}

#[when(expr = "I post to {string} with the token on the page")]
async fn post_with_token_of_page(world: &mut BackdropWorld, path: String, step: &Step) -> anyhow::Result<()> {
    let token = world.browser().await?.text_of("[aria-label=Token]").await?;
    let header = ("Authorization".to_owned(), format!("Bearer {token}"));
    write(world, Method::POST, path, table::sent(step)?.into_bytes(), &[header]).await
}

#[when(expr = "I post an empty body to {string}")]
async fn post_nothing(world: &mut BackdropWorld, path: String) -> anyhow::Result<()> {
    write(world, Method::POST, path, Vec::new(), &[]).await
}

#[when(expr = "I post a record of {int} bytes to {string}")]
async fn post_bytes(world: &mut BackdropWorld, bytes: usize, path: String) -> anyhow::Result<()> {
    write(world, Method::POST, path, record_of(bytes), &[]).await
}

#[when(expr = "I post a list of records of {int} bytes to {string}")]
async fn post_list_of_bytes(world: &mut BackdropWorld, bytes: usize, path: String) -> anyhow::Result<()> {
    let record = format!("{{\"text\":\"{}\"}}", "a".repeat(100_000));
    let records = vec![record.as_str(); bytes / (record.len() + 1)].join(",");
    // White space fills it up, which counts.
    let body = format!("[{records}{}]", " ".repeat(bytes - 2 - records.len()));
    write(world, Method::POST, path, body.into_bytes(), &[]).await
}

#[when(expr = "I post {int} records to {string}")]
async fn post_many(world: &mut BackdropWorld, count: usize, path: String) -> anyhow::Result<()> {
    let records: Vec<_> = (0..count).map(|number| format!("{{\"number\":{number}}}")).collect();
    write(world, Method::POST, path, format!("[{}]", records.join(",")).into_bytes(), &[]).await
}

#[when(expr = "I post a compressed record of {int} bytes to {string}")]
async fn post_compressed_bytes(world: &mut BackdropWorld, bytes: usize, path: String) -> anyhow::Result<()> {
    let body = gzip(&record_of(bytes))?;
    write(world, Method::POST, path, body, &[gzip_header()]).await
}

#[when(expr = "I post compressed to {string}")]
async fn post_compressed(world: &mut BackdropWorld, path: String, step: &Step) -> anyhow::Result<()> {
    let body = gzip(table::sent(step)?.as_bytes())?;
    write(world, Method::POST, path, body, &[gzip_header()]).await
}

#[when(expr = "I post compressed to {string}, but the end is lost")]
async fn post_cut_short(world: &mut BackdropWorld, path: String, step: &Step) -> anyhow::Result<()> {
    let mut body = gzip(table::sent(step)?.as_bytes())?;
    body.truncate(body.len() / 2);
    write(world, Method::POST, path, body, &[gzip_header()]).await
}

#[when(expr = "I put to {string}")]
async fn put(world: &mut BackdropWorld, path: String, step: &Step) -> anyhow::Result<()> {
    let body = table::sent(step)?;
    write(world, Method::PUT, path, body.into_bytes(), &[]).await
}

#[when(expr = "I empty {string}")]
async fn empty(world: &mut BackdropWorld, path: String) -> anyhow::Result<()> {
    write(world, Method::PUT, path, b"[]".into(), &[]).await
}

#[when(expr = "I empty {string} with the header {string}")]
async fn empty_with_header(world: &mut BackdropWorld, path: String, header: String) -> anyhow::Result<()> {
    write(world, Method::PUT, path, b"[]".into(), &[name_and_value(&header)?]).await
}

#[when(expr = "I change {string}")]
async fn change(world: &mut BackdropWorld, path: String, step: &Step) -> anyhow::Result<()> {
    let body = table::text(step)?.as_bytes().to_vec();
    write(world, Method::PATCH, path, body, &[]).await
}

#[when(expr = "I change {string} with the header {string}")]
async fn change_with_header(
    world: &mut BackdropWorld,
    path: String,
    header: String,
    step: &Step,
) -> anyhow::Result<()> {
    let body = table::text(step)?.as_bytes().to_vec();
    write(world, Method::PATCH, path, body, &[name_and_value(&header)?]).await
}

#[when(expr = "I delete {string}")]
async fn delete(world: &mut BackdropWorld, path: String) -> anyhow::Result<()> {
    write(world, Method::DELETE, path, Vec::new(), &[]).await
}

#[when(expr = "I delete {string} with the header {string}")]
async fn delete_with_header(world: &mut BackdropWorld, path: String, header: String) -> anyhow::Result<()> {
    write(world, Method::DELETE, path, Vec::new(), &[name_and_value(&header)?]).await
}

#[when(expr = "a manager deletes the data of {string}")]
async fn delete_data(world: &mut BackdropWorld, bucket: String) -> anyhow::Result<()> {
    let header = ("Authorization".to_owned(), format!("Bearer {MANAGEMENT_TOKEN}"));
    write(world, Method::DELETE, format!("/data-sets/{bucket}"), Vec::new(), &[header]).await
}

/// Sends a write with the headers of somebody who may, but for those that are given.
pub(super) async fn write(
    world: &mut BackdropWorld,
    method: Method,
    path: String,
    body: Vec<u8>,
    given: &[(String, String)],
) -> anyhow::Result<()> {
    let mut headers = world.write_headers(&path);
    headers.retain(|(name, _)| !given.iter().any(|(given, _)| given == name));
    headers.extend_from_slice(given);
    world.send(App::Write, Request { method, path, headers, body: Some(body) }).await
}

/// The header with the token that the last command showed.
fn shown_token(world: &BackdropWorld) -> anyhow::Result<(String, String)> {
    let token = world.printed()?.output.lines().last().context("no token was shown")?;
    Ok(("Authorization".to_owned(), format!("Bearer {token}")))
}

/// A record whose JSON has that many bytes.
fn record_of(bytes: usize) -> Vec<u8> {
    let (before, after) = (br#"{"_id":"long","text":""#, br#""}"#);
    let text = vec![b'a'; bytes.saturating_sub(before.len() + after.len())];
    [before.as_slice(), &text, after].concat()
}

fn gzip(body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    Ok(encoder.finish()?)
}

fn gzip_header() -> (String, String) {
    ("Content-Encoding".to_owned(), "gzip".to_owned())
}
