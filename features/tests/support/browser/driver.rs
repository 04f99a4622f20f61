//! The chromedriver of a run, which starts browsers.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::support::http::Client;
use crate::support::program::free_port;

pub(super) const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";
/// How long it may take until it answers.
const START: Duration = Duration::from_secs(30);

static DRIVER: Mutex<Option<Driver>> = Mutex::const_new(None);

struct Driver {
    child: Child,
    port: u16,
}

/// Where the driver is, which is started if it does not run yet.
pub(super) async fn address() -> anyhow::Result<String> {
    let mut driver = DRIVER.lock().await;
    let port = match &*driver {
        Some(running) => running.port,
        None => driver.insert(start().await?).port,
    };
    Ok(format!("http://127.0.0.1:{port}"))
}

async fn start() -> anyhow::Result<Driver> {
    let port = free_port()?;
    let child = Command::new(CHROMEDRIVER)
        .arg(format!("--port={port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("chromedriver cannot be started; tools/install-browser.sh installs it")?;
    let (driver, client) = (Driver { child, port }, Client::new(port)?);
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        match client.get("/status").await {
            Ok(answer) if answer.status == 200 => return Ok(driver),
            _ => sleep(Duration::from_millis(20)).await,
        }
    }
    bail!("chromedriver did not answer within {START:?}")
}

/// Ends the driver, if it runs. The browsers that it started are closed by then.
pub(crate) async fn end() -> anyhow::Result<()> {
    match DRIVER.lock().await.take() {
        Some(mut driver) => Ok(driver.child.kill().await?),
        None => Ok(()),
    }
}
