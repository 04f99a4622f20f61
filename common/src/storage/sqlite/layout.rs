//! The tables of a database, and its version.
//!
//! `bucket` has a row for each bucket; its number names the bucket's own tables. `record_N` keeps
//! the records: `seq` counts what was ever written to the bucket, so a reader that knows the
//! largest it has seen can ask for what is newer. A record that is replaced or deleted leaves its
//! `seq` in `tombstone_N`; emptying a bucket raises its `generation` instead. An `_id` that we made
//! names its `seq` and needs no entry in the index; only those that were sent are in the column.

mod upgrade;

use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction};

use super::census;
use crate::storage::{StorageError, StorageErrorKind};

/// Marks the file as ours ("BkDp"); SQLite keeps it in the file's header.
const APPLICATION_ID: i32 = 0x426b_4470;
/// What each version added to the one before it. These do not change any more: a new version is a
/// step more. Whoever opens the file waits for it.
const STEPS: [&str; 3] = [VERSION_1, VERSION_2, VERSION_3];
/// The version of this layout.
pub(super) const VERSION: i32 = 3;

const VERSION_1: &str = "
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

/// Tokens that retire, and the audit log. An entry is found by its position, or by one of the others
/// with its position, which SQLite puts at the end of every index.
const VERSION_2: &str = "
    ALTER TABLE bucket ADD COLUMN retiring TEXT;
    CREATE TABLE audit (
        position   INTEGER PRIMARY KEY,
        at         INTEGER NOT NULL,
        who        TEXT NOT NULL,
        action     TEXT NOT NULL,
        bucket     TEXT,
        detail     TEXT NOT NULL,
        address    TEXT,
        request_id TEXT
    ) STRICT;
    CREATE INDEX audit_who ON audit (who);
    CREATE INDEX audit_action ON audit (action);
    CREATE INDEX audit_bucket ON audit (bucket);
";

/// Checksums and totals, by which damage is found; who the file is, so that it is not taken for another; which
/// tables are to be dropped; and the ends of sessions, by the id of a session or the address of a person.
const VERSION_3: &str = "
    ALTER TABLE bucket ADD COLUMN tables INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE bucket ADD COLUMN last_seq INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE bucket ADD COLUMN last_tombstone INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE bucket ADD COLUMN records INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE bucket ADD COLUMN sums INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE bucket ADD COLUMN times INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE bucket ADD COLUMN ids INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE bucket ADD COLUMN state_sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE bucket ADD COLUMN config_sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE user ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE audit ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE census (
        one         INTEGER PRIMARY KEY CHECK (one = 1),
        buckets     INTEGER NOT NULL,
        bucket_sums INTEGER NOT NULL,
        users       INTEGER NOT NULL,
        user_sums   INTEGER NOT NULL,
        entries     INTEGER NOT NULL,
        entry_sums  INTEGER NOT NULL,
        last_tables INTEGER NOT NULL,
        sum         INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE identity (
        one         INTEGER PRIMARY KEY CHECK (one = 1),
        id          TEXT NOT NULL,
        base        TEXT,
        base_schema INTEGER NOT NULL DEFAULT 0,
        previous    TEXT,
        epoch       TEXT NOT NULL,
        rollovers   INTEGER NOT NULL DEFAULT 0,
        salts       BLOB
    ) STRICT;
    CREATE TABLE discarded (number INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE sessions_end (
        whose    TEXT PRIMARY KEY,
        begun_by INTEGER NOT NULL,
        until    INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_end_until ON sessions_end (until);
";

/// Makes the tables of a new database, and checks those of another and brings them up to date. Others
/// who open the file meanwhile wait, and find it done.
pub(super) fn prepare(transaction: &Transaction<'_>) -> Result<(), StorageError> {
    let tables: u32 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let version = if tables > 0 { check(transaction)? } else { 0 };
    if version == VERSION {
        return Ok(());
    }
    for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    if version < 3 {
        upgrade::to_version_3(transaction)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

/// Checks that the database is ours and not newer than this program. Answers its version.
pub(super) fn check(connection: &Connection) -> Result<i32, StorageError> {
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
    Ok(version)
}

/// Whether a database needs nothing to be done before it is used.
pub(super) fn is_up_to_date(connection: &Connection) -> Result<bool, StorageError> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    Ok(mode == "wal" && check(connection)? == VERSION)
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

/// Makes the tables of a bucket, under a number that none had before, and answers the number.
pub(super) fn create_bucket_tables(transaction: &Transaction<'_>) -> Result<i64, StorageError> {
    let mut number = 0;
    census::change(transaction, |census| {
        census.last_tables += 1;
        number = census.last_tables;
    })?;
    transaction.execute_batch(&format!(
        "CREATE TABLE record_{number} (
             seq INTEGER PRIMARY KEY AUTOINCREMENT,
             id  TEXT,
             ts  INTEGER,
             sum INTEGER NOT NULL,
             doc BLOB NOT NULL
         ) STRICT;
         CREATE UNIQUE INDEX record_{number}_id ON record_{number} (id) WHERE id IS NOT NULL;
         CREATE INDEX record_{number}_ts ON record_{number} (ts);
         CREATE TABLE tombstone_{number} (
             position INTEGER PRIMARY KEY AUTOINCREMENT,
             seq      INTEGER NOT NULL,
             sum      INTEGER NOT NULL
         ) STRICT;"
    ))?;
    Ok(number)
}

/// More records than this are not deleted at once, but bit by bit, and meanwhile in nobody's way.
const FEW_RECORDS: i64 = 10_000;

/// Has the tables of a bucket with so many records empty, or others that are, and answers their number.
pub(super) fn clear_bucket_tables(
    transaction: &Transaction<'_>,
    number: i64,
    records: i64,
) -> Result<i64, StorageError> {
    if records > FEW_RECORDS {
        discard_bucket_tables(transaction, number, records)?;
        return create_bucket_tables(transaction);
    }
    transaction.execute_batch(&format!("DELETE FROM record_{number}; DELETE FROM tombstone_{number};"))?;
    Ok(number)
}

/// Drops the tables of a bucket with so many records, or notes that they are to be dropped.
pub(super) fn discard_bucket_tables(
    transaction: &Transaction<'_>,
    number: i64,
    records: i64,
) -> Result<(), StorageError> {
    if records <= FEW_RECORDS {
        return drop_bucket_tables(transaction, number);
    }
    transaction.prepare_cached("INSERT INTO discarded (number) VALUES (?1)")?.execute([number])?;
    Ok(())
}

fn drop_bucket_tables(transaction: &Transaction<'_>, number: i64) -> Result<(), StorageError> {
    transaction.execute_batch(&format!("DROP TABLE record_{number}; DROP TABLE tombstone_{number};"))?;
    Ok(())
}

/// Whether there are tables to be dropped.
pub(super) fn has_discarded(connection: &Connection) -> Result<bool, StorageError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM discarded)";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Drops a piece of what was discarded. Says whether there is more.
pub(super) fn drop_a_piece(transaction: &Transaction<'_>) -> Result<bool, StorageError> {
    /// They take some milliseconds.
    const PIECE: i64 = 2_000;
    let discarded: Option<i64> = transaction
        .prepare_cached("SELECT number FROM discarded LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let Some(number) = discarded else { return Ok(false) };
    for (table, key) in [("record", "seq"), ("tombstone", "position")] {
        let sql = format!(
            "DELETE FROM {table}_{number} WHERE {key} IN (SELECT {key} FROM {table}_{number} LIMIT {PIECE})"
        );
        if transaction.execute(&sql, [])? > 0 {
            return Ok(true);
        }
    }
    drop_bucket_tables(transaction, number)?;
    transaction.execute("DELETE FROM discarded WHERE number = ?1", [number])?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::audit::AuditFilter;
    use crate::bucket::{BucketConfig, BucketName, TokenChange};
    use crate::record::{Record, RecordId};
    use crate::storage::{SqliteEngine, StorageEngine, document};
    use crate::timestamp::Timestamp;
    use crate::token::TokenHash;

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

    const TABLES_BEFORE_3: &str = "
        CREATE TABLE record_1 (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, ts INTEGER, doc BLOB NOT NULL) STRICT;
        CREATE UNIQUE INDEX record_1_id ON record_1 (id) WHERE id IS NOT NULL;
        CREATE INDEX record_1_ts ON record_1 (ts);
        CREATE TABLE tombstone_1 (position INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL) STRICT;
        INSERT INTO tombstone_1 (seq) VALUES (2500);";

    /// A database of version 1 with a bucket in it.
    fn old_database(folder: &tempfile::TempDir) -> PathBuf {
        let path = folder.path().join("backdrop.db");
        let mut connection = Connection::open(&path).expect("a connection");
        use_wal(&connection).expect("a log");
        let transaction = connection.transaction().expect("a transaction");
        transaction.execute_batch(VERSION_1).expect("tables");
        transaction.pragma_update(None, "application_id", APPLICATION_ID).expect("a mark");
        transaction.pragma_update(None, "user_version", 1).expect("a version");
        let config = BucketConfig { data_group: Some("group".to_owned()), ..BucketConfig::new(name()) };
        let token = TokenHash::new(&"tok-old".to_owned().into()).to_text();
        let values = (serde_json::to_string(&config).expect("JSON"), token);
        let insert = "INSERT INTO bucket (name, config, token, written) VALUES ('old', ?1, ?2, 1)";
        transaction.execute(insert, values).expect("a bucket");
        transaction.execute_batch(TABLES_BEFORE_3).expect("its tables");
        for number in 0..2500 {
            let id = (number % 2 == 0).then(|| format!("id {number}"));
            let record = Record { id: None, timestamp: Timestamp::from_millis(number), fields: Vec::new() };
            let document = document::encode(id.as_deref().unwrap_or("made"), &record, Timestamp::MIN);
            transaction
                .execute("INSERT INTO record_1 (id, ts, doc) VALUES (?1, ?2, ?3)", (id, number, document))
                .expect("a record");
        }
        transaction.execute("DELETE FROM record_1 WHERE seq = 2500", []).expect("deleted");
        let sum = "UPDATE bucket SET stored_bytes = (SELECT sum(length(doc)) FROM record_1)";
        transaction.execute(sum, []).expect("its bytes");
        let users = "INSERT INTO user VALUES ('ann@example.org');
                     INSERT INTO user_bucket VALUES ('ann@example.org', 1, 0);";
        transaction.execute_batch(users).expect("a user");
        transaction.commit().expect("a database");
        path
    }

    fn name() -> BucketName {
        BucketName::parse("old").expect("a name")
    }

    #[tokio::test]
    async fn a_database_of_version_1_is_brought_up_to_date() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = old_database(&folder);
        let now = Timestamp::MIN;
        for opened in ["the first time", "again"] {
            let engine = SqliteEngine::open(&path).expect(opened);
            let buckets = engine.buckets().await.expect("buckets");
            assert_eq!(buckets[0].config.data_group.as_deref(), Some("group"));
            assert!(buckets[0].tokens.allows("tok-old", now) && buckets[0].tokens.retiring.is_empty());
            assert_eq!(engine.users().await.expect("users")[0].buckets, [name()]);
            assert!(engine.is_written(&name()).await.expect("an answer"));
            assert_eq!(
                engine.audit(&AuditFilter { limit: 9, ..AuditFilter::default() }).await.expect("a log"),
                []
            );
        }
        let engine = SqliteEngine::open(&path).expect("the database");
        assert_eq!(engine.count(&name()).await.expect("a count"), 2499);
        let query = |text| match crate::storage::conformance::parse_query(text, 9) {
            crate::query::Query::Groups(query) => query,
            crate::query::Query::Records(_) => panic!("{text} asks for groups"),
        };
        // By both ways, whose totals are compared with what there is.
        for text in ["group_by=kind", "period=year&start_at=1970-01-01T00:00:00Z&end_at=1971-01-01T00:00:00Z"]
        {
            let rows = engine.aggregate(&name(), &query(text)).await;
            assert!(
                rows.is_ok() || rows.is_err_and(|error| error.kind() == StorageErrorKind::TooManyRows),
                "{text}"
            );
        }
        let id = RecordId::parse("id_0").expect("an id");
        assert!(!engine.delete_record(&name(), &id).await.expect("an answer"));
        let record = Record { id: None, timestamp: None, fields: Vec::new() };
        engine.store(&name(), vec![record], now).await.expect("stored");
        assert_eq!(engine.count(&name()).await.expect("a count"), 2500);
        let change = TokenChange::Rotate {
            hash: TokenHash::new(&"new".to_owned().into()),
            now,
            until: Timestamp::MAX,
        };
        assert!(engine.change_tokens(&name(), change).await.expect("changed"));
        let tokens = engine.buckets().await.expect("buckets").remove(0).tokens;
        assert!(tokens.allows("tok-old", now) && tokens.allows("new", now));
    }

    #[test]
    fn an_old_database_is_opened_by_several_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = old_database(&folder);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| SqliteEngine::open(&path).map(drop).expect("the database"));
            }
        });
        let version = Connection::open(&path).map_err(StorageError::from).and_then(|opened| check(&opened));
        assert_eq!(version.expect("a version"), VERSION);
    }

    #[test]
    fn databases_that_are_not_opened() {
        check_refused("PRAGMA user_version = 4", "of version 4; this program knows versions up to 3");
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
