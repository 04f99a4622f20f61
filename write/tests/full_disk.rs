//! A disk that is full: 503 while it is, and all is well without a restart once it is not.
//!
//! The program runs in a mount namespace of its own, over a file system of two megabytes, so the
//! disk is really full and nobody else's.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Mounts the small disk, makes a bucket, fills half of the disk, and becomes the program.
const SCRIPT: &str = r#"
    set -e
    mount -t tmpfs -o size=2m tmpfs "$DISK"
    echo '[{"name": "foo", "bearer_token": "tok-foo"}]' | "$PROGRAM" bucket import - >/dev/null
    head -c 1000000 /dev/zero > "$DISK/filler"
    exec "$PROGRAM" --port "$PORT"
"#;

struct Program {
    child: Child,
    port: u16,
    disk: PathBuf,
    log: PathBuf,
}

impl Program {
    fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let (disk, log) = (folder.join("disk"), folder.join("log"));
        fs::create_dir(&disk).expect("a folder");
        let child = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT])
            .env("DISK", &disk)
            .env("PROGRAM", env!("CARGO_BIN_EXE_backdrop-write"))
            .env("PORT", port.to_string())
            .env("BACKDROP_DATABASE_URL", format!("sqlite://{}/backdrop.db", disk.display()))
            .stdin(Stdio::null())
            .stderr(fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("unshare, of util-linux");
        let mut program = Self { child, port, disk, log };
        program.wait();
        program
    }

    /// Waits until it listens. Connecting is refused at once until then, so this is a short loop.
    fn wait(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < Duration::from_mins(1), "it does not listen; {}", self.log());
            let ended = self.child.try_wait().expect("a status");
            assert!(ended.is_none(), "it needs user namespaces to run in; {}", self.log());
            std::thread::yield_now();
        }
    }

    fn post(&self, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let length = body.len();
        let request = format!(
            "POST /foo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer tok-foo\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// Makes room. The disk is in the program's namespace, which its folder in `/proc` leads to.
    fn remove_filler(&self) {
        let root = PathBuf::from(format!("/proc/{}/root", self.child.id()));
        let filler = root.join(self.disk.strip_prefix("/").expect("an absolute path")).join("filler");
        fs::remove_file(filler).expect("the filler");
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_full_disk_is_503_and_works_again_with_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::start(folder.path());
    let records =
        format!("[{}]", vec![r#"{"text": "some forty bytes of text to fill the disk"}"#; 500].join(","));
    let refused = (0..100).map(|_| program.post(&records)).find(|answer| !answer.starts_with("HTTP/1.1 200"));
    let refused = refused.expect("the disk is never full").to_lowercase();
    assert!(refused.starts_with("http/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: 5"), "{refused}");
    assert!(refused.contains("the store is unavailable"), "{refused}");
    assert!(program.log().contains("disk is full"), "{}", program.log());
    program.remove_filler();
    let taken = program.post(&records);
    assert!(taken.starts_with("HTTP/1.1 200"), "{taken}");
}
