//! Where lines of the log go: standard error, whatever becomes of it.
//!
//! A line that cannot be written is lost and counted; the next one that can be written says how many were.
//! Nobody who logs waits for whoever reads the log: what a pipe has no room for waits here, within bounds,
//! and a thread of its own writes it.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::outlet::{Outlet, Written};
use crate::settings::LogFormat;

/// How many bytes of lines wait at the most.
const MAX_WAITING: usize = 1 << 20;
/// How long the end of the program is put off for lines that wait.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The lines of a log. Clones share them.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    format: LogFormat,
    state: Mutex<State>,
    /// Lines wait, or none do any more.
    changed: Condvar,
}

struct State {
    /// For lines that can be written at once; none if every line waits.
    at_once: Option<Outlet>,
    waiting: Waiting,
    /// Whether the thread is about to write something.
    writing: bool,
    /// Whether the thread is to end.
    ended: bool,
    /// How many lines were lost, of which nothing is said yet.
    lost: u64,
    /// Whether a line was written in part, so that the next one needs a line of its own.
    torn: bool,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// How many lost lines it tells of.
    told: u64,
}

impl Lines {
    /// Lines on standard error.
    pub(super) fn new(format: LogFormat) -> Self {
        Self::through(format, Outlet::at_once(), Outlet::patient())
    }

    /// Lines that are written through `at_once` if that is possible, else by a thread through `patient`.
    fn through(format: LogFormat, at_once: Option<Outlet>, patient: Option<Outlet>) -> Self {
        let waiting = Waiting::default();
        let ended = patient.is_none();
        let state = State { at_once, waiting, writing: false, ended, lost: 0, torn: false };
        let lines = Self(Arc::new(Shared { format, state: Mutex::new(state), changed: Condvar::new() }));
        if let Some(patient) = patient {
            let shared = Arc::clone(&lines.0);
            let thread = std::thread::Builder::new().name("log".to_owned());
            if thread.spawn(move || shared.write_waiting(&patient)).is_err() {
                lines.0.lock().ended = true;
            }
        }
        lines
    }

    /// Writes a line, or lets it wait, or loses it.
    pub(super) fn write(&self, line: &[u8]) {
        let mut state = self.0.lock();
        let told = self.0.told_with(&mut state, line);
        let line = told.as_ref().map_or(line, |told| &told.bytes);
        let told = told.as_ref().map_or(0, |told| told.told);
        if state.waiting.bytes.is_empty() && !state.writing && state.at_once.is_some() {
            let written = state.at_once.as_ref().map_or(Written::Failed(0), |outlet| outlet.write(line));
            match written {
                Written::All => state.torn = false,
                Written::Failed(bytes) => state.lose(bytes, told + 1),
                Written::NoRoom(bytes) => self.0.wait_with(&mut state, &line[bytes..], told),
            }
        } else {
            self.0.wait_with(&mut state, line, told);
        }
    }

    /// Waits until every line is written, but not for long. No line waits from then on.
    pub(super) fn end(&self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
        self.until_written();
    }

    fn until_written(&self) {
        let busy = |state: &mut State| state.writing || !state.waiting.bytes.is_empty();
        drop(self.0.changed.wait_timeout_while(self.0.lock(), LAST_WORDS, busy));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line after one that says how many were lost; none if none were.
    fn told_with(&self, state: &mut State, line: &[u8]) -> Option<Waiting> {
        if state.lost == 0 && !state.torn {
            return None;
        }
        let mut bytes = if state.torn { vec![b'\n'] } else { Vec::new() };
        let told = std::mem::take(&mut state.lost);
        if told > 0 {
            bytes.extend_from_slice(self.notice(told).as_bytes());
        }
        bytes.extend_from_slice(line);
        Some(Waiting { bytes, told })
    }

    /// The line that says how many lines were lost.
    fn notice(&self, lost: u64) -> String {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let (target, message) = ("backdrop::log", "lines of the log were lost, as it could not be written");
        match self.format {
            LogFormat::Text => format!("{now}  WARN {target}: {message} lost={lost}\n"),
            LogFormat::Json => {
                let fields = json!({"timestamp": now, "level": "WARN", "message": message, "lost": lost, "target": target});
                format!("{fields}\n")
            }
        }
    }

    fn wait_with(&self, state: &mut State, line: &[u8], told: u64) {
        if state.ended || state.waiting.bytes.len() + line.len() > MAX_WAITING {
            return state.lose(0, told + 1);
        }
        state.waiting.bytes.extend_from_slice(line);
        state.waiting.told += told;
        self.changed.notify_all();
    }

    /// Writes what waits, until the end.
    fn write_waiting(&self, patient: &Outlet) {
        let mut state = self.lock();
        loop {
            if state.waiting.bytes.is_empty() {
                state.writing = false;
                self.changed.notify_all();
                if state.ended {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.writing = true;
            let Waiting { bytes, told } = std::mem::take(&mut state.waiting);
            drop(state);
            let written = patient.write(&bytes);
            state = self.lock();
            match written {
                Written::All => self.tell(&mut state),
                Written::NoRoom(count) | Written::Failed(count) => {
                    let lines = bytes[count..].split(|byte| *byte == b'\n').count() - 1;
                    state.lose(count, told + lines as u64);
                }
            }
        }
    }

    /// Says at once how many lines were lost, since nobody knows when the next one comes.
    fn tell(&self, state: &mut State) {
        state.torn = false;
        if let Some(Waiting { bytes, told }) = self.told_with(state, b"") {
            state.waiting.bytes.extend_from_slice(&bytes);
            state.waiting.told += told;
        }
    }
}

impl State {
    /// Counts lines that are lost, after so many bytes of them were written.
    fn lose(&mut self, written: usize, lines: u64) {
        self.torn |= written > 0;
        self.lost += lines;
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

/// Takes a line at a time. It never fails.
impl io::Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        Lines::write(self, line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests;
