//! What becomes of files that are deleted, replaced, or mixed with another's log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

use super::beside;
use crate::bucket::{BucketConfig, BucketName, TokenChange};
use crate::record::Record;
use crate::storage::{BucketSave, SqliteEngine, StorageEngine, StorageErrorKind};
use crate::timestamp::Timestamp;

/// A database in a folder of its own, and what is done to it.
struct Site {
    folder: tempfile::TempDir,
    path: PathBuf,
}

fn name() -> BucketName {
    BucketName::parse("foo").expect("a name")
}

/// As somebody else does it, whose handles are none of this process.
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").args([from, to]).status().expect("cp").success());
}

async fn store(engine: &SqliteEngine, records: usize) -> Result<(), StorageErrorKind> {
    let records = vec![Record { id: None, timestamp: None, fields: Vec::new() }; records];
    engine.store(&name(), records, Timestamp::MIN).await.map(drop).map_err(|error| error.kind())
}

impl Site {
    /// A database with a bucket of ten records.
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let site = Self { path: folder.path().join("backdrop.db"), folder };
        let engine = site.open();
        let save = BucketSave::new(BucketConfig::new(name()), TokenChange::Keep);
        engine.save_buckets(vec![save]).await.expect("a bucket");
        store(&engine, 10).await.expect("stored");
        site
    }

    fn open(&self) -> SqliteEngine {
        SqliteEngine::open(&self.path).expect("a database")
    }

    #[track_caller]
    fn check_refused(&self, said: &str) {
        let before = fs::read(&self.path).ok();
        let refused = SqliteEngine::open(&self.path).map(drop).expect_err("it is not opened").to_string();
        assert!(refused.contains(said) && refused.contains("delete"), "{refused}");
        assert_eq!(fs::read(&self.path).ok(), before, "it is left as it is");
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> PathBuf {
        beside(&self.path, "-wal")
    }

    fn delete_log(&self) {
        fs::remove_file(self.log()).expect("a log");
        let _ = fs::remove_file(beside(&self.path, "-shm"));
    }

    /// What a kill at this moment would leave on the disk, in a folder of its own.
    fn killed(&self) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let killed = Self { path: folder.path().join("backdrop.db"), folder };
        copy(&self.path, &killed.path);
        copy(&self.log(), &killed.log());
        killed
    }

    async fn count(&self) -> u64 {
        self.open().count(&name()).await.expect("a count")
    }
}

async fn check_unavailable(engine: &SqliteEngine) {
    let unavailable = Some(StorageErrorKind::Unavailable);
    assert_eq!(engine.ping().await.err().map(|error| error.kind()), unavailable);
    assert_eq!(engine.count(&name()).await.err().map(|error| error.kind()), unavailable);
    assert_eq!(engine.buckets().await.err().map(|error| error.kind()), unavailable);
    assert_eq!(store(engine, 1).await.err(), unavailable);
    let address = crate::bucket::BucketAddress::Name(name());
    assert_eq!(engine.bucket(&address).await.err().map(|error| error.kind()), unavailable);
}

#[tokio::test]
async fn a_file_that_is_gone_is_not_answered_from() {
    let site = Site::new().await;
    let engine = site.open();
    store(&engine, 5).await.expect("stored");
    let away = site.beside("away.db");
    fs::rename(&site.path, &away).expect("moved");
    check_unavailable(&engine).await;
    assert!(!site.path.exists(), "none is made in its place");
    fs::rename(&away, &site.path).expect("moved back");
    store(&engine, 1).await.expect("it is there again");
    assert_eq!(engine.count(&name()).await.expect("a count"), 16);
    fs::remove_file(&site.path).expect("deleted");
    check_unavailable(&engine).await;
    drop(engine);
    site.check_refused("is gone");
    assert!(!site.path.exists(), "none is made in its place");
    site.delete_log();
    assert!(site.open().buckets().await.expect("a new file").is_empty());
}

#[tokio::test]
async fn a_file_that_was_moved_to_its_place_is_another() {
    let (site, other) = (Site::new().await, Site::new().await);
    let engine = site.open();
    store(&engine, 5).await.expect("stored");
    store(&engine, 5).await.expect("stored");
    fs::rename(&other.path, &site.path).expect("moved");
    check_unavailable(&engine).await;
    drop(engine);
    site.check_refused("is not the file that its log");
    site.delete_log();
    assert_eq!(site.count().await, 10);
}

#[tokio::test]
async fn what_was_copied_over_it_is_neither_read_nor_written() {
    let site = Site::new().await;
    let backup = site.beside("backup.db");
    copy(&site.path, &backup);
    for opened in ["the first time", "again"] {
        let engine = site.open();
        store(&engine, 5).await.expect(opened);
        store(&engine, 5).await.expect(opened);
        copy(&backup, &site.path);
        check_unavailable(&engine).await;
        drop(engine);
        assert_eq!(fs::read(&site.path).expect("a file"), fs::read(&backup).expect("a file"));
        site.check_refused("is not the file that its log");
        site.delete_log();
        assert_eq!(site.count().await, 10, "{opened}");
    }
}

#[tokio::test]
async fn a_log_that_a_kill_left_is_laid_over_its_own_file_only() {
    let site = Site::new().await;
    let backup = site.beside("backup.db");
    copy(&site.path, &backup);
    let engine = site.open();
    store(&engine, 5).await.expect("stored");
    for stored in 2..=8 {
        store(&engine, 5).await.expect("stored");
        let killed = site.killed();
        assert_eq!(killed.count().await, 10 + 5 * stored);
        let killed = site.killed();
        copy(&backup, &killed.path);
        killed.check_refused("is not the file that its log");
        let compact = killed.beside("compact.db");
        let copied = Connection::open(&site.path)
            .and_then(|connection| connection.execute("VACUUM INTO ?1", [compact.to_str().expect("a path")]));
        copied.expect("a copy");
        copy(&compact, &killed.path);
        killed.check_refused("is not the file that its log");
        killed.delete_log();
        assert_eq!(killed.count().await, 10 + 5 * stored, "a copy that SQLite made");
    }
    drop(engine);
    assert!(!site.log().exists(), "who closes it last folds the log into it");
}

#[tokio::test]
async fn kills_between_any_two_checkpoints_lose_nothing() {
    let site = Site::new().await;
    for round in 1..=6 {
        let engine = site.open();
        store(&engine, 5).await.expect("stored");
        let folded = Connection::open(&site.path).expect("a connection");
        let how = ["PASSIVE", "RESTART", "TRUNCATE"][round % 3];
        folded.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(())).expect("folded");
        assert_eq!(site.killed().count().await, 10 + 10 * (round as u64) - 5, "after {how}");
        store(&engine, 5).await.expect("stored");
        assert_eq!(site.killed().count().await, 10 + 10 * (round as u64), "after {how}");
    }
}

#[tokio::test]
async fn a_file_that_is_empty_or_missing_beside_a_log_is_not_made_anew() {
    let site = Site::new().await;
    let engine = site.open();
    store(&engine, 5).await.expect("stored");
    let killed = site.killed();
    fs::write(&killed.path, "").expect("made empty");
    killed.check_refused("is empty");
    assert!(killed.log().exists());
    fs::remove_file(&killed.path).expect("deleted");
    killed.check_refused("is gone");
}

#[tokio::test]
async fn a_log_that_was_deleted_is_missed() {
    let site = Site::new().await;
    let engine = site.open();
    store(&engine, 5).await.expect("stored");
    fs::remove_file(site.log()).expect("deleted");
    check_unavailable(&engine).await;
}

#[tokio::test]
async fn a_file_is_opened_while_another_process_writes() {
    let site = Site::new().await;
    let other = Connection::open(&site.path).expect("a connection");
    other.execute_batch("BEGIN IMMEDIATE").expect("the right to write");
    let engine = site.open();
    assert_eq!(engine.count(&name()).await.expect("a count"), 10);
    engine.ping().await.expect("it can be read");
}

#[tokio::test]
async fn a_file_that_could_not_be_written_to_is_opened_anew() {
    let site = Site::new().await;
    let engine = site.open();
    store(&engine, 5).await.expect("stored");
    engine.guard.suspend("a test wants it so");
    // Whoever writes next opens it, and checks it first.
    store(&engine, 1).await.expect("stored");
    engine.ping().await.expect("it can be read again");
    assert_eq!(engine.count(&name()).await.expect("a count"), 16);
}
