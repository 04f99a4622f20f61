//! The log: structured lines through `tracing`, on standard error; and a program's last words there.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Subscriber;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{LogFormat, Settings};

/// Starts the log, for this process and for good. What libraries write to the `log` crate, Rocket
/// among them, goes to the same place.
pub fn start(settings: &Settings) {
    let filter = EnvFilter::new(filter(&settings.log));
    let log = Subscriber::builder().with_env_filter(filter).with_writer(io::stderr);
    let started = match settings.log_format {
        LogFormat::Text => log.with_ansi(false).finish().try_init(),
        LogFormat::Json => log.json().flatten_event(true).finish().try_init(),
    };
    if started.is_err() {
        tracing::debug!("the log was started before");
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a panic")));
    for name in &settings.unknown {
        tracing::warn!(name, "a variable looks like a setting and is none");
    }
}

/// How a program ends: what went wrong on one line, with its causes, where nothing is logged yet.
pub fn exit(program: &str, result: Result<(), impl Display>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The operator's filter and what it cannot change: Rocket's lines about single requests are left
/// out, because they show the query string, in which a client may have sent a token. Our own line
/// for each request says as much. Nor does a client that breaks off its body write errors there;
/// and that Rocket has launched says our own line, with the address.
fn filter(log: &str) -> String {
    let rocket = if log.contains("rocket") { "" } else { "rocket=warn," };
    format!("{rocket}{log},rocket::server=off,rocket::data=off,rocket::launch=off")
}
