//! `backdrop-write`: starts the write app, manages buckets and users, or moves data.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use anyhow::Context;
use backdrop_common::http::launch;
use backdrop_common::settings::Settings;
use backdrop_common::{storage, telemetry};
use backdrop_write::command::Arguments;
use clap::Parser;

#[rocket::main]
async fn main() -> ExitCode {
    telemetry::exit("backdrop-write", run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    let _log = telemetry::start(&settings);
    let engine = storage::open(&settings.database_url, &settings.storage_options())
        .await
        .with_context(|| format!("setting database_url: cannot open {}", settings.database_url))?;
    if let Some(command) = arguments.command {
        return command.run(&*engine).await;
    }
    let settings = settings.with_session_secret()?;
    let port = arguments.port.unwrap_or(settings.write_port);
    let app = backdrop_write::rocket(&settings, engine, port.get());
    launch(app, settings.max_connections.get() as usize).await.context("the write app could not start")
}
