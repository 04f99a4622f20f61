//! Logs that nobody reads, that nobody can write to, and that work again.

use std::fs::File;
use std::io::{PipeReader, Read, pipe};
use std::os::fd::OwnedFd;

use super::*;

/// Lines that a thread writes into a pipe, and its other end.
fn into_pipe() -> (Lines, PipeReader) {
    let (reader, writer) = pipe().expect("a pipe");
    let patient = Outlet::new(File::from(OwnedFd::from(writer)));
    (Lines::through(LogFormat::Text, None, Some(patient)), reader)
}

impl Lines {
    fn is_busy(&self) -> bool {
        let state = self.0.lock();
        state.writing || !state.waiting.bytes.is_empty()
    }
}

/// What lost lines are told of as, one after the other.
fn told(log: &str) -> Vec<u64> {
    let numbers = log.lines().filter_map(|line| line.split_once("lost="));
    numbers.map(|(_, lost)| lost.parse().expect("a number")).collect()
}

#[test]
fn lines_are_written_in_order() {
    let wanted = (0..100).map(|number| format!("{number}\n")).collect::<Vec<_>>().concat();
    for (at_once, patient) in [(true, false), (false, true), (true, true)] {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let outlet = |wanted: bool| {
            wanted.then(|| Outlet::new(File::options().append(true).open(file.path()).expect("a file")))
        };
        let lines = Lines::through(LogFormat::Text, outlet(at_once), outlet(patient));
        for number in 0..100 {
            lines.write(format!("{number}\n").as_bytes());
        }
        lines.end();
        assert_eq!(std::fs::read_to_string(file.path()).expect("a log"), wanted);
    }
}

#[test]
fn nobody_waits_for_a_reader_and_it_is_told_what_it_missed() {
    let (lines, mut reader) = into_pipe();
    let line = format!("{}\n", "x".repeat(999));
    let many = 3 * MAX_WAITING / line.len();
    for _ in 0..many {
        lines.write(line.as_bytes());
    }
    let reading = std::thread::spawn(move || {
        let mut log = String::new();
        reader.read_to_string(&mut log).map(|_| log)
    });
    while lines.is_busy() {
        lines.until_written();
    }
    lines.write(b"last\n");
    lines.end();
    let log = reading.join().expect("a thread").expect("a log");
    let (read, told) = (log.lines().filter(|found| *found == line.trim_end()).count(), told(&log));
    assert!(read < many && log.ends_with("last\n"), "{read} of {many} are read");
    assert_eq!(read as u64 + told.iter().sum::<u64>(), many as u64, "{told:?} are told of");
}

#[test]
fn a_reader_that_is_gone_costs_lines_only() {
    let (lines, reader) = into_pipe();
    drop(reader);
    for _ in 0..100 {
        lines.write(b"line\n");
        lines.until_written();
    }
    let state = lines.0.lock();
    assert!(state.lost > 0 && state.waiting.bytes.is_empty(), "{} are lost", state.lost);
}

#[test]
fn a_full_device_costs_lines_only() {
    let full = || File::options().write(true).open("/dev/full").ok().map(Outlet::new);
    for (at_once, patient) in [(full(), None), (None, full()), (full(), full())] {
        let lines = Lines::through(LogFormat::Json, at_once, patient);
        for _ in 0..10 {
            lines.write(b"line\n");
        }
        lines.until_written();
        assert_eq!(lines.0.lock().lost, 10);
    }
}

#[test]
fn what_was_lost_is_told_before_the_next_line() {
    for (format, level) in [(LogFormat::Text, " WARN "), (LogFormat::Json, r#""level":"WARN""#)] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let file = File::create(&path).expect("a file");
        let lines = Lines::through(format, Some(Outlet::new(file)), None);
        lines.0.lock().lose(3, 7);
        lines.write(b"next\n");
        lines.write(b"last\n");
        let log = std::fs::read_to_string(&path).expect("a log");
        let found: Vec<_> = log.lines().collect();
        assert_eq!(found.len(), 4, "{log}");
        assert_eq!((found[0], found[2], found[3]), ("", "next", "last"));
        assert!(found[1].contains(level) && found[1].contains("lost") && found[1].contains('7'), "{log}");
    }
    assert_eq!(told("a lost=7\nb\nc lost=8\n"), [7, 8]);
}
