//! The log: structured lines through `tracing`, on standard error; and a program's last words there.

mod lines;
mod outlet;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Subscriber;
use tracing_subscriber::util::SubscriberInitExt;

use self::lines::Lines;
use crate::settings::{LogFormat, Settings};

/// The log, as long as the program runs; when this is dropped, what waits to be written is written.
#[must_use]
pub struct Log(Lines);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Starts the log, for this process and for good. What libraries write to the `log` crate, Rocket
/// among them, goes to the same place.
pub fn start(settings: &Settings) -> Log {
    let filter = EnvFilter::new(filter(&settings.log));
    let lines = Lines::new(settings.log_format);
    let log = Subscriber::builder().with_env_filter(filter).with_writer(lines.clone());
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
    Log(lines)
}

/// Tells whoever ran a command something on standard error. Where nobody can be told, nothing else is wrong.
pub fn tell(message: impl Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// How a program ends: what went wrong on one line, with its causes, where nothing is logged yet.
pub fn exit(program: &str, result: Result<(), impl Display>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let lines = Lines::new(LogFormat::Text);
            // A line that nobody reads must not keep the program from its end.
            lines.write(format!("{program}: {error:#}\n").as_bytes());
            lines.end();
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
