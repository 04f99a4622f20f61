//! A log that cannot be written, or that nobody reads, loses lines and nothing else: requests are answered,
//! commands do what they are to do, and the program ends when it is told to.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What becomes of what the program writes.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The reader is gone from the beginning.
    Gone,
    /// The reader goes when the program has started.
    Leaves,
    /// There is no room on the device.
    Full,
    /// The reader never reads.
    Unread,
}

/// Where a program writes to, and the reader, if it is there.
fn sink(fate: Fate) -> (Stdio, Option<PipeReader>) {
    let (reader, writer) = pipe().expect("a pipe");
    match fate {
        Fate::Gone => (writer.into(), None),
        Fate::Leaves | Fate::Unread => (writer.into(), Some(reader)),
        Fate::Full => (File::options().write(true).open("/dev/full").expect("a full device").into(), None),
    }
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backdrop-write"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BACKDROP_")) {
        command.env_remove(name);
    }
    command.env("BACKDROP_DATABASE_URL", format!("sqlite://{}/backdrop.db", folder.display()));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Waits until something listens on a port. Connecting is refused at once until then.
fn connect(child: &mut Child, port: u16) -> TcpStream {
    let begun = Instant::now();
    loop {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            return stream;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "it does not listen");
        assert_eq!(child.try_wait().expect("a status"), None, "it has ended");
        std::thread::yield_now();
    }
}

/// Asks for something that there is not, under a long name, which is in the log line.
fn ask(stream: &TcpStream) -> String {
    let path = "x".repeat(4000);
    let mut sending = stream;
    write!(sending, "GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    let mut answer = BufReader::new(stream);
    let (mut status, mut line, mut length) = (String::new(), String::new(), 0);
    answer.read_line(&mut status).expect("an answer");
    while answer.read_line(&mut line).expect("a header") > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        line.clear();
    }
    answer.take(length).read_to_string(&mut line).expect("a body");
    status
}

fn terminate(child: &mut Child) -> ExitStatus {
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    child.wait().expect("a status")
}

/// More requests than there is room for lines, and then the end.
#[track_caller]
fn check_app(errors: Fate, output: Fate, format: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = port.expect("a port").port();
    let ((stderr, mut reader), (stdout, output_reader)) = (sink(errors), sink(output));
    let mut command = program(folder.path());
    command.args(["--port", &port.to_string()]).env("BACKDROP_LOG_FORMAT", format);
    let mut child = command.stderr(stderr).stdout(stdout).spawn().expect("the program");
    drop(command);
    let stream = connect(&mut child, port);
    if let Fate::Leaves = errors {
        reader = None;
    }
    for number in 0..400 {
        let status = ask(&stream);
        assert!(status.starts_with("HTTP/1.1 4"), "{errors:?} {format} {number}: {status}");
    }
    drop(stream);
    let ended = terminate(&mut child);
    assert!(ended.success(), "{errors:?} {output:?} {format}: {ended}");
    drop((reader, output_reader));
}

#[test]
fn an_app_whose_log_goes_nowhere_answers_and_ends() {
    check_app(Fate::Gone, Fate::Gone, "text");
    check_app(Fate::Leaves, Fate::Leaves, "json");
    check_app(Fate::Full, Fate::Full, "text");
    check_app(Fate::Full, Fate::Gone, "json");
}

#[test]
fn an_app_whose_log_nobody_reads_answers_and_ends() {
    check_app(Fate::Unread, Fate::Unread, "text");
    check_app(Fate::Unread, Fate::Gone, "json");
}

/// Runs a command to its end; its status is one of its own, and no signal's.
#[track_caller]
fn check_command(arguments: &[&str], output: Fate, errors: Option<Fate>, succeeds: bool) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let seeds = folder.path().join("seeds.json");
    std::fs::write(&seeds, r#"[{"name": "foo", "typo": 1}, {"name": "bar"}]"#).expect("a file");
    let imported = program(folder.path()).args(["bucket", "import", "seeds.json"]).output();
    assert!(imported.expect("the program").status.success());
    let mut command = program(folder.path());
    command.args(arguments);
    let (stdout, reader) = sink(output);
    command.stdout(stdout).stderr(Stdio::piped());
    if let Some(errors) = errors {
        command.stderr(sink(errors).0);
    }
    let done = command.spawn().and_then(Child::wait_with_output).expect("the program");
    drop(reader);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.code().is_some(), "{arguments:?}: {}", done.status);
    assert_eq!(done.status.success(), succeeds, "{arguments:?}: {} {told}", done.status);
    assert!(!told.contains("panic"), "{told}");
    told
}

#[test]
fn a_command_that_nobody_listens_to_ends_quietly() {
    for arguments in [&["bucket", "list"][..], &["user", "list"], &["bucket", "show", "foo"]] {
        assert_eq!(check_command(arguments, Fate::Gone, None, true), "");
        assert_eq!(check_command(arguments, Fate::Gone, Some(Fate::Gone), true), "");
    }
    let full = check_command(&["bucket", "list"], Fate::Full, None, false);
    assert!(full.contains("cannot print") && full.lines().count() == 1, "{full}");
    check_command(&["bucket", "list"], Fate::Full, Some(Fate::Full), false);
    check_command(&["bucket", "import", "seeds.json"], Fate::Gone, Some(Fate::Full), true);
    check_command(&["bucket", "show", "none"], Fate::Gone, Some(Fate::Gone), false);
}

#[test]
fn a_token_that_nobody_gets_is_an_error() {
    for fate in [Fate::Gone, Fate::Full] {
        let told = check_command(&["bucket", "token", "foo"], fate, None, false);
        assert!(told.contains("cannot print the token"), "{told}");
    }
}
