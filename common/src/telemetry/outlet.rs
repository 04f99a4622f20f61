//! A way to standard error that says what became of what was written.

use std::fs::File;
use std::io::{ErrorKind, Write};

/// An open file, pipe, terminal or socket.
pub(super) struct Outlet(File);

/// What became of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// They are written.
    All,
    /// So many of them are, and there is no room for more now.
    NoRoom(usize),
    /// So many of them are, and the others cannot be.
    Failed(usize),
}

impl Outlet {
    #[cfg(test)]
    pub(super) fn new(file: File) -> Self {
        Self(file)
    }

    /// Writes as much as can be written.
    pub(super) fn write(&self, bytes: &[u8]) -> Written {
        let mut written = 0;
        while written < bytes.len() {
            match (&self.0).write(&bytes[written..]) {
                Ok(0) => return Written::Failed(written),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Written::NoRoom(written),
                Err(_) => return Written::Failed(written),
            }
        }
        Written::All
    }

    /// Standard error for who can wait until there is room.
    pub(super) fn patient() -> Option<Self> {
        standard_error().map(Self)
    }

    /// Standard error for who cannot wait; none if there is no such way to it.
    pub(super) fn at_once() -> Option<Self> {
        at_once(standard_error()?).map(Self)
    }
}

#[cfg(unix)]
fn standard_error() -> Option<File> {
    use std::os::fd::AsFd;

    std::io::stderr().as_fd().try_clone_to_owned().ok().map(File::from)
}

/// Whoever shares a pipe or a terminal shares whether writing to it waits, too. So it is opened once more, which the
/// others do not notice.
#[cfg(unix)]
fn at_once(file: File) -> Option<File> {
    use std::io::IsTerminal;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

    use rustix::fs::OFlags;

    let kind = file.metadata().ok()?.file_type();
    if kind.is_file() || (kind.is_char_device() && !file.is_terminal()) {
        return Some(file);
    }
    if !kind.is_fifo() && !kind.is_char_device() {
        return None;
    }
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    File::options()
        .write(true)
        .custom_flags(flags.bits().cast_signed())
        .open(format!("/dev/fd/{}", file.as_raw_fd()))
        .ok()
}

#[cfg(not(unix))]
fn standard_error() -> Option<File> {
    None
}

#[cfg(not(unix))]
fn at_once(_: File) -> Option<File> {
    None
}
