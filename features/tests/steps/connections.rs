//! Clients that behave oddly: connections as bytes.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::program::App;
use crate::table;
use crate::world::BackdropWorld;

/// How long an app may take to end, and some for the machine that tests it.
const END: Duration = Duration::from_secs(7);
/// No answer of a test takes as long.
const LONG: Duration = Duration::from_mins(1);

/// Connects to an app, and sends it something.
async fn send(world: &mut BackdropWorld, app: &str, sent: &str) -> anyhow::Result<TcpStream> {
    let port = world.client(App::parse(app)).await?.port();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(sent.as_bytes()).await?;
    Ok(stream)
}

#[given(regex = r"^(\d+) idle connections to the (read|write) app$")]
async fn idle(world: &mut BackdropWorld, count: usize, app: String) -> anyhow::Result<()> {
    for _ in 0..count {
        let stream = send(world, &app, "").await?;
        world.connections.push(stream);
    }
    Ok(())
}

#[given("a client that has sent half a record to \"/foo\"")]
async fn half_a_body(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let head = "POST /foo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer tok-foo\r\n\
                Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"aa\":";
    let stream = send(world, "write", head).await?;
    world.connections.push(stream);
    Ok(())
}

#[given("a client that asks for a large answer and does not read it")]
async fn slow_reader(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let query =
        "/foo?period=hour&start_at=1990-01-01T00:00:00Z&end_at=2010-01-01T00:00:00Z&collect=value:sum";
    let stream = send(world, "read", &format!("GET {query} HTTP/1.1\r\nHost: x\r\n\r\n")).await?;
    // The beginning is there, so the whole of it is on its way.
    timeout(LONG, stream.readable()).await??;
    world.connections.push(stream);
    Ok(())
}

#[when(regex = r"^a client sends this to the (read|write) app, and then no more$")]
async fn half_close(world: &mut BackdropWorld, app: String, step: &Step) -> anyhow::Result<()> {
    let text = table::text(step)?.trim_start_matches('\n').trim_end_matches('\n');
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let sent = format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"));
    let mut stream = send(world, &app, &sent).await?;
    stream.shutdown().await?;
    let mut bytes = Vec::new();
    timeout(LONG, stream.read_to_end(&mut bytes)).await.context("the connection stays open")??;
    world.said = String::from_utf8_lossy(&bytes).into_owned();
    Ok(())
}

#[then(expr = "it is answered with {int}")]
fn answered(world: &mut BackdropWorld, status: u16) -> anyhow::Result<()> {
    ensure!(world.said.starts_with(&format!("HTTP/1.1 {status} ")), "it is answered: {}", world.said);
    Ok(())
}

#[then(regex = r"^the (read|write) app ends within 5 seconds when it is told to$")]
async fn ends_soon(world: &mut BackdropWorld, app: String) -> anyhow::Result<()> {
    let program = world.terminate(App::parse(&app)).await?;
    let told = Instant::now();
    let status = program.ended().await?;
    ensure!(status.success(), "it ended with {status}");
    ensure!(told.elapsed() < END, "it took {:?}", told.elapsed());
    Ok(())
}
