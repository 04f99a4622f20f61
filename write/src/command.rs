//! The command line of `backdrop-write`: serving, managing buckets and users, moving data.

mod buckets;
mod migrate;
mod operator;
mod transfer;
mod users;

use std::io::{ErrorKind, Write};
use std::num::NonZeroU16;
use std::path::Path;

use anyhow::Context;
use backdrop_common::limits::COMMAND_FILE_BYTES;
use backdrop_common::plain_file::{self, read_all};
use backdrop_common::storage::StorageEngine;
use clap::{Parser, Subcommand};

/// The write app of Backdrop: takes records from data pipelines over HTTP. With a command, manages buckets and users,
/// or moves data, instead of serving.
///
/// Settings come from backdrop.toml (or the file in BACKDROP_CONFIG) and from BACKDROP_* variables; the README lists
/// them.
#[derive(Parser)]
#[expect(clippy::doc_markdown, reason = "the comments are shown as they are by --help")]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// The port to listen on, instead of the setting write_port.
    #[arg(long)]
    pub port: Option<NonZeroU16>,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the command line can do besides serving.
#[derive(Subcommand)]
pub enum Command {
    /// Manage buckets.
    #[command(subcommand)]
    Bucket(buckets::BucketCommand),
    /// Manage users and the buckets that they are granted.
    #[command(subcommand)]
    User(users::UserCommand),
    /// Write all buckets, records and users into a new folder, in the layout of mongodump.
    Export(transfer::Export),
    /// Restore a folder that export or mongodump has written.
    Restore(transfer::Restore),
    /// Bring a database of an earlier version, or one of the original Backdrop's, up to date.
    Migrate(migrate::Migrate),
}

impl Command {
    /// Runs the command. What it does to buckets and users is in the audit log afterwards.
    ///
    /// # Errors
    ///
    /// What was wrong with it, for the terminal. Nothing of a command that failed is stored; of a
    /// restore, nothing if the dump is at fault; of a migration, what was done stays done.
    pub async fn run(self, engine: &dyn StorageEngine) -> anyhow::Result<()> {
        match self {
            Self::Bucket(command) => command.run(engine).await,
            Self::User(command) => command.run(engine).await,
            Self::Export(command) => command.run(engine).await,
            Self::Restore(command) => command.run(engine).await,
            Self::Migrate(command) => command.run(engine).await,
        }
    }
}

/// The text of a file, or of standard input for `-`. What a shell puts in the place of a file, as for `<(…)`, is a
/// pipe and as good as one.
fn read_file(file: &str) -> anyhow::Result<String> {
    let is_of_shell =
        file.starts_with("/dev/fd/") || file.starts_with("/proc/self/fd/") || file == "/dev/stdin";
    let (bytes, name) = match file {
        "-" => (read_all(std::io::stdin().lock(), COMMAND_FILE_BYTES), "standard input"),
        _ if is_of_shell => {
            (std::fs::File::open(file).and_then(|file| read_all(file, COMMAND_FILE_BYTES)), file)
        }
        _ => (plain_file::read(Path::new(file), COMMAND_FILE_BYTES), file),
    };
    let bytes = bytes.with_context(|| format!("cannot read {name}"))?;
    String::from_utf8(bytes).with_context(|| format!("cannot read {name}"))
}

/// Prints to standard output. Who reads only the beginning of a list has had enough of it.
fn print_line(line: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot print"),
        _ => Ok(()),
    }
}
