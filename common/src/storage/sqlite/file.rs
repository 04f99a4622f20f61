//! The database file and its log as files: what is at their paths, and who may read them.
//!
//! None of this opens the database file itself: where a process closes one handle of a file, it gives up all
//! locks that it has on it, SQLite's too.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What tells one file from another, and one state of it from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    modified: (i64, i64),
}

impl Seen {
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// What is at a path; none if nothing is.
pub(super) fn look(path: &Path) -> io::Result<Option<Seen>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Seen::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file beside the database file, which SQLite names after it.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Makes the file, empty, and the folder that it is in, for nobody else to read. SQLite gives the files
/// beside it the same mode. Says whether it was made; not if another process made it first.
pub(super) fn create(path: &Path) -> io::Result<bool> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes from others what they may do with a file that an earlier version, or somebody else, made. A group
/// that may write to it is meant to.
pub(super) fn make_private(path: &Path) {
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        let Ok(metadata) = fs::metadata(&file) else { continue };
        let mode = metadata.permissions().mode() & 0o777;
        let wanted = if mode & 0o020 == 0 { mode & 0o700 } else { mode & 0o770 };
        if !metadata.is_file() || mode == wanted {
            continue;
        }
        let shown = file.display();
        match fs::set_permissions(&file, Permissions::from_mode(wanted)) {
            Ok(()) => {
                tracing::info!("{shown} could be read by others: its mode was {mode:o}, and is {wanted:o}");
            }
            Err(error) => tracing::warn!(%error, "{shown} can be read by others: chmod it to {wanted:o}"),
        }
    }
}

/// Which process has the right to write to the database file, in words.
pub(super) fn holder(path: &Path) -> String {
    match holding(path) {
        Some(pid) => {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("process {pid} ({})", name.trim())
        }
        None => "another process".to_owned(),
    }
}

#[cfg(target_os = "linux")]
fn holding(path: &Path) -> Option<i32> {
    // As SQLite's wal.c has it: the byte of the shared-memory file that a writer locks.
    const WRITE_LOCK: u64 = 120;
    let shared = look(&beside(path, "-shm")).ok()??;
    let held = procfs::locks().ok()?.into_iter().find(|lock| {
        lock.inode == shared.inode
            && matches!(lock.kind, procfs::LockKind::Write)
            && (lock.offset_first..=lock.offset_last.unwrap_or(u64::MAX)).contains(&WRITE_LOCK)
    });
    held?.pid
}

#[cfg(not(target_os = "linux"))]
fn holding(_: &Path) -> Option<i32> {
    None
}

/// The log of the database file, as the process that writes has it open.
pub(super) struct Log(File);

/// What tells one log from the next that is written into the same file.
pub(super) type Salts = [u8; 8];

impl Log {
    /// The log beside a database file.
    pub(super) fn open(database: &Path) -> io::Result<Self> {
        File::open(beside(database, "-wal")).map(Self)
    }

    /// How large it is.
    pub(super) fn size(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    /// None where nothing was written since it was made empty.
    pub(super) fn salts(&self) -> Option<Salts> {
        // As the format of SQLite's files has it.
        const SALTS: u64 = 16;
        let mut salts = Salts::default();
        self.0.read_exact_at(&mut salts, SALTS).ok().map(|()| salts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_for_nobody_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one/two/backdrop.db");
        assert!(create(&path).expect("made"));
        assert!(!create(&path).expect("there"));
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    }

    #[test]
    fn what_others_made_is_made_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backdrop.db");
        for (before, after) in
            [(0o644, 0o600), (0o600, 0o600), (0o640, 0o600), (0o660, 0o660), (0o666, 0o660), (0o777, 0o770)]
        {
            for file in [path.clone(), beside(&path, "-wal"), beside(&path, "-shm")] {
                fs::write(&file, "").expect("a file");
                fs::set_permissions(&file, Permissions::from_mode(before)).expect("a mode");
            }
            make_private(&path);
            for file in [path.clone(), beside(&path, "-wal"), beside(&path, "-shm")] {
                assert_eq!(mode(&file), after, "{before:o}");
            }
        }
    }
}
