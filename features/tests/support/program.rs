//! The programs as processes: built once, started on free ports, ended by process id.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::http::Client;

/// How long a program may take until it answers.
const START: Duration = Duration::from_secs(30);
/// How long it may take to end by itself.
const END: Duration = Duration::from_secs(15);
/// How long to wait before looking again.
const POLL: Duration = Duration::from_millis(10);

/// One of the two apps, or the provider that people sign in at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum App {
    Read,
    Write,
    Signon,
}

impl App {
    /// The app that a feature file calls `read` or `write`.
    pub(crate) fn parse(name: &str) -> Self {
        if name == "read" { Self::Read } else { Self::Write }
    }

    pub(crate) fn binary(self) -> &'static str {
        match self {
            Self::Read => "backdrop-read",
            Self::Write => "backdrop-write",
            Self::Signon => "backdrop-signon",
        }
    }

    /// The setting that says which port it listens on, if there is one.
    pub(crate) fn port_setting(self) -> Option<&'static str> {
        match self {
            Self::Read => Some("BACKDROP_READ_PORT"),
            Self::Write => Some("BACKDROP_WRITE_PORT"),
            Self::Signon => None,
        }
    }
}

/// A program that answers on a port of 127.0.0.1. It does not outlive this value.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    port: u16,
}

impl Program {
    /// Starts a program and waits until it answers. `command` makes its command for a
    /// port.
    pub(crate) async fn start(command: impl Fn(u16) -> anyhow::Result<Command>) -> anyhow::Result<Self> {
        // Between its choice and its use a port may be taken by somebody else.
        let mut ended = None;
        for _ in 0..3 {
            let port = free_port()?;
            let child = command(port)?
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .context("the program cannot be started")?;
            let mut program = Self { child, port };
            match program.ready().await? {
                None => return Ok(program),
                Some(status) => ended = Some(status),
            }
        }
        bail!("the program ended at its start with {ended:?}")
    }

    /// Waits until the program answers; the status if it ended instead.
    async fn ready(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let client = Client::new(self.port)?;
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            match client.get("/_status").await {
                Ok(answer) if answer.status == 200 => return Ok(None),
                _ => sleep(POLL).await,
            }
        }
        bail!("the program did not answer within {START:?}")
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Asks the program to end, and does not wait.
    pub(crate) async fn terminate(&self) -> anyhow::Result<()> {
        let Some(id) = self.child.id() else { return Ok(()) };
        let status = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        ensure!(status.success(), "kill ended with {status}");
        Ok(())
    }

    /// Lets the files of a program that was started with a limit grow again.
    #[allow(dead_code, reason = "only the tests of faults need it")]
    pub(crate) async fn lift_limit(&self) -> anyhow::Result<()> {
        let id = self.child.id().context("it has ended")?.to_string();
        let status = Command::new("prlimit").args(["--pid", &id, "--fsize=unlimited:"]).status().await?;
        ensure!(status.success(), "prlimit ended with {status}");
        Ok(())
    }

    /// Ends the program as a crash does.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits for the end of a program that was asked to; one that does not end is killed.
    pub(crate) async fn ended(mut self) -> anyhow::Result<ExitStatus> {
        if let Ok(status) = timeout(END, self.child.wait()).await {
            return Ok(status?);
        }
        self.child.kill().await?;
        bail!("the program did not end within {END:?} and was killed")
    }
}

/// A port that nothing listens on and that this process has not given out before.
fn free_port() -> anyhow::Result<u16> {
    static GIVEN_OUT: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut given_out = GIVEN_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    let given_out = given_out.get_or_insert_default();
    for _ in 0..100 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        if given_out.insert(port) {
            return Ok(port);
        }
    }
    bail!("no free port")
}

/// The folder of the programs, which are built first, once for this process.
pub(crate) fn binaries() -> anyhow::Result<&'static Path> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOLDER.get_or_init(|| build().map_err(|error| format!("{error:#}"))) {
        Ok(folder) => Ok(folder),
        Err(error) => bail!("the programs were not built: {error}"),
    }
}

/// Builds the programs with the profile and into the folder that this test was built with.
fn build() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    // A test is at <target>/<profile>/deps/<name>.
    let folder = test.ancestors().nth(2).context("the test is in no target folder")?;
    let target = folder.parent().context("the test is in no target folder")?;
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(profile) => profile,
        None => bail!("the folder of the test names no profile"),
    };
    let mut command = std::process::Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        // What cargo tells a test about its own package. Some build scripts are run again, and much
        // with them, when it changes.
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    let status = command
        .args([
            "build",
            "--quiet",
            "-p",
            "backdrop-read",
            "-p",
            "backdrop-write",
            "-p",
            "backdrop-signon",
            "--bins",
        ])
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status()?;
    ensure!(status.success(), "cargo build ended with {status}");
    Ok(folder.to_path_buf())
}
