//! What a result is worth nothing without: the machine and the versions.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use backdrop_bench::statistics::Durations;

/// What there is to say, each with a name.
pub(crate) fn describe() -> anyhow::Result<Vec<(String, String)>> {
    let cores = std::thread::available_parallelism()?;
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let system = read("/proc/sys/kernel/osrelease").unwrap_or_else(|| std::env::consts::OS.to_owned());
    let described = [
        ("Processor", format!("{processor}, {cores} cores")),
        ("Memory", memory().unwrap_or_else(|| "not known".to_owned())),
        ("Kernel", system),
        ("Backdrop", commit()),
        ("Rust", printed("rustc", &["--version"])),
        ("SQLite", format!("{}, WAL, synchronous=FULL", rusqlite::version())),
    ];
    Ok(described.into_iter().map(|(name, text)| (name.to_owned(), text)).collect())
}

/// How busy the machine is, which it should not be, and how quick its disk; these change with time, so they are
/// looked at before and after.
pub(crate) fn condition(folder: &Path) -> anyhow::Result<String> {
    let load = read("/proc/loadavg").and_then(|text| text.split(' ').next().map(str::to_owned));
    let load = load.unwrap_or_else(|| "not known".to_owned());
    Ok(format!("load {load}, fsync {:.2} ms (4 KiB appended, median of {SYNCS})", fsync(folder)?))
}

const SYNCS: usize = 200;

/// How long it takes until something small is on the disk, in milliseconds.
fn fsync(folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("fsync");
    let mut file = File::create(&path)?;
    let mut durations = Durations::default();
    for _ in 0..SYNCS {
        file.write_all(&[7; 4096])?;
        let start = Instant::now();
        file.sync_data()?;
        durations.push(start.elapsed());
    }
    fs::remove_file(&path)?;
    durations.median().context("nothing was written")
}

fn memory() -> Option<String> {
    let kilobytes: f64 = field("/proc/meminfo", "MemTotal")?.split(' ').next()?.parse().ok()?;
    Some(format!("{:.0} GiB", kilobytes / (1024.0 * 1024.0)))
}

fn commit() -> String {
    let commit = printed("git", &["describe", "--always", "--dirty"]);
    format!("{} ({commit}), release build", env!("CARGO_PKG_VERSION"))
}

/// The value of the first line of that name.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "not known".to_owned())
}
