//! Who a database file is, so that it is not taken for another, nor laid together with the log of another.
//!
//! A file has an id, which its copies share. Whenever SQLite begins its log anew, the file's `epoch` is
//! made anew too, as the log's first words so to speak: they say which states of the file this log may be
//! laid over.
//!
//! ```text
//! file  epoch a ──────────────── epoch a or b ─────────── epoch b
//! log            base a, epoch b, … is folded into the file       base b, epoch c, …
//! ```

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};

use super::file::{self, Salts, Seen};
use crate::storage::StorageError;

/// What is kept in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: String,
    /// The epoch of the file itself when the log was begun; none if it had none.
    base: Option<String>,
    /// The epoch before this one.
    previous: Option<String>,
    epoch: String,
    /// How many epochs there were.
    pub(super) rollovers: i64,
    /// Which log was begun.
    salts: Option<Vec<u8>>,
    /// SQLite's number of the state of the tables when it was.
    base_schema: i64,
    /// The same now.
    schema: i64,
}

/// Gives a database an id that no other has.
pub(super) fn create(transaction: &Transaction<'_>) -> Result<(), StorageError> {
    transaction.execute("INSERT INTO identity (one, id, epoch) VALUES (1, ?1, ?2)", [random(), random()])?;
    Ok(())
}

fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// What is kept in the file and its log; none in one of an earlier version.
pub(super) fn read(connection: &Connection) -> Result<Option<Identity>, StorageError> {
    let has: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'identity')",
        [],
        |row| row.get(0),
    )?;
    if !has {
        return Ok(None);
    }
    let sql = "SELECT id, base, previous, epoch, rollovers, salts, base_schema, schema_version
               FROM identity, pragma_schema_version";
    let found = connection.query_row(sql, [], |row| {
        Ok(Identity {
            id: row.get(0)?,
            base: row.get(1)?,
            previous: row.get(2)?,
            epoch: row.get(3)?,
            rollovers: row.get(4)?,
            salts: row.get(5)?,
            base_schema: row.get(6)?,
            schema: row.get(7)?,
        })
    });
    Ok(found.optional()?)
}

/// The same of the file alone, as it would be without its log.
fn read_alone(path: &Path) -> Result<Option<Identity>, StorageError> {
    let mut address = url::Url::from_file_path(std::path::absolute(path).map_err(unavailable)?)
        .map_err(|()| unavailable("its path has no address"))?;
    address.set_query(Some("immutable=1"));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    read(&Connection::open_with_flags(address.as_str(), flags)?)
}

fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StorageError {
    StorageError::new(crate::storage::StorageErrorKind::Unavailable, cause)
}

/// Whether a file is one that its log, which says `whole`, may be laid over.
fn fits(alone: Option<&Identity>, whole: &Identity) -> bool {
    let Some(alone) = alone else { return whole.base.is_none() };
    let epochs = [whole.base.as_ref(), whole.previous.as_ref(), Some(&whole.epoch)];
    alone.id == whole.id
        && epochs.contains(&Some(&alone.epoch))
        // A copy that SQLite made has other pages in other places, and says so here.
        && (whole.base_schema..=whole.schema).contains(&alone.schema)
}

/// A file that belongs to its log: how it looked, and what the two say.
pub(super) struct Compared {
    pub(super) seen: Option<Seen>,
    pub(super) identity: Option<Identity>,
}

/// Compares a file with what a connection to it says, its log included. Answers how the file looked, and
/// what it says; none if the log is another's, as often as it is looked at.
///
/// # Errors
///
/// If the file cannot be read even by itself.
pub(super) fn compare(
    path: &Path,
    connection: &Connection,
    tries: u32,
) -> Result<Option<Compared>, StorageError> {
    // While another process folds its log into the file, the two cannot be read at one moment.
    const PAUSE: Duration = Duration::from_millis(10);
    let mut last = Ok(None);
    for tried in 0..tries {
        if tried > 0 {
            sleep(PAUSE);
        }
        let seen = file::look(path).map_err(unavailable)?;
        last = read_alone(path).map(|alone| {
            // If only both together cannot be read, they do not belong together.
            let whole = read(connection).ok()?;
            let is_own = match &whole {
                Some(whole) => fits(alone.as_ref(), whole),
                None => alone.is_none(),
            };
            is_own.then_some(Compared { seen, identity: whole })
        });
        if let Ok(Some(_)) = last {
            return last;
        }
    }
    last
}

/// Notes that a log was begun, unless that is done. It is in the log then, behind the first of it.
pub(super) fn begin_log(
    transaction: &Transaction<'_>,
    path: &Path,
    salts: Salts,
) -> Result<(), StorageError> {
    let Some(whole) = read(transaction)? else { return Ok(()) };
    if whole.salts.as_deref() == Some(&salts[..]) {
        return Ok(());
    }
    let alone = read_alone(path)?;
    let base = alone.as_ref().map(|alone| &alone.epoch);
    let base_schema = alone.as_ref().map_or(0, |alone| alone.schema);
    transaction.execute(
        "UPDATE identity SET base = ?1, base_schema = ?2, previous = epoch, epoch = ?3, salts = ?4,
             rollovers = rollovers + 1",
        params![base, base_schema, random(), salts],
    )?;
    // Writes the first page too, so that the number of the tables' state is in the log, and not that of
    // whatever file it may be laid over.
    let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(transaction.pragma_update(None, "user_version", version)?)
}
