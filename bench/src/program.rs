//! The apps as processes: started on a free port, watched, and ended by process id.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use backdrop_bench::http::{Connection, get};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// How long an app may take to start, and to end once it was asked to.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// An app that answers on a port of 127.0.0.1. It does not outlive this value.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    port: u16,
}

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Bytes of anonymous memory that is in use now.
    pub(crate) memory: u64,
    /// Time on a processor since its start.
    pub(crate) cpu: Duration,
}

impl Program {
    /// Starts an app on a database and waits until it answers. The log goes to a file in the folder.
    pub(crate) async fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let log = File::options().create(true).append(true).open(folder.join("programs.log"))?;
        let child = command(program, folder)
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let mut started = Self { child, port };
        started.wait_until_ready().await?;
        Ok(started)
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("an app ended at its start with {status}; see programs.log");
            }
            if let Ok(mut connection) = Connection::open(self.port).await
                && connection.send(&get("/_status", None)).await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            sleep(POLL).await;
        }
        bail!("an app did not answer within {} s", PATIENCE.as_secs())
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A connection to it.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.port).await
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.id()?;
        let asked = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        ensure!(asked.success(), "kill ended with {asked}");
        let status = timeout(PATIENCE, self.child.wait()).await.context("an app did not end")??;
        ensure!(status.success(), "an app ended with {status}; see programs.log");
        Ok(())
    }

    /// The most memory that it has had at once, files that it maps included, since [`Program::forget_peak`].
    pub(crate) fn peak(&self) -> anyhow::Result<u64> {
        peak(self.id()?)
    }

    /// Begins to look for the peak of its memory anew.
    pub(crate) fn forget_peak(&self) -> anyhow::Result<()> {
        // The kernel's documentation of /proc: 5 resets the peak to what there is now.
        std::fs::write(format!("/proc/{}/clear_refs", self.id()?), "5")
            .context("the peak of an app's memory cannot be reset")
    }

    fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("an app has ended already")
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        usage(self.id()?)
    }
}

/// A command of an app with the database of a folder, and no settings from outside.
pub(crate) fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BACKDROP_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).env("BACKDROP_DATABASE_URL", "sqlite://backdrop.db").kill_on_drop(true);
    command
}

#[cfg(target_os = "linux")]
fn usage(id: u32) -> anyhow::Result<Usage> {
    let process = procfs::process::Process::new(id.cast_signed())?;
    let rollup = process.smaps_rollup()?.memory_map_rollup;
    let maps = rollup.0.first().context("the kernel says nothing of the memory")?;
    let memory = *maps.extension.map.get("Anonymous").context("the kernel does not count the memory")?;
    let stat = process.stat()?;
    let ticks = Duration::from_secs(stat.utime + stat.stime);
    let cpu = ticks / u32::try_from(procfs::ticks_per_second())?;
    Ok(Usage { memory, cpu })
}

#[cfg(target_os = "linux")]
fn peak(id: u32) -> anyhow::Result<u64> {
    let status = procfs::process::Process::new(id.cast_signed())?.status()?;
    Ok(status.vmhwm.context("the kernel does not count the memory")? * 1024)
}

#[cfg(not(target_os = "linux"))]
fn peak(_: u32) -> anyhow::Result<u64> {
    bail!("what a process uses is known on Linux only; leave the section out with --only")
}

#[cfg(not(target_os = "linux"))]
fn usage(_: u32) -> anyhow::Result<Usage> {
    bail!("what a process uses is known on Linux only; leave the section out with --only")
}
