//! The command line of `backdrop-write`: serving, managing buckets and users, moving data.

mod buckets;
mod check;
mod migrate;
mod operator;
mod transfer;
mod users;

use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroU16;

use anyhow::{Context, bail};
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
    /// Read everything, and say what of it is damaged. The exit status is 1 if something is.
    Check(check::Check),
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
            Self::Check(command) => command.run(engine).await,
        }
    }
}

/// The text of a file, or of standard input for `-`.
fn read_file(file: &str) -> anyhow::Result<String> {
    if file == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
        return text(bytes).context("cannot read standard input");
    }
    std::fs::read(file).map_err(Into::into).and_then(text).with_context(|| format!("cannot read {file}"))
}

/// Text in UTF-8. Some editors put a byte order mark in front of it, which is none of it.
fn text(bytes: Vec<u8>) -> anyhow::Result<String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        bail!("it is UTF-16, as its byte order mark says: save it as UTF-8");
    }
    let text = String::from_utf8(bytes).context("it is not UTF-8")?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}

/// Prints to standard output. Who reads only the beginning of a list has had enough of it.
fn print_line(line: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot print"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_none_of_a_text() {
        assert_eq!(text(b"\xef\xbb\xbf[]".to_vec()).expect("text"), "[]");
        assert_eq!(text(b"[]".to_vec()).expect("text"), "[]");
        assert_eq!(text(Vec::new()).expect("text"), "");
        for utf_16 in [b"\xff\xfe[\0]\0", b"\xfe\xff\0[\0]"] {
            let said = text(utf_16.to_vec()).expect_err("UTF-16").to_string();
            assert!(said.contains("byte order mark") && said.contains("UTF-8"), "{said}");
        }
        assert!(text(b"[\xff]".to_vec()).is_err());
    }
}
