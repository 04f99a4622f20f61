//! `backdrop-read`: starts the read app.

#![forbid(unsafe_code)]

use std::num::NonZeroU16;
use std::process::ExitCode;

use anyhow::Context;
use backdrop_common::http::launch;
use backdrop_common::settings::Settings;
use backdrop_common::{storage, telemetry};
use clap::Parser;

/// The read app of Backdrop: answers dashboards' queries over HTTP.
///
/// Settings come from backdrop.toml (or the file in BACKDROP_CONFIG) and from BACKDROP_* variables; the README lists
/// them.
#[derive(Parser)]
#[expect(clippy::doc_markdown, reason = "the comments are shown as they are by --help")]
#[command(version)]
struct Arguments {
    /// The port to listen on, instead of the setting read_port.
    #[arg(long)]
    port: Option<NonZeroU16>,
}

#[rocket::main]
async fn main() -> ExitCode {
    telemetry::exit("backdrop-read", run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    let _log = telemetry::start(&settings);
    let engine = storage::open(&settings.database_url, &settings.storage_options())
        .await
        .with_context(|| format!("setting database_url: cannot open {}", settings.database_url))?;
    let port = arguments.port.unwrap_or(settings.read_port);
    let app = backdrop_read::rocket(&settings, engine, port.get());
    launch(app, settings.max_connections.get() as usize).await.context("the read app could not start")
}
