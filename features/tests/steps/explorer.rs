//! What a browser asks the read app, and the page that it is sent, as far as it can be told without one.

use anyhow::{Context, ensure};
use cucumber::{then, when};
use reqwest::Method;

use crate::support::http::Request;
use crate::support::program::App;
use crate::world::BackdropWorld;

/// What browsers send with the address that somebody types in.
const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

fn request(method: Method, path: String) -> Request {
    Request { method, path, headers: vec![("Accept".to_owned(), ACCEPT.to_owned())], body: None }
}

#[when(expr = "a browser reads {string}")]
async fn read(world: &mut BackdropWorld, path: String) -> anyhow::Result<()> {
    world.send(App::Read, request(Method::GET, path)).await
}

#[when(expr = "a browser reads {string} again, knowing the answer")]
async fn read_again(world: &mut BackdropWorld, path: String) -> anyhow::Result<()> {
    let tag = world.tag.clone().context("no answer had an ETag")?;
    let mut request = request(Method::GET, path);
    request.headers.push(("If-None-Match".to_owned(), tag));
    world.send(App::Read, request).await
}

#[when(expr = "a browser asks for the headers of {string}")]
async fn read_headers(world: &mut BackdropWorld, path: String) -> anyhow::Result<()> {
    world.send(App::Read, request(Method::HEAD, path)).await
}

/// The stylesheet's address changes with it, so it is taken from the page.
#[when("a browser reads the stylesheet of the page")]
async fn read_stylesheet(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let page = world.answer()?.text();
    let address = page.split("rel=\"stylesheet\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
    let address = address.context("the page has no stylesheet")?.to_owned();
    world.send(App::Read, request(Method::GET, address)).await
}

#[then("the answer is a page")]
fn is_page(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let answer = world.answer()?;
    let content_type = answer.header("Content-Type");
    ensure!(content_type.as_deref() == Some("text/html; charset=utf-8"), "it is {content_type:?}");
    ensure!(answer.text().starts_with("<!DOCTYPE html>"), "the answer is {}", answer.text());
    Ok(())
}

#[then(expr = "the HTML has {string}")]
fn has(world: &mut BackdropWorld, part: String) -> anyhow::Result<()> {
    let text = world.answer()?.text();
    ensure!(text.contains(&part), "the answer is {text}");
    Ok(())
}

#[then(expr = "the HTML does not have {string}")]
fn has_not(world: &mut BackdropWorld, part: String) -> anyhow::Result<()> {
    let text = world.answer()?.text();
    ensure!(!text.contains(&part), "the answer is {text}");
    Ok(())
}
