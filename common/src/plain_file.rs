//! Files that others may have put there: only plain ones are read, nobody waits for one, and no more of one is
//! read than there is room for.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a file to read it, if it is a plain one. A link to one is as good.
///
/// # Errors
///
/// If there is none, or if it is a folder, a named pipe, a device or a socket.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // What it is, is found out once it is open: until then, it may become something else. To open a pipe must
    // not wait for whoever writes to it.
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    let file = options.open(path).map_err(|error| match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => not_plain(found.file_type()),
        _ => error,
    })?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() { Ok(file) } else { Err(not_plain(kind)) }
}

/// Reads a plain file of so many bytes at the most.
///
/// # Errors
///
/// As [`open`], and if it is larger.
pub fn read(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    read_all(open(path)?, max)
}

/// Reads so many bytes at the most.
///
/// # Errors
///
/// If there are more.
pub fn read_all(input: impl Read, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        let message = format!("it is larger than {max} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

fn not_plain(kind: FileType) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("it is {} and no plain file", name(kind)))
}

#[cfg(unix)]
fn name(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;

    match () {
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

#[cfg(not(unix))]
fn name(kind: FileType) -> &'static str {
    if kind.is_dir() { "a folder" } else { "a device" }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_plain_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("plain"), "12345").expect("a file");
        std::fs::create_dir(path("folder")).expect("a folder");
        symlink(path("plain"), path("link")).expect("a link");
        symlink(path("none"), path("broken")).expect("a link");
        symlink(path("loop"), path("loop")).expect("a link");
        assert!(Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo").success());
        symlink(path("pipe"), path("link to a pipe")).expect("a link");
        let _socket = UnixListener::bind(path("socket")).expect("a socket");
        let check = |name: &str, expected: &str| {
            let found = read(&folder.path().join(name), 5).map_err(|error| error.to_string());
            let found =
                found.map_or_else(|error| error, |bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(found.contains(expected), "{name}: {found}");
        };
        check("plain", "12345");
        check("link", "12345");
        check("none", "No such file");
        check("broken", "No such file");
        check("loop", "symbolic link");
        check("folder", "it is a folder and no plain file");
        check("pipe", "it is a named pipe and no plain file");
        check("link to a pipe", "it is a named pipe and no plain file");
        check("socket", "it is a socket and no plain file");
        check("/dev/zero", "it is a device and no plain file");
        check("/dev/full", "it is a device and no plain file");
        assert_eq!(read(&path("plain"), 4).expect_err("an error").to_string(), "it is larger than 4 bytes");
    }
}
