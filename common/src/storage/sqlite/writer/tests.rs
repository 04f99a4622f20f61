use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;

const COUNT: &str = "SELECT count(*) FROM word";

type Done = Result<(), StorageError>;

/// A writer on a file of its own, with a table of words.
struct Site {
    writer: Writer,
    path: PathBuf,
    _folder: TempDir,
}

impl Site {
    async fn new() -> Self {
        Self::with_room(QUEUE).await
    }

    async fn with_room(room: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backdrop.db");
        let guard = crate::storage::sqlite::connections::open(&path).expect("a database");
        let writer = Writer::with_room(&guard, room).expect("a thread");
        let site = Self { writer, path, _folder: folder };
        site.write(|transaction| Ok(transaction.execute_batch("CREATE TABLE word (word TEXT)")?))
            .await
            .expect("a table");
        site
    }

    async fn write(&self, work: impl FnMut(&Transaction<'_>) -> Done + Send + 'static) -> Done {
        self.writer.write(0, work).await
    }

    async fn add(&self, word: &'static str) -> Done {
        self.write(move |transaction| insert(transaction, word)).await
    }

    /// Takes the turn, and keeps it until the sender is dropped.
    async fn hold(&self) -> (impl Future<Output = Done>, mpsc::Sender<()>) {
        let (begun, has_begun) = oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let mut begun = Some(begun);
        let mut held = Box::pin(self.write(move |_| {
            begun.take().map(|begun| begun.send(()));
            let _ = released.recv();
            Ok(())
        }));
        tokio::select! {
            biased;
            _ = &mut held => panic!("it is held"),
            begun = has_begun => begun.expect("it has begun"),
        }
        (held, release)
    }

    fn words(&self) -> String {
        let connection = Connection::open(&self.path).expect("a connection");
        let mut statement = connection.prepare("SELECT word FROM word ORDER BY rowid").expect("a table");
        let words = statement.query_map([], |row| row.get(0)).expect("words");
        words.collect::<Result<Vec<String>, _>>().expect("words").join(" ")
    }
}

fn insert(transaction: &Transaction<'_>, word: &str) -> Done {
    transaction.execute("INSERT INTO word VALUES (?1)", [word])?;
    Ok(())
}

#[track_caller]
fn check_kind(answer: &Done, expected: StorageErrorKind) {
    assert_eq!(answer.as_ref().expect_err("an error").kind(), expected, "{answer:?}");
}

#[tokio::test]
async fn those_who_wait_share_a_commit() {
    let site = Site::new().await;
    let (held, release) = site.hold().await;
    let path = site.path.clone();
    // What those before it wrote is there for itself, and for nobody else.
    let looks = site.writer.write(0, move |transaction| {
        let count = |connection: &Connection| connection.query_row(COUNT, [], |row| row.get::<_, i64>(0));
        Ok((count(transaction)?, count(&Connection::open(&path)?)?))
    });
    let (held, one, two, seen, three, ()) =
        tokio::join!(held, site.add("one"), site.add("two"), looks, site.add("three"), async {
            drop(release);
        });
    assert!([held, one, two, three].iter().all(Result::is_ok));
    assert_eq!(seen.expect("seen"), (2, 0));
    assert_eq!(site.words(), "one two three", "in their order");
}

#[tokio::test]
async fn a_large_one_is_the_last_of_its_group() {
    let site = Site::new().await;
    let (held, release) = site.hold().await;
    let large = site.writer.write(MAX_GROUP_BYTES, |transaction| insert(transaction, "large"));
    // This ends the transaction, so whoever shares it fails.
    let breaks = site.write(|transaction| Ok(transaction.execute_batch("ROLLBACK")?));
    let (held, large, broken, ()) = tokio::join!(held, large, breaks, async { drop(release) });
    assert!(held.is_ok() && large.is_ok());
    check_kind(&broken, StorageErrorKind::Unavailable);
    assert_eq!(site.words(), "large");
}

/// Has work fail among that of others, and checks that it is undone alone.
async fn check_undone(fails: impl FnMut(&Transaction<'_>) -> Done + Send + 'static, kind: StorageErrorKind) {
    let site = Site::new().await;
    let (held, release) = site.hold().await;
    let (held, one, failed, two, ()) =
        tokio::join!(held, site.add("one"), site.write(fails), site.add("two"), async { drop(release) });
    assert!(held.is_ok() && one.is_ok() && two.is_ok());
    check_kind(&failed, kind);
    site.add("three").await.expect("the next one is stored");
    assert_eq!(site.words(), "one two three");
}

#[tokio::test]
async fn one_that_fails_is_undone_alone() {
    let fails = |transaction: &Transaction<'_>| {
        insert(transaction, "half")?;
        Err(StorageError::new(StorageErrorKind::NotFound, "the other half"))
    };
    check_undone(fails, StorageErrorKind::NotFound).await;
}

#[tokio::test]
async fn a_panic_leaves_nothing_behind() {
    let panics = |transaction: &Transaction<'_>| -> Done {
        insert(transaction, "half")?;
        panic!("in the middle");
    };
    check_undone(panics, StorageErrorKind::Internal).await;
}

#[tokio::test]
async fn an_error_that_ends_the_transaction_is_not_that_of_the_others() {
    let ends = |transaction: &Transaction<'_>| -> Done {
        insert(transaction, "half")?;
        // As SQLite does by itself after some errors.
        transaction.execute_batch("ROLLBACK")?;
        Err(StorageError::new(StorageErrorKind::Unavailable, "disk I/O error"))
    };
    check_undone(ends, StorageErrorKind::Unavailable).await;
}

#[tokio::test]
async fn several_that_fail_are_each_told_their_own_error() {
    let site = Site::new().await;
    let (held, release) = site.hold().await;
    let fails = |kind| site.write(move |_| Err(StorageError::new(kind, "a reason")));
    let (held, one, two, three, ()) = tokio::join!(
        held,
        fails(StorageErrorKind::NotFound),
        site.add("two"),
        fails(StorageErrorKind::Changed),
        async { drop(release) }
    );
    check_kind(&one, StorageErrorKind::NotFound);
    check_kind(&three, StorageErrorKind::Changed);
    assert!(held.is_ok() && two.is_ok());
    assert_eq!(site.words(), "two");
}

#[tokio::test]
async fn nobody_is_told_that_it_is_stored_if_the_commit_fails() {
    let site = Site::new().await;
    let (held, release) = site.hold().await;
    // The rule is looked at when the transaction is committed, and then there is no such user.
    let breaks_a_rule = site.write(|transaction| {
        transaction.execute_batch(
            "PRAGMA defer_foreign_keys = ON; INSERT INTO user_bucket VALUES ('nobody', 99, 0);",
        )?;
        Ok(())
    });
    let (held, one, broken, ()) = tokio::join!(held, site.add("one"), breaks_a_rule, async { drop(release) });
    for answer in [held, one, broken] {
        check_kind(&answer, StorageErrorKind::Unavailable);
    }
    site.add("two").await.expect("the next one is stored");
    assert_eq!(site.words(), "two");
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_works_again_with_room() {
    let site = Site::new().await;
    let fill = |transaction: &Transaction<'_>| {
        // Stands for a full disk: SQLite answers the same error where the file may not grow.
        let pages: u32 = transaction.pragma_query_value(None, "page_count", |row| row.get(0))?;
        transaction.pragma_update(None, "max_page_count", pages)?;
        insert(transaction, &"x".repeat(1_000_000))
    };
    let refused = site.write(fill).await.expect_err("a full disk");
    assert_eq!(refused.kind(), StorageErrorKind::Unavailable);
    assert!(refused.to_string().contains("full"), "{refused}");
    site.write(|transaction| insert(transaction, &"y".repeat(1_000_000))).await.expect("there is room");
    assert_eq!(site.words(), "y".repeat(1_000_000));
}

#[tokio::test]
async fn one_whose_turn_does_not_come_is_never_done() {
    let site = Site::new().await;
    let (held, release) = site.hold().await;
    tokio::time::pause();
    let refused = site.add("late").await;
    check_kind(&refused, StorageErrorKind::Unavailable);
    tokio::time::resume();
    drop(release);
    held.await.expect("it was held");
    site.add("next").await.expect("stored");
    assert_eq!(site.words(), "next");
}

#[tokio::test]
async fn one_that_has_its_turn_is_waited_for() {
    let site = Site::new().await;
    let (begun, has_begun) = oneshot::channel();
    let (release, released) = mpsc::channel::<()>();
    let mut begun = Some(begun);
    let slow = site.write(move |transaction| {
        begun.take().map(|begun| begun.send(()));
        let _ = released.recv();
        insert(transaction, "slow")
    });
    let patience = async {
        has_begun.await.expect("it has begun");
        tokio::time::pause();
        tokio::time::sleep(PATIENCE * 2).await;
        tokio::time::resume();
        drop(release);
    };
    let (slow, ()) = tokio::join!(slow, patience);
    slow.expect("stored");
    assert_eq!(site.words(), "slow");
}

#[tokio::test]
async fn one_whose_caller_goes_away_is_never_done() {
    let site = Site::new().await;
    let (held, release) = site.hold().await;
    tokio::select! {
        biased;
        _ = site.add("unwanted") => panic!("it is not its turn"),
        () = ready(()) => {}
    }
    drop(release);
    held.await.expect("it was held");
    site.add("next").await.expect("stored");
    assert_eq!(site.words(), "next");
}

#[tokio::test]
async fn more_than_there_is_room_for_are_refused_at_once() {
    let site = Site::with_room(2).await;
    let (held, release) = site.hold().await;
    let (one, two, three, held, ()) =
        tokio::join!(site.add("one"), site.add("two"), site.add("three"), held, async { drop(release) });
    assert!(one.is_ok() && two.is_ok() && held.is_ok());
    check_kind(&three, StorageErrorKind::Busy);
    site.add("four").await.expect("there is room again");
    assert_eq!(site.words(), "one two four");
}

#[tokio::test]
async fn the_end_of_a_writer_is_that_of_its_thread() {
    let Site { writer, path, _folder } = Site::new().await;
    let log = path.with_extension("db-wal");
    assert!(log.exists());
    drop(writer);
    assert!(!log.exists(), "the connection is closed");
}

/// As the command line does while the app is busy.
#[tokio::test(flavor = "multi_thread")]
async fn another_process_writes_at_the_same_time() {
    let site = Arc::new(Site::new().await);
    let done = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let (site, done) = (Arc::clone(&site), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    site.add("busy").await.expect("stored");
                }
            })
        })
        .collect();
    let guard = crate::storage::sqlite::connections::open(&site.path).expect("the same database");
    let other = Writer::new(&guard).expect("a thread");
    for _ in 0..50 {
        other.write(0, |transaction| insert(transaction, "other")).await.expect("stored as well");
    }
    done.store(true, Ordering::Relaxed);
    for task in busy {
        task.await.expect("no panic");
    }
    assert_eq!(site.words().matches("other").count(), 50);
}
