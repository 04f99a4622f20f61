//! The tables of a database, and its version.
//!
//! `bucket` has a row for each bucket; its number names the bucket's own tables. `record_N` keeps
//! the records: `seq` counts what was ever written to the bucket, so a reader that knows the
//! largest it has seen can ask for what is newer. A record that is replaced or deleted leaves its
//! `seq` in `tombstone_N`; emptying a bucket raises its `generation` instead. An `_id` that we made
//! names its `seq` and needs no entry in the index; only those that were sent are in the column.

use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction};

use crate::storage::{StorageError, StorageErrorKind};

/// Marks the file as ours ("BkDp"); SQLite keeps it in the file's header.
const APPLICATION_ID: i32 = 0x426b_4470;
/// The version of this layout.
const VERSION: i32 = 1;

const TABLES: &str = "
    CREATE TABLE bucket (
        number       INTEGER PRIMARY KEY AUTOINCREMENT,
        name         TEXT NOT NULL UNIQUE,
        data_group   TEXT,
        data_type    TEXT,
        token        TEXT,
        config       TEXT NOT NULL,
        cap          INTEGER,
        written      INTEGER NOT NULL DEFAULT 0,
        generation   INTEGER NOT NULL DEFAULT 0,
        stored_bytes INTEGER NOT NULL DEFAULT 0,
        UNIQUE (data_group, data_type)
    ) STRICT;
    CREATE TABLE user (email TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE user_bucket (
        email  TEXT NOT NULL REFERENCES user (email) ON DELETE CASCADE,
        bucket INTEGER NOT NULL REFERENCES bucket (number) ON DELETE CASCADE,
        place  INTEGER NOT NULL,
        PRIMARY KEY (email, bucket)
    ) STRICT, WITHOUT ROWID;
";

/// Makes the tables of a new database and checks those of another.
pub(super) fn prepare(transaction: &Transaction<'_>) -> Result<(), StorageError> {
    let tables: u32 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 {
        return check(transaction);
    }
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

/// Checks that the database is ours and not newer than this program.
pub(super) fn check(connection: &Connection) -> Result<(), StorageError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if pragma("application_id")? != APPLICATION_ID {
        return Err(StorageError::new(
            StorageErrorKind::Internal,
            "the file is an SQLite database of another program",
        ));
    }
    let version = pragma("user_version")?;
    if version > VERSION {
        return Err(StorageError::new(
            StorageErrorKind::Internal,
            format!("the database is of version {version}; this program knows versions up to {VERSION}"),
        ));
    }
    Ok(())
}

/// Switches a new database to write-ahead logging, in which readers and a writer do not wait for
/// each other.
pub(super) fn use_wal(connection: &Connection) -> Result<(), StorageError> {
    // Two processes that make the file at the same moment may find it locked, and here SQLite does
    // not wait by itself.
    const TRIES: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(20);
    for _ in 1..TRIES {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(PAUSE);
            }
            done => return Ok(done?),
        }
    }
    Ok(connection.pragma_update(None, "journal_mode", "WAL")?)
}

/// Makes the tables of a bucket.
pub(super) fn create_bucket_tables(transaction: &Transaction<'_>, number: i64) -> Result<(), StorageError> {
    transaction.execute_batch(&format!(
        "CREATE TABLE record_{number} (
             seq INTEGER PRIMARY KEY AUTOINCREMENT,
             id  TEXT,
             ts  INTEGER,
             doc BLOB NOT NULL
         ) STRICT;
         CREATE UNIQUE INDEX record_{number}_id ON record_{number} (id) WHERE id IS NOT NULL;
         CREATE INDEX record_{number}_ts ON record_{number} (ts);
         CREATE TABLE tombstone_{number} (
             position INTEGER PRIMARY KEY AUTOINCREMENT,
             seq      INTEGER NOT NULL
         ) STRICT;"
    ))?;
    Ok(())
}

/// Drops the tables of a bucket.
pub(super) fn drop_bucket_tables(transaction: &Transaction<'_>, number: i64) -> Result<(), StorageError> {
    transaction.execute_batch(&format!("DROP TABLE record_{number}; DROP TABLE tombstone_{number};"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::SqliteEngine;

    #[track_caller]
    fn check_refused(change: &str, message: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backdrop.db");
        drop(SqliteEngine::open(&path).expect("a database"));
        drop(SqliteEngine::open(&path).expect("the same database"));
        let connection = Connection::open(&path).expect("a connection");
        connection.execute_batch(change).expect("a change");
        let refused = SqliteEngine::open(&path).map(|_| ()).expect_err("another database");
        assert!(refused.to_string().contains(message), "{refused}");
    }

    #[test]
    fn databases_that_are_not_opened() {
        check_refused("PRAGMA user_version = 2", "of version 2; this program knows versions up to 1");
        check_refused("PRAGMA application_id = 0", "of another program");
    }

    #[test]
    fn a_file_that_is_no_database() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backdrop.db");
        std::fs::write(&path, "not a database, and longer than the header of one is".repeat(20))
            .expect("a file");
        assert!(SqliteEngine::open(&path).is_err());
    }
}
