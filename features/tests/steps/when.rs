//! What somebody asks.

use anyhow::Context;
use cucumber::when;
use reqwest::Method;

use crate::support::http::Request;
use crate::support::program::App;
use crate::world::{BackdropWorld, name_and_value};

#[when(expr = "I read {string}")]
async fn read(world: &mut BackdropWorld, path: String) -> anyhow::Result<()> {
    world.send(App::Read, Request { path, ..Request::default() }).await
}

#[when(expr = "I read {string} with the header {string}")]
async fn read_with_header(world: &mut BackdropWorld, path: String, header: String) -> anyhow::Result<()> {
    let headers = vec![name_and_value(&header)?];
    world.send(App::Read, Request { path, headers, ..Request::default() }).await
}

#[when(expr = "I read {string} again, knowing the answer")]
async fn read_again(world: &mut BackdropWorld, path: String) -> anyhow::Result<()> {
    let tag = world.tag.clone().context("no answer had an ETag")?;
    let headers = vec![("If-None-Match".to_owned(), tag)];
    world.send(App::Read, Request { path, headers, ..Request::default() }).await
}

#[when(expr = "I ask for the headers of {string}")]
async fn read_headers(world: &mut BackdropWorld, path: String) -> anyhow::Result<()> {
    world.send(App::Read, Request { method: Method::HEAD, path, ..Request::default() }).await
}

#[when(expr = "a browser asks whether it may read {string}")]
async fn preflight(world: &mut BackdropWorld, path: String) -> anyhow::Result<()> {
    let headers = vec![
        ("Origin".to_owned(), "https://dashboard.example".to_owned()),
        ("Access-Control-Request-Method".to_owned(), "GET".to_owned()),
    ];
    world.send(App::Read, Request { method: Method::OPTIONS, path, headers, body: None }).await
}

#[when(regex = r"^I send a (\w+) of (\S+) to the (read|write) app$")]
async fn send(world: &mut BackdropWorld, method: String, path: String, app: String) -> anyhow::Result<()> {
    let method = Method::from_bytes(method.as_bytes())?;
    world.send(App::parse(&app), Request { method, path, ..Request::default() }).await
}

#[when(expr = "I ask the write app for {string}")]
async fn read_from_write_app(world: &mut BackdropWorld, path: String) -> anyhow::Result<()> {
    world.send(App::Write, Request { path, ..Request::default() }).await
}
