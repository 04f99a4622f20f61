//! The chromedriver of a run, which starts browsers.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

pub(super) const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";
/// How long it may take until it listens.
const START: Duration = Duration::from_secs(30);

static DRIVER: Mutex<Option<Driver>> = Mutex::const_new(None);

struct Driver {
    child: Child,
    port: u16,
    /// Open, so that it can go on printing.
    _output: Lines<BufReader<ChildStdout>>,
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
    // It takes a port that is free, and says which.
    let mut child = Command::new(CHROMEDRIVER)
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("chromedriver cannot be started; tools/install-browser.sh installs it")?;
    let mut output = BufReader::new(child.stdout.take().context("it has no output")?).lines();
    let port = timeout(START, port(&mut output)).await.context("chromedriver does not say its port")??;
    Ok(Driver { child, port, _output: output })
}

/// The port that the driver prints once it listens.
async fn port(output: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<u16> {
    while let Some(line) = output.next_line().await? {
        if let Some((_, port)) = line.rsplit_once("started successfully on port ") {
            return Ok(port.trim_end_matches('.').parse()?);
        }
    }
    bail!("chromedriver ended at its start")
}

/// Ends the driver, if it runs. The browsers that it started are closed by then.
pub(crate) async fn end() -> anyhow::Result<()> {
    match DRIVER.lock().await.take() {
        Some(mut driver) => Ok(driver.child.kill().await?),
        None => Ok(()),
    }
}
